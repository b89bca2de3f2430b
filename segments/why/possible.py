"""Whether leaves can turn round together, and a value that does it.

Two leaves about one attribute are not independent: no customer's city is both Bern and Ulm. Values to try come from
the leaves themselves: the constants they name, what lies just beside each, and no value at all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isfinite, nextafter
from typing import Any

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind
from segments.predicates.fields import Type, Value
from segments.predicates.simplify import simplify
from segments.predicates.values import constant
from segments.why.formula import Flips, Formula, Truth, smallest_flips, truth
from segments.why.subjects import subjects
from unify.core.errors import UnifyError

SOLVES = 64
"""Smallest sets that are looked at until one is possible."""
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Nearest:
    """`turn`: leaf → what it becomes. `values`: leaf → a value of its subject that does it. None: nothing does."""

    turn: dict[int, bool]
    values: dict[int, Value]
    smallest: bool
    clash: bool = False


class Possible:
    """Knows the leaves of one definition, simplified for one clock, and what the customer has."""

    def __init__(
        self, model: Model, clock: datetime, leaves: Mapping[int, p.Expr], truths: Mapping[int, Truth],
        now: Mapping[p.Expr, Any],
    ) -> None:  # fmt: skip
        """`leaves`: number → the leaf, those that are predicates over Customer; `now`: subject → its value."""
        self.catalog, self.table = model.catalog, model.catalog.customers
        self.clock = clock.astimezone(UTC).replace(tzinfo=None) if clock.tzinfo else clock
        self.truths, self.now = truths, now
        self.leaves = {n: simplify(e, self.catalog, self.table, clock=self.clock) for n, e in leaves.items()}
        self.subject = {n: subjects(bind(e, self.catalog, self.table)).only for n, e in self.leaves.items()}

    def nearest(self, formula: Formula, fixed: frozenset[int]) -> Nearest | None:
        """The smallest set of leaves that turns the answer round and that one customer can meet; None when none can."""
        wanted = truth(formula, self.truths) is not True
        waiting, best, met, exact = [fixed], None, set(), True
        tries = 0
        while waiting:
            banned = waiting.pop(0)
            if banned in met:
                continue
            met.add(banned)
            tries += 1
            if tries > SOLVES:
                exact = False
                break
            flips = smallest_flips(formula, self.truths, fixed=banned)
            if flips is None or (best is not None and len(flips.turn) >= len(best.turn)):
                continue
            values = self.together(flips, formula, wanted=wanted)
            if values is not None:
                best = Nearest(flips.turn, values, flips.smallest)
            else:
                waiting += [banned | {n} for n in sorted(flips.turn)]
        if best is None:
            return Nearest({}, {}, smallest=exact, clash=True) if tries > 1 else None
        return Nearest(best.turn, best.values, best.smallest and exact)

    def together(self, flips: Flips, formula: Formula, *, wanted: bool) -> dict[int, Value] | None:
        """Leaf → a value that turns it, where one can be found; None when the leaves exclude each other."""
        truths, found = dict(self.truths) | flips.turn, dict[int, Value]()
        by_subject: dict[p.Expr, list[int]] = {}
        for n in flips.turn:
            if (subject := self.subject.get(n)) is not None:
                by_subject.setdefault(subject, []).append(n)
        for subject, turned in by_subject.items():
            group = [n for n, other in self.subject.items() if other == subject]
            chosen = self._choose(subject, turned, group, flips.turn, truths, formula, wanted=wanted)
            if chosen is None:
                if all(_is_plain(self.leaves[n], subject) for n in group):
                    return None
                continue
            value, after = chosen
            truths |= after
            found |= dict.fromkeys(turned, value)
        return found if (truth(formula, truths) is True) == wanted else None

    def _choose(
        self, subject: p.Expr, turned: Sequence[int], group: Sequence[int], turn: Mapping[int, bool],
        truths: Mapping[int, Truth], formula: Formula, *, wanted: bool,
    ) -> tuple[Value, dict[int, Truth]] | None:  # fmt: skip
        """The value nearest to the present one that turns these leaves and keeps the others about it, or the answer."""
        second = None
        for value in self._candidates(subject, group):
            after = {n: self._at(n, subject, value) for n in group}
            if any(after[n] is not turn[n] for n in turned):
                continue
            if all(after[n] is truths[n] for n in group):
                return value, after
            if second is None and (truth(formula, {**truths, **after}) is True) == wanted:
                second = value, after
        return second

    def _at(self, number: int, subject: p.Expr, value: Value) -> Truth:
        """The truth of a leaf if its subject had that value."""
        kind = bind(subject, self.catalog, self.table).type
        put = _put(self.leaves[number], subject, p.Literal(kind, value))
        found = constant(bind(put, self.catalog, self.table), self.clock)
        return found if found is None or isinstance(found, bool) else None

    def _candidates(self, subject: p.Expr, group: Sequence[int]) -> list[Value]:
        """Values to try, the nearest to the present one first."""
        kind = bind(subject, self.catalog, self.table).type
        tried: dict[Value, None] = {}
        for n in group:
            for constant_ in _constants(self.leaves[n]):
                for value in _beside(kind, constant_):
                    tried[value] = None
        counts = isinstance(subject, p.Aggregate) and subject.function in ("count", "count_distinct")
        if counts:
            tried = {v: None for v in tried if isinstance(v, int) and v >= 0}
        elif not isinstance(subject, p.Exists):
            tried[None] = None
        now = self.now.get(subject)
        return sorted(tried, key=lambda v: (v is None, _distance(v, now)))


def _put(expr: p.Expr, subject: p.Expr, value: p.Literal) -> p.Expr:
    return value if expr == subject else p.rebuild(expr, lambda part: _put(part, subject, value))


def _is_plain(leaf: p.Expr, subject: p.Expr) -> bool:
    """Whether the values to try are all there is: the subject itself is compared with constants."""
    match leaf:
        case p.Compare(left=left, right=right):
            return {left, right} >= {subject} and any(isinstance(side, p.Literal) for side in (left, right))
        case p.In(item=item):
            return item == subject
        case p.Call(function="is_null", args=(arg,)):
            return arg == subject
        case p.Not(arg=arg):
            return _is_plain(arg, subject)
    return leaf == subject


def _constants(leaf: p.Expr) -> Iterator[p.Literal]:
    yield p.TRUE
    yield p.FALSE
    for node in p.walk(leaf):
        if isinstance(node, p.Literal) and node.value is not None:
            yield node
        elif isinstance(node, p.In):
            yield from node.values


def _beside(kind: Type, near: p.Literal) -> Iterator[Value]:
    """The constant as the subject's type has it, and the values just below and above."""
    for value in _around(kind, near.value):
        try:
            yield p.Literal(kind, value).value
        except (UnifyError, OverflowError, ValueError, TypeError):
            continue


def _around(kind: Type, value: Any) -> Iterator[Any]:
    if kind.kind == "boolean":
        yield from (True, False)
    elif isinstance(value, bool):
        return
    elif kind.kind == "string" and isinstance(value, str):
        yield from (value, value + "…", "")
    elif kind.is_number and isinstance(value, (int, float, Decimal)) and isfinite(value):
        yield from _numbers(kind, value)
    elif kind.kind in ("date", "datetime") and isinstance(value, date):
        yield from _days(kind, value)
    elif kind.kind == "duration" and isinstance(value, int):
        yield from (value, value - 1, value + 1)
    else:
        yield value


def _numbers(kind: Type, value: int | float | Decimal) -> Iterator[int | float | Decimal]:
    if kind.kind == "integer":
        whole = int(value)
        yield from (whole, whole - 1, whole + 1)
    elif kind.kind == "double":
        yield from (float(value), nextafter(float(value), -float("inf")), nextafter(float(value), float("inf")))
    else:
        step = Decimal(1).scaleb(-kind.scale)
        exact = Decimal(str(value)).quantize(step)
        yield from (exact, exact - step, exact + step)


def _days(kind: Type, value: date) -> Iterator[date]:
    if kind.kind == "date":
        day = value.date() if isinstance(value, datetime) else value
        yield from (day, day - DAY, day + DAY)
        return
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC
    tick = timedelta(microseconds=1)
    yield from (at, at - tick, at + tick, at - DAY, at + DAY)


def _distance(value: Any, now: Any) -> tuple[float, str]:
    """How far from the present value, then by its spelling; texts are equally far from each other."""
    try:
        gap = value - now
    except TypeError:
        return 0.0 if value == now else 1.0, str(value)
    return abs(gap.total_seconds() if isinstance(gap, timedelta) else float(gap)), str(value)
