"""Who is in which segment: files named by their content, and rows of the catalog that refer to them.

    memberships/<sha256>.roaring     members of a segment in a run; equal members of any runs share a file
    memberships/<sha256>.changes     what became of customers between two generations

Files are written whole and forced to disk under a temporary name before they get their own; the rows that refer to
them are inserted by the transaction that publishes. Whatever no row refers to is a leftover, and the next writer
removes it. What stands in the files is the business of segments/membership.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from unify.core.errors import StoreError
from unify.store.failpoints import failpoint
from unify.store.files import Layout, fsync
from unify.store.trouble import trouble

MembershipState = Literal["refreshed", "carried", "failed"]
"""refreshed: found in this run; carried: static, so taken over; failed: the last good members were taken over."""

MEMBERS: Final = "roaring"
CHANGES: Final = "changes"


@dataclass(frozen=True, slots=True)
class Membership:
    """One segment in one run. `file` is None when the members are not kept any more, or when there never were any.

    facts   clock, definition (hash of its text), version, as_of (the run that found the members), rules, seconds, error
    """

    run: int
    segment: str
    generation: int
    state: MembershipState
    members: int | None
    file: str | None
    facts: dict[str, Any]

    @property
    def as_of(self) -> int | None:
        """The run that found these members; None when none ever did."""
        return self.facts.get("as_of")


@dataclass(frozen=True, slots=True)
class NewMembership:
    """What a run says about one segment. `content`: the serialised bitmap; None when no members are known."""

    segment: str
    state: MembershipState
    members: int | None
    content: bytes | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewMembers:
    """What a run says about segments.

    definitions   hash → JSON text of what was evaluated
    identity      what became of customers since generation `parent`; empty when nothing did, None when the run did not
                  build a generation
    keep          runs whose members are kept
    """

    rows: Sequence[NewMembership] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    identity: bytes | None = None
    parent: int | None = None
    keep: int = 100


@dataclass(frozen=True, slots=True)
class IdentityStep:
    """From generation `parent` to generation `run`; `file` has what became of customers, None: nothing did."""

    run: int
    parent: int | None
    file: str | None


@dataclass(frozen=True, slots=True)
class Written:
    """Names of the files that hold what a run said."""

    rows: Mapping[str, str]
    identity: str | None


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def name_of(content: bytes, kind: str) -> str:
    """The name of a file with this content."""
    return f"{hashlib.sha256(content).hexdigest()}.{kind}"


def write_files(layout: Layout, said: NewMembers) -> Written:
    """Put every content on disk under its name. Raises OSError as the system does; then no row refers to anything."""
    rows = {r.segment: name_of(r.content, MEMBERS) for r in said.rows if r.content is not None}
    contents = {rows[r.segment]: r.content for r in said.rows if r.content is not None}
    identity = None
    if said.identity:
        identity = name_of(said.identity, CHANGES)
        contents[identity] = said.identity
    missing = {name: content for name, content in contents.items() if not _holds(layout.memberships / name, content)}
    if missing:
        layout.memberships.mkdir(exist_ok=True)
        for name, content in missing.items():
            _write(layout.memberships / name, content)
        failpoint("members.before_directory_fsync")
        fsync(layout.memberships)
    failpoint("members.written")
    return Written(rows, identity)


def _holds(path: Path, content: bytes) -> bool:
    """Compared, not believed: a file that was damaged since is written anew."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        failpoint("members.before_fsync")
        os.fsync(file.fileno())
    failpoint("members.before_rename")
    temporary.replace(path)
    failpoint("members.after_rename")


def read_file(layout: Layout, name: str) -> bytes:
    """The content of a file. StoreError when it is missing or damaged."""
    path = layout.memberships / name
    with trouble(path, "read the members"):
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            hint = "`unify segment refresh` or the next run finds the members anew"
            raise StoreError("a file of members is missing", where=str(path), hint=hint) from error
    if name_of(content, name.rpartition(".")[2]) != name:
        hint = "restore it from a backup, or remove it: `unify segment refresh` or the next run writes it anew"
        raise StoreError("a file of members is damaged", where=str(path), hint=hint)
    return content


# ── writing rows, inside the transaction that publishes ──────────────────────────────────────────────────────────────


def insert(catalog: sqlite3.Connection, run: int, generation: int, said: NewMembers, written: Written) -> None:
    """The rows of a run, and null for files that need not be kept any more."""
    if said.identity is not None:
        catalog.execute(
            "INSERT INTO identity_changes (run, parent, file) VALUES ($run, $parent, $file)",
            {"run": run, "parent": said.parent, "file": written.identity},
        )
    catalog.executemany(
        "INSERT INTO segment_texts (hash, body) VALUES ($hash, $body) ON CONFLICT (hash) DO NOTHING",
        [{"hash": key, "body": body} for key, body in said.definitions.items()],
    )
    catalog.executemany(
        "INSERT INTO memberships (run, segment, generation, state, members, file, facts)"
        " VALUES ($run, $segment, $generation, $state, $members, $file, $facts)",
        [
            {
                "run": run,
                "segment": row.segment,
                "generation": generation,
                "state": row.state,
                "members": row.members,
                "file": written.rows.get(row.segment),
                "facts": json.dumps(row.facts, ensure_ascii=False, allow_nan=False),
            }
            for row in said.rows
        ],
    )
    forget(catalog, said.keep)


_FORGET: Final = """
WITH recent AS (SELECT DISTINCT run FROM memberships ORDER BY run DESC LIMIT $keep),
     cut AS (SELECT coalesce(min(run), 0) AS run FROM recent),
     wanted AS (
        SELECT generation FROM memberships WHERE run >= (SELECT run FROM cut)
        UNION SELECT number FROM generations WHERE retired IS NULL
     )
UPDATE memberships AS m SET file = NULL
WHERE m.file IS NOT NULL AND m.run < (SELECT run FROM cut)
  AND (m.generation NOT IN wanted OR EXISTS (
        SELECT 1 FROM memberships AS later
        WHERE later.generation = m.generation AND later.segment = m.segment
          AND later.run > m.run AND later.run <= coalesce(
              (SELECT min(w.run) FROM memberships AS w
               WHERE w.generation = m.generation AND w.run >= (SELECT run FROM cut)), later.run)))"""
"""Files stay for the last `keep` runs: their own, and those of older runs on the same generation that are still in
force there. The newest of every generation that can be rolled back to stay as well."""


def forget(catalog: sqlite3.Connection, keep: int) -> None:
    """Let go of the members of old runs; their sizes stay."""
    catalog.execute(_FORGET, {"keep": keep})


def referenced(catalog: sqlite3.Connection) -> set[str]:
    """Names of files that some row needs."""
    rows = catalog.execute(
        "SELECT file FROM memberships WHERE file IS NOT NULL"
        " UNION SELECT file FROM identity_changes WHERE file IS NOT NULL"
    )
    return {str(row["file"]) for row in rows}


def strays(layout: Layout, needed: Collection[str]) -> list[Path]:
    """Files of ours in memberships/ that no row refers to; names that are not of our making are left alone."""
    return [path for path in layout.member_files() if path.name not in needed]


# ── reading rows ─────────────────────────────────────────────────────────────────────────────────────────────────────

OF_GENERATION: Final = """
SELECT m.* FROM memberships AS m WHERE m.generation = $generation AND m.run = (
    SELECT max(run) FROM memberships
    WHERE generation = $generation AND segment = m.segment AND ($until IS NULL OR run <= $until))
ORDER BY m.segment"""
"""What is in force on a generation: of each segment the row of the latest run, up to a run."""


def membership(row: sqlite3.Row) -> Membership:
    """From a row of `memberships`."""
    return Membership(
        run=row["run"],
        segment=row["segment"],
        generation=row["generation"],
        state=row["state"],
        members=row["members"],
        file=row["file"],
        facts=json.loads(row["facts"]),
    )
