"""A segment, or a condition, in another spelling."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import unify.cli.segment_insights  # noqa: F401 - its commands come before this one
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import show
from unify.cli.segment import segment
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.spec.segment import Segment

__all__ = ["convert", "segment"]


@segment.command("convert")
def convert(
    to: Annotated[str, typer.Option("--to", metavar="SPELLING", help="odata, sentence, json or yaml.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A segment: `unify segment list`.", show_default=False)
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", metavar="TEXT", help="A condition, in any spelling.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="A definition; YAML or JSON.", show_default=False),
    ] = None,
    spelling: Annotated[
        str | None,
        typer.Option("--from", metavar="SPELLING", help="Of --where; otherwise told from it.", show_default=False),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Say a segment otherwise. What a spelling cannot say is an error that names it."""
    from unify.core.documents import read_segment

    if sum(given is not None for given in (name, where, file)) != 1:
        raise typer.BadParameter("say one of NAME, --where and --file", param_hint="NAME")
    if spelling is not None and where is None:
        raise typer.BadParameter("it is about --where", param_hint="--from")
    with opened(instance) as acme:
        said: Segment | str
        if name is not None:
            said = acme.segments().definition(name)
        else:
            said = read_segment("segment", file) if file is not None else str(where)
        text = acme.convert(said, to, spelling=spelling, name=name or "segment")
    if as_json:
        show({"spelling": to, "text": text}, lambda: text, as_json=True)
    else:
        print(text)  # as it is: to be pasted into a file or a URL, not wrapped
