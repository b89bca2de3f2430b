"""The 25 comparison operators of the vendor's criteria: a criterion and a type make a test of an attribute.

A test takes the attribute as the tree reads it (a Field at some distance) and gives a predicate. All values are read
and checked before, so that what is wrong is said with its place in the query. Syntax: docs/segmentation-query.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, DATE, DATETIME, DURATION, STRING, TIME, Type
from segments.vendor.values import Span, part_of, span_of, span_of_time
from unify.core.errors import QueryError
from unify.spec.segmentation_query import SegmentMembershipCriteria

Test = Callable[[p.Expr], p.Expr]
"""An attribute to a predicate about it."""

_TEXT = {"contains": "contains", "startsWith": "starts_with", "endsWith": "ends_with"}
_PARTS = {"dayOf": "day", "monthOf": "month", "yearOf": "year", "dayOfWeek": "day_of_week"}
_MICROSECONDS = {"minute": 60_000_000, "hour": 3_600_000_000}
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_VALUES = frozenset({
    "equals", "notEquals", "greaterThan", "greaterThanOrEqualTo", "lessThan", "lessThanOrEqualTo", "isIn", "any", "all",
    "isBetween", "isNotBetween",
})  # fmt: skip
"""Operators that compare with values, and so can compare times of day."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A criterion with an attribute. `where`: its place in the query; `zone`: IANA."""

    criteria: SegmentMembershipCriteria
    operator: str
    kind: Type
    zone: str
    where: str

    def error(self, message: str, hint: str = "") -> QueryError:
        """An error about this criterion."""
        return QueryError(message, where=self.where, hint=hint)

    def values(self) -> list[str]:
        """The texts of `value` or `listOfValues`; an error when both are given."""
        value, listed = self.criteria.value, self.criteria.list_of_values
        if value is not None and listed:
            raise self.error(f"{self.operator} has a value and a listOfValues", "leave one of them out")
        return list(listed) if listed else [] if value is None else [value]

    def one(self) -> str:
        """The only one."""
        found = self.values()
        if len(found) == 1:
            return found[0]
        if not found:
            raise self.error(f"{self.operator} needs a value", "isNull and isNotNull ask for missing ones")
        raise self.error(f"{self.operator} takes one value, here are {len(found)}", "isIn takes several")

    def several(self) -> list[str]:
        """At least one."""
        found = self.values()
        if not found:
            raise self.error(f"{self.operator} needs at least one value in listOfValues")
        return found

    def none(self) -> None:
        """An error when a value is given; the empty text is none."""
        if any(self.values()):
            raise self.error(f"{self.operator} takes no value", "leave value and listOfValues out")

    def span(self, text: str) -> Span:
        """What a value stands for."""
        found = span_of(text, self.kind, self.zone, where=self.where, is_time=bool(self.criteria.is_time))
        if not self.folds:
            return found
        folded = p.literal(text.casefold())
        return Span(folded, folded)

    @property
    def folds(self) -> bool:
        """Whether upper and lower case are one here: of text, when ignoreCase is true."""
        return bool(self.criteria.ignore_case) and self.kind == STRING

    def item(self, attribute: p.Expr) -> p.Expr:
        """The attribute as values are compared with it."""
        if self.folds:
            return p.Call("fold", (attribute,))
        return self.time(attribute) if self.criteria.is_time else attribute

    def local(self, attribute: p.Expr) -> p.Expr:
        """A moment as a clock in the zone shows it; a date as it is."""
        return p.Call("local", (attribute, p.literal(self.zone))) if self.kind == DATETIME else attribute

    def time(self, attribute: p.Expr) -> p.Expr:
        """The time of day of a moment in the zone."""
        return p.Call("time_of", (self.local(attribute),)) if self.kind == DATETIME else attribute

    def wants(self, *kinds: Type, hint: str = "") -> None:
        """An error when the attribute is of another type."""
        if self.kind not in kinds:
            names = " or ".join(k.name for k in kinds)
            raise self.error(f"{self.operator} is asked of {names}, and this attribute is {self.kind.name}", hint)


def test_of(condition: Condition) -> Test:
    """The test that a criterion says. QueryError, with its place, when its values do not fit."""
    _check_flags(condition)
    operator = condition.operator
    if operator in _ORDERED:
        return _compared(condition)
    if operator in _TEXT:
        return _text(condition)
    if operator in _PARTS:
        return _part(condition)
    return _OTHERS[operator](condition)


def _check_flags(c: Condition) -> None:
    if c.criteria.is_time:
        if c.operator not in _VALUES and c.operator not in ("timeAt", "isNull", "isNotNull"):
            raise c.error(f"{c.operator} knows no isTime", "leave it out; timeAt asks for a time of day")
        if c.kind not in (DATETIME, TIME):
            raise c.error(f"isTime is for moments and times of day, and this attribute is {c.kind.name}")


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _equals(x: p.Expr, s: Span) -> p.Expr:
    return p.Compare("eq", x, s.low) if s.exact else p.And((p.Compare("ge", x, s.low), _until(x, s)))


def _until(x: p.Expr, s: Span) -> p.Expr:
    return p.Compare("le" if s.closed else "lt", x, s.high)


def _after(x: p.Expr, s: Span) -> p.Expr:
    return p.Compare("gt" if s.closed else "ge", x, s.high)


_ORDERED: dict[str, Callable[[p.Expr, Span], p.Expr]] = {
    "equals": _equals,
    "notEquals": lambda x, s: p.Compare("ne", x, s.low) if s.exact else p.Not(_equals(x, s)),
    "greaterThan": _after,
    "greaterThanOrEqualTo": lambda x, s: p.Compare("ge", x, s.low),
    "lessThan": lambda x, s: p.Compare("lt", x, s.low),
    "lessThanOrEqualTo": _until,
}


def _compared(c: Condition) -> Test:
    if c.kind == BOOLEAN and c.operator not in ("equals", "notEquals"):
        raise c.error(f"true and false have no order, so there is no {c.operator}", "write equals")
    span, compare = c.span(c.one()), _ORDERED[c.operator]
    return lambda attribute: compare(c.item(attribute), span)


def _is_in(c: Condition) -> Test:
    spans = [c.span(text) for text in c.several()]
    if all(s.exact for s in spans):
        literals = tuple(dict.fromkeys(s.low for s in spans))
        return lambda attribute: p.In(c.item(attribute), literals)
    return lambda attribute: p.Or(tuple(_equals(c.item(attribute), s) for s in spans))


def every_value(c: Condition) -> list[Test]:
    """The tests of `all`: one per value, each of which some row must pass."""
    _check_flags(c)

    def equal_to(span: Span) -> Test:
        return lambda attribute: _equals(c.item(attribute), span)

    return [equal_to(c.span(text)) for text in c.several()]


def _is_all(c: Condition) -> Test:
    tests = every_value(c)
    return lambda attribute: p.And(tuple(test(attribute) for test in tests))


def _between(c: Condition) -> Test:
    if c.kind == BOOLEAN:
        raise c.error(f"true and false have no order, so there is no {c.operator}", "write equals")
    found = c.values()
    if len(found) != 2:
        raise c.error(f"{c.operator} needs two values in listOfValues, the lower and the upper end")
    low, high = c.span(found[0]), c.span(found[1])
    over_midnight = low.low.value > high.low.value  # type: ignore[operator]
    if over_midnight and not (c.criteria.is_time or c.kind == TIME):
        raise c.error(f"nothing is between {found[0]} and {found[1]}", "the lower end comes first")

    def inside(attribute: p.Expr) -> p.Expr:
        x = c.item(attribute)
        ends = (p.Compare("ge", x, low.low), _until(x, high))
        return p.Or(ends) if over_midnight else p.And(ends)

    return inside if c.operator == "isBetween" else lambda attribute: p.Not(inside(attribute))


def _text(c: Condition) -> Test:
    c.wants(STRING, hint="compare numbers and dates with greaterThan, isBetween and the like")
    text = c.one()
    wanted = p.literal(text.casefold() if c.folds else text)
    return lambda attribute: p.Call(_TEXT[c.operator], (c.item(attribute), wanted))


def _is_null(c: Condition) -> Test:
    c.none()
    return lambda attribute: p.Call("is_null", (attribute,))


def _is_not_null(c: Condition) -> Test:
    c.none()
    return lambda attribute: p.Not(p.Call("is_null", (attribute,)))


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _add(function: str, at: p.Expr, count: int) -> p.Expr:
    return p.Call(function, (at, p.literal(count)))


def _within_last(c: Condition) -> Test:
    """Of a date, whole days up to today; of a moment, from so long before now until now."""
    c.wants(DATE, DATETIME)
    count, unit = span_of_time(c.one(), c.where)
    function, by = ("add_months", _MONTHS[unit]) if unit in _MONTHS else ("add_days", _DAYS.get(unit, 0))
    if c.kind == DATE:
        if not by:
            raise c.error(f"a date has no {unit}s", "ask for days, weeks, months, quarters or years")
        today = p.today(c.zone)
        start = _add(function, today, -count * by)
        return lambda d: p.And((p.Compare("gt", d, start), p.Compare("le", d, today)))
    now = p.Call("now")
    if by:
        start = _add(function, now, -count * by)
    else:
        start = p.Call("sub", (now, p.Literal(DURATION, count * _MICROSECONDS[unit])))
    return lambda at: p.window(at, start, now)


def _year_to_date(c: Condition) -> Test:
    c.wants(DATE, DATETIME)
    c.none()
    today = p.today(c.zone)
    first = p.Call("start_of_year", (today,))
    if c.kind == DATE:
        return lambda d: p.between(d, first, today)
    begin = p.Call("utc", (p.Call("at_midnight", (first,)), p.literal(c.zone)))
    return lambda at: p.window(at, begin, p.Call("now"))


def _part(c: Condition) -> Test:
    c.wants(DATE, DATETIME)
    function = _PARTS[c.operator]
    numbers = [part_of(text, c.operator, c.where) for text in c.several()]
    fixed = tuple(p.literal(n) for n in dict.fromkeys(numbers) if n is not None)

    def test(attribute: p.Expr) -> p.Expr:
        part = p.Call(function, (c.local(attribute),))
        found: list[p.Expr] = []
        if fixed:
            found.append(p.In(part, fixed) if len(fixed) > 1 else p.Compare("eq", part, fixed[0]))
        if None in numbers:
            found.append(p.Compare("eq", part, p.Call(function, (p.today(c.zone),))))
        return found[0] if len(found) == 1 else p.Or(tuple(found))

    return test


def _time_at(c: Condition) -> Test:
    c.wants(DATETIME, TIME)
    spans = [_second(span_of(text, TIME, c.zone, where=c.where)) for text in c.several()]

    def test(attribute: p.Expr) -> p.Expr:
        parts = tuple(_equals(c.time(attribute), s) for s in spans)
        return parts[0] if len(parts) == 1 else p.Or(parts)

    return test


def _second(s: Span) -> Span:
    """What timeAt means by 09:30:15: that second, where equals with isTime means that moment of it."""
    at = s.low.value
    if not s.exact or at.microsecond:  # type: ignore[union-attr]
        return s
    return Span(s.low, p.Literal(TIME, at.replace(microsecond=999_999)))  # type: ignore[union-attr, call-arg]


_OTHERS: dict[str, Callable[[Condition], Test]] = {
    "isIn": _is_in,
    "any": _is_in,
    "all": _is_all,
    "isBetween": _between,
    "isNotBetween": _between,
    "isNull": _is_null,
    "isNotNull": _is_not_null,
    "isWithinLast": _within_last,
    "yearToDate": _year_to_date,
    "timeAt": _time_at,
}
