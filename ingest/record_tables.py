"""A record table as a source of rows: what it gives, and how little of it a run needs to read.

    record table ──all rows, or those of the run before and what changed since──▶ <T>#rows ──▶ as for files

Columns keep their names and types: guids and texts are strings, choices are integers, and beside each of them
`<name>_label` holds the label as text. Binary columns are left out. A key of several columns becomes `record_key`: the
values with `|` between, in which `|` and `\\` carry a `\\`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingest.arrow_types import natives_of, staged
from ingest.frames import NAME
from ingest.load import load
from ingest.report import LoadReport
from ingest.rows import FILE, LINE, Source, slot, staging_schema
from ingest.written import Written
from unify.core.engine import Engine
from unify.core.erased import NOBODY, Erased
from unify.core.errors import SourceError, SpecError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.records import Column, Kind, Reading, RecordStore, Table
from unify.records.definitions import VERSION, place
from unify.records.errors import ForgottenError
from unify.spec import Entity, Project

KEY: Final = "record_key"
LABEL: Final = "_label"
SECRET: Final = "secret"
"""In `Table.about`: columns that are never given out."""
LABELS: Final = "labels"
"""In `Table.about`: column to {value as text: label}."""
AT_ONCE: Final = 20_000
"""Rows to a batch: some megabytes of a wide table."""
_DECIMAL: Final = 19
"""Digits of 64 bits."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a record table is. Equal states, equal rows.

    definition  version of its definition
    version     of the latest write to it
    rows        how many there are
    clock       version of the store: what happens from now on is after it; no part of what is compared
    """

    definition: int
    version: int
    rows: int
    clock: int


def key_of(table: Table) -> str:
    """The column that tells its rows apart as an entity."""
    return table.key[0] if len(table.key) == 1 else KEY


def with_keys(project: Project, store: RecordStore) -> Project:
    """The project with the key of every entity that is a record table. SourceError for a table that is not there,
    SpecError for another key than the table's."""
    named = {name: entity for name, entity in project.entities.items() if entity.records}
    if not named:
        return project
    with store.read() as reading:
        keys = {name: key_of(table_of_records(reading, entity, name)) for name, entity in named.items()}
    for name, entity in named.items():
        if entity.key not in {"", keys[name]}:
            raise SpecError(f"the key of this record table is {keys[name]}", where=f"{name}.key", hint="leave it out")
    return keyed(project, keys)


def keyed(project: Project, keys: Mapping[str, str]) -> Project:
    """The project with these keys of entities."""
    sources = {
        source: {
            name: entity.model_copy(update={"key": keys.get(f"{source}.{name}", entity.key)})
            for name, entity in entities.items()
        }
        for source, entities in project.sources.items()
    }
    return project.model_copy(update={"sources": sources})


def table_of_records(reading: Reading, entity: Entity, name: str) -> Table:
    """The record table of an entity; SourceError."""
    known = reading.tables()
    if entity.records is None or entity.records not in known:
        hint = did_you_mean(entity.records or "", known) if known else "nothing was written to this instance yet"
        raise SourceError(f"there is no record table {entity.records!r}", where=name, hint=hint)
    return known[entity.records]


def state_of(reading: Reading, table: str) -> State:
    """Where it is now."""
    definition, version = reading.state(table)
    return State(definition, version, reading.count(table), reading.version)


def types_of(table: Table) -> dict[str, str]:
    """Column to type, as a load gives them."""
    columns = columns_of(table)
    schema = pa.schema([pa.field(c.name, c.arrow) for c in columns])
    return {name: kind.name for name, kind in zip(schema.names, natives_of(schema, table.name), strict=True)}


def load_records(
    engine: Engine,
    name: str,
    entity: Entity,
    store: RecordStore,
    *,
    base: Path,
    now: datetime | None = None,
    written: Sequence[Written] = (),
    erased: Erased = NOBODY,
    since: int = 0,
    previous: str = "",
) -> LoadReport:
    """As `load`, from a record table.

    since     the store's clock when `previous`, an attached database, took the table in, unchanged since in declaration
              and definition: only what happened after it is read. 0: all rows are.
    """
    with store.read() as reading:
        table = table_of_records(reading, entity, name)
        options: dict[str, Any] = {"base": base, "now": now, "written": written, "erased": erased}
        if since and not written and not erased.of(name):
            try:
                source = _since(engine, reading, table, name, since, previous)
            except ForgottenError:
                pass
            else:
                report = load(engine, name, entity, source, **options)
                # What filters left out of the run before was not handed over again.
                left = reading.count(table.name) - report.rows_in
                return replace(report, rows_in=report.rows_in + left, rows_filtered=report.rows_filtered + left)
        return load(engine, name, entity, reader(reading, table), **options)


# ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Out:
    """A column as it goes out. `of`: the column it is made of; None: the key."""

    name: str
    arrow: pa.DataType
    of: Column | None
    labels: Mapping[str, str] | None = None


_ARROW: Final[Mapping[Kind, pa.DataType]] = {
    Kind.TEXT: pa.string(), Kind.GUID: pa.string(), Kind.INTEGER: pa.int64(), Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(), Kind.DATE: pa.date32(), Kind.DATETIME: pa.timestamp("us"),
}  # fmt: skip


def columns_of(table: Table) -> list[_Out]:
    """Columns in the order of the table, each with its label behind it; a key of several columns first."""
    found = [] if len(table.key) == 1 else [_Out(KEY, pa.string(), None)]
    labels: Mapping[str, Mapping[str, str]] = table.about.get(LABELS) or {}
    names = {name.casefold() for name in table.names}
    secret = frozenset(table.about.get(SECRET) or ())
    for column in table.columns:
        if column.kind is Kind.BINARY or column.name in secret:
            continue
        decimal = column.kind is Kind.DECIMAL
        arrow = pa.decimal128(_DECIMAL, column.scale) if decimal else _ARROW[column.kind]
        found.append(_Out(column.name, arrow, column))
        if column.name in labels and f"{column.name}{LABEL}".casefold() not in names:
            found.append(_Out(f"{column.name}{LABEL}", pa.string(), column, labels[column.name]))
    return found


def reader(reading: Reading, table: Table, since: int = 0) -> pa.RecordBatchReader:
    """Rows written after a version, in the order they were written in; 0: all. The reading must stay open."""
    columns = columns_of(table)
    held = list(dict.fromkeys([*(c.of.name for c in columns if c.of is not None), *table.key]))
    names = ", ".join(map(quote, held))
    sql = f"SELECT {names} FROM {place(table.name)} WHERE {VERSION} > ? ORDER BY {VERSION}"
    cursor = reading.connection.cursor()
    cursor.row_factory = None
    cursor.execute(sql, (since,))

    def batches() -> Iterator[pa.RecordBatch]:
        while rows := cursor.fetchmany(AT_ONCE):
            by_name = dict(zip(held, zip(*rows, strict=True), strict=True))
            arrays = [_array(column, by_name, table) for column in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])

    schema = pa.schema([pa.field(column.name, column.arrow) for column in columns])
    return pa.RecordBatchReader.from_batches(schema, batches())


def _array(column: _Out, held: Mapping[str, Sequence[Any]], table: Table) -> pa.Array:
    if column.of is None:
        return pa.array(list(map(_joined, *(held[name] for name in table.key))), pa.string())
    values = held[column.of.name]
    if column.labels is not None:
        said = pa.array(values, pa.int64())
        known = pa.array([int(value) for value in column.labels], pa.int64())
        return pc.take(pa.array(list(column.labels.values()), pa.string()), pc.index_in(said, value_set=known))
    match column.of.kind:
        case Kind.DECIMAL:
            # The integer is the decimal without its point: only the type says where that stands.
            whole = pa.array(values, pa.int64()).cast(pa.decimal128(_DECIMAL, 0))
            return pa.Array.from_buffers(column.arrow, len(whole), whole.buffers(), whole.null_count, whole.offset)
        case Kind.BOOLEAN:
            return pa.array(values, pa.int64()).cast(pa.bool_())
        case Kind.DATE:
            return pa.array(values, pa.string()).cast(pa.date32())
        case Kind.DATETIME:
            return pa.array(values, pa.string()).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
        case _:
            return pa.array(values, column.arrow)


def joined_key(table: Table, values: Mapping[str, Any]) -> str:
    """The key that a row has as an entity, as text."""
    return _key_text(table, [values[name] for name in table.key])


def _joined(*values: Any) -> str:
    return "|".join(str(value).replace("\\", "\\\\").replace("|", "\\|") for value in values)


# ── what changed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _since(engine: Engine, reading: Reading, table: Table, name: str, since: int, previous: str) -> Source:
    """Rows of the generation before but for those that changed or went, and those that changed."""
    if since < reading.purged:
        raise ForgottenError(f"what was deleted from {table.name} is not known that far back")
    columns, key = columns_of(table), key_of(table)
    changed, gone = f"{table_of(name)}#changed", f"{table_of(name)}#gone"
    rows = reader(reading, table, since).read_all()
    engine.load(changed, rows)
    there = rows.column(key).to_pylist()
    keys = {*there, *(_key_text(table, held) for held, _ in reading.gone(table.name, since))}
    engine.load(gone, pa.table({"key": pa.array(sorted(keys), pa.string())}))
    kinds = natives_of(pa.schema([pa.field(c.name, c.arrow) for c in columns]), NAME)
    schema = staging_schema([staged(kind) for kind in kinds])
    slots = ", ".join(f"t.{quote(c.name)} AS {slot(i)}" for i, c in enumerate(columns))
    before = (
        f"SELECT {slots} FROM {quote(previous)}.main.{quote(table_of(name))} t "
        f"WHERE NOT EXISTS (SELECT 1 FROM {quote(gone)} g WHERE g.key = t.{quote(key)})"
    )
    sql = (
        f"SELECT CAST(0 AS INTEGER) AS {FILE}, row_number() OVER () AS {LINE}, * FROM "
        f"({before} UNION ALL SELECT {slots} FROM {quote(changed)} t)"
    )
    given = int(engine.fetch(Query(f"SELECT count(*) FROM ({sql})")).column(0)[0].as_py())
    return Source(
        tuple(c.name for c in columns), tuple(kinds), schema, iter(()), quoted=(False,) * len(columns),
        query=Query(sql), scratch=(changed, gone), rows=given,
    )  # fmt: skip


def _key_text(table: Table, held: Sequence[Any]) -> str:
    return str(held[0]) if len(table.key) == 1 else _joined(*held)
