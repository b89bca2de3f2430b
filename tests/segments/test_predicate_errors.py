"""What is refused, with the message, the place and the hint it gets; and how trees are stored, spoken and shortened."""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here, which is what is tested

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from pyroaring import BitMap

from segments.predicates import bitmaps
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.compile import count_where, rows_where
from segments.predicates.fields import DATETIME, GUID, INTEGER, Catalog, Relation, Table, decimal
from segments.predicates.sentence import sentence
from segments.predicates.simplify import depends_on_clock, simplify
from segments.predicates.tree import Call, Compare, Field, literal
from segments.predicates.tree_json import from_json, to_json
from unify.core.errors import QueryError, SpecError

L, F = literal, Field
NOW = dt.datetime(2024, 7, 1, tzinfo=dt.UTC)
CATALOG = Catalog.of(
    [
        Table.of_columns("Customer", {"ordinal": "INTEGER", "CustomerId": "VARCHAR", "City": "VARCHAR", "Spend": "DECIMAL(18,2)", "Born": "DATE", "Seen": "TIMESTAMP", "Vip": "BOOLEAN", "Tags": "VARCHAR[]", "TownId": "INTEGER"}, id="ordinal"),
        Table.of_columns("Orders", {"Buyer": "VARCHAR", "Amount": "DECIMAL(18,2)", "On": "TIMESTAMP"}),
        Table.of_columns("Towns", {"TownId": "INTEGER", "Name": "VARCHAR"}),
    ],
    [Relation("Orders", "Customer", "CustomerId", "Orders", "Buyer"), Relation("Town", "Customer", "TownId", "Towns", "TownId", many=False)],
    segments={"staff": "segment_staff"},
)  # fmt: skip
deep = p.TRUE
for _ in range(p.MAX_DEPTH):
    deep = p.Not(deep)

REFUSED = [
    (Compare("eq", F("Citty"), L("x")), "no attribute 'Citty'", "left", "did you mean City"),
    (p.And((p.TRUE, Compare("gt", F("Spend"), L("x")))), "decimal(18,2) with string cannot be compared", "args[1]", "one type"),
    (Compare("eq", F("Tags"), L("x")), "Customer.Tags is VARCHAR[]", "left", "one row per value"),
    (Compare("equals", F("City"), L("x")), "no comparison 'equals'", "", "known:"),
    (Compare("lt", F("Born"), L(dt.datetime(2024, 1, 1))), "date with datetime", "", "at_midnight"),
    (Call("startswith", (F("City"), L("x"))), "no function 'startswith'", "", "did you mean starts_with"),
    (Call("contains", (F("City"), L(1))), "contains(string, integer) is not possible", "", "contains(string, string)"),
    (Call("contains", (F("City"),)), "contains(string) is not possible", "", "contains(string, string)"),
    (Call("length", (F("City"),)), "integer, not true or false", "", "compare it"),
    (p.Not(F("Spend")), "decimal(18,2), not true or false", "arg", "compare it"),
    (Compare("gt", Call("local", (F("Seen"), L("Europe/Berln"))), L(NOW)), "no time zone 'Europe/Berln'", "left.args[1]", "Europe/Berlin"),
    (Compare("gt", Call("local", (F("Seen"), F("City"))), L(NOW)), "a fixed value", "left.args[1]", "literal"),
    (Call("matches", (F("City"), L("("))), "no pattern", "args[1]", "RE2"),
    (p.Exists(("Order",)), "no relation 'Order'", "", "did you mean Orders"),
    (p.Exists(()), "the path is empty", "", "relations"),
    (p.Exists(("Orders",), Compare("gt", F("Amonut"), L(1))), "Orders has no attribute 'Amonut'", "where.left", "Amount"),
    (Compare("gt", F("Amount", ("Orders",)), L(1)), "from one row to many", "left", "Aggregate"),
    (Compare("eq", F("City", (), 1), L("x")), "no row 1 levels up", "left", "0 to 0"),
    (Compare("gt", p.Aggregate("median", ("Orders",), F("Amount")), L(1)), "no aggregate 'median'", "left", "did you mean min"),
    (Compare("gt", p.Aggregate("sum", ("Orders",)), L(1)), "sum needs a value", "left", "count counts"),
    (Compare("gt", p.Aggregate("count", ("Orders",), F("Amount")), L(1)), "count takes no value", "left", "count counts"),
    (Compare("gt", p.Aggregate("sum", ("Orders",), F("On")), L(1)), "sum of datetime", "left.value", "number"),
    (p.MemberOf("stuff"), "no segment 'stuff'", "", "did you mean staff"),
    (p.Exists(("Orders",), p.MemberOf("staff")), "rows of Orders are no members", "where", "customers"),
    (p.In(F("City"), (L("x"), L(1))), "string with integer", "values[1]", "one type"),
    (p.In(F("Vip"), (L(None),)), "holds no null", "values[0]", "is_null"),
    (p.In(F("Spend"), (L(1.5),)), "is a double", "values[0]", "exponent"),
    (Compare("gt", Call("mul", (L(Decimal("1E-20")), L(Decimal("1E-20")))), L(0)), "decimal(40,40) is not possible", "", "38 digits"),
    (deep, "nested deeper than 100", "", ""),
    (p.And((p.TRUE,) * 60_000), "more than 50000 parts", "", "in"),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "message", "where", "hint"), REFUSED, ids=[m for _, m, _, _ in REFUSED])
def test_refused(tree, message, where, hint):
    with pytest.raises(QueryError) as caught:
        bind_predicate(tree, CATALOG, "Customer", where="vip")
    assert message in caught.value.message
    if "decimal(40,40)" not in message:  # what types are possible is known before the place
        assert caught.value.where == ("vip" + (f".{where}" if where else ""))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "value"),
    [(INTEGER, 2**63), (INTEGER, True), (GUID, "x"), (decimal(3, 1), Decimal("1.25")), (DATETIME, dt.date(2024, 1, 1))],
)
def test_values_that_a_type_cannot_hold(kind, value):
    with pytest.raises(QueryError):
        p.Literal(kind, value)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(QueryError, match="surrogate"):
        L("\ud800")


@pytest.mark.parametrize(
    ("data", "message", "where"),
    [
        ([], "is an object, this is list", "predicate"),
        ({"kind": "fild"}, "no kind 'fild'", "predicate"),
        ({"kind": "not", "arg": {"kind": "field"}}, "needs the key 'name'", "predicate.arg"),
        ({"kind": "and", "args": [{"kind": "or", "args": [], "x": 1}]}, "no key 'x'", "predicate.args[0]"),
        ({"kind": "literal", "type": "text", "value": "x"}, "no type 'text'", "predicate.type"),
        ({"kind": "literal", "type": "integer", "value": 1.5}, "is no integer", "predicate.value"),
        ({"kind": "literal", "type": "date", "value": "2024-02-30"}, "is no date", "predicate.value"),
        ({"kind": "literal", "type": "decimal(3,1)", "value": 1.5}, "a text is wanted", "predicate.value"),
        ({"kind": "literal", "type": "string", "value": ["x"]}, "one value", "predicate.value"),
        ({"kind": "field", "name": "x", "up": -1}, "count of levels", "predicate.up"),
        ({"kind": "field", "name": "x", "path": "y"}, "list of relation names", "predicate.path"),
        ({"kind": "in", "item": {"kind": "field", "name": "x"}, "values": [{"kind": "field", "name": "y"}]}, "holds literals", "predicate.values[0]"),
    ],
)  # fmt: skip
def test_json_that_is_refused(data, message, where):
    with pytest.raises(SpecError) as caught:
        from_json(data)
    assert message in caught.value.message
    assert caught.value.where == where


def test_json_too_deep_is_refused():
    data = {"kind": "and", "args": []}
    for _ in range(50_000):
        data = {"kind": "not", "arg": data}
    with pytest.raises(SpecError, match="nested deeper"):
        from_json(data)


def test_catalogs_that_are_refused():
    table = Table.of_columns("T", {"a": "INTEGER"})
    for relations, message in (
        ([Relation("r", "T", "b", "T", "a")], "no column 'b'"),
        ([Relation("r", "U", "a", "T", "a")], "no table 'U'"),
        ([Relation("r", "T", "a", "T", "a"), Relation("r", "T", "a", "T", "a", many=False)], "two relations"),
    ):
        with pytest.raises(SpecError, match=message):
            Catalog.of([table], relations)
    with pytest.raises(SpecError, match="no integer column"):
        Table.of_columns("T", {"a": "VARCHAR"}, id="a")


def test_sentences():
    big = Compare("gt", F("Amount"), F("Spend", (), 1))
    tree = p.Or(
        (
            p.And((Compare("ge", F("Spend"), L(100)), p.is_in(F("City"), "Bern", "Ulm"))),
            p.Not(p.MemberOf("staff")),
            p.Exists(("Orders",), big),
        )
    )
    assert sentence(tree) == (
        '(Spend is at least 100 and City is one of "Bern", "Ulm") or not in segment "staff" '
        "or (has Orders for which Amount is greater than the row’s own Spend)"
    )  # fmt: skip


def test_json_of_an_example_and_back():
    tree = Compare(
        "gt", p.Aggregate("sum", ("Orders",), F("Amount"), Compare("ge", F("On"), L(NOW))), L(Decimal("99.50"))
    )
    assert to_json(tree)["left"]["where"]["right"] == {
        "kind": "literal",
        "type": "datetime",
        "value": "2024-07-01T00:00:00",
    }
    assert from_json(to_json(tree)) == tree


def test_simplify_shortens_and_keeps_what_may_be_null():
    def short(tree, clock=None):
        return simplify(tree, CATALOG, "Customer", clock=clock)

    city, vip = Compare("eq", F("City"), L("Bern")), F("Vip")
    assert short(p.Not(p.And((city, p.Not(vip))))) == p.Or((Compare("ne", F("City"), L("Bern")), vip))
    assert short(p.Or((city, Compare("eq", F("City"), L("Ulm"))))) == p.is_in(F("City"), "Bern", "Ulm")
    assert short(p.And((vip, p.Or((vip, city)), p.And(()), vip))) == vip
    assert short(p.Or((vip, p.Not(vip)))) == p.Or((vip, p.Not(vip)))
    recent = Compare("ge", F("Seen"), Call("add_days", (Call("now"), L(-30))))
    assert short(recent) == recent
    assert depends_on_clock(recent)
    assert short(recent, NOW.replace(tzinfo=None)) == Compare("ge", F("Seen"), L(dt.datetime(2024, 6, 1)))


def test_hostile_names_and_values_stay_names_and_values():
    name = 'a" OR 1=1 --'
    catalog = Catalog.of([Table.of_columns('t"x', {"ordinal": "INTEGER", name: "VARCHAR"}, id="ordinal")])
    hostile = "' OR 1=1; DROP TABLE t; --"
    query = rows_where(Compare("eq", F(name), L(hostile)), catalog, 't"x', clock=NOW)
    assert hostile not in query.sql
    with duckdb.connect() as connection:
        connection.execute(
            'CREATE TABLE "t""x" AS SELECT * FROM (VALUES (1, $v), (2, \'x\')) AS v(ordinal, "a"" OR 1=1 --")',
            {"v": hostile},
        )
        assert connection.execute(query.sql, query.params).fetchall() == [(1,)]
        assert connection.execute(
            *_parts(count_where(p.Not(Compare("eq", F(name), L(hostile))), catalog, 't"x', clock=NOW))
        ).fetchall() == [(1,)]


def _parts(query):
    return query.sql, query.params


def test_facts_of_alternate_records_count_for_the_customer_they_became():
    catalog = Catalog.of(
        [Table.of_columns("Customer", {"ordinal": "INTEGER", "CustomerId": "VARCHAR"}, id="ordinal"), Table.of_columns("Orders", {"Contact": "INTEGER"})],
        [Relation("Orders", "Customer", "CustomerId", "Orders", "Contact", through="crm.Contacts")],
    )  # fmt: skip
    query = rows_where(Compare("eq", p.Aggregate("count", ("Orders",)), L(3)), catalog, "Customer", clock=NOW)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE Customer AS SELECT * FROM (VALUES (1, 'c1'), (2, 'c2')) AS v(ordinal, CustomerId)"
        )
        connection.execute("CREATE TABLE Orders AS SELECT unnest([10, 11, 11, 12])::INTEGER AS Contact")
        connection.execute(
            "CREATE TABLE members AS SELECT * FROM (VALUES ('crm.Contacts', '10', 'c1'), ('crm.Contacts', '11', 'c1'), ('web.Users', '12', 'c2')) AS v(entity, key, CustomerId)"
        )
        assert connection.execute(query.sql, query.params).fetchall() == [(1,)]


def test_bitmaps_keep_the_unknown():
    everything = BitMap([1, 2, 3])
    unknown = bitmaps.Truth(BitMap([1]), BitMap([2]))
    assert bitmaps.negated(unknown, everything) == bitmaps.Truth(BitMap([3]), BitMap([2]))
    assert bitmaps.any_of([unknown, bitmaps.negated(unknown, everything)]) == bitmaps.Truth(BitMap([1, 3]), BitMap([2]))
    assert bitmaps.all_of([], everything) == bitmaps.Truth(everything, BitMap())
