"""Requests over the sample: every row as SQL by hand has it, expansions as a walk by hand has them."""

import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import unify
from segments.model import Model, model_of
from segments.odata.answers.answer import answer
from segments.predicates.fields import Catalog, Table
from unify.core.documents import project_of
from unify.core.errors import NotFoundError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"
at = datetime.fromisoformat
CLOCK = at("2025-06-01T12:00")


class World:
    """The sample, with a segment made by hand beside it."""

    def __init__(self, acme):
        self.engine, self.acme = acme.engine(), acme
        self.engine.load("vips", self.sql("SELECT ordinal FROM Customer WHERE Tier = 'gold'"))
        self.model = model_of(self.engine, acme.project(), segments={"Vip": "vips"})

    def sql(self, text):
        return self.engine.fetch(Query(text))

    def ask(self, request, **options):
        return answer(request, self.engine, self.model, clock=CLOCK, **options)

    def rows(self, request):
        """All rows of a set, as Arrow has them."""
        return pa.concat_tables([p.arrow() for p in self.ask(request).pages()]).to_pylist()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with unify.open(tmp_path_factory.mktemp("odata") / "i", create=True) as acme:
        acme.run(SAMPLE)
        yield World(acme)


C = "SELECT CustomerId FROM Customer"
BY_HAND = {
    "Customer?$select=CustomerId": f"{C} ORDER BY 1",
    "Customer?$filter=City eq 'Eastwick'&$select=CustomerId": f"{C} WHERE City = 'Eastwick' ORDER BY 1",
    "Customer?$filter=City ne 'Eastwick'&$select=CustomerId": f"{C} WHERE City IS DISTINCT FROM 'Eastwick' ORDER BY 1",
    "Customer?$filter=Tier eq null and City in ('Eastwick','Northford')&$select=CustomerId": f"{C} WHERE Tier IS NULL AND City IN ('Eastwick', 'Northford') ORDER BY 1",
    "Customer?$select=FullName,City&$orderby=City desc,FullName&$top=40": "SELECT FullName, City FROM Customer ORDER BY City DESC NULLS LAST, FullName NULLS FIRST, CustomerId LIMIT 40",
    "Customer?$select=FullName,Tier&$orderby=Tier&$top=250": "SELECT FullName, Tier FROM Customer ORDER BY Tier NULLS FIRST, CustomerId LIMIT 250",
    "Customer?$select=CustomerId&$orderby=year(DateOfBirth) desc&$skip=10&$top=20": f"{C} ORDER BY year(DateOfBirth) DESC NULLS LAST, 1 LIMIT 20 OFFSET 10",
    "Customer?$select=CustomerId&$orderby=UnifiedActivity/$count desc&$top=30": f"{C} AS c ORDER BY (SELECT count(*) FROM UnifiedActivity AS a WHERE a.ordinal = c.ordinal) DESC, 1 LIMIT 30",
    "Customer?$filter=UnifiedActivity/any(a:a/Title eq 'Lamp')&$select=CustomerId": f"{C} WHERE ordinal IN (SELECT ordinal FROM UnifiedActivity WHERE Title = 'Lamp') ORDER BY 1",
    "Customer?$filter=IsMemberOfSegment('Vip') and City ne null&$select=CustomerId": f"{C} WHERE Tier = 'gold' AND City IS NOT NULL ORDER BY 1",
    "Customer?$filter=startswith(City,'E')&IsMemberOfSegment('Vip')&$select=CustomerId": f"{C} WHERE Tier = 'gold' AND City LIKE 'E%' ORDER BY 1",
    "Customer?$filter=not IsMemberOfSegment(Vip)&$select=CustomerId": f"{C} WHERE Tier IS DISTINCT FROM 'gold' ORDER BY 1",
    "Customer?$filter=TotalSpend gt 300&$select=CustomerId,TotalSpend": "SELECT c.CustomerId, TotalSpend FROM Customer AS c JOIN Customer_Measure USING (ordinal) WHERE TotalSpend > 300 ORDER BY 1",
    "Customer?$select=CustomerId,TotalSpend&$orderby=TotalSpend desc&$top=5": "SELECT c.CustomerId, TotalSpend FROM Customer AS c JOIN Customer_Measure USING (ordinal) WHERE TotalSpend IS NOT NULL ORDER BY 2 DESC, 1 LIMIT 5",
    "Customer?$compute=length(FullName) add 1 as L,L mul 2 as M&$filter=L gt 20&$select=L,M,CustomerId&$orderby=M desc": "SELECT length(FullName) + 1 AS L, 2 * (length(FullName) + 1) AS M, CustomerId FROM Customer WHERE length(FullName) >= 20 ORDER BY 1 DESC, 3",
    "Customer?$filter=City eq @c&@c='Eastwick'&$select=CustomerId": f"{C} WHERE City = 'Eastwick' ORDER BY 1",
    "Customer?$search=whitf&$select=CustomerId": f"{C} WHERE regexp_matches(concat_ws(' ', FullName, FirstName, LastName, EMail), '(?i)(^|[^a-z])whitf') ORDER BY 1",
    "Customer?$search=Yarborough OR Ingersoll&$select=CustomerId&$filter=City eq 'Eastwick'": f"{C} WHERE City = 'Eastwick' AND (FullName ILIKE '%yarborough%' OR FullName ILIKE '%ingersoll%' OR EMail ILIKE '%yarborough%' OR EMail ILIKE '%ingersoll%') ORDER BY 1",
    "Customer?$search=\"Alan Yarborough\"&$select=CustomerId": f"{C} WHERE FullName ILIKE '%alan yarborough%' ORDER BY 1",
    "Customer?$search=gold AND Eastwick NOT inbox&$select=CustomerId": f"{C} WHERE Tier = 'gold' AND (City = 'Eastwick' OR Street ILIKE '%eastwick%') AND NOT concat_ws(' ', EMail) ILIKE '%@inbox%' ORDER BY 1",
    "UnifiedActivity?$filter=ActivityType eq 'SalesOrder' and ActivityTime gt 2025-01-01T00:00:00Z and ActivityTime lt 2025-02-01T00:00:00Z&$orderby=ActivityTime asc&$select=ActivityId,ActivityTime": "SELECT ActivityId, ActivityTime FROM UnifiedActivity WHERE ActivityType = 'SalesOrder' AND ActivityTime > '2025-01-01' AND ActivityTime < '2025-02-01' ORDER BY 2, 1",
    "UnifiedActivity?$filter=ActivityTime gt now() sub duration'P30D'&$select=ActivityId": "SELECT ActivityId FROM UnifiedActivity WHERE ActivityTime > TIMESTAMP '2025-05-02 12:00:00' ORDER BY 1",
    "UnifiedActivity?$filter=Customer/City eq 'Eastwick'&$select=ActivityId": "SELECT ActivityId FROM UnifiedActivity WHERE ordinal IN (SELECT ordinal FROM Customer WHERE City = 'Eastwick') ORDER BY 1",
    "web_Orders?$filter=Total gt 100 and Quantity le 2&$orderby=Total desc": "SELECT * FROM web_Orders WHERE Total > 100 AND Quantity <= 2 ORDER BY Total DESC, OrderId",
    "web.Orders?$filter=orders/City eq 'Eastwick'&$select=OrderId": "SELECT OrderId FROM web_Orders SEMI JOIN (SELECT UserId FROM web_SignUps WHERE City = 'Eastwick') USING (UserId) ORDER BY 1",
    "web_Reviews?$search=Lamp&$select=ReviewId": "SELECT ReviewId FROM web_Reviews WHERE regexp_matches(concat_ws(' ', Product, Text), '(?i)(^|[^a-z])lamp') ORDER BY 1",
    "Customer_Measure?$filter=TotalSpend gt 500&$select=CustomerId,TotalSpend": "SELECT CustomerId, TotalSpend FROM Customer_Measure WHERE TotalSpend > 500 ORDER BY 1",
    "Customer/$filter(City eq 'Eastwick')?$select=CustomerId&$filter=Tier eq 'gold'": f"{C} WHERE City = 'Eastwick' AND Tier = 'gold' ORDER BY 1",
    "Customer?$top=0": "SELECT * EXCLUDE ordinal FROM Customer LIMIT 0",
    "Customer?$skip=100000": "SELECT * EXCLUDE ordinal FROM Customer LIMIT 0",
}  # fmt: skip


@pytest.mark.parametrize("request_", BY_HAND)
def test_rows_are_those_of_sql_by_hand(world, request_):
    wanted = world.sql(BY_HAND[request_]).to_pylist()
    found = world.rows(request_)
    assert found == wanted
    assert wanted or "$top=0" in request_ or "$skip" in request_, "a question whose answer is empty shows nothing"


def test_a_whole_row_has_every_column_but_the_ordinal(world):
    [row] = world.ask("Customer?$top=1").value
    columns = [c for c in world.engine.columns("Customer") if c != "ordinal"]
    assert list(row) == columns
    assert None in row.values(), "nulls are there"


@pytest.mark.parametrize(
    ("request_", "sql"),
    [
        ("Customer/$count", "SELECT count(*) FROM Customer"),
        ("Customer/$count?$filter=City eq 'Eastwick'", "SELECT count(*) FROM Customer WHERE City = 'Eastwick'"),
        ("Customer/$count?IsMemberOfSegment('Vip')", "SELECT count(*) FROM vips"),
        ("Customer/$filter(Tier eq 'gold')/$count", "SELECT count(*) FROM Customer WHERE Tier = 'gold'"),
        ("web_Orders/$count?$search=Lamp", "SELECT count(*) FROM web_Orders WHERE Product = 'Lamp'"),
    ],
)
def test_counts(world, request_, sql):
    wanted = world.sql(sql).column(0)[0].as_py()
    found = world.ask(request_)
    assert (found.value, found.body(), found.content_type) == (wanted, str(wanted), "text/plain; charset=utf-8")
    assert wanted > 0


def test_a_count_beside_the_page_counts_what_top_and_skip_leave_out(world):
    wanted = world.sql("SELECT count(*) FROM Customer WHERE Tier = 'gold'").column(0)[0].as_py()
    for more in ("&$top=1", "&$skip=3&$top=2", "&$top=0", "&$skip=100000", ""):
        pages = list(world.ask(f"Customer?$filter=Tier eq 'gold'&$count=true{more}", page_size=7).pages())
        assert {page.count for page in pages} == {wanted}
        assert json.loads(pages[0].json())["@odata.count"] == wanted


# ── expansions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def grouped(table, column):
    found = defaultdict(list)
    for row in table.to_pylist():
        found[row[column]].append(row)
    return found


def test_expansions_are_what_a_walk_by_hand_finds(world):
    activities = grouped(
        world.sql("SELECT * FROM UnifiedActivity ORDER BY ActivityTime DESC NULLS LAST, ActivityId"), "CustomerId"
    )
    measures = grouped(world.sql("FROM Customer_Measure"), "CustomerId")
    records = grouped(
        world.sql(
            "SELECT CustomerId, c.* FROM members AS m JOIN web_SignUps AS c ON m.entity = 'web.SignUps' AND m.key = c.UserId ORDER BY UserId"
        ),
        "CustomerId",
    )
    orders = grouped(world.sql("SELECT * FROM web_Orders ORDER BY OrderId"), "UserId")
    found = list(world.ask(
        "Customer?$select=CustomerId&$search=example&$filter=City ne null&$expand=UnifiedActivity($select=ActivityId,Title;"
        "$filter=ActivityType eq 'SalesOrder';$orderby=ActivityTime desc;$top=2;$skip=1;$count=true),Customer_Measure($select=CustomerId,TotalSpend),"
        "web_SignUps($select=UserId;$expand=orders($select=OrderId;$top=3)),web_Orders($select=OrderId),web_Reviews/$count",
        page_size=50,
    ).pages())  # fmt: skip
    rows = [row for page in found for row in page.value]
    reviews = grouped(
        world.sql("SELECT CustomerId FROM UnifiedActivity WHERE SourceTableName = 'web_Reviews'"), "CustomerId"
    )
    assert len(rows) > 300
    for row in rows:
        id_ = row["CustomerId"]
        sales = [a for a in activities[id_] if a["ActivityType"] == "SalesOrder"]
        assert row["UnifiedActivity"] == [{k: a[k] for k in ("ActivityId", "Title")} for a in sales[1:3]]
        assert row["UnifiedActivity@odata.count"] == len(sales)
        one = measures[id_]
        assert row["Customer_Measure"] == ({k: one[0][k] for k in ("CustomerId", "TotalSpend")} if one else None)
        assert row["web_SignUps"] == [
            {"UserId": r["UserId"], "orders": [{"OrderId": o["OrderId"]} for o in orders[r["UserId"]][:3]]}
            for r in records[id_]
        ]
        own = [o["OrderId"] for r in records[id_] for o in orders[r["UserId"]]]
        assert [o["OrderId"] for o in row["web_Orders"]] == sorted(own)
        assert row["web_Reviews@odata.count"] == len(reviews[id_])
    assert sum(len(r["web_SignUps"]) > 1 for r in rows) > 0, "alternate records are there"
    assert sum(row["Customer_Measure"]["TotalSpend"] is not None for row in rows) > 20


def test_a_to_one_relation_gives_one_row_and_leads_on(world):
    rows = world.ask(
        "web_Orders?$select=OrderId&$expand=orders($select=UserId;$expand=reviews($select=ReviewId))&$top=1000",
        page_size=1000,
    ).value
    users = {o["OrderId"]: o["UserId"] for o in world.sql("FROM web_Orders").to_pylist()}
    known = {u["UserId"] for u in world.sql("SELECT UserId FROM web_SignUps").to_pylist()}
    reviews = grouped(world.sql("SELECT * FROM web_Reviews ORDER BY ReviewId"), "UserId")
    assert len(rows) == len(users)
    for row in rows:
        user = users[row["OrderId"]]
        wanted = (
            {"UserId": user, "reviews": [{"ReviewId": r["ReviewId"]} for r in reviews[user]]} if user in known else None
        )
        assert row["orders"] == wanted


def test_one_select_for_a_relation_whatever_the_rows(world, monkeypatch):
    asked = []
    fetch = world.engine.fetch
    monkeypatch.setattr(world.engine, "fetch", lambda query: asked.append(query) or fetch(query))
    world.ask("Customer?$expand=UnifiedActivity,web_SignUps($expand=orders)&$top=100")
    assert len(asked) == 4


def test_long_expansions_end_with_a_link_that_leads_on(world):
    wanted = world.ask(
        "Customer?$select=CustomerId&$expand=UnifiedActivity($select=ActivityId;$orderby=Title;$top=4)", page_size=1000
    ).value
    short = world.ask(
        "Customer?$select=CustomerId&$expand=UnifiedActivity($select=ActivityId;$orderby=Title;$top=4)",
        page_size=1000,
        expand_size=2,
    ).value
    linked = 0
    for row, whole in zip(short, wanted, strict=True):
        found = row["UnifiedActivity"]
        assert len(found) <= 2
        if link := row.get("UnifiedActivity@odata.nextLink"):
            linked += 1
            if linked < 40:
                found = found + [r for page in world.ask(link).pages() for r in page.value]
            else:
                continue
        assert found == whole["UnifiedActivity"]
    assert linked > 40


def test_options_inside_options(world):
    found = world.ask(
        "Customer?$select=CustomerId&$filter=City eq @c&@c='Eastwick'&$top=1000&$expand=UnifiedActivity($search=lamp OR desk;"
        "$compute=length(Title) as L;$filter=L ge @l;$select=Title,L,ActivityId;@l=4)", page_size=1000,
    )  # fmt: skip
    wanted = grouped(
        world.sql(
            "SELECT Title, length(Title) AS L, ActivityId, CustomerId FROM UnifiedActivity WHERE Title IN ('Lamp', 'Desk') ORDER BY 3"
        ),
        "CustomerId",
    )
    assert sum(len(row["UnifiedActivity"]) for row in found.value) > 10
    for row in found.value:
        assert row["UnifiedActivity"] == [
            {k: a[k] for k in ("Title", "L", "ActivityId")} for a in wanted[row["CustomerId"]]
        ]


def test_nothing_to_expand(world):
    assert (
        world.ask(
            "Customer?$skip=100000&$expand=UnifiedActivity,web_Orders,Customer_Measure,web_SignUps($expand=orders)"
        ).value
        == []
    )
    found = world.ask("Customer?$select=UnifiedActivity&$expand=UnifiedActivity($top=0;$count=true)&$top=3")
    assert [list(row) for row in found.value] == [["UnifiedActivity@odata.count", "UnifiedActivity"]] * 3
    assert all(row["UnifiedActivity"] == [] for row in found.value)


# ── $apply ───────────────────────────────────────────────────────────────────────────────────────────────────────────

APPLIED = {
    "Customer?$apply=groupby((City,Tier),aggregate($count as N))": "SELECT City, Tier, count(*) AS N FROM Customer GROUP BY ALL",
    "Customer?$apply=groupby((City),aggregate($count as N))&$filter=N gt 60&$compute=N mul 2 as M&$select=City,M": "SELECT City, 2 * count(*) AS M FROM Customer GROUP BY ALL HAVING count(*) > 60",
    "Customer?$apply=filter(City ne null)/groupby((City))&IsMemberOfSegment('Vip')": "SELECT DISTINCT City FROM Customer WHERE City IS NOT NULL AND Tier = 'gold'",
    "Customer?$apply=search(eastwick)/aggregate($count as N)": "SELECT count(*) AS N FROM Customer WHERE City = 'Eastwick' OR Street ILIKE '%eastwick%'",
    "web.Orders?$apply=groupby((Product),aggregate(Total with sum as T,Quantity with max as Q))": "SELECT Product, sum(Total) AS T, max(Quantity) AS Q FROM web_Orders GROUP BY ALL",
}  # fmt: skip


@pytest.mark.parametrize("request_", APPLIED)
def test_apply_gives_what_sql_by_hand_gives_page_by_page(world, request_):
    def comparable(rows):
        return sorted(rows, key=repr)

    wanted = world.sql(APPLIED[request_]).to_pylist()
    pages = list(world.ask(request_ + "&$count=true", page_size=3).pages())
    rows = [row for page in pages for row in page.arrow().to_pylist()]
    assert comparable(rows) == comparable(wanted)
    assert {page.count for page in pages} == {len(wanted)}
    assert len(pages) == max(1, -(-len(wanted) // 3))


def test_apply_sorted_and_cut(world):
    wanted = world.sql(
        "SELECT City, count(*) AS N FROM Customer GROUP BY ALL ORDER BY N DESC, City NULLS FIRST"
    ).to_pylist()
    request = "Customer?$apply=groupby((City),aggregate($count as N))&$orderby=N desc,City"
    assert world.rows(request) == wanted
    assert [
        row for page in world.ask(f"{request}&$skip=2&$top=5", page_size=2).pages() for row in page.value
    ] == wanted[2:7]
    assert world.ask("Customer/$count?$apply=groupby((City))").value == len(wanted)


def test_apply_over_related_rows_and_with_paths(world, someone):
    here = f"Customer('{someone['CustomerId']}')/UnifiedActivity"
    wanted = world.sql(f"SELECT count(*) AS N FROM UnifiedActivity WHERE ordinal = {someone['ordinal']}").to_pylist()
    assert world.ask(f"{here}?$apply=aggregate($count as N)").value == wanted
    found = world.ask(
        "UnifiedActivity?$apply=groupby((Customer/City),aggregate($count as N))&$filter=Customer/City eq 'Eastwick'"
    )
    [n] = (
        world.sql("SELECT count(*) FROM UnifiedActivity JOIN Customer USING (ordinal) WHERE City = 'Eastwick'")
        .column(0)
        .to_pylist()
    )
    assert found.value == [{"Customer": {"City": "Eastwick"}, "N": n}]
    assert found.context == "$metadata#UnifiedActivity(Customer/City,N)"
    assert found.csv() == f"Customer/City,N\r\nEastwick,{n}\r\n"


# ── keys and navigation ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def someone(world):
    """A customer with an alternate contact, orders and a city."""
    return world.sql(
        "SELECT c.CustomerId, c.ordinal, c.City, c.FullName, m.entity, m.key FROM Customer AS c JOIN members AS m USING (ordinal) "
        "JOIN UnifiedActivity AS a USING (ordinal) WHERE NOT m.is_winner AND m.entity = 'web.SignUps' AND City IS NOT NULL ORDER BY 1, 6 LIMIT 1"
    ).to_pylist()[0]  # fmt: skip


def test_every_way_to_address_one_customer(world, someone):
    id_ = someone["CustomerId"]
    wanted = world.ask(f"Customer?$filter=CustomerId eq '{id_}'").value[0]
    for path in (
        f"Customer('{id_}')", f"Customer(CustomerId='{id_}')", f"Customer(customerId='{id_}')", f"Customer(@k)?@k='{id_}'",
        f"Customer(web_SignUps_UserId='{someone['key']}')", f"Customer(%27{id_}%27)",
    ):  # fmt: skip
        found = world.ask(path)
        assert found.value == wanted, path
        assert found.context == "$metadata#Customer/$entity"
        assert found.document()["CustomerId"] == id_


def test_navigation_properties_and_their_tails(world, someone):
    here = f"Customer('{someone['CustomerId']}')"
    ordinal = someone["ordinal"]
    activities = world.sql(
        f"SELECT ActivityId, Title FROM UnifiedActivity WHERE ordinal = {ordinal} ORDER BY 1"
    ).to_pylist()
    assert world.ask(f"{here}/UnifiedActivity?$select=ActivityId,Title").value == activities
    assert world.ask(f"{here}/UnifiedActivity/$count").value == len(activities) > 0
    first = activities[0]
    assert world.ask(f"{here}/UnifiedActivity('{first['ActivityId']}')/Title").value == first["Title"]
    assert world.ask(f"{here}/FullName").document() == {
        "@odata.context": f"$metadata#{here}/FullName",
        "value": someone["FullName"],
    }
    assert world.ask(f"{here}/FullName/$value").body() == someone["FullName"]
    assert world.ask(f"{here}/$ref").value == {"@odata.id": here}
    signups = (
        world.sql(f"SELECT key FROM members WHERE entity = 'web.SignUps' AND ordinal = {ordinal} ORDER BY 1")
        .column(0)
        .to_pylist()
    )
    assert [r["UserId"] for r in world.ask(f"{here}/web_SignUps").value] == signups
    assert len(signups) > 1
    orders = (
        world.sql(f"SELECT OrderId FROM web_Orders WHERE UserId IN {tuple(signups)} ORDER BY 1").column(0).to_pylist()
    )
    assert [r["OrderId"] for r in world.ask(f"{here}/web_Orders?$select=OrderId").value] == orders
    [order] = world.ask("web_Orders?$top=1&$orderby=OrderId desc").value
    assert world.ask(f"web_Orders('{order['OrderId']}')/orders/UserId/$value").body() == order["UserId"]
    found = world.ask(f"UnifiedActivity('{first['ActivityId']}')?$expand=Customer($select=City)&$select=Title")
    assert found.value == {"Title": first["Title"], "Customer": {"City": someone["City"]}}


def test_what_is_not_there(world, someone):
    here = f"Customer('{someone['CustomerId']}')"
    for path, message in {
        "Customer('nobody')": "there is no Customer with CustomerId 'nobody'",
        "Customer('nobody')/City": "there is no Customer with CustomerId 'nobody'",
        "Customer('nobody')/UnifiedActivity": "there is no Customer with CustomerId 'nobody'",
        "Customer(crm_Contacts_ContactId='nobody')": "no customer has the record crm.Contacts:nobody",
        f"{here}/UnifiedActivity('x')": "there is no UnifiedActivity with ActivityId 'x'",
        "Customers": "there is no entity set 'Customers'",
        "vips": "there is no entity set 'vips'",
        f"{here}/Emial": "Customer has no 'Emial'",
    }.items():
        with pytest.raises(NotFoundError) as error:
            world.ask(path)
        assert error.value.message == message


def test_nothing_is_204(world):
    [id_] = world.sql("SELECT CustomerId FROM Customer WHERE City IS NULL ORDER BY 1 LIMIT 1").column(0).to_pylist()
    lost = (
        world.sql("SELECT OrderId FROM web_Orders ANTI JOIN web_SignUps USING (UserId) ORDER BY 1").column(0)[0].as_py()
    )
    for path in (f"Customer('{id_}')/City", f"Customer('{id_}')/City/$value", f"web_Orders('{lost}')/orders"):
        found = world.ask(path)
        assert (found.status, found.value, found.body()) == (204, None, "")


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_type_has_its_spelling():
    with DuckDBEngine() as engine:
        engine.load("Customer", pa.table({"CustomerId": ["c"], "ordinal": pa.array([0], pa.int32())}))
        engine.load("Things", pa.table({
            "Id": ["a", "b"],
            "Big": pa.array([2**63 - 1, None]),
            "Exact": pa.array([Decimal("12345678901234567890.10"), Decimal("-0.50")], pa.decimal128(38, 2)),
            "Double": [1e16, float("nan")],
            "At": pa.array([at("2024-01-31T12:00:00.500000"), at("0001-01-01")], pa.timestamp("us")),
            "Flag": [True, None],
            "List": [["x", None], []],
            "Blob": [b"\xff\x00", None],
            "Text": ["é \"'\n\x01", ""],
        }))  # fmt: skip
        tables = [Table.of_columns(name, engine.columns(name)) for name in ("Customer", "Things")]
        model = Model(
            Catalog.of(tables), project_of({"sources": {"s": {"Things": {"key": "Id"}}}}), keys={"Things": "Id"}
        )

        def ask(more):
            return answer(f"Things?{more}", engine, model, clock=CLOCK)

        computed = "$compute=At sub 2024-01-30T00:00:00Z as D,time(At) as T,date(At) as Day"
        found = ask(f"{computed}&$format=application/json;odata.metadata=none")
        assert found.body() == (
            '{"value":[{"Id":"a","Big":9223372036854775807,"Exact":12345678901234567890.10,"Double":1e+16,'
            '"At":"2024-01-31T12:00:00.5Z","Flag":true,"List":["x",null],"Blob":"_wA","Text":"é \\"\'\\n\\u0001",'
            '"D":"P1DT12H0.5S","T":"12:00:00.5","Day":"2024-01-31"},'
            '{"Id":"b","Big":null,"Exact":-0.50,"Double":"NaN","At":"0001-01-01T00:00:00Z","Flag":null,"List":[],"Blob":null,'
            '"Text":"","D":"-P738914D","T":"00:00:00","Day":"0001-01-01"}]}'
        )
        assert json.loads(found.body())["value"][0]["Big"] == 2**63 - 1
        assert found.as_dict()["value"][1]["Exact"] == -0.5
        assert found.value[1]["Exact"] == Decimal("-0.50")
        assert json.loads(json.dumps(found.as_dict())) == found.as_dict()
        quoted = ask("$select=Big,Exact&$format=application/json;IEEE754Compatible=true")
        assert '{"Big":"9223372036854775807","Exact":"12345678901234567890.10"}' in quoted.body()
        assert quoted.content_type == "application/json;odata.metadata=minimal;IEEE754Compatible=true"
        table = ask("$format=text/csv&$select=Id,Big,Exact,Double,At,Flag,List")
        assert table.body() == (
            "Id,Big,Exact,Double,At,Flag,List\r\n"
            'a,9223372036854775807,12345678901234567890.10,1e+16,2024-01-31T12:00:00.5Z,true,"[""x"",null]"\r\n'
            "b,,-0.50,NaN,0001-01-01T00:00:00Z,,[]\r\n"
        )
        assert table.content_type == "text/csv; charset=utf-8"


def test_csv_holds_to_one_relations_beside_the_row(world):
    found = world.ask("web_Orders?$top=3&$select=OrderId&$expand=orders($select=City,UserId)&$format=text/csv")
    wanted = world.sql(
        "SELECT OrderId, City, UserId FROM web_Orders JOIN web_SignUps USING (UserId) ORDER BY 1 LIMIT 3"
    ).to_pylist()
    lines = [",".join(v or "" for v in row.values()) for row in wanted]
    assert found.body() == "\r\n".join(["OrderId,orders/City,orders/UserId", *lines, ""])


def test_contexts_and_links_begin_with_the_root(world):
    root = "https://host/v1/instances/42/data/"
    found = world.ask(
        "Customer?$select=City&$expand=UnifiedActivity($select=Title)&$top=3", page_size=2, root=root, expand_size=1
    )
    assert found.context == root + "$metadata#Customer(City,UnifiedActivity(Title))"
    assert found.next_link.startswith(root + "Customer?")
    links = [row["UnifiedActivity@odata.nextLink"] for row in found.value if "UnifiedActivity@odata.nextLink" in row]
    assert links
    assert all(link.startswith(root + "Customer('") for link in links)
    assert [len(page) for page in found.pages()] == [2, 1]


def test_the_service_document_and_the_metadata(world):
    import xml.etree.ElementTree as ET

    sets = [row["name"] for row in world.ask("").value]
    assert sets[:3] == ["Customer", "UnifiedActivity", "Customer_Measure"]
    assert set(sets[3:]) == {
        "crm_Contacts", "loyalty_Members", "web_SignUps", "web_Orders", "web_Reviews", "pos_Purchases",
        "Measure_MonthlySpend", "Measure_Revenue",
    }  # fmt: skip
    document = ET.fromstring(world.ask("$metadata").body())
    ns = {"e": "http://docs.oasis-open.org/odata/ns/edm"}
    types = {t.get("Name"): t for t in document.iterfind(".//e:EntityType", ns)}
    assert list(types) == sets
    customer = types["Customer"]
    properties = {p.get("Name"): p.get("Type") for p in customer.iterfind("e:Property", ns)}
    assert "ordinal" not in properties
    assert (properties["DateOfBirth"], properties["RewardPoints"]) == ("Edm.Date", "Edm.Int64")
    assert customer.find("e:Key/e:PropertyRef", ns).get("Name") == "CustomerId"
    navigations = {p.get("Name"): p.get("Type") for p in customer.iterfind("e:NavigationProperty", ns)}
    assert navigations["UnifiedActivity"] == "Collection(Unify.UnifiedActivity)"
    assert navigations["Customer_Measure"] == "Unify.Customer_Measure"
    assert {s.get("Name") for s in document.iterfind(".//e:EntitySet", ns)} == set(sets)


def test_a_notebook_shows_rows(world):
    page = world.ask("Customer?$select=FullName&$expand=UnifiedActivity($top=1)&$count=true&$top=2")
    assert page._repr_html_().count("<tr>") == 3
    assert "of 723" in page._repr_html_()
    assert len(page.df()) == len(page) == len(list(page)) == 2


def test_members_are_made_ready_for_the_segments_that_are_named(world):
    asked = []

    def prepare(names):
        asked.append(names)
        return world.model

    bare = model_of(world.engine, world.acme.project())
    requests = (
        "Customer/$count?$filter=IsMemberOfSegment('Vip')",
        "Customer/$count?@p=true&IsMemberOfSegment('Vip')",
        "Customer/$count",
    )
    counts = [answer(r, world.engine, bare, clock=CLOCK, prepare=prepare).value for r in requests]
    assert counts[0] == counts[1] < counts[2]
    assert asked == [{"Vip"}, {"Vip"}]
