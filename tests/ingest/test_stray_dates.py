"""A column of dates with a few slips of the pen is a column of dates; the slips go to the corrupt table."""

from pathlib import Path
from typing import Any

import pytest

from ingest.load import load
from ingest.report import LoadReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity


def loaded(tmp_path: Path, values: list[str], **entity: Any) -> tuple[LoadReport, dict[str, str], list[dict[str, Any]]]:
    rows = "".join(f"{i},{value}\n" for i, value in enumerate(values))
    (tmp_path / "a.csv").write_text(f"Id,Born\n{rows}", encoding="utf-8")
    with DuckDBEngine(threads=1) as engine:
        report = load(engine, "s.T", Entity(files="a.csv", key="Id", **entity), base=tmp_path)
        corrupt = engine.fetch(Query('SELECT line, "column", reason, value FROM s_T_corrupt ORDER BY line')).to_pylist()
        return report, engine.columns("s_T"), corrupt


DATES = [f"{1 + n % 12}/{1 + n % 28}/19{50 + n % 50}" for n in range(98)]


def test_two_in_a_hundred_are_quarantined_and_said(tmp_path: Path) -> None:
    report, columns, corrupt = loaded(tmp_path, [*DATES[:50], "13/45/1990", *DATES[50:], "soon"])
    assert columns["Born"] == "DATE"
    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (100, 98, 2)
    assert corrupt == [
        {"line": 52, "column": "Born", "reason": "not a date", "value": "13/45/1990"},
        {"line": 101, "column": "Born", "reason": "not a date", "value": "soon"},
    ]
    assert "98 of 100 values are of type date" in report.warnings[0]
    assert "`Born: string` to keep them" in report.warnings[0]
    assert not next(c for c in report.columns if c.name == "Born").declared


def test_three_in_a_hundred_are_another_kind_of_content(tmp_path: Path) -> None:
    report, columns, corrupt = loaded(tmp_path, [*DATES[:97], "a", "b", "c"])
    assert columns["Born"] == "VARCHAR"
    assert (report.rows_kept, corrupt) == (100, [])
    assert "kept as string" in report.warnings[0]


def test_declared_text_keeps_everything(tmp_path: Path) -> None:
    report, columns, _ = loaded(tmp_path, [*DATES, "soon"], columns={"Born": "string"})
    assert (columns["Born"], report.rows_kept, report.warnings) == ("VARCHAR", 99, ())


@pytest.mark.parametrize("value", ["12O", "n/a"])
def test_numbers_with_strays_stay_text(tmp_path: Path, value: str) -> None:
    report, columns, _ = loaded(tmp_path, [*(str(n) for n in range(100, 199)), value])
    assert (columns["Born"], report.rows_kept) == ("VARCHAR", 100)
