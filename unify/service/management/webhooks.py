"""Webhooks: who is told when somebody enters a segment and when a run ends. Ours; docs/service-jobs.md"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field

from unify.core.errors import QueryError
from unify.service.errors import bad_request
from unify.service.hosted import Hosted
from unify.service.jobs.addresses import MAX_URL, address_of, target_of
from unify.service.jobs.delivery import new_secret
from unify.service.jobs.events import RUNS, SEGMENTS
from unify.service.jobs.outbox import Delivery, Outbox, Webhook
from unify.service.management.depends import Ruling, TheCaller, TheService
from unify.service.management.routes import area
from unify.spec.wire import Wire

router = area("Webhooks")
WebhookId = Annotated[str, Path(alias="webhookId")]
EventKind = Literal[
    "run.finished", "run.failed", "segment.entered", "segment.left", "customer.created", "customer.merged",
    "customer.split", "customer.retired",
]  # fmt: skip


class WebhookBody(Wire):
    """Where events go, and which. What is not said stays, or is: every event of runs and segments, active."""

    url: str | None = Field(default=None, max_length=MAX_URL)
    events: tuple[EventKind, ...] | None = Field(default=None, min_length=1)
    segments: tuple[str, ...] | None = Field(
        default=None, max_length=1000, description="Only events of these segments; empty: of all. Runs are told anyway."
    )
    is_active: bool | None = None
    description: str | None = Field(default=None, max_length=1000)


class WebhookInfo(Wire):
    """A subscription. `secret`: told once, when it is made."""

    webhook_id: str
    url: str
    events: tuple[str, ...]
    segments: tuple[str, ...] = ()
    is_active: bool
    description: str | None = None
    secret: str | None = None


class DeliveryInfo(Wire):
    """An event on its way. `state`: pending, delivered, or dead: given up."""

    event_id: str
    kind: str
    run: int
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    made_utc: datetime
    next_attempt_utc: datetime | None = None
    last_attempt_utc: datetime | None = None
    last_status_code: int | None = None
    last_error: str | None = None
    payload: dict[str, Any]


@router.get("/webhooks", operation_id="list_webhooks", summary="All webhooks")
async def list_webhooks(hosted: Ruling, service: TheService) -> list[WebhookInfo]:
    """Without their secrets."""
    found = await asyncio.to_thread(Outbox(service.database).webhooks, hosted.id)
    return [_info(webhook) for webhook in found]


@router.get("/webhooks/{webhookId}", operation_id="get_webhook", summary="One webhook")
async def get_webhook(hosted: Ruling, service: TheService, webhook_id: WebhookId) -> WebhookInfo:
    """Without its secret."""
    return _info(await asyncio.to_thread(Outbox(service.database).webhook, hosted.id, webhook_id))


@router.post("/webhooks", operation_id="create_webhook", summary="A new webhook", status_code=201)
async def create_webhook(hosted: Ruling, service: TheService, caller: TheCaller, body: WebhookBody) -> WebhookInfo:
    """It hears of what happens from now on. The answer has the secret to check signatures with; keep it."""
    if body.url is None:
        raise bad_request("is missing", where="url", hint="https://host/path")
    blank = Webhook("", hosted.id, "", (*RUNS, *SEGMENTS), None, "", active=True, description=None)
    made = await asyncio.to_thread(_made, hosted, service, body, blank, caller.principal)
    return _info(made, secret=True)


@router.patch("/webhooks/{webhookId}", operation_id="update_webhook", summary="Change a webhook")
async def update_webhook(
    hosted: Ruling, service: TheService, caller: TheCaller, webhook_id: WebhookId, body: WebhookBody
) -> WebhookInfo:
    """What is not said stays. An inactive one is told nothing, and what happens meanwhile is not made up for."""

    def changed() -> Webhook:
        outbox = Outbox(service.database)
        webhook = _changed(service, outbox.webhook(hosted.id, webhook_id), body)
        return outbox.change(webhook, caller.principal)

    return _info(await asyncio.to_thread(changed))


@router.post("/webhooks/{webhookId}/secret", operation_id="renew_webhook_secret", summary="Another secret")
async def renew_webhook_secret(
    hosted: Ruling, service: TheService, caller: TheCaller, webhook_id: WebhookId
) -> WebhookInfo:
    """From now on everything is signed with it, what waits included."""

    def renewed() -> Webhook:
        outbox = Outbox(service.database)
        webhook = outbox.webhook(hosted.id, webhook_id)
        return outbox.change(Webhook(**{**webhook.__dict__, "secret": new_secret()}), caller.principal)

    return _info(await asyncio.to_thread(renewed), secret=True)


@router.delete("/webhooks/{webhookId}", operation_id="delete_webhook", summary="Delete a webhook")
async def delete_webhook(hosted: Ruling, service: TheService, webhook_id: WebhookId) -> bool:
    """With all that is on its way."""
    await asyncio.to_thread(Outbox(service.database).unsubscribe, hosted.id, webhook_id)
    return True


@router.get("/webhooks/{webhookId}/deliveries", operation_id="list_deliveries", summary="What was sent, and was not")
async def list_deliveries(
    hosted: Ruling,
    service: TheService,
    webhook_id: WebhookId,
    state: Annotated[Literal["pending", "delivered", "dead"] | None, Query(description="Only of this state.")] = None,
    top: Annotated[int, Query(ge=1, le=1000, description="How many, the latest first.")] = 50,
) -> list[DeliveryInfo]:
    """Delivered and dead ones stay for a week."""

    def found() -> list[Delivery]:
        outbox = Outbox(service.database)
        outbox.webhook(hosted.id, webhook_id)
        return outbox.deliveries(webhook_id, state, top)

    return [_delivery(delivery) for delivery in await asyncio.to_thread(found)]


@router.post(
    "/webhooks/{webhookId}/deliveries/{eventId}/retry", operation_id="retry_delivery", summary="Send an event again"
)
async def retry_delivery(
    hosted: Ruling, service: TheService, webhook_id: WebhookId, event_id: Annotated[str, Path(alias="eventId")]
) -> DeliveryInfo:
    """Whatever became of it; with the same id, so that a receiver can tell."""

    def again() -> Delivery:
        outbox = Outbox(service.database)
        outbox.webhook(hosted.id, webhook_id)
        return outbox.retry(webhook_id, event_id, datetime.now(UTC))

    return _delivery(await asyncio.to_thread(again))


def _made(hosted: Hosted, service: Any, body: WebhookBody, blank: Webhook, by: str) -> Webhook:
    webhook = _changed(service, blank, body)
    last = next((run for run in hosted.store.runs(2) if run.state != "running"), None)
    return Outbox(service.database).subscribe(webhook, by, last)


def _changed(service: Any, webhook: Webhook, body: WebhookBody) -> Webhook:
    said: dict[str, Any] = dict(webhook.__dict__)
    if body.url is not None:
        _check(body.url, private=service.settings.webhook_private)
        said["url"] = body.url
    if body.events is not None:
        said["events"] = tuple(dict.fromkeys(body.events))
    if body.segments is not None:
        said["segments"] = tuple(dict.fromkeys(body.segments)) or None
    if body.is_active is not None:
        said["active"] = body.is_active
    if body.description is not None:
        said["description"] = body.description
    return Webhook(**said)


def _check(url: str, *, private: bool) -> None:
    """ServiceError 400 for an URL that nothing would be sent to; its address is checked anew before each attempt."""
    try:
        address_of(target_of(url, private=private), private=private)
    except QueryError as error:
        raise bad_request(error.message, where=error.where, hint=error.hint) from None


def _info(webhook: Webhook, *, secret: bool = False) -> WebhookInfo:
    return WebhookInfo.model_validate(
        {
            "webhookId": webhook.webhook_id,
            "url": webhook.url,
            "events": webhook.events,
            "segments": webhook.segments or (),
            "isActive": webhook.active,
            "description": webhook.description,
            "secret": webhook.secret if secret else None,
        }
    )


def _delivery(delivery: Delivery) -> DeliveryInfo:
    return DeliveryInfo.model_validate(
        {
            "eventId": delivery.event_id,
            "kind": delivery.kind,
            "run": delivery.run,
            "state": delivery.state,
            "attempts": delivery.attempts,
            "madeUtc": delivery.made,
            "nextAttemptUtc": delivery.next_at,
            "lastAttemptUtc": delivery.last_at,
            "lastStatusCode": delivery.last_status,
            "lastError": delivery.last_error,
            "payload": json.loads(delivery.body),
        }
    )
