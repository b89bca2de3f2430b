"""The tests of a value as predicates: the 25 operators, by the type of what is tested."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from segments.criteria.here import Here
from segments.criteria.windows import Ends, call, day_ends, day_of, inside, local, moment, number
from segments.criteria.windows import ends as window_ends
from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, DATETIME, STRING, TIME, Type, Value
from unify.core.errors import QueryError
from unify.spec.criteria_values import Reference, Tests
from unify.spec.windows import parse_moment, parse_time

COMPARISONS = {
    "equals": "eq", "not_equals": "ne", "greater_than": "gt", "at_least": "ge", "less_than": "lt", "at_most": "le",
}  # fmt: skip
TEXT = {"contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with"}
PARTS = {"day_of": "day", "month_of": "month", "year_of": "year", "day_of_week": "day_of_week"}


@dataclass(frozen=True)
class Item:
    """What is tested: an expression on the row of `here`, its type, and what tests are said of it."""

    here: Here
    expr: p.Expr
    kind: Type
    tests: Tests

    @property
    def folded(self) -> p.Expr:
        """The item as text is compared."""
        return call("fold", self.expr) if self.tests.ignore_case else self.expr


def tested(here: Here, expr: p.Expr, kind: Type, tests: Tests) -> list[p.Expr]:
    """One predicate for each test that is given."""
    if tests.time_of_day:
        if kind != DATETIME:
            raise here.error(f"`time_of_day` of {kind.name} is not possible", "only a datetime has one besides its day")
        expr, kind = call("time_of", local(here, expr)), TIME
    found = []
    for test in tests.given:
        item = Item(here.at(test), expr, kind, tests)
        if tests.ignore_case and kind != STRING:
            raise item.here.error(f"`ignore_case` says nothing about {kind.name}", "leave it out")
        found.append(_test(item, test))
    return found


def _test(item: Item, test: str) -> p.Expr:
    value = getattr(item.tests, test)
    if test in ("equals", "not_equals"):
        return _several(item, value, lambda v: _compare(item, COMPARISONS[test], v))
    if test in COMPARISONS:
        return _compare(item, COMPARISONS[test], value)
    if test in TEXT:
        _want(item, "string")
        return _several(item, value, lambda v: call(TEXT[test], item.folded, _text(item, str(v))))
    if test in ("is_null", "is_not_null"):
        missing = call("is_null", item.expr)
        return missing if value == (test == "is_null") else p.Not(missing)
    if test in ("is_in", "is_not_in"):
        listed = _is_in(item, value)
        return listed if test == "is_in" else p.Not(listed)
    if test in ("between", "not_between"):
        both = _between(item, *value)
        return both if test == "between" else p.Not(both)
    if test in ("within_last", "within_next"):
        return inside(item.expr, _window(item, f"{'last' if test == 'within_last' else 'next'} {value}"))
    if test == "year_to_date":
        return inside(item.expr, _window(item, "year to date"))
    if test in PARTS:
        return _part(item, PARTS[test], value)
    if test == "time_at":
        return _time_at(item, value)
    raise item.here.error(f"{test} is asked of an attribute, at the level of the customer")


def in_window(here: Here, expr: p.Expr, kind: Type, window: str) -> p.Expr:
    """Whether a date or datetime is in a window."""
    return inside(expr, _window(Item(here, expr, kind, Tests()), window))


def _want(item: Item, *kinds: str) -> None:
    if item.kind.kind not in kinds:
        raise item.here.error(f"it is {item.kind.name}, and this test is of {' or '.join(kinds)}")


def _window(item: Item, window: str) -> Ends:
    _want(item, "date", "datetime")
    return window_ends(item.here, window, item.kind)


def _several(item: Item, values: tuple[object, ...], one: Callable[[object], p.Expr]) -> p.Expr:
    parts = tuple(one(v) for v in values)
    if len(parts) == 1:
        return parts[0]
    return p.And(parts) if item.tests.match == "all" else p.Or(parts)


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _compare(item: Item, op: str, value: object) -> p.Expr:
    if item.kind == BOOLEAN and op not in ("eq", "ne"):
        raise item.here.error("true and false have no order", "write equals: true")
    if isinstance(value, Reference):
        return p.Compare(op, item.folded, _reference(item, value))
    if item.kind == DATETIME and (day := day_ends(item.here, _moment_text(item, value))):
        return _compare_day(item.expr, op, day)
    if item.kind == STRING:
        return p.Compare(op, item.folded, _text(item, _string(item, value)))
    return p.Compare(op, item.expr, _value(item, value))


def _compare_day(expr: p.Expr, op: str, day: Ends) -> p.Expr:
    """A moment against a whole day: equal means on it, greater means after it."""
    start, end = day.start, day.end
    assert start is not None
    assert end is not None
    within = p.And((p.Compare("ge", expr, start), p.Compare("lt", expr, end)))
    compared: dict[str, p.Expr] = {
        "eq": within, "ne": p.Not(within), "gt": p.Compare("ge", expr, end), "ge": p.Compare("ge", expr, start),
        "lt": p.Compare("lt", expr, start), "le": p.Compare("lt", expr, end),
    }  # fmt: skip
    return compared[op]


def _reference(item: Item, reference: Reference) -> p.Expr:
    path, attribute, kind = item.here.attribute(reference.attribute)
    if item.here.is_many(path):
        raise item.here.error(
            f"{'/'.join(reference.attribute)} leads to many rows", "compare with an attribute of one row"
        )
    field = p.Field(attribute.name, path)
    if item.kind == TIME and kind == DATETIME and item.tests.time_of_day:
        return call("time_of", local(item.here, field))
    return call("fold", field) if item.tests.ignore_case else field


def _is_in(item: Item, values: tuple[object, ...]) -> p.Expr:
    """As In where the values are literals; windows of days and references as comparisons."""
    parts = [_compare(item, "eq", v) for v in values]
    literals = [part.right for part in parts if isinstance(part, p.Compare) and isinstance(part.right, p.Literal)]
    if parts and len(literals) == len(parts):
        return p.In(item.folded, tuple(dict.fromkeys(literals)))
    return p.Or(tuple(parts))


def _between(item: Item, low: object, high: object) -> p.Expr:
    ends = (_compare(item, "ge", low), _compare(item, "le", high))
    if item.kind == TIME and isinstance(low, str) and isinstance(high, str) and parse_time(low) > parse_time(high):
        return p.Or(ends)  # over midnight
    return p.And(ends)


def _part(item: Item, function: str, values: tuple[int, ...]) -> p.Expr:
    _want(item, "date", "datetime")
    clock = local(item.here, item.expr) if item.kind == DATETIME else item.expr
    part = call(function, clock)
    if len(values) == 1:
        return p.Compare("eq", part, number(values[0]))
    return p.is_in(part, *values)


def _time_at(item: Item, text: str) -> p.Expr:
    """To the minute when no second is written, else to the second."""
    _want(item, "datetime", "time")
    wanted = parse_time(text)
    clock = local(item.here, item.expr) if item.kind == DATETIME else item.expr
    parts = [p.Compare("eq", call("hour", clock), number(wanted.hour)),
             p.Compare("eq", call("minute", clock), number(wanted.minute))]  # fmt: skip
    if text.count(":") > 1:
        parts.append(p.Compare("eq", call("second", clock), number(wanted.second)))
    return p.And(tuple(parts))


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(item: Item, text: str) -> p.Expr:
    return p.literal(text.casefold()) if item.tests.ignore_case else p.literal(text)


def _string(item: Item, value: object) -> str:
    if not isinstance(value, str):
        raise item.here.error(f"it is text, and {value!r} is not", f"write '{value}' in quotes")
    return value


def _moment_text(item: Item, value: object) -> str:
    if not isinstance(value, str):
        raise item.here.error(f"it is {item.kind.name}, and {value!r} is not")
    return value


def _value(item: Item, value: object) -> p.Expr:
    """A value of the item's type; QueryError when it is none."""
    here, kind = item.here, item.kind.kind
    try:
        if kind == "date":
            return day_of(here, parse_moment(_moment_text(item, value)))
        if kind == "datetime":
            return moment(here, parse_moment(_moment_text(item, value)))
        if kind == "time":
            return p.literal(parse_time(_moment_text(item, value)))
        if kind == "boolean" and isinstance(value, bool):
            return p.literal(value)
        if kind == "guid" and isinstance(value, str):
            return p.Literal(item.kind, value)
        if item.kind.is_number and isinstance(value, (int, float)) and not isinstance(value, bool):
            return p.literal(_number(item, value))
    except ValueError as error:
        raise here.error(str(error)) from None
    except QueryError as error:
        raise error if error.where else here.error(error.message, error.hint) from None
    raise here.error(f"it is {item.kind.name}, and {value!r} is not")


def _number(item: Item, value: int | float) -> Value:
    if isinstance(value, int):
        return value
    # As it is written: 12.1 is the decimal 12.1, where the nearest double is a little less.
    return value if item.kind.kind == "double" else Decimal(repr(value))
