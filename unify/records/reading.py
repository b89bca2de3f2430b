"""What can be asked of one moment of the store."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from unify.core.errors import NotFoundError, did_you_mean
from unify.core.names import quote
from unify.records import definitions
from unify.records.definitions import VERSION, place
from unify.records.errors import (
    ForgottenError,
)
from unify.records.nouns import Row, Table, Value
from unify.records.stamped import Stamped
from unify.records.values import loaded, stored


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a table after a version.

    rows      written since and still there, oldest write first
    gone      keys of rows that were there at that version or later and are not any more, by version
    version   up to where this tells; ask from here the next time
    """

    rows: list[Row]
    gone: list[tuple[tuple[Value, ...], int]]
    version: int


_KNOWN: Final[Stamped[Mapping[str, Table]]] = Stamped()


class Reading:
    """One moment of the store. `connection` is for SELECTs of those who write their own SQL: see `place`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._tables: Mapping[str, Table] | None = None

    @property
    def version(self) -> int:
        """Of the latest write."""
        return int(self.connection.execute("SELECT version FROM clock").fetchone()[0])

    def tables(self) -> Mapping[str, Table]:
        """All, by name."""
        if self._tables is None:
            self._tables = _KNOWN.of(self.stamp, self._definitions)
        return self._tables

    def _definitions(self) -> Mapping[str, Table]:
        found = self.connection.execute("SELECT name, body FROM definitions ORDER BY name")
        return {row["name"]: definitions.parsed(row["name"], row["body"]) for row in found}

    @property
    def stamp(self) -> str:
        """Of the definitions: wherever it is the same, they are; it is never the same again after a change."""
        return str(self.connection.execute("SELECT stamp FROM clock").fetchone()[0])

    @property
    def defined(self) -> int:
        """The version at which a table was last made, changed or dropped."""
        return int(self.connection.execute("SELECT defined FROM clock").fetchone()[0])

    @property
    def purged(self) -> int:
        """Changes after an earlier version cannot be told any more: deletions of then were forgotten."""
        return int(self.connection.execute("SELECT purged FROM clock").fetchone()[0])

    def table(self, name: str) -> Table:
        """One; NotFoundError."""
        known = self.tables()
        if name not in known:
            raise NotFoundError(f"there is no table {name[:80]!r}", where="table", hint=did_you_mean(name, known))
        return known[name]

    def get(self, table: str, key: Sequence[Value]) -> Row | None:
        """By its key."""
        known = self.table(table)
        return self.find(table, dict(zip(known.key, key, strict=True)))

    def find(self, table: str, values: Mapping[str, Value], *, key: str | None = None) -> Row | None:
        """The one row that has these values; `key` names the alternate key that they are of: ASCII case is ignored."""
        known = self.table(table)
        fold = " COLLATE NOCASE" if key is not None else ""
        where = " AND ".join(f"{quote(name)} = ?{fold}" for name in values)
        params = [stored(known.column(name), value) for name, value in values.items()]
        found = self.connection.execute(f"SELECT * FROM {place(table)} WHERE {where} LIMIT 1", params).fetchone()
        return None if found is None else row_of(known, found)

    def many(self, table: str, column: str, values: Iterable[Value]) -> Iterator[Row]:
        """Rows whose column has one of these values, each once, by key."""
        known = self.table(table)
        order = ", ".join(map(quote, known.key))
        held = json.dumps([stored(known.column(column), value) for value in values], ensure_ascii=False)
        sql = f"SELECT * FROM {place(table)} WHERE {quote(column)} IN (SELECT value FROM json_each(?)) ORDER BY {order}"
        for found in self.connection.execute(sql, (held,)):
            yield row_of(known, found)

    def absent(self, table: str, column: str, values: Iterable[Value]) -> Value:
        """The smallest of these values that no row has in the column; None: all are there."""
        known = self.table(table).column(column)
        held = json.dumps([stored(known, value) for value in values], ensure_ascii=False)
        there = f"SELECT 1 FROM {place(table)} t WHERE t.{quote(column)} = j.value"
        sql = f"SELECT min(j.value) FROM json_each(?) j WHERE NOT EXISTS ({there})"
        return loaded(known, self.connection.execute(sql, (held,)).fetchone()[0])

    def longest(self, table: str, column: str) -> int:
        """How many characters the longest text of a column has; 0: there is none."""
        self.table(table).column(column)
        found = self.connection.execute(f"SELECT max(length({quote(column)})) FROM {place(table)}").fetchone()[0]
        return int(found or 0)

    def rows(self, table: str) -> Iterator[Row]:
        """All, by key."""
        known = self.table(table)
        order = ", ".join(map(quote, known.key))
        for found in self.connection.execute(f"SELECT * FROM {place(table)} ORDER BY {order}"):
            yield row_of(known, found)

    def count(self, table: str) -> int:
        """Of rows."""
        self.table(table)
        return int(self.connection.execute(f"SELECT count(*) FROM {place(table)}").fetchone()[0])

    def changes(self, table: str, since: int) -> Changes:
        """What happened after version `since`; 0 gives every row, and nothing gone. ForgottenError: too long ago."""
        known = self.table(table)
        if since and since < self.purged:
            raise ForgottenError(f"what was deleted from {table} is not known that far back", hint="read it all")
        sql = f"SELECT * FROM {place(table)} WHERE {VERSION} > ? ORDER BY {VERSION}"
        rows = [row_of(known, found) for found in self.connection.execute(sql, (since,))]
        there = {tuple(row.values[c] for c in known.key) for row in rows}
        gone = [(key, v) for key, v in self.gone(table, since) if key not in there] if since else []
        return Changes(rows, gone, self.version)

    def state(self, table: str) -> tuple[int, int]:
        """Version of its definition, and of the latest write to it as far as that is known; 0: there was none."""
        self.table(table)
        defined = self.connection.execute("SELECT version FROM definitions WHERE name = ?", (table,)).fetchone()[0]
        there = self.connection.execute(f"SELECT max({VERSION}) FROM {place(table)}").fetchone()[0]
        gone = self.connection.execute("SELECT max(version) FROM gone WHERE name = ?", (table,)).fetchone()[0]
        return int(defined), max(int(there or 0), int(gone or 0))

    def gone(self, name: str, since: int) -> Iterator[tuple[tuple[Value, ...], int]]:
        """Keys of rows that were deleted after a version, each once with its latest; some may be there again."""
        table = self.table(name)
        sql = "SELECT key, max(version) FROM gone WHERE name = ? AND version > ? GROUP BY key ORDER BY 2"
        columns = [table.column(name) for name in table.key]
        for held, version in self.connection.execute(sql, (table.name, since)):
            yield tuple(loaded(c, v) for c, v in zip(columns, json.loads(held), strict=True)), version


def row_of(table: Table, found: sqlite3.Row) -> Row:
    """A row of `SELECT *` (further columns are passed over) as its values are."""
    return Row({c.name: loaded(c, found[c.name]) for c in table.columns}, found[VERSION])
