"""The page is one file, escapes everything, says the report's numbers, and takes any report."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from unify.core.explanations import ConditionCheck, Explanation, Hop, RecordInfo, RuleCheck, ValueOrigin
from unify.core.reports import (
    ActivityReport,
    ArrowReport,
    ChangeReport,
    ClusterReport,
    EntityReport,
    IgnoredValue,
    IncrementalReport,
    JunkReport,
    LargestCluster,
    MeasureReport,
    OverridesReport,
    RuleReport,
    RunReport,
    SegmentReport,
    SourceChange,
    StageChange,
    StageReport,
    ValueVerdict,
)
from unify.pages import explanation_fragment, fragment, report_page
from unify.pages.flow import flow_of, flow_picture

NASTY = """<script>alert("x")</script> & 'quoted' \x00 ü"""
VOID = {"meta", "br", "wbr"}
MANY = 60


def an_entity(name, rows=1234, kept=1200, quarantined=30, filtered=4):
    return EntityReport(
        entity=name, files=2, rows_in=rows, rows_kept=kept, rows_quarantined=quarantined, rows_filtered=filtered,
        reasons={"not a date": quarantined} if quarantined else {}, seconds=0.5,
    )  # fmt: skip


def a_rule(number, left, right, name="e-mail", kind="match", links=777):
    return RuleReport(
        rule=number, kind=kind, name=name, left=left, right=right, sentence="EMail is equal", shape="star",
        candidates=8_888, links=links, ignored=2, seconds=0.25, yields=654,
    )  # fmt: skip


def after_customers(name="x"):
    """Fields of what follows customers."""
    verdict = ValueVerdict(columns=f"{name}.EMail", normalized="lower", value=f"noreply@{name}", records=4_567, people=3_210,
                           verdict="junk", reason=f"many people {name}", overruled=f"list {name}")  # fmt: skip
    return {
        "junk": JunkReport(judged=["a"], junk=17, shared=23, overruled=1, worst=[verdict]),
        "activities": [ActivityReport(activity=f"Purchases {name}", entity="web.Purchases", path=f"by {name}", rows=1_010, activities=1_001,
                                      customers=444, orphans={f"no record {name}": 9}, undated=3, several=2)],
        "measures": [MeasureReport(measure=f"Spend {name}", column="Total", kind="customer", table="Customer_Measure", type="decimal",
                                   rows=1_475, nulls=31, min="0.05", max="9876.54", mean=1234.5678)],
        "segments": [
            SegmentReport(segment=f"vip {name}", kind="where", state="refreshed", members=1_112, entered=13, left=1, seconds=0.2,
                          rules={f"rule {name}": 1_113, "other": 7}, warnings=[f"warned {name}"]),
            SegmentReport(segment="broken", kind="sql", state="failed", members=None, error={"message": f"no column {name}", "hint": "look"}),
        ],
        "incremental": IncrementalReport(previous=6, stages=[StageChange(stage="prepare", state="updated", why=f"because {name}")],
                                         entities=[SourceChange(entity=f"crm.{name}", state="read", inserted=3, updated=5, deleted=8, unchanged=None)]),
    }  # fmt: skip


def a_report(name="acme", **changed):
    entities = [an_entity("crm.Contacts"), an_entity("loyalty.Members", 803, 800, 3, 0), an_entity("web.Orders", 50, 50, 0, 0)]  # fmt: skip
    whole = {
        "run": 7, "generation": 7, "project": name, "started": "2026-11-22T05:31:25+00:00", "seconds": 3.4,
        "peak_mib": 276.1, "entities": entities,
        "stages": [StageReport(stage="ingest", seconds=1.5), StageReport(stage="link", seconds=1.9)],
        "arrows": [ArrowReport(arrow="files → crm.Contacts", rows_in=1234, rows_out=1200,
                               aside={"quarantined: not a date": 30, "left out by a row filter": 4})],
        "overrides": OverridesReport(always=2, never=1, unknown=1),
        "rules": [a_rule(1, "crm.Contacts", "crm.Contacts", "same name", "dedupe"),
                  a_rule(2, "loyalty.Members", "crm.Contacts")],
        "ignored": [IgnoredValue(rule=2, value="noreply@shop.example", records=4_321, pairs=9_333_360, reason="shared")],
        "clusters": ClusterReport(records=2000, customers=1475, dropped=25, histogram={1: 1000, 2: 450, 3: 25},
                                  largest=[LargestCluster(CustomerId="ab" * 16, records=3)], cuts={"at most one x": 12, "never": 3}, components=1490, violating=9),
        "changes": ChangeReport(previous=6, created=11, merged=5, split=2, retired=1, unchanged=1457),
        "warnings": ["a column is new"],
        **after_customers(),
    }  # fmt: skip
    return RunReport(**(whole | changed))


def a_merge(text="Ann"):
    records = [
        RecordInfo(rid=0, record="crm.Contacts:C1", CustomerId="c" * 32, is_winner=True, row={"Name": text, "City": "Bern"}),
        RecordInfo(rid=1, record="loyalty.Members:L1", CustomerId="c" * 32, is_winner=False, row={"Name": "An", "City": "Bern"}),
    ]  # fmt: skip
    values = [
        ValueOrigin(column="Name", value=text, record="crm.Contacts:C1",
                    how="importance, of crm.Contacts.Name, loyalty.Members.Name", others={"loyalty.Members:L1": "An"}),
        ValueOrigin(column="City", value="Bern", record="crm.Contacts:C1", how="most filled, of a.B.City"),
    ]  # fmt: skip
    links = [Hop(a="crm.Contacts:C1", b="loyalty.Members:L1", rule=text, score=0.93)]
    return Explanation(kind="customer", summary=f"customer {text}", records=records, values=values, links=links)


def a_pair(text="Ann"):
    condition = ConditionCheck(sentence=f"{text} is equal", left={"Name": text}, right={"Name": None},
                               left_compared=["ann"], right_compared=[None], score=0.5, passed=False)  # fmt: skip
    check = RuleCheck(rule=1, name=text, kind="match", left="a.B", right="c.D", passed=False, score=None,
                      conditions=[condition], vetoes=[condition])  # fmt: skip
    hop = Hop(a="a.B:1", b="c.D:2", rule=text, score=1.0, check=check)
    return Explanation(kind="different", summary=text, records=[], path=[hop], nearest=check, reasons=[text])


class Checker(HTMLParser):
    """Raises when an end tag does not fit; collects tags, ids, targets and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.ids, self.text = [], set(), [], []
        self.attributes = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
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


REPORTS = {
    "whole": a_report(),
    "empty": RunReport(run=1, generation=1, project="p", started="", seconds=0, peak_mib=0),
    "no rows": a_report(entities=[an_entity("crm.Contacts", 0, 0, 0, 0)], rules=[], clusters=ClusterReport(records=0, customers=0), changes=None),
    "ingest only": a_report(rules=[], ignored=[], clusters=None, changes=None, overrides=OverridesReport()),
    "conflate only": a_report(entities=[]),
    "first run": a_report(changes=ChangeReport(created=1475)),
    "nasty": a_report(
        NASTY,
        entities=[an_entity(NASTY)],
        rules=[a_rule(2, NASTY, "crm.Contacts", NASTY)],
        ignored=[IgnoredValue(rule=2, value=NASTY, records=1, pairs=1, reason=NASTY)],
        warnings=[NASTY],
        arrows=[ArrowReport(arrow=NASTY, rows_in=1, rows_out=0, aside={NASTY: 1})],
        stages=[StageReport(stage=NASTY, seconds=0)],
        started=NASTY,
        **after_customers(NASTY),
    ),
    "huge": a_report(
        entities=[an_entity(f"source{n}.Entity{'x' * 80}", 10**9, 10**9 - 7, 7, 0) for n in range(MANY)],
        rules=[a_rule(n, f"source{n % MANY}.A", "source0.B", f"rule {'long ' * 40}{n}") for n in range(300)],
        ignored=[IgnoredValue(rule=n, value="v" * 5000, records=n, pairs=n, reason="r") for n in range(100)],
        clusters=ClusterReport(records=MANY * (10**9 - 7), customers=10**9, histogram=dict.fromkeys(range(1, 500), 10 ** 6)),
        warnings=["w" * 4000] * 50,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_well_formed_and_needs_nothing_else(name):
    page = report_page(REPORTS[name], previous=REPORTS["whole"], merges=[a_merge(NASTY), a_pair(NASTY)], title=NASTY)
    found = Checker(page)
    assert page.startswith("<!doctype html>")
    assert not found.tags & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert len(found.ids) == len(set(found.ids))
    targets = [v for k, v in found.attributes if k == "href"]
    assert all(t.startswith("#") and t[1:] in found.ids for t in targets)
    assert not [k for k, _ in found.attributes if k.startswith("on") or k in {"src", "srcset"}]
    rest = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|url\(|@import", rest)
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ET.fromstring(svg)  # raises when it is not XML


@pytest.mark.parametrize("draw", [report_page, fragment], ids=["page", "fragment"])
def test_everything_from_data_is_escaped(draw):
    html = draw(REPORTS["nasty"])
    assert "<script" not in html
    assert "\x00" not in html
    assert Checker(html).says(NASTY.replace("\x00", "␀"))


@pytest.mark.parametrize("explained", [a_merge(NASTY), a_pair(NASTY)], ids=["customer", "pair"])
def test_explanations_are_escaped(explained):
    html = explanation_fragment(explained)
    assert "<script" not in html
    assert Checker(html).says("alert(\"x\")</script> & 'quoted' ␀ ü")


@pytest.mark.parametrize(
    "said",
    [
        "2,087", "2,000", "1,475", "276 MiB", "3.4 s",  # headline
        "654", "8,888 →", "777",  # rules
        "1,000", "450 of 2 records", "25 of 3 records", "25 left out",  # clusters and flow
        "at most one x", "12", "a never-override", "9 of 1,490 connected components broke a limit", "2 pairs always", "1 pair never", "1 override of records that are not there",
        "noreply@shop.example", "4,321", "9,333,360",  # ignored
        "33 quarantined", "4 filtered", "30 of 1,234 rows",
        "Compared with generation 6", "11", "5", "1,457", "a column is new", "ab" * 16,
        "17 values judged to be no evidence at all, 23 to be shared", "noreply@x", "4,567", "3,210", "junk by list x",
        "Purchases x", "1,010", "1,001", "9 no record x", "3 without a time", "2 of several customers",
        "Spend x: Total", "0.05", "1,234.57", "9876.54", "31 2 %",
        "vip x", "1,112", "+13", "−1", "1,113", "warned x", "1 segment failed", "no column x look",
        "0 of 1 sources, prepare (updated)", "because x", "read358–",
    ],
)  # fmt: skip
def test_the_page_says_the_numbers_of_the_report(said):
    assert Checker(report_page(a_report())).says(said)


def test_differences_to_the_previous_run():
    before = a_report(
        entities=[an_entity("crm.Contacts", 1000, 1000, 0, 0)],
        rules=[a_rule(1, "loyalty.Members", "crm.Contacts", links=700), a_rule(2, "x.A", "x.A", "dropped rule")],
        clusters=ClusterReport(records=1000, customers=1500),
    )
    found = Checker(report_page(a_report(), previous=before))
    assert found.says("+1,087 since the last run")
    assert found.says("+1,000 since the last run")
    assert found.says("−25 since the last run")
    assert found.says("+77")  # e-mail: 700 links before, 777 now
    assert found.says("dropped rule")
    assert found.says("gone")
    assert found.says("new")  # same name was not there


def test_a_merge_marks_the_value_that_won_and_says_how():
    html = explanation_fragment(a_merge())
    assert html.count("<mark>") == 2
    assert "<mark>Ann</mark>" in html
    assert "<mark>Bern</mark>" in html
    assert '<td class="same">Bern</td>' in html
    assert '<tr class="conflict"><th scope="row">Name</th>' in html
    found = Checker(html)
    for said in ("importance", "most filled", "alternate", "93%"):
        assert found.says(said)


def test_a_pair_shows_values_before_and_after_normalising():
    found = Checker(explanation_fragment(a_pair()))
    for said in ("Name Ann", "→ ann", "no value", "50%", "exception: Ann is equal"):
        assert found.says(said)


def test_a_flow_keeps_every_row():
    for report in REPORTS.values():
        flow = flow_of(report)
        assert sum(s.rows for s in flow.sources) == sum(e.rows_in for e in report.entities)
        assert sum(s.kept + sum(s.aside.values()) for s in flow.sources) == sum(s.rows for s in flow.sources)
        if report.clusters is not None:
            sizes = report.clusters.histogram
            assert sum(records for _, records, _ in flow.bands) == sum(n * size for size, n in sizes.items())
            assert sum(customers for _, _, customers in flow.bands) == sum(sizes.values())


def test_entities_without_rules_are_tables_and_no_records():
    flow = flow_of(a_report())
    assert {s.name: s.unified for s in flow.sources} == {
        "crm.Contacts": True, "loyalty.Members": True, "web.Orders": False,
    }  # fmt: skip


def test_a_flow_stays_inside_its_picture():
    for report in REPORTS.values():
        drawn = flow_picture(report)
        if not drawn:
            continue
        svg = ET.fromstring(drawn)
        _, _, width, height = map(float, svg.attrib["viewBox"].split())
        for rect in svg.iter("{http://www.w3.org/2000/svg}rect"):
            assert float(rect.attrib["y"]) >= 0
            assert float(rect.attrib["y"]) + float(rect.attrib["height"]) <= height
            assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width
        for text in svg.iter("{http://www.w3.org/2000/svg}text"):
            assert float(text.attrib["y"]) <= height


def test_a_page_of_a_huge_report_stays_readable_in_size():
    assert len(report_page(REPORTS["huge"])) < 2_000_000


def test_reports_show_themselves_in_a_notebook():
    import unify.instance  # noqa: F401 - opening an instance registers the pages

    assert a_report()._repr_html_() == fragment(a_report())
    assert a_merge()._repr_html_() == explanation_fragment(a_merge())
    assert StageReport(stage="link", seconds=1)._repr_html_() is None
