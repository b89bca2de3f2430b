"""Members as files: read back by other readers, and equal to SQL by hand over the same generation."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap
from typer.testing import CliRunner

import unify
from segments.membership.export import export_members, segment_membership_table
from segments.model import Model, model_of
from unify.cli.app import app
from unify.core.errors import QueryError, SpecError, StoreError
from unify.engines.duckdb import DuckDBEngine
from unify.instance import Instance
from unify.spec.segment import Projected

PROJECT = Path(__file__).parents[2] / "sample_data" / "project.yaml"


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with unify.open(tmp_path_factory.mktemp("export") / "instance", create=True) as instance:
        instance.run(PROJECT)
        instance.segments().create(
            "north",
            {
                "where": "ordinal lt 40",
                "projected": [{"path": ["UnifiedActivity"], "attributes": ["Title", "ActivityTime"]}],
            },
        )
        instance.segments().refresh("north")
        yield instance


@pytest.fixture(scope="module")
def engine(acme: Instance) -> Iterator[DuckDBEngine]:
    with DuckDBEngine.reading(acme.published().path, sealed=False) as one:
        yield one


@pytest.fixture(scope="module")
def model(acme: Instance, engine: DuckDBEngine) -> Model:
    return model_of(engine, acme.project())


MEMBERS = BitMap(range(0, 200, 3))
ACTIVITIES = Projected(path=("UnifiedActivity",), attributes=("Title", "ActivityTime"))
SIGN_UPS = Projected(path=("web_SignUps",), attributes=("EMail",))
BY_HAND = """
SELECT c."CustomerId", c."City",
  (SELECT list("Title" ORDER BY "ActivityTime" NULLS LAST, "ActivityId") FROM UnifiedActivity a
   WHERE a."CustomerId" = c."CustomerId") AS titles,
  (SELECT list(s."EMail" ORDER BY s."UserId") FROM web_SignUps s JOIN members r ON r.key = s."UserId"
   AND r.entity = 'web.SignUps' WHERE r.ordinal = c.ordinal) AS mails
FROM Customer c WHERE c.ordinal % 3 = 0 AND c.ordinal < 200 ORDER BY c.ordinal
"""


def by_hand(engine: DuckDBEngine) -> list[list[Any]]:
    rows = engine.connection.execute(BY_HAND).fetchall()
    assert sum(len(row[2] or []) > 1 for row in rows) > 3, "nothing whose order could be wrong"
    assert any(row[2] is None for row in rows), "nobody without activities"
    return [[row[0], row[1], row[2] or [], row[3] or []] for row in rows]


def write(engine: DuckDBEngine, model: Model, path: Path, **options: Any) -> Path:
    said = {"attributes": ["City"], "projected": [ACTIVITIES, SIGN_UPS]} | options
    return export_members(engine, model, MEMBERS, path, **said).path


HEADER = ["CustomerId", "City", "UnifiedActivity_Title", "UnifiedActivity_ActivityTime", "web_SignUps_EMail"]


def test_parquet(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    table = pq.read_table(write(engine, model, tmp_path / "m.parquet"))
    assert table.column_names == HEADER
    rows = table.to_pylist()
    assert [[r["CustomerId"], r["City"], r[HEADER[2]], r[HEADER[4]]] for r in rows] == by_hand(engine)
    assert all(len(r[HEADER[2]]) == len(r[HEADER[3]]) for r in rows), "lists of one path belong together"
    assert all(r[HEADER[3]] == sorted(r[HEADER[3]]) for r in rows), "old to new"


def test_csv_has_lists_as_json(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    with write(engine, model, tmp_path / "m.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == HEADER
    found = [[r[0], r[1] or None, json.loads(r[2]), json.loads(r[4])] for r in rows]
    assert found == by_hand(engine)


@pytest.mark.parametrize("name", ["m.json", "m.jsonl"])
def test_json(engine: DuckDBEngine, model: Model, tmp_path: Path, name: str) -> None:
    text = write(engine, model, tmp_path / name).read_text(encoding="utf-8")
    rows = json.loads(text) if name == "m.json" else [json.loads(line) for line in text.splitlines()]
    assert [[r["CustomerId"], r["City"], r[HEADER[2]], r[HEADER[4]]] for r in rows] == by_hand(engine)


def test_all_attributes_of_customer_unless_some_are_chosen(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    columns = pq.read_table(export_members(engine, model, MEMBERS, tmp_path / "all.parquet").path).column_names
    assert columns == [c for c in engine.columns("Customer") if c != "ordinal"]
    none = export_members(engine, model, MEMBERS, tmp_path / "none.parquet", attributes=[])
    assert pq.read_table(none.path).column_names == ["CustomerId"]
    own = Projected(attributes=("City", "Tier"))
    some = export_members(engine, model, MEMBERS, tmp_path / "own.parquet", attributes=["Tier"], projected=[own])
    assert pq.read_table(some.path).column_names == ["CustomerId", "Tier", "City"]


def test_rows_two_steps_away(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    """Orders of a customer hang on the sign-up, by a shortcut or step by step."""
    [shortcut] = [
        path for (start, name), path in model.shortcuts.items() if (start, name) == ("Customer", "web_Orders")
    ]
    hand = engine.connection.execute(
        'SELECT c."CustomerId", list(o."OrderId" ORDER BY o."OrderId") FROM Customer c '
        "JOIN members r ON r.ordinal = c.ordinal AND r.entity = 'web.SignUps' "
        'JOIN web_Orders o ON o."UserId" = r.key GROUP BY 1'
    ).fetchall()
    assert len(hand) > 10
    everybody = BitMap(o for (o,) in engine.connection.execute("SELECT ordinal FROM Customer").fetchall())
    for path in (("web_Orders",), shortcut):
        one = Projected(path=path, attributes=("OrderId",))
        made = export_members(
            engine, model, everybody, tmp_path / f"{len(path)}.parquet", attributes=[], projected=[one]
        )
        rows = [tuple(r.values()) for r in pq.read_table(made.path).to_pylist()]
        assert {c: o for c, o in rows if o} == dict(hand)


def test_formulas_are_neutralised_unless_asked(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    engine.connection.execute(
        'CREATE OR REPLACE TEMP TABLE "Customer" AS SELECT * REPLACE (\'=1+1\' AS "City") FROM generation."Customer"'
    )
    try:
        for neutralise, cell in ((True, "'=1+1"), (False, "=1+1")):
            path = write(engine, model, tmp_path / "f.csv", neutralise=neutralise, overwrite=True)
            rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
            assert {row[1] for row in rows[1:]} == {cell}
    finally:
        engine.connection.execute('DROP TABLE temp."Customer"')


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"attributes": ["Ctiy"]}, QueryError, "did you mean City"),
        ({"projected": [Projected(path=("UnifiedActivty",), attributes=("Title",))]}, QueryError, "did you mean UnifiedActivity"),
        ({"projected": [Projected(path=("UnifiedActivity",), attributes=("Titel",))]}, QueryError, "did you mean Title"),
        ({"projected": [ACTIVITIES, ACTIVITIES]}, QueryError, "two columns would be called UnifiedActivity_Title"),
        ({"format": "cvs"}, SpecError, "did you mean csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported(
    engine: DuckDBEngine, model: Model, tmp_path: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        write(engine, model, tmp_path / "m.csv", **options)
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_left_out_in_silence(engine: DuckDBEngine, model: Model, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"2 members are no customers here, e\.g\. ordinals 999998, 999999"):
        export_members(engine, model, MEMBERS | BitMap([999998, 999999]), tmp_path / "m.csv")
    path = write(engine, model, tmp_path / "m.csv")
    with pytest.raises(StoreError, match="the file exists"):
        write(engine, model, path)
    assert export_members(engine, model, BitMap(), tmp_path / "none.jsonl").rows == 0


# ── the vendor's table ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_vendors_table_of_memberships(engine: DuckDBEngine, model: Model) -> None:
    sets = {f"s{i}": BitMap(o for o in range(700) if (o * 7919 + i) % (i + 2) == 0) for i in range(11)}
    sets['"quoted", ü'] = BitMap([5])
    sets["nobody"] = BitMap()
    table = segment_membership_table(engine, model, sets)
    assert table.column_names == ["CustomerId", "SegmentProvider", "SegmentMembershipType", "Segments"]
    ids = dict(engine.connection.execute('SELECT ordinal, "CustomerId" FROM Customer').fetchall())
    everybody = BitMap.union(*sets.values())
    hand = [(ids[o], "unify", "Customer", sorted(n for n, s in sets.items() if o in s)) for o in everybody]
    assert [(*row[:3], json.loads(row[3])) for row in map(tuple, (r.values() for r in table.to_pylist()))] == hand
    assert any('"s3"' in text for text in table.column("Segments").to_pylist())


def test_the_vendors_table_of_none(engine: DuckDBEngine, model: Model) -> None:
    assert segment_membership_table(engine, model, {}).num_rows == 0
    assert segment_membership_table(engine, model, {"a": BitMap()}).num_rows == 0
    with pytest.raises(SpecError, match="there is no type 'Custmer'"):
        segment_membership_table(engine, model, {}, type="Custmer")


# ── the faces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_segment_exports_what_its_definition_projects(acme: Instance, tmp_path: Path) -> None:
    made = acme.segment("north").export(tmp_path / "n.parquet", attributes=["City"])
    table = pq.read_table(made.path)
    assert table.column_names == ["CustomerId", "City", "UnifiedActivity_Title", "UnifiedActivity_ActivityTime"]
    assert made.rows == acme.segment("north").count() == 40


def test_on_the_command_line(acme: Instance, tmp_path: Path) -> None:
    path = tmp_path / "n.jsonl"
    words = [
        "segment",
        "export",
        "north",
        str(path),
        "-a",
        "City",
        "-p",
        "web_SignUps.EMail",
        "-p",
        "web_SignUps.UserId",
    ]
    done = CliRunner().invoke(app, [*words, "--instance", str(acme.path), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"path": str(path), "format": "jsonl", "rows": 40, "bytes": path.stat().st_size}
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["CustomerId", "City", "web_SignUps_EMail", "web_SignUps_UserId"]
    bad = CliRunner().invoke(app, [*words[:4], "-p", "web_SignUps.", "--instance", str(acme.path)])
    assert bad.exit_code != 0
