"""unify segment overlap, differ, drift, similar, suggest, activity, quick: on the sample, as text and as JSON."""

import json
from pathlib import Path

import pytest

import unify
from unify.cli import run

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("insights") / "instance"
    with unify.open(path, create=True) as made:
        made.run(SAMPLE)
        made.segments().create("rich", "RewardPoints gt 2000")
        made.segments().create("gold", "Tier eq 'gold'")
        made.segments().refresh()
        made.segments().update("rich", "RewardPoints gt 3000")
        made.segments().refresh()
    with unify.open(path) as opened:
        yield opened


@pytest.fixture
def said(sample, monkeypatch, capsys):
    """Runs a command of `unify segment`; (exit code, stdout, stderr)."""
    monkeypatch.setenv("UNIFY_INSTANCE", str(sample.path))
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*words):
        code = run(["segment", *words])
        return code, *capsys.readouterr()

    return call


def found(said, *words):
    code, out, err = said(*words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def number(sample, condition):
    return sample.sql(f"SELECT count(*) AS n FROM Customer WHERE {condition}").rows()[0]["n"]


def test_overlap(said, sample):
    both = number(sample, "RewardPoints > 3000 AND Tier = 'gold'")
    assert found(said, "overlap", "rich", "gold")["matrix"][0][1] == both
    code, out, _ = said("overlap", "rich", "gold")
    assert code == 0
    assert f"only rich + gold: {both}" in out or f"only gold + rich: {both}" in out
    by = found(said, "overlap", "rich", "gold", "--by", "State")
    assert sum(row["several"] for row in by["rows"]) + (by["rest"] or {"several": 0})["several"] == both


def test_differ(said, sample):
    report = found(said, "differ", "rich", "gold", "-a", "Tier", "-a", "City")
    assert {x["attribute"] for x in report["attributes"]} == {"Tier", "City"}
    assert report["others"] == number(sample, "Tier = 'gold' AND RewardPoints <= 3000")
    code, out, _ = said("differ", "rich")
    assert code == 0
    assert "against everybody else" in out


def test_drift(said, sample):
    report = found(said, "drift", "rich")
    left = number(sample, "RewardPoints > 2000 AND RewardPoints <= 3000")
    assert {c["cause"]: c["left"] for c in report["causes"]}["rule changed"] == left == len(report["customers"])
    code, out, _ = said("drift", "rich", "2", "3")
    assert code == 0
    assert f"rule changed: 0 entered, {left} left" in out


def test_similar(said, sample):
    report = found(said, "similar", "rich", "--share", "0.1")
    outside = number(sample, "coalesce(RewardPoints, 0) <= 3000")
    assert report["audience"] == outside
    assert len(report["customers"]) == report["chosen"] <= round(outside * 0.1)
    assert "RewardPoints" not in report["attributes"]
    code, _, err = said("similar", "rich", "-a", "City")
    assert code == 7
    assert "no better than chance" in err


def test_suggest(said):
    report = found(said, "suggest", "RewardPoints", "-a", "Tier", "-a", "State")
    assert report["suggestions"] == []  # the sample's points are drawn by lot
    code, _, err = said("suggest", "RewardPoint")
    assert code == 7
    assert "did you mean RewardPoints?" in err


def test_activity(said, sample):
    report = found(
        said, "activity", "2024-01-01", "2024-12-31", "--where", "ActivityType eq 'SalesOrder'", "--groups", "2"
    )
    active = sample.sql(
        "SELECT count(DISTINCT ordinal) AS n FROM UnifiedActivity WHERE ActivityType = 'SalesOrder' AND year(ActivityTime) = 2024"
    ).rows()[0]["n"]
    sizes = {s["name"]: s["customers"] for s in report["suggestions"]}
    assert sizes["recency_1"] + sizes["recency_2"] == active == number(sample, "true") - sizes["nothing"]
    code, _, err = said("activity", "2024-13-01", "2024-12-31")
    assert code == 2
    assert "is no day" in err


def test_quick(said, sample):
    report = found(said, "quick", "Tier", "--top", "1")
    [first] = report["values"]
    assert first["customers"] == number(sample, f"Tier = '{first['value']}'")
    code, out, _ = said("quick", "RewardPoints")
    assert code == 0
    assert "50 %:" in out


def test_a_suggested_definition_can_be_saved(sample):
    """What is printed is what a project declares."""
    suggested = sample.insights.suggest_by_activity("2024-01-01", "2024-12-31").suggestions
    for one in suggested:
        assert sample.segments().preview(one.definition).members == one.customers
    like = sample.segment("rich").similar(share=0.05)
    assert sample.segments().preview(like.definition).members == like.report.chosen == len(like.customers)
