"""The same predicate, shorter. Every step keeps all three truth values, which the agreement tests prove.

What holds with true and false alone is not used: `a or not a` is null where a is null, so it stays.
"""

from datetime import datetime

from segments.predicates import tree as p
from segments.predicates.bind import Bound, bind
from segments.predicates.fields import BOOLEAN, Catalog
from segments.predicates.values import constant
from unify.core.errors import QueryError

_OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "is": "is_not", "is_not": "is"}
_CLOCK = datetime(1, 1, 1)  # noqa: DTZ001 - never looked at: what depends on `now` is not folded


def simplify(expr: p.Expr, catalog: Catalog, table_name: str, *, clock: datetime | None = None) -> p.Expr:
    """A predicate or value with the same answer for every row.

    Constants are worked out, also what depends on `now` when a clock is given; And and Or are flattened, and rid of
    repetitions and of what decides nothing; Not goes down to the comparisons; `a eq 1 or a eq 2` becomes In.
    QueryError where the tree does not bind.
    """
    bind(expr, catalog, table_name)
    return _Simplifier(catalog, clock).of(expr, (table_name,))


class _Simplifier:
    def __init__(self, catalog: Catalog, clock: datetime | None) -> None:
        self.catalog, self.clock = catalog, clock

    def of(self, expr: p.Expr, tables: tuple[str, ...]) -> p.Expr:
        """`tables`: the rows in sight, outermost first."""
        match expr:
            case p.Literal() | p.Field() | p.MemberOf():
                return expr
            case p.Exists(path=path, where=where, up=up):
                where = self.of(where, self._inside(expr, tables))
                return p.FALSE if where == p.FALSE or _is_null(where) else p.Exists(path, where, up)
            case p.Aggregate(function=function, path=path, value=value, where=where, up=up):
                inner = self._inside(expr, tables)
                value = None if value is None else self.of(value, inner)
                return p.Aggregate(function, path, value, self.of(where, inner), up)
        return self.folded(self.shaped(p.rebuild(expr, lambda part: self.of(part, tables))), expr, tables)

    def _inside(self, expr: p.Exists | p.Aggregate, tables: tuple[str, ...]) -> tuple[str, ...]:
        return (*tables, self.catalog.path(tables[-1 - expr.up], expr.path)[-1].to_table)

    def shaped(self, expr: p.Expr) -> p.Expr:
        """A node whose parts are simple already."""
        match expr:
            case p.And():
                return _joined(expr, p.FALSE, p.TRUE)
            case p.Or():
                return _joined(expr, p.TRUE, p.FALSE)
            case p.Not(arg=arg):
                return self.negated(arg)
            case p.In(item=item, values=values):
                return p.In(item, tuple(dict.fromkeys(values))) if values else p.FALSE
            case p.Call(function="is_true", args=(arg,)) if _never_null(arg):
                return arg
        return expr

    def negated(self, arg: p.Expr) -> p.Expr:
        """Not, as far down as it goes."""
        match arg:
            case p.Not(arg=inner):
                return inner
            case p.Compare(op=op, left=left, right=right):
                return p.Compare(_OPPOSITE[op], left, right)
            case p.And(args=args):
                return self.shaped(p.Or(tuple(self.negated(a) for a in args)))
            case p.Or(args=args):
                return self.shaped(p.And(tuple(self.negated(a) for a in args)))
            case p.Literal(value=bool(value)):
                return p.FALSE if value else p.TRUE
        return arg if _is_null(arg) else p.Not(arg)

    def folded(self, new: p.Expr, old: p.Expr, tables: tuple[str, ...]) -> p.Expr:
        """A literal where no row decides."""
        if isinstance(new, p.Literal) or not all(isinstance(part, p.Literal) for _, part in p.children(new)):
            return new
        if isinstance(new, p.Call) and new.function == "now" and self.clock is None:
            return new
        bound = bind(new, self.catalog, tables[-1], outer=tables[:-1])
        if not bound.constant or not _same_type(bound, old, self.catalog, tables):
            return new
        try:
            return p.Literal(bound.type, constant(bound, self.clock or _CLOCK))
        except QueryError:  # minus zero is no literal
            return new


def _same_type(bound: Bound, old: p.Expr, catalog: Catalog, tables: tuple[str, ...]) -> bool:
    return bool(bind(old, catalog, tables[-1], outer=tables[:-1]).type == bound.type)


def _is_null(expr: p.Expr) -> bool:
    return isinstance(expr, p.Literal) and expr.value is None and expr.type == BOOLEAN


def _never_null(expr: p.Expr) -> bool:
    match expr:
        case p.Exists() | p.MemberOf() | p.Compare(op="is" | "is_not") | p.Call(function="is_true" | "is_null"):
            return True
        case p.Literal(value=value):
            return value is not None
        case p.And(args=args) | p.Or(args=args):
            return all(_never_null(a) for a in args)
        case p.Not(arg=arg):
            return _never_null(arg)
    return False


def _joined(expr: p.And | p.Or, decides: p.Expr, nothing: p.Expr) -> p.Expr:
    """And or Or: flat, each part once, without `nothing` and what another part absorbs; or `decides` alone."""
    kind, other = type(expr), (p.Or if isinstance(expr, p.And) else p.And)
    flat: dict[p.Expr, None] = {}
    for arg in expr.args:
        for part in arg.args if isinstance(arg, kind) else (arg,):
            flat[part] = None
    flat.pop(nothing, None)
    if decides in flat:
        return decides
    parts = [x for x in flat if not (isinstance(x, other) and any(y in flat for y in x.args))]
    if isinstance(expr, p.Or):
        parts = _gathered(parts)
    return nothing if not parts else parts[0] if len(parts) == 1 else kind(tuple(parts))


def _gathered(parts: list[p.Expr]) -> list[p.Expr]:
    """`a eq 1 or a in (2, 3)` as one In, at the place of the first."""
    values: dict[p.Expr, dict[p.Literal, None]] = {}
    for part in parts:
        item, listed = _listed(part)
        if item is not None:
            values.setdefault(item, {}).update(dict.fromkeys(listed))
    found: dict[p.Expr, None] = {}
    for part in parts:
        item, _ = _listed(part)
        several = item is not None and len(values[item]) > 1
        found[p.In(item, tuple(values[item])) if item is not None and several else part] = None
    return list(found)


def _listed(part: p.Expr) -> tuple[p.Expr | None, tuple[p.Literal, ...]]:
    match part:
        case p.Compare(op="eq", left=p.Field() as item, right=p.Literal(type=kind, value=value) as right):
            # Doubles stay comparisons: In does not take them for an item of another type.
            return (None, ()) if value is None or kind.kind == "double" else (item, (right,))
        case p.In(item=p.Field() as item, values=values):
            return item, values
    return None, ()


def depends_on_clock(expr: p.Expr) -> bool:
    """Whether time alone can change the answer: such a segment is refreshed although no data changed."""
    return any(isinstance(node, p.Call) and node.function == "now" for node in p.walk(expr))
