"""The service's own database: one SQLite file in WAL mode for all instances under a root, shared by all its processes.

It holds what belongs to the service and not to an instance that may be copied away: who may do what, the queue, the
schedules, the outbox, the audit log. Every room says its tables in a `schema.sql` of its own, CREATE … IF NOT EXISTS.

A connection lives for one question or one transaction, as in the catalog of an instance (unify/store/catalog.py).
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from unify.service.keeping import keep

FOLDER: Final = ".service"
"""Inside the root; no instance is called so."""
BUSY_MS: Final = 30_000
"""How long a transaction waits for another one. Ours take about a millisecond."""


class ServiceDatabase:
    """`<root>/.service/service.sqlite`; made, with its tables, when it is not there."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = self.folder / "service.sqlite"
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for schema in sorted(Path(__file__).parent.glob("*/schema.sql")):
                connection.executescript(schema.read_text(encoding="utf-8"))
        self.path.chmod(0o600)
        keep(self.path)

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[sqlite3.Row]:
        """The answer of one SELECT."""
        with closing(self._connect()) as connection:
            return connection.execute(sql, dict(params or {})).fetchall()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One moment for several SELECTs."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone from its start; durable when the block ends, undone when it raises."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def compact(self) -> None:
        """Empty the log, which holds what was overwritten in the file, and stays while any process has it open."""
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection
