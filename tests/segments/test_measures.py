"""Measures through whole runs: values as SQL by hand has them, dependencies, every refusal, history over merges."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

import unify
from segments.measures.templates import TEMPLATES, expand
from segments.model import model_of
from unify.core.documents import measure_of
from unify.core.errors import QueryError, SpecError

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"
CONTOSO = ROOT / ".." / "shared" / "data" / "contoso"
CLOCK = datetime(2024, 6, 15, tzinfo=UTC)
MEASURES = yaml.safe_load("""
TotalSpend: {sum: Total, of: web.Orders}
Orders: {count: true, of: web_Orders}
BigOrders: {count: true, of: web.Orders, where: "Total gt 100 or Quantity ge 3"}
Basket: TotalSpend div Orders
BasketByHand: {of: web.Orders, calculate: {Spend: {sum: Total}, Number: {count: true}}, value: "Spend div Number"}
LastProduct: {last: Product, of: web.Orders}
Dearest: {argmax: {take: Product, by: Total}, of: web.Orders}
Products: {count_distinct: Product, of: web.Orders}
Doubled: {sum: Worth, of: web.Orders, variables: {Worth: {value: "Total mul 2", nulls: 0, replace: {"56": 1}}}}
Middle: {median: Total, of: web.Orders, default: 0, whole: true}
Everything: {count: true, of: UnifiedActivity}
Criteria: {count: true, of: web.Orders, where: {all: [{attribute: Total, at_least: 50}, {attribute: Quantity, is_not_null: true}]}}
Points: {max: RewardPoints, of: loyalty.Members}
Revenue: {kind: business, sum: Total, of: web.Orders}
Share: {value: "TotalSpend div Revenue"}
Loyal: {kind: business, count: true, of: Customer, where: "Orders ge 2"}
ByMonth: {of: web.Orders, by: {Month: {value: OrderedOn, bucket: month}}, calculate: {Spend: {sum: Total}, Number: {count: true}, Mean: {value: Spend div Number}}}
ByCity: {kind: business, sum: Total, of: web.Orders, by: Customer/City}
BestMonth: {kind: business, max: Spend, of: ByMonth}
Ratio: {kind: business, value: "Loyal div Revenue"}
Idle: {sum: Total, of: web.Orders, active: false}
""")


def sample(measures, **more):
    body = yaml.safe_load((SAMPLE / "project.yaml").read_text(encoding="utf-8"))
    return body | {"measures": measures} | more


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    with unify.open(tmp_path_factory.mktemp("measures") / "instance", create=True) as instance:
        instance.run(sample(MEASURES), base=SAMPLE)
        yield instance


OWNED = """
WITH owned AS (SELECT o.*, m.ordinal FROM web_Orders AS o JOIN members AS m
               ON m.entity = 'web.SignUps' AND m.key = o.UserId)
"""
BY_HAND = {
    "TotalSpend": "SELECT ordinal, sum(Total) FROM owned GROUP BY ordinal",
    "Orders": "SELECT c.ordinal, count(o.OrderId) FROM Customer c LEFT JOIN owned o USING (ordinal) GROUP BY ALL",
    "BigOrders": "SELECT c.ordinal, count(o.OrderId) FROM Customer c LEFT JOIN (FROM owned WHERE Total > 100 OR "
    "Quantity >= 3) o USING (ordinal) GROUP BY ALL",
    "Basket": "SELECT ordinal, CAST(sum(Total) AS DOUBLE) / count(*) FROM owned GROUP BY ordinal",
    "BasketByHand": "SELECT ordinal, CAST(sum(Total) AS DOUBLE) / count(*) FROM owned GROUP BY ordinal",
    "LastProduct": "SELECT ordinal, Product FROM owned QUALIFY row_number() OVER (PARTITION BY ordinal ORDER BY "
    "OrderedOn DESC, OrderId DESC) = 1",
    "Dearest": "SELECT ordinal, Product FROM owned QUALIFY row_number() OVER (PARTITION BY ordinal ORDER BY "
    "Total DESC, OrderedOn DESC, OrderId DESC) = 1",
    "Products": "SELECT c.ordinal, count(DISTINCT o.Product) FROM Customer c LEFT JOIN owned o USING (ordinal) GROUP BY ALL",
    "Doubled": "SELECT ordinal, sum(CASE WHEN Total * 2 = 56 THEN 1 ELSE Total * 2 END) FROM owned GROUP BY ordinal",
    "Middle": "SELECT c.ordinal, coalesce(round(median(CAST(o.Total AS DOUBLE))), 0) FROM Customer c LEFT JOIN owned o "
    "USING (ordinal) GROUP BY ALL",
    "Everything": "SELECT c.ordinal, count(a.ActivityId) FROM Customer c LEFT JOIN UnifiedActivity a USING (ordinal) GROUP BY ALL",
    "Criteria": "SELECT c.ordinal, count(o.OrderId) FROM Customer c LEFT JOIN (FROM owned WHERE Total >= 50 AND Quantity "
    "IS NOT NULL) o USING (ordinal) GROUP BY ALL",
    "Points": "SELECT m.ordinal, max(RewardPoints) FROM loyalty_Members JOIN members m ON m.entity = 'loyalty.Members' "
    "AND m.key = LoyaltyId GROUP BY ALL",
    "Share": "SELECT ordinal, CAST(sum(Total) AS DOUBLE) / (SELECT CAST(sum(Total) AS DOUBLE) FROM web_Orders) FROM owned "
    "GROUP BY ordinal",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_attributes_as_sql_by_hand(acme, name):
    wanted = dict(tuple(r.values()) for r in acme.sql(f"{OWNED} {BY_HAND[name]}").rows())
    found = {r["ordinal"]: r["v"] for r in acme.sql(f'SELECT ordinal, "{name}" AS v FROM Customer_Measure').rows()}
    assert len(found) == len(acme.customers())
    assert found == {ordinal: wanted.get(ordinal) for ordinal in found}
    assert len({v for v in found.values() if v is not None}) > 1, "a measure with one value shows nothing"


def test_tables_as_sql_by_hand(acme):
    spend = f"{OWNED} SELECT ordinal, date_trunc('month', OrderedOn)::DATE AS m, sum(Total) AS s, count(*) AS n FROM owned GROUP BY ALL"
    wanted = {(r["ordinal"], r["m"]): (r["s"], r["n"], float(r["s"]) / r["n"]) for r in acme.sql(spend).rows()}
    found = acme.measure("ByMonth").values().rows()
    assert {(r["ordinal"], r["Month"]): (r["Spend"], r["Number"], r["Mean"]) for r in found} == wanted
    assert list(found[0]) == ["CustomerId", "ordinal", "Month", "Spend", "Number", "Mean"]
    ids = {r["ordinal"]: r["CustomerId"] for r in acme.customers().rows()}
    assert all(ids[r["ordinal"]] == r["CustomerId"] for r in found)
    assert acme.measure("BestMonth").value() == max(r["Spend"] for r in found)


def test_business_measures_as_sql_by_hand(acme):
    [total] = acme.sql("SELECT sum(Total) AS t FROM web_Orders").rows()
    assert acme.measure("Revenue").value() == total["t"]
    cities = acme.sql(f"{OWNED} SELECT City, sum(Total) AS t FROM web_Orders LEFT JOIN (SELECT OrderId, min(ordinal) AS o FROM "
                      "owned GROUP BY ALL) USING (OrderId) LEFT JOIN Customer c ON c.ordinal = o GROUP BY City").rows()  # fmt: skip
    assert {(r["City"], r["ByCity"]) for r in acme.measure("ByCity").values().rows()} == {
        tuple(r.values()) for r in cities
    }
    assert sum(r["ByCity"] for r in acme.measure("ByCity").values().rows()) == total["t"]
    [loyal] = acme.sql("SELECT count(*) AS n FROM Customer_Measure WHERE Orders >= 2").rows()
    assert acme.measure("Loyal").value() == loyal["n"] > 0
    assert acme.measure("Ratio").value() == loyal["n"] / float(total["t"])


def test_the_model_reaches_measures(acme):
    model = model_of(acme.engine(), acme.project())
    assert model.attribute("Customer", "TotalSpend")[0] == ("Customer_Measure",)
    assert model.end("Customer", ("Measure_ByMonth",)) == "Measure_ByMonth"
    assert model.end("Measure_ByMonth", ("Customer",)) == "Customer"
    assert "Measure_Revenue" in model.catalog.tables


def test_nothing_but_the_results_is_kept(acme):
    assert {t for t in acme.tables() if "easur" in t} == {
        "Customer_Measure", "Measure_Revenue", "Measure_Loyal", "Measure_ByMonth", "Measure_ByCity", "Measure_BestMonth",
        "Measure_Ratio"}  # fmt: skip
    columns = acme.table("Customer_Measure").columns
    attributes = [n for n, m in acme.project().measures.items() if m.kind == "attribute" and m.active]
    assert columns == ["CustomerId", "ordinal", *attributes]


def test_the_report_has_the_figures(acme):
    reports = {(r.measure, r.column): r for r in acme.report().measures}
    spend = reports["TotalSpend", "TotalSpend"]
    [wanted] = acme.sql("SELECT count(*) AS n, count(*) - count(TotalSpend) AS nulls, min(TotalSpend)::VARCHAR AS low, "
                        "max(TotalSpend)::VARCHAR AS high, avg(TotalSpend) AS mean FROM Customer_Measure").rows()  # fmt: skip
    assert [spend.rows, spend.nulls, spend.min, spend.max] == list(wanted.values())[:4]
    assert spend.mean == pytest.approx(wanted["mean"])
    assert reports["LastProduct", "LastProduct"].max is None, "texts are somebody's data"
    assert ("Idle", "Idle") not in reports
    assert "measures" in [s.stage for s in acme.report().stages]


PEOPLE = [
    {"Id": "C1", "Mail": "ann@x.example"},
    {"Id": "C2", "Mail": "bea@x.example"},
    {"Id": "C3", "Mail": "cy@x.example"},
]


def shop(people, orders, measures=None):
    import pandas as pd

    project = {
        "sources": {"crm": {"People": {"key": "Id"}},
                    "web": {"Orders": {"key": "No", "type": "activity", "timestamp": "At",
                                       "columns": {"Total": "decimal(9,2)", "At": "date"}}}},
        "conflation": {"order": ["crm.People"], "dedupe": {"crm.People": [{"name": "mail", "when": [{"field": "Mail"}]}]}},
        "relationships": {"orders": "web.Orders.Who -> crm.People.Id"},
        "measures": measures or {"Spend": {"sum": "Total", "of": "web.Orders"},
                     "All": {"sum": "Total", "of": "web.Orders", "kind": "business"},
                     "Monthly": {"sum": "Total", "of": "web.Orders", "by": {"Month": {"value": "At", "bucket": "month"}}}},
    }  # fmt: skip
    rows = [{"No": str(n), "Who": who, "Total": total, "At": "2024-01-31"} for n, (who, total) in enumerate(orders)]
    return project, {"crm.People": pd.DataFrame(people), "web.Orders": pd.DataFrame(rows)}


# ── before it is saved, and again ────────────────────────────────────────────────────────────────────────────────────


SOLD = [("C1", "10.00"), ("C2", "5.00"), ("C2", "2.00"), ("C3", "1.00"), ("nobody", "4.00")]
ORDERS = {"count": True, "of": "web.Orders"}


def test_a_preview_is_what_the_next_refresh_gives(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop(PEOPLE, SOLD, {"Orders": ORDERS})
        acme.run(project, frames=frames)
        before = acme.tables()
        new = {"avg": "Total div 3", "of": "web.Orders", "where": "Total gt 1.5"}
        seen = acme.preview_measure(new, name="Third", limit=1000)
        twice = acme.preview_measure("Orders mul 2", limit=2)
        assert [r["Preview"] for r in twice.rows.to_pylist()] == [2, 4]
        assert acme.tables() == before
        assert acme.project().measures.keys() == {"Orders"}, "a preview keeps nothing"
        acme.refresh({**project, "measures": {"Orders": ORDERS, "Third": new}})
        kept = acme.measure("Third").values().rows()
        assert {tuple(r.items()) for r in seen.rows.to_pylist()} == {tuple(r.items()) for r in kept}
        assert seen.reports == acme.measure("Third").report()


def test_a_refresh_carries_everything_else_over(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop(PEOPLE, SOLD)
        acme.run(project, frames=frames)
        before, spend = acme.tables(), acme.measure("Spend").values().rows()
        assert acme.measure("All").value() == Decimal("22.00"), "what nobody bought is business too"
        doubled = {**project, "measures": {"Spend": {"sum": "Total mul 2", "of": "web.Orders"}}}
        report = acme.refresh(doubled)
        assert [s.stage for s in report.stages] == ["measures", "publish"]
        assert {n: rows for n, rows in before.items() if not n.startswith("Measure_")} == acme.tables()
        now = acme.measure("Spend").values().rows()
        assert [r["Spend"] for r in now] == [r["Spend"] * 2 for r in spend]
        assert acme.refresh().measures == report.measures
        assert acme.ingest(doubled, frames=frames).measures == []
        assert acme.measure("Spend").values().rows() == now, "an ingest carries measures over"
        assert acme.conflate().measures == report.measures
        with pytest.raises(SpecError, match="conflation changed since the customers were made"):
            acme.refresh({**doubled, "conflation": {**project["conflation"], "order": ["crm.People", "web.Orders"]}})


def test_there_is_nothing_to_refresh_before_the_first_run(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme, pytest.raises(SpecError, match="no customers"):
        acme.refresh(sample({}), base=SAMPLE)


# ── history ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_history_over_three_runs_in_which_two_customers_became_one(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme:
        orders = [("C1", "10.00"), ("C2", "5.00"), ("C3", "1.00")]
        project, frames = shop(PEOPLE, orders)
        acme.run(project, frames=frames)
        first, second = (acme.customer(f"crm.People:{key}").CustomerId for key in ("C1", "C2"))
        project, frames = shop(PEOPLE, [*orders, ("C2", "2.50")])
        acme.run(project, frames=frames)
        joined = [PEOPLE[0], {**PEOPLE[1], "Mail": "ann@x.example"}, PEOPLE[2]]
        project, frames = shop(joined, [*orders, ("C2", "2.50")])
        acme.run(project, frames=frames)

        survivor = acme.customer("crm.People:C2").CustomerId
        assert survivor == acme.customer("crm.People:C1").CustomerId
        history = [
            (r["generation"], r["CustomerId"], r["Spend"])
            for r in acme.measure("Spend").history("crm.People:C2").rows()
        ]
        assert sorted(history) == sorted([
            (1, first, Decimal("10.00")), (1, second, Decimal("5.00")),
            (2, first, Decimal("10.00")), (2, second, Decimal("7.50")),
            (3, survivor, Decimal("17.50")),
        ])  # fmt: skip
        retired = ({first, second} - {survivor}).pop()
        assert acme.measure("Spend").history(retired).rows() == acme.measure("Spend").history(survivor).rows()
        monthly = acme.measure("Monthly").history(survivor).rows()
        assert [(r["generation"], r["Monthly"]) for r in monthly if r["generation"] == 3] == [(3, Decimal("17.50"))]

        figures = acme.measure("All").history().rows()
        assert [(r["run"], r["max"]) for r in figures] == [(1, "16.00"), (2, "18.50"), (3, "18.50")]
        assert [(r["run"], r["rows"]) for r in acme.measure("Spend").history().rows()] == [(1, 3), (2, 3), (3, 2)]
        with pytest.raises(QueryError, match="about the business"):
            acme.measure("All").history(survivor)
        assert acme.measure("Spend").value("crm.People:C1") == Decimal("17.50")


# ── dependencies and refusals ────────────────────────────────────────────────────────────────────────────────────────


def test_diamonds_are_fine_and_inactive_measures_are_left_out(acme):
    seen = acme.preview_measure({"value": "Basket add Share mul 0 sub Basket"}, limit=5)
    assert {r["Preview"] for r in seen.rows.to_pylist()} == {0.0}
    with pytest.raises(SpecError, match="has no attribute 'Idle'"):
        acme.preview_measure("Idle add 1")
    with pytest.raises(QueryError, match="has not been worked out: it is not active"):
        acme.measure("Idle").values()


def test_a_cycle_is_named():
    measures = {"A": "B add 1", "B": "C mul 2", "C": {"of": "web.Orders", "sum": "Total", "where": "Customer/A gt 1"}}
    project, frames = shop(PEOPLE, SOLD, measures)
    found = unify.validate(project, frames=frames).problems
    assert len(found) == 1
    assert re.search(r"measures are made of each other: (A → B → C → A|B → C → A → B|C → A → B → C)", found[0])


REFUSED = [
    ({"sum": "Totl", "of": "web.Orders"}, "measures.M.sum, character 1: web.Orders has no attribute 'Totl' (did you mean Total?"),
    ({"sum": "Total", "of": "web.Order"}, "measures.M.of: there are no rows called 'web.Order' (did you mean web.Orders"),
    ({"sum": "Product", "of": "web.Orders"}, "measures.M.sum: sum of string is not possible"),
    ({"max": "now() sub OrderedOn", "of": "web.Orders"}, "measures.M.max: a measure cannot be a duration (make it a number"),
    ({"count": True, "of": "web.Orders", "where": "Totals gt 3"}, "measures.M.where, character 1: web.Orders has no attribute 'Totals'"),
    ({"count": True, "of": "web.Orders", "where": "Total gt"}, "measures.M.where, character 9: unexpected the end"),
    ({"first": "FirstName", "of": "crm.Contacts"}, "measures.M.first: crm.Contacts has no timestamp to be first by"),
    ({"count": True, "of": "crm.Contacts", "period": "last 3 days"}, "measures.M.period: crm.Contacts has no timestamp"),
    ({"sum": "Total", "of": "web.Orders", "default": "much"}, "measures.M.default: 'much' is no decimal(38,2)"),
    ({"sum": "Total", "of": "web.Orders", "default": 0.005}, "measures.M.default: 0.005 is no decimal(38,2)"),
    ({"min": "Product", "of": "web.Orders", "whole": True}, "measures.M: string cannot be rounded"),
    ({"count": True, "of": "web.Orders", "by": {"D": {"value": "Product", "bucket": "day"}}}, "measures.M.by.D: string has no day"),
    ({"count": True, "of": "web.Orders", "by": {"M": "Product"}}, "measures.M: a part of it is called M too"),
    ({"sum": "V", "of": "web.Orders", "variables": {"V": {"value": "Total", "nulls": "x"}}}, "measures.M.variables.V.nulls: 'x' is no decimal"),
    ({"sum": "V", "of": "web.Orders", "variables": {"V": "Totl add 1"}}, "measures.M.variables.V, character 1: web.Orders has no attribute"),
    ({"sum": "Total", "of": "web.Orders", "variables": {"Total": "Total add 1"}}, "measures.M.variables.Total: web.Orders has a column 'Total'"),
    ({"sum": "Total", "of": "web.Orders", "path": ["crm_Contacts"]}, "measures.M.path: the path ends at crm.Contacts (add the relations"),
    ({"sum": "Total", "of": "web.Orders", "path": ["nowhere"]}, "measures.M.path: Customer has no relation 'nowhere'"),
    ({"sum": "Total", "of": "web.Orders", "where": {"top": 3, "by": "Total"}}, "measures.M.where"),
    ({"value": "Nothing add 1"}, "measures.M.value, character 1: Customer has no attribute 'Nothing'"),
    ({"kind": "business", "value": "TotalSpend add 1"}, "measures.M.value: TotalSpend is no single value"),
    ({"count": True, "of": "TotalSpend"}, "measures.M.of: TotalSpend is an attribute of customers, not rows"),
    ({"template": "transaction_count"}, "measures.M: online_order, store_purchase are all activities of SalesOrder"),
    ({"template": "transaction_count", "of": "online_orders"}, "measures.M.of: there is no activity 'online_orders' (did you mean online_order?"),
    ({"template": "loyalty_points_earned", "of": "online_order"}, "measures.M: the activity has no field PointsEarned"),
    ({"template": "transaction_count", "of": "online_order", "fields": {"Amount": "Total"}}, "no template has a field Amount"),
]  # fmt: skip


@pytest.mark.parametrize(("measure", "message"), REFUSED)
def test_a_wrong_measure_is_refused(acme, measure, message):
    with pytest.raises(SpecError) as error:
        acme.preview_measure(measure, name="M")
    assert message in str(error.value).replace("\n  → ", " (")


@pytest.mark.parametrize(("measure", "message"), [
    ({"sum": "Total"}, "over which rows? Add `of"),
    ({"of": "web.Orders"}, "what is measured?"),
    ({"sum": "A", "max": "B", "of": "web.Orders"}, "one of sum and max, please"),
    ({"sum": "A", "of": "web.Orders", "calculate": {"B": {"count": True}}}, "goes under `calculate` too"),
    ({"value": "A", "of": "web.Orders"}, "put those over rows under `calculate`"),
    ({"value": "A", "where": "B eq 1"}, "where need rows: add `of`"),
    ({"count": False, "of": "web.Orders"}, "counts nothing"),
    ({"sum": "A", "of": "web.Orders", "period": "30 days"}, "is no period: write e.g. `last 30 days`"),
    ({"kind": "attribute", "sum": "A", "of": "web.Orders", "by": ["B"]}, "an attribute of customers has no dimensions"),
    ({"kind": "attribute", "of": "web.Orders", "calculate": {"A": {"sum": "a"}, "B": {"sum": "b"}}}, "is one value: add `value`"),
    ({"of": "web.Orders", "calculate": {"A": {"sum": "a"}, "a": {"sum": "b"}}}, "differ only in case"),
    ({"of": "web.Orders", "calculate": {"Ordinal": {"sum": "a"}, "b": {"sum": "b"}}}, "the name of a column that is there"),
    ({"of": "web.Orders", "by": ["A"], "calculate": {"A": {"sum": "a"}}}, "need names of their own"),
    ({"of": "web.Orders", "by": ["x/A", "y/A"], "count": True}, "two dimensions would be called A"),
    ({"template": "transaction_count", "sum": "A"}, "leave out sum"),
    ({"sum": "A", "of": "web.Orders", "fields": {"OrderTotal": "A"}}, "`fields` go with a `template`"),
    ({"summ": "A", "of": "web.Orders"}, "unknown key; did you mean sum?"),
    ({"template": "life"}, "'life' is none of what may stand here"),
])  # fmt: skip
def test_a_noun_that_makes_no_sense(measure, message):
    with pytest.raises(SpecError) as error:
        measure_of("M", measure)
    assert message in str(error.value)


def test_all_problems_are_told_at_once_and_each_once(tmp_path):
    wrong = {"A": {"sum": "Totl", "of": "web.Orders"}, "B": "A add 1", "C": {"count": True, "of": "web.Nothing"}}
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop(PEOPLE, SOLD)
        acme.run(project, frames=frames)
        with pytest.raises(SpecError) as error:
            acme.run({**project, "measures": wrong}, frames=frames)
        places = [line.partition(": ")[0] for line in error.value.message.split("\n")]
        assert places == ["measures.A.sum, character 1", "measures.C.of"]
        assert acme.published().number == 1, "the run stops, and what was published stays"
        assert unify.validate({**project, "measures": wrong}, frames=frames).problems == error.value.message.split("\n")
        without = {k: v for k, v in project.items() if k != "conflation"}
        assert "measures: there is no conflation plan" in unify.validate(without, frames=frames).problems[-1]


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────────

T = {name: {"template": name, "of": "online_order"} for name in TEMPLATES if not name.startswith("loyalty")}
FIELDS = {"PointsEarned": "Quantity", "PointsRedeemed": "Total"}
T |= {n: {"template": n, "of": "web.Orders", "fields": FIELDS} for n in TEMPLATES if n.startswith("loyalty")}
MONTHS = "(date_diff('month', min(OrderedOn), max(OrderedOn)) + 1)"
T_BY_HAND = {
    "total_transaction_value": "sum(Total)", "average_transaction_value": "CAST(sum(Total) AS DOUBLE) / count(*)",
    "transaction_count": "count(*)",
    "average_daily_revenue": "CAST(sum(Total) AS DOUBLE) / (date_diff('day', min(OrderedOn), max(OrderedOn)) + 1)",
    "average_monthly_revenue": f"CAST(sum(Total) AS DOUBLE) / {MONTHS}",
    "average_yearly_revenue": "CAST(sum(Total) AS DOUBLE) / (year(max(OrderedOn)) - year(min(OrderedOn)) + 1)",
    "loyalty_points_earned": "sum(Quantity)", "loyalty_points_redeemed": "sum(Total)",
    "loyalty_points_balance": "sum(Quantity) - sum(Total)",
    "active_lifespan": "date_diff('day', min(OrderedOn), max(OrderedOn))",
    "membership_duration": "date_diff('day', min(OrderedOn), DATE '2024-06-15')",
    "time_since_last_purchase": "date_diff('day', max(OrderedOn), DATE '2024-06-15')",
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_as_sql_by_hand(acme, name):
    seen = acme.preview_measure(T[name], name="T", limit=10_000, clock=CLOCK)
    wanted = {r["c"]: r["v"] for r in acme.sql(
        f"{OWNED} SELECT CustomerId AS c, {T_BY_HAND[name]} AS v FROM owned JOIN Customer USING (ordinal) GROUP BY ALL").rows()}  # fmt: skip
    found = {r["CustomerId"]: r["T"] for r in seen.rows.to_pylist()}
    nothing = {"transaction_count": 0, "loyalty_points_balance": 0}.get(name)
    assert found == {c: wanted.get(c, nothing) for c in found}
    assert len(wanted) > 100


def test_a_template_can_be_shown_and_keeps_what_was_said(acme):
    given = measure_of("T", {**T["transaction_count"], "period": "last 12 months", "default": 0, "title": "Orders"})
    ordinary = expand(acme.project(), "T", given)
    assert ordinary == measure_of(
        "T", {"count": True, "of": "web.Orders", "period": "last 12 months", "default": 0, "title": "Orders"}
    )


def test_a_period_ends_today(acme):
    seen = acme.preview_measure(
        {"count": True, "of": "web.Orders", "kind": "business", "period": "last 1 month"}, clock=CLOCK
    )
    [wanted] = acme.sql(
        "SELECT count(*) AS n FROM web_Orders WHERE OrderedOn > DATE '2024-05-15' AND OrderedOn <= DATE '2024-06-15'"
    ).rows()
    assert seen.rows.to_pylist() == [{"Preview": wanted["n"]}]
    assert wanted["n"] > 0


# ── the publisher's Contoso ──────────────────────────────────────────────────────────────────────────────────────────

CONTOSO_PROJECT = {
    "name": "contoso",
    "sources": {
        "crm": {"Contacts": {"files": "Contact.csv", "key": "ContactId",
                             "columns": {"Telephone": "string", "DateOfBirth": "date", "CreatedOn": "date"}}},
        "loyalty": {"Members": {"files": "Customer-Loyalty.csv", "key": "LoyaltyId",
                                "columns": {"Telephone": "string", "DateOfBirth": "date", "CreatedOn": "date"}}},
        "web": {"Orders": {"files": "OnlinePurchases.csv", "key": "PurchaseId", "type": "activity", "timestamp": "PurchasedOn"}},
        "pos": {"Purchases": {"files": "POSPurchases.csv", "key": "PurchaseId", "type": "activity", "timestamp": "PurchasedOn"}},
    },
    "conflation": {"order": ["crm.Contacts", "loyalty.Members"], "match": {"loyalty.Members -> crm.Contacts": [
        {"name": "e-mail", "when": [{"field": "EMail", "normalize": ["lower"]}]}]}},
    "relationships": {"purchases": "pos.Purchases.LoyaltyId -> loyalty.Members.LoyaltyId",
                      "orders": "web.Orders.ContactId -> crm.Contacts.ContactId"},
    "measures": {
        "Online": {"sum": "TotalPrice", "of": "web.Orders"}, "Store": {"sum": "TotalPrice", "of": "pos.Purchases"},
        "Both": {"value": "Online add Store"},
        "ByYear": {"kind": "business", "sum": "TotalPrice", "of": "web.Orders",
                   "by": {"Year": {"value": "PurchasedOn", "bucket": "year"}}},
    },
}  # fmt: skip


def test_contoso_spend_as_sql_by_hand_over_the_files(tmp_path):
    if not CONTOSO.is_dir():
        pytest.skip("the publisher's Contoso files are not beside the project")
    import duckdb

    with unify.open(tmp_path / "instance", create=True) as acme:
        acme.run(CONTOSO_PROJECT, base=CONTOSO)
        raw = duckdb.sql(
            "SELECT DISTINCT PurchaseId, ContactId AS key, CAST(TotalPrice AS DECIMAL(18,4)) AS price "
            f"FROM read_csv('{CONTOSO / 'OnlinePurchases.csv'}', all_varchar = true)").to_arrow_table()  # fmt: skip
        with acme.connect() as db:
            db.register("raw", raw)
            wanted = dict(db.execute(
                "SELECT m.CustomerId, CAST(sum(price) AS DOUBLE) FROM raw JOIN members AS m ON m.entity = 'crm.Contacts' "
                "AND m.key = raw.key GROUP BY ALL").fetchall())  # fmt: skip
        found = {
            r["CustomerId"]: float(r["Online"])
            for r in acme.measure("Online").values().rows()
            if r["Online"] is not None
        }
        assert found == pytest.approx(wanted)
        assert len(found) > 1000
        years = {r["Year"].year: float(r["ByYear"]) for r in acme.measure("ByYear").values().rows()}
        assert sum(years.values()) == pytest.approx(sum(float(p) for p in raw["price"].to_pylist()))
