"""What is to be called after a commit: rows of `asyncoperation`, written in the transaction of what they tell.

    ready ─▶ in progress ─┬────────────▶ succeeded
      ▲           │       └▶ waiting ──▶ failed       after three attempts, or given up by the sender
      └───────────┘          of a webhook: it is in the outbox
        its process died, or it failed and is tried again

A step of a plug-in type is called by whoever works the queue off (background.py); one of an endpoint is handed to the
outbox of the service's webhooks.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final
from uuid import uuid4

from unify.custom import remote
from unify.custom.context import Context
from unify.custom.nouns import CustomApi, Entity, Image, Step
from unify.custom.privileges import level_held
from unify.records import Reading, RecordStore, Row, Value, Writing

TABLE: Final = "asyncoperation"
READY: Final = 0
SUSPENDED: Final = 1
LOCKED: Final = 2
COMPLETED: Final = 3
"""statecode."""
KEPT: Final = timedelta(days=7)
"""That ended ones stay listed."""
DEAD_AFTER: Final = timedelta(minutes=10)
"""One in progress for so long has lost its process: handlers are to be shorter."""
ORPHAN: Final = timedelta(hours=1)
"""So long it waits for a step that nobody here knows: another process may have the code of it."""
AGAIN_S: Final = (5, 60)
"""Seconds after a failed attempt; after the last of them it has failed."""
FEW: Final = 100
EVENT: Final = 1
"""operationtype."""


class Status(IntEnum):
    """statuscode."""

    READY = 0
    WAITING = 10
    IN_PROGRESS = 20
    SUCCEEDED = 30
    FAILED = 31


@dataclass(frozen=True)
class Pending:
    """One that waits. `said`: the context as it is sent. `level`: of the caller's role; "" may not see records."""

    id: str
    step: str
    said: Mapping[str, Any]
    attempts: int
    created: datetime
    principal: str
    level: str


def enqueue(writing: Writing, context: Context, steps: Iterable[Step], api: CustomApi | None = None) -> list[str]:
    """Keep each step of an operation that has happened; their ids. They are called once this is committed."""
    rows: list[dict[str, Value]] = []
    now = datetime.now(UTC)
    for step in steps:
        id_ = str(uuid4())
        said = _said(context, step, api, id_, now)
        rows.append(
            {
                "asyncoperationid": id_, "name": step.name[:256], "messagename": context.message,
                "primaryentitytype": context.entity, "correlationid": context.correlation, "depth": context.depth,
                "owningextensionid": step.id, "operationtype": EVENT, "statecode": READY,
                "statuscode": int(Status.READY), "createdon": now, "modifiedon": now, "retrycount": 0,
                "regardingobjectid": context.target.id if context.target is not None else None,
                "data": remote.text(said), "ownerid": context.user_id, "principal": context.caller[:400],
                "level": level_held(context.who),
            }
        )  # fmt: skip
    writing.insert(TABLE, rows)
    return [str(row["asyncoperationid"]) for row in rows]


def _said(context: Context, step: Step, api: CustomApi | None, id_: str, now: datetime) -> dict[str, Any]:
    takes = {field.name: field.type for field in api.parameters} if api is not None else {}
    gives = {field.name: field.type for field in api.properties} if api is not None else {}
    writer = context._execution.who.writer  # noqa: SLF001 - one kernel
    return remote.document(
        message=context.message,
        inputs=[(name, told(value, step), takes.get(name)) for name, value in context.inputs.items()],
        outputs=[(name, value, gives.get(name)) for name, value in context.outputs.items()],
        correlation=context.correlation, operation=id_, depth=context.depth, user=writer.user,
        business_unit=writer.business_unit, organization=context.organization,
        organization_id=context.organization_id, step=step.id, created=now, entity=context.entity,
        entity_id=context.target.id if context.target is not None else None, shared=context.shared,
        before={alias: sent(row, step, alias) for alias, row in context.before.items()},
        after={alias: sent(row, step, alias) for alias, row in context.after.items()},
    )  # fmt: skip


def told(value: Any, step: Step) -> Any:
    """A row that goes out in an event: its id, and the columns that the step names."""
    if not isinstance(value, Entity):
        return value
    return Entity(value.table, {n: v for n, v in value.values.items() if n in step.filtering}, value.id)


def sent(image: Entity, step: Step, alias: str) -> Entity:
    """An image as it goes out: to the net only what it names, never all columns."""
    named = any(one.attributes for one in step.images if one.alias == alias)
    return image if named or step.endpoint is None else Entity(image.table, {}, image.id)


def imaged(row: Row | None, table: str, id_: str, image: Image, changed: Mapping[str, Value] | None = None) -> Entity:
    """A row as an image: the columns that it names, all for code when it names none."""
    values = {**(row.values if row is not None else {}), **(changed or {})}
    kept = {n: v for n, v in values.items() if not image.attributes or n in image.attributes}
    return Entity(table, kept, id_)


def put(writing: Writing, told: Iterable[tuple[Step, Mapping[str, Any]]]) -> None:
    """Keep what the product itself tells code of, by its operation id: twice is once."""
    now = datetime.now(UTC)
    rows: list[dict[str, Value]] = [
        {
            "asyncoperationid": said["OperationId"], "name": step.name[:256], "messagename": said["MessageName"],
            "correlationid": said["CorrelationId"], "depth": said["Depth"], "owningextensionid": step.id,
            "operationtype": EVENT, "statecode": READY, "statuscode": int(Status.READY), "createdon": now,
            "modifiedon": now, "retrycount": 0, "data": remote.text(said), "principal": "unify", "level": "steward",
        }
        for step, said in told
    ]  # fmt: skip
    writing.insert(TABLE, [row for row in rows if writing.get(TABLE, (row["asyncoperationid"],)) is None])


# ── working it off ───────────────────────────────────────────────────────────────────────────────────────────────────


def claim(
    store: RecordStore, steps: Mapping[str, Step], *, endpoints: bool, now: datetime | None = None
) -> list[Pending]:
    """Take what waits, oldest first, a hundred at most, and mark it as in progress.

    steps      those there are, by id; what waits for one that is gone fails after an hour
    endpoints  steps of endpoints, or those of plug-in types
    """
    at = now or datetime.now(UTC)
    with store.read() as reading:
        if TABLE not in reading.tables() or not _waiting(reading, at):
            return []
    found: list[Pending] = []
    with store.write() as writing:
        for row in _waiting(writing, at):
            values = row.values
            id_, step = str(values["asyncoperationid"]), steps.get(str(values["owningextensionid"]))
            if step is None:
                if isinstance(values["createdon"], datetime) and values["createdon"] < at - ORPHAN:
                    _end(writing, id_, Status.FAILED, "the step is not there any more", at)
                continue
            if (step.endpoint is not None) != endpoints or len(found) >= FEW:
                continue
            attempts = int(str(values["retrycount"] or 0))
            said = json.loads(str(values["data"]))
            created = values["createdon"]
            assert isinstance(created, datetime)
            who = str(values["principal"] or ""), str(values["level"] or "")
            found.append(Pending(id_, step.id, said, attempts, created, *who))
            mark: dict[str, Value] = {"statecode": LOCKED, "statuscode": int(Status.IN_PROGRESS), "startedon": at}
            writing.update(TABLE, (id_,), mark)
    return found


def _waiting(reading: Reading, now: datetime) -> list[Row]:
    sql = (
        f'SELECT asyncoperationid FROM "t_{TABLE}"'
        " WHERE (statecode = ? AND (postponeuntil IS NULL OR postponeuntil <= ?)) OR"
        " (statecode = ? AND startedon < ?) ORDER BY createdon, _version LIMIT ?"
    )
    from unify.records.values import moment

    params = (READY, moment(now), LOCKED, moment(now - DEAD_AFTER), 10 * FEW)
    ids = [row[0] for row in reading.connection.execute(sql, params)]
    rows = (reading.get(TABLE, (id_,)) for id_ in ids)
    return [row for row in rows if row is not None]


def succeeded(store: RecordStore, ids: Iterable[str], now: datetime | None = None) -> None:
    """They were called, or handed over."""
    with store.write() as writing:
        for id_ in ids:
            _end(writing, id_, Status.SUCCEEDED, None, now or datetime.now(UTC))


def handed(store: RecordStore, ids: Iterable[str]) -> None:
    """They are in the outbox: `ended` says what becomes of them."""
    with store.write() as writing:
        for id_ in ids:
            waiting: dict[str, Value] = {"statecode": SUSPENDED, "statuscode": int(Status.WAITING), "data": None}
            writing.update(TABLE, (id_,), waiting)


def ended(store: RecordStore, id_: str, why: str | None, now: datetime | None = None) -> None:
    """The outbox has delivered one, or given it up: `why`. One that was swept since is passed over."""
    with store.write() as writing:
        if TABLE in writing.tables() and writing.get(TABLE, (id_,)) is not None:
            status = Status.SUCCEEDED if why is None else Status.FAILED
            _end(writing, id_, status, why, now or datetime.now(UTC))


def failed(store: RecordStore, pending: Pending, why: str, now: datetime | None = None) -> None:
    """It could not be called: again later, or never."""
    at = now or datetime.now(UTC)
    with store.write() as writing:
        if pending.attempts >= len(AGAIN_S):
            _end(writing, pending.id, Status.FAILED, why, at)
            return
        again: dict[str, Value] = {
            "statecode": READY, "statuscode": int(Status.READY), "retrycount": pending.attempts + 1,
            "postponeuntil": at + timedelta(seconds=AGAIN_S[pending.attempts]), "message": why,
        }  # fmt: skip
        writing.update(TABLE, (pending.id,), again)


def sweep(store: RecordStore, now: datetime | None = None) -> int:
    """Forget those that ended long ago; how many."""
    from unify.records.values import moment

    before = moment((now or datetime.now(UTC)) - KEPT)
    with store.read() as reading:
        if TABLE not in reading.tables():
            return 0
        sql = f'SELECT asyncoperationid FROM "t_{TABLE}" WHERE statecode = ? AND completedon < ?'
        old = [row[0] for row in reading.connection.execute(sql, (COMPLETED, before))]
    if old:
        with store.write() as writing:
            for id_ in old:
                writing.delete(TABLE, (id_,))
    return len(old)


def depth_of(reading: Reading, correlation: str) -> int:
    """How deep what has a correlation id is already: somebody who was told calls back under the id that he was told."""
    if TABLE not in reading.tables():
        return 0
    sql = f'SELECT max(depth) FROM "t_{TABLE}" WHERE correlationid = ?'
    return int(reading.connection.execute(sql, (correlation,)).fetchone()[0] or 0)


def _end(writing: Writing, id_: str, status: Status, why: str | None, now: datetime) -> None:
    ended: dict[str, Value] = {
        "statecode": COMPLETED, "statuscode": int(status), "completedon": now, "modifiedon": now, "message": why,
        "data": None,
    }  # fmt: skip
    writing.update(TABLE, (id_,), ended)
