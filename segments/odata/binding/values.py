"""Values while they are bound, and how two of them meet.

A date beside a datetime is the moment at which it begins in the time zone. Text beside a duration or a guid is read as
one. Nothing else changes its type by itself.
"""

from dataclasses import dataclass, replace
from typing import NoReturn

from segments.odata.binding.errors import fail
from segments.odata.binding.literals import duration_of_text, guid_of_text
from segments.odata.syntax import ast
from segments.predicates import function_values
from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, DATETIME, DURATION, GUID, INTEGER, Type
from segments.predicates.function_rows import common_type
from segments.predicates.functions import resolve
from unify.core.errors import QueryError


@dataclass(frozen=True, slots=True)
class Value:
    """A part of the tree, with what is known about it.

    type      None: always null, so of any type
    nullable  False when it can never be null
    source    the literal it was written as, if it was
    row       it is no value but the row a path leads to; `expr` says whether there is one
    """

    expr: p.Expr
    type: Type | None
    at: int
    nullable: bool = True
    source: ast.Literal | ast.EnumLiteral | None = None
    row: bool = False

    @property
    def kind(self) -> str:
        """The kind of its type; `null` when it has none."""
        return self.type.kind if self.type else "null"

    @property
    def named(self) -> str:
        """As a message names it: an attribute by its name, else its type."""
        return f"{self.expr.name} is {self.kind}" if isinstance(self.expr, p.Field) else f"this is {self.kind}"


NULL = p.literal(None)


def null(at: int) -> Value:
    """The null of any type."""
    return Value(NULL, None, at)


def truth(expr: p.Expr, at: int, *, nullable: bool) -> Value:
    """A boolean."""
    return Value(expr, BOOLEAN, at, nullable)


def of_tree(literal: p.Literal, at: int, source: ast.Literal | ast.EnumLiteral | None = None) -> Value:
    """A literal of the tree."""
    if literal.value is None and literal.type == BOOLEAN:
        return null(at)
    return Value(literal, literal.type, at, literal.value is None, source)


def surely(value: Value) -> Value:
    """A boolean whose null counts as false, as OData's comparisons have it."""
    return truth(p.Call("is_true", (value.expr,)), value.at, nullable=False) if value.nullable else value


def called(key: str, args: tuple[Value, ...], at: int, name: str) -> Value:
    """A call of a function of the tree; BindError that speaks of it by its OData name.

    Nullable when an argument is. The nulls of overflow and of division by zero, which OData has not, count for nothing.
    """
    try:
        _, _, kind = resolve(key, tuple(a.type for a in args), "")
    except QueryError as error:
        given = ", ".join(a.kind for a in args)
        if "is not possible" in error.message and error.hint.startswith("known:"):
            known = error.hint.removeprefix("known: ").replace(f"{key}(", f"{name}(")
            fail(at, f"{name}({given}) is not possible", f"known: {known}")
        fail(at, f"{name}({given}): {error.message}", error.hint)
    return Value(p.Call(key, tuple(a.expr for a in args)), kind, at, any(a.nullable for a in args))


def begins(value: Value, zone: str) -> Value:
    """A date as the moment at which it begins in a time zone."""
    if isinstance(value.expr, p.Literal) and value.expr.value is not None:
        midnight = function_values.at_midnight(DATETIME, value.expr.value)  # type: ignore[arg-type]
        moment = function_values.utc(DATETIME, midnight, zone)
        if moment is None:
            fail(value.at, f"{value.expr.value} in {zone} begins outside the years 1 to 9999", "write mindatetime()")
        return Value(p.Literal(DATETIME, moment), DATETIME, value.at, nullable=False)
    midnight_of = p.Call("at_midnight", (value.expr,))
    expr = midnight_of if zone == "UTC" else p.Call("utc", (midnight_of, p.literal(zone)))
    return Value(expr, DATETIME, value.at, value.nullable)


def local(value: Value, zone: str) -> Value:
    """A datetime as a clock in a time zone shows it."""
    if zone == "UTC" or value.kind != "datetime":
        return value
    return replace(value, expr=p.Call("local", (value.expr, p.literal(zone))), source=None)


def alike(left: Value, right: Value, zone: str, at: int, doing: str = "compared") -> tuple[Value, Value]:
    """Both brought to types that compare with each other. BindError when there is no way."""
    if left.type is None or right.type is None or left.kind == right.kind:
        return left, right
    if left.type.is_number and right.type.is_number:
        return left, right
    if {left.kind, right.kind} == {"date", "datetime"}:
        return (begins(left, zone), right) if left.kind == "date" else (left, begins(right, zone))
    wanted_left, wanted_right = right.type, left.type
    left, right = as_written(left, wanted_left), as_written(right, wanted_right)
    if left.kind == right.kind:
        return left, right
    return _refuse(left, right, at, doing)


def as_written(value: Value, wanted: Type) -> Value:
    """A literal read as the type it stands beside: durations and guids in quotes, flags of an enumeration."""
    if not isinstance(value.expr, p.Literal) or value.source is None:
        return value
    found: p.Literal | None = None
    if isinstance(value.source, ast.EnumLiteral):
        return value
    if value.kind == "string" and wanted == DURATION:
        found = duration_of_text(str(value.expr.value), value.at)
    elif value.kind == "string" and wanted == GUID:
        found = guid_of_text(str(value.expr.value))
    return of_tree(found, value.at, value.source) if found else value


def _refuse(left: Value, right: Value, at: int, doing: str) -> NoReturn:
    said = f"{left.kind} with {right.kind} cannot be {doing}"
    for one, other in ((left, right), (right, left)):
        if one.kind == "string" and isinstance(other.expr, p.Literal) and other.source is not None:
            fail(at, f"{said}: {one.named}", f"write it in quotes: '{_spelt(other)}'")
        if isinstance(one.expr, p.Literal) and one.kind == "string" and other.kind != "string":
            fail(at, f"{said}: {other.named}", f"write {_EXAMPLES.get(other.kind, 'a value of that type')}")
    if {left.kind, right.kind} == {"time", "datetime"}:
        fail(at, said, "take time(…) of the datetime")
    fail(at, said, "both sides need one type")


def _spelt(value: Value) -> str:
    source = value.source
    return str(source.value) if isinstance(source, ast.Literal) else str(getattr(value.expr, "value", ""))


_EXAMPLES = {
    "integer": "a number without quotes", "decimal": "a number without quotes", "double": "a number without quotes",
    "boolean": "true or false without quotes", "date": "2024-01-31 without quotes",
    "datetime": "2024-01-31T12:00:00Z without quotes", "time": "12:30:00 without quotes",
    "duration": "duration'P30D'", "guid": "a guid: 8-4-4-4-12 hexadecimal digits",
}  # fmt: skip


def common(values: list[Value], zone: str, at: int, what: str) -> tuple[list[Value], Type | None]:
    """Values of one type, so that any of them may stand in one place; None when all are null."""
    if {v.kind for v in values} >= {"date", "datetime"}:
        values = [begins(v, zone) if v.kind == "date" else v for v in values]
    types = tuple(v.type for v in values if v.type)
    if not types:
        return values, None
    kind = common_type(types)
    if kind is None:
        names = ", ".join(dict.fromkeys(t.name for t in types))
        fail(at, f"{what} are of different types: {names}", "cast them to one")
    return values, kind


def number(value: int, at: int) -> Value:
    """A whole number."""
    return Value(p.literal(value), INTEGER, at, nullable=False)
