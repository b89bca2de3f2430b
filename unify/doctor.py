"""Is everything in order? Each check says ok, warn or fail, and the next move. Reads only, takes no lease.

surroundings   Python, DuckDB, packages of others that shadow ours
instance       catalog, record tables, generations, leftovers, lease, runs, permission, free disk space
"""

import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import computed_field

from unify.core.errors import StoreError, UnifyError
from unify.core.reports import Report
from unify.core.shadows import refuse_foreign_packages
from unify.records import FILE, RecordStore
from unify.store import Generation, Store
from unify.store.catalog import Catalog
from unify.store.files import Layout, refuse_unusable
from unify.store.lease import SILENT_SECONDS
from unify.store.memberships import strays
from unify.store.opening import count_rows

State = Literal["ok", "warn", "fail"]

PYTHON = (3, 11)
DUCKDB = ((1, 5), (3,))
"""The first supported version and the first that is not (pyproject.toml)."""
ROOM_FACTOR = 3
"""A build needs room for the new generation, what DuckDB spills, and some air: three times the published file."""
ROOM_AT_LEAST = 256 * 2**20


class Check(Report):
    """One check. `hint`: the next move, empty when there is none to make."""

    name: str
    state: State
    message: str
    hint: str = ""


class DoctorReport(Report):
    """All checks, in order."""

    instance: str | None
    checks: list[Check]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether nothing failed; warnings are no failures."""
        return all(check.state != "fail" for check in self.checks)

    def lines(self) -> Iterator[str]:
        """Plain text."""
        for check in self.checks:
            yield f"{MARKS[check.state]} {check.name}: {check.message}"
            if check.hint:
                yield f"    → {check.hint}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


MARKS: dict[State, str] = {"ok": "✓", "warn": "!", "fail": "✗"}


def examine(path: Path | None) -> DoctorReport:
    """Examine the surroundings and, when there is a path, the instance there. Raises nothing: trouble is a check."""
    checks = [_python(), _duckdb(), _foreign_packages()]
    if path is not None:
        checks += _instance(path)
    return DoctorReport(instance=str(path) if path is not None else None, checks=checks)


def _python() -> Check:
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}, SQLite {sqlite3.sqlite_version}"
    if sys.version_info < PYTHON:
        return Check(name="Python", state="fail", message=said, hint="install Python 3.11 or newer")
    return Check(name="Python", state="ok", message=said)


def _duckdb() -> Check:
    try:
        found = version("duckdb")
    except PackageNotFoundError:
        return Check(name="DuckDB", state="fail", message="is not installed", hint="`pip install duckdb`")
    number = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not DUCKDB[0] <= number < DUCKDB[1]:
        return Check(name="DuckDB", state="fail", message=found, hint="install a version from 1.5 on and below 3")
    return Check(name="DuckDB", state="ok", message=found)


def _foreign_packages() -> Check:
    try:
        refuse_foreign_packages()
    except StoreError as error:
        return Check(name="packages", state="fail", message=f"{error.message}: {error.where}", hint=error.hint)
    return Check(name="packages", state="ok", message="`ingest` and `segments` are ours")


def _instance(path: Path) -> Iterator[Check]:
    try:
        refuse_unusable(path)
        store = Store.open(path)
    except StoreError as error:
        yield Check(name="instance", state="fail", message=f"{error.message}: {error.where}", hint=error.hint)
        return
    layout = Layout(store.path)
    yield Check(name="instance", state="ok", message=str(store.path))
    catalog = _tried("catalog", lambda: _catalog(layout))
    yield catalog
    if catalog.state == "fail":
        return
    kept = store.generations()
    if RecordStore(store.path).path.exists():
        yield _tried("records", lambda: _records(store))
    yield from (_tried(f"generation {g.number}", lambda g=g: _generation(g)) for g in kept)  # type: ignore[misc]
    if not kept:
        hint = "`unify run PROJECT.yaml` makes the first"
        yield Check(name="generations", state="warn", message="nothing has been published yet", hint=hint)
    yield _tried("lease", lambda: _lease(store))
    yield _tried("runs", lambda: _runs(store))
    yield _tried("leftovers", lambda: _leftovers(store, layout, kept))
    yield _tried("members", lambda: _members(store))
    yield _permission(layout)
    yield _tried("disk", lambda: _disk(layout, kept))


def _tried(name: str, check: Callable[[], Check]) -> Check:
    """The check, or what went wrong while checking."""
    try:
        return check()
    except UnifyError as error:
        return Check(name=name, state="fail", message=error.message, hint=error.hint)
    except OSError as error:
        return Check(name=name, state="fail", message=str(error), hint="check the disk and the permissions")


def _catalog(layout: Layout) -> Check:
    said = [str(row[0]) for row in Catalog(layout.catalog).rows("PRAGMA integrity_check")]
    if said != ["ok"]:
        shown = "; ".join(said[:3])
        return Check(name="catalog", state="fail", message=f"is damaged: {shown}", hint="restore it from a backup")
    return Check(name="catalog", state="ok", message="SQLite finds no damage")


def _records(store: Store) -> Check:
    """Record tables: SQLite finds no damage, and every table that is defined is there."""
    records = RecordStore(store.path)
    hint = f"restore {FILE} from a backup, then `unify run --full`"
    try:
        with records.read() as reading:
            said = [str(row[0]) for row in reading.connection.execute("PRAGMA quick_check")]
            if said != ["ok"]:
                return Check(name="records", state="fail", message=f"is damaged: {'; '.join(said[:3])}", hint=hint)
            rows = sum(reading.count(name) for name in reading.tables())
            tables = len(reading.tables())
    except sqlite3.DatabaseError as error:
        return Check(name="records", state="fail", message=f"is damaged: {error}", hint=hint)
    return Check(name="records", state="ok", message=f"{rows:,} rows in {tables:,} record tables, no damage")


def _generation(kept: Generation) -> Check:
    """The file is there, can be opened, and has the tables and rows that were published."""
    name = f"generation {kept.number}"
    counts = count_rows(kept.path)
    wrong = sorted(t for t in {*counts, *kept.rows} if counts.get(t) != kept.rows.get(t))
    if wrong:
        differs = ", ".join(f"{t} has {counts.get(t)} rows, not {kept.rows.get(t)}" for t in wrong[:3])
        hint = "restore the file from a backup, or roll back to another generation (`unify generations`)"
        return Check(name=name, state="fail", message=f"is not what was published: {differs}", hint=hint)
    size = kept.path.stat().st_size
    current = ", published" if kept.current else ""
    return Check(name=name, state="ok", message=f"{len(counts)} tables, {size / 2**20:,.1f} MiB{current}")


def _lease(store: Store) -> Check:
    holder = store.lease_holder()
    if holder is None:
        return Check(name="lease", state="ok", message="nobody is writing")
    silent = (datetime.now(UTC) - holder.heartbeat).total_seconds()
    if silent > SILENT_SECONDS:
        hint = "continue or end that process; never delete lease.lock"
        return Check(name="lease", state="warn", message=f"{holder}, no sign of life for {silent:.0f} s", hint=hint)
    return Check(name="lease", state="ok", message=f"held by {holder}")


def _runs(store: Store) -> Check:
    runs = store.runs(1)
    if not runs:
        return Check(name="runs", state="ok", message="none yet")
    last = runs[0]
    if last.state == "running" and store.lease_holder() is None:
        hint = "run again: it cleans up; what was published before is untouched"
        return Check(name="runs", state="warn", message=f"run {last.number} was killed", hint=hint)
    if last.state in ("failed", "killed"):
        why = " ".join(str((last.error or {}).get("message", "no reason was noted")).split())
        hint = str((last.error or {}).get("hint", "")) or "`unify runs` lists all"
        return Check(name="runs", state="warn", message=f"run {last.number} {last.state}: {why}", hint=hint)
    return Check(name="runs", state="ok", message=f"run {last.number} is {last.state}")


def _members(store: Store) -> Check:
    """Every file of members that the catalog refers to is there and is what was written."""
    rows = {row.file for row in store.membership_history(kept=True) if row.file is not None}
    files = sorted(rows | {step.file for step in store.identity_steps().values() if step.file is not None})
    for file in files:
        store.members_file(file)  # StoreError says which, and what to do
    if not files:
        return Check(name="members", state="ok", message="of segments: none yet")
    return Check(name="members", state="ok", message=f"of segments: {len(files):,} whole files")


def _leftovers(store: Store, layout: Layout, kept: list[Generation]) -> Check:
    """Files of dead runs. While somebody builds, the newest number's files are his."""
    building = next((r.number for r in store.runs(1) if r.state == "running" and store.lease_holder()), None)
    found = [p.name for p in layout.leftovers({g.number for g in kept}, building)]
    if building is None:
        needed = {row.file for row in store.membership_history(kept=True)} | {
            s.file for s in store.identity_steps().values()
        }
        found += [p.name for p in strays(layout, {file for file in needed if file is not None})]
    if found:
        shown = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
        hint = "the next run removes what nobody reads"
        return Check(name="leftovers", state="warn", message=shown, hint=hint)
    return Check(name="leftovers", state="ok", message="none")


def _permission(layout: Layout) -> Check:
    places = (layout.root, layout.catalog, layout.generations)
    closed = [p.name for p in places if p.exists() and not os.access(p, os.W_OK)]
    if closed:
        hint = "reading works; give this user write permission to run"
        return Check(name="permission", state="warn", message=f"cannot write to {', '.join(closed)}", hint=hint)
    return Check(name="permission", state="ok", message="may read and write")


def _disk(layout: Layout, kept: list[Generation]) -> Check:
    free = shutil.disk_usage(layout.root).free
    largest = max((g.path.stat().st_size for g in kept if g.path.exists()), default=0)
    said = f"{free / 2**30:,.1f} GiB free"
    if free < largest:
        hint = "free some space: the next run cannot finish"
        return Check(name="disk", state="fail", message=f"{said}, less than one generation takes", hint=hint)
    if free < max(ROOM_FACTOR * largest, ROOM_AT_LEAST):
        return Check(name="disk", state="warn", message=said, hint="free some space: the next run may not finish")
    return Check(name="disk", state="ok", message=said)
