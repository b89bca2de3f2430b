"""Members over several real runs: entered, left, carried; failures, static segments, rollbacks."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import unify
from unify.instance import Instance

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))

import identities
import membership_jobs as jobs

RICH = {"rich": "Points gt 10"}


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Instance]:
    with jobs.opened(tmp_path) as made:
        yield made


def diff(acme: Instance, *runs: int, segment: str = "rich") -> tuple[set[str], dict[str, str], int]:
    """Entered and left by their contacts today (or CustomerId), and how many were carried."""
    found = acme.segment(segment).diff(*runs)
    left = {next(iter(jobs.records(acme, [row["CustomerId"]]))): row["reason"] for row in found.left.rows()}
    return jobs.records(acme, found.entered.arrow().column(0).to_pylist()), left, len(found.carried)


# ── merges and splits ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_merge_is_no_exit_and_no_entry(acme: Instance) -> None:
    """A year in the life: b joins a, c splits off a, d goes, e comes, f falls below."""
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 20), "d": ("d", 20), "f": ("f", 20), "g": ("g", 1)}, RICH)
    assert jobs.who(acme, "rich") == {"a", "b", "d", "f"}
    report = jobs.run(acme, {"a": ("a", 20), "b": ("a", 20), "e": ("e", 99), "f": ("f", 2), "g": ("g", 1)}, RICH)
    assert jobs.who(acme, "rich") == {"a+b", "e"}
    [said] = report.segments
    assert (said.members, said.entered, said.left) == (2, 1, 2)
    entered, left, carried = diff(acme, 1, 2)
    assert entered == {"e"}
    assert sorted(left.values()) == ["criteria", "gone"]
    assert left["f"] == "criteria"
    assert carried == 1
    [row] = acme.segment("rich").diff().carried.rows()
    assert row["how"] == "merged"
    assert jobs.records(acme, [row["now"]]) == {"a+b"}

    jobs.run(acme, {"a": ("a", 20), "b": ("bb", 20), "e": ("e", 99), "f": ("f", 2), "g": ("g", 1)}, RICH)
    assert jobs.who(acme, "rich") == {"a", "b", "e"}
    assert diff(acme, 2, 3) == (set(), {}, 1), "both parts of a member are in: nobody entered"
    assert diff(acme, 1, 3)[0] == {"e"}
    history = acme.segment("rich").history().rows()
    assert [(r["run"], r["members"], r["kept"]) for r in history] == [(1, 4, True), (2, 2, True), (3, 3, True)]


def test_a_member_that_is_merged_into_somebody_who_is_out(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 1), "b": ("b", 20)}, RICH)
    jobs.run(acme, {"a": ("a", 1), "b": ("a", 20)}, {"rich": "Points gt 50"})
    found = acme.segment("rich").diff(1, 2)
    assert (len(found.entered), len(found.carried)) == (0, 0)
    assert [row["reason"] for row in found.left.rows()] == ["merged"]


def test_difference_over_random_years_is_what_the_change_feed_says(acme: Instance) -> None:
    """Every pair of five runs, against customer_changes of each generation, followed customer by customer."""
    dice = random.Random(7)
    steps: dict[int, list[tuple[str, str, str | None]]] = {}
    members: dict[int, set[str]] = {}
    for run in range(1, 6):
        people = {
            f"r{n:02d}": (f"p{dice.randrange(14)}" if dice.random() < 0.5 else f"own{n}", dice.randrange(20))
            for n in range(40)
            if dice.random() < 0.85
        }
        jobs.run(acme, people, RICH, keep=5)
        rows = acme.sql("SELECT change, CustomerId, other FROM customer_changes WHERE change <> 'created'").rows()
        steps[run] = [
            ("retired", r["CustomerId"], None)
            if r["change"] == "retired"
            else (r["change"], r["other"], r["CustomerId"])
            for r in rows
        ]
        sql = acme.sql("SELECT CustomerId FROM Customer WHERE Points > 10").rows()
        members[run] = {row["CustomerId"] for row in sql}
    assert {kind for rows in steps.values() for kind, _, _ in rows} == {"merged", "split", "retired"}
    rich = acme.segment("rich")
    for a in range(1, 6):
        assert set(rich.at(a).members().arrow().column(0).to_pylist()) == members[a]
        for b in range(a, 6):
            heirs = {c: identities.heirs_of(c, [steps[n] for n in range(a + 1, b + 1)]) for c in members[a]}  # type: ignore[misc, arg-type, type-var]
            found = rich.diff(a, b)
            held = set().union(*heirs.values())
            assert set(found.entered.arrow().column(0).to_pylist()) == members[b] - held
            left = {row["CustomerId"]: row["reason"] for row in found.left.rows()}
            assert set(left) == {c for c in members[a] if not heirs[c] & members[b]}
            assert all((reason == "gone") == (not heirs[c]) for c, reason in left.items())
            carried = {(row["CustomerId"], row["now"]) for row in found.carried.rows()}
            assert carried == {(c, d) for c in members[a] for d in heirs[c] & members[b] if d != c}
            assert (found.before, found.after) == (len(members[a]), len(members[b]))


# ── static segments, failures ────────────────────────────────────────────────────────────────────────────────────────


def test_a_static_segment_is_found_once_and_lives_on_in_heirs(acme: Instance) -> None:
    frozen = {
        "first": {"where": "Points gt 10", "static": True},
        "of_it": "IsMemberOfSegment('first') and Points gt 15",
    }
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 18), "c": ("c", 1)}, frozen)
    report = jobs.run(acme, {"a": ("a", 20), "b": ("a", 18), "c": ("c", 99), "d": ("d", 99)}, frozen)
    assert jobs.who(acme, "first") == {"a+b"}, "c and d would meet it today; b is in through the customer it joined"
    assert jobs.who(acme, "of_it") == {"a+b"}
    first = acme.segment("first")
    assert (first.run, first.as_of) == (2, 1)
    assert {s.segment: s.state for s in report.segments} == {"first": "carried", "of_it": "refreshed"}
    acme.segments().refresh()
    assert jobs.who(acme, "first") == {"a+b"}, "a refresh of all leaves static ones alone"
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 18), "c": ("c", 99)}, frozen)
    assert jobs.who(acme, "first") == {"a", "b"}, "a member was split: both parts hold what it was"
    acme.segments().refresh("first")
    assert jobs.who(acme, "first") == {"a", "b", "c"}, "refreshed by name it is found anew"
    assert acme.segment("first").as_of == acme.runs(1)[0].number


def test_a_segment_that_fails_stops_nobody_and_keeps_its_last_members(acme: Instance) -> None:
    segments = {"rich": "Points gt 10", "other": "Person ne null", "rich_too": "IsMemberOfSegment('rich')"}
    people = {"a": ("a", 20), "b": ("b", 20), "c": ("c", 1)}
    jobs.run(acme, people, segments)
    broken = {**segments, "rich": "Pints gt 10"}
    report = jobs.run(acme, {**people, "b": ("a", 20), "d": ("d", 50)}, broken)
    states = {s.segment: (s.state, s.members, s.as_of) for s in report.segments}
    assert states == {"rich": ("failed", 1, 1), "rich_too": ("failed", 1, 1), "other": ("refreshed", 3, 2)}
    [rich, too] = [w for w in report.warnings if "could not be found" in w]
    assert "no attribute 'Pints'" in rich
    assert "those of run 1" in rich
    assert "it needs rich" in too
    assert jobs.who(acme, "rich") == {"a+b"}, "the last good members, b carried to the customer it joined"
    info = acme.segments().get("rich")
    assert (info.state, info.as_of, info.refresh) == ("invalid", 1, "failed")
    assert info.error is not None
    assert "did you mean Points" in info.error["hint"]
    report = jobs.run(acme, people, segments)
    assert {s.segment: s.state for s in report.segments} == dict.fromkeys(segments, "refreshed")
    assert acme.segments().get("rich").state == "active"
    assert [r["state"] for r in acme.segment("rich").history().rows()] == ["refreshed", "failed", "refreshed"]


def test_a_segment_without_members_ever(acme: Instance) -> None:
    report = jobs.run(acme, {"a": ("a", 1)}, {"bad": "Nope eq 1"})
    assert "it never had members" in report.warnings[-1]
    with pytest.raises(unify.QueryError, match="could not be found: Customer has no attribute 'Nope'"):
        acme.segment("bad").members()
    with pytest.raises(unify.QueryError, match="segment bad could not be found at run 1"):
        acme.segment("bad").at(1)


@pytest.mark.parametrize(
    ("segments", "circle"),
    [
        ({"a": "IsMemberOfSegment('a')"}, "a → a"),
        ({"a": "IsMemberOfSegment('b')", "b": {"where": "Points gt 1", "suppress": ["a"]}}, "a → b → a"),
    ],
)
def test_circles_are_named_and_stop_nobody_else(acme: Instance, segments: dict[str, Any], circle: str) -> None:
    report = jobs.run(acme, {"x": ("x", 20)}, {**segments, "top": "IsMemberOfSegment('a')", **RICH})
    said = {s.segment: s.error for s in report.segments}
    assert circle in said["a"]["message"]
    assert said["top"]["message"] == "it needs a, which could not be found"
    assert said["rich"] is None


def test_diamonds_are_no_circles(acme: Instance) -> None:
    segments = {
        "top": "IsMemberOfSegment('left') and IsMemberOfSegment('right')",
        "left": "IsMemberOfSegment('rich') and Points lt 50",
        "right": "IsMemberOfSegment('rich') and Points gt 15",
        **RICH,
    }
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 12), "c": ("c", 70)}, segments)
    assert jobs.who(acme, "top") == {"a"}


# ── rollback, refresh, retention ─────────────────────────────────────────────────────────────────────────────────────


def test_rollback_brings_back_the_members_of_its_generation(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 20)}, RICH)
    jobs.run(acme, {"a": ("a", 20), "b": ("a", 20), "new": ("new", 30)}, RICH)
    assert jobs.who(acme, "rich") == {"a+b", "new"}
    acme.rollback(1)
    assert jobs.who(acme, "rich") == {"a", "b"}
    assert acme.segment("rich").run == 1
    jobs.run(acme, {"a": ("a", 20), "b": ("b", 20), "new": ("new", 30)}, RICH)
    assert jobs.who(acme, "rich") == {"a", "b", "new"}
    assert diff(acme, 1, 3) == ({"new"}, {}, 0)
    # `new` was founded in generation 2, which was rolled back, and again in 3, under another number: the same id.
    found = acme.segment("rich").diff(2, 3)
    assert (len(found.entered), len(found.left)) == (1, 0)
    assert jobs.records(acme, found.entered.arrow().column(0).to_pylist()) == {"b"}, "a held both in generation 2"


def test_somebody_known_only_to_a_generation_that_is_gone(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 20)}, RICH, keep=2)
    jobs.run(acme, {"a": ("a", 20), "new": ("new", 30)}, RICH, keep=2)
    acme.rollback(1)
    for _ in range(2):
        jobs.run(acme, {"a": ("a", 20)}, RICH, keep=2)
    assert [g.number for g in acme.generations()] == [4, 3]
    found = acme.segment("rich").diff(2, 4)
    assert [row["reason"] for row in found.left.rows()] == ["unknown"]
    assert acme.segment("rich").at(2).count() == 2


def test_refreshes_are_runs_of_their_own(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 20)}, {"rich": "Points gt 10", "calm": "Points lt 100"})
    report = acme.segments().refresh("rich")
    assert (report.run, report.generation, [s.segment for s in report.segments]) == (2, 1, ["rich"])
    assert (acme.segment("rich").run, acme.segment("calm").run) == (2, 1)
    assert acme.segment("calm").at(2).as_of == 1, "at run 2 it was what run 1 had found"
    assert acme.report(2).segments == report.segments
    assert acme.page(2)
    assert acme.report().run == 1, "the report of the published generation"
    last = acme.runs(1)[0]
    assert (last.purpose, last.state, last.generation) == ("segments", "published", 1)
    assert acme.status().as_dict()["generation"] == 1
    assert acme.doctor().ok
    jobs.run(acme, {"a": ("a", 20)}, RICH)
    assert acme.published().number == 3


def test_what_is_not_kept_is_told(acme: Instance) -> None:
    for points in (11, 12, 13, 14):
        jobs.run(
            acme, {"a": ("a", points), "b": ("b", 2 * points)}, {"rich": f"Points gt {points}"}, keep_members=2, keep=1
        )
    rich = acme.segment("rich")
    assert [r["kept"] for r in rich.history().rows()] == [False, False, True, True]
    with pytest.raises(unify.QueryError, match="at run 1 are not kept: there were 1"):
        rich.at(1)
    with pytest.raises(unify.QueryError, match="run 4 comes after run 3"):
        rich.diff(4, 3)
    with pytest.raises(unify.StoreError, match="there is no run 99"):
        rich.at(99)
    assert rich.diff(3).run_b == 4


def test_a_failed_run_has_no_members(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 20)}, RICH)
    with pytest.raises(unify.UnifyError):
        jobs.run(acme, {"a": ("a", 20)}, RICH, relationships={"orders": "web.Orders.Nope -> crm.Contacts.Id"})
    with pytest.raises(unify.QueryError, match="run 2 failed: it has no members"):
        acme.segment("rich").at(2)
    assert jobs.who(acme, "rich") == {"a"}


def test_the_definition_of_a_past_run_is_known(acme: Instance) -> None:
    jobs.run(acme, {"a": ("a", 20)}, RICH)
    jobs.run(acme, {"a": ("a", 20)}, {"rich": {"where": "Points gt 15", "title": "Well off"}})
    rich = acme.segment("rich")
    assert [rich.at(run).definition["where"] for run in (1, 2)] == ["Points gt 10", "Points gt 15"]
    assert not acme.segments().get("rich").outdated


def test_ingest_alone_finds_segments_on_the_new_rows(acme: Instance) -> None:
    """Customers stay; orders are new. The segment is about orders."""
    buyers = {"buyers": {"where": "web_Orders/any(o: o/Total gt 5)"}}
    project = {**jobs.PROJECT, "segments": buyers}
    people: jobs.People = {"a": ("a", 1), "b": ("b", 1)}
    acme.run(project, frames=jobs.frames(people, {"o1": ("a", 10)}), threads=1)
    assert jobs.who(acme, "buyers") == {"a"}
    acme.ingest(project, frames=jobs.frames(people, {"o1": ("a", 1), "o2": ("b", 10)}), threads=1)
    assert jobs.who(acme, "buyers") == {"b"}
    acme.conflate()
    assert jobs.who(acme, "buyers") == {"b"}
    assert diff(acme, 1, 3, segment="buyers") == ({"b"}, {"a": "criteria"}, 0)
