"""What is to be learned from segments: overlap, differ, drift, similar, suggest, activity, quick."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from unify.cli.draw import lines_of
from unify.cli.options import AnInstance, AsJson
from unify.cli.output import jsonable, show
from unify.cli.segment import AName, segment
from unify.cli.where import opened

if TYPE_CHECKING:
    from unify.core.insight_reports import Told

__all__ = ["segment"]
"""With the commands of this file."""

Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", "-a", metavar="COLUMN", help="An attribute or measure to look at; may be repeated.",
        show_default=False,
    ),
]  # fmt: skip
Among = Annotated[
    str | None,
    typer.Option(metavar="SEGMENT", help="Look at its members alone.", show_default=False),
]


def _show(report: "Told", as_json: bool, **more: Any) -> None:
    """A report as text, or as JSON with what belongs to it."""
    show({**report.as_dict(), **more}, lambda: lines_of(report.lines()), as_json=as_json)


@segment.command("overlap")
def overlap(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Segments; otherwise all that have members.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Per value of an attribute.", show_default=False)
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """How segments share customers: of every two, and of exactly these and no other."""
    with opened(instance) as acme:
        found = acme.overlap(names or None, by=by)
    _show(found, as_json)


@segment.command("differ")
def differ(
    name: AName,
    other: Annotated[
        str | None, typer.Argument(metavar="OTHER", help="Another segment; otherwise everybody else.")
    ] = None,
    attributes: Columns = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """What tells the members of a segment from others: attributes by how much they differ."""
    with opened(instance) as acme:
        found = acme.segment(name).differ(other, attributes=attributes or None)
    _show(found, as_json)


@segment.command("drift")
def drift(
    name: AName,
    run_a: Annotated[
        int | None, typer.Argument(metavar="RUN", help="Since this run; otherwise the one before.", show_default=False)
    ] = None,
    run_b: Annotated[
        int | None, typer.Argument(metavar="RUN", help="Up to this one; otherwise the latest.", show_default=False)
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Who entered and left between two runs, and why: clock, identity, data or rule."""
    with opened(instance) as acme:
        found = acme.segment(name).drift(run_a, run_b)
    _show(found.report, as_json, customers=[jsonable(row) for row in found.customers.rows()])


@segment.command("similar")
def similar(
    name: AName,
    attributes: Columns = None,
    share: Annotated[float, typer.Option(help="Of the audience that is chosen, 0 to 1.")] = 0.2,
    lowest: Annotated[float, typer.Option(help="Score below which nobody is chosen.")] = 0.4,
    include_members: Annotated[bool, typer.Option("--include-members", help="Choose members, too.")] = False,
    audience: Annotated[
        str | None, typer.Option(metavar="SEGMENT", help="Choose among its members.", show_default=False)
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Customers like the members of a segment; refused when nothing known tells members from others."""
    with opened(instance) as acme:
        found = acme.segment(name).similar(
            attributes=attributes or None,
            share=share,
            lowest=lowest,
            include_members=include_members,
            audience=audience,
        )
    _show(found.report, as_json, customers=[jsonable(row) for row in found.customers.rows()])


@segment.command("suggest")
def suggest(
    primary: Annotated[str, typer.Argument(metavar="MEASURE", help="A measure or attribute.", show_default=False)],
    influencers: Columns = None,
    among: Among = None,
    groups: Annotated[int, typer.Option(min=2, max=10, help="Groups to divide customers into.")] = 10,
    smallest: Annotated[
        int | None,
        typer.Option(min=1, help="Customers of a group at least; otherwise 1 %, at least 30.", show_default=False),
    ] = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Segments in which a measure is far from its average, as definitions."""
    with opened(instance) as acme:
        found = acme.insights.suggest(
            primary, influencers=influencers or None, among=among, groups=groups, smallest=smallest
        )
    _show(found, as_json)


@segment.command("activity")
def activity(
    since: Annotated[str, typer.Argument(metavar="DAY", help="From this day on, 2024-01-01.", show_default=False)],
    through: Annotated[str, typer.Argument(metavar="DAY", help="Until this day, included.", show_default=False)],
    of: Annotated[str, typer.Option(metavar="RELATION", help="What counts as doing something.")] = "UnifiedActivity",
    time: Annotated[str, typer.Option(metavar="COLUMN", help="Its date.")] = "ActivityTime",
    amount: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="What is added up as money.", show_default=False)
    ] = None,
    where: Annotated[
        str | None, typer.Option(metavar="WHERE", help="An OData condition on the rows.", show_default=False)
    ] = None,
    groups: Annotated[int, typer.Option(min=2, max=10, help="Parts of equal size.")] = 3,
    among: Among = None,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """Segments by recency, frequency and money in a period, as definitions."""
    with opened(instance) as acme:
        found = acme.insights.suggest_by_activity(
            since, through, of=of, time=time, amount=amount, where=where, groups=groups, among=among
        )
    _show(found, as_json)


@segment.command("quick")
def quick(
    column: Annotated[str, typer.Argument(metavar="COLUMN", help="An attribute or measure.", show_default=False)],
    top: Annotated[int, typer.Option(min=0, help="Values to list.")] = 10,
    instance: AnInstance = None,
    as_json: AsJson = False,
) -> None:
    """The most frequent values of an attribute, and percentiles: what a segment could ask for."""
    with opened(instance) as acme:
        found = acme.insights.quick(column, top=top)
    _show(found, as_json)
