"""HTTP over one connection: the server's protocol, and what it does not limit by itself.

A client that sends a byte now and then, a head without end, or nothing at all, holds a connection. Here each has its
end: the head of a request has `seconds` in all and so many bytes, and of its body a part has to come every `seconds`.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_BYTES: Final = 32 * 2**10
"""Of all headers together; beside them stands the URL, which has a limit of its own."""


REFUSAL: Final = (
    b"HTTP/1.1 %s\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
)
LONG_HEAD: Final = (b"431 Request Header Fields Too Large", b"the head of the request is too long")


def protocol_of(seconds: float, url_bytes: int) -> type[HttpToolsProtocol]:
    """The protocol with these limits."""

    class Limited(_Limited):
        limit_seconds, limit_head, limit_url = seconds, url_bytes + HEADERS_BYTES, url_bytes

    return Limited


class _Limited(HttpToolsProtocol):
    limit_seconds: float
    limit_head: int
    limit_url: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = self._part = 0
        self._in_head = self._in_request = True  # of the first one nothing has come yet

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
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
            self._wait()  # blank lines between two requests: the server has forgotten its own limit

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._head = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.url) > self.limit_url:
            self._refuse(b"414 URI Too Long", b"the URL is longer than %d bytes" % self.limit_url)
        elif self._part > HEADERS_BYTES and sum(len(k) + len(v) for k, v in self.headers) > HEADERS_BYTES:
            self._refuse(*LONG_HEAD)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_request = False
        self._stop()
        if not self.transport.is_closing():
            super().on_message_complete()

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
        self.transport.close()
