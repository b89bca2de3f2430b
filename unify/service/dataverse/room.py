"""The Web API over HTTP: which root, who asks, and the way of an answer to the client."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import uuid4

from unify.core.errors import UnifyError
from unify.instance import Instance
from unify.service.access.tally import tally
from unify.service.asgi import ClientGoneError, Headers, Receive, Scope, Send, body_of, respond
from unify.service.caller import Caller, Role
from unify.service.data.exchange import Inquiry, Reply, text_of
from unify.service.dataverse.batch import batch
from unify.service.dataverse.chunks import LARGEST
from unify.service.dataverse.errors import body_of as refusal_body
from unify.service.dataverse.errors import refusal_headers, refused
from unify.service.dataverse.handling import handled
from unify.service.dataverse.mount import TAKEN, Mount, mount_of
from unify.service.dataverse.preferences import preferences_of
from unify.service.dataverse.session import Session, correlation_of
from unify.service.errors import ServiceError
from unify.service.management.depends import hosted_for

if TYPE_CHECKING:
    from unify.service.app import Service

WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
BATCH: Final = (b"$batch", b"%24batch")
TOO_MANY: Final = "0x80072322"
"""Number of requests exceeded the limit."""
VARY: Final = (b"vary", b"accept, authorization, ocp-apim-subscription-key, odata-maxversion, prefer")


class DataverseRoom:
    """`/api/data/v9.x/…` and `/instances/{id}/api/data/v9.x/…`."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return TAKEN.match(path) is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room. A question is given up when its client goes away; a write is not."""
        scope["unify.route"] = "/api/data/v9.x/…"
        inquiry = Inquiry(scope["method"], b"", scope["query_string"], text_of(scope["headers"]))
        try:
            mount, path = await asyncio.to_thread(mount_of, scope, self._service)
            scope["unify.instance"] = mount.instance
            body = await body_of(receive, self._most(inquiry)) if inquiry.method in WITH_BODY else b""
            asked = Inquiry(inquiry.method, path, inquiry.query, inquiry.headers, body)
            reply = await self._watched(receive, mount, caller, asked)
        except UnifyError as error:
            reply = refused(error, preferences_of(inquiry.headers).annotation)
        tally(reply.rows)
        await _sent(send, _with_ids(reply, inquiry), head=inquiry.method == "HEAD")

    def _most(self, inquiry: Inquiry) -> int:
        """Bytes of a body: a file column's may be longer."""
        limits = self._service.settings.limits
        plain = inquiry.media in ("application/json", "multipart/mixed", "")
        return limits.body_bytes if plain or inquiry.method == "POST" else max(limits.body_bytes, LARGEST)

    async def _watched(self, receive: Receive, mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
        working = asyncio.ensure_future(self._reply(mount, caller, inquiry))
        watching = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGoneError
            return working.result()
        finally:
            for task in (working, watching):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await working

    async def _reply(self, mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
        hosted = await asyncio.to_thread(hosted_for, self._service, caller, mount.instance, Role.READER)
        if inquiry.method == "POST" and inquiry.path in BATCH:
            return await batch(self._service, hosted, mount, caller, inquiry)

        def work(instance: Instance) -> Reply:
            session = Session(
                mount=mount, caller=caller, policy=hosted.policy(caller), instance=instance,
                limits=self._service.settings.limits, correlation=correlation_of(inquiry.headers),
            )  # fmt: skip
            made = handled(session, inquiry)
            session.settle()
            return made

        return await hosted.ask_as(caller, work)

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room. What is refused here was refused at the gate: a 429 is that of a key that has asked too often."""
        wanted = preferences_of(text_of(scope["headers"])).annotation
        if isinstance(error, ServiceError) and status == 429:
            error.key = TOO_MANY
        return refusal_body(error, status, wanted), refusal_headers()


def _with_ids(reply: Reply, inquiry: Inquiry) -> Reply:
    """With the headers that every answer has."""
    id_ = str(uuid4()).encode()
    said = reply.header(b"req_id") or id_
    reply.headers = [pair for pair in reply.headers if pair[0] not in (b"req_id", b"odata-version")]
    reply.headers += [(b"odata-version", b"4.0"), VARY, (b"x-ms-service-request-id", said), (b"req_id", said)]
    client = inquiry.header("x-ms-client-request-id")
    if client is not None:
        reply.headers.append((b"x-ms-client-request-id", correlation_of(inquiry.headers).encode()))
    return reply


async def _sent(send: Send, reply: Reply, *, head: bool) -> None:
    """A reply on its way; of `head` only the headers."""
    if head and reply.status not in (204, 304):
        length = (b"content-length", b"%d" % len(reply.body))
        await send({"type": "http.response.start", "status": reply.status, "headers": [*reply.headers, length]})
        await send({"type": "http.response.body", "body": b""})
    else:
        await respond(send, reply.status, reply.body, reply.headers)


async def _gone(receive: Receive) -> None:
    """Ends when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
