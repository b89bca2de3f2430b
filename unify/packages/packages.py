"""The verbs on data packages of one instance."""

import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ingest.packages import read_package
from unify.core.errors import SourceError, StoreError
from unify.opened import Opened
from unify.packages import error_files, exports, history, imports, projects
from unify.packages.catalogue import Catalogue
from unify.packages.database import PackageDatabase, settle
from unify.packages.errors import ExecutionStateError, ProjectError
from unify.packages.history import Kept
from unify.packages.housekeeping import drop, sweep
from unify.packages.kept import dumped, import_options_of
from unify.packages.locks import held, hold, lock_of_execution, lock_of_project
from unify.packages.nouns import (
    EntityDefinition,
    Execution,
    ExportOptions,
    ImportOptions,
    Operation,
    Project,
    ProjectEntity,
    RowError,
    Status,
)
from unify.packages.target import forget as forget_progress
from unify.packages.target import held_open

Told = Callable[[str], None]
LOOK_S = 0.5
"""Between two looks whether somebody wants an execution to end."""


class Packages:
    """Projects, executions and entities of an instance. Nothing is open between two calls; safe for many processes."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._database = PackageDatabase(opened.path)
        self._catalogue = Catalogue(self._database, opened)

    # ── entities ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def define(self, entity: EntityDefinition) -> EntityDefinition:
        """Make an entity importable: its definition, and its record table where there is none; or widen both."""
        return self._catalogue.define(entity)

    def forget(self, name: str) -> None:
        """Take a definition away; its record table and rows stay. NoSuchEntityError."""
        self._catalogue.forget(name)

    def entities(self) -> list[EntityDefinition]:
        """All, by name: defined ones, tables of the record store, tables of the published generation."""
        return self._catalogue.all()

    def entity(self, name: str) -> EntityDefinition:
        """By its name, its `target` or its table, ignoring case; NoSuchEntityError."""
        return self._catalogue.find(name)

    # ── projects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def define_project(self, project: Project) -> Project:
        """Make a project, or replace it: entities that stay keep their `exported_version`. ProjectError."""
        if project.operation is Operation.EXPORT:
            for entity in project.entities:
                exports.exportable(self._catalogue, entity)
        with self._database.write() as db:
            return projects.define(db, project)

    def projects(self) -> list[Project]:
        """All, by name."""
        return projects.every(self._database)

    def project(self, name: str) -> Project:
        """By name, ignoring case; NoSuchProjectError."""
        for project in self.projects():
            if project.name.casefold() == name.casefold():
                return project
        raise projects.missing(name, [project.name for project in self.projects()])

    def drop_project(self, name: str) -> None:
        """Take it away; its executions stay listed until they expire. ExecutionStateError while one is not ended."""
        project = self.project(name)
        with self._database.write() as db:
            sql = "SELECT id FROM executions WHERE project = $name AND status IN ('NotRun', 'Executing') LIMIT 1"
            if (row := db.execute(sql, {"name": name}).fetchone()) is not None:
                raise ExecutionStateError(f"{project.name} is at work: {row['id']}", where="definitionGroupId",
                                          hint="wait for it, or cancel it")  # fmt: skip
            db.execute("DELETE FROM projects WHERE name = $name", {"name": name})

    def reset_tracking(self, project: str, entity: str | None = None) -> None:
        """The next export of an entity, or of all, sends every row. NoSuchProjectError, ProjectError."""
        found = self.project(project)
        if entity is not None and entity.casefold() not in [one.entity.casefold() for one in found.entities]:
            raise ProjectError(f"{found.name} has no entity {entity[:200]!r}", where="entityName")
        sql = (
            "UPDATE project_entities SET exported_version = NULL WHERE project = $project"
            " AND ($entity IS NULL OR entity = $entity)"
        )
        with self._database.write() as db:
            db.execute(sql, {"project": project, "entity": entity})

    # ── imports ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def import_package(
        self,
        path: Path | str,
        *,
        project: str = "",
        execution_id: str = "",
        options: ImportOptions | None = None,
        told: Told | None = None,
    ) -> Execution:
        """Import a package, to its end: `submit_import`, then `run`. What fails in it stands in the execution."""
        submitted = self.submit_import(path, project=project, execution_id=execution_id, options=options)
        return self.run(submitted.id, told=told)

    def submit_import(
        self,
        path: Path | str,
        *,
        project: str = "",
        execution_id: str = "",
        options: ImportOptions | None = None,
        link: bool = False,
    ) -> Execution:
        """Take a package in, for `run`: it is copied into the instance and on the disk.

        link      a file of this instance that nobody changes any more gets a second name instead
        project   "": as the manifest calls it, and the package is read for that. One that is not there is made

        SourceError for a file that is not there or, without a project, no package. ProjectError, ExecutionStateError.
        """
        with self._database.held_open():
            return self._submit_import(Path(path), project, execution_id, options or ImportOptions(), link=link)

    def _submit_import(
        self, path: Path, project: str, execution_id: str, options: ImportOptions, *, link: bool
    ) -> Execution:
        if not path.is_file():
            raise SourceError("there is no such file", where=str(path), hint="name a package: a zip file")
        if not project:
            with read_package(path) as package:
                project = package.manifest.group
        projects.check_name(project)
        part = self._database.folder / f".{uuid.uuid4().hex}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            (os.link if link else shutil.copyfile)(path, part)
            settle(part)
            with self._database.write() as db:
                found = projects.find(db, project)
                if found is None:
                    projects.define(db, Project(project, Operation.IMPORT))
                elif found.operation is not Operation.IMPORT:
                    raise ProjectError(
                        f"{found.name} is a data project for export", where="definitionGroupId", hint="name another one"
                    )
                number = history.submit(
                    db, project, Operation.IMPORT, dumped(options), execution_id=execution_id, package="package.zip"
                )
                self._place(part, number)
                row = db.execute("SELECT id FROM executions WHERE number = $number", {"number": number}).fetchone()
        finally:
            part.unlink(missing_ok=True)
        return self.execution(row["id"])

    def _place(self, part: Path, number: int) -> None:
        """Give the package its name, before the transaction that speaks of it ends."""
        folder = self._database.folder_of(number)
        if folder.exists():  # of a process that was killed before its transaction ended
            shutil.rmtree(folder)
        folder.mkdir()
        part.replace(folder / "package.zip")
        settle(folder / "package.zip")
        settle(folder)

    def submit_execute(self, execution_id: str, *, overwrite: bool | None = None) -> Execution:
        """Note that an execution which stopped at staging is to go on, for `run`. ExecutionStateError."""
        found = history.kept(self._database, execution_id)
        options = import_options_of(found.options) if found.operation is Operation.IMPORT else None
        if options is None or options.execute or not found.status.ended or found.status is Status.CANCELED:
            raise ExecutionStateError(
                f"{found.id} has not stopped at staging", where="executionId",
                hint="import with execute false to stop there; what has run already needs an import of its own",
            )  # fmt: skip
        if not history.is_staged(self._database, found.number):
            raise ExecutionStateError(f"the staging of {found.id} is gone: somebody was erased", where="executionId",
                                      hint="import the package again")  # fmt: skip
        overwriting = options.overwrite if overwrite is None else overwrite
        with self._database.write() as db:
            said = dumped(replace(options, execute=True, overwrite=overwriting))
            history.again(db, found.number, said, replan=False)
        return self.execution(execution_id)

    def execute(self, execution_id: str, *, told: Told | None = None) -> Execution:
        """Take an execution that stopped at staging to the target. ExecutionStateError."""
        self.submit_execute(execution_id)
        return self.run(execution_id, told=told)

    # ── exports ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def export_package(
        self,
        project: str,
        out: Path | str,
        *,
        execution_id: str = "",
        options: ExportOptions | None = None,
        told: Told | None = None,
    ) -> Execution:
        """Export a project to a file, to its end; no file where it failed. NoSuchProjectError."""
        submitted = self.submit_export(project, execution_id=execution_id, options=options)
        done = self.run(submitted.id, told=told)
        if done.package is not None:
            part = Path(out).with_name(f".{uuid.uuid4().hex}.part")
            try:
                shutil.copyfile(done.package, part)
                part.replace(out)
            except OSError as error:
                raise StoreError(f"the package cannot be written: {error.strerror}", where=str(out)) from None
            finally:
                part.unlink(missing_ok=True)
        return done

    def submit_export(
        self,
        project: str,
        *,
        execution_id: str = "",
        re_execute: bool = False,
        options: ExportOptions | None = None,
    ) -> Execution:
        """Note an export, for `run`. NoSuchProjectError, ExecutionStateError.

        re_execute   run the execution of that id again, from the versions that it began at
        """
        options, found = options or ExportOptions(), self.project(project)
        if found.operation is not Operation.EXPORT:
            raise ProjectError(f"{found.name} is a data project for import", where="definitionGroupId")
        if re_execute and execution_id:
            before = history.kept(self._database, execution_id)
            if before.operation is not Operation.EXPORT or before.project.casefold() != found.name.casefold():
                raise ExecutionStateError(f"{before.id} is no export of {found.name}", where="executionId")
            if not before.status.ended:
                raise ExecutionStateError(f"{before.id} has not ended", where="executionId", hint="wait for it")
            with self._database.write() as db:
                history.again(db, before.number, dumped(options), replan=not before.planned)
            return self.execution(execution_id)
        with self._database.write() as db:
            number = history.submit(
                db, found.name, Operation.EXPORT, dumped(options), execution_id=execution_id, package=None
            )
            row = db.execute("SELECT id FROM executions WHERE number = $number", {"number": number}).fetchone()
        return self.execution(row["id"])

    def export_entities(self, entities: list[ProjectEntity], out: Path | str, *, project: str = "Export") -> Execution:
        """Export entities without a project made before: it is made, or replaced, under that name."""
        self.define_project(Project(project, Operation.EXPORT, entities=tuple(entities)))
        return self.export_package(project, out)

    # ── executions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, execution_id: str, *, told: Told | None = None) -> Execution:
        """Do what was submitted. Waits while another execution of the project is at work; goes on after a kill.

        An execution that has ended stays as it is; ExecutionStateError while another process runs it.
        """
        found = history.kept(self._database, execution_id)
        stopped = _Stopped(self._database, found.number)
        lock = lock_of_execution(self._database, found.number)
        with self._database.held_open(), held_open(self._opened.path), hold(lock) as mine:
            if not mine:
                raise ExecutionStateError(f"another process runs {found.id}", where="executionId", hint="wait for it")
            waiting = hold(lock_of_project(self._database, found.project), wait=lambda: not stopped())
            with waiting as turn:
                found = history.kept(self._database, execution_id)
                if turn and not found.status.ended:
                    self._run(found, stopped, told or _silent)
        self.sweep()
        return self.execution(execution_id)

    def _run(self, found: Kept, stopped: Callable[[], bool], told: Told) -> None:
        history.began(self._database, found.number)
        error_files.forget(self._database, found.number)
        try:
            if found.operation is Operation.IMPORT:
                imports.run(self._database, self._catalogue, found, stopped, told)
                forget_progress(self._database.instance, [found.token])
            else:
                exports.run(self._database, self._catalogue, self._opened, found, stopped, told)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the run cannot go on: {error}", where=found.id, hint="see to the disk, then import again"
            ) from error

    def resume(self, *, told: Told | None = None) -> list[Execution]:
        """Run what was submitted, or begun by a process that is gone, oldest first."""
        return [self.run(execution.id, told=told) for execution in self.waiting()]

    def waiting(self) -> list[Execution]:
        """Executions that have not ended and that no process runs, oldest first."""
        found = history.told(self._database, "WHERE status IN ('NotRun', 'Executing')")
        numbers = {execution.id: history.kept(self._database, execution.id).number for execution in found}
        return [one for one in reversed(found) if not held(lock_of_execution(self._database, numbers[one.id]))]

    def executions(self, project: str = "") -> list[Execution]:
        """Newest first."""
        where = "WHERE project = $project" if project else ""
        return history.told(self._database, where, {"project": project})

    def execution(self, execution_id: str) -> Execution:
        """One; NoSuchExecutionError."""
        found = history.kept(self._database, execution_id)
        return history.told(self._database, "WHERE number = $number", {"number": found.number})[0]

    def errors(self, execution_id: str, *, entity: str = "", most: int = 1000) -> list[RowError]:
        """Of the whole first, then of entities, then of rows in the order of the files. NoSuchExecutionError."""
        found = history.kept(self._database, execution_id)
        whole = history.told(self._database, "WHERE number = $number", {"number": found.number})[0]
        first = [RowError("", "", "", 0, "", whole.error)] if whole.error and not entity else []
        return first + history.row_errors(self._database, found.number, entity, most - len(first))

    def staging_error_file(self, execution_id: str, entity: str) -> Path | None:
        """A CSV of the rows that did not reach staging, with the reasons; None when all did. NoSuchExecutionError."""
        found = self._with_entity(execution_id, entity)
        return error_files.staging_errors(self._database, found, entity)

    def target_keys_file(self, execution_id: str, entity: str) -> Path | None:
        """A CSV of the keys of rows that the target refused, with the reasons; None when it took all."""
        found = self._with_entity(execution_id, entity)
        return error_files.target_keys(self._database, found, entity)

    def has_target_errors(self, execution_id: str, entity: str) -> bool:
        """Whether the target refused rows of an entity."""
        return error_files.has_refused(self._database, self._with_entity(execution_id, entity), entity)

    def _with_entity(self, execution_id: str, entity: str) -> Kept:
        found = history.kept(self._database, execution_id)
        names = [step.entity for step in history.steps(self._database, found.number)]
        if names and entity.casefold() not in [name.casefold() for name in names]:
            raise history.no_entity(found.id, entity, names)
        return found

    def cancel(self, execution_id: str) -> Execution:
        """Ask an execution to end. What was written stays; an ended one stays as it is."""
        found = history.kept(self._database, execution_id)
        if not found.status.ended:
            history.ask_to_cancel(self._database, found.number)
        return self.execution(execution_id)

    def give_up(self, execution_id: str, reason: str) -> None:
        """End an execution that cannot be brought to its end; one that has ended, or is at work, stays as it is."""
        found = history.kept(self._database, execution_id)
        with hold(lock_of_execution(self._database, found.number)) as mine:
            if mine and not history.kept(self._database, execution_id).status.ended:
                history.ended(self._database, found.number, Status.FAILED, error=reason)

    def delete_history(self, execution_id: str) -> None:
        """Forget an execution: its staging, files and errors. ExecutionStateError while it is at work."""
        found = history.kept(self._database, execution_id)
        if not found.status.ended:
            raise ExecutionStateError(f"{found.id} has not ended", where="executionId", hint="cancel it first")
        drop(self._database, [found.number])

    def sweep(self, now: datetime | None = None) -> list[str]:
        """Forget executions that ended more than seven days ago; their ids. Every `run` does so too."""
        return sweep(self._database, now or datetime.now(UTC))


class _Stopped:
    """Whether somebody asked an execution to end, looked up twice a second at most."""

    def __init__(self, database: PackageDatabase, number: int) -> None:
        self._database, self._number = database, number
        self._asked, self._at = False, 0.0

    def __call__(self) -> bool:
        if not self._asked and time.monotonic() - self._at > LOOK_S:
            self._asked, self._at = history.cancelled(self._database, self._number), time.monotonic()
        return self._asked


def _silent(_: str) -> None:
    """Nobody wants to be told."""
