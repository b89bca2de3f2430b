"""Measures as text for people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from unify.cli.draw import plain_table
from unify.cli.output import cell, printable

if TYPE_CHECKING:
    from segments.measures.preview import MeasurePreview
    from unify.core.reports import MeasureReport


def measures(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per measure."""
    if not listed:
        return "the project has no measures"
    table = plain_table("measure", "kind", "table", "title", "active")
    for row in listed:
        shown = (row["name"], row["kind"], row["table"], row["title"] or "", "" if row["active"] else "no")
        table.add_row(*map(printable, shown))
    return table


def templates(listed: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line per template."""
    table = plain_table("template", "what it is", "of activities of type", "fields")
    for row in listed:
        kinds = ", ".join(row["types"]) or "any"
        table.add_row(row["template"], row["title"], kinds, ", ".join(row["fields"]))
    return table


def figures(reports: "Sequence[MeasureReport]") -> RenderableType:
    """One line per column."""
    table = plain_table(
        "column", "type", "rows", "nulls", "min", "max", "mean", right=("rows", "nulls", "min", "max", "mean")
    )
    for r in reports:
        table.add_row(printable(r.column), r.type, *(cell(v) for v in (r.rows, r.nulls, r.min, r.max, r.mean)))
    return table


def shown(document: Mapping[str, Any], reports: "Sequence[MeasureReport]", sql: str) -> RenderableType:
    """What it is, its figures, and the SQL when that was asked for."""
    lines = [f"{key}: {cell(value)}" for key, value in document["definition"].items()]
    parts: list[RenderableType] = [Text(f"{document['name']}, {document['kind']} in {document['table']}", style="bold")]
    parts += [printable(line) for line in lines]
    if reports:
        parts += ["", figures(reports)]
    if sql:
        parts += ["", sql]
    return Group(*parts)


def rows(columns: Sequence[str], found: Sequence[Mapping[str, Any]], none: str) -> RenderableType:
    """A table of any columns."""
    if not found:
        return none
    table = plain_table(*columns)
    for row in found:
        table.add_row(*(cell(row[c]) for c in columns))
    return table


def preview(found: "MeasurePreview") -> RenderableType:
    """Figures and first rows."""
    return Group(figures(found.reports), "", rows(found.rows.column_names, found.rows.to_pylist(), "no rows"))
