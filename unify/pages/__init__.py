"""How reports look: in a terminal, on a page, in a notebook. Pages get data; they never query.

report ─┬─▶ terminal     rich renderables, and plain text for `repr`
        ├─▶ report_page  one self-contained HTML page: sections ─▶ tables, svg, flow ─▶ html (escapes everything)
        └─▶ fragments    the same for notebooks, without the page frame
"""

from unify.pages.fragments import explanation_fragment, fragment
from unify.pages.report_page import report_page

__all__ = ["explanation_fragment", "fragment", "report_page"]
