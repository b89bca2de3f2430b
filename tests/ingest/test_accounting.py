"""Rows in = kept + quarantined + filtered (+ replaced + deletes), and kept rows are what Python's csv module reads."""

import json
from collections import Counter
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.entities import write_entities
from ingest.load import load
from ingest.report import LoadReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity, Incremental, RowFilter

_spec = spec_from_file_location("oracle_csv_accounting", Path(__file__).parents[1] / "oracles" / "csv_reading.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


def kept(engine):
    return sorted(tuple(r.values()) for r in engine.fetch(Query("SELECT * FROM s_T")).to_pylist())


value = st.text(alphabet='ab ",é\n\r', max_size=5)
number = st.integers(0, 99).map(str) | st.sampled_from(["", "x", "1.5", "07"])
fault = st.sampled_from(["none"] * 8 + ["short", "long", "quote", "open", "nul", "empty line"])
record = st.tuples(st.sampled_from(["", *"ABCDEFGHIJKL"]), value, number, fault)


def written(key: str, text: str, n: str, fault: str, end: str) -> str:
    quoted = '"' + text.replace('"', '""') + '"'
    fields = {
        "none": f"{key},{quoted},{n}",
        "empty line": f"{end}{key},{quoted},{n}",
        "short": f"{key},{quoted}",
        "long": f"{key},{quoted},{n},",
        "quote": f'{key},"a"b,{n}',
        "open": f'{key},"open,{n}',
        "nul": f"{key},a\x00b,{n}",
    }
    return fields[fault] + end


@settings(max_examples=60, deadline=None)
@given(
    st.lists(record, max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from(["best", "quarantine"]),
)
def test_random_tables_with_faults(engine, tmp_path_factory, records, end, last_end, duplicates):
    body = "".join(written(*r, end) for r in records)
    body = body if last_end else body.removesuffix(end)
    folder = tmp_path_factory.mktemp("faults")
    (folder / "a.csv").write_text(f"id,text,n{end}{body}", newline="", encoding="utf-8")
    entity = Entity(
        files="a.csv", key="id", columns={"id": "string", "text": "string", "n": "integer"}, duplicates=duplicates
    )
    report = load(engine, "s.T", entity, base=folder)
    rows, bad = oracle.read(body, 3)
    reasons = Counter(reason for _, reason in bad)
    good = []
    for _, (key, text, n) in rows:
        if not key:
            reasons["primary key is null"] += 1
        elif n and not n.isdigit():
            reasons["not an integer"] += 1
        else:
            good.append((key, text or None, int(n) if n else None))
    groups = {k: [r for r in good if r[0] == k] for k, _, _ in good}
    if duplicates == "quarantine":
        expected = [g[0] for g in groups.values() if len(g) == 1]
    else:
        expected = [max(g, key=_rank) for g in groups.values()]
    reasons["duplicate primary key"] = len(good) - len(expected)
    assert kept(engine) == sorted(expected)
    assert report.rows_in == len(rows) + len(bad)
    assert report.rows_in == report.rows_kept + report.rows_quarantined
    assert report.reasons == {k: v for k, v in reasons.items() if v}
    lines = engine.fetch(Query("SELECT line, reason FROM s_T_corrupt")).to_pylist()
    assert {(line + 1, reason) for line, reason in bad} <= {(r["line"], r["reason"]) for r in lines}


def _rank(row):
    """Most filled, then the largest values by name of column: id, n, text."""
    _, text, n = row
    return ((text is not None) + (n is not None), n is not None, n or 0, text is not None, text or "")


def test_filters_come_before_duplicates_and_are_counted(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id,n,city\nA,1,Rome\nA,2,Oslo\nB,3,Oslo\nC,x,Oslo\n,5,Oslo\nD,6,\n")
    where = (RowFilter(column="city", operator="equals", value="Oslo"),)
    entity = Entity(files="a.csv", key="id", columns={"n": "integer"}, where=where)
    report = load(engine, "s.T", entity, base=tmp_path)
    assert kept(engine) == [("A", 2, "Oslo"), ("B", 3, "Oslo")]
    assert (report.rows_in, report.rows_filtered, report.rows_quarantined, report.duplicates) == (6, 2, 2, 0)


def test_incremental_folders(engine, tmp_path):
    def put(path, text):
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_text(text)

    put("FullData/a.csv", "id,n,at\nA,1,2024-01-01\nB,2,2024-01-01\nC,x,2024-01-01\n")
    put(
        "IncrementalData/2024/05/17/09/Upserts/u.csv",
        "at,id,n\n2024-05-17T09:10:00,A,10\n2024-05-17T09:11:00,D,4\nbroken\n",
    )
    put("IncrementalData/2024/05/17/09/Deletes/d.csv", "id\nB\n\nZ,too long\n")
    put("IncrementalData/2024/05/17/11/Upserts/u.csv", "id,n,at\nA,99,2024-05-17T11:00:00\n")
    entity = Entity(files="in", key="id", columns={"n": "integer"}, incremental=Incremental(updated="at"))
    report = load(engine, "s.T", entity, base=tmp_path, now=datetime(2024, 5, 17, 11, 30, tzinfo=UTC))
    assert [r[:2] for r in kept(engine)] == [("A", 10), ("D", 4)]
    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (8, 2, 3)
    assert (report.rows_replaced, report.rows_of_deletes) == (2, 1)
    files = engine.fetch(Query("SELECT file, reason FROM s_T_corrupt ORDER BY file")).to_pylist()
    assert [(Path(f["file"]).name, f["reason"]) for f in files] == [
        ("a.csv", "not an integer"), ("d.csv", "wrong number of columns"), ("u.csv", "wrong number of columns"),
    ]  # fmt: skip
    assert any("2024-05-17 11:00" in w for w in report.warnings)
    left = engine.fetch(Query("SELECT table_name FROM duckdb_tables() WHERE temporary")).to_pylist()
    assert left == []


def test_a_report_that_does_not_add_up_is_an_error():
    with pytest.raises(AssertionError, match="3 rows came in, but 2 are accounted for"):
        LoadReport("s.T", "s_T", 3, 1, 1, 0, 0, 0.0, (), reasons={"x": 1})


def test_the_table_of_entities(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id,Mail,at\n1,a@x.example,2024-05-17\n1,b@x.example,5/17/2024\n")
    entity = Entity(files="a.csv", key="id", type="activity", timestamp="at", labels={"Mail": "Identity.Service.Email"})
    report = load(engine, "s.T", entity, base=tmp_path)
    assert write_entities(engine, {"s.T": entity}, [report]) == 1
    [row] = engine.fetch(Query("SELECT * FROM entities")).to_pylist()
    columns = json.loads(row.pop("columns"))
    assert row == {
        "entity": "s.T", "table_name": "s_T", "key": "id", "type": "activity", "timestamp": "at", "rows_in": 2,
        "rows_kept": 1, "rows_quarantined": 1, "rows_filtered": 0,
    }  # fmt: skip
    assert columns == [
        {"name": "id", "type": "integer", "label": None, "format": None},
        {"name": "Mail", "type": "string", "label": "Identity.Service.Email", "format": None},
        {"name": "at", "type": "date", "label": None, "format": "iso, en-US"},
    ]


def test_entities_whose_names_look_like_scratch_tables(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "b.csv").write_text("id\n1\n2\n")
    load(engine, "s.T_rows", Entity(files="b.csv", key="id"), base=tmp_path)
    load(engine, "s.T", Entity(files="a.csv", key="id"), base=tmp_path)
    assert kept(engine) == [(1,)]
    assert engine.fetch(Query("SELECT count(*) FROM s_T_rows")).column(0)[0].as_py() == 2


def test_names_that_could_collide_with_ours(engine, tmp_path):
    (tmp_path / "a.csv").write_text(
        'line,#file,#line,c0,file_no,"$files","it\'s ""q"""\n1,a,b,c,d,e,f\n1,a,b,c,d,e,g\nx\n'
    )
    report = load(engine, "s.T", Entity(files="a.csv", key="line"), base=tmp_path)
    assert kept(engine) == [(1, "a", "b", "c", "d", "e", "g")]
    assert report.duplicates == 1
    [raw] = engine.fetch(Query("SELECT raw FROM s_T_corrupt WHERE line = 2")).column(0).to_pylist()
    assert json.loads(raw)['it\'s "q"'] == "f"
