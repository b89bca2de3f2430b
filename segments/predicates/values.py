"""What bound nodes that need no row give: constants, and single functions on values."""

from datetime import datetime
from decimal import Decimal
from math import isnan
from typing import Any

from segments.predicates import tree as p
from segments.predicates.bind import Bound, Coerce
from segments.predicates.fields import Type, Value, rescale
from segments.predicates.function_rows import Function


def apply(function: Function, kind: Type, arguments: tuple[Value, ...]) -> Value:
    """The function's value; null for any null unless the function looks at nulls."""
    if not function.nulls and any(a is None for a in arguments):
        return None
    return function.python(kind, *arguments)


def coerced(value: Value, kind: Type) -> Value:
    """A number as another type of number; None when it has too many digits for it."""
    if value is None:
        return None
    if kind.kind == "double":
        return float(value)  # type: ignore[arg-type]
    return rescale(Decimal(value), kind)  # type: ignore[arg-type]


def order(value: Any) -> Any:
    """A key that puts values as predicates compare them: NaN equals itself and is above infinity."""
    if isinstance(value, float):
        return (1, 0.0) if isnan(value) else (0, value)
    return value


def compare(op: str, left: Value, right: Value) -> bool | None:
    """One comparison."""
    if op in ("is", "is_not"):
        same = left is right if left is None or right is None else order(left) == order(right)
        return same == (op == "is")
    if left is None or right is None:
        return None
    a, b = order(left), order(right)
    return bool({"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[op])


def all_of(values: list[Any]) -> bool | None:
    """And."""
    return False if any(v is False for v in values) else None if any(v is None for v in values) else True


def constant(bound: Bound, clock: datetime) -> Value:
    """The value of a node that is `constant`. `clock`: the run's moment, naive UTC."""
    expr = bound.expr
    if isinstance(expr, p.Literal):
        return expr.value
    if isinstance(expr, p.Call) and expr.function == "now":
        return clock
    inner: list[Any] = [constant(a, clock) for a in bound.args]
    match expr:
        case p.Call():
            assert bound.function is not None
            return apply(bound.function, bound.type, tuple(inner))
        case Coerce():
            return coerced(inner[0], bound.type)
        case p.Compare():
            return compare(expr.op, *inner)
        case p.In():
            return is_in(inner[0], bound.items, bool(expr.values))
        case p.Not():
            return None if inner[0] is None else not inner[0]
        case p.And():
            return all_of(inner)
    found = all_of([None if v is None else not v for v in inner])  # Or
    return None if found is None else not found


def is_in(item: Value, items: tuple[Value, ...], listed: bool) -> bool | None:
    """In; `listed`: something was in the list as it was written, so that a null item gives null."""
    if item is None:
        return None if listed else False
    return any(order(item) == order(v) for v in items)
