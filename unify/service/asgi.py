"""ASGI in the few shapes that the hand-written routes need: read a body, answer with bytes, stream."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import orjson

from unify.service.errors import ServiceError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BARE = (204, 304)
"""Of a 304 the length would be that of the answer that is not sent (RFC 9110, 8.6)."""
JSON = (b"content-type", b"application/json")


class ClientGoneError(Exception):
    """The client went away in the middle of its request."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first value of a request header; `name` in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


async def body_of(receive: Receive, most: int) -> bytes:
    """The whole body; ServiceError 413 when it is longer than `most` bytes, ClientGoneError."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise ServiceError(413, f"the body is longer than {most} bytes", key="bodyTooLarge")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def respond(send: Send, status: int, body: bytes = b"", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """One whole answer. `content-length` is added, unless there can be no content; a content type is the caller's."""
    length = [(b"content-length", b"%d" % len(body))] if status not in BARE else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body})


async def respond_json(send: Send, status: int, value: Any, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """The same with a value as JSON."""
    await respond(send, status, orjson.dumps(value), [JSON, *headers])


async def stream(
    send: Send, status: int, parts: AsyncIterator[bytes], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """An answer of unknown length, part by part."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    async for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
