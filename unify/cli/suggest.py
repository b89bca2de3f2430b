"""`unify suggest`: a plan worked out from the data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from unify.cli import draw
from unify.cli.options import AnInstance, AsJson, MemoryLimit, Quiet, Threads
from unify.cli.output import show
from unify.cli.progress import progress_of


def suggest(
    project: Annotated[
        Path | None,
        typer.Argument(
            metavar="PROJECT.yaml",
            help="A project file that says where the data is; otherwise what was ingested last.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the project file with the plan.", show_default=False),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Pairs that somebody judged: entity1, key1, entity2, key2, match (1 or 0). Not needed.",
            show_default=False,
        ),
    ] = None,
    from_splink: Annotated[
        Path | None,
        typer.Option(
            "--from-splink",
            metavar="SETTINGS.json",
            help="Carry over settings of Splink 3, 4 or 5 instead; what has no counterpart is named.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE when it is there.")] = False,
    instance: AnInstance = None,
    memory_limit: MemoryLimit = None,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Work out a conflation plan from the data: columns, normalisers, rules, limits, and how sure each rule is.

    Needs no labels and publishes nothing. Prints the project file, or writes it with --out; then `unify run` it.
    """
    from unify.building import suggest_plan
    from unify.verbs.suggest_file import refuse_place, write_suggestion

    if from_splink is not None and labels is not None:
        raise typer.BadParameter(
            "labels sharpen a plan that is worked out: leave one of them out", param_hint="--labels"
        )
    if out is not None:
        refuse_place(out, project, force=force)
    options: dict[str, Any] = {
        "labels": labels,
        "splink": from_splink,
        "memory_limit": memory_limit,
        "threads": threads,
    }
    with progress_of(quiet=quiet or as_json) as progress:
        if project is not None:
            found = suggest_plan(project, progress=progress, **options)
        else:
            from unify.cli.where import opened

            with opened(instance) as acme:
                found = acme.suggest(progress=progress, **options)
    if out is not None:
        write_suggestion(found, out)
        show(
            found.as_dict(),
            lambda: draw.lines_of([*found.lines(), f"{out} is written: `unify run {out}`"]),
            as_json=as_json,
        )
    elif as_json:
        show(found.as_dict(), lambda: draw.lines_of(()), as_json=True)
    else:
        print(found.text, end="")
