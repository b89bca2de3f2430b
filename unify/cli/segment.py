"""Segments on the command line: definitions, members, history."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli import draw, draw_report, draw_segments
from unify.cli.look import AnswerFormat, print_answer
from unify.cli.options import AnInstance, AsJson, FileFormat, NoNeutralise, Overwrite, Quiet, Wait
from unify.cli.output import PAGE, jsonable, show
from unify.cli.progress import progress_of
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.spec.segment import Projected, Segment

segment = typer.Typer(help="Sets of customers: definitions, members, history.", no_args_is_help=True)

AName = Annotated[str, typer.Argument(metavar="NAME", help="A segment: `unify segment list`.", show_default=False)]
AWhere = Annotated[
    str | None,
    typer.Argument(metavar="WHERE", help="An OData condition, e.g. \"City eq 'Bern'\".", show_default=False),
]
AFile = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="The whole definition, as a project file would hold it; YAML or JSON.",
        show_default=False,
    ),
]  # fmt: skip
Force = Annotated[bool, typer.Option("--force", help="Even if other segments need it: they fail until changed.")]
IfVersion = Annotated[
    int | None,
    typer.Option("--if-version", metavar="N", help="Only if this version is the newest.", show_default=False),
]
Clock = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="The moment that conditions on time look from, ISO; otherwise now.", show_default=False
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", "-a", metavar="COLUMN", help="A column of Customer to show; may be repeated.", show_default=False
    ),
]


def _definition(name: str, where: str | None, file: Path | None) -> "Segment":
    """What the arguments say; one of the two ways."""
    from unify.core.documents import read_segment, segment_of

    if (where is None) == (file is None):
        raise typer.BadParameter("say either WHERE or --file", param_hint="WHERE")
    if file is not None:
        return read_segment(name, file)
    return segment_of(name, where)


def _base(file: Path | None) -> Path | None:
    """Lists are relative to the file that names them."""
    return None if file is None else file.resolve().parent


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment, e.g. 2026-01-31T12:00:00Z", param_hint="--clock") from None


@segment.command("list")
def list_(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Every segment: state, members, the run that found them."""
    with opened(instance) as acme:
        found = acme.segments().all()
    show([info.as_dict() for info in found], lambda: draw_segments.listed(found), as_json=as_json)


@segment.command("show")
def show_(name: AName, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """One segment: its definition, its state, who needs it."""
    from unify.verbs.segment_catalog import definition_of

    with opened(instance) as acme:
        all_ = acme.segments()
        info, definition, needed_by = all_.get(name), all_.definition(name), all_.dependents(name)
    body = definition_of(definition)
    document = {**info.as_dict(), "definition": body, "needed_by": needed_by}
    show(document, lambda: draw_segments.one(info, body, needed_by), as_json=as_json)


@segment.command("create")
def create(
    name: AName,
    where: AWhere = None,
    file: AFile = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Save it as a draft; it may be wrong yet.")] = False,
    static: Annotated[bool, typer.Option("--static", help="Find its members once, then keep them.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Find its members now; takes the lease.")] = False,
    instance: AnInstance = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """A new segment. Refused with the reason when its members cannot be found."""
    if inactive and refresh:
        raise typer.BadParameter("an inactive segment is not refreshed", param_hint="--refresh")
    said = {"active": False} if inactive else {}
    definition = _definition(name, where, file).model_copy(update=said | ({"static": True} if static else {}))
    with opened(instance) as acme:
        acme.segments().create(name, definition, base=_base(file))
        if refresh:
            acme.segments().refresh(name, wait=wait)
        _told(acme, name, as_json)


@segment.command("update")
def update(
    name: AName,
    where: AWhere = None,
    file: AFile = None,
    version: IfVersion = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Another definition; a new version. The members change with the next run or refresh."""
    definition = _definition(name, where, file)
    with opened(instance) as acme:
        acme.segments().update(name, definition, version=version, base=_base(file))
        _told(acme, name, as_json)


@segment.command("duplicate")
def duplicate(
    name: AName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the copy.", show_default=False)],
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """A new segment with the same definition."""
    with opened(instance) as acme:
        acme.segments().duplicate(name, new)
        _told(acme, new, as_json)


@segment.command("delete")
def delete(
    name: AName, force: Force = False, version: IfVersion = None, instance: AnInstance = None, as_json: AsJson = False
) -> None:
    """Delete a definition. Its versions and its history stay."""
    with opened(instance) as acme:
        deleted = acme.segments().delete(name, force=force, version=version)
    show({"name": name, "version": deleted, "deleted": True}, lambda: f"{name} is deleted", as_json=as_json)


@segment.command("activate")
def activate(name: AName, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Take a segment into force."""
    with opened(instance) as acme:
        acme.segments().activate(name)
        _told(acme, name, as_json)


@segment.command("deactivate")
def deactivate(name: AName, force: Force = False, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Take it out of force; its history stays."""
    with opened(instance) as acme:
        acme.segments().deactivate(name, force=force)
        _told(acme, name, as_json)


def _told(acme: Any, name: str, as_json: bool) -> None:
    """A segment as it is now; of an instance without a generation, its newest version."""
    if acme.store.published() is None:
        newest = acme.segments().versions(name)[-1]
        show({"name": name, **newest.as_dict()}, lambda: f"{name}: version {newest.version}", as_json=as_json)
        return
    info = acme.segments().get(name)
    show(info.as_dict(), lambda: draw_segments.listed([info]), as_json=as_json)


@segment.command("versions")
def versions(name: AName, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Every version of a definition that was made here, oldest first."""
    with opened(instance) as acme:
        found = acme.segments().versions(name)
    show([v.as_dict() for v in found], lambda: draw_segments.versions(found), as_json=as_json)


@segment.command("refresh")
def refresh(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Which; otherwise all that are not static.", show_default=False),
    ] = None,
    clock: Clock = None,
    instance: AnInstance = None,
    wait: Wait = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Find members anew on the published generation. Exit code 7 when one that was named fails."""
    from unify.core.errors import QueryError

    moment = _moment(clock)
    with opened(instance) as acme, progress_of(quiet=quiet or as_json) as progress:
        report = acme.segments().refresh(*(names or ()), wait=wait, progress=progress, clock=moment)
    show(report.as_dict(), lambda: draw_report.run_report(report), as_json=as_json, width=PAGE)
    if any(one.error is not None for one in report.segments if one.segment in (names or ())):
        raise typer.Exit(QueryError.exit_code)


@segment.command("preview")
def preview(
    where: AWhere = None,
    file: AFile = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="NAME", help="The saved definition of a segment.", show_default=False)
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Members to show.")] = 10,
    attributes: Attributes = None,
    clock: Clock = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What a definition would find, exactly: count, counts per rule, some members. Nothing is saved."""
    moment = _moment(clock)
    if of is not None and (where is not None or file is not None):
        raise typer.BadParameter("say one of WHERE, --file and --of", param_hint="--of")
    with opened(instance) as acme:
        all_ = acme.segments()
        name = of or "preview"
        definition = all_.definition(of) if of is not None else _definition(name, where, file)
        found = all_.preview(
            definition, name=name, sample=sample, attributes=attributes or None, clock=moment, base=_base(file)
        )
    show(jsonable(found.model_dump()), lambda: draw_segments.preview(found), as_json=as_json)


@segment.command("members")
def members(
    name: AName,
    attributes: Attributes = None,
    run: Annotated[
        int | None,
        typer.Option(metavar="RUN", help="Who they were at that run; CustomerIds only.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="The first so many; else 50 of a table, or all.", show_default=False),
    ] = None,
    answer_format: Annotated[AnswerFormat, typer.Option("--format", help="How to print them.")] = AnswerFormat.table,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Who is in a segment, by CustomerId."""
    if run is not None and attributes:
        raise typer.BadParameter("attributes are those of today", param_hint="--attribute")
    with opened(instance) as acme:
        found = acme.segment(name)
        answer = found.members(attributes or ()) if run is None else found.at(run).members()
    print_answer(answer, AnswerFormat.json if as_json else answer_format, limit)


@segment.command("export")
def export(
    name: AName,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The file; its ending says the format.", show_default=False)
    ],
    attribute: Attributes = None,
    project: Annotated[
        list[str] | None,
        typer.Option(
            "--project",
            "-p",
            metavar="PATH.COLUMN",
            show_default=False,
            help="A column of related rows, as lists, e.g. UnifiedActivity.Title; otherwise what the definition says.",
        ),
    ] = None,
    file_format: FileFormat = None,
    overwrite: Overwrite = False,
    no_neutralise: NoNeutralise = False,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Write the members to a file: CSV, Parquet, JSON or JSON lines."""
    options: dict[str, Any] = {} if project is None else {"projected": _projected(project)}
    with opened(instance) as acme:
        done = acme.segment(name).export(
            path, attributes=attribute, format=file_format, neutralise=not no_neutralise, overwrite=overwrite, **options
        )
    document = {"path": str(done.path), "format": done.format, "rows": done.rows, "bytes": done.bytes}
    rows = f"{done.rows:,} {'row' if done.rows == 1 else 'rows'}"
    show(document, lambda: f"{done.path}: {rows}, {done.bytes:,} bytes", as_json=as_json)


def _projected(columns: list[str]) -> "list[Projected]":
    """`UnifiedActivity.Title` and the like: relations, then the column; those of one path together."""
    from unify.spec.segment import Projected

    by_path: dict[tuple[str, ...], list[str]] = {}
    for text in columns:
        *path, column = text.split(".")
        if not all((*path, column)):
            raise typer.BadParameter(f"{text!r} is no column of related rows", param_hint="--project")
        by_path.setdefault(tuple(path), []).append(column)
    return [Projected(path=path, attributes=tuple(names)) for path, names in by_path.items()]


@segment.command("count")
def count(name: AName, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """How many members a segment has."""
    with opened(instance) as acme:
        found = acme.segment(name)
        document = {"name": name, "members": found.count(), "run": found.run, "as_of": found.as_of}
    show(document, lambda: str(document["members"]), as_json=as_json)


@segment.command("has")
def has(
    name: AName,
    customer: Annotated[
        str,
        typer.Argument(metavar="KEY", help="A CustomerId, or a record: crm.Contacts:C-1, or C-1.", show_default=False),
    ],
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Whether a customer is in a segment."""
    with opened(instance) as acme:
        inside = acme.segment(name).is_member(customer)
    document = {"name": name, "customer": customer, "member": inside}
    show(document, lambda: "yes" if inside else "no", as_json=as_json)


@segment.command("explain")
def explain(
    name: AName,
    customer: Annotated[
        str,
        typer.Argument(metavar="KEY", help="A CustomerId, or a record: crm.Contacts:C-1, or C-1.", show_default=False),
    ],
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Why a customer is in a segment or not, and the nearest change."""
    with opened(instance) as acme:
        found = acme.segment(name).explain(customer)
    show(jsonable(found.model_dump()), lambda: draw.lines_of(str(found).split("\n")), as_json=as_json)


@segment.command("history")
def history(name: AName, instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Size over time: every run that looked at a segment, oldest first."""
    with opened(instance) as acme:
        rows = acme.segment(name).history().rows()
    show(rows, lambda: draw_segments.history(rows), as_json=as_json)


@segment.command("diff")
def diff(
    name: AName,
    run_a: Annotated[
        int | None,
        typer.Argument(metavar="RUN_A", help="Otherwise the run before that looked at it.", show_default=False),
    ] = None,
    run_b: Annotated[
        int | None, typer.Argument(metavar="RUN_B", help="Otherwise the one in force.", show_default=False)
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Who entered and who left between two runs; customers that merged or split are carried over."""
    with opened(instance) as acme:
        found = acme.segment(name).diff(run_a, run_b)
    show(found.as_dict(), lambda: draw_segments.difference(found), as_json=as_json)
