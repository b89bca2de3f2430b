"""Transactions on `records.sqlite`, and what can be done in one.

A writer is alone from its first statement to its commit (BEGIN IMMEDIATE), so no update is lost and versions grow in
the order of commits: whoever has read up to a version has missed nothing before it. Readers see one moment.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from unify.core.errors import StoreError
from unify.records.errors import NewerStoreError
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
        with _in_words(self.path), ExitStack() as held:
            if self.path.exists():
                connection = held.enter_context(closing(self._connect()))
                connection.execute("BEGIN")
                if _format(connection):
                    yield Reading(connection)
                    return
            # Nobody has written yet, or the first writer is just making the tables.
            empty = held.enter_context(closing(_set_up(sqlite3.connect(":memory:", isolation_level=None))))
            _initialise(empty)
            yield Reading(empty)

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """One transaction: on the disk when the block ends, undone when it raises."""
        with _in_words(self.path), closing(self._connect()) as connection:
            if not _format(connection):
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
        with _in_words(self.path), closing(self._connect()) as connection:
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


def _format(connection: sqlite3.Connection) -> int:
    """That of the file; 0: it is empty yet. NewerStoreError."""
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found > FORMAT:
        raise NewerStoreError(f"{FILE} has format {found}, and this is written for {FORMAT}", hint="update unify")
    return found


def _initialise(connection: sqlite3.Connection) -> None:
    """Make the store's own tables. Several processes may be at it: whoever comes later finds them."""
    end = monotonic() + BUSY_S
    while True:
        try:
            # SQLite waits for no lock that another process's change of the journal holds.
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if monotonic() > end:
                raise
            sleep(0.01)
    script = resources.files("unify.records").joinpath("schema.sql").read_text(encoding="utf-8")
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {FORMAT}; COMMIT;")


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """What SQLite says of the file, as an error that says what to do. Broken keys are told where they are broken."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            message = f"somebody else has been writing to {FILE} for {BUSY_S:.0f} seconds"
            raise StoreError(message, where=str(path), hint="try again; write fewer rows at once") from error
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY,
                                             sqlite3.SQLITE_CANTOPEN}:  # fmt: skip
            raise StoreError(f"{FILE} cannot be written or read: {error}", where=str(path),
                             hint="check the disk and the permissions") from error  # fmt: skip
        raise
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # a mistake of ours, not of the file
            raise
        hint = "`unify doctor`; restore it from a backup"
        raise StoreError(f"{FILE} is damaged: {error}", where=str(path), hint=hint) from error
