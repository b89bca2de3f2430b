"""Every row is accounted for, whatever is wrong with the files, and the road that data takes in does not matter."""

import csv
import io
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import whole_jobs as jobs
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from unify.core.errors import SourceError
from unify.core.reports import RunReport

SAMPLE = Path(__file__).parents[2] / "sample_data"


def assert_accounted(acme: "unify.instance.Instance", report: RunReport) -> None:
    """Arrows balance, say what the tables say, and every quarantined row has a reason."""
    assert all(arrow.balanced for arrow in report.arrows)
    for entity in report.entities:
        table = entity.entity.replace(".", "_")
        assert entity.rows_in == entity.rows_kept + entity.rows_quarantined + entity.rows_filtered
        assert acme.tables()[table] == entity.rows_kept
        corrupt = acme.table(f"{table}_corrupt").rows()
        assert len(corrupt) == entity.rows_quarantined == sum(entity.reasons.values())
        assert Counter(row["reason"] for row in corrupt) == entity.reasons
        assert all(row["reason"] and row["raw"] is not None and row["line"] for row in corrupt)
    [row] = acme.sql(
        "SELECT (SELECT count(*) FROM records) AS records, (SELECT count(*) FROM members) AS members, "
        "(SELECT count(*) FROM Customer) AS customers, (SELECT count(DISTINCT rid) FROM members) AS distinct_members"
    ).rows()
    assert report.clusters is not None
    assert row["records"] == report.clusters.records == row["members"] + report.clusters.dropped
    assert row["members"] == row["distinct_members"]
    assert row["customers"] == report.clusters.customers


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = ("Id", "Mail", "Born", "Points")


def good(n: int) -> str:
    return f"K{n},m{n % 9}@x.example,19{60 + n % 40}-01-0{1 + n % 9},{n}"


FAULTS: dict[str, Callable[[int], str]] = {
    "too few": lambda n: f"K{n},only",
    "too many": lambda n: f"{good(n)},more,and more",
    "no key": lambda n: good(n).replace(f"K{n}", "", 1),
    "no date": lambda n: f"K{n},m@x.example,1960-13-45,{n}",
    "no number": lambda n: f"K{n},m@x.example,1960-01-01,many",
    "key again": lambda n: good(0),
}


def expected(lines: list[str]) -> Counter[str]:
    """Kept and quarantined rows by Python's own csv reader and plain rules; a key's first row is as good as its best."""
    found: Counter[str] = Counter()
    keys = set()
    for row in csv.reader(io.StringIO("\n".join(lines))):
        fine = len(row) == len(COLUMNS) and row[0] and row[3].isdigit()
        if fine:
            _, month, day = map(int, row[2].split("-"))
            fine = 1 <= month <= 12 and 1 <= day <= 31
        kept = bool(fine) and row[0] not in keys
        if kept:
            keys.add(row[0])
        found["kept" if kept else "quarantined"] += 1
    return found


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(st.sampled_from(["good"] * 6 + sorted(FAULTS)), min_size=1, max_size=60),
    dice=st.randoms(use_true_random=False),
)
def test_faults_anywhere(tmp_path_factory: pytest.TempPathFactory, rows: list[str], dice: random.Random) -> None:
    root = tmp_path_factory.mktemp("faults")
    lines = [good(n) if kind == "good" else FAULTS[kind](n) for n, kind in enumerate(rows)]
    (root / "people.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    columns = {"Born": "date", "Points": "integer", "Mail": "string"}
    project = {
        "sources": {"crm": {"People": {"files": "people.csv", "key": "Id", "columns": columns}}},
        "conflation": {
            "order": ["crm.People"],
            "dedupe": {"crm.People": [{"name": "mail", "when": [{"field": "Mail"}, {"field": "Born"}]}]},
        },
    }
    with unify.open(root / "acme", create=True) as acme:
        report = acme.run(project, base=root)
        assert_accounted(acme, report)
        [entity] = report.entities
        assert entity.rows_in == len(lines)
        wanted = expected(lines)
        assert (entity.rows_kept, entity.rows_quarantined) == (wanted["kept"], wanted["quarantined"])
    shutil.rmtree(root)


def test_faults_in_the_sample(tmp_path: Path) -> None:
    """Lines of the sample cut, doubled and mangled at random: still every line is accounted for."""
    root = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    dice = random.Random(7)
    lines_of = {}
    for path in sorted([*root.glob("output/*/*.csv"), *root.glob("output/*/*.jsonl")]):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        header = 1 if path.suffix == ".csv" else 0
        body = [line for line in lines[header:] if '"' not in line or path.suffix == ".jsonl"]
        for n in range(len(body)):
            match dice.randrange(30):
                case 0:
                    body[n] = body[n][: len(body[n]) // 2].rstrip()
                case 1:
                    body[n] = body[dice.randrange(len(body))]
                case 2:
                    body[n] = body[n].replace("0", "x")
        path.write_text("\n".join([*lines[:header], *body]) + "\n", encoding="utf-8")
        lines_of[path.stem] = len([line for line in body if line.strip()])
    with unify.open(tmp_path / "acme", create=True) as acme:
        report = acme.run(root / "project.yaml")
        assert_accounted(acme, report)
        counted = {e.entity: e.rows_in for e in report.entities}
        project = yaml.safe_load((root / "project.yaml").read_text())
        for source, entities in project["sources"].items():
            for name, entity in entities.items():
                assert counted[f"{source}.{name}"] == lines_of[Path(entity["files"]).stem]


# ── the road in ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def from_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("from-csv") / "root"
    jobs.make(root)
    jobs.run(str(root))
    return root


def customers(acme: "unify.instance.Instance") -> list[tuple[Any, ...]]:
    with acme.connect() as connection:
        return connection.execute("FROM Customer ORDER BY ALL").fetchall()


def typed(root: Path) -> dict[str, pa.Table]:
    """The ingested tables, as somebody else's program would hold them."""
    with unify.open(root / "acme") as acme:
        return {e: acme.table(e).arrow() for e in ("crm.Contacts", "loyalty.Members")}


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "arrow": lambda table: table,
    "arrow reader": lambda table: table.to_reader(max_chunksize=17),
    "pandas": lambda table: table.to_pandas(),
    "pandas with arrow types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "polars lazy": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": duckdb.from_arrow,
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_give_the_same_customers(from_csv: Path, tmp_path: Path, kind: str) -> None:
    frames = {entity: FRAMES[kind](table) for entity, table in typed(from_csv).items()}
    project = yaml.safe_load(jobs.PROJECT)
    for source in project["sources"].values():
        for entity in source.values():
            entity.pop("files")
    with unify.open(from_csv / "acme") as before, unify.open(tmp_path / "acme", create=True) as acme:
        report = acme.run(project, frames=frames)
        assert_accounted(acme, report)
        assert customers(acme) == customers(before)


def test_a_frame_that_is_no_table_is_named(from_csv: Path, tmp_path: Path) -> None:
    frames = typed(from_csv) | {"loyalty.Members": {"Id": 7}}
    with (
        unify.open(tmp_path / "acme", create=True) as acme,
        pytest.raises(SourceError, match=r"loyalty\.Members: .*dict is not a table"),
    ):
        acme.run(yaml.safe_load(jobs.PROJECT), frames=frames)


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def write_json_lines(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))


def write_csv_with_everything_quoted(table: pa.Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-16") as file:
        writer = csv.writer(file, delimiter=";", quoting=csv.QUOTE_ALL)
        writer.writerow(table.column_names)
        writer.writerows(["" if v is None else v for v in row.values()] for row in table.to_pylist())


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("parquet", write_parquet), ("jsonl", write_json_lines), ("csv", write_csv_with_everything_quoted)],
)
def test_file_formats_give_the_same_customers(
    from_csv: Path, tmp_path: Path, suffix: str, write: Callable[[pa.Table, Path], None]
) -> None:
    project = yaml.safe_load(jobs.PROJECT)
    for entity, table in typed(from_csv).items():
        source, name = entity.split(".")
        project["sources"][source][name]["files"] = f"{source}.{suffix}"
        write(table, tmp_path / f"{source}.{suffix}")
    with unify.open(from_csv / "acme") as before, unify.open(tmp_path / "acme", create=True) as acme:
        assert_accounted(acme, acme.run(project, base=tmp_path))
        assert customers(acme) == customers(before)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_what_is_exported_can_be_ingested(from_csv: Path, tmp_path: Path, suffix: str) -> None:
    """Export the sources, run on the exports: the same customers."""
    project = yaml.safe_load(jobs.PROJECT)
    with unify.open(from_csv / "acme") as before:
        for source, name in (("crm", "Contacts"), ("loyalty", "Members")):
            before.export(f"{source}.{name}", tmp_path / f"{source}.{suffix}")
            project["sources"][source][name]["files"] = f"{source}.{suffix}"
        with unify.open(tmp_path / "acme", create=True) as acme:
            acme.run(project, base=tmp_path)
            assert customers(acme) == customers(before)
