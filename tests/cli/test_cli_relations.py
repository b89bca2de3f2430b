"""customer, timeline and relationship from the command line, on the sample."""

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


def test_customer(said):
    code, out, _ = said("customer", "C-1508")
    assert code == 0
    assert "loyalty.Members:L-1281 (alternate)" in out
    code, out, _ = said("customer", "L-1281", "--json")
    card = json.loads(out)
    assert (code, card["profile"]["FullName"]) == (0, "Louise Oglethorpe")
    assert card["activities"][0]["type"] == "SalesOrder"


def test_timeline_has_what_hangs_on_the_alternate(said):
    code, out, _ = said("timeline", "C-1508")
    assert code == 0
    assert "pos_Purchases:S-1001" in out
    _, out, _ = said("timeline", "C-1508", "--json")
    rows = json.loads(out)
    assert [r["ActivityTime"] for r in rows] == sorted((r["ActivityTime"] for r in rows), reverse=True)
    _, out, _ = said("timeline", "C-1508", "--json", "--limit", "1", "--type", "SalesOrder", "--since", "2024-01-01")
    assert json.loads(out) == rows[:1]
    assert said("timeline", "C-1508", "-t", "Feedback")[1].strip() == "nothing happened"


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("timeline", "C-1508", "-t", "SalesOder"), 7, "did you mean SalesOrder?"),
        (("timeline", "C-1508", "--since", "soon"), 7, "2024-01-31"),
        (("timeline", "C-0000"), 7, "source.Entity:key"),
        (("customer", "0" * 32), 7, "customer_ids"),
        (("relationship", "paths", "web.Oders"), 2, "did you mean web.Orders"),
        (("timeline", "C-1508", "--limit", "-1"), 2, "limit"),
        (("relationship", "lst"), 2, "lst"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_refusals(said, words, code, hint):
    found, out, err = said(*words)
    assert (found, out) == (code, "")
    assert hint in err


def test_relationship_list(said):
    _, out, _ = said("relationship", "list", "--json")
    listed = {r["name"]: r for r in json.loads(out)}
    assert listed["orders"] == {
        "name": "orders", "from": "web.Orders.UserId", "to": "web.SignUps.UserId", "cardinality": "ManyToOne", "source": "user",
    }  # fmt: skip
    assert listed["Customer_crm_Contacts"]["from"] == "Customer.crm_Contacts_ContactId"
    assert [r["source"] for r in listed.values()] == ["user"] * 3 + ["system"] * 3
    _, out, _ = said("relationship", "list")
    assert all(name in out for name in listed)


def test_relationship_paths(said):
    _, out, _ = said("relationship", "paths", "web.Orders", "--json")
    [path] = json.loads(out)
    assert (path["path"], path["to_one"]) == (["orders", "Customer_web_SignUps"], True)
    assert "one row" in said("relationship", "paths", "web.Orders")[1]
    assert "many rows" in said("relationship", "paths", "web.Orders", "pos.Purchases")[1]
    assert "no relationship leads" in said("relationship", "paths", "web.Orders", "web.Orders")[1]
