"""Business events of runs: real runs make, merge, split and retire customers, and a webhook hears of each once.

The oracle is `customer_changes` of every generation, read beside the announcer.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import unify
from unify.custom.events import EVENTS
from unify.custom.remote import MOST_BYTES
from unify.service.jobs import announcer as announcing
from unify.service.jobs import events as making
from unify.service.jobs.announcer import Announcer
from unify.service.jobs.outbox import AGAIN_S

CHANGES = {"created": "unify_OnCustomerCreated", "merged": "unify_OnCustomerMerged", "split": "unify_OnCustomerSplit",
           "retired": "unify_OnCustomerRetired"}  # fmt: skip
CONTEXT = {
    "BusinessUnitId", "CorrelationId", "Depth", "InitiatingUserId", "InputParameters", "IsExecutingOffline",
    "IsInTransaction", "IsOfflinePlayback", "IsolationMode", "MessageName", "Mode", "OperationCreatedOn", "OperationId",
    "OrganizationId", "OrganizationName", "OutputParameters", "OwningExtension", "ParentContext", "PostEntityImages",
    "PreEntityImages", "PrimaryEntityId", "PrimaryEntityName", "RequestId", "SecondaryEntityName", "SharedVariables",
    "Stage", "UserId",
}  # fmt: skip
"""Members of a RemoteExecutionContext."""
NOBODY = "00000000-0000-0000-0000-000000000000"
MAIL = [{"name": "mail", "when": [{"field": "emailaddress1"}]}]
PROJECT: dict[str, Any] = {
    "sources": {"sales": {"People": {"records": "contact"}}},
    "conflation": {"order": ["sales.People"], "dedupe": {"sales.People": {"rules": MAIL}}},
    "resolution": {},
    "segments": {"bern": {"where": "address1_city eq 'Bern'"}},
}
Told = set[tuple[int, str, str, str | None]]
"""Run, change, CustomerId, the other or None."""


class Acme:
    """The instance `contoso` of record tables, without a generation; a clock; and an announcer that can die."""

    def __init__(self, world: Any, path: Path) -> None:
        self.world, self.path = world, path
        self.now = datetime.now(UTC)
        self.settings = world.settings.model_copy(update={"webhook_private": True})
        self.announcer = Announcer(self.settings)

    def subscribe(self, url: str, *messages: str) -> dict[str, str]:
        """A step for each message; their ids."""
        to = self.world.made("serviceendpoints", {"name": "hook", "url": url, "contract": 8})
        made = {}
        for message in messages:
            [found] = self.world.get(f"sdkmessages?$select=name&$filter=name eq '{message}'")["value"]
            made[message] = self.world.made("sdkmessageprocessingsteps", {
                "name": f"tell of {message}", "stage": 40, "mode": 1,
                "sdkmessageid@odata.bind": f"/sdkmessages({found['sdkmessageid']})",
                "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({to})",
            })  # fmt: skip
        return made

    def person(self, mail: str, city: str = "Bern") -> str:
        return self.world.made("contacts", {"lastname": "Doe", "emailaddress1": mail, "address1_city": city})

    def change(self, person: str, **values: Any) -> None:
        assert self.world.ask("PATCH", f"contacts({person})", values).status_code == 204

    def delete(self, person: str) -> None:
        assert self.world.ask("DELETE", f"contacts({person})").status_code == 204

    def run(self, project: dict[str, Any] = PROJECT, base: Path | None = None) -> Told:
        """What the new generation says that happened."""
        with unify.open(self.path) as acme:
            acme.run(project, base=base or self.path)
            return self.changes(acme)

    def changes(self, acme: Any) -> Told:
        rows = acme.sql("SELECT change, CustomerId, other FROM customer_changes").rows()
        number = acme.store.published().number
        return {(number, row["change"], row["CustomerId"], row["other"]) for row in rows}

    def look(self) -> None:
        self.announcer._endpoints._seen.clear()  # as if two seconds had gone by
        self.announcer._endpoints.look(self.now)
        self.announcer.look()

    def tell(self) -> None:
        self.look()
        with ThreadPoolExecutor(4) as pool:
            self.announcer.send(pool)

    def restart(self) -> None:
        self.announcer = Announcer(self.settings)


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world_of: Callable[[Path], Any]) -> Iterator[Acme]:
    path = tmp_path / "root" / "contoso"
    with unify.open(path, create=True):
        pass
    made = Acme(world_of(tmp_path / "root"), path)
    monkeypatch.setattr(announcing, "_now", lambda: made.now)
    yield made
    made.world.close()


def inputs(body: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in body["InputParameters"]}


def told(receiver: Any) -> Told:
    """What the receiver was told of customers; each change once, or it fails."""
    found: Counter[tuple[int, str, str, str | None]] = Counter()
    words = {message: change for change, message in CHANGES.items()}
    for body in receiver.bodies():
        if (change := words.get(body["MessageName"])) is None:
            continue
        said = inputs(body)
        others = said.get("Others") or [""] * len(said["Customers"])
        assert len(others) == len(said["Customers"]), "a line for each"
        for customer, line in zip(said["Customers"], others, strict=True):
            found.update((said["Run"], change, customer, other) for other in line.split() or [None])
    assert set(found.values()) <= {1}, "once"
    return set(found)


def changes_of(happened: Told) -> set[str]:
    return {change for _, change, _, _ in happened}


def test_made_merged_split_and_retired(acme: Acme, receiver: Any) -> None:
    steps = acme.subscribe(receiver.url, *CHANGES.values())
    _, b, c = acme.person("a@x.example"), acme.person("b@x.example"), acme.person("c@x.example")
    first = acme.run()
    acme.tell()
    assert changes_of(first) == {"created"}
    assert len(first) == 3
    assert told(receiver) == first, "the first generation says that all of its customers are new"
    acme.change(b, emailaddress1="a@x.example")
    merged = acme.run()
    acme.tell()
    [(_, change, survivor, gone)] = merged
    assert (change, {survivor, gone} < {id_ for _, _, id_, _ in first}) == ("merged", True)
    acme.change(b, emailaddress1="b@x.example")
    split = acme.run()
    acme.tell()
    [(_, change, new, parent)] = split
    assert (change, parent) == ("split", survivor)
    assert new not in {survivor, gone}
    acme.delete(c)
    retired = acme.run()
    acme.tell()
    assert changes_of(retired) == {"retired"}
    assert told(receiver) == first | merged | split | retired
    quiet = acme.run()
    acme.tell()
    assert quiet == set()
    assert len(receiver.seen) == 4, "an event for each, and none of a run that changed nothing"
    _shape(acme, receiver, steps)


def _shape(acme: Acme, receiver: Any, steps: dict[str, str]) -> None:
    """Context and headers as docs/custom-apis.md has them."""
    who = acme.world.get("WhoAmI()")
    correlations = set()
    for (path, headers, sent), message in zip(receiver.seen, CHANGES.values(), strict=True):
        body = json.loads(sent)
        assert path == "/hook"
        assert set(body) == CONTEXT
        assert {name: value for name, value in headers.items() if name.startswith(("x-ms-", "content-type"))} == {
            "content-type": "application/json", "x-ms-dynamics-organization": "contoso",
            "x-ms-dynamics-entity-name": "none", "x-ms-dynamics-request-name": message,
            "x-ms-correlation-request-id": body["CorrelationId"],
        }  # fmt: skip
        assert (body["MessageName"], body["Stage"], body["Mode"], body["Depth"]) == (message, 40, 1, 1)
        assert (body["OrganizationName"], body["OrganizationId"]) == ("contoso", who["OrganizationId"])
        assert (body["UserId"], body["PrimaryEntityName"], body["OutputParameters"]) == (NOBODY, "none", [])
        assert body["OwningExtension"]["Id"] == steps[message]
        said = inputs(body)
        declared = {kind.name: kind for api in EVENTS.values() if api.name == message for kind in api.parameters}
        assert {n for n, field in declared.items() if not field.optional} <= set(said) <= set(declared)
        assert (said["Part"], said["Parts"], said["Count"]) == (1, 1, len(said["Customers"]))
        assert ("Others" in said) == (message in {CHANGES["merged"], CHANGES["split"]})
        assert said["Generation"] == said["Run"]
        at = round(datetime.fromisoformat(said["At"]).timestamp() * 1000)
        assert abs(at - int(body["OperationCreatedOn"][6:-2])) <= 1
        correlations.add(body["CorrelationId"])
    assert len(correlations) == 4


def test_segments_and_runs(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, "unify_OnSegmentEntered", "unify_OnSegmentLeft", "unify_OnRunFinished",
                   "unify_OnRunFailed")  # fmt: skip
    a, b = acme.person("a@x.example"), acme.person("b@x.example", "Basel")
    acme.run()
    acme.change(a, address1_city="Basel")
    acme.change(b, address1_city="Bern")
    acme.run()
    with pytest.raises(unify.UnifyError):
        acme.run({**PROJECT, "sources": {"sales": {"People": {"files": "nowhere.csv", "key": "Id"}}}})
    acme.tell()
    with unify.open(acme.path) as opened:
        rows = opened.sql("SELECT key, CustomerId FROM members").rows()
    ids = {row["key"]: row["CustomerId"] for row in rows}
    moves = [(body["MessageName"], inputs(body)) for body in receiver.bodies()]
    assert sorted((m, s["Run"], s["Segment"], s["Customers"], s["Count"]) for m, s in moves if "Segment" in m) == [
        ("unify_OnSegmentEntered", 1, "bern", [ids[a]], 1), ("unify_OnSegmentEntered", 2, "bern", [ids[b]], 1),
        ("unify_OnSegmentLeft", 2, "bern", [ids[a]], 1),
    ]  # fmt: skip
    finished = [s for m, s in moves if m == "unify_OnRunFinished"]
    assert [(s["Run"], s["Generation"], s["Purpose"]) for s in finished] == [(1, 1, "run"), (2, 2, "run")]
    assert all(s["Seconds"] > 0 and "CustomersNotTold" not in s and "SegmentsNotTold" not in s for s in finished)
    [failed] = [s for m, s in moves if m == "unify_OnRunFailed"]
    assert (failed["Run"], failed["Generation"], set(failed)) == (
        3,
        None,
        {"Run", "Generation", "At", "Purpose", "Error"},
    )
    assert "nowhere" not in json.dumps(failed)


def test_a_webhook_that_was_down_is_told_of_everything_once(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, *CHANGES.values())
    a, b = acme.person("a@x.example"), acme.person("b@x.example")
    happened = acme.run()
    receiver.answers = [503] * 4
    for waited in AGAIN_S[:4]:
        acme.tell()
        tried = len(receiver.seen)
        acme.now += timedelta(seconds=waited - 1)
        acme.tell()
        assert len(receiver.seen) == tried, "not before its time"
        acme.now += timedelta(seconds=1)
    assert len(receiver.seen) == 4
    assert len({headers["webhook-id"] for _, headers, _ in receiver.seen}) == 1
    assert len({body for _, _, body in receiver.seen}) == 1, "the same to the letter"
    acme.change(b, emailaddress1="a@x.example")
    happened |= acme.run()
    acme.delete(a)
    acme.delete(b)
    happened |= acme.run()
    receiver.seen.clear()
    acme.tell()
    acme.now += timedelta(days=1)
    acme.tell()
    assert told(receiver) == happened
    assert changes_of(happened) == {"created", "merged", "retired"}


def test_an_announcer_that_dies_at_every_turn_tells_once(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, *CHANGES.values())
    b = [acme.person("a@x.example"), acme.person("b@x.example")][1]
    happened = acme.run()  # nobody has looked at the steps yet
    acme.look()
    acme.restart()
    acme.change(b, emailaddress1="a@x.example")
    happened |= acme.run()
    acme.look()
    acme.restart()
    acme.tell()
    acme.restart()
    acme.change(b, emailaddress1="b@x.example")
    happened |= acme.run()
    acme.tell()
    acme.restart()
    acme.tell()
    assert changes_of(happened) == {"created", "merged", "split"}
    assert told(receiver) == happened


def test_what_was_rolled_back_was_told_and_what_comes_after_is_told_again(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, *CHANGES.values())
    acme.person("a@x.example")
    happened = acme.run()
    acme.person("b@x.example")
    happened |= acme.run()
    with unify.open(acme.path) as opened:
        opened.rollback(1)
    acme.tell()
    assert told(receiver) == happened, "a rollback is no run"
    acme.person("c@x.example")
    again = acme.run()
    acme.tell()
    assert {(run, change) for run, change, _, _ in again} == {(3, "created")}
    assert len(again) == 2, "against the generation that was rolled back to"
    assert told(receiver) == happened | again
    assert len({headers["webhook-id"] for _, headers, _ in receiver.seen}) == len(receiver.seen)


def test_erased_customers_are_not_named_once_more(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, "unify_OnRunFinished", *CHANGES.values())
    a = [acme.person("a@x.example"), acme.person("b@x.example")][0]
    acme.run()
    acme.tell()
    with unify.open(acme.path) as opened:
        [row] = opened.sql(f"SELECT CustomerId FROM members WHERE key = '{a}'").rows()
        opened.erase(row["CustomerId"], reason="asked to")
    receiver.seen.clear()
    acme.person("c@x.example")
    later = acme.run()
    acme.tell()
    assert changes_of(later) == {"created"}
    assert told(receiver) == later
    assert not any(row["CustomerId"].encode() in body for _, _, body in receiver.seen)
    finished = [inputs(body)["Run"] for body in receiver.bodies() if body["MessageName"] == "unify_OnRunFinished"]
    assert finished[-1] == max(run for run, *_ in later)
    assert len(finished) > 1, "the erasure is a run that is told of"


def test_who_subscribes_later_is_not_told_of_what_was(acme: Acme, receiver: Any) -> None:
    acme.person("a@x.example")
    acme.run()
    time.sleep(1)  # rows are stamped to the second
    acme.subscribe(receiver.url, *CHANGES.values())
    acme.tell()
    assert receiver.seen == []
    acme.person("b@x.example")
    later = acme.run()
    acme.tell()
    assert told(receiver) == later
    assert len(later) == 1


def test_generations_that_are_gone_are_said_to_be_untold(acme: Acme, receiver: Any) -> None:
    acme.subscribe(receiver.url, "unify_OnRunFinished", *CHANGES.values())
    project = {**PROJECT, "keep": 1}
    acme.person("a@x.example")
    acme.run(project)
    acme.person("b@x.example")
    last = acme.run(project)
    acme.tell()
    assert told(receiver) == last
    finished = [inputs(body) for body in receiver.bodies() if body["MessageName"] == "unify_OnRunFinished"]
    assert [(said["Run"], said.get("CustomersNotTold")) for said in finished] == [(1, True), (2, None)]


def test_large_changes_come_in_parts_that_webhooks_take(acme: Acme, receiver: Any, tmp_path: Path) -> None:
    """9,000 customers, of whom 8,010 turn out to be one and the others pairs: more ids than one request can carry."""
    acme.subscribe(receiver.url, *CHANGES.values())
    project = {
        "sources": {"crm": {"People": {"files": "people.csv", "key": "Id"}}},
        "conflation": {
            "order": ["crm.People"],
            "dedupe": {"crm.People": {"rules": [{"name": one, "when": [{"field": one}]} for one in ("Code", "Top")]}},
        },
        "resolution": {},
    }
    file = tmp_path / "people.csv"
    file.write_text("Id,Code,Top\n" + "".join(f"{i},c{i},\n" for i in range(9000)))
    created = acme.run(project, tmp_path)
    groups = [f"{i},g{i // 90},{'one' if i % 90 == 0 else ''}\n" for i in range(8010)]
    file.write_text("Id,Code,Top\n" + "".join([*groups, *(f"{i},p{i // 2},\n" for i in range(8010, 9000))]))
    merged = acme.run(project, tmp_path)
    acme.tell()
    assert (len(created), changes_of(merged)) == (9000, {"merged"})
    assert max(Counter(survivor for _, _, survivor, _ in merged).values()) == 8009
    assert told(receiver) == created | merged
    assert all(len(body) <= MOST_BYTES for _, _, body in receiver.seen)
    assert not any("x-ms-dynamics-msg-size-exceeded" in headers for _, headers, _ in receiver.seen)
    for message, parts, count in ((CHANGES["created"], 9, 9000), (CHANGES["merged"], 4, 496)):
        said = [inputs(body) for body in receiver.bodies() if body["MessageName"] == message]
        assert [(one["Part"], one["Parts"], one["Count"]) for one in said] == [
            (part, parts, count) for part in range(1, parts + 1)
        ]


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 4), st.integers(1, 5))
def test_parts_hold_everything_and_not_too_much(sizes: list[int], part: int, others: int) -> None:
    items = [{"id": f"c{i}"} | ({"others": [f"o{i}.{k}" for k in range(n)]} if n else {}) for i, n in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "PART", part)
        patch.setattr(making, "OTHERS", others)
        parts = making._in_parts(items)
    assert all(0 < len(some) <= part and sum(len(i.get("others", ())) for i in some) <= others for some in parts)
    flat = [(i["id"], other) for some in parts for i in some for other in i.get("others", [None])]
    assert flat == [(i["id"], other) for i in items for other in i.get("others", [None])]
