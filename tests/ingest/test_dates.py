"""Dates, against Python's datetime."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.dates import to_strptime
from ingest.load import load
from ingest.types import DATE, DATETIME, Reading
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as made:
        made.connection.execute("SET TimeZone = 'America/New_York'")  # what the machine thinks must not matter
        yield made


def read(engine, text, kind=DATETIME, **options):
    sql = f"SELECT {Reading(kind, **options).sql('x')} AS v FROM (SELECT $text AS x)"
    return engine.fetch(Query(sql, {"text": text})).to_pylist()[0]["v"]


moments = st.datetimes(min_value=datetime.fromisoformat("1000-01-01"), max_value=datetime.fromisoformat("9990-12-31"))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=25, deadline=None)
@given(moments, st.sampled_from("T "), st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]))
def test_iso(engine, moment, sep, precision):
    text = moment.isoformat(sep, precision)
    assert read(engine, text) == datetime.fromisoformat(text)
    assert read(engine, moment.date().isoformat(), DATE) == moment.date()


@settings(max_examples=25, deadline=None)
@given(moments.filter(lambda m: 1001 < m.year < 9989), offsets)
def test_instants_become_utc(engine, moment, offset):
    zoned = moment.replace(tzinfo=offset)
    assert read(engine, zoned.isoformat()) == zoned.astimezone(UTC).replace(tzinfo=None)
    assert read(engine, zoned.isoformat(" ").replace("+", " +")) == zoned.astimezone(UTC).replace(tzinfo=None)
    assert read(engine, moment.isoformat() + "Z") == moment


@settings(max_examples=25, deadline=None)
@given(moments, st.sampled_from(["%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%Y, %I:%M:%S %p", "%m/%d/%Y %H:%M:%S"]))
def test_en_us(engine, moment, spelling):
    text = moment.strftime(spelling)
    assert read(engine, text) == datetime.strptime(text, spelling)  # noqa: DTZ007 - naive on purpose
    short = f"{moment.month}/{moment.day}/{moment.year}"
    assert read(engine, short, DATE) == moment.date()


@settings(max_examples=20, deadline=None)
@given(moments, st.sampled_from("/.-"))
def test_day_first_when_said(engine, moment, mark):
    text = f"{moment.day}{mark}{moment.month:02}{mark}{moment.year}"
    assert read(engine, text, DATE, dates="day-first") == moment.date()
    assert read(engine, f"{text} {moment:%H:%M}", dates="day-first") == moment.replace(second=0, microsecond=0)
    assert read(engine, moment.date().isoformat(), DATE, dates="day-first") == moment.date()


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2/30/2024", "13/1/2024", "5/8/86", "2024-5-1", "2024/05/01", "20240501", "2024-05-01T25:00", "now",
     "2024-05-01T10:00 EST", "2024-05-01T10:00+25:00", "5/8/2024 13:00 PM", "infinity", "1/1/+999", "2024-05-01T10",
     "1.2.2024"],
)  # fmt: skip
def test_what_is_no_date(engine, text):
    assert read(engine, text) is None
    assert read(engine, text, DATE) is None


def test_a_date_with_a_time_of_day_is_refused_but_midnight_is_not(engine):
    assert read(engine, "2024-05-17 00:00:00", DATE) == date(2024, 5, 17)
    assert read(engine, "5/17/2024 12:00:00 AM", DATE) == date(2024, 5, 17)
    assert read(engine, "2024-05-17 00:00:01", DATE) is None


@pytest.mark.parametrize(
    ("java", "strptime"),
    [
        ("dd.MM.yyyy", "%d.%m.%Y"), ("M/d/yy", "%m/%d/%y"), ("yyyyMMdd", "%Y%m%d"), ("dd MMM yyyy", "%d %b %Y"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "%Y-%m-%dT%H:%M:%S.%g%z"),
        ("d 'o''clock' MMMM yyyy h a", "%d o'clock %B %Y %I %p"),
        ("%d/%m/%Y", "%d/%m/%Y"),
    ],
)  # fmt: skip
def test_java_patterns(java, strptime):
    assert to_strptime(java, "") == strptime


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("dd.MM.jjjj", "unknown 'jjjj'"), ("dd.MM", "is not a date"), ("HH:mm", "is not a date"),
     ("dd.MM.yyyy'x", "not closed"),
     ("%d.%m.%Q", "unknown '%Q'"), ("%d.%m", "is not a date"), ("%d.%m.%Y%", "unknown '%'")],
)  # fmt: skip
def test_wrong_patterns(pattern, message):
    with pytest.raises(SpecError, match=message):
        to_strptime(pattern, "here")


def test_declared_formats_in_order(engine):
    formats = ("dd.MM.yyyy", "MM.dd.yyyy", "%Y%m%d")
    assert read(engine, "03.04.2024", DATE, formats=formats) == date(2024, 4, 3)
    assert read(engine, "03.24.2024", DATE, formats=formats) == date(2024, 3, 24)
    assert read(engine, "20240324", DATE, formats=formats) == date(2024, 3, 24)
    assert read(engine, "2024-03-24", DATE, formats=formats) is None
    assert read(engine, "3.4.24", DATE, formats=formats) is None
    assert read(engine, "3.4.24", DATE, formats=("d.M.yy",)) == date(2024, 4, 3)
    assert read(engine, "17.05.2024 23:00 -02:00", formats=("dd.MM.yyyy HH:mm XXX",)) == datetime.fromisoformat(
        "2024-05-18T01:00"
    )


def loaded(engine, tmp_path, values, **options):
    (tmp_path / "a.csv").write_text("id,v\n" + "".join(f'{i},"{v}"\n' for i, v in enumerate(values)))
    report = load(engine, "s.T", Entity(files="a.csv", key="id", **options), base=tmp_path)
    return report, [r["v"] for r in engine.fetch(Query("SELECT v FROM s_T ORDER BY id")).to_pylist()]


def test_mixed_spellings_in_one_column(engine, tmp_path):
    """Every value parses under ISO or en-US: the column is one of instants, and the report names both spellings."""
    report, values = loaded(engine, tmp_path, ["2024-05-17", "5/17/2024 9:30 PM", "2024-05-17T10:00:00Z"])
    assert (report.columns[1].type, report.columns[1].format) == ("datetime", "iso, en-US")
    assert [v.hour for v in values] == [0, 21, 10]


def test_spellings_beyond_the_sample(engine, tmp_path):
    report, values = loaded(engine, tmp_path, [*["2024-05-17"] * 3000, "5/18/2024", "2024-05-19"])
    assert report.columns[1].format == "iso, en-US"
    assert values[-2:] == [date(2024, 5, 18), date(2024, 5, 19)]


def test_day_first_columns_are_named_not_guessed(engine, tmp_path):
    report, values = loaded(engine, tmp_path, ["17.05.2024", "01.02.2024"])
    assert report.columns[1].type == "string"
    assert "day stands first" in report.warnings[0]
    report, values = loaded(engine, tmp_path, ["17.05.2024", "01.02.2024"], dates="day-first")
    assert values == [date(2024, 5, 17), date(2024, 2, 1)]
    assert report.columns[1].format == "day-first"
    assert loaded(engine, tmp_path, ["01/02/2024"])[1] == [date(2024, 1, 2)]
    assert loaded(engine, tmp_path, ["01/02/2024"], dates="iso")[1] == ["01/02/2024"]


def test_a_declared_date_quarantines_and_names_the_value(engine, tmp_path):
    columns = {"v": {"type": "date", "format": "dd.MM.yyyy"}}
    report, values = loaded(engine, tmp_path, ["17.05.2024", "2024-05-17", ""], columns=columns)
    assert values == [date(2024, 5, 17), None]
    assert dict(report.reasons) == {"not a date": 1}
    assert report.columns[1].format == "dd.MM.yyyy"
    [bad] = engine.fetch(Query('SELECT line, "column", value FROM s_T_corrupt')).to_pylist()
    assert bad == {"line": 3, "column": "v", "value": "2024-05-17"}
