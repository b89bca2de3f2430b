"""Spans of time that conditions speak of: last week, the next 3 months, this fiscal year. All in UTC.

A span is [from, to): None is no bound. Weeks begin on Sunday, fiscal years on 1 January, fiscal periods are quarters:
what a Dataverse environment is set up with.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

Span: TypeAlias = tuple[datetime | None, datetime | None]

TICK: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Nothing is before it."""
UNITS: Final = ("minutes", "hours", "days", "weeks", "months", "years")


def midnight(at: datetime) -> datetime:
    """Of that day."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def moved(at: datetime, number: int, unit: str) -> datetime | None:
    """So much later; the last day of a month stays in the month. None: beyond the years 1 to 9999."""
    try:
        if unit in {"months", "years"}:
            months = at.year * 12 + at.month - 1 + number * (12 if unit == "years" else 1)
            first = at.replace(year=months // 12, month=months % 12 + 1, day=1)
            after = (first.replace(day=28) + 4 * DAY).replace(day=1) if first.year < 9999 or first.month < 12 else None
            last = 31 if after is None else (after - DAY).day
            return first.replace(day=min(at.day, last))
        return at + timedelta(**{unit: number})
    except (OverflowError, ValueError):
        return None


def day(at: datetime) -> Span:
    """The whole day."""
    start = midnight(at)
    return start, moved(start, 1, "days")


def _days(now: datetime, before: int, after: int) -> Span:
    """From the start of a day so many before today to the start of one so many after."""
    start = midnight(now)
    return moved(start, before, "days"), moved(start, after, "days")


def _week(now: datetime, number: int) -> Span:
    start = midnight(now)
    sunday = moved(start, -((start.weekday() + 1) % 7) + 7 * number, "days")
    return sunday, None if sunday is None else moved(sunday, 7, "days")


def _months(start: datetime, first: int, count: int) -> Span:
    return moved(start, first, "months"), moved(start, first + count, "months")


def _month(now: datetime, number: int) -> Span:
    return _months(midnight(now).replace(day=1), number, 1)


def _year(now: datetime, number: int) -> Span:
    return _months(midnight(now).replace(month=1, day=1), 12 * number, 12)


def _quarter(now: datetime, number: int, count: int = 1) -> Span:
    start = midnight(now).replace(day=1)
    return _months(start.replace(month=(start.month - 1) // 3 * 3 + 1), 3 * number, 3 * count)


STANDING: Final[Mapping[str, Callable[[datetime], Span]]] = {
    "today": lambda now: _days(now, 0, 1),
    "yesterday": lambda now: _days(now, -1, 0),
    "tomorrow": lambda now: _days(now, 1, 2),
    "last-seven-days": lambda now: _days(now, -7, 1),
    "next-seven-days": lambda now: _days(now, 0, 8),
    "last-week": lambda now: _week(now, -1),
    "this-week": lambda now: _week(now, 0),
    "next-week": lambda now: _week(now, 1),
    "last-month": lambda now: _month(now, -1),
    "this-month": lambda now: _month(now, 0),
    "next-month": lambda now: _month(now, 1),
    "last-year": lambda now: _year(now, -1),
    "this-year": lambda now: _year(now, 0),
    "next-year": lambda now: _year(now, 1),
    "last-fiscal-year": lambda now: _year(now, -1),
    "this-fiscal-year": lambda now: _year(now, 0),
    "next-fiscal-year": lambda now: _year(now, 1),
    "last-fiscal-period": lambda now: _quarter(now, -1),
    "this-fiscal-period": lambda now: _quarter(now, 0),
    "next-fiscal-period": lambda now: _quarter(now, 1),
}
"""Spans that only the clock tells. Last and next seven days count today besides: what is not in the last seven days is
older than 7 days, as the vendor puts it."""


def last(now: datetime, number: int, unit: str) -> Span:
    """The last so many, up to now. Of hours to the microsecond; else from the beginning of a day."""
    start = now if unit in {"minutes", "hours"} else midnight(now)
    return moved(start, -number, unit), now + TICK


def coming(now: datetime, number: int, unit: str) -> Span:
    """The next so many, from now. Of hours to the microsecond; else to the end of a day."""
    if unit in {"minutes", "hours"}:
        end = moved(now, number, unit)
        return now, None if end is None else end + TICK
    end = moved(midnight(now), number, unit)
    return now, None if end is None else moved(end, 1, "days")


def older(now: datetime, number: int, unit: str) -> Span:
    """Before so many ago; of days and longer, before the beginning of that day."""
    start = now if unit in {"minutes", "hours"} else midnight(now)
    return None, moved(start, -number, unit) or EARLIEST


def fiscal_years(now: datetime, first: int, count: int) -> Span:
    """So many, beginning so many after this one."""
    return _months(midnight(now).replace(month=1, day=1), 12 * first, 12 * count)


def fiscal_periods(now: datetime, first: int, count: int) -> Span:
    """So many, beginning so many after this one."""
    return _quarter(now, first, count)


def fiscal_year(year: int) -> Span:
    """ValueError: no such year."""
    return _months(datetime(year, 1, 1, tzinfo=UTC), 0, 12)


def fiscal_period(period: int, year: int) -> Span:
    """ValueError: no such period or year."""
    if not 1 <= period <= 4:
        raise ValueError(period)
    return _months(datetime(year, 3 * period - 2, 1, tzinfo=UTC), 0, 3)
