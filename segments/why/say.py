"""What a leaf's turning round means for the customer, in words: `TotalSpend is 870, 130 short of 1000`."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from segments.predicates import tree as p
from segments.predicates.fields import Value
from segments.predicates.sentence import sentence, spoken
from segments.why.subjects import name_of
from unify.core.segment_explanations import shown

_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "is": "is_not", "is_not": "is"}
_TURNED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
_WANTED = {
    "eq": "be", "is": "be", "ne": "be other than", "is_not": "be other than", "lt": "be less than", "le": "be at most",
    "gt": "be more than", "ge": "be at least",
}  # fmt: skip
_KEEPS = {"lt": " and has to stay below it", "gt": " and has to exceed it"}


Look = Callable[[p.Expr], Value]
"""The present value of something; LookupError when nobody knows it."""


def change(leaf: p.Expr, look: Look, *, becomes: bool) -> str:
    """One sentence. `leaf`: simplified, so that dates that hang on the clock are dates."""
    match leaf:
        case p.Not(arg=arg):
            return change(arg, look, becomes=not becomes)
        case p.Compare(op=op, left=left, right=p.Literal() as right) if right.value is not None:
            return _compared(left, op if becomes else _OPPOSITE[op], right, look)
        case p.Compare(op=op, left=p.Literal() as left, right=right) if left.value is not None:
            op = _TURNED.get(op, op)
            return _compared(right, op if becomes else _OPPOSITE[op], left, look)
        case p.In(item=item, values=values):
            listed = sentence(p.In(item, values)).rpartition(" is one of ")[2]
            which = "one of" if becomes else "none of"
            return f"{name_of(item)} would have to be {which} {listed}{_is(item, look)}"
        case p.Call(function="is_null", args=(item,)):
            return f"{name_of(item)} would have to {'be missing' if becomes else 'have a value'}{_is(item, look)}"
        case p.Exists():
            return _rows(leaf, becomes=becomes)
        case p.Field():
            return f"{name_of(leaf)} would have to be {'true' if becomes else 'false'}{_is(leaf, look)}"
    return f"it would have to be {'true' if becomes else 'false'} that {sentence(leaf)}"


def _is(item: p.Expr, look: Look) -> str:
    try:
        return f"; it is {shown(look(item))}"
    except LookupError:
        return ""


def _compared(item: p.Expr, op: str, limit: p.Literal, look: Look) -> str:
    name, said, value = name_of(item), spoken(limit), limit.value
    try:
        now = look(item)
    except LookupError:
        return f"{name} would have to {_WANTED[op]} {said}"
    if isinstance(item, p.Aggregate) and item.function == "count" and op in ("ge", "gt", "le", "lt"):
        return _counted(item, op, int(Decimal(str(value))), now)
    if now is None:
        return f"{name} is missing; it would have to {_WANTED[op]} {said}"
    if op in ("ge", "gt", "le", "lt"):
        gap = _gap(now, value)
        if gap is not None:
            away = "short of" if op in ("ge", "gt") else "beyond"
            return f"{name} is {shown(now)}, {gap} {away} {said}{_KEEPS.get(op, '')}"
    return f"{name} would have to {_WANTED[op]} {said}; it is {shown(now)}"


def _counted(item: p.Aggregate, op: str, limit: int, now: Any) -> str:
    """`1 more UnifiedActivity for which …: 2 of 3`."""
    goal = {"ge": limit, "gt": limit + 1, "le": limit, "lt": limit - 1}[op]
    count = now if isinstance(now, int) else 0
    what = sentence(p.Exists(item.path, item.where)).removeprefix("has ")
    if op in ("ge", "gt"):
        return f"{max(goal - count, 0)} more {what}: there are {count} of {goal}"
    return f"{max(count - goal, 0)} fewer {what}: there are {count}, at most {goal} may be"


def _rows(leaf: p.Exists, *, becomes: bool) -> str:
    what = sentence(leaf).removeprefix("has ")
    return f"there would have to be one {what}" if becomes else f"there would have to be no {what}"


def _gap(now: Any, limit: Any) -> str | None:
    """How far apart two values are; None for what has no distance."""
    if isinstance(now, bool) or isinstance(limit, bool):
        return None
    if isinstance(now, (int, float, Decimal)) and isinstance(limit, (int, float, Decimal)):
        if isinstance(now, float) or isinstance(limit, float):
            return f"{abs(float(now) - float(limit)):.12g}"
        return f"{_plain(abs(Decimal(now) - Decimal(limit)))}"
    if isinstance(now, date) and isinstance(limit, date) and type(now) is type(limit):
        return _span(abs(now - limit))
    return None


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _span(gap: timedelta) -> str:
    days = "1 day" if gap.days == 1 else f"{gap.days} days"
    rest = gap - timedelta(days=gap.days)
    if not rest:
        return days
    return f"{days} and {rest}" if gap.days else str(rest)
