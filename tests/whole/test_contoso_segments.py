"""The publisher's Contoso files asked every kind of question: members of each segment are those of SQL written by hand.

contoso_operators.py has the 25 operators of the vendor, contoso_blocks.py our own building blocks; that none is missing
is counted over the nouns of unify/spec. The clock is 2019-02-01 12:00 UTC.
"""

import csv
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from contoso_blocks import BY_BLOCK, PARTS
from contoso_operators import BY_OPERATOR, BY_ROWSETS, ORDERS, REVIEWS, TILL, ZONES
from pydantic import BaseModel

import unify
from unify.core.reports import RunReport
from unify.instance import Instance
from unify.spec import Project, criteria, criteria_values, segment, segmentation_query

CONTOSO = yaml.safe_load((Path(__file__).parents[1] / "contoso" / "project.yaml").read_text(encoding="utf-8"))
CLOCK = datetime(2019, 2, 1, 12, tzinfo=UTC)
QUERIES = BY_OPERATOR | BY_ROWSETS
SEGMENTS = {
    **{name: {"query": said} | ({"timezone": ZONES[name]} if name in ZONES else {}) for name, (said, _) in QUERIES.items()},
    **{name: said for name, (said, _) in BY_BLOCK.items()},
}  # fmt: skip
BY_HAND = {name: sql for name, (_, sql) in (QUERIES | BY_BLOCK).items()} | PARTS
PROJECT = Project.model_validate(CONTOSO | {"segments": SEGMENTS})
STATIC = "k_static"

# ── nothing is missing ───────────────────────────────────────────────────────────────────────────────────────────────


def nouns_in(value: Any) -> Iterator[BaseModel]:
    """Every noun of a declaration, outer ones first."""
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from nouns_in(getattr(value, name))
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from nouns_in(part)


USED: dict[type[BaseModel], set[str]] = {}
for _noun in nouns_in(PROJECT.segments):
    USED.setdefault(type(_noun), set()).update(f for f in _noun.model_fields_set if getattr(_noun, f) is not None)
CRITERIA = {*criteria.KINDS.values(), criteria.Aggregated, criteria.SplitParts, criteria_values.Times, criteria_values.Hierarchy,
            criteria_values.Reference, criteria.Event}  # fmt: skip
SEGMENT_NOUNS = {segment.Segment, segment.SegmentRule, segment.ListedCustomers, segment.Projected}


def words(alias: Any) -> set[str]:
    """The words of a Literal, also inside Annotated."""
    found = get_args(alias)
    return set(found) if all(isinstance(word, str) for word in found) else words(found[0])


def said_of(noun: type[BaseModel], field: str) -> set[Any]:
    return {getattr(n, field) for n in nouns_in(PROJECT.segments) if type(n) is noun} - {None}


def test_there_is_a_segment_for_each_of_the_25_operators() -> None:
    operators = words(segmentation_query.ComparisonOperator)
    assert len(operators) == 25
    assert set(BY_OPERATOR) == operators
    for name in operators:
        used = {n.comparison_operator for n in nouns_in(PROJECT.segments[name]) if hasattr(n, "comparison_operator")}
        assert name in used


def test_queries_use_every_operation_and_key() -> None:
    rowset, leaf = segmentation_query.SegmentationRowset, segmentation_query.SegmentMembershipCriteria
    assert said_of(rowset, "rowset_operation") == words(segmentation_query.RowsetOperation)
    assert said_of(leaf, "logical_operator") == words(segmentation_query.LogicalOperator)
    assert set(leaf.model_fields) - USED[leaf] == {"kind"}  # consent, post and engagement: docs/refused.md
    assert said_of(segmentation_query.SegmentationQuery, "type") == words(segmentation_query.QueryType)


@pytest.mark.parametrize("noun", sorted(CRITERIA | SEGMENT_NOUNS, key=lambda noun: noun.__name__))
def test_every_key_of_every_building_block_is_used(noun: type[BaseModel]) -> None:
    elsewhere: set[str] = set()
    if noun is criteria.AggregateCriterion:  # a criterion on an attribute has the tests
        elsewhere = set(criteria_values.Tests.model_fields)
    elif noun is criteria.Aggregated:  # this one stands in `top`: the criterion has the other functions
        elsewhere = set(noun.model_fields) - {"sum", "of"}
    assert set(noun.model_fields) - USED[noun] - elsewhere == set()


def test_every_word_of_a_choice_is_used() -> None:
    assert said_of(segment.SegmentRule, "operation") == words(segment.SetOperation)
    assert {s.kind for s in PROJECT.segments.values()} == set(segment.KINDS)
    assert said_of(criteria.Top, "ties") == {"by_id", "include", "drop"}
    assert said_of(criteria.Top, "order") == {"highest", "lowest"}
    assert {t for n in nouns_in(PROJECT.segments) if isinstance(n, criteria_values.Tests) for t in n.given} == set(
        criteria_values.TESTS
    )
    assert {n.function for n in nouns_in(PROJECT.segments) if isinstance(n, criteria.AggregateCriterion)} == set(
        criteria.AGGREGATES
    )


# ── members ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Days:
    """Two days of the company: the files as they are, then with a few lines changed. `runs`: what found the members."""

    def __init__(self, instance: Instance, data: Path) -> None:
        self.instance, self.data = instance, data
        self.runs: list[RunReport] = []
        self.expected: list[dict[str, set[str]]] = []
        self.records: list[dict[tuple[str, str], str]] = []

    def ask(self) -> None:
        """Find all members, and by hand what they should be."""
        self.runs.append(self.instance.segments().refresh(clock=CLOCK))
        self.expected.append({name: self.ids(sql) for name, sql in BY_HAND.items()})
        rows = self.instance.sql("SELECT entity, key, CustomerId FROM members").rows()
        self.records.append({(r["entity"], r["key"]): r["CustomerId"] for r in rows})

    def ids(self, sql: str) -> set[str]:
        return {row["CustomerId"] for row in self.instance.sql(sql).rows()}

    def members(self, name: str, day: int) -> set[str]:
        return {row["CustomerId"] for row in self.instance.segment(name).at(self.runs[day].run).members().rows()}


@pytest.fixture(scope="module")
def days(contoso: Instance, contoso_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    folder = tmp_path_factory.mktemp("days")
    data = Path(shutil.copytree(contoso_data, folder / "data"))
    (data / "vip.csv").write_text("who\ncrm.Contacts:CNTID_1002\nloyalty.Members:LOYID_1003\n", encoding="utf-8")
    shutil.copytree(contoso.path, folder / "instance")
    with unify.open(folder / "instance") as instance:
        found = Days(instance, data)
        instance.refresh(PROJECT, base=data)
        found.ask()
        change(data)
        instance.run(PROJECT, base=data)
        found.ask()
        yield found


AARON = "21e967c5-704f-e911-a985-000d3a272370"
"""A contact whose loyalty card carries another address, so that they are two customers on the first day."""


def change(data: Path) -> None:
    """The second day. A Texan moves to Ohio and back the other way; one disappears; a loyalty card gets another name and
    address, which splits it off; a contact takes over another's address, which merges them; orders go and come."""
    contacts, members = Table(data / "Contact.csv"), Table(data / "Customer-Loyalty.csv")
    contacts["CNTID_1001"]["State"] = "Ohio"
    contacts["CNTID_1033"]["State"] = "Texas"
    contacts["CNTID_1276"]["State"] = "Oregon"
    del contacts.rows["CNTID_1007"], members.rows["LOYID_1007"]
    members["LOYID_1013"].update(FullName="Quite Another", EMail="quite@another.example", DateOfBirth="1911-11-11")
    contacts[AARON]["EMail"] = contacts["CNTID_1012"]["EMail"]
    orders = Table(data / "OnlinePurchases.csv", "PurchaseId")
    for key in list(orders.rows)[500:900]:
        del orders.rows[key]
    orders.rows["OPID_new"] = orders["OPID_1000"] | {
        "PurchaseId": "OPID_new", "ContactId": "CNTID_1029", "PurchasedOn": "5/4/2019", "TotalPrice": "25000",
    }  # fmt: skip
    for table in (contacts, members, orders):
        table.write()


class Table:
    """A CSV file by its key."""

    def __init__(self, path: Path, key: str | None = None) -> None:
        self.path = path
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            self.names = list(reader.fieldnames or ())
            self.rows = {row[key or self.names[0]]: row for row in reader}

    def __getitem__(self, key: str) -> dict[str, str]:
        return self.rows[key]

    def write(self) -> None:
        with self.path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.names)
            writer.writeheader()
            writer.writerows(self.rows.values())


@pytest.mark.parametrize("name", BY_HAND)
def test_members_are_those_of_the_sql(days: Days, name: str) -> None:
    expected = days.expected[0][name]
    assert expected, "a segment that finds nobody shows nothing"
    assert len(expected) < 5_003, "nor does one that finds everybody"
    assert days.members(name, 0) == expected


@pytest.mark.parametrize("name", sorted(set(BY_HAND) - {STATIC}))
def test_members_after_a_second_run(days: Days, name: str) -> None:
    assert days.members(name, 1) == days.expected[1][name]


def test_no_segment_failed(days: Days) -> None:
    for run in days.runs:
        assert [s for s in run.segments if s.error] == []
        assert not run.warnings


def test_a_static_segment_keeps_its_members(days: Days) -> None:
    alaskan = days.records[1]["crm.Contacts", "CNTID_1276"]
    assert alaskan not in days.expected[1][STATIC]
    assert alaskan in days.members(STATIC, 1) == days.members(STATIC, 0)


@pytest.mark.parametrize("name", sorted(set(BY_HAND) - {STATIC}))
def test_who_entered_and_who_left_by_their_records(days: Days, name: str) -> None:
    """By hand: somebody entered when none of today's records was a member's yesterday; left, when none still is."""
    before, after = days.expected[0][name], days.expected[1][name]
    heirs: dict[str, set[str]] = {}
    for record, customer in days.records[0].items():
        heirs.setdefault(customer, set()).add(days.records[1].get(record, ""))
    inherited = set().union(*(heirs[customer] for customer in before)) if before else set()
    entered, left = after - inherited, {customer for customer in before if not heirs[customer] & after}
    moved = days.instance.segment(name).diff(days.runs[0].run, days.runs[1].run)
    assert {row["CustomerId"] for row in moved.entered.rows()} == entered
    assert {row["CustomerId"] for row in moved.left.rows()} == left


def test_each_way_of_coming_and_going(days: Days) -> None:
    first, second = days.records

    def moved(name: str) -> Any:
        return days.instance.segment(name).diff(days.runs[0].run, days.runs[1].run)

    texans = moved("equals")
    why = {row["CustomerId"]: row["reason"] for row in texans.left.rows()}
    assert why[first["crm.Contacts", "CNTID_1001"]] == "criteria"
    assert why[first["crm.Contacts", "CNTID_1007"]] == "gone"
    assert second["crm.Contacts", "CNTID_1033"] in {row["CustomerId"] for row in texans.entered.rows()}
    assert first["loyalty.Members", "LOYID_1013"] == first["crm.Contacts", "CNTID_1013"]
    assert second["loyalty.Members", "LOYID_1013"] != second["crm.Contacts", "CNTID_1013"]
    few_points = moved("lessThanOrEqualTo")
    split = {second["loyalty.Members", "LOYID_1013"], second["crm.Contacts", "CNTID_1013"]}
    assert not split & {row["CustomerId"] for row in (*few_points.entered.rows(), *few_points.left.rows())}
    assert second["loyalty.Members", "LOYID_1013"] in days.members("lessThanOrEqualTo", 1)
    assert first["crm.Contacts", AARON] != first["crm.Contacts", "CNTID_1012"]
    assert second["crm.Contacts", AARON] == second["crm.Contacts", "CNTID_1012"]
    assert second["crm.Contacts", "CNTID_1029"] in {row["CustomerId"] for row in moved("greaterThan").entered.rows()}


# ── the same members by other doors ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["equals", "all", "e_sequence", "w_share", "k_rules", "k_offer_spend", "k_sql"])
def test_odata_finds_the_members(days: Days, name: str) -> None:
    expected = days.expected[1][name]
    for asked in (f"$filter=IsMemberOfSegment('{name}')", f"$filter=true&IsMemberOfSegment('{name}')"):
        pages = days.instance.odata(f"Customer?{asked}&$select=CustomerId&$count=true", page_size=10_000)
        assert pages.count == len(expected)
        assert {row["CustomerId"] for page in pages.pages() for row in page.rows()} == expected
    outside = days.instance.odata(f"Customer?$filter=not IsMemberOfSegment('{name}')&$count=true&$top=1")
    assert outside.count == days.instance.tables()["Customer"] - len(expected)


def test_odata_joins_members_with_their_rows(days: Days) -> None:
    asked = days.instance.odata(
        "Customer?$filter=IsMemberOfSegment('greaterThan') and State eq 'Texas'&$select=CustomerId"
        "&$expand=web_Orders($filter=TotalPrice gt 2600;$select=TotalPrice),Customer_Measure($select=OnlineSpend)",
        page_size=10_000,
    )
    found = {row["CustomerId"]: row for row in asked.rows()}
    assert set(found) == days.expected[1]["greaterThan"] & days.expected[1]["equals"]
    by_hand = days.instance.sql(
        f"SELECT CustomerId, sum(TotalPrice) AS spend, list(TotalPrice ORDER BY TotalPrice) FILTER (TotalPrice > 2600) AS dear "
        f"FROM {ORDERS} GROUP BY ALL"
    )
    for row in by_hand.rows():
        if row["CustomerId"] in found:
            one = found[row["CustomerId"]]
            assert sorted(order["TotalPrice"] for order in one["web_Orders"]) == row["dear"]
            assert one["Customer_Measure"]["OnlineSpend"] == row["spend"]


def test_one_customer_at_a_time(days: Days) -> None:
    for name in ("equals", "e_sequence", "k_rules"):
        held = days.instance.segment(name)
        for record, customer in list(days.records[1].items())[:200]:
            assert (":".join(record) in held) == (customer in held) == (customer in days.expected[1][name])


def test_a_preview_counts_what_the_run_found(days: Days) -> None:
    for name in ("dayOfWeek", "e_regularly", "w_lowest", "k_rules", "k_sql"):
        shown = days.instance.segments().preview(SEGMENTS[name] if name in BY_BLOCK else {"query": SEGMENTS[name]["query"]},
                                                 clock=CLOCK)  # fmt: skip
        assert shown.members == len(days.expected[1][name])


MEASURES = {
    "OnlineSpend": f"SELECT CustomerId, sum(TotalPrice) AS v FROM {ORDERS} GROUP BY ALL",
    "Orders": f"SELECT CustomerId, count(*) AS v FROM {ORDERS} GROUP BY ALL",
    "MeanOrder": f"SELECT CustomerId, sum(TotalPrice) // count(*) AS v FROM {ORDERS} GROUP BY ALL",
    "MedianTill": f"SELECT CustomerId, median(TotalPrice) AS v FROM {TILL} WHERE TotalPrice > 40 GROUP BY ALL",
    "Dearest": f"SELECT CustomerId, arg_max(ProductId, (TotalPrice, PurchasedOn, PurchaseId)) AS v FROM {ORDERS} GROUP BY ALL",
    "WorstReview": f"SELECT CustomerId, min(ReviewRating) AS v FROM {REVIEWS} GROUP BY ALL",
}  # fmt: skip


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_those_of_the_sql(days: Days, name: str) -> None:
    by_hand = {row["CustomerId"]: row["v"] for row in days.instance.sql(MEASURES[name]).rows()}
    rows = days.instance.sql(f"SELECT CustomerId, {name} AS v FROM Customer_Measure").rows()
    nothing = 0 if name == "Orders" else None
    assert len(by_hand) > 3_900
    assert {row["CustomerId"]: row["v"] for row in rows} == {
        row["CustomerId"]: by_hand.get(row["CustomerId"], nothing) for row in rows
    }
