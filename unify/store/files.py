"""Files of an instance: their names, forcing them to disk, pinning what a reader uses, sweeping what nobody needs."""

import fcntl
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from unify.core.errors import StoreError
from unify.store.failpoints import failpoint
from unify.store.nouns import Sweep

FOLDERS: Final = ("generations", "memberships", "incoming", "rejected")
CATALOG: Final = "catalog.sqlite"
LEASE: Final = "lease.lock"

_MEMBERS = re.compile(r"[0-9a-f]{64}\.(roaring|changes)(\.new)?\Z")
"""What we put into memberships/; `.new` is a file that did not get its name."""

_OURS = re.compile(r"(\d{6,})\.(duckdb|duckdb\..+|spill|wal|tmp)\Z")
"""What DuckDB and we put into generations/: the file, its .wal (.wal.checkpoint …), spill directories."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in an instance directory."""

    root: Path

    @property
    def catalog(self) -> Path:
        """The SQLite file; a directory is an instance when it is there."""
        return self.root / CATALOG

    @property
    def lease(self) -> Path:
        """The lock file."""
        return self.root / LEASE

    @property
    def generations(self) -> Path:
        """The folder of generation files."""
        return self.root / "generations"

    @property
    def memberships(self) -> Path:
        """The folder of members of segments."""
        return self.root / "memberships"

    def member_files(self) -> list[Path]:
        """Files of our making in memberships/."""
        if not self.memberships.is_dir():
            return []
        return sorted(path for path in self.memberships.iterdir() if _MEMBERS.match(path.name))

    def generation(self, number: int) -> Path:
        """The file of a generation."""
        return self.generations / f"{number:06d}.duckdb"

    def leftovers(self, keep: Collection[int], building: int | None = None) -> list[Path]:
        """Files and directories in generations/ that belong to no generation in `keep` and not to the one being built.

        Spill and WAL files of a kept generation are leftovers too; names that are not of our making are left alone.
        """
        if not self.generations.is_dir():
            return []
        found = []
        for path in sorted(self.generations.iterdir()):
            match = _OURS.match(path.name)
            if match is None or (number := int(match[1])) == building:
                continue
            if number not in keep or path != self.generation(number):
                found.append(path)
        return found

    def highest_number(self) -> int:
        """The highest number any file in generations/ bears; 0 when there is none."""
        if not self.generations.is_dir():
            return 0
        return max((int(m[1]) for p in self.generations.iterdir() if (m := _OURS.match(p.name))), default=0)


def fsync(path: Path) -> None:
    """Force a file's content, or a directory's entries, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Pin:
    """Holds a generation file: as long as it is open, no writer removes the file.

    It is a shared lock (flock) on the file itself: nothing to write, so it works in a read-only directory, and the
    system drops it when the process dies. DuckDB's own locks are of another kind (fcntl) and do not meet it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = _lock(path, fcntl.LOCK_SH)

    def close(self) -> None:
        """Let go; twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lock(path: Path, kind: int) -> int:
    """A locked descriptor of the file that bears this name now: whoever unlinked it meanwhile held it exclusively.

    Raises FileNotFoundError (gone) and BlockingIOError (with LOCK_NB).
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, kind)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):  # noqa: PTH116 (its pair takes a descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextmanager
def _unpinned(path: Path) -> Iterator[None]:
    """Raises BlockingIOError when a reader has the file pinned."""
    descriptor = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        os.close(descriptor)


def sweep(paths: Collection[Path]) -> Sweep:
    """Remove files and directories that nobody needs, except those a reader has pinned.

    Never raises for the disk's sake: what is published is published, and the next run tries again.
    """
    removed, in_use, failed = [], [], []
    for path in paths:
        try:
            _remove(path)
        except BlockingIOError:
            in_use.append(path.name)
        except OSError as error:
            failed.append((path.name, error.strerror or str(error)))
        else:
            removed.append(path.name)
    return Sweep(tuple(removed), tuple(in_use), tuple(failed))


def _remove(path: Path) -> None:
    failpoint("sweep.before_unlink")
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.suffix == ".duckdb":
            with _unpinned(path):
                path.unlink()
        else:
            path.unlink()
    except FileNotFoundError:
        pass  # somebody tidied by hand: that was the wish
    failpoint("sweep.after_unlink")


def refuse_unusable(root: Path) -> None:
    """Raise StoreError for a path that DuckDB cannot write to: it takes what follows a `?` for URL options.

    Its write-ahead log would go to another directory than its file (seen with 2.0).
    """
    if "?" in str(root):
        raise StoreError(
            "DuckDB cannot write where a path holds '?'", where=str(root), hint="choose or rename the directory"
        )


def refuse_foreign(root: Path) -> None:
    """Raise StoreError when `root` holds what a half-made instance would not: never move into a user's folder."""
    if not root.exists():
        return
    if not root.is_dir():
        raise StoreError("this is a file, not a directory", where=str(root), hint="choose another path")
    known = {*FOLDERS, LEASE}
    foreign = sorted(p.name for p in root.iterdir() if p.name not in known and not p.name.startswith(CATALOG))
    if foreign:
        shown = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "")
        raise StoreError(
            f"the directory holds other files ({shown})", where=str(root), hint="choose a new or an empty directory"
        )
