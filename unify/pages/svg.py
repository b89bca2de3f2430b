"""Pieces of SVG. Colours are classes of page.css, so that one picture serves light, dark and print."""

from unify.pages.html import Child, Markup, tag


def picture(width: float, height: float, title: str, description: str, *parts: Child, name: str) -> Markup:
    """An SVG that scales to its column. `name` is unique on the page; it ties title and description to the picture."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *parts,
        class_="picture",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )


def box(x: float, y: float, width: float, height: float, css: str, hint: str | None = None) -> Markup:
    """A rectangle; `hint` shows when one points at it."""
    return tag(
        "rect", tag("title", hint) if hint else None,
        x=float(x), y=float(y), width=float(width), height=float(height), class_=css,
    )  # fmt: skip


def label(x: float, y: float, text: str, css: str = "", anchor: str = "start") -> Markup:
    """One line of text; `y` is its baseline."""
    return tag("text", text, x=float(x), y=float(y), class_=css or None, text_anchor=anchor)


def ribbon(
    x0: float, y0: float, h0: float, x1: float, y1: float, h1: float, css: str, hint: str | None = None
) -> Markup:
    """A band that flows from (x0, y0) of height h0 to (x1, y1) of height h1."""
    middle = (x0 + x1) / 2
    path = (
        f"M{x0:.1f},{y0:.1f}C{middle:.1f},{y0:.1f} {middle:.1f},{y1:.1f} {x1:.1f},{y1:.1f}"
        f"V{y1 + h1:.1f}C{middle:.1f},{y1 + h1:.1f} {middle:.1f},{y0 + h0:.1f} {x0:.1f},{y0 + h0:.1f}Z"
    )
    return tag("path", tag("title", hint) if hint else None, d=path, class_=css)


def bar(part: float, whole: float, css: str = "fill-main") -> Markup:
    """A bar of a table row, as wide as its cell; the number stands beside it, so it says nothing to a screen reader."""
    percent = 100 * part / whole if whole else 0
    width = max(percent, 0.75) if part else 0
    return tag(
        "svg",
        tag("rect", width=f"{width:.2f}%", height="100%", class_=css),
        class_="bar",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )
