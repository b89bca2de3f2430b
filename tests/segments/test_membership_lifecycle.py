"""Definitions from create to delete, the handle of a segment, and reading while others write."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyroaring import BitMap

import unify
from unify.core.errors import NotFoundError, QueryError, SpecError, StoreError
from unify.instance import Instance
from unify.verbs.segments import Segments

sys.path.insert(0, str(Path(__file__).parent))

import membership_jobs as jobs

PEOPLE: jobs.People = {"a": ("a", 20), "b": ("a", 20), "c": ("c", 12), "d": ("d", 1)}
DECLARED = {"rich": "Points gt 10", "rest": "not (IsMemberOfSegment('rich'))"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with jobs.opened(tmp_path_factory.mktemp("lifecycle")) as made:
        jobs.run(made, PEOPLE, DECLARED)
        return made.path


@pytest.fixture
def acme(template: Path, tmp_path: Path) -> Iterator[Instance]:
    import shutil

    with unify.open(shutil.copytree(template, tmp_path / "acme")) as made:
        yield made


@pytest.fixture
def segments(acme: Instance) -> Segments:
    return acme.segments()


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_from_create_to_delete(acme: Instance, segments: Segments) -> None:
    made = segments.create("top", {"where": "Points gt 15", "title": "The top", "tags": ["x"]})
    assert (made.state, made.version, made.members, made.source, made.tags) == ("active", 1, None, "catalog", ["x"])
    with pytest.raises(QueryError, match="has not been found on generation 1 yet"):
        acme.segment("top").count()
    segments.refresh("top")
    assert jobs.who(acme, "top") == {"a+b"}
    changed = segments.update("top", "Points gt 5")
    assert (changed.version, changed.outdated, changed.members, changed.title) == (2, True, 1, None)
    segments.refresh("top")
    assert not segments.get("top").outdated
    assert jobs.who(acme, "top") == {"a+b", "c"}
    assert [(v.version, v.segment is None) for v in segments.versions("top")] == [(1, False), (2, False)]
    assert segments.delete("top") == 3
    assert "top" not in segments
    with pytest.raises(NotFoundError, match="no segment 'top'"):
        acme.segment("top")
    assert segments.versions("top")[-1].segment is None


def test_a_name_made_again_begins_anew(acme: Instance, segments: Segments) -> None:
    segments.create("top", {"where": "Points gt 15", "static": True})
    segments.refresh("top")
    segments.delete("top")
    assert segments.create("top", {"where": "Points gt 1", "static": True}).version == 3
    with pytest.raises(QueryError, match="has not been found"):
        acme.segment("top").count()
    jobs.run(acme, PEOPLE, DECLARED)
    assert jobs.who(acme, "top") == {"a+b", "c"}, "not what the deleted one had found"
    assert len(acme.segment("top").history()) == 2


def test_the_project_file_has_the_say_over_its_segments(acme: Instance, segments: Segments) -> None:
    for verb in (
        lambda: segments.update("rich", "Points gt 1"),
        lambda: segments.delete("rich"),
        lambda: segments.activate("rich"),
        lambda: segments.deactivate("rich"),
        lambda: segments.versions("rich"),
    ):
        with pytest.raises(SpecError, match="declared in the project file"):
            verb()
    with pytest.raises(SpecError, match="already") as caught:
        segments.create("rich", "Points gt 1")
    assert "project file" in caught.value.hint
    segments.duplicate("rich", "rich_too")
    assert segments.definition("rich_too").where == "Points gt 10"


def test_a_name_that_the_project_takes_later_is_told(acme: Instance, segments: Segments) -> None:
    segments.create("mine", "Points gt 15")
    report = jobs.run(acme, PEOPLE, {**DECLARED, "mine": "Points lt 15"})
    assert any("mine is declared in the project" in w for w in report.warnings)
    assert jobs.who(acme, "mine") == {"c", "d"}


def test_bad_definitions_are_refused_and_nothing_is_saved(acme: Instance, segments: Segments) -> None:
    before = acme.store.segment_state()
    for definition, said in (
        ("Pints gt 1", "no attribute 'Pints'"),
        ({"wher": "Points gt 1"}, "did you mean where"),
        ({"where": "Points gt 1", "sql": "SELECT 1"}, "this one has where and sql"),
        ({"where": "IsMemberOfSegment('new')"}, "circle: new → new"),
        ([], "a list has either"),
    ):
        with pytest.raises(unify.UnifyError, match=said):
            segments.create("new", definition)  # type: ignore[arg-type]
    for name in ("two words", "1st", ""):
        with pytest.raises(SpecError, match="name"):
            segments.create(name, "Points gt 1")
    assert acme.store.segment_state() == before


def test_a_draft_may_be_wrong_until_it_is_activated(acme: Instance, segments: Segments) -> None:
    draft = segments.create("draft", {"where": "Pints gt 1", "active": False})
    assert draft.state == "invalid"
    assert draft.error is not None
    assert draft.error["hint"] == "did you mean Points?"
    with pytest.raises(QueryError, match="Pints"):
        segments.activate("draft")
    with pytest.raises(QueryError, match="is inactive"):
        segments.refresh("draft")
    report = jobs.run(acme, PEOPLE, DECLARED)
    assert [s.segment for s in report.segments] == ["rich", "rest"], "drafts are not looked at"
    assert segments.update("draft", {"where": "Points gt 1", "active": False}).state == "inactive"
    assert segments.activate("draft").state == "active"
    segments.refresh("draft")
    assert acme.segment("draft").count() == 2


def test_inactive_segments_answer_with_their_history_alone(acme: Instance, segments: Segments) -> None:
    segments.create("top", "Points gt 15")
    segments.refresh("top")
    opened = acme.segment("top")
    segments.deactivate("top")
    top = acme.segment("top")
    for verb in (
        top.count,
        top.members,
        lambda: "x" in top,
        lambda: top.bitmap,
        lambda: top.is_member("crm.Contacts:a"),
    ):
        with pytest.raises(QueryError, match="top is inactive"):
            verb()
    assert top.at(2).count() == 1
    assert len(top.history()) == 1
    assert opened.count() == 1, "whoever had opened it before reads on"
    report = jobs.run(acme, PEOPLE, DECLARED)
    assert "top" not in [s.segment for s in report.segments]


def test_ends(acme: Instance, segments: Segments) -> None:
    segments.create("until", {"where": "Points gt 1", "ends": "2020-01-01T00:00:00Z"})
    assert segments.get("until").state == "inactive"
    with pytest.raises(QueryError, match="ended at 2020"):
        segments.refresh("until")
    with pytest.raises(QueryError, match="later end"):
        segments.activate("until")
    segments.update("until", {"where": "Points gt 1", "ends": "2999-01-01T00:00:00Z"})
    segments.refresh("until")
    assert acme.segment("until").count() == 2


def test_what_others_need_is_not_deleted_by_mistake(acme: Instance, segments: Segments) -> None:
    segments.create("base", "Points gt 15")
    segments.create("a1", "IsMemberOfSegment('base')")
    segments.create("a2", {"where": "Points gt 0", "suppress": ["base"]})
    segments.create("a3", {"waterfall": {"one": "base", "two": "rich"}})
    assert segments.dependents("base") == ["a1", "a2", "a3"]
    for verb in (segments.delete, segments.deactivate):
        with pytest.raises(QueryError, match="a1, a2, a3 need it"):
            verb("base")
    segments.delete("base", force=True)
    report = segments.refresh()
    failed = {s.segment: s.error for s in report.segments if s.error is not None}
    assert set(failed) == {"a1", "a2", "a3", "one", "two"}
    assert "no segment 'base'" in failed["a1"]["message"]
    assert {s.segment for s in report.segments if s.error is None} == {"rich", "rest"}


def test_parts_of_a_waterfall_belong_to_it(acme: Instance, segments: Segments) -> None:
    segments.create("fall", {"waterfall": {"first": "rich", "second": "rest"}})
    segments.refresh("fall", "first", "second")
    assert (jobs.who(acme, "first"), jobs.who(acme, "second")) == ({"a+b", "c"}, {"d"})
    assert segments.get("first").part_of == "fall"
    for verb in (lambda: segments.delete("first"), lambda: segments.update("first", "Points gt 1")):
        with pytest.raises(SpecError, match="made by the waterfall fall"):
            verb()
    with pytest.raises(SpecError, match="already"):
        segments.create("second", "Points gt 1")
    with pytest.raises(SpecError, match="'rich' is taken"):
        segments.create("other", {"waterfall": {"rich": "rest"}})
    segments.update("fall", {"waterfall": {"first": "rest"}})
    assert "second" not in segments


def test_two_people_change_one_segment(segments: Segments) -> None:
    segments.create("top", "Points gt 15")
    seen = segments.get("top").version
    segments.update("top", "Points gt 16", version=seen)
    with pytest.raises(StoreError, match="at version 2, not 1"):
        segments.update("top", "Points gt 17", version=seen)
    with pytest.raises(StoreError, match="at version 2, not 1"):
        segments.delete("top", version=seen)
    assert segments.definition("top").where == "Points gt 16"


def test_a_list_in_a_file_becomes_part_of_a_definition_made_here(
    acme: Instance, segments: Segments, tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text("who\ncrm.Contacts:b\n crm.Contacts:d \n")
    segments.create("listed", {"members": {"file": "list.csv"}}, base=tmp_path)
    (tmp_path / "list.csv").unlink()
    segments.refresh("listed")
    assert jobs.who(acme, "listed") == {"a+b", "d"}
    (tmp_path / "gap.csv").write_text("who,note\ncrm.Contacts:b,x\n,y\n")
    with pytest.raises(unify.SourceError, match="first column is empty") as caught:
        segments.create("gap", {"members": {"file": "gap.csv"}}, base=tmp_path)
    assert "line 3" in caught.value.where


def test_a_list_in_a_file_of_the_project_is_read_in_every_run(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("who\ncrm.Contacts:b\n")
    project = {**jobs.PROJECT, "segments": {"listed": {"members": {"file": "list.csv"}}}}
    with jobs.opened(tmp_path) as acme:
        acme.run(project, frames=jobs.frames(PEOPLE), base=tmp_path, threads=1)
        assert jobs.who(acme, "listed") == {"a+b"}
        (tmp_path / "list.csv").write_text("who\ncrm.Contacts:d\ncrm.Contacts:nobody\n")
        acme.segments().refresh("listed")
        assert jobs.who(acme, "listed") == {"a+b"}, "a refresh has no files"
        acme.conflate()
        assert jobs.who(acme, "listed") == {"a+b"}
        report = acme.run(project, frames=jobs.frames(PEOPLE), base=tmp_path, threads=1)
        assert jobs.who(acme, "listed") == {"d"}
        assert any("crm.Contacts:nobody" in w for w in report.warnings)


def test_before_the_first_run(tmp_path: Path) -> None:
    with jobs.opened(tmp_path) as acme:
        segments = acme.segments()
        assert segments.create("early", "Points gt 15").state == "active"
        with pytest.raises(StoreError, match="nothing has been published"):
            segments.all()
        with pytest.raises(StoreError, match="nothing has been published"):
            segments.refresh()
        with pytest.raises(SpecError, match="already"):
            segments.create("early", "Points gt 15")
        assert acme.runs() == [], "a refresh of nothing is no run"
        jobs.run(acme, PEOPLE, {})
        assert jobs.who(acme, "early") == {"a+b"}


def test_an_instance_without_customers(tmp_path: Path) -> None:
    project = {k: v for k, v in jobs.PROJECT.items() if k not in ("conflation", "relationships")}
    with jobs.opened(tmp_path) as acme:
        report = acme.run({**project, "segments": DECLARED}, frames=jobs.frames(PEOPLE), threads=1)
        assert report.segments == []
        assert [info.members for info in acme.segments()] == [None, None]
        with pytest.raises(QueryError, match="there are no customers yet"):
            acme.segments().refresh()


# ── the handle ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_in(acme: Instance) -> None:
    rich = acme.segment("rich")
    rows = acme.sql("SELECT key, CustomerId FROM members ORDER BY key").rows()
    ids = {row["key"]: row["CustomerId"] for row in rows}
    assert (rich.count(), len(rich)) == (2, 2)
    for key, inside in {"a": True, "b": True, "c": True, "d": False}.items():
        for name in (ids[key], f"crm.Contacts:{key}", f"crm_Contacts:{key}", key):
            assert (name in rich) is inside
            assert rich.is_member(name) is inside
    for nobody in ("f" * 32, "crm.Contacts:zz", "web.Orders:a", "nobody", "", "crm.Nope:a"):
        assert nobody not in rich
        with pytest.raises(NotFoundError):
            rich.is_member(nobody)
    assert 7 not in rich
    assert rich.members(["Points"]).rows() == sorted(
        [{"CustomerId": ids["a"], "Points": 20}, {"CustomerId": ids["c"], "Points": 12}], key=lambda r: r["CustomerId"]
    )
    assert rich.members(limit=1).columns == ["CustomerId"]
    assert len(rich.members(limit=0)) == 0
    with pytest.raises(QueryError, match="did you mean Points"):
        rich.members(["Point"])
    mine = rich.bitmap
    mine.clear()
    assert rich.count() == 2, "a bitmap that was handed out is the caller's"
    assert "2 members" in repr(rich)
    assert rich.explain("crm.Contacts:d") is not None


def test_retired_ids_resolve(acme: Instance) -> None:
    old = {r["key"]: r["CustomerId"] for r in acme.sql("SELECT key, CustomerId FROM members").rows()}
    jobs.run(acme, {"a": ("a", 20), "c": ("a", 20)}, DECLARED)
    rich = acme.segment("rich")
    assert old["c"] in rich
    assert rich.is_member(old["c"])
    assert "crm.Contacts:c" in rich
    assert old["d"] not in rich
    with pytest.raises(NotFoundError, match="is gone"):
        rich.is_member(old["d"])


def test_a_handle_stays_with_its_generation_and_run(acme: Instance) -> None:
    before = acme.segment("rich")
    jobs.run(acme, {"x": ("x", 99)}, DECLARED, keep=1)
    jobs.run(acme, {"x": ("x", 99)}, DECLARED, keep=1)
    assert (before.generation, before.count(), len(before.members(["Points"]))) == (1, 2, 2)
    assert "crm.Contacts:a" in before
    assert "crm.Contacts:x" not in before
    now = acme.segment("rich")
    assert (now.generation, now.count()) == (3, 1)
    assert acme.segment("rich")._reading is now._reading, "nothing was published: nothing is opened again"


def test_several_segments_at_one_moment(acme: Instance, segments: Segments) -> None:
    found = segments.bitmaps()
    assert set(found) == {"rich", "rest"}
    assert found["rich"] | found["rest"] == BitMap(
        r["ordinal"] for r in acme.sql("SELECT ordinal FROM Customer").rows()
    )
    assert set(segments.bitmaps(["rich"])) == {"rich"}
    with pytest.raises(NotFoundError, match="did you mean rich"):
        segments.bitmaps(["ritch"])
    assert [info.name for info in segments] == ["rich", "rest"]
    assert len(segments) == 2
    assert "rich" in repr(segments)
    assert segments["rich"].count() == 2


def test_odata_asks_for_members(acme: Instance, segments: Segments) -> None:
    ids = sorted(acme.segment("rich").members().arrow().column(0).to_pylist())

    def asked() -> list[str]:
        found = acme.odata("Customer?$filter=IsMemberOfSegment('rich')&$select=CustomerId&$orderby=CustomerId")
        return [row["CustomerId"] for row in found.value]

    assert asked() == ids
    jobs.run(acme, {"x": ("x", 99)}, DECLARED)
    assert len(asked()) == 1
    segments.create("top", "Points gt 1000")
    with pytest.raises(QueryError, match="has not been found"):
        acme.odata("Customer?$filter=IsMemberOfSegment('top')")
    with pytest.raises(NotFoundError, match="no segment 'nope'"):
        acme.odata("Customer?$filter=IsMemberOfSegment('nope')")


# ── while others write ───────────────────────────────────────────────────────────────────────────────────────────────


def test_reading_while_runs_and_refreshes_publish(acme: Instance) -> None:
    """A reader asks again and again; every answer is of one generation and one run."""
    sizes = {1: 2}
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        with unify.open(acme.path) as mine:
            while not done.is_set():
                rich = mine.segment("rich")
                expected = sizes.get(rich.generation)
                members = rich.members(["Points"]).rows()
                if expected is not None and {rich.count(), len(members), len(rich.bitmap)} != {expected}:
                    problems.append(f"{rich!r}: {len(members)} members")
                if any(row["Points"] <= 10 for row in members):
                    problems.append(f"{rich!r}: {members}")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for n in (3, 4, 5):
            number = acme.runs(1)[0].number + 1
            sizes[number] = n
            jobs.run(acme, {f"x{i}": (f"x{i}", 50 + i) for i in range(n)}, DECLARED, keep=1, keep_members=1)
            assert acme.published().number == number
            acme.segments().refresh("rich")
    finally:
        done.set()
        for reader in readers:
            reader.join(30)
    assert problems == []


def test_definitions_change_while_somebody_writes(acme: Instance, segments: Segments) -> None:
    with acme.store.lease("run"):
        segments.create("new", "Points gt 1")
        assert segments.preview("Points gt 1").members == 2
        assert acme.segment("rich").count() == 2
        with pytest.raises(unify.LeaseHeldError):
            segments.refresh("new")
    segments.refresh("new")
    assert acme.segment("new").count() == 2
