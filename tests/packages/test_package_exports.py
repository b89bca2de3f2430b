"""Exports: what goes out comes in again as it was; change-tracked ones send what is new."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from ingest.packages import read_package
from tests.packages.conftest import GROUPS, World
from unify.packages import (
    EntityDefinition,
    ExecutionStateError,
    ExportOptions,
    NoSuchEntityError,
    NoSuchProjectError,
    Operation,
    Project,
    ProjectEntity,
    ProjectError,
    Status,
)
from unify.records import Column, Kind, RecordStore

EVERY_KIND = EntityDefinition(
    "Every kind", "every",
    (
        Column("KEY", Kind.INTEGER), Column("TEXT", Kind.TEXT), Column("DECIMAL", Kind.DECIMAL, scale=3),
        Column("DOUBLE", Kind.DOUBLE), Column("BOOLEAN", Kind.BOOLEAN), Column("DATE", Kind.DATE),
        Column("DATETIME", Kind.DATETIME), Column("GUID", Kind.GUID), Column("BINARY", Kind.BINARY),
    ),
    ("KEY",),
)  # fmt: skip
FORMATS = ("CSV", "CSV-Unicode", "Semicolon", "XML-Element", "XML-Attribute", "EXCEL")


def filled(world: World, rows: list[dict[str, object]]) -> None:
    world.packages.define(EVERY_KIND)
    with RecordStore(world.path).write() as writing:
        writing.insert("every", rows)  # type: ignore[arg-type]


SOME = [
    {"KEY": -(2**63), "TEXT": "", "DECIMAL": Decimal("-0.001"), "DOUBLE": 1e-320, "BOOLEAN": False,
     "DATE": date(1, 1, 1), "DATETIME": datetime(2026, 11, 22, 9, 30, 0, 1, UTC), "BINARY": b"",
     "GUID": "6d31e09f-0249-459f-94f0-aad9c2c47b64"},
    {"KEY": 0, "TEXT": ' a "b"\r\n,;é\t', "DECIMAL": Decimal("123456789012.345"), "DOUBLE": -0.1, "BOOLEAN": True,
     "DATE": date(9999, 12, 31), "DATETIME": datetime(1969, 12, 31, tzinfo=UTC), "BINARY": bytes(range(256)),
     "GUID": None},
    {"KEY": 7, "TEXT": "=1+1", "DOUBLE": 1e300},
]  # fmt: skip


@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip_into_an_empty_instance_gives_equal_tables(
    world: World, world_at: Callable[[Path], World], form: str
) -> None:
    filled(world, SOME)
    out = world.folder / "out.zip"
    execution = world.packages.export_entities([ProjectEntity("Every kind", form)], out)
    assert execution.status is Status.SUCCEEDED
    assert execution.entities[0].exported == 3
    other = world_at(world.folder / "other")
    imported = other.packages.import_package(out)
    assert imported.status is Status.SUCCEEDED, imported
    assert other.rows("every") == world.rows("every")
    with RecordStore(other.path).read() as mine, RecordStore(world.path).read() as theirs:
        assert mine.table("every").columns == theirs.table("every").columns


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "KEY": st.integers(-(2**63), 2**63 - 1),
            "TEXT": st.none() | st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8),
            "DECIMAL": st.none() | st.decimals(-(10**12), 10**12, places=3),
            "DOUBLE": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "BOOLEAN": st.none() | st.booleans(),
            "DATE": st.none() | st.dates(),
            "DATETIME": st.none() | st.datetimes(timezones=st.just(UTC)),
            "GUID": st.none() | st.uuids().map(str),
            "BINARY": st.none() | st.binary(max_size=8),
        }
    ),
    max_size=5,
    unique_by=lambda row: row["KEY"],
)


@settings(max_examples=6, deadline=None)
@given(rows=ROWS, form=st.sampled_from(FORMATS))
def test_every_value_survives(
    rows: list[dict[str, object]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("values")
    one, other = World(folder / "one"), World(folder / "other")
    try:
        filled(one, rows)
        assert (
            one.packages.export_entities([ProjectEntity("Every kind", form)], folder / "o.zip").status
            is Status.SUCCEEDED
        )
        assert other.packages.import_package(folder / "o.zip").status is Status.SUCCEEDED
        assert other.rows("every") == one.rows("every")
    finally:
        one.acme.close()
        other.acme.close()


def texts(path: Path, entity: str = GROUPS.name) -> list[str]:
    with read_package(path) as package:
        return [row["ID"] for batch in package.rows(package.entity(entity)) for row in batch.rows.to_pylist()]


def tracked(world: World) -> None:
    entities = (ProjectEntity(GROUPS.name, change_tracking=True),)
    world.packages.define_project(Project("Out", Operation.EXPORT, entities=entities))


def test_a_change_tracked_export_sends_what_was_written_since_the_last_one(world: World) -> None:
    tracked(world)
    out = world.folder / "out.zip"
    world.packages.import_package(world.package("1,One,,\n2,Two,,\n"))
    world.packages.export_package("out", out)
    assert texts(out) == ["1", "2"]
    world.packages.export_package("Out", out)
    assert texts(out) == []
    world.packages.import_package(world.package("1,One,,\n2,Zwei,,\n3,Three,,\n"))
    third = world.packages.export_package("Out", out)
    assert texts(out) == ["2", "3"]
    assert third.entities[0].since is not None
    world.packages.import_package(world.package("4,Four,,\n"))
    again = world.packages.run(world.packages.submit_export("Out", execution_id=third.id, re_execute=True).id)
    assert again.package is not None
    assert texts(again.package) == ["2", "3", "4"]
    world.packages.export_package("Out", out)
    assert texts(out) == []
    world.packages.reset_tracking("Out", "customer groups")
    world.packages.export_package("Out", out)
    assert texts(out) == ["1", "2", "3", "4"]


def test_a_failed_export_and_a_preview_are_not_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tracked(world)
    out = world.folder / "out.zip"
    world.packages.import_package(world.package("1,One,,\n2,Two,,\n"))
    world.packages.export_package("Out", out, options=ExportOptions(preview=1))
    assert texts(out) == ["1"]
    with monkeypatch.context() as patched:
        patched.setattr("unify.packages.exports.write_package", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.packages.export_package("Out", out)
    assert world.packages.executions()[0].status is Status.FAILED
    world.packages.export_package("Out", out)
    assert texts(out) == ["1", "2"]


def test_delta_tracks_whatever_the_project_says(world: World) -> None:
    world.packages.define_project(Project("Out", Operation.EXPORT, entities=(ProjectEntity(GROUPS.name),)))
    out = world.folder / "out.zip"
    world.packages.import_package(world.package("1,One,,\n"))
    world.packages.export_package("Out", out)
    world.packages.export_package("Out", out)
    assert texts(out) == ["1"]
    world.packages.export_package("Out", out, options=ExportOptions(delta=True))
    assert texts(out) == []


def test_a_project_has_its_own_names_and_a_company(world: World) -> None:
    columns = (Column("dataAreaId", Kind.TEXT), Column("ID", Kind.TEXT))
    world.packages.define(EntityDefinition("Terms", "terms", columns, ("dataAreaId", "ID")))
    world.packages.import_package(world.package({"Terms": "dataAreaId,ID\nUSMF,1\nDEMF,2\n"}))
    entity = ProjectEntity("Terms", fields={"ID": "Terms of payment"})
    world.packages.define_project(Project("Out", Operation.EXPORT, entities=(entity,)))
    out = world.folder / "out.zip"
    world.packages.export_package("Out", out, options=ExportOptions(legal_entity="usmf"))
    with zipfile.ZipFile(out) as archive:
        assert archive.read("Terms.csv").decode("utf-8-sig").splitlines() == ["Terms of payment", "1"]


def test_what_cannot_be_exported_is_said_before_or_in_the_execution(world: World) -> None:
    with pytest.raises(NoSuchEntityError, match="did you mean Customer groups"):
        world.packages.define_project(Project("Out", Operation.EXPORT, entities=(ProjectEntity("Customer group"),)))
    with pytest.raises(ProjectError, match="format"):
        world.packages.define_project(Project("Out", Operation.EXPORT, entities=(ProjectEntity(GROUPS.name, "PDF"),)))
    twice = (ProjectEntity(GROUPS.name), ProjectEntity(GROUPS.name.upper()))
    with pytest.raises(ProjectError, match="twice"):
        world.packages.define_project(Project("Out", Operation.EXPORT, entities=twice))
    with pytest.raises(NoSuchProjectError, match="make it first"):
        world.packages.export_package("Out", world.folder / "x.zip")
    tracked(world)
    done = world.packages.import_package(world.package("1,One,,\n"))
    with pytest.raises(ExecutionStateError, match="is no export of"):
        world.packages.submit_export("Out", execution_id=done.id, re_execute=True)
    execution = world.packages.export_package("Out", world.folder / "x.zip", options=ExportOptions(entities=("Nope",)))
    assert execution.status is Status.FAILED
    assert not (world.folder / "x.zip").exists()
    world.packages.define(EVERY_KIND)
    world.packages.define_project(
        Project("Out", Operation.EXPORT, entities=(ProjectEntity(GROUPS.name), ProjectEntity("every")))
    )
    world.packages.forget("Every kind")
    with RecordStore(world.path).write() as writing:
        writing.drop("every")
    partly = world.packages.export_package("Out", world.folder / "x.zip")
    assert partly.status is Status.PARTIALLY_SUCCEEDED
    assert [run.exported for run in partly.entities] == [1, 0]


PROJECT = {
    "sources": {"crm": {"People": {"files": "people.csv", "key": "Id"}}},
    "conflation": {
        "order": ["crm.People"],
        "dedupe": {"crm.People": {"rules": [{"name": "mail", "when": [{"field": "EMail"}]}]}},
    },
    "resolution": {},
}


def test_tables_of_a_run_go_out_and_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("Id,Name,EMail\n1,Ada,a@x.example\n2,Ben,b@x.example\n3,Ada,a@x.example\n")
    with unify.open(tmp_path / "sample", create=True) as acme:
        acme.run(PROJECT, base=tmp_path)
        execution = acme.packages.export_entities([ProjectEntity("Customer", "CSV")], tmp_path / "out.zip")
        assert execution.status is Status.SUCCEEDED
        customers = acme.sql("SELECT count(*) AS n FROM Customer").rows()[0]["n"]
        assert execution.entities[0].exported == customers == 2
        again = acme.packages.import_package(tmp_path / "out.zip", project="In")
        assert "read only here" in again.entities[0].error
    raw = io.BytesIO((tmp_path / "out.zip").read_bytes())
    with read_package(raw) as package:
        assert package.entity("customer").table is not None
