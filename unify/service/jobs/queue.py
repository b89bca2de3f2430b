"""The queue of jobs: submitted by anybody, taken by the runner, written about by the process that does the work.

    queued ─▶ running ─▶ successful | failed | timedOut
      ▲  │       │ └───▶ aborted      somebody cancelled it
      │  └───────┼─────▶ aborted
      └──────────┘                    another writer is at work, its process died, the service went down

Whoever does the work holds a token (`attempt`). When the runner gives a job to another process it has another token,
and what the first one still writes changes nothing.
"""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError
from unify.service.jobs.nouns import Job, Request, Task, job_of, stamp, task_of

MOST_QUEUED: Final = 100
"""Jobs of one instance that wait. They differ, so more is somebody's loop."""
KEPT: Final = 1000
"""Ended jobs of an instance that stay listed."""
_FINISH: Final = """
UPDATE jobs SET status = $status, ended = $now, error = $error, note = $note, run = coalesce($run, run), attempt = NULL
WHERE job_id = $job AND attempt = $attempt AND status = 'running'"""


class Queue:
    """Safe for many threads and processes: every change is one transaction."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self, instance: str, request: Request, tasks: Sequence[tuple[str, str | None]], by: str
    ) -> tuple[Job, bool]:
        """Put a job into the queue; with False, the queued job that is just like it.

        ServiceError 429 when too many wait.
        """
        with self._database.write() as db:
            return submit(db, instance, request, tasks, by)

    def get(self, job_id: str, instance: str | None = None) -> Job | None:
        """One job; None when there is none, or it is of another instance."""
        rows = self._database.rows("SELECT * FROM jobs WHERE job_id = $job", {"job": job_id})
        job = job_of(rows[0]) if rows else None
        return job if job is not None and instance in (None, job.instance) else None

    def recent(self, instance: str, top: int) -> list[Job]:
        """The last ones submitted, newest first."""
        rows = self._database.rows(
            "SELECT * FROM jobs WHERE instance = $instance ORDER BY number DESC LIMIT $top",
            {"instance": instance, "top": top},
        )
        return [job_of(row) for row in rows]

    def tasks(self, job_ids: Sequence[str]) -> dict[str, list[Task]]:
        """Job → its tasks, in order."""
        rows = self._database.rows(
            "SELECT * FROM tasks WHERE job_id IN (SELECT value FROM json_each($jobs)) ORDER BY job_id, place",
            {"jobs": json.dumps(list(job_ids))},
        )
        found: dict[str, list[Task]] = {job_id: [] for job_id in job_ids}
        for row in rows:
            found[row["job_id"]].append(task_of(row))
        return found

    def task_history(self, instance: str, top: int) -> list[Task]:
        """The last tasks that began, newest first."""
        rows = self._database.rows(
            "SELECT t.* FROM tasks AS t JOIN jobs AS j USING (job_id) WHERE j.instance = $instance"
            " AND t.started IS NOT NULL ORDER BY t.started DESC, j.number DESC, t.place DESC LIMIT $top",
            {"instance": instance, "top": top},
        )
        return [task_of(row) for row in rows]

    def last_tasks(self, instance: str) -> list[tuple[Task, Task | None, Job]]:
        """Of each operation and identifier: its latest task, the latest that was successful, and the job of the first.

        In the order in which they came first.
        """
        rows = self._database.rows(
            "SELECT t.*, j.number FROM tasks AS t JOIN jobs AS j USING (job_id) WHERE j.instance = $instance"
            " ORDER BY j.number, t.place",
            {"instance": instance},
        )
        last: dict[tuple[str, str | None], Task] = {}
        good: dict[tuple[str, str | None], Task] = {}
        for row in rows:
            task = task_of(row)
            key = (task.operation, task.identifier)
            last[key] = task
            if task.status == "successful":
                good[key] = task
        jobs = {job.job_id: job for job in self.recent(instance, KEPT + MOST_QUEUED)}
        return [(task, good.get(key), jobs[task.job_id]) for key, task in last.items() if task.job_id in jobs]

    def cancel(self, job_id: str, now: datetime | None = None) -> Job | None:
        """Ask for the end of a job: a queued one has ended, the process of a running one is told so by the runner."""
        with self._database.write() as db:
            values = {"job": job_id, "now": stamp(now)}
            db.execute(
                "UPDATE jobs SET cancel = $now WHERE job_id = $job AND status = 'running' AND cancel IS NULL", values
            )
            ended = db.execute(
                "UPDATE jobs SET status = 'aborted', cancel = $now, ended = $now, note = 'cancelled before it began'"
                " WHERE job_id = $job AND status = 'queued'",
                values,
            ).rowcount
            if ended:
                db.execute("UPDATE tasks SET status = 'aborted', ended = $now WHERE job_id = $job", values)
        return self.get(job_id)

    # ── running: for the runner ──────────────────────────────────────────────────────────────────────────────────────

    def running(self) -> list[Job]:
        """Jobs at work, or whose process died without a word."""
        return [
            job_of(row) for row in self._database.rows("SELECT * FROM jobs WHERE status = 'running' ORDER BY number")
        ]

    def take(self, room: int, now: datetime | None = None) -> list[Job]:
        """Mark the next jobs as running and return them, `room` at most: of each instance its oldest, if none runs.

        One that waits for another writer keeps its turn.
        """
        taken = []
        with self._database.write() as db:
            rows = db.execute(
                "SELECT * FROM jobs AS j WHERE status = 'queued'"
                " AND number = (SELECT min(number) FROM jobs WHERE instance = j.instance AND status = 'queued')"
                " AND NOT EXISTS (SELECT 1 FROM jobs WHERE instance = j.instance AND status = 'running')"
                " AND (not_before IS NULL OR not_before <= $now) ORDER BY number LIMIT $room",
                {"now": stamp(now), "room": room},
            ).fetchall()
            for row in rows:
                values = {"job": row["job_id"], "attempt": uuid.uuid4().hex, "now": stamp(now)}
                db.execute(
                    "UPDATE jobs SET status = 'running', attempt = $attempt, attempts = attempts + 1, pid = NULL,"
                    " started = coalesce(started, $now), not_before = NULL, note = NULL WHERE job_id = $job",
                    values,
                )
                taken.append(values["job"])
        return [job for job_id in taken if (job := self.get(job_id)) is not None]

    def requeue(
        self, job: Job, note: str, *, after: float = 0.0, died: bool = False, now: datetime | None = None
    ) -> None:
        """Back into the queue, at its old place. `after`: seconds until it may be taken; `died`: this counts."""
        begin = (now or datetime.now(UTC)) + timedelta(seconds=after)
        with self._database.write() as db:
            done = db.execute(
                "UPDATE jobs SET status = 'queued', attempt = NULL, note = $note, not_before = $begin,"
                " deaths = deaths + $died WHERE job_id = $job AND attempt = $attempt AND status = 'running'",
                {"job": job.job_id, "attempt": job.attempt, "note": note, "begin": stamp(begin), "died": int(died)},
            ).rowcount
            if done:
                db.execute(
                    "UPDATE tasks SET status = 'queued', started = NULL, ended = NULL, note = NULL, errors = '[]'"
                    " WHERE job_id = $job",
                    {"job": job.job_id},
                )

    def finish(
        self,
        job: Job,
        status: str,
        *,
        error: dict[str, str] | None = None,
        note: str | None = None,
        run: int | None = None,
        now: datetime | None = None,
    ) -> bool:
        """Say how it ended; False when another process has the job by now, and nothing was changed."""
        values: dict[str, Any] = {
            "job": job.job_id, "attempt": job.attempt, "status": status, "now": stamp(now), "note": note, "run": run,
            "error": json.dumps(error) if error else None,
        }  # fmt: skip
        with self._database.write() as db:
            done = db.execute(_FINISH, values).rowcount == 1
            if done:
                _end_tasks(db, job.job_id, status, values["now"], error)
                _forget_old(db, job.instance)
        return done

    # ── at work: for the process of a job ────────────────────────────────────────────────────────────────────────────

    def began(self, job_id: str, attempt: str, pid: int) -> Job | None:
        """The job, if it still is this process's to do; None when it is not."""
        with self._database.write() as db:
            done = db.execute(
                "UPDATE jobs SET pid = $pid WHERE job_id = $job AND attempt = $attempt AND status = 'running'",
                {"job": job_id, "attempt": attempt, "pid": pid},
            ).rowcount
        return self.get(job_id) if done else None

    def plan_tasks(self, job: Job, tasks: Sequence[tuple[str, str | None]]) -> None:
        """Other tasks than those it was submitted with: the project may have changed since."""
        with self._database.write() as db:
            if _mine(db, job):
                db.execute("DELETE FROM tasks WHERE job_id = $job", {"job": job.job_id})
                _insert_tasks(db, job.job_id, tasks)

    def at(self, job: Job, place: int, note: str) -> None:
        """The task at `place` is at a step; those before it are done."""
        values = {"job": job.job_id, "place": place, "note": note, "now": stamp()}
        with self._database.write() as db:
            if not _mine(db, job):
                return
            db.execute(
                "UPDATE tasks SET status = 'successful', started = coalesce(started, $now), ended = $now"
                " WHERE job_id = $job AND place < $place AND status IN ('queued', 'running')",
                values,
            )
            db.execute(
                "UPDATE tasks SET status = 'running', started = coalesce(started, $now), note = $note"
                " WHERE job_id = $job AND place = $place",
                values,
            )

    def task_errors(self, job: Job, place: int, errors: Sequence[dict[str, str]], *, failed: bool) -> None:
        """What went wrong in one task of several, without the job's ending over it."""
        with self._database.write() as db:
            if _mine(db, job):
                db.execute(
                    "UPDATE tasks SET errors = $errors, status = iif($failed, 'failed', status), ended = $now"
                    " WHERE job_id = $job AND place = $place",
                    {"job": job.job_id, "place": place, "errors": json.dumps(list(errors)), "failed": failed,
                     "now": stamp()},
                )  # fmt: skip


def submit(
    db: sqlite3.Connection, instance: str, request: Request, tasks: Sequence[tuple[str, str | None]], by: str,
    now: datetime | None = None,
) -> tuple[Job, bool]:  # fmt: skip
    """As Queue.submit, inside a transaction of the caller's."""
    said = {
        "instance": instance,
        "operation": request.operation,
        "kind": request.kind,
        "identifiers": json.dumps(sorted(set(request.identifiers))),
        "forced": int(request.forced),
        "inputs": request.inputs,
        "options": json.dumps(request.options, sort_keys=True),
    }
    alike = " AND ".join(f"{key} = ${key}" for key in said)
    found = db.execute(
        f"SELECT * FROM jobs WHERE status = 'queued' AND {alike} ORDER BY number LIMIT 1", said
    ).fetchone()
    if found is not None:
        return job_of(found), False
    waiting = db.execute("SELECT count(*) FROM jobs WHERE instance = $instance AND status = 'queued'", said).fetchone()[
        0
    ]
    if waiting >= MOST_QUEUED:
        raise ServiceError(
            429,
            f"{waiting} jobs of {instance} wait already",
            hint="wait for them, or cancel some",
            headers={"Retry-After": "60"},
        )
    job_id = str(uuid.uuid4())
    more = {
        "job_id": job_id,
        "submission": request.submission,
        "submitted_by": by,
        "submitted": stamp(now),
        "status": "queued",
    }
    columns = {**said, **more}
    db.execute(f"INSERT INTO jobs ({', '.join(columns)}) VALUES ({', '.join('$' + name for name in columns)})", columns)
    _insert_tasks(db, job_id, tasks)
    return job_of(db.execute("SELECT * FROM jobs WHERE job_id = $job", {"job": job_id}).fetchone()), True


def _insert_tasks(db: sqlite3.Connection, job_id: str, tasks: Sequence[tuple[str, str | None]]) -> None:
    db.executemany(
        "INSERT INTO tasks (job_id, place, task_id, operation, identifier, status)"
        " VALUES ($job, $place, $task, $operation, $identifier, 'queued')",
        [
            {"job": job_id, "place": place, "task": f"{job_id}-{place}", "operation": op, "identifier": identifier}
            for place, (op, identifier) in enumerate(tasks)
        ],
    )


def _mine(db: sqlite3.Connection, job: Job) -> bool:
    sql = "SELECT 1 FROM jobs WHERE job_id = $job AND attempt = $attempt AND status = 'running'"
    return db.execute(sql, {"job": job.job_id, "attempt": job.attempt}).fetchone() is not None


def _end_tasks(db: sqlite3.Connection, job_id: str, status: str, now: str, error: dict[str, str] | None = None) -> None:
    """Tasks of a job that ended: the one at work ended like it; those that never began were skipped."""
    values = {"job": job_id, "status": status, "now": now, "errors": json.dumps([error] if error else [])}
    if status == "successful":
        sql = (
            "UPDATE tasks SET status = 'successful', started = coalesce(started, $now), ended = $now"
            " WHERE job_id = $job AND status IN ('queued', 'running')"
        )
        db.execute(sql, values)
        return
    begun = "(SELECT min(place) FROM tasks WHERE job_id = $job AND status IN ('queued', 'running'))"
    db.execute(
        f"UPDATE tasks SET status = $status, started = coalesce(started, $now), ended = $now, errors = $errors"
        f" WHERE job_id = $job AND place = {begun}",
        values,
    )
    db.execute(
        "UPDATE tasks SET status = 'skipped', ended = $now WHERE job_id = $job AND status IN ('queued', 'running')",
        values,
    )


def _forget_old(db: sqlite3.Connection, instance: str) -> None:
    db.execute(
        "DELETE FROM jobs WHERE instance = $instance AND status NOT IN ('queued', 'running') AND number <="
        " (SELECT number FROM jobs WHERE instance = $instance AND status NOT IN ('queued', 'running')"
        "  ORDER BY number DESC LIMIT 1 OFFSET $kept)",
        {"instance": instance, "kept": KEPT},
    )
