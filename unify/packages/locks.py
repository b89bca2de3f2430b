"""Who is at work: locks on files, which the system drops with the process that holds them, however it ends."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from unify.packages.database import PackageDatabase

LOCKS: Final = "locks"
LOOK_S: Final = 0.05
"""Between two tries of who waits."""


def lock_of_project(database: PackageDatabase, project: str) -> Path:
    """Held by the one execution of a project that is at work: the others wait for their turn."""
    return _lock(database, "project-" + hashlib.sha256(project.casefold().encode()).hexdigest()[:32])


def lock_of_execution(database: PackageDatabase, number: int) -> Path:
    """Held by the process that runs an execution, also while it waits for its turn."""
    return _lock(database, f"execution-{number}")


def _lock(database: PackageDatabase, name: str) -> Path:
    folder = database.folder / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.lock"


@contextmanager
def hold(path: Path, *, wait: Callable[[], bool] = lambda: False) -> Iterator[bool]:
    """True while the block has the lock. `wait`: asked while somebody else has it; False gives up."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not (mine := _try(descriptor)) and wait():
            time.sleep(LOOK_S)
        yield mine
    finally:
        os.close(descriptor)


def held(path: Path) -> bool:
    """Whether somebody has it."""
    if not path.exists():
        return False
    with hold(path) as mine:
        return not mine


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
