"""Readers and writers in processes of their own: nobody waits for a reader, no reader sees a half-made state."""

import json
import os
import re
import signal
import threading
import time
from pathlib import Path

import crash_harness as harness
import pytest

from unify.core.errors import LeaseHeldError
from unify.store import Reader, Store


def test_readers_answer_while_generations_are_published(acme: Path, tmp_path: Path) -> None:
    """Two readers ask without pause while 20 generations go by, each swept as soon as the next is there."""
    last = 22
    outs = {reopen: tmp_path / f"reopen-{reopen}.json" for reopen in (False, True)}
    readers = [harness.start(_read, str(acme), last, str(out), reopen) for reopen, out in outs.items()]
    harness.finished(harness.publish, str(acme), last - 2, 1)
    assert [harness.end(reader) for reader in readers] == [0, 0]
    for out in outs.values():
        answers = {int(number): count for number, count in json.loads(out.read_text()).items()}
        assert max(answers) == last
        assert len(answers) >= 3, f"the reader saw next to nothing of it: {answers}"
    harness.publish(acme, keep=1)
    harness.assert_tidy(acme)


def _read(root: str, last: int, out: str, reopen: bool) -> None:
    harness.read_until(root, last, out, reopen=reopen)


@pytest.mark.parametrize(
    ("point", "served"),
    [
        ("begin.after_commit", 2),
        ("publish.before_fsync", 2),
        ("publish.after_directory_fsync", 2),
        ("publish.before_commit", 2),
        ("publish.after_commit", 3),
        ("sweep.before_unlink", 3),
        ("lease.before_release", 3),
    ],
)
def test_reader_at_each_instant_of_a_run(acme: Path, point: str, served: int) -> None:
    """The writer stands still at the instant; an old reader and a new one are answered at once."""
    with Reader(Store.open(acme)) as old:
        with harness.halted_at(point, harness.publish, str(acme)):
            assert harness.look(old) == 2
            assert old.refresh() is (served == 3)
            assert harness.look(old) == served
            with Reader(Store.open(acme)) as new:
                assert harness.look(new) == served
        old.refresh()
        assert harness.look(old) == 3


def test_second_writer_is_told_who_holds_the_lease(acme: Path) -> None:
    store = Store.open(acme)
    with harness.halted_at("begin.after_commit", harness.publish, str(acme)) as pid:
        with pytest.raises(LeaseHeldError, match=rf"process {pid} on .* \(run, since ") as caught:
            store.lease("another run")
        assert caught.value.exit_code == 5
        with pytest.raises(LeaseHeldError, match=rf"process {pid} .*waited 0\.5 s"):
            store.lease("another run", wait=0.5)
        with pytest.raises(LeaseHeldError, match=str(pid)):
            store.rollback(1)
        holder = store.lease_holder()
        assert holder is not None
        assert (holder.pid, holder.purpose) == (pid, "run")
        assert store.runs(1)[0].state == "running"
    assert store.lease_holder() is None
    assert [run.state for run in store.runs()] == ["published"] * 3


def test_second_writer_waits_when_asked(acme: Path) -> None:
    with harness.halted_at("begin.after_commit", harness.publish, str(acme), 1, 5):
        waiting = harness.start(harness.publish, str(acme), 1, 5, 3000, 60.0)
        time.sleep(0.3)
        assert waiting.is_alive()
    assert harness.end(waiting) == 0
    assert [g.number for g in Store.open(acme).generations()] == [4, 3, 2, 1]


def test_many_writers_take_turns(acme: Path) -> None:
    writers = [harness.start(harness.publish, str(acme), 3, 50, 10, 60.0) for _ in range(3)]
    assert [harness.end(writer) for writer in writers] == [0, 0, 0]
    assert [run.number for run in Store.open(acme).runs()] == list(range(11, 0, -1))
    harness.assert_tidy(acme)


def test_many_processes_create_one_instance(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    makers = [harness.start(harness.publish, str(root), 1, 50, 10, 60.0) for _ in range(4)]
    assert [harness.end(maker) for maker in makers] == [0] * 4
    assert len(Store.open(root).generations()) == 4


def test_a_killed_writer_frees_the_lease(acme: Path) -> None:
    store = Store.open(acme)
    with harness.halted_at("begin.after_commit", harness.publish, str(acme)) as pid:
        os.kill(pid, signal.SIGKILL)
        with store.lease("run", wait=harness.PATIENCE):
            pass
    assert store.lease_holder() is None


def _fork_and_die(root: str, out: str) -> None:
    """Take the lease, fork a child that outlives us, be killed."""
    lease = Store.open(root).lease("run")
    if os.fork() == 0:
        assert not lease.held
        Path(out).write_text(str(os.getpid()))
        time.sleep(harness.PATIENCE)
        os._exit(0)
    while not Path(out).exists() or not Path(out).read_text():
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_forked_child_does_not_hold_the_lease(acme: Path, tmp_path: Path) -> None:
    out = tmp_path / "child"
    assert harness.end(harness.start(_fork_and_die, str(acme), str(out))) == -signal.SIGKILL
    child = int(out.read_text())
    try:
        with Store.open(acme).lease("run"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def _hold(root: str, out: str) -> None:
    """Pin the published generation until killed."""
    reader = Reader(Store.open(root))
    Path(out).write_text(str(harness.look(reader)))
    time.sleep(harness.PATIENCE)


def test_a_generation_in_use_elsewhere_is_not_removed(acme: Path, tmp_path: Path) -> None:
    out = tmp_path / "ready"
    reader = harness.start(_hold, str(acme), str(out))
    until = time.monotonic() + harness.PATIENCE
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.01)
    old = Store.open(acme).generation(2).path

    harness.publish(acme, keep=1)
    assert old.exists(), "a file that a live reader uses was deleted"
    assert [g.number for g in Store.open(acme).generations()] == [3]

    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    harness.end(reader)
    harness.publish(acme, keep=1)
    assert not old.exists()
    harness.assert_tidy(acme)


def test_threads_share_a_reader_while_it_moves(acme: Path) -> None:
    """Cursors at work finish on the generation they began with; a generation is closed after the last of them."""
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask(reader: Reader) -> None:
        try:
            while not stop.is_set():
                harness.look(reader)
        except BaseException as error:
            failures.append(error)

    with Reader(Store.open(acme), {"threads": 1}) as reader:
        threads = [threading.Thread(target=ask, args=(reader,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        with reader.cursor() as cursor:
            for _ in range(4):
                harness.publish(acme, keep=1, rows=200)
                assert reader.refresh()
            assert cursor.execute("SELECT min(g) FROM a").fetchone() == (2,)
            assert (acme / "generations" / "000002.duckdb").exists()
        stop.set()
        for thread in threads:
            thread.join(harness.PATIENCE)
        assert failures == []
        assert harness.look(reader) == 6
    harness.publish(acme, keep=1)
    harness.assert_tidy(acme)


def test_holder_signature_is_not_trusted_after_a_kill(acme: Path) -> None:
    """The file still names the dead one while the next has the lock and has not signed yet."""
    harness.killed_at("begin.after_commit", harness.publish, str(acme))
    assert re.search(rb'"pid": \d+', (acme / "lease.lock").read_bytes())
    assert Store.open(acme).lease_holder() is None
    with (
        harness.halted_at("lease.after_lock", harness.publish, str(acme)),
        pytest.raises(LeaseHeldError, match="another writer is at work"),
    ):
        Store.open(acme).lease("run")
