"""Subscriptions, events and their deliveries, in the service's database.

    run ended ─▶ events + deliveries + the mark `announced`, in one transaction ─▶ pending ─▶ delivered
                                                                                    └─ (tried for days) ─▶ dead

At least once: a process that dies between a receiver's yes and its being written down sends the event again, with the
same id.
"""

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, not_found
from unify.service.jobs.delivery import Outcome, new_secret
from unify.service.jobs.events import Event
from unify.service.jobs.nouns import moment, stamp
from unify.store import Run

AGAIN_S: Final = (5, 20, 80, 320, 1280, 5120, 21_600, 21_600, 21_600)
"""Seconds after a failed attempt: 5, then four times as many, six hours at most; together 21 hours."""
MOST_ATTEMPTS: Final = len(AGAIN_S) + 1
OLDEST: Final = timedelta(days=3)
"""An event that could not be delivered for so long is dead, tried or not."""
KEPT: Final = timedelta(days=7)
"""That delivered and dead events stay listed."""
MOST: Final = 20
"""Subscriptions of one instance."""


@dataclass(frozen=True)
class Webhook:
    """A subscription. `segments` None: events of all segments."""

    webhook_id: str
    instance: str
    url: str
    events: tuple[str, ...]
    segments: tuple[str, ...] | None
    secret: str
    active: bool
    description: str | None

    def wants(self, event: Event) -> bool:
        """Whether an event goes there."""
        if event.kind not in self.events:
            return False
        return event.segment is None or self.segments is None or event.segment in self.segments


@dataclass(frozen=True)
class Delivery:
    """An event on its way to one receiver."""

    event_id: str
    webhook_id: str
    kind: str
    run: int
    body: str
    state: str
    attempts: int
    made: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_error: str | None


class Outbox:
    """Safe for many threads and processes."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    # ── subscriptions ────────────────────────────────────────────────────────────────────────────────────────────────

    def webhooks(self, instance: str | None = None) -> list[Webhook]:
        """Of an instance, or all, in the order in which they were made."""
        sql = "SELECT * FROM webhooks WHERE $instance IS NULL OR instance = $instance ORDER BY number"
        return [_webhook(row) for row in self._database.rows(sql, {"instance": instance})]

    def webhook(self, instance: str, webhook_id: str) -> Webhook:
        """One; ServiceError 404."""
        found = [w for w in self.webhooks(instance) if w.webhook_id == webhook_id]
        if not found:
            raise _unknown(webhook_id)
        return found[0]

    def subscribe(self, webhook: Webhook, by: str, last: Run | None) -> Webhook:
        """A new one, with a secret of its own. It hears of what happens after the run `last`. ServiceError 400."""
        new = Webhook(**{**webhook.__dict__, "webhook_id": str(uuid.uuid4()), "secret": new_secret()})
        with self._database.write() as db:
            others = db.execute(
                "SELECT count(*) FROM webhooks WHERE instance = $instance", {"instance": new.instance}
            ).fetchone()[0]
            steps = db.execute(
                "SELECT count(*) FROM webhooks JOIN endpoints USING (webhook_id) WHERE instance = $instance",
                {"instance": new.instance},
            ).fetchone()[0]
            if others - steps >= MOST:
                raise ServiceError(400, f"more than {MOST} webhooks", hint="delete some")
            db.execute(
                "INSERT INTO webhooks (webhook_id, instance, url, events, segments, secret, active, description,"
                " saved_by, saved) VALUES ($webhook_id, $instance, $url, $events, $segments, $secret, $active,"
                " $description, $by, $now)",
                _columns(new) | {"by": by, "now": stamp()},
            )
            if not others:
                run, run_id = (last.number, last.run_id) if last is not None else (0, "")
                mark(db, new.instance, run, run_id)
        return new

    def change(self, webhook: Webhook, by: str) -> Webhook:
        """Another one in the place of the one of its id; ServiceError 404."""
        with self._database.write() as db:
            _refuse_step(db, webhook.webhook_id)
            done = db.execute(
                "UPDATE webhooks SET url = $url, events = $events, segments = $segments, secret = $secret,"
                " active = $active, description = $description, saved_by = $by, saved = $now"
                " WHERE webhook_id = $webhook_id AND instance = $instance",
                _columns(webhook) | {"by": by, "now": stamp()},
            ).rowcount
            if not done:
                raise _unknown(webhook.webhook_id)
        return webhook

    def unsubscribe(self, instance: str, webhook_id: str) -> None:
        """Delete it with all that is on its way; ServiceError 404."""
        with self._database.write() as db:
            _refuse_step(db, webhook_id)
            sql = "DELETE FROM webhooks WHERE instance = $instance AND webhook_id = $id"
            if not db.execute(sql, {"instance": instance, "id": webhook_id}).rowcount:
                raise _unknown(webhook_id)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def announced(self, instance: str) -> tuple[int, str]:
        """Number and id of the last run that was told; (0, ""): none."""
        rows = self._database.rows(
            "SELECT run, run_id FROM announced WHERE instance = $instance", {"instance": instance}
        )
        return (rows[0]["run"], rows[0]["run_id"]) if rows else (0, "")

    def announce(self, instance: str, run: Run, events: Sequence[Event], now: datetime) -> int:
        """Keep what a run means, and that it was told; the number of deliveries to make. Twice is harmless."""
        with self._database.write() as db:
            made = _keep(db, instance, events, now)
            mark(db, instance, run.number, run.run_id)
        return made

    def tell(self, instance: str, events: Sequence[Event], now: datetime) -> int:
        """Keep events that no run has brought; the number of deliveries to make. Twice is harmless."""
        with self._database.write() as db:
            return _keep(db, instance, events, now)

    # ── deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────

    def due(self, now: datetime) -> list[tuple[Webhook, list[Delivery]]]:
        """What is to be sent now, by receiver, in the order in which it happened; 100 each at most."""
        found = []
        for webhook in self.webhooks():
            if not webhook.active:
                continue
            rows = self._database.rows(
                f"{_DELIVERIES} AND d.state = 'pending' AND d.next_at <= $now ORDER BY e.rowid LIMIT 100",
                {"webhook": webhook.webhook_id, "now": stamp(now)},
            )
            if rows:
                found.append((webhook, [_delivery(row) for row in rows]))
        return found

    def deliveries(self, webhook_id: str, state: str | None, top: int) -> list[Delivery]:
        """Of one receiver, newest first."""
        rows = self._database.rows(
            f"{_DELIVERIES} AND ($state IS NULL OR d.state = $state) ORDER BY e.rowid DESC LIMIT $top",
            {"webhook": webhook_id, "state": state, "top": top},
        )
        return [_delivery(row) for row in rows]

    def delivered(self, delivery: Delivery, outcome: Outcome, now: datetime) -> None:
        """The receiver has said yes."""
        self._note(delivery, outcome, "delivered", None, now)

    def failed(self, delivery: Delivery, outcome: Outcome, now: datetime) -> str:
        """It has not; the delivery's state: pending, or dead. What else waits for the receiver waits as long."""
        tried = delivery.attempts + 1
        over = tried >= MOST_ATTEMPTS or now - delivery.made > OLDEST or outcome.status == 410
        if over:
            self._note(delivery, outcome, "dead", None, now)
            return "dead"
        again = now + timedelta(seconds=AGAIN_S[delivery.attempts])
        self._note(delivery, outcome, "pending", again, now)
        with self._database.write() as db:
            db.execute(
                "UPDATE deliveries SET next_at = $again"
                " WHERE webhook_id = $webhook AND state = 'pending' AND next_at < $again",
                {"webhook": delivery.webhook_id, "again": stamp(again)},
            )
        return "pending"

    def retry(self, webhook_id: str, event_id: str, now: datetime) -> Delivery:
        """Send it again, from the first attempt on, whatever became of it; ServiceError 404."""
        with self._database.write() as db:
            done = db.execute(
                "UPDATE deliveries SET state = 'pending', attempts = 0, next_at = $now"
                " WHERE webhook_id = $webhook AND event_id = $event",
                {"webhook": webhook_id, "event": event_id, "now": stamp(now)},
            ).rowcount
            db.execute("UPDATE events SET made = $now WHERE event_id = $event", {"event": event_id, "now": stamp(now)})
        if not done:
            raise not_found(
                f"there is no event {event_id[:128]!r}", where="eventId", hint="GET …/deliveries lists them"
            )
        rows = self._database.rows(f"{_DELIVERIES} AND d.event_id = $event", {"webhook": webhook_id, "event": event_id})
        return _delivery(rows[0])

    def sweep(self, now: datetime) -> None:
        """Forget events that were delivered or died long ago."""
        with self._database.write() as db:
            db.execute(
                "DELETE FROM events WHERE made < $old AND NOT EXISTS"
                " (SELECT 1 FROM deliveries WHERE event_id = events.event_id AND state = 'pending')",
                {"old": stamp(now - KEPT)},
            )

    def _note(self, delivery: Delivery, outcome: Outcome, state: str, again: datetime | None, now: datetime) -> None:
        values: dict[str, Any] = {
            "webhook": delivery.webhook_id, "event": delivery.event_id, "state": state, "status": outcome.status,
            "error": outcome.error, "now": stamp(now), "again": stamp(again) if again else None,
        }  # fmt: skip
        with self._database.write() as db:
            db.execute(
                "UPDATE deliveries SET state = $state, attempts = attempts + 1, last_at = $now, last_status = $status,"
                " last_error = $error, next_at = $again WHERE webhook_id = $webhook AND event_id = $event",
                values,
            )


_DELIVERIES: Final = (
    "SELECT d.*, e.kind, e.run, e.body, e.made FROM deliveries AS d JOIN events AS e USING (event_id)"
    " WHERE d.webhook_id = $webhook"
)


def _keep(db: sqlite3.Connection, instance: str, events: Sequence[Event], now: datetime) -> int:
    made = 0
    rows = db.execute("SELECT * FROM webhooks WHERE instance = $instance AND active", {"instance": instance})
    listening = [_webhook(row) for row in rows]
    for event in events:
        to = [w for w in listening if w.wants(event)]
        if not to:
            continue
        values = {**event.__dict__, "instance": instance, "now": stamp(now)}
        db.execute(
            "INSERT INTO events (event_id, instance, kind, run, body, made)"
            " VALUES ($event_id, $instance, $kind, $run, $body, $now) ON CONFLICT (event_id) DO NOTHING",
            values,
        )
        for webhook in to:
            made += db.execute(
                "INSERT INTO deliveries (event_id, webhook_id, state, next_at)"
                " VALUES ($event, $webhook, 'pending', $now) ON CONFLICT DO NOTHING",
                {"event": event.event_id, "webhook": webhook.webhook_id, "now": stamp(now)},
            ).rowcount
    return made


def mark(db: sqlite3.Connection, instance: str, run: int, run_id: str) -> None:
    """Note the last run that was told."""
    db.execute(
        "INSERT INTO announced (instance, run, run_id) VALUES ($instance, $run, $run_id)"
        " ON CONFLICT (instance) DO UPDATE SET run = excluded.run, run_id = excluded.run_id",
        {"instance": instance, "run": run, "run_id": run_id},
    )


def _refuse_step(db: sqlite3.Connection, webhook_id: str) -> None:
    """ServiceError 409 for a subscription that rows of the instance say: it would be as before at once."""
    if db.execute("SELECT 1 FROM endpoints WHERE webhook_id = ?", (webhook_id,)).fetchone():
        hint = f"change sdkmessageprocessingsteps({webhook_id}) and its service endpoint with the Dataverse Web API"
        raise ServiceError(409, "this webhook is a step of a service endpoint", where="webhookId", hint=hint)


def _unknown(webhook_id: str) -> ServiceError:
    return not_found(f"there is no webhook {webhook_id[:128]!r}", where="webhookId", hint="GET …/webhooks lists them")


def _columns(webhook: Webhook) -> dict[str, Any]:
    segments = None if webhook.segments is None else json.dumps(list(webhook.segments))
    return {
        **webhook.__dict__,
        "events": json.dumps(list(webhook.events)),
        "segments": segments,
        "active": int(webhook.active),
    }


def _webhook(row: sqlite3.Row) -> Webhook:
    return Webhook(
        webhook_id=row["webhook_id"],
        instance=row["instance"],
        url=row["url"],
        events=tuple(json.loads(row["events"])),
        segments=tuple(json.loads(row["segments"])) if row["segments"] is not None else None,
        secret=row["secret"],
        active=bool(row["active"]),
        description=row["description"],
    )


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        event_id=row["event_id"],
        webhook_id=row["webhook_id"],
        kind=row["kind"],
        run=row["run"],
        body=row["body"],
        state=row["state"],
        attempts=row["attempts"],
        made=datetime.fromisoformat(row["made"]),
        next_at=moment(row["next_at"]),
        last_at=moment(row["last_at"]),
        last_status=row["last_status"],
        last_error=row["last_error"],
    )
