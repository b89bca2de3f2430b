"""Figures against pandas, numpy and scipy."""

import json
import math
import time
import uuid
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ingest.profile import QUANTILES, EntityProfile
from ingest.profile_sql import BINS, TOP
from ingest.profile_view import as_text
from ingest.profiler import profile
from unify.core.errors import QueryError
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
SHARES = list(QUANTILES.values())


def profiled(table: pa.Table, corrupt: pa.Table | None = None, **options) -> EntityProfile:
    with DuckDBEngine(threads=2) as engine:
        engine.connection.execute("SET TimeZone = 'Asia/Tokyo'")  # figures must not hang on it
        engine.load("crm_T", table)
        if corrupt is not None:
            engine.load("crm_T_corrupt", corrupt)
        return profile(engine, "crm.T", now=NOW, **options)


def one(values, sqltype=None, **options):
    return profiled(pa.table({"x": pa.array(values, sqltype)}), **options)["x"]


def close(a, b):
    return a == pytest.approx(b, rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    return np.random.default_rng(7).gamma(2.0, 300.0, 20_000)


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_agree_with_numpy_scipy_and_pandas(numbers):
    found = one([*numbers, None, None])
    series = pd.Series(numbers)
    assert (found.count, found.missing, found.distinct, found.exact) == (20_000, 2, series.nunique(), True)
    assert (found.min, found.max) == (numbers.min(), numbers.max())
    assert close(list(found.quantiles.values()), list(np.quantile(numbers, SHARES)))
    assert list(found.quantiles) == ["p0D1", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "p99D9"]
    moments = found.moments
    assert moments is not None
    assert close(moments.mean, numbers.mean())
    assert close(moments.variance, series.var())
    assert close(moments.standard_deviation, series.std())
    assert close(moments.skewness, stats.skew(numbers, bias=False))
    assert close(moments.kurtosis, stats.kurtosis(numbers, bias=False))
    assert close(moments.skewness, series.skew())
    assert close(moments.kurtosis, series.kurt())
    counts, edges = np.histogram(numbers, bins=BINS)
    assert [b.count for b in found.histogram] == list(counts)
    assert close([b.lower for b in found.histogram], list(edges[:-1]))
    assert found.histogram[-1].upper == numbers.max()


def test_moments_do_not_cancel_far_from_zero(numbers):
    """Sums of powers of such values lose every digit; scipy subtracts the mean first, and so do we."""
    far = np.round(numbers) + 1e12
    moments = one(far).moments
    assert moments is not None
    assert moments.skewness == pytest.approx(stats.skew(far, bias=False), rel=1e-6)
    assert moments.kurtosis == pytest.approx(stats.kurtosis(far, bias=False), rel=1e-6)


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0, 5.0], [0.1] * 7])
def test_equal_values_have_no_shape(values):
    moments = one(values).moments
    assert moments is not None
    assert moments.mean == values[0]
    assert moments.variance == (0.0 if len(values) > 1 else None)
    assert moments.skewness is moments.kurtosis is None
    [only] = one(values).histogram
    assert (only.lower, only.upper, only.count) == (values[0], values[0], len(values))


def test_infinity_and_nan_are_values_but_have_no_place_on_the_axis():
    found = one([1.0, 3.0, math.inf, math.nan, None])
    assert (found.count, found.missing, found.distinct) == (4, 1, 4)
    assert found.moments is not None
    assert found.moments.mean == 2.0
    assert sum(b.count for b in found.histogram) == 2
    json.dumps(profiled(pa.table({"x": [math.inf, -math.inf, math.nan]})).as_dict(), allow_nan=False)


def test_the_whole_range_of_doubles_is_no_overflow():
    found = one([-1.7e308, 1.7e308, 0.0, 1.0])
    assert sum(b.count for b in found.histogram) == 4
    assert found.moments is not None
    assert found.moments.variance is None
    assert one([1.7e308, 1.6e308]).moments.mean is None
    assert one([1e200, 3e200, 1e150]).moments.mean == pytest.approx(4e200 / 3)


def test_decimals_stay_exact():
    found = one([Decimal("0.10"), Decimal("12345678901234567.89"), Decimal("0.10")], pa.decimal128(20, 2))
    assert found.max == Decimal("12345678901234567.89")
    assert found.top[0].value == Decimal("0.10")
    assert found.as_dict("crm.T", NOW)["max"] == "12345678901234567.89"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(10**6), 10**6) | st.none(), max_size=40)
    | st.lists(st.floats(-1e6, 1e6, width=32) | st.none(), max_size=40)
)
def test_any_numbers(values):
    present = [v for v in values if v is not None]
    kind = pa.int64() if all(isinstance(v, int) for v in present) else pa.float64()
    found = one(values, kind)
    assert (found.count, found.missing) == (len(present), len(values) - len(present))
    assert found.distinct == len(set(present))
    expected = sorted(Counter(present).items(), key=lambda item: (-item[1], item[0]))[:TOP]
    assert [(v.value, v.count) for v in found.top] == expected
    if not present:
        assert (found.histogram, found.quantiles, found.moments, found.min) == ((), {}, None, None)
        return
    edges = [b.lower for b in found.histogram] + [found.histogram[-1].upper]
    if len(set(present)) > 1:
        assert [b.count for b in found.histogram] == list(np.histogram(present, bins=edges)[0])
    assert edges[0] <= min(present) <= max(present) <= edges[-1]
    assert list(found.quantiles.values()) == pytest.approx(np.quantile(present, SHARES), rel=1e-9, abs=1e-9)


# ── times, texts and the rest ────────────────────────────────────────────────────────────────────────────────────────


def test_dates_and_times_have_quantiles_that_occur_and_a_histogram():
    days = [date(1950, 1, 1) + timedelta(days=(i * i) % 20_011) for i in range(999)]
    moments = [datetime.combine(d, datetime.min.time()) + timedelta(microseconds=i) for i, d in enumerate(days)]
    zoned = [m.replace(tzinfo=UTC) for m in moments]
    found = profiled(pa.table({"day": days, "moment": moments, "zoned": zoned}))
    for name, values in (("day", days), ("moment", moments), ("zoned", moments)):
        a = found[name]
        expected = np.quantile(np.array(values, "datetime64[us]"), SHARES, method="inverted_cdf")
        assert [np.datetime64(v, "us") for v in a.quantiles.values()] == list(expected)
        assert (a.min, a.max, a.moments) == (min(values), max(values), None)
        assert sum(b.count for b in a.histogram) == len(values)
        for b in a.histogram[:-1]:
            assert b.count == sum(b.lower <= v < b.upper for v in values)
    assert all(type(b.lower) is date for b in found["day"].histogram)


def test_a_small_range_of_whole_steps_gets_a_bin_per_step():
    assert [(b.lower, b.count) for b in one([1, 2, 2, 5]).histogram] == [(1, 1), (2, 2), (3, 0), (4, 0), (5, 1)]
    days = [date(2024, 1, 1), date(2024, 1, 3)]
    assert [(b.lower, b.count) for b in one(days).histogram] == [(days[0], 1), (date(2024, 1, 2), 0), (days[1], 1)]


def test_texts_booleans_guids_and_lists():
    guids = [str(uuid.UUID(int=i)) for i in (3, 1, 2)]
    with DuckDBEngine(threads=1) as engine:
        lists = f"['b', 'a', 'b'] AS text, [true, false, null] AS flag, {guids}::UUID[] AS id, [[1], [1], [1]] AS list"
        columns = ", ".join(f"unnest({name}) AS {name}" for name in ("text", "flag", "id", "list"))
        rows = f"SELECT {columns} FROM (SELECT {lists})"
        engine.build(Step("crm_T", Query(rows), "make"))
        found = profile(engine, "crm.T", now=NOW)
    assert [(v.value, v.count) for v in found["text"].top] == [("b", 2), ("a", 1)]
    assert (found["text"].min, found["text"].max, found["text"].histogram) == ("a", "b", ())
    assert [(v.value, v.count) for v in found["flag"].top] == [(False, 1), (True, 1)]
    assert (found["id"].min, found["id"].max) == (guids[1], guids[0])
    assert (found["list"].distinct, found["list"].min) == (1, None)
    json.dumps(found.as_dict(), allow_nan=False)


def test_an_entity_without_rows():
    found = profiled(pa.table({"Id": pa.array([], pa.string()), "n": pa.array([], pa.int64())}))
    assert found.rows == 0
    assert found.suggested_key is None
    assert (found["n"].distinct, found["n"].top, found["n"].moments) == (0, (), None)
    assert "crm.T: 0 rows" in repr(found)


def test_column_names_are_only_names():
    names = ["n", "value", "b", 'a"b', "select", "count_0", "$x", "bucket", "Größe [m]"]
    found = profiled(pa.table({name: [1, 1, 2] for name in names}), exact_distinct=0)
    assert [a.name for a in found.attributes] == names
    assert all([(v.value, v.count) for v in a.top] == [(1, 2), (2, 1)] for a in found.attributes)
    assert "Größe [m]" in repr(found)


# ── quarantine ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_errors_count_rows_per_column():
    details = [
        [{"column": "Born", "reason": "r", "value": "x"}, {"column": "Total", "reason": "r", "value": "y"}],
        [{"column": "Born", "reason": "r", "value": "x"}],
        [],
        [{"column": None, "reason": "wrong column count", "value": None}],
    ]
    corrupt = pa.table({"column": ["Born", "Born", "Total", None], "details": [json.dumps(d) for d in details]})
    table = pa.table({"Born": [date(2000, 1, 1)], "Total": [1]})
    found = profiled(table, corrupt)
    assert found.quarantined == 4
    assert (found["Born"].errors, found["Total"].errors) == (2, 2)
    assert found.as_dict()["corruptAttributes"] == "Born,Total"
    assert "4 quarantined" in repr(found)
    assert profiled(table, corrupt.drop_columns("details"))["Total"].errors == 1


# ── many values ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_many_different_values_are_estimated_and_flagged():
    rng = np.random.default_rng(3)
    rare = [f"user{i}@example.com" for i in rng.permutation(50_000)]
    values = [*rare, *["noreply@example.com"] * 400, *["info@example.com"] * 300]
    answers = []
    for seed in (1, 2):
        np.random.default_rng(seed).shuffle(values)
        answers.append(one(values, exact_distinct=1000))
    assert answers[0] == answers[1], "the order of rows changes nothing"
    found = answers[0]
    assert not found.exact
    assert found.distinct == pytest.approx(50_002, rel=0.1)
    assert [(v.value, v.count) for v in found.top[:2]] == [("noreply@example.com", 400), ("info@example.com", 300)]
    assert one(values).exact
    assert one(values).distinct == 50_002


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ({"Email": ["a", "b"], "ContactId": ["1", "2"]}, "ContactId"),
        ({"ContactId": ["1", "1"], "LoyaltyNo": [1, 2]}, "LoyaltyNo"),
        ({"Code": ["x", None], "Name": ["a", "b"]}, None),
        ({"Name": ["a", "b"], "Other": ["a", "b"]}, "Name"),
        ({"OrderId": [1.5, 2.5]}, None),
        ({"Id": ["only"]}, None),
    ],
)
def test_the_suggested_key(columns, key):
    for limit in (0, 1000):  # estimated counts are checked exactly before a key is suggested
        found = profiled(pa.table(columns), exact_distinct=limit)
        assert found.suggested_key == key
        assert sum(a.suggested_key for a in found.attributes) == (key is not None)


# ── the wire, the pictures, errors, speed ────────────────────────────────────────────────────────────────────────────


def test_wire_keys_are_those_of_the_official_client():
    found = profiled(pa.table({"Id": [1, 2, 3], "On": [date(2024, 1, d) for d in (1, 2, 3)]})).as_dict()
    assert set(found) == {
        "qualifiedEntityName", "rowCount", "quarantineRowCount", "profilingDate", "profiledAttributes",
        "corruptAttributes", "attributeDataProfiles",
    }  # fmt: skip
    assert found["qualifiedEntityName"] == "crm_T"
    assert found["profiledAttributes"] == "Id,On"
    [number, day] = found["attributeDataProfiles"]
    assert set(number) == {
        "qualifiedEntityName", "attributeName", "min", "max", "count", "missingCount", "errorCount",
        "uniqueValueCount", "valueCounts", "histogram", "quantiles", "moments", "profilingDate",
        "isSuggestedPrimaryKey", "checkIfExactStats",
    }  # fmt: skip
    assert set(number["moments"]) == {"mean", "standardDeviation", "variance", "skewness", "kurtosis"}
    assert set(number["quantiles"]) == set(QUANTILES)
    assert number["histogram"][0] == {"lowerBound": 1.0, "upperBound": 2.0, "count": 1}
    assert number["valueCounts"][0] == {"value": "1", "count": 1}
    assert number["isSuggestedPrimaryKey"]
    assert day["moments"] is None
    assert day["quantiles"]["p50"] == day["histogram"][1]["lowerBound"] == "2024-01-02"
    json.dumps(found, allow_nan=False)


def test_pictures_show_the_figures_and_escape_the_data():
    found = profiled(pa.table({"Id": ["1", "2", "3"], "<b>Note[/b]": ["<script>", "<script>", None], "n": [1, 1, 9]}))
    text = as_text(found, width=120)
    assert "Id (key?)" in text
    assert "33.3 %" in text
    assert "<script> (2)" in text
    assert "<b>Note[/b]" in text
    assert max(map(len, text.splitlines())) <= 120
    assert max(map(len, as_text(found, width=50).splitlines())) <= 50
    html = found._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt; (2)" in html
    assert html.count("<rect") == 9


def test_unknown_names_say_what_is_there():
    table = pa.table({"EMail": ["a"]})
    assert [a.name for a in profiled(table, columns=["EMail"]).attributes] == ["EMail"]
    with pytest.raises(QueryError, match="no column 'Email'") as caught:
        profiled(table, columns=["Email"])
    assert "did you mean EMail?" in caught.value.hint
    with DuckDBEngine() as engine, pytest.raises(QueryError, match="no table crm_T"):
        profile(engine, "crm.T")


@pytest.mark.soak
def test_a_million_rows_of_fifteen_columns_take_seconds():
    with DuckDBEngine(threads=2) as engine:
        texts = ", ".join(f"'v' || hash(i + {n}) % {10 ** (n % 7 + 1)} AS t{n}" for n in range(9))
        figures = ", ".join(f"(hash(i + {n}) % 100000) / 7.0 AS x{n}" for n in range(3))
        others = "'C' || i AS Id, DATE '1950-01-01' + CAST(hash(i) % 20000 AS INTEGER) AS d, i % 2 = 0 AS b"
        rows = f"SELECT {others}, {texts}, {figures} FROM range(1000000) r(i)"
        engine.build(Step("crm_T", Query(rows), "make"))
        started = time.perf_counter()
        found = profile(engine, "crm.T")
    assert time.perf_counter() - started < 10  # measured 1.6 s on two idle cores
    assert (len(found.attributes), found.suggested_key) == (15, "Id")
