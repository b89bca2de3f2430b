"""The queue by itself: order, duplicates, cancelling, and who may write about a job."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unify.core.errors import QueryError
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError
from unify.service.jobs import queue as queueing
from unify.service.jobs.nouns import Job, Request
from unify.service.jobs.operations import INPUT_MODES, Plan, plan_of, stage_of
from unify.service.jobs.queue import MOST_QUEUED, Queue

TASKS = [("ingestion", "crm"), ("match", None), ("segmentation", None)]


@pytest.fixture
def line(tmp_path: Path) -> Queue:
    return Queue(ServiceDatabase(tmp_path))


def put(line: Queue, operation: str = "all", instance: str = "acme", **said: object) -> Job:
    return line.submit(instance, Request(operation, **said), TASKS, "ann")[0]  # type: ignore[arg-type]


def states(line: Queue, job: Job) -> list[str]:
    return [task.status for task in line.tasks([job.job_id])[job.job_id]]


def test_what_is_alike_is_told_and_not_doubled(line):
    first, new = line.submit("acme", Request("segmentation", identifiers=("b", "a")), TASKS, "ann")
    assert new
    again, new = line.submit("acme", Request("segmentation", identifiers=("a", "b", "a")), TASKS, "ben")
    assert (again.job_id, new) == (first.job_id, False)
    others = [
        put(line, "segmentation"),
        put(line, "segmentation", identifiers=("a",)),
        put(line, "segmentation", identifiers=("a", "b"), forced=True),
        put(line, "segmentation", identifiers=("a", "b"), kind="full"),
        put(line, "segmentation", identifiers=("a", "b"), inputs="Failed"),
        put(line, "segmentation", "other", identifiers=("a", "b")),
    ]
    assert len({job.job_id for job in [first, *others]}) == 7
    (running,) = line.take(1)
    assert running.job_id == first.job_id
    assert put(line, "segmentation", identifiers=("a", "b")).job_id != first.job_id  # the data may have changed since


def test_jobs_of_an_instance_come_one_by_one_in_order_and_instances_side_by_side(line):
    a1, a2, b1 = put(line), put(line, "measures"), put(line, instance="other")
    assert [job.job_id for job in line.take(9)] == [a1.job_id, b1.job_id]
    assert line.take(9) == []
    (running,) = (job for job in line.running() if job.instance == "acme")
    assert line.finish(running, "successful", run=7)
    assert [job.job_id for job in line.take(9)] == [a2.job_id]
    assert line.get(a1.job_id).run == 7


def test_no_more_are_taken_than_there_is_room_for(line):
    for name in "abc":
        put(line, instance=name)
    assert [job.instance for job in line.take(2)] == ["a", "b"]


def test_one_that_waits_for_another_writer_keeps_its_turn(line):
    now = datetime.now(UTC)
    first, second = put(line), put(line, "measures")
    (job,) = line.take(1)
    line.requeue(job, "another writer is at work", after=5)
    assert line.take(9, now + timedelta(seconds=2)) == []
    assert line.get(first.job_id).note == "another writer is at work"
    assert [j.job_id for j in line.take(9, now + timedelta(seconds=9))] == [first.job_id]
    assert line.get(second.job_id).status == "queued"


def test_who_lost_the_job_changes_nothing(line):
    put(line)
    (lost,) = line.take(1)
    line.requeue(lost, "it died", died=True)
    (mine,) = line.take(1)
    assert lost.attempt != mine.attempt
    line.at(lost, 2, "from the grave")
    line.task_errors(lost, 0, [{"message": "x"}], failed=True)
    line.plan_tasks(lost, [])
    assert not line.finish(lost, "failed", error={"message": "x"})
    assert line.began(lost.job_id, lost.attempt, 1) is None
    now = line.get(mine.job_id)
    assert (now.status, now.deaths, now.attempts, now.error) == ("running", 1, 2, None)
    assert states(line, now) == ["queued"] * 3


def test_tasks_follow_the_job(line):
    job = put(line)
    (job,) = line.take(1)
    line.at(job, 1, "compare by mail")
    assert states(line, job) == ["successful", "running", "queued"]
    line.finish(job, "failed", error={"error": "SpecError", "message": "no", "where": "", "hint": ""})
    assert states(line, job) == ["successful", "failed", "skipped"]
    assert line.tasks([job.job_id])[job.job_id][1].errors[0]["message"] == "no"
    assert [t.operation for t in line.task_history("acme", 10)] == ["match", "ingestion"]


def test_a_queued_job_is_cancelled_at_once_and_a_running_one_asked(line):
    waiting, other = put(line, "measures"), put(line)
    assert line.cancel(waiting.job_id).status == "aborted"
    assert states(line, waiting) == ["aborted"] * 3
    (job,) = line.take(1)
    assert job.job_id == other.job_id
    asked = line.cancel(job.job_id)
    assert (asked.status, asked.cancel is not None) == ("running", True)
    line.finish(asked, "aborted")
    assert line.cancel(job.job_id).ended == line.get(job.job_id).ended  # one that has ended stays as it is
    assert line.cancel("nobody") is None


def test_too_many_that_wait_are_refused_with_when_to_come_back(line):
    for n in range(MOST_QUEUED):
        put(line, "segmentation", identifiers=(f"s{n}",))
    with pytest.raises(ServiceError) as refused:
        put(line)
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "60"})
    assert put(line, "segmentation", identifiers=("s0",)) is not None  # one like a queued one is none too many


def test_history_ends_somewhere_and_leaves_what_is_open_and_others(line, monkeypatch):
    monkeypatch.setattr(queueing, "KEPT", 2)
    other, waiting = put(line, instance="other"), []
    for _ in range(4):
        job = put(line)
        waiting.append(job.job_id)
        (taken,) = [j for j in line.take(9) if j.instance == "acme"]
        line.finish(taken, "successful")
    queued = put(line)
    assert [job.job_id for job in line.recent("acme", 10)] == [queued.job_id, *waiting[:1:-1]]
    assert all(tasks == [] for tasks in line.tasks(waiting[:2]).values())
    assert line.get(other.job_id) is not None


def test_a_job_of_another_instance_is_not_there(line):
    assert line.get(put(line).job_id, "other") is None


@pytest.mark.parametrize(
    ("operation", "inputs", "failed", "wanted"),
    [
        ("all", "None", (), Plan("run", export=False)),
        ("ingestion", "None", (), Plan("ingest", export=False)),
        ("match", "None", (), Plan("conflate", export=False)),
        ("merge", "FailedOrModified", (), Plan("run", export=False)),
        ("measures", "None", (), Plan("refresh", export=False)),
        ("measures", "FailedOrModified", (), Plan("conflate", export=False)),
        ("measures", "FailedOrModifiedRecursive", (), Plan("run", export=False)),
        ("measures", "Failed", (), Plan("refresh", export=False)),
        ("measures", "Failed", ("conflation",), Plan("conflate", export=False)),
        ("measures", "Failed", ("conflation", "ingestion"), Plan("conflate", export=False)),
        ("measures", "FailedRecursive", ("conflation", "ingestion"), Plan("run", export=False)),
        ("measures", "FailedRecursive", ("ingestion",), Plan("refresh", export=False)),
        ("segmentation", "None", (), Plan("segments", export=False)),
        ("export", "None", (), Plan(None, export=True)),
        ("export", "FailedOrModified", (), Plan("segments", export=True)),
        ("export", "FailedOrModifiedRecursive", (), Plan("run", export=True)),
    ],
)
def test_what_an_operation_comes_to(operation, inputs, failed, wanted):
    assert inputs in INPUT_MODES
    assert plan_of(operation, inputs, frozenset(failed)) == wanted


def test_tasks_name_sources_and_segments():
    assert plan_of("ingestion").tasks(["crm", "web"], []) == [("ingestion", "crm"), ("ingestion", "web")]
    assert plan_of("segmentation").tasks(["crm"], ["a", "b"]) == [("segmentation", "a"), ("segmentation", "b")]
    assert plan_of("export", "FailedOrModified").tasks([], ["vip"]) == [("segmentation", None), ("export", "vip")]


@pytest.mark.parametrize(
    ("operation", "said"),
    [("enrichment", "no jobs of enrichment"), ("segmentatoin", "no operationType"), ("none", "no jobs of none")],
)
def test_what_is_not_done_here_is_refused_with_what_is(operation, said):
    with pytest.raises(QueryError, match=said) as refused:
        stage_of(operation)
    assert "segmentation" in refused.value.hint
