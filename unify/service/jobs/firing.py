"""When a schedule fires: cron expressions on the wall clock of a zone.

A wall time fires when the clock on the wall first reaches or passes it:

    02:30 on the day the clock goes from 02:00 to 03:00      at 03:00, together with 03:00 itself: once
    02:30 on the day the clock goes from 03:00 back to 02:00 at the first 02:30 only

so that a nightly job runs every night, once.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from unify.core.errors import SpecError

MOST_A_DAY: Final = 4
"""Firings of one schedule on any day: the vendor's limit."""
_DAYS: Final = 366 * 4
"""That are looked at for the limit: after four years the calendar's days and weekdays have met in nearly every way."""
_FROM: Final = datetime(2023, 12, 31, 23, 59, 59)  # noqa: DTZ001 - what a clock on the wall shows, in no zone
MAX_EXPRESSION: Final = 200


def check(crons: Sequence[str]) -> None:
    """SpecError for what is no cron expression, for one that never comes, and for more than four firings on a day."""
    if not crons:
        raise SpecError("a schedule needs a time", where="cronSchedules", hint='e.g. ["0 2 * * *"]: every day at 02:00')
    for place, cron in enumerate(crons):
        _check_one(cron, f"cronSchedules.{place}")
    if _most_on_a_day(crons) > MOST_A_DAY:
        raise SpecError(
            f"it would fire more than {MOST_A_DAY} times on some day",
            where="cronSchedules",
            hint=f"at most {MOST_A_DAY} times: a run that changes nothing costs little, but it costs",
        )


def _check_one(cron: str, where: str) -> None:
    hint = (
        "minute, hour, day of month, month, day of week (0: Sunday), e.g. `30 2 * * MON-FRI`; seconds may stand before"
    )
    if len(cron) > MAX_EXPRESSION:
        raise SpecError(f"longer than {MAX_EXPRESSION} characters", where=where, hint=hint)
    try:
        coming = CronSim(cron, _FROM)
        next(coming)
    except (CronSimError, ValueError, IndexError) as error:
        raise SpecError(f"{cron!r} is no cron expression: {error}", where=where, hint=hint) from None
    except StopIteration:
        raise SpecError(f"{cron!r} never comes", where=where, hint=hint) from None


def _most_on_a_day(crons: Iterable[str]) -> int:
    """The most wall times of one day; more than MOST_A_DAY is said as soon as it is certain."""
    days: dict[int, set[datetime]] = {}
    until = _FROM + timedelta(days=_DAYS)
    most = 0
    for cron in crons:
        for wall in CronSim(cron, _FROM):
            if wall > until:
                break
            on_day = days.setdefault(wall.toordinal(), set())
            on_day.add(wall)
            most = max(most, len(on_day))
            if most > MOST_A_DAY:
                return most
    return most


def next_after(moment: datetime, crons: Sequence[str], zone: ZoneInfo) -> datetime | None:
    """The first firing after a moment, in UTC; None when there is none within 50 years."""
    return min((at for cron in crons for at in islice(_after(moment, cron, zone), 1)), default=None)


def _after(moment: datetime, cron: str, zone: ZoneInfo) -> Iterator[datetime]:
    """Firings of one expression after a moment, in order."""
    wall_now = moment.astimezone(zone).replace(tzinfo=None)
    for wall in CronSim(cron, wall_now.replace(microsecond=0)):
        at = first_reached(wall, zone)
        if at > moment:
            yield at


def first_reached(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which the wall clock of a zone first shows a time, or skips it, in UTC."""
    early = wall.replace(tzinfo=zone, fold=0)
    at = early.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    # In a gap, fold 0 counts by the offset before it: `at` is as far behind the jump as the wall time is in the gap.
    return _jump(at - timedelta(days=1, hours=2), at, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between two at which the zone's offset changed, to the second."""
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, round((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        same = (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return before + timedelta(seconds=high)
