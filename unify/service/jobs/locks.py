"""Operating-system locks on files: dropped when their process ends, however it ends, so they are never stale.

`unify.store.lease.held` tells whether somebody has one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from unify.service.database import ServiceDatabase

JOBS: Final = "jobs"
RUNNER: Final = "jobs.lock"


def lock_of(database: ServiceDatabase, job_id: str) -> Path:
    """The file that the process of a job holds."""
    folder = database.folder / JOBS
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{job_id}.lock"


@contextmanager
def hold(path: Path) -> Iterator[bool]:
    """True while the block has the lock, False when somebody else does; does not wait."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
