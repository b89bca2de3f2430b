"""Custom APIs and the queue of jobs: one that submits a job and waits for its end as long as a call may take."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from unify.custom.context import Job, Submit
from unify.service.database import ServiceDatabase
from unify.service.jobs.nouns import Request
from unify.service.jobs.operations import plan_of
from unify.service.jobs.queue import Queue

LOOK_S: Final = 0.1
_QUEUES: Final[dict[Path, ServiceDatabase]] = {}
_LOCK: Final = Lock()


def use_queue(root: Path, database: ServiceDatabase, *, runs: bool) -> None:
    """Have custom APIs of the instances under a root submit jobs there. `runs`: whether the service runs jobs."""
    with _LOCK:
        if runs:
            _QUEUES[root.resolve()] = database
        else:
            _QUEUES.pop(root.resolve(), None)


def submitter(instance: Path, by: str) -> Submit | None:
    """How the custom APIs of an instance submit jobs; None where nobody runs any."""
    with _LOCK:
        database = _QUEUES.get(instance.resolve().parent)
    if database is None:
        return None
    queue = Queue(database)

    def submit(operation: str, identifiers: Sequence[str], seconds: float) -> Job:
        request = Request(operation, identifiers=tuple(identifiers), submission="onDemand")
        tasks = plan_of(operation).tasks((), tuple(identifiers))
        job, _ = queue.submit(instance.name, request, tasks, by)
        until = time.monotonic() + seconds
        while job.open and time.monotonic() < until:
            time.sleep(LOOK_S)
            job = queue.get(job.job_id, instance.name) or job
        return Job(job.job_id, job.status, job.run, job.error)

    return submit
