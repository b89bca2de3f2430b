"""Many instances under one root: every directory that holds an instance is one, whoever made it."""

import re
import threading
from pathlib import Path
from typing import Final

from unify.core.errors import InstanceNotFoundError
from unify.service.access.guard import Guard
from unify.service.database import FOLDER
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.pool import Pool
from unify.store import Store
from unify.store.files import CATALOG

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
"""What an id may look like: a directory name that is safe everywhere, never hidden, never a path."""


def ids_under(root: Path) -> list[str]:
    """Of all instances in a folder, sorted."""
    return sorted(
        entry.name
        for entry in root.iterdir()
        if entry.name != FOLDER and ID.fullmatch(entry.name) and (entry / CATALOG).is_file()
    )


class Roof:
    """The instances of a service. Safe for many threads."""

    def __init__(self, root: Path, pool: Pool, guard: Guard) -> None:
        self.root, self._pool, self._guard = root, pool, guard
        self._open: dict[str, Hosted] = {}
        self._lock = threading.Lock()

    def ids(self) -> list[str]:
        """Of all instances, sorted."""
        return ids_under(self.root)

    def get(self, id_: str) -> Hosted:
        """One of them; ServiceError 404, in the same words whether it is not there or cannot be one."""
        hosted = self._open.get(id_)
        if hosted is not None and (hosted.store.path / CATALOG).exists():
            return hosted
        return self._opened(id_)

    def _opened(self, id_: str) -> Hosted:
        path = self.path(id_)
        with self._lock:
            if (gone := self._open.pop(id_, None)) is not None:
                gone.close()  # another process took it away: its files are held no longer
            try:
                store = Store.open(path)
            except InstanceNotFoundError:
                raise _unknown(id_) from None
            hosted = self._open[id_] = Hosted(id_, store, self._pool, self._guard)
            return hosted

    def create(self, id_: str, *, after: int = 0) -> Hosted:
        """A new, empty instance; ServiceError 409 when something has that name, 400 for a name that cannot be.

        after   its runs are numbered from the next number on; see Store.create
        """
        if not ID.fullmatch(id_):
            raise bad_request(f"{id_!r} cannot be the id of an instance", hint="letters, digits, `_`, `.` and `-`")
        with self._lock:
            path = self.root / id_
            if path.exists():
                raise ServiceError(409, f"there is an instance {id_!r} already")
            hosted = self._open[id_] = Hosted(id_, Store.create(path, after=after), self._pool, self._guard)
            return hosted

    def forget(self, id_: str) -> None:
        """Close it; the next `get` opens what is there then."""
        with self._lock:
            hosted = self._open.pop(id_, None)
        if hosted is not None:
            hosted.close()

    def path(self, id_: str) -> Path:
        """Where it is, or would be; ServiceError 404 for what cannot be an id."""
        if not ID.fullmatch(id_) or id_ == FOLDER:
            raise _unknown(id_)
        return self.root / id_


def _unknown(id_: str) -> Exception:
    return not_found(f"there is no instance {id_[:128]!r}", where="instanceId", hint="GET /instances lists yours")
