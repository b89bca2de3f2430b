"""Tells those who listen: looks for runs that have ended, whoever started them, and sends what they mean.

A thread of the runner, so that a slow receiver does not keep jobs waiting; receivers do not keep each other waiting.
"""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Final

from unify.core.errors import UnifyError
from unify.service.database import ServiceDatabase
from unify.service.jobs.delivery import SECONDS, headers_of, post
from unify.service.jobs.endpoints import SECONDS as OF_ENDPOINT_S
from unify.service.jobs.endpoints import Endpoints
from unify.service.jobs.endpoints import headers_of as of_endpoint
from unify.service.jobs.events import events_of
from unify.service.jobs.outbox import Delivery, Outbox, Webhook
from unify.service.operations.log import logger
from unify.service.settings import Settings
from unify.store import Run, Store
from unify.verbs.custom_apis import loaded

LOOK_S: Final = 0.5
AT_ONCE: Final = 8
"""Receivers that are sent to at a time."""
SWEEP_LOOKS: Final = 7200
"""Looks between two sweeps: about an hour."""


class Announcer:
    """One per runner. `stop`: set it to end `go`."""

    def __init__(self, settings: Settings) -> None:
        self._root, self._private = settings.root, settings.webhook_private
        database = ServiceDatabase(settings.root)
        self._outbox = Outbox(database)
        self._endpoints = Endpoints(settings.root, database, loaded(settings.custom_apis))
        self.stop = threading.Event()

    def go(self) -> None:
        """Look and send until it is stopped."""
        looks = 0
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            while not self.stop.is_set():
                try:
                    self._endpoints.look(_now())
                    self.look()
                    self.send(pool)
                    if looks % SWEEP_LOOKS == 0:
                        self._outbox.sweep(_now())
                        self._endpoints.sweep(_now())
                except Exception:
                    logger.exception("announcer failed")
                looks += 1
                self.stop.wait(LOOK_S)

    def look(self) -> None:
        """Tell the outbox of every run that has ended since the last look, in order."""
        webhooks = self._outbox.webhooks()
        for instance in dict.fromkeys([*(w.instance for w in webhooks), *sorted(self._endpoints.listening)]):
            mine = [w for w in webhooks if w.instance == instance and w.active]
            try:
                self._look_at(instance, mine)
            except UnifyError as error:
                logger.warning("announcer failed", instance=instance, reason=type(error).__name__)

    def _look_at(self, instance: str, webhooks: list[Webhook]) -> None:
        store = Store.open(self._root / instance)
        kinds = {kind for w in webhooks for kind in w.events}
        segments: set[str] | None = set()
        for webhook in webhooks:
            segments = None if segments is None or webhook.segments is None else segments | set(webhook.segments)
        runs = self._ended(instance, store)
        steps = self._endpoints.kinds(instance) if runs else set()
        for run in runs:
            events = events_of(instance, store, run, kinds, segments)
            if steps:
                of_steps = events_of(instance, store, run, steps, None)
                events = [*events, *self._endpoints.of_run(instance, of_steps, run.finished or run.started)]
            made = self._outbox.announce(instance, run, events, _now())
            logger.info("run told", instance=instance, run=run.number, delivery=made)

    def _ended(self, instance: str, store: Store) -> list[Run]:
        """Runs after the last one that was told, oldest first, up to the first that is still at work."""
        number, run_id = self._outbox.announced(instance)
        newest = store.runs(1)
        if not newest or newest[0].run_id == run_id:
            return []
        runs = list(reversed(store.runs(max(newest[0].number, 1))))
        if any(run.number == number and run.run_id == run_id for run in runs) or not run_id:
            runs = [run for run in runs if run.number > number]
        ended = []
        for run in runs:
            if run.state == "running":
                break
            ended.append(run)
        return ended

    def send(self, pool: ThreadPoolExecutor) -> None:
        """Send what is due, receivers at once, the events of each one after the other."""
        wait([pool.submit(self._send, webhook, due) for webhook, due in self._outbox.due(_now())])

    def _send(self, webhook: Webhook, due: list[Delivery]) -> None:
        try:
            for delivery in due:
                if self.stop.is_set() or not self._one(webhook, delivery):
                    return
        except Exception:
            logger.exception("delivery failed", instance=webhook.instance)

    def _one(self, webhook: Webhook, delivery: Delivery) -> bool:
        """Send one; False when the receiver did not take it."""
        body, shown = delivery.body.encode(), self._endpoints.headers().get(webhook.webhook_id)
        if shown is None:
            headers, seconds = headers_of(webhook.secret, delivery.event_id, body, _now()), SECONDS
        else:
            headers, seconds = of_endpoint(webhook, delivery, shown, _now()), OF_ENDPOINT_S
        outcome = post(webhook.url, body, headers, private=self._private, seconds=seconds)
        if outcome.error is None:
            self._outbox.delivered(delivery, outcome, _now())
            self._endpoints.note(webhook, delivery, outcome, "delivered")
            return True
        state = self._outbox.failed(delivery, outcome, _now())
        self._endpoints.note(webhook, delivery, outcome, state)
        said = {
            "delivery": delivery.event_id,
            "attempt": delivery.attempts + 1,
            "code": outcome.status,
            "reason": state,
        }
        logger.warning("delivery failed", instance=webhook.instance, **said)
        return False


def _now() -> datetime:
    return datetime.now(UTC)
