"""Letters beside values: their bound never loses a pair, and rules give the same with them as without."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.conflation import compare
from unify.conflation.letters import LETTERS, letters, letters_of
from unify.spec import Criterion

TEXTS = st.text(st.sampled_from("abcdeé -'\t\x1f0"), min_size=1, max_size=12)
EDITED = st.tuples(TEXTS, TEXTS, st.booleans()).map(lambda t: (t[0], t[0][::-1] + t[1][:1] if t[2] else t[1]))


@settings(deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=20), st.integers(0, 3))
def test_each_bit_says_whether_a_character_stands_an_odd_number_of_times(texts, skipped):
    column = pa.array(["x", None, "yz", *texts], pa.string()).slice(skipped)
    for text, found in zip(column.to_pylist(), letters(column).to_pylist(), strict=True):
        if text is None or not text.isascii():
            assert found is None
            continue
        odd = [c for c in set("".join(text.split())) if text.count(c) % 2]
        expected = 0
        for c in odd:
            expected ^= 1 << (ord(c) % 64)
        assert found % 2**64 == expected


@pytest.fixture(scope="module")
def engine():
    from unify.engines.duckdb import DuckDBEngine

    with DuckDBEngine() as engine:
        engine.define(compare.functions())
        yield engine


@settings(deadline=None)
@given(st.lists(EDITED, min_size=1, max_size=30), st.sampled_from([60, 75, 80, 95]))
@pytest.mark.parametrize("how", ["levenshtein", "osa", "damerau_levenshtein", "token_sort"])
def test_a_pair_passes_with_letters_when_it_passes_without(engine, how, pairs, precision):
    criterion = Criterion(field="x", compare=how, precision=precision)
    assert compare.tells_by_letters(criterion)
    a, b = zip(*pairs, strict=True)
    engine.load(
        "pairs",
        pa.table({"a": a, "b": b, letters_of("a"): letters(pa.array(a)), letters_of("b"): letters(pa.array(b))}),
    )
    plain, lettered = compare.passes(criterion, "a", "b"), compare.passes(criterion, "a", "b", True)
    rows = engine.connection.execute(f"SELECT a, b, {plain}, {lettered} FROM pairs").fetchall()
    assert all(with_letters is without for _, _, without, with_letters in rows), rows


def test_letters_tell_most_strangers_apart():
    criterion = Criterion(field="x", compare="token_sort", precision=95)
    apart = compare.COMPARISONS["token_sort"].sql.apart
    assert apart is not None
    with duckdb.connect() as connection:
        names = ["mary smith", "smith mary", "john miller", "ada okafor", "jon miller"]
        table = pa.table({"v": names, "v_letters": letters(pa.array(names))})
        connection.register("names", table)
        told = connection.execute(
            f"SELECT l.v, r.v FROM names AS l JOIN names AS r ON l.v < r.v WHERE NOT {apart(criterion, 'l.v', 'r.v')}"
        ).fetchall()
    assert set(told) == {("mary smith", "smith mary"), ("john miller", "jon miller")}


@pytest.mark.parametrize(
    "condition",
    [{"precision": 59}, {"precision": 100}, {"compare": "jaro_winkler", "precision": 90}, {"compare": "exact"}],
)
def test_letters_are_made_only_where_they_help(condition):
    assert not compare.tells_by_letters(Criterion(field="x", **condition))


def test_a_null_has_no_letters_in_sql():
    assert LETTERS.call(pa.array([None], pa.string())).to_pylist() == [None]
