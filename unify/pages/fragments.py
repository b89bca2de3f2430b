"""What a notebook shows for a report or an explanation: a compact piece of HTML with its own styles."""

from collections.abc import Callable
from typing import TypeVar

from unify.core.explanations import Explanation
from unify.core.reports import RunReport
from unify.pages import sections
from unify.pages.figures import moment
from unify.pages.flow import flow_picture
from unify.pages.html import Child, Markup, tag
from unify.pages.merges import explanation_html
from unify.pages.report_page import stylesheet

T = TypeVar("T")


def fragment(report: RunReport) -> str:
    """Headline, flow and warnings, and the rules folded; no page frame, nothing fetched, no script."""
    when = f" run {report.run}, {moment(report.started)}. "
    head = tag("p", tag("b", report.project), when, sections.summary(report))
    flow = flow_picture(report, f"flow-{report.run}")
    parts = [
        head,
        sections.headline(report, None),
        sections.warnings(report),
        tag("div", flow, class_="wide") if flow else None,
        _folded("Rules", sections.rules(report)),
        _folded("Sizes of customers", sections.clusters(report)),
        _folded("Links that were cut", sections.kept_apart(report)),
        _folded("Values ignored as junk", sections.ignored(report)),
        _folded("Quarantined rows", sections.quarantine(report)),
        _folded("Time", sections.stages(report)),
    ]
    return _framed(parts)


def explanation_fragment(explanation: Explanation) -> str:
    """A customer value by value, or two records condition by condition."""
    return _framed([explanation_html(explanation)])


def segment_fragment(draw: Callable[[T], Markup]) -> Callable[[T], str]:
    """What draws a report on segments, as a notebook shows it."""
    return lambda report: _framed([draw(report)])


def _folded(summary: str, body: Markup) -> Child:
    return tag("details", tag("summary", summary), body) if body else None


def _framed(parts: list[Child]) -> str:
    """Styles apply to `.unify` only, so they leave the notebook alone."""
    return tag("div", tag("style", Markup(stylesheet())), parts, class_="unify embedded")
