"""Texts that hardly repeat are stored as they are; the table is the same."""

import pyarrow as pa

from unify.core.plain import FEW, hardly_repeat
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine

ROWS = 5_000


def made(engine: DuckDBEngine, **step: object) -> None:
    texts = pa.table({"key": [f"key {i:06}" for i in range(ROWS)], "town": [f"town {i % 7}" for i in range(ROWS)]})
    engine.load("texts", texts)
    query = Query("SELECT key, town, length(key) + $one AS n FROM texts WHERE key <> $none ORDER BY key DESC",
                  {"one": 1, "none": "nobody"})  # fmt: skip
    assert engine.build(Step("kept", query, "keep them", keep=True, **step)) == ROWS


def compressions(engine: DuckDBEngine) -> dict[str, set[str]]:
    rows = engine.connection.execute(
        "SELECT column_name, compression FROM pragma_storage_info('kept') WHERE segment_type <> 'VALIDITY'"
    ).fetchall()
    return {name: {c for n, c in rows if n == name} for name, _ in rows}


def test_plain_columns_are_kept_as_they_are_and_in_order(tmp_path):
    with DuckDBEngine(tmp_path / "a.duckdb") as engine, DuckDBEngine(tmp_path / "b.duckdb") as other:
        made(engine, plain=("key",))
        made(other)
        assert engine.columns("kept") == other.columns("kept")
        assert engine.fetch(Query("FROM kept")).equals(other.fetch(Query("FROM kept")))
        for one in (engine, other):
            one.connection.execute("CHECKPOINT")
        assert compressions(engine)["key"] == {"Uncompressed"} != compressions(other)["key"]
        assert compressions(engine)["town"] == compressions(other)["town"] != {"Uncompressed"}


def test_a_scratch_table_of_the_same_name_is_not_written_to(tmp_path):
    with DuckDBEngine(tmp_path / "a.duckdb") as engine:
        engine.load("kept", pa.table({"key": ["mine"]}))
        made(engine, plain=("key",))
        made(engine, plain=("key",))  # replaces the first
        assert engine.fetch(Query("SELECT key FROM temp.kept")).to_pylist() == [{"key": "mine"}]
        assert engine.connection.execute("SELECT count(*) FROM a.main.kept").fetchall() == [(ROWS,)]


def test_what_hardly_repeats_is_found_by_a_sample():
    with DuckDBEngine() as engine:
        many = range(FEW + 1)
        engine.load(
            "t",
            pa.table(
                {
                    "key": [f"k{i}" for i in many],
                    "half": [f"k{i // 3}" for i in many],
                    "none": pa.nulls(FEW + 1, pa.string()),
                }
            ),
        )
        assert hardly_repeat(engine, "t", ["key", "half", "none"]) == ("key",)
        assert hardly_repeat(engine, "t", []) == ()
        assert hardly_repeat(engine, f"(FROM t LIMIT {FEW})", ["key"]) == ()
