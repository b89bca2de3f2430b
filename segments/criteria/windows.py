"""Windows of time as bounds of a predicate: from words, the run clock and a time zone.

A rolling span of days is that many times 24 hours before now, of months the same day and time of day in UTC. Days,
weeks, months, quarters and years of the calendar begin at midnight in the zone. Of a date, the last 30 days are 30
dates, today included; the next 7 days too.
"""

from datetime import date, datetime
from typing import NamedTuple

from segments.criteria.here import Here
from segments.predicates import tree as p
from segments.predicates.fields import DATE, DURATION, Type
from unify.spec.windows import Calendar, Moment, Span, Window, parse_moment, parse_window

MICROSECONDS = {"minute": 60_000_000, "hour": 3_600_000_000, "day": 86_400_000_000, "week": 604_800_000_000}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
DAYS = {"day": 1, "week": 7}


class Ends(NamedTuple):
    """A window: from `start` on, before `end`; either may be absent. `through`: `end` belongs to it."""

    start: p.Expr | None
    end: p.Expr | None
    through: bool = False


def call(function: str, *args: p.Expr) -> p.Call:
    """A function."""
    return p.Call(function, args)


def number(value: int) -> p.Literal:
    """A whole number."""
    return p.literal(value)


def today(here: Here) -> p.Expr:
    """The day it is in the zone."""
    return call("date_of", call("local", here.now, p.literal(here.zone)))


def midnight(here: Here, day: p.Expr) -> p.Expr:
    """The moment at which a day begins in the zone."""
    return call("utc", call("at_midnight", day), p.literal(here.zone))


def local(here: Here, at: p.Expr) -> p.Expr:
    """What clocks in the zone show at a moment."""
    return call("local", at, p.literal(here.zone))


def moved(at: p.Expr, span: Span, sign: int) -> p.Expr:
    """A moment or day, a span later (1) or earlier (-1)."""
    if span.unit in MONTHS:
        return call("add_months", at, number(sign * span.count * MONTHS[span.unit]))
    if span.unit in DAYS:
        return call("add_days", at, number(sign * span.count * DAYS[span.unit]))
    length = p.Literal(DURATION, span.count * MICROSECONDS[span.unit])
    return call("add" if sign > 0 else "sub", at, length)


def calendar_start(here: Here, part: Calendar, later: int = 0) -> p.Expr:
    """The first day of a part of the calendar, or of one so many later."""
    offset = part.offset + later
    day = today(here) if part.unit == "day" else call(f"start_of_{part.unit}", today(here))
    return day if offset == 0 else moved(day, Span(abs(offset), part.unit), 1 if offset > 0 else -1)


def ends(here: Here, text: str, kind: Type) -> Ends:
    """The ends of a window for values of a type, date or datetime."""
    window = parse_window(text)
    return _ends_of_dates(here, window) if kind == DATE else _ends_of_moments(here, window)


def _ends_of_moments(here: Here, window: Window) -> Ends:
    if window.last:
        return Ends(moved(here.now, window.last, -1), here.now)
    if window.next:
        return Ends(here.now, moved(here.now, window.next, 1))
    if window.calendar:
        start, end = calendar_start(here, window.calendar), calendar_start(here, window.calendar, 1)
        return Ends(midnight(here, start), midnight(here, end))
    if window.to_date:
        return Ends(midnight(here, calendar_start(here, Calendar(window.to_date, 0))), here.now)
    start_at = moment(here, window.since) if window.since else None
    if window.through:
        if window.through.is_day:
            return Ends(start_at, midnight(here, call("add_days", day_of(here, window.through), number(1))))
        return Ends(start_at, moment(here, window.through), through=True)
    return Ends(start_at, moment(here, window.before) if window.before else None)


def _ends_of_dates(here: Here, window: Window) -> Ends:
    tomorrow = call("add_days", today(here), number(1))
    if span := window.last or window.next:
        if span.unit not in MONTHS and span.unit not in DAYS:
            raise here.error(f"a date has no {span.unit}s", "ask for days, or compare a datetime")
        if window.last:
            return Ends(call("add_days", moved(today(here), span, -1), number(1)), tomorrow)
        return Ends(today(here), moved(today(here), span, 1))
    if window.calendar:
        return Ends(calendar_start(here, window.calendar), calendar_start(here, window.calendar, 1))
    if window.to_date:
        return Ends(calendar_start(here, Calendar(window.to_date, 0)), tomorrow)
    start = day_of(here, window.since) if window.since else None
    if window.through:
        return Ends(start, day_of(here, window.through), through=True)
    return Ends(start, day_of(here, window.before) if window.before else None)


def day_of(here: Here, when: Moment) -> p.Expr:
    """A moment as a date."""
    if isinstance(when.at, datetime):
        raise here.error(f"{when.at.isoformat()} is a moment, not a date", "write the day alone")
    if isinstance(when.at, date):
        return p.literal(when.at)
    if when.start:
        return calendar_start(here, when.start)
    if span := when.back or when.ahead:
        if span.unit not in MONTHS and span.unit not in DAYS:
            raise here.error(f"a date has no {span.unit}s", "ask for days, or compare a datetime")
        return moved(today(here), span, -1 if when.back else 1)
    return today(here)


def moment(here: Here, when: Moment) -> p.Expr:
    """A moment as a datetime in UTC; of a day, its begin."""
    if isinstance(when.at, datetime):
        return p.literal(when.at) if when.at.tzinfo else call("utc", p.literal(when.at), p.literal(here.zone))
    if when.is_day:
        return midnight(here, day_of(here, when))
    if when.back:
        return moved(here.now, when.back, -1)
    return moved(here.now, when.ahead, 1) if when.ahead else here.now


def inside(item: p.Expr, window: Ends) -> p.Expr:
    """Whether a value is in a window."""
    parts: list[p.Expr] = []
    if window.start is not None:
        parts.append(p.Compare("ge", item, window.start))
    if window.end is not None:
        parts.append(p.Compare("le" if window.through else "lt", item, window.end))
    return parts[0] if len(parts) == 1 else p.And(tuple(parts))


def day_ends(here: Here, text: str) -> Ends | None:
    """The begin and end, as moments, of the day that a text means; None when it means a moment."""
    when = parse_moment(text)
    if not when.is_day:
        return None
    day = day_of(here, when)
    return Ends(midnight(here, day), midnight(here, call("add_days", day, number(1))))
