"""top, skip, and the six transformations that keep the largest or smallest rows.

The order of contributions has a full tiebreak: the key of a row, or every column of a row that has none. What is asked
of sums is exact for whole numbers and decimals of up to 18 digits; others are added as doubles.
"""

from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Final

from segments.odata.aggregation.stage import Making, Selecting, Sort, Stage
from segments.odata.binding.errors import fail
from segments.odata.binding.values import Value
from segments.odata.syntax.ast_options import Rank
from segments.predicates import tree as p
from segments.predicates.bind import Bound, coerce
from segments.predicates.fields import DOUBLE, Type
from segments.predicates.values import constant
from unify.core.names import quote

PLACE, BEFORE, WHOLE, GONE = (quote(name) for name in ("~n", "~before", "~whole", "~gone"))
"""Columns beside those of a stage: the place from 1, the sum of the rows before, the sum of all, and whether a row
comes too late. No question can spell them."""

MOST_DECIMALS: Final = 6
"""Of a percentage: with them the largest sums fit into 128 bits."""

EXACT_DIGITS: Final = 18
"""Of decimals whose sums are exact: a hundred thousand million of them fit into 128 bits, a hundredfold included."""


def picked(making: Making, stage: Stage, condition: str, order: tuple[Sort, ...] | None = None) -> Stage:
    """The rows of each group whose place `n`, from 1, (PLACE) satisfies a condition; in the stage's order."""
    selecting = making.selecting(stage)
    sort = selecting.sorted_by(stage.order if order is None else order)
    place = f"row_number() OVER ({selecting.partition()}ORDER BY {sort}) AS {PLACE}"
    return _kept(making, stage, selecting, place, f"SELECT %s FROM (%s) AS r WHERE {condition}")


def _kept(making: Making, stage: Stage, selecting: Selecting, extra: str, around: str) -> Stage:
    """The stage with the rows that a SELECT around it leaves; `extra` are columns that it looks at."""
    if stage.rows:
        inner = f"SELECT {selecting.value(p.Field(stage.ties[0]))} AS k, {extra} {selecting.rest()}"
        return replace(stage, pick=making.add(around % ("k", inner)), where=(), dropped=True)
    names = [*stage.columns, *stage.hidden]
    shown = ", ".join(f"{selecting.value(stage.expr(n))} AS {quote(n)}" for n in names)
    inner = f"SELECT {shown}, {extra} {selecting.rest()}"
    outer = ", ".join(quote(n) for n in names)
    made = making.stage(around % (outer, inner), stage.columns, stage.ties, stage)
    return replace(made, order=stage.order, dropped=True)


def ranked(making: Making, stage: Stage, rank: Rank, amount: Value, by: Value) -> Stage:
    """topcount … bottompercent. The set is then in no order but its ties'."""
    number = _amount(making, stage, rank, amount)
    if by.row or by.type is None:
        fail(by.at, f"{rank.kind} needs a value to order by", "name an attribute")
    down = rank.kind.startswith("top")
    if rank.kind.endswith("count"):
        if number != int(number) or number < 1:
            fail(amount.at, f"{rank.kind} takes a count of 1 or more, not {number}")
        done = picked(making, stage, f"{PLACE} <= {min(int(number), 2**63 - 1)}", ((by.expr, down),))
        return replace(done, order=())
    if not by.type.is_number:
        fail(by.at, f"{rank.kind} adds numbers; {by.named}", "topcount and bottomcount take any type")
    if rank.kind.endswith("percent") and not 0 < number <= 100:
        fail(amount.at, f"{rank.kind} takes more than 0 and at most 100, not {number}")
    if rank.kind.endswith("percent") and number != round(number, MOST_DECIMALS):
        fail(amount.at, f"{rank.kind} takes at most {MOST_DECIMALS} decimals")
    return replace(_by_sum(making, stage, rank, number, by, down), order=())


def _amount(making: Making, stage: Stage, rank: Rank, amount: Value) -> Decimal:
    """A number that no row decides."""
    bound = making.bound(stage, amount.expr)
    if amount.type is None or not amount.type.is_number or not bound.constant:
        fail(amount.at, f"{rank.kind} takes a number that is the same for every row", "as in topcount(10,Amount)")
    value = constant(bound, making.clock)
    if value is None or (isinstance(value, float) and not abs(value) < float("inf")):
        fail(amount.at, f"{rank.kind} takes a finite number")
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)  # type: ignore[arg-type]


def _by_sum(making: Making, stage: Stage, rank: Rank, number: Decimal, by: Value, down: bool) -> Stage:
    """Rows in order until the sum of those before reaches the amount; once it has, no further row is taken."""
    bound = making.bound(stage, by.expr)
    scale = _scale(bound.type)
    selecting = making.selecting(stage)
    term = _term(selecting, bound, scale)
    sort, partition = selecting.sorted_by([(by.expr, down)]), selecting.partition()
    ordered = f"{partition}ORDER BY {sort} ROWS BETWEEN UNBOUNDED PRECEDING AND"
    before = f"coalesce(sum({term}) OVER ({ordered} 1 PRECEDING), 0)"
    whole = f"coalesce(sum({term}) OVER ({ordered} UNBOUNDED FOLLOWING), 0)"
    place = f"row_number() OVER ({partition}ORDER BY {sort})"
    groups = {quote(f"~g{i}"): selecting.value(e) for i, e in enumerate(stage.group.values())}
    columns = {BEFORE: before, PLACE: place, **groups}
    if rank.kind.endswith("sum"):
        reached = _reached(number, scale)
    else:
        columns[WHOLE], reached = whole, _share(number, scale)
    extra = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    mixed = f"PARTITION BY {', '.join(groups)} " if groups else ""
    gone = f"bool_or({reached}) OVER ({mixed}ORDER BY {PLACE} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    around = f"SELECT %s FROM (SELECT *, {gone} AS {GONE} FROM (%s) AS r) AS q WHERE NOT {GONE}"
    return _kept(making, stage, selecting, extra, around)


def _scale(kind: Type) -> int | None:
    """Digits behind the point of numbers that are added exactly; None for those added as doubles."""
    if kind.kind == "integer":
        return 0
    return kind.scale if kind.kind == "decimal" and kind.precision <= EXACT_DIGITS else None


def _term(selecting: Selecting, bound: Bound, scale: int | None) -> str:
    """What is added: whole numbers, decimals as a count of their last digit, else doubles."""
    if scale is None:
        return f"coalesce({selecting.value(coerce(bound, DOUBLE))}, 0)"
    value = selecting.value(bound)
    if scale:
        value = f"replace(CAST({value} AS VARCHAR), '.', '')"
    return f"coalesce(CAST({value} AS HUGEINT), 0)"


def _reached(number: Decimal, scale: int | None) -> str:
    """Whether the sum before a row has reached an amount."""
    if scale is None:
        return f"{BEFORE} {'>=' if number >= 0 else '<='} CAST('{float(number)!r}' AS DOUBLE)"
    with localcontext() as context:
        context.prec = 500  # a double has at most 309 digits before its point
        mode = ROUND_CEILING if number >= 0 else ROUND_FLOOR
        whole = int((number * 10**scale).quantize(Decimal(1), rounding=mode))
    limit = 10**38
    return f"{BEFORE} {'>=' if number >= 0 else '<='} CAST('{max(-limit, min(limit, whole))}' AS HUGEINT)"


def _share(number: Decimal, scale: int | None) -> str:
    """Whether the sum before a row is so many percent of the whole; of a whole of nothing it never is."""
    if scale is None:
        part, whole = f"{BEFORE} * 100", f"{WHOLE} * CAST('{float(number)!r}' AS DOUBLE)"
    else:
        top, bottom = number.as_integer_ratio()
        part, whole = f"{BEFORE} * {100 * bottom}", f"{WHOLE} * {top}"
    return f"CASE WHEN {WHOLE} > 0 THEN {part} >= {whole} WHEN {WHOLE} < 0 THEN {part} <= {whole} ELSE FALSE END"
