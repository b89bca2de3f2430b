"""The table `entities`: what every entity is and how its rows were accounted for."""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from ingest.report import LoadReport
from unify.core.engine import Engine
from unify.spec import Entity

TABLE = "entities"
_COUNTS = ("rows_in", "rows_kept", "rows_quarantined", "rows_filtered")


def write_entities(engine: Engine, entities: Mapping[str, Entity], reports: Sequence[LoadReport]) -> int:
    """Make the table `entities`, one row per report; returns the row count. KeyError for an entity not declared."""
    declared = [entities[r.entity] for r in reports]
    columns: dict[str, pa.Array] = {
        "entity": pa.array([r.entity for r in reports], pa.string()),
        "table_name": pa.array([r.table for r in reports], pa.string()),
        "key": pa.array([e.key for e in declared], pa.string()),
        "type": pa.array([e.type for e in declared], pa.string()),
        "timestamp": pa.array([e.timestamp for e in declared], pa.string()),
        **{name: pa.array([getattr(r, name) for r in reports], pa.int64()) for name in _COUNTS},
        "columns": pa.array([_columns(r) for r in reports], pa.string()),
    }
    return engine.load(TABLE, pa.table(columns), keep=True)


def _columns(report: LoadReport) -> str:
    """JSON list of `{name, type, label, format}`; label and format are null when there is none."""
    found = [
        {"name": c.name, "type": c.type, "label": c.label or None, "format": c.format or None} for c in report.columns
    ]
    return json.dumps(found, ensure_ascii=False)
