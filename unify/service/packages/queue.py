"""The queue of executions: put in by requests, taken by the runner. A row is there until its execution has ended."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from unify.service.database import ServiceDatabase
from unify.service.jobs.nouns import stamp

MOST_DEATHS: Final = 3
"""Processes that may end without a word before an execution is given up."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row."""

    instance: str
    execution: str
    project: str
    state: str
    deaths: int


class PackageQueue:
    """Blocking; safe for many processes."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    def put(self, instance: str, execution: str, project: str, now: datetime | None = None) -> None:
        """Have it run. Twice is once."""
        with self._database.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO package_queue (instance, execution, project, submitted)"
                " VALUES ($instance, $execution, $project, $now)",
                {"instance": instance, "execution": execution, "project": project.casefold(), "now": stamp(now)},
            )

    def has(self, instance: str, execution: str) -> bool:
        """Whether it waits or is at work."""
        sql = "SELECT 1 FROM package_queue WHERE instance = $instance AND lower(execution) = lower($execution)"
        return bool(self._database.rows(sql, {"instance": instance, "execution": execution}))

    def running(self) -> list[Waiting]:
        """At work, as far as anybody has said."""
        return [_waiting(row) for row in self._database.rows(
            "SELECT * FROM package_queue WHERE state = 'running' ORDER BY number")]  # fmt: skip

    def take(self, most: int) -> list[Waiting]:
        """The next ones, marked as running: the oldest of every project that has none at work."""
        if most <= 0:
            return []
        with self._database.write() as db:
            found = db.execute(
                "SELECT * FROM package_queue AS q WHERE state = 'queued'"
                " AND NOT EXISTS (SELECT 1 FROM package_queue AS o"
                " WHERE o.instance = q.instance AND o.project = q.project"
                " AND (o.state = 'running' OR o.number < q.number)) ORDER BY number LIMIT $most",
                {"most": most},
            ).fetchall()
            for row in found:
                db.execute("UPDATE package_queue SET state = 'running' WHERE number = $n", {"n": row["number"]})
        return [_waiting(row) for row in found]

    def died(self, one: Waiting) -> int:
        """Back into the queue; how often that happened to it."""
        with self._database.write() as db:
            row = db.execute(
                "UPDATE package_queue SET state = 'queued', deaths = deaths + 1"
                " WHERE instance = $instance AND execution = $execution RETURNING deaths",
                {"instance": one.instance, "execution": one.execution},
            ).fetchall()
        return int(row[0]["deaths"]) if row else 0

    def back(self, one: Waiting) -> None:
        """Back into the queue, for no fault of its own."""
        with self._database.write() as db:
            sql = "UPDATE package_queue SET state = 'queued' WHERE instance = $instance AND execution = $execution"
            db.execute(sql, {"instance": one.instance, "execution": one.execution})

    def done(self, one: Waiting) -> None:
        """It has ended."""
        with self._database.write() as db:
            sql = "DELETE FROM package_queue WHERE instance = $instance AND execution = $execution"
            db.execute(sql, {"instance": one.instance, "execution": one.execution})

    def forget(self, instances: Collection[str]) -> None:
        """Rows of instances that are gone."""
        with self._database.write() as db:
            for instance in instances:
                db.execute("DELETE FROM package_queue WHERE instance = $instance", {"instance": instance})


def _waiting(row: sqlite3.Row) -> Waiting:
    return Waiting(row["instance"], row["execution"], row["project"], row["state"], row["deaths"])
