"""Lists become tables; an entry that cannot be used is an error, never left out."""

from pathlib import Path
from typing import Any

import pytest

from ingest.lists import load_lists
from unify.core.errors import SourceError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project


def project(lists: dict[str, Any]) -> Project:
    return Project.model_validate({"sources": {"s": {"T": {"key": "Id"}}}, "lists": lists})


def tables(lists: dict[str, Any], base: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with DuckDBEngine(threads=1) as engine:
        load_lists(engine, project(lists), base)
        return tuple(engine.fetch(Query(f"FROM {t} ORDER BY ALL")).to_pylist() for t in ("overrides", "list_values"))  # type: ignore[return-value]


def test_lists_from_files_and_in_place(tmp_path: Path) -> None:
    (tmp_path / "never.csv").write_text("table1,Table1Key,Table2,Table2Key,Why\ns.T,1,s.T,2,twins\n", encoding="utf-8")
    (tmp_path / "alias.csv").write_text('Value,Alias\n"Bill, Jr",William\n', encoding="utf-8")
    overrides, values = tables(
        {
            "apart": {"kind": "never", "files": "never.csv"},
            "together": {"kind": "always", "records": [["s.T", "3", "s.T", "4"]]},
            "nick": {"kind": "alias", "files": ["alias.csv"]},
            "junk": {"kind": "bypass", "values": ["x", "y"]},
        },
        tmp_path,
    )
    assert [tuple(r.values()) for r in overrides] == [
        ("always", "together", "s.T", "3", "s.T", "4"),
        ("never", "apart", "s.T", "1", "s.T", "2"),
    ]
    assert [tuple(r.values()) for r in values] == [
        ("junk", "x", None),
        ("junk", "y", None),
        ("nick", "Bill, Jr", "William"),
    ]


def test_no_lists_make_empty_tables(tmp_path: Path) -> None:
    assert tables({}, tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Table1,Table1Key,Table2,Table2Kex\na,1,b,2\n", "no column 'Table2Key'"),
        ("Table1,Table1Key,Table2,Table2Key\na,1,b,\n", "line 2: Table2Key is empty"),
        ("Table1,Table1Key,Table2,Table2Key\na,1,b,2,3\n", "1 rows cannot be read"),
    ],
)
def test_an_entry_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "n.csv").write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as raised:
        tables({"l": {"kind": "never", "files": "n.csv"}}, tmp_path)
    assert expected in str(raised.value)
    assert "list 'l'" in str(raised.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        tables({"l": {"kind": "never", "files": "none.csv"}}, tmp_path)
