"""Reader: answers from the published generation while others publish, and moves on when told to look."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from unify.core.errors import StoreError
from unify.store.files import Pin
from unify.store.nouns import Generation
from unify.store.opening import connect, use

if TYPE_CHECKING:
    import duckdb

    from unify.store.catalog import Stamp
    from unify.store.store import Store

SETTLED_NS: Final = 2_000_000_000
"""File times tick as coarsely as 10 ms (2 s on old file systems): a younger stamp may hide a second change."""


@dataclass(slots=True)
class _Opened:
    """One generation, open and pinned. `users` are cursors at work on it; it is closed after the last one."""

    generation: Generation
    connection: "duckdb.DuckDBPyConnection"
    pin: Pin
    users: int = 0
    left: bool = field(default=False)
    """True: the reader has moved on."""

    def close(self) -> None:
        self.connection.close()
        self.pin.close()


class Reader:
    """Read-only DuckDB on the published generation. Safe for many threads; every `cursor` block sees one generation.

        reader = Reader(Store.open("acme"))
        with reader.cursor() as cursor:
            cursor.sql("SELECT count(*) FROM Customer").fetchone()
        reader.refresh()          # True: a newer generation is there, the next cursor answers from it

    `config` goes to DuckDB. Raises StoreError when nothing is published or the file cannot be opened.
    """

    def __init__(self, store: "Store", config: Mapping[str, Any] | None = None) -> None:
        self._store, self._config = store, dict(config or {})
        self._lock = threading.Lock()
        self._moving = threading.Lock()
        self._stamp: Stamp | None = None
        self._now: _Opened | None = self._open_published()

    @property
    def generation(self) -> Generation:
        """What the next cursor answers from."""
        with self._lock:
            return self._require().generation

    def refresh(self) -> bool:
        """Move to the published generation when it is another one; True when it moved.

        Two `stat` calls while the catalog is unchanged (about 10 µs), one SQLite read otherwise. Cursors at work finish
        on the generation they began with.
        """
        asked, stamp = time.time_ns(), self._store.stamp()
        with self._lock:
            self._require()
            if stamp == self._stamp:
                return False
        with self._moving:  # one thread at a time, or a slow one would put an older generation back
            return self._move(stamp, asked)

    def _move(self, stamp: "Stamp", asked: int) -> bool:
        published = self._store.published()
        here = self.generation.number
        if published is None or published.number == here:
            self._remember(stamp, asked)
            return False
        fresh = self._open_published()
        with self._lock:
            old, self._now = self._require(fresh), fresh
            self._leave(old)
        self._remember(stamp, asked)
        return True

    @contextmanager
    def cursor(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """A cursor on one generation for as long as the block lasts, whatever is published meanwhile."""
        with self._lock:
            opened = self._require()
            opened.users += 1
        try:
            with opened.connection.cursor() as cursor:
                use(cursor)
                yield cursor
        finally:
            with self._lock:
                opened.users -= 1
                if opened.left and not opened.users:
                    opened.close()

    def close(self) -> None:
        """Close after the last cursor; twice is harmless."""
        with self._lock:
            old, self._now = self._now, None
            if old is not None:
                self._leave(old)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require(self, fresh: _Opened | None = None) -> _Opened:
        if self._now is None:
            if fresh is not None:
                fresh.close()
            raise StoreError("the reader is closed", where=str(self._store.path), hint="open a new one")
        return self._now

    def _leave(self, old: _Opened) -> None:
        old.left = True
        if not old.users:
            old.close()

    def _remember(self, stamp: "Stamp", asked: int) -> None:
        settled = asked - max(mtime for _, _, mtime in stamp) > SETTLED_NS
        with self._lock:
            self._stamp = stamp if settled else None

    def _open_published(self) -> _Opened:
        published, pin = self._store.pin_published()
        try:
            return _Opened(published, connect(published.path, self._config), pin)
        except BaseException:
            pin.close()
            raise
