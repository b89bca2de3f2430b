"""aggregate: one row for each group, or one row in all.

A group that a filter has emptied stays, with a count of 0 and nulls: the groups are those of the groupby, not of what
is left. `A with sum from P with average` is what the standard says it is: a groupby and an aggregate inside.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from segments.odata.aggregation.stage import Making, Stage
from segments.odata.binding.errors import cut, fail
from segments.odata.binding.paths import METHODS, aggregated_type
from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o
from segments.predicates.bind import Bound, coerce
from segments.predicates.compile import aggregate_sql
from segments.predicates.fields import DOUBLE, INTEGER, Type
from unify.core.errors import did_you_mean
from unify.core.names import quote

INNER: Final = "~value"
"""What an aggregate before a `from` is called."""

Run = Callable[[Making, Stage, tuple[o.Transformation, ...]], Stage]


@dataclass(frozen=True, slots=True)
class _Item:
    """An aggregate: its name, what it takes of each row (nothing for $count), and how."""

    alias: str
    function: str
    value: Bound | None
    type: Type


def aggregated(making: Making, stage: Stage, items: tuple[o.AggregateItem, ...], run: Run) -> Stage:
    """The aggregates of each group that is going on; BindError."""
    _check_names(stage, items)
    plain = [i for i in items if not i.steps]
    done = _plain(making, stage, [_item(making, stage, i) for i in plain])
    for item in items:
        if item.steps:
            done = _beside(making, done, _from(making, stage, item, run))
    order = [*stage.group, *(i.alias for i in items)]
    return replace(done, columns={name: done.columns[name] for name in order}, ties=tuple(order))


def _check_names(stage: Stage, items: tuple[o.AggregateItem, ...]) -> None:
    seen = set(stage.group)
    for item in items:
        if item.alias in seen:
            fail(item.at, f"there is a {cut(item.alias)} already", "give each aggregate a name of its own")
        seen.add(item.alias)


def _item(making: Making, stage: Stage, item: o.AggregateItem) -> _Item:
    segments = item.expression.segments if isinstance(item.expression, ast.Path) else ()
    if segments and isinstance(segments[-1], ast.Count) and len(segments) == 1:
        return _Item(item.alias, "count", None, INTEGER)
    if not item.method and not (segments and isinstance(segments[-1], ast.Count)):
        name = cut(getattr(segments[-1], "text", "")) if segments else ""
        hint = f"as in {name or 'Amount'} with sum as Total"
        fail(item.at, f"there is no custom aggregate {name!r}", hint)
    binder = making.binder(stage)
    if not item.method:
        hint = "compute(Relation/$count as N) first, then N with sum"
        fail(item.at, "$count of related rows is not an aggregate of these rows", hint)
    if item.method not in METHODS:
        fail(item.at, f"there is no aggregation {cut(item.method)!r}", did_you_mean(item.method, METHODS))
    value = binder.value(item.expression, binder.top)
    function = METHODS[item.method]
    kind = aggregated_type(function, value, item.method)
    bound = making.bound(stage, value.expr)
    return _Item(item.alias, function, coerce(bound, DOUBLE) if function == "avg" else bound, kind)


def _plain(making: Making, stage: Stage, items: list[_Item]) -> Stage:
    """Everything that looks at the rows once."""
    selecting = making.selecting(stage)
    types = {name: making.bound(stage, expr).type for name, expr in stage.group.items()}
    keys = [f"{selecting.value(expr)} AS g{i}" for i, expr in enumerate(stage.group.values())]
    taken = [f"{selecting.value(item.value)} AS a{i}" for i, item in enumerate(items) if item.value]
    rows = f"SELECT {', '.join(['1 AS present', *keys, *taken])} {selecting.rest()}"
    columns = {**types, **{item.alias: item.type for item in items}}
    source, names = f"({rows}) AS r", [f"r.g{i}" for i in range(len(keys))]
    if keys and stage.dropped and stage.base:
        base = _groups(making, stage.base)
        same = " AND ".join(f"b.g{i} IS NOT DISTINCT FROM r.g{i}" for i in range(len(keys)))
        source, names = f"({base}) AS b LEFT JOIN {source} ON {same}", [f"b.g{i}" for i in range(len(keys))]
    shown = [f"{n} AS {quote(group)}" for n, group in zip(names, stage.group, strict=True)]
    shown += [f"{_sql(item, i)} AS {quote(item.alias)}" for i, item in enumerate(items)]
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    if not shown:  # only aggregates with `from`, and no groups: they stand beside one row
        shown, columns = ["count(r.present) AS " + quote(INNER)], {INNER: INTEGER}
    return making.stage(f"SELECT {', '.join(shown)} FROM {source}{grouped}", columns, columns, stage)


def _groups(making: Making, base: Stage) -> str:
    """The groups as the groupby found them."""
    selecting = making.selecting(base)
    keys = ", ".join(f"{selecting.value(expr)} AS g{i}" for i, expr in enumerate(base.group.values()))
    return f"SELECT DISTINCT {keys} {selecting.rest()}"


def _sql(item: _Item, i: int) -> str:
    if item.value is None:
        return "count(r.present)"
    return aggregate_sql(item.function, item.value.type, f"r.a{i}")


# ── from ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from(making: Making, stage: Stage, item: o.AggregateItem, run: Run) -> Stage:
    """`A from P with m as D`: groupby((P),aggregate(A as ~value))/aggregate(~value with m as D)."""
    *earlier, last = item.steps
    inner = replace(item, steps=tuple(earlier), alias=INNER)
    properties = tuple(o.Property(names, last.at) for names in last.properties)
    value = ast.Path((ast.Name(INNER, item.at),), item.at)
    outer = o.AggregateItem(value, last.method, (), item.alias, item.at)
    per_group = o.GroupBy(properties, (o.Aggregate((inner,), item.at),), item.at)
    return run(making, stage, (per_group, o.Aggregate((outer,), item.at)))


def _beside(making: Making, left: Stage, right: Stage) -> Stage:
    """Two sets of one row for each group, side by side."""
    columns = {**left.columns, **right.columns}
    shown = [f"l.{quote(n)}" for n in left.columns]
    shown += [f"r.{quote(n)}" for n in right.columns if n not in left.columns]
    same = " AND ".join(f"l.{quote(n)} IS NOT DISTINCT FROM r.{quote(n)}" for n in left.group) or "TRUE"
    tables = f"{quote(left.source)} AS l LEFT JOIN {quote(right.source)} AS r ON {same}"
    return making.stage(f"SELECT {', '.join(shown)} FROM {tables}", columns, columns, left)
