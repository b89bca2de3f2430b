"""What can be done in a transaction of a writer."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any, Final

from unify.core.names import quote
from unify.records import definitions
from unify.records.definitions import VERSION, place
from unify.records.errors import (
    KeyTakenError,
    NoSuchRowError,
    RecordError,
    VersionError,
)
from unify.records.nouns import Table, Value
from unify.records.reading import Reading
from unify.records.values import INT64, moment, stored, storer

AT_ONCE: Final = 10_000
"""Rows that are turned into what SQLite holds before they go in: some megabytes."""


class Writing(Reading):
    """A transaction of a writer: what `Reading` does, on what it has written itself too.

    deleted   rows were deleted in it
    """

    deleted = False

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

    def rescale(self, table: str, column: str, scale: int) -> None:
        """Give a decimal column more digits after the point; RecordError when a row's value has no room for them."""
        known = self.table(table)
        more = 10 ** (scale - known.column(column).scale)
        least, most = self.connection.execute(
            f"SELECT min({quote(column)}), max({quote(column)}) FROM {place(table)}"
        ).fetchone()
        if any(value is not None and not -INT64 <= value * more < INT64 for value in (least, most)):
            raise RecordError(f"values of {table}.{column} have no room for {scale} digits", where=column)
        self.connection.execute(f"UPDATE {place(table)} SET {quote(column)} = {quote(column)} * {more}")
        columns = (replace(c, scale=scale) if c.name == column else c for c in known.columns)
        self._keep(replace(known, columns=tuple(columns)))

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
        self.deleted = True
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

    def forget(self, table: str, keys: Iterable[Sequence[Value]]) -> None:
        """Forget that these rows were ever there. Who follows any table must read it anew: it is not told of them."""
        known = self.table(table)
        columns = [known.column(name) for name in known.key]
        for key in keys:
            held = json.dumps([stored(c, value) for c, value in zip(columns, key, strict=True)], ensure_ascii=False)
            self.connection.execute("DELETE FROM gone WHERE name = ? AND key = ?", (table, held))
        self.connection.execute("UPDATE clock SET purged = version")

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
