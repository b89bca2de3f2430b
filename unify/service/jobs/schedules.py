"""Schedules: kept in the service's database, fired by the runner.

A firing and the job that it puts into the queue are one transaction: never lost, never doubled. Times that passed while
no runner lived fire once, when one lives again.
"""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, not_found
from unify.service.jobs.firing import check, next_after
from unify.service.jobs.nouns import Request, moment, stamp
from unify.service.jobs.operations import plan_of, spelled
from unify.service.jobs.queue import submit
from unify.service.jobs.zones import zone_of

MOST: Final = 50
"""Schedules of one instance."""
INVALID: Final = "dataRefreshInvalidScheduleRequest"
"""The vendor's key for all that may be wrong with a schedule."""


@dataclass(frozen=True)
class Schedule:
    """One row. `schedule_id` "": not saved yet; `last_job`: what it put into the queue last."""

    schedule_id: str
    instance: str
    operation: str
    kind: str
    identifiers: tuple[str, ...]
    active: bool
    timezone: str
    crons: tuple[str, ...]
    next_at: datetime | None = None
    last_at: datetime | None = None
    last_job: str | None = None

    def checked(self) -> "Schedule":
        """With names as the vendor spells them. QueryError or SpecError with the key that is wrong."""
        zone_of(self.timezone)
        check(self.crons)
        return Schedule(**{**self.__dict__, "operation": spelled(self.operation)})

    def next_after(self, now: datetime) -> datetime | None:
        """When it fires next; None when it is inactive."""
        return next_after(now, self.crons, zone_of(self.timezone)) if self.active else None


class Schedules:
    """Safe for many threads and processes."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    def of(self, instance: str) -> list[Schedule]:
        """In the order in which they were made."""
        sql = "SELECT * FROM schedules WHERE instance = $instance ORDER BY number"
        return [_schedule(row) for row in self._database.rows(sql, {"instance": instance})]

    def save(self, schedules: Sequence[Schedule], by: str, now: datetime | None = None) -> list[Schedule]:
        """Keep all of them or none. One with the id of a kept one takes its place; one without an id is new.

        ServiceError 404 for an id that the instance does not have, 400 for too many; SpecError and QueryError as
        `checked`.
        """
        at = now or datetime.now(UTC)
        ready = [s.checked() for s in schedules]
        times = [s.next_after(at) for s in ready]
        with self._database.write() as db:
            ids = [_save(db, s, next_at, by, stamp(at)) for s, next_at in zip(ready, times, strict=True)]
            for instance in {s.instance for s in ready}:
                sql = "SELECT count(*) FROM schedules WHERE instance = $instance"
                if db.execute(sql, {"instance": instance}).fetchone()[0] > MOST:
                    hint = "delete some: DELETE …/schedules/{scheduleId}"
                    raise ServiceError(400, f"more than {MOST} schedules", hint=hint, key=INVALID)
            rows = db.execute(
                "SELECT * FROM schedules WHERE schedule_id IN (SELECT value FROM json_each($ids))",
                {"ids": json.dumps(ids)},
            ).fetchall()
        found = {row["schedule_id"]: _schedule(row) for row in rows}
        return [found[id_] for id_ in ids]

    def delete(self, instance: str, schedule_id: str) -> None:
        """ServiceError 404 when there is none."""
        with self._database.write() as db:
            sql = "DELETE FROM schedules WHERE instance = $instance AND schedule_id = $id"
            if not db.execute(sql, {"instance": instance, "id": schedule_id}).rowcount:
                raise _unknown(schedule_id)

    def fire(self, now: datetime) -> list[str]:
        """Put a job into the queue for every schedule whose time has come; their ids.

        One that is queued already by the same words is not doubled.
        """
        fired = []
        with self._database.write() as db:
            rows = db.execute(
                "SELECT * FROM schedules WHERE next_at <= $now ORDER BY next_at, number", {"now": stamp(now)}
            ).fetchall()
            for row in rows:
                s = _schedule(row)
                request = Request(s.operation, s.kind, s.identifiers, submission="scheduled")
                values: dict[str, Any] = {
                    "id": s.schedule_id,
                    "now": stamp(now),
                    "next": _text(s.next_after(now)),
                    "job": s.last_job,
                }
                try:
                    tasks = plan_of(s.operation).tasks((), s.identifiers)
                    job, _ = submit(db, s.instance, request, tasks, f"schedule {s.schedule_id}", now)
                    values["job"] = job.job_id
                    fired.append(job.job_id)
                except ServiceError:  # too many jobs wait: one more would not make the data newer
                    pass
                db.execute(
                    "UPDATE schedules SET last_at = $now, next_at = $next, last_job = $job WHERE schedule_id = $id",
                    values,
                )
        return fired


def _save(db: sqlite3.Connection, s: Schedule, next_at: datetime | None, by: str, now: str) -> str:
    values: dict[str, Any] = {
        "id": s.schedule_id or str(uuid.uuid4()), "instance": s.instance, "operation": s.operation, "kind": s.kind,
        "identifiers": json.dumps(list(s.identifiers)), "active": int(s.active), "timezone": s.timezone,
        "crons": json.dumps(list(s.crons)), "next": _text(next_at), "by": by, "now": now,
    }  # fmt: skip
    if s.schedule_id:
        done = db.execute(
            "UPDATE schedules SET operation = $operation, kind = $kind, identifiers = $identifiers, active = $active,"
            " timezone = $timezone, crons = $crons, next_at = $next, saved_by = $by, saved = $now"
            " WHERE schedule_id = $id AND instance = $instance",
            values,
        ).rowcount
        if not done:
            raise _unknown(s.schedule_id)
    else:
        db.execute(
            "INSERT INTO schedules (schedule_id, instance, operation, kind, identifiers, active, timezone, crons,"
            " next_at, saved_by, saved) VALUES ($id, $instance, $operation, $kind, $identifiers, $active, $timezone,"
            " $crons, $next, $by, $now)",
            values,
        )
    return str(values["id"])


def _unknown(schedule_id: str) -> ServiceError:
    return not_found(
        f"there is no schedule {schedule_id[:128]!r}",
        where="scheduleId",
        hint="GET …/schedules lists them",
        key=INVALID,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _schedule(row: sqlite3.Row) -> Schedule:
    return Schedule(
        schedule_id=row["schedule_id"],
        instance=row["instance"],
        operation=row["operation"],
        kind=row["kind"],
        identifiers=tuple(json.loads(row["identifiers"])),
        active=bool(row["active"]),
        timezone=row["timezone"],
        crons=tuple(json.loads(row["crons"])),
        next_at=moment(row["next_at"]),
        last_at=moment(row["last_at"]),
        last_job=row["last_job"],
    )
