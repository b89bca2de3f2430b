"""`unify segment …`: every command, as text and as JSON."""

import json
import shutil

import pytest

import unify


@pytest.fixture(scope="module")
def with_gold(sample, tmp_path_factory):
    """The sample with one segment made here and refreshed: run 2."""
    path = shutil.copytree(sample, tmp_path_factory.mktemp("segments") / "instance")
    with unify.open(path) as acme:
        acme.segments().create("gold", "RewardPoints gt 1000")
        acme.segments().refresh("gold")
    return path


@pytest.fixture
def asked(cli, with_gold):
    """`asked("list", "--json")` on an instance that no test changes."""
    return lambda *words: cli("segment", *words, "--instance", str(with_gold))


@pytest.fixture
def said(cli, with_gold, tmp_path):
    """The same on an instance of the test's own."""
    mine = shutil.copytree(with_gold, tmp_path / "instance")
    return lambda *words: cli("segment", *words, "--instance", str(mine))


def test_create_list_show(said):
    assert said("create", "silver", "RewardPoints gt 500", "--refresh", "--json").json["members"] > 0
    said("delete", "silver")
    made = said("create", "city", "IsMemberOfSegment('gold') and City ne null", "--json")
    assert (made.code, made.json["state"], made.json["members"]) == (0, "active", None)
    listed = said("list", "--json").json
    assert [row["name"] for row in listed if row["source"] == "catalog"] == ["city", "gold"]
    assert "win_back" in [row["name"] for row in listed if row["source"] == "project"]
    assert "gold" in said("list").out
    shown = said("show", "gold", "--json").json
    assert shown["definition"] == {"where": "RewardPoints gt 1000"}
    assert shown["needed_by"] == ["city"]
    assert "needed by city" in said("show", "gold").out


def test_members_count_has(asked):
    count = asked("count", "gold", "--json").json
    members = asked("members", "gold", "-a", "City", "--json").json
    assert len(members) == count["members"] > 10
    assert list(members[0]) == ["CustomerId", "City"]
    assert asked("count", "gold").out.strip() == str(count["members"])
    lines = asked("members", "gold", "--format", "csv", "--limit", "2").out.splitlines()
    assert lines == ["CustomerId", members[0]["CustomerId"], members[1]["CustomerId"]]
    assert [m["CustomerId"] for m in asked("members", "gold", "--run", str(count["run"]), "--json").json] == [
        m["CustomerId"] for m in members
    ]
    assert asked("has", "gold", members[0]["CustomerId"]).out.strip() == "yes"
    assert asked("has", "gold", "C-1508", "--json").json["member"] is True
    assert asked("has", "gold", "C-nobody").code == 7
    explained = asked("explain", "gold", "C-1508")
    assert "RewardPoints is greater than 1000" in explained.out
    assert asked("explain", "gold", "C-1508", "--json").json


def test_update_versions_diff_history(said):
    said("update", "gold", "RewardPoints gt 4000", "--if-version", "1")
    assert said("update", "gold", "RewardPoints gt 1", "--if-version", "1").code == 4
    assert "outdated" in said("list").out
    report = said("refresh", "gold", "--json").json
    assert [s["segment"] for s in report["segments"]] == ["gold"]
    assert [v["version"] for v in said("versions", "gold", "--json").json] == [1, 2]
    assert "RewardPoints gt 4000" in said("versions", "gold").out
    history = said("history", "gold", "--json").json
    assert [row["state"] for row in history] == ["refreshed", "refreshed"]
    assert said("history", "gold").out.count("refreshed") == 2
    found = said("diff", "gold", "--json").json
    assert found["before"] - len(found["left"]) == found["after"] > 0
    assert {row["reason"] for row in found["left"]} == {"criteria"}
    text = said("diff", "gold", str(found["run_a"]), str(found["run_b"])).out
    assert f"left: {len(found['left'])}" in text
    assert "--json has all" in text


def test_preview(said, tmp_path):
    found = said("preview", "RewardPoints gt 1000", "--sample", "2", "-a", "City", "--json").json
    assert found["members"] == said("count", "gold", "--json").json["members"]
    assert [list(row) for row in found["sample"]] == [["CustomerId", "City"]] * 2
    assert said("preview", "--of", "gold", "--json").json["members"] == found["members"]
    file = tmp_path / "segment.yaml"
    file.write_text(
        "rules:\n- {name: rich, where: RewardPoints gt 1000}\n- {where: City eq 'Dunmore Bay', operation: intersect}\n"
    )
    told = said("preview", "--file", file)
    assert told.code == 0
    assert "rich" in told.out
    assert said("create", "both", "--file", file, "--static", "--inactive", "--json").json["state"] == "inactive"
    assert said("activate", "both", "--json").json["state"] == "active"
    assert said("refresh", "both").code == 0


def test_delete_and_deactivate(said):
    said("duplicate", "gold", "copy")
    said("create", "on_it", "IsMemberOfSegment('copy')")
    refused = said("delete", "copy", "--json")
    assert refused.code == 7
    assert "on_it needs it" in refused.error["message"]
    assert said("deactivate", "copy").code == 7
    assert said("deactivate", "on_it", "--json").json["state"] == "inactive"
    assert said("delete", "copy", "--force", "--json").json == {"name": "copy", "version": 2, "deleted": True}
    assert said("show", "copy").code == 7


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("create", "x", "RewardPonts gt 1"), 7, "did you mean RewardPoints"),
        (("create", "x"), 2, "WHERE"),
        (("create", "x", "City ne null", "--file", "y.yaml"), 2, "WHERE"),
        (("create", "x", "--file", "nowhere.yaml"), 2, "no such file"),
        (("create", "x y", "City ne null"), 2, "not a name"),
        (("create", "x", "City ne null", "--inactive", "--refresh"), 2, "inactive"),
        (("create", "gold", "City ne null"), 2, "already"),
        (("members", "gld"), 7, "did you mean gold"),
        (("members", "gold", "-a", "Cty"), 7, "did you mean City"),
        (("members", "gold", "-a", "City", "--run", "2"), 2, "today"),
        (("refresh", "gld"), 7, "did you mean gold"),
        (("refresh", "--clock", "yesterday"), 2, "no moment"),
        (("diff", "gold", "2", "1"), 7, "gold had no members at run 1"),
        (("history", "nope"), 7, "no segment"),
    ],
)
def test_what_is_refused(asked, words, code, hint):
    found = asked(*words)
    assert (found.code, found.out) == (code, "")
    assert hint in found.err


def test_a_segment_that_fails_by_name_is_an_exit_code(said):
    assert said("create", "fine", "RewardPoints gt 1").code == 0
    said("create", "on_it", "IsMemberOfSegment('fine')")
    said("delete", "fine", "--force")
    failed = said("refresh", "on_it", "--json")
    assert failed.code == 7
    assert "no segment 'fine'" in failed.json["segments"][0]["error"]["message"]
    assert said("refresh").code == 0, "of all, a failure is a warning, as in a run"
    assert json.dumps(said("list", "--json").json).count('"invalid"') == 1
