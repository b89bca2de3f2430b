"""A run's report in a terminal: rows at every arrow, yield per rule, sizes, cuts, changes, warnings."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from unify.cli.output import printable

if TYPE_CHECKING:
    from unify.core.reports import JunkReport, RunReport

SHOWN = 8
"""Largest customers and ignored values that are listed; the page and --json have more."""
BAR = 24
"""Characters of the longest bar of the histogram."""
SIZES = 10
"""Bars of the histogram; larger customers share the last one."""


def run_report(report: "RunReport") -> RenderableType:
    """The whole report; what a run did not do has no section."""
    return Group(*_sections(report))


def _sections(report: "RunReport") -> Iterator[RenderableType]:
    head = f"{report.project}: run {report.run}, generation {report.generation}"
    stages = ", ".join(f"{s.stage} {s.seconds:.1f}" for s in report.stages)
    yield Text(printable(head), style="bold")
    yield Text(f"{report.seconds:.1f} s, {report.peak_mib:,.0f} MiB at most ({stages})", style="dim")
    if report.arrows:
        yield _titled("Rows", _arrows(report))
    if report.rules:
        yield _titled("Rules", _rules(report))
    if report.clusters is not None:
        yield _titled("Customers", Group(*_customers(report)))
    if report.ignored:
        yield _titled("Values that were no evidence", Group(*_ignored(report)))
    if report.junk is not None and report.junk.worst:
        yield _titled("Values that many people carry", Group(*_verdicts(report.junk)))
    if report.segments:
        yield _titled("Segments", _segments(report))
    if report.warnings:
        yield _titled("Warnings", Group(*(_line("! " + w, "yellow") for w in report.warnings)))


def _titled(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(f"\n{title}", style="bold cyan"), body)


def _line(text: str, style: str = "") -> Text:
    return Text(printable(" ".join(text.split())), style=style)


def _table(*columns: tuple[str, bool]) -> Table:
    """A table without lines; columns are (heading, whether they hold numbers)."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading, number in columns:
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    return table


def _arrows(report: "RunReport") -> Table:
    table = _table(("", False), ("in", True), ("out", True), ("aside", True), ("", False))
    for arrow in report.arrows:
        aside = [*arrow.aside.items()] or [("", 0)]
        for n, (reason, rows) in enumerate(aside):
            first = (printable(arrow.arrow), f"{arrow.rows_in:,}", f"{arrow.rows_out:,}") if n == 0 else ("", "", "")
            table.add_row(*first, f"{rows:,}" if rows else "", printable(reason))
    return table


def _rules(report: "RunReport") -> Table:
    table = _table(
        ("", True), ("rule", False), ("between", False), ("shape", False), ("candidates", True), ("links", True),
        ("only by it", True), ("s", True),
    )  # fmt: skip
    for rule in report.rules:
        pair = f"{rule.kind} {rule.left}" if rule.left == rule.right else f"{rule.left} → {rule.right}"
        pair = rule.left if rule.kind == "common" else pair
        counts = (f"{rule.candidates:,}", f"{rule.links:,}", f"{rule.yields:,}", f"{rule.seconds:.2f}")
        table.add_row(str(rule.rule), printable(rule.name), printable(pair), rule.shape, *counts)
    return table


def _customers(report: "RunReport") -> Iterator[RenderableType]:
    found = report.clusters
    if found is None:
        return
    dropped = f", {found.dropped:,} records matched nothing and were left out" if found.dropped else ""
    yield Text(f"{found.customers:,} from {found.records:,} records{dropped}")
    bars = _table(("records", True), ("customers", True), ("", False))
    sizes = sorted(found.histogram.items())
    shown = [(str(size), n) for size, n in sizes[:SIZES]]
    if rest := sizes[SIZES:]:
        shown.append((f"{rest[0][0]} and more", sum(n for _, n in rest)))
    most = max((n for _, n in shown), default=1)
    for label, n in shown:
        bars.add_row(label, f"{n:,}", Text("█" * max(1, round(BAR * n / most)), style="cyan"))
    yield bars
    if found.largest:
        named = ", ".join(f"{c.CustomerId} ({c.records})" for c in found.largest[:SHOWN])
        yield _line(f"largest: {named}")
    for limit, links in found.cuts.items():
        yield _line(f"{links:,} links were cut: {limit}", "yellow")
    if found.doubtful:
        yield _line(f"{found.doubtful:,} links are doubtful: `unify review`", "yellow")
    if (changes := report.changes) is not None:
        since = f"since generation {changes.previous}" if changes.previous is not None else "in this first run"
        counts = f"{changes.created:,} created, {changes.merged:,} merged, {changes.split:,} split, "
        yield Text(f"{since}: {counts}{changes.retired:,} retired, {changes.unchanged:,} unchanged")


def _segments(report: "RunReport") -> Table:
    numbers = [(heading, True) for heading in ("members", "entered", "left", "as of run")]
    table = _table(("segment", False), ("state", False), *numbers)
    for one in report.segments:
        counts = ("" if n is None else f"{n:,}" for n in (one.members, one.entered, one.left, one.as_of))
        table.add_row(printable(one.segment), one.state, *counts)
    return table


def _verdicts(junk: "JunkReport") -> Iterator[RenderableType]:
    table = _table(("value", False), ("records", True), ("people", True), ("verdict", False), ("where", False))
    for one in junk.worst[:SHOWN]:
        people = "" if one.people is None else f"{one.people:,}"
        table.add_row(printable(one.value), f"{one.records:,}", people, one.verdict, printable(one.columns))
    yield table
    said = f"{junk.junk:,} junk, {junk.shared:,} shared, {junk.overruled:,} overruled by a list"
    yield Text(f'{said}: `unify query "FROM value_verdicts"`', style="dim")


def _ignored(report: "RunReport") -> Iterator[RenderableType]:
    table = _table(("rule", True), ("value", False), ("records", True), ("pairs", True), ("why", False))
    for value in report.ignored[:SHOWN]:
        counts = (f"{value.records:,}", f"{value.pairs:,}")
        table.add_row(str(value.rule), printable(value.value), *counts, printable(value.reason))
    yield table
    if len(report.ignored) > SHOWN:
        yield Text(f'and {len(report.ignored) - SHOWN} more: `unify query "FROM ignored"`', style="dim")
