"""What is forgotten after seven days: executions with their staging, errors and files; and what kills left behind."""

import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final

from unify.core.names import quote
from unify.packages.database import PackageDatabase
from unify.packages.history import KEPT, now_text
from unify.packages.locks import lock_of_execution
from unify.packages.target import forget

BLOBS: Final = "blobs"
"""Folder, beside those of executions, of files that were uploaded to a service."""
ABANDONED_S: Final = 24 * 3600
"""A file on its way in that has not been written to for so long has nobody behind it."""


def sweep(database: PackageDatabase, now: datetime) -> list[str]:
    """Forget what ended more than seven days before; ids."""
    rows = database.rows(
        "SELECT number, id FROM executions WHERE ended < $before AND status NOT IN ('NotRun', 'Executing')"
        " ORDER BY number",
        {"before": now_text(now - KEPT)},
    )
    drop(database, [row["number"] for row in rows])
    if database.folder.is_dir():
        for left in database.folder.glob(".*.part"):
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                left.unlink(missing_ok=True)
    return [row["id"] for row in rows]


def shed(instance: Path) -> int:
    """Take all rows and files of executions away that have ended; their statuses and counts stay. How many they were.

    For erasures: what came in stands in packages, staging and error files too, in whatever shape it came.
    """
    database = PackageDatabase(instance)
    rows = database.rows("SELECT number FROM executions WHERE status NOT IN ('NotRun', 'Executing') ORDER BY number")
    for row in rows:
        with database.write() as db:
            _drop_staging(db, row["number"])
            db.execute("DELETE FROM row_errors WHERE execution = $number", {"number": row["number"]})
        shutil.rmtree(database.folder_of(row["number"]), ignore_errors=True)
    shutil.rmtree(database.folder / BLOBS, ignore_errors=True)
    if rows:
        with closing(database.connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log holds pages as they were
    return len(rows)


def _drop_staging(db: sqlite3.Connection, number: int) -> None:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB $names"
    for row in db.execute(sql, {"names": f"staging_{number}_[0-9]*"}).fetchall():
        db.execute(f"DROP TABLE {quote(row['name'])}")


def drop(database: PackageDatabase, numbers: Sequence[int]) -> None:
    """Take executions away. Files go last: who finds none of them left has nothing to look for."""
    tokens: list[str] = []
    for number in numbers:
        with database.write() as db:
            _drop_staging(db, number)
            found = db.execute("SELECT token FROM executions WHERE number = $number", {"number": number}).fetchone()
            db.execute("DELETE FROM executions WHERE number = $number", {"number": number})
        if found is not None:
            tokens.append(found["token"])
    forget(database.instance, tokens)
    for number in numbers:
        shutil.rmtree(database.folder_of(number), ignore_errors=True)
        lock_of_execution(database, number).unlink(missing_ok=True)
