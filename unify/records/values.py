"""How SQLite holds a value: so that `=`, `<` and ORDER BY in SQL mean what they mean for the value.

text → TEXT            integer → INTEGER          decimal → INTEGER, times 10^scale     double → REAL
boolean → 0 or 1       date → '2026-11-22'        datetime → '2026-11-22T09:30:00.000000Z'
guid → 36 signs, lower case                       binary → BLOB
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from unify.records.errors import RecordError
from unify.records.nouns import Column, Kind, Value

SQL_TYPE: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "TEXT", Kind.INTEGER: "INTEGER", Kind.DECIMAL: "INTEGER", Kind.DOUBLE: "REAL", Kind.BOOLEAN: "INTEGER",
    Kind.DATE: "TEXT", Kind.DATETIME: "TEXT", Kind.GUID: "TEXT", Kind.BINARY: "BLOB",
}  # fmt: skip
INT64: Final = 2**63
_GUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def stored(column: Column, value: Value) -> Any:
    """A value as SQLite holds it; RecordError when the column cannot."""
    if value is None:
        return None
    held = STORED[column.kind](column, value)
    if column.length is not None and isinstance(held, str | bytes) and len(held) > column.length:
        raise RecordError(
            f"{column.name} holds at most {column.length:,} characters, and this has {len(held):,}", where=column.name
        )
    return held


def storer(column: Column) -> Callable[[Value], Any]:
    """`stored` for one column. The usual value of its kind takes one call: a million rows have ten million of them."""

    def slow(value: Value) -> Any:
        return stored(column, value)

    def text(value: Value) -> Any:
        if value is None or (type(value) is str and value.isascii() and "\0" not in value):
            return value
        return slow(value)

    def integer(value: Value) -> Any:
        return value if value is None or (type(value) is int and -INT64 <= value < INT64) else slow(value)

    def boolean(value: Value) -> Any:
        return None if value is None else 1 if value is True else 0 if value is False else slow(value)

    def double(value: Value) -> Any:
        return value if value is None or (type(value) is float and math.isfinite(value)) else slow(value)

    def guid(value: Value) -> Any:
        return value if value is None or (type(value) is str and _GUID.fullmatch(value)) else slow(value)

    quick: Mapping[Kind, Callable[[Value], Any]] = {
        Kind.TEXT: text, Kind.INTEGER: integer, Kind.BOOLEAN: boolean, Kind.DOUBLE: double, Kind.GUID: guid,
    }  # fmt: skip
    return slow if column.length is not None else quick.get(column.kind, slow)


def loaded(column: Column, held: Any) -> Value:
    """What `stored` made, back again."""
    return None if held is None else LOADED[column.kind](column, held)


def _text(column: Column, value: Value) -> str:
    if not isinstance(value, str):
        raise _wrong(column, value)
    if "\0" in value:
        raise RecordError(f"{column.name} cannot hold the character U+0000", where=column.name)
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RecordError(f"{column.name} holds half of a surrogate pair", where=column.name) from None
    return value


def _integer(column: Column, value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(column, value)
    return _fits(column, value)


def _fits(column: Column, value: int) -> int:
    if not -INT64 <= value < INT64:
        raise RecordError(f"{column.name} cannot hold a number of that size", where=column.name)
    return value


def _decimal(column: Column, value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _wrong(column, value)
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
        scaled = number.scaleb(column.scale)
        whole = int(scaled)
    except (InvalidOperation, OverflowError, ValueError):  # NaN, infinity, an exponent of a million
        raise _wrong(column, value) from None
    if whole != scaled:
        message = f"{column.name} keeps {column.scale} digits after the point, and this has more"
        raise RecordError(message, where=column.name, hint="round it; nothing is rounded in silence")
    return _fits(column, whole)


def _double(column: Column, value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise _wrong(column, value)
    return float(value)


def _boolean(column: Column, value: Value) -> int:
    if not isinstance(value, bool):
        raise _wrong(column, value)
    return int(value)


def _date(column: Column, value: Value) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _wrong(column, value)
    return value.isoformat()


def _datetime(column: Column, value: Value) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(column, value)
    return moment(value)


def moment(at: datetime) -> str:
    """A datetime as it is held: always 27 signs, so that text order is time order."""
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def _guid(column: Column, value: Value) -> str:
    if isinstance(value, str) and _GUID.fullmatch(value):
        return value
    try:
        return str(UUID(value)) if isinstance(value, str) and len(value) == 36 else _refuse(column, value)
    except ValueError:
        raise _wrong(column, value) from None


def _binary(column: Column, value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise _wrong(column, value)
    return value


def _refuse(column: Column, value: Value) -> str:
    raise _wrong(column, value)


def _wrong(column: Column, value: Value) -> RecordError:
    return RecordError(f"{value!r:.80} is no {column.kind.value}", where=column.name)


STORED: Final[Mapping[Kind, Callable[[Column, Value], Any]]] = {
    Kind.TEXT: _text, Kind.INTEGER: _integer, Kind.DECIMAL: _decimal, Kind.DOUBLE: _double, Kind.BOOLEAN: _boolean,
    Kind.DATE: _date, Kind.DATETIME: _datetime, Kind.GUID: _guid, Kind.BINARY: _binary,
}  # fmt: skip


def _same(_: Column, held: Any) -> Any:
    return held


LOADED: Final[Mapping[Kind, Callable[[Column, Any], Value]]] = {
    Kind.TEXT: _same,
    Kind.INTEGER: _same,
    Kind.DECIMAL: lambda column, held: Decimal(held).scaleb(-column.scale),
    Kind.DOUBLE: _same,
    Kind.BOOLEAN: lambda _, held: bool(held),
    Kind.DATE: lambda _, held: date.fromisoformat(held),
    Kind.DATETIME: lambda _, held: datetime.fromisoformat(held),
    Kind.GUID: _same,
    Kind.BINARY: _same,
}
