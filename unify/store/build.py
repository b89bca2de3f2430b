"""One run: from `begin` to `publish`, `refresh` or `fail`."""

import json
import os
import socket
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from unify.core.errors import StoreError, UnifyError
from unify.store.catalog import Catalog
from unify.store.failpoints import failpoint
from unify.store.files import Layout, fsync, refuse_unusable, sweep
from unify.store.lease import Lease
from unify.store.memberships import NewMembers, insert, referenced, strays, write_files
from unify.store.nouns import Generation, Sweep, now
from unify.store.opening import count_rows
from unify.store.rows import LIVE, generation
from unify.store.trouble import tell, trouble


class Build:
    """A run that is building a generation. Use it as a context manager: leaving without `publish` marks the run failed.

    number   of the run and of its generation; given once, never again
    run_id   unique among all instances
    path     the DuckDB file to write; it does not exist yet
    swept    leftovers of earlier runs that were removed; after `publish`, old generations too
    """

    def __init__(self, layout: Layout, catalog: Catalog, lease: Lease, number: int, run_id: str, swept: Sweep) -> None:
        self.number, self.run_id, self.swept = number, run_id, swept
        self.path = layout.generation(number)
        self._layout, self._catalog, self._lease = layout, catalog, lease
        self._open = True

    def publish(
        self,
        report: Mapping[str, Any],
        keep: int,
        *,
        summary: Mapping[str, Any] | None = None,
        marks: Mapping[str, int] | None = None,
        members: NewMembers | None = None,
    ) -> Generation:
        """Make this generation the one readers see and complete the run with its report, in one transaction.

        The caller has closed its DuckDB connection. `keep` generations stay for rollback, this one included; older ones
        are removed unless a reader has them pinned. `marks` are numbers that only grow and survive rollbacks. `members`
        are those of segments; they are in force from the same instant.
        Raises StoreError (nothing changed) when the file is not whole, the disk is full or the lease is gone.
        """
        self._require_open()
        if keep < 1:
            raise StoreError(f"cannot keep {keep} generations", where="keep", hint="keep at least 1, the published one")
        texts = {"report": _json(report, "report"), "summary": _json(summary or {}, "summary")}
        with trouble(self.path, "publish the generation"):
            rows = _verify(self.path)
            self._force_to_disk()
            written = write_files(self._layout, members) if members is not None else None
            self._lease.require(self._layout.lease)
            with self._catalog.write("publish") as catalog:
                values = {
                    "number": self.number,
                    "at": now(),
                    "bytes": self.path.stat().st_size,
                    "rows": json.dumps(rows),
                }
                self._complete(catalog, {**values, **texts})
                _raise_marks(catalog, marks or {})
                _retire(catalog, self.number, keep)
                if members is not None and written is not None:
                    insert(catalog, self.number, self.number, members, written)
                live = {int(row["number"]) for row in catalog.execute(LIVE)}
                needed = referenced(catalog)
        self._close()
        self._add(sweep([*self._layout.leftovers(live), *strays(self._layout, needed)]))
        return self._published()

    def refresh(self, report: Mapping[str, Any], generation: int, members: NewMembers) -> None:
        """Complete the run without a generation: from here on these members are in force on a published one.

        Raises StoreError (nothing changed) when the disk is full, the lease is gone, or that generation is not kept.
        """
        self._require_open()
        text = _json(report, "report")
        with trouble(self._layout.root, "refresh segments"):
            written = write_files(self._layout, members)
            self._lease.require(self._layout.lease)
            with self._catalog.write("refresh") as catalog:
                if generation not in {int(row["number"]) for row in catalog.execute(LIVE)}:
                    hint = "kept are listed by `unify generations`"
                    raise StoreError(f"there is no generation {generation}", where=str(self._layout.root), hint=hint)
                self._finish(catalog, {"at": now(), "report": text}, generation)
                insert(catalog, self.number, generation, members, written)
                needed = referenced(catalog)
        self._close()
        self._add(sweep(strays(self._layout, needed)))

    def fail(self, error: UnifyError | BaseException | Mapping[str, Any]) -> None:
        """Mark the run failed and remove its files; what is published stays. Close your connection first.

        Raises StoreError when the run was published already.
        """
        if self._settled():
            raise StoreError(
                f"run {self.number} is finished", where=str(self.path), hint="fail only a run that is building"
            )
        with self._catalog.read() as catalog:
            needed = referenced(catalog)
        # First: on a full disk this makes the room that the catalog needs.
        self._add(sweep([*self._files(), *strays(self._layout, needed)]))
        with self._catalog.write("fail") as catalog:
            catalog.execute(
                "UPDATE runs SET state = 'failed', finished = $at, error = $error"
                " WHERE number = $number AND state = 'running'",
                {
                    "at": now(),
                    "error": json.dumps(_said(error), ensure_ascii=False, default=str),
                    "number": self.number,
                },
            )
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._open:
            return
        told = tell(error, self.path, "build the generation") if error is not None else None
        try:
            if self._settled():
                self._close()
            else:
                self.fail(told or error or StoreError("the run ended without publishing"))
        except StoreError as second:
            if error is None:
                raise
            error.add_note(f"the run could not be marked failed either ({second.message}); the next run will clean up")
        if told is not None:
            raise told from error

    def _require_open(self) -> None:
        self._lease.require(self._layout.lease)
        if not self._open:
            raise StoreError(f"run {self.number} is finished", where=str(self.path), hint="begin a new one")

    def _close(self) -> None:
        self._open = False
        self._lease.building = None

    def _add(self, more: Sweep) -> None:
        old = self.swept
        self.swept = Sweep(old.removed + more.removed, old.in_use + more.in_use, old.failed + more.failed)

    def _force_to_disk(self) -> None:
        self.path.chmod(0o444)  # immutable from here on, also for a slip of ours
        failpoint("publish.before_fsync")
        fsync(self.path)
        failpoint("publish.after_fsync")
        fsync(self.path.parent)
        failpoint("publish.after_directory_fsync")

    def _finish(self, catalog: sqlite3.Connection, values: Mapping[str, Any], generation: int) -> None:
        """Mark the run published; StoreError when another writer declared it dead."""
        done = catalog.execute(
            "UPDATE runs SET state = 'published', finished = $at, report = $report, generation = $generation"
            " WHERE number = $number AND state = 'running'",
            {"at": values["at"], "report": values["report"], "number": self.number, "generation": generation},
        )
        if done.rowcount != 1:
            raise StoreError(
                f"run {self.number} is no longer running: another writer took over",
                where=str(self._layout.root),
                hint="look at `unify runs`; run again",
            )

    def _complete(self, catalog: sqlite3.Connection, values: dict[str, Any]) -> None:
        catalog.execute(
            "INSERT INTO generations (number, published, bytes, rows, summary)"
            " VALUES ($number, $at, $bytes, $rows, $summary)",
            {key: values[key] for key in ("number", "at", "bytes", "rows", "summary")},
        )
        catalog.execute(
            "INSERT INTO publications (number, at, why) VALUES ($number, $at, 'run')",
            {"number": self.number, "at": values["at"]},
        )
        self._finish(catalog, values, self.number)  # it refers to the generation

    def _settled(self) -> bool:
        """Whether the catalog says this run is over: after an error around COMMIT only the catalog knows."""
        found = self._catalog.rows("SELECT state FROM runs WHERE number = $number", {"number": self.number})
        return not found or found[0]["state"] != "running"

    def _published(self) -> Generation:
        found = self._catalog.rows(f"{LIVE} AND g.number = $number", {"number": self.number})
        return generation(found[0], self._layout)

    def _files(self) -> list[Path]:
        """Everything in generations/ that bears this run's number."""
        return [path for path in self._layout.leftovers(keep=()) if path.name.startswith(f"{self.path.stem}.")]


def begin(layout: Layout, catalog: Catalog, lease: Lease, project: str, purpose: str) -> Build:
    """Write a new run down, mark the dead ones, sweep what they left. The lease says that no other run is alive."""
    lease.require(layout.lease)
    if lease.building is not None:
        raise StoreError(
            f"run {lease.building} is still building under this lease",
            where=str(layout.root),
            hint="publish or fail it first",
        )
    refuse_unusable(layout.root)  # an instance may have been moved
    with trouble(layout.root, "begin a run"):
        layout.generations.mkdir(exist_ok=True)
        with catalog.write("begin") as connection:
            _mark_killed(connection)
            number = _next_number(connection, layout)
            at = now()
            run_id = f"{at[:19].replace('-', '').replace(':', '')}Z-{number:06d}-{os.urandom(3).hex()}"
            connection.execute(
                "INSERT INTO runs (number, run_id, state, purpose, project, pid, host, started)"
                " VALUES ($number, $run_id, 'running', $purpose, $project, $pid, $host, $at)",
                {
                    "number": number,
                    "run_id": run_id,
                    "purpose": purpose,
                    "project": project,
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "at": at,
                },
            )
            live = {int(row["number"]) for row in connection.execute(LIVE)}
            needed = referenced(connection)
        lease.building = number
        swept = sweep([*layout.leftovers(live, building=number), *strays(layout, needed)])
    return Build(layout, catalog, lease, number, run_id, swept)


def _mark_killed(connection: sqlite3.Connection) -> None:
    hint = "its leftovers were removed; what was published before it is untouched"
    error = StoreError("the process ended without a word: killed, out of memory, or power lost", hint=hint).as_dict()
    connection.execute(
        "UPDATE runs SET state = 'killed', finished = $at, error = $error WHERE state = 'running'",
        {"at": now(), "error": json.dumps(error)},
    )


def _next_number(connection: sqlite3.Connection, layout: Layout) -> int:
    """Above every number ever given (SQLite remembers) and every file there is (the catalog may be a backup)."""
    given = connection.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'runs'").fetchone()[0] or 0
    return max(int(given), layout.highest_number()) + 1


def _retire(catalog: sqlite3.Connection, published: int, keep: int) -> None:
    catalog.execute(
        "UPDATE generations SET retired = $at WHERE retired IS NULL AND number <> $published AND number NOT IN"
        " (SELECT number FROM generations WHERE retired IS NULL ORDER BY number DESC LIMIT $keep)",
        {"at": now(), "published": published, "keep": keep},
    )


def _raise_marks(catalog: sqlite3.Connection, marks: Mapping[str, int]) -> None:
    for name, value in marks.items():
        catalog.execute(
            "INSERT INTO marks (name, value) VALUES ($name, $value)"
            " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            {"name": name, "value": value},
        )


def _verify(path: Path) -> dict[str, int]:
    """Table to row count of a closed, checkpointed DuckDB file; StoreError when it is not that."""
    if not path.exists():
        raise StoreError("nothing was built", where=str(path), hint="write the tables to build.path before publishing")
    wal = path.with_name(f"{path.name}.wal")
    if wal.exists():
        raise StoreError(
            "the generation is still open or was not checkpointed",
            where=str(wal),
            hint="close every connection to it, then publish",
        )
    return count_rows(path)


def _json(value: Mapping[str, Any], what: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the {what} is not JSON: {error}", where=what, hint="use numbers, text, lists and dicts"
        ) from error


def _said(error: UnifyError | BaseException | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(error, UnifyError):
        return dict(error.as_dict())
    if isinstance(error, BaseException):
        return {"error": type(error).__name__, "message": str(error), "where": "", "hint": ""}
    return dict(error)
