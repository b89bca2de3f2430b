"""kill -9 and a full disk while segments are found: what was in force stays whole, with its members."""

from pathlib import Path

import crash_harness as harness
import pytest
import whole_jobs as jobs

import unify
from unify.core.errors import StoreError
from unify.store import Store
from unify.store.failpoints import VARIABLE

soak = pytest.mark.soak
POINTS = [
    "members.before_rename", "refresh.before_commit", "refresh.after_commit",
    *(pytest.param(point, marks=soak) for point in (
        "begin.before_commit", "begin.after_commit", "members.before_fsync", "members.after_rename",
        "members.before_directory_fsync", "members.written", "lease.before_release",
    )),
]  # fmt: skip
"""The others are killed at in tests/store too, with a smaller job."""
IN_FORCE = {"refresh.after_commit", "lease.before_release"}
"""Instants after which the refreshed members are the ones that count."""


def change_and_refresh(root: str) -> None:
    """Another definition, then its members: the files of members are new ones."""
    with unify.open(Path(root) / "acme") as acme:
        acme.segments().refresh("changed")


def members(root: Path) -> dict[str, tuple[int | None, list[int]]]:
    """What a process that starts now is served: segment → run, members."""
    with unify.open(root / "acme") as acme:
        found = acme.segments()
        return {name: (found[name].run, list(bitmap)) for name, bitmap in found.bitmaps().items()}


@pytest.fixture
def prepared(root: Path) -> Path:
    """A segment made by hand, refreshed once, then changed."""
    with unify.open(root / "acme") as acme:
        acme.segments().create("changed", "Points gt 20")
        acme.segments().refresh("changed")
        acme.segments().update("changed", "Points gt 150")
    return root


@pytest.mark.parametrize("point", POINTS)
def test_a_refresh_is_killed(prepared: Path, point: str) -> None:
    before, served = members(prepared), harness.fingerprint(prepared / "acme")
    harness.killed_at(point, change_and_refresh, str(prepared))
    harness.assert_whole(prepared / "acme")
    assert harness.fingerprint(prepared / "acme") == served
    after = members(prepared)
    if point in IN_FORCE:
        assert after["changed"][1] != before["changed"][1]
    else:
        assert after == before
    harness.finished(change_and_refresh, str(prepared))
    harness.assert_tidy(prepared / "acme")
    done = members(prepared)
    assert 0 < len(done["changed"][1]) < len(before["changed"][1])
    assert {name: v for name, v in done.items() if name != "changed"} == {
        name: v for name, v in before.items() if name != "changed"
    }


@pytest.mark.parametrize("point", ["members.before_fsync", "refresh.before_commit"])
def test_the_disk_is_full_during_a_refresh(prepared: Path, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = members(prepared)
    monkeypatch.setenv(VARIABLE, f"{point}:enospc")
    with pytest.raises(StoreError, match="disk is full"):
        change_and_refresh(str(prepared))
    monkeypatch.delenv(VARIABLE)
    assert members(prepared) == before
    assert Store.open(prepared / "acme").runs(1)[0].state == "failed"
    harness.assert_tidy(prepared / "acme")
    change_and_refresh(str(prepared))
    assert members(prepared) != before


@pytest.mark.parametrize("point", ["members.written", pytest.param("publish.before_commit", marks=soak)])
def test_a_run_is_killed_between_its_members_and_its_publication(root: Path, point: str) -> None:
    before = members(root)
    assert {name for name, (_, found) in before.items() if found} == {"many_points", "old"}
    harness.killed_at(point, jobs.run, str(root))
    assert members(root) == before
    harness.finished(jobs.run, str(root))
    harness.assert_tidy(root / "acme")
    after = members(root)
    assert after["many_points"] != before["many_points"]
    assert {run for run, _ in after.values()} == {Store.open(root / "acme").published().number}  # type: ignore[union-attr]
