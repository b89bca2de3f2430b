"""`packages.sqlite` of an instance, and the folders of its executions."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from unify.core.errors import StoreError

FILE: Final = "packages.sqlite"
FOLDER: Final = "packages"
BUSY_S: Final = 30.0
FORMAT: Final = 1
"""Of the file (`PRAGMA user_version`)."""


class PackageDatabase:
    """That of one instance, given by its directory; made with the first write. Safe for many processes."""

    def __init__(self, instance: Path) -> None:
        self.instance, self.path, self.folder = instance, instance / FILE, instance / FOLDER

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[sqlite3.Row]:
        """The answer of one SELECT; nothing where there is no file yet."""
        if not self.path.exists():
            return []
        with closing(self.connect()) as connection:
            return connection.execute(sql, dict(params or {})).fetchall()

    @contextmanager
    def write(self, *, at_once: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction, alone from its start; on the disk when the block ends, undone when it raises.

        at_once   False: on the disk with the next one that is; for what whoever goes on would only do again
        """
        with closing(self.connect()) as connection:
            if not at_once:
                connection.execute("PRAGMA synchronous = NORMAL")
            with transaction(connection):
                yield connection

    @contextmanager
    def held_open(self) -> Iterator[None]:
        """Until the block ends the last of the others does not fold the write-ahead log: each time that costs a force
        to the disk."""
        with closing(self.connect()):
            yield

    def connect(self) -> sqlite3.Connection:
        """A connection outside any transaction; the caller closes it."""
        connection = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA secure_delete = ON")  # staged rows are persons' data: what goes is overwritten
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")
            _set_up(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def folder_of(self, number: int) -> Path:
        """Where the files of an execution are."""
        return self.folder / f"{number:06d}"


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _set_up(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found == FORMAT:
        return
    if found > FORMAT:
        raise StoreError(f"{FILE} has format {found}, and this is written for {FORMAT}", hint="update unify")
    connection.execute("PRAGMA journal_mode = WAL")
    script = resources.files("unify.packages").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {FORMAT}; COMMIT;")


def settle(path: Path) -> None:
    """Force a file, and the entry of its name, to the disk."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
