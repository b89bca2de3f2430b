"""Values of columns as the JSON that an OData answer writes, made by SQL: a million customers at once.

What `segments.odata.answers.formats` writes value by value is said here type by type; a test holds the two against each
other. Types that SQL cannot write the same (lists, structs, binary, durations) are written by it, value by value.
"""

from typing import Final

from segments.predicates.fields import Type
from unify.core.names import quote

ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}
CONTROLS: Final = {chr(n): f"\\u{n:04x}" for n in range(32) if chr(n) not in ESCAPES}
ENDS: Final = {
    "boolean": "", "integer": "", "decimal": "", "string": '"', "guid": '"', "date": '"', "time": '"',
    "datetime": '"', "double": "",
}  # fmt: skip
"""Kinds that SQL writes, and what stands around them."""


def json_sql(column: str, kind: Type | None, sql_type: str) -> str | None:
    """SQL of a column's value as JSON text, `null` for null; None when SQL cannot write it the same."""
    if kind is None or kind.kind not in ENDS:
        return None
    text = _TEXT.get(kind.kind, _plain)(quote(column), kind)
    if kind.kind == "datetime" and sql_type != "TIMESTAMP":
        return None  # with a time zone, or finer or coarser than Python's
    return f"coalesce({text}, 'null')"


def _plain(name: str, kind: Type) -> str:
    end = ENDS[kind.kind]
    cast = f"CAST({name} AS VARCHAR)"
    return f"'{end}' || {cast} || '{end}'" if end else cast


def _string(name: str, _: Type) -> str:
    """Most texts need no escapes, and are asked once for all 34."""
    escaped = name
    for sign, spelt in (ESCAPES | CONTROLS).items():
        escaped = f"replace({escaped}, chr({ord(sign)}), '{spelt}')"
    special = f"regexp_matches({name}, '[\\x00-\\x1f\"\\\\]')"
    return f"CASE WHEN {special} THEN '\"' || {escaped} || '\"' ELSE '\"' || {name} || '\"' END"


def _decimal(name: str, kind: Type) -> str:
    cast = f"CAST({name} AS VARCHAR)"
    if kind.precision > kind.scale:
        return cast
    return (
        f"regexp_replace({cast}, '^(-?)\\.', '\\1' || '0.')"  # DuckDB leaves out a zero that the type has no room for
    )


def _double(name: str, _: Type) -> str:
    """DuckDB and Python both write the shortest text that reads as the same number, in the same form."""
    finite = f"CAST(CAST({name} AS DOUBLE) AS VARCHAR)"
    return (
        f"CASE WHEN isnan({name}) THEN '\"NaN\"' WHEN isinf({name}) THEN CASE WHEN {name} > 0 THEN '\"INF\"' "
        f"ELSE '\"-INF\"' END ELSE {finite} END"
    )


def _datetime(name: str, _: Type) -> str:
    return f"'\"' || replace(CAST({name} AS VARCHAR), ' ', 'T') || 'Z\"'"


_TEXT: Final = {"string": _string, "decimal": _decimal, "double": _double, "datetime": _datetime}
