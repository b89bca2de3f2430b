"""Explanations as HTML: a customer value by value; two records link by link, condition by condition."""

from unify.core.explanations import ConditionCheck, Explanation, Hop, RuleCheck, ValueOrigin
from unify.pages.figures import how_won, together, value
from unify.pages.html import Child, Markup, tag, wrappable
from unify.pages.tables import muted
from unify.pages.waterfall import waterfall

MOST_RECORDS = 12
"""Records of a customer that get a column; the rest is counted."""


def explanation_html(explanation: Explanation) -> Markup:
    """An explanation of any kind."""
    return customer(explanation) if explanation.kind == "customer" else pair(explanation)


# ── one customer ─────────────────────────────────────────────────────────────────────────────────────────────────────


def customer(explanation: Explanation) -> Markup:
    """A table with one column per record and one row per unified column; the value that won is marked."""
    shown = explanation.records[:MOST_RECORDS]
    heads: list[Child] = [tag("th", "column", scope="col")]
    for record in shown:
        entity, _, key = record.record.partition(":")
        alternate = None if record.is_winner else tag("span", "alternate", class_="badge")
        heads.append(tag("th", muted(wrappable(entity)), tag("br"), wrappable(key), alternate, scope="col"))
    heads.append(tag("th", "how it won", scope="col"))
    won = _how_each_won(explanation)
    rows = [_value_row(explanation, v, len(shown), won[v.column]) for v in explanation.values]
    left = len(explanation.records) - len(shown)
    return tag(
        "article",
        tag("h3", wrappable(_title(explanation))),
        tag("p", muted(explanation.summary)),
        tag(
            "div",
            tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="merge"),
            class_="wide",
        ),
        tag("p", muted(f"and {left:,} more records")) if left else None,
        _links(explanation),
        class_="customer",
    )


def _title(explanation: Explanation) -> str:
    """The customer's name where a column tells it, else the id."""
    said = {v.column: value(v.value) for v in explanation.values}
    names = [said[c] for c in ("FullName", "Name") if said.get(c)]
    parts = " ".join(said[c] for c in ("FirstName", "LastName") if said.get(c))
    ids = [r.CustomerId for r in explanation.records if r.CustomerId]
    return next((n for n in (*names, parts, *ids) if n), explanation.summary)


def _how_each_won(explanation: Explanation) -> dict[str, str]:
    """Column to how its value won; a group of columns is told in full once, at its first column."""
    said: dict[str, str] = {}
    firsts: dict[frozenset[str], str] = {}
    for origin in explanation.values:
        unit = frozenset({origin.column, *together(origin)})
        first = firsts.setdefault(unit, origin.column)
        said[origin.column] = how_won(origin) if first == origin.column else f"together with {first}"
    return said


def _value_row(explanation: Explanation, origin: ValueOrigin, columns: int, how: str) -> Markup:
    cells: list[Child] = [tag("th", wrappable(origin.column), scope="row")]
    for record in explanation.records[:columns]:
        if record.record == origin.record:
            won = tag("mark", wrappable(value(origin.value)))
            cells.append(tag("td", won, class_="won"))
        elif record.record in origin.others:
            cells.append(tag("td", wrappable(value(origin.others[record.record]))))
        elif value(record.row.get(origin.column)):
            cells.append(tag("td", wrappable(value(record.row[origin.column])), class_="same"))
        else:
            cells.append(tag("td", tag("span", "–", aria_label="no value"), class_="none"))
    unknown = origin.record not in {r.record for r in explanation.records[:columns]}
    elsewhere = f"{value(origin.value)} from {origin.record}: " if unknown else ""
    cells.append(tag("td", elsewhere, how, class_="how", title=origin.how))
    return tag("tr", cells, class_="conflict" if origin.others else None)


def _links(explanation: Explanation) -> Child:
    if not explanation.links:
        return None
    items = [
        tag("li", wrappable(hop.a), " and ", wrappable(hop.b), ": ", tag("b", hop.rule), muted(f" {hop.score:.0%}"))
        for hop in explanation.links
    ]
    return tag("ul", items, class_="links")


# ── two records ──────────────────────────────────────────────────────────────────────────────────────────────────────


def pair(explanation: Explanation) -> Markup:
    """Why two records are one customer, or what keeps them apart."""
    parts: list[Child] = [tag("h3", wrappable(explanation.summary))]
    parts += [_hop(hop) for hop in explanation.path]
    if explanation.reasons:
        parts.append(tag("ul", [tag("li", reason) for reason in explanation.reasons]))
    if explanation.nearest is not None:
        nearest = tag("p", "The rule that came nearest: ", tag("b", explanation.nearest.name))
        parts += [nearest, _check(explanation.nearest)]
    return tag("article", parts, class_="customer")


def _hop(hop: Hop) -> Child:
    line = tag("p", wrappable(hop.a), " and ", wrappable(hop.b), ": ", tag("b", hop.rule), muted(f" {hop.score:.0%}"))
    return line if hop.check is None else [line, _check(hop.check)]


def _check(check: RuleCheck) -> Child:
    evidence = check.evidence
    if evidence is not None:
        sides = [(_compared(p.left, p.left_compared), _compared(p.right, p.right_compared)) for p in evidence.parts]
        vetoes: list[Child] = [tag("p", "exception: ", tag("strong", veto.sentence)) for veto in check.vetoes]
        return [waterfall(evidence, sides), *vetoes]
    rows = [_condition(c, "") for c in check.conditions]
    rows += [_condition(c, "exception: ") for c in check.vetoes]
    heads = ("condition", "one record", "the other", "alike", "holds")
    head = tag("tr", [tag("th", h, scope="col", class_="n" if h == "alike" else None) for h in heads])
    return tag("div", tag("table", tag("thead", head), tag("tbody", rows), class_="merge"), class_="wide")


def _condition(condition: ConditionCheck, before: str) -> Markup:
    score = "" if condition.score is None else f"{condition.score:.0%}"
    return tag(
        "tr",
        tag("th", before, condition.sentence, scope="row"),
        tag("td", _compared(condition.left, condition.left_compared)),
        tag("td", _compared(condition.right, condition.right_compared)),
        tag("td", score, class_="n"),
        tag("td", "yes" if condition.passed else tag("strong", "no")),
        class_="conflict" if not condition.passed else None,
    )


def _compared(values: dict[str, object], compared: list[str | None]) -> Child:
    """Each value as ingested, and below it what was compared when that differs."""
    lines: list[Child] = []
    for (column, raw), after in zip(values.items(), compared, strict=True):
        said = value(raw)
        lines.append(tag("div", muted(f"{column} "), wrappable(said) if said else muted("no value")))
        if after is None and said:
            lines.append(tag("div", muted("→ nothing to compare")))
        elif after is not None and after != said:
            lines.append(tag("div", muted("→ "), wrappable(value(after))))
    return lines
