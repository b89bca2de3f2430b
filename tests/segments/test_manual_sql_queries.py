"""Honest SQL works: each query gives behind the fence what DuckDB gives for the same text on the generation's file."""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from segments.manual_sql import ManualSqlError, Moment, check_sql, run_sql
from segments.manual_sql.check import Checker
from segments.model import model_of
from unify.instance import Instance

HERE = Path(__file__).parent
QUERIES = (HERE / "manual_sql_queries.sql").read_text(encoding="utf-8").split("\n;; ")
TOGETHER = 12
"""Queries in one fenced process, as scalar subqueries: a process each would take half a minute."""
MOMENT = Moment(datetime(2024, 1, 1))  # noqa: DTZ001 - UTC


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with unify.open(tmp_path_factory.mktemp("queries") / "instance", create=True) as instance:
        instance.run(HERE.parents[1] / "sample_data" / "project.yaml")
        yield instance


@pytest.fixture(scope="module")
def checker(acme: Instance) -> Iterator[Checker]:
    with Checker(acme.engine(), model_of(acme.engine(), acme.project())) as one:
        yield one


def test_there_are_forty() -> None:
    assert len(set(QUERIES)) >= 40


def test_each_is_accepted(checker: Checker) -> None:
    for query in QUERIES:
        checked = checker.check(query)
        assert [name.lower() for name, _ in checked.columns] == ["customerid"], query


@pytest.mark.parametrize("start", range(0, len(QUERIES), TOGETHER))
def test_each_gives_what_duckdb_gives(acme: Instance, start: int) -> None:
    """The ids, sorted and joined, of a dozen queries at once; and by hand from the file, without any of our code."""
    engine, model = acme.engine(), model_of(acme.engine(), acme.project())
    some = [query.rstrip().rstrip(";") for query in QUERIES[start : start + TOGETHER]]
    texts = [
        f"(SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT DISTINCT \"CustomerId\" AS x FROM (\n{q}\n))) AS q{i}"
        for i, q in enumerate(some)
    ]
    found = run_sql(check_sql(f"SELECT {', '.join(texts)}", engine, model, shape="scalar"), engine, MOMENT).to_pylist()[
        0
    ]
    for i, query in enumerate(some):
        rows = engine.connection.execute(query).fetchall()
        expected = ",".join(sorted({row[0] for row in rows}))
        assert expected, f"nobody is in it, so it says nothing: {query}"
        assert found[f"q{i}"] == expected, query


WORDS = sorted({word for query in QUERIES for word in re.findall(r"\w+|\S", query)} | {
    "DELETE", "COPY", "getenv", "read_text", "?", "#1", "::", "->", "=>", "$$", "/*", "--", ";", "\\", "é", "\u200b",
})  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(QUERIES),
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["cut", "put", "twice"]), st.sampled_from(WORDS)), max_size=4
    ),
)
def test_a_mangled_query_is_accepted_or_refused(
    checker: Checker, query: str, changes: list[tuple[int, str, str]]
) -> None:
    """Nothing but a CheckedSql or a ManualSqlError with places inside the text, and what is accepted names real tables."""
    text = mangled(query, changes)
    refused, checked = None, None
    try:
        checked = checker.check(text)
    except ManualSqlError as error:
        refused = error
    if checked is not None:
        assert set(checked.reads) <= set(checker.known)
        assert all(set(columns) <= set(checker.known[table]) for table, columns in checked.reads.items())
    if refused is not None:
        lines = text.split("\n")
        assert refused.problems
        assert all(p.line <= len(lines) and p.column <= max(map(len, lines)) + 1 for p in refused.problems)
        assert all(p.code != "unknown" for p in refused.problems), refused


def mangled(query: str, changes: list[tuple[int, str, str]]) -> str:
    parts = re.findall(r"\w+|\s+|[^\w\s]", query)
    for place, how, word in changes:
        at = place % (len(parts) + 1)
        new = {"cut": [], "put": [word, " "], "twice": parts[at : at + 1] * 2}[how]
        parts[at : at + (how == "cut")] = new
        parts = parts or [" "]
    return "".join(parts)
