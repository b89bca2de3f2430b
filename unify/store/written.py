"""Rows that somebody wrote one by one: kept apart from files, and laid over them by every run that ingests.

    incoming/written.sqlite   one row per entity and key: values by column as text, until when, by whom

A write is durable when it returns, needs no lease and no generation of its own; readers see it after the next run. What
is written stays in force until its `until`, whatever the files say meanwhile.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

FILE: Final = "written.sqlite"
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS written (
    entity  TEXT NOT NULL,
    key     TEXT NOT NULL,
    "values" TEXT NOT NULL,       -- JSON: column → text that its type reads, or null
    created INTEGER NOT NULL,     -- 1: a row of its own; 0: a change of a row of the files
    until   TEXT,                 -- UTC, ISO 8601; null: for good
    caller  TEXT NOT NULL,
    at      TEXT NOT NULL,
    PRIMARY KEY (entity, key)
)
"""
BUSY_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """One row, or a change of one."""

    entity: str
    key: str
    values: Mapping[str, str | None]
    created: bool
    until: datetime | None = None
    caller: str = ""

    def in_force(self, now: datetime) -> bool:
        """Whether a run at that moment takes it."""
        return self.until is None or now < self.until


class WrittenRows:
    """Those of one instance, given by its directory. For many threads and processes."""

    def __init__(self, instance: Path) -> None:
        self._path = instance / "incoming" / FILE

    def find(self, entity: str, key: str, now: datetime) -> WrittenRow | None:
        """What is in force of one row."""
        if not self._path.exists():
            return None
        with closing(self._connect()) as connection:
            sql = "SELECT * FROM written WHERE entity = $entity AND key = $key"
            row = connection.execute(sql, {"entity": entity, "key": key}).fetchone()
        found = _row(row) if row is not None else None
        return found if found is not None and found.in_force(now) else None

    def all(self, now: datetime) -> dict[str, list[WrittenRow]]:
        """Entity → its rows in force, sorted by key."""
        found: dict[str, list[WrittenRow]] = {}
        if self._path.exists():
            with closing(self._connect()) as connection:
                for row in map(_row, connection.execute("SELECT * FROM written ORDER BY entity, key")):
                    if row.in_force(now):
                        found.setdefault(row.entity, []).append(row)
        return found

    def write(self, row: WrittenRow, now: datetime) -> bool:
        """Keep a row, or add a change to what is in force of it; false when a new one has a key that was written."""
        return self.write_all([row], now) is None

    def write_all(self, rows: Sequence[WrittenRow], now: datetime) -> int | None:
        """Keep rows, each as `write` does and after those before it, in one transaction: all of them or none.

        None; or which of them, from 0, is a new one whose key was written: then none is kept.
        """
        if not rows:
            return None
        with self._change() as connection:
            for number, row in enumerate(rows):
                if not _keep(connection, row, now):
                    connection.rollback()
                    return number
        return None

    def erase(self, entity: str, keys: Collection[str]) -> int:
        """Take rows out for good, from the file too; how many there were."""
        if not self._path.exists():
            return 0
        with self._change() as connection:
            gone = 0
            for key in keys:
                sql = "DELETE FROM written WHERE entity = $entity AND key = $key"
                gone += connection.execute(sql, {"entity": entity, "key": key}).rowcount
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(exist_ok=True)
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(SCHEMA)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only let go of
        return connection


def digest_of(rows: Collection[WrittenRow]) -> str:
    """Another one whenever a run would find something else; "" for none."""
    said = [(row.key, sorted(row.values.items()), row.created) for row in rows]
    return sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()[:32] if said else ""


def _keep(connection: sqlite3.Connection, row: WrittenRow, now: datetime) -> bool:
    known = connection.execute(
        "SELECT * FROM written WHERE entity = $entity AND key = $key", {"entity": row.entity, "key": row.key}
    ).fetchone()
    before = _row(known) if known is not None else None
    if before is not None and not before.in_force(now):
        before = None
    if row.created and before is not None:
        return False
    values = {**(before.values if before is not None else {}), **row.values}
    connection.execute(
        'INSERT OR REPLACE INTO written (entity, key, "values", created, until, caller, at) '
        "VALUES ($entity, $key, $values, $created, $until, $caller, $at)",
        {
            "entity": row.entity,
            "key": row.key,
            "values": json.dumps(values, ensure_ascii=False, sort_keys=True),
            "created": int(row.created or (before is not None and before.created)),
            "until": row.until.astimezone(UTC).isoformat() if row.until else None,
            "caller": row.caller,
            "at": now.astimezone(UTC).isoformat(timespec="milliseconds"),
        },
    )
    return True


def _row(row: sqlite3.Row) -> WrittenRow:
    until = datetime.fromisoformat(row["until"]) if row["until"] else None
    return WrittenRow(row["entity"], row["key"], json.loads(row["values"]), bool(row["created"]), until, row["caller"])
