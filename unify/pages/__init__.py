"""How reports look: on a page and in a notebook. Pages get data; they never query.

report ─┬─▶ report_page  one self-contained HTML page: sections ─▶ tables, svg, flow ─▶ html (escapes everything)
        └─▶ fragments    the same for notebooks, without the page frame
"""

from unify.core.explanations import Explanation
from unify.core.rendering import register as register_kind
from unify.core.reports import RunReport
from unify.pages.fragments import explanation_fragment, fragment
from unify.pages.report_page import report_page

__all__ = ["explanation_fragment", "fragment", "register", "report_page"]


def register() -> None:
    """Make run reports and explanations show themselves as HTML in a notebook."""
    register_kind(RunReport, fragment)
    register_kind(Explanation, explanation_fragment)
