"""HTTP over one connection: the server's protocol, and what it does not limit by itself.

A client that sends a byte now and then, a head without end, or nothing at all, holds a connection. Here each has its
end: the head of a request has `seconds` in all and so many bytes, and of its body a part has to come every `seconds`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

Whole = tuple[int, bytes, bytes]
LANES: Final = b"/Customer"
"""In every URL that is answered at once: others are not looked at."""
HEADERS_BYTES: Final = 32 * 2**10
"""Of all headers together; beside them stands the URL, which has a limit of its own."""


CLOSER: Final = frozenset((b"connection", b"transfer-encoding"))
REFUSAL: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
)
LONG_HEAD: Final = (b"431 Request Header Fields Too Large", b"the head of the request is too long")


def protocol_of(
    seconds: float, url_bytes: int, connections: int, lane: Callable[[Any], Whole | None] = lambda scope: None
) -> type[HttpToolsProtocol]:
    """The protocol with these limits; whoever connects beyond `connections` is answered with 503.

    lane   status, headers and body of a GET that is answered at once; None: the application answers. See hot/lane.py
    """

    class Limited(_Limited):
        limit_seconds, limit_head, limit_url = seconds, url_bytes + HEADERS_BYTES, url_bytes
        limit_connections = connections
        at_once = staticmethod(lane)

    return Limited


class _Cycle(RequestResponseCycle):
    """One request and its answer, where the answer is whole: head and body in one write.

    The server looks at every header with two patterns, which is a third of the cost of a hot answer. Here the whole
    head is looked at once. Anything unusual is left to the server's own way.
    """

    _begun: Any = None

    async def send(self, message: Any) -> None:
        """See RequestResponseCycle."""
        if not self.response_started and message["type"] == "http.response.start" and self.scope["method"] != "HEAD":
            self._begun, self.response_started, self.waiting_for_100_continue = message, True, False
            return
        begun, self._begun = self._begun, None
        if begun is None:
            await super().send(message)
            return
        body = message.get("body", b"")
        head = None if message.get("more_body") or self.flow.write_paused else self._head(begun, len(body))
        if head is None or message["type"] != "http.response.body":
            self.response_started = False
            await super().send(begun)
            await super().send(message)
        elif not self.disconnected:
            self.transport.write(head + body)
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _head(self, begun: Any, length: int) -> bytes | None:
        """The head as bytes; None when something in it takes a closer look."""
        parts = [STATUS_LINE[begun["status"]]]
        headers = [*self.default_headers, *begun["headers"]]
        said = -1
        for name, value in headers:
            if name == b"content-length":
                said = int(value)
            elif name in CLOSER:
                return None
            parts += (name, b": ", value, b"\r\n")
        head = b"".join(parts)
        lines = len(headers) + 1
        if said != length or head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
            return None
        return head + (b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")


class _Starts:
    """What answers begin with, by status, while the server says the same `of` them all."""

    def __init__(self) -> None:
        self.of: Any = None
        self.texts: dict[int, bytes] = {}


_starts: Final = _Starts()


class _Limited(HttpToolsProtocol):
    limit_seconds: float
    limit_head: int
    limit_url: int
    limit_connections: int
    at_once: Callable[[Any], Whole | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = self._part = 0
        self._beyond = self._answered = False
        self._in_head = self._in_request = True  # of the first one nothing has come yet
        self._done = False
        """The request at hand has its answer, from the lane."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._beyond = len(self.connections) > self.limit_connections
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._part = len(data)
        self._head += self._part
        super().data_received(data)
        if self._in_request:
            if self._in_head and self._head > self.limit_head:
                self._refuse(*LONG_HEAD)
            elif self._deadline is None or not self._in_head:
                self._wait()  # a body that keeps coming may go on
        elif self._idle and self.timeout_keep_alive_task is None:
            if self._answered:
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
            else:
                self._wait()  # blank lines between two requests: the server has forgotten its own limit
        self._answered = False

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._head = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._beyond:
            self._refuse(b"503 Service Unavailable\r\nretry-after: 1", b"there are too many connections")
        elif len(self.url) > self.limit_url:
            self._refuse(b"414 URI Too Long", b"the URL is longer than %d bytes" % self.limit_url)
        elif self._part > HEADERS_BYTES and sum(len(k) + len(v) for k, v in self.headers) > HEADERS_BYTES:
            self._refuse(*LONG_HEAD)
        elif not self._answer_at_once():
            super().on_headers_complete()
            if self.cycle is not None and type(self.cycle) is RequestResponseCycle:
                self.cycle.__class__ = _Cycle  # its task begins with the next turn of the loop

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_request = False
        self._stop()
        if self._done:
            self._done = False
        elif not self.transport.is_closing():
            super().on_message_complete()

    def _answer_at_once(self) -> bool:
        """The answer of the lane in one write, when no other is under way and nothing about the request is unusual."""
        parser, url = self.parser, self.url
        if (
            LANES not in url
            or parser.get_method() != b"GET"
            or not self._idle
            or not parser.should_keep_alive()
            or parser.get_http_version() != "1.1"
            or self.flow.write_paused
            or not url.isascii()
            or b"#" in url
        ):
            return False
        scope: Any = self.scope
        scope["method"] = "GET"
        scope["raw_path"], _, scope["query_string"] = url.partition(b"?")
        whole = self.at_once(scope)
        if whole is None:
            return False
        status, head, body = whole
        self.transport.write(b"".join((self._start(status), head, b"\r\n", body)))
        self.server_state.total_requests += 1
        self._answered = self._done = True
        return True

    def _start(self, status: int) -> bytes:
        """The status line, and the headers of every answer: the date, renewed by the server each second."""
        said = self.server_state.default_headers
        if _starts.of is not said:
            _starts.of, _starts.texts = said, {}
        found = _starts.texts.get(status)
        if found is None:
            lines = b"".join(b"%b: %b\r\n" % line for line in said)
            found = _starts.texts[status] = STATUS_LINE[status] + lines
        return found

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._stop()
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.limit_seconds, self._late)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._in_request and self._in_head and self._head:
            self._refuse(b"408 Request Timeout", b"the request did not come whole in time")
        else:
            self.transport.close()  # nothing was said yet, or an answer may have begun

    def _refuse(self, status: bytes, why: bytes) -> None:
        """Say why, unless that would stand in the middle of another answer; and close."""
        if self.transport.is_closing():
            return
        if self._idle:
            self.transport.write(REFUSAL % (status, len(why)) + why)
        else:
            self.cycle.disconnected = True  # what it still has to say has nowhere to go
            self.cycle.message_event.set()
        self.transport.close()
