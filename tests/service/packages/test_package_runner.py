"""What the runner makes of processes that end without a word, of those that another one left, and of what nobody queued."""

import subprocess
import sys
import time
from collections.abc import Callable

from tests.service.packages.conftest import Inside
from unify.opened import Opened
from unify.packages import Packages, Status
from unify.packages.database import PackageDatabase
from unify.packages.history import kept
from unify.packages.locks import hold, lock_of_execution
from unify.service.database import ServiceDatabase
from unify.service.packages.queue import MOST_DEATHS, PackageQueue, Waiting
from unify.service.packages.runner import PackageRunner
from unify.service.settings import Settings
from unify.store import Store

Build = Callable[..., bytes]


def submitted(settings: Settings, package: Build, project: str = "P") -> tuple[Packages, str]:
    path = settings.root.parent / "in.zip"
    path.write_bytes(package("1,One,,\n"))
    packages = Packages(Opened(Store.open(settings.root / "acme")))
    return packages, packages.submit_import(path, project=project).id


class Dying(PackageRunner):
    """Its processes end as one does that the system kills for its memory."""

    started = 0

    def _start(self, one: Waiting) -> None:
        self.started += 1
        dead = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        self._children[one.instance, one.execution] = subprocess.Popen(dead)


def test_what_ends_three_times_without_a_word_has_failed(settings: Settings, package: Build) -> None:
    packages, execution = submitted(settings, package)
    queue = PackageQueue(ServiceDatabase(settings.root))
    queue.put("acme", execution, "P")
    runner = Dying(settings)
    until = time.monotonic() + 20
    while not packages.execution(execution).status.ended and time.monotonic() < until:
        runner.tick()
        time.sleep(0.02)
    failed = packages.execution(execution)
    assert failed.status is Status.FAILED
    assert "memory" in failed.error
    assert runner.started == MOST_DEATHS
    assert not queue.has("acme", execution)


def test_an_execution_that_nobody_queued_is_adopted(settings: Settings, package: Build) -> None:
    packages, execution = submitted(settings, package)
    runner = Inside(settings)
    runner.tick()
    runner.tick()
    assert packages.execution(execution).status is Status.SUCCEEDED


def test_a_process_of_another_runner_is_waited_for(settings: Settings, package: Build) -> None:
    packages, execution = submitted(settings, package)
    queue = PackageQueue(ServiceDatabase(settings.root))
    queue.put("acme", execution, "P")
    assert [one.execution for one in queue.take(1)] == [execution]
    database = PackageDatabase(settings.root / "acme")
    runner = Inside(settings)
    with hold(lock_of_execution(database, kept(database, execution).number)) as mine:
        assert mine
        runner.tick()
        assert packages.execution(execution).status is Status.NOT_RUN
    for _ in range(3):
        runner.tick()
    assert packages.execution(execution).status is Status.SUCCEEDED
    assert not queue.has("acme", execution)


def test_one_of_a_project_is_taken_at_a_time_and_the_oldest_first(settings: Settings) -> None:
    queue = PackageQueue(ServiceDatabase(settings.root))
    for execution, project in (("a1", "A"), ("a2", "a"), ("b1", "B"), ("b1", "B")):
        queue.put("acme", execution, project)
    queue.put("other", "a3", "A")
    first = queue.take(10)
    assert [one.execution for one in first] == ["a1", "b1", "a3"]
    assert queue.take(10) == []
    queue.back(first[0])
    assert [one.execution for one in queue.take(10)] == ["a1"]
    queue.done(first[0])
    assert [one.execution for one in queue.take(10)] == ["a2"]
    assert queue.take(0) == []


def test_an_instance_that_is_gone_leaves_nothing_in_the_queue(settings: Settings) -> None:
    queue = PackageQueue(ServiceDatabase(settings.root))
    queue.put("gone", "x", "P")
    runner = PackageRunner(settings)
    runner._start = lambda one: None  # type: ignore[method-assign]
    for _ in range(3):
        runner.tick()
    assert not queue.has("gone", "x")
