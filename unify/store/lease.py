"""The lease: one writer at a time, and everybody can see who.

The right itself is an exclusive flock on `lease.lock`: the system drops it when the process ends, however it ends, so
a killed writer never leaves it stuck. What stands in the file is for people.
"""

import contextlib
import fcntl
import json
import os
import socket
import sys
import threading
import time
import weakref
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from unify.core.errors import LeaseHeldError, StoreError
from unify.store.failpoints import failpoint
from unify.store.nouns import Holder
from unify.store.trouble import trouble

SIZE: Final = 4096
"""Bytes of the lock file. Written whole at creation, so that later holders need no new disk space to sign in."""

SHOWN: Final = 150
"""Characters of command and purpose: at most 12 bytes each as JSON escapes, both fit the page."""

HEARTBEAT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 60.0
"""After a dozen missed heartbeats it is no longer a busy machine."""

GRACE_SECONDS: Final = 0.3
"""Tried this long even without `wait`: `lease_holder` of another process takes the lock for an instant to ask."""

POLL_SECONDS: Final = 0.05

_held: "weakref.WeakSet[Lease]" = weakref.WeakSet()


class Lease:
    """The right to write to an instance, held until `release` or the end of the `with` block."""

    def __init__(self, path: Path, purpose: str, wait: float | None = None) -> None:
        """Take the lease. `wait`: seconds to wait for it; None asks once.

        Raises LeaseHeldError that names the holder, StoreError when the directory cannot be written.
        """
        self.path, self.purpose = path, purpose
        self.building: int | None = None
        """The number that is being built under this lease."""
        with trouble(path, "take the lease"):
            self._descriptor = _acquire(path, GRACE_SECONDS if wait is None else max(wait, GRACE_SECONDS))
        self._pid = os.getpid()
        self._started = datetime.now(UTC)
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None
        try:
            with trouble(path, "sign the lease"):
                failpoint("lease.after_lock")
                self._sign()
        except BaseException:
            os.close(self._descriptor)
            raise
        _held.add(self)
        self._beat = threading.Thread(target=self._keep_signing, name="unify-lease", daemon=True)
        self._beat.start()

    @property
    def held(self) -> bool:
        """False once released, and in a forked child: a child does not inherit the right."""
        return self._descriptor >= 0 and self._pid == os.getpid()

    def require(self, path: Path) -> None:
        """Raise StoreError unless this is a live lease on the lock file at `path`."""
        if not self.held:
            raise StoreError("the lease was released", where=str(self.path), hint="write inside its `with` block")
        if self.path != path:
            raise StoreError(
                f"this lease is for {self.path.parent}", where=str(path.parent), hint="take one for this instance"
            )
        try:
            same = os.path.samestat(os.fstat(self._descriptor), path.stat())
        except FileNotFoundError:
            same = False
        if not same:
            raise StoreError(
                "the lock file was removed or replaced, so another writer may be at work",
                where=str(path),
                hint="never delete this file; run again",
            )

    def release(self) -> None:
        """Give it back; twice is harmless."""
        if not self.held:
            return
        self._stop.set()
        if self._beat is not None:
            self._beat.join()
        _held.discard(self)
        descriptor, self._descriptor = self._descriptor, -1
        try:
            with trouble(self.path, "sign off the lease"):
                failpoint("lease.before_release")
                os.pwrite(descriptor, b" " * SIZE, 0)
        finally:
            os.close(descriptor)

    def _sign(self) -> None:
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:SHOWN]
        heartbeat = datetime.now(UTC)
        holder = Holder(self._pid, socket.gethostname(), command, self.purpose[:SHOWN], self._started, heartbeat)
        text = json.dumps(asdict(holder), default=datetime.isoformat).encode("ascii")
        os.pwrite(self._descriptor, text[:SIZE].ljust(SIZE), 0)  # one write of one page: a reader sees it whole

    def _keep_signing(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # only people miss a heartbeat; the lock itself is what counts
                self._sign()

    def _forget(self) -> None:
        """In a forked child: drop the copied descriptor, or the lease would outlive the parent."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _forget_all() -> None:
    for lease in list(_held):
        lease._forget()  # noqa: SLF001 (same module)
    _held.clear()


os.register_at_fork(after_in_child=_forget_all)


def _acquire(path: Path, seconds: float) -> int:
    """A descriptor that holds the lock; LeaseHeldError after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        else:
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)  # deleted under us: the name stands for another file now
            continue
        if time.monotonic() >= until:
            raise _refusal(path, seconds)
        time.sleep(POLL_SECONDS)


def _refusal(path: Path, seconds: float) -> LeaseHeldError:
    who = holder(path)
    name = str(who) if who else "a process that is just finishing"
    if who and (silent := (datetime.now(UTC) - who.heartbeat).total_seconds()) > SILENT_SECONDS:
        name += f", no sign of life for {silent:.0f} s: stopped or hung"
    waited = f" (waited {seconds:g} s)" if seconds > GRACE_SECONDS else ""
    return LeaseHeldError(
        f"another writer is at work: {name}{waited}",
        where=str(path.parent),
        hint="wait for it (`--wait SECONDS`), or end that process; readers are not affected",
    )


def holder(path: Path) -> Holder | None:
    """Who holds the lease now; None when nobody does. Writes nothing, works in a read-only directory."""
    with trouble(path, "look at the lease"):
        for _ in range(10):
            if not held(path):
                return None
            found = _signature(path)
            # Just locked and not yet signed, or signed by one who was killed: look again in a moment.
            if found is not None and _alive(found):
                return found
            time.sleep(0.02)
        return found or Holder(0, "an unknown host", "", "not yet signed", _modified(path), _modified(path))


def held(path: Path) -> bool:
    """Whether a process has the lock on a file. Makes no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _signature(path: Path) -> Holder | None:
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        times = {key: datetime.fromisoformat(said[key]) for key in ("started", "heartbeat")}
        return Holder(**(said | times))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _alive(who: Holder) -> bool:
    if who.host != socket.gethostname():
        return True  # nothing can be asked there; the lock says that somebody lives
    try:
        os.kill(who.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
