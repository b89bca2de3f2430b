"""What the runner of jobs does for data packages: a process for each execution, recurring exports, the weekly broom."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from unify.core.errors import UnifyError
from unify.opened import Opened
from unify.packages import Execution, ExportOptions, NoSuchExecutionError, Packages
from unify.packages.database import FILE, PackageDatabase
from unify.packages.history import kept
from unify.packages.locks import held, lock_of_execution
from unify.service.database import ServiceDatabase
from unify.service.operations.log import logger
from unify.service.packages.files import Files
from unify.service.packages.queue import MOST_DEATHS, PackageQueue, Waiting
from unify.service.packages.recurring import Recurring
from unify.service.roof import ids_under
from unify.service.settings import Settings
from unify.store import Store

SWEEP: Final = timedelta(hours=1)
GRACE_S: Final = 10.0


class PackageRunner:
    """One per runner of jobs. `clock`: the present, for what is due and what has expired."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._root, self._clock = settings, settings.root.absolute(), clock
        database = ServiceDatabase(settings.root)
        self._queue, self._recurring = PackageQueue(database), Recurring(database)
        self._files = Files(database, self._root)
        self._children: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._swept: datetime | None = None

    def tick(self) -> None:
        """One look at everything."""
        for one in self._queue.running():
            self._look(one)
        for one in self._queue.take(self._settings.packages_at_once - len(self._queue.running())):
            self._start(one)
        self._recur()
        if self._swept is None or self._clock() - self._swept >= SWEEP:
            self._swept = self._clock()
            self._sweep()

    def go_down(self) -> None:
        """End the processes at work; what they did goes on with the next runner."""
        for child in self._children.values():
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        for child in self._children.values():
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for one in self._queue.running():
            if (one.instance, one.execution) in self._children:
                self._settle(one, died=False)
        self._children.clear()

    def _start(self, one: Waiting) -> None:
        said = ["--log", self._settings.log, "--log-level", self._settings.log_level]
        if self._settings.job_memory is not None:
            said += ["--memory", self._settings.job_memory]
        if self._settings.job_threads is not None:
            said += ["--threads", str(self._settings.job_threads)]
        self._children[one.instance, one.execution] = subprocess.Popen(
            [sys.executable, "-m", "unify.service.packages.work", str(self._root), one.instance, one.execution, *said],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ,
        )
        logger.info("package started", instance=one.instance)

    def _look(self, one: Waiting) -> None:
        child = self._children.get((one.instance, one.execution))
        if child is not None:
            if child.poll() is not None:
                del self._children[one.instance, one.execution]
                self._settle(one, died=True)
        elif not self._held(one):  # of a runner that is gone
            self._settle(one, died=False)

    def _held(self, one: Waiting) -> bool:
        try:
            database = PackageDatabase(self._root / one.instance)
            return held(lock_of_execution(database, kept(database, one.execution).number))
        except UnifyError:
            return False

    def _settle(self, one: Waiting, *, died: bool) -> None:
        """Its process is gone: it has ended, or it goes on in another one."""
        done = self._execution(one.instance, one.execution)
        if done is None or done.status.ended:
            self._queue.done(one)
        elif not died:
            self._queue.back(one)
        elif self._queue.died(one) >= MOST_DEATHS:
            reason = f"its process ended {MOST_DEATHS} times without a word; most often memory ran out (job_memory)"
            logger.warning("package died", instance=one.instance, reason="deaths")
            with suppress(UnifyError):
                self._packages(one.instance).give_up(one.execution, reason)
            self._queue.done(one)

    def _recur(self) -> None:
        for activity in self._recurring.at_work():
            assert activity.execution is not None
            done = self._execution(activity.instance, activity.execution)
            if done is None or done.status.ended:
                self._recurring.ended(activity, done)
        for activity in self._recurring.due(self._clock()):
            try:
                submitted = self._packages(activity.instance).submit_export(
                    activity.project, options=ExportOptions(legal_entity=activity.company)
                )
            except UnifyError as error:
                logger.warning("package failed", instance=activity.instance, reason=type(error).__name__)
                continue
            self._recurring.began(activity, submitted.id)
            self._queue.put(activity.instance, submitted.id, activity.project)

    def _execution(self, instance: str, execution: str) -> Execution | None:
        try:
            return self._packages(instance).execution(execution)
        except NoSuchExecutionError:
            return None
        except UnifyError:  # the instance is gone
            return None

    def _packages(self, instance: str) -> Packages:
        return Packages(Opened(Store.open(self._root / instance)))

    def _sweep(self) -> None:
        now = self._clock()
        self._files.sweep(now)
        self._recurring.sweep(now)
        for instance in ids_under(self._root):
            if (self._root / instance / FILE).is_file():
                with suppress(UnifyError):
                    packages = self._packages(instance)
                    packages.sweep(now)
                    self._adopt(instance, packages)

    def _adopt(self, instance: str, packages: Packages) -> None:
        """Executions that nobody runs: of a command line, or of a process that ended before it could queue them."""
        for execution in packages.waiting():
            self._queue.put(instance, execution.id, execution.project)
