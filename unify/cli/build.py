"""Commands that take a project file: init, validate, run, ingest, conflate, refresh."""

from pathlib import Path
from typing import Annotated

import typer

from unify.cli import draw, draw_report
from unify.cli.options import AProject, AsJson, MemoryLimit, Quiet, Target, Threads, Wait
from unify.cli.output import PAGE, json_text, show
from unify.cli.progress import progress_of
from unify.cli.where import opened, target_of


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where project.yaml goes; made when it is not there.")
    ] = Path(),
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE…",
            help="Files, folders or quoted globs, one entity each; FOLDER goes before this option.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing project.yaml.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a first project.yaml that works.

    With --from, entities, keys, labels and a simple plan are proposed from the first rows of your files.
    """
    from unify.starter import write_starter

    report = write_starter(folder, files or (), force=force)
    show(report.as_dict(), lambda: draw.starter(report), as_json=as_json)


def validate(
    project: Annotated[
        Path | None,
        typer.Argument(metavar="PROJECT.yaml", help="The project file, YAML or JSON.", show_default=False),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of project files, for editors, and stop.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say everything that is wrong with a project, and every rule as a sentence.

    Reads the first rows of each file; needs no instance and writes nothing. Exit code 2 when there are problems.
    """
    if schema:
        from unify.core.documents import project_schema

        print(json_text(project_schema()))
        return
    if project is None:
        raise typer.BadParameter("name the project file, or ask for --schema", param_hint="PROJECT.yaml")
    import unify

    report = unify.validate(project)
    show(report.as_dict(), lambda: draw.validation(report), as_json=as_json)
    if not report.ok:
        raise typer.Exit(unify.SpecError.exit_code)


def run(
    project: AProject,
    instance: Target = None,
    wait: Wait = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read, compare and write everything anew, changed or not.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Ingest, conflate and publish: the whole job, and its report.

    What is as it was in the published generation is carried over, to the same result as with --full.
    Makes the instance when there is none. Readers go on with the published generation until the new one is whole.
    """
    _build("run", project, instance, wait, memory_limit, threads, quiet=quiet, as_json=as_json, full=full)


def ingest(
    project: AProject,
    instance: Target = None,
    wait: Wait = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Read the files and publish their tables; customers stay as they are until the next conflate."""
    _build("ingest", project, instance, wait, memory_limit, threads, quiet=quiet, as_json=as_json)


def conflate(
    project: Annotated[
        Path | None,
        typer.Argument(
            metavar="PROJECT.yaml", help="A project file with another plan; otherwise the last one.", show_default=False
        ),
    ] = None,
    instance: Target = None,
    wait: Wait = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Decide anew who is one customer, on what was ingested; the files are not read."""
    _build("conflate", project, instance, wait, memory_limit, threads, quiet=quiet, as_json=as_json)


def refresh(
    project: Annotated[
        Path | None,
        typer.Argument(
            metavar="PROJECT.yaml",
            help="A project file with other measures and segments; otherwise the last one.",
            show_default=False,
        ),
    ] = None,
    instance: Target = None,
    wait: Wait = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Work out measures and segments anew, over the customers that are there."""
    _build("refresh", project, instance, wait, memory_limit, threads, quiet=quiet, as_json=as_json)


def _build(
    verb: str,
    project: Path | None,
    instance: Path | None,
    wait: float | None,
    memory_limit: str | None,
    threads: int | None,
    *,
    quiet: bool,
    as_json: bool,
    full: bool = False,
) -> None:
    import unify

    if project is None:
        acme = opened(instance)
    else:
        from unify.core.documents import read_project

        new = verb not in ("conflate", "refresh")
        acme = unify.open(target_of(read_project(project), project, instance), create=new)
    with acme, progress_of(quiet=quiet or as_json) as progress:
        options = {"full": True} if full else {}
        report = getattr(acme, verb)(
            project, wait=wait, progress=progress, memory_limit=memory_limit, threads=threads, **options
        )
    show(report.as_dict(), lambda: draw_report.run_report(report), as_json=as_json, width=PAGE)
    if not as_json:
        show(None, lambda: draw.next_steps(acme.path, report), as_json=False)
