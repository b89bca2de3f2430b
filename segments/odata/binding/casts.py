"""cast, isof and case.

A cast that cannot give a value gives null: a number beyond the type, text that is no literal of it. Text of rows is not
read as anything else: that is for ingest, which tells what it could not read.
"""

from typing import TYPE_CHECKING, Final, NoReturn

from segments.odata.binding.errors import cut, fail
from segments.odata.binding.literals import EDM, of_literal
from segments.odata.binding.values import Value, begins, called, common, local, null, truth
from segments.odata.errors import ODataSyntaxError
from segments.odata.syntax import ast
from segments.predicates import tree as p
from segments.predicates.fields import INTEGER
from unify.core.errors import did_you_mean

if TYPE_CHECKING:
    from segments.odata.binding.expressions import Binder
    from segments.odata.binding.paths import Sight

INTEGERS: Final = {
    "Edm.SByte": (-(2**7), 2**7 - 1), "Edm.Byte": (0, 2**8 - 1), "Edm.Int16": (-(2**15), 2**15 - 1),
    "Edm.Int32": (-(2**31), 2**31 - 1), "Edm.Int64": (-(2**63), 2**63 - 1),
}  # fmt: skip
"""Whole numbers by type: the smallest and the largest."""

MAX_BRANCHES: Final = 40
"""Of one case: each is a level of the tree, which has a hundred."""

_KNOWN: Final = (*INTEGERS, *EDM, "Edm.Decimal", "Edm.Double", "Edm.Single", "Edm.String")


def cast(binder: "Binder", node: ast.Cast, sight: "Sight") -> Value:
    """The value as another type; BindError when no value could ever be."""
    if node.operand is None or node.type.collection or not node.type.name.startswith("Edm."):
        return _refuse_type(binder, node.type)
    value = binder.value(node.operand, sight)
    _known(node.type)
    if value.type is None:
        return null(node.at)
    found = _cast(binder, value, node.type.name, node.at)
    if found is None:
        fail(node.at, f"a {value.kind} is not cast to {node.type.name}", _reason(value))
    return found


def _reason(value: Value) -> str:
    if value.kind == "string":
        return "text becomes numbers and dates when it is ingested: give the attribute a type in the project file"
    return "casts go between numbers, between dates and datetimes, and from most types to Edm.String"


def _refuse_type(binder: "Binder", kind: ast.TypeName) -> NoReturn:
    if kind.collection:
        fail(kind.at, "no attribute holds several values", "ask a related table with any(…)")
    if kind.name.startswith("Edm."):
        fail(kind.at, "a row is no value", "name one of its attributes")
    binder.unknown(kind.at, f"there is no type {cut(kind.name)!r}, and no table has derived ones", kind.name, _KNOWN)


def _known(kind: ast.TypeName) -> None:
    if kind.name not in _KNOWN:
        fail(kind.at, f"no attribute is {kind.name}", did_you_mean(kind.name, _KNOWN))


def _cast(binder: "Binder", value: Value, to: str, at: int) -> Value | None:
    """None when there is no such cast."""
    if value.kind == "string" and to != "Edm.String":
        return _read(binder, value, to, at)
    if to == "Edm.String":
        if value.kind == "string":
            return value
        possible = value.kind in ("integer", "boolean", "date", "guid")
        return called("to_text", (value,), at, "cast") if possible else None
    if to in INTEGERS:
        return _whole(value, to, at)
    if to in ("Edm.Double", "Edm.Single"):
        return called("to_double", (value,), at, "cast") if value.type and value.type.is_number else None
    if to == "Edm.Decimal":
        return value if value.kind in ("integer", "decimal") else None
    if EDM[to] == value.type:
        return value
    if (to, value.kind) == ("Edm.DateTimeOffset", "date"):
        return begins(value, binder.zone)
    if value.kind == "datetime" and to in ("Edm.Date", "Edm.TimeOfDay"):
        return called("date_of" if to == "Edm.Date" else "time_of", (local(value, binder.zone),), at, "cast")
    return None


def _whole(value: Value, to: str, at: int) -> Value | None:
    """Rounded half away from zero; null beyond the type."""
    if value.type is None or not value.type.is_number:
        return None
    if value.kind != "integer":
        value = called("to_integer", (called("round", (value,), at, "round"),), at, "cast")
    if to == "Edm.Int64":
        return value
    low, high = INTEGERS[to]
    fits = truth(p.between(value.expr, p.literal(low), p.literal(high)), at, nullable=True)
    return called("iif", (fits, value, null(at)), at, "cast")


def _read(binder: "Binder", value: Value, to: str, at: int) -> Value | None:
    """A text that is written out, read as a literal of the type; null when it is none."""
    from segments.odata.syntax.url import parse_expression

    if not isinstance(value.expr, p.Literal) or value.source is None:
        return None
    text = str(value.expr.value)
    try:
        found = parse_expression(f"duration'{text}'" if to == "Edm.Duration" else text)
    except ODataSyntaxError:
        return null(at)
    if not isinstance(found, ast.Literal) or found.kind == "string" or found.value is None:
        return null(at)
    literal = Value((made := of_literal(found)), made.type, at, False, found)
    numbers = to in INTEGERS or to in ("Edm.Decimal", "Edm.Double", "Edm.Single")
    if not (made.type.is_number if numbers else EDM[to] == made.type):
        return null(at)
    return _cast(binder, literal, to, at) or null(at)


# ── isof ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_ASSIGNABLE: Final = {
    "Edm.String": ("string",), "Edm.Decimal": ("integer", "decimal"), "Edm.Double": ("integer", "decimal", "double"),
    "Edm.Single": ("integer", "decimal", "double"),
}  # fmt: skip


def isof(binder: "Binder", node: ast.IsOf, sight: "Sight") -> Value:
    """Whether the value is one of the type without a cast; null is one of every type."""
    name = node.type.name
    if node.type.collection:
        _refuse_type(binder, node.type)
    if not name.startswith("Edm."):
        return _is_table(binder, node, sight)
    _known(node.type)
    if node.operand is None:
        return truth(p.FALSE, node.at, nullable=False)
    value = binder.value(node.operand, sight)
    if value.type is None:
        return truth(p.TRUE, node.at, nullable=False)
    missing = p.Call("is_null", (value.expr,))
    if name in INTEGERS and value.type == INTEGER:
        low, high = INTEGERS[name]
        fits = p.Call("is_true", (p.between(value.expr, p.literal(low), p.literal(high)),))
        return truth(p.TRUE if name == "Edm.Int64" else p.Or((missing, fits)), node.at, nullable=False)
    same = value.kind in _ASSIGNABLE[name] if name in _ASSIGNABLE else EDM.get(name) == value.type
    return truth(p.TRUE if same else missing, node.at, nullable=False)


def _is_table(binder: "Binder", node: ast.IsOf, sight: "Sight") -> Value:
    if node.operand is None:
        table, found = sight.tables[sight.here], truth(p.TRUE, node.at, nullable=False)
    else:
        table, found = binder.row(node.operand, sight)
    if node.type.name.rpartition(".")[2] != table:
        _refuse_type(binder, node.type)
    return found


# ── case ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def case(binder: "Binder", node: ast.Case, sight: "Sight") -> Value:
    """The value of the first branch whose condition is true, or null."""
    if len(node.branches) > MAX_BRANCHES:
        fail(node.at, f"a case of more than {MAX_BRANCHES} branches", "relate a table that maps the values")
    conditions = [binder.truth(condition, sight, exact=False) for condition, _ in node.branches]
    values, kind = common([binder.value(v, sight) for _, v in node.branches], binder.zone, node.at, "values of case")
    if kind is None:
        return null(node.at)
    always = next((i for i, c in enumerate(conditions) if c.expr == p.TRUE), None)
    last = len(values) if always is None else always
    found = null(node.at) if always is None else values[always]
    for condition, value in zip(reversed(conditions[:last]), reversed(values[:last]), strict=True):
        if value.type or found.type:  # else it is null either way
            found = called("iif", (condition, value, found), node.at, "case")
    if found.type is None:
        return null(node.at)
    nullable = always is None or any(v.nullable for v in values)
    return Value(found.expr, found.type, node.at, nullable)
