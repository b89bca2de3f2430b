"""The keeper of an instance's snapshot: it notices that something was published, and moves on when all is ready.

    answer ─▶ current() ─▶ the snapshot that is held
                 └ now and then: two `stat` calls ─ changed ─▶ a thread: what is wanted? made? ─▶ held from now on

Nothing waits for it. While a snapshot is made, the one before answers; without one, the slow way does.
"""

import contextlib
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from unify.core.errors import StoreError, UnifyError
from unify.service.access.classes import Schema
from unify.service.access.restricted import schema_on
from unify.service.access.visibility import Policy, Visibility, visibility_of
from unify.service.hot.making import make, members_path, rows_path
from unify.service.hot.rows import Rows
from unify.service.hot.snapshot import Snapshot
from unify.service.hot.states import state_of
from unify.spec import Project
from unify.store import Generation, Store

if TYPE_CHECKING:
    from unify.store.catalog import Stamp

LOOK_S: Final = 0.02
"""Seconds between two looks at the catalog: a look costs 10 µs, a fifth of a hot answer."""
IDLE_S: Final = 0.25
"""Without a question for so long, a snapshot may be older than what a client has seen elsewhere, of its job for one."""
PATIENCE_S: Final = 0.25
"""So long the slow way answers then, while the next snapshot is opened; one that is yet to be made takes longer, and
until it is there the one before answers again."""
AGAIN_S: Final = 5.0
"""Seconds after which a snapshot that could not be made is tried again."""
SMALL: Final = 20_000
"""Customers up to which a thread makes a snapshot, in a tenth of a second; more are a process's work."""
SETTLED_NS: Final = 2_000_000_000
"""As of unify.store.reader: a younger change may hide another one."""
ATTEMPTS: Final = 5
"""A state may be followed by another while its snapshot is made."""

logger = structlog.get_logger("unify.service")


class _Held(Rows):
    """Rows with what is worked out of their generation once, by threads."""

    def __init__(self, path: Path, store: Store, generation: Generation) -> None:
        super().__init__(path)
        self._store, self._of = store, generation
        self.visibilities: dict[Policy, Visibility] = {}
        self.asked: set[Policy] = set()

    @cached_property
    def plan(self) -> Project:
        return Project.model_validate_json(self.project)

    @cached_property
    def _schema(self) -> Schema:
        with self._store.pin(self._of):
            return schema_on(self._of)

    def see(self, policy: Policy) -> None:
        try:
            self.visibilities[policy] = visibility_of(self._schema, policy)
        except UnifyError as error:  # the generation is no longer kept: the slow way answers from the next one
            logger.warning("visibility failed", instance=self._store.path.name, reason=type(error).__name__)


class Keeper:
    """One per instance and process. `current` belongs to the thread of the event loop, the rest to threads."""

    def __init__(self, store: Store, executor: Executor) -> None:
        self.store, self._executor = store, executor
        self._snapshot: Snapshot | None = None
        self._rows: tuple[str, _Held] | None = None
        self._state: tuple[int, ...] | None = None
        self._stamp: Stamp | None = None
        self._seen: Stamp | None = None
        """The stamp when somebody looked last; `_stamp` is the same once nothing can hide behind it."""
        self._next = self._patient = 0.0
        self._looking: Future[None] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.gone = False
        """True: the instance is no longer there."""

    def current(self) -> Snapshot | None:
        """The snapshot to answer from; None while there is none, and where nobody has looked for a while."""
        now = time.monotonic()
        if now >= self._next:
            idle = now - self._next > IDLE_S
            self._next = now + LOOK_S
            if self._glance() and idle:
                self._patient = now + PATIENCE_S
        if now < self._patient and self._looking is not None and not self._looking.done():
            return None
        return self._snapshot

    def _glance(self) -> bool:
        """Look more closely when the catalog has changed, or may have; whether it has since somebody looked."""
        if self._looking is not None and not self._looking.done():
            return True
        stamp = self.store.stamp()
        if self._stamp is None or stamp != self._stamp:
            with contextlib.suppress(RuntimeError):  # closed: the service is about to end
                self._looking = self._executor.submit(self._look)
        return stamp != self._seen

    @property
    def looked(self) -> bool:
        """Whether what was published when somebody looked last is held, or nothing is published."""
        return self._state is not None

    @property
    def nothing(self) -> bool:
        """Whether somebody has looked, and nothing is published."""
        return self._state is not None and self._snapshot is None

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for: all is held, or it takes a process to make it, or it cannot be made."""
        return self.looked or self._child is not None or (self._looking is not None and self._looking.done())

    def visibility(self, snapshot: Snapshot, policy: Policy) -> Visibility | None:
        """What a policy comes to on the generation of a snapshot; None while a thread works it out, once for each."""
        known = snapshot.rows
        assert isinstance(known, _Held)
        found = known.visibilities.get(policy)
        if found is None and policy not in known.asked:
            known.asked.add(policy)
            with contextlib.suppress(RuntimeError):
                self._executor.submit(known.see, policy)
        return found

    def _look(self) -> None:
        try:
            self._follow()
        except Exception as error:
            if self._closed:
                return
            self._next = time.monotonic() + AGAIN_S
            if not isinstance(error, UnifyError | OSError):
                logger.exception("snapshot failed", instance=self.store.path.name)
            else:
                logger.warning("snapshot failed", instance=self.store.path.name, reason=type(error).__name__)

    def _follow(self) -> None:
        """Hold what is published now."""
        asked, stamp = time.time_ns(), self.store.stamp()
        if not stamp[0][0]:  # the instance is gone
            self._snapshot, self._state, self.gone = None, None, True
            return
        state = self.store.segment_state()
        if state != self._state:
            self._move()
            self._state = state
        self._seen = stamp
        settled = asked - max(mtime for _, _, mtime in stamp) > SETTLED_NS
        self._stamp = stamp if settled else None

    def _move(self) -> None:
        for _ in range(ATTEMPTS):
            published = self.store.published()
            if published is None or "Customer" not in published.rows:
                self._snapshot = None
                return
            with contextlib.suppress(FileNotFoundError):  # not made yet, or just removed in favour of a newer one
                self._snapshot = self._opened(published)
                return
            self._make(published)
        raise StoreError("the snapshot is followed by newer ones faster than it is made", where=str(self.store.path))

    def _opened(self, published: Generation) -> Snapshot:
        path = rows_path(self.store, published)
        rows = (
            self._rows[1]
            if self._rows is not None and self._rows[0] == path.name
            else _Held(path, self.store, published)
        )
        state = state_of(self.store, published.number, rows.plan)
        members = members_path(path, state)
        now = self._snapshot
        if now is not None and now.rows is rows and now.state == state.key:
            return now
        changed = max(filter(None, (published.published, self._finished(state.run))))
        snapshot = Snapshot(rows, members, changed)
        self._rows = (path.name, rows)
        return snapshot

    def _finished(self, run: int) -> datetime | None:
        return self.store.run(run).finished if run else None

    def _make(self, published: Generation) -> None:
        if published.rows["Customer"] <= SMALL:
            make(self.store, published.number)
            return
        command = [sys.executable, "-m", "unify.service.hot.making", str(self.store.path), str(published.number)]
        began = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as self._child:
            if self._closed:
                self._child.terminate()
            _, said = self._child.communicate()
        if self._child.returncode:
            last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise StoreError(f"making the snapshot ended with {self._child.returncode}: {last[0]}")
        seconds = round(time.monotonic() - began, 3)
        logger.info("snapshot made", instance=self.store.path.name, generation=published.number, seconds=seconds)

    def close(self) -> None:
        """Stop making one."""
        self._closed = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
