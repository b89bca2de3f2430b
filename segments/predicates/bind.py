"""Names to what they stand for: a tree becomes a Bound one, in which every value has a type.

Everything unknown or impossible is refused here, with the place in the tree (`args[1].left`) and the nearest known
name; what is left cannot fail in SQL. Compiler, evaluators and explanations all read the bound tree.
"""

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, DOUBLE, INTEGER, Catalog, Relation, Table, Type, Value, rescale
from segments.predicates.function_rows import Function, Types, as_decimal, common_type
from segments.predicates.functions import resolve
from unify.core.errors import QueryError, did_you_mean


@dataclass(frozen=True, slots=True)
class Coerce:
    """What the binder puts between a value and a place that wants another type of number."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A node with its type.

    args      the bound parts, in the order of predicate.children
    function  of a Call
    steps     of a path: its relations
    table     the table whose row it looks at: of a Field, the one with the attribute; of Exists and Aggregate, where
              the path ends
    items     of In: the values that can be equal at all, as the item's type holds them
    constant  no row and no segment decides its value
    """

    expr: p.Expr | Coerce
    type: Type
    args: "tuple[Bound, ...]" = ()
    function: Function | None = None
    steps: tuple[Relation, ...] = ()
    table: Table | None = None
    items: tuple[Value, ...] = ()
    constant: bool = False


class _Row:
    """The rows in sight: `tables[-1]` is the innermost one's table. Places are spelled only when somebody asks."""

    __slots__ = ("_above", "_name", "catalog", "tables")

    def __init__(self, catalog: Catalog, tables: tuple[Table, ...], name: str, above: "_Row | None" = None) -> None:
        self.catalog, self.tables, self._name, self._above = catalog, tables, name, above

    @property
    def place(self) -> str:
        above = self._above.place if self._above else ""
        return f"{above}.{self._name}" if above and self._name else above or self._name

    def at(self, name: str) -> "_Row":
        return _Row(self.catalog, self.tables, name, self)

    def over(self, table: Table) -> "_Row":
        return _Row(self.catalog, (*self.tables, table), "", self)

    def up(self, levels: int) -> Table:
        if not 0 <= levels < len(self.tables):
            hint = f"0 to {len(self.tables) - 1}"
            raise QueryError(f"there is no row {levels} levels up", where=self.place, hint=hint)
        return self.tables[-1 - levels]


def bind(expr: p.Expr, catalog: Catalog, table: str, *, where: str = "", outer: tuple[str, ...] = ()) -> Bound:
    """A checked tree over the rows of `table`; `outer` names the tables of enclosing rows, outermost first.

    Raises QueryError that says where in the tree: `where`, then the path of places.
    """
    p.check_size(expr, where)
    return _bind(expr, _Row(catalog, tuple(catalog.table(t, where) for t in (*outer, table)), where))


def bind_predicate(expr: p.Expr, catalog: Catalog, table: str, *, where: str = "") -> Bound:
    """The same, and it must be a boolean."""
    found = bind(expr, catalog, table, where=where)
    if found.type != BOOLEAN and not _is_null(found):
        raise QueryError(f"it is {found.type.name}, not true or false", where=where, hint="compare it with a value")
    return found if found.type == BOOLEAN else coerce(found, BOOLEAN)


def bound_nodes(bound: Bound) -> Iterator[Bound]:
    """Every bound node, parents first."""
    waiting = [bound]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(reversed(here.args))


def _bind(expr: p.Expr, row: _Row) -> Bound:
    match expr:
        case p.Literal():
            return Bound(expr, expr.type, constant=True)
        case p.Field():
            return _field(expr, row)
        case p.Call():
            return _call(expr, row)
        case p.Compare():
            return _compare(expr, row)
        case p.In():
            return _in(expr, row)
        case p.And() | p.Or() | p.Not():
            args = tuple(_boolean(part, row.at(place)) for place, part in p.children(expr))
            return Bound(expr, BOOLEAN, args, constant=all(a.constant for a in args))
        case p.Exists():
            steps, inner = _path(expr.path, expr.up, row)
            return Bound(expr, BOOLEAN, (_boolean(expr.where, inner.at("where")),), steps=steps, table=inner.tables[-1])
        case p.Aggregate():
            return _aggregate(expr, row)
        case p.MemberOf():
            return _member(expr, row)
    raise QueryError(f"{type(expr).__name__} is no part of a predicate", where=row.place)


def _boolean(expr: p.Expr, row: _Row) -> Bound:
    found = _bind(expr, row)
    if found.type != BOOLEAN and not _is_null(found):
        raise QueryError(f"it is {found.type.name}, not true or false", where=row.place, hint="compare it with a value")
    return coerce(found, BOOLEAN)


def _is_null(bound: Bound) -> bool:
    """The null that stands for one of any type: the one of boolean, which is how `null` is written."""
    return isinstance(bound.expr, p.Literal) and bound.expr.value is None and bound.type == BOOLEAN


def _known(bound: Bound) -> Type | None:
    return None if _is_null(bound) else bound.type


def coerce(bound: Bound, wanted: Type) -> Bound:
    """The same value as another type of number; a null as one of any type."""
    if bound.type == wanted:
        return bound
    if _is_null(bound):
        return Bound(p.Literal(wanted, None), wanted, constant=True)
    return Bound(Coerce(), wanted, (bound,), constant=bound.constant)


# ── fields and paths ─────────────────────────────────────────────────────────────────────────────────────────────────


def _field(expr: p.Field, row: _Row) -> Bound:
    start = row.up(expr.up)
    steps = row.catalog.path(start.name, expr.path, row.place)
    for step in steps:
        if step.many or step.through:
            hint = f"use Exists or Aggregate over {step.name}"
            raise QueryError(f"{step.name} leads from one row to many", where=row.place, hint=hint)
    table = row.catalog.table(steps[-1].to_table) if steps else start
    _, kind = table.attribute(expr.name, row.place)
    return Bound(expr, kind, steps=steps, table=table)


def _path(path: tuple[str, ...], up: int, row: _Row) -> tuple[tuple[Relation, ...], _Row]:
    """The steps, and the sight from the rows they lead to."""
    if not path:
        raise QueryError("the path is empty", where=row.place, hint="name the relations that lead to the rows")
    steps = row.catalog.path(row.up(up).name, path, row.place)
    return steps, row.over(row.catalog.table(steps[-1].to_table))


def _aggregate(expr: p.Aggregate, row: _Row) -> Bound:
    if expr.function not in p.AGGREGATES:
        hint = did_you_mean(expr.function, p.AGGREGATES)
        raise QueryError(f"there is no aggregate {expr.function!r}", where=row.place, hint=hint)
    if (expr.function == "count") != (expr.value is None):
        needs = "takes no value" if expr.function == "count" else "needs a value"
        raise QueryError(f"{expr.function} {needs}", where=row.place, hint="count counts rows; where says which")
    steps, inner = _path(expr.path, expr.up, row)
    condition = _boolean(expr.where, inner.at("where"))
    if expr.value is None:
        return Bound(expr, INTEGER, (condition,), steps=steps, table=inner.tables[-1])
    value = _bind(expr.value, inner.at("value"))
    kind, value = _aggregated(expr.function, value, row)
    return Bound(expr, kind, (value, condition), steps=steps, table=inner.tables[-1])


def _aggregated(function: str, value: Bound, row: _Row) -> tuple[Type, Bound]:
    """The type of the result, and the value as it is taken."""
    if function == "count_distinct":
        return INTEGER, value
    if function in ("min", "max"):
        return value.type, value
    if not value.type.is_number:
        raise QueryError(
            f"{function} of {value.type.name} is not possible", where=row.at("value").place, hint="a number"
        )
    if function == "avg":
        return DOUBLE, coerce(value, DOUBLE)
    return Type("decimal", 38, value.type.scale) if value.type.kind == "decimal" else value.type, value


def _member(expr: p.MemberOf, row: _Row) -> Bound:
    table = row.up(expr.up)
    if table.name != row.catalog.customers:
        hint = f"only rows of {row.catalog.customers} are customers"
        raise QueryError(f"rows of {table.name} are no members of segments", where=row.place, hint=hint)
    if expr.segment not in row.catalog.segments:
        hint = did_you_mean(expr.segment, row.catalog.segments)
        raise QueryError(f"there is no segment {expr.segment!r}", where=row.place, hint=hint)
    if not table.id:
        raise QueryError(f"{table.name} has no column that numbers its rows", where=row.place)
    return Bound(expr, BOOLEAN, table=table)


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _call(expr: p.Call, row: _Row) -> Bound:
    args = tuple(_bind(arg, row.at(place)) for place, arg in p.children(expr))
    function, wanted, kind = resolve(expr.function, tuple(_known(a) for a in args), row.place)
    for i in function.literals:
        _check_literal(function, i, args[i], row.at(f"args[{i}]"))
    args = tuple(coerce(a, t) for a, t in zip(args, wanted, strict=True))
    return Bound(expr, kind, args, function, constant=all(a.constant for a in args))


def _check_literal(function: Function, i: int, arg: Bound, row: _Row) -> None:
    if not isinstance(arg.expr, p.Literal) or arg.expr.value is None:
        raise QueryError(
            f"argument {i + 1} of {function.key} is a fixed value", where=row.place, hint="write a literal"
        )
    if function.key in ("local", "utc") and arg.expr.value not in zones():
        hint = did_you_mean(str(arg.expr.value), zones())
        raise QueryError(f"there is no time zone {arg.expr.value!r}", where=row.place, hint=hint)
    if function.key == "matches":
        _check_pattern(str(arg.expr.value), row.place)


@cache
def zones() -> frozenset[str]:
    """The names of time zones, as IANA writes them."""
    return frozenset(zoneinfo.available_timezones())


def _check_pattern(pattern: str, where: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid as error:
        raise QueryError(f"{pattern!r} is no pattern: {error}", where=where, hint="patterns are RE2's") from None


def _compare(expr: p.Compare, row: _Row) -> Bound:
    if expr.op not in p.COMPARISONS:
        hint = did_you_mean(expr.op, p.COMPARISONS)
        raise QueryError(f"there is no comparison {expr.op!r}", where=row.place, hint=hint)
    left, right = _bind(expr.left, row.at("left")), _bind(expr.right, row.at("right"))
    types = tuple(t for t in (_known(left), _known(right)) if t)
    _check_comparable(types, row.place)
    if {t.kind for t in types} & {"decimal"} and not any(t.kind == "double" for t in types):
        sides = tuple(coerce(b, as_decimal(b.type) if _known(b) else as_decimal(types[0])) for b in (left, right))
    else:
        both = common_type(types) if types else BOOLEAN
        sides = tuple(coerce(b, both or BOOLEAN) for b in (left, right))
    return Bound(expr, BOOLEAN, sides, constant=left.constant and right.constant)


def _check_comparable(types: Types, where: str) -> None:
    kinds = {t.kind for t in types}
    if len(kinds) < 2 or all(t.is_number for t in types):
        return
    names = " with ".join(t.name for t in types)
    hints = {
        frozenset({"date", "datetime"}): "take date_of the one or at_midnight of the other",
        frozenset({"time", "datetime"}): "take time_of the datetime",
    }
    hint = hints.get(frozenset(kinds), "both sides need one type")
    raise QueryError(f"{names} cannot be compared", where=where, hint=hint)


def _in(expr: p.In, row: _Row) -> Bound:
    item = _bind(expr.item, row.at("item"))
    items: dict[Value, None] = {}
    for i, value in enumerate(expr.values):
        if value.value is None:
            hint = "write `or is_null(…)`"
            raise QueryError("a list to be in holds no null", where=row.at(f"values[{i}]").place, hint=hint)
        place = row.at(f"values[{i}]").place
        _check_comparable((item.type, value.type), place)
        if (found := _as_item(value, item.type, place)) is not None:
            items[found] = None
    return Bound(expr, BOOLEAN, (item,), items=tuple(items), constant=item.constant)


def _as_item(value: p.Literal, kind: Type, where: str) -> Value:
    """The value as the item's type holds it; None when nothing of that type equals it."""
    if not kind.is_number:
        return value.value
    number = value.value
    if kind.kind == "double":
        return float(number)  # type: ignore[arg-type]
    if value.type.kind == "double":
        hint = "write the number without an exponent, or to_double around the item"
        raise QueryError(f"{number} is a double, the item {kind.name}", where=where, hint=hint)
    exact = Decimal(number)  # type: ignore[arg-type]
    if kind.kind == "integer":
        return int(exact) if exact == exact.to_integral_value() and abs(exact) < 2**63 else None
    found = rescale(exact, kind)
    return found if found == exact else None
