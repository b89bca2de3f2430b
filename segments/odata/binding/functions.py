"""Functions of OData as functions of the tree: a table for those that are the same, and a method for each that is not.

Parts of a datetime are those that a clock shows in the time zone of the question; of a literal, those it is written
with. Null in, null out.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from segments.odata.binding.errors import fail, unanswered
from segments.odata.binding.literals import wall_clock
from segments.odata.binding.values import Value, called, local, null, of_tree, truth
from segments.odata.syntax import ast
from segments.odata.syntax.functions import MEMBERSHIP
from segments.predicates import tree as p
from segments.predicates.fields import DATETIME, INTEGER

if TYPE_CHECKING:
    from segments.odata.binding.expressions import Binder
    from segments.odata.binding.paths import Sight

EARLIEST: Final = datetime(1, 1, 1)  # noqa: DTZ001 - a datetime of the tree is UTC
LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - the same

SAME: Final = {
    "contains": "contains", "startswith": "starts_with", "endswith": "ends_with", "indexof": "index_of",
    "length": "length", "tolower": "lower", "toupper": "upper", "trim": "trim", "concat": "concat",
    "totalseconds": "total_seconds", "round": "round", "floor": "floor", "ceiling": "ceiling",
}  # fmt: skip
"""OData's name to the tree's, where arguments and meaning are the same."""

PARTS: Final = {
    "year": "year", "month": "month", "day": "day", "hour": "hour", "minute": "minute", "second": "second",
    "fractionalseconds": "fraction", "date": "date_of", "time": "time_of",
}  # fmt: skip
"""Parts of a date, a time of day, or of a datetime as a clock shows it."""

REFUSED: Final = {
    "geo.distance": "no attribute is a place on a map",
    "geo.intersects": "no attribute is a place on a map",
    "geo.length": "no attribute is a line on a map",
    "isdefined": "every attribute of the model is defined on every row; compare it with null",
}
"""Functions that are known and not answered, and why."""

DIFFERENT: Final = (
    "substring", "matchespattern", "now", "mindatetime", "maxdatetime", "totaloffsetminutes", "hassubset",
    "hassubsequence", MEMBERSHIP,
)  # fmt: skip
"""The rest: each has a function below."""


def call(binder: "Binder", node: ast.Call, sight: "Sight") -> Value:
    """A call of a canonical function, or of IsMemberOfSegment."""
    name = node.name.lower()
    if name in REFUSED:
        unanswered(node.at, f"{node.name} is not answered: {REFUSED[name]}")
    if name in ("hassubset", "hassubsequence"):
        return _collections(binder, node)
    if name == MEMBERSHIP.lower():
        return _membership(binder, node, sight)
    args = tuple(binder.value(a, sight) for a in node.arguments)
    if name in _OWN:
        return _OWN[name](binder, node, args)
    if name in PARTS:
        return _part(binder, name, args[0], node.at)
    return called(SAME[name], args, node.at, node.name)


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _part(binder: "Binder", name: str, arg: Value, at: int) -> Value:
    if name == "date" and arg.kind == "date":
        return arg
    if isinstance(arg.source, ast.Literal) and arg.source.kind == "dateTimeOffset":
        shown, _ = wall_clock(arg.source)
        return called(PARTS[name], (of_tree(p.Literal(DATETIME, shown), arg.at),), at, name)
    return called(PARTS[name], (local(arg, binder.zone),), at, name)


def _now(binder: "Binder", node: ast.Call, _: tuple[Value, ...]) -> Value:
    return Value(p.Call("now"), DATETIME, node.at, nullable=False)


def _earliest(binder: "Binder", node: ast.Call, _: tuple[Value, ...]) -> Value:
    return of_tree(p.Literal(DATETIME, EARLIEST), node.at)


def _latest(binder: "Binder", node: ast.Call, _: tuple[Value, ...]) -> Value:
    return of_tree(p.Literal(DATETIME, LATEST), node.at)


def _offset(binder: "Binder", node: ast.Call, args: tuple[Value, ...]) -> Value:
    """Minutes that a clock in the time zone is ahead of UTC."""
    (arg,) = args
    if isinstance(arg.source, ast.Literal) and arg.source.kind == "dateTimeOffset":
        return of_tree(p.literal(wall_clock(arg.source)[1]), node.at)
    if arg.kind not in ("datetime", "null"):
        fail(node.at, f"totaloffsetminutes takes a datetime; {arg.named}")
    if arg.type is None:
        return null(node.at)
    ahead = p.Call("sub", (p.Call("local", (arg.expr, p.literal(binder.zone))), arg.expr))
    whole = p.Call("to_integer", (p.Call("total_seconds", (ahead,)),))
    return Value(p.Call("div", (whole, p.literal(60))), INTEGER, node.at)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _substring(binder: "Binder", node: ast.Call, args: tuple[Value, ...]) -> Value:
    """A start below 0 counts from the end. A length below 0 is refused where it is written, else gives ''."""
    text, start, *rest = args
    if rest and isinstance(length := rest[0].expr, p.Literal) and _below_zero(length):
        fail(rest[0].at, "a length below 0 is not possible", "the third argument counts characters")
    if isinstance(start.expr, p.Literal) and not _below_zero(start.expr):
        return called("substring", args, node.at, "substring")
    called("substring", args, node.at, "substring")  # whether the types are right, before more is made of them
    from_end = called("add", (called("length", (text,), node.at, "length"), start), node.at, "add")
    negative = truth(p.Compare("lt", start.expr, p.literal(0)), start.at, nullable=start.nullable)
    place = called("iif", (negative, from_end, start), node.at, "substring")
    return called("substring", (text, place, *rest), node.at, "substring")


def _below_zero(literal: p.Literal) -> bool:
    return isinstance(literal.value, int) and literal.value < 0


def _matches(binder: "Binder", node: ast.Call, args: tuple[Value, ...]) -> Value:
    pattern = args[1].expr
    if args[1].type is None:
        return null(node.at)
    if not isinstance(pattern, p.Literal):
        fail(args[1].at, "a pattern is written out, it does not come from a row", "as in matchesPattern(Name,'^A')")
    found = called("matches", args, node.at, node.name)
    binder.check(found, node.at)
    return found


# ── collections ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _collections(binder: "Binder", node: ast.Call) -> Value:
    """Of lists that are written out; no attribute holds several values."""
    first, second = (_items(binder, node, argument) for argument in node.arguments)
    if node.name.lower() == "hassubset":
        return truth(p.literal(not Counter(second) - Counter(first)), node.at, nullable=False)
    rest = iter(first)
    return truth(p.literal(all(item in rest for item in second)), node.at, nullable=False)


def _items(binder: "Binder", node: ast.Call, argument: ast.Expression) -> list[object]:
    found = binder.resolved(argument)
    if not isinstance(found, ast.Array):
        hint = "lists of a related table are asked with any(…), all(…) and $count"
        fail(argument.at, f"{node.name} takes lists in [ ]; no attribute holds several values", hint)
    items: list[object] = []
    for item in found.items:
        value = binder.value(item, binder.top).expr
        if not isinstance(value, p.Literal):
            fail(item.at, f"{node.name} takes lists of literals")
        # 1 and 1.0 are equal numbers, 1 and true are not equal at all.
        number = isinstance(value.value, int | float | Decimal) and not isinstance(value.value, bool)
        items.append(value.value if number else (value.type.kind, value.value))
    return items


# ── segments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _membership(binder: "Binder", node: ast.Call, sight: "Sight") -> Value:
    """Of the row that bare names speak of; for a row that belongs to one customer, of that customer."""
    literal = node.arguments[0]
    assert isinstance(literal, ast.Literal)
    name, catalog, table = str(literal.value), binder.model.catalog, sight.tables[sight.here]
    if name not in catalog.segments:
        binder.unknown(literal.at, f"there is no segment {name!r}", name, catalog.segments)
    up = sight.up(sight.here)
    if table == catalog.customers:
        return truth(p.MemberOf(name, up), node.at, nullable=False)
    relation = catalog.relations.get((table, catalog.customers))
    if relation is None or relation.many or relation.to_table != catalog.customers:
        fail(node.at, f"rows of {table} are no members of segments", f"ask rows of {catalog.customers}")
    return truth(p.Exists((relation.name,), p.MemberOf(name), up), node.at, nullable=False)


_OWN: Final[dict[str, Callable[["Binder", ast.Call, tuple[Value, ...]], Value]]] = {
    "substring": _substring, "matchespattern": _matches, "now": _now, "mindatetime": _earliest,
    "maxdatetime": _latest, "totaloffsetminutes": _offset,
}  # fmt: skip
