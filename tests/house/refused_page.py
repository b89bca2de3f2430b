"""docs/refused.md: what is refused, and in which words. `python tests/house/refused_page.py` rewrites the page.

A case is what somebody writes, and the door it goes through. All are tried on the sample, so the page tells what is said
today; tests/house/test_refused.py compares.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import unify
from unify.core.documents import parse_mapping, parse_project
from unify.core.errors import UnifyError
from unify.instance import Instance

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "refused.md"
SAMPLE = yaml.safe_load((ROOT / "sample_data" / "project.yaml").read_text(encoding="utf-8"))

LEAN = {k: v for k, v in SAMPLE.items() if k not in ("clusters", "lists", "resolution")} | {
    "conflation": {
        "order": SAMPLE["conflation"]["order"],
        "match": {"web.SignUps -> crm.Contacts": [{"name": "e-mail", "when": [{"field": "EMail"}]}]},
    }
}
"""The sample with one rule: trying the plan is most of a validation."""


@dataclass(frozen=True)
class Section:
    """Cases of one kind. `door` raises UnifyError, or gives problems as text."""

    title: str
    says: str
    door: Callable[[Instance, str], str | None]
    cases: tuple[str, ...]


def merged(base: Any, over: Any) -> Any:
    """`over` put into `base`: what is a mapping in both is merged, anything else replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {k: merged(base[k], v) if k in base else v for k, v in over.items()}


# ── doors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_project(_: Instance, text: str) -> str | None:
    """A whole project file."""
    parse_project(text, where="project.yaml")
    return None


def validated(_: Instance, text: str) -> str | None:
    """A fragment, put into the sample's project and validated with its files."""
    project = merged(LEAN, parse_mapping(text, where="project.yaml"))
    return "\n".join(unify.validate(project, base=ROOT / "sample_data").problems)


def previewed(acme: Instance, text: str) -> str | None:
    """The `where` of a segment."""
    acme.segments().preview({"where": parse_mapping(f"here: {text}", where="segment.yaml")["here"]}, name="wrong")
    return None


def a_segment(acme: Instance, text: str) -> str | None:
    """A whole segment."""
    acme.segments().preview(
        parse_mapping(text, where="segment.yaml"), name="wrong", base=ROOT / "sample_data" / "lists"
    )
    return None


def vendors(acme: Instance, text: str) -> str | None:
    """A SegmentationQuery; a criterion alone is put into a rowset."""
    said = json.loads(text)
    query = said if {"rowsets", "type"} & set(said) else {"rowsets": [{"criteria": said}]}
    acme.segments().preview({"query": query}, name="wrong")
    return None


def odata(acme: Instance, text: str) -> str | None:
    """A request."""
    acme.odata(text)
    return None


def measured(acme: Instance, text: str) -> str | None:
    """A measure."""
    acme.preview_measure(parse_mapping(f"here: {text}", where="measure.yaml")["here"], name="Wrong")
    return None


def by_sql(acme: Instance, text: str) -> str | None:
    """The SQL of a segment."""
    acme.segments().preview({"sql": text}, name="wrong")
    return None


def called(acme: Instance, text: str) -> str | None:
    """Python."""
    eval(text, {"acme": acme, "unify": unify})
    return None


SECTIONS = (
    Section("Project files", "A project as a file, put into the sample's where it is a fragment.", a_project, (
        "name: acme",
        "name: 1acme\nsources: {crm: {Contacts: {key: Id}}}",
        "name: acme\nsources: {crm: {Contacts: {key: Id}}}\nsegmets: {vip: \"Tier eq 'gold'\"}",
        "name: acme\nsources: {crm: {Contacts: {key: Id}}}\ntimezone: Europe/Berlim",
        "name: acme\nname: other\nsources: {}",
        "name: acme\nsources: {crm: {Contacts: {key: Id}}}\nsegments: {vip: {where: \"Tier eq 'gold'\", sql: SELECT 1}}",
    )),
    Section("Relationships and activities", "Fragments of the sample's project, as `unify validate` sees them.", validated, (
        "relationships: {to nowhere: web.Orders.UserId -> web.SignUps.UserId}",
        "relationships: {buyers: web.Orders.UserID -> web.SignUps.UserId}",
        "relationships: {buyers: web.Orders.UserId -> web.SignUp.UserId}",
        "relationships: {again: web.Orders.UserId -> web.SignUps.UserId}",
        "relationships: {buyers: {from: web.Orders.UserId, to: web.SignUps.UserId, type: Lineage}}",
        "relationships: {totals: web.Orders.Total -> web.SignUps.UserId}",
        "activities: {visit: {entity: web.Visits, type: Other}}",
        "activities: {contact: {entity: crm.Contacts, type: Other}}",
        "activities: {online_order: {title: Produkt}}",
        "activities: {online_order: {path: [reviews]}}",
        "activities: {order: {entity: web.Orders, type: SalesOrder}}",
    )),
    Section("Segments and measures of a project", "Fragments likewise: they are tried on empty tables of the files' columns.", validated, (
        "segments: {a: {where: {segment: b}}, b: {where: {segment: a}}}",
        "segments: {offers: {waterfall: {offer_gold: gold}}}",
        "segments: {gold: \"Tier eq 'gold'\", offers: {waterfall: {gold: gold}}}",
        "segments: {larks: \"Citty eq 'Larkfield'\", rich: \"TotalSpent gt 100\"}",
        "segments: {by_hand: {sql: SELECT CustomerId FROM Custommer}}",
        "segments: {listed: {members: {file: nobody.csv}}}",
        "measures: {A: B add 1, B: A add 1}",
        "measures: {City: {count: true, of: web.Orders}}",
    )),
    Section("Criteria", "The `where` of a segment.", previewed, (
        "{attribute: Citty, equals: Larkfield}",
        "{attribute: City, equal: Larkfield}",
        "{atribute: City, equals: Larkfield}",
        "{attribute: City}",
        "{attribute: RewardPoints, at_least: many}",
        "{attribute: PostCode, equals: 8001}",
        "{attribute: City, within_last: 30 days}",
        "{attribute: JoinedOn, within_last: 30 dayz}",
        "{attribute: JoinedOn, within: lately}",
        "{attribute: JoinedOn, within_last: 2 hours}",
        "{attribute: SignedUpOn, time_at: \"25:00\"}",
        "{attribute: RewardPoints, ignore_case: true, equals: 5}",
        "{attribute: JoinedOn, month_of: Sommer}",
        "{attribute: DateOfBirth, year_to_date: false}",
        "{attribute: web_Order/Total, at_least: 5}",
        "{related: web_Orders, at_least: 2, none: true}",
        "{sum: Product, of: web_Orders, at_least: 5}",
        "{sum: Total, at_least: 5}",
        "{did: Purchase}",
        "{did: {activity: online_order, where: {attribute: Totl, at_least: 5}}}",
        "{sequence: [review]}",
        "{regularly: SalesOrder, in_at_least: 13, of_last: 12 months}",
        "{top: 10, by: web_Orders/Total}",
        "{top: 0 %, by: RewardPoints}",
        "{percent: 120, seed: spring}",
        "{split: {seed: x, parts: {A: 50, B: 40}, part: A}}",
        "{segment: Gold}",
        "{any: []}",
        "{attribute: City, equals: a, sum: Total, of: web_Orders}",
        "{attribute: City, child_of: Europe}",
        "{anniversary: DateOfBirth, within: 2025-01-01 to 2025-12-31}",
        "{sentence: Tier is gold}",
        "\"Tier eq 'gold' and Citty eq 'Larkfield'\"",
        "\"Tier eq gold\"",
        "\"Tier = 'gold'\"",
    )),
    Section("Segments", "Whole segments.", a_segment, (
        "{}",
        "{where: \"Tier eq 'gold'\", timezone: Mars/Olympus}",
        "{where: \"Tier eq 'gold'\", ends: soon}",
        "{rules: [{where: \"Tier eq 'gold'\", operation: intersect}]}",
        "{rules: [{where: \"Tier eq 'gold'\"}, {where: \"City eq 'Larkfield'\", operation: minus}]}",
        "{where: \"Tier eq 'gold'\", suppress: [staff]}",
        "{members: {file: nobody.csv}}",
        "{where: \"Tier eq 'gold'\", projected: [{attributes: [Colour], path: [web_Orders]}]}",
        "{where: {segment: wrong}}",
    )),
    Section("SegmentationQuery", "A criterion, or a whole query.", vendors, (
        '{"attribute": "Customer.Citty", "comparisonOperator": "equals", "value": "Larkfield"}',
        '{"attribute": "Customer.City", "comparisonOperator": "like", "value": "Lark%"}',
        '{"attribute": "Customer.City", "operator": "equals", "value": "Larkfield"}',
        '{"attribute": "Customer.City", "comparisonOperator": "equals"}',
        '{"attribute": "Customer.City", "comparisonOperator": "equals", "value": "a", "listOfValues": ["b"]}',
        '{"attribute": "Customer.City", "comparisonOperator": "isNull", "value": "yes"}',
        '{"attribute": "Customer.RewardPoints", "comparisonOperator": "greaterThan", "value": "a lot"}',
        '{"attribute": "Customer.RewardPoints", "comparisonOperator": "isBetween", "listOfValues": ["1"]}',
        '{"attribute": "Customer.JoinedOn", "comparisonOperator": "isWithinLast", "value": "20 moons"}',
        '{"attribute": "Customer.City", "comparisonOperator": "yearToDate"}',
        '{"attribute": "Customer.City", "comparisonOperator": "childOf", "value": "Europe"}',
        '{"attribute": "Customer.City", "comparisonOperator": "equals", "value": "a", "kind": "engagement"}',
        '{"logicalOperator": "xor", "childCriterias": []}',
        '{"childCriterias": []}',
        '{"rowsets": []}',
        '{"rowsets": [{"rowsetOperation": "intersect", "criteria": {"attribute": "City", "comparisonOperator": "isNull"}}]}',
        '{"rowsets": [{"paths": [["orders", "nowhere"]], "criteria": {"attribute": "web_Orders.Total", "comparisonOperator": "isNull"}}]}',
        '{"type": "manual"}',
    )),
    Section("OData", "Requests.", odata, (
        "Custommer",
        "Customer?$filter=City eq 'Bern",
        "Customer?$filter=City eq Bern",
        "Customer?$filter=Citty eq 'Bern'",
        "Customer?$filter=RewardPoints eq 'many'",
        "Customer?$filter=City",
        "Customer?$filter=startwith(City,'B')",
        "Customer?$filter=startswith(City)",
        "Customer?$filter=IsMemberOfSegment('Gold')",
        "Customer?$filter=web_Orders/Total gt 100",
        "Customer?$filter=web_Orders/any(o: o/Totl gt 100)",
        "Customer?$filter=RewardPoints gt 1 &$filter=RewardPoints lt 5",
        "Customer?$fliter=City eq 'Bern'",
        "Customer?$select=Name",
        "Customer?$expand=web_Order",
        "Customer?$orderby=City upwards",
        "Customer?$top=-1",
        "Customer?$top=ten",
        "Customer?$search=(anna",
        "Customer?$skiptoken=abc",
        "Customer?$format=xml",
        "Customer?$apply=groupby((City),aggregate(RewardPoints with sum))",
        "Customer?$apply=groupby((Citty))",
        "Customer('nobody')",
        "Customer(EMail='a@b.example')",
        "Customer?$deltatoken=5",
        "Customer/$batch",
    )),
    Section("Measures", "A measure.", measured, (
        "{sum: Total}",
        "{sum: Totl, of: web.Orders}",
        "{sum: Total, of: web.Order}",
        "{sum: Product, of: web.Orders}",
        "{sum: Total, avg: Total, of: web.Orders}",
        "{summ: Total, of: web.Orders}",
        "{count: true, of: web.Orders, where: \"Total > 5\"}",
        "{count: true, of: web.Orders, period: last 30 moons}",
        "{sum: Total, of: web.Orders, by: {Month: {value: OrderedOn, bucket: decade}}}",
        "{sum: Total, of: web.Orders, by: {Month: {value: Product, bucket: month}}}",
        "{template: lifetime_value, of: online_order}",
        "TotalSpend div Order",
        "{value: Wrong add 1}",
        "{argmax: Product, of: web.Orders}",
    )),
    Section("SQL segments", "The `sql` of a segment.", by_sql, (
        "DELETE FROM Customer",
        "SELECT 1; SELECT 2",
        "SELECT CustomerId FROM Custommer",
        "SELECT CustomerID2 FROM Customer",
        "SELECT FullName FROM Customer",
        "SELECT CustomerId FROM Customer WHERE",
        "SELECT CustomerId FROM read_csv('/etc/passwd')",
        "SELECT CustomerId FROM 'customers.csv'",
        "SELECT CustomerId FROM Customer WHERE random() < 0.5",
        "SELECT CustomerId FROM Customer LIMIT 10",
        "SELECT CustomerId FROM Customer WHERE City = $city",
        "SELECT CustomerId, City FROM Customer UNION SELECT 'nobody', NULL",
        "SELECT PreviousCustomerId AS CustomerId FROM Customer",
        "SELECT getenv('HOME') AS CustomerId",
        "PRAGMA database_list",
    )),
    Section("Lifecycle", "Python; the command line says the same.", called, (
        "acme.segment('Gold')",
        "acme.segments().create('2023 buyers', \"Tier eq 'gold'\")",
        "acme.segments().create('spenders', \"Tier eq 'gold'\")",
        "acme.segments().update('spenders', \"Tier eq 'gold'\")",
        "acme.segments().delete('spenders')",
        "acme.segments().delete('mine')",
        "acme.segments().update('mine', \"Citty eq 'Larkfield'\")",
        "acme.segments().update('mine', {'where': {'segment': 'needs_mine'}})",
        "acme.segments().deactivate('mine')",
        "acme.segments().refresh('Mine')",
        "acme.segments().refresh('asleep')",
        "acme.segment('asleep').members()",
        "acme.segment('new').members()",
        "acme.segment('mine').members(['Citty'])",
        "acme.segment('mine').is_member('nobody')",
        "acme.segment('mine').explain('crm.Contacts:C-0')",
        "acme.segment('mine').diff(1, 99)",
        "acme.segment('mine').at(99)",
        "acme.segment('mine').export('mine.xlsx')",
        "acme.overlap(['mine', 'yours'])",
        "acme.measure('TotalSpent')",
        "acme.timeline('C-1229', types=['Order'])",
        "acme.convert({'where': {'top': 10, 'by': 'RewardPoints'}}, 'odata')",
        "acme.convert('City eq', 'sentence')",
    )),
)  # fmt: skip


def prepared(folder: Path) -> Instance:
    """The sample, with a few segments of its own."""
    acme = unify.open(folder / "instance", create=True)
    acme.run({**SAMPLE, "segments": {"spenders": "RewardPoints ge 2000"}}, base=ROOT / "sample_data")
    acme.segments().create("mine", "Tier eq 'gold'")
    acme.segments().create("needs_mine", {"where": {"segment": "mine"}})
    acme.segments().create("asleep", {"where": "Tier eq 'gold'", "active": False})
    acme.segments().refresh("mine", "needs_mine")
    acme.segments().create("new", "Tier eq 'gold'")
    return acme


def said(acme: Instance, section: Section, case: str) -> str:
    """What is answered; AssertionError when it is taken after all."""
    try:
        found = section.door(acme, case)
    except UnifyError as error:
        found = str(error)
    found = found.replace(f"{acme.path}", "acme").replace(f"{ROOT}/", "")
    assert found, f"{section.title}: this is not refused: {case}"
    return found


def told(acme: Instance, section: Section) -> str:
    """A section of the page: what is written, then the answer behind a cross."""
    cases = ["\n".join([case, "✗ " + said(acme, section, case).replace("\n", "\n  ")]) for case in section.cases]
    return "\n".join([f"## {section.title}", "", section.says, "", "```", "\n\n".join(cases), "```"])


def page(acme: Instance) -> str:
    """The whole page."""
    count = sum(len(section.cases) for section in SECTIONS)
    head = f"""# What is refused, and in which words

{count} things that are not taken, on the [sample](sample-data.md), each with the answer it gets: where, what, and the next
move behind the arrow. `python tests/house/refused_page.py` writes this page; a test compares it with what is said today.
The command line says the same and ends with an exit code of the kind of error ([the command](cli.md)); `--json` has the
parts of an answer under keys of their own."""
    return "\n\n".join([head, *(told(acme, section) for section in SECTIONS)]) + "\n"


def written() -> str:
    """The page, from an instance made for it."""
    folder = Path(tempfile.mkdtemp())
    try:
        with prepared(folder) as acme:
            return page(acme)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    text = written()
    sys.stdout.write(text) if "--print" in sys.argv else PAGE.write_text(text, encoding="utf-8")
