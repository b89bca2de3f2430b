"""The audit log: who asked what and when, one row a request, each sealed with the one before.

    hash of an entry = HMAC-SHA256(key of the service, hash of the entry before + the entry)

An entry of a write is on disk before the write is acknowledged: a client that has its answer can be held to it. Entries
of reads, and of writes that were refused, go to disk together, a second late at most; a `kill -9` loses those of its
last second, and never breaks the chain, since a batch is one transaction. Who can write to the database but not read
the secret cannot make up, change or leave out an entry without `verify` saying so, but for the last ones: keep the head
that it prints somewhere else.
"""

import asyncio
import hashlib
import hmac
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from unify.core.errors import StoreError
from unify.service.access.secret import Secret
from unify.service.access.shapes import shape
from unify.service.database import ServiceDatabase

BATCH_S: Final = 1.0
MOST_WAITING: Final = 20_000
"""Entries of reads that may wait; beyond them a read waits for the disk, so that none is dropped."""
GENESIS: Final = b"\0" * 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `path`, `query`: what `shape` is made of; they are not kept."""

    at: float
    who: str
    method: str
    route: str
    status: int
    ms: float
    instance: str = ""
    key: str = ""
    rows: int | None = None
    generation: int | None = None
    path: str = ""
    query: str = ""

    def text(self) -> bytes:
        """As it is kept and hashed."""
        return orjson.dumps(
            {
                "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds"),
                "who": self.who, "key": self.key, "method": self.method, "route": self.route,
                "shape": shape(self.path, self.query, understood=self.status < 400),
                "instance": self.instance, "status": self.status, "rows": self.rows, "generation": self.generation,
                "ms": round(self.ms, 3),
            },
            option=orjson.OPT_SORT_KEYS,
        )  # fmt: skip


@dataclass
class _Waiting:
    """What the writer has to do."""

    entries: list[Entry] = field(default_factory=list)
    acknowledge: list["Future[None]"] = field(default_factory=list)
    over: bool = False


class Audit:
    """The log of a service, written by one thread of each process."""

    def __init__(self, database: ServiceDatabase, secret: Secret) -> None:
        self._database = database
        self._key = secret.of("audit")
        self._waiting = _Waiting()
        self._bell = threading.Condition()
        self._thread: threading.Thread | None = None

    async def sealed(self, entry: Entry) -> None:
        """Return when the entry is on disk; StoreError when it cannot be."""
        done: Future[None] = Future()
        with self._bell:
            self._begin()
            self._waiting.entries.append(entry)
            self._waiting.acknowledge.append(done)
            self._bell.notify()
        await asyncio.wrap_future(done)

    async def noted(self, entry: Entry) -> None:
        """Return at once, as long as the disk keeps up."""
        if self.full:
            await self.sealed(entry)
        else:
            self.put(entry)

    @property
    def full(self) -> bool:
        """Whether the next entry has to wait for the disk."""
        return len(self._waiting.entries) >= MOST_WAITING

    def put(self, entry: Entry) -> None:
        """Soon on disk. Asked only while there is room."""
        with self._bell:
            self._begin()
            self._waiting.entries.append(entry)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
            self._thread.start()

    def _write(self) -> None:
        while True:
            with self._bell:
                if not (self._waiting.acknowledge or self._waiting.over):
                    self._bell.wait(BATCH_S)
                work, self._waiting = self._waiting, _Waiting(over=self._waiting.over)
            try:
                self._append(work.entries)
            except (sqlite3.Error, OSError) as error:
                self._failed(work, error)
            else:
                for done in work.acknowledge:
                    done.set_result(None)
            if work.over:
                return

    def _failed(self, work: _Waiting, error: Exception) -> None:
        """Writes are not acknowledged; entries of reads are tried again."""
        refused = StoreError(f"the audit log cannot be written: {error}", where=str(self._database.path))
        for done in work.acknowledge:
            done.set_exception(refused)
        if not work.acknowledge and not work.over:
            with self._bell:
                self._waiting.entries[:0] = work.entries
                self._bell.wait(BATCH_S)

    def _append(self, entries: list[Entry]) -> None:
        if not entries:
            return
        texts = [entry.text() for entry in entries]
        with self._database.write() as db:
            last = db.execute("SELECT number, hash FROM access_audit ORDER BY number DESC LIMIT 1").fetchone()
            number, before = (last["number"], last["hash"]) if last is not None else (0, GENESIS)
            rows = []
            for text in texts:
                number, before = number + 1, self._seal(before, text)
                rows.append((number, text.decode(), before))
            db.executemany("INSERT INTO access_audit VALUES (?, ?, ?)", rows)

    def _seal(self, before: bytes, text: bytes) -> bytes:
        return hmac.digest(self._key, before + text, hashlib.sha256)

    def close(self) -> None:
        """Write what waits, and end."""
        with self._bell:
            self._waiting.over = True
            self._bell.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._waiting.over = False

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def entries(self, *, before: int | None = None, limit: int = 100, who: str = "", instance: str = "") -> list[dict[str, Any]]:  # fmt: skip # noqa: E501
        """Entries with their numbers, newest first; blocking."""
        rows = self._database.rows(
            "SELECT number, entry FROM access_audit WHERE ($before IS NULL OR number < $before)"
            " AND ($who = '' OR entry ->> 'who' = $who) AND ($instance = '' OR entry ->> 'instance' = $instance)"
            " ORDER BY number DESC LIMIT $limit",
            {"before": before, "limit": limit, "who": who, "instance": instance},
        )
        return [{"number": row["number"], **orjson.loads(row["entry"])} for row in rows]

    def verify(self) -> "Verified":
        """Follow the chain from its beginning; blocking, about 300,000 entries a second."""
        number, before = 0, GENESIS
        for row in self._all():
            number += 1
            wanted = self._seal(before, row["entry"].encode())
            if row["number"] != number:
                return Verified(number - 1, before.hex(), f"entry {number} is missing")
            if not hmac.compare_digest(wanted, row["hash"]):
                return Verified(number - 1, before.hex(), f"entry {number} is not what was written")
            before = row["hash"]
        return Verified(number, before.hex(), "")

    def _all(self) -> Iterator[sqlite3.Row]:
        with self._database.read() as db:
            yield from db.execute("SELECT number, entry, hash FROM access_audit ORDER BY number")


@dataclass(frozen=True, slots=True)
class Verified:
    """How far the chain holds. `trouble`: "" when to its end; `head`: the hash of the last entry that holds."""

    entries: int
    head: str
    trouble: str
