"""Customers, timelines and relationships as text for people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from unify.cli.draw import lines_of, plain_table
from unify.cli.output import cell, printable

if TYPE_CHECKING:
    from segments.customer_card import CustomerCard
    from segments.relationships import Path
    from unify.answers import Answer


def card(found: "CustomerCard") -> RenderableType:
    """Values, records, activities."""
    return lines_of(found.lines())


def timeline(found: "Answer") -> RenderableType:
    """One line per activity."""
    rows = found.rows()
    if not rows:
        return "nothing happened"
    table = plain_table("when (UTC)", "what", "type", "title", "description", "row")
    for row in rows:
        shown = [row[k] for k in ("ActivityTime", "ActivityTypeDisplay", "ActivityType", "Title", "Description")]
        table.add_row(*(cell(value) for value in (*shown, f"{row['SourceTableName']}:{row['SourceActivityId']}")))
    return table


def relationships(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per relationship."""
    if not listed:
        return "no relationship is declared, and no entity is conflated"
    table = plain_table("relationship", "from", "to", "cardinality", "made by")
    for row in listed:
        table.add_row(*(printable(str(row[k])) for k in ("name", "from", "to", "cardinality", "source")))
    return table


def paths(start: str, end: str, found: "Sequence[Path]") -> RenderableType:
    """One line per path."""
    if not found:
        return printable(f"no relationship leads from {start} to {end}")
    table = plain_table("hops", "path", "a row meets", right=("hops",))
    for path in found:
        way = path[0].from_entity + "".join(f" —{hop.relationship}→ {hop.to_entity}" for hop in path)
        table.add_row(str(len(path)), printable(way), "one row" if all(hop.to_one for hop in path) else "many rows")
    return Group(table, Text(f"{len(found)} path{'s' * (len(found) != 1)}", style="dim"))
