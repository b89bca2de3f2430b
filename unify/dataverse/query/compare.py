"""Comparisons of a column: one function a kind of comparison, whoever asks.

Every condition is true or false, never unknown, as soon as it is used for more than WHERE: see `negated`. `ne` and the
other negative ones hold for a null, as they do in Dataverse; SQL's `<>` is `ne` and not null.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final

from unify.dataverse.errors import NO_PROPERTY, DataverseError
from unify.dataverse.query.fragments import NEVER, Sql, both, bound, either, negated, sql
from unify.dataverse.query.moments import Span, midnight
from unify.dataverse.query.scope import Ref
from unify.dataverse.query.text import LONGEST_PATTERN, fold
from unify.records.values import moment

SIGNS: Final = {"eq": "=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
FLIPPED: Final = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_EXACT: Final = Context(prec=400)
_DIGITS: Final = 40
"""Of a number before its point; no column holds more than 19."""
_LEAST, _MOST = -(2**63), 2**63 - 1


def is_null(ref: Ref) -> Sql:
    """It has no value."""
    return Sql(f"{ref.sql} IS NULL")


def not_null(ref: Ref) -> Sql:
    """It has one."""
    return Sql(f"{ref.sql} IS NOT NULL")


def compare(ref: Ref, operator: str, value: Any) -> Sql:
    """With a value as the record store holds it; numbers as they are, without the column's scale."""
    if operator == "ne":
        return negated(compare(ref, "eq", value))
    if ref.kind == "text":
        return _text(ref, operator, value)
    if ref.kind == "number":
        return _number(ref, operator, value)
    return bound(f"{ref.sql} {SIGNS[operator]} ?", value)


def _text(ref: Ref, operator: str, value: str) -> Sql:
    if operator == "eq" and value.isascii():
        return bound(f"{ref.sql} = ? COLLATE NOCASE", value)
    return bound(f"dv_fold({ref.sql}) {SIGNS[operator]} ?", fold(value))


def _number(ref: Ref, operator: str, value: Decimal | int | float) -> Sql:
    """Held as whole numbers: `x < 5.5` is x <= 5, `x = 5.5` never."""
    if (isinstance(value, float) and not isfinite(value)) or Decimal(value).adjusted() > _DIGITS:
        beyond = operator in ({"lt", "le"} if value > 0 else {"gt", "ge"} if value < 0 else set())
        return not_null(ref) if beyond else NEVER
    scaled = Decimal(value).scaleb(ref.scale, _EXACT)
    low = int(scaled.to_integral_value("ROUND_FLOOR", _EXACT))
    exact = low == scaled
    if operator == "eq":
        return bound(f"{ref.sql} = ?", low) if exact and _LEAST <= low <= _MOST else NEVER
    if operator in {"lt", "le"}:
        top = low - 1 if exact and operator == "lt" else low
        return not_null(ref) if top > _MOST else NEVER if top < _LEAST else bound(f"{ref.sql} <= ?", top)
    least = low if exact and operator == "ge" else low + 1
    return not_null(ref) if least < _LEAST else NEVER if least > _MOST else bound(f"{ref.sql} >= ?", least)


def within(ref: Ref, values: Sequence[Any]) -> Sql:
    """It is one of them."""
    if ref.kind in {"moment", "day", "id", "boolean", "choices", "double"}:
        return bound(f"{ref.sql} IN ({', '.join('?' * len(values))})", *values)
    if ref.kind == "text":
        plain = [v for v in values if v.isascii()]
        others = [fold(v) for v in values if not v.isascii()]
        parts = []
        if plain:
            parts.append(bound(f"{ref.sql} COLLATE NOCASE IN ({', '.join('?' * len(plain))})", *plain))
        if others:
            parts.append(bound(f"dv_fold({ref.sql}) IN ({', '.join('?' * len(others))})", *others))
        return either(parts)
    return either([compare(ref, "eq", value) for value in values])


def like(ref: Ref, pattern: str) -> Sql:
    """LIKE of SQL Server: `%`, `_`, `[a-f]`, `[^a-f]`."""
    if len(pattern) > LONGEST_PATTERN:
        raise DataverseError(
            f"A pattern has at most {LONGEST_PATTERN:,} characters.", code=NO_PROPERTY, where=ref.attribute.name
        )
    if pattern.isascii() and "[" not in pattern:
        return bound(f"{ref.sql} LIKE ?", pattern)
    return bound(f"dv_like(?, {ref.sql})", pattern)


def is_pattern(value: str) -> bool:
    """It has a wildcard."""
    return any(sign in value for sign in "%_[")


def during(ref: Ref, span: Span) -> Sql:
    """It lies in a span of time; of a day, the day does."""
    start, end = span
    parts = []
    if start is not None:
        parts.append(bound(f"{ref.sql} >= ?", _held(ref, start)))
    if end is not None:  # a day is in a span that ends after its beginning
        sign = "<=" if ref.kind == "day" and end != midnight(end) else "<"
        parts.append(bound(f"{ref.sql} {sign} ?", _held(ref, end)))
    return both(parts) if parts else not_null(ref)


def _held(ref: Ref, at: datetime) -> str:
    return at.date().isoformat() if ref.kind == "day" else moment(at)


def columns(left: Ref, operator: str, right: Ref) -> Sql:
    """Two columns of one kind with each other. Two nulls are neither equal nor not equal, as in SQL Server."""
    a, b = left.sql, right.sql
    if left.kind == "text":
        a, b = f"dv_fold({a})", f"dv_fold({b})"
    elif "double" in {left.kind, right.kind}:
        a, b = _real(left), _real(right)
    elif left.scale != right.scale:
        widest = max(left.scale, right.scale)
        a, b = f"{a} * {10 ** (widest - left.scale)}", f"{b} * {10 ** (widest - right.scale)}"
    if operator == "ne":
        return Sql(f"{a} IS NOT {b}")
    return Sql(f"{a} {SIGNS[operator]} {b}")


def _real(ref: Ref) -> str:
    return f"({ref.sql} / {10.0**ref.scale!r})" if ref.scale else ref.sql


def comparable(left: Ref, right: Ref) -> bool:
    """Two columns can stand on the sides of a comparison."""
    numbers = {"number", "double"}
    return left.kind == right.kind or {left.kind, right.kind} <= numbers


def contains_values(ref: Ref, values: Sequence[int]) -> Sql:
    """A multi-select choice has one of them."""
    parts = [bound(f"instr(',' || {ref.sql} || ',', ?) > 0", f",{value},") for value in values]
    return sql("{}", either(parts))
