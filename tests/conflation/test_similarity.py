"""similar_values against brute force: no pair missed, none invented, every comparison, every threshold."""

import random
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.compare import sentence
from unify.conflation.similarity import pairs, plan, scan, strings, tokens, values
from unify.conflation.similarity.join import similar_values
from unify.core.errors import OverloadError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Criterion

_spec = spec_from_file_location("oracle_similarity", Path(__file__).parents[1] / "oracles" / "similarity.py")
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

TEXTS = ("levenshtein", "osa", "damerau_levenshtein", "jaro_winkler", "token_sort", "token_set")
PLENTY = 10**18


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


@pytest.fixture(params=["cheapest", "segments", "scan", "blocks"])
def way(request, monkeypatch):
    """Make the plan choose one way wherever it applies, with chunks so small that every loop turns several times."""
    if request.param == "cheapest":
        return request.param
    for way, price in (
        ("segments", "PROBE_NS"),
        ("scan", "SCAN_NS"),
        ("blocks", "BLOCK_NS"),
        ("blocks", "SLOW_BLOCK_NS"),
    ):
        if way != request.param:
            monkeypatch.setattr(plan, price, 1e15)
    for module, name, size in (
        (values, "CHUNK", 13),
        (pairs, "EXPAND", 7),
        (strings, "PROBE_ROWS", 5),
        (strings, "PENDING", 9),
        (tokens, "PROBE_WORDS", 5),
        (strings, "BLOCK_ROWS", 3),
        (strings, "BLOCK_COLUMNS", 11),
        (scan, "ROWS", 3),
        (scan, "COLUMNS", 11),
    ):
        monkeypatch.setattr(module, name, size)
    return request.param


def criterion(compare, precision=None, **more):
    return Criterion(field="X", compare=compare, precision=precision, **more)


def run(engine, crit, left, right=None, *, max_pairs=PLENTY, overload="refuse"):
    engine.load("l_values", pa.table({"value": pa.array(left, pa.string())}))
    if right is not None:
        engine.load("r_values", pa.table({"value": pa.array(right, pa.string())}))
    report = similar_values(
        engine, crit, "l_values", None if right is None else "r_values", "found", max_pairs=max_pairs, overload=overload
    )
    rows = engine.fetch(Query("SELECT a, b, score FROM found")).to_pylist()
    assert len(rows) == report.pairs
    pairs = {(r["a"], r["b"]): r["score"] for r in rows}
    assert len(pairs) == len(rows), "a pair came twice"
    return pairs, report


def check(engine, crit, left, right=None):
    found, report = run(engine, crit, left, right)
    expected = oracle.all_pairs(crit, left, right)
    assert found.keys() == expected.keys()
    for pair, score in expected.items():
        assert found[pair] == pytest.approx(score, abs=1e-12)
    return found, report


FEW_LETTERS = st.text(alphabet="aab cé", max_size=9)
WORDS = st.lists(
    st.sampled_from(["ana", "anna", "lee", "le", "li", "o", "maria", "marai", "Żółć", "李", "小龍"]), max_size=4
)
VALUES = st.lists(st.one_of(FEW_LETTERS, WORDS.map(" ".join), st.text(max_size=6)), max_size=25)


def storable(values):
    return [v for v in values if "\x00" not in v and not any(0xD800 <= ord(c) < 0xE000 for c in v)]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TEXTS), st.integers(1, 99), VALUES, st.one_of(st.none(), VALUES))
def test_all_pairs_and_only_those(engine, way, compare, precision, left, right):
    del way
    check(engine, criterion(compare, precision), storable(left), None if right is None else storable(right))


@pytest.mark.parametrize("compare", ["levenshtein", "osa", "damerau_levenshtein", "token_sort"])
def test_each_way_is_taken_when_asked_for(engine, way, compare):
    _, report = run(engine, criterion(compare, 70), names(60, 3))
    if way != "cheapest":
        assert way in report.method.split("+")


def names(n, seed, typos=2):
    """Invented full names, most of them near another one."""
    rng = random.Random(seed)
    first = ["".join(rng.choices("abcdeilmnorst", k=rng.randint(2, 8))) for _ in range(8)]
    last = ["".join(rng.choices("abcdeilmnorst", k=rng.randint(3, 12))) for _ in range(12)]
    out = set()
    while len(out) < n:
        text = list(f"{rng.choice(first)} {rng.choice(last)}")
        for _ in range(rng.randint(0, typos)):
            at = rng.randrange(len(text))
            match rng.randrange(5):
                case 0:
                    text[at] = rng.choice("abcdé")
                case 1:
                    del text[at]
                case 2:
                    text.insert(at, rng.choice("abc "))
                case 3 if at:
                    text[at - 1], text[at] = text[at], text[at - 1]
                case _:
                    text = list(" ".join(reversed("".join(text).split())))
            text = text or ["x"]
        out.add("".join(text).strip() or "x")
    return sorted(out)


@pytest.mark.parametrize("precision", [30, 80, 90])
@pytest.mark.parametrize("compare", TEXTS)
def test_names_against_brute_force(engine, way, compare, precision):
    values = names(100, precision)
    found, _ = check(engine, criterion(compare, precision), values[::2], values[1::2])
    own, _ = check(engine, criterion(compare, precision), values)
    assert found, "the case must hold pairs"
    assert own, "the case must hold pairs"


def test_number_within(engine):
    rng = random.Random(7)
    values = [f"{rng.randint(-50, 50) / 10}" for _ in range(80)] + [
        "123456789012345678.1",
        "123456789012345678.4",
        "1e3",
    ]
    values = sorted(set(values))
    for within in (0.0, 0.1, 0.3, 2.5, 1000.0):
        found, _ = run(engine, criterion("number", within=within), [*values, "inf", "nan", "abc", ""], values)
        assert found.keys() == oracle.near_numbers(within, values, values)


@pytest.mark.parametrize("swap", [False, True])
def test_date_within(engine, swap):
    rng = random.Random(8)
    values = sorted({f"{rng.randint(1999, 2001)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(150)})
    for within in (0, 1, 40):
        crit = criterion("date", within=within, swap=swap)
        found, _ = run(engine, crit, [*values, "no date", ""], values)
        assert found.keys() == oracle.near_dates(within, swap, values, values)
        own, _ = run(engine, crit, values)
        assert own.keys() == {(min(p), max(p)) for p in oracle.near_dates(within, swap, values, values) if p[0] != p[1]}


@pytest.mark.parametrize("compare", TEXTS)
def test_refuses_before_joining_and_names_the_cause(engine, compare):
    with pytest.raises(OverloadError) as caught:
        run(engine, criterion(compare, 60), names(300, 1), max_pairs=50)
    assert "max_pairs = 50" in str(caught.value)
    assert sentence(criterion(compare, 60)) in str(caught.value)


@pytest.mark.parametrize("compare", TEXTS)
def test_degrades_and_lists_what_was_left_out(engine, compare):
    values = names(300, 2)
    crit = criterion(compare, 70)
    found, report = run(engine, crit, values, max_pairs=200, overload="degrade")
    out = {i.value for i in report.ignored}
    assert out
    assert out < set(values) or not found
    assert found.keys() == oracle.all_pairs(crit, set(values) - out).keys()


def test_an_equality_is_no_similarity(engine):
    with pytest.raises(ValueError, match="equality"):
        run(engine, criterion("levenshtein", 100), ["a"])


@pytest.mark.parametrize("compare", TEXTS)
@pytest.mark.parametrize("budget", [PLENTY, 150])
def test_the_order_of_values_changes_nothing(engine, compare, budget):
    values = names(120, 5)
    shuffled = random.Random(6).sample(values, len(values))
    crit = criterion(compare, 75)
    found, report = run(engine, crit, values, max_pairs=budget, overload="degrade")
    again, report_again = run(engine, crit, [*shuffled, shuffled[0], None, ""], max_pairs=budget, overload="degrade")
    assert again == found
    assert report_again.ignored == report.ignored
    assert report_again.estimated == report.estimated


@pytest.mark.parametrize("compare", TEXTS)
def test_long_values_and_repeated_characters(engine, compare):
    rng = random.Random(9)
    long = ["".join(rng.choices("ab ", k=rng.randint(150, 400))) for _ in range(6)]
    near = [text[:70] + "x" + text[72:] for text in long]
    same = ["a" * n for n in (1, 2, 3, 4, 63, 64, 65, 300, 301)] + ["ab" * 40, "ba" * 40]
    check(engine, criterion(compare, 90), [*long, *near, *same])
