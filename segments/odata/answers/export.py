"""Whole sets as text, however many rows: no pages, nothing held but a batch.

    export_of(request, engine, model, …) ─▶ Export(head, query | first page, tail)

Rows of plain columns are made into text by SQL, one string each that ends or begins as its neighbours need it, so that
a batch of them is the answer's text as it lies in memory: 200,000 rows of ten columns a second on one thread, where
Python makes 40,000. Rows with expansions, with lists or durations, and what `$apply` leaves are read page by page on
the same generation and written by Python.

Rows come in the order of their table unless `$orderby`, `$top` or `$skip` ask for one: sorting a set that nobody wants
sorted would need room for all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from segments.model import Model
from segments.odata.answers.answer import Answering, Prepare, SegmentSets, answering
from segments.odata.answers.formats import CSV, Format, csv_text, json_text
from segments.odata.answers.level import OF_COLLECTION, Column, Level, check_options
from segments.odata.answers.pages import LARGEST_PAGE
from segments.odata.answers.path import Place
from segments.odata.answers.result import ODataAnswer
from segments.odata.answers.rows import Compiled, count_rows
from segments.odata.syntax import ast_options as o
from segments.odata.syntax.ast import System
from segments.odata.syntax.ast_options import Request
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.steps import Query

BATCH: Final = 8_192
"""Rows at a time: some 2 MB of text, and four of DuckDB's own vectors."""


@dataclass(frozen=True)
class Export:
    """Text of an answer in three pieces, the middle one still to be read.

    between   what stands in front of every row; the first one does without
    query     one column of text, a row of the answer each; None: `pages`
    pages     the first page, for what SQL does not write
    """

    head: bytes
    tail: bytes
    between: bytes
    format: Format
    query: Query | None = None
    pages: ODataAnswer | None = None
    rows: int = BATCH
    columns: Sequence[str] = field(default=())

    def of_batch(self, batch: pa.RecordBatch) -> bytes:
        """Rows that the query found."""
        return _joined(batch.column(0))

    def of_page(self, page: ODataAnswer) -> bytes:
        """Rows of one page."""
        if self.format.media == CSV:
            return page.csv(header=False).encode()
        return "".join("," + json_text(row, ieee754=self.format.ieee754) for row in page.rows()).encode()


def export_of(
    request: Request,
    engine: Engine,
    model: Model,
    *,
    clock: datetime,
    generation: int = 0,
    root: str = "",
    prepare: Prepare | None = None,
    segments: SegmentSets | None = None,
    accept: str | None = None,
) -> Export:
    """What a request for a set would give, whole; QueryError for what is no set. Parameters, errors: as of `answer`."""
    made = answering(
        request, engine, model, clock=clock, page_size=LARGEST_PAGE, generation=generation, root=root,
        prepare=prepare, segments=segments, accept=accept,
    )  # fmt: skip
    if not request.path.segments or isinstance(request.path.segments[0], System):
        raise _no_set("a document")
    place = made.place()
    if place.single or place.property or place.tail:
        raise _no_set("one row" if place.single else "a value" if place.property else place.tail)
    if any(isinstance(option, o.Text) and option.name == "$skiptoken" for option in request.options):
        raise QueryError("an export has no pages", where="$skiptoken", hint="leave it out: all rows come at once")
    if request.option(o.Apply) is None:
        check_options(request.options, OF_COLLECTION, "a set")
        level = made.level(place)
        if not level.expansions and all(_spelt(column) for column in level.columns):
            return _by_sql(made, place, level)
    return _by_pages(made)


class NotASetError(QueryError):
    """One row, a value or a document: it is answered, not exported."""


def _no_set(what: str) -> NotASetError:
    return NotASetError(f"{what} is no set that could be exported", where="path", hint="name an entity set")


# ── by pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_pages(made: Answering) -> Export:
    first = made.followed()
    format_ = first.format
    if format_.media == CSV:
        _ = first.csv()  # refuses what no CSV can hold
        return Export(csv_text(_names(first), []).encode(), b"", b"", format_, pages=first)
    head = _head(first.context, first.count, format_)
    return Export(head, b"]}", b",", format_, pages=first)


def _names(page: ODataAnswer) -> list[str]:
    return [*page.columns, *(f"{name}/{c}" for name, (_, inner) in page.expanded.items() for c in inner)]


def _head(context: str, count: int | None, format_: Format) -> bytes:
    said: dict[str, Any] = {"@odata.context": context} if format_.metadata != "none" else {}
    if count is not None:
        said["@odata.count"] = count
    text = json_text(said)[:-1]
    return f'{text}{"," if said else ""}"value":['.encode()


# ── by SQL ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_sql(made: Answering, place: Place, level: Level) -> Export:
    format_ = made.format
    compiled = Compiled(made.ground, level, (), place.narrowed)
    is_sorted = bool(level.order) or level.top is not None or level.skip > 0
    sorts = compiled.sort_columns() if is_sorted else []
    inner = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate([*compiled.shown, *sorts])) or "1 AS c0"
    params = dict(compiled.params)
    names = [column.name for column in level.columns]
    write = _csv_line if format_.media == CSV else _json_line
    line = write(level.columns, params, ieee754=format_.ieee754)
    order = (
        ", ".join(_order(f"c{len(names) + i}", key.descending) for i, key in enumerate(compiled.keys)) if sorts else ""
    )
    tail = f" ORDER BY {order}" if order else ""
    tail += f" LIMIT {level.top}" if level.top is not None else ""
    tail += f" OFFSET {level.skip}" if level.skip else ""
    sql = f"SELECT {line} AS line FROM (SELECT {inner} FROM {compiled.source}{compiled.where_sql()}){tail}"
    query = Query(sql, params)
    if format_.media == CSV:
        return Export(csv_text(names, []).encode(), b"", b"", format_, query, columns=names)
    count = count_rows(made.ground, level, place.narrowed) if level.count else None
    head = _head(made.context(place, level), count, format_)
    return Export(head, b"]}", b",", format_, query, columns=names)


def _order(column: str, descending: bool) -> str:
    return f"{column} DESC NULLS LAST" if descending else f"{column} ASC NULLS FIRST"


def _spelt(column: Column) -> bool:
    return column.kind is not None and column.kind.kind in _TEXT


def _json_line(columns: Sequence[Column], params: dict[str, Any], *, ieee754: bool) -> str:
    """`,{"A":1,"B":"x"}`"""
    pieces: list[str] = []
    for i, column in enumerate(columns):
        params[f"name{i}"] = ("," if i else ",{") + json_text(column.name) + ":"
        kind = _kind(column)
        value = _TEXT[kind].replace("?", f"c{i}")
        quoted = kind in _QUOTED or (ieee754 and kind in ("integer", "decimal"))
        if kind == "string":
            value = f"CAST(to_json({value}) AS VARCHAR)"
        elif kind == "double":
            value = f"CASE WHEN isfinite(c{i}) THEN {value} ELSE '\"' || {value} || '\"' END"
        elif quoted:
            value = f"'\"' || {value} || '\"'"
        pieces.append(f"$name{i} || coalesce({value}, 'null')")
    params["end"] = "}" if columns else ",{}"
    return " || ".join([*pieces, "$end"])


def _csv_line(columns: Sequence[Column], params: dict[str, Any], *, ieee754: bool) -> str:
    """`1,x` and CRLF, quoted where it must be, as Python's csv writes it."""
    pieces: list[str] = []
    for i, column in enumerate(columns):
        value = _TEXT[_kind(column)].replace("?", f"c{i}")
        if _kind(column) == "string":
            escaped = f"""'"' || replace({value}, '"', '""') || '"'"""
            value = f"CASE WHEN regexp_matches({value}, '[\",\\r\\n]') THEN {escaped} ELSE {value} END"
        value = f"coalesce({value}, '')"
        if len(columns) == 1:  # an empty line would be no row
            value = f"CASE {value} WHEN '' THEN '\"\"' ELSE {value} END"
        pieces.append(value)
    params["end"] = "\r\n"
    return " || ',' || ".join(pieces) + " || $end" if pieces else "$end"


def _kind(column: Column) -> str:
    assert column.kind is not None
    return column.kind.kind


_PLAIN: Final = "CAST(? AS VARCHAR)"
_DOUBLE: Final = (
    "CASE WHEN isnan(?) THEN 'NaN' WHEN isinf(?) AND ? > 0 THEN 'INF' WHEN isinf(?) THEN '-INF' "
    "ELSE CAST(CAST(? AS DOUBLE) AS VARCHAR) END"
)
_DATETIME: Final = "rtrim(rtrim(strftime(?, '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.') || 'Z'"
_TEXT: Final = {
    "string": "?", "boolean": _PLAIN, "integer": _PLAIN, "decimal": _PLAIN, "double": _DOUBLE, "date": _PLAIN,
    "datetime": _DATETIME, "time": _PLAIN, "guid": _PLAIN,
}  # fmt: skip
"""Kinds that SQL writes as formats.py does; a test holds one against the other."""
_QUOTED: Final = frozenset(("date", "datetime", "time", "guid"))


def _joined(column: pa.Array) -> bytes:
    """All texts of a column, one behind the other: they lie so in memory."""
    if not len(column):
        return b""
    texts = column if pa.types.is_string(column.type) else column.cast(pa.string())
    offsets, data = texts.buffers()[1:]
    bounds = memoryview(offsets).cast("i")
    first, last = bounds[texts.offset], bounds[texts.offset + len(texts)]
    return bytes(memoryview(data)[first:last]) if last > first else b""


__all__ = ["Export", "NotASetError", "export_of"]
