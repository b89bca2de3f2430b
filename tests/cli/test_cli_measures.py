"""unify measure and unify refresh, on the sample."""

import json
from pathlib import Path

import pytest

import unify
from unify.cli import run

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "instance"
    with unify.open(path, create=True) as made:
        made.run(SAMPLE)
    return str(path)


@pytest.fixture
def said(instance, monkeypatch, capsys):
    """Runs a command; (exit code, stdout, stderr)."""
    monkeypatch.setenv("UNIFY_INSTANCE", instance)
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*words):
        code = run(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_list(said):
    code, out, _ = said("measure", "list", "--json")
    assert code == 0
    listed = {m["name"]: (m["kind"], m["table"], m["definition"]) for m in json.loads(out)}
    assert listed["TotalSpend"] == ("attribute", "Customer_Measure", {"sum": "Total", "of": "web.Orders"})
    assert listed["MonthlySpend"][:2] == ("customer", "Measure_MonthlySpend")
    assert "Revenue       business   Measure_Revenue" in said("measure", "list")[1]


def test_show_and_values(said):
    code, out, _ = said("measure", "show", "TotalSpend", "--json")
    assert code == 0
    [figures] = json.loads(out)["figures"]
    assert (figures["min"], figures["max"]) == ("18.00", "1228.00")
    assert 'sum(x0) AS DECIMAL(38,2)) AS "TotalSpend"' in said("measure", "show", "TotalSpend", "--sql")[1]
    assert json.loads(said("measure", "values", "Revenue", "--json")[1]) == [{"Revenue": "54017.00"}]
    assert len(json.loads(said("measure", "values", "TotalSpend", "--limit", "3", "--json")[1])) == 3


def test_preview_keeps_nothing_and_says_what_is_wrong(said):
    words = ("measure", "preview", "{sum: Quantity, of: web.Orders}", "--name", "Pieces", "--json", "--limit", "2")
    code, out, _ = said(*words)
    assert code == 0
    seen = json.loads(out)
    assert [r["column"] for r in seen["figures"]] == ["Pieces"]
    assert len(seen["rows"]) == 2
    assert "Pieces" not in said("measure", "list")[1]
    assert "CREATE TEMP TABLE" in said("measure", "preview", "TotalSpend divby Orders", "--sql")[1]
    code, _, err = said("measure", "preview", "{sum: Quantitty, of: web.Orders}")
    assert code == 2
    assert "web.Orders has no attribute 'Quantitty' (did you mean Quantity?)" in err
    assert said("measure", "preview", "{sum: [")[0] == 2


def test_history_and_refresh(said):
    code, out, _ = said("refresh", "--json")
    assert code == 0
    assert {"measures", "segments"} <= {stage["stage"] for stage in json.loads(out)["stages"]}
    runs = json.loads(said("measure", "history", "Revenue", "--json")[1])
    assert [r["max"] for r in runs] == ["54017.00", "54017.00"]
    customer = json.loads(said("measure", "history", "TotalSpend", "--customer", "C-1229", "--json")[1])
    assert [(r["generation"], r["TotalSpend"]) for r in customer] == [(1, "1228.00"), (2, "1228.00")]


def test_templates_and_unknown_names(said):
    listed = json.loads(said("measure", "templates", "--json")[1])
    assert len(listed) == 12
    assert {
        "template": "loyalty_points_earned",
        "title": "Points earned",
        "types": ["Loyalty"],
        "fields": ["PointsEarned"],
    } in listed
    code, _, err = said("measure", "show", "TotalSpent")
    assert code == 7
    assert "there is no measure 'TotalSpent'\n  → did you mean TotalSpend or" in err
