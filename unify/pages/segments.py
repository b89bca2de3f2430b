"""Segments as HTML: why a customer is in one, how several overlap, what tells one apart, what changed it."""

from collections.abc import Sequence
from zlib import crc32

from unify.core.insight_reports import (
    Band,
    Difference,
    Differences,
    Drift,
    LeftOut,
    Overlap,
    OverlapByValue,
    QuickField,
    Similar,
    Suggestion,
    Suggestions,
    figure,
    gathered,
    written,
)
from unify.core.segment_explanations import Condition, SeenRows, SeenValue, SegmentExplanation, shown
from unify.pages.figures import count, counted, share, value
from unify.pages.html import Child, Markup, tag, wrappable
from unify.pages.svg import bar, label, picture
from unify.pages.tables import details, muted, table

TRUTHS = {True: "yes", False: "no", None: "unknown"}
WORDS = {"and": "all of", "or": "any of", "not": "not", "surely": "surely"}
MOST_SEGMENTS = 40
"""Of a heat map: more squares are smaller than a fingertip."""
MOST_ATTRIBUTES = 12
"""Differences that are drawn in full; the others are in the table."""


# ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def segment_explanation_html(explanation: SegmentExplanation) -> Markup:
    """The definition part by part with its truth and the values behind it, then the nearest change."""
    is_in = "is in" if explanation.member else "is not in"
    return tag(
        "article",
        tag("h3", f"Customer {explanation.CustomerId[:8]}… {is_in} ", explanation.segment),
        tag("p", muted(wrappable(explanation.sentence))),
        tag("ul", [tag("li", note) for note in explanation.notes]) if explanation.notes else None,
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", [tag("th", h, scope="col") for h in ("condition", "holds", "as it is")])),
                tag("tbody", _rows(explanation.tree, 0)),
                class_="merge",
            ),
            class_="wide",
        ),
        _nearest(explanation),
        class_="customer",
    )


def _rows(condition: Condition, depth: int) -> list[Markup]:
    said = WORDS.get(condition.kind, condition.sentence)
    name: list[Child] = [tag("b", f"{condition.label}: ")] if condition.label else []
    name.append(wrappable(said))
    if condition.note:
        name.append(muted(f" ({condition.note})"))
    holds = TRUTHS[condition.truth]
    seen = [_value(v) for v in condition.values] + [_related(r) for r in condition.rows]
    row = tag(
        "tr",
        tag("th", name, scope="row", style=f"padding-left:{1.4 * depth:g}em"),
        tag("td", holds if condition.truth else tag("strong", holds)),
        tag("td", seen),
        class_=None if condition.truth else "conflict",
    )
    return [row, *(inner for part in condition.parts for inner in _rows(part, depth + 1))]


def _value(seen: SeenValue) -> Markup:
    said = value(seen.value)
    origin: list[Child] = [muted(" from "), wrappable(seen.record)] if seen.record else []
    how = tag("div", muted(seen.how)) if seen.how else None
    links = [tag("div", muted(wrappable(link))) for link in seen.merged_by]
    return tag("div", muted(f"{seen.name} "), wrappable(said) if said else muted("no value"), origin, how, links)


def _related(rows: SeenRows) -> Markup:
    head = f"{count(rows.matching)} of {counted(rows.reached, 'row')} of {rows.table}"
    lines = [
        tag(
            "div",
            muted("✓ " if row.matches else "✗ "),
            wrappable(row.key or rows.table),
            muted(" " + ", ".join(f"{k} {value(v)}" for k, v in row.values.items())),
            tag("div", muted("fails: " + "; ".join(row.fails))) if row.fails else None,
        )
        for row in rows.rows
    ]
    return tag("div", shown(rows.value), muted(f" · {head}"), lines)


def _nearest(explanation: SegmentExplanation) -> Child:
    turn = "would not be" if explanation.member else "would be"
    if not explanation.nearest:
        return tag("p", "Nothing about the customer could change it.")
    many = "this change" if len(explanation.nearest) == 1 else "these changes together"
    doubt = None if explanation.smallest else muted(" A smaller set may exist.")
    return [
        tag("p", f"They {turn} in it after {many}:", doubt),
        tag("ul", [tag("li", change.change) for change in explanation.nearest]),
    ]


# ── overlap ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def overlap_html(overlap: Overlap) -> Markup:
    """A heat map of shares, row by row, and the exclusive intersections as bars."""
    total = f"{count(overlap.in_none)} of {counted(overlap.customers, 'customer')} are in none of them."
    largest = max((x.customers for x in overlap.exclusive), default=0)
    exclusive: list[list[Child]] = [
        [" + ".join(x.segments), count(x.customers), bar(x.customers, largest), share(x.customers, overlap.customers)]
        for x in overlap.exclusive
    ]
    more = f"and {count(overlap.left_out)} more with {counted(overlap.left_out_customers, 'customer')}"
    return tag(
        "article",
        tag("p", f"{counted(len(overlap.sizes), 'segment')}. {total}"),
        tag("div", heat_map(overlap), class_="wide"),
        table(("in exactly these", "customers", "", "of all"), exclusive, numbers="tnbn", css="bars")
        if exclusive
        else None,
        tag("p", muted(more)) if overlap.left_out else None,
        class_="customer",
    )


def heat_map(overlap: Overlap) -> Markup:
    """One square per two segments: how much of the row's members are in the column's segment, as shade and number."""
    names = list(overlap.sizes)[:MOST_SEGMENTS]
    left, top, cell = 190.0, 24.0, 46.0 if len(names) <= 12 else 20.0
    parts: list[Child] = []
    for i, name in enumerate(names):
        y = top + i * cell
        said = f"{i + 1}  {_short(name)}  {count(overlap.sizes[name])}"
        parts.append(label(left - 8, y + cell / 2 + 4, said, "on", "end"))
        parts.append(label(left + i * cell + cell / 2, top - 8, str(i + 1), anchor="middle"))
        for j, other in enumerate(names):
            both, size = overlap.matrix[i][j], overlap.sizes[name]
            parts += _square(left + j * cell, y, cell, both, size, f"{name} and {other}: {count(both)}")
    left_out = len(overlap.sizes) - len(names)
    about = "Shade and number: share of the row's members that are in the column's segment; columns in the row's order."
    about += f" {left_out} more segments are not drawn." if left_out else ""
    unique = f"overlap-{crc32(repr(overlap.sizes).encode()):08x}"
    width, height = left + len(names) * cell + 8, top + len(names) * cell + 8
    return picture(max(width, 860.0), height, "Overlap of segments", about, *parts, name=unique)


def _square(x: float, y: float, cell: float, both: int, size: int, hint: str) -> list[Child]:
    part = both / size if size else 0.0
    said = share(both, size)
    shade = tag(
        "rect", tag("title", f"{hint} ({said} of the first)"), x=x + 1, y=y + 1, width=cell - 2, height=cell - 2,
        class_="fill-main", opacity=f"{0.06 + 0.74 * part:.2f}",
    )  # fmt: skip
    number = label(x + cell / 2, y + cell / 2 + 4, said.replace(" ", ""), "on", "middle") if cell > 30 else None
    return [shade, number]


def _short(name: str) -> str:
    return name if len(name) <= 18 else f"{name[:17]}…"


def overlap_by_html(found: OverlapByValue) -> Markup:
    """A table with a row per value."""
    rows = [*found.rows, *([found.rest] if found.rest else [])]
    body: list[list[Child]] = [
        [
            f"{count(found.rest_values)} other values" if row is found.rest else value(row.value) or muted("missing"),
            count(row.several),
            *(count(n) for n in row.only.values()),
            count(row.none),
        ]
        for row in rows
    ]
    heads = (found.attribute, "in several", *(f"only {name}" for name in found.segments), "in none")
    return tag("article", table(heads, body, numbers="t" + "n" * (len(heads) - 1)), class_="customer")


# ── differences ──────────────────────────────────────────────────────────────────────────────────────────────────────


def differences_html(found: Differences) -> Markup:
    """Scores as bars; the distributions of the most telling attributes, both sides beside each other."""
    head = f"{found.segment} ({count(found.members)}) against {found.other} ({count(found.others)})"
    rows: list[list[Child]] = [
        [
            wrappable(x.attribute),
            bar(x.score, 1.0, "fill-main" if x.significant else "fill-rest"),
            f"{x.score:.2f}",
            "" if x.mean_of_members is None else figure(x.mean_of_members),
            "" if x.mean_of_others is None else figure(x.mean_of_others),
            "" if x.significant else muted("may be chance"),
        ]
        for x in found.attributes
    ]
    heads = ("attribute", "", "score", "mean", "mean of others", "")
    drawn = [x for x in found.attributes if x.significant][:MOST_ATTRIBUTES]
    return tag(
        "article",
        tag("h3", head),
        table(heads, rows, numbers="tbnnnt", css="bars"),
        [details(x.attribute, _bands(x, found)) for x in drawn],
        _left_out(found.left_out),
        class_="customer",
    )


def _bands(difference: Difference, found: Differences) -> Markup:
    most = max((max(b.share_of_members, b.share_of_others) for b in difference.bands), default=0.0)
    rows = [_band(b, most) for b in difference.bands]
    return table(("", found.segment, "", found.other, ""), rows, numbers="tbnbn", css="bars")


def _band(band: Band, most: float) -> list[Child]:
    return [
        wrappable(band.label),
        bar(band.share_of_members, most),
        f"{band.share_of_members:.1%}",
        bar(band.share_of_others, most, "fill-rest"),
        f"{band.share_of_others:.1%}",
    ]


def _left_out(left_out: Sequence[LeftOut]) -> Child:
    return tag("p", muted("Left out: ", wrappable(gathered(left_out)))) if left_out else None


# ── drift, suggestions, similar, quick ───────────────────────────────────────────────────────────────────────────────


def drift_html(found: Drift) -> Markup:
    """Entered and left by cause."""
    most = max((max(c.entered, c.left) for c in found.causes), default=0)
    rows: list[list[Child]] = [
        [c.cause, count(c.entered), bar(c.entered, most), count(c.left), bar(c.left, most, "fill-aside")]
        for c in found.causes
    ]
    rows.append(["together", count(found.entered), "", count(found.left), ""])
    head = f"{found.segment}: {count(found.before)} before, {count(found.after)} after, {count(found.stayed)} stayed"
    return tag(
        "article",
        tag("h3", head),
        table(("cause", "entered", "", "left", ""), rows, numbers="tnbnb", css="bars"),
        tag("ul", [tag("li", note) for note in found.notes]) if found.notes else None,
        class_="customer",
    )


def suggestions_html(found: Suggestions) -> Markup:
    """One row per suggested segment, with its definition."""
    most = max((s.customers for s in found.suggestions), default=0)
    valued = any(s.value is not None for s in found.suggestions)
    heads = ("segment", "definition", "customers", "", "value", "average")[: 6 if valued else 4]
    rows = [_suggestion(s, most)[: len(heads)] for s in found.suggestions]
    none = tag("p", "None differs from the average by more than chance.")
    body = table(heads, rows, numbers="ttnbnn"[: len(heads)], css="bars") if rows else none
    basis = tag("p", muted(found.basis))
    return tag("article", tag("h3", found.title), basis, body, _left_out(found.left_out), class_="customer")


def _suggestion(s: Suggestion, most: int) -> list[Child]:
    where = tag("code", wrappable(written(s.definition.get("where"))))
    return [s.name, where, count(s.customers), bar(s.customers, most), figure(s.value), figure(s.average)]


def similar_html(found: Similar) -> Markup:
    """How good it is, how many in which class, and what speaks for it."""
    most = max((c.customers for c in found.classes), default=0)
    classes: list[list[Child]] = [
        [c.name, f"{c.low:.2f} to {c.high:.2f}", count(c.customers), bar(c.customers, most)] for c in found.classes
    ]
    weights: list[list[Child]] = [[wrappable(f"{w.attribute}: {w.value}"), f"{w.weight:+.2f}"] for w in found.weights]
    head = f"{count(found.chosen)} of {counted(found.audience, 'customer')} are like the members of {found.segment}"
    return tag(
        "article",
        tag("h3", head),
        tag("p", muted(found.basis)),
        table(("likeness", "score", "customers", ""), classes, numbers="ttnb", css="bars"),
        details("What speaks for it, and against", table(("value", "weight"), weights, numbers="tn")),
        _left_out(found.left_out),
        class_="customer",
    )


def quick_html(found: QuickField) -> Markup:
    """Values with bars, then percentiles."""
    most = max((v.customers for v in found.values), default=0)
    values: list[list[Child]] = [
        [wrappable(value(v.value)), count(v.customers), bar(v.customers, most)] for v in found.values
    ]
    percentiles: list[list[Child]] = [[f"{x.percent} %", wrappable(value(x.value))] for x in found.percentiles]
    head = f"{found.attribute}: {counted(found.different, 'value')}, missing for {count(found.missing)}"
    return tag(
        "article",
        tag("h3", head),
        table(("value", "customers", ""), values, numbers="tnb", css="bars"),
        table(("percentile", "value"), percentiles, numbers="tt") if percentiles else None,
        class_="customer",
    )
