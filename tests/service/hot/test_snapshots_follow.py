"""Snapshots of an instance that lives: made, followed, damaged, gone; what restricted callers see of them."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import unify
from tests.service.hot.conftest import Side, side_of, until
from unify.service.app import Service
from unify.service.caller import EVERYWHERE, Caller, Role
from unify.service.hot import keeper as keeper_module
from unify.service.hot.making import FOLDER, forget, make, members_path, rows_path
from unify.service.hot.rows import Rows
from unify.service.hot.snapshot import Snapshot
from unify.service.hot.states import state_of
from unify.service.settings import Settings
from unify.spec import Project
from unify.store import Store


@pytest.fixture
def alive(contoso_made: Path, tmp_path: Path) -> Iterator[Side]:
    """Contoso, to be changed."""
    shutil.copytree(contoso_made, tmp_path / "root" / "contoso")
    made = side_of(tmp_path / "root")
    yield made
    made.close()


def count(side: Side, segment: str) -> int | None:
    found = side.hot("Customer/$count", f"$filter=IsMemberOfSegment(%27{segment}%27)")
    return None if found is None else int(found.body)


def test_it_follows_segments_that_are_made_changed_and_taken_away(alive: Side) -> None:
    segments = alive.acme.segments()
    before = alive.snapshot
    assert count(alive, "near") is None
    segments.create("near", "City eq 'Eastwick'")
    segments.refresh("near")
    until(lambda: count(alive, "near") is not None)
    assert count(alive, "near") == alive.acme.segment("near").count()
    assert alive.snapshot.rows is before.rows  # customers are the same: only members were made
    assert alive.snapshot.heads(time.time()).etag != before.heads(time.time()).etag
    segments.update("near", "City ne null")
    segments.refresh("near")
    until(lambda: count(alive, "near") == alive.acme.segment("near").count())
    segments.deactivate("near")
    until(lambda: count(alive, "near") is None)
    assert (
        alive.snapshot.heads(time.time()).etag == before.heads(time.time()).etag
    )  # the same members as before: the same state


def test_a_segment_that_ends_is_not_answered_from_then_on(alive: Side) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=4)
    alive.acme.segments().create("brief", {"where": "City ne null", "ends": ends.isoformat()})
    alive.acme.segments().refresh("brief")
    until(lambda: count(alive, "brief") is not None, 3)
    until(lambda: count(alive, "brief") is None, 6)
    assert datetime.now(UTC) >= ends


def test_it_follows_generations_and_rollbacks(alive: Side) -> None:
    project = Path(__file__).parents[3] / "sample_data" / "project.yaml"
    first = alive.snapshot
    alive.acme.run(project)
    until(lambda: alive.snapshot.generation == 2)
    alive.acme.store.rollback(1)
    until(lambda: alive.snapshot.generation == 1)
    assert alive.snapshot.heads(time.time()).etag == first.heads(time.time()).etag
    assert len(list((alive.acme.path / FOLDER).glob("*.rows"))) == 2  # the other one stays for the way back


def test_an_instance_that_is_removed_is_answered_no_longer(alive: Side) -> None:
    shutil.rmtree(alive.acme.path)
    until(lambda: alive.hot("Customer/$count") is None)
    unify.open(alive.acme.path, create=True).close()
    assert alive.hot("Customer/$count") is None


def test_snapshots_that_are_removed_or_damaged_are_made_anew(alive: Side, tmp_path: Path) -> None:
    folder = alive.acme.path / FOLDER
    names = sorted(path.name for path in folder.iterdir())
    forget(alive.acme.store)
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert alive.hot("Customer/$count") is not None  # mapped
    other = side_of(tmp_path / "root")
    assert sorted(path.name for path in folder.iterdir()) == names
    other.close()


def test_what_nobody_needs_is_swept(alive: Side) -> None:
    folder = alive.acme.path / FOLDER
    for name in ("000007-0123456789abcdef.rows", "000001-x.members", "000001-y.rows.77.new", "notes.txt"):
        (folder / name).write_bytes(b"x")
    alive.acme.segments().create("near", "City eq 'Eastwick'")
    alive.acme.segments().refresh("near")
    until(lambda: count(alive, "near") is not None)
    assert sorted(p.suffix for p in folder.iterdir()) == ["", ".members", ".rows", ".txt"]


def test_a_builder_that_is_killed_leaves_nothing_that_counts(contoso_made: Path, tmp_path: Path) -> None:
    shutil.copytree(contoso_made, tmp_path / "acme")
    folder = tmp_path / "acme" / FOLDER
    command = [sys.executable, "-m", "unify.service.hot.making", str(tmp_path / "acme"), "1"]
    for moment in (0.0, 0.003, 0.02):
        with subprocess.Popen(command) as builder:
            while builder.poll() is None and not any(folder.glob("*.new")):
                time.sleep(0.001)
            time.sleep(moment)
            builder.kill()
        for path in folder.glob("*.rows"):
            assert Rows(path).count == 723
    store = Store.open(tmp_path / "acme")
    make(store, 1)
    published = store.published()
    assert published is not None
    path = rows_path(store, published)
    rows = Rows(path)
    members = members_path(path, state_of(store, 1, Project.model_validate_json(rows.project)))
    assert Snapshot(rows, members, published.published).everybody.count == 723


def test_a_process_makes_large_ones_and_a_broken_one_is_tried_again(
    contoso_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "SMALL", 10)
    monkeypatch.setattr(keeper_module, "AGAIN_S", 0.2)
    shutil.copytree(contoso_made, tmp_path / "root" / "contoso")
    folder = tmp_path / "root" / "contoso" / FOLDER
    folder.write_text("no folder")
    service = Service(Settings(root=tmp_path / "root", jobs=False, log_level="error"))
    keeper = service.hot.keeper("contoso")
    with pytest.raises(TimeoutError):
        until(lambda: keeper.current() is not None, 2)
    folder.unlink()
    until(lambda: keeper.current() is not None)
    service.hot.close()


def test_an_answer_stays_with_what_it_began_with(alive: Side) -> None:
    snapshot = alive.snapshot
    place = next(iter(snapshot.segments["win_back"].slice(0, 1)))
    before = snapshot.rows.row(place)
    alive.acme.run(Path(__file__).parents[3] / "sample_data" / "project.yaml")
    until(lambda: alive.snapshot.generation == 2)
    forget(alive.acme.store)
    assert snapshot.rows.row(place) == before
    assert snapshot.generation == 1


# ── callers who do not see everything ────────────────────────────────────────────────────────────────────────────────


def seeing(*segments: str) -> Caller:
    return Caller("somebody", roles={EVERYWHERE: Role.STEWARD}, segments={"contoso": segments})


def asked(side: Side, caller: Caller, relative: str, query: str = "") -> object:
    until(lambda: side.hot("Customer/$count", caller=caller) is not None)  # what is seen is worked out by a thread
    found = side.hot(relative, query, caller=caller)
    if found is None:
        return None
    return json.loads(found.body)


def test_callers_with_some_segments_see_their_members_only(side: Side) -> None:
    mine, other = set(side.acme.segment("win_back").bitmap), set(side.acme.segment("gone_quiet").bitmap)
    caller = seeing("win_back")
    assert asked(side, caller, "Customer/$count") == len(mine)
    assert asked(side, caller, "Customer/$count", "$filter=IsMemberOfSegment(%27win_back%27)") == len(mine)
    assert (
        asked(side, caller, "Customer/$count", "$filter=IsMemberOfSegment(%27gone_quiet%27)") is None
    )  # slow: refused
    both = seeing("win_back", "gone_quiet")
    assert asked(side, both, "Customer/$count") == len(mine | other)
    assert asked(side, both, "Customer/$count", "$filter=IsMemberOfSegment(%27gone_quiet%27)") == len(other)
    plain, theirs = side.hot("Customer/$count"), side.hot("Customer/$count", caller=caller)
    assert plain is not None
    assert theirs is not None
    assert dict(plain.headers)[b"etag"] != dict(theirs.headers)[b"etag"]


def test_nobody_without_a_role_is_answered(side: Side) -> None:
    assert side.hot("Customer/$count", caller=Caller("nobody")) is None
    assert side.hot("Customer/$count", caller=Caller("other", roles={"elsewhere": Role.ADMIN})) is None


def test_masked_columns_are_not_answered_hot(side: Side) -> None:
    reader = Caller("reader", roles={EVERYWHERE: Role.READER})
    until(lambda: side.hot("Customer/$count", caller=reader) is not None)
    [id_] = [row["CustomerId"] for row in side.acme.sql("SELECT CustomerId FROM Customer ORDER BY 1 LIMIT 1").rows()]
    assert side.hot(f"Customer('{id_}')", caller=reader) is None
    assert side.hot("Customer", f"$filter=CustomerId%20eq%20%27{id_}%27", caller=reader) is None
    assert side.hot("Customer", "$top=2&$select=EMail", caller=reader) is None
    assert side.hot("Customer(crm_Contacts_ContactId='C-1081')", caller=reader) is None
    shown = side.hot("Customer", "$top=2&$select=CustomerId,Tier", caller=reader)
    assert shown is not None
    assert set(json.loads(shown.body)["value"][0]) == {"CustomerId", "Tier"}
