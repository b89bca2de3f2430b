"""Transactions on `records.sqlite`, and what can be done in one.

A writer is alone from its first statement to its commit (BEGIN IMMEDIATE), so no update is lost and versions grow in
the order of commits: whoever has read up to a version has missed nothing before it. Readers see one moment.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import resources
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Final

from unify.core.errors import NotFoundError, did_you_mean
from unify.core.names import quote
from unify.records import definitions
from unify.records.definitions import VERSION, place
from unify.records.errors import (
    ForgottenError,
    KeyTakenError,
    NewerStoreError,
    NoSuchRowError,
    RecordError,
    VersionError,
)
from unify.records.nouns import Row, Table, Value
from unify.records.stamped import Stamped
from unify.records.values import loaded, moment, stored, storer

FILE: Final = "records.sqlite"
BUSY_S: Final = 30.0
AT_ONCE: Final = 10_000
"""Rows that are turned into what SQLite holds before they go in: some megabytes."""
FORMAT: Final = 1
"""Of the file (`PRAGMA user_version`)."""


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


class RecordStore:
    """That of one instance, given by its directory; nothing is made before the first write."""

    def __init__(self, instance: Path) -> None:
        self.path = instance / FILE

    @contextmanager
    def read(self) -> Iterator["Reading"]:
        """One moment of the store."""
        if not self.path.exists():
            with closing(_set_up(sqlite3.connect(":memory:", isolation_level=None))) as empty:
                _initialise(empty)
                yield Reading(empty)
            return
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield Reading(connection)

    @contextmanager
    def write(self) -> Iterator["Writing"]:
        """One transaction: on the disk when the block ends, undone when it raises."""
        with closing(self._connect()) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                _initialise(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Writing(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = _set_up(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None))
        connection.execute("PRAGMA synchronous = FULL")
        return connection


_KNOWN: Final[Stamped[Mapping[str, Table]]] = Stamped()


def _set_up(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only let go of
    return connection


def _initialise(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise NewerStoreError(f"{FILE} has format {found}, and this is written for {FORMAT}", hint="update unify")
    connection.execute("PRAGMA journal_mode = WAL")
    script = resources.files("unify.records").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {FORMAT}; COMMIT;")


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
        gone = [(key, v) for key, v in self._gone(known, since) if key not in there] if since else []
        return Changes(rows, gone, self.version)

    def _gone(self, table: Table, since: int) -> Iterator[tuple[tuple[Value, ...], int]]:
        sql = "SELECT key, max(version) FROM gone WHERE name = ? AND version > ? GROUP BY key ORDER BY 2"
        columns = [table.column(name) for name in table.key]
        for held, version in self.connection.execute(sql, (table.name, since)):
            yield tuple(loaded(c, v) for c, v in zip(columns, json.loads(held), strict=True)), version


class Writing(Reading):
    """A transaction of a writer: what `Reading` does, on what it has written itself too."""

    def define(self, table: Table) -> None:
        """Make a table, or widen it: see `definitions.extend`. SpecError."""
        definitions.check(table)
        before = self.tables().get(table.name)
        if before is None:
            definitions.make(self.connection, table)
        else:
            try:
                definitions.extend(self.connection, before, table)
            except sqlite3.IntegrityError as error:
                raise KeyTakenError(
                    f"rows of {table.name} are not told apart by the new key", table=table.name, where=table.name
                ) from error
        self._keep(table)

    def _keep(self, table: Table) -> None:
        sql = "INSERT OR REPLACE INTO definitions (name, body, version) VALUES (?, ?, ?)"
        self.connection.execute(sql, (table.name, definitions.dumped(table), self._redefined()))

    def drop(self, name: str) -> None:
        """Take a table away with all its rows; NotFoundError."""
        self.table(name)
        self.connection.execute(f"DROP TABLE {place(name)}")
        for kept in ("definitions", "gone"):
            self.connection.execute(f"DELETE FROM {kept} WHERE name = ?", (name,))
        self._redefined()

    def _redefined(self) -> int:
        version = self._next()
        self.connection.execute("UPDATE clock SET defined = version, stamp = lower(hex(randomblob(16)))")
        self._tables = None
        return version

    def insert(self, table: str, rows: Iterable[Mapping[str, Value]]) -> int:
        """Add rows; the version of the last. RecordError, KeyTakenError; a column that is not named is null."""
        known = self.table(table)
        names = ", ".join(map(quote, (*known.names, VERSION)))
        marks = ", ".join("?" * (len(known.columns) + 1))
        sql = f"INSERT INTO {place(table)} ({names}) VALUES ({marks})"
        held = rows_held(known, rows)
        version = self.version
        while some := list(islice(held, AT_ONCE)):
            version = self._next(len(some))
            first = version - len(some) + 1
            for place_of, row in enumerate(some):
                row.append(first + place_of)
            with self._telling_keys(known):
                self.connection.executemany(sql, some)
        return version

    def update(
        self, table: str, key: Sequence[Value], values: Mapping[str, Value], *, version: int | None = None
    ) -> int:
        """Set columns of one row; its new version. NoSuchRowError; VersionError when it is not at `version` now."""
        known = self.table(table)
        if any(name in values for name in known.key):
            raise RecordError("a row keeps its key", where=next(name for name in known.key if name in values))
        where, params = self._at(known, key, version)
        held = {name: self._cell(known, name, value) for name, value in values.items()}
        new = self._next()
        sets = ", ".join(f"{quote(name)} = ?" for name in held) + (", " if held else "") + f"{VERSION} = ?"
        with self._telling_keys(known):
            done = self.connection.execute(
                f"UPDATE {place(table)} SET {sets} WHERE {where}", [*held.values(), new, *params]
            )
        if not done.rowcount:
            self._missed(known, key)
        return new

    def update_many(self, table: str, changes: Iterable[tuple[Sequence[Value], Mapping[str, Value]]]) -> int:
        """Set columns of many rows, each by its key, in this order; the version of the last. NoSuchRowError."""
        known = self.table(table)
        where = " AND ".join(f"{quote(name)} = ?" for name in known.key)
        last = self.version
        for names, some in groupby(changes, lambda change: tuple(change[1])):
            given = list(some)
            last = self._next(len(given))
            sets = ", ".join(f"{quote(name)} = ?" for name in (*names, VERSION))
            held = (
                [
                    *(self._cell(known, name, values[name]) for name in names),
                    last - len(given) + 1 + at,
                    *(stored(known.column(name), value) for name, value in zip(known.key, key, strict=True)),
                ]
                for at, (key, values) in enumerate(given)
            )
            with self._telling_keys(known):
                done = self.connection.executemany(f"UPDATE {place(table)} SET {sets} WHERE {where}", held)
            if done.rowcount != len(given):
                for key, _ in given:
                    if self.get(table, key) is None:
                        self._missed(known, key)
        return last

    def delete_many(self, table: str, keys: Iterable[Sequence[Value]]) -> int:
        """Take away those rows that are there, and remember that; how many there were."""
        known = self.table(table)
        columns = [known.column(name) for name in known.key]
        where = " AND ".join(f"{quote(name)} = ?" for name in known.key)
        done = 0
        at = moment(datetime.now(UTC))
        for key in keys:
            held = [stored(column, value) for column, value in zip(columns, key, strict=True)]
            if self.connection.execute(f"DELETE FROM {place(table)} WHERE {where}", held).rowcount:
                done += 1
                self._remember(table, held, at)
        return done

    def delete(self, table: str, key: Sequence[Value], *, version: int | None = None) -> int:
        """Take one row away, and remember that; the version. NoSuchRowError, VersionError."""
        known = self.table(table)
        where, params = self._at(known, key, version)
        done = self.connection.execute(f"DELETE FROM {place(table)} WHERE {where}", params)
        if not done.rowcount:
            self._missed(known, key)
        held = [stored(known.column(n), v) for n, v in zip(known.key, key, strict=True)]
        return self._remember(table, held, moment(datetime.now(UTC)))

    def _remember(self, table: str, held: list[Any], at: str) -> int:
        new = self._next()
        sql = "INSERT INTO gone (name, key, version, at) VALUES (?, ?, ?, ?)"
        self.connection.execute(sql, (table, json.dumps(held, ensure_ascii=False), new, at))
        return new

    def purge(self, before: datetime) -> None:
        """Forget which rows were deleted before a moment. Who has not asked since must read the table anew."""
        sql = "DELETE FROM gone WHERE at < ? RETURNING version"
        found = [row[0] for row in self.connection.execute(sql, (moment(before),)).fetchall()]
        if found:
            self.connection.execute("UPDATE clock SET purged = max(purged, ?)", (max(found),))

    def remove_column(self, table: str, column: str, about: Mapping[str, Any]) -> None:
        """Take a column away, with what lies in it; `about` is kept from now on. SpecError for one of a key."""
        after = replace(definitions.remove(self.connection, self.table(table), column), about=about)
        self._keep(after)

    def _next(self, count: int = 1) -> int:
        sql = "UPDATE clock SET version = version + ? RETURNING version"
        return int(self.connection.execute(sql, (count,)).fetchall()[0][0])

    def _cell(self, table: Table, name: str, value: Value) -> Any:
        column = table.column(name)
        if value is None and (column.required or name in table.key):
            raise _needed(table, name)
        return stored(column, value)

    def _at(self, table: Table, key: Sequence[Value], version: int | None) -> tuple[str, list[Any]]:
        where = " AND ".join(f"{quote(name)} = ?" for name in table.key)
        params = [stored(table.column(name), value) for name, value in zip(table.key, key, strict=True)]
        return (where, params) if version is None else (f"{where} AND {VERSION} = ?", [*params, version])

    def _missed(self, table: Table, key: Sequence[Value]) -> None:
        if self.get(table.name, key) is None:
            raise NoSuchRowError(f"{table.name} has no row {', '.join(map(str, key))}", where=table.name)
        raise VersionError(
            f"the row of {table.name} was written since it was read", where=table.name, hint="read it again"
        )

    @contextmanager
    def _telling_keys(self, table: Table) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as error:
            where = definitions.key_of_index(table, str(error))
            raise KeyTakenError(
                f"{table.name} has a row with this {where} already", table=table.name, where=where
            ) from error


def _needed(table: Table, name: str) -> RecordError:
    return RecordError(f"{table.name} needs {name}", where=name)


def rows_held(table: Table, rows: Iterable[Mapping[str, Value]]) -> Iterator[list[Any]]:
    """Rows as SQLite holds them, in the order of columns; RecordError, SpecError for a column that is not there."""
    storers = [(column.name, storer(column)) for column in table.columns]
    needed = [c.name for c in table.columns if c.required or c.name in table.key]
    names = frozenset(table.names)
    for row in rows:
        if not names.issuperset(row):
            table.column(next(name for name in row if name not in names))
        for name in needed:
            if row.get(name) is None:
                raise _needed(table, name)
        get = row.get
        yield [store(get(name)) for name, store in storers]


def row_of(table: Table, found: sqlite3.Row) -> Row:
    """A row of `SELECT *` (further columns are passed over) as its values are."""
    return Row({c.name: loaded(c, found[c.name]) for c in table.columns}, found[VERSION])
