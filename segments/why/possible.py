"""Whether leaves can turn round together, and a value that does it.

Two leaves about one attribute are not independent: no customer's city is both Bern and Ulm. Values to try come from
the leaves themselves: the constants they name, what lies just beside each, and no value at all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from math import inf, isfinite, nextafter
from typing import Any, cast

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind
from segments.predicates.fields import DIGITS, Type, Value
from segments.predicates.simplify import simplify
from segments.predicates.values import constant
from segments.why.formula import Flips, Formula, Truth, smallest_flips, truth
from segments.why.subjects import subjects
from unify.core.errors import UnifyError

SOLVES = 64
"""Smallest sets that are looked at until one is possible."""
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


@dataclass(frozen=True)
class Nearest:
    """`turn`: leaf → what it becomes. `values`: leaf → the value of one of its subjects that turns it.

    clash    nothing turns the answer round although some sets of leaves would: they exclude each other
    """

    turn: dict[int, bool]
    values: dict[int, "Turned"]
    smallest: bool
    clash: bool = False


@dataclass(frozen=True)
class Turned:
    """What would have to have which value."""

    subject: p.Expr
    value: Value


class Possible:
    """Knows the leaves of one definition, simplified for one clock, and what the customer has."""

    def __init__(
        self, model: Model, clock: datetime, leaves: Mapping[int, p.Expr], truths: Mapping[int, Truth],
        values: Mapping[p.Expr, Any],
    ) -> None:  # fmt: skip
        """`leaves`: number → the leaf, those that are predicates over Customer; `values`: of what they look at."""
        self.catalog, self.table = model.catalog, model.catalog.customers
        self.clock = clock.astimezone(UTC).replace(tzinfo=None) if clock.tzinfo else clock
        self.truths = truths
        self.leaves = {n: self._simple(e) for n, e in leaves.items()}
        seen = ((e, v) for e, v in values.items() if isinstance(e, (p.Field, p.Exists, p.Aggregate)))
        self.now = {self._simple(e): v for e, v in seen}
        self.subjects = {n: subjects(bind(e, self.catalog, self.table)).all for n, e in self.leaves.items()}
        every = {*self.now, *(s for some in self.subjects.values() for s in some)}
        self.types = {s: bind(s, self.catalog, self.table).type for s in every}

    def _simple(self, expr: p.Expr) -> p.Expr:
        return simplify(expr, self.catalog, self.table, clock=self.clock)

    def nearest(self, formula: Formula, fixed: frozenset[int]) -> Nearest | None:
        """The smallest set of leaves that turns the answer round and that one customer can meet; None when none does.

        Sets in the order of their size; one whose leaves exclude each other is passed over, and the next looked for
        without one of them.
        """
        wanted = truth(formula, self.truths) is not True
        waiting: list[frozenset[int]] = [fixed]
        met: set[frozenset[int]] = set()
        best: Nearest | None = None
        while waiting and len(met) < SOLVES:
            banned = waiting.pop(0)
            met.add(banned)
            flips = smallest_flips(formula, self.truths, fixed=banned)
            if flips is None or (best is not None and len(flips.turn) >= len(best.turn)):
                continue
            values = self.together(flips, formula, wanted=wanted)
            if values is not None:
                best = Nearest(flips.turn, values, flips.smallest)
            else:
                more = (banned | {n} for n in sorted(flips.turn))
                waiting += [x for x in more if x not in met and x not in waiting]
        if best is None:
            return Nearest({}, {}, smallest=not waiting, clash=True) if len(met) > 1 else None
        return Nearest(best.turn, best.values, best.smallest and not waiting)

    def together(self, flips: Flips, formula: Formula, *, wanted: bool) -> dict[int, Turned] | None:
        """Leaf → what turns it, where that can be said; None when the leaves exclude each other."""
        state: dict[p.Expr, Any] = {}
        found: dict[int, Turned] = {}
        unsaid: set[int] = set()
        for n in sorted(flips.turn):
            if n not in self.leaves:
                continue
            goal = {m: v for m, v in flips.turn.items() if m in self.leaves and m not in unsaid and m <= n}
            turned = self._turned(n, goal, state)
            if turned is None:
                if self._is_plain(n):
                    return None
                unsaid.add(n)
            else:
                state[turned.subject], found[n] = turned.value, turned
        after = {n: flips.turn[n] if n in flips.turn else self._at(n, state) for n in self.truths}
        return found if (truth(formula, after) is True) == wanted else None

    def _turned(self, number: int, goal: Mapping[int, bool], state: Mapping[p.Expr, Any]) -> Turned | None:
        """The nearest value of one of its subjects with which all of `goal` holds; rather one that turns no other."""
        second = None
        for subject in self.subjects[number]:
            near = [n for n, some in self.subjects.items() if subject in some]
            for value in self._candidates(subject, near):
                then = {**state, subject: value}
                if any(self._at(n, then) is not v for n, v in goal.items()):
                    continue
                if all(self._at(n, then) is self._at(n, state) for n in near if n not in goal):
                    return Turned(subject, value)
                second = second or Turned(subject, value)
        return second

    def _at(self, number: int, state: Mapping[p.Expr, Any]) -> Truth:
        """The truth of a leaf if its subjects had these values; as it is where that cannot be worked out by hand."""
        if number not in self.leaves or not any(s in state for s in self.subjects[number]):
            return self.truths[number]
        known = self._literals({s: state[s] if s in state else self.now.get(s) for s in self.subjects[number]})
        bound = bind(_put(self.leaves[number], known), self.catalog, self.table)
        if not bound.constant:
            return self.truths[number]
        found = constant(bound, self.clock)
        return found if found is None else bool(found)

    def present(self, expr: p.Expr) -> Value:
        """The value of something that a leaf compares, as it is; LookupError when it cannot be worked out by hand."""
        if expr in self.now:
            return cast("Value", self.now[expr])
        found = bind(_put(expr, self._literals(self.now)), self.catalog, self.table)
        if not found.constant:
            raise LookupError
        return constant(found, self.clock)

    def _literals(self, values: Mapping[p.Expr, Any]) -> dict[p.Expr, p.Literal]:
        known = {}
        for subject, value in values.items():
            with suppress(UnifyError):
                known[subject] = p.Literal(self.types[subject], value)
        return known

    def _candidates(self, subject: p.Expr, near: Sequence[int]) -> list[Value]:
        """Values to try, the nearest first: constants of the leaves, and the other things they look at."""
        kind = self.types[subject]
        named: list[Any] = [True, False]
        for n in near:
            named += [x.value for x in _constants(self.leaves[n])]
            named += [self.now.get(other) for other in self.subjects[n]]
        tried: dict[Value, None] = {}
        for one in named:
            tried |= dict.fromkeys(_beside(kind, one))
        if isinstance(subject, p.Aggregate) and subject.function in ("count", "count_distinct"):
            tried = {v: None for v in tried if isinstance(v, int) and v >= 0}
        elif not isinstance(subject, p.Exists):
            tried[None] = None
        now = self.now.get(subject)
        return sorted(tried, key=lambda v: (v is None, _distance(v, now)))

    def _is_plain(self, number: int) -> bool:
        """Whether the values that are tried are all that can matter: one subject, compared with constants."""
        some = self.subjects[number]
        near = [n for n, others in self.subjects.items() if some and some[0] in others]
        return len(some) == 1 and all(_is_plain(self.leaves[n], some[0]) for n in near)


def _put(expr: p.Expr, known: Mapping[p.Expr, p.Literal]) -> p.Expr:
    """Values in place of subjects. Not inside related rows: there the same name is another row's."""
    if expr in known:
        return known[expr]
    if isinstance(expr, (p.Exists, p.Aggregate)):
        return expr
    return p.rebuild(expr, lambda part: _put(part, known))


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
    for node in p.walk(leaf):
        if isinstance(node, p.Literal) and node.value is not None:
            yield node
        elif isinstance(node, p.In):
            yield from node.values


def _beside(kind: Type, near: Any) -> Iterator[Value]:
    """A value as the subject's type has it, and the values just below and above, as far as the type goes."""
    if near is None:
        return
    for made in _around(kind, near):
        with suppress(UnifyError, OverflowError, ArithmeticError, ValueError, TypeError):
            yield p.Literal(kind, made()).value


Make = Callable[[], Any]


def _around(kind: Type, value: Any) -> Iterator[Make]:
    if kind.kind == "boolean":
        yield from (lambda: True, lambda: False)
    elif isinstance(value, bool):
        return
    elif kind.kind == "string" and isinstance(value, str):
        yield from (lambda: value, lambda: value + "…", lambda: "")
    elif kind.is_number and isinstance(value, (int, float, Decimal)):
        yield from _numbers(kind, value)
    elif kind.kind in ("date", "datetime") and isinstance(value, date):
        yield from _days(kind, value)
    elif kind.kind == "duration" and isinstance(value, int):
        yield from (lambda: value, lambda: value - 1, lambda: value + 1)
    else:
        yield lambda: value


def _numbers(kind: Type, value: int | float | Decimal) -> Iterator[Make]:
    if kind.kind == "integer":
        yield from (lambda: int(value), lambda: int(value) - 1, lambda: int(value) + 1)
    elif kind.kind == "double":
        yield lambda: float(value)
        yield from (lambda: nextafter(float(value), -inf), lambda: nextafter(float(value), inf))
    else:
        step = Decimal(1).scaleb(-kind.scale)
        yield from (lambda: _exact(value, step), lambda: _exact(value, step) - step, lambda: _exact(value, step) + step)


def _exact(value: int | float | Decimal, step: Decimal) -> Decimal:
    with localcontext() as context:
        context.prec = 2 * DIGITS
        return Decimal(str(value)).quantize(step)


def _days(kind: Type, value: date) -> Iterator[Make]:
    if kind.kind == "date":
        day = value.date() if isinstance(value, datetime) else value
        yield from (lambda: day, lambda: day - DAY, lambda: day + DAY)
        return
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC
    yield from (lambda: at, lambda: at - TICK, lambda: at + TICK, lambda: at - DAY, lambda: at + DAY)


def _distance(value: Any, now: Any) -> tuple[float, str]:
    """How far from the present value, then by its spelling; texts are equally far from each other."""
    try:
        gap = value - now
        far = abs(gap.total_seconds() if isinstance(gap, timedelta) else float(gap))
    except (TypeError, ArithmeticError):
        return 0.0 if value == now else 1.0, str(value)
    return (far if isfinite(far) else inf), str(value)
