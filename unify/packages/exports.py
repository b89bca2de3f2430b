"""One export, to its end: every entity of a project, at one moment of the record store, into one package."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from ingest.packages import EntityMap, Header, Manifest, PackageEntity, write_package
from ingest.packages.formats import FORMATS, source_format
from unify.core.errors import UnifyError, did_you_mean
from unify.opened import Opened
from unify.packages import history, projects
from unify.packages.catalogue import Catalogue
from unify.packages.database import PackageDatabase, settle
from unify.packages.errors import ProjectError
from unify.packages.history import Kept, Step
from unify.packages.imports import one_line
from unify.packages.kept import definition_of, export_options_of, project_entity_of
from unify.packages.nouns import EntityDefinition, ExportOptions, Operation, Project, ProjectEntity, Status
from unify.packages.reading import of_published, of_records
from unify.packages.staging import CanceledError
from unify.records import Column, Reading, RecordStore, Table

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _One:
    """One entity on its way out."""

    step: Step
    definition: EntityDefinition
    asked: ProjectEntity
    columns: tuple[Column, ...]


def run(
    database: PackageDatabase, catalogue: Catalogue, opened: Opened, execution: Kept, stopped: Callable[[], bool],
    told: Told,
) -> None:  # fmt: skip
    """Run one, and say in its row how it ended. Raises what nobody can help for; it is Failed then."""
    try:
        _run(database, catalogue, opened, execution, stopped, told)
    except CanceledError:
        with database.write() as db:
            for step in history.steps(database, execution.number):
                history.note(db, execution.number, step.place, target=Status.CANCELED)
        history.ended(database, execution.number, Status.CANCELED, error="it was cancelled")
    except UnifyError as error:
        history.ended(database, execution.number, Status.FAILED, error=one_line(error, database))
    except Exception:
        history.ended(database, execution.number, Status.FAILED, error="it failed for a reason inside the product")
        raise


def _run(
    database: PackageDatabase, catalogue: Catalogue, opened: Opened, execution: Kept, stopped: Callable[[], bool],
    told: Told,
) -> None:  # fmt: skip
    options = export_options_of(execution.options)
    if not execution.planned:
        _plan(database, catalogue, execution, options)
    folder = database.folder_of(execution.number)
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name(options.package_name or execution.project)
    steps = history.steps(database, execution.number)
    with ExitStack() as stack:
        reading = stack.enter_context(RecordStore(database.instance).read())
        version = reading.version
        ones = [_one(step) for step in steps if not step.run.error]
        if not ones:
            wrong = "; ".join(step.run.error for step in steps)
            raise ProjectError(f"nothing can be exported: {wrong}", where=execution.project)
        told(f"export {len(ones)} entities")
        header = Header(description=execution.project)
        manifest = Manifest(execution.project, entities=tuple(map(_manifest_entity, ones)))
        tables = {one.definition.name: _table(reading, opened, one, options, stopped) for one in ones}
        counts = write_package(folder / name, header, manifest, tables)
        settle(folder / name)
    _end(database, execution, ones, version, options, name, counts)


def _plan(database: PackageDatabase, catalogue: Catalogue, execution: Kept, options: ExportOptions) -> None:
    with database.write() as db:
        project = projects.find(db, execution.project)
    if project is None or project.operation is not Operation.EXPORT:
        raise ProjectError(f"{execution.project} is no data project for export", where="definitionGroupId")
    asked = _asked(project, options)
    plans: list[tuple[str, str, dict[str, Any]]] = []
    errors: dict[int, str] = {}
    for place, entity in enumerate(asked):
        body: dict[str, Any] = {"asked": asdict(entity), "definition": None, "since": None}
        try:
            definition = exportable(catalogue, entity)
            tracked = (entity.change_tracking or options.delta) and definition.change_tracking
            body |= {"definition": asdict(definition), "since": entity.exported_version if tracked else None}
        except UnifyError as error:
            errors[place] = one_line(error, database)
        plans.append((entity.entity, "", body))
    with database.write() as db:
        history.planned(db, execution.number, plans, "[]")
        for place, wrong in errors.items():
            history.note(db, execution.number, place, target=Status.FAILED, error=wrong)


def _asked(project: Project, options: ExportOptions) -> list[ProjectEntity]:
    """Entities in the order of units, levels and sequence; ProjectError for one that is not in the project."""
    known = {entity.entity.casefold(): entity for entity in project.entities}
    for name in options.entities:
        if name.casefold() not in known:
            hint = did_you_mean(name, [entity.entity for entity in project.entities])
            raise ProjectError(f"{project.name} has no entity {name[:200]!r}", where="entityList", hint=hint)
    names = {name.casefold() for name in options.entities} or set(known)
    if not names:
        raise ProjectError(f"{project.name} has no entities", where="definitionGroupId", hint="add some to it")
    chosen = [entity for entity in project.entities if entity.entity.casefold() in names]
    return sorted(chosen, key=lambda entity: (entity.unit, entity.level, entity.sequence))


def exportable(catalogue: Catalogue, entity: ProjectEntity) -> EntityDefinition:
    """The definition of an entity to export. NoSuchEntityError, ProjectError."""
    definition = catalogue.find(entity.entity)
    if not definition.allow_export:
        raise ProjectError(f"{definition.name} may not be exported", where=definition.name)
    if definition.parts:
        parts = ", ".join(part.entity for part in definition.parts)
        raise ProjectError(f"{definition.name} is a composite entity", where=definition.name, hint=f"export {parts}")
    if source_format(entity.format) is None:
        raise ProjectError(f"the format {entity.format!r} is not known", where="SourceFormat",
                           hint=did_you_mean(entity.format, FORMATS))  # fmt: skip
    names = [column.name for column in definition.columns]
    for name in entity.fields:
        if name not in names:
            raise ProjectError(
                f"{definition.name} has no column {name!r}", where="fields", hint=did_you_mean(name, names)
            )
    return definition


def _one(step: Step) -> _One:
    definition = definition_of(step.body["definition"])
    asked = project_entity_of(step.body["asked"], None)
    columns = tuple(c for c in definition.columns if not asked.fields or c.name in asked.fields)
    return _One(step, definition, asked, columns)


def _manifest_entity(one: _One) -> PackageEntity:
    form = source_format(one.asked.format)
    assert form is not None
    definition = one.definition
    table = Table(definition.table, one.columns, definition.key)
    whole = definition.key and all(name in [column.name for column in one.columns] for name in definition.key)
    return PackageEntity(
        definition.name,
        "",
        form.name,
        form,
        target=definition.target,
        maps=tuple(EntityMap(c.name, one.asked.fields.get(c.name, c.name)) for c in one.columns),
        execution_unit=one.asked.unit,
        level=one.asked.level,
        sequence=one.asked.sequence,
        fail_unit_on_error=one.asked.fail_unit_on_error,
        fail_level_on_error=one.asked.fail_level_on_error,
        table=table if whole else None,
    )


def _safe(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in " -_." else "_" for sign in name).strip(" .") or "entity"


def file_name(package: str) -> str:
    """What the file of a package is called: safe on every file system, and ends in `.zip`."""
    plain = package[:-4] if package.casefold().endswith(".zip") else package
    return f"{_safe(plain)[:150]}.zip"


def _table(reading: Reading, opened: Opened, one: _One, options: ExportOptions, stopped: Callable[[], bool]) -> Any:
    if stopped():
        raise CanceledError
    if one.definition.origin == "published":
        return of_published(opened, one.definition, one.columns, company=options.legal_entity, most=options.preview)
    return of_records(
        reading, one.definition, one.columns, since=one.step.run.since, company=options.legal_entity,
        most=options.preview,
    )  # fmt: skip


def _end(
    database: PackageDatabase,
    execution: Kept,
    ones: Sequence[_One],
    version: int,
    options: ExportOptions,
    name: str,
    counts: Mapping[str, int],
) -> None:
    with database.write() as db:
        for one in ones:
            history.note(
                db, execution.number, one.step.place, staging=Status.SUCCEEDED, target=Status.SUCCEEDED,
                exported=counts[one.definition.name], version=version,
            )  # fmt: skip
            if options.preview is None and one.definition.origin != "published":
                db.execute(
                    "UPDATE project_entities SET exported_version = $version"
                    " WHERE project = $project AND entity = $entity",
                    {"version": version, "project": execution.project, "entity": one.asked.entity},
                )
        whole = all(not step.run.error for step in history.steps_in(db, execution.number))
        status = Status.SUCCEEDED if whole else Status.PARTIALLY_SUCCEEDED
        history.end(db, execution.number, status, package=name)
