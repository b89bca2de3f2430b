"""Differences, suggestions, similar customers and quick segments: against scipy, SQL written by hand and plain Python."""

import datetime as dt
from bisect import bisect_right
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from pyroaring import BitMap
from scipy import stats

from segments.insights import similar as like
from segments.insights.activity import Activities, by_activity
from segments.insights.coded import coded, odata
from segments.insights.columns import columns_of, load_sides
from segments.insights.differ import chi_squared, cramers_v, differ, kolmogorov_smirnov, standardised_difference
from segments.insights.quick import quick, size
from segments.insights.suggest import suggest, welch
from segments.lowering import lower
from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.compile import rows_where
from segments.predicates.fields import Catalog, Relation, Table
from unify.core.errors import QueryError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec.segment import Segment

N = 3000
CLOCK = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
TOWNS = ["Bern", "Köln", "O'Fallon", "Rom", "Ulm"]


def people(order=None):
    """Customers with what depends on their town and age, and what depends on nothing."""
    rng = np.random.default_rng(11)
    town = rng.integers(0, 5, N)
    age = rng.integers(18, 90, N)
    spend = np.round(100 * (town == 0) + 3.0 * age + rng.normal(0, 40, N) + 200, 2)
    born = np.datetime64("2024-01-01") - (age * 365).astype("timedelta64[D]")
    score = rng.normal(0, 1, N)
    columns = {
        "ordinal": pa.array(np.arange(N) * 2, pa.int32()),
        "CustomerId": [f"{i:032x}" for i in range(N)],
        "Town": [None if i % 20 == 0 else TOWNS[t] for i, t in enumerate(town)],
        "Age": pa.array([None if i % 7 == 0 else int(a) for i, a in enumerate(age)], pa.int64()),
        "Born": pa.array(born.astype("datetime64[D]")),
        "Spend": pa.array([Decimal(f"{s:.2f}") for s in spend], pa.decimal128(18, 2)),
        "Score": pa.array(score, pa.float64()),
        "Mail": [f"p{i}@mail.example" for i in range(N)],
        "News": [None if i % 3 == 0 else bool(x) for i, x in enumerate(rng.integers(0, 2, N))],
        "Tier": ["gold" if s > 450 else "silver" if s > 350 else "iron" for s in spend],
        "Empty": pa.array([None] * N, pa.string()),
        "Same": ["x"] * N,
        "Tags": pa.array([["a"]] * N),
    }
    table = pa.table(columns)
    return table if order is None else table.take(pa.array(order))


def world(order=None):
    engine = DuckDBEngine(threads=2)
    engine.load("Customer", people(order))
    rng = np.random.default_rng(5)
    n = 6000
    engine.load(
        "Orders",
        pa.table(
            {
                "OrderId": [f"o{i}" for i in range(n)],
                "Buyer": pa.array(rng.integers(0, N, n) // 2 * 4, pa.int32()),
                "Day": pa.array(np.datetime64("2024-01-01") + rng.integers(0, 400, n).astype("timedelta64[D]")),
                "Amount": pa.array(
                    [Decimal(int(x)).scaleb(-2) for x in rng.integers(1, 20_000, n)], pa.decimal128(9, 2)
                ),
            }
        ),
    )
    tables = [
        Table.of_columns(name, engine.columns(name), id="ordinal" if name == "Customer" else "")
        for name in ("Customer", "Orders")
    ]
    catalog = Catalog.of(tables, [Relation("Orders", "Customer", "ordinal", "Orders", "Buyer")])
    return engine, Model(catalog, None, keys={"Customer": "CustomerId", "Orders": "OrderId"})


@pytest.fixture(scope="module")
def here():
    engine, model = world()
    with engine:
        yield engine, model


@pytest.fixture(scope="module")
def shuffled():
    engine, model = world(np.random.default_rng(1).permutation(N))
    with engine:
        yield engine, model


def where(engine, condition):
    return BitMap(engine.fetch(Query(f"SELECT ordinal FROM Customer WHERE {condition}")).column(0).to_pylist())


def values(engine, column, condition):
    return engine.fetch(Query(f"SELECT {column} AS v FROM Customer WHERE {condition}")).column(0).to_pylist()


# ── differences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_as_scipy_has_them(here):
    engine, model = here
    found = {x.attribute: x for x in differ(engine, model, where(engine, "Town = 'Bern'")).attributes}
    for column in ("Spend", "Score"):
        a, b = (
            np.array(values(engine, f"CAST({column} AS DOUBLE)", c))
            for c in ("Town = 'Bern'", "Town IS DISTINCT FROM 'Bern'")
        )
        expected = stats.ks_2samp(a, b)
        assert found[column].score == pytest.approx(expected.statistic, abs=1e-12)
        spread = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        assert found[column].smd == pytest.approx((a.mean() - b.mean()) / spread)
        assert found[column].mean_of_members == pytest.approx(a.mean())
        assert sum(x.members for x in found[column].bands) == len(a)
        assert sum(x.others for x in found[column].bands) == len(b)
    assert [x for x in found if found[x].significant] == ["Town", "Spend", "Tier"]
    assert found["Born"].kind == "date"
    assert found["Age"].missing_of_members == pytest.approx(
        1
        - len([v for v in values(engine, "Age", "Town = 'Bern'") if v is not None])
        / len(where(engine, "Town = 'Bern'"))
    )


def test_values_as_scipy_and_sql_have_them(here):
    engine, model = here
    members = where(engine, "Spend > 450")
    found = {x.attribute: x for x in differ(engine, model, members).attributes}
    rows = engine.fetch(
        Query("SELECT Town, count(*) FILTER (Spend > 450), count(*) FILTER (Spend <= 450) FROM Customer GROUP BY Town")
    )
    table = np.array([rows.column(1).to_pylist(), rows.column(2).to_pylist()])
    a, b = table / table.sum(axis=1, keepdims=True)
    town = found["Town"]
    assert town.score == pytest.approx(np.abs(a - b).sum() / 2)
    expected = stats.chi2_contingency(table, correction=False)
    chi2, chance = chi_squared(*table.tolist())
    assert (chi2, chance) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert sum(x.members for x in town.bands) == len(members)
    assert {x.label for x in town.bands} == {*TOWNS, "missing"}
    assert found["Tier"].score == pytest.approx(1.0)  # it is made of Spend


def test_holms_correction_and_the_order(here):
    engine, model = here
    found = differ(engine, model, where(engine, "Spend > 450"))
    marks = [x.significant for x in found.attributes]
    assert marks == sorted(marks, reverse=True)
    scores = [x.score for x in found.attributes if x.significant]
    assert scores == sorted(scores, reverse=True)
    assert not {x.attribute: x for x in found.attributes}["Score"].significant


def test_what_is_left_out_has_a_reason(here):
    engine, model = here
    reasons = {x.attribute: x.reason for x in differ(engine, model, where(engine, "Spend > 450")).left_out}
    assert set(reasons) == {"ordinal", "CustomerId", "Mail", "Empty", "Same", "Tags"}
    assert "id or a name" in reasons["Mail"]
    with pytest.raises(QueryError, match="no attribute 'Towm'"):
        differ(engine, model, where(engine, "Spend > 450"), attributes=["Towm"])
    with pytest.raises(QueryError, match="it numbers customers"):
        differ(engine, model, where(engine, "Spend > 450"), attributes=["CustomerId"])
    with pytest.raises(QueryError, match="nobody in"):
        differ(engine, model, BitMap())


def test_against_another_segment_who_is_in_both_counts_once(here):
    engine, model = here
    a, b = where(engine, "Age > 40"), where(engine, "Age > 60 OR Age < 30")
    found = differ(engine, model, a, other=b, other_name="b", attributes=["Spend"])
    assert (found.members, found.others) == (len(a), len(b - a))


def test_shuffled_rows_change_nothing(here, shuffled):
    reports = []
    for engine, model in (here, shuffled):
        members = where(engine, "Spend > 450")
        reports.append(
            [
                differ(engine, model, members).model_dump_json(),
                suggest(engine, model, "Spend", clock=CLOCK).model_dump_json(),
                like.similar(engine, model, members, attributes=["Town", "Age"]).report.model_dump_json(),
                quick(engine, model, "Spend").model_dump_json(),
            ]
        )
    for one, other in zip(*reports, strict=True):
        assert one == other


def test_kolmogorov_smirnov_with_ties_and_infinities():
    rng = np.random.default_rng(2)
    for size_a, size_b in ((5, 9), (40, 7), (300, 200)):
        a, b = np.sort(rng.integers(0, 6, size_a) * 1.0), np.sort(rng.integers(1, 7, size_b) * 1.0)
        b[-1] = np.inf
        d, chance = kolmogorov_smirnov(a, b)
        assert d == pytest.approx(stats.ks_2samp(a, b).statistic)
        assert chance == pytest.approx(stats.kstwobign.sf(np.sqrt(size_a * size_b / (size_a + size_b)) * d))
    assert kolmogorov_smirnov(np.array([]), np.array([1.0])) == (0.0, 1.0)
    assert standardised_difference(np.array([1.0, np.inf]), np.array([1.0, 2.0])) is None


def test_cramers_v_corrected_for_bias():
    """Bergsma's form by its own formula; without association it is about 0, where the plain one is not."""
    rng = np.random.default_rng(8)
    table = np.stack([rng.multinomial(100, [0.05] * 20), rng.multinomial(100, [0.05] * 20)])
    chi2 = stats.chi2_contingency(table, correction=False).statistic
    n, k = 200, 20
    phi = max(0, chi2 / n - (k - 1) / (n - 1))
    expected = np.sqrt(phi / min(k - (k - 1) ** 2 / (n - 1) - 1, 2 - 1 / (n - 1) - 1))
    assert cramers_v(chi2, n, k) == pytest.approx(expected)
    assert cramers_v(chi2, n, k) < np.sqrt(chi2 / n)
    assert cramers_v(0.0, 10, 1) is None


# ── codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_codes_and_their_odata_say_the_same(here):
    """Every set of codes without gaps, as text, lowered and run, gives the customers that have these codes."""
    engine, model = here
    columns, _ = columns_of(model, ["Town", "Age", "Born", "Spend", "Score", "News"])
    load_sides(engine, where(engine, "TRUE"), BitMap())
    data = coded(engine, model, columns, most_values=50, most_bins=5)
    assert data.ordinals.tolist() == sorted(data.ordinals.tolist())
    for one in data.columns:
        last = one.bins - 1
        for allowed in (
            [0],
            [last],
            [0, last],
            list(range(last)),
            list(range(1, last)),
            [1, last],
            list(range(1, one.bins)),
        ):
            text = odata(one.column.name, one, allowed)
            expected = set(data.ordinals[np.isin(one.codes, allowed)].tolist())
            expr = lower(Segment(where=text), model).expr
            found = engine.fetch(rows_where(expr, model.catalog, "Customer", clock=CLOCK)).column(0).to_pylist()
            assert set(found) == expected, text
        assert odata(one.column.name, one, range(one.bins)) == ""
        assert len({one.label(code) for code in range(one.bins)}) == one.bins


# ── suggestions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def members_of(engine, model, definition):
    expr = lower(Segment.model_validate(definition), model).expr
    return engine.fetch(rows_where(expr, model.catalog, "Customer", clock=CLOCK)).column(0).to_pylist()


def test_suggested_groups_are_what_their_definitions_give(here):
    engine, model = here
    found = suggest(engine, model, "Spend", influencers=["Town", "Age", "News", "Score"], clock=CLOCK)
    assert 2 <= len(found.suggestions) <= 10
    average = np.mean([float(v) for v in values(engine, "Spend", "TRUE")])
    together = []
    for one in found.suggestions:
        inside = members_of(engine, model, one.definition)
        assert len(inside) == one.customers >= 15
        together += inside
        ids = ", ".join(map(str, inside))
        spend = [float(v) for v in values(engine, "Spend", f"ordinal IN ({ids})")]
        assert one.value == pytest.approx(np.mean(spend))
        assert one.average == pytest.approx(average)
        assert one.p < 0.01
        assert ("above" in one.name) == (one.value > average)
    assert len(together) == len(set(together))  # leaves of one tree
    assert any("Age" in str(one.definition) for one in found.suggestions)
    assert not any("Score" in str(one.definition) for one in found.suggestions)


def test_groups_by_a_value(here):
    engine, model = here
    found = suggest(engine, model, "Tier", influencers=["Town", "Age", "Born"], clock=CLOCK)
    assert found.suggestions
    for one in found.suggestions:
        inside = members_of(engine, model, one.definition)
        assert len(inside) == one.customers
        tier = one.name.split("_")[1]
        ids = ", ".join(map(str, inside))
        assert one.value == pytest.approx(np.mean([v == tier for v in values(engine, "Tier", f"ordinal IN ({ids})")]))


def test_chance_suggests_nothing(here):
    engine, model = here
    found = suggest(engine, model, "Score", influencers=["Town", "Age", "News"], clock=CLOCK)
    assert found.suggestions == []
    assert "none" in str(found)


@pytest.mark.parametrize(
    ("primary", "more", "message"),
    [
        ("News", {}, "News is boolean"),
        ("Born", {}, "Born is date"),
        ("Mail", {}, "3,000 values, not 2 to 10"),
        ("Spent", {}, "no attribute 'Spent'"),
        ("Spend", {"leaves": 11}, "11 groups"),
        ("Spend", {"influencers": ["Tow"]}, "no attribute 'Tow'"),
        ("Spend", {"among": BitMap(range(40))}, "too few"),
        ("Spend", {"influencers": ["Same"]}, "no attribute to describe"),
    ],
)
def test_what_suggests_nothing_says_why(here, primary, more, message):
    with pytest.raises(QueryError, match=message):
        suggest(*here, primary, clock=CLOCK, **more)


def test_welch_as_scipy_has_it():
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 30), rng.normal(0.4, 3, 50)
    assert welch(a, b) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert welch(np.array([1.0]), b) == 1.0
    assert welch(np.array([1.0, 1.0]), np.array([2.0, 2.0])) == 0.0


ORDERS = Activities("Orders", "Day", "Amount")


def test_groups_by_activity_are_parts_of_those_who_were_active(here):
    engine, model = here
    found = by_activity(
        engine, model, ORDERS, since=dt.date(2024, 2, 1), through=dt.date(2024, 11, 30), groups=4, clock=CLOCK
    )
    rows = engine.fetch(
        Query(
            "SELECT c.ordinal AS o, max(Day) AS recency, count(OrderId) AS frequency, sum(Amount) AS money "
            "FROM Customer AS c LEFT JOIN Orders ON Buyer = c.ordinal AND Day BETWEEN '2024-02-01' AND '2024-11-30' GROUP BY o"
        )
    ).to_pylist()
    active = {r["o"] for r in rows if r["frequency"]}
    inside = {one.name: set(members_of(engine, model, one.definition)) for one in found.suggestions}
    assert {one.name: one.customers for one in found.suggestions} == {n: len(s) for n, s in inside.items()}
    assert inside.pop("nothing") == {r["o"] for r in rows} - active
    for name in ("recency", "frequency", "money"):
        groups = [s for n, s in inside.items() if n.startswith(name)]
        assert set().union(*groups) == active
        assert sum(map(len, groups)) == len(active)
        at = {r["o"]: r[name] for r in rows}
        for higher, lower_group in pairwise(groups):
            assert min(at[o] for o in higher) > max(at[o] for o in lower_group)
    money = [len(s) for n, s in inside.items() if n.startswith("money")]
    assert len(money) == 4
    assert max(money) - min(money) <= 3  # few share a sum to the cent


def test_groups_by_activity_that_are_not_possible(here):
    period = {"since": dt.date(2024, 2, 1), "through": dt.date(2024, 3, 1), "clock": CLOCK}
    for groups in (1, 11):
        with pytest.raises(QueryError, match="not possible"):
            by_activity(*here, ORDERS, groups=groups, **period)
    with pytest.raises(QueryError, match="ends before"):
        by_activity(*here, ORDERS, **{**period, "since": dt.date(2025, 1, 1)})
    with pytest.raises(QueryError, match="nobody did anything"):
        by_activity(*here, ORDERS, since=dt.date(1999, 1, 1), through=dt.date(1999, 1, 2), clock=CLOCK)
    with pytest.raises(QueryError, match="Ordres"):
        by_activity(*here, Activities("Ordres", "Day"), **period)


# ── similar ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def auc_by_hand(scores, side):
    """Of all pairs of a member and another the share in which the member scores higher, ties one half."""
    a, b = scores[side], scores[~side]
    return float(((a[:, None] > b).sum() + 0.5 * (a[:, None] == b).sum()) / (len(a) * len(b)))


def test_area_under_the_curve():
    rng = np.random.default_rng(6)
    scores, side = rng.integers(0, 9, 300) * 1.0, rng.random(300) < 0.3
    auc, low = like.area(scores, side)
    assert auc == pytest.approx(auc_by_hand(scores, side))
    assert 0 < auc - low < 0.1


def test_weights_by_hand(here):
    engine, model = here
    columns, _ = columns_of(model, ["Town"])
    load_sides(engine, where(engine, "Spend > 450"), where(engine, "Spend <= 450"))
    data = coded(engine, model, columns, most_values=30, most_bins=10)
    [weights] = like.weights(data.columns, data.side, np.ones(N, bool))
    n, m = (len(where(engine, c)) for c in ("Spend > 450", "Spend <= 450"))
    for code, town in enumerate([*TOWNS, None]):
        said = "IS NULL" if town is None else "= '" + town.replace("'", "''") + "'"
        a, b = (len(where(engine, f"Town {said} AND {c}")) for c in ("Spend > 450", "Spend <= 450"))
        expected = np.log((a + 0.5) / (n + 3)) - np.log((b + 0.5) / (m + 3))
        assert weights[code] == pytest.approx(expected)


def test_a_score_is_learned_without_the_customers_it_is_tested_on(here):
    engine, model = here
    columns, _ = columns_of(model, ["Town", "Age"])
    load_sides(engine, where(engine, "Spend > 450"), where(engine, "Spend <= 450"))
    data = coded(engine, model, columns, most_values=30, most_bins=10)
    fold = like.folds(data.ordinals)
    unseen = like.cross_validated(data.columns, data.side, fold)
    flipped = data.side.copy()
    flipped[0] = ~flipped[0]
    again = like.cross_validated(data.columns, flipped, fold)
    assert again[0] == unseen[0]
    assert (again != unseen).any()
    assert set(fold.tolist()) == set(range(like.FOLDS))
    assert np.bincount(fold).min() > N / like.FOLDS * 0.8


def test_similar_customers(here):
    engine, model = here
    members = where(engine, "Spend > 450")
    found = like.similar(engine, model, members, attributes=["Town", "Age", "Born"], name="rich")
    report = found.report
    assert 0.75 < report.auc_low < report.auc < 1
    assert not found.members & members
    assert report.audience == N - len(members)
    assert report.chosen == len(found.members) <= round(0.2 * report.audience)
    chosen = np.isin(found.ordinals, np.array(found.members))
    assert found.scores[chosen].min() == report.lowest >= 0.4
    assert found.scores[chosen].min() >= found.scores[~chosen].max() or report.chosen < round(0.2 * report.audience)
    assert sum(c.customers for c in report.classes) == report.chosen
    assert ("Town", "Bern") in [(w.attribute, w.value) for w in report.weights if w.weight > 0]
    both = like.similar(
        engine, model, members, attributes=["Town", "Age", "Born"], include_members=True, share=1, lowest=0
    )
    assert both.report.chosen == N
    half = (
        both.scores[np.isin(both.ordinals, np.array(members))].mean()
        + both.scores[~np.isin(both.ordinals, np.array(members))].mean()
    )
    assert half == pytest.approx(1, abs=0.05)  # calibrated: both sides weigh the same


def test_an_audience_and_the_defining_attribute(here):
    engine, model = here
    members, some = where(engine, "Spend > 450"), where(engine, "Age > 50")
    found = like.similar(engine, model, members, audience=some, defined_by=lower(Segment(where="Spend gt 450"), model))
    assert found.report.audience == len(some - members)
    assert found.members <= some
    assert "Spend" not in found.report.attributes
    assert ("Spend", "the segment is defined by it") in [(x.attribute, x.reason) for x in found.report.left_out]


def test_chance_is_no_likeness(here):
    engine, model = here
    with pytest.raises(QueryError, match="no better than chance"):
        like.similar(engine, model, where(engine, "Town = 'Rom'"), attributes=["Score", "News"])
    with pytest.raises(QueryError, match="too few"):
        like.similar(engine, model, BitMap(range(0, 40, 2)))
    for more, message in (
        ({"share": 0}, "share"),
        ({"lowest": 2}, "score"),
        ({"attributes": ["x"]}, "no attribute 'x'"),
    ):
        with pytest.raises(QueryError, match=message):
            like.similar(engine, model, where(engine, "Spend > 450"), **more)


# ── quick segments ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_and_percentiles_by_hand(here):
    engine, model = here
    found = quick(engine, model, "Town", top=2)
    counts = {t: len(where(engine, f"Town = '{t}'")) for t in ("Bern", "Köln", "Rom", "Ulm")}
    counts["O'Fallon"] = len(where(engine, "Town = 'O''Fallon'"))
    best = sorted(counts.items(), key=lambda x: (-x[1], x[0]))[:2]
    assert [(v.value, v.customers) for v in found.values] == best
    assert (found.missing, found.different, found.percentiles) == (N // 20, 5, [])
    ages = sorted(v for v in values(engine, "Age", "Age IS NOT NULL"))
    for one in quick(engine, model, "Age").percentiles:
        enough = [a for a in sorted(set(ages)) if bisect_right(ages, a) * 100 >= one.percent * len(ages)]
        assert one.value == enough[0]
    assert quick(engine, model, "Born", percentiles=(50,)).percentiles[0].value in values(engine, "Born", "TRUE")
    with pytest.raises(QueryError, match="no percentiles"):
        quick(engine, model, "Town", percentiles=(50,))
    with pytest.raises(QueryError, match="no percentile 101"):
        quick(engine, model, "Age", percentiles=(101,))
    with pytest.raises(QueryError, match="no attribute 'Agee'"):
        quick(engine, model, "Agee")


def test_the_size_before_saving(here):
    engine, model = here
    assert size(engine, model, p.Compare("gt", p.Field("Age"), p.literal(40)), clock=CLOCK) == len(
        where(engine, "Age > 40")
    )
    both = p.And((p.Compare("gt", p.Field("Age"), p.literal(40)), p.MemberOf("bern")))
    bern = where(engine, "Town = 'Bern'")
    expected = len(where(engine, "Age > 40") & bern)
    assert size(engine, model, both, clock=CLOCK, segments={"bern": bern}) == expected
    with pytest.raises(QueryError):
        size(engine, model, both, clock=CLOCK)
