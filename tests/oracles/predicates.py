"""What a bound predicate says of one row, by walking the tree: no SQL, no sets, no cleverness.

A world is rows as dicts of Python values by table, and who is in which segment. Functions of values are those of
segments/predicates/function_values.py; logic, comparisons, paths, aggregates and scopes are written here once more.
"""

from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import reduce
from math import trunc
from typing import Any

from segments.predicates import tree as p
from segments.predicates.bind import Coerce
from segments.predicates.fields import rescale


@dataclass
class World:
    tables: dict[str, list[dict[str, Any]]]
    clock: Any
    segments: dict[str, set[int]] = field(default_factory=dict)


def evaluate(bound, rows, world):
    """The value for `rows`, outermost first; None is null."""
    expr = bound.expr

    def at(i):
        return evaluate(bound.args[i], rows, world)

    match expr:
        case p.Literal():
            return expr.value
        case p.Field():
            here = rows[-1 - expr.up]
            if expr.path:
                found = follow(here, bound.steps, world)
                values = [v for v in (r[expr.name] for r in found) if v is not None]
                return min(values, key=total) if values else None
            return here[expr.name]
        case p.Call():
            return call(bound, expr, [at(i) for i in range(len(bound.args))], world)
        case Coerce():
            return brought(at(0), bound.type)
        case p.Compare():
            return compared(expr.op, at(0), at(1))
        case p.In():
            equal = [compared("eq", at(0), v) for v in bound.items]
            rest = None if at(0) is None else False
            return reduce(either, equal, rest if expr.values else False)
        case p.And():
            return reduce(both, [at(i) for i in range(len(bound.args))], True)
        case p.Or():
            return reduce(either, [at(i) for i in range(len(bound.args))], False)
        case p.Not():
            return opposite(at(0))
        case p.Exists():
            start = rows[-1 - expr.up]
            return any(evaluate(bound.args[0], [*rows, r], world) is True for r in follow(start, bound.steps, world))
        case p.Aggregate():
            start = rows[-1 - expr.up]
            kept = [r for r in follow(start, bound.steps, world) if evaluate(bound.args[-1], [*rows, r], world) is True]
            if expr.function == "count":
                return len(kept)
            values = [evaluate(bound.args[0], [*rows, r], world) for r in kept]
            return aggregated(expr.function, [v for v in values if v is not None], bound.type)
        case p.MemberOf():
            return rows[-1 - expr.up]["ordinal"] in world.segments[expr.segment]
    raise AssertionError(expr)


def both(a, b):
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def either(a, b):
    if a is True or b is True:
        return True
    return None if a is None or b is None else False


def opposite(a):
    return None if a is None else not a


def total(value):
    """NaN is one value, above all others."""
    return (1, 0.0) if value != value else (0, value)  # noqa: PLR0124 - NaN


def compared(op, a, b):
    if op == "is":
        return a is None and b is None if a is None or b is None else total(a) == total(b)
    if op == "is_not":
        return not compared("is", a, b)
    if a is None or b is None:
        return None
    a, b = total(a), total(b)
    if op in ("eq", "ne"):
        return (a == b) == (op == "eq")
    if op in ("lt", "ge"):
        return (a < b) == (op == "lt")
    return (a > b) == (op == "gt")


def call(bound, expr, values, world):
    if expr.function == "now":
        return world.clock
    if expr.function not in ("is_null", "is_true", "coalesce", "iif") and any(v is None for v in values):
        return None
    return bound.function.python(bound.type, *values)


def brought(value, kind):
    if value is None:
        return None
    return float(value) if kind.kind == "double" else rescale(Decimal(value), kind)


def follow(row, steps, world):
    """The rows at the end of a path, one for each way that leads there."""
    rows = [row]
    for step in steps:
        rows = [other for here in rows for other in world.tables[step.to_table] if linked(here, other, step, world)]
    return rows


def linked(here, other, step, world):
    left, right = here[step.from_column], other[step.to_column]
    if left is None or right is None:
        return False
    if step.made_of:
        return here["SourceTableName"] == step.made_of and left == str(right)
    if step.record_of:
        return any(
            m["entity"] == step.record_of and m["key"] == str(left) and m["CustomerId"] == right
            for m in world.tables["members"]
        )
    if not step.through:
        return left == right
    return any(
        m["CustomerId"] == left and m["entity"] == step.through and m["key"] == str(right)
        for m in world.tables["members"]
    )


def sum_of_doubles(values):
    """In fixed point, of 62 binary places, what it holds exactly; the others one after the other, small ones first."""

    def is_fixed(v):
        return abs(v) < 2**53 and (Fraction(v) * 2**62).denominator == 1

    fixed, added = [v for v in values if is_fixed(v)], sorted((v for v in values if not is_fixed(v)), key=total)
    if fixed:
        exact = sum(map(Fraction, fixed))
        rest = sum(int((Fraction(v) - trunc(v)) * 2**62) for v in fixed)
        carried = trunc(Fraction(rest, 2**62))
        whole = sum(map(trunc, fixed)) + carried
        near = float(whole) + float(rest - carried * 2**62) / 2.0**62
        assert abs(Fraction(near) - exact) <= abs(exact) / 2**51
        return reduce(lambda a, b: a + b, added) + near if added else near
    return reduce(lambda a, b: a + b, added)


def aggregated(function, values, kind):
    if function == "count_distinct":
        return len({total(v) for v in values})
    if not values:
        return None
    if function in ("min", "max"):
        return {"min": min, "max": max}[function](values, key=total)
    if kind.kind == "double":
        added = sum_of_doubles(values)
        return added / len(values) if function == "avg" else added
    with localcontext() as context:
        context.prec = 80
        if kind.kind == "decimal" and any(abs(v).scaleb(kind.scale) >= 10**27 for v in values):
            return None
        added = reduce(lambda a, b: a + b, values)
    if kind.kind == "integer":
        return added if -(2**63) <= added < 2**63 else None
    return added
