"""A run over changed sources gives exactly what a full run gives: every table, ids included, after any history."""

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import incremental_worlds as worlds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from unify.core.names import quote
from unify.core.reports import RunReport
from unify.incremental import stages
from unify.instance import Instance

MOMENTS = {"ConflationMatchPairs": "ConflationMatchPairs_ModifiedOn"}
"""Columns that hold when the run began."""
TIMED = {"seconds", "started", "peak_mib", "stages", "incremental"}


def contents(acme: Instance) -> dict[str, list[tuple[Any, ...]]]:
    """Every table and view that readers see, as sorted rows."""
    with acme.connect() as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY 1"
        ).fetchall()
        found = {}
        for (name,) in names:
            columns = f"* EXCLUDE ({quote(MOMENTS[name])})" if name in MOMENTS else "*"
            found[name] = connection.execute(f"SELECT {columns} FROM main.{quote(name)} ORDER BY ALL").fetchall()
    return found


def said(report: RunReport) -> dict[str, Any]:
    """What a report says, but for how long it took."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in TIMED}
        return [plain(v) for v in value] if isinstance(value, list) else value

    found: dict[str, Any] = plain(report.as_dict())
    return found


@contextmanager
def room() -> Iterator[Path]:
    memory = Path("/dev/shm")
    fits = memory.is_dir() and shutil.disk_usage(memory).free > 200 * 2**20
    with tempfile.TemporaryDirectory(prefix="unify-test-", dir=memory if fits else None) as folder:
        yield Path(folder)


def run_both(folder: Path, acme: Instance, project: Any, **options: Any) -> RunReport | None:
    """Run, and run in full on a copy of the instance; both must come to the same, or fail alike."""
    twin = Path(shutil.copytree(acme.path, folder / "twin"))
    try:
        with unify.open(twin) as other:
            whole, refused = outcome(other, project, full=True, threads=1, **options)
            report, refusal = outcome(acme, project, threads=1, **options)
            assert refusal == refused
            if report is None or whole is None:
                return None
            seen, wanted = contents(acme), contents(other)
            assert seen.keys() == wanted.keys()
            for table, rows in wanted.items():
                assert seen[table] == rows, table
            assert said(report) == said(whole)
    finally:
        shutil.rmtree(twin)
    return report


def outcome(acme: Instance, project: Any, **options: Any) -> tuple[RunReport | None, str]:
    """The report of a run, or what it was refused for."""
    try:
        return acme.run(project, **options), ""
    except unify.SpecError as error:
        return None, f"{error.where}: {error}"


def live(dice: random.Random, steps: int) -> list[RunReport]:
    """A life of an instance: the sources change, now and then the plan, now and then somebody rolls back.

    Small worlds are shaken by small changes: however many customers are touched, they alone are worked out.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "MOST", dice.choice((0.5, 1.0, 1.0)))
        patch.setattr(stages, "FEW", dice.choice((0, 0, 0, 100_000)))
        return _live(dice, steps)


def _live(dice: random.Random, steps: int) -> list[RunReport]:
    rows, project = worlds.first_rows(dice), worlds.first_plan(dice)
    reports = []
    with room() as folder, unify.open(folder / "acme", create=True) as acme:
        for _ in range(steps):
            report = run_both(folder, acme, project, frames=worlds.frames(rows, dice))
            if report is None:
                assert worlds.decide_nothing(project), "only contradictions may be refused"
            else:
                reports.append(report)
            event = dice.random()
            if event < 0.25:
                worlds.edit_plan(project, rows, dice)
            if event > 0.15:
                rows = worlds.changed_rows(rows, dice)
            if event > 0.9 and len(acme.generations()) > 1:
                acme.rollback(dice.choice(acme.generations()).number)
    return reports


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_history(seed: int) -> None:
    live(random.Random(seed), 5)


@pytest.mark.soak
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_many_histories(seed: int) -> None:
    live(random.Random(seed), 12)


# ── what a run takes over ───────────────────────────────────────────────────────────────────────────────────────────

PROJECT = """
name: few
keep: 10
sources:
  crm:
    Contacts: {files: contacts.csv, key: Id, columns: {Changed: date}}
  web:
    Clicks: {files: clicks.csv, key: Click, type: activity, timestamp: At, columns: {At: datetime}}
lists:
  no_mail: {kind: bypass, values: [noreply@x.example]}
  twins: {kind: never, files: twins.csv}
conflation:
  order: [crm.Contacts]
  dedupe:
    crm.Contacts:
      - {name: mail, when: [{field: Mail, normalize: [{bypass: no_mail}]}]}
      - {name: born and name, when: [{field: Born}, {field: Name, precision: 70}]}
resolution: {Name: most recent by Changed}
relationships:
  clicks: web.Clicks.Contact -> crm.Contacts.Id
activities:
  click: {entity: web.Clicks, type: Click}
measures:
  Clicks: {count: true, of: web.Clicks}
"""
CONTACTS = ["Id,Name,Mail,Born,Changed", "A,Ann,a@x,1980-01-01,2024-01-01", "B,Anne,b@x,1980-01-01,2024-02-01",
            "C,Carl,c@x,1990-01-01,2024-01-01", "D,Dora,a@x,,2024-03-01"]  # fmt: skip
CLICKS = ["Click,Contact,At", "1,A,2024-01-01 10:00:00", "2,C,2024-01-01 11:00:00"]


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A project of two small files, whose clocks say that they rest."""
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "project.yaml").write_text(PROJECT)
    write(folder / "contacts.csv", CONTACTS)
    write(folder / "clicks.csv", CLICKS)
    write(folder / "twins.csv", ["Table1,Table1Key,Table2,Table2Key"])
    return folder


def write(path: Path, lines: list[str], ago: float = 100) -> None:
    path.write_text("\n".join(lines) + "\n")
    then = time.time() - ago
    os.utime(path, (then, then))


def states(report: RunReport) -> dict[str, str]:
    assert report.incremental is not None
    return {e.entity: e.state for e in report.incremental.entities} | {
        s.stage: s.state for s in report.incremental.stages
    }


def test_nothing_changed(few: Path) -> None:
    with unify.open(few / "acme", create=True) as acme:
        first = acme.run(few / "project.yaml")
        assert states(first)["conflation"] == "anew"
        assert first.incremental is not None
        assert first.incremental.previous is None
        again = run_both(few, acme, few / "project.yaml")
        assert again is not None
        assert states(again) == {"crm.Contacts": "carried", "web.Clicks": "carried", "conflation": "carried",
                                 "activities": "anew", "measures": "anew"}  # fmt: skip
        assert again.incremental is not None
        assert again.incremental.reconsidered == 0
        assert "taken over from generation 1" in str(again)
        assert {"carry"} < {s.stage for s in again.stages}


def test_full_takes_nothing_over(few: Path) -> None:
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        report = acme.run(few / "project.yaml", full=True)
        assert set(states(report).values()) == {"read", "anew"}
        assert {s.why for s in report.incremental.stages if s.stage == "conflation"} == {"asked for"}
        assert states(acme.run(few / "project.yaml"))["conflation"] == "carried"


def test_a_file_that_was_only_touched_and_moved_is_no_change(few: Path) -> None:
    with unify.open(few.parent / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        moved = Path(shutil.copytree(few, few.parent / "moved"))
        write(moved / "contacts.csv", CONTACTS, ago=50)
        assert states(acme.run(moved / "project.yaml"))["crm.Contacts"] == "carried"


def test_the_same_time_and_size_and_other_content_is_a_change(few: Path) -> None:
    """As a tool leaves it that keeps times, or a clock that has not ticked."""
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        stamp = (few / "contacts.csv").stat()
        other = [line.replace("Carl", "Karl") for line in CONTACTS]
        write(few / "contacts.csv", other)
        os.utime(few / "contacts.csv", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        report = run_both(few, acme, few / "project.yaml")
        assert report is not None
        assert report.incremental is not None
        [contacts, clicks] = report.incremental.entities
        assert (contacts.state, contacts.updated, contacts.unchanged) == ("read", 1, 3)
        assert clicks.state == "carried"
        assert acme.sql("SELECT count(*) AS n FROM Customer WHERE Name = 'Karl'").rows() == [{"n": 1}]


def test_what_changed_is_counted_and_followed(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "FEW", 0)
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        rows = [*CONTACTS[:2], CONTACTS[2].replace("b@x", "c@x"), *CONTACTS[4:], "0,Zoe,z@x,,2024-01-01"]
        write(few / "contacts.csv", rows)
        report = run_both(few, acme, few / "project.yaml")
        assert report is not None
        assert report.incremental is not None
        contacts = report.incremental.entities[0]
        assert (contacts.inserted, contacts.updated, contacts.deleted, contacts.unchanged) == (1, 1, 1, 2)
        found = states(report)
        assert (found["prepare"], found["link"]) == ("updated", "updated")


def test_another_plan_makes_customers_anew(few: Path) -> None:
    edits = [
        (("precision: 70", "precision: 71"), "the plan"),
        (("noreply@x.example", "a@x"), "entries of lists changed"),
        (("most recent by Changed", "importance"), "the plan"),
        (("key: Id,", "key: Id, labels: {Mail: Identity.Service.Email},"), "the plan"),
    ]
    plan = PROJECT
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        for edit, why in edits:
            plan = plan.replace(*edit)
            (few / "project.yaml").write_text(plan)
            report = acme.run(few / "project.yaml")
            assert report.incremental is not None
            [stage] = [s for s in report.incremental.stages if s.stage == "conflation"]
            assert (stage.state, why in stage.why) == ("anew", True)


def test_a_list_of_twins_is_followed(few: Path) -> None:
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        write(few / "twins.csv", ["Table1,Table1Key,Table2,Table2Key", "crm.Contacts,A,crm.Contacts,B"])
        report = run_both(few, acme, few / "project.yaml")
        assert report is not None
        assert states(report)["crm.Contacts"] == "carried"
        assert states(report)["conflation"] == "updated"
        assert len(acme.table("cuts")) > 0


def test_changed_questions_change_no_customer(few: Path) -> None:
    """Measures go and come; those of the generation that was taken over do not linger."""
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        (few / "project.yaml").write_text(PROJECT[: PROJECT.index("measures:")])
        report = acme.run(few / "project.yaml")
        assert states(report)["conflation"] == "carried"
        assert "Customer_Measure" not in acme.tables()


def test_the_verbs_take_over_from_each_other(few: Path) -> None:
    """An ingest alone leaves customers older than sources: the next conflation may not trust what was kept."""
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        acme.refresh()
        assert states(acme.conflate())["conflation"] == "carried"
        write(few / "contacts.csv", CONTACTS[:-1])
        acme.ingest(few / "project.yaml")
        twin = Path(shutil.copytree(acme.path, few / "twin"))
        report = acme.conflate()
        assert states(report)["conflation"] == "anew"
        with unify.open(twin) as other:
            other.run(few / "project.yaml", full=True)
            assert contents(acme) == contents(other)
        acme.rollback(1)
        report = acme.run(few / "project.yaml")
        assert report.incremental is not None
        assert report.incremental.previous == 1
        assert report.incremental.entities[0].deleted == 1


def test_another_column_makes_all_anew(few: Path) -> None:
    with unify.open(few / "acme", create=True) as acme:
        project = few / "project.yaml"
        project.write_text(PROJECT.replace("key: Id,", "key: Id, drift: accept,"))
        acme.run(project)
        write(few / "contacts.csv", [f"{line},{'Tier' if n == 0 else n}" for n, line in enumerate(CONTACTS)])
        assert states(acme.run(project))["conflation"] == "anew"


def test_other_code_trusts_nothing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        monkeypatch.setattr("unify.incremental.inputs.code", lambda: "another release")
        assert set(states(acme.run(few / "project.yaml")).values()) == {"read", "anew"}


def test_a_run_that_is_interrupted_leaves_what_is_published(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that was taken over is a copy: whatever becomes of it, readers see the one before, byte for byte."""
    monkeypatch.setattr(stages, "FEW", 0)
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        published = acme.published()
        before = published.path.read_bytes()
        write(few / "contacts.csv", CONTACTS[:-1])

        def interrupted(self: object, *_: object) -> None:
            raise KeyboardInterrupt

        for place in ("linking.ChangedLinks.run", "restricted.TouchedCustomers.merge"):
            with monkeypatch.context() as patch:
                patch.setattr(stages, "MOST", 1.0)
                patch.setattr(f"unify.incremental.{place}", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    acme.run(few / "project.yaml")
            assert acme.published() == published
            assert published.path.read_bytes() == before
            assert [path.name for path in published.path.parent.iterdir()] == [published.path.name]
        assert run_both(few, acme, few / "project.yaml") is not None


def test_readers_do_not_see_what_is_kept_for_the_next_run(few: Path) -> None:
    with unify.open(few / "acme", create=True) as acme:
        acme.run(few / "project.yaml")
        with acme.connect() as connection:
            kept = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'incremental'")
            assert {name for (name,) in kept.fetchall()} == {"stages", "values_0", "stars", "clusters"}
        assert not {"stages", "stars", "clusters"} & set(acme.tables())
        assert not {"stages", "stars", "clusters"} & set(acme.published().rows)
