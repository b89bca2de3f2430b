"""Commands about doubtful links: review, decisions."""

from typing import TYPE_CHECKING, Annotated

import typer

from unify.cli import draw
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import show
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.core.review import Decision


def review(
    decide: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="ID same|different", help="Decide on a link of the list.", show_default=False),
    ] = None,
    pair: Annotated[
        tuple[str, str, str] | None,
        typer.Option(metavar="KEY KEY same|different", help="Decide on any two records.", show_default=False),
    ] = None,
    note: Annotated[str, typer.Option(help="Why, for those who come after you.", show_default=False)] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Links to print.")] = 10,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """The most doubtful links first, both records side by side; or decide on one.

    A decision takes force with the next run; `unify conflate` applies it at once.
    """
    if decide is not None and pair is not None:
        raise typer.BadParameter("decide on one pair at a time", param_hint="--decide and --pair")
    if note and decide is None and pair is None:
        raise typer.BadParameter("a note belongs to a decision: --decide or --pair", param_hint="--note")
    with opened(instance) as acme:
        if decide is None and pair is None:
            found = acme.review(limit)
            show(found.as_dict(), lambda: draw.lines_of(found.lines()), as_json=as_json)
            return
        made = acme.decide(decide[0], decide[1], note=note) if decide else acme.decide(pair[:2], pair[2], note=note)  # type: ignore[index]
    show(made.as_dict(), lambda: draw.lines_of([made.line()]), as_json=as_json)


def decisions(
    withdraw: Annotated[
        str | None, typer.Option(metavar="ID", help="Take this decision back.", show_default=False)
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What was decided about pairs of records, and whether it is in force; or take a decision back."""
    with opened(instance) as acme:
        if withdraw is not None:
            gone = acme.withdraw(withdraw)
            show(gone.as_dict(), lambda: draw.lines_of([gone.line()]), as_json=as_json)
            return
        listed: list[Decision] = acme.decisions()
    lines = [d.line() for d in listed] or ["nothing was decided: `unify review` lists what is doubtful"]
    show([d.as_dict() for d in listed], lambda: draw.lines_of(lines), as_json=as_json)
