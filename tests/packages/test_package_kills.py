"""`kill -9` in the middle of an import: no row is half there, none is lost or written twice, and the status is true."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.packages.conftest import GROUPS, HEADER, World
from unify.packages import Status
from unify.records import RecordStore

ROWS = 40_000
WORK = """
import sys
from unify.packages import target, staging
target.LOT = staging.BATCH_ROWS = 2_000
import unify
with unify.open(sys.argv[1]) as acme:
    print("up", flush=True)
    acme.packages.run(sys.argv[2], told=lambda text: print(text, flush=True))
"""


def content() -> str:
    """Every tenth row is no number, every seventh has no name: both classes of errors are in it."""
    return "".join(
        f"{n},{'' if n % 7 == 0 else f'Name {n}'},{'x' if n % 10 == 0 else f'{n % 100}.25'},2026-01-01\r\n"
        for n in range(ROWS)
    )


def wanted() -> set[str]:
    return {str(n) for n in range(ROWS) if n % 7 and n % 10}


def killed_once(world: World, execution: str, seconds: float) -> bool:
    """Run it in a process, and kill that so long after it is up; False when it had ended before."""
    child = subprocess.Popen(
        [sys.executable, "-c", WORK, str(world.path), execution], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == b"up\n"
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
    finally:
        child.wait(30)
        child.stdout.close()
    return child.returncode == -signal.SIGKILL


def survives(world: World, delays: list[float]) -> int:
    """Kills at these delays, then a run to the end; how many of them hit."""
    package = world.package({GROUPS.name: f"{HEADER}\r\n{content()}"})
    world.packages.import_package(world.package("1,Before,,\n3,Before,,\n", name="first.zip"))
    submitted = world.packages.submit_import(package)
    hits = 0
    seen = 0
    for seconds in delays:
        if not killed_once(world, submitted.id, seconds):
            break
        hits += 1
        status = world.packages.execution(submitted.id).status
        assert status in (Status.NOT_RUN, Status.UNKNOWN) or status.ended
        with RecordStore(world.path).read() as reading:
            count = reading.count(GROUPS.table)
        assert count >= seen, "what was there is gone"
        seen = count
    done = world.packages.run(submitted.id)
    (run,) = done.entities
    assert done.status is Status.PARTIALLY_SUCCEEDED
    assert run.file_rows == ROWS == run.staged + run.staging_errors
    assert run.staging_errors == sum(1 for n in range(ROWS) if n % 10 == 0)
    assert run.refused == sum(1 for n in range(ROWS) if n % 10 and n % 7 == 0)
    assert (run.created, run.updated, run.not_run) == (len(wanted()) - 2, 2, 0)
    rows = world.rows()
    assert {row["ID"] for row in rows} == wanted()
    assert all(row["NAME"] == f"Name {row['ID']}" and row["RATE"] is not None and row["SINCE"] for row in rows)
    versions = world.versions().values()
    assert len(set(versions)) == len(rows)
    path = world.packages.target_keys_file(submitted.id, GROUPS.name)
    assert path is not None
    assert len(path.read_text(encoding="utf-8-sig").splitlines()) == run.refused + 1
    return hits


def test_an_import_that_is_killed_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path / "acme")
    try:
        world.packages.define(GROUPS)
        assert survives(world, [0.15, 0.45]) >= 1
    finally:
        world.acme.close()


@pytest.mark.soak
def test_forty_kills_at_random_instants(tmp_path: Path) -> None:
    hits, seed = 0, random.randrange(2**32)
    draw = random.Random(seed)
    for place in range(8):
        world = World(tmp_path / f"acme{place}")
        try:
            world.packages.define(GROUPS)
            hits += survives(world, [draw.uniform(0, 0.8) for _ in range(5)])
        finally:
            world.acme.close()
    assert hits >= 10, f"seed {seed}: too few kills hit"
