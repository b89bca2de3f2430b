"""Explanations of membership and insights in a notebook: well formed, escaped, self-contained, and with the figures."""

import re
from html.parser import HTMLParser

import pytest

from unify.core import insight_reports as r
from unify.core.rendering import html_of
from unify.core.segment_explanations import Change, Condition, SeenRow, SeenRows, SeenValue, SegmentExplanation
from unify.pages import register
from unify.pages.html import VOID

NASTY = "<script>alert(\"x\")</script> & 'quoted' \x00 ü"
register()


class Checker(HTMLParser):
    """Raises when an end tag does not fit; collects text, ids and attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.ids, self.attributes = [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.ids += [v for k, v in attrs if k == "id"]
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def says(self, text):
        return text in " ".join("".join(self.text).split())


def explanation(text, nearest=True):
    value = SeenValue(name=text, value=text, record=text, how=text, merged_by=[text])
    rows = SeenRows(
        sentence=text, table=text, value=870, reached=12, matching=7,
        rows=[SeenRow(key=text, matches=False, values={text: text}, fails=[text])],
    )  # fmt: skip
    leaf = Condition(kind="leaf", sentence=text, truth=None, leaf=0, values=[value], rows=[rows], label=text, note=text)
    return SegmentExplanation(
        segment=text, CustomerId="ab" * 16, ordinal=1, member=False, clock="2026-01-01T00:00:00+00:00", sentence=text,
        summary=text, tree=Condition(kind="and", sentence="", truth=None, parts=[leaf]), notes=[text],
        nearest=[Change(leaf=0, sentence=text, becomes=True, change=text)] if nearest else [],
    )  # fmt: skip


def reports(text):
    out = [r.LeftOut(attribute=text, reason=text)]
    band = r.Band(label=text, members=321, others=5, share_of_members=0.875, share_of_others=0.125)
    pair = r.Pair(a=text, b="b", both=33, share_of_a=0.5, share_of_b=None, jaccard=None, lift=None)
    difference = r.Difference(
        attribute=text, kind="value", score=0.75, p=0.0, significant=True, missing_of_members=0, missing_of_others=0, bands=[band],
        mean_of_members=1234.5, mean_of_others=text,
    )  # fmt: skip
    return {
        "why": explanation(text),
        "why, and no change": explanation(text, nearest=False),
        "overlap": r.Overlap(
            customers=1000, sizes={text: 66, "b": 40}, matrix=[[66, 33], [33, 40]], pairs=[pair],
            exclusive=[r.Intersection(segments=[text, "b"], customers=33)], left_out=4, left_out_customers=44, in_none=927,
        ),
        "by value": r.OverlapByValue(
            attribute=text, segments=[text], rows=[r.ValueOverlap(value=text, several=1, only={text: 2}, none=3)],
            rest=r.ValueOverlap(value=None, several=4, only={text: 5}, none=6), rest_values=77,
        ),
        "differences": r.Differences(segment=text, other=text, members=321, others=40, attributes=[difference], left_out=out),
        "drift": r.Drift(
            segment=text, before=1234, after=1200, entered=10, left=44, stayed=1190,
            causes=[r.Moved(cause="data changed", entered=10, left=44)], notes=[text],
        ),
        "suggestions": r.Suggestions(
            title=text, basis=text, considered=3, left_out=out,
            suggestions=[r.Suggestion(name=text, definition={"where": {text: text}}, sentence=text, customers=4321, share=0.5, value=2.5, average=1.5, p=0.001)],
        ),
        "no suggestion": r.Suggestions(title=text, basis=text, considered=3, suggestions=[]),
        "similar": r.Similar(
            segment=text, members=1, audience=5000, chosen=1000, lowest=0.5, auc=0.8, auc_low=0.7, folds=5, basis=text,
            classes=[r.SimilarClass(name="high", low=0.7, high=0.85, customers=999)], attributes=[text], left_out=out,
            weights=[r.Weight(attribute=text, value=text, weight=1.25)],
        ),
        "quick": r.QuickField(
            attribute=text, type="string", customers=9, missing=2, different=7777, values=[r.ValueCount(value=text, customers=5)],
            percentiles=[r.Percentile(percent=50, value=text)],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", reports("x"))
def test_whatever_the_data_says_the_page_is_whole(name):
    html = html_of(reports(NASTY)[name])
    page = Checker(html)
    assert page.says("alert(\"x\")</script> & 'quoted' ␀ ü")
    assert "\x00" not in html
    assert len(page.ids) == len(set(page.ids))
    assert not re.search(r"(src|href)=", html)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


SAID = {
    "why": ["is not in x", "all of", "unknown", "7 of 12 rows of x", "870", "They would be in it after this change:"],
    "why, and no change": ["Nothing about the customer could change it."],
    "overlap": ["927 of 1,000 customers are in none", "50%", "x + b", "and 4 more with 44 customers"],
    "by value": ["77 other values", "only x"],
    "differences": ["x (321) against x (40)", "0.75", "87.5%", "1,234.5"],
    "drift": ["1,234 before, 1,200 after, 1,190 stayed", "data changed", "44"],
    "suggestions": ["4,321", "2.5", "1.5"],
    "no suggestion": ["None differs from the average by more than chance."],
    "similar": ["1,000 of 5,000 customers are like", "999", "+1.25", "0.70 to 0.85"],
    "quick": ["7,777 values, missing for 2", "50 %"],
}


@pytest.mark.parametrize("name", SAID)
def test_the_figures_are_there(name):
    page = Checker(html_of(reports("x")[name]))
    assert [said for said in SAID[name] if not page.says(said)] == []


@pytest.mark.parametrize("name", reports("x"))
def test_a_report_reads_back_what_it_wrote(name):
    report = reports(NASTY)[name]
    assert type(report).model_validate_json(report.model_dump_json()) == report
    assert str(report)
    assert repr(report) == str(report)


def test_a_map_of_many_segments_says_what_it_leaves_out():
    names = [f"s{i}" for i in range(60)]
    many = r.Overlap(
        customers=9, sizes=dict.fromkeys(names, 1), matrix=[[1] * 60] * 60, pairs=[], exclusive=[], in_none=0
    )
    assert "20 more segments are not drawn" in html_of(many)
