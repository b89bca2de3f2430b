"""What the DuckDB engine promises beyond its five verbs."""

import subprocess
import sys
from pathlib import Path

import pytest

from unify.core.errors import QueryError
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine

ASK = "SELECT value FROM duckdb_settings() WHERE name = 'enable_progress_bar'"


def test_nothing_is_drawn_on_stdout_where_duckdb_takes_us_for_interactive() -> None:
    """DuckDB turns its progress bar on when __main__ has no file: in notebooks and under `python -c`."""
    code = (
        "from unify.engines.duckdb import DuckDBEngine\nfrom unify.core.steps import Query\n"
        f"engine = DuckDBEngine()\nprint(engine.fetch(Query({ASK!r})).to_pylist())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[{'value': 'false'}]"


@pytest.fixture
def generation(tmp_path: Path) -> Path:
    path = tmp_path / "g.duckdb"
    with DuckDBEngine(path) as engine:
        engine.build(Step("T", Query("SELECT 1 AS a"), "a table", keep=True))
        engine.build(Step("V", Query("SELECT a + 1 AS b FROM T"), "a view", keep=True, view=True))
    return path


def test_a_reading_engine_answers_questions_and_nothing_else(generation: Path, tmp_path: Path) -> None:
    with DuckDBEngine.reading(generation) as engine:
        assert engine.question("SELECT b FROM V", {}).to_pylist() == [{"b": 2}]
        assert engine.question("SELECT $x + a AS c FROM T", {"x": 5}).to_pylist() == [{"c": 6}]
        assert engine.row_counts() == {"T": 1, "V": None}
        for sql in (
            "DROP TABLE T", "INSERT INTO T VALUES (2)", "SELECT 1; SELECT 2", "SET memory_limit = '1GB'", "ATTACH 'x.db'",
            f"COPY T TO '{tmp_path / 'x.csv'}'", "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM missing", "",
        ):  # fmt: skip
            with pytest.raises(QueryError):
                engine.question(sql, {})


def test_views_come_along_when_a_generation_is_carried_over(generation: Path, tmp_path: Path) -> None:
    with DuckDBEngine(tmp_path / "next.duckdb") as engine:
        engine.attach(generation, "previous")
        assert engine.tables("previous") == ["T"]
        engine.build(Step("T", Query("FROM previous.T"), "carried over", keep=True))
        engine.copy_views("previous")
        engine.detach("previous")
        assert engine.fetch(Query("FROM V")).to_pylist() == [{"b": 2}]
