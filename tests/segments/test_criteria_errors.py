"""What a segment must not say: each is refused with its place, what is wrong, and the next move."""

from datetime import datetime

import pytest
import yaml
from pydantic import ValidationError

from segments.blocks.condition import Condition
from segments.blocks.listed import ListedInFile
from segments.lowered import Scope, depends_on
from segments.lowering import lower
from segments.model import model_of
from segments.predicates import tree as p
from segments.waterfall import expanded
from unify.core.documents import parse_project
from unify.core.errors import QueryError, SpecError
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project, Segment
from unify.spec.criteria import criteria

CLOCK = datetime(2025, 12, 1)  # noqa: DTZ001 - naive UTC, as the tree holds moments
PROJECT = yaml.safe_load("""
sources:
  crm: {Contacts: {files: c.csv, key: ContactId}}
  web:
    Orders: {files: o.csv, key: OrderId, type: activity, timestamp: At}
    Visits: {files: v.csv, key: VisitId, type: activity, timestamp: At}
    Codes: {files: k.csv, key: Code, type: activity, timestamp: Epoch}
conflation: {order: [crm.Contacts]}
relationships:
  orders: web.Orders.ContactId -> crm.Contacts.ContactId
  codes: web.Codes.ContactId -> crm.Contacts.ContactId
  visits: web.Visits.ContactId -> crm.Contacts.ContactId
activities:
  purchase: {entity: web.Orders, type: SalesOrder}
  visit: {entity: web.Visits, type: Visit, timeline: false}
  both: {entity: web.Codes, type: purchase}
""")


@pytest.fixture(scope="module")
def model():
    with DuckDBEngine(threads=1) as engine:
        run = engine.connection.execute
        run('CREATE TABLE "Customer" ("CustomerId" VARCHAR, "City" VARCHAR, "Spend" DECIMAL(9,2), "Visits" BIGINT, '
            '"Vip" BOOLEAN, "Born" DATE, "Joined" TIMESTAMP, "Tags" VARCHAR[], ordinal INTEGER)')  # fmt: skip
        run('CREATE TABLE "crm_Contacts" ("ContactId" VARCHAR, "City" VARCHAR)')
        run('CREATE TABLE "web_Orders" ("OrderId" VARCHAR, "ContactId" VARCHAR, "Total" DECIMAL(9,2), "At" TIMESTAMP)')
        run('CREATE TABLE "web_Visits" ("VisitId" VARCHAR, "ContactId" VARCHAR, "At" TIMESTAMP)')
        run('CREATE TABLE "web_Codes" ("Code" VARCHAR, "ContactId" VARCHAR, "Epoch" BIGINT)')
        run('CREATE TABLE "UnifiedActivity" ("ActivityId" VARCHAR, ordinal INTEGER, "SourceTableName" VARCHAR, '
            '"SourceActivityId" VARCHAR, "ActivityType" VARCHAR, "ActivityTypeDisplay" VARCHAR, "ActivityTime" TIMESTAMP)')  # fmt: skip
        run('CREATE TABLE members (entity VARCHAR, key VARCHAR, "CustomerId" VARCHAR, ordinal INTEGER)')
        yield model_of(engine, Project.model_validate(PROJECT))


IMPOSSIBLE = [
    ({"attribute": "Cty", "equals": "x"}, "where.attribute", "no attribute 'Cty'", "did you mean City?"),
    ({"attribute": "Tags", "equals": "x"}, "where.attribute", "VARCHAR[]", "one row per value"),
    ({"attribute": "crm_Contact/City", "equals": "x"}, "where.attribute", "no relation 'crm_Contact'", "crm_Contacts"),
    ({"attribute": "City", "equals": 8001}, "where.equals", "it is text", "'8001' in quotes"),
    ({"attribute": "Spend", "at_least": "much"}, "where.at_least", "decimal(9,2), and 'much' is not", ""),
    ({"attribute": "Spend", "equals": True}, "where.equals", "and True is not", ""),
    ({"attribute": "Vip", "greater_than": False}, "where.greater_than", "no order", "equals: true"),
    ({"attribute": "Spend", "contains": "1"}, "where.contains", "this test is of string", ""),
    ({"attribute": "Spend", "within_last": "3 days"}, "where.within_last", "date or datetime", ""),
    ({"attribute": "Spend", "equals": 1, "ignore_case": True}, "where.equals", "says nothing about decimal", "leave it out"),
    ({"attribute": "Born", "within_last": "3 hours"}, "where.within_last", "a date has no hours", "days"),
    ({"attribute": "Born", "at_least": "2025-01-01T12:00"}, "where.at_least", "not a date", "the day alone"),
    ({"attribute": "Born", "at_least": "3 hours ago"}, "where.at_least", "a date has no hours", "days"),
    ({"attribute": "Born", "at_least": "soon"}, "where.at_least", "'soon' is no moment", ""),
    ({"attribute": "Born", "equals": 2025}, "where.equals", "2025 is not", ""),
    ({"attribute": "Born", "time_at": "12:00"}, "where.time_at", "datetime or time", ""),
    ({"attribute": "City", "month_of": 5}, "where.month_of", "date or datetime", ""),
    ({"attribute": "City", "time_of_day": True, "equals": "12:00"}, "where", "`time_of_day` of string", "only a datetime"),
    ({"attribute": "Joined", "time_of_day": True, "equals": "noon"}, "where.equals", "no time of day", ""),
    ({"attribute": "City", "equals": "x", "every": True}, "where.every", "is one value", "leave `every` out"),
    ({"attribute": "City", "equals": {"attribute": "crm_Contacts/City"}}, "where.equals", "many rows", "one row"),
    ({"attribute": "City", "equals": {"attribute": "Cities"}}, "where.equals", "'Cities'", "City"),
    ({"related": "web_Order"}, "where.related", "no relation 'web_Order'", "did you mean web_Orders"),
    ({"related": "web_Orders", "where": {"attribute": "Totl", "equals": 1}}, "where.where.attribute", "web_Orders", "Total"),
    ({"related": "web_Orders", "where": {"top": 3, "by": "Total"}}, "where.where", "top speaks of customers", "take it out"),
    ({"related": "web_Orders", "where": {"segment": "vip"}}, "where.where.segment", "no customers", "hold customers"),
    ({"related": "web_Orders", "where": {"percent": 5}}, "where.where", "draw no lots", ""),
    ({"related": "web_Orders", "where": {"members": "x"}}, "where.where", "speaks of customers", "take it out"),
    ({"related": "web_Orders", "where": {"did": "purchase"}}, "where.where", "is asked of customers", ""),
    ({"related": "crm_Contacts", "within": "this month"}, "where.within", "declared as its time", "it has no date"),
    ({"related": "web_Codes", "within": "this month"}, "where.within", "integer, no time", "`did`"),
    ({"related": "web_Orders", "time": "Total", "within": "today"}, "where.time", "decimal(9,2), no time", ""),
    ({"sum": "OrderId", "of": "web_Orders", "at_least": 1}, "where.sum", "sum takes numbers", "a number"),
    ({"sum": "Totl", "of": "web_Orders", "at_least": 1}, "where.sum", "'Totl'", "Total"),
    ({"max": "At", "of": "web_Orders", "at_least": 5}, "where.at_least", "it is datetime, and 5 is not", ""),
    ({"did": "Purchase"}, "where.did", "no activity and no type 'Purchase'", "did you mean purchase"),
    ({"did": "purchase"}, "where.did", "an activity and a type", "{activity: purchase}"),
    ({"did": "visit"}, "where.did", "is hidden", "related: web_Visits"),
    ({"did": {"activity": "purchas"}}, "where.did.activity", "no activity 'purchas'", "purchase"),
    ({"did": {"type": "SalesOrders"}}, "where.did.type", "no activity has the type", "SalesOrder"),
    ({"did": {"activity": "purchase", "where": {"attribute": "Totl", "equals": 1}}}, "did.where.attribute", "neither", "Total"),
    ({"did": {"type": "SalesOrder", "where": {"attribute": "Total", "equals": 1}}}, "did.where.attribute", "'Total'", ""),
    ({"sequence": ["SalesOrder", "nothing"]}, "where.sequence[1]", "no type 'nothing'", "anything"),
    ({"top": 3, "by": "Vip"}, "where.by", "no order", "a number, a date or a text"),
    ({"top": 3, "by": "web_Orders/Total"}, "where.by", "many rows", "{max: …, of: …}"),
    ({"top": 3, "by": "Spend", "among": {"attribute": "X", "is_null": True}}, "where.among.attribute", "'X'", ""),
    ({"anniversary": "City", "within_next": "3 days"}, "where.anniversary", "City is string", "date"),
    ({"anniversary": "Born", "within_next": "2 years"}, "where.within_next", "a year at most", ""),
    ({"anniversary": "Born", "within": "since 2025-01-01"}, "where.within", "moves with the clock", "this month"),
    ({"anniversary": "crm_Contacts/City", "within_next": "1 day"}, "where.anniversary", "many rows", "related"),
    ({"attribute": "City", "child_of": "a", "hierarchy": {"of": "web.Orders", "key": "OrderId", "parent": "Total"}},
     "where.hierarchy", "Total is decimal(9,2), City string", "one type"),
    ({"attribute": "City", "child_of": "a", "hierarchy": {"of": "web.Order", "key": "OrderId", "parent": "Total"}},
     "where.hierarchy", "'web_Order'", "web_Orders"),
    ({"all": ["City eq 'Bern'", {"any": [{"not": {"attribute": "Cty", "is_null": True}}]}]}, "where.all[1].any[0].not.attribute",
     "'Cty'", "City"),
    ("Cty eq 'x'", "where: character 1", "'Cty'", "City"),
    ({"related": "web_Orders", "where": "City eq 'x'"}, "where.where: character 1", "City", ""),
    ("IsMemberOfSegment('vpi')", "where: character", "no segment 'vpi'", "did you mean vip?"),
    ({"segment": "vpi"}, "where.segment", "no segment 'vpi'", "did you mean vip?"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "place", "message", "hint"), IMPOSSIBLE, ids=[str(i) for i in range(len(IMPOSSIBLE))])
def test_what_does_not_fit_the_data_is_refused(model, said, place, message, hint):
    with pytest.raises(QueryError) as caught:
        lower(Segment.model_validate({"where": said}), model, name="best", known=["vip"])
    assert caught.value.where.startswith("segments.best.where")
    assert place in caught.value.where
    assert message in caught.value.message
    assert hint in caught.value.hint


MALFORMED = [
    ({"atribute": "City", "equals": "x"}, "did you mean 'attribute'?"),
    ({}, "an empty mapping says no condition"),
    ([], "at least 1 item"),
    (5, "5 is no condition"),
    ({"all": ["a"], "any": ["b"]}, "all and any are two conditions"),
    ({"attribute": "City"}, "it needs a test"),
    ({"attribute": "City", "equals": None}, "it needs a test"),
    ({"attribute": "City", "match": "all", "equals": "x"}, "`match` says nothing"),
    ({"attribute": "City", "not_equals": ["x", "y"]}, "write is_not_in"),
    ({"attribute": "City", "ignore_case": True, "is_null": True}, "`ignore_case` says nothing"),
    ({"attribute": "City", "time_of_day": True, "is_null": True}, "`time_of_day` says nothing"),
    ({"attribute": "City", "child_of": "A"}, "need a `hierarchy`"),
    ({"attribute": "At", "month_of": "Mai"}, "'Mai' is no month"),
    ({"attribute": "At", "month_of": 13}, "13 is no month"),
    ({"attribute": "At", "day_of_week": 0}, "no day of the week"),
    ({"attribute": "At", "day_of": 32}, "less than or equal to 31"),
    ({"attribute": "At", "time_at": "6 pm"}, "no time of day"),
    ({"attribute": "At", "time_at": "18:00+02:00"}, "has no offset"),
    ({"attribute": "At", "within_last": "a while"}, "no length of time"),
    ({"attribute": "At", "within_last": "0 days"}, "1 to 100000"),
    ({"attribute": "At", "within": "lately"}, "no window of time"),
    ({"attribute": "At", "within": "since Easter"}, "no moment"),
    ({"attribute": "At", "within": "since 2025-02-30"}, "no moment"),
    ({"attribute": "At", "year_to_date": False}, "Input should be True"),
    ({"related": "x", "every": True, "none": True}, "every and none exclude each other"),
    ({"related": "x", "at_least": 1, "exactly": 2}, "exclude each other"),
    ({"related": "x", "between": [3, 2]}, "there is nothing"),
    ({"related": "x", "time": "At"}, "`time` says nothing without `within`"),
    ({"sum": "Total", "at_least": 1}, "with `of: <relation>`"),
    ({"count": "x", "of": "y", "at_least": 1}, "with `of: <relation>`"),
    ({"sum": "a", "of": "x"}, "it needs a test"),
    ({"sum": "a", "avg": "b", "of": "x", "at_least": 1}, "two conditions"),
    ({"did": "x", "times": {}}, "one of at_least"),
    ({"did": "x", "times": {"at_least": 1, "at_most": 2}}, "not at_least and at_most"),
    ({"did": "x", "times": 3}, "valid dictionary"),
    ({"did": {"kind": "x"}}, "Extra inputs"),
    ({"last": "x"}, "Field required"),
    ({"regularly": "x", "in_at_least": 7, "of_last": "6 months"}, "there are 6 periods"),
    ({"regularly": "x", "in_at_least": 1, "of_last": "1000 days"}, "at most 400"),
    ({"sequence": ["x"]}, "at least 2 items"),
    ({"top": 0, "by": "x"}, "greater than or equal to 1"),
    ({"top": "5", "by": "x"}, "pattern"),
    ({"top": "200 %", "by": "x"}, "at most 100 %"),
    ({"percent": 0}, "greater than 0"),
    ({"percent": 0.00001}, "decimal places"),
    ({"split": {"seed": "s", "parts": {"A": 50, "B": 40}, "part": "A"}}, "90 % in all"),
    ({"split": {"seed": "s", "parts": {"A": 100}, "part": "B"}}, "no part 'B'"),
    ({"anniversary": "x"}, "one of within_next"),
    ({"members": []}, "at least 1 item"),
]


@pytest.mark.parametrize(("said", "message"), MALFORMED, ids=[str(i) for i in range(len(MALFORMED))])
def test_what_no_data_could_save_is_refused_when_it_is_read(said, message):
    with pytest.raises(ValidationError) as caught:
        criteria(said)
    assert any(message in error["msg"] for error in caught.value.errors()), caught.value


def test_a_project_file_names_the_line():
    text = yaml.safe_dump(PROJECT) + "segments:\n  vip:\n    where:\n      - {attribute: City, equls: Bern}\n"
    with pytest.raises(SpecError) as caught:
        parse_project(text)
    assert (
        f"line {text.count(chr(10))}: segments.vip.where.0.equls: unknown key; did you mean equals"
        in caught.value.message
    )


def test_criteria_of_a_thousand_levels_are_an_error_and_no_crash():
    said = {"attribute": "City", "is_null": True}
    for _ in range(1000):
        said = {"not": said}
    with pytest.raises(ValidationError, match="nested deeper than 60 levels"):
        Segment.model_validate({"where": said})
    lists = "City eq 'Bern'"
    for _ in range(1000):
        lists = [lists]
    with pytest.raises(ValidationError, match="nested deeper than 60 levels"):
        Segment.model_validate({"rules": [{"where": lists}]})


def test_criteria_of_sixty_levels_are_answered():
    said = {"attribute": "Joined", "within_last": "1 day"}
    for _ in range(29):
        said = {"any": [{"not": said}, {"attribute": "Joined", "is_null": True}]}
    assert joined(said, ["2025-01-02 00:00", "2024-12-31 00:00"], "2025-01-02 12:00") == ["2024-12-31 00:00"]


# ── waterfalls, rules, lists ─────────────────────────────────────────────────────────────────────────────────────────


def segments(**said):
    return Project.model_validate(PROJECT | {"segments": said}).segments


def test_names_of_waterfalls_collide_with_nothing():
    one = {"where": "true"}
    with pytest.raises(SpecError, match="'one' is taken by a segment of that name") as caught:
        expanded(segments(one=one, two=one, fall={"waterfall": {"one": "two"}}))
    assert caught.value.where == "segments.fall.waterfall"
    with pytest.raises(SpecError, match="'a' is taken by the waterfall fall"):
        expanded(segments(one=one, fall={"waterfall": {"a": "one"}}, other={"waterfall": {"a": "one"}}))


def test_a_waterfall_hands_on_what_it_says(model):
    said = segments(a="true", b="true", fall={"waterfall": {"x": "a", "y": "b"}, "suppress": "c", "active": False})
    found = expanded(said)
    assert list(found) == ["a", "b", "fall", "x", "y"]
    assert not found["y"].active
    lowered = lower(found["y"], model, name="y")
    y = p.And((p.MemberOf("b"), p.Not(p.MemberOf("a"))))
    assert lowered.expr == p.And((y, p.Not(p.MemberOf("c"))))
    assert depends_on(lowered) == {"a", "b", "c"}
    assert depends_on(lower(found["fall"], model, name="fall")) == {"a", "b", "c"}


def test_rules_are_sets_that_meet_in_sequence(model):
    rules = [{"where": "City eq 'a'", "name": "first"}, {"where": {"segment": "s"}, "operation": "exclude"},
             {"where": {"segment": "t"}, "operation": "include"}, {"where": {"segment": "u"}, "operation": "intersect"}]  # fmt: skip
    found = lower(Segment.model_validate({"rules": rules}), model, name="r")
    sure = [p.Call("is_true", (expr,)) for _, expr in found.rules]
    assert [name for name, _ in found.rules] == ["first", "rule 2", "rule 3", "rule 4"]
    assert found.expr == p.And((p.Or((p.And((sure[0], p.Not(sure[1]))), sure[2])), sure[3]))
    with pytest.raises(QueryError, match="Cty") as caught:
        lower(Segment.model_validate({"rules": [{"where": {"attribute": "Cty", "is_null": True}}]}), model, name="r")
    assert caught.value.where == "segments.r.rules[0].where.attribute"


def test_a_list_in_a_file_needs_the_name_of_its_segment(model):
    said = Segment.model_validate({"members": {"file": "vip.csv"}})
    assert list(lower(said, model, name="vip").blocks.values()) == [ListedInFile("vip")]
    with pytest.raises(QueryError, match="with a name"):
        lower(said, model)


def test_suppressed_and_named_segments_must_be_known(model):
    for said, place in (
        ({"where": "true", "suppress": ["vip", "x"]}, "suppress[1]"),
        ({"waterfall": {"a": "x"}}, "waterfall.a"),
    ):
        with pytest.raises(QueryError, match="no segment 'x'") as caught:
            lower(Segment.model_validate(said), model, name="s", known=["vip"])
        assert caught.value.where == f"segments.s.{place}"


# ── windows by the clock, without an oracle ──────────────────────────────────────────────────────────────────────────


def joined(said, moments, clock, zone="UTC"):
    """Which of some moments pass a test of Joined."""
    with DuckDBEngine(threads=1) as engine:
        engine.connection.execute(
            'CREATE TABLE "Customer" ("CustomerId" VARCHAR, "Joined" TIMESTAMP, "Born" DATE, ordinal INTEGER)'
        )
        for n, at in enumerate(moments):
            engine.connection.execute(
                'INSERT INTO "Customer" VALUES ($i, CAST($at AS TIMESTAMP), CAST($at AS DATE), $n)',
                {"i": str(n), "at": at, "n": n},
            )
        model = model_of(engine, Project.model_validate({k: v for k, v in PROJECT.items() if k == "sources"}))
        found = lower(Segment.model_validate({"where": said, "timezone": zone}), model)
        scope = Scope(engine, model, datetime.fromisoformat(clock))
        return [moments[n] for n in Condition(found.expr, tuple(found.blocks.items())).members(scope)]


@pytest.mark.parametrize(
    ("said", "clock", "zone", "within", "outside"),
    [
        ({"within_last": "1 day"}, "2025-03-30 12:00", "Europe/Berlin", ["2025-03-29 12:00", "2025-03-30 11:59"],
         ["2025-03-29 11:59", "2025-03-30 12:00"]),
        ({"within": "today"}, "2025-03-30 12:00", "Europe/Berlin", ["2025-03-29 23:00", "2025-03-30 21:59"],
         ["2025-03-29 22:59", "2025-03-30 22:00"]),  # 23 hours long
        ({"within": "today"}, "2025-10-26 12:00", "Europe/Berlin", ["2025-10-25 22:00", "2025-10-26 22:59"],
         ["2025-10-25 21:59", "2025-10-26 23:00"]),  # 25 hours long
        ({"within": "last month"}, "2024-03-31 23:30", "Asia/Tokyo", ["2024-02-29 15:00", "2024-03-31 14:59"],
         ["2024-02-29 14:59", "2024-03-31 15:00"]),  # April there already
        ({"within_last": "1 month"}, "2024-03-31 00:00", "UTC", ["2024-02-29 00:00"], ["2024-02-28 23:59", "2024-03-31 00:00"]),
        ({"within": "this week"}, "2025-12-07 10:00", "UTC", ["2025-12-01 00:00", "2025-12-07 23:59"], ["2025-11-30 23:59"]),
        ({"within": "last quarter"}, "2025-01-01 00:00", "UTC", ["2024-10-01 00:00", "2024-12-31 23:59"], ["2025-01-01 00:00"]),
        ({"equals": "2025-01-01"}, "2025-06-01 00:00", "America/New_York", ["2025-01-01 05:00", "2025-01-02 04:59"],
         ["2025-01-01 04:59", "2025-01-02 05:00"]),
        ({"greater_than": "2025-01-01"}, "2025-06-01 00:00", "UTC", ["2025-01-02 00:00"], ["2025-01-01 23:59"]),
        ({"year_to_date": True}, "2025-01-01 04:30", "America/New_York", ["2024-01-01 05:00", "2025-01-01 04:29"],
         ["2024-01-01 04:59", "2025-01-01 04:30"]),  # the old year there
    ],
)  # fmt: skip
def test_windows_at_their_edges(said, clock, zone, within, outside):
    assert joined({"attribute": "Joined", **said}, [*within, *outside], clock, zone) == within


@pytest.mark.parametrize(
    ("clock", "within", "born"),
    [
        ("2025-02-28 12:00", "today", ["1960-02-28", "2000-02-29"]),
        ("2024-02-28 12:00", "today", ["1960-02-28"]),
        ("2024-02-29 12:00", "today", ["2000-02-29"]),
        ("2025-12-30 12:00", "next 7 days", ["1960-01-05", "1999-12-30"]),
        ("2025-12-30 12:00", "last 1 year", ["1960-01-05", "1960-02-28", "1999-12-30", "2000-02-29"]),
    ],
)
def test_birthdays(clock, within, born):
    days = [
        "1960-01-05",
        "1960-02-28",
        "1999-12-30",
        "2000-02-29",
        clock[:10],
    ]  # the last one is born today: no birthday yet
    assert joined({"anniversary": "Born", "within": within}, days, clock) == born
