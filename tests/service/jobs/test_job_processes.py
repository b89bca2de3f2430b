"""Jobs in processes of their own: what they do to an instance, and what becomes of them when somebody ends them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

import unify
from unify.privacy.erase import erase
from unify.service.database import FOLDER, ServiceDatabase
from unify.service.jobs import runner as running
from unify.service.jobs import work as working
from unify.service.jobs.locks import RUNNER, lock_of
from unify.service.jobs.queue import Queue
from unify.service.jobs.runner import Runner, command
from unify.service.settings import Settings
from unify.store import Store
from unify.store.lease import held

HALT = {"UNIFY_FAILPOINT": "begin.after_commit:stop"}
"""A process of a job halts right after its run has begun, holding the lease."""


def halted(queue: Queue, job_id: str) -> bool:
    """Whether its process has come to the failpoint."""
    pid = queue.get(job_id).pid
    return pid is not None and psutil.pid_exists(pid) and psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.fixture
def do(tiny: Path, queue: Queue) -> Iterator[Callable[..., None]]:
    """Do the next jobs in this process, by the very function that a process of theirs would begin with."""
    before = signal.getsignal(signal.SIGTERM)

    def done(times: int = 1, now: datetime | None = None) -> None:
        for _ in range(times):
            (job,) = queue.take(1, now)
            working.main([str(tiny), job.job_id, str(job.attempt), "--threads", "1"])

    yield done
    signal.signal(signal.SIGTERM, before)


def ended(queue: Queue, *jobs) -> bool:
    return not any(queue.get(job.job_id).open for job in jobs)


def test_jobs_make_what_they_are_called_after(tiny: Path, queue, submit, do):
    jobs = {
        "all": submit("all", kind="full"),
        "segmentation": submit("segmentation", identifiers=("bern",)),
        "export": submit("export", identifiers=("Customer", "bern", "crm.People"), inputs="FailedOrModified"),
    }
    do(3)
    found = {name: queue.get(job.job_id) for name, job in jobs.items()}
    assert {name: (job.status, job.error) for name, job in found.items()} == dict.fromkeys(jobs, ("successful", None))
    runs = {run.number: run.purpose for run in Store.open(tiny / "tiny").runs(10)}
    assert runs[found["all"].run] == "run"
    assert runs[found["segmentation"].run] == "segments"
    tasks = queue.tasks([job.job_id for job in jobs.values()])
    told = [(t.operation, t.identifier, t.status) for t in tasks[jobs["all"].job_id]]
    assert told == [
        (operation, "crm" if operation == "ingestion" else None, "successful")
        for operation in ("ingestion", "match", "merge", "activity", "measures", "segmentation")
    ]
    assert (tiny / "tiny" / "exports" / "Customer.csv").read_text().count("\n") == 4  # a header, three customers
    assert (tiny / "tiny" / "exports" / "bern.csv").read_text().count("\n") == 2
    assert (tiny / "tiny" / "exports" / "crm.People.csv").read_text().count("\n") == 5


def test_who_is_erased_is_in_no_export_any_more(tiny, queue, submit, do):
    job = submit("export")
    with Store.open(tiny / "tiny").lease("erase"):
        do()
        waiting = queue.get(job.job_id)
        assert waiting.status == "queued"
    do(now=waiting.not_before)
    exports = tiny / "tiny" / "exports"
    assert "ben@x.example" in (exports / "Customer.csv").read_text()
    with unify.open(tiny / "tiny") as acme:
        erase(acme, "crm.People:2", reason="ticket 1")
    assert not exports.exists()


def test_a_job_that_fails_says_why_without_places_and_the_old_generation_is_served(tiny, queue, submit, do):
    before = Store.open(tiny / "tiny").published().number
    (tiny / "tiny" / "people.csv").write_text("Nothing\nat all\n")
    job = submit("all")
    do()
    job = queue.get(job.job_id)
    assert job.status == "failed"
    assert job.error["message"]
    assert str(tiny) not in str(job.error)
    assert "Traceback" not in str(job.error)
    assert [t.status for t in queue.tasks([job.job_id])[job.job_id]] == ["failed"] + ["skipped"] * 5
    assert Store.open(tiny / "tiny").published().number == before
    with unify.open(tiny / "tiny") as acme:
        assert acme.segment("bern").count() == 1


def test_a_segment_that_cannot_be_found_is_the_error_of_its_job(tiny, queue, submit, do):
    with unify.open(tiny / "tiny") as acme:
        acme.segments().create("sound", "City eq 'Basel'")
        acme.segments().create("needing", "IsMemberOfSegment('sound')")
        acme.segments().delete("sound", force=True)
    job = submit("segmentation", identifiers=("needing",))
    do()
    job = queue.get(job.job_id)
    assert (job.status, job.error["where"] != "") == ("failed", True)
    assert "sound" in job.error["message"]


def test_an_instance_that_is_gone_fails_its_jobs(queue, submit, do):
    job = submit("all", instance="nobody")
    do()
    assert queue.get(job.job_id).status == "failed"
    assert "no instance" in queue.get(job.job_id).error["message"]


def test_another_writer_is_waited_for_and_told(tiny, queue, submit, do):
    with Store.open(tiny / "tiny").lease("import"):
        job = submit("measures")
        do()
        waiting = queue.get(job.job_id)
        assert waiting.note.startswith("another writer (import) is at work")
        assert (waiting.status, waiting.deaths) == ("queued", 0)
        assert waiting.not_before > waiting.submitted
        assert queue.take(1, waiting.not_before - timedelta(milliseconds=1)) == []
    do(now=waiting.not_before)
    assert queue.get(job.job_id).status == "successful"
    assert queue.get(job.job_id).attempts == 2


def test_who_waits_too_long_for_another_writer_gives_up(tiny, queue, submit, do, monkeypatch):
    monkeypatch.setattr(working, "GIVE_UP_H", 0)
    job = submit("measures")
    with Store.open(tiny / "tiny").lease("import"):
        do()
    assert queue.get(job.job_id).status == "timedOut"
    assert "another writer" in queue.get(job.job_id).error["message"]


def test_a_job_is_cancelled_where_it_stands(tiny, queue, submit, runner, until, monkeypatch):
    monkeypatch.setenv("UNIFY_FAILPOINT", "publish.before_fsync:stop")
    job = submit("all")
    until(lambda: halted(queue, job.job_id))
    store = Store.open(tiny / "tiny")
    before = store.published().number
    queue.cancel(job.job_id)
    runner.tick()  # asks it to end
    os.kill(queue.get(job.job_id).pid, signal.SIGCONT)
    until(lambda: ended(queue, job))
    assert queue.get(job.job_id).status == "aborted"
    assert queue.get(job.job_id).error is None
    assert store.published().number == before
    assert store.runs(1)[0].state == "failed"  # it had the time to say so
    assert store.lease_holder() is None


@pytest.mark.soak
def test_who_does_not_end_when_asked_is_killed(tiny, queue, submit, runner, until, monkeypatch):
    monkeypatch.setattr(running, "GRACE_S", 0.2)
    monkeypatch.setenv(*next(iter(HALT.items())))
    job = submit("all")
    until(lambda: halted(queue, job.job_id))
    queue.cancel(job.job_id)
    until(lambda: ended(queue, job))
    assert queue.get(job.job_id).status == "aborted"
    assert Store.open(tiny / "tiny").lease_holder() is None


def test_a_job_whose_process_dies_is_tried_once_more(tiny, queue, submit, runner, until, monkeypatch):
    monkeypatch.setenv(*next(iter(HALT.items())))
    job = submit("all")
    until(lambda: halted(queue, job.job_id))
    monkeypatch.delenv("UNIFY_FAILPOINT")
    os.kill(queue.get(job.job_id).pid, signal.SIGKILL)
    until(lambda: ended(queue, job))
    done = queue.get(job.job_id)
    assert (done.status, done.attempts, done.deaths) == ("successful", 2, 1)
    assert [run.state for run in Store.open(tiny / "tiny").runs(2)] == ["published", "killed"]


def test_one_that_dies_twice_has_failed(queue, submit, runner, monkeypatch):
    monkeypatch.setattr(Runner, "_start", lambda self, job: queue.began(job.job_id, job.attempt, 2**22 + 1))
    job = submit("all")
    runner.tick()
    runner.tick()
    once = queue.get(job.job_id)
    assert (once.status, once.attempts, once.deaths) == ("running", 2, 1)
    assert [task.status for task in queue.tasks([job.job_id])[job.job_id]] == ["queued"]
    runner.tick()
    failed = queue.get(job.job_id)
    assert (failed.status, failed.attempts) == ("failed", 2)
    assert "twice" in failed.error["message"]
    assert "memory" in failed.error["hint"]


def test_one_that_dies_while_it_is_being_cancelled_is_cancelled(queue, submit, runner, monkeypatch):
    monkeypatch.setattr(Runner, "_start", lambda self, job: queue.began(job.job_id, job.attempt, 2**22 + 1))
    job = submit("all")
    runner.tick()
    queue.cancel(job.job_id)
    runner.tick()
    assert queue.get(job.job_id).status == "aborted"


def test_one_that_dies_after_it_has_published_is_not_done_again(tiny, queue, submit, runner, until, monkeypatch):
    monkeypatch.setenv("UNIFY_FAILPOINT", "publish.after_commit:kill")
    store = Store.open(tiny / "tiny")
    before = store.runs(1)[0].number
    job = submit("all")
    until(lambda: ended(queue, job))
    done = queue.get(job.job_id)
    assert (done.status, done.run, done.attempts) == ("successful", before + 1, 1)
    assert store.published().number == before + 1


@pytest.mark.soak
def test_a_runner_that_goes_down_takes_its_jobs_with_it_and_the_next_one_goes_on(
    tiny, queue, submit, runner, until, monkeypatch
):
    monkeypatch.setattr(running, "GRACE_S", 0.2)
    monkeypatch.setenv(*next(iter(HALT.items())))
    job = submit("all")
    until(lambda: halted(queue, job.job_id))
    runner.go_down()
    down = queue.get(job.job_id)
    assert (down.status, down.deaths) == ("queued", 0)
    assert "goes on" in down.note
    monkeypatch.delenv("UNIFY_FAILPOINT")
    until(lambda: ended(queue, job))
    assert queue.get(job.job_id).status == "successful"


def test_a_job_outlives_a_runner_that_is_killed_and_the_next_one_finds_it(tiny, queue, submit, until, monkeypatch):
    monkeypatch.setenv(*next(iter(HALT.items())))
    job = submit("all")
    first = subprocess.Popen([sys.executable, "-m", "unify.service.jobs.runner", str(tiny)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not halted(queue, job.job_id):
        assert time.monotonic() < end
        time.sleep(0.05)
    first.kill()
    first.wait()
    pid = queue.get(job.job_id).pid
    second = Runner(Settings(root=tiny))
    second.tick()
    assert queue.get(job.job_id).status == "running"
    assert held(lock_of(ServiceDatabase(tiny), job.job_id))
    os.kill(pid, signal.SIGCONT)
    until(lambda: ended(queue, job))
    done = queue.get(job.job_id)
    assert (done.status, done.attempts, done.pid) == ("successful", 1, pid)


@pytest.mark.soak
def test_one_runner_works_at_a_time_and_each_ends_with_its_server(tiny, queue, submit):
    settings = Settings(root=tiny)
    runners = [subprocess.Popen(command(settings), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        job = submit("segmentation")
        end = time.monotonic() + 60
        while not ended(queue, job):
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        for one in runners:
            one.terminate()
        said = [one.communicate(timeout=30)[1] for one in runners]
    assert sorted(text.count("runner started") for text in said) in ([0, 1], [1, 1])  # the other one after it ended
    assert sum(text.count("job started") for text in said) == 1
    assert [one.returncode for one in runners] == [0, 0]


def test_a_runner_whose_server_is_gone_ends(tiny):
    settings = Settings(root=tiny)
    arguments = command(settings)
    arguments[arguments.index("--parent") + 1] = "1"
    alone = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
    assert alone.wait(timeout=30) == 0


@pytest.mark.soak
def test_killed_at_random_moments_jobs_end_and_the_store_is_whole(tiny, queue, submit):
    kill_at_random(tiny, queue, submit, rounds=40)


def test_killed_at_some_moment_jobs_end_and_the_store_is_whole(tiny, queue, submit):
    kill_at_random(tiny, queue, submit, rounds=1)


def kill_at_random(tiny: Path, queue: Queue, submit, *, rounds: int) -> None:
    """Runner or job, at moments spread over the time that a job takes; then everything goes on."""
    store = Store.open(tiny / "tiny")
    for number in range(rounds):
        job = submit("all", kind="full", forced=bool(number % 2))
        runner = subprocess.Popen(
            [sys.executable, "-m", "unify.service.jobs.runner", str(tiny)], stderr=subprocess.DEVNULL
        )
        time.sleep(0.3 + 3.0 * ((number * 0.618) % 1))
        pid = queue.get(job.job_id).pid
        if number % 2 and pid is not None and queue.get(job.job_id).open and psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
        else:
            runner.kill()
            runner.wait()
            runner = subprocess.Popen(
                [sys.executable, "-m", "unify.service.jobs.runner", str(tiny)], stderr=subprocess.DEVNULL
            )
        end = time.monotonic() + 60
        while queue.get(job.job_id).open:
            assert time.monotonic() < end, queue.get(job.job_id)
            time.sleep(0.05)
        while not held(tiny / FOLDER / RUNNER):  # the second one may not be up yet
            assert time.monotonic() < end
            time.sleep(0.05)
        runner.terminate()
        assert runner.wait(timeout=30) == 0
        assert queue.get(job.job_id).status == "successful"
        assert store.published().number == queue.get(job.job_id).run
        assert store.lease_holder() is None
        with unify.open(tiny / "tiny") as acme:
            assert acme.segment("bern").count() == 1
            assert len(acme.customers()) == 3
