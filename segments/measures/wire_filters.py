"""The vendor's filters as text, and back: MeasureExpression and OData filters, segment criteria and ours.

Keys of a MeasureExpression beside its kind, which the vendor's client does not model:

    constant      value                                  and, or       arguments
    property      name                                   isNull, isNotNull, negate, memberAccess   expression
    memberAccess  name                                   functionCall  name, arguments
    comparisons, contains …, arithmetic  left, right     today, now
"""

from decimal import Decimal
from typing import Any

from segments.measures.wire import ARITHMETIC, COMPARISONS, TESTS, MeasureExpression
from segments.odata import parse_expression, print_expression
from segments.odata.syntax import ast as o
from unify.core.errors import SpecError
from unify.spec.segmentation_query import SegmentMembershipCriteria

_COMPARED = {odata: kind for kind, odata in COMPARISONS.items()}
_ARITHMETIC = {odata: kind for kind, odata in ARITHMETIC.items()}
_TESTED = {odata: kind for kind, odata in TESTS.items()}


def text_of(filters: MeasureExpression, where: str) -> str:
    """The filter as OData text. SpecError for what is not understood."""
    return print_expression(_ast(filters.wire(), where))


def expression_of(text: str, where: str) -> MeasureExpression:
    """OData text as a filter. SpecError for what the vendor has no kind for."""
    return MeasureExpression.model_validate(_node(parse_expression(text), where))


def _ast(node: dict[str, Any], where: str) -> o.Expression:
    kind = node["kind"]
    known = {"kind", *_KEYS.get(kind, ("left", "right"))}
    if unknown := set(node) - known or {k for k in known - {"kind"} if k not in node and k != "value"}:
        said = f"a filter of kind {kind} has {', '.join(sorted(known - {'kind'})) or 'no other keys'}"
        raise SpecError(f"{said}; {min(unknown)!r} is not understood or missing", where=where, hint="docs/measures.md")

    def part(key: str) -> o.Expression:
        return _ast(node[key], f"{where}.{key}")

    if kind in COMPARISONS or kind in ARITHMETIC:
        return o.Binary({**COMPARISONS, **ARITHMETIC}[kind], part("left"), part("right"))
    if kind in TESTS:
        return o.Call(TESTS[kind], (part("left"), part("right")))
    if kind in ("and", "or", "functionCall"):
        parts = tuple(_ast(a, f"{where}.arguments[{i}]") for i, a in enumerate(node["arguments"]))
        if kind == "functionCall":
            return o.Call(node["name"], parts)
        return parts[0] if len(parts) == 1 else (o.And if kind == "and" else o.Or)(parts)
    match kind:
        case "constant":
            return _literal(node.get("value"))
        case "property":
            return o.Path((o.Name(node["name"]),))
        case "memberAccess":
            before = part("expression")
            assert isinstance(before, o.Path)
            return o.Path((*before.segments, o.Name(node["name"])))
        case "isNull" | "isNotNull":
            return o.Binary("eq" if kind == "isNull" else "ne", part("expression"), o.Literal("null", None))
        case "negate":
            return o.Unary("-", part("expression"))
        case "now":
            return o.Call("now", ())
        case "today":
            return o.Call("date", (o.Call("now", ()),))
    raise SpecError(f"{kind} is not understood in a filter", where=where, hint="write the filter as `where`")


_KEYS: dict[str, tuple[str, ...]] = {
    "constant": ("value",), "property": ("name",), "memberAccess": ("expression", "name"),
    "functionCall": ("name", "arguments"), "and": ("arguments",), "or": ("arguments",), "isNull": ("expression",),
    "isNotNull": ("expression",), "negate": ("expression",), "now": (), "today": (),
}  # fmt: skip


def _literal(value: Any) -> o.Literal:
    match value:
        case None:
            return o.Literal("null", None)
        case bool():
            return o.Literal("boolean", value)
        case int():
            return o.Literal("integer", value)
        case float():
            return o.Literal("decimal", Decimal(str(value)))
        case _:
            return o.Literal("string", str(value))


def _node(tree: Any, where: str) -> dict[str, Any]:
    match tree:
        case o.Literal(kind="null" | "boolean" | "integer" | "string", value=value):
            return {"kind": "constant", "value": value}
        case o.Literal(kind="decimal" | "double", value=value):
            return {"kind": "constant", "value": float(str(value))}
        case o.Path(segments=(o.Name(text=name),)):
            return {"kind": "property", "name": name}
        case o.Path(segments=(*before, o.Name(text=name))) if all(isinstance(s, o.Name) for s in before):
            return {"kind": "memberAccess", "expression": _node(o.Path(tuple(before)), where), "name": name}
        case o.Binary(operator="eq" | "ne" as op, left=left, right=o.Literal(kind="null")):
            return {"kind": "isNull" if op == "eq" else "isNotNull", "expression": _node(left, where)}
        case o.Binary(operator=op, left=left, right=right) if op in {**_COMPARED, **_ARITHMETIC}:
            sides = {"left": _node(left, where), "right": _node(right, where)}
            return {"kind": {**_COMPARED, **_ARITHMETIC}[op], **sides}
        case o.And(terms=terms):
            return {"kind": "and", "arguments": [_node(t, where) for t in terms]}
        case o.Or(terms=terms):
            return {"kind": "or", "arguments": [_node(t, where) for t in terms]}
        case o.Unary(operator="-", operand=operand):
            return {"kind": "negate", "expression": _node(operand, where)}
        case o.Call(name="now"):
            return {"kind": "now"}
        case o.Call(name="date", arguments=(o.Call(name="now"),)):
            return {"kind": "today"}
        case o.Call(name=name, arguments=(left, right)) if name in _TESTED:
            return {"kind": _TESTED[name], "left": _node(left, where), "right": _node(right, where)}
        case o.Call(name=name, arguments=arguments):
            return {"kind": "functionCall", "name": name, "arguments": [_node(a, where) for a in arguments]}
    said = print_expression(tree)
    raise SpecError(f"the vendor has no filter for `{said}`", where=where, hint="its kinds are in docs/measures.md")


# ── segment criteria ─────────────────────────────────────────────────────────────────────────────────────────────────

_ONE = {
    "equals": "equals", "notEquals": "not_equals", "greaterThan": "greater_than", "greaterThanOrEqualTo": "at_least",
    "lessThan": "less_than", "lessThanOrEqualTo": "at_most", "contains": "contains", "startsWith": "starts_with",
    "endsWith": "ends_with",
}  # fmt: skip
_LIST = {"isIn": "is_in", "isBetween": "between", "isNotBetween": "not_between"}


def criteria_of(said: SegmentMembershipCriteria, base: str, where: str) -> dict[str, Any]:
    """The vendor's criteria about rows as ours. SpecError for an operator that is for segments only."""
    if said.child_criterias:
        word = "any" if said.logical_operator == "or" else "all"
        return {
            word: [criteria_of(c, base, f"{where}.childCriterias[{i}]") for i, c in enumerate(said.child_criterias)]
        }
    if said.attribute is None or said.comparison_operator is None:
        raise SpecError("a criterion has an attribute and an operator", where=where)
    operator = said.comparison_operator
    found: dict[str, Any] = {"attribute": name_of(said.attribute, base)}
    if operator in ("isNull", "isNotNull"):
        found |= {"is_null" if operator == "isNull" else "is_not_null": True}
    elif operator in _ONE:
        found |= {_ONE[operator]: said.value if said.value is not None else list(said.list_of_values or ())}
    elif operator in _LIST:
        found |= {_LIST[operator]: list(said.list_of_values or ())}
    else:
        hint = "filters of measures compare, look for text, test for null, lists and ranges"
        raise SpecError(f"{operator} is not understood in a measure", where=where, hint=hint)
    return found | ({"ignore_case": True} if said.ignore_case else {}) | ({"time_of_day": True} if said.is_time else {})


def name_of(field: str, base: str) -> str:
    """`web_Orders.Total` as a column of its rows, `Customer.City` as a path: our spelling.

    >>> name_of("web_Orders.Total", "web.Orders"), name_of("Customer.City", "web.Orders")
    ('Total', 'Customer/City')
    """
    table = base.replace(".", "_")
    for begin in (f"{table}.", f"{base}."):
        if field.startswith(begin):
            return field.removeprefix(begin)
    return field.replace(".", "/")
