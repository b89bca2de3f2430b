"""Tables and answers as files for other tools: CSV, Parquet, JSON, JSON lines; whole or not at all.

A cell that begins with one of FORMULA_STARTS is run as a formula by spreadsheets (Excel, LibreOffice, Google Sheets),
and customers write their own names. In CSV such text gets a leading apostrophe unless `neutralise=False`; see
docs/export.md.
"""

import errno
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb

from unify.core.errors import QueryError, SpecError, StoreError, did_you_mean
from unify.core.names import literal, quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

Format = Literal["csv", "parquet", "json", "jsonl"]
FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
"""The first characters that OWASP lists for CSV injection, with the full-width forms that Excel folds to ASCII."""

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".parquet": "parquet", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_COPY = {
    "csv": "FORMAT csv, HEADER true",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "json": "FORMAT json, ARRAY true",
    "jsonl": "FORMAT json, ARRAY false",
}
_HARMLESS = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|DATE|TIME|TIMESTAMP.*|TIME WITH.*|UUID)\Z"
)
"""Types whose text never is a formula: a number may begin with a minus, and -5 is -5 in every spreadsheet."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, its format, data rows (a header is none) and bytes on disk."""

    path: Path
    format: Format
    rows: int
    bytes: int


def export(
    source: "duckdb.DuckDBPyConnection | DuckDBEngine",
    what: "str | Query",
    path: "Path | str",
    format: "Format | None" = None,  # noqa: A002 - the word users know
    *,
    neutralise: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write a table (its name) or an answer (a Query) to one file.

    source      a connection, or an engine
    format      by the file's extension when absent; `.gz` and `.zst` behind it compress CSV and JSON
    neutralise  CSV only: text that a spreadsheet would run as a formula gets a leading apostrophe
    overwrite   an existing file is replaced, in one instant; without it, it is refused

    Rows come in the table's own order, or in the query's ORDER BY; a view or a query without one is ordered by all its
    columns, so that the same data makes the same file. Raises SpecError (format), QueryError (table or query),
    StoreError (the file).
    """
    connection = source.connection if isinstance(source, DuckDBEngine) else source
    target = Path(path)
    kind, compression = format_of(target, format)
    select, params = _select(connection, what)
    shaped = _shaped(connection, select, params, kind, neutralise)
    options = _COPY[kind] + (f", COMPRESSION {compression}" if compression else "")
    with _whole_file(target, overwrite) as temporary:
        sql = f"COPY (\n{shaped}\n) TO {literal(str(temporary))} ({options}, USE_TMP_FILE false)"
        with _translated(target):
            rows = connection.execute(sql, params or None).fetchall()[0][0]
        size = temporary.stat().st_size
    return Exported(target, kind, rows, size)


def format_of(path: Path, wanted: str | None) -> tuple[Format, str]:
    """Format and compression, from the option and the file's name. SpecError when neither says it."""
    suffixes = [s.lower() for s in path.suffixes]
    compression = _COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    last = (suffixes[:-1] if compression else suffixes)[-1:]
    kind = wanted or _SUFFIXES.get(last[0] if last else "")
    formats = get_args(Format)
    if kind is None:
        raise SpecError(
            "the file's name does not say its format",
            where=str(path),
            hint=f"use {', '.join(_SUFFIXES)}, or say the format",
        )
    if kind not in formats:
        raise SpecError(f"there is no export format {kind!r}", where=str(path), hint=did_you_mean(kind, formats))
    if kind == "parquet" and compression:
        raise SpecError("Parquet is compressed inside", where=str(path), hint=f"leave {suffixes[-1]} off the name")
    found: Format = next(f for f in formats if f == kind)
    return found, compression


def _select(connection: duckdb.DuckDBPyConnection, what: "str | Query") -> tuple[str, dict[str, Any]]:
    """The rows in a stable order, as a SELECT and its values."""
    if isinstance(what, Query):
        sql = what.sql.strip().rstrip(";")
        return (sql if _is_ordered(connection, sql) else f"SELECT * FROM (\n{sql}\n) ORDER BY ALL"), what.params
    found = connection.execute(
        "SELECT name, is_table FROM (SELECT table_name AS name, true AS is_table FROM duckdb_tables() "
        "WHERE schema_name = 'main' UNION ALL SELECT view_name, false FROM duckdb_views() WHERE NOT internal)"
    ).fetchall()
    names = {name.casefold(): (name, is_table) for name, is_table in found}
    if what.casefold() not in names:
        hint = did_you_mean(what, [name for name, _ in names.values()])
        raise QueryError(f"there is no table {what!r}", where="export", hint=hint)
    name, is_table = names[what.casefold()]
    if not is_table:
        return f"SELECT * FROM {quote(name)} ORDER BY ALL", {}
    kept = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall()[0][0]
    return f"SELECT * FROM {quote(name)}{'' if kept else ' ORDER BY rowid'}", {}


def _is_ordered(connection: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a SELECT has an ORDER BY of its own, as DuckDB's parser sees it; QueryError if it is not one SELECT."""
    text = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()[0][0]
    parsed = json.loads(text)
    if parsed["error"] or len(parsed["statements"]) != 1:
        raise QueryError(parsed.get("error_message", "this is not one SELECT"), where="export", hint="write one SELECT")
    modifiers = parsed["statements"][0]["node"]["modifiers"]
    return any(modifier["type"] == "ORDER_MODIFIER" for modifier in modifiers)


def _shaped(
    connection: duckdb.DuckDBPyConnection, select: str, params: dict[str, Any], kind: Format, neutralise: bool
) -> str:
    """The SELECT with what the format cannot hold, or a reader would run, made harmless."""
    with _translated(None):
        described = connection.execute(f"DESCRIBE {select}", params or None).fetchall()
    columns = [(row[0], row[1]) for row in described]
    if kind == "parquet" or (kind == "csv" and not neutralise):
        return select
    cell, header = (_neutral_cell, _neutral_name) if kind == "csv" else (_finite_cell, str)
    cells = ", ".join(f"{cell(f'c{i}', t)} AS {quote(header(name))}" for i, (name, t) in enumerate(columns))
    return f"SELECT {cells} FROM (\n{select}\n) AS answer({', '.join(f'c{i}' for i in range(len(columns)))})"


def _neutral_cell(cell: str, kind: str) -> str:
    if _HARMLESS.match(kind):
        return cell
    text = cell if kind == "VARCHAR" else f"CAST({cell} AS VARCHAR)"
    starts = f"contains({literal(FORMULA_STARTS)}, nullif(left({text}, 1), ''))"
    return f"CASE WHEN {starts} THEN '''' || {text} ELSE {text} END"


def _neutral_name(name: str) -> str:
    """Headers are cells too."""
    return f"'{name}" if name[:1] in set(FORMULA_STARTS) else name


def _finite_cell(cell: str, kind: str) -> str:
    """JSON has no NaN and no infinity; they become null."""
    return f"CASE WHEN isfinite({cell}) THEN {cell} END" if kind in ("FLOAT", "DOUBLE") else cell


@contextmanager
def _translated(target: Path | None) -> Iterator[None]:
    """DuckDB's errors as ours."""
    try:
        yield
    except (duckdb.IOException, OSError) as error:
        raise StoreError(f"cannot write: {_first_line(error)}", where=str(target or ""), hint=_WRITABLE) from error
    except duckdb.Error as error:
        raise QueryError(_first_line(error), where="export", hint="mend the query") from error


_WRITABLE = "check that the folder exists, is writable and has room"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


@contextmanager
def _whole_file(path: Path, overwrite: bool) -> Iterator[Path]:
    """A name to write to; the file appears under `path` complete and on disk, or not at all, also after a crash."""
    target = path.resolve()  # a link stays a link, its file is replaced
    if target.is_dir():
        raise StoreError("this is a folder", where=str(path), hint="name a file inside it")
    if target.exists() and not overwrite:
        raise _exists(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.open("xb").close()
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(path), hint=_WRITABLE) from error
    try:
        yield temporary
        _sync(temporary)
        _publish(temporary, target, path, overwrite)
        _sync(target.parent)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(path), hint=_WRITABLE) from error
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, target: Path, path: Path, overwrite: bool) -> None:
    """Give the file its name. Without `overwrite` by a link, which fails if somebody else was faster."""
    if not overwrite:
        try:
            os.link(temporary, target)
        except FileExistsError as error:
            raise _exists(path) from error
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                raise
            if target.exists():  # a file system without links leaves this gap of microseconds
                raise _exists(path) from error
        else:
            return
    temporary.replace(target)


def _exists(path: Path) -> StoreError:
    return StoreError(
        "the file exists",
        where=str(path),
        hint="choose another name, or overwrite it (`--overwrite`, `overwrite=True`)",
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
