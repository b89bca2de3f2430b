"""What a report page shows of a run, one function per section; a section without anything to say is empty."""

from unify.core.reports import ChangeReport, IgnoredValue, RuleReport, RunReport
from unify.pages import figures
from unify.pages.figures import by_pair, count, counted, mib, seconds, share, signed, size_bands
from unify.pages.flow import flow_picture
from unify.pages.html import Child, Markup, tag, wrappable
from unify.pages.svg import bar
from unify.pages.tables import Row, details, group_row, muted, section, table

NOTHING = Markup("")
IGNORED_SHOWN = 30
"""Ignored values on the page; the report has a hundred, the table `ignored` all."""


# ── headline ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def headline(report: RunReport, previous: RunReport | None) -> Markup:
    """The numbers one reads first, with the difference to the previous run."""
    tiles: list[Child] = []
    if report.entities:
        now = figures.rows_in(report)
        tiles.append(_tile(count(now), "rows in", _since(now, figures.rows_in(previous) if previous else None)))
    if report.clusters is not None:
        before = previous.clusters if previous else None
        records, customers = report.clusters.records, report.clusters.customers
        tiles.append(_tile(count(records), "records", _since(records, before.records if before else None)))
        tiles.append(_tile(count(customers), "customers", _since(customers, before.customers if before else None)))
    tiles.append(
        _tile(seconds(report.seconds), "run time", f"{seconds(previous.seconds)} before" if previous else None)
    )
    tiles.append(_tile(mib(report.peak_mib), "peak memory", f"{mib(previous.peak_mib)} before" if previous else None))
    return tag("dl", tiles, class_="tiles")


def summary(report: RunReport) -> str:
    """The run in one or two sentences.

    >>> summary(RunReport(run=1, generation=1, project="p", started="", seconds=1, peak_mib=1))
    'No rows were read.'
    """
    said = []
    if report.entities:
        aside = figures.aside(report)
        rows, files = counted(figures.rows_in(report), "row"), counted(figures.files(report), "file")
        went = f"{count(aside)} of them set aside with a reason" if aside else "all of them accepted"
        said.append(f"{rows} from {files}, {went}.")
    clusters = report.clusters
    if clusters is not None:
        left = f"; {count(clusters.dropped)} matched nothing and were left out" if clusters.dropped else ""
        said.append(f"{counted(clusters.records, 'record')} became {counted(clusters.customers, 'customer')}{left}.")
    elif report.entities:
        said.append("Customers stay as they were: this run did not conflate.")
    return " ".join(said) or "No rows were read."


def _tile(figure: str, name: str, note: str | None) -> Markup:
    return tag("div", tag("dt", name), tag("dd", figure), tag("dd", note, class_="note") if note else None)


def _since(now: int, before: int | None) -> str | None:
    return None if before is None else f"{signed(now - before)} since the last run"


def warnings(report: RunReport) -> Markup:
    """Warnings, in full."""
    if not report.warnings:
        return NOTHING
    items = [tag("li", warning) for warning in report.warnings]
    return tag(
        "section", tag("h2", counted(len(items), "warning").capitalize()), tag("ul", items), class_="warnings",
        id="warnings",
    )  # fmt: skip


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def flow(report: RunReport) -> Markup:
    """The picture of rows through the arrows, and the same as a table."""
    drawn = flow_picture(report)
    if not drawn:
        return NOTHING
    sentence = (
        "Every row, from file to customer. Nothing is dropped in silence: what leaves the road is drawn, "
        "counted and has a reason."
    )
    figure = tag("figure", tag("div", drawn, class_="wide"))
    return section("rows", "How the rows flowed", sentence, figure, details("Every arrow in numbers", arrows(report)))


def arrows(report: RunReport) -> Markup:
    """Rows in = rows out + rows aside, at every arrow."""
    rows = [
        (
            wrappable(a.arrow),
            count(a.rows_in),
            count(a.rows_out),
            [tag("div", f"{count(n)} {reason}") for reason, n in a.aside.items()] or muted("none"),
            "yes" if a.balanced else tag("strong", "no"),
        )
        for a in report.arrows
    ]
    return table(("arrow", "rows in", "rows out", "aside", "adds up"), rows, numbers="tnntt")


def quarantine(report: RunReport) -> Markup:
    """Why rows were quarantined, per entity."""
    found = [e for e in report.entities if e.reasons]
    if not found:
        return NOTHING
    most = max(n for e in found for n in e.reasons.values())
    rows: list[Row] = []
    for e in found:
        title = [tag("b", wrappable(e.entity)), muted(f" {count(e.rows_quarantined)} of {counted(e.rows_in, 'row')}")]
        rows.append(group_row(title, 3))
        rows += [(reason, count(n), bar(n, most, "fill-aside")) for reason, n in _descending(e.reasons)]
    total = sum(e.rows_quarantined for e in found)
    sentence = (
        f"{counted(total, 'row')} could not be taken as they are. Each one waits, whole and with its reason, "
        "in the corrupt table of its entity; the rest loaded."
    )
    return section(
        "quarantine", "Quarantined rows", sentence, table(("reason", "rows", ""), rows, numbers="tnb", css="bars")
    )


# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def rules(report: RunReport) -> Markup:
    """Marginal yield per rule, grouped by the pair of entities."""
    if not report.rules:
        return NOTHING
    most = max((r.yields for r in report.rules), default=0)
    rows: list[Row] = []
    for name, some in by_pair(report.rules):
        rows.append(group_row(tag("b", wrappable(name)), 6))
        rows += [_rule(rule, most) for rule in some]
    sentence = (
        "Candidates are the pairs of records that a rule compared; links are those it found to be the same customer. "
        "The bar is its marginal yield: records that no other rule brought together with another one. "
        "Open a rule to read what it says."
    )
    heads = ("rule", "only this rule", "", "candidates → links", "", "time")
    return section("rules", "What each rule found", sentence, table(heads, rows, numbers="tnbnbn", css="bars rules"))


def _rule(rule: RuleReport, most: int) -> tuple[Child, ...]:
    ignored = f" It left out {counted(rule.ignored, 'value')} as no evidence." if rule.ignored else ""
    said = details(wrappable(rule.name), tag("p", f"{rule.sentence}.{ignored} Ran as: {rule.shape}."))
    grouping = rule.kind == "cluster"
    return (
        said,
        muted("–") if grouping else count(rule.yields) if rule.yields else muted("0"),
        NOTHING if grouping else bar(rule.yields, most),
        [muted(f"{count(rule.candidates)} → "), count(rule.links)],
        bar(min(rule.links, rule.candidates), rule.candidates, "fill-rest") if rule.candidates else NOTHING,
        seconds(rule.seconds),
    )


# ── clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def clusters(report: RunReport) -> Markup:
    """How many records customers have, and who has the most."""
    found = report.clusters
    if found is None or not found.histogram:
        return NOTHING
    most = max(found.histogram.values())
    rows = [
        (size, count(customers), bar(customers, most), share(customers, found.customers), count(records))
        for size, records, customers in size_bands(found.histogram)
    ]
    joined = sum(n for size, n in found.histogram.items() if size > 1)
    sentence = (
        f"{share(joined, found.customers)} of the customers have more than one record; "
        f"the largest has {count(max(found.histogram))}. A customer far larger than the others is worth a look: "
        "a rule may be too kind."
    )
    heads = ("records per customer", "customers", "", "share", "records")
    histogram = table(heads, rows, numbers="tnbnn", css="bars")
    return section("clusters", "How large customers are", sentence, histogram, _largest(report))


def _largest(report: RunReport) -> Markup:
    found = report.clusters
    if found is None or not found.largest:
        return NOTHING
    rows = [(tag("code", c.CustomerId), count(c.records)) for c in found.largest]
    return details("Customers with the most records", table(("CustomerId", "records"), rows, numbers="tn"))


LIMITS = {"never": "a never-override"}
"""Limits whose sentence in the table `cuts` is a single word."""


def kept_apart(report: RunReport) -> Markup:
    """Limits, cuts and overrides: where something stronger than a rule had the last word."""
    cuts = report.clusters.cuts if report.clusters else {}
    overrides = report.overrides
    if not cuts and not (overrides.always or overrides.never or overrides.unknown):
        return NOTHING
    most = max(cuts.values(), default=0)
    rows = [(LIMITS.get(limit, limit), count(n), bar(n, most)) for limit, n in _descending(cuts)]
    parts: list[Child] = []
    if rows:
        parts.append(table(("limit", "links cut", ""), rows, numbers="tnb", css="bars"))
    if report.clusters and report.clusters.violating:
        broken, all_of_them = report.clusters.violating, counted(report.clusters.components, "connected component")
        parts.append(tag("p", f"{count(broken)} of {all_of_them} broke a limit before links were cut."))
    if overrides.always or overrides.never:
        parts.append(
            tag(
                "p",
                f"Overrides in force: {counted(overrides.always, 'pair')} always together, "
                f"{counted(overrides.never, 'pair')} never.",
            )
        )
    if overrides.unknown:
        parts.append(tag("p", f"{counted(overrides.unknown, 'override')} of records that are not there: no effect."))
    sentence = "Links that rules found and that yielded to a limit or to a never-override, the weakest first."
    return section("limits", "Links that were cut", sentence, parts)


def ignored(report: RunReport) -> Markup:
    """Values that were no evidence."""
    if not report.ignored:
        return NOTHING
    names = {r.rule: r.name for r in report.rules}
    shown = report.ignored[:IGNORED_SHOWN]
    rows = [_ignored(value, names) for value in shown]
    sentence: list[Child] = [
        "Values that too many records share to mean anything, such as a placeholder e-mail address. ",
        "They linked nobody. The table ",
        tag("code", "ignored"),
        " has all of them.",
    ]
    left = len(report.ignored) - len(shown)
    more = tag("p", muted(f"and {count(left)} more in the report")) if left else NOTHING
    heads = ("value", "records", "pairs it would have made", "rule", "reason")
    return section(
        "ignored", "Values ignored as junk", sentence, table(heads, rows, numbers="tnntt", css="reading"), more
    )


def _ignored(value: IgnoredValue, names: dict[int, str]) -> tuple[Child, ...]:
    return (
        tag("span", wrappable(figures.value(value.value)), class_="value"),
        count(value.records),
        count(value.pairs),
        names.get(value.rule, f"rule {value.rule}"),
        value.reason,
    )


# ── since the last run ───────────────────────────────────────────────────────────────────────────────────────────────

FATES = {
    "created": "customers that are new",
    "merged": "ids that became part of an older customer; they still resolve",
    "split": "new ids of records that left a customer",
    "retired": "ids that are gone with their last record",
    "unchanged": "customers that kept their id",
}


def changes(report: RunReport, previous: RunReport | None) -> Markup:
    """What became of CustomerIds, and which rules link more or less than before."""
    found = report.changes
    if found is None:
        return NOTHING
    if found.previous is None:
        sentence = f"This is the first run: {counted(found.created, 'customer')} got an id, which stays from now on."
        return section("changes", "What changed", sentence)
    sentence = (
        f"Compared with generation {found.previous}. An id is never given to anybody else, and one that was merged "
        "or split still leads to the right customer."
    )
    return section("changes", "What changed", sentence, _fates(found), _rules_changed(report, previous))


def _fates(found: ChangeReport) -> Markup:
    numbers = {fate: getattr(found, fate) for fate in FATES}
    most = max(n for fate, n in numbers.items() if fate != "unchanged")
    rows = [
        (fate, count(n), NOTHING if fate == "unchanged" else bar(n, most), muted(FATES[fate]))
        for fate, n in numbers.items()
    ]
    return table(("change", "number", "", ""), rows, numbers="tnbt", css="bars")


def _rules_changed(report: RunReport, previous: RunReport | None) -> Markup:
    if previous is None:
        return NOTHING
    before = {_same_rule(r): r for r in previous.rules}
    rows: list[Row] = []
    for rule in report.rules:
        old = before.pop(_same_rule(rule), None)
        if old is None:
            rows.append((wrappable(rule.name), figures.pair(rule), muted("new"), count(rule.links), ""))
        elif old.links != rule.links:
            change = signed(rule.links - old.links)
            rows.append((wrappable(rule.name), figures.pair(rule), count(old.links), count(rule.links), change))
    rows += [(wrappable(r.name), figures.pair(r), count(r.links), muted("gone"), "") for r in before.values()]
    if not rows:
        return tag("p", "Every rule found as many links as before.")
    heads = ("rule", "between", "links before", "links now", "change")
    return table(heads, rows, numbers="ttnnn", caption="Rules that link more or less than before")


def _same_rule(rule: RuleReport) -> tuple[str, str, str, str]:
    return rule.kind, rule.left, rule.right, rule.name


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stages(report: RunReport) -> Markup:
    """Where the time went: stages one after the other."""
    if not report.stages:
        return NOTHING
    total = max(sum(s.seconds for s in report.stages), 1e-9)
    rows, begun = [], 0.0
    for stage in report.stages:
        rows.append(
            (stage.stage, seconds(stage.seconds), _span(begun, stage.seconds, total), _of(stage.seconds, total))
        )
        begun += stage.seconds
    sentence = f"{seconds(report.seconds)} in all, at most {mib(report.peak_mib)} of memory."
    entities = [(wrappable(e.entity), counted(e.rows_in, "row"), seconds(e.seconds)) for e in report.entities]
    per_entity = (
        details("Reading, per entity", table(("entity", "rows", "time"), entities, numbers="tnn"))
        if entities
        else NOTHING
    )
    heads = ("stage", "time", "", "share")
    return section("time", "Where the time went", sentence, table(heads, rows, numbers="tnbn", css="bars"), per_entity)


def _span(begun: float, lasted: float, total: float) -> Markup:
    """A bar that begins where the stage before ended."""
    return tag(
        "svg",
        tag("rect", x=f"{100 * begun / total:.2f}%", width=f"{max(100 * lasted / total, 0.5):.2f}%", height="100%",
            class_="fill-main"),
        class_="bar track",
        aria_hidden="true",
        xmlns="http://www.w3.org/2000/svg",
    )  # fmt: skip


def _of(part: float, whole: float) -> str:
    return share(round(part * 1e6), round(whole * 1e6))


def _descending(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
