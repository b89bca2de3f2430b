"""Transformations of $apply, each from one Stage to the next."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, cast

from segments.odata.aggregation.aggregate import aggregated
from segments.odata.aggregation.rank import PLACE as COUNTED
from segments.odata.aggregation.rank import picked, ranked
from segments.odata.aggregation.stage import PART, PLACE, Making, Sort, Stage, check_case
from segments.odata.binding.compare import checked
from segments.odata.binding.errors import cut, fail, unanswered
from segments.odata.binding.expressions import Binder
from segments.odata.binding.values import NULL
from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o
from segments.predicates import tree as p
from segments.predicates.bind import Bound, coerce
from segments.predicates.fields import Type
from segments.predicates.function_rows import common_type
from unify.core.errors import QueryError
from unify.core.names import quote

MAX_GROUPINGS: Final = 64
"""That rollups of one groupby may come to: six rollups of two levels."""

REFUSED: Final = {
    o.Nest: ("nest and addnested", "an answer is a flat table: use groupby, or $expand"),
    o.Join: ("join and outerjoin", "start at the related table: its rows name this one by Relation/Attribute"),
    o.Hierarchy: ("ancestors and descendants", "no table is a recursive hierarchy"),
    o.Traverse: ("traverse", "no table is a recursive hierarchy"),
    o.RollupRecursive: ("rolluprecursive", "no table is a recursive hierarchy"),
}
"""Transformations that are known and not answered, with the next move."""

Steps = tuple[o.Transformation, ...]
Step = Callable[[Making, Stage, o.Transformation], Stage]


def run(making: Making, stage: Stage, steps: Steps) -> Stage:
    """The steps one after the other; BindError."""
    for step in steps:
        if type(step) in REFUSED:
            name, hint = REFUSED[type(step)]
            unanswered(step.at, f"{name} cannot be answered", hint)
        if isinstance(step, o.CustomTransformation):
            fail(step.at, f"there is no transformation {cut(step.name)!r}", "the model has no functions of its own")
        stage = _STEPS[type(step)](making, stage, step)
    return stage


def bound_value(making: Making, stage: Stage, binder: Binder, node: ast.Expression) -> p.Expr:
    """A value over a stage's rows, checked."""
    found = checked(binder.value(node, binder.top).expr, node.at)
    try:
        making.bound(stage, found)
    except QueryError as error:
        fail(node.at, error.message, error.hint)
    return found


# ── what leaves the rows as they are ─────────────────────────────────────────────────────────────────────────────────


def _identity(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    return stage


def _filter(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    node = cast("o.Filter", step).predicate
    binder = making.binder(stage)
    found = checked(binder.truth(node, binder.top, exact=False).expr, node.at)
    try:
        making.bound(stage, found)
    except QueryError as error:
        fail(node.at, error.message, error.hint)
    return replace(stage, where=(*stage.where, found), dropped=True)


def _search(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    found = cast("o.Search", step)
    if making.search is None or not stage.rows:
        fail(found.at, "search looks at rows of a table, before they are grouped", "put search(…) first, or use filter")
    return replace(stage, where=(*stage.where, making.search(found.term)), dropped=True)


def _compute(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    for item in cast("o.Compute", step).items:
        binder = making.binder(stage)
        if item.alias in stage.columns or item.alias in binder.names(stage.source):
            fail(item.at, f"there is a {cut(item.alias)} already", "give the computed value another name")
        expr = bound_value(making, stage, binder, item.expression)
        check_case([*stage.columns, item.alias])
        kind = making.bound(stage, expr).type
        stage = replace(
            stage, columns={**stage.columns, item.alias: kind}, computed={**stage.computed, item.alias: expr}
        )
    return stage


def _orderby(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    binder = making.binder(stage)
    items = cast("o.OrderBy", step).items
    keys: list[Sort] = [(bound_value(making, stage, binder, item.key), item.descending) for item in items]
    return replace(stage, order=(*keys, *stage.order))


def _top(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    return picked(making, stage, f"{COUNTED} <= {cast('o.Top', step).count}")


def _skip(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    return picked(making, stage, f"{COUNTED} > {cast('o.Skip', step).count}")


def _rank(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    rank = cast("o.Rank", step)
    binder = making.binder(stage)
    amount = binder.value(rank.amount, binder.top)
    by = binder.value(rank.by, binder.top)
    return ranked(making, stage, rank, amount, by)


def _aggregate(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    return aggregated(making, stage, cast("o.Aggregate", step).items, run)


# ── groupby ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _groupby(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    group = cast("o.GroupBy", step)
    sets = [_grouped(making, stage, names, group.then) for names in _groupings(group)]
    return sets[0] if len(sets) == 1 else _concatenated(making, stage, sets, group.at)


def _groupings(group: o.GroupBy) -> list[tuple[o.Property, ...]]:
    """The lists of properties to group by: one, but for rollup one for each level and combination of levels."""
    found: list[tuple[o.Property, ...]] = [()]
    for element in group.elements:
        if isinstance(element, o.RollupRecursive):
            name, hint = REFUSED[o.RollupRecursive]
            unanswered(element.at, f"{name} cannot be answered", hint)
        if isinstance(element, o.Property):
            found = [(*names, element) for names in found]
            continue
        if len(element.levels) == 1:
            hint = "write the levels, as in rollup(Country,City)"
            fail(element.at, f"there is no hierarchy called {cut(element.levels[0][0])}", hint)
        levels = [o.Property(names, element.at) for names in element.levels]
        deep = [tuple(levels[:n]) for n in range(len(levels), 0, -1)]
        found = [(*names, *some) for names in found for some in deep]
        if len(found) > MAX_GROUPINGS:
            fail(element.at, f"these rollups come to more than {MAX_GROUPINGS} groupings", "ask them one by one")
    return found


def _grouped(making: Making, stage: Stage, properties: Iterable[o.Property], then: Steps) -> Stage:
    making.spend()
    binder = making.binder(stage)
    names: dict[str, p.Expr] = {}
    for item in properties:
        path = ast.Path(tuple(ast.Name(name, item.at) for name in item.names), item.at)
        names["/".join(item.names)] = bound_value(making, stage, binder, path)
    inner = replace(stage, group={**stage.group, **names}, dropped=False)
    inner = replace(inner, base=inner)
    if not then:
        return _outside(distinct(making, inner), stage)
    if inner.rows:  # a grouped path is shown with the row
        more = {n: e for n, e in names.items() if n not in inner.columns}
        types = {n: making.bound(stage, e).type for n, e in more.items()}
        inner = replace(inner, columns={**inner.columns, **types}, computed={**inner.computed, **more})
    return _outside(run(making, inner, then), stage)


def _outside(done: Stage, stage: Stage) -> Stage:
    """The set after a groupby, in the groups of the one around it."""
    group = stage.group if done.rows else {name: p.Field(name) for name in stage.group}
    return replace(done, group=group, base=stage.base, dropped=bool(stage.group))


def distinct(making: Making, stage: Stage) -> Stage:
    """The groups that are going on, one row each."""
    selecting = making.selecting(stage)
    types = {name: making.bound(stage, expr).type for name, expr in stage.group.items()}
    shown = ", ".join(f"{selecting.value(expr)} AS {quote(name)}" for name, expr in stage.group.items())
    return making.stage(f"SELECT DISTINCT {shown} {selecting.rest()}", types, types, stage)


# ── concat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _concat(making: Making, stage: Stage, step: o.Transformation) -> Stage:
    concat = cast("o.Concat", step)
    return _concatenated(making, stage, [run(making, stage, s) for s in concat.sequences], concat.at)


def _concatenated(making: Making, stage: Stage, parts: list[Stage], at: int) -> Stage:
    """One set behind the other, each in its own order; what a set has not is null there."""
    parts = [_with_groups(making, part) for part in parts]
    columns = _united(parts, at)
    selects = []
    for i, part in enumerate(parts):
        selecting = making.selecting(part)
        shown = [
            f"{selecting.value(coerce(_column(making, part, name), kind))} AS {quote(name)}"
            for name, kind in columns.items()
        ]
        place = f"row_number() OVER (ORDER BY {selecting.sorted_by(part.order)}) AS {quote(PLACE)}"
        selects.append(f"SELECT {', '.join([*shown, f'{i} AS {quote(PART)}', place])} {selecting.rest()}")
    return making.stage(" UNION ALL ".join(f"({s})" for s in selects), columns, (PART, PLACE), stage)


def _with_groups(making: Making, part: Stage) -> Stage:
    """Rows with the values that they are grouped by beside their own columns."""
    more = {n: e for n, e in part.group.items() if n not in part.columns}
    types = {n: making.bound(part, e).type for n, e in more.items()}
    return replace(part, columns={**part.columns, **types}, computed={**part.computed, **more})


def _column(making: Making, part: Stage, name: str) -> Bound:
    return making.bound(part, part.expr(name) if name in part.columns else NULL)


def _united(parts: list[Stage], at: int) -> dict[str, Type]:
    kinds: dict[str, list[Type]] = {}
    for part in parts:
        for name, kind in part.columns.items():
            kinds.setdefault(name, []).append(kind)
    found: dict[str, Type] = {}
    for name, types in kinds.items():
        both = common_type(tuple(types))
        if both is None:
            spelt = " and ".join(dict.fromkeys(t.name for t in types))
            fail(at, f"{cut(name)} is {spelt} in different sequences", "use one alias for one thing")
        found[name] = both
    return found


_STEPS: Final[Mapping[type, Step]] = {
    o.Identity: _identity, o.Filter: _filter, o.Search: _search, o.Compute: _compute, o.OrderBy: _orderby,
    o.Top: _top, o.Skip: _skip, o.Rank: _rank, o.Aggregate: _aggregate, o.GroupBy: _groupby, o.Concat: _concat,
}  # fmt: skip
