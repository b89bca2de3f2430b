"""The verbs on data packages of one instance."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from unify.opened import Opened
from unify.packages.nouns import (
    EntityDefinition,
    Execution,
    ExportOptions,
    ImportOptions,
    Project,
    RowError,
)

Told = Callable[[str], None]


class Packages:
    """Projects, executions and entities of an instance. Nothing is open between two calls; safe for many threads."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    # ── entities ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def define(self, entity: EntityDefinition) -> EntityDefinition:
        """Make an entity importable: its definition, and its record table where there is none; or widen both."""
        raise NotImplementedError

    def forget(self, name: str) -> None:
        """Take a definition away; its record table and rows stay."""
        raise NotImplementedError

    def entities(self) -> list[EntityDefinition]:
        """All, by name: defined ones, tables of the record store, tables of the published generation."""
        raise NotImplementedError

    def entity(self, name: str) -> EntityDefinition:
        """By its name, its `target` or its table, ignoring case; NoSuchEntityError."""
        raise NotImplementedError

    # ── projects ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def define_project(self, project: Project) -> Project:
        """Make a project, or replace it: entities that stay keep their `exported_version`."""
        raise NotImplementedError

    def projects(self) -> list[Project]:
        """All, by name."""
        raise NotImplementedError

    def project(self, name: str) -> Project:
        """By name, ignoring case; NoSuchProjectError."""
        raise NotImplementedError

    def drop_project(self, name: str) -> None:
        """Take it away; its executions stay listed until they expire. ExecutionStateError while one is at work."""
        raise NotImplementedError

    def reset_tracking(self, project: str, entity: str | None = None) -> None:
        """The next export of an entity, or of all, sends every row."""
        raise NotImplementedError

    # ── imports ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def import_package(
        self,
        path: Path | str,
        *,
        project: str = "",
        execution_id: str = "",
        options: ImportOptions = ImportOptions(),  # noqa: B008 - frozen
        told: Told | None = None,
    ) -> Execution:
        """Import a package, to its end: `submit_import`, then `run`. What fails in it stands in the execution."""
        raise NotImplementedError

    def submit_import(
        self,
        path: Path | str,
        *,
        project: str = "",
        execution_id: str = "",
        options: ImportOptions = ImportOptions(),  # noqa: B008 - frozen
        move: bool = False,
    ) -> Execution:
        """Take a package in, for `run`: it is copied (`move`: moved) into the instance and on the disk.

        project        "": as the manifest calls it. One that is not there is made
        execution_id   "": a new one is made. That of an execution that stopped at staging goes on with it
        """
        raise NotImplementedError

    def execute(self, execution_id: str, *, told: Told | None = None) -> Execution:
        """Take an execution that stopped at staging to the target."""
        raise NotImplementedError

    # ── exports ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def export_package(
        self,
        project: str,
        out: Path | str,
        *,
        execution_id: str = "",
        options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
        told: Told | None = None,
    ) -> Execution:
        """Export a project to a file, to its end. NoSuchProjectError."""
        raise NotImplementedError

    def submit_export(
        self,
        project: str,
        *,
        execution_id: str = "",
        re_execute: bool = False,
        options: ExportOptions = ExportOptions(),  # noqa: B008 - frozen
    ) -> Execution:
        """Note an export, for `run`.

        re_execute   run the execution of that id again, from the versions that it began at
        """
        raise NotImplementedError

    # ── executions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, execution_id: str, *, told: Told | None = None) -> Execution:
        """Do what was submitted. Waits while another execution of the project is at work; goes on after a kill."""
        raise NotImplementedError

    def resume(self, *, told: Told | None = None) -> list[Execution]:
        """Run what was submitted, or begun by a process that is gone, oldest first."""
        raise NotImplementedError

    def executions(self, project: str = "") -> list[Execution]:
        """Newest first."""
        raise NotImplementedError

    def execution(self, execution_id: str) -> Execution:
        """One; NoSuchExecutionError."""
        raise NotImplementedError

    def errors(self, execution_id: str, *, entity: str = "", most: int = 1000) -> list[RowError]:
        """Of entities as a whole first, then of rows in the order of the files."""
        raise NotImplementedError

    def staging_error_file(self, execution_id: str, entity: str) -> Path | None:
        """A CSV of the rows that did not reach staging, with the reasons; None when all did."""
        raise NotImplementedError

    def target_keys_file(self, execution_id: str, entity: str) -> Path | None:
        """A CSV of the keys of rows that the target refused, with the reasons; None when it took all."""
        raise NotImplementedError

    def cancel(self, execution_id: str) -> Execution:
        """Ask an execution to end. What was written stays; an ended one stays as it is."""
        raise NotImplementedError

    def delete_history(self, execution_id: str) -> None:
        """Forget an execution: its staging, files and errors. ExecutionStateError while it is at work."""
        raise NotImplementedError

    def sweep(self, now: datetime | None = None) -> Sequence[str]:
        """Forget executions that ended more than seven days ago; their ids. Every `run` does so too."""
        raise NotImplementedError
