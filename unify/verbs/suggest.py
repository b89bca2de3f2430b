"""Working out a plan: data in scratch tables, a Suggestion out. Takes no lease and publishes nothing."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from ingest.load import load
from ingest.record_tables import load_records, with_keys
from unify.core.errors import SourceError, SpecError
from unify.core.names import quote, table_of
from unify.core.progress import Progress, silent
from unify.core.steps import Query, Step
from unify.core.suggestions import Suggestion
from unify.engines.duckdb import DuckDBEngine
from unify.proposal.known import COLUMNS, Known, known_pairs
from unify.proposal.run import entities_of, work_out
from unify.proposal.splink.plan import SplinkSettings, from_splink
from unify.records import RecordStore
from unify.spec import Project
from unify.store import Store

PUBLISHED = "published"
"""Name under which the published generation is attached."""

Labels = Any
"""A CSV file's path, rows as dicts, or a frame: entity1, key1, entity2, key2, match."""


def suggest(
    project: Project,
    *,
    base: Path,
    store: Store | None = None,
    records: RecordStore | None = None,
    frames: Mapping[str, Any] | None = None,
    labels: Labels | None = None,
    splink: SplinkSettings | None = None,
    progress: Progress = silent,
    memory_limit: str | None = None,
    threads: int | None = None,
) -> Suggestion:
    """A plan for the project's profile entities.

    base     folder that paths in the project are relative to
    store    take the tables of its published generation instead of reading files
    records  where the project's record tables lie
    frames   entity → frame, instead of files
    labels   pairs of records of which somebody said whether they are one customer
    splink   settings of Splink to carry over, instead of working out a plan: docs/from-splink.md
    Raises SpecError, SourceError; a plan that the project has is not looked at, but for its order of entities.
    """
    if splink is not None and labels is not None:
        raise SpecError("labels sharpen a plan that is worked out", where="splink", hint="leave one of them out")
    project = project if records is None else with_keys(project, records)
    entities = entities_of(project)
    with DuckDBEngine(memory_limit=memory_limit, threads=threads) as engine:
        if store is not None:
            _published(engine, store, entities)
        else:
            for name in entities:
                progress("suggest", f"read {name}")
                entity = project.entity(name)
                if entity.records and records is not None and name not in (frames or {}):
                    load_records(engine, name, entity, records, base=base)
                else:
                    load(engine, name, entity, (frames or {}).get(name), base=base)
        if splink is not None:
            return from_splink(engine, project, splink)
        known = read_labels(labels, entities) if labels is not None else ()
        return work_out(engine, project, known, progress)


def _published(engine: DuckDBEngine, store: Store, entities: Iterable[str]) -> None:
    generation, pin = store.pin_published()
    with pin:
        engine.attach(generation.path, PUBLISHED)
        there = engine.tables(PUBLISHED)
        for name in entities:
            if table_of(name) not in there:
                raise SpecError(f"{name} has not been ingested", hint="`unify ingest` or `unify run` first")
            sql = f"FROM {quote(PUBLISHED)}.{quote(table_of(name))}"
            engine.build(Step(table_of(name), Query(sql), "take what was ingested", keep=True))
        engine.detach(PUBLISHED)


def read_labels(labels: Labels, entities: Iterable[str]) -> tuple[Known, ...]:
    """The labelled pairs. SourceError for a missing column or a value that is no answer."""
    if isinstance(labels, (str, Path)):
        path = Path(labels)
        if not path.is_file():
            raise SourceError("there is no such file", where=str(path), hint=f"a CSV file with {', '.join(COLUMNS)}")
        texts = pa_csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
        try:
            rows = pa_csv.read_csv(path, convert_options=texts).to_pylist()
        except pa.ArrowInvalid as error:
            hint = f"a CSV file with {', '.join(COLUMNS)}"
            raise SourceError(f"cannot be read as CSV: {error}", where=str(path), hint=hint) from error
        return known_pairs(rows, entities, str(path))
    if hasattr(labels, "to_arrow"):
        labels = labels.to_arrow()  # polars
    elif hasattr(labels, "to_arrow_table"):
        labels = labels.to_arrow_table()  # DuckDB
    if hasattr(labels, "to_pylist"):
        labels = labels.to_pylist()
    elif hasattr(labels, "to_dict"):
        labels = labels.to_dict("records")
    return known_pairs(labels, entities, "labels")
