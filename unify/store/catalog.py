"""The catalog: one SQLite file in WAL mode, read and written by many processes.

A connection lives for one question or one transaction. That costs about 0.2 ms and buys: no sharing between threads,
nothing to carry across a fork, nothing to close, and a fresh look at whether the directory is writable.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Final

from unify.core.errors import StoreError
from unify.store.failpoints import failpoint
from unify.store.trouble import trouble

BUSY_SECONDS: Final = 15.0
"""How long a transaction waits for another. Ours last milliseconds; a disk that stalls on fsync may need seconds."""

MIGRATIONS: Final = ("0001_catalog.sql", "0002_memberships.sql")
"""In order; the catalog's `user_version` is how many of them it has had. Only additions: older processes read on."""

_UNREADABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}

Stamp = tuple[tuple[int, int, int], ...]


class Catalog:
    """Transactions on `catalog.sqlite`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._checked = False

    def rows(self, sql: str, params: dict[str, Any] | None = None) -> list[sqlite3.Row]:
        """The answer of one SELECT."""
        with self.read() as connection:
            return connection.execute(sql, params or {}).fetchall()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of the catalog and cannot change it. Works in a read-only directory."""
        with trouble(self.path, "read the catalog"), self._readable() as connection:
            connection.row_factory = sqlite3.Row
            if not self._checked and _version(connection) < len(MIGRATIONS):
                with _brought_up_to_date(connection) as copy:
                    yield copy
                return
            if not self._checked:
                self._check_version(connection)
            yield connection

    @contextmanager
    def write(self, point: str) -> Iterator[sqlite3.Connection]:
        """One transaction: committed when the block ends, undone when it raises. `point` names its fail-points."""
        with trouble(self.path, "write the catalog"), closing(self._connect("rw")) as connection:
            connection.row_factory = sqlite3.Row
            _make_durable(connection)
            self._migrate(connection)
            with _transaction(connection, point):
                yield connection

    def initialise(self, after: int = 0) -> None:
        """Make an empty catalog at `path`, which must not exist. Its runs are numbered from `after` + 1 on."""
        with trouble(self.path, "make the catalog"), closing(self._connect("rwc")) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            _make_durable(connection)
            self._migrate(connection)
            if after:
                connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('runs', $after)", {"after": after})

    def stamp(self) -> Stamp:
        """Changes whenever the catalog does: inode, size and mtime of its two files. About 4 µs."""
        return tuple(_stat(Path(f"{self.path}{suffix}")) for suffix in ("", "-wal"))

    def _connect(self, mode: str) -> sqlite3.Connection:
        return _connect(f"{self.path.absolute().as_uri()}?mode={mode}")

    def _check_version(self, connection: sqlite3.Connection) -> None:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"a newer unify wrote this instance (catalog version {version}, this one knows {len(MIGRATIONS)})",
                where=str(self.path),
                hint="upgrade unify",
            )
        self._checked = True

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if _version(connection) >= len(MIGRATIONS):
            if not self._checked:
                self._check_version(connection)
            return
        with _transaction(connection, "migrate"):
            _bring_up_to_date(connection)
        self._checked = True

    @contextmanager
    def _readable(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection by the first way that works.

        SQLite needs a -shm file beside a WAL database even to read. In a read-only or full directory it may be unable
        to make one; then nobody who could write is connected (there would be one), and the files are taken as they are.
        """
        connection = self._connect("ro")
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on one state is seen
        except sqlite3.Error as error:
            connection.close()
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in _UNREADABLE or not self.path.exists():
                raise
        else:
            with closing(connection):
                yield connection
            return
        main, wal = self._bytes()
        with closing(_in_memory(main)) if not wal else _on_a_copy(main, wal) as connection:
            yield connection

    def _bytes(self) -> tuple[bytes, bytes]:
        """Catalog and WAL, read while nobody changed them. The WAL holds the last commits: never leave it out."""
        wal = Path(f"{self.path}-wal")
        for _ in range(20):
            before = self.stamp()
            found = self.path.read_bytes(), wal.read_bytes() if wal.exists() else b""
            if self.stamp() == before:
                return found
            time.sleep(0.05)
        raise StoreError("the catalog kept changing while it was read", where=str(self.path), hint="try again")


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _make_durable(connection: sqlite3.Connection) -> None:
    """FULL: a commit is on disk before it returns. With less, WAL may lose the last commits in a power cut."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _in_memory(main: bytes) -> sqlite3.Connection:
    """A catalog without WAL needs no disk at all. Bytes 18 and 19 of the header say "WAL", which memory cannot do."""
    connection = _connect("file::memory:")
    connection.deserialize(main[:18] + b"\x01\x01" + main[20:])
    return connection


@contextmanager
def _on_a_copy(main: bytes, wal: bytes) -> Iterator[sqlite3.Connection]:
    """Only SQLite can replay a WAL, and only beside its database: both go to the system's temporary directory."""
    with tempfile.TemporaryDirectory(prefix="unify-catalog-") as folder:
        copy = Path(folder) / "catalog.sqlite"
        copy.write_bytes(main)
        Path(f"{copy}-wal").write_bytes(wal)
        with closing(_connect(f"{copy.as_uri()}?mode=ro")) as connection:
            yield connection


@contextmanager
def _transaction(connection: sqlite3.Connection, point: str) -> Iterator[None]:
    """IMMEDIATE: the write lock is taken first, so that what is read inside cannot be outdated by the commit."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        failpoint(f"{point}.before_commit")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    failpoint(f"{point}.after_commit")


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Run what is missing. The version is asked here, inside the transaction: another process may have been faster."""
    for name in MIGRATIONS[_version(connection) :]:
        for statement in _statements(resources.files("unify.store").joinpath("sql", name).read_text("utf-8")):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


@contextmanager
def _brought_up_to_date(old: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A copy in memory of an older unify's catalog, as this one wants it: reading changes no file. The next writer does
    it in place."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        copy.row_factory = sqlite3.Row
        old.backup(copy)
        _bring_up_to_date(copy)
        yield copy


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction it runs in.

    >>> list(_statements("SELECT ';'; -- a\\nSELECT 2;"))
    ["SELECT ';'; -- a\\n", 'SELECT 2;']
    """
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 (4 µs; asked before every answer)
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
