"""The vendor's query, key by key: each operator on known customers, rowsets, paths, hierarchies, refusals."""

import datetime as dt
import json
import re
import sys
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from pydantic import ValidationError

from segments.vendor.paths import resolve_path
from segments.vendor.segmentation_query import lower_query, projected_of
from unify.core.errors import QueryError
from unify.spec.segmentation_query import SegmentationQuery


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, seen = _load("segmentation_query"), _load("segmentation_query_world")
D, T, TIME = dt.date, dt.datetime, dt.time
NAMES = ["ada", "bea", "cem", "dov"]
# The run clock is Sunday, 2024-03-31 10:30 UTC, which is 12:30 in Berlin, on summer time since 01:00 UTC.
PEOPLE = [
    {"City": "Bern", "Points": 5, "Spend": Decimal("100.00"), "Score": 0.5, "Vip": True, "Born": D(1990, 3, 31), "Seen": T(2024, 3, 31, 10, 29), "Wakes": TIME(9, 30, 15), "Card": "00000000-0000-0000-0000-00000000000a", "Region": "basel"},
    {"City": "BERN", "Points": 50, "Spend": Decimal("99.99"), "Score": 2.5, "Vip": False, "Born": D(2024, 3, 31), "Seen": T(2024, 3, 30, 23, 30), "Wakes": TIME(23, 59, 59), "Card": "00000000-0000-0000-0000-00000000000b", "Region": "suisse"},
    {"City": "Ulm", "Points": -5, "Spend": Decimal("0.01"), "Score": -1.0, "Vip": True, "Born": D(2023, 12, 31), "Seen": T(2023, 12, 31, 23, 30), "Wakes": TIME(1, 0), "Card": "00000000-0000-0000-0000-00000000000c", "Region": "ring1"},
    dict.fromkeys(["City", "Points", "Spend", "Score", "Vip", "Born", "Seen", "Wakes", "Card", "Region"]),
]  # fmt: skip
ORDERS = [  # order, contact, total, city; dov has none
    (1, 0, "150.00", "Bern"), (2, 0, "10.00", "Ulm"), (3, 1, "150.00", "Ulm"), (4, 2, "10.00", "Bern"),
]  # fmt: skip
LINES = [(1, 1, "helmet"), (2, 2, "bike"), (3, 3, "bike"), (4, 3, "helmet")]
ACTIVITIES = [(1, "SalesOrder"), (1, "Feedback"), (2, "SalesOrder"), (3, "Feedback"), (3, "Feedback")]


@pytest.fixture(scope="module")
def shop():
    """ada has contacts 0 and 4 (merged), bea 1, cem 2, dov 3; the review hangs on contact 4."""
    contacts = {0: "ada", 1: "bea", 2: "cem", 3: "dov", 4: "ada"}
    tables = {
        "Customer": [{"ordinal": i + 1, "CustomerId": n} | row for i, (n, row) in enumerate(zip(NAMES, PEOPLE, strict=True))],
        "crm_Contacts": [{"ContactId": c, "EMail": f"{n}@x" if c != 3 else None} for c, n in contacts.items()],
        "web_Orders": [{"OrderId": o, "ContactId": c, "Total": Decimal(t), "City": city, "At": T(2024, 3, 1), "Region": None} for o, c, t, city in ORDERS],
        "web_Lines": [{"LineId": i, "OrderId": o, "Product": what, "Count": 1} for i, o, what in LINES],
        "web_Parcels": [{"ParcelId": 1, "OrderId": 1, "Sent": D(2024, 3, 2)}, {"ParcelId": 2, "OrderId": 2, "Sent": None}],
        "web_Reviews": [{"ReviewId": 1, "ContactId": 4, "Stars": 5, "Text": "good"}],
        "UnifiedActivity": [{"ordinal": o, "ActivityId": f"a{i}", "ActivityType": kind, "ActivityTime": T(2024, 1, 1)} for i, (o, kind) in enumerate(ACTIVITIES)],
        "Customer_Measure": [{"ordinal": 1, "TotalSpend": Decimal("160.00")}, {"ordinal": 2, "TotalSpend": Decimal("150.00")}],
        "geo_Regions": [{"Name": a, "Parent": b} for a, b in oracle.HIERARCHY],
        "members": [{"rid": c, "entity": "crm.Contacts", "key": str(c), "CustomerId": n} for c, n in contacts.items()],
    }  # fmt: skip
    return seen.Connected(oracle.World(tables, {"staff": {2, 4}}))


HIERARCHIES = [
    {"hierarchyEntityName": "geo.Regions", "sourceAttributeName": "Name", "destinationAttributeName": "Parent"}
]


def one(**criteria):
    return {"type": "structured", "rowsets": [{"criteria": criteria}], "hierarchies": HIERARCHIES}


def leaf(attribute, operator, *values, **more):
    said = {} if not values else {"value": values[0]} if len(values) == 1 else {"listOfValues": list(values)}
    return {"attribute": attribute, "comparisonOperator": operator, **said, **more}


def both(*children):
    return {"logicalOperator": "and", "childCriterias": list(children)}


def either(*children):
    return {"logicalOperator": "or", "childCriterias": list(children)}


def who(shop, query, zone="Europe/Berlin"):
    query = query if "rowsets" in query else one(**query)
    found, _ = shop.members(query, zone)
    assert found == oracle.members(query, shop.world, zone)
    return " ".join(NAMES[o - 1] for o in sorted(found))


OPERATORS = [
    (leaf("Customer.City", "equals", "Bern"), "ada"),
    (leaf("City", "equals", "bern", ignoreCase=True), "ada bea"),
    (leaf("City", "equals", "bern", ignoreCase=False), ""),
    (leaf("Spend", "equals", "100"), "ada"),
    (leaf("Vip", "equals", "TRUE"), "ada cem"),
    (leaf("Born", "equals", "2024-03-31"), "bea"),
    (leaf("Born", "equals", "2024-03-31T00:00:00.0000000Z"), "bea"),
    (leaf("Seen", "equals", "2024-03-31"), "ada bea"),  # bea was seen at 00:30 in Berlin
    (leaf("Seen", "equals", "2024-03-31T12:29:00"), "ada"),
    (leaf("Seen", "equals", "2024-03-31T10:29:00Z"), "ada"),
    (leaf("Card", "equals", "00000000-0000-0000-0000-00000000000A"), "ada"),
    (leaf("Wakes", "equals", "09:30", isTime=True), "ada"),
    (leaf("Seen", "equals", "01:30", isTime=True), ""),
    (leaf("Seen", "equals", "00:30", isTime=True), "bea cem"),
    (leaf("City", "notEquals", "Bern"), "bea cem"),  # dov's city is not known
    (leaf("City", "notEquals", "BERN", ignoreCase=True), "cem"),
    (leaf("Seen", "notEquals", "2024-03-31"), "cem"),
    (leaf("Points", "greaterThan", "5"), "bea"),
    (leaf("Points", "greaterThan", "4.5"), "ada bea"),
    (leaf("Seen", "greaterThan", "2024-03-30"), "ada bea"),
    (leaf("Points", "greaterThanOrEqualTo", "5"), "ada bea"),
    (leaf("Seen", "greaterThanOrEqualTo", "2024-01-01"), "ada bea cem"),  # New Year's Eve is over in Berlin
    (leaf("Score", "lessThan", "0.5"), "cem"),
    (leaf("Seen", "lessThan", "2024-03-31"), "cem"),
    (leaf("Score", "lessThanOrEqualTo", "0.5"), "ada cem"),
    (leaf("Seen", "lessThanOrEqualTo", "2024-03-31"), "ada bea cem"),
    (leaf("City", "contains", "er"), "ada"),
    (leaf("City", "contains", "ER", ignoreCase=True), "ada bea"),
    (leaf("City", "startsWith", "B"), "ada bea"),
    (leaf("City", "endsWith", "RN"), "bea"),
    (leaf("City", "isNull"), "dov"),
    (leaf("City", "isNotNull", ""), "ada bea cem"),
    (leaf("City", "isIn", "Bern", "Ulm"), "ada cem"),
    (leaf("City", "isIn", "bern", "ULM", ignoreCase=True), "ada bea cem"),
    (leaf("Seen", "isIn", "2024-03-31", "2024-01-01"), "ada bea cem"),
    (leaf("City", "any", "Bern", "Ulm"), "ada cem"),
    (leaf("City", "all", "Bern", "BERN"), ""),
    (leaf("City", "all", "Bern", "BERN", ignoreCase=True), "ada bea"),
    (leaf("UnifiedActivity.ActivityType", "any", "SalesOrder", "Other"), "ada bea"),
    (leaf("UnifiedActivity.ActivityType", "all", "SalesOrder", "Feedback"), "ada"),
    (leaf("Seen", "isWithinLast", "12 hours"), "ada bea"),
    (leaf("Seen", "isWithinLast", "1 minute"), "ada"),
    (leaf("Born", "isWithinLast", "1"), "bea"),
    (leaf("Born", "isWithinLast", "P1Y"), "bea cem"),
    (leaf("Born", "isWithinLast", "3 Months"), "bea"),
    (leaf("Born", "isWithinLast", "92 days"), "bea cem"),
    (leaf("Points", "isBetween", "-5", "5"), "ada cem"),
    (leaf("Seen", "isBetween", "2024-01-01", "2024-03-31"), "ada bea cem"),
    (leaf("Wakes", "isBetween", "23:00", "01:00", isTime=True), "bea cem"),
    (leaf("Points", "isNotBetween", "-5", "5"), "bea"),
    (leaf("Born", "yearToDate"), "bea"),
    (leaf("Seen", "yearToDate"), "ada bea cem"),
    (leaf("Born", "dayOf", "31"), "ada bea cem"),
    (leaf("Born", "dayOf", "today"), "ada bea cem"),
    (leaf("Born", "monthOf", "March"), "ada bea"),
    (leaf("Born", "monthOf", "3", "12"), "ada bea cem"),
    (leaf("Born", "monthOf", "today"), "ada bea"),
    (leaf("Seen", "yearOf", "2024"), "ada bea cem"),
    (leaf("Seen", "dayOfWeek", "Sunday"), "ada bea"),
    (leaf("Seen", "dayOfWeek", "1"), "cem"),
    (leaf("Wakes", "timeAt", "09:30"), "ada"),
    (leaf("Wakes", "timeAt", "23:59:59"), "bea"),
    (leaf("Seen", "timeAt", "12:29", "00:30"), "ada bea cem"),
    (leaf("Region", "childOf", "europe"), "ada bea"),
    (leaf("Region", "childOf", "suisse"), "ada"),
    (leaf("Region", "childOf", "ring1"), "cem"),  # a circle: each is below itself
    (leaf("Region", "parentOf", "basel"), "bea"),
]


@pytest.mark.parametrize(("criteria", "expected"), OPERATORS)
def test_an_operator(shop, criteria, expected):
    query = one(**criteria)
    found, _ = shop.members(query, "Europe/Berlin")
    assert " ".join(NAMES[o - 1] for o in sorted(found)) == expected


def test_every_operator_is_in_the_table():
    named = set(SegmentationQuery.model_json_schema()["$defs"]["SegmentMembershipCriteria"]["properties"]["comparisonOperator"]["anyOf"][0]["enum"])  # fmt: skip
    assert len(named) == 25
    assert {criteria["comparisonOperator"] for criteria, _ in OPERATORS} == named


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

BIG = leaf("web_Orders.Total", "greaterThan", "100")
IN_BERN = leaf("web_Orders.City", "equals", "Bern")


def test_criteria_on_one_entity_are_about_one_row(shop):
    assert who(shop, both(BIG, IN_BERN)) == "ada"  # bea: big in Ulm; cem: small in Bern
    assert who(shop, both(BIG, leaf("web.Orders.City", "equals", "Ulm"))) == "bea"  # ada's in Ulm is the small one
    assert who(shop, both(BIG, both(both(IN_BERN)))) == "ada"
    assert who(shop, both(either(BIG, leaf("City", "equals", "x")), IN_BERN)) == "ada"


def test_rowsets_that_intersect_are_about_any_rows(shop):
    ulm = leaf("web_Orders.City", "equals", "Ulm")
    rowsets = [{"criteria": BIG}, {"rowsetOperation": "intersect", "criteria": ulm}]
    assert who(shop, {"rowsets": rowsets}) == "ada bea"


def test_or_does_not_need_the_row(shop):
    assert who(shop, either(BIG, leaf("City", "isNull"))) == "ada bea dov"
    assert who(shop, both(either(BIG, leaf("City", "isNull")), either(IN_BERN, leaf("City", "isNull")))) == "ada dov"


def test_a_line_is_one_of_the_order_spoken_of(shop):
    assert who(shop, both(BIG, leaf("web_Lines.Product", "equals", "bike"))) == "bea"  # ada's bike was the small order
    lines, parcels = leaf("web_Lines.Product", "equals", "bike"), leaf("web_Parcels.Sent", "isNotNull")
    assert who(shop, both(lines, parcels)) == ""  # ada: not of one order


def test_what_hangs_on_two_records_hangs_on_one_customer(shop):
    assert who(shop, both(BIG, leaf("web_Reviews.Stars", "equals", "5"))) == "ada"


def test_missing_is_asked_of_a_row_that_is_there(shop):
    assert who(shop, leaf("web_Parcels.Sent", "isNull")) == "ada"


def test_any_and_all_of_children(shop):
    assert who(shop, {"attribute": "web_Orders", "comparisonOperator": "any", **both(BIG, IN_BERN)}) == "ada"
    assert who(shop, {"attribute": "web.Orders", "comparisonOperator": "all", **both(BIG)}) == "bea"  # dov has none
    inner = {"attribute": "web_Orders", "comparisonOperator": "all", **both(leaf("web_Lines.Product", "isNotNull"))}
    assert who(shop, inner) == "ada bea"


def test_measures_and_segments_are_conditions(shop):
    assert who(shop, leaf("Customer_Measure.TotalSpend", "greaterThan", "155")) == "ada"
    assert who(shop, leaf("Customer_Measure.TotalSpend", "isNull")) == "cem dov"
    assert who(shop, leaf("staff.CustomerId", "isNotNull")) == "bea dov"
    assert who(shop, leaf("staff.CustomerId", "isNull")) == "ada cem"
    assert who(shop, leaf("staff.CustomerId", "startsWith", "d")) == "dov"
    assert who(shop, both(BIG, leaf("staff.CustomerId", "isNotNull"))) == "bea"


def test_paths_are_read_from_either_end(shop):
    for path in (["orders"], ["Customer_crm_Contacts", "orders"], ["crm_Contacts", "orders"],
                 ["orders", "Customer_crm_Contacts"], ["lines", "orders"], ["orders", "lines"], ["web_Orders"]):  # fmt: skip
        assert who(shop, {"rowsets": [{"criteria": both(BIG, IN_BERN), "paths": [path]}]}) == "ada"
    assert resolve_path(shop.model, ("lines", "orders", "Customer_crm_Contacts"), "") == (
        "crm_Contacts",
        "orders",
        "lines",
    )


def test_a_hierarchy_is_asked_of_the_same_row(shop):
    criteria = both(leaf("web_Orders.Region", "childOf", "europe"), BIG)
    lowered = lower_query(SegmentationQuery.model_validate(one(**criteria)), shop.model, timezone="UTC")
    [block] = lowered.blocks.values()
    assert "whatever is below europe in geo_Regions" in block.sentence
    assert "Total is more than 100" in block.sentence or "Total" in block.sentence
    assert who(shop, criteria) == ""


def test_a_hierarchy_deeper_than_the_limit_is_an_error(shop):
    chain = [{"Name": f"n{i}", "Parent": f"n{i + 1}"} for i in range(150)]
    deep = seen.Connected(oracle.World({**shop.world.tables, "geo_Regions": chain}, shop.world.segments))
    with pytest.raises(QueryError, match="more than 100 levels"):
        deep.members(one(**leaf("Region", "childOf", "n150")))


# ── rowsets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def rowsets(*pairs):
    return {"rowsets": [{"rowsetOperation": op, "criteria": c, "rowsetId": f"r{i}"} for i, (op, c) in enumerate(pairs)]}


BERN, ULM, VIP = leaf("City", "equals", "Bern"), leaf("City", "equals", "Ulm"), leaf("Vip", "equals", "true")
EVERYONE = leaf("Customer.CustomerId", "isNotNull")


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("none", BERN), ("union", ULM)], "ada cem"),
        ([("include", BERN), ("include", ULM)], "ada cem"),
        ([("none", BERN), ("union", ULM), ("intersect", leaf("Points", "lessThan", "0"))], "cem"),
        ([("none", EVERYONE), ("except", VIP)], "bea dov"),  # whether dov is one is not known, so dov is not taken out
        ([("union", EVERYONE), ("exclude", VIP), ("union", BERN)], "ada bea dov"),
        ([("none", EVERYONE), ("except", VIP), ("except", leaf("City", "isNull"))], "bea"),
        ([(None, BERN)], "ada"),
    ],
)
def test_rowsets_are_joined_in_sequence(shop, pairs, expected):
    query = rowsets(*pairs)
    query["rowsets"] = [{k: v for k, v in r.items() if v is not None} for r in query["rowsets"]]
    assert who(shop, query) == expected


def test_each_rowset_has_its_own_count(shop):
    query = SegmentationQuery.model_validate(rowsets(("none", EVERYONE), ("except", VIP)))
    lowered = lower_query(query, shop.model, timezone="UTC")
    assert [(name, len(shop.evaluated(e, {}))) for name, e in lowered.rules] == [("r0", 4), ("r1", 2)]
    alone = lower_query(SegmentationQuery.model_validate(rowsets(("none", VIP))), shop.model, timezone="UTC")
    assert alone.rules == ()


def test_attributes_are_projected(shop):
    query = SegmentationQuery.model_validate(
        {
            **one(**BERN),
            "projectedAttributes": [
                {"entityName": "web.Orders", "attributeNames": ["Total", "City"], "path": ["orders"], "projectionType": "post"},
                {"entityName": "Customer", "attributeNames": ["City"]},
            ],
            "projections": ["web_Orders.Total", "Points", "Customer_Measure.TotalSpend"],
        }
    )  # fmt: skip
    found = {p.path: p.attributes for p in projected_of(query, shop.model)}
    assert found == {
        ("crm_Contacts", "orders"): ("Total", "City"),
        (): ("City", "Points"),
        ("Customer_Measure",): ("TotalSpend",),
    }


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = [
    (leaf("Customer.Citty", "equals", "x"), "no attribute 'Citty'.*did you mean City"),
    (leaf("web_Order.Total", "equals", "1"), "no entity or segment 'web_Order'.*did you mean web_Orders"),
    (leaf("Points", "equals", "five"), "'five' is no number"),
    (leaf("Points", "equals", "1_000"), "is no number"),
    (leaf("Points", "equals", "1e999"), "beyond 38 digits"),
    (leaf("Score", "equals", "nan"), "is no number"),
    (leaf("Points", "equals"), "equals needs a value"),
    (leaf("Points", "equals", "1", "2"), "takes one value, here are 2.*isIn"),
    (leaf("Points", "isIn"), "at least one value"),
    ({**leaf("Points", "isIn", "1"), "listOfValues": ["2"]}, "a value and a listOfValues"),
    (leaf("Vip", "greaterThan", "true"), "no order"),
    (leaf("Vip", "equals", "yes"), "write true or false"),
    (leaf("Points", "contains", "1"), "asked of string"),
    (leaf("Born", "equals", "31.03.2024"), "is no date"),
    (leaf("Born", "equals", "2024-02-30"), "is no date"),
    (leaf("Born", "equals", "2024-03-31T09:30:00Z"), "a moment, and the attribute a date"),
    (leaf("Seen", "equals", "yesterday"), "no date or moment"),
    (leaf("Seen", "equals", "9999-12-31"), "no date or moment|within the years"),
    (leaf("Wakes", "equals", "9:30"), "no time of day"),
    (leaf("Wakes", "timeAt", "25:00"), "no time of day"),
    (leaf("Born", "timeAt", "09:30"), "asked of datetime or time"),
    (leaf("Card", "equals", "abc"), "no guid"),
    (leaf("City", "isNull", "x"), "takes no value"),
    (leaf("Born", "yearToDate", "2024"), "takes no value"),
    (leaf("City", "yearToDate"), "asked of date or datetime"),
    (leaf("Born", "isWithinLast", "12 hours"), "a date has no hours"),
    (leaf("Born", "isWithinLast", "two days"), "no span of time"),
    (leaf("Born", "isWithinLast", "0 days"), "no span of time"),
    (leaf("Born", "isWithinLast", "3 fortnights"), "units: minute"),
    (leaf("Points", "isBetween", "5"), "two values in listOfValues"),
    (leaf("Points", "isBetween", "5", "1"), "nothing is between"),
    (leaf("Born", "monthOf", "13"), "1 to 12, January to December, or today"),
    (leaf("Born", "dayOfWeek", "0"), "1 to 7, Monday being 1"),
    (leaf("Points", "dayOf", "1"), "asked of date or datetime"),
    (leaf("Born", "equals", "2024-01-01", isTime=True), "isTime is for moments"),
    (leaf("Seen", "isWithinLast", "1 day", isTime=True), "knows no isTime"),
    (leaf("City", "childOf", "europe", ignoreCase=True), "leave ignoreCase out"),
    (leaf("Points", "childOf", "europe"), "keys of geo_Regions are string"),
    ({"attribute": "City"}, "needs comparisonOperator"),
    ({"comparisonOperator": "equals"}, "needs attribute"),
    ({}, "the criterion is empty"),
    ({"childCriterias": []}, "the criterion is empty"),
    ({"childCriterias": [BERN, ULM]}, "2 criteria need a logicalOperator"),
    ({**both(BERN, ULM), "value": "x"}, "a group of criteria has no value"),
    ({**BERN, "childCriterias": [ULM]}, "only groups have"),
    ({**BERN, "logicalOperator": "and"}, "only groups have"),
    ({**BERN, "kind": "post"}, "kind post"),
    ({**BERN, "kind": "engagement"}, "kind engagement"),
    ({"attribute": "Customer", "comparisonOperator": "all", **both(BERN)}, "no several rows of Customer"),
    ({"attribute": "web_Order", "comparisonOperator": "any", **both(BERN)}, "did you mean web_Orders"),
    (leaf("staff.City", "equals", "x"), "has no attribute 'City'.*CustomerId"),
    (leaf("geo_Regions.Name", "equals", "x"), "no single path from a customer to geo_Regions"),
]


@pytest.mark.parametrize(("criteria", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_with_its_place(shop, criteria, message):
    query = SegmentationQuery.model_validate(one(**both(EVERYONE, criteria)))
    with pytest.raises(QueryError, match=f"(?s){message}") as caught:
        lower_query(query, shop.model, timezone="UTC")
    assert caught.value.where.startswith("rowsets[0].criteria.childCriterias[1]")


WHOLE = [
    ({}, "there is no rowset", "rowsets"),
    ({"rowsets": []}, "there is no rowset", "rowsets"),
    ({"rowsets": [{}]}, "needs criteria.*CustomerId isNotNull", "rowsets[0]"),
    (rowsets(("except", BERN)), "nothing before it", "rowsets[0].rowsetOperation"),
    (rowsets(("none", BERN), ("none", ULM)), "says nothing", "rowsets[1].rowsetOperation"),
    ({"rowsets": [{"criteria": BERN}, {"criteria": ULM}]}, "operation is missing", "rowsets[1].rowsetOperation"),
    ({"rowsets": [{"criteria": BERN, "rowsetId": "a"}, {"criteria": ULM, "rowsetId": "a", "rowsetOperation": "union"}]}, "two rowsets", "rowsets[1].rowsetId"),
    ({"type": "manual"}, "needs its SQL", "segmentationQuerySql"),
    ({"type": "manual", "segmentationQuerySql": "SELECT 1", "rowsets": [{"criteria": BERN}]}, "no rowsets", "rowsets"),
    ({"type": "structured", "segmentationQuerySql": "SELECT 1"}, "no SQL", "segmentationQuerySql"),
    ({"rowsets": [{"criteria": BERN, "paths": [["ordrs"]]}]}, "no relationship 'ordrs'.*did you mean orders", "rowsets[0].paths[0]"),
    ({"rowsets": [{"criteria": BERN, "paths": [["lines"]]}]}, "does not lead from a customer", "rowsets[0].paths[0]"),
    ({"rowsets": [{"criteria": BERN, "paths": [[]]}]}, "the path is empty", "rowsets[0].paths[0]"),
    ({"rowsets": [{"criteria": leaf("Region", "childOf", "x")}]}, "needs the hierarchy of Customer", "rowsets[0].criteria"),
    ({"rowsets": [{"criteria": leaf("Region", "childOf", "x")}], "hierarchies": [{"hierarchyEntityName": "geo.Regions"}]}, "needs sourceAttributeName", "hierarchies[0]"),
    ({"rowsets": [{"criteria": leaf("Region", "childOf", "x")}], "hierarchies": [{**HIERARCHIES[0], "sourceAttributeName": "Nam"}]}, "did you mean Name", "hierarchies[0].sourceAttributeName"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "message", "where"), WHOLE)
def test_what_is_wrong_with_a_whole_query(shop, query, message, where):
    with pytest.raises(QueryError, match=f"(?s){message}") as caught:
        lower_query(SegmentationQuery.model_validate(query), shop.model, timezone="UTC")
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("projection", "message"),
    [
        ({"entityName": "web.Orders"}, "needs entityName and attributeNames"),
        (
            {"entityName": "web.Orders", "attributeNames": ["Total"], "projectionType": "pre"},
            "before rowsets are joined",
        ),
        ({"entityName": "web.Orders", "attributeNames": ["Totl"]}, "did you mean Total"),
        ({"entityName": "web.Reviews", "attributeNames": ["Text"], "path": ["orders"]}, "does not lead to web_Reviews"),
    ],
)
def test_a_projection_that_cannot_be(shop, projection, message):
    query = SegmentationQuery.model_validate({**one(**BERN), "projectedAttributes": [projection]})
    with pytest.raises(QueryError, match=message):
        projected_of(query, shop.model)


def test_unknown_keys_and_words_are_errors():
    for wrong in ({"rowset": []}, {"rowsets": [{"operation": "union"}]}, {"type": "sql"},
                  {"rowsets": [{"criteria": {"comparisonOperator": "equal"}}]}):  # fmt: skip
        with pytest.raises(ValidationError):
            SegmentationQuery.model_validate(wrong)
    assert SegmentationQuery.model_validate({"type": "Structured"}).wire() == {"type": "structured"}


def test_criteria_nested_beyond_reason_are_an_error(shop):
    deep = BERN
    for _ in range(105):
        deep = {"childCriterias": [deep]}
    with pytest.raises(QueryError, match="deeper than 100"):
        lower_query(SegmentationQuery.model_validate(one(**deep)), shop.model, timezone="UTC")
    for _ in range(5000):
        deep = {"childCriterias": [deep]}
    with pytest.raises(ValidationError):
        SegmentationQuery.model_validate(one(**deep))


PAGE = Path(__file__).parents[2] / "docs" / "segmentation-query.md"
EXAMPLES = re.findall(r"```json\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("example", "expected"), list(zip(EXAMPLES, ["ada", "ada bea"], strict=True)))
def test_examples_of_the_page(shop, example, expected):
    query = json.loads(example)
    assert SegmentationQuery.model_validate(query).wire() == query
    assert who(shop, query) == expected
    if "projectedAttributes" in query:
        assert [p.attributes for p in projected_of(SegmentationQuery.model_validate(query), shop.model)] == [("Total",)]
