"""Instances come and go: made, copied, reset, deleted, so that `kill -9` at any instant leaves each whole or gone.

    delete   lease ─▶ rename to .trash-… ─▶ rows about it ─▶ remove .trash-…
    reset    lease ─▶ make .new-… ─▶ note it ─▶ rename to .trash-… ─▶ rename .new-… ─▶ unnote ─▶ remove .trash-…

An instance is gone, or the new one, from the instant of a rename. Hidden names are no instances; what a killed process
left under them is cleared by the next start of any process of the service (`recover`).
"""

import fcntl
import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unify.core.errors import LeaseHeldError
from unify.records import RecordStore
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, not_found
from unify.service.hosted import Hosted
from unify.service.roof import Roof
from unify.store import Lease, Store
from unify.store.files import CATALOG, fsync

if TYPE_CHECKING:
    from unify.service.app import Service

TRASH, NEW = ".trash-", ".new-"
KEPT: Final = frozenset(("last_runs", "resets"))
"""Tables whose rows outlive an instance, besides logs."""
OF_DATA: Final = (
    "authors", "jobs", "events", "package_files", "package_queue", "package_activities", "package_messages",
)  # fmt: skip
"""Tables whose rows go with the data when an instance is reset."""
COPIED: Final = ("segment",)
"""Kinds of definitions, beside the draft, that are configuration."""


class Housekeeping:
    """What changes which instances there are. Blocking; safe for many threads and processes."""

    def __init__(self, service: "Service") -> None:
        self._root: Path = service.settings.root
        self._roof: Roof = service.roof
        self._database: ServiceDatabase = service.database
        self._registry = service.guard.registry

    def create(self, id_: str, said: dict[str, Any], by: str, at: str) -> Hosted:
        """A new, empty instance and its metadata; ServiceError 400, 409."""
        last = self._database.rows("SELECT last FROM last_runs WHERE id = $id", {"id": id_})
        hosted = self._roof.create(id_, after=last[0]["last"] if last else 0)
        with self._database.write() as rows:
            _forget(rows, id_)  # of one that was deleted by hand
            rows.execute(
                "INSERT INTO instances (id, said, version, created, created_by, updated, updated_by)"
                " VALUES ($id, $said, 1, $at, $by, $at, $by)",
                {"id": id_, "said": json.dumps(said), "by": by, "at": at},
            )
        return hosted

    def copy(self, source: Hosted, id_: str, said: dict[str, Any], by: str, at: str) -> Hosted:
        """A new instance with the configuration of another: draft, segments, record tables; no data, no history."""
        document = source.draft.now().document
        definitions = [d for kind in COPIED for d in source.store.definitions(kind)]
        made = self.create(id_, said, by, at)
        made.draft.edit(lambda draft: draft.update(document), check=False)
        for d in definitions:
            if not d.body.get("deleted"):
                made.store.save_definition(d.kind, d.name, d.body)
        _copy_record_tables(source.store.path, made.store.path)
        return made

    def delete(self, hosted: Hosted) -> None:
        """Take it away; ServiceError 409 while somebody writes to it."""
        with self._alone(), self._lease(hosted, "delete"):
            trash = self._to_trash(hosted)
        with self._database.write() as rows:
            _forget(rows, hosted.id)
        self._registry.look()  # whose roles went is known at once
        self._roof.forget(hosted.id)
        _remove(trash)

    def reset(self, hosted: Hosted) -> None:
        """An empty instance in its place: data, project, segments and history go, its metadata stays."""
        with self._alone(), self._lease(hosted, "reset"):
            new = self._root / f"{NEW}{uuid.uuid4().hex}"
            Store.create(new, after=_last_run(hosted.store))
            with self._database.write() as rows:
                rows.execute(
                    "INSERT OR REPLACE INTO resets (id, made) VALUES ($id, $made)", {"id": hosted.id, "made": new.name}
                )
            trash = self._to_trash(hosted)
            self._in_place(new, hosted.id)
        self._roof.forget(hosted.id)
        _remove(trash)

    def recover(self) -> None:
        """End what killed processes began. Waits for none that is alive: then there is nothing to end."""
        with self._alone(wait=False) as alone:
            if not alone:
                return
            for row in self._database.rows("SELECT id, made FROM resets"):
                new, place = self._root / row["made"], self._root / row["id"]
                if new.exists() and not place.exists():
                    self._in_place(new, row["id"])
                else:
                    self._noted_no_more(row["id"])
            for left in [*self._root.glob(f"{TRASH}*"), *self._root.glob(f"{NEW}*")]:
                _remove(left)

    def _to_trash(self, hosted: Hosted) -> Path:
        """Under a hidden name; from here on it is not there."""
        with self._database.write() as rows:
            rows.execute(
                "INSERT INTO last_runs (id, last) VALUES ($id, $last)"
                " ON CONFLICT (id) DO UPDATE SET last = max(last, excluded.last)",
                {"id": hosted.id, "last": _last_run(hosted.store)},
            )
        trash = self._root / f"{TRASH}{uuid.uuid4().hex}"
        hosted.store.path.rename(trash)
        fsync(self._root)
        return trash

    def _in_place(self, new: Path, id_: str) -> None:
        new.rename(self._root / id_)
        fsync(self._root)
        with self._database.write() as rows:
            for table in OF_DATA:
                rows.execute(f"DELETE FROM {table} WHERE instance = $id", {"id": id_})
            rows.execute("DELETE FROM resets WHERE id = $id", {"id": id_})

    def _noted_no_more(self, id_: str) -> None:
        with self._database.write() as rows:
            rows.execute("DELETE FROM resets WHERE id = $id", {"id": id_})

    @contextmanager
    def _lease(self, hosted: Hosted, purpose: str) -> Iterator[Lease]:
        if not (hosted.store.path / CATALOG).exists():  # somebody else was faster
            raise not_found(f"there is no instance {hosted.id!r}", where="instanceId")
        try:
            lease = hosted.store.lease(purpose)
        except LeaseHeldError as error:
            raise ServiceError(
                409, f"{hosted.id} is being written to", where=hosted.id, hint="wait for the job, or cancel it"
            ) from error
        with lease:
            yield lease

    @contextmanager
    def _alone(self, *, wait: bool = True) -> Iterator[bool]:
        """One process at a time makes instances come and go; a lock of the system ends with its process."""
        descriptor = os.open(self._database.folder / "instances.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)


def _copy_record_tables(source: Path, target: Path) -> None:
    """Definitions of record tables: a project names them. Their rows are data and stay."""
    with RecordStore(source).read() as reading:
        tables = list(reading.tables().values())
    if tables:
        with RecordStore(target).write() as writing:
            for table in tables:
                writing.define(table)


def _last_run(store: Store) -> int:
    runs = store.runs(1)
    return runs[0].number if runs else 0


def _forget(rows: sqlite3.Connection, id_: str) -> None:
    """Everything that any room keeps about an instance, by its column: who may do what in the next one of that name is
    said anew. Logs stay."""
    tables = [row["name"] for row in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows.execute("DELETE FROM instances WHERE id = $id", {"id": id_})
    for table in tables:
        if table in KEPT or "audit" in table or "log" in table:
            continue
        columns = {row["name"] for row in rows.execute(f"SELECT name FROM pragma_table_info('{table}')")}
        for column in columns & {"instance", "instance_id"}:
            rows.execute(f'DELETE FROM "{table}" WHERE {column} = $id', {"id": id_})


def _remove(path: Path) -> None:
    """Readers in other processes keep what they have open; nobody waits for them."""
    shutil.rmtree(path, ignore_errors=True)
