"""unify package: data packages in and out, without a server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli.options import AnInstance, AsJson, Quiet
from unify.cli.output import show
from unify.cli.package_help import entity_document, keys_of, report
from unify.cli.package_help import told as told_of
from unify.cli.where import opened

if TYPE_CHECKING:
    from ingest.packages import Package
    from unify.instance import Instance
    from unify.packages import Packages

package = typer.Typer(help="Data packages: a zip with a manifest and a file per entity.", no_args_is_help=True)
AFile = Annotated[Path, typer.Argument(metavar="PACKAGE.zip", help="The package.", show_default=False)]
ErrorFiles = Annotated[
    Path | None,
    typer.Option(
        "--errors",
        metavar="DIR",
        help="Where files of rows in error go; otherwise beside the package.",
        show_default=False,
    ),
]
Create = Annotated[bool, typer.Option("--create", help="Make the instance if it is not there.")]


@package.command("inspect")
def inspect(file: AFile, as_json: AsJson = False) -> None:
    """Say what a package holds, in the order in which it runs, and what is wrong with it. Imports nothing.

    Every row is read. Exit code 3 when an entity cannot be imported or a row cannot be read.
    """
    from ingest.packages import read_package
    from unify.cli import draw_packages
    from unify.core.errors import SourceError

    with read_package(file) as found:
        said = _inspected(found)
    show(said, lambda: draw_packages.inspected(said), as_json=as_json)
    if any(e["in_error"] for e in said["entities"]) or any(f["severity"] == "error" for f in said["findings"]):
        raise typer.Exit(SourceError.exit_code)


def _made_or_opened(instance: Path | None, *, create: bool) -> "Instance":
    import unify

    if not create:
        return opened(instance)
    if instance is None:
        raise typer.BadParameter("say where: --instance DIR", param_hint="--create")
    return unify.open(instance, create=True)


def _inspected(found: "Package") -> dict[str, Any]:
    """A package as `--json` prints it; entities that are switched off come last."""
    from ingest.packages import PackageError

    ordered = [e for unit in found.manifest.execution_order() for level in unit for e in level]
    said: list[dict[str, Any]] = []
    for entity in (*ordered, *(e for e in found.manifest.entities if not e.enabled)):
        counts: tuple[int | None, int | None]
        try:
            counts = found.count(entity) if entity.enabled else (None, None)
        except PackageError:  # its findings say why
            counts = (None, None)
        said.append(
            {"name": entity.name, "target": entity.target, "file": entity.file, "format": entity.source_format,
             "enabled": entity.enabled, "unit": entity.execution_unit, "level": entity.level,
             "sequence": entity.sequence, "fail_unit_on_error": entity.fail_unit_on_error,
             "fail_level_on_error": entity.fail_level_on_error, "columns": list(entity.columns),
             "maps": {one.entity_field: one.xml_field for one in entity.maps},
             "parts": [{"name": p.name, "parent": p.parent, "columns": list(p.columns), "rows": p.rows}
                       for p in entity.parts] if entity.is_composite else [],
             "typed": entity.table is not None, "rows": counts[0], "in_error": counts[1]}
        )  # fmt: skip
    header = {
        "description": found.header.description, "package_type": found.header.package_type,
        "package_version": found.header.package_version,
    }  # fmt: skip
    manifest = {"group": found.manifest.group, "description": found.manifest.description}
    findings = [finding.as_dict() for finding in found.findings]
    return {"package": found.where, "header": header, "manifest": manifest, "entities": said, "findings": findings}


@package.command("import")
def import_(
    file: AFile,
    project: Annotated[
        str, typer.Option(metavar="NAME", help="The data project; otherwise as the manifest says.", show_default=False)
    ] = "",
    execute: Annotated[
        bool, typer.Option("--execute/--no-execute", help="Go on to the tables, or stop at staging.")
    ] = True,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite/--no-overwrite", help="Change rows whose keys are there, or refuse them."),
    ] = True,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENTITY=COLUMNS",
            help="Key columns of an entity that nobody has defined, e.g. 'Customer groups=id'; its columns are text.",
            show_default=False,
        ),
    ] = None,
    company: Annotated[
        str, typer.Option(metavar="NAME", help="Fills dataAreaId where a row says none.", show_default=False)
    ] = "",
    fail_on_error: Annotated[
        bool, typer.Option("--fail-on-error", help="After an entity with an error, run none behind it.")
    ] = False,
    errors: ErrorFiles = None,
    create: Create = False,
    instance: AnInstance = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Import a package into record tables. Rows that cannot be read, or are refused, are written to files.

    The other rows stay. Exit code 3 when anything did not arrive.
    """
    from unify.packages import ImportOptions

    options = ImportOptions(
        execute=execute, overwrite=overwrite, legal_entity=company, fail_on_error=fail_on_error, keys=keys_of(key or [])
    )
    with _made_or_opened(instance, create=create) as acme:
        with told_of(quiet=quiet or as_json) as told:
            done = acme.packages.import_package(file, project=project, options=options, told=told)
        report(acme.packages, done, errors or file.parent, file.stem, as_json=as_json)


@package.command("execute")
def execute(
    execution: Annotated[str, typer.Argument(metavar="EXECUTION", help="As the import told it.", show_default=False)],
    errors: ErrorFiles = None,
    instance: AnInstance = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Take an import that stopped at staging (`--no-execute`) to the tables. Exit code 3 when a row is refused."""
    with opened(instance) as acme:
        with told_of(quiet=quiet or as_json) as told:
            done = acme.packages.execute(execution, told=told)
        report(acme.packages, done, errors or Path.cwd(), done.project, as_json=as_json)


@package.command("export")
def export(
    entities: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENTITY]...", help="Entities; otherwise all of the project.", show_default=False),
    ] = None,
    project: Annotated[
        str, typer.Option(metavar="NAME", help="A data project; it is made of the entities if there is none.")
    ] = "Export",
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, xml, xlsx, or a source format: CSV-Unicode, XML-Attribute, …. The project keeps it.",
            show_default=False,
        ),
    ] = None,
    changed_only: Annotated[
        bool, typer.Option("--changed-only", help="Only rows written since the project's last export.")
    ] = False,
    company: Annotated[
        str, typer.Option(metavar="NAME", help="Only rows of that dataAreaId.", show_default=False)
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The package; otherwise PROJECT.zip.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
    instance: AnInstance = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Export record tables and tables of the published generation as a package."""
    from unify.cli import draw_packages
    from unify.core.errors import SourceError, StoreError
    from unify.packages import ExportOptions
    from unify.packages.exports import file_name

    with opened(instance) as acme:
        packages = acme.packages
        path = out or Path(file_name(project))
        if path.exists() and not overwrite:
            raise StoreError("the file is there already", where=str(path), hint="another name, or --overwrite")
        chosen = _settle_project(packages, project, entities or [], file_format)
        options = ExportOptions(entities=chosen, delta=changed_only, legal_entity=company)
        with told_of(quiet=quiet or as_json) as told:
            done = packages.export_package(project, path, options=options, told=told)
    written = [("package", str(path))] if done.package is not None else []
    document = done.as_dict() | {"package": str(path) if written else None}
    show(document, lambda: draw_packages.execution(done, written), as_json=as_json)
    if done.status.value != "Succeeded":
        raise typer.Exit(SourceError.exit_code)


def _settle_project(packages: "Packages", name: str, entities: list[str], file_format: str | None) -> tuple[str, ...]:
    """Make the project, or what is missing in it; names of the entities to export, none for all."""
    from unify.packages import NoSuchProjectError, Operation, Project, ProjectEntity, ProjectError

    try:
        found = packages.project(name)
    except NoSuchProjectError:
        if not entities:
            message = f"there is no data project {name!r}, and no entity is named to make one"
            raise ProjectError(message, where="ENTITY", hint="`unify package entities` lists them") from None
        found = Project(name, Operation.EXPORT)
    if found.operation is not Operation.EXPORT:
        raise ProjectError(f"{found.name} is a data project for import", where="--project", hint="name another one")
    form = _format(file_format) if file_format is not None else None
    asked = [packages.entity(entity).name for entity in entities]
    known = {one.entity.casefold(): one for one in found.entities}
    wanted = {name.casefold() for name in asked} or set(known)
    kept = tuple(
        one if form is None or folded not in wanted else ProjectEntity(**_fields(one) | {"format": form})
        for folded, one in known.items()
    )
    new = [name for name in dict.fromkeys(asked) if name.casefold() not in known]
    if new or kept != found.entities:
        added = tuple(ProjectEntity(name, form or "CSV") for name in new)
        packages.define_project(Project(found.name, found.operation, found.description, found.category, kept + added))
    return tuple(dict.fromkeys(asked))


def _fields(one: Any) -> dict[str, Any]:
    from dataclasses import fields

    return {field.name: getattr(one, field.name) for field in fields(one)}


def _format(said: str) -> str:
    from ingest.packages.formats import FORMATS, source_format
    from unify.core.errors import SpecError, did_you_mean

    short = {"csv": "CSV", "xml": "XML-Element", "xlsx": "EXCEL"}
    found = source_format(short.get(said.casefold(), said))
    if found is None:
        hint = did_you_mean(said, [*short, *FORMATS])
        raise SpecError(f"the format {said!r} is not known", where="--format", hint=hint)
    return found.name


@package.command("define")
def define(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="Definitions; docs/packages.md.", show_default=False)
    ],
    create: Create = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Say what entities are: columns with their types, keys, parts of composite ones. Makes their record tables."""
    from unify.cli import draw_packages
    from unify.packages.documents import read_definitions

    with _made_or_opened(instance, create=create) as acme:
        made = [acme.packages.define(entity) for entity in read_definitions(file)]
    show([entity_document(one) for one in made], lambda: draw_packages.entities(made), as_json=as_json)


@package.command("entities")
def entities(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """What can be imported and exported: defined entities, record tables, tables of the published generation."""
    from unify.cli import draw_packages

    with opened(instance) as acme:
        found = acme.packages.entities()
    show([entity_document(one) for one in found], lambda: draw_packages.entities(found), as_json=as_json)


@package.command("history")
def history(
    project: Annotated[str, typer.Option(metavar="NAME", help="Of this project only.", show_default=False)] = "",
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Imports and exports of the last seven days, newest first."""
    from unify.cli import draw_packages

    with opened(instance) as acme:
        found = acme.packages.executions(project)
    show([one.as_dict() for one in found], lambda: draw_packages.executions(found), as_json=as_json)
