"""Members of segments on disk: files by content, rows by run, what is kept and what is let go."""

import json
from pathlib import Path

import crash_harness as harness
import pytest

from unify.core.errors import StoreError
from unify.store import NewMembers, NewMembership, Store


def say(root: Path, *, keep: int = 100, generations: int = 5, refresh: bool = False, **contents: bytes | None) -> int:
    """A run that says who is in which segment; None: it failed and there never were any. Its number."""
    store = Store.open(root)
    rows = [
        NewMembership(name, "failed" if c is None else "refreshed", None if c is None else len(c), c, {"as_of": 1})
        for name, c in contents.items()
    ]
    with store.lease("run") as lease, store.begin(lease) as build:
        if refresh:
            published = store.published()
            assert published is not None
            build.refresh({}, published.number, NewMembers(rows, keep=keep))
            return build.number
        harness.write_tables(build, rows=10)
        build.publish({}, generations, members=NewMembers(rows, {}, b"", build.number - 1, keep))
        return build.number


def files(root: Path) -> set[str]:
    return {path.name for path in (root / "memberships").iterdir()}


def kept(root: Path, segment: str) -> list[int]:
    return [row.run for row in Store.open(root).membership_history(segment) if row.file is not None]


def test_equal_members_are_one_file(acme: Path) -> None:
    before = files(acme)
    say(acme, vip=b"abc", staff=b"abc")
    say(acme, vip=b"abc")
    assert len(files(acme) - before) == 1
    rows = Store.open(acme).membership_history("vip")
    assert [(r.run, r.generation, r.state, r.members) for r in rows] == [(3, 3, "refreshed", 3), (4, 4, "refreshed", 3)]
    assert {r.file for r in rows} == files(acme) - before
    assert Store.open(acme).members_file(str(rows[0].file)) == b"abc"
    harness.assert_tidy(acme)


def test_a_refresh_is_a_run_without_a_generation(acme: Path) -> None:
    say(acme, vip=b"a", staff=b"s")
    served = harness.fingerprint(acme)
    assert say(acme, refresh=True, vip=b"ab") == 4
    assert harness.fingerprint(acme) == served, "the published generation is the same, to the byte"
    store = Store.open(acme)
    run = store.run(4)
    assert (run.state, run.generation, run.report) == ("published", 3, {})
    now = store.memberships(3)
    assert {name: (row.run, row.members) for name, row in now.items()} == {"vip": (4, 2), "staff": (3, 1)}
    then = store.memberships(3, until=3)
    assert {name: row.run for name, row in then.items()} == {"vip": 3, "staff": 3}
    assert say(acme, vip=b"abc") == 5, "the next generation takes the next number"
    assert [g.number for g in store.generations()] == [5, 3, 2, 1]
    store.rollback(3)
    assert store.memberships(3)["vip"].run == 4, "rolling back brings the refreshed members along"
    harness.assert_tidy(acme)


def test_generations_of_before_have_a_run_of_their_own_number(acme: Path) -> None:
    assert [(r.number, r.generation) for r in Store.open(acme).runs()] == [(2, 2), (1, 1)]


def test_an_older_instance_learns_which_run_made_which_generation(acme: Path) -> None:
    """As an instance that the first catalog wrote: no memberships, no column `generation`."""
    import sqlite3

    connection = sqlite3.connect(acme / "catalog.sqlite")
    for table in ("memberships", "identity_changes", "segment_texts"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("ALTER TABLE runs DROP COLUMN generation")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    assert Store.open(acme).memberships(2) == {}  # of a copy, brought up to date in memory
    say(acme, vip=b"a")
    store = Store.open(acme)
    assert [(r.number, r.generation) for r in store.runs()] == [(3, 3), (2, 2), (1, 1)]
    assert store.memberships(2) == {}
    harness.assert_tidy(acme)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_members_of_the_last_runs_are_kept_and_sizes_for_ever(acme: Path, keep: int) -> None:
    for n in range(5):
        say(acme, keep=keep, generations=1, vip=b"x" * (n + 1))
    assert kept(acme, "vip") == list(range(8 - keep, 8))
    history = Store.open(acme).membership_history("vip")
    assert [(r.run, r.members) for r in history] == [(3, 1), (4, 2), (5, 3), (6, 4), (7, 5)]
    assert len([f for f in files(acme) if f.endswith(".roaring")]) == keep
    harness.assert_tidy(acme)


def test_what_can_be_rolled_back_to_keeps_its_members(acme: Path) -> None:
    for n in range(4):
        say(acme, keep=1, generations=3, vip=b"x" * (n + 1))
    store = Store.open(acme)
    assert [g.number for g in store.generations()] == [6, 5, 4]
    assert kept(acme, "vip") == [4, 5, 6]
    for g in store.generations():
        assert store.members_file(str(store.memberships(g.number)["vip"].file))


def test_a_run_that_is_kept_keeps_what_was_in_force_then(acme: Path) -> None:
    """Refreshes of one segment do not push out the others: at run 6, `staff` was what run 3 had found."""
    say(acme, keep=2, generations=1, vip=b"a", staff=b"s")  # 3
    for n in range(4):
        say(acme, keep=2, refresh=True, vip=b"ab" * (n + 1))  # 4, 5, 6, 7
    assert kept(acme, "vip") == [6, 7]
    assert kept(acme, "staff") == [3]
    say(acme, keep=2, generations=1, vip=b"b", staff=b"t")  # 8
    assert kept(acme, "staff") == [3, 8]
    assert kept(acme, "vip") == [7, 8]
    assert Store.open(acme).memberships(3, until=7)["staff"].run == 3
    say(acme, keep=2, generations=1, vip=b"b", staff=b"t")  # 9: nothing kept is of generation 3 any more
    assert kept(acme, "staff") == [8, 9]
    harness.assert_tidy(acme)


def test_a_failed_segment_without_members(acme: Path) -> None:
    say(acme, vip=None)
    row = Store.open(acme).memberships(3)["vip"]
    assert (row.state, row.members, row.file) == ("failed", None, None)


def test_a_failed_run_takes_its_members_with_it(acme: Path) -> None:
    before = files(acme)
    store = Store.open(acme)
    with pytest.raises(StoreError, match="there is no generation 77"), store.lease("segments") as lease:  # noqa: SIM117
        with store.begin(lease) as build:
            build.refresh({}, 77, NewMembers([NewMembership("vip", "refreshed", 1, b"new", {})]))
    assert files(acme) == before
    assert store.runs(1)[0].state == "failed"
    harness.assert_tidy(acme)


def test_a_damaged_or_missing_file_is_told(acme: Path) -> None:
    say(acme, vip=b"abc")
    store = Store.open(acme)
    name = str(store.memberships(3)["vip"].file)
    path = acme / "memberships" / name
    path.write_bytes(b"abd")
    with pytest.raises(StoreError, match="damaged"):
        store.members_file(name)
    say(acme, vip=b"abc")
    assert store.members_file(name) == b"abc", "written anew, because it was not what its name says"
    path.unlink()
    with pytest.raises(StoreError, match="missing") as caught:
        store.members_file(name)
    assert "refresh" in caught.value.hint


def test_files_that_are_not_ours_are_left_alone(acme: Path) -> None:
    folder = acme / "memberships"
    strays = {f"{'0' * 64}.roaring", f"{'1' * 64}.changes", f"{'2' * 64}.roaring.new"}
    mine = {"notes.txt", f"{'3' * 63}.roaring", f"{'4' * 64}.csv"}
    for name in strays | mine:
        (folder / name).write_text("x")
    say(acme, vip=b"a")
    assert not strays & files(acme)
    assert mine <= files(acme)


def test_facts_and_texts_come_back(acme: Path) -> None:
    store = Store.open(acme)
    facts = {"as_of": 3, "rules": [["ünïcode", 1]], "error": None}
    said = NewMembers([NewMembership("vip", "refreshed", 1, b"a", facts)], {"h": '{"where": "A eq 1"}'}, b"step", 2)
    with store.lease("run") as lease, store.begin(lease) as build:
        harness.write_tables(build, rows=10)
        build.publish({}, 5, members=said)
    row = store.memberships(3)["vip"]
    assert row.facts == json.loads(json.dumps(facts))
    assert row.as_of == 3
    assert store.segment_text("h") == {"where": "A eq 1"}
    assert store.segment_text("other") is None
    step = store.identity_steps()[3]
    assert (step.parent, store.members_file(str(step.file))) == (2, b"step")
    assert store.versions("segment", "never") == []


def test_state_changes_with_everything_that_matters(acme: Path) -> None:
    store = Store.open(acme)
    seen = [store.segment_state()]
    for change in (
        lambda: say(acme, vip=b"a"),
        lambda: say(acme, refresh=True, vip=b"b"),
        lambda: store.rollback(2),
        lambda: store.save_definition("segment", "x", {}),
    ):
        change()
        seen.append(store.segment_state())
    assert len(set(seen)) == len(seen)
    store.save_definition("measure", "x", {})
    assert store.segment_state() == seen[-1]


def test_a_definition_is_saved_after_the_version_that_was_seen(acme: Path) -> None:
    store = Store.open(acme)
    assert store.save_definition("segment", "vip", {"a": 1}, after=0) == 1
    assert store.save_definition("segment", "vip", {"a": 2}, after=1) == 2
    for wrong in (0, 1, 3):
        with pytest.raises(StoreError, match=f"at version 2, not {wrong}"):
            store.save_definition("segment", "vip", {"a": 3}, after=wrong)
    assert [d.body for d in store.versions("segment", "vip")] == [{"a": 1}, {"a": 2}]
