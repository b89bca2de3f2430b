"""Text of a file → values as the record store holds them, a column of a batch at a time, in Arrow.

A cell that its column cannot hold is null in the answer and True in the mask. An empty text is null, but for text and
binary: there the reader tells null and '' apart.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from unify.records.nouns import Column, Kind
from unify.records.values import INT64, moment

TRUE: Final = ("true", "yes", "1", "y")
FALSE: Final = ("false", "no", "0", "n")
EMPTY_DATE: Final = "1900-01-01"
"""How the vendor writes no date. It is taken as what it says: who means none leaves the cell empty."""
DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
MOMENT: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"
"""The forms that are taken without a look at each value; what else is a date or moment goes through Python."""

Converted = tuple[pa.Array, pa.Array]
"""Values as they are held, and where a text was none."""


def convert(column: Column, texts: pa.Array) -> Converted:
    """A column of text, converted. Lengths and mandatory values are the target's to look at."""
    texts = texts.cast(pa.string())
    if column.kind is Kind.TEXT:
        return texts, _halves(texts)
    if column.kind is Kind.BINARY:
        return _binary(column, texts)
    trimmed = pc.utf8_trim_whitespace(texts)
    return CONVERT[column.kind](column, pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed))


def _halves(texts: pa.Array) -> pa.Array:
    """Text that the store cannot hold: with U+0000."""
    return pc.fill_null(pc.match_substring(texts, "\0"), fill_value=False)


def _where(
    texts: pa.Array, pattern: str, cast: Callable[[pa.Array], pa.Array], slow: Callable[[str], Any]
) -> Converted:
    """By Arrow where a text matches; where it does not, and where Arrow refuses, by Python one by one."""
    fits = pc.fill_null(pc.match_substring_regex(texts, pattern), fill_value=True)
    if pc.all(fits, min_count=0).as_py():
        try:
            return cast(texts), _none(len(texts))
        except pa.ArrowInvalid:
            pass
    return _one_by_one(texts, slow)


def _one_by_one(texts: pa.Array, slow: Callable[[str], Any]) -> Converted:
    values: list[Any] = []
    wrong: list[bool] = []
    seen: dict[str, Any] = {}
    for text in texts.to_pylist():
        if text is not None and text not in seen:
            seen[text] = _tried(slow, text)
        value = None if text is None else seen[text]
        values.append(None if value is WRONG else value)
        wrong.append(value is WRONG)
    return pa.array(values), pa.array(wrong, pa.bool_())


WRONG: Final = object()


def _tried(slow: Callable[[str], Any], text: str) -> Any:
    try:
        return slow(text)
    except (ValueError, ArithmeticError):
        return WRONG


def _none(rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(False), rows)


def _integer(_: Column, texts: pa.Array) -> Converted:
    return _where(texts, r"^-?\d{1,18}$", lambda a: a.cast(pa.int64()), _int)


def _int(text: str) -> int:
    value = Decimal(text)  # 1.0 and 1E3 are integers that spreadsheets write
    if not value.is_finite() or value != value.to_integral_value() or not -INT64 <= value < INT64:
        raise ValueError
    return int(value)


def _decimal(column: Column, texts: pa.Array) -> Converted:
    def slow(text: str) -> int:
        try:
            scaled = Decimal(text).scaleb(column.scale)
            if not scaled.is_finite() or scaled != scaled.to_integral_value() or not -INT64 <= scaled < INT64:
                raise ValueError
            return int(scaled)
        except InvalidOperation:
            raise ValueError from None

    def cast(array: pa.Array) -> pa.Array:
        exact = array.cast(pa.decimal128(38, column.scale))
        scaled = pc.multiply_checked(exact.cast(pa.decimal128(28, column.scale)), pa.scalar(Decimal(10**column.scale)))
        return scaled.cast(pa.int64())

    whole = 18 - column.scale
    if whole < 1 or column.scale > 9:
        return _one_by_one(texts, slow)
    places = rf"(\.\d{{1,{column.scale}}})?" if column.scale else ""
    return _where(texts, rf"^-?\d{{1,{min(whole, 9)}}}{places}$", cast, slow)


def _double(_: Column, texts: pa.Array) -> Converted:
    return _where(texts, r"^-?\d{1,15}(\.\d{1,15})?$", lambda a: a.cast(pa.float64()), _float)


def _float(text: str) -> float:
    value = float(text)
    if "_" in text or value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        raise ValueError
    return value


def _boolean(_: Column, texts: pa.Array) -> Converted:
    folded = pc.utf8_lower(texts)
    true, false = pc.is_in(folded, pa.array(TRUE)), pc.is_in(folded, pa.array(FALSE))
    known = pc.or_(true, false)
    value = pc.if_else(known, true.cast(pa.int64()), pa.scalar(None, pa.int64()))
    return value, pc.and_not(pc.is_valid(texts), known)


def _date(_: Column, texts: pa.Array) -> Converted:
    return _where(texts, DATE, lambda a: a.cast(pa.date32()).cast(pa.string()), _day)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        at = datetime.fromisoformat(text)
        if at.hour or at.minute or at.second or at.microsecond:
            raise
        return at.date().isoformat()


def _datetime(_: Column, texts: pa.Array) -> Converted:
    def cast(array: pa.Array) -> pa.Array:
        pc.strptime(array, format="%Y-%m-%dT%H:%M:%SZ", unit="s")  # refuses 31 February
        return pc.binary_join_element_wise(pc.utf8_slice_codeunits(array, 0, 19), ".000000Z", "")

    return _where(texts, MOMENT, cast, _at)


def _at(text: str) -> str:
    at = datetime.fromisoformat(text)
    return moment(at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _guid(_: Column, texts: pa.Array) -> Converted:
    bare = pc.replace_substring_regex(pc.utf8_lower(texts), r"^\{(.*)\}$", r"\1")
    return _where(bare, r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", lambda a: a, _uuid)


def _uuid(text: str) -> str:
    if len(text) not in (32, 36):
        raise ValueError
    return str(UUID(text))


def _binary(_: Column, texts: pa.Array) -> Converted:
    def decoded(text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError from None

    return _one_by_one(texts, decoded)


CONVERT: Final[Mapping[Kind, Callable[[Column, pa.Array], Converted]]] = {
    Kind.INTEGER: _integer, Kind.DECIMAL: _decimal, Kind.DOUBLE: _double, Kind.BOOLEAN: _boolean, Kind.DATE: _date,
    Kind.DATETIME: _datetime, Kind.GUID: _guid,
}  # fmt: skip

WHAT: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text without U+0000", Kind.INTEGER: "a whole number of 64 bits", Kind.DOUBLE: "a number",
    Kind.BOOLEAN: "yes or no (true, false, 1, 0)", Kind.DATE: "a date: 2026-11-22", Kind.BINARY: "base64",
    Kind.DATETIME: "a moment: 2026-11-22T09:30:00Z", Kind.GUID: "a guid",
}  # fmt: skip


def wanted(column: Column) -> str:
    """What a column holds, in words."""
    if column.kind is Kind.DECIMAL:
        return f"a number with at most {column.scale} digits after the point"
    return WHAT[column.kind]
