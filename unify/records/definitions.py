"""Tables as they are kept and made: JSON of a definition, and the DDL of it.

Column `_version` stands in every table: the clock's number of the write that the row is from. It is the rowid, so rows
lie in the order they were written in: adding some appends, and who follows a table reads its end.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from unify.core.errors import SpecError
from unify.core.names import quote
from unify.records.nouns import Column, Kind, Table
from unify.records.values import SQL_TYPE

VERSION: Final = "_version"


def place(table: str) -> str:
    """The SQLite table of a record table, quoted."""
    return quote(f"t_{table}")


def dumped(table: Table) -> str:
    """As JSON."""
    body = {
        "columns": [[c.name, c.kind.value, c.scale, c.length, c.required] for c in table.columns],
        "key": table.key,
        "keys": dict(table.keys),
        "about": dict(table.about),
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


def parsed(name: str, body: str) -> Table:
    """What `dumped` made."""
    said: dict[str, Any] = json.loads(body)
    columns = tuple(Column(n, Kind(kind), scale, length, req) for n, kind, scale, length, req in said["columns"])
    keys = {key: tuple(names) for key, names in said["keys"].items()}
    return Table(name, columns, tuple(said["key"]), keys, said["about"])


def check(table: Table) -> None:
    """SpecError for a table that cannot be: no key, a name twice (SQLite does not tell case apart), an unknown one."""
    seen: set[str] = set()
    for column in table.columns:
        if column.name.casefold() in seen or column.name == VERSION:
            raise SpecError(f"{table.name} has a column {column.name!r} twice", where=column.name)
        seen.add(column.name.casefold())
    if not table.key:
        raise SpecError(f"{table.name} has no key", where=table.name, hint="name the columns that tell its rows apart")
    for names in (table.key, *table.keys.values()):
        for name in names:
            table.column(name)


def make(connection: sqlite3.Connection, table: Table) -> None:
    """The SQLite table and its indexes."""
    columns = ", ".join(f"{quote(c.name)} {SQL_TYPE[c.kind]}" for c in table.columns)
    key = ", ".join(map(quote, table.key))
    connection.execute(f"CREATE TABLE {place(table.name)} ({VERSION} INTEGER PRIMARY KEY, {columns}, UNIQUE ({key}))")
    for name in table.keys:
        _make_key(connection, table, name)


def extend(connection: sqlite3.Connection, before: Table, after: Table) -> None:
    """Bring a table to a wider definition: more columns, other alternate keys. SpecError for any other change."""
    kept = {c.name: c for c in after.columns}
    for column in before.columns:
        now = kept.get(column.name)
        if now is None or (now.kind, now.scale) != (column.kind, column.scale):
            raise SpecError(
                f"{before.name}.{column.name} is {column.kind.value} and holds rows",
                where=column.name,
                hint="a table can get further columns; for other types define another table",
            )
    if before.key != after.key:
        raise SpecError(f"the key of {before.name} is {', '.join(before.key)}, for good", where=before.name)
    for column in after.columns:
        if column.name not in before.names:
            sql = f"ALTER TABLE {place(after.name)} ADD COLUMN {quote(column.name)} {SQL_TYPE[column.kind]}"
            connection.execute(sql)
    for name in before.keys:
        if after.keys.get(name) != before.keys[name]:
            connection.execute(f"DROP INDEX {quote(_index(before, name))}")
    for name in after.keys:
        if after.keys[name] != before.keys.get(name):
            _make_key(connection, after, name)


def remove(connection: sqlite3.Connection, table: Table, column: str) -> Table:
    """Take a column away, with what lies in it; SpecError when a key needs it."""
    table.column(column)
    for name, columns in (("", table.key), *table.keys.items()):
        if column in columns:
            raise SpecError(f"{table.name}.{column} is part of the key{f' {name}' if name else ''}", where=column)
    connection.execute(f"ALTER TABLE {place(table.name)} DROP COLUMN {quote(column)}")
    return replace(table, columns=tuple(c for c in table.columns if c.name != column))


def _make_key(connection: sqlite3.Connection, table: Table, name: str) -> None:
    # Text keys are compared without regard to ASCII case, as Dataverse does; NULLs are never equal in an index.
    parts = ", ".join(_part(table.column(c)) for c in table.keys[name])
    connection.execute(f"CREATE UNIQUE INDEX {quote(_index(table, name))} ON {place(table.name)} ({parts})")


def _part(column: Column) -> str:
    return f"{quote(column.name)} COLLATE NOCASE" if column.kind is Kind.TEXT else quote(column.name)


def _index(table: Table, key: str) -> str:
    return f"k_{table.name}.{key}"


def key_of_index(table: Table, message: str) -> str:
    """Which key a UNIQUE constraint's message speaks of: the name of an alternate key, or the columns of the key."""
    for name in _longest_first(table):
        if _index(table, name) in message:
            return name
    said = [part.rpartition(".")[2].strip() for part in message.partition(": ")[2].split(",")]
    named = (name for name, columns in table.keys.items() if list(columns) == said)
    return next(named, ", ".join(table.key))


def _longest_first(table: Table) -> Iterator[str]:
    yield from sorted(table.keys, key=len, reverse=True)
