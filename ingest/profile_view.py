"""A data profile for people: a table in a terminal, and one in a notebook with a bar chart per column."""

from datetime import date, datetime
from decimal import Decimal
from html import escape
from io import StringIO
from shutil import get_terminal_size

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from ingest.profile import AttributeProfile, Bin, EntityProfile, Value

WIDTH = 132
"""Characters of the text table where there is no terminal to ask: what a notebook shows without wrapping."""

HEADS = ("column", "type", "missing", "errors", "distinct", "min", "median", "max", "shape", "most frequent")
WIDEST = {"column": 26, "type": 13, "min": 12, "median": 12, "max": 12, "shape": 20}
"""Characters a column of the text table gets at most; the most frequent values get what is left of the line."""

_BARS = " ▁▂▃▄▅▆▇█"


def as_text(profile: EntityProfile, *, width: int | None = None) -> str:
    """The profile as a plain text table, as wide as the terminal."""
    file = StringIO()
    width = width or get_terminal_size((WIDTH, 0)).columns
    Console(file=file, width=width, color_system=None, legacy_windows=False).print(as_table(profile, width=width))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def as_table(profile: EntityProfile, *, width: int = WIDTH) -> Table:
    """The profile as a rich table, for whoever has a console. Columns without any entry are left out."""
    rows = [(*_cells(profile, a), sparkline(a.histogram), _top(a)) for a in profile.attributes]
    table = Table(title=escape_markup(_title(profile)), title_justify="left", box=SIMPLE_HEAD, padding=0)
    shown, left = [], width - 2
    for i, head in enumerate(HEADS):
        longest = max((len(row[i]) for row in rows), default=0)
        wide = min(max(longest, len(head)), WIDEST.get(head, left))
        if not longest or (head == HEADS[-1] and left < len(head)):
            continue
        shown.append(i)
        left -= wide + 1
        right = head in ("missing", "errors", "distinct")
        table.add_column(head, width=wide, justify="right" if right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(escape_markup(row[i]) for i in shown))
    return table


def as_html(profile: EntityProfile) -> str:
    """The profile as an HTML table; everything from the data is escaped, nothing is fetched."""
    rows = []
    for a in profile.attributes:
        cells = [*map(escape, _cells(profile, a)), _svg(a.histogram), escape(_top(a))]
        rows.append("<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th style='text-align:left'>{name}</th>" for name in HEADS)
    return (
        f"<table><caption>{escape(_title(profile))}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def sparkline(bins: tuple[Bin, ...]) -> str:
    """A histogram in one line; a bin that is not empty always shows.

    >>> sparkline((Bin(0, 1, 8), Bin(1, 2, 0), Bin(2, 3, 1)))
    '█ ▁'
    """
    top = max((b.count for b in bins), default=0)
    return "".join(_BARS[-(-b.count * (len(_BARS) - 1) // top)] for b in bins) if top else ""


def _title(profile: EntityProfile) -> str:
    quarantined = f", {profile.quarantined:,} quarantined" if profile.quarantined else ""
    return f"{profile.entity}: {profile.rows:,} rows{quarantined}"


def _cells(profile: EntityProfile, a: AttributeProfile) -> tuple[str, ...]:
    missing = f"{100 * a.missing / profile.rows:.1f} %" if profile.rows and a.missing else ""
    distinct = f"{'' if a.exact else '≈'}{a.distinct:,}"
    return (
        f"{a.name} (key?)" if a.suggested_key else a.name,
        a.type.lower(),
        missing,
        f"{a.errors:,}" if a.errors else "",
        distinct,
        _short(a.min),
        _short(a.quantiles.get("p50")),
        _short(a.max),
    )


def _top(a: AttributeProfile) -> str:
    """The most frequent values, unless all occur once: then there is nothing to tell."""
    frequent = [v for v in a.top if v.count > 1][:3]
    return ", ".join(f"{_short(v.value)} ({v.count:,})" for v in frequent)


def _short(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = str(value) if isinstance(value, (date, Decimal, bool, int)) else " ".join(value.split())
    return text if len(text) <= 20 else f"{text[:19]}…"


def _svg(bins: tuple[Bin, ...]) -> str:
    top = max((b.count for b in bins), default=0)
    if not top:
        return ""
    bars = "".join(
        f"<rect x='{5 * i}' y='{24 - h}' width='4' height='{h}'><title>{escape(_short(b.lower))} – "
        f"{escape(_short(b.upper))}: {b.count:,}</title></rect>"
        for i, b in enumerate(bins)
        for h in [-(-24 * b.count // top)]
    )
    return f"<svg width='{5 * len(bins)}' height='24' fill='currentColor' role='img'>{bars}</svg>"
