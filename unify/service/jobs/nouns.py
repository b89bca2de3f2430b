"""What the queue holds: small frozen rows."""

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

OPEN: Final = ("queued", "running")
"""Statuses of jobs that have not ended."""


def stamp(moment: datetime | None = None) -> str:
    """A moment as the database writes it; default: now.

    >>> stamp(datetime(2026, 3, 29, 1, tzinfo=UTC))
    '2026-03-29T01:00:00.000+00:00'
    """
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")


def moment(text: str | None) -> datetime | None:
    """The other way."""
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True)
class Request:
    """What somebody asked for. `operation`, `inputs`: in the vendor's spelling."""

    operation: str
    kind: str = "incremental"
    identifiers: tuple[str, ...] = ()
    forced: bool = False
    inputs: str = "None"
    options: dict[str, Any] = field(default_factory=dict)
    submission: str = "onDemand"


@dataclass(frozen=True)
class Task:
    """One part of a job. `note`: the step that it is at."""

    task_id: str
    job_id: str
    operation: str
    identifier: str | None
    status: str
    note: str | None
    started: datetime | None
    ended: datetime | None
    errors: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Job:
    """One row of the queue, which is its history too. `error`: message, where and hint of a failed one."""

    number: int
    job_id: str
    instance: str
    request: Request
    submitted_by: str
    submitted: datetime
    status: str
    not_before: datetime | None
    note: str | None
    cancel: datetime | None
    attempt: str | None
    attempts: int
    deaths: int
    pid: int | None
    started: datetime | None
    ended: datetime | None
    run: int | None
    error: dict[str, str] | None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status in OPEN


def job_of(row: sqlite3.Row) -> Job:
    """From a row of `jobs`."""
    return Job(
        number=row["number"],
        job_id=row["job_id"],
        instance=row["instance"],
        request=Request(
            operation=row["operation"],
            kind=row["kind"],
            identifiers=tuple(json.loads(row["identifiers"])),
            forced=bool(row["forced"]),
            inputs=row["inputs"],
            options=json.loads(row["options"]),
            submission=row["submission"],
        ),
        submitted_by=row["submitted_by"],
        submitted=datetime.fromisoformat(row["submitted"]),
        status=row["status"],
        not_before=moment(row["not_before"]),
        note=row["note"],
        cancel=moment(row["cancel"]),
        attempt=row["attempt"],
        attempts=row["attempts"],
        deaths=row["deaths"],
        pid=row["pid"],
        started=moment(row["started"]),
        ended=moment(row["ended"]),
        run=row["run"],
        error=json.loads(row["error"]) if row["error"] else None,
    )


def task_of(row: sqlite3.Row) -> Task:
    """From a row of `tasks`."""
    return Task(
        task_id=row["task_id"],
        job_id=row["job_id"],
        operation=row["operation"],
        identifier=row["identifier"],
        status=row["status"],
        note=row["note"],
        started=moment(row["started"]),
        ended=moment(row["ended"]),
        errors=tuple(json.loads(row["errors"])),
    )
