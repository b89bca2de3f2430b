"""Segments by recency, frequency and money: customers in equal parts by what they did in a period.

Each group is a definition with fixed ends, `{max: ActivityTime, of: UnifiedActivity, within: …, greater_than: …}`, so
that it means the same tomorrow; who did nothing is a group of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from pyroaring import BitMap

from segments.insights import columns as c
from segments.insights.suggest import measured
from segments.lowering import lower
from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import Suggestion, Suggestions
from unify.core.steps import Query
from unify.spec.segment import Segment


@dataclass(frozen=True)
class Activities:
    """What counts as doing something.

    of      relations that lead to the rows, `UnifiedActivity` or `web_Orders`
    time    their date or datetime
    amount  what is added up for money; None: no groups by money
    where   criteria on the rows: `{attribute: ActivityType, equals: SalesOrder}`, or OData text
    """

    of: str = "UnifiedActivity"
    time: str = "ActivityTime"
    amount: str | None = None
    where: Mapping[str, Any] | str | None = None


def by_activity(
    engine: Engine,
    model: Model,
    activities: Activities = Activities(),
    *,
    since: date,
    through: date,
    groups: int = 3,
    among: BitMap | None = None,
    clock: datetime,
) -> Suggestions:
    """Customers by when they last did something, how often, and for how much, each in `groups` equal parts.

    since, through   the period, both days included, in the project's time zone
    groups           2 to 10; fewer where many customers share a value, because who did the same is in one group
    among            customers that the parts are made of; None: everybody. Definitions say nothing of it, so that
                     sizes are of all customers who meet them

    QueryError for unknown names, for an amount that is no number, when nobody did anything in the period.
    """
    if not 2 <= groups <= 10:
        raise QueryError(f"{groups} groups are not possible", where="groups", hint="2 to 10")
    if since > through:
        raise QueryError(f"the period ends before it begins: {since} to {through}", where="since")
    made: list[tuple[str, dict[str, Any]]] = []
    for name, criterion in _asked(activities, since, through):
        cuts = _cuts(engine, model, criterion, groups, among, clock)
        made += [(f"{name}_{i}", _between(criterion, low, high)) for i, (low, high) in enumerate(cuts, 1)]
    if not made:
        raise QueryError(f"nobody did anything from {since} to {through}", hint="take another period")
    frequency = dict(_asked(activities, since, through))["frequency"]
    made.append(("nothing", {**frequency, "equals": 0}))
    given = measured(engine, model, [{"where": said} for _, said in made], clock)
    everybody = len(c.everyone(engine, model))
    return Suggestions(
        title=f"Customers by activity, {since} to {through}",
        basis=f"Parts of equal size of those who did something, by their last {activities.time} (recency), the number "
        f"of rows (frequency){f' and the sum of {activities.amount} (money)' if activities.amount else ''}; "
        "1 is the highest. Who shares a value shares a group.",
        suggestions=[
            Suggestion(
                name=name, definition={"where": said}, sentence=words, customers=len(members),
                share=len(members) / everybody,
            )
            for (name, said), (members, words) in zip(made, given, strict=True)
        ],
        considered=len(made),
    )  # fmt: skip


def _asked(activities: Activities, since: date, through: date) -> list[tuple[str, dict[str, Any]]]:
    """Criteria without a test yet, by name."""
    rows: dict[str, Any] = {"within": f"{since.isoformat()} to {through.isoformat()}", "time": activities.time}
    if activities.where is not None:
        rows["where"] = activities.where
    asked = [
        ("recency", {"max": activities.time, "of": activities.of, **rows}),
        ("frequency", {"count": activities.of, **rows}),
    ]
    if activities.amount:
        asked.append(("money", {"sum": activities.amount, "of": activities.of, **rows}))
    return asked


def _cuts(
    engine: Engine, model: Model, criterion: dict[str, Any], groups: int, among: BitMap | None, clock: datetime
) -> list[tuple[Any, Any]]:
    """The ends of each group, highest first: above the one, up to the other; None is open."""
    aggregate = _aggregate(model, criterion)
    compiler = Compiler(model.catalog, model.catalog.customers, clock)
    value, key = compiler.value(aggregate), compiler.column("ordinal")
    some = "" if aggregate.function != "count" else " AND v > 0"
    sql = (
        f"SELECT ordinal, v FROM (SELECT {key} AS ordinal, {value} AS v FROM {compiler.source}) AS d "
        f"WHERE v IS NOT NULL{some} ORDER BY v, ordinal"
    )
    answer = engine.fetch(Query(sql, compiler.params))
    values = answer.column("v")
    if among is not None:
        wanted = np.asarray(among.to_array(), dtype=np.int64)
        kept = np.flatnonzero(np.isin(answer.column("ordinal").to_numpy(), wanted))
        values = values.take(kept)
    n = len(values)
    if not n:
        return []
    ends = dict.fromkeys(values[max(0, -(-n * k // groups) - 1)].as_py() for k in range(1, groups))
    cuts = [x for x in ends if x != values[n - 1].as_py()]  # nobody is above the highest
    low: list[Any] = [None, *cuts]
    return list(zip(low, [*cuts, None], strict=True))[::-1]


def _aggregate(model: Model, criterion: dict[str, Any]) -> p.Aggregate:
    """The aggregate that a criterion tests, as lowering makes it."""
    lowered = lower(Segment.model_validate({"where": {**criterion, "is_not_null": True}}), model)
    return next(node for node in p.walk(lowered.expr) if isinstance(node, p.Aggregate))


def _between(criterion: dict[str, Any], low: Any, high: Any) -> dict[str, Any]:
    """Above `low`, up to `high`; who did nothing is in no group."""
    tests: dict[str, Any] = {}
    if low is not None:
        tests["greater_than"] = _plain(low)
    elif "count" in criterion:
        tests["greater_than"] = 0
    if high is not None:
        tests["at_most"] = _plain(high)
    return {**criterion, **(tests or {"is_not_null": True})}


def _plain(value: Any) -> Any:
    """A value as a project file holds it."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value
