"""Schedules in the database: they fire once, whatever happened in between."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from unify.core.errors import UnifyError
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError
from unify.service.jobs.queue import Queue
from unify.service.jobs.schedules import MOST, Schedule, Schedules

MONDAY = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> ServiceDatabase:
    return ServiceDatabase(tmp_path)


def nightly(**said: object) -> Schedule:
    kept = {
        "operation": "all",
        "kind": "incremental",
        "identifiers": (),
        "active": True,
        "timezone": "UTC",
        "crons": ("0 2 * * *",),
    }
    return Schedule("", "acme", **{**kept, **said})  # type: ignore[arg-type]


def at(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def test_it_fires_once_at_its_time(database):
    schedules = Schedules(database)
    kept = schedules.save([nightly()], "ann", MONDAY)[0]
    assert kept.next_at == at(2)
    assert schedules.fire(at(1.99)) == []
    (job_id,) = schedules.fire(at(2))
    assert schedules.fire(at(2)) == []
    job = Queue(database).get(job_id)
    assert (job.request.submission, job.request.operation, job.submitted_by) == (
        "scheduled",
        "all",
        f"schedule {kept.schedule_id}",
    )
    now = schedules.of("acme")[0]
    assert (now.last_at, now.next_at, now.last_job) == (at(2), at(26), job_id)


def test_times_that_passed_while_nobody_looked_fire_once(database):
    schedules = Schedules(database)
    schedules.save([nightly(crons=("0 2,14 * * *",))], "ann", MONDAY)
    assert len(schedules.fire(at(100))) == 1
    assert schedules.fire(at(100)) == []
    assert schedules.of("acme")[0].next_at == at(110)


def test_a_schedule_that_fires_while_its_last_job_waits_adds_none(database):
    schedules = Schedules(database)
    schedules.save([nightly()], "ann", MONDAY)
    first = schedules.fire(at(2))
    assert schedules.fire(at(26)) == first
    assert len(Queue(database).recent("acme", 10)) == 1


def test_an_inactive_one_does_not_fire_and_one_that_is_changed_fires_at_its_new_time(database):
    schedules = Schedules(database)
    kept = schedules.save([nightly(active=False)], "ann", MONDAY)[0]
    assert kept.next_at is None
    assert schedules.fire(at(50)) == []
    changed = Schedule(**{**kept.__dict__, "active": True, "crons": ("0 5 * * *",)})
    assert schedules.save([changed], "ann", MONDAY)[0].next_at == at(5)
    assert [s.schedule_id for s in schedules.of("acme")] == [kept.schedule_id]


def test_the_clock_of_its_zone_counts(database):
    schedules = Schedules(database)
    kept = schedules.save([nightly(timezone="Tokyo Standard Time")], "ann", MONDAY)[0]
    assert kept.next_at == at(17)


def test_a_batch_is_kept_whole_or_not_at_all(database):
    schedules = Schedules(database)
    with pytest.raises(UnifyError):
        schedules.save([nightly(), nightly(crons=("x",))], "ann", MONDAY)
    with pytest.raises(ServiceError) as refused:
        schedules.save([nightly(), Schedule(**{**nightly().__dict__, "schedule_id": "nobody's"})], "ann", MONDAY)
    assert refused.value.status == 404
    with pytest.raises(ServiceError, match=f"more than {MOST}"):
        schedules.save([nightly()] * (MOST + 1), "ann", MONDAY)
    assert schedules.of("acme") == []


def test_one_of_another_instance_is_not_there(database):
    schedules = Schedules(database)
    kept = schedules.save([nightly()], "ann", MONDAY)[0]
    theirs = Schedule(**{**kept.__dict__, "instance": "other"})
    with pytest.raises(ServiceError, match="no schedule"):
        schedules.save([theirs], "ann", MONDAY)
    with pytest.raises(ServiceError, match="no schedule"):
        schedules.delete("other", kept.schedule_id)
    schedules.delete("acme", kept.schedule_id)
    assert schedules.of("acme") == []
