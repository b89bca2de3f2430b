"""What a report page shows of what follows customers: values that lie, activities, measures, segments, what was kept.

Like `unify.pages.sections`: a section without anything to say is empty.
"""

from unify.core.reports import ActivityReport, MeasureReport, RunReport, SegmentReport, ValueVerdict
from unify.pages import figures
from unify.pages.figures import count, counted, seconds, share
from unify.pages.html import Child, Markup, tag, wrappable
from unify.pages.svg import bar
from unify.pages.tables import Row, details, muted, section, table

NOTHING = Markup("")


def verdicts(report: RunReport) -> Markup:
    """Values that too many different people carry, the worst first."""
    found = report.junk
    if found is None or not (found.junk or found.shared or found.overruled):
        return NOTHING
    judged = (
        f"{counted(found.junk, 'value')} judged to be no evidence at all, {count(found.shared)} to be shared and no "
        f"proof of identity by themselves, {count(found.overruled)} overruled by a list. The table "
    )
    sentence: list[Child] = [judged, tag("code", "value_verdicts"), " has all of them."]
    heads = ("value", "records", "people", "verdict", "reason", "where")
    rows = [_verdict(one) for one in found.worst]
    shown = table(heads, rows, numbers="tnnttt", css="reading") if rows else NOTHING
    return section("verdicts", "Values that lie", sentence, shown)


def _verdict(one: ValueVerdict) -> tuple[Child, ...]:
    said = one.verdict if one.overruled is None else [one.verdict, muted(f" by {one.overruled}")]
    return (
        tag("span", wrappable(figures.value(one.value)), class_="value"),
        count(one.records),
        muted("–") if one.people is None else count(one.people),
        said,
        one.reason,
        wrappable(one.columns),
    )


def activities(report: RunReport) -> Markup:
    """Of every activity: how many of its rows found their customer, and why the others did not."""
    if not report.activities:
        return NOTHING
    sentence: list[Child] = [
        "What happened to customers. A row that leads to no customer is kept, with the reason, in the table ",
        tag("code", "orphan_activities"),
        ".",
    ]
    heads = ("activity", "rows", "found their customer", "", "customers", "without one")
    rows = [_activity(one) for one in report.activities]
    return section("activities", "Activities", sentence, table(heads, rows, numbers="tnnbnt", css="bars"))


def _activity(one: ActivityReport) -> tuple[Child, ...]:
    reasons = sorted(one.orphans.items(), key=lambda item: (-item[1], item[0]))
    reasons += [("left out of the timeline", one.hidden), ("without a time", one.undated)]
    reasons += [("of several customers", one.several)]
    notes = [f"{count(rows)} {reason}" for reason, rows in reasons if rows]
    return (
        details(wrappable(one.activity), tag("p", f"{one.entity}, by way of {one.path}.")),
        count(one.rows),
        count(one.activities),
        bar(one.activities, one.rows) if one.rows else NOTHING,
        count(one.customers),
        [tag("div", note) for note in notes] or muted("none"),
    )


def measures(report: RunReport) -> Markup:
    """The columns of measures, with what their values span."""
    if not report.measures:
        return NOTHING
    heads = ("measure", "rows", "without a value", "smallest", "mean", "largest")
    rows = [_measure(one) for one in report.measures]
    sentence = "One row per column that a measure makes. Texts are somebody's data and are not shown."
    return section("measures", "Measures", sentence, table(heads, rows, numbers="tnnnnn"))


def _measure(one: MeasureReport) -> tuple[Child, ...]:
    name = one.measure if one.column == one.measure else f"{one.measure}: {one.column}"
    spans = [muted("–") if value is None else _number(value) for value in (one.min, one.mean, one.max)]
    nulls = [count(one.nulls), muted(f" {share(one.nulls, one.rows)}")] if one.nulls else muted("none")
    said = details(wrappable(name), tag("p", f"{one.kind}, {one.type}, in the table ", tag("code", one.table), "."))
    return (said, count(one.rows), nulls, *spans)


def _number(value: float | str) -> str:
    """A number with separators; dates and decimals come as text and stay.

    >>> _number(1234567), _number(12.345678), _number("2026-11-22")
    ('1,234,567', '12.35', '2026-11-22')
    """
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def segments(report: RunReport) -> Markup:
    """Members of every segment, and who entered and left."""
    if not report.segments:
        return NOTHING
    most = max((one.members or 0 for one in report.segments), default=0)
    rows = [_segment(one, most) for one in report.segments]
    failed = sum(one.state == "failed" for one in report.segments)
    sentence = "Members of every segment, and who entered and left since it was found before."
    if failed:
        sentence += f" {counted(failed, 'segment')} failed and kept the members that were found last."
    heads = ("segment", "members", "", "entered", "left", "state", "time")
    return section("segments", "Segments", sentence, table(heads, rows, numbers="tnbnntn", css="bars"))


def _segment(one: SegmentReport, most: int) -> tuple[Child, ...]:
    rules = [(wrappable(rule), count(n)) for rule, n in one.rules.items()]
    opened: list[Child] = [table(("rule by itself", "customers"), rules, numbers="tn")] if len(rules) > 1 else []
    if one.error is not None:
        opened += [tag("p", tag("strong", one.error.get("message", "")), " ", one.error.get("hint", ""))]
    opened += [tag("p", warning) for warning in one.warnings]
    name = details(wrappable(one.segment), *opened) if opened else wrappable(one.segment)
    state = tag("strong", "failed") if one.state == "failed" else one.state
    return (
        name,
        muted("–") if one.members is None else count(one.members),
        bar(one.members, most) if one.members else NOTHING,
        _moved(one.entered, "+"),
        _moved(one.left, "−"),
        [state, muted(f", {one.kind}")],
        seconds(one.seconds),
    )


def _moved(customers: int | None, sign: str) -> Child:
    return muted("–") if customers is None else f"{sign}{count(customers)}" if customers else muted("0")


def taken_over(report: RunReport) -> Markup:
    """What the run took over from the generation before, stage by stage, and why not more."""
    found = report.incremental
    if found is None or found.previous is None or not found.stages:
        return NOTHING
    said = found.sentence or "nothing could be taken over; everything was made anew"
    stages: list[Row] = [(one.stage, one.state, one.why or muted("–")) for one in found.stages]
    sources: list[Row] = [
        (wrappable(one.entity), one.state, *(muted("–") if n is None else count(n)
                                             for n in (one.inserted, one.updated, one.deleted, one.unchanged)))
        for one in found.entities
    ]  # fmt: skip
    heads = ("source", "state", "inserted", "updated", "deleted", "unchanged")
    return section(
        "taken-over",
        "What was taken over",
        f"{said[:1].upper()}{said[1:]}.",
        table(("stage", "state", "why"), stages, numbers="ttt", css="reading"),
        details("Rows that changed, per source", table(heads, sources, numbers="ttnnnn")) if sources else NOTHING,
    )
