"""Commands that look after an instance: runs, generations, rollback, doctor."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli import draw
from unify.cli.options import AnInstance, AsJson, Wait
from unify.cli.output import show
from unify.cli.where import found as path_of
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.store import Generation


def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The last so many.")] = 20,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """The last runs, newest first, failed and killed ones included."""
    with opened(instance) as acme:
        listed = acme.runs(limit)
    document = [{key: value for key, value in asdict(run).items() if key != "report"} for run in listed]
    show(document, lambda: draw.runs(listed), as_json=as_json)


def generations(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """The kept generations, newest first; any of them can be published again."""
    with opened(instance) as acme:
        kept = acme.generations()
    show([_generation(g) for g in kept], lambda: draw.generations(kept), as_json=as_json)


def rollback(
    generation: Annotated[
        int,
        typer.Argument(
            metavar="N",
            help="A kept generation: `unify generations`.",
            show_default=False,
        ),
    ],
    instance: AnInstance = None,
    wait: Wait = None,
    as_json: AsJson = False,
) -> None:
    """Publish a kept generation again. Nothing is lost: newer ones stay until they are purged."""
    with opened(instance) as acme:
        now = acme.rollback(generation, wait=wait)
    show(_generation(now), lambda: f"generation {now.number} is published", as_json=as_json)


def doctor(instance: AnInstance = None, as_json: AsJson = False) -> None:
    """Is everything in order? Exit code 4 when a check fails."""
    from unify.core.errors import InstanceNotFoundError, StoreError
    from unify.doctor import examine

    path: Path | None
    try:
        path = path_of(instance)
    except InstanceNotFoundError:
        path = None  # no instance is meant: the surroundings are examined
    report = examine(path)
    show(report.as_dict(), lambda: draw.doctor(report), as_json=as_json)
    if not report.ok:
        raise typer.Exit(StoreError.exit_code)


def _generation(g: "Generation") -> dict[str, Any]:
    return {
        "generation": g.number,
        "current": g.current,
        "published": g.published.isoformat(),
        "path": str(g.path),
        "bytes": g.bytes,
        "rows": g.rows,
        "summary": g.summary,
    }
