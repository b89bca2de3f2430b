"""How reports look: on a page and in a notebook. Pages get data; they never query.

report ─┬─▶ report_page  one self-contained HTML page: sections ─▶ tables, svg, flow ─▶ html (escapes everything)
        └─▶ fragments    the same for notebooks, without the page frame
"""

from unify.core import insight_reports
from unify.core.explanations import Explanation
from unify.core.rendering import register as register_kind
from unify.core.reports import RunReport
from unify.core.segment_explanations import SegmentExplanation
from unify.pages import segments
from unify.pages.fragments import explanation_fragment, fragment, segment_fragment
from unify.pages.report_page import report_page

__all__ = ["explanation_fragment", "fragment", "register", "report_page"]


def register() -> None:
    """Make run reports, explanations and insights show themselves as HTML in a notebook."""
    register_kind(RunReport, fragment)
    register_kind(Explanation, explanation_fragment)
    register_kind(SegmentExplanation, segment_fragment(segments.segment_explanation_html))
    register_kind(insight_reports.Overlap, segment_fragment(segments.overlap_html))
    register_kind(insight_reports.OverlapByValue, segment_fragment(segments.overlap_by_html))
    register_kind(insight_reports.Differences, segment_fragment(segments.differences_html))
    register_kind(insight_reports.Drift, segment_fragment(segments.drift_html))
    register_kind(insight_reports.Suggestions, segment_fragment(segments.suggestions_html))
    register_kind(insight_reports.Similar, segment_fragment(segments.similar_html))
    register_kind(insight_reports.QuickField, segment_fragment(segments.quick_html))
