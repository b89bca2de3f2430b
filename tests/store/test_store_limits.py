"""A full disk and a read-only directory: a clean error, and the old state is served."""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import crash_harness as harness
import pytest

from unify.core.errors import StoreError
from unify.store import Reader, Store

ROOT = os.geteuid() == 0
NOBODY = 65534


def mount(*args: str) -> None:
    """Mount or skip: only root may, and not in every container."""
    if not ROOT or shutil.which("mount") is None:
        pytest.skip("mounting a small or read-only file system needs root")
    done = subprocess.run(["mount", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no mounting here: {done.stderr.strip()}")


@contextlib.contextmanager
def unmounted(place: Path) -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


# Disk full


def fill(place: Path, leave: int) -> Path:
    """A file that takes all the space but `leave` bytes."""
    filler = place / "filler"
    free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    filler.write_bytes(b"\0" * max(0, free - leave))
    return filler


@pytest.mark.parametrize("leave", [0, 8_192, 65_536, 300_000, 900_000])
def test_disk_full(template: Path, tmp_path: Path, leave: int) -> None:
    """A run that needs 3 MiB meets a disk with `leave` bytes free: it fails at the catalog, or later in the build."""
    mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path))
    with unmounted(tmp_path):
        acme = Path(shutil.copytree(template, tmp_path / "acme"))
        before = harness.fingerprint(acme)
        filler = fill(tmp_path, leave)
        with Reader(Store.open(acme)) as reader:
            with pytest.raises(StoreError, match="disk is full") as caught:
                harness.publish(acme, rows=400_000)
            assert caught.value.where.startswith(str(acme))
            assert "free some space" in caught.value.hint

            assert harness.look(reader) == 2
            assert not reader.refresh()
            with Reader(Store.open(acme)) as second:
                assert harness.look(second) == 2
            harness.finished(harness.expect_generation, str(acme), 2)
        filler.unlink()
        assert harness.fingerprint(acme) == before
        assert Store.open(acme).lease_holder() is None
        harness.publish(acme, keep=3, rows=100)
        harness.assert_tidy(acme)


def _run_with_small_files(root: str, limit: int) -> None:
    """No file may grow past `limit` bytes in this process, as a quota would have it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with pytest.raises(StoreError, match="disk is full"):
        harness.publish(root, rows=400_000)


@pytest.mark.parametrize("limit", [200_000, 1_000_000])
def test_file_size_limit(acme: Path, limit: int) -> None:
    """The same without root: a limit on file sizes stops the generation while it is written."""
    before = harness.fingerprint(acme)
    harness.finished(_run_with_small_files, str(acme), limit)
    assert harness.fingerprint(acme) == before
    assert Store.open(acme).runs(1)[0].state == "failed"
    harness.assert_tidy(acme)


# Read-only


def leave_closed(acme: Path) -> None:
    """Nothing beside the catalog: the last writer closed properly."""
    harness.define(acme)
    assert not Path(f"{acme / 'catalog.sqlite'}-wal").exists()


def leave_killed(acme: Path) -> None:
    """Killed just after publishing generation 3: the commit stands in the -wal only."""
    harness.killed_at("publish.after_commit", harness.publish, str(acme), 1, 5)
    assert Path(f"{acme / 'catalog.sqlite'}-wal").stat().st_size > 0


def leave_copied(acme: Path) -> None:
    """The same, copied without the -shm, which is no part of the data."""
    leave_killed(acme)
    Path(f"{acme / 'catalog.sqlite'}-shm").unlink()


STATES = [(leave_closed, 2), (leave_killed, 3), (leave_copied, 3)]


def serves(root: Path, number: int) -> None:
    """Everything a reader does works, and every writing verb says that it cannot."""
    store = Store.open(root)
    published = store.published()
    assert published is not None
    assert published.number == number
    assert store.lease_holder() is None
    assert [g.number for g in store.generations()] == list(range(number, 0, -1))
    with Reader(store) as reader:
        assert harness.look(reader) == number
        assert not reader.refresh()
    with store.pin(published):
        pass
    verbs: list[Callable[[], object]] = [
        lambda: store.lease("run"),
        lambda: store.rollback(1),
        lambda: store.save_definition("segment", "vip", {"where": "x"}),
        lambda: Store.create(root / "sub"),
    ]
    for verb in verbs:
        with pytest.raises(StoreError, match="no permission, or a read-only disk"):
            verb()


@pytest.mark.parametrize(("leave", "number"), STATES)
def test_read_only_disk(acme: Path, leave: Callable[[Path], None], number: int) -> None:
    leave(acme)
    before = contents(acme)
    mount("--bind", str(acme), str(acme))
    with unmounted(acme):
        mount("-o", "remount,bind,ro", str(acme))
        serves(acme, number)
        assert contents(acme) == before, "reading wrote something"
    assert contents(acme) == before


def _serves_as_nobody(root: str, number: int) -> None:
    if ROOT:  # for root, permission bits do not count
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    serves(Path(root), number)


@pytest.fixture
def acme_for_all(template: Path) -> Iterator[Path]:
    """An instance that other users can reach: pytest keeps its own directories closed, and closes them again."""
    with tempfile.TemporaryDirectory(prefix="unify-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copytree(template, Path(folder) / "acme"))


@pytest.mark.parametrize(("leave", "number"), STATES)
def test_no_permission_to_write(acme_for_all: Path, leave: Callable[[Path], None], number: int) -> None:
    acme = acme_for_all
    leave(acme)
    before = contents(acme)
    directories = [acme, *(path for path in acme.rglob("*") if path.is_dir())]
    files = [path for path in acme.rglob("*") if path.is_file()]
    for path in (*directories, *files):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        harness.finished(_serves_as_nobody, str(acme), number)
        assert contents(acme) == before, "reading wrote something"
    finally:
        for path in (*directories, *files):
            path.chmod(0o755 if path.is_dir() else 0o644)


def contents(root: Path) -> dict[str, bytes]:
    """Every file but SQLite's shared memory, which is coordination, not data."""
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in sorted(root.rglob("*"))
        if p.is_file() and "-shm" not in p.name
    }


def test_a_reader_follows_a_writer_it_has_no_permission_to_disturb(acme_for_all: Path) -> None:
    """Reading as another user, without permission to write, while generations are published."""
    reader = harness.start(_follow_as_nobody, str(acme_for_all), 8)
    harness.publish(acme_for_all, times=6, keep=1)
    assert harness.end(reader) == 0


def _follow_as_nobody(root: str, last: int) -> None:
    if ROOT:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    harness.read_until(root, last, "/dev/null", reopen=True)
