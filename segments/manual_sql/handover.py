"""Tables for the fenced process: the columns it needs, as Arrow in one unnamed file that it maps read-only.

One way for both engines: a run evaluates segments while its generation's file is open for writing, which no second
process may open; and a sealed, reading engine can write no files. So Arrow goes through our hands. At 1 M customers and
10 M activities, five columns are 0.6 GB and take 0.9 s.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import IO

import pyarrow as pa

from segments.manual_sql.problems import ManualSqlError, SqlProblem
from unify.core.engine import Engine, scalar
from unify.core.names import quote
from unify.core.steps import Query

Tables = Mapping[str, Callable[[], Iterator[pa.Table]]]
"""Table → its pieces, the first of which may have no rows but has the columns."""
Handed = dict[str, list[int]]
"""Table → offset and length of its Arrow file."""
ROWS_AT_ONCE = 2_000_000
"""Of a table, in memory here: 200 MB of ids, times and short texts."""


def schemas(engine: Engine, tables: list[str]) -> Tables:
    """The tables without their rows."""
    return {table: _pieces(engine, table, list(engine.columns(table)), rows=False) for table in tables}


def contents(engine: Engine, columns: Mapping[str, list[str]]) -> Tables:
    """Chosen columns of tables, with their rows, in stored order."""
    return {table: _pieces(engine, table, names, rows=True) for table, names in columns.items()}


def _pieces(engine: Engine, table: str, columns: list[str], *, rows: bool) -> Callable[[], Iterator[pa.Table]]:
    select = f"SELECT {', '.join(map(quote, columns))} FROM {quote(table)}"

    def pieces() -> Iterator[pa.Table]:
        if not rows:
            yield engine.fetch(Query(f"{select} LIMIT 0"))
            return
        if any(name.casefold() == "rowid" for name in engine.columns(table)):
            yield engine.fetch(Query(f"{select} ORDER BY ALL"))  # a column of the source's own hides DuckDB's
            return
        total = int(scalar(engine, Query(f"SELECT count(*) FROM {quote(table)}")))
        if total <= ROWS_AT_ONCE:
            yield engine.fetch(Query(f"{select} ORDER BY rowid"))
            return
        for start in range(0, total, ROWS_AT_ONCE):
            where = "rowid >= $start AND rowid < $end"
            yield engine.fetch(
                Query(f"{select} WHERE {where} ORDER BY rowid", {"start": start, "end": start + ROWS_AT_ONCE})
            )

    return pieces


def put_tables(file: IO[bytes], tables: Tables, most: int) -> Handed:
    """Write tables one after the other. ManualSqlError when they are more than `most` bytes together."""
    handed: Handed = {}
    for name, pieces in tables.items():
        start = file.tell()
        writer = None
        for piece in pieces():
            if writer is None:
                writer = pa.ipc.new_file(file, piece.schema)
            writer.write_table(piece)
            if file.tell() > most:
                hint = "name the columns that you need instead of *"
                said = f"the tables it reads are more than {most / 2**30:.1f} GiB"
                raise ManualSqlError([SqlProblem("unknown", said, hint=hint)])
        if writer is not None:
            writer.close()
        handed[name] = [start, file.tell() - start]
    return handed
