"""Errors of the system, SQLite and DuckDB, said so that a person can act. One place, so that all rooms say the same."""

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unify.core.errors import StoreError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

FREE_SPACE = "free some space and run again; what was published before is still served"
MAKE_WRITABLE = "give this user write permission on the instance; reading needs none"


@contextmanager
def trouble(where: Path, doing: str) -> Iterator[None]:
    """Turn what the system raises inside into a StoreError that says `doing`, the place and the next move.

    Errors that are none of the store's business (bad SQL, a bug) pass unchanged.
    """
    try:
        yield
    except Exception as error:
        if (told := tell(error, where, doing)) is not None:
            raise told from error
        raise


def tell(error: BaseException, where: Path, doing: str) -> StoreError | None:
    """The StoreError for a system, SQLite or DuckDB error; None when it is none of the store's business."""
    if isinstance(error, OSError):
        return _tell_os(error, where, doing)
    if isinstance(error, sqlite3.Error):
        return _tell_sqlite(error, where, doing)
    duckdb = sys.modules.get("duckdb")  # whoever raised its errors has imported it
    if duckdb is not None and isinstance(error, duckdb.Error):
        return _tell_duckdb(error, where, doing)
    return None


def _full(doing: str, where: Path) -> StoreError:
    return StoreError(f"could not {doing}: the disk is full", where=str(where), hint=FREE_SPACE)


def _read_only(doing: str, where: Path) -> StoreError:
    message = f"could not {doing}: no permission, or a read-only disk"
    return StoreError(message, where=str(where), hint=MAKE_WRITABLE)


def _damaged(doing: str, where: Path, why: object) -> StoreError:
    hint = "restore this file from a backup, or roll back to another generation (`unify generations`)"
    return StoreError(f"could not {doing}: the file is damaged ({why})", where=str(where), hint=hint)


def _tell_os(error: OSError, where: Path, doing: str) -> StoreError:
    place = Path(error.filename) if isinstance(error.filename, str) else where
    if error.errno in FULL:
        return _full(doing, place)
    if error.errno in READ_ONLY:
        return _read_only(doing, place)
    reason = error.strerror or str(error)
    return StoreError(f"could not {doing}: {reason}", where=str(place), hint="check the disk and the directory")


def _tell_sqlite(error: sqlite3.Error, where: Path, doing: str) -> StoreError | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the Python module itself: our bug, not the disk's
        return None
    match code & 0xFF:  # the low byte is the kind, the rest the details
        case sqlite3.SQLITE_FULL:
            return _full(doing, where)
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return _read_only(doing, where)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(doing, where, error)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            hint = "try again; if it stays so, `unify status` says who is writing"
            return StoreError(f"could not {doing}: the catalog stayed locked", where=str(where), hint=hint)
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:  # which of the two usual reasons SQLite does not say
            if _no_room(where):
                return _full(doing, where)
            if where.exists() and not os.access(where.parent, os.W_OK):
                return _read_only(doing, where)
            name = getattr(error, "sqlite_errorname", "")
            hint = "check the disk: the instance belongs on a local one, in a directory this user can write"
            return StoreError(f"could not {doing}: {error} ({name})", where=str(where), hint=hint)
    return None


def _no_room(where: Path) -> bool:
    """Whether the disk has less than the 64 KiB that SQLite's shared memory and a small transaction need."""
    try:
        free = os.statvfs(where.parent)
    except OSError:
        return False
    return free.f_bavail * free.f_frsize < 65_536


def _tell_duckdb(error: Exception, where: Path, doing: str) -> StoreError | None:
    text = str(error)
    if any(said in text for said in ("No space left on device", "File too large", "Disk quota exceeded")):
        return _full(doing, where)
    if any(said in text for said in ("Read-only file system", "Permission denied")):
        return _read_only(doing, where)
    if type(error).__name__ == "OutOfMemoryException":
        hint = "give it more memory (`memory_limit`) or fewer threads; what was published before is still served"
        return StoreError(f"could not {doing}: out of memory", where=str(where), hint=hint)
    if any(said in text for said in ("Could not set lock", "different configuration", "Unique file handle conflict")):
        hint = "close every connection to the file that was opened for writing, then try again"
        return StoreError(f"could not {doing}: the file is open elsewhere", where=str(where), hint=hint)
    if any(said in text for said in ("not a valid DuckDB", "orrupt", "checksum", "Could not read")):
        return _damaged(doing, where, text.splitlines()[0])
    return None
