"""Incremental folders through the whole load: typed, replayed, filtered, every row accounted for."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.load import load
from unify.core.errors import SourceError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
HEAD = "Id,Name,Points,ModifiedOn\n"


def entity(**more) -> Entity:
    return Entity.model_validate({"files": "in", "key": "Id", "incremental": {"updated": "ModifiedOn"}, **more})


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def loaded(root: Path, declared: Entity):
    with DuckDBEngine(threads=2) as engine:
        report = load(engine, "crm.People", declared, base=root, now=NOW)
        rows = engine.fetch(Query('SELECT "Id", "Name", "Points" FROM "crm_People" ORDER BY ALL')).to_pylist()
        corrupt = engine.fetch(Query('SELECT file, line, "column", reason FROM "crm_People_corrupt"')).to_pylist()
    return report, [tuple(row.values()) for row in rows], corrupt


FOLDERS = {
    "FullData/people.csv": HEAD
    + "1,Ann,10,2024-05-01T00:00:00\n"
    + "2,Bob,20,2024-05-01T00:00:00\n"
    + "3,Cyd,30,2024-05-01T00:00:00\n"
    + "4,Dan,40,2024-05-01T00:00:00\n"
    + "4,Dan,,2024-05-01T00:00:00\n",
    "FullData/_SUCCESS": "",
    "IncrementalData/2024/05/17/09/Upserts/u.csv.gz": gzip.compress(
        (HEAD + "2,Bobby,-5,2024-05-17T09:10:00\n" + "5,Eve,50,2024-05-17T09:20:00\n").encode()
    ),
    "IncrementalData/2024/05/17/10/Upserts/u.csv": HEAD + "6,Fay,60,2024-05-17T10:10:00\n" + "7,Gus,x;y,never\n",
    "IncrementalData/2024/05/17/10/Deletes/d.jsonl": '{"Id": "3"}\n{"Id": "9"}\n',
    "IncrementalData/2024/05/17/10/Deletes/e.jsonl": '{"Id": "5", "ModifiedOn": "2024-05-17T09:05:00"}\n',
    "IncrementalData/2024/05/17/12/Upserts/u.csv": HEAD + "1,Late,0,2024-05-17T12:10:00\n",
}
TYPES = {"Id": "string", "Points": "integer", "ModifiedOn": "datetime"}


def test_folders_become_the_current_table(tmp_path):
    write(tmp_path, FOLDERS)
    report, rows, corrupt = loaded(tmp_path, entity(columns=TYPES))
    assert rows == [("1", "Ann", 10), ("2", "Bobby", -5), ("4", "Dan", 40), ("5", "Eve", 50), ("6", "Fay", 60)]
    assert {(Path(c["file"]).name, c["line"], c["column"]) for c in corrupt} >= {("u.csv", 3, "Points")}
    assert len(corrupt) == 2  # the row that does not parse, and the lesser one of the two rows of key 4
    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (12, 5, 2)
    assert (report.rows_replaced, report.rows_of_deletes, report.duplicates) == (2, 3, 1)
    [warning] = [w for w in report.warnings if "not over" in w]
    assert "2024-05-17 12:00" in warning


def test_filters_come_after_the_replay(tmp_path):
    """Bob's upsert leaves the filter; the older Bob, who is inside it, must not come back."""
    write(tmp_path, FOLDERS)
    keep = [{"column": "Points", "operator": "greater_than", "value": 0}]
    report, rows, _ = loaded(tmp_path, entity(columns=TYPES, where=keep))
    assert [row[0] for row in rows] == ["1", "4", "5", "6"]
    assert report.rows_filtered == 2  # Bobby, and the Dan without points
    assert report.rows_in == sum(
        (report.rows_kept, report.rows_quarantined, report.rows_filtered, report.rows_replaced, report.rows_of_deletes)
    )


def test_parquet_folders(tmp_path):
    def parquet(name: str, **columns) -> None:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)

    def day(n: int) -> datetime:
        return datetime(2024, 5, n, tzinfo=UTC)

    parquet("FullData/a.parquet", Id=[1, 2], Name=["a", "b"], Points=[1, 2], ModifiedOn=[day(1), day(1)])
    parquet("IncrementalData/2024/05/17/09/Upserts/b.parquet", Id=[2], Name=["B"], Points=[9], ModifiedOn=[day(17)])
    parquet("IncrementalData/2024/05/17/09/Deletes/c.parquet", Id=[1])
    report, rows, _ = loaded(tmp_path, entity())
    assert rows == [(2, "B", 9)]
    assert (report.rows_in, report.rows_replaced, report.rows_of_deletes) == (4, 2, 1)


def test_without_full_data_nothing_is_loaded(tmp_path):
    write(tmp_path, {name: content for name, content in FOLDERS.items() if not name.startswith("FullData")})
    with pytest.raises(SourceError, match="FullData is missing"):
        loaded(tmp_path, entity())
