"""Values of the vendor's criteria, which are texts: read as the attribute's type, each as the span it stands for.

A number is itself. A day, asked of a moment, is the 24 hours (23 or 25, when clocks change) from midnight to midnight
in the segment's time zone; `09:30`, asked of a time of day, is that minute.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from segments.predicates import function_values
from segments.predicates import tree as p
from segments.predicates.fields import DATE, DATETIME, DOUBLE, GUID, STRING, TIME, Type, Value
from unify.core.errors import QueryError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?\Z")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?\Z")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Span:
    """What a value stands for: one value (`low` is `high`), or from `low` until before `high`; `closed`: `high` too."""

    low: p.Literal
    high: p.Literal
    closed: bool = True

    @property
    def exact(self) -> bool:
        """Whether it is one value."""
        return self.low == self.high


def span_of(text: str, kind: Type, zone: str, *, where: str, is_time: bool = False) -> Span:
    """The span of a text. `is_time`: of a time of day, asked of the moments of an attribute. QueryError."""
    if is_time or kind == TIME:
        return _time(text, where)
    if kind == DATETIME:
        return _moment(text, zone, where)
    found = _plain(text, kind, where)
    return Span(found, found)


def _plain(text: str, kind: Type, where: str) -> p.Literal:
    if kind == STRING:
        return _literal(STRING, text, where)
    if kind.is_number:
        return _number(text, kind, where)
    if kind.kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise QueryError(f"{text!r} is no truth value", where=where, hint="write true or false")
        return p.literal(_BOOLEANS[text.lower()])
    if kind == DATE:
        return _literal(DATE, _day(text, where), where)
    if kind == GUID:
        return _literal(GUID, text, where)
    raise QueryError(f"values of {kind.name} cannot be written in a query", where=where)


def _literal(kind: Type, value: Value, where: str) -> p.Literal:
    try:
        return p.Literal(kind, value)
    except QueryError as error:
        raise QueryError(error.message, where=where, hint=error.hint) from None


def _number(text: str, kind: Type, where: str) -> p.Literal:
    if not _NUMBER.match(text):
        hint = "digits, with a point before decimals: 1250.50"
        raise QueryError(f"{text!r} is no number, and the attribute is {kind.name}", where=where, hint=hint)
    if kind == DOUBLE:
        return _literal(DOUBLE, float(text), where)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise QueryError(f"{text!r} is no number", where=where) from None
    if not -40 < exact.adjusted() < 40:
        raise QueryError(f"{text} is beyond 38 digits", where=where)
    whole = exact == exact.to_integral_value()
    try:
        return p.literal(int(exact) if whole else exact)
    except QueryError as error:
        raise QueryError(error.message, where=where, hint=error.hint) from None


def _day(text: str, where: str) -> date:
    """Of a date: also a moment at midnight, which is how the vendor's clients write days."""
    try:
        if _DAY.match(text):
            return date.fromisoformat(text)
        if _MOMENT.match(text):
            moment = datetime.fromisoformat(text)
            if moment.time() == time() and not moment.utcoffset():
                return moment.date()
            raise QueryError(f"{text!r} is a moment, and the attribute a date", where=where, hint=f"write {text[:10]}")
    except ValueError as error:
        raise QueryError(f"{text!r} is no date: {error}", where=where) from None
    raise QueryError(f"{text!r} is no date", where=where, hint="write 2024-01-31")


def _moment(text: str, zone: str, where: str) -> Span:
    try:
        if _DAY.match(text):
            day = date.fromisoformat(text)
            return Span(_clock(day, zone, where), _clock(day + timedelta(days=1), zone, where), closed=False)
        if _MOMENT.match(text):
            moment = datetime.fromisoformat(text)
            found = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else _utc(moment, zone, where)
            exact = _literal(DATETIME, found, where)
            return Span(exact, exact)
    except (ValueError, OverflowError) as error:
        raise QueryError(f"{text!r} is no date or moment: {error}", where=where) from None
    hint = f"write 2024-01-31 for a whole day, or 2024-01-31T09:30:00, which is on a clock in {zone}; or with Z, in UTC"
    raise QueryError(f"{text!r} is no date or moment", where=where, hint=hint)


def _clock(day: date, zone: str, where: str) -> p.Literal:
    return _literal(DATETIME, _utc(datetime.combine(day, time()), zone, where), where)


def _utc(at: datetime, zone: str, where: str) -> datetime:
    found = function_values.utc(DATETIME, at, zone)
    if found is None:
        raise QueryError(f"{at} is not within the years 1 to 9999 everywhere", where=where)
    return found


def _time(text: str, where: str) -> Span:
    try:
        if _TIME.match(text):
            low = time.fromisoformat(text)
            exact = _literal(TIME, low, where)
            if text.count(":") > 1:
                return Span(exact, exact)
            end = low.hour * 60 + low.minute + 1
            if end == 24 * 60:
                return Span(exact, _literal(TIME, time.max, where))
            return Span(exact, _literal(TIME, time(end // 60, end % 60), where), closed=False)
    except ValueError as error:
        raise QueryError(f"{text!r} is no time of day: {error}", where=where) from None
    raise QueryError(f"{text!r} is no time of day", where=where, hint="write 09:30, which is that minute, or 09:30:00")


# ── parts of dates, and spans of time ────────────────────────────────────────────────────────────────────────────────

_MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
]  # fmt: skip
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
PARTS = {"dayOf": (1, 31), "monthOf": (1, 12), "yearOf": (1, 9999), "dayOfWeek": (1, 7)}
_NAMES = {"monthOf": _MONTHS, "dayOfWeek": _DAYS}
_UNITS = ("minute", "hour", "day", "week", "month", "quarter", "year")
_SPAN = re.compile(r"(\d+)(?:\s*([A-Za-z]+?)s?)?\Z")
_ISO = re.compile(r"P(?:(\d+)([DWMY])|T(\d+)([HM]))\Z")
_ISO_UNITS = {"D": "day", "W": "week", "M": "month", "Y": "year", "TH": "hour", "TM": "minute"}
MOST_UNITS = 1_000_000
"""Of one span of time: more days than there are since the year 1."""


def part_of(text: str, operator: str, where: str) -> int | None:
    """The number of a day, month, year or day of the week (Monday is 1); None for `today`. QueryError."""
    word = text.strip().lower()
    if word == "today":
        return None
    names = _NAMES.get(operator, [])
    for i, name in enumerate(names):
        if word in (name, name[:3]):
            return i + 1
    low, high = PARTS[operator]
    if re.fullmatch(r"\d{1,4}", word) and low <= int(word) <= high:
        return int(word)
    named = f", {names[0].capitalize()} to {names[-1].capitalize()}" if names else ""
    week = ", Monday being 1" if operator == "dayOfWeek" else ""
    hint = f"{low} to {high}{week}{named}, or today"
    raise QueryError(f"{text!r} is no value of {operator}", where=where, hint=hint)


def span_of_time(text: str, where: str) -> tuple[int, str]:
    """`20` and `20 days`, `P20D`: how many of which unit. QueryError."""
    hint = f"write 20 days, or P20D; units: {', '.join(_UNITS)}"
    if found := _SPAN.match(text.strip()):
        count, unit = int(found[1]), (found[2] or "day").lower()
    elif iso := _ISO.match(text.strip()):
        count, unit = (int(iso[1]), _ISO_UNITS[iso[2]]) if iso[1] else (int(iso[3]), _ISO_UNITS["T" + iso[4]])
    else:
        raise QueryError(f"{text!r} is no span of time", where=where, hint=hint)
    if unit not in _UNITS or not 1 <= count <= MOST_UNITS:
        raise QueryError(f"{text!r} is no span of time", where=where, hint=hint + f"; from 1 to {MOST_UNITS:,}")
    return count, unit
