"""From a record, and from what hangs on it, to the customer: OData, criteria, measures and exports, against SQL by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

import unify
from segments.model import model_of
from unify.core.errors import QueryError
from unify.spec.segment import Projected

SAMPLE = Path(__file__).parents[2] / "sample_data"
MEASURES = {
    "Bought": {"count": True, "of": "web.Orders"},
    "AtHome": {"count": True, "of": "web.Orders", "where": "orders/City eq orders/Customer/City"},
    "SignUps": {"kind": "business", "count": True, "of": "web.SignUps", "by": "Customer/City"},
    "Sold": {"kind": "business", "count": True, "of": "web.Orders", "by": {"City": "orders/Customer/City"}},
    "Round": {"count": True, "of": "web.Orders", "path": ["crm_Contacts", "Customer", "web_SignUps", "orders"]},
}


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    body = yaml.safe_load((SAMPLE / "project.yaml").read_text(encoding="utf-8"))
    body |= {"measures": MEASURES, "segments": {"buyers": "Bought ge 2"}}
    with unify.open(tmp_path_factory.mktemp("records") / "instance", create=True) as instance:
        instance.run(body, base=SAMPLE)
        yield instance


CONTACTS = (
    "SELECT ContactId FROM crm_Contacts r JOIN members m ON m.entity = 'crm.Contacts' AND m.key = r.ContactId "
    "JOIN Customer c USING (ordinal)"
)
ORDERS = (
    "SELECT OrderId FROM web_Orders o JOIN members m ON m.entity = 'web.SignUps' AND m.key = o.UserId "
    "JOIN Customer c USING (ordinal)"
)
BY_HAND = {
    "crm_Contacts?$filter=Customer/City eq 'Foxglove'&$select=ContactId": f"{CONTACTS} WHERE c.City = 'Foxglove'",
    "crm_Contacts?$filter=City ne Customer/City&$select=ContactId": f"{CONTACTS} WHERE r.City IS DISTINCT FROM c.City",
    "crm_Contacts?$filter=Customer/Bought ge 2&$select=ContactId": f"{CONTACTS} JOIN Customer_Measure USING (ordinal) WHERE Bought >= 2",
    "crm_Contacts?$filter=IsMemberOfSegment('buyers')&$select=ContactId": f"{CONTACTS} JOIN Customer_Measure USING (ordinal) WHERE Bought >= 2",
    "crm_Contacts?$filter=Customer/UnifiedActivity/any(a:a/Title eq 'Lamp')&$select=ContactId": f"{CONTACTS} "
    "WHERE c.ordinal IN (SELECT ordinal FROM UnifiedActivity WHERE Title = 'Lamp')",
    "web_Orders?$filter=Customer/City eq 'Foxglove'&$select=OrderId": f"{ORDERS} WHERE c.City = 'Foxglove'",
    "web_Orders?$filter=orders/Customer/City eq 'Foxglove'&$select=OrderId": f"{ORDERS} WHERE c.City = 'Foxglove'",
    "web_Orders?$filter=Customer eq null&$select=OrderId": f"SELECT OrderId FROM web_Orders EXCEPT {ORDERS}",
}


@pytest.mark.parametrize("request_", BY_HAND)
def test_conditions_on_the_customer_of_a_row(acme, request_):
    wanted = sorted(next(iter(r.values())) for r in acme.sql(BY_HAND[request_]).rows())
    found = [next(iter(r.values())) for page in acme.odata(request_).pages() for r in page.value]
    assert sorted(found) == wanted
    assert wanted


@pytest.mark.parametrize(("table", "key", "by_hand"), [
    ("crm_Contacts", "ContactId", CONTACTS), ("web_Orders", "OrderId", ORDERS),
])  # fmt: skip
def test_the_customer_of_every_row(acme, table, key, by_hand):
    owner = {
        r[key]: r["CustomerId"]
        for r in acme.sql(by_hand.replace(f"SELECT {key}", f"SELECT {key}, c.CustomerId")).rows()
    }
    pages = acme.odata(f"{table}?$select={key}&$expand=Customer($select=CustomerId)").pages()
    found = {r[key]: r["Customer"] and r["Customer"]["CustomerId"] for page in pages for r in page.value}
    assert found == {k: owner.get(k) for k in found}
    assert len(found) == acme.tables()[table]
    assert len(set(owner.values())) < len(owner), "several rows of a customer: alternates, merged records"
    some = min(owner)
    assert acme.odata(f"{table}('{some}')/Customer?$select=CustomerId").value == {"CustomerId": owner[some]}
    assert acme.odata(f"{table}('{some}')/Customer/CustomerId").value == owner[some]


def test_a_row_of_nobody_leads_nowhere(acme):
    stray = acme.odata("web_Orders?$filter=Customer eq null&$top=1").value[0]["OrderId"]
    assert acme.odata(f"web_Orders('{stray}')/Customer").value is None
    assert acme.odata(f"web_Orders('{stray}')?$select=OrderId&$expand=Customer").value == {
        "OrderId": stray,
        "Customer": None,
    }


def test_there_and_back_from_a_customer(acme):
    back = acme.odata(
        "Customer?$select=CustomerId&$top=50&$expand=crm_Contacts($select=ContactId;$expand=Customer($select=CustomerId))"
    )
    pairs = [(row["CustomerId"], r["Customer"]["CustomerId"]) for row in back.value for r in row["crm_Contacts"]]
    assert pairs
    assert all(one == other for one, other in pairs)
    segment = {"related": "web_Orders", "where": "Customer/City eq 'Foxglove'"}
    [wanted] = acme.sql("SELECT count(DISTINCT c.ordinal) AS n FROM web_Orders o JOIN members m ON m.entity = 'web.SignUps' "
                        "AND m.key = o.UserId JOIN Customer c USING (ordinal) WHERE c.City = 'Foxglove'").rows()  # fmt: skip
    assert acme.segments().preview({"where": segment}).members == wanted["n"] > 0
    assert acme.segments().preview("web_Orders/any(o:o/Customer/City eq 'Foxglove')").members == wanted["n"]


def test_measures_over_it(acme):
    signups = "SELECT c.City, count(*) AS n FROM members m JOIN Customer c USING (ordinal) WHERE m.entity = 'web.SignUps' GROUP BY 1"
    found = {(r["City"], r["SignUps"]) for r in acme.measure("SignUps").values().rows()}
    assert found == {tuple(r.values()) for r in acme.sql(signups).rows()}
    sold = acme.sql("SELECT c.City, count(*) AS n FROM web_Orders o LEFT JOIN members m ON m.entity = 'web.SignUps' AND "
                    "m.key = o.UserId LEFT JOIN Customer c USING (ordinal) GROUP BY 1").rows()  # fmt: skip
    assert {(r["City"], r["Sold"]) for r in acme.measure("Sold").values().rows()} == {tuple(r.values()) for r in sold}
    home = (
        "SELECT c.ordinal, count(*) AS n FROM web_Orders o JOIN web_SignUps s USING (UserId) JOIN members m ON m.entity = "
        "'web.SignUps' AND m.key = o.UserId JOIN Customer c USING (ordinal) WHERE s.City IS NOT DISTINCT FROM c.City GROUP BY 1"
    )
    wanted = {r["ordinal"]: r["n"] for r in acme.sql(home).rows()}
    rows = acme.sql("SELECT ordinal, AtHome, Bought, Round FROM Customer_Measure").rows()
    assert {r["ordinal"]: r["AtHome"] for r in rows if r["AtHome"]} == wanted
    contacts = {r["ordinal"] for r in acme.sql("SELECT ordinal FROM members WHERE entity = 'crm.Contacts'").rows()}
    assert all(r["Round"] == (r["Bought"] if r["ordinal"] in contacts else 0) for r in rows)
    assert len({r["Round"] == r["Bought"] for r in rows}) == 2


def test_exports_walk_it_too(acme, tmp_path):
    path = ("crm_Contacts", "Customer", "web_SignUps")
    found = acme.segment("buyers").export(
        tmp_path / "buyers.jsonl", attributes=["ordinal"], projected=[Projected(path=path, attributes=("UserId",))]
    )
    rows = [json.loads(line) for line in (tmp_path / "buyers.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = acme.sql(
        "SELECT CustomerId, list(m.key ORDER BY m.key) AS keys FROM members m JOIN Customer_Measure c USING (ordinal, CustomerId) "
        "WHERE Bought >= 2 AND m.entity = 'web.SignUps' AND ordinal IN (SELECT ordinal FROM members WHERE entity = "
        "'crm.Contacts') GROUP BY 1"
    ).rows()
    [name] = set(rows[0]) - {"CustomerId", "ordinal"}
    assert {r["CustomerId"]: r[name] for r in rows if r[name]} == {r["CustomerId"]: r["keys"] for r in wanted}
    assert found.rows == len(rows) > len(wanted) > 0


def test_names_stay_unambiguous(acme):
    model = model_of(acme.engine(), acme.project())
    assert model.shortcuts["web_Orders", "Customer"] == ("orders", "Customer")
    assert ("crm_Contacts", "Customer") not in model.shortcuts
    assert not model.is_many("web_Orders", model.path("web_Orders", ("Customer",)))
    assert "Customer" not in model.relations("Customer")
    with pytest.raises(QueryError, match="did you mean Customer"):
        acme.odata("crm_Contacts?$expand=Custmer")


def shop(relations):
    people = [{"Id": "1", "Mail": "ann@x.example", "City": "Bern"}, {"Id": "2", "Mail": "ann@x.example", "City": "Basel"},
              {"Id": "3", "Mail": "cy@x.example", "City": "Bern"}]  # fmt: skip
    orders = [
        {"No": "1", "Who": "1", "For": "3", "Customer": "x"},
        {"No": "2", "Who": "2", "For": "1", "Customer": "y"},
    ]
    project = {
        "sources": {"crm": {"People": {"key": "Id", "columns": {"Id": "integer"}}},
                    "web": {"Orders": {"key": "No", "columns": {"Who": "integer", "For": "integer"}}}},
        "conflation": {"order": ["crm.People"], "dedupe": {"crm.People": [{"name": "mail", "when": [{"field": "Mail"}]}]}},
        "relationships": relations,
    }  # fmt: skip
    return project, {"crm.People": pd.DataFrame(people), "web.Orders": pd.DataFrame(orders)}


def test_two_ways_to_a_customer_give_no_shortcut_and_a_column_keeps_its_name(tmp_path):
    ways = {"buyer": "web.Orders.Who -> crm.People.Id", "receiver": "web.Orders.For -> crm.People.Id"}
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop(ways)
        acme.run(project, frames=frames)
        with pytest.raises(QueryError):
            acme.odata("web_Orders?$expand=Customer")
        asked = "web_Orders?$filter=buyer/Customer/CustomerId eq {}/Customer/CustomerId&$select=No"
        assert [r["No"] for r in acme.odata(asked.format("buyer")).value] == ["1", "2"]
        assert acme.odata(asked.format("receiver")).value == [{"No": "2"}], (
            "records of one customer, keys that are numbers"
        )
        project, frames = shop({"buyer": ways["buyer"]})
        acme.run(project, frames=frames)
        [one, _] = acme.odata("web_Orders?$select=No,Customer&$orderby=No").value
        assert one == {"No": "1", "Customer": "x"}, "the column is read"
        assert acme.odata("web_Orders?$filter=Customer eq 'y'&$select=No").value == [{"No": "2"}]
        assert acme.odata("web_Orders?$filter=Customer/Mail eq 'ann@x.example'&$count=true&$top=0").count == 2


def test_a_relationship_of_that_name_leads_where_its_owner_says(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop({"Customer": "web.Orders.Who -> crm.People.Id"})
        acme.run(project, frames=frames)
        found = acme.odata("web_Orders?$filter=Customer/City eq 'Basel'&$select=No").value
        assert found == [{"No": "2"}]
