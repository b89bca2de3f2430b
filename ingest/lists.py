"""Override and value lists: from files or from the project into two tables.

makes  overrides     kind, list, entity1, key1, entity2, key2: always- and never-match entries
       list_values   list, value, alias: bypass values and those with a verdict (alias null), and alias pairs
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from ingest.csv_reader import csv_source
from ingest.files import resolve_files
from ingest.rows import FILE, LINE, slot
from unify.core.engine import Engine
from unify.core.errors import SourceError, did_you_mean
from unify.spec import Entity, Project, ValueList

COLUMNS = {
    "always": ("Table1", "Table1Key", "Table2", "Table2Key"),
    "never": ("Table1", "Table1Key", "Table2", "Table2Key"),
    "bypass": ("Value",),
    "alias": ("Value", "Alias"),
    "genuine": ("Value",),
    "shared": ("Value",),
    "junk": ("Value",),
}
"""Columns of a list's file, by kind (reference §3.5)."""

OVERRIDES = pa.schema([(c, pa.string()) for c in ("kind", "list", "entity1", "key1", "entity2", "key2")])
VALUES = pa.schema([(c, pa.string()) for c in ("list", "value", "alias")])


def load_lists(engine: Engine, project: Project, base: Path) -> None:
    """Make `overrides` and `list_values`.

    Raises SourceError for a file without the columns of its kind, or with an entry that is not filled in: an override
    that is left out in silence would let strangers become one customer.
    """
    overrides: list[tuple[str, ...]] = []
    values: list[tuple[str | None, ...]] = []
    for name, spec in project.lists.items():
        for entry in _entries(name, spec, base):
            if spec.kind in ("always", "never"):
                overrides.append((spec.kind, name, *entry))
            else:
                values.append((name, entry[0], entry[1] if spec.kind == "alias" else None))
    engine.load("overrides", _table(OVERRIDES, overrides), keep=True)
    engine.load("list_values", _table(VALUES, values), keep=True)


def _table(schema: pa.Schema, rows: "list[tuple[str, ...]] | list[tuple[str | None, ...]]") -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(c, pa.string()) for c in columns], schema=schema)


def _entries(name: str, spec: ValueList, base: Path) -> Iterator[tuple[str, ...]]:
    yield from spec.records
    yield from spec.pairs
    yield from ((value,) for value in spec.values)
    if not spec.files:
        return
    wanted = COLUMNS[spec.kind]
    where = f"list {name!r}"
    for place, entry in _rows(spec, base, wanted, where):
        if not all(entry):
            missing = ", ".join(c for c, v in zip(wanted, entry, strict=True) if not v)
            raise SourceError(f"{missing} is empty", where=f"{where}: {place}", hint="fill it in, or remove the row")
        yield entry


def _rows(spec: ValueList, base: Path, wanted: tuple[str, ...], where: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(file and line, the wanted columns as text) of every row of the list's CSV files."""
    entity = Entity(files=spec.files, key=wanted[0], format="csv")
    files = resolve_files(entity, base, where=where)
    source = csv_source(files, entity)
    folded = {c.casefold(): slot(i) for i, c in enumerate(source.columns)}
    for column in wanted:
        if column.casefold() not in folded:
            raise SourceError(
                f"there is no column {column!r}",
                where=f"{where}: {files[0].name}",
                hint=did_you_mean(column, source.columns),
            )
    for batch in source.batches:
        cells = [batch.column(folded[column.casefold()]).to_pylist() for column in wanted]
        places = zip(batch.column(FILE).to_pylist(), batch.column(LINE).to_pylist(), strict=True)
        for (number, line), entry in zip(places, zip(*cells, strict=True), strict=True):
            yield f"{files[number].name}, line {line}", tuple((text or "").strip() for text in entry)
    if source.bad:
        number, bad = source.bad[0]
        raise SourceError(
            f"{len(source.bad)} rows cannot be read; the first: {bad.reason}",
            where=f"{where}: {files[number].name}, line {bad.line}",
            hint="mend the file: overrides are never left out in silence",
        )
