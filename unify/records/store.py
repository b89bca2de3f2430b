"""Transactions on `records.sqlite`, and what can be done in one.

A writer is alone from its first statement to its commit (BEGIN IMMEDIATE), so no update is lost and versions grow in
the order of commits: whoever has read up to a version has missed nothing before it. Readers see one moment.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Final

from unify.records.errors import (
    NewerStoreError,
)
from unify.records.reading import Reading
from unify.records.writing import Writing

FILE: Final = "records.sqlite"
BUSY_S: Final = 30.0
REMEMBERED: Final = timedelta(days=7)
"""How long the store knows which rows were deleted: as long as Dataverse's tokens of change are good for."""
FORMAT: Final = 1
"""Of the file (`PRAGMA user_version`)."""


class RecordStore:
    """That of one instance, given by its directory; nothing is made before the first write."""

    def __init__(self, instance: Path) -> None:
        self.path = instance / FILE

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """One moment of the store."""
        if not self.path.exists():
            with closing(_set_up(sqlite3.connect(":memory:", isolation_level=None))) as empty:
                _initialise(empty)
                yield Reading(empty)
            return
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield Reading(connection)

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """One transaction: on the disk when the block ends, undone when it raises."""
        with closing(self._connect()) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                _initialise(connection)
            connection.execute("BEGIN IMMEDIATE")
            try:
                writing = Writing(connection)
                yield writing
                if writing.deleted:
                    writing.purge(datetime.now(UTC) - REMEMBERED)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def compact(self) -> None:
        """Empty the log, which holds rows as they were: in the file itself what goes is overwritten at once."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connect(self) -> sqlite3.Connection:
        # Arrow's readers are drawn from whatever thread the engine works in, one at a time.
        connection = _set_up(sqlite3.connect(self.path, BUSY_S, isolation_level=None, check_same_thread=False))
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def _set_up(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only let go of
    return connection


def _initialise(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise NewerStoreError(f"{FILE} has format {found}, and this is written for {FORMAT}", hint="update unify")
    connection.execute("PRAGMA journal_mode = WAL")
    script = resources.files("unify.records").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {FORMAT}; COMMIT;")
