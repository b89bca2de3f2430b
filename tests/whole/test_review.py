"""Decisions of a review: made, obeyed, kept across runs and changed data, refused where they contradict, withdrawn."""

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import unify
from unify.cli import run as command
from unify.core.errors import NotFoundError, QueryError, SpecError
from unify.verbs.decisions import KIND, pair_id

COLUMNS = ("Id", "First", "Last", "Mail", "Born")
ROWS = [
    ("A1", "Ada", "Okafor", "ada@x.example", "1980-01-01"),
    ("A2", "Ada", "Okafor", "ada@x.example", "1980-01-01"),
    ("B1", "Bo", "Lind", "ada@x.example", "1951-07-30"),
    *((f"X{i}", f"F{i % 9}", f"L{i % 13}", f"m{i // 2}@y.example", f"19{40 + i // 2}-03-02") for i in range(80)),
]
PLAN: dict[str, Any] = {
    "name": "people",
    "sources": {"crm": {"People": {"key": "Id"}}, "web": {"Users": {"key": "Id"}}},
    "conflation": {
        "order": ["crm.People", "web.Users"],
        "dedupe": {"crm.People": [{"name": "mail", "when": [{"field": "Mail"}]}]},
        "match": {
            "web.Users -> crm.People": [
                {"name": "mail", "when": [{"field": "Mail"}]},
                {"name": "name and birth date", "when": [{"field": c} for c in ("First", "Last", "Born")]},
            ]
        },
    },
}
USERS = [("W1", "Bo", "Lind", "bo@x.example", "1951-07-30"), ("W2", "Ada", "Okafor", "ada@x.example", "1980-01-01")]


def frames(rows: Any = ROWS, users: Any = USERS) -> dict[str, Any]:
    def table(content: Any) -> pa.Table:
        return pa.table({c: pa.array([row[i] for row in content], pa.string()) for i, c in enumerate(COLUMNS)})

    return {"crm.People": table(rows), "web.Users": table(users)}


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    with unify.open(tmp_path / "i", create=True) as instance:
        instance.run(PLAN, frames=frames())
        yield instance


def together(acme: Any, *keys: str) -> bool:
    rows = acme.sql("SELECT DISTINCT CustomerId FROM members WHERE list_contains($keys, key)", {"keys": list(keys)})
    return len(rows) == 1


def test_a_decision_outlives_runs_new_data_and_another_plan(acme: Any) -> None:
    assert together(acme, "A1", "B1", "W1")
    made = acme.decide(("crm.People:A1", "crm.People:B1"), "different", note="mother")
    assert (made.state, made.verdict, made.note) == ("waiting", "different", "mother")
    assert made.id == pair_id(("crm.People", "B1"), ("crm.People", "A1"))
    assert together(acme, "A1", "B1"), "nothing changes before the next run"
    acme.conflate()
    assert not together(acme, "A1", "B1")
    assert acme.decisions()[0].state == "in force"
    more = [("A0", "Ada", "Okafor", "ada@x.example", "1980-01-01"), *reversed(ROWS)]
    plan = json.loads(json.dumps(PLAN))
    plan["conflation"]["dedupe"]["crm.People"][0]["name"] = "the mail"
    for frame, project in ((frames(), PLAN), (frames(more), PLAN), (frames(more), plan)):
        acme.run(project, frames=frame)
        assert not together(acme, "A1", "B1")
        assert [d.state for d in acme.decisions()] == ["in force"]
    acme.ingest(PLAN, frames=frames())
    acme.conflate()
    assert not together(acme, "A1", "B1")
    assert acme.withdraw(made.id[:6]).state == "withdrawn"
    assert acme.decisions() == []
    acme.conflate()
    assert together(acme, "A1", "B1")
    again = acme.decide(("crm.People:B1", "crm.People:A1"), "same")
    assert again.id == made.id, "a withdrawn decision can be made again, the other way too"


def test_a_reviewed_pair_does_not_come_up_again(acme: Any) -> None:
    before = acme.review(limit=None)
    assert before.total == len(before.items) > 0
    assert [i.urgency for i in before.items] == sorted((i.urgency for i in before.items), reverse=True)
    assert acme.review(limit=None) == before
    first = before.items[0]
    decided = acme.decide(first.id, "same")
    for _ in range(2):
        after = acme.review(limit=None)
        assert decided.id not in [i.id for i in after.items]
        assert after.decided == 1
        acme.conflate()
    assert acme.decide(first.id, "same").saved == decided.saved, "deciding the same again changes nothing"


def test_a_record_that_is_gone_and_comes_back(acme: Any) -> None:
    acme.decide(("crm.People:A1", "crm.People:B1"), "different")
    report = acme.run(PLAN, frames=frames([row for row in ROWS if row[0] != "B1"]))
    assert any("B1" in warning and "not there" in warning for warning in report.warnings)
    [gone] = acme.decisions()
    assert gone.state == "gone"
    assert "B1" in gone.why
    acme.run(PLAN, frames=frames())
    assert [d.state for d in acme.decisions()] == ["in force"]
    assert not together(acme, "A1", "B1")


def test_an_entity_that_left_the_plan_is_a_warning(acme: Any) -> None:
    acme.decide(("crm.People:A1", "web.Users:W1"), "different")
    plan = json.loads(json.dumps(PLAN))
    plan["conflation"]["order"] = ["crm.People"]
    plan["conflation"]["match"] = {}
    report = acme.run(plan, frames=frames())
    assert any("web.Users does not take part" in warning for warning in report.warnings)
    acme.run(PLAN, frames=frames())
    assert not together(acme, "A1", "W1")


def test_contradictions_are_refused_by_name(acme: Any) -> None:
    one = acme.decide(("crm.People:A1", "crm.People:A2"), "same")
    other = acme.decide(("crm.People:A2", "web.Users:W1"), "same")
    with pytest.raises(QueryError, match=f"(?s){one.id}.*withdraw"):
        acme.decide(one.id, "different")
    with pytest.raises(QueryError, match=f"(?s)(?=.*{one.id})(?=.*{other.id})"):
        acme.decide(("crm.People:A1", "web.Users:W1"), "different")
    assert len(acme.decisions()) == 2


def test_a_contradiction_to_a_list_of_the_project_is_refused(tmp_path: Path) -> None:
    plan = {**PLAN, "lists": {"clerk": {"kind": "never", "records": [["crm.People", "A1", "crm_People", "B1"]]}}}
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(plan, frames=frames())
        with pytest.raises(QueryError, match="list 'clerk'"):
            acme.decide(("crm.People:A1", "crm.People:B1"), "same")


def test_decisions_made_at_the_same_moment_may_contradict_and_stop_the_run(acme: Any) -> None:
    made = acme.decide(("crm.People:A1", "crm.People:A2"), "same")
    more = acme.decide(("crm.People:A2", "crm.People:B1"), "same")
    records = [["crm.People", "A1"], ["crm.People", "B1"]]
    body = {"verdict": "different", "records": records, "note": ""}
    acme.store.save_definition(KIND, pair_id(("crm.People", "A1"), ("crm.People", "B1")), body)
    number = acme.published().number
    with pytest.raises(SpecError, match=f"(?s)(?=.*{made.id})(?=.*{more.id})"):
        acme.conflate()
    assert acme.published().number == number


@pytest.mark.parametrize(
    ("what", "verdict", "error", "said"),
    [
        ("0000", "same", NotFoundError, "unify review"),
        ("", "same", NotFoundError, "unify review"),
        (("A1", "B1"), "perhaps", QueryError, "same or different"),
        (("A1", "A1"), "same", QueryError, "itself"),
        (("A1", "nobody"), "same", QueryError, "nobody"),
        (("W1", "W2"), "same", QueryError, "dedupe rule"),
    ],
)
def test_what_cannot_be_decided(acme: Any, what: Any, verdict: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        acme.decide(what, verdict)
    assert acme.decisions() == []


def decide_and_die(path: str) -> None:
    from unify.store import catalog

    catalog.failpoint = lambda point: (
        os.kill(os.getpid(), signal.SIGKILL) if point == "definition.before_commit" else None
    )
    with unify.open(path) as acme:
        acme.decide(("A1", "B1"), "different")


def test_a_process_killed_while_deciding_leaves_nothing(acme: Any) -> None:
    child = multiprocessing.get_context("spawn").Process(target=decide_and_die, args=(str(acme.path),))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert acme.decisions() == []
    assert acme.decide(("A1", "B1"), "different").state == "waiting"


def test_deciding_needs_no_lease(acme: Any) -> None:
    with acme.store.lease("somebody else"):
        assert acme.decide(("A1", "B1"), "different").state == "waiting"


def test_the_commands(acme: Any, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--instance", str(acme.path)]
    assert command(["review", *at, "--limit", "1", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    [item] = listed["items"]
    assert command(["review", *at, "--decide", item["id"], "different", "--note", "cousins"]) == 0
    assert "waiting" in capsys.readouterr().out
    assert command(["review", *at, "--pair", "crm.People:A1", "web.Users:W2", "same", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "same"
    assert command(["decisions", *at, "--json"]) == 0
    ids = [d["id"] for d in json.loads(capsys.readouterr().out)]
    assert item["id"] in ids
    assert len(ids) == 2
    assert command(["decisions", *at, "--withdraw", item["id"]]) == 0
    assert "withdrawn" in capsys.readouterr().out
    assert command(["decisions", *at, "--withdraw", item["id"]]) == 7
    assert command(["review", *at, "--decide", item["id"], "maybe"]) == 7
    assert command(["review", *at, "--note", "for nothing"]) == 2
    assert "a note belongs to a decision" in capsys.readouterr().err
