"""Files for other tools: they read back as what went in, no cell runs as a formula, and a file is whole or absent."""

import csv
import datetime as dt
import gzip
import io
import json
import os
import resource
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.core.errors import QueryError, SpecError, StoreError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.engines.export import FORMULA_STARTS, export

ROWS = [
    (1, "Müller, Özil", 'she said "hi"', -5.25, dt.date(2020, 2, 29), True, Decimal("-3.10")),
    (2, "two\nlines", None, None, None, None, None),
    (3, "", "日本語", float("inf"), dt.date(1, 1, 1), False, Decimal("0.05")),
]
HEADER = ["id", "name", "note", "score", "born", "ok", "total"]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE people (id INTEGER, name VARCHAR, note VARCHAR, score DOUBLE, "
        "born DATE, ok BOOLEAN, total DECIMAL(9,2))"
    )
    connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?)", ROWS)
    return connection


def cells(con: duckdb.DuckDBPyConnection, path: Path, sql: str, *, neutralise: bool = True) -> list[list[str]]:
    export(con, Query(sql), path, neutralise=neutralise)
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_csv_reads_back(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made = export(con, "people", tmp_path / "people.csv")
    assert (made.rows, made.format, made.bytes) == (3, "csv", (tmp_path / "people.csv").stat().st_size)
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADER
    assert rows[0] == ["1", "Müller, Özil", 'she said "hi"', "-5.25", "2020-02-29", "true", "-3.10"]
    assert rows[1][:4] == ["2", "two\nlines", "", ""]
    assert rows[2][2] == "日本語"
    back = con.execute("SELECT * FROM read_csv($path, nullstr='', allow_quoted_nulls=false)", {"path": str(made.path)})
    assert [tuple(row)[1:3] for row in back.fetchall()] == [row[1:3] for row in ROWS]


def test_parquet_reads_back_with_its_types(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    made = export(con, "people", tmp_path / "people.parquet")
    table = pq.read_table(made.path)
    assert table.column_names == HEADER
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS
    assert str(table.schema.field("total").type) == "decimal128(9, 2)"


@pytest.mark.parametrize("name", ["people.json", "people.jsonl", "people.ndjson", "people.jsonl.gz", "people.json.zst"])
def test_json_reads_back(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    path = export(con, "people", tmp_path / name).path
    raw = path.read_bytes()
    if name.endswith(".gz"):
        raw = gzip.decompress(raw)
    if name.endswith(".zst"):
        raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
    text = raw.decode()

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    if ".jsonl" in name or ".ndjson" in name:
        rows = [json.loads(line, parse_constant=refuse) for line in text.splitlines()]
    else:
        rows = json.loads(text, parse_constant=refuse)
    assert [list(row) for row in rows] == [HEADER] * 3
    assert [row["name"] for row in rows] == [row[1] for row in ROWS]
    assert rows[0]["score"] == -5.25
    assert rows[2]["score"] is None  # JSON has no infinity
    assert rows[1]["note"] is None


@pytest.mark.parametrize("name", ["none.json", "none.jsonl", "none.csv", "none.parquet"])
def test_no_rows_make_a_readable_file(con: duckdb.DuckDBPyConnection, tmp_path: Path, name: str) -> None:
    made = export(con, Query("SELECT * FROM people WHERE id > $n", {"n": 9}), tmp_path / name)
    assert made.rows == 0
    kind = made.path.suffix
    if kind == ".json":
        assert json.loads(made.path.read_text()) == []
    elif kind == ".csv":
        assert made.path.read_text() == ",".join(HEADER) + "\n"
    elif kind == ".parquet":
        assert pq.read_table(made.path).num_rows == 0
    else:
        assert made.path.read_text() == ""


def test_compressed_csv(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    plain = export(con, "people", tmp_path / "a.csv").path.read_bytes()
    assert gzip.decompress(export(con, "people", tmp_path / "a.csv.gz").path.read_bytes()) == plain
    packed = export(con, "people", tmp_path / "a.csv.zst").path.read_bytes()
    assert zstandard.ZstdDecompressor().stream_reader(packed).read() == plain


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_text_begins_like_a_formula(con: duckdb.DuckDBPyConnection, tmp_path: Path, start: str) -> None:
    evil = f"{start}cmd|' /C calc'!\"A0\""
    con.execute("CREATE TABLE evil AS SELECT $evil AS word, [$evil] AS list, 'x' || $evil AS inside", {"evil": evil})
    [header, row] = cells(con, tmp_path / "evil.csv", "SELECT * FROM evil")
    assert row[0] == "'" + evil
    assert row[1][0] == "["
    assert row[2] == "x" + evil
    assert header == ["word", "list", "inside"]
    [_, row] = cells(con, tmp_path / "raw.csv", "SELECT * FROM evil", neutralise=False)
    assert row[0] == evil


def test_numbers_stay_numbers_and_text_numbers_do_not(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    sql = (
        "SELECT -5 AS i, -0.5::DOUBLE AS d, -1.50::DECIMAL(9,2) AS m, '-5' AS t, '+1 555' AS phone, "
        "INTERVAL '-3 days' AS gap, '=1'::BLOB AS raw, '=1'::ENUM('=1') AS kind, NULL::VARCHAR AS none, '' AS empty"
    )
    [_, row] = cells(con, tmp_path / "n.csv", sql)
    assert row == ["-5", "-0.5", "-1.50", "'-5", "'+1 555", "'-3 days", "'=1", "'=1", "", ""]


def test_headers_are_cells_too(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    [header, row] = cells(con, tmp_path / "h.csv", 'SELECT 1 AS "=1+1", 2 AS "a", 3 AS "a"')
    assert header[0] == "'=1+1"
    assert row == ["1", "2", "3"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=6))
def test_neutralised_text_differs_by_the_apostrophe_alone(texts: list[str]) -> None:
    with duckdb.connect() as con, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        con.execute("CREATE TABLE t AS SELECT unnest($texts::VARCHAR[]) AS word", {"texts": texts})
        export(con, "t", folder / "t.csv")
        with (folder / "t.csv").open(encoding="utf-8", newline="") as file:
            [_, *rows] = csv.reader(file)
        got = [row[0] if row else "" for row in rows]
        assert got == ["'" + text if text[:1] in list(FORMULA_STARTS) else text for text in texts]


def test_rows_come_in_a_stable_order(tmp_path: Path) -> None:
    with DuckDBEngine() as engine:
        engine.connection.execute(
            "CREATE TABLE many AS SELECT (i * 7919) % 300007 AS n, 'x' AS x FROM range(300000) t(i) ORDER BY n DESC"
        )
        engine.connection.execute("CREATE VIEW looked AS SELECT * FROM many")
        whole = export(engine, "many", tmp_path / "many.csv").path.read_text().splitlines()[1:]
        numbers = [int(line.split(",")[0]) for line in whole]
        assert numbers == sorted(numbers, reverse=True)
        asked: list[tuple[str | Query, bool]] = [
            ("looked", True),
            (Query("SELECT * FROM many"), True),
            (Query("SELECT * FROM many ORDER BY n DESC;"), False),
        ]
        for what, ascending in asked:
            lines = export(engine, what, tmp_path / "m.csv", overwrite=True).path.read_text().splitlines()[1:]
            numbers = [int(line.split(",")[0]) for line in lines]
            assert numbers == sorted(numbers, reverse=not ascending)


def test_an_existing_file_is_refused_unless_overwritten(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("precious")
    with pytest.raises(StoreError, match="the file exists"):
        export(con, "people", path)
    assert path.read_text() == "precious"
    export(con, "people", path, overwrite=True)
    assert path.read_text().startswith("id,name")


def test_a_link_stays_a_link(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    export(con, "people", tmp_path / "link.csv", overwrite=True)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("id,name")


def test_a_failed_export_leaves_nothing(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("precious")
    sql = "SELECT CASE WHEN id = 3 THEN error('half way') ELSE name END AS name FROM people"
    with pytest.raises(QueryError, match="half way"):
        export(con, Query(sql), path, overwrite=True)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["p.csv"]  # noqa: PTH208


def test_somebody_faster_wins(con: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file appears while we write: without overwrite it is theirs."""
    path = tmp_path / "p.csv"
    fsync = os.fsync

    def slow(handle: int) -> None:
        path.write_text("theirs")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(StoreError, match="the file exists"):
        export(con, "people", path)
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["p.csv"]  # noqa: PTH208


def test_places_that_cannot_be_written(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        export(con, "people", tmp_path / "absent" / "p.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(StoreError, match="this is a folder"):
        export(con, "people", tmp_path / "folder.csv", overwrite=True)


def test_a_full_disk_is_a_store_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write itself fails, half way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE big AS SELECT i, md5(i::VARCHAR) AS text FROM range(200000) t(i)")
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StoreError, match="cannot write"):
                export(con, "big", tmp_path / "big.csv")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize(
    ("what", "name", "options", "error", "says"),
    [
        ("poeple", "p.csv", {}, QueryError, "did you mean people"),
        (Query("SELECT * FROM nosuch"), "p.csv", {}, QueryError, "nosuch"),
        (Query("DROP TABLE people"), "p.csv", {}, QueryError, "write one SELECT"),
        (Query("SELECT 1; SELECT 2"), "p.csv", {}, QueryError, "write one SELECT"),
        (Query("SELEC 1"), "p.csv", {}, QueryError, "syntax error"),
        ("people", "p.xlsx", {}, SpecError, "does not say its format"),
        ("people", "p", {}, SpecError, "does not say its format"),
        ("people", "p.csv", {"format": "cvs"}, SpecError, "did you mean csv"),
        ("people", "p.parquet.gz", {}, SpecError, "compressed inside"),
    ],
)
def test_what_cannot_be_exported(
    con: duckdb.DuckDBPyConnection,
    tmp_path: Path,
    what: str | Query,
    name: str,
    options: dict[str, Any],
    error: type[Exception],
    says: str,
) -> None:
    with pytest.raises(error, match=says):
        export(con, what, tmp_path / name, **options)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    assert con.execute("SELECT count(*) FROM people").fetchall() == [(3,)]


def test_a_format_may_be_said(con: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert export(con, "people", tmp_path / "p.txt", "csv").path.read_text().startswith("id,name")
