"""JSON lines and Parquet."""

import gzip
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.load import load
from ingest.sniff import sniff
from unify.core.errors import SourceError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

MIDNIGHT = datetime.fromisoformat("2024-05-17")
SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


def rows(engine):
    return engine.fetch(Query("SELECT * FROM s_T ORDER BY 1")).to_pylist()


def from_lines(engine, tmp_path, *lines, name="a.jsonl", key="id", **options):
    (tmp_path / name).write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    return load(engine, "s.T", Entity(files=name, key=key, **options), base=tmp_path)


def test_json_lines_keep_digits_and_tell_text_from_numbers(engine, tmp_path):
    report = from_lines(
        engine,
        tmp_path,
        '{"id": 1, "code": "0700", "digits": "12", "n": 1.50, "yes": true, '
        '"when": "2024-05-17", "big": 12345678901234567890}',
        "",
        '{"id": 2, "late": "x", "yes": false, "when": null, "n": 2, "exact": 0.1234567890123456789012345}',
        columns={"exact": "decimal(38,25)"},
    )
    assert {c.name: c.type for c in report.columns} == {
        "id": "integer", "code": "string", "digits": "string", "n": "double", "yes": "boolean", "when": "date",
        "big": "string", "late": "string", "exact": "decimal(38,25)",
    }  # fmt: skip
    one, two = rows(engine)
    assert one["big"] == "12345678901234567890"
    assert (one["digits"], one["when"], one["yes"], one["n"]) == ("12", date(2024, 5, 17), True, 1.5)
    assert (two["late"], two["when"], two["code"]) == ("x", None, None)
    assert two["exact"] == Decimal("0.1234567890123456789012345")


def test_bad_lines_are_quarantined_with_their_numbers(engine, tmp_path):
    report = from_lines(
        engine, tmp_path, '{"id": 1}', "{broken", "[1]", '{"id": 2, "id": 3}', '{"id": NaN}', "", '{"id": 4}', "7"
    )
    bad = engine.fetch(Query("SELECT line, reason, raw, file FROM s_T_corrupt ORDER BY line")).to_pylist()
    assert [(b["line"], b["raw"]) for b in bad] == [
        (2, "{broken"), (3, "[1]"), (4, '{"id": 2, "id": 3}'), (5, '{"id": NaN}'), (8, "7"),
    ]  # fmt: skip
    assert {b["reason"] for b in bad} == {"bad JSON"}
    assert (report.rows_in, report.rows_kept) == (7, 2)


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
def test_nested_json_names_the_column(engine, tmp_path, value):
    with pytest.raises(SourceError) as caught:
        from_lines(engine, tmp_path, {"id": 1}, {"id": 2, "address": value})
    assert "'address'" in caught.value.message
    assert caught.value.where == "a.jsonl, line 2"


def test_json_lines_over_several_pieces_and_compressed(engine, tmp_path):
    text = "".join(json.dumps({"id": i, "text": "é" * 50}) + "\r\n" for i in range(5000))
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    entity = Entity(files="a.ndjson.gz", key="id")
    assert load(engine, "s.T", entity, base=tmp_path).rows_kept == 5000
    assert sniff(entity, tmp_path) == {"id": "integer", "text": "string"}


def parquet(tmp_path, table, name="a.parquet", **options):
    pq.write_table(table, tmp_path / name, **options)
    return Entity(files=name, key="id")


def test_parquet_keeps_its_types(engine, tmp_path):
    noon = datetime.fromisoformat("2024-05-17T12:00")
    table = pa.table({
        "id": pa.array(["a", "b"]),
        "exact": pa.array([Decimal("1.10"), None], pa.decimal128(18, 2)),
        "day": pa.array([date(2024, 5, 17), None]),
        "zoned": pa.array([noon, None], pa.timestamp("ns", "Europe/Berlin")),
        "plain": pa.array([noon, None], pa.timestamp("ms")),
        "small": pa.array([1, None], pa.int8()),
        "huge": pa.array([2**64 - 1, None], pa.uint64()),
        "yes": pa.array([True, None]),
        "text": pa.array(["007", None]).dictionary_encode(),
        "nothing": pa.nulls(2),
        "real": pa.array([1.5, float("nan")], pa.float32()),
    })  # fmt: skip
    report = load(engine, "s.T", parquet(tmp_path, table), base=tmp_path)
    assert [c.type for c in report.columns] == [
        "string", "decimal(18,2)", "date", "datetime", "datetime", "integer", "decimal(20,0)", "boolean", "string",
        "string", "double",
    ]  # fmt: skip
    assert engine.columns("s_T")["zoned"] == "TIMESTAMP"
    one, two = rows(engine)
    assert list(one.values()) == [
        "a",
        Decimal("1.10"),
        date(2024, 5, 17),
        noon,
        noon,
        1,
        2**64 - 1,
        True,
        "007",
        None,
        1.5,
    ]
    assert list(two.values()) == ["b", *[None] * 10]


def test_parquet_columns_can_be_declared(engine, tmp_path):
    table = pa.table({
        "id": [1, 2, 3, 4],
        "day": ["5/17/2024", "2024-05-17", "x", None],
        "n": pa.array([1.0, 2.5, 3.0, None]),
        "at": pa.array([MIDNIGHT, None, None, MIDNIGHT.replace(hour=1)]),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "a.parquet")
    entity = Entity(files="a.parquet", key="id", columns={"day": "date", "n": "integer", "at": "date"})
    report = load(engine, "s.T", entity, base=tmp_path)
    assert rows(engine) == [{"id": 1, "day": date(2024, 5, 17), "n": 1, "at": date(2024, 5, 17)}]
    bad = engine.fetch(Query('SELECT line, "column", value FROM s_T_corrupt ORDER BY line')).to_pylist()
    assert [tuple(b.values()) for b in bad] == [(2, "n", "2.5"), (3, "day", "x"), (4, "at", "2024-05-17 01:00:00")]
    assert dict(report.reasons) == {"not an integer": 1, "not a date": 2}


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.struct([("x", pa.int64())]), pa.binary(), pa.duration("s")])
def test_nested_and_binary_columns_are_refused(engine, tmp_path, kind):
    table = pa.table({"id": [1], "odd one": pa.nulls(1, kind)})
    with pytest.raises(SourceError, match="'odd one'"):
        load(engine, "s.T", parquet(tmp_path, table), base=tmp_path)


def test_parquet_files_may_differ_where_nothing_is_lost(engine, tmp_path):
    pq.write_table(
        pa.table({"id": pa.array([1], pa.int32()), "n": pa.array([1]), "t": pa.nulls(1)}), tmp_path / "1.parquet"
    )
    pq.write_table(pa.table({"t": ["x"], "n": pa.array([2.5]), "id": pa.array([2])}), tmp_path / "2.parquet")
    report = load(engine, "s.T", Entity(files="*.parquet", key="id"), base=tmp_path)
    assert [c.type for c in report.columns] == ["integer", "double", "string"]
    assert [tuple(r.values()) for r in rows(engine)] == [(1, 1.0, None), (2, 2.5, "x")]
    pq.write_table(pa.table({"t": ["x"], "n": ["?"], "id": pa.array([2])}), tmp_path / "3.parquet")
    with pytest.raises(SourceError) as caught:
        load(engine, "s.T", Entity(files="*.parquet", key="id"), base=tmp_path)
    assert "column 'n' is string, but integer in 1.parquet" in caught.value.message
    assert caught.value.where == "3.parquet"
    entity = Entity(files="*.parquet", key="id", columns={"n": "double"}, duplicates="first")
    report = load(engine, "s.T", entity, base=tmp_path)
    assert [tuple(r.values()) for r in rows(engine)] == [(1, 1.0, None), (2, 2.5, "x")]
    assert dict(report.reasons) == {"not a double": 1}


def test_text_that_is_no_utf8_is_refused(engine, tmp_path):
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    with pytest.raises(SourceError, match="UTF8"):
        load(engine, "s.T", parquet(tmp_path, pa.table({"id": [1], "t": text})), base=tmp_path)


def test_mixed_formats_are_refused(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="different formats: csv, parquet"):
        load(engine, "s.T", Entity(files="a.*", key="id"), base=tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data sets are not beside the checkout")
def test_the_historical_persons_load_without_loss(engine):
    file = "historical_50k/historical_figures_with_errors_50k.parquet"
    report = load(engine, "s.T", Entity(files=file, key="unique_id"), base=SHARED)
    expected = pq.read_table(SHARED / file)
    assert report.rows_kept == report.rows_in == expected.num_rows
    got = engine.fetch(Query("SELECT * FROM s_T ORDER BY unique_id"))
    assert got.to_pylist() == expected.sort_by("unique_id").to_pylist()
