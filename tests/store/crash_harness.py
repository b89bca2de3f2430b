"""Processes that write to an instance, ways to kill them, and what must be true afterwards.

Reusable for any job that writes through `unify.store`, e.g. a whole `unify run`. From a test in another folder, put
this folder on `sys.path` first (see conftest.py). A job is a module-level function: another process imports it::

    import crash_harness as harness

    def job(root: str) -> None:
        unify.open(root).run("project.yaml")

    def test_killed_anywhere(acme):
        before = harness.fingerprint(acme)
        harness.killed_at("publish.before_commit", job, str(acme))     # fails if the point is never reached
        assert harness.fingerprint(acme) == before                     # published file: same number, same bytes
        harness.finished(job, str(acme))                               # the next run succeeds …
        harness.assert_tidy(acme)                                      # … and leaves nothing lying about

    killed_after(0.3, job, root)     kill -9 after so many seconds, wherever it is
    halted_at(point, job, root)      a context: the process stands still at the point, and goes on at the end
    finished(job, root)              run to the end; AssertionError with the exit code otherwise
    fingerprint(root)                number and SHA-256 of everything readers can be served
    assert_whole(root)               catalog and files agree, every generation opens, at most one run is running
    assert_tidy(root)                and no run is running, no leftovers in generations/

Jobs run in processes forked from a clean server that has imported duckdb and unify already: a start costs 20 ms instead
of half a second, and no thread or lock of the test process comes along.
"""

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import psutil

from unify.store import Build, Generation, NewMembers, NewMembership, Reader, Store
from unify.store.failpoints import VARIABLE

PATIENCE = 60.0
"""Seconds before a job counts as hung. The machine may be busy; none needs more than 2."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["duckdb", "pyarrow", "unify.store"])


def _enter(failpoint: str, job: Callable[..., None], args: tuple[object, ...]) -> None:
    if failpoint:
        os.environ[VARIABLE] = failpoint
    job(*args)


def start(job: Callable[..., None], *args: object, failpoint: str = "") -> BaseProcess:
    """A process that does the job. `failpoint`: e.g. `publish.before_commit:kill`."""
    process = _context.Process(target=_enter, args=(failpoint, job, args), daemon=True)
    process.start()
    return process


def end(process: BaseProcess) -> int:
    """Wait for the process; its exit code, negative for a signal."""
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"process {process.pid} hangs")
    return process.exitcode


def finished(job: Callable[..., None], *args: object) -> None:
    """Do the job to its end in a process of its own."""
    code = end(start(job, *args))
    assert code == 0, f"{job.__name__} ended with exit code {code}; its traceback is on stderr"


def killed_at(point: str, job: Callable[..., None], *args: object) -> None:
    """Do the job and die by SIGKILL at a fail-point. Fails when the job ends without reaching it."""
    code = end(start(job, *args, failpoint=f"{point}:kill"))
    assert code == -signal.SIGKILL, f"{job.__name__} never reached {point}: exit code {code}"


def killed_after(seconds: float, job: Callable[..., None], *args: object) -> int:
    """Do the job and kill -9 it after so many seconds. The exit code: 0 when it was done before."""
    process = start(job, *args)
    process.join(seconds)
    with contextlib.suppress(ProcessLookupError):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
    return end(process)


@contextlib.contextmanager
def halted_at(point: str, job: Callable[..., None], *args: object) -> Iterator[int]:
    """The job's process (its pid) stands still at a fail-point during the block, then goes on to its end."""
    process = start(job, *args, failpoint=f"{point}:stop")
    assert process.pid is not None
    try:
        until = time.monotonic() + PATIENCE
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            assert process.is_alive(), f"{job.__name__} never reached {point}: exit code {process.exitcode}"
            assert time.monotonic() < until, f"{job.__name__} did not halt at {point}"
            time.sleep(0.005)
        yield process.pid
    finally:
        until = time.monotonic() + PATIENCE
        while process.is_alive() and time.monotonic() < until:  # it halts again whenever it passes the point again
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.join(0.02)
        if process.is_alive():
            process.kill()  # a halted process would outlive the tests
        code = end(process)
    assert code in (0, -signal.SIGKILL), f"{job.__name__} ended with exit code {code}"


# What must be true


def fingerprint(root: Path) -> tuple[int | None, dict[int, str]]:
    """The published number, and the SHA-256 of every generation's file: what readers are served, to the byte."""
    store = Store.open(root)
    published = store.published()
    files = {g.number: sha256(g.path) for g in store.generations()}
    return published.number if published else None, files


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_whole(root: Path) -> None:
    """Catalog and files agree, and everything on offer can be read."""
    store = Store.open(root)
    kept, published = store.generations(), store.published()
    assert [g.number for g in kept if g.current] == ([published.number] if published else [])
    for generation in kept:
        run = store.run(generation.number)
        assert run.state == "published"
        assert run.report is not None
        assert run.finished is not None
        assert generation.path.stat().st_size == generation.bytes
        assert rows_of(generation) == generation.rows
    for row in store.membership_history():
        assert row.file is None or store.members_file(row.file), "a row refers to members that are not whole"
    assert sum(run.state == "running" for run in store.runs(10_000)) <= 1


def assert_tidy(root: Path) -> None:
    """Whole, nobody at work, and generations/ and memberships/ hold what is kept and nothing else."""
    assert_whole(root)
    store = Store.open(root)
    assert store.lease_holder() is None
    assert [run for run in store.runs(10_000) if run.state == "running"] == []
    there = sorted(path.name for path in (root / "generations").iterdir())
    assert there == sorted(g.path.name for g in store.generations())
    needed = {row.file for row in store.membership_history()} | {s.file for s in store.identity_steps().values()}
    assert {path.name for path in (root / "memberships").iterdir()} == needed - {None}


_counted: dict[str, dict[str, int]] = {}
"""SHA-256 to rows: the same bytes hold the same rows, and opening a DuckDB costs 15 ms of processor."""


def rows_of(generation: Generation) -> dict[str, int]:
    """Table to row count, read from the file."""
    sha = sha256(generation.path)
    if sha not in _counted:
        _counted[sha] = _count(generation)
    return _counted[sha]


def _count(generation: Generation) -> dict[str, int]:
    with duckdb.connect(str(generation.path), read_only=True) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main' ORDER BY 1"
            ).fetchall()
        ]
        counts = {}
        for table in tables:
            found = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            assert found is not None
            counts[table] = found[0]
        return counts


# Jobs for the store itself: a generation whose tables all say which generation they are from


def write_tables(build: Build, rows: int = 3000) -> None:
    """Tables a and b: every row bears the number of the generation; b has one row per row of a."""
    with duckdb.connect(str(build.path), config={"threads": 1}) as connection:
        connection.execute(
            "CREATE TABLE a AS SELECT $g::INT AS g, range AS i FROM range($n)", {"g": build.number, "n": rows}
        )
        connection.execute("CREATE TABLE b AS SELECT g, hash(i, g) AS h FROM a")


def members_of(number: int, keep: int = 5, identity: bytes | None = b"") -> NewMembers:
    """What run `number` says about two segments: one that is another in every run, one that never changes."""
    contents = {"changing": b"members of run %d" % number, "steady": b"always these"}
    facts = {"as_of": number, "definition": "d"}
    return NewMembers(
        rows=[NewMembership(name, "refreshed", len(c), c, facts) for name, c in contents.items()],
        definitions={"d": '{"where": "TotalSpend gt 1000"}'},
        identity=identity if identity is None else b"changes of run %d" % number,
        parent=None,
        keep=keep,
    )


def publish(root: Path | str, times: int = 1, keep: int = 1, rows: int = 3000, wait: float | None = None) -> None:
    """The model of a batch: build and publish, so many times."""
    store = Store.open_or_create(root)
    for _ in range(times):
        with store.lease("run", wait=wait) as lease, store.begin(lease) as build:
            write_tables(build, rows)
            build.publish({"rows": rows}, keep=keep, members=members_of(build.number, keep))


def refresh(root: Path | str) -> None:
    """The model of a refresh of segments: a run that publishes no generation."""
    store = Store.open(root)
    published = store.published()
    assert published is not None
    with store.lease("segments") as lease, store.begin(lease) as build:
        build.refresh({}, published.number, members_of(build.number, identity=None))


def fail(root: Path | str) -> None:
    """A batch that finds its input damaged after it has written something."""
    store = Store.open(root)
    with contextlib.suppress(ZeroDivisionError), store.lease("run") as lease, store.begin(lease) as build:
        write_tables(build)
        raise ZeroDivisionError


def roll_back(root: Path | str, number: int) -> None:
    Store.open(root).rollback(number)


def define(root: Path | str) -> None:
    Store.open(root).save_definition("segment", "vip", {"where": "TotalSpend gt 1000"})


def look(reader: Reader) -> int:
    """The generation that answers; AssertionError when the answer mixes two or is not whole."""
    with reader.cursor() as cursor:
        seen = {
            (low, high, count)
            for table in ("a", "b")
            for low, high, count in cursor.execute(f"SELECT min(g), max(g), count(*) FROM {table}").fetchall()
        }
        fresh = cursor.execute("SELECT count(*) FROM a JOIN b ON b.h = hash(a.i, a.g)").fetchone()
    assert len(seen) == 1, f"tables disagree: {seen}"
    ((low, high, count),) = seen
    assert low == high, f"mixed generations: {low} and {high}"
    assert fresh == (count,)
    return int(low)


def expect_generation(root: str, number: int) -> None:
    """What a process that starts now is served."""
    with Reader(Store.open(root)) as reader:
        assert look(reader) == number


def read_until(root: str, last: int, out: str, *, reopen: bool) -> None:
    """Ask again and again until generation `last` answers; write down how often each generation answered."""
    store = Store.open(root)
    answers: dict[int, int] = {}
    reader = Reader(store, {"threads": 1})
    number = 0
    while number < last:
        if reopen:
            reader.close()
            reader = Reader(store, {"threads": 1})
        else:
            reader.refresh()
        before, number = number, look(reader)
        assert before <= number, "went back in time"
        answers[number] = answers.get(number, 0) + 1
    reader.close()
    Path(out).write_text(json.dumps(answers))
