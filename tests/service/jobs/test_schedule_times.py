"""When schedules fire, against the wall clock minute by minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.core.errors import QueryError, SpecError
from unify.service.jobs.firing import MOST_A_DAY, check, next_after
from unify.service.jobs.zones import WINDOWS, iana_names, supported, zone_of

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Asia/Kolkata",
    "Pacific/Apia", "Asia/Beirut", "America/St_Johns", "UTC", "Africa/Cairo",
)  # fmt: skip
NEAR = (
    datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 3, 7, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 9, 5, tzinfo=UTC),
    datetime(2026, 10, 3, tzinfo=UTC), datetime(2011, 12, 29, tzinfo=UTC), datetime(2026, 2, 14, tzinfo=UTC),
    datetime(2026, 4, 23, tzinfo=UTC),
)  # fmt: skip
"""A day or so before clocks change, somewhere; in 2011 Samoa went without a whole day."""
DAYS = 4


def firings(start: datetime, zone: ZoneInfo, minutes: set[int], hours: set[int], days: set[int]) -> Iterator[datetime]:
    """By looking at the clock on the wall every minute: a time fires when the clock first reaches or passes it."""
    seen = start.astimezone(zone).replace(tzinfo=None)
    for n in range(1, DAYS * 24 * 60):
        now = start + timedelta(minutes=n)
        wall = now.astimezone(zone).replace(tzinfo=None)
        reached = []
        while seen < wall:
            seen += timedelta(minutes=1)
            reached.append(seen)
        if any(t.minute in minutes and t.hour in hours and t.isoweekday() % 7 in days for t in reached):
            yield now


def cron(minutes: set[int], hours: set[int], days: set[int]) -> str:
    fields = [minutes, hours, {"*"}, {"*"}, days if len(days) < 7 else {"*"}]
    return " ".join(",".join(map(str, sorted(field, key=str))) for field in fields)


@settings(max_examples=40)
@given(
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(NEAR),
    minutes=st.sets(st.sampled_from([0, 1, 15, 29, 30, 45, 59]), min_size=1, max_size=2),
    hours=st.sets(st.sampled_from([0, 1, 2, 3, 10, 22, 23]), min_size=1, max_size=2),
    days=st.one_of(st.just(set(range(7))), st.sets(st.integers(0, 6), min_size=1, max_size=3)),
)
def test_it_fires_when_the_clock_on_the_wall_first_reaches_the_time(zone, start, minutes, hours, days):
    wanted = list(firings(start, ZoneInfo(zone), minutes, hours, days))
    crons, found, at = [cron(minutes, hours, days)], [], start
    while (at := next_after(at, crons, ZoneInfo(zone))) is not None and at < start + timedelta(days=DAYS):
        found.append(at)
    assert found == wanted


@given(
    zone=st.sampled_from(ZONES),
    moment=st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_a_nightly_job_comes_once_a_night_and_never_before_now(zone, moment):
    crons = ["30 2 * * *"]
    first = next_after(moment, crons, ZoneInfo(zone))
    second = next_after(first, crons, ZoneInfo(zone))
    assert moment < first < second
    assert timedelta(hours=22) <= second - first <= timedelta(hours=26)
    assert next_after(first - timedelta(microseconds=1), crons, ZoneInfo(zone)) == first


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        ("2026-03-28T12:00", "2026-03-29T01:00"),  # 02:30 is not there that night: as soon as the clock has jumped
        ("2026-03-29T01:00", "2026-03-30T00:30"),  # not once more for the same night
        ("2026-10-24T12:00", "2026-10-25T00:30"),  # 02:30 is there twice: the first time
        ("2026-10-25T00:30", "2026-10-26T01:30"),  # and not the second
        ("2026-10-25T00:45", "2026-10-26T01:30"),  # nor when one looks in between
    ],
)
def test_nights_on_which_clocks_change(after, wanted):
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = next_after(moment, ["30 2 * * *"], ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


def test_several_expressions_are_one_schedule():
    crons = ["0 6 * * MON-FRI", "0 8 * * SAT,SUN", "0 6 * * MON"]
    at, found = datetime(2026, 11, 20, tzinfo=UTC), []
    for _ in range(4):
        at = next_after(at, crons, ZoneInfo("UTC"))
        found.append(f"{at:%a %H}")
    assert found == ["Fri 06", "Sat 08", "Sun 08", "Mon 06"]


@pytest.mark.parametrize(
    ("crons", "said"),
    [
        ([], "needs a time"),
        (["at noon"], "no cron expression"),
        (["60 0 * * *"], "Bad minute"),
        (["0 0 31 2 *"], "Bad day"),
        (["0 0 ? * MON"], "Bad day"),
        (["0 " * 300], "longer than"),
        (["*/5 * * * *"], "more than 4 times"),
        (["0 1,2,3 * * MON", "30 4,5 * * MON"], "more than 4 times"),
        (["* * * * * *"], "more than 4 times"),
        (["0 0 0 0 0"], "no cron expression"),
        (["١ 0 * * *"], "no cron expression"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(crons, said):
    with pytest.raises(SpecError) as refused:
        check(crons)
    assert said in str(refused.value)
    assert refused.value.where.startswith("cronSchedules")
    assert refused.value.hint


@pytest.mark.parametrize(
    "crons", [["0 1,7,13,19 * * *"], ["0 1,2,3 * * MON", "30 4,5 * * TUE"], ["0 0 29 2 *"], ["0 0 L * *"]]
)
def test_four_times_a_day_are_allowed(crons):
    check(crons)
    assert MOST_A_DAY == 4


def test_windows_names_are_zones_of_iana():
    assert set(WINDOWS.values()) <= iana_names()
    assert zone_of("W. Europe Standard Time").key == "Europe/Berlin"
    assert zone_of("pacific standard time").key == "America/Los_Angeles"


@pytest.mark.parametrize(
    "name", ["Europe/Bern", "localtime", "../etc/passwd", "", "posix/Europe/Berlin", "europe/berlin"]
)
def test_what_is_no_zone_is_refused_with_near_ones(name):
    with pytest.raises(QueryError, match="no time zone") as refused:
        zone_of(name)
    assert refused.value.hint


def test_every_supported_zone_is_one_and_says_its_offset():
    zones = dict(supported(datetime(2026, 7, 1, tzinfo=UTC)))
    assert set(zones) == set(WINDOWS) | iana_names()
    assert zones["Europe/Berlin"] == "(UTC+01:00) Europe/Berlin"  # in winter too, whenever it is asked
    assert zones["Pacific Standard Time"].startswith("(UTC-08:00) ")
    assert zones["Asia/Kathmandu"].startswith("(UTC+05:45) ")
    assert all(zone_of(name) for name in zones)
