"""The runner of a root: `python -m unify.service.jobs.runner ROOT`. It starts jobs, fires schedules, tells webhooks.

One at a time, whoever holds `.service/jobs.lock`; any other waits for it. What it knows stands in the database: it may
end at any moment, and the next one goes on. Jobs that a runner has started that was killed go on too; the next one
finds them by the locks that they hold.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from unify.core.errors import UnifyError
from unify.service.database import ServiceDatabase
from unify.service.jobs.announcer import Announcer
from unify.service.jobs.locks import RUNNER, hold, lock_of
from unify.service.jobs.nouns import Job
from unify.service.jobs.operations import plan_of
from unify.service.jobs.queue import Queue
from unify.service.jobs.schedules import Schedules
from unify.service.jobs.work import failed_stages, published_by
from unify.service.operations.log import configure, logger
from unify.service.packages.runner import PackageRunner
from unify.service.settings import Settings, read_settings
from unify.store import Store
from unify.store.lease import held

POLL_S: Final = 0.2
"""Between two looks at the queue; each takes a millisecond."""
GRACE_S: Final = 10.0
"""From asking a process to end until it is killed."""
TWICE: Final = {
    "error": "ProcessDiedError",
    "message": "the process of the job ended twice without a word",
    "where": "",
    "hint": "most often memory ran out: set job_memory in the service's settings; what was published before is served",
}


def command(settings: Settings) -> list[str]:
    """How a server starts a runner beside itself. It ends with the server, however that ends."""
    said = settings.model_dump_json(exclude={"root"})
    return [
        sys.executable, "-m", "unify.service.jobs.runner", str(settings.root.absolute()), "--settings", said,
        "--parent", str(os.getpid()),
    ]  # fmt: skip


class Runner:
    """One that holds the lock. `clock`: the present, for schedules and for what waits."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._root, self._clock = settings, settings.root.absolute(), clock
        self._database = ServiceDatabase(settings.root)
        self._queue = Queue(self._database)
        self._schedules = Schedules(self._database)
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._asked: dict[str, float] = {}
        """Attempt → when (monotonic) its process was asked to end."""
        self._going_down = False

    def tick(self) -> None:
        """One look at everything."""
        self._schedules.fire(self._clock())
        running = self._queue.running()
        mine = {job.attempt for job in running}
        self._children = {a: c for a, c in self._children.items() if c.poll() is None or a in mine}
        for job in running:
            if self._alive(job):
                self._cancel_if_asked(job)
            else:
                self._died(job)
        if (room := self._settings.jobs_at_once - len(self._queue.running())) > 0:
            for job in self._queue.take(room, self._clock()):
                self._start(job)

    def _start(self, job: Job) -> None:
        assert job.attempt is not None
        log = ["--log", self._settings.log, "--log-level", self._settings.log_level]
        arguments = [str(self._root), job.job_id, job.attempt, *log]
        if self._settings.job_memory is not None:
            arguments += ["--memory", self._settings.job_memory]
        if self._settings.job_threads is not None:
            arguments += ["--threads", str(self._settings.job_threads)]
        self._children[job.attempt] = subprocess.Popen(
            [sys.executable, "-m", "unify.service.jobs.work", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the server: the runner ends its jobs itself
        )
        logger.info("job started", job=job.job_id, instance=job.instance, operation=job.request.operation,
                    attempt=job.attempts)  # fmt: skip

    def _alive(self, job: Job) -> bool:
        """Whether the process of a job lives: a child of ours, or one that another runner has left."""
        child = self._children.get(job.attempt or "")
        if child is not None:
            return child.poll() is None
        return held(lock_of(self._database, job.job_id))

    def _died(self, job: Job) -> None:
        """A process that is gone while the queue says that its job runs. It may have ended right now, with a word."""
        child = self._children.pop(job.attempt or "", None)
        now = self._queue.get(job.job_id)
        if now is None or now.status != "running" or now.attempt != job.attempt:
            return
        how = _how(child.returncode) if child is not None else "ended with the runner that it belonged to"
        run = self._published(now)
        logger.warning("job died", job=job.job_id, instance=job.instance, code=child.returncode if child else None)
        if run is not None:
            self._queue.finish(now, "successful", run=run, note=f"its process {how} after it had published")
        elif now.cancel is not None:
            self._queue.finish(now, "aborted", note="cancelled while it was at work; nothing was published")
        elif self._going_down:
            self._queue.requeue(now, "the service went down; it goes on when the service is back")
        elif now.deaths == 0:
            self._queue.requeue(now, f"its process {how}; it is tried once more", died=True)
        else:
            self._queue.finish(now, "failed", error=TWICE, note=f"its process {how}, for the second time")

    def _published(self, job: Job) -> int | None:
        """The run that a dead process had published, if that was all there was to do."""
        try:
            request = job.request
            plan = plan_of(request.operation, request.inputs, failed_stages(self._queue, job))
            run = published_by(Store.open(self._root / job.instance), job, job.pid) if not plan.export else None
        except UnifyError:
            return None
        return run.number if run is not None else None

    def _cancel_if_asked(self, job: Job) -> None:
        if job.cancel is not None:
            self._end(job)

    def _end(self, job: Job) -> None:
        """Ask the process of a job to end; kill it, and what it has started, when it has been asked long ago."""
        attempt = job.attempt or ""
        child = self._children.get(attempt)
        pid = child.pid if child is not None else job.pid
        if pid is None:  # it has not come as far as saying who it is
            return
        asked = self._asked.get(attempt)
        with suppress(ProcessLookupError, PermissionError):
            if asked is None:
                self._asked[attempt] = time.monotonic()
                os.kill(pid, signal.SIGTERM)
            elif time.monotonic() - asked > GRACE_S:
                os.killpg(pid, signal.SIGKILL)

    def go_down(self) -> None:
        """End the jobs at work; they are queued, and go on with the next runner."""
        self._going_down = True
        while alive := [job for job in self._queue.running() if self._alive(job)]:
            for job in alive:
                self._end(job)
            time.sleep(0.05)
        for job in self._queue.running():
            if not self._alive(job):
                self._died(job)
        for child in self._children.values():  # they have said how they ended, and are on their way out
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _how(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def run(settings: Settings, stop: threading.Event, parent: int | None = None) -> None:
    """Wait for the lock, then run until `stop`, or until the process `parent` is not this one's parent any more."""
    database = ServiceDatabase(settings.root)

    def over() -> bool:
        return stop.is_set() or (parent is not None and os.getppid() != parent)

    while not over():
        with hold(database.folder / RUNNER) as mine:
            if mine:
                _run(settings, stop, over)
        stop.wait(POLL_S)


def _run(settings: Settings, stop: threading.Event, over: Callable[[], bool]) -> None:
    logger.info("runner started", root=settings.root.name)
    runner, packages = Runner(settings), PackageRunner(settings)
    announcer = Announcer(settings)
    telling = threading.Thread(target=announcer.go, name="announcer", daemon=True)
    telling.start()
    try:
        while not over():
            try:
                runner.tick()
                packages.tick()
            except Exception:  # a full disk, a busy database: the next look may do better
                logger.exception("runner failed")
                stop.wait(1)
            stop.wait(POLL_S)
    finally:
        announcer.stop.set()
        packages.go_down()
        runner.go_down()
        telling.join(GRACE_S)
        logger.info("runner ended", root=settings.root.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: it was asked to end."""
    parser = argparse.ArgumentParser(prog="python -m unify.service.jobs.runner")
    parser.add_argument("root", type=Path)
    parser.add_argument("--settings", default="", help="JSON, as the server has them; default: the environment's")
    parser.add_argument("--parent", type=int, help="end when this process is not the parent any more")
    said = parser.parse_args(arguments)
    if said.settings:
        settings = Settings.model_validate({**json.loads(said.settings), "root": said.root})
    else:
        settings = read_settings(root=said.root)
    configure(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop, said.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
