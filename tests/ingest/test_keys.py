"""Primary keys: missing, null, doubled."""

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.load import load
from unify.core.errors import SourceError, SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


def loaded(engine, tmp_path, text, **options):
    (tmp_path / "a.csv").write_text(text)
    options.setdefault("key", "id")
    report = load(engine, "s.T", Entity(files="a.csv", **options), base=tmp_path)
    rows = engine.fetch(Query("SELECT * FROM s_T")).to_pylist()
    return report, sorted(tuple(r.values()) for r in rows)


def corrupt(engine):
    return engine.fetch(Query("SELECT * FROM s_T_corrupt ORDER BY line")).to_pylist()


def test_a_missing_key_column_has_a_suggestion(engine, tmp_path):
    with pytest.raises(SourceError) as caught:
        loaded(engine, tmp_path, "ContactId,name\n1,a\n", key="ContactID")
    assert "no column 'ContactID'" in caught.value.message
    assert caught.value.hint == "did you mean ContactId?"


def test_null_empty_and_blank_keys_are_quarantined(engine, tmp_path):
    report, rows = loaded(engine, tmp_path, 'id,n\nK1,1\n,2\n"",3\n"  ",4\n')
    assert rows == [("K1", 1)]
    assert dict(report.reasons) == {"primary key is null": 3}
    assert [(c["line"], c["column"]) for c in corrupt(engine)] == [(3, "id"), (4, "id"), (5, "id")]
    report, rows = loaded(engine, tmp_path, "id,n\n1,1\nx,2\n,3\n", columns={"id": "integer"})
    assert rows == [(1, 1)]
    assert dict(report.reasons) == {"not an integer": 1, "primary key is null": 1}


TABLE = "id,a,b\nK1,x,\nK1,y,1\nK2,z,2\nK1,w,9\nK2,z,2\n"


@pytest.mark.parametrize(
    ("how", "kept", "quarantined"),
    [
        ("best", [("K1", "y", 1), ("K2", "z", 2)], [2, 5, 6]),
        ("first", [("K1", "x", None), ("K2", "z", 2)], [3, 5, 6]),
        ("last", [("K1", "w", 9), ("K2", "z", 2)], [2, 3, 4]),
        ("quarantine", [], [2, 3, 4, 5, 6]),
    ],
)
def test_duplicates(engine, tmp_path, how, kept, quarantined):
    report, rows = loaded(engine, tmp_path, TABLE, duplicates=how)
    assert rows == kept
    bad = corrupt(engine)
    assert [c["line"] for c in bad] == quarantined
    assert {(c["column"], c["reason"]) for c in bad} == {("id", "duplicate primary key")}
    assert report.duplicates == len(quarantined) == report.reasons["duplicate primary key"]
    if how == "first":
        assert "line 2 of a.csv is kept" in bad[0]["details"]
    if how == "quarantine":
        assert "none is kept" in bad[0]["details"]
    assert bad[-1]["raw"] == ('{"id":"K2","a":"z","b":"2"}')


def test_keys_that_are_equal_once_they_are_typed(engine, tmp_path):
    report, rows = loaded(engine, tmp_path, "id,n\n1,1\n01,2\n", columns={"id": "integer"})
    assert (rows, report.duplicates) == ([(1, 2)], 1)
    report, rows = loaded(engine, tmp_path, "id,n\n1,1\n01,2\n")
    assert (rows, report.duplicates) == ([("01", 2), ("1", 1)], 0)


@pytest.mark.parametrize(
    ("values", "kind"), [("1.5\n2.5", "string"), ("2024-01-01\n2024-01-02", "string"), ("1\n2", "integer")]
)
def test_an_inferred_key_is_text_integer_or_guid(engine, tmp_path, values, kind):
    report, _ = loaded(engine, tmp_path, f"id\n{values}\n")
    assert report.columns[0].type == kind


def test_a_key_of_another_type_is_an_error(engine, tmp_path):
    with pytest.raises(SpecError, match="primary key 'id' is of type date"):
        loaded(engine, tmp_path, "id\n2024-01-01\n", columns={"id": "date"})
    with pytest.raises(SpecError) as caught:
        load(engine, "s.T", Entity(key="id"), pa.table({"id": [1.0, 2.0]}), base=tmp_path)
    assert "{id: string}" in caught.value.hint
    report = load(
        engine, "s.T", Entity(key="id", columns={"id": "integer"}), pa.table({"id": [1.0, 2.5]}), base=tmp_path
    )
    assert (report.rows_kept, dict(report.reasons)) == (1, {"not an integer": 1})


records = st.lists(
    st.tuples(st.sampled_from("KLM"), st.sampled_from(["", "x", "y"]), st.sampled_from(["", "1", "2"])), max_size=12
)


@settings(max_examples=25, deadline=None)
@given(records, st.randoms(use_true_random=False))
def test_best_does_not_depend_on_the_order_of_rows_or_columns(engine, tmp_path_factory, rows, rng):
    """Against a plain reading of the rule: most filled, then the largest values by name of column."""
    best = {}
    for key, a, b in rows:
        rank = ((a != "") + (b != ""), (a != "", a), (b != "", b))
        best[key] = max(best.get(key, rank), rank)
    expected = sorted((k, r[1][1] or None, r[2][1] or None) for k, r in best.items())
    folder = tmp_path_factory.mktemp("keys")
    for order in (["id", "a", "b"], ["b", "id", "a"]):
        shuffled = rows.copy()
        rng.shuffle(shuffled)
        lines = [",".join({"id": k, "a": a, "b": b}[c] for c in order) for k, a, b in shuffled]
        text = "\n".join([",".join(order), *lines]) + "\n"
        (folder / "a.csv").write_text(text)
        columns = {"a": "string", "b": "string", "id": "string"}
        report = load(engine, "s.T", Entity(files="a.csv", key="id", columns=columns), base=folder)
        got = engine.fetch(Query("SELECT id, a, b FROM s_T ORDER BY id")).to_pylist()
        assert [tuple(r.values()) for r in got] == expected
        assert report.duplicates == len(rows) - len(expected)


def test_many_duplicates(engine, tmp_path):
    rng = random.Random(5)
    keys = [f"K{rng.randrange(3000)}" for _ in range(10_000)]
    report, rows = loaded(
        engine, tmp_path, "id,n\n" + "".join(f"{k},{i}\n" for i, k in enumerate(keys)), duplicates="last"
    )
    assert dict(rows) == {k: i for i, k in enumerate(keys)}
    assert report.rows_in == 10_000
