"""Rows written one by one over files of every kind: a naive overlay in Python is the oracle, and every row is counted."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.load import load
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    key: str
    values: dict[str, str | None] = field(default_factory=dict)
    created: bool = False


def loaded(root: Path, declared: dict[str, Any], written: list[Row]) -> tuple[Any, list[tuple[Any, ...]]]:
    entity = Entity.model_validate({"key": "Id", **declared})
    with DuckDBEngine(threads=2) as engine:
        report = load(engine, "crm.People", entity, base=root, now=NOW, written=written)
        rows = engine.fetch(Query('SELECT "Id", "Name", "Points" FROM "crm_People" ORDER BY ALL')).to_pylist()
        assert all("#" not in table for table in engine.tables())
    return report, [tuple(row.values()) for row in rows]


def put(root: Path, kind: str, rows: list[tuple[int, str | None, int | None]]) -> dict[str, Any]:
    """The rows as a file; what an entity says of it."""
    table = pa.table({
        "Id": pa.array([r[0] for r in rows], pa.int64()),
        "Name": pa.array([r[1] for r in rows], pa.string()),
        "Points": pa.array([r[2] for r in rows], pa.int64()),
        "At": pa.array(["2024-05-01T00:00:00"] * len(rows)),
    })  # fmt: skip
    lines = [",".join("" if v is None else str(v) for v in row.values()) for row in table.to_pylist()]
    text = "\n".join(["Id,Name,Points,At", *lines]) + "\n"
    if kind == "parquet":
        pq.write_table(table, root / "people.parquet")
        return {"files": "people.parquet"}
    if kind == "csv":
        (root / "people.csv").write_text(text)
        return {"files": "people.csv"}
    (root / "in" / "FullData").mkdir(parents=True)
    (root / "in" / "FullData" / "people.csv").write_text(text)
    return {"files": "in", "incremental": {"updated": "At"}}


@pytest.mark.parametrize("kind", ["csv", "parquet", "incremental"])
@pytest.mark.parametrize("seed", range(3))
def test_the_overlay_is_what_python_makes_of_it(tmp_path, kind, seed):
    chance = random.Random(seed)
    rows = [(i, chance.choice(["Ann", "Bo", None]), chance.choice([1, 2, None])) for i in range(1, 41)]
    declared = put(tmp_path, kind, rows)
    wanted = {row[0]: list(row) for row in rows}
    written = []
    for key in chance.sample(range(1, 61), 25):
        values: dict[str, str | None] = {}
        if chance.random() < 0.7:
            values["Name"] = chance.choice(["Zoë", "=1+1", None])
        if chance.random() < 0.7:
            values["Points"] = chance.choice(["7", "-3", None])
        created = chance.random() < 0.5
        if created:
            values["Id"] = str(key)
        written.append(Row(str(key), values, created))
        if key in wanted or created:
            row = wanted.setdefault(key, [key, None, None])
            row[1] = values.get("Name", row[1])
            row[2] = int(values["Points"]) if values.get("Points") else None if "Points" in values else row[2]  # type: ignore[arg-type]
    report, found = loaded(tmp_path, declared, written)
    assert found == sorted(map(tuple, wanted.values()), key=lambda row: row[0])
    added = sum(row.created and int(row.key) > 40 for row in written)
    changed = sum(int(row.key) <= 40 for row in written)
    assert (report.rows_in, report.rows_kept, report.rows_added, report.rows_changed) == (
        40 + added,
        40 + added,
        added,
        changed,
    )
    missing = len(written) - added - changed
    assert any(f"{missing:,} written rows have no row" in w for w in report.warnings) == bool(missing)


def test_filters_and_duplicates_come_after(tmp_path):
    declared = put(tmp_path, "csv", [(1, "Ann", 5), (2, "Bo", 5), (2, "Bo", None)])
    written = [Row("1", {"Points": "-1"}), Row("2", {"Name": "Changed"}), Row("9", {"Id": "9", "Points": "-2"}, True)]
    report, found = loaded(
        tmp_path,
        {**declared, "where": [{"column": "Points", "operator": "greater_than_or_equal", "value": 0}]},
        written,
    )
    assert found == [(2, "Changed", 5)]
    assert (report.rows_in, report.rows_kept, report.rows_added) == (4, 1, 1)
    assert report.rows_filtered + report.rows_quarantined == 3


def test_values_that_no_longer_fit_leave_what_the_file_says(tmp_path):
    declared = put(tmp_path, "csv", [(1, "Ann", 5)])
    report, found = loaded(
        tmp_path, declared, [Row("1", {"Points": "many", "Gone": "x", "Name": "Cy"}), Row("x", {"Id": "x"}, True)]
    )
    assert found == [(1, "Cy", 5)]
    text = " ".join(report.warnings)
    assert "1 written values are no integer any more and are left out of Points" in text
    assert "Gone is left out" in text
    assert "1 written values are no integer any more and are left out of Id" in text
