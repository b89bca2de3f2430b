"""Tables handed over from Python."""

from datetime import datetime

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ingest.load import load
from unify.core.errors import SourceError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

WHEN = datetime.fromisoformat("2024-05-17T12:00")
DATA = {"id": ["a", "b", "c"], "n": [1, 2, None], "when": [WHEN, None, WHEN], "x": [0.5, None, 1.5]}
TABLE = pa.table(DATA)


@pytest.fixture
def engine():
    with DuckDBEngine(threads=1) as made:
        yield made


def frames():
    connection = duckdb.connect()
    connection.register("t", TABLE)
    pandas = pd.DataFrame({**DATA, "n": pd.array([1, 2, None], dtype="Int64")})
    return {
        "table": TABLE,
        "reader": TABLE.to_reader(),
        "pandas": pandas,
        "polars": pl.DataFrame(DATA),
        "duckdb": connection.sql("SELECT * FROM t"),
        "dicts": TABLE.to_pylist(),
        "batch": TABLE.to_batches()[0],
    }


@pytest.mark.parametrize("kind", ["table", "reader", "pandas", "polars", "duckdb", "dicts", "batch"])
def test_every_kind_of_frame_is_the_same_table(engine, tmp_path, kind):
    report = load(engine, "s.T", Entity(key="id"), frames()[kind], base=tmp_path)
    assert engine.fetch(Query("SELECT * FROM s_T ORDER BY id")).to_pylist() == TABLE.to_pylist()
    assert [c.type for c in report.columns] == ["string", "integer", "datetime", "double"]
    assert (report.rows_in, report.rows_kept, report.files) == (3, 3, ())


def test_a_reader_is_read_once(engine, tmp_path):
    reader = TABLE.to_reader()
    assert load(engine, "s.T", Entity(key="id"), reader, base=tmp_path).rows_kept == 3
    with pytest.raises(SourceError, match="already read"):
        load(engine, "s.T", Entity(key="id"), reader, base=tmp_path)


def test_bad_rows_of_frames_are_numbered_from_one(engine, tmp_path):
    rows = [{"id": "a", "n": "1"}, {"id": None, "n": "2"}, {"id": "c", "n": "x"}, {"id": "a"}]
    report = load(engine, "s.T", Entity(key="id", columns={"n": "integer"}), rows, base=tmp_path)
    found = engine.fetch(Query('SELECT file, line, "column", reason FROM s_T_corrupt ORDER BY line')).to_pylist()
    assert [tuple(r.values()) for r in found] == [
        ("<frame>", 2, "id", "primary key is null"),
        ("<frame>", 3, "n", "not an integer"),
        ("<frame>", 4, "id", "duplicate primary key"),
    ]
    assert (report.rows_in, report.rows_kept) == (4, 1)


def test_text_of_frames_stays_text(engine, tmp_path):
    """Whoever made a typed table has said what is text; only declared columns are read anew."""
    rows = [{"id": "1", "n": "5", "day": "5/17/2024"}]
    report = load(engine, "s.T", Entity(key="id", columns={"day": "date"}), rows, base=tmp_path)
    assert [c.type for c in report.columns] == ["string", "string", "date"]


def test_pandas_row_labels_are_left_out_with_a_warning(engine, tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"]}, index=["x", "y"])
    report = load(engine, "s.T", Entity(key="id"), frame, base=tmp_path)
    assert [c.name for c in report.columns] == ["id"]
    assert "row labels" in report.warnings[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (42, "int is not a table"),
        ([], "an empty list"),
        ([1, 2], "something else than dicts"),
        ([{"id": 1, "v": "x"}, {"id": 2, "v": 3}], "column 'v' mixes kinds"),
        ([{"id": 1, "v": [1]}], "'v'"),
        ([{"id": 1, "v": b"x"}], "'v'"),
    ],
)
def test_what_is_no_table(engine, tmp_path, data, message):
    with pytest.raises(SourceError, match=message):
        load(engine, "s.T", Entity(key="id"), data, base=tmp_path)


def test_paths_can_be_handed_over_too(engine, tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    assert load(engine, "s.T", Entity(key="id"), ["a.csv"], base=tmp_path).rows_kept == 1
    assert load(engine, "s.T", Entity(key="id"), [tmp_path / "a.csv"], base=tmp_path).rows_kept == 1


def test_an_empty_frame(engine, tmp_path):
    report = load(engine, "s.T", Entity(key="id"), TABLE.slice(0, 0), base=tmp_path)
    assert (report.rows_in, report.rows_kept) == (0, 0)
    assert engine.columns("s_T")["n"] == "BIGINT"
