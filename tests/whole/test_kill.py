"""The whole job dies at any instant: what readers are served is whole and unchanged, and the next run is as if nothing
had happened."""

import contextlib
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import crash_harness as harness
import pytest
import whole_jobs as jobs

from unify.core.documents import read_project
from unify.core.errors import StoreError, UnifyError
from unify.store import Store
from unify.store.failpoints import FAILPOINTS, VARIABLE

NOT_IN_A_RUN = {
    "migrate.before_commit", "migrate.after_commit", "create.before_rename", "create.after_rename",
    "fail.before_commit", "fail.after_commit", "rollback.before_commit", "rollback.after_commit",
    "refresh.before_commit", "refresh.after_commit",
}  # fmt: skip
"""Instants of making an instance, of failing, of rolling back and of refreshing segments."""
PUBLISHED = {
    "publish.after_commit", "sweep.before_unlink", "sweep.after_unlink", "definition.before_commit",
    "definition.after_commit", "lease.before_release",
}  # fmt: skip
"""Instants of a run after which readers see the new generation. Before publishing, sweeps run only after a killed run."""


@pytest.fixture(scope="session")
def unharmed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run on day 3 makes when nobody kills it."""
    root = Path(shutil.copytree(template, tmp_path_factory.mktemp("unharmed") / "root"))
    jobs.write_sources(root, 3)
    jobs.run(str(root))
    number, contents = jobs.published(root)
    assert number == 3
    return contents


def next_run_is_as_if_nothing_happened(root: Path, unharmed: dict[str, str]) -> None:
    harness.finished(jobs.run, str(root))
    harness.assert_tidy(root / "acme")
    assert jobs.published(root)[1] == unharmed


def kill_at_random(root: Path, unharmed: dict[str, str], seed: int, seconds: float) -> bool:
    """Kill one run somewhere in its first `seconds`; whether it died before publishing."""
    before = harness.fingerprint(root / "acme")
    harness.killed_after(random.Random(seed).uniform(0, seconds), jobs.run, str(root))
    harness.assert_whole(root / "acme")
    if harness.fingerprint(root / "acme") == before:  # the same files to the byte
        return True
    assert jobs.published(root)[1] == unharmed, "neither the old nor the new state"
    return False


def how_long(root: Path) -> float:
    started = time.monotonic()
    harness.finished(jobs.run, str(root))
    return time.monotonic() - started


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.soak)])
def test_killed_at_random(template: Path, root: Path, unharmed: dict[str, str], kills: int) -> None:
    """kill -9 again and again on one instance, until so many runs died unfinished; then one ends."""
    probe = Path(shutil.copytree(template, root.parent / "probe"))
    seconds = how_long(probe) * 1.05
    died = 0
    for seed in range(4 * kills):  # how many come in time is up to the machine's load
        if kill_at_random(root, unharmed, seed, seconds):
            died += 1
            if died == kills:
                break
        else:  # it was done: begin again
            shutil.rmtree(root / "acme")
            shutil.copytree(template / "acme", root / "acme")
    assert died == kills, "kills came too late to mean anything"
    next_run_is_as_if_nothing_happened(root, unharmed)


@pytest.mark.parametrize("point", sorted(set(FAILPOINTS) - NOT_IN_A_RUN))
def test_killed_at_every_fail_point(root: Path, unharmed: dict[str, str], point: str) -> None:
    before = jobs.published(root)
    if point.startswith("sweep."):  # something to sweep
        jobs.run(str(root))
        before = jobs.published(root)
    harness.killed_at(point, jobs.run, str(root))
    harness.assert_whole(root / "acme")
    after = jobs.published(root)
    if point in PUBLISHED:
        assert after[0] == before[0] + 1
        assert after[1] == unharmed | {"customer_changes": after[1]["customer_changes"]}
    else:
        assert after == before
    harness.finished(jobs.run, str(root))
    harness.assert_tidy(root / "acme")
    now = jobs.published(root)[1]
    assert now | {"customer_changes": ""} == unharmed | {"customer_changes": ""}


def test_interrupted(template: Path, root: Path, unharmed: dict[str, str]) -> None:
    """Ctrl-C at any instant: the process ends by itself, lets go of the lease, and leaves nothing behind."""
    before = jobs.published(root)
    seconds = 0.6
    stopped = 0
    for seed in range(40):  # how many come in time is up to the machine's load
        code = interrupted_after(random.Random(seed).uniform(0, seconds), root)
        if jobs.published(root) != before:  # it was done: begin again
            shutil.rmtree(root / "acme")
            shutil.copytree(template / "acme", root / "acme")
            seconds *= 0.8
            continue
        assert code == 130
        harness.assert_tidy(root / "acme")
        stopped += 1
        if stopped == 6:
            break
    assert stopped, "interrupts came too late to mean anything"
    next_run_is_as_if_nothing_happened(root, unharmed)


def interrupted_after(seconds: float, root: Path) -> int:
    """Interrupt a run so many seconds after it began; its exit code. Starting the process is not part of the run."""
    begun = root / "begun"
    process = harness.start(interruptible, str(root), str(begun))
    assert process.pid is not None
    until = time.monotonic() + harness.PATIENCE
    while not begun.exists():
        assert time.monotonic() < until, "the run never began"
        time.sleep(0.002)
    begun.unlink()
    process.join(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGINT)
    return harness.end(process)


def interruptible(root: str, begun: str) -> None:
    """As `unify run` ends on Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs tests in the background has it ignored
    try:
        Path(begun).touch()
        jobs.run(root)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def test_disk_full_while_loading(root: Path, unharmed: dict[str, str]) -> None:
    """A limit on file sizes stops the generation while it is written: a clean error, the old state served."""
    before = jobs.published(root)
    harness.finished(run_with_small_files, str(root), 100_000)
    assert jobs.published(root) == before
    last = Store.open(root / "acme").runs(1)[0]
    assert last.state == "failed"
    assert last.error is not None
    assert "disk is full" in last.error["message"]
    harness.assert_tidy(root / "acme")
    next_run_is_as_if_nothing_happened(root, unharmed)


def run_with_small_files(root: str, limit: int) -> None:
    """No file may grow past `limit` bytes in this process, as a quota would have it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with pytest.raises(StoreError, match="disk is full") as caught:
        jobs.run(root)
    assert caught.value.hint


@pytest.mark.parametrize("point", ["begin.before_commit", "publish.before_fsync", "publish.before_commit"])
def test_disk_full_at_a_commit(
    root: Path, unharmed: dict[str, str], point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = jobs.published(root)
    monkeypatch.setenv(VARIABLE, f"{point}:enospc")
    with pytest.raises(StoreError, match="disk is full"):
        jobs.run(str(root))
    monkeypatch.delenv(VARIABLE)
    assert jobs.published(root) == before
    harness.assert_tidy(root / "acme")
    next_run_is_as_if_nothing_happened(root, unharmed)


def test_an_error_in_the_data_leaves_nothing_behind(root: Path, unharmed: dict[str, str]) -> None:
    before = jobs.published(root)
    whole = (root / "crm.csv").read_text()
    (root / "crm.csv").write_text(whole.replace("Born", "Birthday"))
    with pytest.raises(UnifyError):
        jobs.run(str(root))
    assert jobs.published(root) == before
    harness.assert_tidy(root / "acme")
    (root / "crm.csv").write_text(whole)
    next_run_is_as_if_nothing_happened(root, unharmed)


def test_read_only_directory(root: Path) -> None:
    """Reading works for somebody who may not write; a run says so."""
    acme = root / "acme"
    everything = [acme, *acme.rglob("*")]
    root.parent.chmod(0o755)
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        harness.finished(reads_but_does_not_write, str(root))
    finally:
        for path in everything:
            path.chmod(0o755 if path.is_dir() else 0o644)


def reads_but_does_not_write(root: str) -> None:
    import unify.batch  # before the user changes, who may not be allowed to read where Python stands
    import unify.conflation.explain
    import unify.instance

    project = read_project(Path(root) / "project.yaml")
    if os.geteuid() == 0:  # for root, permission bits do not count
        os.setgid(65534)
        os.setuid(65534)
    with unify.open(Path(root) / "acme") as acme:
        assert acme.published().number == 2
        assert len(acme.customers()) == acme.sql("SELECT count(DISTINCT CustomerId) AS n FROM members").rows()[0]["n"]
        assert acme.report().generation == 2
        assert acme.explain("crm.Contacts:C001").values
        assert acme.status().writer is None
        for verb in (lambda: acme.run(project, base=root), acme.conflate, lambda: acme.rollback(1)):
            with pytest.raises(StoreError, match="no permission, or a read-only disk"):
                verb()
