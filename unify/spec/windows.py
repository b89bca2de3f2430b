"""Spans, moments and windows of time as people write them: `30 days`, `2 weeks ago`, `last month`, `2025-01-01 to now`.

Nothing here knows what time it is: a window gets its ends by the run clock and a time zone when a segment is lowered.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

Unit = Literal["minute", "hour", "day", "week", "month", "quarter", "year"]
UNITS: tuple[Unit, ...] = ("minute", "hour", "day", "week", "month", "quarter", "year")
CALENDAR_UNITS: tuple[Unit, ...] = ("day", "week", "month", "quarter", "year")
MAX_COUNT = 100_000
"""Of units in a span: 273 years of days; more is a slip of the finger."""

_SPAN = r"(?P<count>[0-9]{1,6}) *(?P<unit>minute|hour|day|week|month|quarter|year)s?"
_CALENDAR = r"(?P<which>this|last|next) (?P<of>week|month|quarter|year)"
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_OFFSETS = {"last": -1, "this": 0, "next": 1}
SPANS = "write a number and a unit: 90 minutes, 30 days, 6 months"
MOMENTS = "write 2025-01-31, 2025-01-31T12:00, now, today, 30 days ago, in 2 weeks or start of this month"
WINDOWS = (
    "write last 30 days, next 7 days, today, yesterday, this month, last quarter, year to date, since 2025-01-01, "
    "before 30 days ago or 2025-01-01 to 2025-03-31"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: minutes, hours, days and weeks are fixed, months, quarters and years go by the calendar."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}" + ("" if self.count == 1 else "s")


@dataclass(frozen=True, slots=True)
class Calendar:
    """A day, week (from Monday), month, quarter or year of the calendar; `offset` 0 is the one it is now."""

    unit: Unit
    offset: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, or a day where a day is meant.

    at     a date or datetime that was written; one without offset is on the clocks of the segment's time zone
    back   before now (`ago`)
    ahead  after now (`in`)
    start  the first day of that part of the calendar
    All absent: now.
    """

    at: date | datetime | None = None
    back: Span | None = None
    ahead: Span | None = None
    start: Calendar | None = None

    @property
    def is_day(self) -> bool:
        """A whole day is meant, so that its end is the next midnight."""
        return self.start is not None or (self.at is not None and not isinstance(self.at, datetime))


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time. One of:

    last, next     a rolling span up to now, or from now
    calendar       a whole part of the calendar
    to_date        from the begin of this part of the calendar until now
    since, before, through   ends, each may be absent; `before` is not in it, `through` is, a day to its end
    """

    last: Span | None = None
    next: Span | None = None
    calendar: Calendar | None = None
    to_date: Unit | None = None
    since: Moment | None = None
    before: Moment | None = None
    through: Moment | None = None


def parse_span(text: str) -> Span:
    """`30 days`; ValueError for anything else, and for nothing at all (`0 days`).

    >>> str(parse_span("1 month"))
    '1 month'
    """
    found = re.fullmatch(_SPAN, text.strip())
    if not found:
        raise ValueError(f"{text!r} is no length of time: {SPANS}")
    return _span(found)


def _span(found: re.Match[str]) -> Span:
    count = int(found["count"])
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"{found[0]!r} is not possible: 1 to {MAX_COUNT} units")
    return Span(count, _unit(found["unit"]))


def _unit(word: str) -> Unit:
    return next(unit for unit in UNITS if unit == word)


def parse_moment(text: str) -> Moment:
    """A moment; ValueError.

    >>> parse_moment("2 weeks ago").back
    Span(count=2, unit='week')
    >>> parse_moment("2025-01-31").is_day
    True
    """
    words = " ".join(text.split())
    if words == "now":
        return Moment()
    if words in _DAYS:
        return Moment(start=Calendar("day", _DAYS[words]))
    if found := re.fullmatch(f"{_SPAN} ago", words):
        return Moment(back=_span(found))
    if found := re.fullmatch(f"in {_SPAN}", words):
        return Moment(ahead=_span(found))
    if found := re.fullmatch(f"start of {_CALENDAR}", words):
        return Moment(start=Calendar(_unit(found["of"]), _OFFSETS[found["which"]]))
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", words):
        try:
            return Moment(at=date.fromisoformat(words) if len(words) == 10 else datetime.fromisoformat(words))
        except ValueError as error:
            raise ValueError(f"{text!r} is no moment: {error}") from None
    raise ValueError(f"{text!r} is no moment: {MOMENTS}")


def parse_window(text: str) -> Window:
    """A window; ValueError.

    >>> parse_window("last 30 days").last, parse_window("last month").calendar
    (Span(count=30, unit='day'), Calendar(unit='month', offset=-1))
    """
    words = " ".join(text.split())
    if words in _DAYS:
        return Window(calendar=Calendar("day", _DAYS[words]))
    if found := re.fullmatch(f"last {_SPAN}", words):
        return Window(last=_span(found))
    if found := re.fullmatch(f"next {_SPAN}", words):
        return Window(next=_span(found))
    if found := re.fullmatch(_CALENDAR, words):
        return Window(calendar=Calendar(_unit(found["of"]), _OFFSETS[found["which"]]))
    if found := re.fullmatch(r"(week|month|quarter|year) to date", words):
        return Window(to_date=_unit(found[1]))
    if found := re.fullmatch(r"since (.+)", words):
        return Window(since=parse_moment(found[1]))
    if found := re.fullmatch(r"before (.+)", words):
        return Window(before=parse_moment(found[1]))
    if found := re.fullmatch(r"(.+?) to (.+)", words):
        return Window(since=parse_moment(found[1]), through=parse_moment(found[2]))
    raise ValueError(f"{text!r} is no window of time: {WINDOWS}")


def parse_time(text: str) -> time:
    """A time of day, `18:30` or `18:30:15`; ValueError.

    >>> parse_time("18:30")
    datetime.time(18, 30)
    """
    try:
        found = time.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time of day: write 18:30") from None
    if found.tzinfo is not None:
        raise ValueError(f"{text!r}: a time of day has no offset; the segment's timezone says whose clock it is on")
    return found


def as_text(value: object) -> object:
    """Dates and times as the text that a project file holds; whatever else, as it is."""
    return value.isoformat() if isinstance(value, (date, time)) else value


def _checked_span(text: str) -> str:
    parse_span(text)
    return text


def _checked_moment(text: str) -> str:
    parse_moment(text)
    return text


def _checked_window(text: str) -> str:
    parse_window(text)
    return text


SpanText = Annotated[str, AfterValidator(_checked_span), Field(examples=["30 days", "6 months"])]
MomentText = Annotated[
    str, BeforeValidator(as_text), AfterValidator(_checked_moment), Field(examples=["2025-01-31", "30 days ago"])
]
WindowText = Annotated[str, AfterValidator(_checked_window), Field(examples=["last 30 days", "this month"])]
