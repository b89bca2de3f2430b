"""Quick segments: what values a field has, where its percentiles are, and how many customers a condition has."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from segments.lowered import Lowered
from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from segments.predicates.fields import Type
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import Percentile, QuickField, ValueCount
from unify.core.steps import Query

TOP = 10
PERCENTILES = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
_NO_CLOCK = datetime(1970, 1, 1)  # noqa: DTZ001 - an attribute looks at no clock
_ORDERED = ("date", "datetime", "time", "duration")


def quick(
    engine: Engine, model: Model, attribute: str, *, top: int = TOP, percentiles: tuple[int, ...] | None = None
) -> QuickField:
    """The most frequent values of an attribute or measure with their customers, and percentiles where it has an order.

    top           values; of equally frequent ones the smaller first
    percentiles   0 to 100; default: a table of eleven for numbers, dates and times, none for text and flags.
                  Each is a value of the data: the smallest that so many per cent do not exceed. NaN counts as missing.

    QueryError for an unknown attribute, and for percentiles of text.
    """
    path, found, kind = model.attribute(model.catalog.customers, attribute, "attribute")
    if top < 0:
        raise QueryError(f"{top} values cannot be listed", where="top", hint="write 0 or more")
    ordered = kind.is_number or kind.kind in _ORDERED
    if percentiles and not ordered:
        raise QueryError(f"{attribute} is {kind.name}: it has no percentiles", hint="ask for its values")
    wanted = PERCENTILES if percentiles is None and ordered else percentiles or ()
    for percent in wanted:
        if not 0 <= percent <= 100:
            raise QueryError(f"there is no percentile {percent}", where="percentiles", hint="0 to 100")
    compiler = Compiler(model.catalog, model.catalog.customers, _NO_CLOCK)
    value = compiler.value(p.Field(found.name, path))
    if kind.kind == "double":
        value = f"CASE WHEN NOT isnan({value}) THEN {value} END"
    rows = f"(SELECT {value} AS v FROM {compiler.source}) AS d"
    counts = engine.fetch(Query(f"SELECT count(*) AS n, count(v) AS filled, count(DISTINCT v) AS d FROM {rows}"))
    [total] = counts.to_pylist()
    sql = f"SELECT v, count(*) AS n FROM {rows} WHERE v IS NOT NULL GROUP BY v ORDER BY n DESC, v LIMIT {int(top)}"
    values = engine.fetch(Query(sql, compiler.params)).to_pylist()
    return QuickField(
        attribute=attribute,
        type=kind.name,
        customers=total["n"],
        missing=total["n"] - total["filled"],
        different=total["d"],
        values=[ValueCount(value=_plain(row["v"]), customers=row["n"]) for row in values],
        percentiles=_percentiles(engine, rows, wanted, total["filled"], kind),
    )


def _percentiles(engine: Engine, rows: str, wanted: tuple[int, ...], filled: int, kind: Type) -> list[Percentile]:
    """By rank: the value of rank ⌈n · percent ÷ 100⌉, at least 1. One sort for all of them."""
    if not wanted or not filled:
        return []
    ranks = {percent: max(1, -(-filled * percent // 100)) for percent in wanted}
    sql = (
        "SELECT place, v FROM (SELECT v, row_number() OVER (ORDER BY v) AS place "
        f"FROM {rows} WHERE v IS NOT NULL) AS r WHERE list_contains($ranks, place)"
    )
    found = {
        row["place"]: row["v"] for row in engine.fetch(Query(sql, {"ranks": sorted(set(ranks.values()))})).to_pylist()
    }
    return [Percentile(percent=percent, value=_plain(found[rank])) for percent, rank in ranks.items()]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def size(
    engine: Engine,
    model: Model,
    definition: Lowered | p.Expr,
    *,
    clock: datetime,
    segments: Mapping[str, Any] | None = None,
) -> int:
    """How many customers a definition has, exactly, before it is saved: as a run on the same data at that clock.

    segments   segment → BitMap of members, of those that it names
    """
    from segments.membership.evaluate import evaluate

    lowered = definition if isinstance(definition, Lowered) else Lowered(definition)
    found = evaluate(engine, model, {"this": lowered}, clock=clock, known=segments)["this"]
    if found.members is None:
        raise found.error or QueryError("it cannot be evaluated")
    return len(found.members)
