"""kill -9 at every named instant and at random ones: what is published stays whole, the next run cleans up."""

import errno
import random
from collections.abc import Callable
from pathlib import Path

import crash_harness as harness
import pytest

from unify.core.errors import SpecError, StoreError
from unify.store import FAILPOINTS, Reader, Store
from unify.store.failpoints import VARIABLE, FailpointError, failpoint

DONE = {
    "publish.after_commit": 3,
    "sweep.before_unlink": 3,
    "sweep.after_unlink": 3,
    "lease.before_release": 3,
    "rollback.after_commit": 1,
}
"""Points behind the commit: the number that is published there. Before it, 2 stays."""


def subject(point: str) -> str:
    return point.partition(".")[0]


def job_for(point: str) -> tuple[Callable[..., None], tuple[object, ...]]:
    """The job that passes this point, on an instance with generations 1 and 2."""
    return {
        "fail": (harness.fail, ()),
        "rollback": (harness.roll_back, (1,)),
        "definition": (harness.define, ()),
        "refresh": (harness.refresh, ()),
    }.get(subject(point), (harness.publish, ()))


ON_AN_INSTANCE = [p for p in FAILPOINTS if subject(p) not in ("create", "migrate")]
IN_CREATION = [p for p in FAILPOINTS if p not in ON_AN_INSTANCE]


@pytest.mark.parametrize("point", ON_AN_INSTANCE)
def test_killed_at_a_point(acme: Path, point: str) -> None:
    _, before = harness.fingerprint(acme)
    with Reader(Store.open(acme)) as reader:
        job, args = job_for(point)
        harness.killed_at(point, job, str(acme), *args)

        published, after = harness.fingerprint(acme)
        assert published == DONE.get(point, 2)
        assert {n: sha for n, sha in after.items() if n in before}.items() <= before.items()
        harness.assert_whole(acme)
        assert harness.look(reader) == 2
        reader.refresh()
        assert harness.look(reader) == published

    numbers = {run.number for run in Store.open(acme).runs()}
    harness.finished(harness.publish, str(acme))
    harness.assert_tidy(acme)
    after_all = Store.open(acme)
    assert after_all.runs(1)[0].state == "published"
    assert after_all.runs(1)[0].number == max(numbers) + 1, "a number is never used twice"
    assert not {run.number for run in after_all.runs() if run.state == "killed"} & {
        g.number for g in after_all.generations()
    }


@pytest.mark.parametrize("point", IN_CREATION)
def test_killed_while_the_instance_is_made(tmp_path: Path, point: str) -> None:
    root = tmp_path / "acme"
    harness.killed_at(point, harness.publish, str(root))
    if point == "create.after_rename":
        assert Store.open(root).published() is None
    else:
        with pytest.raises(StoreError, match="no instance"):
            Store.open(root)
    harness.finished(harness.publish, str(root))
    harness.assert_tidy(root)
    assert [p.name for p in root.glob("catalog.sqlite.new*")] == []


@pytest.mark.parametrize("point", FAILPOINTS)
def test_disk_full_at_a_point(acme: Path, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a StoreError that says so; readers are served; when there is room again, the next run succeeds."""
    job, args = job_for(point)
    root = acme if point in ON_AN_INSTANCE else tmp_path / "new"
    monkeypatch.setenv(VARIABLE, f"{point}:enospc")
    if subject(point) in ("sweep", "fail"):
        job(root, *args)  # sweeping is no part of success; the error that failed the run outranks the one in noting it
    else:
        with pytest.raises(StoreError, match="disk is full"):
            job(root, *args)
    monkeypatch.delenv(VARIABLE)
    if root == acme:
        harness.assert_whole(acme)
        published, _ = harness.fingerprint(acme)
        assert published == DONE.get(point, 2)
    harness.publish(root)
    harness.assert_tidy(root)


def killed_at_random(root: Path, times: int, seed: int) -> None:
    """A batch that never ends is killed after 0 to 0.35 s, so many times; every kill is followed by a good run."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(times):
        _, before = harness.fingerprint(root)
        code = harness.killed_after(dice.uniform(0, 0.35), harness.publish, str(root), 1000, dice.randint(1, 3))
        assert code < 0
        harness.assert_whole(root)
        published, after = harness.fingerprint(root)
        assert published is not None
        assert published >= max(before)
        assert all(after[n] == before[n] for n in before.keys() & after.keys())
        with Reader(Store.open(root)) as reader:
            assert harness.look(reader) == published
        harness.publish(root, keep=3)
        harness.assert_tidy(root)
    killed = sum(run.state == "killed" for run in Store.open(root).runs(10_000))
    print(f"{killed} of {times} kills hit a running build")
    assert killed, "not one kill hit a running build: the delays are too short to test anything"


def test_killed_at_random(acme: Path) -> None:
    killed_at_random(acme, times=25, seed=20240229)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(8))
def test_killed_at_random_for_long(acme_on_disk: Path, seed: int) -> None:
    killed_at_random(acme_on_disk, times=50, seed=seed)


def test_failpoint_names_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        failpoint("publish.befor_commit")
    monkeypatch.setenv(VARIABLE, "publish.befor_commit")
    with pytest.raises(SpecError, match=r"did you mean publish\.before_commit"):
        failpoint("publish.before_commit")
    monkeypatch.setenv(VARIABLE, "publish.before_commit:explode")
    with pytest.raises(SpecError, match="unknown action 'explode'"):
        failpoint("publish.before_commit")
    monkeypatch.setenv(VARIABLE, "publish.before_commit:raise")
    failpoint("publish.after_commit")
    with pytest.raises(FailpointError, match="not committed"):
        failpoint("publish.before_commit")
    monkeypatch.setenv(VARIABLE, "publish.before_commit:enospc")
    with pytest.raises(OSError, match="fail-point") as caught:
        failpoint("publish.before_commit")
    assert caught.value.errno == errno.ENOSPC
