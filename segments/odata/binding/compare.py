"""Comparisons of OData, whose nulls are not those of SQL.

    eq, ne     null is a value: equal to itself and only to itself
    gt, lt     false when an operand is null
    ge, le     the same, or both are equal: null ge null is true
    in         eq with each of the list

Where false and null come to the same, at the top and below and/or, the null of gt and lt is left as it is: `exact` says
that they do not. So `not (Age gt 30)` holds for an unknown age, as OData says.
"""

from segments.odata.binding.errors import fail
from segments.odata.binding.literals import flags
from segments.odata.binding.values import Value, alike, surely, truth
from segments.odata.syntax import ast
from segments.predicates import tree as p
from segments.predicates.fields import INTEGER
from unify.core.errors import QueryError

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


def compare(op: str, left: Value, right: Value, at: int, *, zone: str, exact: bool) -> Value:
    """One of the six comparisons; BindError when the types do not compare."""
    if left.row or right.row:
        return _rows(op, left, right, at)
    if left.type is None or right.type is None:
        return _with_null(op, left, right, at)
    left, right = alike(_enumerated(left, right), _enumerated(right, left), zone, at)
    if op in ("eq", "ne"):
        return truth(p.Compare("is" if op == "eq" else "is_not", left.expr, right.expr), at, nullable=False)
    nullable = left.nullable or right.nullable
    found = truth(p.Compare(op, left.expr, right.expr), at, nullable=nullable)
    if exact:
        found = surely(found)
    if op in ("ge", "le") and left.nullable and right.nullable:
        neither = p.And((_is_null(left), _is_null(right)))
        return truth(p.Or((found.expr, neither)), at, nullable=found.nullable)
    return found


def _is_null(value: Value) -> p.Call:
    return p.Call("is_null", (value.expr,))


def _with_null(op: str, left: Value, right: Value, at: int) -> Value:
    other = left if right.type is None else right
    if op in ("gt", "lt"):
        return truth(p.FALSE, at, nullable=False)
    if other.type is None:
        return truth(p.FALSE if op == "ne" else p.TRUE, at, nullable=False)
    found: p.Expr = _is_null(other)
    return truth(p.Not(found) if op == "ne" else found, at, nullable=False)


def _rows(op: str, left: Value, right: Value, at: int) -> Value:
    """A related row with null: whether there is one."""
    row, other = (left, right) if left.row else (right, left)
    if op not in ("eq", "ne") or other.type is not None or other.row:
        fail(at, "a related row is compared with null alone", "compare attributes, as in Relation/Key eq 'x'")
    return truth(row.expr if op == "ne" else p.Not(row.expr), at, nullable=False)


def _enumerated(value: Value, other: Value) -> Value:
    """`Model.Colors'4'` beside a number is that number."""
    if not isinstance(value.source, ast.EnumLiteral) or other.type is None or not other.type.is_number:
        return value
    found = flags(value.source)
    if found is None:
        fail(value.at, "the model has no enumerations", "write the number that stands for the member")
    return Value(p.literal(found), INTEGER, value.at, nullable=False)


def has(left: Value, right: ast.Expression, at: int) -> Value:
    """Flags that are set in a whole number; null for null."""
    if left.kind not in ("integer", "null"):
        fail(at, f"has looks at flags in a whole number; {left.named}", "compare text with eq or in")
    assert isinstance(right, ast.EnumLiteral | ast.Literal)
    found = flags(right)
    if found is None:
        fail(right.at, "the model has no enumerations", "write flags as numbers, as in has '4'")
    return truth(p.Call("has", (left.expr, p.literal(found))), at, nullable=True)


def is_in(item: Value, values: list[Value], at: int, *, zone: str, exact: bool) -> Value:
    """Whether a value equals one of others; false for an unknown one, unless null is listed."""
    if item.row:
        fail(at, "a related row is no value", "name one of its attributes")
    nulls = any(v.type is None for v in values)
    if item.type is None:
        return truth(p.TRUE if nulls else p.FALSE, at, nullable=False)
    fixed: list[p.Literal] = []
    others: list[Value] = []
    for value in values:
        if value.type is None:
            continue
        here, there = alike(item, _enumerated(value, item), zone, value.at)
        literal = there.expr
        plain = here is item and isinstance(literal, p.Literal) and literal.value is not None and _listed(item, literal)
        if plain:
            assert isinstance(literal, p.Literal)
            fixed.append(literal)
        else:
            others.append(compare("eq", item, value, value.at, zone=zone, exact=exact))
    parts: list[p.Expr] = []
    nullable = False
    if fixed or not values:
        found = truth(p.In(item.expr, tuple(fixed)), at, nullable=item.nullable and bool(fixed))
        found = surely(found) if exact else found
        parts, nullable = [found.expr], found.nullable
    parts += [other.expr for other in others]
    if nulls:
        parts.append(_is_null(item))
    return truth(parts[0] if len(parts) == 1 else p.Or(tuple(parts)), at, nullable=nullable)


def _listed(item: Value, literal: p.Literal) -> bool:
    """Whether In takes the value: no double for an item that is none."""
    assert item.type
    return literal.type.kind != "double" or item.type.kind == "double"


def checked(expr: p.Expr, at: int) -> p.Expr:
    """The tree, if it is not too large; BindError."""
    try:
        p.check_size(expr)
    except QueryError as error:
        fail(at, error.message, error.hint or "make a segment or a $compute of a part")
    return expr
