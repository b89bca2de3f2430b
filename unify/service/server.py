"""The server: one socket, worker processes that share it, and a supervisor that keeps them alive.

    supervisor ─ listens, forks ─▶ worker 1 … N: uvicorn over Service
               └─ starts ─▶ side processes (the runner of jobs)

The supervisor imports everything and opens nothing: workers are forks of it, so that code and libraries are in memory
once, and a worker that dies is replaced in milliseconds. It ends its children when it is asked to end; when it is
killed, they notice and end by themselves.
"""

import contextlib
import gc
import logging
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Final

from unify.core.errors import StoreError, UnifyError
from unify.service.database import FOLDER
from unify.service.operations.log import configure, logger
from unify.service.operations.metrics import share
from unify.service.settings import Settings

BACKLOG: Final = 2048
GRACE_S: Final = 20.0
"""From asking workers to end until they are killed, unless `limits.seconds` is longer: then that."""
KEEP_ALIVE_S: Final = 75
"""An idle connection is kept so long: longer than the 60 s of most proxies, so that they close it, not we."""
YOUNG_S: Final = 5.0
"""A process that ends younger than that is started again more and more slowly."""
PAUSES: Final = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a start, by how many starts in a row ended young."""
WARM_S: Final = 2.0
"""A worker waits so long for snapshots that are on disk: until it has one, its answers take DuckDB."""
POLL_S: Final = 0.5
"""Longest time between two looks at the children; signals are seen at once."""


@dataclass
class _Child:
    """A process that shall be there. `start` gives its id."""

    name: str
    start: Callable[[], int]
    pid: int = 0
    began: float = 0.0
    young: int = 0
    due: float = 0.0


@dataclass(frozen=True)
class Side:
    """A program that runs beside the workers, and is started again when it ends."""

    name: str
    argv: Sequence[str]


def serve(settings: Settings, sides: Sequence[Side] = (), *, announce: Callable[[str], None] = lambda url: None) -> int:
    """Answer until SIGTERM or SIGINT; the exit code: 0, or 1 when no worker came up.

    announce  called with the URL as soon as requests are answered

    StoreError when the address cannot be listened on.
    """
    configure(settings)
    with contextlib.closing(listen(settings)) as listening:
        share(settings.root / FOLDER / "metrics")
        return _Supervisor(settings, listening, sides, announce).run()


def listen(settings: Settings) -> socket.socket:
    """The bound socket. StoreError with the reason when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        hint = "choose another: --port 0 takes a free one"
        raise StoreError(f"cannot listen there: {error.strerror or error}", where=where, hint=hint) from None


def url_of(settings: Settings, listening: socket.socket) -> str:
    """Where it answers."""
    host, port = listening.getsockname()[:2]
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


class _Supervisor:
    def __init__(
        self, settings: Settings, listening: socket.socket, sides: Sequence[Side], announce: Callable[[str], None]
    ) -> None:
        self._settings, self._listening, self._announce = settings, listening, announce
        self._ready, self._tell = os.pipe()
        self._alive, self._held = os.pipe()
        """Nobody writes there: it ends for the workers when the supervisor does."""
        self._stopping = False
        self._told = False
        self._failed = False
        workers = [_Child(f"worker {n + 1}", self._fork) for n in range(settings.workers)]
        self._children = [*workers, *(_Child(side.name, partial(_started, side)) for side in sides)]

    def run(self) -> int:
        _load()
        gc.collect()
        gc.freeze()  # what is there now is never looked through again: its pages stay shared
        with self._signals() as woken:
            while not self._stopping:
                self._start_due()
                self._wait(woken)
                self._reap()
            self._end(woken)
        gc.unfreeze()
        return 1 if self._failed else 0

    # ── children ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and now >= child.due:
                child.began, child.pid = now, child.start()

    def _fork(self) -> int:
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.close(self._ready)
            os.close(self._held)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)  # until the server takes them, and after it gave them back
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = work(self._settings, self._listening, self._alive, self._tell)
        except UnifyError as error:
            print(f"unify serve: {error}", file=sys.stderr, flush=True)
        except BaseException:
            logger.exception("worker failed")
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            now = time.monotonic()
            child.pid = 0
            child.young = min(child.young + 1, len(PAUSES) - 1) if now - child.began < YOUNG_S else 0
            child.due = now + PAUSES[child.young]
            if self._stopping:
                continue
            code = os.waitstatus_to_exitcode(status)
            logger.error("process ended", side=child.name, code=code)
            if not self._told and child.name.startswith("worker"):
                self._failed = self._stopping = True  # it never came up: starting it again would hide why

    def _wait(self, woken: int) -> None:
        ready = [woken] if self._told else [woken, self._ready]
        found, _, _ = select.select(ready, [], [], POLL_S)
        if woken in found:
            seen = os.read(woken, 64)
            self._stopping = self._stopping or signal.SIGTERM in seen or signal.SIGINT in seen
        if self._ready in found and os.read(self._ready, 1):
            self._told = True
            self._announce(url_of(self._settings, self._listening))

    def _end(self, woken: int) -> None:
        """Ask all to end, wait, kill who did not; at once when a second signal comes."""
        self._send(signal.SIGTERM)
        until = time.monotonic() + self._grace
        while any(child.pid for child in self._children):
            found, _, _ = select.select([woken], [], [], 0.02)
            again = bool(found) and bool({signal.SIGTERM, signal.SIGINT} & set(os.read(woken, 64)))
            self._reap()
            if again or time.monotonic() > until:
                self._send(signal.SIGKILL)
                until = math.inf

    def _send(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    @property
    def _grace(self) -> float:
        return max(GRACE_S, self._settings.limits.seconds) + 5

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """A descriptor that holds the numbers of signals seen."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        signal.set_wakeup_fd(wake)
        try:
            yield woken
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (woken, wake):
                os.close(descriptor)


def _started(side: Side) -> int:
    """No `subprocess`: its objects wait for children too, and would take the exit code from us."""
    argv = list(side.argv)
    return os.posix_spawn(
        argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    )


def _load() -> None:
    """Import what workers need, so that they share it."""
    for name in ("unify.service.app", "unify.service.protocol", "uvicorn.loops.auto", "uvicorn.lifespan.on"):
        import_module(name)


# ── a worker ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def work(settings: Settings, listening: socket.socket, alive: int, tell: int) -> int:
    """Answer until a signal says to end, or the descriptor `alive` does; the exit code.

    tell  a byte is written there when requests are answered
    """
    import asyncio

    import uvicorn

    from unify.service.app import Service
    from unify.service.protocol import protocol_of

    _log_as_we_do()
    limits = settings.limits
    service = Service(settings)
    service.hot.warm(WARM_S)
    config = uvicorn.Config(
        service,
        lifespan="on",
        http=protocol_of(limits.header_seconds, limits.url_bytes, limits.connections, service.lane.answer),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(max(GRACE_S, limits.seconds)),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )
    server = uvicorn.Server(config)

    def orphaned() -> None:
        server.should_exit = True
        loop.remove_reader(alive)

    async def answering() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if server.started:
            loop.add_reader(alive, orphaned)
            os.write(tell, b".")
        await serving

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        loop = runner.get_loop()
        runner.run(answering())
    return 0 if server.started else 1


class _Ours(logging.Handler):
    """What the server has to say, without its texts: they may quote what was asked."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        logger.error("server", reason=record.module, exc_info=record.exc_info)


def _log_as_we_do() -> None:
    theirs = logging.getLogger("uvicorn")
    theirs.handlers, theirs.propagate = [_Ours(logging.ERROR)], False


def sides_of(settings: Settings) -> list[Side]:
    """What runs beside the workers."""
    if not settings.jobs:
        return []
    from unify.service.jobs.runner import command

    return [Side("jobs", command(settings))]
