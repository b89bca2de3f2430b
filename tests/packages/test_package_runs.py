"""Imports: what reaches staging, what the target takes, and that every row of a file is accounted for."""

import csv
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.packages.conftest import GROUPS, World
from unify.core.errors import SourceError
from unify.packages import (
    CompositePart,
    EntityDefinition,
    EntityRun,
    Execution,
    ExecutionStateError,
    ImportOptions,
    NoSuchEntityError,
    NoSuchExecutionError,
    Operation,
    Project,
    ProjectError,
    Status,
)
from unify.packages.database import PackageDatabase
from unify.packages.history import began, kept
from unify.packages.locks import hold, lock_of_execution, lock_of_project
from unify.records import Column, Kind, RecordStore

ALL_WRONG = """1,One,1.5,2026-01-01
2,Two,x,2026-01-01
3,,1,
1,Again,2,
123456789,Long,1,
4,Four,2.25,
,No key,1,
5,Five
6,Six,1.255,2026-02-31
7,A name of more than twenty characters,,
"""


def accounted(run: EntityRun) -> None:
    """The law of every entity of every import."""
    assert run.file_rows == run.staged + run.staging_errors
    assert run.staged == run.created + run.updated + run.unchanged + run.refused + run.not_run
    assert run.not_run >= 0


def done(execution: Execution) -> EntityRun:
    (run,) = execution.entities
    accounted(run)
    return run


def lines(path: Path | None) -> list[dict[str, str]]:
    assert path is not None
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_good_rows_stay_and_both_kinds_of_bad_ones_have_a_file(world: World) -> None:
    execution = world.packages.import_package(world.package(ALL_WRONG))
    run = done(execution)
    assert execution.status is Status.PARTIALLY_SUCCEEDED
    assert (run.staging, run.target) == (Status.PARTIALLY_SUCCEEDED, Status.PARTIALLY_SUCCEEDED)
    assert (run.file_rows, run.staging_errors, run.refused, run.created) == (10, 3, 5, 2)
    assert world.rows() == [
        {"ID": "1", "NAME": "One", "RATE": Decimal("1.50"), "SINCE": date(2026, 1, 1)},
        {"ID": "4", "NAME": "Four", "RATE": Decimal("2.25"), "SINCE": None},
    ]
    unstaged = lines(world.packages.staging_error_file(execution.id, "customer GROUPS"))
    assert [(row["RowId"], row["Field"]) for row in unstaged] == [("2", "RATE"), ("8", ""), ("9", "RATE; SINCE")]
    assert unstaged[0]["NAME"] == "Two"
    assert unstaged[1]["Source"] == "5,Five"
    refused = lines(world.packages.target_keys_file(execution.id, "Customer groups"))
    assert [(row["ID"], row["RowId"], row["Field"]) for row in refused] == [
        ("3", "3", "NAME"), ("1", "4", "ID"), ("123456789", "5", "ID"), ("", "7", "ID"), ("7", "10", "NAME"),
    ]  # fmt: skip
    told = world.packages.errors(execution.id)
    assert {error.row for error in told} == {2, 3, 4, 5, 7, 8, 9, 10}


def test_a_whole_file_has_no_error_files(world: World) -> None:
    execution = world.packages.import_package(world.package("1,One,,\n2,Two,,\n"))
    assert execution.status is Status.SUCCEEDED
    assert done(execution).created == 2
    assert world.packages.staging_error_file(execution.id, GROUPS.name) is None
    assert world.packages.target_keys_file(execution.id, GROUPS.name) is None
    with pytest.raises(NoSuchEntityError, match="did you mean Customer groups"):
        world.packages.target_keys_file(execution.id, "Customer group")


def test_execute_false_stops_at_staging_and_execute_goes_on(world: World) -> None:
    options = ImportOptions(execute=False)
    staged = world.packages.import_package(world.package("1,One,,\n2,,,\n"), execution_id="E-1", options=options)
    run = done(staged)
    assert staged.status is Status.SUCCEEDED
    assert run.target is Status.NOT_RUN
    assert run.not_run == 2
    assert world.rows() == []
    executed = world.packages.execute("e-1")
    assert executed.status is Status.PARTIALLY_SUCCEEDED
    assert (done(executed).created, done(executed).refused) == (1, 1)
    with pytest.raises(ExecutionStateError, match="has not stopped at staging"):
        world.packages.execute("E-1")
    with pytest.raises(ExecutionStateError, match="there already"):
        world.packages.import_package(world.package("1,One,,\n"), execution_id="e-1")


def test_overwrite_changes_what_differs_and_leaves_the_rest_alone(world: World) -> None:
    world.packages.import_package(world.package("1,One,1,\n2,Two,2,\n"))
    before = world.versions()
    again = world.packages.import_package(world.package("1,One,1,\n2,Zwei,2,\n3,Three,3,\n"))
    run = done(again)
    assert (run.created, run.updated, run.unchanged) == (1, 1, 1)
    after = world.versions()
    assert after["1"] == before["1"]
    assert after["2"] > before["2"]
    assert len(set(after.values())) == 3
    only_names = world.package({GROUPS.name: "ID,NAME\n1,Eins\n"})
    assert done(world.packages.import_package(only_names)).updated == 1
    assert world.rows()[0] == {"ID": "1", "NAME": "Eins", "RATE": Decimal("1.00"), "SINCE": None}


def test_without_overwrite_a_row_that_is_there_is_refused(world: World) -> None:
    world.packages.import_package(world.package("1,One,,\n"))
    execution = world.packages.import_package(
        world.package("1,Other,,\n2,Two,,\n"), options=ImportOptions(overwrite=False)
    )
    assert (done(execution).created, done(execution).refused) == (1, 1)
    assert "overwrite is off" in world.packages.errors(execution.id)[0].message
    assert [row["NAME"] for row in world.rows()] == ["One", "Two"]


def test_a_row_whose_alternate_key_another_one_has_is_refused_alone(world: World) -> None:
    with RecordStore(world.path).write() as writing:
        table = writing.table(GROUPS.table)
        writing.define(replace(table, keys={"by_name": ("NAME",)}))
    world.packages.import_package(world.package("1,One,,\n"))
    execution = world.packages.import_package(world.package("2,ONE,,\n3,Three,,\n4,three,,\n1,Uno,,\n5,one,,\n"))
    run = done(execution)
    assert (run.created, run.updated, run.refused) == (2, 1, 2)
    assert [row["ID"] for row in lines(world.packages.target_keys_file(execution.id, GROUPS.name))] == ["2", "4"]
    assert {row["ID"]: row["NAME"] for row in world.rows()} == {"1": "Uno", "3": "Three", "5": "one"}


def test_options_read_only_columns_and_companies(world: World) -> None:
    world.packages.define(
        EntityDefinition(
            "Terms", "terms",
            (Column("ID", Kind.TEXT), Column("STATE", Kind.TEXT), Column("SEQ", Kind.INTEGER), Column("dataAreaId", Kind.TEXT)),
            ("dataAreaId", "ID"), options={"STATE": ("Open", "Closed")}, read_only=("SEQ",),
        )
    )  # fmt: skip
    first = world.package({"Terms": "ID,STATE,SEQ\n1,Open,5\n2,Lost,\n3,,\n"})
    execution = world.packages.import_package(first, options=ImportOptions(legal_entity="USMF"))
    assert (done(execution).created, done(execution).refused) == (1, 2)
    second = world.package({"Terms": "dataAreaId,ID,SEQ\nusmf,1,6\nDEMF,4,\n,3,\n"})
    again = world.packages.import_package(second, options=ImportOptions(legal_entity="USMF"))
    said = {error.row: error.message for error in world.packages.errors(again.id)}
    assert "company DEMF" in said[2]
    assert "only the system writes" in said[1]
    assert set(said) == {1, 2}
    assert [(row["dataAreaId"], row["ID"], row["SEQ"]) for row in world.rows("terms")] == [("USMF", "3", None)]


def test_business_validation_that_is_off_lets_other_options_in(world: World) -> None:
    world.packages.define(
        EntityDefinition(
            "Terms",
            "terms",
            (Column("ID", Kind.TEXT), Column("STATE", Kind.TEXT)),
            ("ID",),
            options={"STATE": ("Open",)},
        )
    )
    package = world.package({"Terms": "ID,STATE\n1,Lost\n"}, RunBusinessValidation={"Terms": "false"})
    assert done(world.packages.import_package(package)).created == 1


def test_an_entity_that_nobody_defined_says_how_to(world: World) -> None:
    package = world.package({"Vendors": "V,NAME\n1,One\n1,Two\n", GROUPS.name: "ID,NAME\n1,One\n"})
    execution = world.packages.import_package(package)
    vendors, groups = execution.entities
    assert "define it" in vendors.error
    assert "--key 'Vendors=COLUMN'" in vendors.error
    assert groups.created == 1
    assert execution.status is Status.PARTIALLY_SUCCEEDED
    keyed = world.packages.import_package(package, options=ImportOptions(keys={"vendors": ("v",)}))
    assert [(run.created, run.refused) for run in keyed.entities] == [(1, 1), (0, 0)]
    assert world.rows("vendors") == [{"V": "1", "NAME": "One"}]
    with pytest.raises(NoSuchExecutionError):
        world.packages.execution("nope")


def test_columns_that_an_entity_does_not_have_are_an_error_of_that_entity(world: World) -> None:
    execution = world.packages.import_package(world.package({GROUPS.name: "ID,NAMEN\n1,One\n"}))
    assert execution.status is Status.FAILED
    assert "did you mean NAME?" in done(execution).error


@pytest.mark.parametrize(
    ("flags", "ran"),
    [
        ({}, ["A", "B", "C", "D", "E"]),
        ({"FailLevelOnError": {"A": "true"}}, ["A", "C", "D", "E"]),
        ({"FailExecutionUnitOnError": {"A": "true"}}, ["A", "E"]),
        ({"FailExecutionUnitOnError": {"B": "true"}}, ["A", "B", "C", "D", "E"]),
    ],
)
def test_flags_keep_what_comes_behind_an_error_from_running(
    world: World, flags: dict[str, dict[str, str]], ran: list[str]
) -> None:
    """A has errors. A and B are of the first level, C and D of the second, E of another unit."""
    files = {name: "ID,V\n1,x\n" + (",y\n" if name == "A" else "") for name in "DCBAE"}
    for name in files:
        columns = (Column("ID", Kind.TEXT), Column("V", Kind.TEXT))
        world.packages.define(EntityDefinition(name, f"t{name}".lower(), columns, ("ID",)))
    package = world.package(
        files,
        ExecutionUnit={**dict.fromkeys("ABCD", 1), "E": 2},
        LevelInExecutionUnit={"A": 1, "B": 1, "C": 2, "D": 2, "E": 1},
        SequenceInLevel={"A": 1, "B": 2, "C": 1, "D": 2, "E": 1},
        **flags,
    )
    execution = world.packages.import_package(package)
    assert [run.entity for run in execution.entities] == list("ABCDE")
    assert [run.entity for run in execution.entities if run.target is not Status.NOT_RUN] == ran
    assert execution.status is Status.PARTIALLY_SUCCEEDED
    for run in execution.entities:
        accounted(run)
        assert (run.entity in ran) == (not run.error)


def test_fail_on_error_ends_at_the_first_entity_with_one(world: World) -> None:
    package = world.package({GROUPS.name: "ID,NAME\n1,\n2,Two\n", "Vendors": "V\n1\n"})
    options = ImportOptions(fail_on_error=True, keys={"Vendors": ("V",)})
    groups, vendors = world.packages.import_package(package, options=options).entities
    assert groups.created == 1
    assert vendors.target is Status.NOT_RUN
    assert "had errors" in vendors.error


# ── composite ────────────────────────────────────────────────────────────────────────────────────────────────────────

ORDERS = """<Document>
<HEADER NUMBER="S1" CUSTOMER="C1"><LINE NO="1" ITEM="A"/><LINE NO="2" ITEM="B"/></HEADER>
<HEADER NUMBER="" CUSTOMER="C2"><LINE NO="1" ITEM="C"/></HEADER>
<HEADER NUMBER="S3" CUSTOMER="C3"><LINE NO="1" ITEM=""/><LINE NO="x" ITEM="E"/></HEADER>
</Document>"""


def composite(world: World) -> None:
    text = {name: Column(name, Kind.TEXT) for name in ("NUMBER", "CUSTOMER")}
    world.packages.define(EntityDefinition("Headers", "headers", tuple(text.values()), ("NUMBER",)))
    world.packages.define(
        EntityDefinition(
            "Lines", "lines",
            (text["NUMBER"], Column("NO", Kind.INTEGER), Column("ITEM", Kind.TEXT, length=5)), ("NUMBER", "NO"),
        )
    )  # fmt: skip
    parts = (CompositePart("HEADER", "Headers"), CompositePart("LINE", "Lines", "HEADER", {"NUMBER": "NUMBER"}))
    world.packages.define(EntityDefinition("Orders", "", parts=parts))


def test_parts_of_a_composite_entity_go_to_their_tables_linked(world: World) -> None:
    composite(world)
    package = world.package({"Orders": ORDERS.replace('NUMBER=""', "")}, SourceFormat={"Orders": "XML-Attribute"})
    execution = world.packages.import_package(package, options=ImportOptions(overwrite=False))
    headers, rows = execution.entities
    assert (headers.created, headers.refused) == (2, 1)
    assert (rows.file_rows, rows.staging_errors, rows.created, rows.refused) == (5, 1, 3, 1)
    assert [(row["NUMBER"], row["NO"]) for row in world.rows("lines")] == [("S1", 1), ("S1", 2), ("S3", 1)]
    messages = [error.message for error in world.packages.errors(execution.id) if error.part == "LINE"]
    assert any("stands in, was refused" in message for message in messages)
    assert lines(world.packages.target_keys_file(execution.id, "Orders"))[0]["Part"] == "HEADER"


def test_a_composite_entity_is_never_overwritten(world: World) -> None:
    composite(world)
    package = world.package({"Orders": ORDERS}, SourceFormat={"Orders": "XML-Attribute"})
    execution = world.packages.import_package(package)
    assert execution.status is Status.FAILED
    assert "never overwritten" in execution.error
    with pytest.raises(ProjectError, match="no column"):
        world.packages.define(
            EntityDefinition(
                "X", "", parts=(CompositePart("H", "Headers"), CompositePart("L", "Lines", "H", {"NUMBER": "NO"}))
            )
        )


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_submitted_has_not_run_and_can_be_cancelled(world: World) -> None:
    submitted = world.packages.submit_import(world.package("1,One,,\n"))
    assert submitted.status is Status.NOT_RUN
    assert world.packages.cancel(submitted.id).status is Status.CANCELED
    assert world.packages.run(submitted.id).status is Status.CANCELED
    assert world.rows() == []


def test_a_cancelled_run_keeps_what_it_wrote_and_counts_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unify.packages.target.LOT", 2)
    monkeypatch.setattr("unify.packages.packages.LOOK_S", 0.0)
    submitted = world.packages.submit_import(world.package("".join(f"{n},N{n},,\n" for n in range(10))))
    from unify.packages import target

    real = target._write_lot

    def one_and_then(*given: Any) -> bool:
        world.packages.cancel(submitted.id)
        return real(*given)

    monkeypatch.setattr(target, "_write_lot", one_and_then)
    execution = world.packages.run(submitted.id)
    run = done(execution)
    assert execution.status is Status.CANCELED
    assert run.target is Status.CANCELED
    assert run.created == len(world.rows()) == 2
    assert run.not_run == 8


def test_executing_while_a_process_has_it_and_unknown_when_that_is_gone(world: World) -> None:
    submitted = world.packages.submit_import(world.package("1,One,,\n"))
    database = PackageDatabase(world.path)
    number = kept(database, submitted.id).number
    began(database, number)
    with hold(lock_of_execution(database, number)) as mine:
        assert mine
        assert world.packages.execution(submitted.id).status is Status.EXECUTING
        with pytest.raises(ExecutionStateError, match="another process"):
            world.packages.run(submitted.id)
        with pytest.raises(ExecutionStateError, match="not ended"):
            world.packages.delete_history(submitted.id)
    gone = world.packages.execution(submitted.id)
    assert gone.status is Status.UNKNOWN
    assert "goes on" in gone.note
    (resumed,) = world.packages.resume()
    assert resumed.status is Status.SUCCEEDED
    assert len(world.rows()) == 1


def test_nothing_that_is_no_package_is_taken(world: World) -> None:
    bad = world.folder / "bad.zip"
    bad.write_bytes(b"PK not a zip")
    with pytest.raises(SourceError):
        world.packages.import_package(bad)
    execution = world.packages.import_package(bad, project="P")
    assert execution.status is Status.FAILED
    assert execution.error
    assert str(world.folder) not in execution.error
    with pytest.raises(SourceError, match="no such file"):
        world.packages.import_package(world.folder / "none.zip")
    world.packages.define_project(Project("Out", Operation.EXPORT))
    with pytest.raises(ProjectError, match="for export"):
        world.packages.import_package(world.package("1,One,,\n"), project="out")


def test_imports_of_one_project_wait_for_each_other(world: World) -> None:
    database = PackageDatabase(world.path)
    waiting = [world.packages.submit_import(world.package(f"{n},N,,\n"), project="Same") for n in range(3)]
    finished: list[Execution] = []
    with hold(lock_of_project(database, "same")) as mine:
        assert mine
        threads = [
            threading.Thread(target=lambda one=one: finished.append(world.packages.run(one.id))) for one in waiting
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert not finished
        assert world.rows() == []
        other = world.packages.import_package(world.package("9,N,,\n"), project="Another")
        assert other.status is Status.SUCCEEDED
    for thread in threads:
        thread.join(20)
    assert [one.status for one in finished] == [Status.SUCCEEDED] * 3
    assert len(world.rows()) == 4


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_history_and_files_are_kept_for_seven_days(world: World) -> None:
    execution = world.packages.import_package(world.package("1,,,\n2,Two,x,\n3,Three,,\n"))
    world.packages.target_keys_file(execution.id, GROUPS.name)
    assert execution.package is not None
    assert execution.package.exists()
    assert execution.ended is not None
    assert world.packages.sweep(execution.ended + timedelta(days=6, hours=23)) == []
    assert world.packages.sweep(execution.ended + timedelta(days=7, seconds=1)) == [execution.id]
    assert not execution.package.parent.exists()
    assert world.packages.executions() == []
    rows = PackageDatabase(world.path).rows("SELECT name FROM sqlite_master WHERE name GLOB 'staging_*'")
    assert rows == []
    assert PackageDatabase(world.path).rows("SELECT 1 FROM row_errors") == []
    assert len(world.rows()) == 1


def test_an_execution_can_be_forgotten_before(world: World) -> None:
    execution = world.packages.import_package(world.package("1,One,,\n"))
    world.packages.delete_history(execution.id)
    with pytest.raises(NoSuchExecutionError, match="were not found"):
        world.packages.execution(execution.id)


def test_definitions_widen_and_do_not_change(world: World) -> None:
    wider = replace(GROUPS, columns=(*GROUPS.columns, Column("MORE", Kind.TEXT)))
    world.packages.define(wider)
    package = world.package({GROUPS.name: "ID,NAME,MORE\n1,One,x\n"})
    assert done(world.packages.import_package(package)).created == 1
    with pytest.raises(ProjectError, match="is text and holds rows"):
        world.packages.define(replace(GROUPS, columns=(Column("ID", Kind.INTEGER), *GROUPS.columns[1:])))
    with pytest.raises(ProjectError, match="for good"):
        world.packages.define(replace(GROUPS, key=("NAME",)))
    with pytest.raises(ProjectError, match="column of staging"):
        world.packages.define(EntityDefinition("X", "x", (Column("rowid", Kind.TEXT),), ("rowid",)))
    world.packages.forget("customer groups")
    assert world.packages.entity("customergroups").origin == "record"


# ── against a naive model ────────────────────────────────────────────────────────────────────────────────────────────

CELL = st.sampled_from(["", "1", "2", "3", "abc", "123456789", "ü"])
ROW = st.tuples(
    CELL, st.sampled_from(["", "One", "x" * 20, "x" * 21]), st.sampled_from(["", "1.5", "-2", "1.555", "n"])
)


def naive(
    rows: list[tuple[str, str, str]], table: dict[str, tuple[str, Any]], *, overwrite: bool
) -> tuple[int, int, int, int, int]:
    """One row after the other, as somebody would read it aloud: errors, created, updated, unchanged, refused."""
    errors = created = updated = unchanged = refused = 0
    before, seen = dict(table), set()
    for key, name, rate in rows:
        number: Decimal | None
        if rate in ("1.555", "n"):
            errors += 1
            continue
        number = Decimal(rate).quantize(Decimal("0.01")) if rate else None
        if not key or key in seen:
            refused += 1
            continue
        seen.add(key)
        if not name or len(name) > 20 or len(key) > 8 or (key in before and not overwrite):
            refused += 1
        elif key not in before:
            table[key] = (name, number)
            created += 1
        elif before[key] == (name, number):
            unchanged += 1
        else:
            table[key] = (name, number)
            updated += 1
    return errors, created, updated, unchanged, refused


@settings(max_examples=8, deadline=None)
@given(files=st.lists(st.tuples(st.lists(ROW, max_size=12), st.booleans()), min_size=1, max_size=3))
def test_imports_against_reading_row_by_row(
    files: list[tuple[list[tuple[str, str, str]], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = World(tmp_path_factory.mktemp("naive") / "acme")
    try:
        world.packages.define(GROUPS)
        table: dict[str, tuple[str, Any]] = {}
        for rows, overwrite in files:
            package = world.package(
                {GROUPS.name: "ID,NAME,RATE\n" + "".join(f"{k},{n},{r}\n" for k, n, r in rows if k or n or r)}
            )
            wanted = naive([row for row in rows if any(row)], table, overwrite=overwrite)
            run = done(world.packages.import_package(package, options=ImportOptions(overwrite=overwrite)))
            assert (run.staging_errors, run.created, run.updated, run.unchanged, run.refused) == wanted
            assert {row["ID"]: (row["NAME"], row["RATE"]) for row in world.rows()} == table
    finally:
        world.acme.close()


def test_now_is_in_utc(world: World) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    execution = world.packages.import_package(world.package("1,One,,\n"))
    assert execution.started is not None
    assert execution.ended is not None
    assert before < execution.submitted <= execution.started <= execution.ended
