"""Proof: in which files of an instance given texts still stand, whatever the format of the file."""

import gzip
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import zstandard

from unify.core.names import quote

PART = 2**20


def search(instance: Path, values: Collection[str]) -> list[str]:
    """`file`, or `file: table.column`, of every place that holds one of the texts, in any case; sorted.

    Every file is looked at as bytes (UTF-8 and UTF-16), what is compressed unpacked, and every text of databases as
    their engine reads it: DuckDB packs text, so that bytes alone prove nothing.
    """
    wanted = sorted({v.casefold() for v in values if v})
    found: set[str] = set()
    for path in sorted(p for p in instance.rglob("*") if p.is_file()):
        name = str(path.relative_to(instance))
        if any(_holds(part, wanted) for part in _parts(path)):
            found.add(name)
        if path.suffix == ".duckdb":
            found |= {f"{name}: {place}" for place in _in_duckdb(path, wanted)}
        elif path.suffix == ".sqlite":
            found |= {f"{name}: {place}" for place in _in_sqlite(path, wanted)}
    return sorted(found)


def _holds(part: bytes, wanted: list[str]) -> bool:
    lower = part.lower()
    return any(
        text.encode() in lower or text.encode("utf-16-le") in lower or text.encode("utf-16-be") in lower
        for text in wanted
    )


def _parts(path: Path) -> Iterator[bytes]:
    """The content a megabyte at a time, each with the end of the one before."""
    opened: Any = path.open
    if path.suffix in (".gz", ".zst"):
        opened = partial(gzip.open if path.suffix == ".gz" else zstandard.open, path)
    with opened("rb") as file:
        end = b""
        while part := file.read(PART):
            yield end + part
            end = part[-4096:]


def _in_duckdb(path: Path, wanted: list[str]) -> Iterator[str]:
    with closing(duckdb.connect(":memory:")) as connection:
        connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS g (READ_ONLY)")
        rows = connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE database_name = 'g' "
            "AND NOT internal ORDER BY ALL"
        ).fetchall()
        for schema, table, column in rows:
            test = " OR ".join(f"contains(lower(CAST({quote(column)} AS VARCHAR)), ?)" for _ in wanted)
            sql = f"SELECT 1 FROM g.{quote(schema)}.{quote(table)} WHERE {test} LIMIT 1"
            if wanted and connection.execute(sql, wanted).fetchall():
                yield f"{table}.{column}"


def _in_sqlite(path: Path, wanted: list[str]) -> Iterator[str]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, *_ in connection.execute(f"PRAGMA table_info({quote(table)})").fetchall():
                sql = f"SELECT CAST({quote(column)} AS TEXT) FROM {quote(table)} WHERE {quote(column)} IS NOT NULL"
                if any(_holds(str(text).encode(), wanted) for (text,) in connection.execute(sql)):
                    yield f"{table}.{column}"
