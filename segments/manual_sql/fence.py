"""The parent's side of the fenced process: start it, read its frames, end it in time, and say why it ended."""

import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self
from zoneinfo import ZoneInfo

from segments.manual_sql.allowed import CLOCK
from segments.manual_sql.handover import Handed, Tables, put_tables
from segments.manual_sql.problems import ManualSqlError, SqlProblem
from unify.core.errors import QueryError, StoreError

RUNNER = Path(__file__).with_name("runner.py")
GiB, MiB = 2**30, 2**20
CHECK_MEMORY = 256 * MiB
"""A syntax tree and a plan need less than 10 MiB; unclosed parentheses in their thousands would take gigabytes."""
KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Where some Pythons find their own library; everything else of the environment stays outside."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a user's SQL may cost.

    memory         bytes DuckDB may use; nothing is spilled to disk
    seconds        by the wall clock, of a run; the same of processor time per thread
    check_seconds  by the wall clock, of a check; it reads no data
    threads        one gives the same answer each time, also for sums of doubles and `first` without an order
    input_bytes    of the tables handed over: columns that the SQL names
    answer_bytes   of the answer
    length         of the SQL, in characters
    """

    memory: int = 1 * GiB
    seconds: int = 60
    check_seconds: int = 10
    threads: int = 1
    input_bytes: int = 8 * GiB
    answer_bytes: int = 256 * MiB
    length: int = 50_000

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise QueryError(f"a limit of {getattr(self, name)} lets nothing through", where=name, hint="1 or more")


@dataclass(frozen=True, slots=True)
class Moment:
    """The clock that SQL sees: `now()` in UTC, and the day it is then in a time zone."""

    clock: datetime
    timezone: str = "UTC"

    def request(self) -> dict[str, Any]:
        """As the child is told."""
        utc = self.clock if self.clock.tzinfo is None else self.clock.astimezone(ZoneInfo("UTC"))
        local = utc.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(self.timezone))
        return {
            "now": utc.replace(tzinfo=None).isoformat(sep=" "),
            "today": local.date().isoformat(),
            "clock": sorted(CLOCK),
        }


class Fence:
    """One fenced process: one run, or checks one after the other. It is dead when the `with` is left, however."""

    def __init__(self, tables: Tables, moment: Moment, limits: Limits, **request: Any) -> None:
        self.limits = limits
        self.seconds = limits.check_seconds if request["do"] == "check" else limits.seconds
        memory = min(limits.memory, CHECK_MEMORY) if request["do"] == "check" else limits.memory
        costs = {"memory": memory, "threads": limits.threads, "seconds": self.seconds, "path": _path()}
        self._request = request | moment.request() | costs
        self._tables = tables
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Hand the tables over and start. StoreError when the folder for temporary files has no room."""
        try:
            with tempfile.TemporaryFile(prefix="unify-sql-") as file:
                handed = put_tables(file, self._tables, self.limits.input_bytes)
                self._spawn(file, handed)
        except OSError as error:
            hint = "SQL segments are handed their tables in a temporary file; set TMPDIR to a folder with room"
            raise StoreError(f"cannot start: {error.strerror}", where=tempfile.gettempdir(), hint=hint) from error
        try:
            self.ask()
        except BaseException:
            self.end()
            raise
        return self

    def _spawn(self, file: IO[bytes], handed: Handed) -> None:
        request = json.dumps(self._request | {"tables": handed}).encode()
        offset = file.seek(0, os.SEEK_END)
        file.write(request)
        file.flush()
        self._deadline = monotonic() + self.seconds
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(RUNNER), str(file.fileno()), str(offset), str(len(request))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
            cwd="/",
            pass_fds=(file.fileno(),),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the process. Ending it twice is harmless."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process; it is there once the fence was entered."""
        assert self._process is not None
        return self._process

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    def send(self, data: bytes) -> None:
        """A frame to the process, which has as long for it as for any other."""
        assert self.process.stdin is not None
        self._deadline = monotonic() + self.seconds
        try:
            self.process.stdin.write(struct.pack(">Q", len(data)) + data)
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def ask(self) -> dict[str, Any]:
        """The next answer."""
        found: dict[str, Any] = json.loads(self.frame(64 * MiB))
        return found

    def frame(self, most: int) -> bytes:
        """The next frame, of at most so many bytes; ManualSqlError when the process ends or is late."""
        (length,) = struct.unpack(">Q", self._read(8))
        if length > most:
            raise ManualSqlError([SqlProblem("unknown", f"the answer has {length:,} bytes; at most {most:,}")])
        return self._read(length)

    def _read(self, length: int) -> bytes:
        assert self.process.stdout is not None
        out = self.process.stdout.fileno()
        data = bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while len(data) < length:
                left = self._deadline - monotonic()
                if left <= 0 or not selector.select(left):
                    raise ManualSqlError([_too_long(self.seconds)])
                piece = os.read(out, min(length - len(data), MiB))
                if not piece:
                    raise self._died()
                data += piece
        return bytes(data)

    def _died(self) -> ManualSqlError:
        code = self.process.wait(5)
        if code == -signal.SIGXCPU:
            return ManualSqlError([_too_long(self.seconds)])
        if code < 0:
            said = f"the process that ran it ended by {signal.Signals(-code).name}; nothing else was harmed"
            return ManualSqlError([SqlProblem("unknown", said, hint=_LIGHTER)])
        return ManualSqlError([SqlProblem("unknown", f"the process that runs SQL did not start (exit {code})")])


def _path() -> list[str]:
    """Where Python finds modules; the current folder (an empty entry) is another over there."""
    return [str(Path(entry).absolute()) for entry in sys.path if entry]


_LIGHTER = "read fewer rows or columns, or use a measure"


def _too_long(seconds: int) -> SqlProblem:
    return SqlProblem("unknown", f"it did not end within {seconds} s", hint=_LIGHTER)
