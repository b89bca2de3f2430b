"""Comparisons: the reference's worked examples, rapidfuzz as oracle, and passing means scoring enough."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, DamerauLevenshtein, JaroWinkler, Levenshtein

from unify.conflation import compare
from unify.conflation.documents import comparison_table, normalizer_table
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Criterion
from unify.spec.conditions import ComparisonKind


def single_spaced(text: str) -> str:
    """rapidfuzz takes U+0085 and U+00A0 for blanks in wide texts only; for us every Unicode blank parts words."""
    return " ".join(text.split())


ORACLES = {
    "levenshtein": Levenshtein.normalized_similarity,
    "osa": OSA.normalized_similarity,
    "damerau_levenshtein": DamerauLevenshtein.normalized_similarity,
    "jaro_winkler": JaroWinkler.similarity,
    "token_sort": lambda a, b: fuzz.token_sort_ratio(single_spaced(a), single_spaced(b)) / 100,
    "token_set": lambda a, b: fuzz.token_set_ratio(single_spaced(a), single_spaced(b)) / 100,
}
DISTANCES = {"levenshtein": Levenshtein, "osa": OSA, "damerau_levenshtein": DamerauLevenshtein}
SLOW_START = [HealthCheck.function_scoped_fixture]

# A small alphabet makes near misses likely: ASCII, two bytes, three bytes, four bytes, a combining accent, a blank.
strings = st.text(st.sampled_from("abcAé ßЖ漢😀\u0301"), max_size=12) | st.text("ab c", max_size=45) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20
)  # fmt: skip
pairs = st.lists(st.tuples(strings, strings), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as engine:
        engine.define(compare.functions())
        yield engine


def criterion(kind: str, **options) -> Criterion:
    return Criterion(field="x", compare=kind, **options)


def compared(engine, one: Criterion, values: list[tuple], sql_type=None) -> tuple[list, list]:
    """Scores and passes of pairs of values."""
    kind = sql_type or pa.string()
    columns = {"a": pa.array([a for a, _ in values], kind), "b": pa.array([b for _, b in values], kind)}
    engine.load("given_pairs", pa.table({"i": range(len(values)), **columns}))
    sql = (
        f"SELECT {compare.score(one, 'a', 'b')} AS s, {compare.passes(one, 'a', 'b')} AS p FROM given_pairs ORDER BY i"
    )
    table = engine.fetch(Query(sql))
    assert table.schema.field("s").type == pa.float64()
    assert table.schema.field("p").type == pa.bool_()
    return table.column("s").to_pylist(), table.column("p").to_pylist()


def test_there_is_one_row_for_every_comparison_of_the_spec():
    assert set(compare.COMPARISONS) == set(get_args(ComparisonKind))


@pytest.mark.parametrize("key", compare.COMPARISONS)
def test_documented_examples(engine, key):
    row = compare.COMPARISONS[key]
    assert row.examples
    scores, _ = compared(engine, criterion(key, **row.options), [(a, b) for a, b, _ in row.examples])
    assert scores == pytest.approx([score for _, _, score in row.examples], abs=1e-9)


@pytest.mark.parametrize("key", compare.COMPARISONS)
def test_no_value_gives_no_answer(engine, key):
    one = criterion(key, **compare.COMPARISONS[key].options)
    values = [(None, "1980-01-02"), ("1980-01-13", None), (None, None), (None, "é"), ("é", None)]
    assert compared(engine, one, values) == ([None] * 5, [None] * 5)


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_START)
@given(values=pairs)
@pytest.mark.parametrize("key", ORACLES)
def test_scores_are_those_of_rapidfuzz_for_any_text(engine, key, values):
    scores, _ = compared(engine, criterion(key, precision=80), values)
    wanted = [1.0 if a == b else ORACLES[key](a, b) for a, b in values]
    assert scores == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_START)
@given(values=pairs, precision=st.integers(1, 100))
@pytest.mark.parametrize("key", ORACLES)
def test_passing_is_scoring_at_least_the_precision(engine, key, values, precision):
    scores, passed = compared(engine, criterion(key, precision=precision), values)
    assert passed == [score >= precision / 100 for score in scores]
    if key in DISTANCES:
        lengths = [max(len(a), len(b)) or 1 for a, b in values]
        exact = [1 - Fraction(DISTANCES[key].distance(a, b), m) for (a, b), m in zip(values, lengths, strict=True)]
        assert passed == [score >= Fraction(precision, 100) for score in exact]


@pytest.mark.parametrize("key", DISTANCES)
def test_no_precision_is_missed_by_a_rounding_error(engine, key):
    for length in (3, 7, 10, 20, 25, 50, 100):
        for edits in range(length + 1):
            precision, rest = divmod(100 * (length - edits), length)
            if rest == 0 and precision:
                value = ("a" * length, "b" * edits + "a" * (length - edits))
                scores, passed = compared(engine, criterion(key, precision=precision), [value])
                assert (passed, scores[0] >= precision / 100) == ([True], True), (length, edits)


@settings(max_examples=50, deadline=None, suppress_health_check=SLOW_START)
@given(values=pairs)
@pytest.mark.parametrize(
    "one",
    [
        criterion("exact"),
        criterion("phonetic"),
        criterion("prefix", within=2),
        *(
            criterion(k, precision=100)
            for k in ("levenshtein", "osa", "damerau_levenshtein", "jaro_winkler", "token_sort")
        ),
    ],
    ids=lambda c: c.compare,
)
def test_equal_join_keys_are_what_passing_means(engine, one, values):
    _, passed = compared(engine, one, values)
    sql = f"SELECT {compare.join_key(one, 'a')} = {compare.join_key(one, 'b')} AS k FROM given_pairs ORDER BY i"
    keys = engine.fetch(Query(sql)).column("k").to_pylist()
    if one.compare == "token_sort":  # nothing but blanks: no words on either side, which rapidfuzz does not call equal
        values, passed, keys = (
            zip(*(r for r in zip(values, passed, keys, strict=True) if all(v.strip() for v in r[0])), strict=True)
            if any(all(v.strip() for v in value) for value in values)
            else ((), (), ())
        )
    assert list(passed) == list(keys)


@pytest.mark.parametrize("one", [criterion("levenshtein", precision=99), criterion("token_set", precision=100)])
def test_what_is_no_equality_has_no_join_key(one):
    assert not one.is_exact
    with pytest.raises(ValueError, match="no equality"):
        compare.join_key(one, "x")


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_START)
@given(
    values=st.lists(st.tuples(*[st.decimals(-1000, 1000, places=2)] * 2), min_size=1, max_size=20),
    within=st.decimals(0, 50, places=2),
)
def test_numbers_pass_by_their_exact_difference(engine, values, within):
    one = criterion("number", within=float(within))
    for kind, cast in ((pa.decimal128(18, 2), Decimal), (pa.float64(), float), (pa.string(), str)):
        scores, passed = compared(engine, one, [(cast(a), cast(b)) for a, b in values], kind)
        assert passed == [abs(a - b) <= within for a, b in values]
        assert passed == [score >= 0.5 for score in scores]
        assert [score == 1 for score in scores] == [a == b for a, b in values]


def test_numbers_beyond_decimals_and_texts_that_are_none(engine):
    one = criterion("number", within=1)
    values = [("1e30", "1e30"), ("1e30", "2e30"), ("5", "five"), ("inf", "1")]
    assert compared(engine, one, values)[1] == [True, False, None, False]


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW_START)
@given(
    values=st.lists(st.tuples(*[st.dates(dt.date(1899, 12, 1), dt.date(1901, 2, 1))] * 2), min_size=1, max_size=20),
    within=st.integers(0, 40),
    swap=st.booleans(),
)
def test_dates_pass_by_days_or_by_day_and_month_exchanged(engine, values, within, swap):
    def passes(a: dt.date, b: dt.date) -> bool:
        exchanged = swap and b.day <= 12 and a == b.replace(day=b.month, month=b.day)
        return abs((a - b).days) <= within or exchanged

    one = criterion("date", within=within, swap=swap)
    for kind in (pa.date32(), pa.timestamp("us")):
        rows = (
            values if kind == pa.date32() else [tuple(dt.datetime.combine(d, dt.time(13)) for d in v) for v in values]
        )
        scores, passed = compared(engine, one, rows, kind)
        assert passed == [passes(a, b) for a, b in values]
        assert passed == [score >= 0.5 for score in scores]
        assert [score == 1 for score in scores] == [a == b for a, b in values]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"field": "EMail"}, "EMail is equal"),
        (
            {"field": "FullName", "precision": "high", "normalize": ["name", "lower"]},
            "FullName is at least 80 % alike (edit distance), after: name, lower",
        ),
        ({"field": "FullName", "precision": "exact"}, "FullName is equal"),
        ({"field": "EMail", "normalize": [{"bypass": "junk"}]}, "EMail is equal, after: bypass(junk)"),
        ({"fields": ["Mobile", "Phone"]}, "any of Mobile, Phone is equal"),
        ({"left": "Mail", "right": ["EMail", "EMail2"]}, "Mail, compared with any of EMail, EMail2, is equal"),
        ({"field": "BirthDate", "differs": True}, "BirthDate differs"),
        (
            {"field": "BirthDate", "compare": "date", "within": 2, "swap": True},
            "BirthDate is at most 2 days apart or has day and month exchanged",
        ),
        (
            {"field": "Name", "compare": "token_sort", "precision": 100},
            "Name is at least 100 % alike in any order of words",
        ),
    ],
)
def test_sentences(options, text):
    assert compare.sentence(Criterion(**options)) == text


def test_the_page_about_them_shows_the_tables_of_the_code():
    page = (Path(__file__).parents[2] / "docs" / "normalisers-and-comparisons.md").read_text(encoding="utf-8")
    assert normalizer_table() in page
    assert comparison_table() in page
