"""HTML and SVG as nested calls. A plain string is always escaped; only `Markup` goes in as it is."""

from collections.abc import Iterable
from html import escape

VOID = frozenset({"meta", "br", "wbr", "link"})
"""HTML elements without an end tag."""


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. `class_` is class, `stroke_width` is stroke-width; an attribute that is None is left out.

    >>> tag("td", "a < b", class_="n", title=None)
    '<td class="n">a &lt; b</td>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_figure(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{said}>")
    return Markup(f"<{name}{said}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Children one after the other, strings escaped, None left out."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, int)):
        return Markup(escape(printable(str(children))))
    return Markup("".join(join(child) for child in children))


def printable(text: str) -> str:
    r"""Text without control characters, which neither XML nor a terminal takes; each becomes a visible picture of it.

    >>> printable("a\x00b\tc")
    'a␀b\tc'
    """
    return "".join(_picture(c) for c in text) if any(_is_control(c) for c in text) else text


def wrappable(text: str) -> Markup:
    """A long name that may break after a dot, an underscore, a colon or a slash."""
    out = escape(printable(text))
    for mark in ("_", ".", ":", "/", "@"):
        out = out.replace(mark, f"{mark}<wbr>")
    return Markup(out)


def _is_control(c: str) -> bool:
    code = ord(c)
    return (code < 32 and c not in "\t\n\r") or 127 <= code < 160 or 0xD800 <= code < 0xE000 or code in {0xFFFE, 0xFFFF}


def _picture(c: str) -> str:
    if not _is_control(c):
        return c
    return chr(0x2400 + ord(c)) if ord(c) < 32 else "␡" if ord(c) == 127 else "\N{REPLACEMENT CHARACTER}"


def _figure(value: str | float) -> str:
    """Coordinates with at most two decimals: half the bytes, and no eye sees more."""
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return printable(str(value))
