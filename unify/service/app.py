"""The service as one ASGI application: the composition of rooms, and what every request passes.

    request ─▶ room by path ─▶ gate: who asks ─▶ room.answer ─▶ answer
                                  └──── any error ─▶ room.refusal

One per worker process. The rooms share a database, a pool of threads, and the instances under one root.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from time import perf_counter

from unify.service.access.gate import Gate
from unify.service.access.guard import Guard
from unify.service.access.headers import check_request, secured
from unify.service.access.record import Record
from unify.service.access.room import AccessRoom
from unify.service.access.tally import begin
from unify.service.asgi import ClientGoneError, Message, Receive, Scope, Send, respond
from unify.service.caller import OPEN, Caller
from unify.service.data.room import DataRoom
from unify.service.database import ServiceDatabase
from unify.service.dataverse.custom_setup import set_up_custom_apis
from unify.service.dataverse.room import DataverseRoom
from unify.service.errors import status_of
from unify.service.hot.answer import Hot
from unify.service.hot.lane import Lane
from unify.service.hot.room import MembershipRoom
from unify.service.management.pages import PagesRoom
from unify.service.management.room import ManagementRoom
from unify.service.operations.log import SLOW_MS, configure, logger
from unify.service.operations.metrics import Meter
from unify.service.operations.room import OperationsRoom
from unify.service.packages.files_room import FilesRoom
from unify.service.packages.room import PackageRoom
from unify.service.pool import Pool
from unify.service.roof import Roof
from unify.service.room import Room
from unify.service.settings import Settings


class Service:
    """Call it as an ASGI application, or enter it (`async with`) where no server sends lifespan events."""

    def __init__(self, settings: Settings) -> None:
        limits = settings.limits
        self.settings = settings
        configure(settings)
        self.meter = Meter()
        self.all_lines = settings.log_level == "debug"
        """Whether every request has a line in the log."""
        settings.root.mkdir(parents=True, exist_ok=True)
        self.database = ServiceDatabase(settings.root)
        set_up_custom_apis(settings, self.database)
        self.pool = Pool(threads=limits.questions, waiting=limits.waiting, seconds=limits.seconds, memory=limits.memory)
        self.guard = Guard(self.database)
        self.roof = Roof(settings.root, self.pool, self.guard)
        self.gate = Gate(settings, self.guard)
        self.record = Record(settings, self.guard)
        self.hot = Hot(self)
        self.lane = Lane(self)
        self.exports = 0
        """Of whole sets, at work in this process."""
        self.rooms: tuple[Room, ...] = (
            FilesRoom(self),
            PackageRoom(self),  # …/data/DataManagement… is its own, under a prefix of the next
            DataverseRoom(self),
            DataRoom(self),
            OperationsRoom(self),
            AccessRoom(self),
            MembershipRoom(self),
            PagesRoom(self),
            ManagementRoom(self),  # takes what no other does
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One event stream of the server: its life, or one request."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status, sealed = perf_counter(), 0, False
        caller: Caller | None = None
        rows = begin()

        async def sending(message: Message) -> None:
            nonlocal status, sealed
            if message["type"] == "http.response.start":
                if not sealed and self.record.must_seal(scope, caller, message["status"]):
                    sealed = True  # tried once: the refusal, when it cannot be, goes out
                    await self.record.seal(scope, caller, message["status"], perf_counter() - began)
                status = message["status"]
                message["headers"] = secured(message["headers"], tls=scope.get("scheme") == "https")
            await send(message)

        path = scope["path"]
        room = next(room for room in self.rooms if room.takes(path))
        try:
            check_request(scope, self.settings)
            caller = OPEN if room.public else await self.gate.caller(scope)
            await room.answer(scope, receive, sending, caller)
        except ClientGoneError:
            status = 499
        except Exception as error:
            known = status_of(error)
            if known == 500:
                logger.exception("failed", **_about(scope, room))
            if status:  # it is out already: all that can be said is that the answer is not whole
                raise
            body, headers = room.refusal(scope, error, known)
            extra = [(k.lower().encode(), v.encode()) for k, v in getattr(error, "headers", {}).items()]
            await respond(sending, known, body, [*headers, *extra])
        finally:
            self._note(scope, room, status, perf_counter() - began)
            scope["unify.rows"] = rows[0]
            self.gate.answered(scope)
            if not (sealed or room.public):
                await self.record.note(scope, caller, status, perf_counter() - began)

    def _note(self, scope: Scope, room: Room, status: int, seconds: float) -> None:
        self.note(_about(scope, room), status, seconds)

    def note(self, about: Mapping[str, str], status: int, seconds: float) -> None:
        """One answer in metrics, and in the log where it has a line. `about`: room, route, method."""
        self.meter.observe(about["room"], about["route"], about["method"], status, seconds)
        ms = seconds * 1000
        if status >= 400 or ms > SLOW_MS:
            logger.info("answered", status=status, ms=round(ms, 3), **about)
        elif self.all_lines:  # asked here, since a line that is not written costs 10 µs all the same
            logger.debug("answered", status=status, ms=round(ms, 3), **about)

    async def _live(self, receive: Receive, send: Send) -> None:
        async with contextlib.AsyncExitStack() as life:
            await receive()
            try:
                await life.enter_async_context(self)
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def __aenter__(self) -> "Service":
        self._life = contextlib.AsyncExitStack()
        await self._life.enter_async_context(self._open())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._life.aclose()

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.hot.close()
            self.pool.close()
            self.record.audit.close()
            self.guard.close()


def _about(scope: Scope, room: Room) -> dict[str, str]:
    """Room, route and method: never a path, which has ids and questions in it."""
    route = scope.get("unify.route") or getattr(scope.get("route"), "path", "-")
    return {"room": type(room).__name__.removesuffix("Room").lower(), "route": route, "method": scope["method"]}
