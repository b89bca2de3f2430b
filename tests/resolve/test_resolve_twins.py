"""What resolving does in Python instead of SQL gives what the SQL gives: comparisons, normalisers, types."""

import string
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.conflation import compare
from unify.conflation.normalize import SYMBOLS, Lists, define, look_up, normalized
from unify.conflation.prepare import _of_source
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.resolve.alike import Value, says
from unify.resolve.columns import Column
from unify.resolve.memory import READ, Held
from unify.resolve.normalising import chain, joined
from unify.resolve.similar import Similar
from unify.spec import Criterion, Joined

LISTS = Lists(aliases={"nick": (("Bill", "William"), ("Ⅷ", "8"))}, bypasses={"none": ("n/a", "Åsa  ")})


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as engine:
        engine.define(compare.functions())
        yield engine


# ── comparisons ─────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.text(alphabet="abAB éß \u00a0", min_size=1, max_size=8)
COMPARISONS: list[dict[str, Any]] = [
    {"compare": "levenshtein", "precision": 75}, {"compare": "osa", "precision": 67},
    {"compare": "damerau_levenshtein", "precision": 80}, {"compare": "jaro_winkler", "precision": 88},
    {"compare": "token_sort", "precision": 85}, {"compare": "token_set", "precision": 90},
    {"compare": "token_set", "precision": 100}, {"compare": "levenshtein", "precision": 1},
]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(pairs=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=30))
def test_texts_compare_as_in_sql(engine: DuckDBEngine, pairs: list[tuple[str, str]]) -> None:
    pairs += [("robert2020", "robrt2020"), ("MARTHA", "MARHTA"), ("lee anna", "anna \u00a0lee")]
    engine.load("pairs", pa.table({"n": range(len(pairs)), "a": [a for a, _ in pairs], "b": [b for _, b in pairs]}))
    for option in COMPARISONS:
        criterion = Criterion(field="x", **option)
        sql = f"SELECT {compare.passes(criterion, 'a', 'b')} AS p, {compare.score(criterion, 'a', 'b')} AS s FROM pairs"
        expected = engine.fetch(Query(f"{sql} ORDER BY n")).to_pylist()
        for (a, b), row in zip(pairs, expected, strict=True):
            assert says(criterion, Value(a), Value(b)) == (row["p"], row["s"]), (criterion, a, b)


TOLERANCES: list[dict[str, Any]] = [
    {"compare": "number", "within": 0.3}, {"compare": "number", "within": 0}, {"compare": "number", "within": 1},
    {"compare": "date", "within": 0}, {"compare": "date", "within": 3}, {"compare": "date", "within": 2, "swap": True},
]  # fmt: skip
NUMBERS = st.decimals(-1000, 1000, places=2).map(str) | st.sampled_from(["0.1", "0.4", "-0.0", "1e3", "x", "12 "])
DAYS = st.dates(date(1990, 1, 1), date(1990, 12, 31)).map(str) | st.sampled_from(["1990-02-03", "1990-03-02", "x"])


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30),
    days=st.lists(st.tuples(DAYS, DAYS), min_size=1, max_size=30),
)
def test_numbers_and_dates_compare_as_in_sql(engine: DuckDBEngine, numbers: Any, days: Any) -> None:
    for kind, pairs in (("number", numbers), ("date", days)):
        engine.load("pairs", pa.table({"n": range(len(pairs)), "a": [a for a, _ in pairs], "b": [b for _, b in pairs]}))
        read = ", ".join(
            f"[{', '.join(f'CAST({sql.format(v=v)} AS VARCHAR)' for sql in READ[kind])}] AS {v}_read" for v in "ab"
        )
        for option in TOLERANCES:
            criterion = Criterion(field="x", **option)
            if criterion.compare != kind:
                continue
            tests = f"{compare.passes(criterion, 'a', 'b')} AS p, {compare.score(criterion, 'a', 'b')} AS s"
            for row in engine.fetch(Query(f"SELECT a, b, {read}, {tests} FROM pairs ORDER BY n")).to_pylist():
                sides = [value(kind, row[v], row[f"{v}_read"]) for v in "ab"]
                passed, score = says(criterion, *sides)
                assert bool(passed) == bool(row["p"])
                assert score == row["s"] or (score is None) == (row["s"] is None), (criterion, row)


def value(kind: str, text: str, read: list[str | None]) -> Value:
    if kind == "date":
        return Value(text, day=None if read[0] is None else date.fromisoformat(read[0]))
    exact, rough = read
    return Value(text, exact=None if exact is None else Decimal(exact), rough=None if rough is None else float(rough))


# ── normalisers ─────────────────────────────────────────────────────────────────────────────────────────────────────

CHAINS: list[list[Any]] = [
    [], ["lower"], ["symbols"], ["whitespace"], ["numerals"], ["ascii"], ["name"], ["address"], ["organization"],
    ["phone"], [{"phone": "US"}], [{"phone": "DE"}], [{"phone": "IT"}], ["lower", "symbols", "name"],
    ["ascii", "lower", "symbols", "address", "whitespace"], ["lower", {"alias": "nick"}, {"bypass": "none"}],
    ["numerals", {"phone": "GB"}],
]  # fmt: skip
TEXTS = (
    st.text(alphabet=string.printable.replace("\x00", "") + "éßÅŁ\u00a0\u2003Ⅷ５½三＋İK", max_size=14)
    | st.text(alphabet="+0123456789() -./x extEXT", max_size=18)
    | st.sampled_from(
        [
            "+1 (555) 010-9999",
            "001-555-010-9999",
            "555.010.9999 x123",
            "1-800-FLOWERS",
            "5.55E+09",
            "+49 (0)171 0000001",
            "Professor  Bill Smith, Jr.",
            "P.O. Box 77",
            "12 Northwest Main Street, Apartment 4",
            "Company Ltd.",
            "n/a",
            "Hauptstraße 5",
            "William",
            "ÅSA",
            SYMBOLS,
            "Dr.\u00a0Liz O'Hara",
            "+1 555 010 9999\n",
            "The Contoso Company, Inc.",
        ]
    )
)
KEYS: list[dict[str, Any]] = [
    {}, {"compare": "prefix", "within": 3}, {"compare": "phonetic"}, {"compare": "token_sort", "precision": 100},
    {"compare": "levenshtein", "precision": 80},
]  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(texts=st.lists(TEXTS, min_size=20, max_size=80))
def test_values_are_normalised_as_in_sql(engine: DuckDBEngine, texts: list[str]) -> None:
    engine.load("texts", pa.table({"n": range(len(texts)), "v": pa.array(texts, pa.string())}))
    made, changes = [], []
    for i, steps in enumerate(CHAINS):
        criterion = Criterion(field="x", normalize=steps, **KEYS[i % len(KEYS)])
        define(engine, [criterion.normalize], LISTS)
        sql = normalized("v", "VARCHAR", criterion.normalize, LISTS)
        made.append(f"{compare.join_key(criterion, sql) if criterion.is_exact else sql} AS c{i}")
        changes.append(chain(criterion.normalize, look_up(engine, criterion.normalize, LISTS), criterion))
    rows = engine.fetch(Query(f"SELECT {', '.join(made)} FROM texts ORDER BY n")).to_pylist()
    for text, row in zip(texts, rows, strict=True):
        for i, change in enumerate(changes):
            assert change(text) == row[f"c{i}"], (text, CHAINS[i], KEYS[i % len(KEYS)])


@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.tuples(*[st.none() | st.text(alphabet="ab \u00a0\t\u2003", max_size=5)] * 2), min_size=1))
def test_columns_are_joined_as_in_sql(engine: DuckDBEngine, rows: list[tuple[str | None, str | None]]) -> None:
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in (0, 1)]
    engine.load("source_rows", pa.table([pa.array(range(len(rows))), *columns], names=["n", "a", "b"]))
    sql = f"SELECT {_of_source(Joined(join=('a', 'b')))} AS v FROM source_rows AS source ORDER BY n"
    for row, expected in zip(rows, engine.fetch(Query(sql)).column(0).to_pylist(), strict=True):
        assert joined(row) == expected


# ── values that are alike ───────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(WORDS, min_size=1, max_size=25), asked=st.lists(WORDS, min_size=1, max_size=3))
def test_no_alike_value_is_missed(texts: list[str], asked: list[str]) -> None:
    texts += ["robert2020", "MARTHA", "anna lee", "ada maria okafor"]
    column = Column(pa.array(texts, pa.string()))
    held = Held("s.A", 0, 0, pa.array(texts), None, {"v0": column}, {}, {}, {}, {})  # type: ignore[arg-type]
    similar = Similar()
    for option in COMPARISONS:
        criterion = Criterion(field="x", **option)
        for text in [*asked, "robrt2020", "MARHTA", "lee anna", "okafor"]:
            found = similar(held, "v0", criterion, Value(text), "left").tolist()
            assert found == [i for i, other in enumerate(texts) if says(criterion, Value(text), Value(other))[0]]
