"""Every condition on time at its edges, against bounds written by hand for one frozen moment: Sunday, 22 Nov 2026, 9:30."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.dataverse.query.conftest import Asking
from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import ready
from unify.dataverse.query.operators import BY_FETCH, BY_FUNCTION, OPERATORS, TIMES
from unify.records import RecordStore

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TICK = timedelta(microseconds=1)
AFTER = "2026-11-22T09:30:00.000001"
BOUNDS = {
    # function: (values, from, up to but not with)
    "Today": ((), "2026-11-22", "2026-11-23"),
    "Yesterday": ((), "2026-11-21", "2026-11-22"),
    "Tomorrow": ((), "2026-11-23", "2026-11-24"),
    "Last7Days": ((), "2026-11-15", "2026-11-23"),
    "Next7Days": ((), "2026-11-22", "2026-11-30"),
    "LastWeek": ((), "2026-11-15", "2026-11-22"),
    "ThisWeek": ((), "2026-11-22", "2026-11-29"),
    "NextWeek": ((), "2026-11-29", "2026-12-06"),
    "LastMonth": ((), "2026-10-01", "2026-11-01"),
    "ThisMonth": ((), "2026-11-01", "2026-12-01"),
    "NextMonth": ((), "2026-12-01", "2027-01-01"),
    "LastYear": ((), "2025-01-01", "2026-01-01"),
    "ThisYear": ((), "2026-01-01", "2027-01-01"),
    "NextYear": ((), "2027-01-01", "2028-01-01"),
    "LastFiscalYear": ((), "2025-01-01", "2026-01-01"),
    "ThisFiscalYear": ((), "2026-01-01", "2027-01-01"),
    "NextFiscalYear": ((), "2027-01-01", "2028-01-01"),
    "LastFiscalPeriod": ((), "2026-07-01", "2026-10-01"),
    "ThisFiscalPeriod": ((), "2026-10-01", "2027-01-01"),
    "NextFiscalPeriod": ((), "2027-01-01", "2027-04-01"),
    "LastXHours": ((5,), "2026-11-22T04:30", AFTER),
    "LastXDays": ((7,), "2026-11-15", AFTER),
    "LastXWeeks": ((2,), "2026-11-08", AFTER),
    "LastXMonths": ((9,), "2026-02-22", AFTER),
    "LastXYears": ((6,), "2020-11-22", AFTER),
    "NextXHours": ((5,), "2026-11-22T09:30", "2026-11-22T14:30:00.000001"),
    "NextXDays": ((7,), "2026-11-22T09:30", "2026-11-30"),
    "NextXWeeks": ((2,), "2026-11-22T09:30", "2026-12-07"),
    "NextXMonths": ((3,), "2026-11-22T09:30", "2027-02-23"),
    "NextXYears": ((1,), "2026-11-22T09:30", "2027-11-23"),
    "OlderThanXMinutes": ((45,), None, "2026-11-22T08:45"),
    "OlderThanXHours": ((10,), None, "2026-11-21T23:30"),
    "OlderThanXDays": ((7,), None, "2026-11-15"),
    "OlderThanXWeeks": ((1,), None, "2026-11-15"),
    "OlderThanXMonths": ((1,), None, "2026-10-22"),
    "OlderThanXYears": ((2,), None, "2024-11-22"),
    "LastXFiscalYears": ((2,), "2024-01-01", "2026-01-01"),
    "NextXFiscalYears": ((2,), "2027-01-01", "2029-01-01"),
    "LastXFiscalPeriods": ((3,), "2026-01-01", "2026-10-01"),
    "NextXFiscalPeriods": ((1,), "2027-01-01", "2027-04-01"),
    "On": (("2026-10-01",), "2026-10-01", "2026-10-02"),
    "OnOrAfter": (("2026-10-01",), "2026-10-01", None),
    "OnOrBefore": (("2026-10-01",), None, "2026-10-02"),
    "InFiscalYear": ((2025,), "2025-01-01", "2026-01-01"),
    "InFiscalPeriodAndYear": ((2, 2026), "2026-04-01", "2026-07-01"),
    "InOrAfterFiscalPeriodAndYear": ((2, 2026), "2026-04-01", None),
    "InOrBeforeFiscalPeriodAndYear": ((2, 2026), None, "2026-07-01"),
}
ELSEWHERE = {"NotOn", "InFiscalPeriod"}
HOURS = {"LastXHours", "NextXHours", "OlderThanXHours", "OlderThanXMinutes"}


def at(text):
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


MOMENTS = sorted(
    {
        edge + step
        for _, *edges in BOUNDS.values()
        for edge in map(at, edges)
        if edge
        for step in (-TICK, timedelta(), TICK)
    }
    | {NOW, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)}
)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    store = RecordStore(tmp_path_factory.mktemp("moments"))
    ready(store)
    with store.write() as writing:
        rows = [{"contactid": world.guid(2, i), "createdon": m, "birthdate": m.date()} for i, m in enumerate(MOMENTS)]
        writing.insert("contact", [*rows, {"contactid": world.guid(2, 9_999)}])
    with store.read() as reading:
        yield Asking(store, NOW, reading)


def told(function, values, column):
    names = {0: (), 1: ("PropertyValue",), 2: ("PropertyValue1", "PropertyValue2")}[len(values)]
    more = "".join(f",{n}={v if isinstance(v, int) else repr(v)}" for n, v in zip(names, values, strict=True))
    return f"Microsoft.Dynamics.CRM.{function}(PropertyName='{column}'{more})"


def fetched(function, values, column):
    name = BY_FUNCTION[function].fetch
    if len(values) == 2:
        inside = "".join(f"<value>{v}</value>" for v in values)
        condition = f"<condition attribute='{column}' operator='{name}'>{inside}</condition>"
    else:
        value = f" value='{values[0]}'" if values else ""
        condition = f"<condition attribute='{column}' operator='{name}'{value} />"
    return f"<fetch><entity name='contact'><attribute name='contactid'/><filter>{condition}</filter></entity></fetch>"


def test_every_condition_on_time_is_here():
    on_time = {o.function for o in OPERATORS if o.kinds <= TIMES and o.function}
    assert on_time == set(BOUNDS) | ELSEWHERE


@pytest.mark.parametrize("function", sorted(BOUNDS))
def test_of_a_moment(asked, function):
    values, start, end = BOUNDS[function]
    start, end = at(start), at(end)
    wanted = [
        world.guid(2, i) for i, m in enumerate(MOMENTS) if (start is None or m >= start) and (end is None or m < end)
    ]
    assert asked.ids("contact", filter=told(function, values, "createdon"), select="contactid") == sorted(wanted)
    found = asked("fetch_xml", "contact", fetched(function, values, "createdon")).rows
    assert [row["contactid"] for row in found] == sorted(wanted)


@pytest.mark.parametrize("function", sorted(BOUNDS))
def test_of_a_day(asked, function):
    """The days of which some moment lies in the span."""
    values, start, end = BOUNDS[function]
    if function in HOURS:
        with pytest.raises(DataverseError, match="DateOnly"):
            asked.ids("contact", filter=told(function, values, "birthdate"))
        return
    first = at(start).date() if start else date.min
    last = (at(end) - TICK).date() if end else date.max
    wanted = {world.guid(2, i) for i, m in enumerate(MOMENTS) if first <= m.date() <= last}
    assert set(asked.ids("contact", filter=told(function, values, "birthdate"), select="contactid")) == wanted


def test_of_fiscal_periods_of_any_year_and_of_days_that_are_not(asked):
    found = asked.ids("contact", filter=told("InFiscalPeriod", (4,), "createdon"), select="contactid")
    assert set(found) == {world.guid(2, i) for i, m in enumerate(MOMENTS) if m.month >= 10}
    off = asked("fetch_xml", "contact", fetched("NotOn", ("2026-10-01",), "createdon")).rows
    assert {r["contactid"] for r in off} == {
        world.guid(2, i) for i, m in enumerate(MOMENTS) if m.date() != date(2026, 10, 1)
    }


@pytest.mark.parametrize(
    ("function", "values"),
    [
        ("LastXDays", (0,)), ("LastXDays", (-3,)), ("LastXDays", ("x",)), ("LastXDays", (10**12,)), ("On", ("soon",)),
        ("InFiscalPeriodAndYear", (5, 2026)), ("InFiscalPeriodAndYear", (1, 0)), ("InFiscalYear", (10**9,)),
        ("InFiscalPeriod", (5,)), ("On", ("2026-02-30",)),
    ],
)  # fmt: skip
def test_values_that_mean_no_time_are_refused(asked, function, values):
    with pytest.raises(DataverseError):
        asked.ids("contact", filter=told(function, values, "createdon"))


def test_spans_beyond_the_calendar_have_no_bound(asked):
    everything = {world.guid(2, i) for i, m in enumerate(MOMENTS) if m <= NOW}
    assert set(asked.ids("contact", filter=told("LastXYears", (9_999,), "createdon"))) == everything
    for column in ("createdon", "birthdate"):
        assert asked.ids("contact", filter=told("OlderThanXYears", (9_999,), column)) == []


def test_the_last_day_of_a_month_stays_in_the_month(tmp_path):
    from unify.dataverse.query.moments import moved

    assert moved(datetime(2024, 3, 31, tzinfo=UTC), -1, "months") == datetime(2024, 2, 29, tzinfo=UTC)
    assert moved(datetime(2024, 2, 29, tzinfo=UTC), 1, "years") == datetime(2025, 2, 28, tzinfo=UTC)
    assert moved(datetime(9999, 12, 31, tzinfo=UTC), 1, "months") is None
    assert moved(datetime(9999, 11, 30, tzinfo=UTC), 1, "months") == datetime(9999, 12, 30, tzinfo=UTC)


def test_names_are_unique():
    assert len(BY_FETCH) == len(OPERATORS)
    assert len(BY_FUNCTION) == sum(bool(o.function) for o in OPERATORS) >= 60
