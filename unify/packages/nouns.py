"""Data projects, the entities they move, and what came of moving them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from unify.records.nouns import Column


class Operation(StrEnum):
    """Of a data project and of its executions."""

    IMPORT = "Import"
    EXPORT = "Export"


class Status(StrEnum):
    """Of an execution, and of one step of an entity (staging, target). The vendor's words."""

    UNKNOWN = "Unknown"
    NOT_RUN = "NotRun"
    EXECUTING = "Executing"
    SUCCEEDED = "Succeeded"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    FAILED = "Failed"
    CANCELED = "Canceled"

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self not in (Status.UNKNOWN, Status.NOT_RUN, Status.EXECUTING)


NOW: Final = "$now"
"""Among defaults: the moment at which the row is written."""


@dataclass(frozen=True, slots=True)
class CompositePart:
    """One kind of row of a composite entity.

    element   name of its element in the XML
    entity    name of the entity that its rows go to, which has a definition of its own
    parent    `element` of the part around it; "" for the outermost
    link      column of this entity → column of the parent's that fills it
    """

    element: str
    entity: str
    parent: str = ""
    link: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EntityDefinition:
    """What can be imported and exported under one name.

    name            the label, as packages call it: "Customer groups"; unique, ignoring case
    table           its record table, or the table of the published generation
    columns, key    as the record table has them
    target          its other name: the technical one, as manifests give it
    options         column → the values that it may have, as text
    read_only       columns that only the system writes: a row that would change one is refused
    defaults        column → what a new row has there when the file says nothing, as the store holds it; NOW: the moment
    touched         columns that get the moment of every write, unless the file says one
    allow_import, allow_export, change_tracking
                    change tracking: exports send what was written since the project's last successful one
    parts           of a composite entity, parents first; it has no columns of its own
    origin          "defined", "record" (a table of the record store), "published" (read only)
    """

    name: str
    table: str
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    target: str = ""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    read_only: tuple[str, ...] = ()
    defaults: Mapping[str, str | int | float] = field(default_factory=dict)
    touched: tuple[str, ...] = ()
    allow_import: bool = True
    allow_export: bool = True
    change_tracking: bool = True
    parts: tuple[CompositePart, ...] = ()
    origin: str = "defined"


@dataclass(frozen=True, slots=True)
class ProjectEntity:
    """One entity of a data project.

    format                   "CSV", "XML-Element", "EXCEL", …: as the manifest calls it
    fields                   entity field → column of the file; empty: all, under their own names
    unit, level, sequence    see Manifest.execution_order
    change_tracking          of an export: send only what was written since the last successful one
    exported_version         of the record store, up to where the last successful export had told; None before it
    """

    entity: str
    format: str = "CSV"
    fields: Mapping[str, str] = field(default_factory=dict)
    unit: int = 1
    level: int = 1
    sequence: int = 1
    fail_unit_on_error: bool = False
    fail_level_on_error: bool = False
    change_tracking: bool = False
    exported_version: int | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A data project (definition group): a name for what is moved again and again. `entities` by name."""

    name: str
    operation: Operation
    description: str = ""
    category: str = ""
    entities: tuple[ProjectEntity, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a package is taken.

    execute         False: stop when everything is in staging; `Packages.execute` goes on from there
    overwrite       True: a row whose key is there already changes it. False: it is refused
    legal_entity    the company: fills a column `dataAreaId` where a row says none; a row of another one is refused
    fail_on_error   the first entity with an error ends the execution: those behind it are not run
    keys            entity → its key columns, for entities that have no definition: they get one, all of text
    """

    execute: bool = True
    overwrite: bool = True
    legal_entity: str = ""
    fail_on_error: bool = False
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How a project is exported.

    package_name    of the file, with or without `.zip`; "": the project's name
    legal_entity    only rows of that company, where an entity has a column `dataAreaId`
    entities        names of those to export; empty: all of the project
    preview         at most so many rows of each; None: all. A preview is not remembered as an export
    delta           change tracking for every entity of this execution, whatever the project says
    """

    package_name: str = ""
    legal_entity: str = ""
    entities: tuple[str, ...] = ()
    preview: int | None = None
    delta: bool = False


@dataclass(frozen=True, slots=True)
class EntityRun:
    """One entity (or one part of a composite one) in one execution.

    file_rows       in its file = staged + staging_errors
    staged          = created + updated + unchanged + refused + not_run
    exported        rows of an export
    since           exports with change tracking: what was written after that version of the record store; None: all
    version         up to where an export has told
    error           why it could not run at all; "" when it could
    """

    entity: str
    part: str = ""
    staging: Status = Status.NOT_RUN
    target: Status = Status.NOT_RUN
    file_rows: int = 0
    staged: int = 0
    staging_errors: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    exported: int = 0
    since: int | None = None
    version: int | None = None
    error: str = ""

    @property
    def not_run(self) -> int:
        """Staged rows that the target step has not seen."""
        return self.staged - self.created - self.updated - self.unchanged - self.refused

    @property
    def failed(self) -> bool:
        """Whether anything of it did not arrive."""
        return bool(self.error or self.staging_errors or self.refused) or Status.FAILED in (self.staging, self.target)


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a project: the report of an import or export.

    note        what is going on, e.g. that its process ended and the next run goes on with it
    findings    what the package's reader found, as dicts: severity, where, message
    package     the file that is imported, or that was exported; None when it is not kept any more
    """

    id: str
    project: str
    operation: Operation
    status: Status
    submitted: datetime
    started: datetime | None = None
    ended: datetime | None = None
    entities: tuple[EntityRun, ...] = ()
    error: str = ""
    note: str = ""
    findings: tuple[Mapping[str, str], ...] = ()
    package: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """As `--json` prints it."""
        from dataclasses import asdict

        said = asdict(self)
        said["entities"] = [asdict(run) | {"not_run": run.not_run} for run in self.entities]
        for name in ("submitted", "started", "ended"):
            said[name] = said[name].isoformat() if said[name] is not None else None
        said["package"] = str(self.package) if self.package is not None else None
        return said


@dataclass(frozen=True, slots=True)
class RowError:
    """One row that did not arrive, or one entity that could not run (`row` 0).

    step     "staging" or "target"
    row      its RowId: number in the file, from 1
    field    the column; "" where it is the row as a whole
    record   its key, for people: values joined by a comma; "" where it has none
    """

    entity: str
    part: str
    step: str
    row: int
    field: str
    message: str
    record: str = ""
