"""The vendor's queries as segments of the sample, against SQL written by hand; manual ones too."""

from pathlib import Path

import pytest

import unify
from segments.vendor.segment_metadata import segment_of
from unify.core.errors import UnifyError
from unify.spec.segment_metadata import SegmentMetadata

ORDER = "SELECT m.CustomerId FROM web_Orders AS o JOIN members AS m ON m.entity = 'web.SignUps' AND m.key = o.UserId"
VISITS = "SELECT m.CustomerId FROM pos_Purchases AS o JOIN members AS m ON m.entity = 'loyalty.Members' AND m.key = o.LoyaltyId"


def leaf(attribute, operator, *values):
    return {"attribute": attribute, "comparisonOperator": operator, "listOfValues": list(values)}


def both(*children):
    return {"logicalOperator": "and", "childCriterias": list(children)}


BIG = both(leaf("web_Orders.Total", "greaterThan", "40"), leaf("web.Orders.Quantity", "equals", "1"))
SAID = {
    "one_order": ([{"criteria": BIG}], f"{ORDER} WHERE o.Total > 40 AND o.Quantity = 1"),
    "by_path": (
        [{"criteria": leaf("pos_Purchases.Total", "greaterThan", "100"), "paths": [["purchases", "Customer_loyalty_Members"]]}],
        f"{VISITS} WHERE o.Total > 100",
    ),
    "not_at_the_till": (
        [{"criteria": BIG}, {"rowsetOperation": "except", "criteria": leaf("pos_Purchases.PurchaseId", "isNotNull")}],
        f"{ORDER} WHERE o.Total > 40 AND o.Quantity = 1 EXCEPT {VISITS}",
    ),
    "both_products": (
        [{"criteria": leaf("UnifiedActivity.ActivityType", "all", "SalesOrder", "Feedback")}],
        "SELECT CustomerId FROM UnifiedActivity GROUP BY 1 HAVING bool_or(ActivityType = 'SalesOrder') AND bool_or(ActivityType = 'Feedback')",
    ),
    "weekend": (
        [{"criteria": leaf("web_Orders.OrderedOn", "dayOfWeek", "6", "Sunday")}],
        f"{ORDER} WHERE isodow(o.OrderedOn) IN (6, 7)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    with unify.open(tmp_path_factory.mktemp("vendor") / "i", create=True) as instance:
        instance.run(Path(__file__).parents[2] / "sample_data" / "project.yaml")
        for name, (rowsets, _) in SAID.items():
            metadata = {"name": name, "segmentQueryExpression": {"type": "structured", "rowsets": rowsets}}
            instance.segments().create(*segment_of(SegmentMetadata.model_validate(metadata)))
        sql = {"type": "manual", "segmentationQuerySql": "SELECT CustomerId FROM Customer WHERE length(FullName) > 14"}
        instance.segments().create("by_hand", {"query": sql})
        instance.segments().refresh()
        yield instance


def ids(acme, name):
    return {row["CustomerId"] for row in acme.segment(name).members().rows()}


@pytest.mark.parametrize("name", SAID)
def test_members_are_those_of_the_sql(acme, name):
    wanted = {row["CustomerId"] for row in acme.sql(SAID[name][1]).rows()}
    assert wanted
    assert ids(acme, name) == wanted


def test_a_manual_query(acme):
    wanted = {
        row["CustomerId"] for row in acme.sql("SELECT CustomerId FROM Customer WHERE length(FullName) > 14").rows()
    }
    assert wanted
    assert ids(acme, "by_hand") == wanted


def test_an_error_names_the_segment_and_the_place(acme):
    query = {"rowsets": [{"criteria": leaf("web_Orders.Totl", "equals", "1")}]}
    with pytest.raises(
        UnifyError, match=r"(?s)segments\.wrong\.query\.rowsets\[0\]\.criteria\.attribute.*did you mean Total"
    ):
        acme.segments().create("wrong", {"query": query})
