"""Executions and their steps, as rows: what is to be done, what was done, and how far it has come."""

import json
import re
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.packages.database import PackageDatabase
from unify.packages.errors import ExecutionStateError, NoSuchEntityError, NoSuchExecutionError, ProjectError
from unify.packages.locks import held, lock_of_execution
from unify.packages.nouns import EntityRun, Execution, Operation, RowError, Status

KEPT: Final = timedelta(days=7)
"""After its end an execution, its files and its staging are kept so long; the vendor's documents say so."""
ID: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
STEPS: Final = "SELECT * FROM steps WHERE execution = $number ORDER BY place"
COUNTS: Final = (
    "file_rows", "staged", "staging_errors", "created", "updated", "unchanged", "refused", "exported", "since",
    "version", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """An execution as whoever runs it needs it."""

    number: int
    id: str
    token: str
    project: str
    operation: Operation
    status: Status
    options: str
    package: str | None
    planned: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step as whoever runs it needs it. `body`: JSON of the plan of it."""

    place: int
    entity: str
    part: str
    body: Mapping[str, Any]
    staging: Status
    target: Status
    checked: bool
    run: EntityRun


def now_text(now: datetime | None = None) -> str:
    """A moment as the tables hold it."""
    return (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds")


# ── making ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def submit(
    db: sqlite3.Connection, project: str, operation: Operation, options: str, *, execution_id: str, package: str | None
) -> int:
    """A new execution, NotRun; its number. ProjectError for an id that cannot be, ExecutionStateError for a taken one.
    """  # fmt: skip
    if execution_id and not ID.fullmatch(execution_id):
        raise ProjectError("an execution id is a line of 1 to 200 characters", where="executionId")
    name = execution_id or f"{project}-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}-{uuid.uuid4().hex.upper()}"
    if db.execute("SELECT 1 FROM executions WHERE id = $id", {"id": name}).fetchone() is not None:
        hint = "leave the id empty to get a new one"
        raise ExecutionStateError(f"the execution {name[:200]!r} is there already", where="executionId", hint=hint)
    row = {
        "id": name, "token": uuid.uuid4().hex, "project": project, "operation": operation.value, "options": options,
        "status": Status.NOT_RUN.value, "package": package, "submitted": now_text(),
    }  # fmt: skip
    done = db.execute(
        f"INSERT INTO executions ({', '.join(row)}) VALUES ({', '.join('$' + name for name in row)})", row
    )
    assert done.lastrowid is not None
    return done.lastrowid


def again(db: sqlite3.Connection, number: int, options: str, *, replan: bool) -> None:
    """Put an ended execution back: the same id runs once more. `replan`: its steps are made anew."""
    sql = (
        "UPDATE executions SET status = 'NotRun', options = $options, submitted = $now, started = NULL, ended = NULL,"
        " cancel = NULL, error = '', planned = CASE WHEN $replan THEN 0 ELSE planned END WHERE number = $number"
    )
    db.execute(sql, {"number": number, "options": options, "now": now_text(), "replan": replan})


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def kept(database: PackageDatabase, execution_id: str) -> Kept:
    """One, by id; NoSuchExecutionError."""
    rows = database.rows("SELECT * FROM executions WHERE id = $id", {"id": execution_id})
    if not rows:
        known = [row["id"] for row in database.rows("SELECT id FROM executions ORDER BY number DESC LIMIT 50")]
        raise NoSuchExecutionError(
            f"executions with the id {execution_id[:200]!r} were not found",
            where="executionId",
            hint=f"they are forgotten seven days after they ended; {did_you_mean(execution_id, known)}",
        )
    return kept_of(rows[0])


def kept_of(row: sqlite3.Row) -> Kept:
    """From a row of `executions`."""
    return Kept(
        row["number"], row["id"], row["token"], row["project"], Operation(row["operation"]), Status(row["status"]),
        row["options"], row["package"], bool(row["planned"]),
    )  # fmt: skip


def steps(database: PackageDatabase, number: int) -> list[Step]:
    """Of one execution, in the order in which they run."""
    return list(map(_step_of, database.rows(STEPS, {"number": number})))


def steps_in(db: sqlite3.Connection, number: int) -> list[Step]:
    """The same, in a transaction of the caller's."""
    return list(map(_step_of, db.execute(STEPS, {"number": number}).fetchall()))


def _step_of(row: sqlite3.Row) -> Step:
    return Step(
        row["place"], row["entity"], row["part"], json.loads(row["body"]), Status(row["staging"]),
        Status(row["target"]), bool(row["checked"]), _run_of(row),
    )  # fmt: skip


def told(database: PackageDatabase, where: str = "", params: Mapping[str, Any] | None = None) -> list[Execution]:
    """Executions as reports, newest first; `where`: SQL over the columns of `executions`."""
    rows = database.rows(f"SELECT * FROM executions {where} ORDER BY number DESC", params)
    return [_told(database, row) for row in rows]


def _told(database: PackageDatabase, row: sqlite3.Row) -> Execution:
    status, note = Status(row["status"]), ""
    if status is Status.EXECUTING and not held(lock_of_execution(database, row["number"])):
        status, note = Status.UNKNOWN, "the process that ran it is gone; the next run goes on with it"
    runs = database.rows("SELECT * FROM steps WHERE execution = $number ORDER BY place", {"number": row["number"]})
    file = database.folder_of(row["number"]) / row["package"] if row["package"] else None
    return Execution(
        row["id"], row["project"], Operation(row["operation"]), status, _moment(row["submitted"]),
        _moment_or_none(row["started"]), _moment_or_none(row["ended"]), tuple(map(_run_of, runs)), row["error"], note,
        tuple(json.loads(row["findings"])), file if file is not None and file.exists() else None,
    )  # fmt: skip


def _run_of(row: sqlite3.Row) -> EntityRun:
    counts = {name: row[name] for name in COUNTS}
    return EntityRun(row["entity"], row["part"], Status(row["staging"]), Status(row["target"]), **counts)


def row_errors(database: PackageDatabase, number: int, entity: str, most: int) -> list[RowError]:
    """See Packages.errors."""
    only = "AND s.entity = $entity" if entity else ""
    params = {"number": number, "entity": entity, "most": most}
    whole = database.rows(
        f"SELECT * FROM steps AS s WHERE s.execution = $number AND s.error <> '' {only} ORDER BY s.place LIMIT $most",
        params,
    )
    found = [
        RowError(row["entity"], row["part"], "target" if row["staging"] == "Succeeded" else "staging", 0, "",
                 row["error"])
        for row in whole
    ]  # fmt: skip
    rows = database.rows(
        "SELECT e.*, s.entity, s.part FROM row_errors AS e JOIN steps AS s USING (execution, place)"
        f" WHERE e.execution = $number {only} ORDER BY e.place, e.step, e.row_id, e.field, e.message LIMIT $most",
        {**params, "most": most - len(found)},
    )
    return found + [
        RowError(row["entity"], row["part"], row["step"], row["row_id"], row["field"], row["message"], row["record"])
        for row in rows
    ]


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def began(database: PackageDatabase, number: int) -> None:
    """It is at work."""
    with database.write(at_once=False) as db:
        sql = "UPDATE executions SET status = 'Executing', started = coalesce(started, $now) WHERE number = $number"
        db.execute(sql, {"number": number, "now": now_text()})


def ended(
    database: PackageDatabase, number: int, status: Status, *, error: str = "", package: str | None = None
) -> None:
    """It is over."""
    with database.write() as db:
        end(db, number, status, error=error, package=package)


def end(db: sqlite3.Connection, number: int, status: Status, *, error: str = "", package: str | None = None) -> None:
    """The same, in a transaction of the caller's."""
    sql = (
        "UPDATE executions SET status = $status, ended = $now, error = $error, package = coalesce($package, package)"
        " WHERE number = $number"
    )
    said = {"number": number, "status": status.value, "now": now_text(), "error": error, "package": package}
    db.execute(sql, said)


def planned(
    db: sqlite3.Connection, number: int, plans: Sequence[tuple[str, str, Mapping[str, Any]]], findings: str
) -> None:
    """Its steps, in a transaction of the caller's: entity, part, body."""
    db.execute("DELETE FROM steps WHERE execution = $number", {"number": number})
    db.execute("DELETE FROM row_errors WHERE execution = $number", {"number": number})
    db.executemany(
        "INSERT INTO steps (execution, place, entity, part, body, since)"
        " VALUES ($number, $place, $entity, $part, $body, $since)",
        [
            {"number": number, "place": place, "entity": entity, "part": part, "since": body.get("since"),
             "body": json.dumps(body, ensure_ascii=False, sort_keys=True)}
            for place, (entity, part, body) in enumerate(plans)
        ],
    )  # fmt: skip
    sql = "UPDATE executions SET planned = 1, findings = $findings WHERE number = $number"
    db.execute(sql, {"number": number, "findings": findings})


def note(db: sqlite3.Connection, number: int, place: int, **values: Any) -> None:
    """Set columns of a step, in a transaction of the caller's."""
    sets = ", ".join(f"{name} = ${name}" for name in values)
    said = {name: value.value if isinstance(value, Status) else value for name, value in values.items()}
    db.execute(f"UPDATE steps SET {sets} WHERE execution = $n AND place = $p", {**said, "n": number, "p": place})


def ask_to_cancel(database: PackageDatabase, number: int) -> None:
    """Note the wish; one that waits has ended with it."""
    with database.write() as db:
        params = {"number": number, "now": now_text()}
        db.execute("UPDATE executions SET cancel = coalesce(cancel, $now) WHERE number = $number", params)
        sql = "UPDATE executions SET status = 'Canceled', ended = $now WHERE number = $number AND status = 'NotRun'"
        db.execute(sql, params)


def is_staged(database: PackageDatabase, number: int) -> bool:
    """Whether the staging of an execution is there; nothing had to be staged where every file was refused."""
    wanted = {f"staging_{number}_{step.place}" for step in steps(database, number) if not step.run.error}
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB $names"
    return wanted <= {row["name"] for row in database.rows(sql, {"names": f"staging_{number}_[0-9]*"})}


def cancelled(database: PackageDatabase, number: int) -> bool:
    """Whether somebody asked it to end."""
    sql = "SELECT cancel FROM executions WHERE number = $number"
    rows = database.rows(sql, {"number": number})
    return not rows or rows[0]["cancel"] is not None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _moment_or_none(text: str | None) -> datetime | None:
    return _moment(text) if text is not None else None


def no_entity(execution_id: str, entity: str, names: Sequence[str]) -> NoSuchEntityError:
    """The error for an entity that is not in an execution."""
    hint = did_you_mean(entity, names)
    return NoSuchEntityError(f"{execution_id} has no entity {entity[:200]!r}", where="entityName", hint=hint)
