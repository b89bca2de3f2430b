"""Taking somebody out of the catalog, the members and the files that no catalog speaks of. Needs the lease."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from unify.store.files import Layout, fsync
from unify.store.lease import Lease
from unify.store.memberships import MEMBERS, name_of, referenced, strays
from unify.store.nouns import now
from unify.store.store import Store
from unify.store.trouble import trouble

Change = Callable[[str], str]
TEXTS: Final = (
    ("runs", "report"), ("runs", "error"), ("definitions", "body"), ("segment_texts", "body"), ("memberships", "facts"),
    ("generations", "summary"),
)  # fmt: skip
"""Columns of the catalog that hold JSON."""


def scrub_catalog(store: Store, lease: Lease, change: Change, *, spared: frozenset[str] = frozenset()) -> int:
    """Put every JSON text of the catalog through a change; how many it changed. `spared`: kinds of definitions."""
    lease.require(store.path / "lease.lock")
    changed = 0
    with _catalog(store) as connection:
        for table, column in TEXTS:
            known = "kind" if table == "definitions" else "''"
            sql = f"SELECT DISTINCT {column}, {known} FROM {table} WHERE {column} IS NOT NULL"
            for text, kind in connection.execute(sql).fetchall():
                clean = text if kind in spared else change(text)
                if clean != text:
                    done = connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (clean, text))
                    changed += done.rowcount
        connection.commit()
    return changed


def scrub_members(store: Store, lease: Lease, change: Callable[[bytes], tuple[bytes, int]]) -> int:
    """Put every kept file of members through a change, which also says how many there are then; how many it changed."""
    lease.require(store.path / "lease.lock")
    layout, changed = Layout(store.path), 0
    with _catalog(store) as connection:
        for (name,) in connection.execute("SELECT DISTINCT file FROM memberships WHERE file IS NOT NULL").fetchall():
            before = (layout.memberships / name).read_bytes()
            after, members = change(before)
            if after == before:
                continue
            new = name_of(after, MEMBERS)
            (layout.memberships / f"{new}.new").write_bytes(after)
            fsync(layout.memberships / f"{new}.new")
            (layout.memberships / f"{new}.new").replace(layout.memberships / new)
            connection.execute("UPDATE memberships SET file = ?, members = ? WHERE file = ?", (new, members, name))
            changed += 1
        connection.commit()
    return changed


def remove_old(store: Store, lease: Lease) -> list[Path]:
    """Every generation but the published one, and whatever no row refers to; what was removed.

    Also those that somebody reads: on the systems this runs on, an open file outlives its removal, and its readers move
    on with their next question.
    """
    lease.require(store.path / "lease.lock")
    layout, published = Layout(store.path), store.published()
    live = {published.number} if published is not None else set()
    with _catalog(store) as connection:
        connection.row_factory = sqlite3.Row
        sql = "UPDATE generations SET retired = ? WHERE retired IS NULL AND number <> ?"
        connection.execute(sql, (now(), published.number if published is not None else -1))
        connection.commit()
        needed = referenced(connection)
    gone = [*layout.leftovers(live), *strays(layout, needed)]
    with trouble(store.path, "remove what is no longer wanted"):
        for path in gone:
            _remove(path)
    return gone


def compact(store: Store) -> None:
    """Write the catalog anew, so that its file holds nothing that was taken out."""
    with _catalog(store) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _catalog(store: Store) -> "closing[sqlite3.Connection]":
    connection = sqlite3.connect(store.path / "catalog.sqlite", timeout=30)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = FULL")
    return closing(connection)


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in sorted(path.iterdir()):
            _remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
