"""Recurring jobs of data projects (activities) and their messages.

import   enqueue ─▶ message ─▶ execution                                 status: that of the execution
export   every so many minutes ─▶ execution ─▶ message ─▶ dequeue ─▶ ack
                                                  ▲          │ 30 minutes without an ack
                                                  └──────────┘
"""

import secrets
import sqlite3
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from unify.packages import Execution, Operation, Status
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.jobs.nouns import stamp

AGAIN: Final = timedelta(minutes=30)
"""A message that was fetched and not acknowledged can be fetched again after so long."""
MOST_MINUTES: Final = 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class Activity:
    """A recurring job. `minutes`: between two exports; None for an import."""

    id: str
    instance: str
    project: str
    operation: Operation
    name: str
    company: str
    minutes: int | None
    skip_empty: bool
    next_at: str | None
    execution: str | None


@dataclass(frozen=True, slots=True)
class PackageMessage:
    """A file that came in, or one that waits to be fetched."""

    id: str
    activity: str
    instance: str
    execution: str
    operation: Operation
    receipt: str | None
    dequeued: str | None
    acked: str | None


class Recurring:
    """Blocking; safe for many processes."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    # ── activities ───────────────────────────────────────────────────────────────────────────────────────────────────

    def make(
        self,
        instance: str,
        project: str,
        operation: Operation,
        *,
        name: str,
        company: str,
        minutes: int | None,
        skip_empty: bool,
    ) -> Activity:
        """A new one; of an export the first run is due at once. ServiceError 400."""
        if operation is Operation.EXPORT and (minutes is None or not 1 <= minutes <= MOST_MINUTES):
            raise bad_request(
                "a recurring export needs the minutes between two", where="RecurrenceMinutes", hint="at least 1"
            )
        if operation is Operation.IMPORT and minutes is not None:
            raise bad_request(
                "an import runs when something is enqueued", where="RecurrenceMinutes", hint="leave it out"
            )
        row = {
            "activity": str(uuid.uuid4()), "instance": instance, "project": project, "operation": operation.value,
            "name": name, "company": company, "minutes": minutes, "skip_empty": int(skip_empty), "made": stamp(),
            "next_at": stamp() if operation is Operation.EXPORT else None,
        }  # fmt: skip
        with self._database.write() as db:
            marks = ", ".join("$" + key for key in row)
            db.execute(f"INSERT INTO package_activities ({', '.join(row)}) VALUES ({marks})", row)
        return self.get(instance, str(row["activity"]))

    def get(self, instance: str, activity: str) -> Activity:
        """One, by its id with or without braces; ServiceError 404."""
        plain = activity.strip("{} ").lower()
        rows = self._database.rows(
            "SELECT * FROM package_activities WHERE activity = $activity AND instance = $instance",
            {"activity": plain, "instance": instance},
        )
        if not rows:
            hint = "GET …/data/DataManagementRecurringJobs lists them"
            raise not_found(f"there is no recurring job {activity[:80]!r}", where="activityId", hint=hint)
        return _activity(rows[0])

    def every(self, instance: str) -> list[Activity]:
        """Of an instance, oldest first."""
        sql = "SELECT * FROM package_activities WHERE instance = $instance ORDER BY made, activity"
        return [_activity(row) for row in self._database.rows(sql, {"instance": instance})]

    def remove(self, instance: str, activity: str) -> None:
        """Take one away with its messages; ServiceError 404."""
        found = self.get(instance, activity)
        with self._database.write() as db:
            for table in ("package_messages", "package_activities"):
                db.execute(f"DELETE FROM {table} WHERE activity = $activity", {"activity": found.id})

    # ── exports ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def due(self, now: datetime) -> list[Activity]:
        """Exports whose time has come and that are not at work; the next time is noted."""
        with self._database.write() as db:
            rows = db.execute(
                "SELECT * FROM package_activities WHERE next_at <= $now AND execution IS NULL"
                " ORDER BY next_at, activity",
                {"now": stamp(now)},
            ).fetchall()
            for row in rows:
                db.execute(
                    "UPDATE package_activities SET next_at = $next WHERE activity = $activity",
                    {"next": stamp(now + timedelta(minutes=row["minutes"])), "activity": row["activity"]},
                )
        return [_activity(row) for row in rows]

    def at_work(self) -> list[Activity]:
        """Exports that have an execution."""
        return [_activity(row) for row in self._database.rows(
            "SELECT * FROM package_activities WHERE execution IS NOT NULL ORDER BY activity")]  # fmt: skip

    def began(self, activity: Activity, execution: str) -> None:
        """An export has an execution."""
        with self._database.write() as db:
            sql = "UPDATE package_activities SET execution = $execution WHERE activity = $activity"
            db.execute(sql, {"execution": execution, "activity": activity.id})

    def ended(self, activity: Activity, done: Execution | None) -> None:
        """An export has ended: what it has made waits to be fetched. None: nobody knows of it any more."""
        with self._database.write() as db:
            changed = db.execute(
                "UPDATE package_activities SET execution = NULL WHERE activity = $activity AND execution = $execution",
                {"activity": activity.id, "execution": activity.execution},
            ).rowcount
            rows = sum(run.exported for run in done.entities) if done is not None else 0
            if changed and done is not None and done.package is not None and (rows or not activity.skip_empty):
                _add(db, activity, done.id)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def enqueued(self, activity: Activity, execution: str, external: str) -> str:
        """A file came in; the id of its message."""
        with self._database.write() as db:
            return _add(db, activity, execution, external)

    def message(self, instance: str, message: str) -> PackageMessage:
        """One, by its id with or without braces, or by the sender's; ServiceError 404."""
        rows = self._database.rows(
            "SELECT * FROM package_messages WHERE instance = $instance AND (message = $plain OR external = $said)"
            " ORDER BY message = $plain DESC, number DESC LIMIT 1",
            {"instance": instance, "plain": message.strip("{} ").lower(), "said": message or "-"},
        )
        if not rows:
            raise not_found(
                f"there is no message {message[:80]!r}", where="messageId", hint="enqueue answers with its id"
            )
        return _message(rows[0])

    def dequeue(self, activity: Activity, now: datetime | None = None) -> PackageMessage | None:
        """The oldest message that waits, with a new receipt; None when none does. `dequeued`: when it was before."""
        now = now or datetime.now(UTC)
        with self._database.write() as db:
            row = db.execute(
                "SELECT * FROM package_messages WHERE activity = $activity AND acked IS NULL"
                " AND (dequeued IS NULL OR dequeued <= $before) ORDER BY number LIMIT 1",
                {"activity": activity.id, "before": stamp(now - AGAIN)},
            ).fetchone()
            if row is None:
                return None
            receipt = secrets.token_urlsafe(16)
            db.execute(
                "UPDATE package_messages SET receipt = $receipt, dequeued = $now WHERE message = $message",
                {"receipt": receipt, "now": stamp(now), "message": row["message"]},
            )
        said = _message(row)
        return PackageMessage(
            said.id, said.activity, said.instance, said.execution, said.operation, receipt, said.dequeued, None
        )

    def drop(self, message: PackageMessage) -> None:
        """One whose file is not kept any more."""
        with self._database.write() as db:
            db.execute("DELETE FROM package_messages WHERE message = $message", {"message": message.id})

    def ack(self, activity: Activity, message: str, receipt: str) -> None:
        """It was received. Twice is once; ServiceError 404, 409 for the receipt of an earlier fetch."""
        with self._database.write() as db:
            row = db.execute(
                "SELECT * FROM package_messages WHERE activity = $activity AND message = $message",
                {"activity": activity.id, "message": message.strip("{} ").lower()},
            ).fetchone()
            if row is None:
                raise not_found(f"there is no message {message[:80]!r}", where="CorrelationId")
            if row["receipt"] is None or not secrets.compare_digest(row["receipt"], receipt):
                raise ServiceError(409, "the receipt is not that of the last dequeue", where="PopReceipt",
                                   hint="send the whole body that dequeue answered with")  # fmt: skip
            db.execute(
                "UPDATE package_messages SET acked = coalesce(acked, $now) WHERE message = $message",
                {"now": stamp(), "message": row["message"]},
            )

    def sweep(self, now: datetime) -> None:
        """Messages are forgotten with the files that they speak of."""
        with self._database.write() as db:
            before = {"before": stamp(now - timedelta(days=7))}
            db.execute("DELETE FROM package_messages WHERE made < $before", before)


def status_of(message: PackageMessage, done: Execution | None, *, waiting: bool) -> str:
    """The vendor's word for where a message is. `done`: its execution; None: it is not kept any more."""
    if message.operation is Operation.EXPORT:
        return "Acked" if message.acked else "Dequeued" if message.dequeued else "Enqueued"
    if done is None:
        return "Processed"
    if done.status is Status.NOT_RUN or (done.status is Status.UNKNOWN and waiting and not done.entities):
        return "Enqueued"
    if not done.status.ended:
        return (
            "Preprocessing"
            if any(not run.staging.ended for run in done.entities) or not done.entities
            else "Processing"
        )
    if done.status is Status.SUCCEEDED:
        return "Processed"
    if done.status is Status.CANCELED:
        return "PostProcessingFailed"
    staged = any(run.staged for run in done.entities)
    return "ProcessedWithErrors" if staged else "PreProcessingError"


def _add(db: sqlite3.Connection, activity: Activity, execution: str, external: str = "") -> str:
    message = str(uuid.uuid4())
    db.execute(
        "INSERT INTO package_messages (message, activity, instance, execution, operation, external, made)"
        " VALUES ($message, $activity, $instance, $execution, $operation, $external, $now)",
        {"message": message, "activity": activity.id, "instance": activity.instance, "execution": execution,
         "operation": activity.operation.value, "external": external[:200], "now": stamp()},
    )  # fmt: skip
    return message


def _activity(row: sqlite3.Row) -> Activity:
    return Activity(
        row["activity"], row["instance"], row["project"], Operation(row["operation"]), row["name"], row["company"],
        row["minutes"], bool(row["skip_empty"]), row["next_at"], row["execution"],
    )  # fmt: skip


def _message(row: sqlite3.Row) -> PackageMessage:
    return PackageMessage(
        row["message"], row["activity"], row["instance"], row["execution"], Operation(row["operation"]), row["receipt"],
        row["dequeued"], row["acked"],
    )  # fmt: skip
