"""What executions leave behind: nothing of a person after an erasure, and an account of every row of every damaged file."""

import random
from pathlib import Path

import pytest

from tests.packages.conftest import GROUPS, HEADER, World
from unify.core.errors import UnifyError
from unify.packages import ExecutionStateError, ImportOptions, Status
from unify.packages.housekeeping import shed


def test_an_erasure_leaves_statuses_and_counts_and_nothing_that_came_in(world: World) -> None:
    execution = world.packages.import_package(world.package("1,Muster,,\n2,Erika,x,\n3,,,\n"))
    staged = world.packages.import_package(world.package("4,Muster,,\n"), options=ImportOptions(execute=False))
    waiting = world.packages.submit_import(world.package("5,Other,,\n"))
    world.packages.staging_error_file(execution.id, GROUPS.name)
    assert shed(world.path) == 2
    told = world.packages.execution(execution.id)
    assert (told.status, told.entities[0].file_rows, told.package) == (Status.PARTIALLY_SUCCEEDED, 3, None)
    assert world.packages.errors(execution.id) == []
    with pytest.raises(ExecutionStateError, match="is gone"):
        world.packages.execute(staged.id)
    for path in (world.path / "packages").rglob("*"):
        assert not path.is_file() or b"Erika" not in path.read_bytes()
    for path in world.path.glob("packages.sqlite*"):
        assert b"Erika" not in path.read_bytes(), path
    assert world.packages.run(waiting.id).status is Status.SUCCEEDED


def mutated(raw: bytes, draw: random.Random) -> bytes:
    """Bytes of a package with something wrong: flipped, cut, doubled, or put in."""
    content = bytearray(raw)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(content))
        match draw.randrange(4):
            case 0:
                content[at] ^= 1 << draw.randrange(8)
            case 1:
                del content[at : at + draw.randint(1, 20)]
            case 2:
                content[at:at] = content[at : at + draw.randint(1, 20)]
            case _:
                content[at:at] = draw.choice((b'"', b"\r\n", b",", b"\0", b"\xff", b"<", b"]]>"))
    return bytes(content)


def account(world: World, draw: random.Random, count: int) -> int:
    """Import so many damaged packages; how many of them got as far as staging."""
    reached = 0
    for place in range(count):
        text = "".join(f"{n},Name {n},{n}.5,2026-01-{n % 28 + 1:02}\r\n" for n in range(draw.randint(1, 12)))
        csv = f"{HEADER}\r\n{text}".encode()
        inside = draw.random() < 0.7
        given: dict[str, str | bytes] = {GROUPS.name: mutated(csv, draw) if inside else csv}
        path = world.package(given)
        if not inside:
            path.write_bytes(mutated(path.read_bytes(), draw))
        before = {row["ID"]: row for row in world.rows()}
        try:
            execution = world.packages.import_package(path, project=f"P{place % 3}")
        except UnifyError:
            continue
        assert execution.status.ended
        for run in execution.entities:
            assert run.file_rows == run.staged + run.staging_errors
            assert run.not_run == 0 or run.error
            assert bool(world.packages.staging_error_file(execution.id, run.entity)) == bool(run.staging_errors)
            reached += run.file_rows > 0
        after = {row["ID"]: row for row in world.rows()}
        assert len(after) - len(before) == sum(run.created for run in execution.entities)
        changed = [key for key in before if after[key] != before[key]]
        assert len(changed) == sum(run.updated for run in execution.entities)
    return reached


def test_damaged_packages_are_accounted_for(world: World) -> None:
    assert account(world, random.Random(20_261_122), 25) >= 12


@pytest.mark.soak
def test_two_thousand_damaged_packages_are_accounted_for(tmp_path: Path, world: World) -> None:
    assert account(world, random.Random(7), 2000) >= 1000
