"""Webhooks as Dataverse registers them, on the outbox of our own: docs/custom-apis.md.

    serviceendpoint + step  ─▶ a subscription for each step        kept in step with the rows
    asyncoperation          ─▶ an event for its step ─▶ delivered ─▶ what became of it, back into the row
    a run that has ended    ─▶ unify_OnSegmentEntered … for each step on it

The body is the context of the operation; headers say what of, so that receivers need not read it.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from unify.custom import remote
from unify.custom.background import steps_of, work_off
from unify.custom.endpoints import credentials
from unify.custom.events import EVENTS, inputs_of
from unify.custom.loading import Loaded
from unify.custom.nouns import FieldType, Mode, Step
from unify.custom.pipeline import organization_id
from unify.custom.queue import claim, ended, handed, put, sweep
from unify.custom.registered import Registered, registered
from unify.custom.types import id_of
from unify.dataverse.writes import organization_of
from unify.instance import Instance
from unify.records import FILE, Reading, RecordStore
from unify.service.database import ServiceDatabase
from unify.service.dataverse.custom_setup import failed
from unify.service.jobs.delivery import Outcome, signature
from unify.service.jobs.events import Event
from unify.service.jobs.nouns import stamp
from unify.service.jobs.outbox import OLDEST, Delivery, Outbox, Webhook, mark
from unify.service.roof import ids_under
from unify.store import Run, Store

SECONDS: Final = 60.0
"""A receiver has to answer within, as Dataverse has it."""
STEP: Final = "step:"
"""Before the id of a step: the kind of its events."""
MOST: Final = 200
"""Steps of endpoints in one instance; further ones are told nothing, and the log says so."""
AGAIN_S: Final = 2.0
"""Seconds after which an instance is looked at though nothing was written: what failed waits there."""
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Wanted:
    """A subscription as rows say it should be."""

    step: Step
    url: str
    secret: str
    headers: dict[str, str]
    since: datetime
    """When the step was made, switched on or changed, to the second."""


class Endpoints:
    """One per runner: looks at record stores that were written to."""

    def __init__(self, root: Path, database: ServiceDatabase, loaded: Loaded) -> None:
        self._root, self._database, self._loaded = root, database, loaded
        self._outbox = Outbox(database)
        self._seen: dict[str, tuple[Any, float]] = {}
        self.listening: set[str] = set()
        """Instances that have code on the product's own events: they are told of runs though they have no webhook."""

    def look(self, now: datetime) -> None:
        """Bring subscriptions to the rows, hand over what waits, call code that waits."""
        for instance in ids_under(self._root):
            path = self._root / instance
            state = _state(path)
            seen = self._seen.get(instance)
            if state is None or (seen is not None and seen[0] == state and time.monotonic() < seen[1]):
                continue
            self._look_at(instance, path, now)
            self._seen[instance] = (_state(path), time.monotonic() + AGAIN_S)

    def _look_at(self, instance: str, path: Path, now: datetime) -> None:
        store = RecordStore(path)
        with store.read() as reading:
            found = registered(reading, self._loaded)
            wanted = wanted_of(reading, found)
        self._listen(instance, path, found)
        self._mirror(instance, path, wanted, now)
        waiting = claim(store, steps_of(found), endpoints=True)
        if waiting:
            events = [Event(one.id, STEP + one.step, 0, None, remote.text(one.said)) for one in waiting]
            self._outbox.tell(instance, events, now)
            handed(store, [one.id for one in waiting])
        work_off(path, self._loaded, opened=lambda: Instance(Store.open(path)), failed=failed)

    def _mirror(self, instance: str, path: Path, wanted: Mapping[str, Wanted], at: datetime) -> None:
        with self._database.read() as db:
            held = {row["webhook_id"]: (row["url"], row["secret"], row["headers"]) for row in _held(db, instance)}
        now = {id_: (one.url, one.secret, json.dumps(one.headers)) for id_, one in wanted.items()}
        if held == now:
            return
        since = min((one.since for one in wanted.values()), default=at)
        last = _last_before(Store.open(path), max(since, at - OLDEST))
        with self._database.write() as db:
            listening = db.execute("SELECT count(*) FROM webhooks WHERE instance = ?", (instance,)).fetchone()[0]
            for id_ in held.keys() - now.keys():
                db.execute("DELETE FROM webhooks WHERE webhook_id = ?", (id_,))
            for id_ in sorted(now.keys() - held.keys()):
                _subscribe(db, instance, wanted[id_])
            for id_ in sorted(now.keys() & held.keys()):
                if now[id_] != held[id_]:
                    url, secret, headers = now[id_]
                    db.execute("UPDATE webhooks SET url = ?, secret = ? WHERE webhook_id = ?", (url, secret, id_))
                    db.execute("UPDATE endpoints SET headers = ? WHERE webhook_id = ?", (headers, id_))
            if now and not listening and instance not in self.listening:
                mark(db, instance, last.number if last is not None else 0, last.run_id if last is not None else "")

    def _listen(self, instance: str, path: Path, found: Registered) -> None:
        own = {api.name for api in EVENTS.values()}
        if not any(step.endpoint is None for name in own for step in found.steps.get(name, ())):
            self.listening.discard(instance)
            return
        if instance not in self.listening:
            last = next((run for run in Store.open(path).runs(2) if run.state != "running"), None)
            with self._database.write() as db:  # it hears of what happens from now on
                if not db.execute("SELECT 1 FROM announced WHERE instance = ?", (instance,)).fetchone():
                    mark(db, instance, last.number if last is not None else 0, last.run_id if last is not None else "")
            self.listening.add(instance)

    def of_run(self, instance: str, events: Sequence[Event], at: datetime) -> list[Event]:
        """What a run means to steps on the product's own events."""
        path = self._root / instance
        if not (path / FILE).exists():
            return []
        with RecordStore(path).read() as reading:
            found = registered(reading, self._loaded)
            unit = organization_of(reading)[1] if organization_id(reading) != NOBODY else NOBODY
            organization = organization_id(reading)
        told, queued = [], []
        for event in events:
            for step in found.at(EVENTS[event.kind].name, None):
                said = _said(instance, event, step, organization, unit, at)
                if step.endpoint is not None:
                    id_ = f"{event.event_id}_{step.id}"
                    told.append(Event(id_, STEP + step.id, event.run, None, remote.text(said)))
                elif step.mode is Mode.ASYNC:
                    queued.append((step, said))
        if queued:
            with RecordStore(path).write() as writing:
                put(writing, queued)
        return told

    def kinds(self, instance: str) -> set[str]:
        """Of our own events that steps of an instance are on."""
        path = self._root / instance
        if not (path / FILE).exists():
            return set()
        with RecordStore(path).read() as reading:
            found = registered(reading, self._loaded)
        return {kind for kind, api in EVENTS.items() if found.at(api.name, None)}

    def headers(self) -> dict[str, dict[str, str]]:
        """Of every subscription that is a step's: headers that show who sends."""
        rows = self._database.rows("SELECT webhook_id, headers FROM endpoints")
        return {row["webhook_id"]: json.loads(row["headers"]) for row in rows}

    def note(self, webhook: Webhook, delivery: Delivery, outcome: Outcome, state: str) -> None:
        """Write into the instance what became of an operation: nothing while it is still tried."""
        if state != "pending" and delivery.run == 0 and delivery.kind.startswith(STEP):
            store = RecordStore(self._root / webhook.instance)
            if store.path.exists():
                ended(store, delivery.event_id, outcome.error)

    def sweep(self, now: datetime) -> None:
        """Forget operations that ended long ago."""
        for instance in ids_under(self._root):
            if (self._root / instance / FILE).exists():
                sweep(RecordStore(self._root / instance), now)


def wanted_of(reading: Reading, found: Registered) -> dict[str, Wanted]:
    """A subscription for every step of an endpoint, by id; MOST of them."""
    steps = [step for step in steps_of(found).values() if step.endpoint is not None]
    if not steps:
        return {}
    endpoints = {str(row.values["serviceendpointid"]): row.values for row in reading.rows("serviceendpoint")}
    wanted = {}
    for step in sorted(steps, key=lambda one: one.id)[:MOST]:
        said = endpoints[step.endpoint or ""]
        kind, value = said["authtype"], said["authvalue"]
        headers, query = credentials(int(str(kind)), str(value)) if kind is not None else ({}, "")
        url = str(said["url"])
        if query:
            url += ("&" if "?" in url else "?") + query
        row = reading.get("sdkmessageprocessingstep", (step.id,))
        changed = row.values["modifiedon"] if row is not None else None
        since = changed if isinstance(changed, datetime) else datetime.now(UTC)
        wanted[step.id] = Wanted(step, url, str(said["saskey"] or ""), headers, since)
    return wanted


def headers_of(webhook: Webhook, delivery: Delivery, shown: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Of one attempt: what Dataverse sends, what shows who sends, and our signature where there is a secret for it."""
    said = json.loads(delivery.body)
    seconds = int(now.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": "unify-webhooks",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(seconds),
        "x-ms-dynamics-organization": webhook.instance,
        "x-ms-dynamics-entity-name": said["PrimaryEntityName"],
        "x-ms-dynamics-request-name": said["MessageName"],
        "x-ms-correlation-request-id": said["CorrelationId"],
    }
    if remote.was_cut(said):
        headers["x-ms-dynamics-msg-size-exceeded"] = "True"
    if webhook.secret:
        body = delivery.body.encode()
        headers["webhook-signature"] = signature(webhook.secret, delivery.event_id, seconds, body)
    return {**shown, **headers}


def _said(instance: str, event: Event, step: Step, organization: str, unit: str, at: datetime) -> dict[str, Any]:
    api = EVENTS[event.kind]
    kinds: dict[str, FieldType] = {field.name: field.type for field in api.parameters}
    inputs = inputs_of(event.kind, json.loads(event.body))
    return remote.document(
        message=api.name, inputs=[(name, value, kinds[name]) for name, value in inputs.items()],
        correlation=id_of("event", event.event_id), operation=id_of("event", event.event_id, step.id),
        depth=1, user=NOBODY, business_unit=unit,
        organization=instance, organization_id=organization, step=step.id, created=at,
    )  # fmt: skip


def _last_before(store: Store, since: datetime) -> Run | None:
    """The last run that a step made at `since` is not told of. Moments of rows are cut to the second, so a run that
    began earlier and ended within that second is taken as before it; None: it is told of all."""
    for run in store.runs(max((r.number for r in store.runs(1)), default=1)):
        ended = run.finished or run.started
        if run.state != "running" and run.started < since and ended < since + timedelta(seconds=1):
            return run
    return None


def _held(db: sqlite3.Connection, instance: str) -> list[sqlite3.Row]:
    sql = "SELECT w.*, e.headers FROM webhooks AS w JOIN endpoints AS e USING (webhook_id) WHERE w.instance = ?"
    return db.execute(sql, (instance,)).fetchall()


def _subscribe(db: sqlite3.Connection, instance: str, one: Wanted) -> None:
    db.execute(
        "INSERT INTO webhooks (webhook_id, instance, url, events, segments, secret, active, description,"
        " saved_by, saved) VALUES ($id, $instance, $url, $events, NULL, $secret, 1, $description, 'step', $now)",
        {
            "id": one.step.id, "instance": instance, "url": one.url, "events": json.dumps([STEP + one.step.id]),
            "secret": one.secret, "description": one.step.name, "now": stamp(),
        },
    )  # fmt: skip
    sql = "INSERT INTO endpoints (webhook_id, headers) VALUES (?, ?)"
    db.execute(sql, (one.step.id, json.dumps(one.headers)))


def _state(path: Path) -> Any:
    """Changes with every write of the record store; None: there is none."""
    found: list[tuple[int, int] | None] = []
    for name in (FILE, f"{FILE}-wal"):
        try:
            stat = (path / name).stat()
        except FileNotFoundError:
            found.append(None)
            continue
        found.append((stat.st_mtime_ns, stat.st_size))
    return None if found[0] is None else tuple(found)
