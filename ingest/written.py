"""Rows that were written one by one, laid over the rows of the files: by key, and column by column.

    rows of the files ──▶ the same with what was written ──▶ filters, duplicates, as ever
    rows of their own ──▶ added, unless the files have their key by now: then they change that row

A value that the column's type cannot hold any more is left out, and said so; so is a column that the files no longer
have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from ingest.columns import Field
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.steps import Query, Step


class Written(Protocol):
    """One row, or a change of one: `unify.store.written.WrittenRow`."""

    @property
    def key(self) -> str:
        """As text."""

    @property
    def values(self) -> Mapping[str, str | None]:
        """Column → text that its type reads."""

    @property
    def created(self) -> bool:
        """Whether it is a row of its own."""


@dataclass(frozen=True, slots=True)
class Laid:
    """What became of them. `added`: rows beside those of the files; `changed`: rows of the files."""

    table: str
    scratch: tuple[str, ...]
    added: int
    changed: int
    warnings: tuple[str, ...]


def lay_over(
    engine: Engine,
    typed: str,
    rows: Sequence[Written],
    fields: Sequence[Field],
    *,
    table: str,
    name: str,
    key: str,
    file: str,
    line: str,
) -> Laid:
    """Make a table of the typed rows with the written ones over them.

    typed        SQL of the rows of the files: `file`, `line` and the columns
    table, name  of the entity, for scratch tables and messages
    """
    written, makes = f"{table}#written", f"{table}#laid"
    used = [f for f in fields if any(f.name in row.values for row in rows)]
    engine.load(written, _arrow(rows, used))
    known = {f.name for f in fields}
    warnings = _of_columns(name, rows, known) + _of_values(engine, name, written, used)
    place = {f.name: i for i, f in enumerate(used)}
    over = ", ".join(_over(f, place.get(f.name)) for f in fields)
    own = ", ".join(_own(f, place.get(f.name)) for f in fields)
    at = f"CAST(t.{quote(key)} AS VARCHAR)"
    [key_field] = [f for f in fields if f.name == key]
    fits = f"TRY_CAST(w.v{place[key]} AS {key_field.type.sql}) IS NOT NULL" if key in place else "false"
    sql = (
        f"SELECT t.{quote(file)}, t.{quote(line)}, {over} FROM {typed} t LEFT JOIN {quote(written)} w ON w.key = {at} "
        f"UNION ALL SELECT -1, w.n, {own} FROM {quote(written)} w WHERE w.created AND {fits} "
        f"AND NOT EXISTS (SELECT 1 FROM {typed} t WHERE {at} = w.key)"
    )
    engine.build(Step(makes, Query(sql), "rows of the files with what was written over them", (written,)))
    counted = engine.fetch(
        Query(
            f"SELECT count_if(l.{quote(file)} = -1) AS added, count_if(l.{quote(file)} <> -1) AS changed "
            f"FROM {quote(makes)} l JOIN {quote(written)} w ON w.key = CAST(l.{quote(key)} AS VARCHAR)"
        )
    )
    added, changed = (int(counted.column(i)[0].as_py() or 0) for i in range(2))
    lost = len(rows) - added - changed
    if lost > 0:
        warnings.append(f"{name}: {lost:,} written rows have no row in the files to change, and wait for it")
    return Laid(makes, (written, makes), added, changed, tuple(warnings))


def _arrow(rows: Sequence[Written], used: Sequence[Field]) -> pa.Table:
    """One row each: `key`, `n`, `created`, and of every column that somebody wrote its text and whether it was."""
    columns: dict[str, pa.Array] = {
        "key": pa.array([row.key for row in rows], pa.string()),
        "n": pa.array(range(1, len(rows) + 1), pa.int64()),
        "created": pa.array([row.created for row in rows], pa.bool_()),
    }
    for i, field in enumerate(used):
        columns[f"v{i}"] = pa.array([row.values.get(field.name) for row in rows], pa.string())
        columns[f"h{i}"] = pa.array([field.name in row.values for row in rows], pa.bool_())
    return pa.table(columns)


def _over(field: Field, place: int | None) -> str:
    column = quote(field.name)
    if place is None:
        return f"t.{column}"
    value = f"TRY_CAST(w.v{place} AS {field.type.sql})"
    fits = f"w.h{place} AND (w.v{place} IS NULL OR {value} IS NOT NULL)"
    return f"CASE WHEN {fits} THEN {value} ELSE t.{column} END AS {column}"


def _own(field: Field, place: int | None) -> str:
    value = "NULL" if place is None else f"w.v{place}"
    return f"TRY_CAST({value} AS {field.type.sql}) AS {quote(field.name)}"


def _of_columns(name: str, rows: Sequence[Written], known: set[str]) -> list[str]:
    gone = sorted({column for row in rows for column in row.values} - known)
    return [f"{name}: what was written to {column} is left out: there is no such column any more" for column in gone]


def _of_values(engine: Engine, name: str, written: str, used: Sequence[Field]) -> list[str]:
    """A warning for every column with values that are none of its type."""
    if not used:
        return []
    wrong = ", ".join(
        f"count_if(v{i} IS NOT NULL AND TRY_CAST(v{i} AS {f.type.sql}) IS NULL)" for i, f in enumerate(used)
    )
    found = engine.fetch(Query(f"SELECT {wrong} FROM {quote(written)}"))
    counts = [int(found.column(i)[0].as_py()) for i in range(len(used))]
    return [
        f"{name}: {n:,} written values are no {f.type.name} any more and are left out of {f.name}"
        for f, n in zip(used, counts, strict=True)
        if n
    ]
