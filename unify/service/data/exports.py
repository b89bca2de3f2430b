"""Whole sets, streamed: a thread of the pool reads them, a few batches ahead of what the client takes.

    pool thread ─batches─▶ queue of 4 ─▶ event loop ─▶ client

A client that is slow makes the thread wait; one that takes nothing for a minute, or goes away, ends it. Exports have
threads of the pool to themselves, less than all of them, so that questions are answered meanwhile.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

from segments.odata.answers.export import NotASetError
from unify.instance import Instance
from unify.service.access.tally import tally
from unify.service.asgi import ClientGoneError, Headers
from unify.service.caller import Caller
from unify.service.data.exchange import Inquiry, Reply
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.verbs.odata import Exporting

if TYPE_CHECKING:
    from unify.service.app import Service

AHEAD: Final = 4
"""Batches of about 2 MB that wait for a client."""
STALLED_S: Final = 60.0
"""That a client may take nothing at all."""
LOOK_S: Final = 0.2
"""How often a waiting thread looks whether somebody still wants its batch."""
Start = Callable[[Instance], tuple[Exporting, Headers]]


class Feed:
    """From one thread to one coroutine, with an end."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Any] = asyncio.Queue(AHEAD)
        self._gone = threading.Event()

    def put(self, item: Any) -> None:
        """From the thread; ClientGoneError when nobody takes it any more."""
        future = asyncio.run_coroutine_threadsafe(self._queue.put(item), self._loop)
        until = time.monotonic() + STALLED_S
        while True:
            try:
                return future.result(LOOK_S)
            except TimeoutError:
                if self._gone.is_set() or time.monotonic() > until:
                    future.cancel()
                    raise ClientGoneError from None

    async def get(self, source: "asyncio.Task[None]") -> Any:
        """The next item; the error of the source when it failed, None when it is at its end."""
        taking = asyncio.ensure_future(self._queue.get())
        await asyncio.wait((taking, source), return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            return taking.result()
        taking.cancel()
        source.result()  # raises
        return self._queue.get_nowait() if not self._queue.empty() else None

    def leave(self) -> None:
        """Nobody takes anything any more."""
        self._gone.set()


async def exported(service: "Service", hosted: Hosted, caller: Caller, start: Start, inquiry: Inquiry) -> Reply:
    """The reply whose parts are the export. All that can be wrong with the question is raised here.

    ServiceError 429 when as many exports are at work as may be.
    """
    if inquiry.in_batch:
        raise bad_request("an export stands alone, not in a batch", where="$batch", hint="ask for it by itself")
    limits = service.settings.limits
    if service.exports >= limits.exports:
        message = f"{service.exports} exports are at work already"
        raise ServiceError(429, message, hint="ask again later", headers={"Retry-After": "10"})
    feed = Feed()
    only_head = inquiry.method == "HEAD"

    rows = [0]

    def work(acme: Instance) -> None:
        made, headers = start(acme)
        feed.put(headers)
        if not only_head:
            for part in made.parts():
                rows[0] = made.rows[0]
                feed.put(part)

    service.exports += 1
    source = asyncio.ensure_future(hosted.ask_as(caller, work, seconds=limits.export_seconds))
    source.add_done_callback(lambda task: _ended(service, task))
    try:
        headers = await feed.get(source)
    except BaseException:
        feed.leave()
        source.cancel()
        raise
    return Reply(200, headers=headers, parts=None if only_head else _parts(feed, source, rows))


def _ended(service: "Service", source: "asyncio.Future[None]") -> None:
    service.exports -= 1
    if not source.cancelled():
        source.exception()  # somebody has seen it


async def _parts(feed: Feed, source: "asyncio.Task[None]", rows: list[int]) -> AsyncIterator[bytes]:
    try:
        while (part := await feed.get(source)) is not None:
            yield part
        await source
    finally:
        tally(rows[0])
        feed.leave()
        source.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await source


__all__ = ["Feed", "NotASetError", "exported"]
