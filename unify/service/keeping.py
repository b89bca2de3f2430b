"""One connection to each SQLite file that requests write to stays open in a process, and does nothing.

SQLite moves its log into the file when the last connection closes, with two syncs of the disk, and takes the log away.
Where every question has a connection of its own, that is after every one: measured, 9 of 17 milliseconds of a write and
half of a read's. While a connection is open the log is moved only when it has grown to 1,000 pages. A write is as
durable either way: it is in the log.
"""

import atexit
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

MOST: Final = 64
"""Files that are kept open at once."""
_open: Final[dict[Path, tuple[int, sqlite3.Connection]]] = {}
_of_parents: Final[list[sqlite3.Connection]] = []
"""What a process was forked with. SQLite forbids to use or close these here."""
_lock = threading.Lock()


def keep(path: Path) -> None:
    """Have a file open from now on, when it is there; of one that is another by now, the new one."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return
    held = _open.get(path)
    if held is not None and held[0] == inode:
        return
    with _lock:
        gone = [_open.pop(path, None)]
        while len(_open) >= MOST:
            gone.append(_open.pop(next(iter(_open))))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA schema_version").fetchone()
        _open[path] = (inode, connection)
        for each in gone:
            if each is not None:
                each[1].close()


@atexit.register
def let_go() -> None:
    """Close all: the process ends."""
    with _lock:
        for _, connection in _open.values():
            connection.close()
        _open.clear()


def _forked() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()
    _of_parents.extend(connection for _, connection in _open.values())
    _open.clear()


os.register_at_fork(after_in_child=_forked)
