"""One job, in a process of its own: `python -m unify.service.jobs.work ROOT JOB ATTEMPT`, started by the runner.

It holds `.service/jobs/<job>.lock` while it lives, so that a runner that comes later can tell that it does. SIGTERM
makes it stop as soon as the step at work lets go; the run it was in has then failed, and what was published stays.
"""

import argparse
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

from unify.core.documents import project_of
from unify.core.errors import LeaseHeldError, QueryError, StoreError, UnifyError, did_you_mean
from unify.core.names import table_of
from unify.core.reports import RunReport
from unify.instance import Instance
from unify.service.database import ServiceDatabase
from unify.service.hot.making import make
from unify.service.jobs.locks import hold, lock_of
from unify.service.jobs.nouns import Job, Request
from unify.service.jobs.operations import EXPORTED, TASK_OF_STEP, Plan, plan_of, stage_of
from unify.service.jobs.queue import Queue
from unify.service.jobs.telling import INSIDE, told
from unify.service.operations.log import configure, logger
from unify.service.settings import Settings
from unify.spec import Project
from unify.store import Run, Store
from unify.verbs.draft import Draft

AGAIN_S: Final = (1, 2, 4, 8, 15, 30, 60)
"""Seconds until a job that met another writer is tried again: after the first time, the second, …, and so on."""
GIVE_UP_H: Final = 12
"""Hours after it was submitted that a job stops waiting for another writer."""
EXPORTS: Final = "exports"
"""Folder of an instance that exports are written into; the next export of the same name replaces a file."""


class Stopped(BaseException):
    """SIGTERM came."""


class Work:
    """A job that is being done."""

    def __init__(self, root: Path, queue: Queue, job: Job, *, memory: str | None, threads: int | None) -> None:
        self._queue, self._job = queue, job
        self._means: dict[str, Any] = {"memory_limit": memory, "threads": threads}
        self._store = Store.open(root / job.instance)
        self._root = root
        self._base = self._store.path
        self._tasks: list[tuple[str, str | None]] = []
        self._place = 0
        self.stopped = False

    def go(self) -> None:
        """Do it, and say in the queue how it ended."""
        try:
            run = self._do()
        except LeaseHeldError as error:
            self._wait(error)
        except UnifyError as error:
            said = told(error, self._folders())
            self._ended_by(lambda: self._queue.finish(self._job, "failed", error=said))
        except Stopped:
            self._stop()
        except sqlite3.OperationalError:
            logger.exception("job failed", job=self._job.job_id)
            again = "the service's database was busy; it is tried again"
            self._ended_by(lambda: self._queue.requeue(self._job, again, after=AGAIN_S[-1], died=True))
        except BaseException:
            logger.exception("job failed", job=self._job.job_id, operation=self._job.request.operation)
            self._ended_by(lambda: self._queue.finish(self._job, "failed", error=INSIDE))
        else:
            self._queue.finish(self._job, "successful", run=run)

    def _ended_by(self, say: Callable[[], object]) -> None:
        """An error that is only what the signal looks like from inside a question is none."""
        if self.stopped:
            self._stop()
        else:
            say()

    def _stop(self) -> None:
        asked = self._queue.get(self._job.job_id)
        if (run := published_by(self._store, self._job, os.getpid())) is not None and not self._plan.export:
            self._queue.finish(self._job, "successful", run=run.number, note="it had just been published")
        elif asked is not None and asked.cancel is not None:
            self._queue.finish(self._job, "aborted", note="cancelled while it was at work; nothing was published")
        else:
            self._queue.requeue(self._job, "the service went down; it goes on when the service is back")

    def _wait(self, error: LeaseHeldError) -> None:
        waited = (datetime.now(UTC) - self._job.submitted).total_seconds()
        if waited > GIVE_UP_H * 3600:
            self._queue.finish(self._job, "timedOut", error=told(error, self._folders()))
            return
        seconds = AGAIN_S[min(self._job.attempts, len(AGAIN_S)) - 1]
        holder = self._store.lease_holder()
        who = f"another writer ({holder.purpose})" if holder is not None else "another writer"
        self._queue.requeue(
            self._job, f"{who} is at work on this instance; tried again every minute or sooner", after=seconds
        )

    # ── what is done ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _plan(self) -> Plan:
        request = self._job.request
        return plan_of(request.operation, request.inputs, failed_stages(self._queue, self._job))

    def _do(self) -> int | None:
        request, plan = self._job.request, self._plan
        draft = Draft(self._store).now()
        self._base = draft.base
        sources = list(draft.document.get("sources") or ())
        if plan.tasks(sources, request.identifiers) != self._tasks:
            self._tasks = plan.tasks(sources, request.identifiers)
            self._queue.plan_tasks(self._job, self._tasks)
        with Instance(self._store, **self._means) as acme:
            report = self._verb(acme, plan, lambda: project_of(draft.document, where="draft"))
            if report is not None:
                self._segments(report, plan)
            if plan.export:
                with self._store.lease("export"):  # nobody is erased meanwhile, and written out all the same
                    self._export(acme, request.identifiers or (EXPORTED,))
        if report is not None:
            self._pack()
        return report.run if report is not None else None

    def _pack(self) -> None:
        """Make the snapshot that hot routes answer from: who sees a job successful finds there what it published."""
        published = self._store.published()
        if published is not None and "Customer" in published.rows:
            with suppress(StoreError, OSError):  # the service makes it by itself, a moment later
                make(self._store, published.number)

    def _verb(self, acme: Instance, plan: Plan, project: Callable[[], Project]) -> RunReport | None:
        request = self._job.request
        if plan.verb is None:
            return None
        if plan.verb == "segments":
            names = plan.segments(request.identifiers)
            return acme.segments().refresh(*names, progress=self._progress)
        full = request.kind == "full" or request.forced
        verbs: dict[str, Callable[..., RunReport]] = {
            "run": acme.run, "ingest": acme.ingest, "conflate": acme.conflate, "refresh": acme.refresh,
        }  # fmt: skip
        return verbs[plan.verb](project(), base=self._base, full=full, progress=self._progress, **self._means)

    def _segments(self, report: RunReport, plan: Plan) -> None:
        """Segments that could not be found, told in their task; of a job about these very segments, its error."""
        errors = {s.segment: _of_segment(s.segment, s.error) for s in report.segments if s.error is not None}
        for place, (operation, identifier) in enumerate(self._tasks):
            if operation == "segmentation" and (said := [e for n, e in errors.items() if identifier in (None, n)]):
                self._queue.task_errors(self._job, place, said, failed=True)
        wanted = plan.segments(self._job.request.identifiers) if plan.verb == "segments" else ()
        if wrong := [errors[name] for name in wanted if name in errors]:
            raise QueryError(wrong[0]["message"], where=wrong[0]["where"], hint=wrong[0]["hint"])

    def _export(self, acme: Instance, names: Sequence[str]) -> None:
        folder = self._store.path / EXPORTS
        folder.mkdir(exist_ok=True)
        first = len(self._tasks) - len(names)
        for place, name in enumerate(names, start=first):
            self._queue.at(self._job, place, f"write {name}")
            whole, part = folder / f"{name}.csv", folder / f".{name}.part.csv"
            if name in acme.segments():
                acme.segment(name).export(part, overwrite=True)
            else:
                acme.export(name, part, overwrite=True)
            part.replace(whole)

    def _progress(self, stage: str, sentence: str) -> None:
        place = self._place_of(stage, sentence)
        if place is not None:
            self._place = max(self._place, place)
            self._queue.at(self._job, self._place, sentence)

    def _place_of(self, stage: str, sentence: str) -> int | None:
        """The task that a step is part of; None for a step of no task (publishing)."""
        operation = "ingestion" if stage == "ingest" else TASK_OF_STEP.get(stage)
        source = sentence.partition(".")[0] if stage == "ingest" else None
        places = [i for i, (op, name) in enumerate(self._tasks) if op == operation and source in (None, name)]
        return places[0] if places else None

    def _folders(self) -> dict[str, Path]:
        base = {} if self._base in (self._store.path, Path("/")) else {"…": self._base}
        return {"": self._store.path, **base}


def _of_segment(name: str, said: dict[str, str]) -> dict[str, str]:
    return {"error": said.get("error", ""), "message": said.get("message", ""), "where": said.get("where") or name,
            "hint": said.get("hint", "")}  # fmt: skip


def failed_stages(queue: Queue, job: Job) -> frozenset[str]:
    """Stages of the instance whose last job failed."""
    last = queue.last_tasks(job.instance)
    return frozenset(stage_of(t.operation) for t, _, by in last if t.status == "failed" and by.job_id != job.job_id)


def check_identifiers(acme: Instance, project: dict[str, Any], request: Request) -> None:
    """QueryError for an identifier that names nothing of the kind that the operation is about.

    project   the draft, as a document
    """
    stage = stage_of(request.operation)
    if not request.identifiers:
        return
    if stage in ("all", "conflation"):
        raise QueryError(
            f"a job of {request.operation} is about everything: it has no identifiers",
            where="identifiers",
            hint="leave them out",
        )
    known = _known(acme, project, stage)
    for name in request.identifiers:
        if name not in known and not (stage == "export" and table_of(name) in known):
            raise QueryError(f"there is no {name!r}", where="identifiers", hint=did_you_mean(name, known))


def _known(acme: Instance, project: dict[str, Any], stage: str) -> set[str]:
    """Names that a job of a stage may be about."""
    sources = project.get("sources") or {}
    if stage == "ingestion":
        return {*sources, *(f"{source}.{entity}" for source, group in sources.items() for entity in group)}
    if stage == "measures":
        return set(project.get("measures") or ())
    if acme.store.published() is None:
        return set()
    segments = {info.name for info in acme.segments().all()}
    return segments if stage == "segmentation" else segments | set(acme.tables())


def published_by(store: Store, job: Job, pid: int | None) -> Run | None:
    """What a job's process published since the job began; None when nothing."""
    since = job.started or job.submitted
    for run in store.runs(20):
        if run.pid == pid and run.state == "published" and run.started >= since and run.host == os.uname().nodename:
            return run
    return None


def _work(root: Path, queue: Queue, job: Job, **means: Any) -> Work | None:
    """What is to be done; None, with the job failed, when its instance is gone."""
    try:
        return Work(root, queue, job, **means)
    except UnifyError as error:
        queue.finish(job, "failed", error=told(error, {"": root}))
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one job. 0: how it ended stands in the queue."""
    parser = argparse.ArgumentParser(prog="python -m unify.service.jobs.work")
    parser.add_argument("root", type=Path)
    parser.add_argument("job")
    parser.add_argument("attempt")
    parser.add_argument("--log", default="json")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--memory")
    parser.add_argument("--threads", type=int)
    said = parser.parse_args(arguments)
    configure(Settings(root=said.root, log=said.log, log_level=said.log_level))
    database = ServiceDatabase(said.root)
    queue = Queue(database)
    work: Work | None = None

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if work is not None:
            work.stopped = True
        raise Stopped

    with hold(lock_of(database, said.job)) as held:
        if not held:
            return 0
        signal.signal(signal.SIGTERM, stop)
        try:
            job = queue.began(said.job, said.attempt, os.getpid())
            if job is not None:
                work = _work(said.root, queue, job, memory=said.memory, threads=said.threads)
            if work is not None:
                work.go()
        except Stopped:  # before it began, or while it was saying how it ended
            with suppress(Exception):
                if (job := queue.get(said.job)) is not None and job.attempt == said.attempt:
                    queue.requeue(job, "the service went down; it goes on when the service is back")
    return 0


if __name__ == "__main__":
    sys.exit(main())
