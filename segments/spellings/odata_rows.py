"""Rows in sight of OData text and how each is addressed, and the text of values.

Bare names speak of one row: the customer, or the related row inside $filter(…). Inside any(x:…) the related row is `x`.
The row of a relation to one row is addressed by its path. Where a row cannot be addressed, that is an error.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from math import isinf, isnan
from typing import Any, NoReturn

from segments.model import Model
from segments.odata.syntax.printer import name, string
from segments.predicates import tree as p
from segments.predicates.bind import Bound, bind
from segments.predicates.sentence import sentence
from unify.core.errors import QueryError

Value = str
Say = Callable[[p.Expr, "Sight"], str]


def unsayable(expr: p.Expr, why: str) -> NoReturn:
    """QueryError that names the part."""
    said = sentence(expr)
    said = said if len(said) <= 120 else f"{said[:117]}…"
    raise QueryError(f"OData has no spelling for: {said}", hint=f"{why}; keep the segment as YAML, JSON or a sentence")


@dataclass(frozen=True, slots=True)
class Row:
    """`address`: what stands before a name of it: nothing, `x1/`, `$it/`, `Town/`; None: it cannot be reached.

    fixed  the address means the same wherever it stands: it begins with a variable or $it
    """

    table: str
    address: str | None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """The rows in sight, outermost first."""

    model: Model
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, model: Model) -> "Sight":
        """The customer alone."""
        return cls(model, (Row(model.catalog.customers, ""),))

    def address(self, expr: p.Expr, up: int) -> str:
        """What stands before names of a row."""
        found = self.rows[-1 - up].address
        if found is None:
            unsayable(expr, "inside $filter(…) of an aggregate, no row between it and the customer can be named")
        return found

    def path(self, expr: p.Exists | p.Aggregate) -> str:
        """The path to related rows."""
        return self.address(expr, expr.up) + "/".join(spelled(expr, step) for step in expr.path)

    def end(self, expr: p.Exists | p.Aggregate) -> str:
        """The table of related rows."""
        return self.model.end(self.rows[-1 - expr.up].table, expr.path)

    def is_one(self, expr: p.Exists | p.Aggregate) -> bool:
        """Whether a path leads to one row at most."""
        steps = self.model.catalog.path(self.rows[-1 - expr.up].table, expr.path)
        return not any(step.many or step.through for step in steps)

    def beside(self, expr: p.Exists) -> "Sight":
        """With the one row that a path leads to."""
        fixed = self.rows[-1 - expr.up].fixed
        return replace(self, rows=(*self.rows, Row(self.end(expr), self.path(expr) + "/", fixed)))

    def within(self, expr: p.Exists) -> tuple["Sight", str]:
        """With a related row inside any(…), and its variable."""
        variable = f"x{len(self.rows)}"
        while any(variable in table.attributes for table in self.model.catalog.tables.values()):
            variable += "_"
        return replace(self, rows=(*self.rows, Row(self.end(expr), f"{variable}/", fixed=True))), variable

    def inside(self, expr: p.Aggregate) -> "Sight":
        """With a related row inside $filter(…) or aggregate(…), of which bare names speak."""
        first, *others = self.rows
        top = Row(first.table, "$it/", fixed=True)
        rest = [row if row.fixed else Row(row.table, None) for row in others]
        return replace(self, rows=(top, *rest, Row(self.end(expr), "")))

    def membership(self, expr: p.MemberOf) -> str:
        """IsMemberOfSegment, which is asked of the row that bare names speak of."""
        if self.rows[-1 - expr.up].address != "":
            unsayable(expr, "IsMemberOfSegment is asked of the customer that the filter is about")
        return f"IsMemberOfSegment({_string(expr, expr.segment)})"

    def bound(self, expr: p.Expr) -> Bound:
        """The expression with its type."""
        tables = [row.table for row in self.rows]
        return bind(expr, self.model.catalog, tables[-1], outer=tuple(tables[:-1]))


def spelled(expr: p.Expr, text: str) -> str:
    """A name, if OData can write it."""
    try:
        return name(text)
    except ValueError:
        unsayable(expr, f"{text!r} is no name of OData")


def _string(expr: p.Expr, text: str) -> str:
    try:
        return string(text)
    except ValueError:
        unsayable(expr, "a text with NUL cannot be written")


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_OPERATORS = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "div_by": "divby", "mod": "mod"}
_SAME = {
    "contains": "contains", "starts_with": "startswith", "ends_with": "endswith", "index_of": "indexof",
    "length": "length", "lower": "tolower", "upper": "toupper", "trim": "trim", "concat": "concat",
    "total_seconds": "totalseconds", "round": "round", "floor": "floor", "ceiling": "ceiling",
    "matches": "matchesPattern",
}  # fmt: skip
_PARTS = {
    "year": "year", "month": "month", "day": "day", "hour": "hour", "minute": "minute", "second": "second",
    "fraction": "fractionalseconds", "date_of": "date", "time_of": "time",
}  # fmt: skip
_METHODS = {"sum": "sum", "min": "min", "max": "max", "avg": "average", "count_distinct": "countdistinct"}


def values_of(expr: p.Expr, sight: Sight, value: Say, true: Say) -> str:
    """Text of a value. `value` and `true` say its parts."""
    match expr:
        case p.Literal():
            return literal(expr)
        case p.Field(name=field, path=path, up=up):
            names = "/".join(spelled(expr, part) for part in (*path, field))
            return sight.address(expr, up) + names
        case p.Aggregate():
            return _aggregate(expr, sight, value, true)
        case p.Call():
            return _call(expr, sight, value, true)
    return unsayable(expr, "it is no value")


def _aggregate(expr: p.Aggregate, sight: Sight, value: Say, true: Say) -> str:
    if sight.is_one(expr):
        unsayable(expr, "the path leads to one row, and OData aggregates many")
    start, inner = sight.path(expr), sight.inside(expr)
    where = "" if expr.where == p.TRUE else true(expr.where, inner)
    if expr.value is None:
        return f"{start}/$count" + (f"($filter={where})" if where else "")
    kept = f"/$filter({where})" if where else ""
    return f"{start}{kept}/aggregate({value(expr.value, inner)} with {_METHODS[expr.function]})"


def _call(expr: p.Call, sight: Sight, value: Say, true: Say) -> str:
    key, args = expr.function, expr.args

    def said(i: int) -> str:
        return value(args[i], sight)

    if key in _OPERATORS:
        return f"({said(0)} {_OPERATORS[key]} {said(1)})"
    if key in _SAME:
        return f"{_SAME[key]}({','.join(said(i) for i in range(len(args)))})"
    if key in _PARTS:
        return f"{_PARTS[key]}({_clock(expr, sight, value)})"
    match key, args:
        case "now", ():
            return "now()"
        case "negate", _:
            return f"(-({said(0)}))"
        case "to_text", _:
            return f"cast({said(0)},Edm.String)"
        case "to_double", _:
            return f"cast({said(0)},Edm.Double)"
        case "to_integer", (p.Call(function="round", args=(inner,)),):
            return f"cast({value(inner, sight)},Edm.Int64)"
        case "substring", (_, p.Literal(value=int(start)), *rest) if start >= 0 and not any(map(_below_zero, rest)):
            return f"substring({','.join(said(i) for i in range(len(args)))})"
        case "has", (_, p.Literal(value=int(flags))) if flags >= 0:
            return f"({said(0)} has '{flags}')"
        case "add_days", (_, p.Literal(value=int(days))):
            sign = "-" if days < 0 else ""
            return f"({said(0)} add duration'{sign}P{abs(days)}D')"
        case "iif", (test, yes, no):
            return f"case({true(test, sight)}:{value(yes, sight)},true:{value(no, sight)})"
        case "coalesce", _:
            return f"case({said(0)} ne null:{said(0)},true:{said(1)})"
        case "at_midnight", _ if sight.model.timezone == "UTC":
            return f"cast({said(0)},Edm.DateTimeOffset)"
        case "utc", (p.Call(function="at_midnight", args=(day,)), zone) if zone == p.literal(sight.model.timezone):
            return f"cast({value(day, sight)},Edm.DateTimeOffset)"
    return unsayable(expr, "OData has no such function")


def _below_zero(expr: p.Expr) -> bool:
    return isinstance(expr, p.Literal) and isinstance(expr.value, int) and expr.value < 0


def _clock(expr: p.Call, sight: Sight, value: Say) -> str:
    """What a part is taken of. Of a datetime, OData reads the clock of the question's time zone."""
    (arg,) = expr.args
    zone = sight.model.timezone
    if isinstance(arg, p.Call) and arg.function == "local" and zone != "UTC" and arg.args[1] == p.literal(zone):
        inner = arg.args[0]
        if isinstance(inner, p.Literal):
            unsayable(expr, "of a moment that is written out, OData reads the clock it is written with")
        return value(inner, sight)
    if zone != "UTC" and sight.bound(arg).type.kind == "datetime":
        unsayable(expr, f"OData reads clocks in {zone}, and this one is not local there")
    return value(arg, sight)


def literal(expr: p.Literal) -> str:
    """A literal of OData. A decimal may get a shorter type; it is the same number."""
    value: Any = expr.value
    kind = expr.type.kind
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "duration":
        return f"duration'{_duration(value)}'"
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text if "." in text else f"{text}.0"
    if kind == "string":
        return _string(expr, value)
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _double(value: float) -> str:
    if isnan(value):
        return "NaN"
    if isinf(value):
        return "INF" if value > 0 else "-INF"
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _duration(count: int) -> str:
    seconds, micro = divmod(abs(count), 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    fraction = f".{micro:06d}" if micro else ""
    day = f"{days}D" if days else ""
    rest = f"T{seconds}{fraction}S" if seconds or fraction or not day else ""
    return f"{'-' if count < 0 else ''}P{day}{rest}"
