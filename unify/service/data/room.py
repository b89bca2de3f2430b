"""OData over HTTP: which root, which question, and the way of an answer to the client."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, ClassVar

from unify.core.errors import UnifyError
from unify.service.asgi import JSON, ClientGoneError, Headers, Receive, Scope, Send, body_of, respond, stream
from unify.service.caller import Caller
from unify.service.data.errors import body_of as refusal_body
from unify.service.data.errors import refused
from unify.service.data.exchange import Inquiry, Reply, text_of
from unify.service.data.handling import handle
from unify.service.data.mount import TAKEN, Mount, mount_of
from unify.service.data.negotiate import version_or_newest
from unify.service.hot.front import answered

if TYPE_CHECKING:
    from unify.service.app import Service

WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


class DataRoom:
    """`…/instances/{id}/data/…` and `/odata/{id}/…`."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return TAKEN.match(path) is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room. What blocks is given up when the client goes away."""
        if await answered(self._service, scope, send, caller):
            return
        mount, path = mount_of(scope, self._service.settings.public_url)
        method = scope["method"]
        body = await body_of(receive, self._service.settings.limits.body_bytes) if method in WITH_BODY else b""
        inquiry = Inquiry(method, path, scope["query_string"], text_of(scope["headers"]), body)
        working = asyncio.ensure_future(self._reply(mount, inquiry, send, caller))
        watching = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientGoneError
            working.result()
        finally:
            for task in (working, watching):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await working

    async def _reply(self, mount: Mount, inquiry: Inquiry, send: Send, caller: Caller) -> None:
        try:
            reply = await handle(self._service, mount, caller, inquiry)
        except UnifyError as error:
            reply = refused(error, vendor=mount.vendor)
            reply.headers.append((b"odata-version", version_or_newest(inquiry).encode()))
        await answer_with(send, reply, head=inquiry.method == "HEAD")

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        vendor = not scope["path"].startswith("/odata")
        return refusal_body(error, status, vendor=vendor), [JSON, (b"odata-version", b"4.0")]


async def answer_with(send: Send, reply: Reply, *, head: bool = False) -> None:
    """A reply on its way; of `head` only the headers."""
    if reply.parts is not None:
        await stream(send, reply.status, reply.parts, reply.headers)
    elif head:
        length = (b"content-length", b"%d" % len(reply.body))
        await send({"type": "http.response.start", "status": reply.status, "headers": [*reply.headers, length]})
        await send({"type": "http.response.body", "body": b""})
    elif reply.status in (204, 304):
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": b""})
    else:
        await respond(send, reply.status, reply.body, reply.headers)


async def _gone(receive: Receive) -> None:
    """Ends when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
