"""The run report as one self-contained page, and as a fragment for notebooks."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from unify.core.explanations import Explanation
from unify.core.reports import RunReport
from unify.pages import figures, insights, sections
from unify.pages.html import Child, Markup, join, tag
from unify.pages.merges import explanation_html
from unify.pages.tables import section

ANCHORS = (
    ("warnings", "Warnings"),
    ("rows", "Rows"),
    ("rules", "Rules"),
    ("merges", "Merges"),
    ("clusters", "Sizes"),
    ("limits", "Cuts"),
    ("ignored", "Junk"),
    ("verdicts", "Values that lie"),
    ("changes", "Changes"),
    ("activities", "Activities"),
    ("measures", "Measures"),
    ("segments", "Segments"),
    ("taken-over", "Taken over"),
    ("quarantine", "Quarantine"),
    ("time", "Time"),
)


def report_page(
    report: RunReport,
    *,
    previous: RunReport | None = None,
    merges: Sequence[Explanation] = (),
    title: str | None = None,
) -> str:
    """One HTML page: no script, nothing fetched, light and dark, fit to print.

    `previous` is the report of the run before, for differences; `merges` are explanations of customers, shown value by
    value. Everything that comes from data is escaped.
    """
    name = title or f"{report.project}: run {report.run}"
    body = join(
        [
            sections.flow(report),
            sections.rules(report),
            _merges(merges),
            sections.clusters(report),
            sections.kept_apart(report),
            sections.ignored(report),
            insights.verdicts(report),
            sections.changes(report, previous),
            insights.activities(report),
            insights.measures(report),
            insights.segments(report),
            insights.taken_over(report),
            sections.quarantine(report),
            sections.stages(report),
        ]
    )
    warned = sections.warnings(report)
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", name),
            tag("style", Markup(stylesheet())),
        ),
        tag(
            "body",
            tag(
                "main",
                _header(report, name),
                sections.headline(report, previous),
                _contents(warned + body),
                warned,
                body,
                tag("footer", tag("p", _footer(report))),
            ),
            class_="unify",
        ),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


@cache
def stylesheet() -> str:
    """page.css."""
    return (files("unify.pages") / "page.css").read_text(encoding="utf-8")


def _header(report: RunReport, name: str) -> Markup:
    facts = f"Run {report.run} made generation {report.generation} of project {report.project}"
    return tag(
        "header",
        tag("p", facts, ", started ", tag("time", figures.moment(report.started), datetime=report.started),
            class_="eyebrow"),
        tag("h1", name),
        tag("p", sections.summary(report), class_="summary"),
    )  # fmt: skip


def _contents(body: str) -> Child:
    links = [tag("a", text, href=f"#{anchor}") for anchor, text in ANCHORS if f'id="{anchor}"' in body]
    return tag("nav", [[link, " "] for link in links], aria_label="Sections") if len(links) > 2 else None


def _merges(merges: Sequence[Explanation]) -> Child:
    if not merges:
        return None
    sentence = (
        "A few customers, value by value: one column per record, one row per column of the customer. "
        "The marked value won; the last column says how. Rows in which records disagree are printed bold. "
        "␣ is a space at the end of a value."
    )
    return section("merges", "How records became customers", sentence, [explanation_html(m) for m in merges])


def _footer(report: RunReport) -> str:
    return (
        f"Made by unify from the report of run {report.run}. The same numbers: unify report {report.run} --json. "
        "Every figure is a table of the generation that can be queried."
    )
