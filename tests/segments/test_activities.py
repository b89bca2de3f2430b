"""Activities end at the right customer: against a walk by hand, over any number of hops, on data with every trouble."""

import hashlib
from datetime import datetime
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import unify
from segments.activities import COLUMNS, make_activities
from unify.core.documents import project_of
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

at = datetime.fromisoformat
HERE = Path(__file__).parent
_spec = spec_from_file_location("oracle_activities", HERE.parent / "oracles" / "activities.py")
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

# ── against the oracle ───────────────────────────────────────────────────────────────────────────────────────────────

VALUES = st.sampled_from([None, "a", "A", "b", "c", "ä", "", "a "])
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=6)


@st.composite
def worlds(draw):
    """Activities, 0 to 3 tables between, and profiles; the member of a profile may be missing (left out)."""
    between = draw(st.integers(0, 3))
    tables = {"s.A": draw(ROWS), **{f"s.E{n}": draw(ROWS) for n in range(between)}, "s.P": draw(ROWS)}
    ordinals = draw(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=6, max_size=6))
    return tables, ordinals


def rows_of(entity, pairs):
    return [{"Id": f"{entity}{n}", "own": own, "ref": ref} for n, (own, ref) in enumerate(pairs)]


@settings(max_examples=60, deadline=None)
@given(worlds())
@example(({"s.A": [(None, "a")], "s.E0": [("a", "b")], "s.P": [("b", None), ("b", None)]}, [1, 0, *[None] * 4]))
def test_every_activity_has_the_customer_that_a_walk_by_hand_finds(world):
    tables, ordinals = world
    names = list(tables)
    project = project_of({
        "sources": {"s": {n.partition(".")[2]: {"key": "Id"} for n in names} | {
            "A": {"key": "Id", "type": "activity", "timestamp": "at"}}},
        "conflation": {"order": ["s.P"], "dedupe": {"s.P": [{"name": "r", "when": [{"field": "own"}]}]}},
        "relationships": {f"r{n}": f"{a}.ref -> {b}.own" for n, (a, b) in enumerate(pairwise(names))},
        "activities": {"it": {"entity": "s.A", "event": "ref"}},
    })  # fmt: skip
    data = {name: rows_of(name, pairs) for name, pairs in tables.items()}
    members = {r["Id"]: o for r, o in zip(data["s.P"], ordinals, strict=False) if o is not None}
    hops = [("ref", name, "own") for name in names[1:]]
    wanted = oracle.customers_of(data["s.A"], data, hops, members)
    with DuckDBEngine(threads=1) as engine:
        for name, rows in data.items():
            fields = [("Id", pa.string()), ("own", pa.string()), ("ref", pa.string())]
            engine.load(
                name.replace(".", "_"),
                pa.Table.from_pylist(
                    [{**r, "at": at("2024-01-01")} for r in rows], pa.schema([*fields, ("at", pa.timestamp("us"))])
                ),
                keep=True,
            )
        engine.load("members", pa.table({
            "entity": pa.array(["s.P"] * len(members)), "key": pa.array(list(members), pa.string()),
            "ordinal": pa.array(list(members.values()), pa.int32()),
        }), keep=True)  # fmt: skip
        ids = [hashlib.md5(bytes([n])).hexdigest() for n in range(4)]
        engine.load("customer_ids", pa.table({"CustomerId": ids, "ordinal": pa.array(range(4), pa.int32())}), keep=True)
        made = make_activities(engine, project)
        found = engine.fetch(
            Query("SELECT SourceActivityId, ordinal, CustomerId, Title FROM UnifiedActivity")
        ).to_pylist()
        orphans = engine.fetch(Query("SELECT key, value, reason FROM orphan_activities")).to_pylist()
    expected = {r["Id"]: w for r, (w, _) in zip(data["s.A"], wanted, strict=True)}
    assert {r["SourceActivityId"]: r["ordinal"] for r in found} == {k: w for k, w in expected.items() if w is not None}
    assert all(r["CustomerId"] == ids[r["ordinal"]] for r in found)
    values = {r["Id"]: r["ref"] for r in data["s.A"]}
    assert {(o["key"], o["value"], o["reason"]) for o in orphans} == {
        (k, values[k], "had no value" if values[k] is None else "led to no customer")
        for k, w in expected.items() if w is None
    }  # fmt: skip
    assert len(found) + len(orphans) == len(data["s.A"])
    [report], [arrow] = made.reports, made.arrows
    assert arrow.balanced
    assert report.several == sum(n > 1 for _, n in wanted)


# ── one company through the whole job ────────────────────────────────────────────────────────────────────────────────

PEOPLE = [
    {"Id": "C1", "Mail": "ann@x.example", "Name": "Ann"}, {"Id": "C2", "Mail": "ann@x.example", "Name": None},
    {"Id": "C3", "Mail": "bob@x.example", "Name": "Bob"}, {"Id": "C4", "Mail": "eve@x.example", "Name": "Eve"},
]  # fmt: skip
CLICKS = [
    {"Id": 1, "Who": "C1", "At": 1_700_000_000, "What": "open", "Page": "https://x.example/1", "n": 1},
    {"Id": 2, "Who": "C2", "At": 1_700_000_100, "What": "close", "Page": None, "n": None},
    {"Id": 3, "Who": "c1", "At": 1_700_000_200, "What": "open", "Page": None, "n": 3},
    {"Id": 4, "Who": "C3", "At": 2**60, "What": "open", "Page": None, "n": 4},
    {"Id": 5, "Who": None, "At": 0, "What": "open", "Page": None, "n": 5},
    {"Id": 6, "Who": "C3", "At": -86_400, "What": "open", "Page": None, "n": 6},
]  # fmt: skip
PROJECT = {
    "name": "clicks",
    "sources": {
        "crm": {"Contacts": {"key": "Id"}},
        "web": {
            "Clicks": {"key": "Id", "type": "activity", "timestamp": "At"},
            "Secrets": {"key": "Id", "type": "activity", "timestamp": "At"},
        },
    },
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "Mail"}]}]},
    },
    "relationships": {"who": "web.Clicks.Who -> crm.Contacts.Id", "whose": "web.Secrets.Who -> crm.Contacts.Id"},
    "activities": {
        "click": {"entity": "web.Clicks", "type": "Web", "event": "What", "display": "What", "url": "Page",
                  "fields": {"Num ber": "n", 'quo"te\'s': "What"}},
        "secret": {"entity": "web.Secrets", "timeline": False},
    },
}  # fmt: skip


def frames(people=PEOPLE):
    clicks = pa.Table.from_pylist(CLICKS)
    return {"crm.Contacts": pa.Table.from_pylist(people), "web.Clicks": clicks, "web.Secrets": clicks}


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    with unify.open(tmp_path_factory.mktemp("clicks") / "i", create=True) as instance:
        instance.run(PROJECT, frames=frames())
        yield instance


def test_every_column(clicks):
    row = clicks.sql("FROM UnifiedActivity WHERE SourceActivityId = '1'").rows()[0]
    ann = clicks.sql("SELECT CustomerId, ordinal FROM members WHERE key = 'C1'").rows()[0]
    assert list(row) == list(COLUMNS)
    assert row == ann | {
        "ActivityId": hashlib.md5(b"web.Clicks\x1f1").hexdigest(), "SourceTableName": "web_Clicks",
        "SourceActivityId": "1", "ActivityType": "Web", "ActivityTypeDisplay": "open",
        "ActivityTime": at("2023-11-14T22:13:20"), "Title": "open", "Description": None,
        "URL": "https://x.example/1", "RangeIndex": 1_700_000_000,
        "SemanticData": '{"Num ber":1,"quo\\"te\'s":"open","EventActivity":"open"}',
    }  # fmt: skip


def test_times_that_are_no_times_and_times_before_1970(clicks):
    rows = clicks.sql("SELECT SourceActivityId AS id, ActivityTime AS at, RangeIndex AS n FROM UnifiedActivity").rows()
    assert {r["id"]: (r["at"], r["n"]) for r in rows if r["id"] in ("4", "6")} == {
        "4": (None, None), "6": (at("1969-12-31"), -86_400),
    }  # fmt: skip


def test_rows_are_accounted_for_and_told(clicks):
    report = clicks.report()
    click, secret = report.activities
    assert (click.rows, click.activities, click.customers, click.undated) == (6, 4, 2, 1)
    assert click.orphans == {"had no value": 1, "led to no customer": 1}
    assert (secret.rows, secret.activities, secret.hidden) == (6, 0, 6)
    assert [a for a in report.arrows if not a.balanced] == []
    assert any("1 rows have no time" in w for w in report.warnings)
    assert "activities" in [s.stage for s in report.stages]


def test_the_order_on_disk(clicks):
    """By ordinal, then time: what a timeline reads lies together."""
    rows = clicks.sql("SELECT ordinal, ActivityTime, ActivityId FROM UnifiedActivity ORDER BY rowid").rows()
    key = [(r["ordinal"], r["ActivityTime"] is None, r["ActivityTime"] or 0, r["ActivityId"]) for r in rows]
    assert key == sorted(key)


# ── faces ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def seen(answer):
    return [r["SourceActivityId"] for r in answer.rows()]


def test_a_timeline_is_newest_first_and_of_all_records(clicks):
    assert seen(clicks.timeline("C1")) == ["2", "1"]
    assert seen(clicks.timeline("crm.Contacts:C2")) == ["2", "1"]
    assert seen(clicks.timeline("C3")) == ["6", "4"]  # the one without a time stands last
    assert seen(clicks.timeline("C4")) == []


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"limit": 1}, ["2"]),
        ({"limit": 0}, []),
        ({"limit": None}, ["2", "1"]),
        ({"since": "2023-11-14T22:13:21"}, ["2"]),
        ({"since": "2023-11-14T22:13:20Z"}, ["2", "1"]),
        ({"since": "2023-11-14T23:14:00+01:00"}, ["2"]),
        ({"until": at("2023-11-14T22:15:00")}, ["1"]),
        ({"until": at("2023-11-14").date()}, []),
        ({"types": ["Web"]}, ["2", "1"]),
        ({"types": "Web"}, ["2", "1"]),
        ({"types": ["Other"]}, []),
        ({"types": []}, []),
    ],
    ids=str,
)
def test_what_a_timeline_is_asked(clicks, asked, wanted):
    assert seen(clicks.timeline("C1", **asked)) == wanted


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"types": ["Wob"]}, "did you mean Web?"), ({"since": "yesterday"}, "'yesterday' is no date"),
        ({"limit": -1}, "-1 rows"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_timeline_refuses(clicks, asked, said):
    with pytest.raises(unify.QueryError) as caught:
        clicks.timeline("C1", **asked)
    assert said in str(caught.value)


@pytest.mark.parametrize("verb", ["timeline", "customer"])
def test_nobody(clicks, verb):
    for name in ("C9", "0" * 32):
        with pytest.raises(unify.QueryError):
            getattr(clicks, verb)(name)


def test_a_card(clicks):
    card = clicks.customer("C2")
    assert card.profile["Name"] == "Ann"
    assert [(r.key, r.is_winner) for r in card.records] == [("C1", True), ("C2", False)]
    assert [(a.type, a.activities, a.first) for a in card.activities] == [("Web", 2, "2023-11-14 22:13:20")]
    assert f"customer {card.CustomerId}" in repr(card)
    assert "crm.Contacts:C2 (alternate)" in repr(card)
    assert "0 activities" in repr(clicks.customer("C4"))


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_activities_follow_a_customer_that_is_merged_and_ids_stay(tmp_path):
    with unify.open(tmp_path / "i", create=True) as instance:
        instance.run(PROJECT, frames=frames())
        bob = instance.customer("C3").CustomerId
        before = {r["SourceActivityId"]: r["ActivityId"] for r in instance.table("UnifiedActivity").rows()}
        merged = [p | {"Mail": "ann@x.example"} if p["Id"] == "C3" else p for p in PEOPLE]
        instance.run(PROJECT, frames=frames(merged))
        assert seen(instance.timeline(bob)) == ["2", "1", "6", "4"]
        assert {r["SourceActivityId"]: r["ActivityId"] for r in instance.table("UnifiedActivity").rows()} == before
        instance.ingest(PROJECT, frames=frames(PEOPLE[:1]))  # customers and their activities stay until `conflate`
        assert seen(instance.timeline(bob)) == ["2", "1", "6", "4"]
        instance.conflate()
        assert seen(instance.timeline("C1")) == ["1"]


def test_the_order_of_rows_and_records_changes_nothing(tmp_path):
    tables = []
    for turn in (1, -1):
        given_frames = {name: pa.Table.from_pylist(t.to_pylist()[::turn]) for name, t in frames().items()}
        with unify.open(tmp_path / str(turn), create=True) as instance:
            instance.run(PROJECT, frames=given_frames)
            tables.append([instance.table(t).rows() for t in ("UnifiedActivity", "orphan_activities")])
    assert tables[0] == tables[1]


def test_a_wrong_activity_stops_the_run_before_conflation(tmp_path):
    wrong = PROJECT | {"relationships": {}}
    with unify.open(tmp_path / "i", create=True) as instance:
        with pytest.raises(unify.SpecError, match=r"no relationship leads from web\.Clicks"):
            instance.run(wrong, frames=frames())
        assert instance.status().published is None
    assert any("no relationship leads from web.Clicks" in p for p in unify.validate(wrong, frames=frames()).problems)
    assert unify.validate(PROJECT, frames=frames()).ok


def test_without_activities_the_tables_are_there_and_empty(tmp_path):
    plain = PROJECT | {"relationships": {}, "activities": {}}
    with unify.open(tmp_path / "i", create=True) as instance:
        instance.run(plain, frames=frames())
        assert instance.tables()["UnifiedActivity"] == instance.tables()["orphan_activities"] == 0
        assert instance.table("UnifiedActivity").columns == list(COLUMNS)
        assert seen(instance.timeline("C1")) == []
