"""The evidence of a scored rule as HTML: from the prior to the probability, a row per comparison."""

from unify.core.explanations import NOTHING, Waterfall, chance
from unify.pages.html import Child, Markup, tag

HEADS = ("comparison", "one record", "the other", "alike", "bits")


def waterfall(evidence: Waterfall, sides: list[tuple[Child, Child]]) -> Markup:
    """A table: the prior, every comparison with its weight, the sum; below it the customer as a whole.

    `sides` has, per comparison, what the cells of the two records say.
    """
    head = tag("tr", [tag("th", h, scope="col", class_="n" if h == "bits" else None) for h in HEADS])
    rows = [_row("before anything is compared", None, None, None, evidence.prior)]
    for part, (left, right) in zip(evidence.parts, sides, strict=True):
        rows.append(_row(part.name, left, right, f"{part.level}{part.why()}", part.bits))
    rows += [
        _row("other pairs", None, None, kind.line(), kind.bits) for kind in evidence.kinds if abs(kind.bits) >= NOTHING
    ]
    alone = f"this pair alone: {chance(evidence.probability)}"
    rows.append(_row("together", None, None, tag("strong", alone), evidence.total))
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="merge")
    whole = evidence.whole()
    return tag("div", table, tag("p", whole[0].upper() + whole[1:]), class_="wide")


def _row(name: str, left: Child, right: Child, why: Child, bits: float) -> Markup:
    cells = [tag("td", cell) for cell in (left, right, why)]
    return tag("tr", tag("th", name, scope="row"), cells, tag("td", f"{bits:+.2f}", class_="n"),
               class_="conflict" if bits < 0 else None)  # fmt: skip
