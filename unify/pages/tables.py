"""Tables and sections of a page."""

from collections.abc import Sequence

from unify.pages.html import Child, Markup, join, tag

Row = Sequence[Child] | Markup
"""Cells, or a ready `<tr>`."""


def section(name: str, title: str, sentence: Child, *children: Child) -> Markup:
    """A part of the page: a heading, one sentence that says what one sees, the thing itself."""
    return tag("section", tag("h2", title), tag("p", sentence, class_="lead"), *children, id=name)


def table(
    heads: Sequence[str], rows: Sequence[Row], *, numbers: str, css: str = "", caption: str | None = None
) -> Markup:
    """A table. `numbers`: one letter per column: n number, t text, b bar. Rows are cells, or ready `<tr>` elements.

    Raises ValueError when a row has another number of cells than there are columns.
    """
    head = tag("tr", [tag("th", h, scope="col", class_=kind) for h, kind in zip(heads, numbers, strict=True)])
    body = [row if isinstance(row, Markup) else _row(row, numbers) for row in rows]
    return tag(
        "div",
        tag("table", tag("caption", caption) if caption else None, tag("thead", head), tag("tbody", body), class_=css),
        class_="wide",
    )


def group_row(title: Child, columns: int) -> Markup:
    """A row that heads the rows below it."""
    return tag("tr", tag("th", title, colspan=columns, scope="rowgroup"), class_="group")


def details(summary: Child, *children: Child) -> Markup:
    """Something to open when one wants to know more; printed open."""
    return tag("details", tag("summary", summary), *children)


def muted(*children: Child) -> Markup:
    """Less important words."""
    return tag("span", *children, class_="muted")


def _row(cells: Sequence[Child], numbers: str) -> Markup:
    done = []
    for i, (cell, kind) in enumerate(zip(cells, numbers, strict=True)):
        inside = join(cell)
        done.append(tag("th", inside, scope="row", class_=kind) if i == 0 else tag("td", inside, class_=kind))
    return tag("tr", done)
