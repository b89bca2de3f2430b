"""Business events: told by webhook in Dataverse's shape, once they have happened, and to code; run by the announcer."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import unify
from unify.custom.types import id_of
from unify.records import RecordStore
from unify.service.caller import Role
from unify.service.database import ServiceDatabase
from unify.service.jobs.announcer import Announcer
from unify.service.jobs.events import Event
from unify.service.jobs.nouns import stamp
from unify.service.jobs.outbox import Outbox

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
XML = '<settings><setting name="Key1" value="Value1" /></settings>'


@pytest.fixture
def teller(world, root: Path) -> Callable[[], Announcer]:
    """One announcer; each call is one look and one round of sending."""
    settings = world.settings.model_copy(update={"webhook_private": True})
    announcer = Announcer(settings)

    def tell() -> Announcer:
        announcer._endpoints._seen.clear()  # as if two seconds had gone by
        announcer._endpoints.look(datetime.now(UTC))
        announcer.look()
        with ThreadPoolExecutor(2) as pool:
            announcer.send(pool)
        return announcer

    return tell


def subscribed(world, url: str, message: str, *, table: str | None = None, step: dict | None = None, **endpoint) -> str:
    """The id of a step that tells a webhook of a message."""
    to = world.made("serviceendpoints", {"name": "hook", "url": url, "contract": 8, **endpoint})
    filtered = {}
    if table is not None:
        filtered = {"sdkmessagefilterid@odata.bind": f"/sdkmessagefilters({id_of('sdkmessagefilter', message, table)})"}
    [found] = world.get(f"sdkmessages?$select=name&$filter=name eq '{message}'")["value"]
    return world.made("sdkmessageprocessingsteps", {
        "name": f"tell of {message}", "stage": 40, "mode": 1,
        "sdkmessageid@odata.bind": f"/sdkmessages({found['sdkmessageid']})",
        "eventhandler_serviceendpoint@odata.bind": f"/serviceendpoints({to})", **filtered, **(step or {}),
    })  # fmt: skip


def operations(world) -> list[dict[str, Any]]:
    return world.get("asyncoperations?$select=messagename,statuscode,message&$orderby=createdon")["value"]


def test_an_event_is_told_in_the_documented_shape(world, receiver, teller):
    step = subscribed(world, receiver.url, "acme_OnVisit", saskey=SECRET, authtype=5, authvalue=XML)
    code = id_of("step", "acme_unify_apis.count_visit", "acme_OnVisit", "", "40", "async")
    switched = world.ask("PATCH", f"sdkmessageprocessingsteps({code})", {"statecode": 1})
    assert switched.status_code == 204, switched.text
    correlation = "6d81597f-0f9f-4711-8122-000d3aa2331c"
    body = {"Shop": "Bern", "At": "2026-11-22T09:30:00Z"}
    assert world.post("acme_OnVisit", body, headers={"x-ms-client-request-id": correlation}).status_code == 204
    teller()
    [(path, headers, sent)] = receiver.seen
    said = json.loads(sent)
    who = world.get("WhoAmI()")
    assert path == "/hook"
    assert {name: headers[name] for name in headers if name.startswith("x-ms-") or name in ("key1", "content-type")} == {
        "x-ms-dynamics-organization": "contoso", "x-ms-dynamics-entity-name": "none",
        "x-ms-dynamics-request-name": "acme_OnVisit", "x-ms-correlation-request-id": correlation, "key1": "Value1",
        "content-type": "application/json",
    }  # fmt: skip
    assert (said["MessageName"], said["Stage"], said["Mode"], said["Depth"]) == ("acme_OnVisit", 40, 1, 1)
    assert said["InputParameters"] == [
        {"key": "Shop", "value": "Bern"}, {"key": "At", "value": "/Date(1795339800000)/"}
    ]  # fmt: skip
    assert (said["UserId"], said["OrganizationId"]) == (who["UserId"], who["OrganizationId"])
    assert (said["BusinessUnitId"], said["CorrelationId"]) == (who["BusinessUnitId"], correlation)
    assert (said["PrimaryEntityName"], said["OwningExtension"]["Id"]) == ("none", step)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + sent
    proof = base64.b64encode(hmac.new(b"s" * 32, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{proof}"
    [operation] = operations(world)
    assert (operation["messagename"], operation["statuscode"]) == ("acme_OnVisit", 30)
    teller()
    assert len(receiver.seen) == 1, "once"


@pytest.mark.parametrize(
    ("kind", "value", "query"), [(4, "a b", "?code=a%20b"), (6, XML, "?Key1=Value1"), (None, None, "")]
)
def test_keys_in_the_address(world, receiver, teller, kind, value, query):
    more = {} if kind is None else {"authtype": kind, "authvalue": value}
    subscribed(world, receiver.url, "acme_OnVisit", **more)
    world.post("acme_OnVisit", {"Shop": "Bern"})
    teller()
    [(path, headers, _)] = receiver.seen
    assert path == "/hook" + query
    assert "webhook-signature" not in headers, "nobody gave a secret"
    assert world.get("serviceendpoints?$filter=contract eq 8&$select=name,url,authtype,isauthvalueset")["value"][0][
        "isauthvalueset"
    ] == (kind is not None)
    assert "authvalue" not in world.get("serviceendpoints")["value"][0]


def test_what_was_undone_is_not_told(world, receiver, teller):
    subscribed(world, receiver.url, "acme_Refuse")
    assert world.post("acme_Refuse", {"How": "write"}).status_code == 400
    teller()
    assert receiver.seen == []
    assert operations(world) == []


def test_a_receiver_that_fails_is_tried_again(world, receiver, teller, root):
    step = subscribed(world, receiver.url, "acme_Make")
    receiver.answers = [500]
    world.post("acme_Make", {"Name": "Bern"})
    announcer = teller()
    assert [one["statuscode"] for one in operations(world)] == [10], "waiting"
    with ServiceDatabase(root).write() as db:
        db.execute("UPDATE deliveries SET next_at = ?", (stamp(),))
    teller()
    ids = [headers["webhook-id"] for _, headers, _ in receiver.seen]
    assert len(ids) == 2
    assert len(set(ids)) == 1, "the same event"
    assert [one["statuscode"] for one in operations(world)] == [30]
    [delivery] = Outbox(ServiceDatabase(root)).deliveries(step, None, 10)
    assert (delivery.state, delivery.attempts) == ("delivered", 2)
    assert announcer is not None


def test_one_that_is_gone_ends_it(world, receiver, teller):
    subscribed(world, receiver.url, "acme_Make")
    receiver.answers = [410]
    world.post("acme_Make", {"Name": "Bern"})
    teller()
    [operation] = operations(world)
    assert (operation["statuscode"], operation["message"]) == (31, "it answered 410")


def test_private_addresses_are_refused(world, receiver, root):
    subscribed(world, receiver.url, "acme_Make")
    world.post("acme_Make", {"Name": "Bern"})
    announcer = Announcer(world.settings)
    announcer._endpoints.look(datetime.now(UTC))
    with ThreadPoolExecutor(1) as pool:
        announcer.send(pool)
    assert receiver.seen == []


def test_writes_tell_of_ids_and_of_what_the_step_names(world, receiver, teller):
    named = {"filteringattributes": "emailaddress1"}
    step = subscribed(world, receiver.url, "Update", table="contact", step=named)
    world.made("sdkmessageprocessingstepimages", {
        "entityalias": "was", "imagetype": 0, "attributes": "lastname",
        "sdkmessageprocessingstepid@odata.bind": f"/sdkmessageprocessingsteps({step})",
    })  # fmt: skip
    contact = world.made("contacts", {"lastname": "Doe", "telephone1": "1"})
    world.ask("PATCH", f"contacts({contact})", {"telephone1": "2"})
    world.ask("PATCH", f"contacts({contact})", {"emailaddress1": "d@x.example", "telephone1": "3"})
    teller()
    [said] = receiver.bodies()
    assert (said["MessageName"], said["PrimaryEntityName"], said["PrimaryEntityId"]) == ("Update", "contact", contact)
    [target] = said["InputParameters"]
    assert target["value"]["Attributes"] == [{"key": "emailaddress1", "value": "d@x.example"}]
    assert said["PreEntityImages"][0]["value"]["Attributes"] == [{"key": "lastname", "value": "Doe"}]
    assert receiver.seen[0][1]["x-ms-dynamics-entity-name"] == "contact"


def test_one_that_is_too_long_is_cut(world, receiver, teller):
    subscribed(world, receiver.url, "acme_OnVisit")
    world.post("acme_OnVisit", {"Shop": "B" * 300_000})
    teller()
    [(_, headers, body)] = receiver.seen
    assert headers["x-ms-dynamics-msg-size-exceeded"] == "True"
    assert len(body) < 4096
    assert "InputParameters" not in json.loads(body)


def test_calls_by_whoever_was_told_do_not_go_on_for_ever(world, receiver, teller):
    """A receiver that answers an event with the call that set it off, under the correlation id that it was told."""
    subscribed(world, receiver.url, "acme_Make")
    correlation = "6d81597f-0f9f-4711-8122-000d3aa2331c"
    statuses = []
    for _ in range(9):
        headers = {"x-ms-correlation-request-id": correlation}
        statuses.append(world.post("acme_Make", {"Name": "Bern"}, headers=headers).status_code)
        teller()
        correlation = receiver.seen[-1][1]["x-ms-correlation-request-id"]
    assert statuses == [204] * 8 + [400]
    assert receiver.bodies()[-1]["Depth"] == 8


def test_code_is_called_after_the_commit(world, teller):
    world.post("acme_OnVisit", {"Shop": "Bern"})
    assert world.get("accounts")["value"] == []
    teller()
    assert [row["name"] for row in world.get("accounts?$select=name")["value"]] == ["visit of Bern"]
    assert [one["statuscode"] for one in operations(world)] == [30]


def test_code_after_the_commit_has_the_rights_of_the_caller(world, teller):
    assert world.post("acme_OnVisit", {"Shop": "Bern"}, role=Role.READER).status_code == 204
    teller()
    assert world.get("accounts")["value"] == []
    [operation] = operations(world)
    assert "may not see" in operation["message"]


def test_runs_are_told_of(world, receiver, teller, root):
    for message in ("unify_OnRunFinished", "unify_OnSegmentEntered", "unify_OnSegmentLeft", "unify_OnCustomerRetired"):
        subscribed(world, receiver.url, message)
    teller()
    assert receiver.seen == [], "of what happens from now on"
    with unify.open(root / "contoso") as acme:
        acme.segments().create("all_of_them", {"where": "CustomerId ne ''"})
        acme.segments().refresh("all_of_them")
        members = acme.segment("all_of_them").count()
    teller()
    said = {body["MessageName"]: body for body in receiver.bodies()}
    assert set(said) == {"unify_OnRunFinished", "unify_OnSegmentEntered"}
    entered = {p["key"]: p["value"] for b in receiver.bodies() if b["MessageName"] == "unify_OnSegmentEntered"
               for p in b["InputParameters"]}  # fmt: skip
    assert (entered["Segment"], entered["Count"], entered["Run"]) == ("all_of_them", members, 2)
    ids = [c for b in receiver.bodies() if b["MessageName"] == "unify_OnSegmentEntered"
           for p in b["InputParameters"] if p["key"] == "Customers" for c in p["value"]]  # fmt: skip
    assert len(ids) == len(set(ids)) == members
    finished = {p["key"]: p["value"] for p in said["unify_OnRunFinished"]["InputParameters"]}
    assert finished["Purpose"] == "segments"
    teller()
    assert len([b for b in receiver.bodies() if b["MessageName"] == "unify_OnRunFinished"]) == 1


def test_what_is_told_of_stands_in_a_catalog(world):
    [root_] = world.get(
        "catalogs?$filter=uniquename eq 'unify_Unify'&$select=displayname&$expand=SubCatalogs($select=uniquename)"
    )["value"]
    assert {one["uniquename"] for one in root_["SubCatalogs"]} == {"unify_Customers", "unify_Segments", "unify_Runs"}
    [runs] = world.get(
        "catalogs?$filter=uniquename eq 'unify_Runs'&$select=displayname&$expand=CatalogAssignments($select=name)"
    )["value"]
    assert {one["name"] for one in runs["CatalogAssignments"]} == {"unify_OnRunFinished", "unify_OnRunFailed"}


def test_subscriptions_of_steps_follow_their_rows(world, receiver, teller, root):
    step = subscribed(world, receiver.url, "acme_Make")
    outbox = Outbox(ServiceDatabase(root))
    teller()
    assert [webhook.webhook_id for webhook in outbox.webhooks("contoso")] == [step]
    from unify.service.errors import ServiceError

    with pytest.raises(ServiceError) as refused:
        outbox.unsubscribe("contoso", step)
    assert refused.value.status == 409
    [endpoint] = world.get("serviceendpoints?$select=url")["value"]
    world.ask("PATCH", f"serviceendpoints({endpoint['serviceendpointid']})", {"url": receiver.url + "/other"})
    teller()
    assert outbox.webhook("contoso", step).url == receiver.url + "/other"
    world.ask("PATCH", f"sdkmessageprocessingsteps({step})", {"statecode": 1})
    teller()
    assert outbox.webhooks("contoso") == []


def test_what_was_handed_over_twice_is_told_once(world, receiver, teller, root):
    """The process dies after the outbox has an event, and before the operation is marked: it is claimed again."""
    step = subscribed(world, receiver.url, "acme_Make")
    teller()
    world.post("acme_Make", {"Name": "Bern"})
    [operation] = world.get("asyncoperations?$select=asyncoperationid")["value"]
    with RecordStore(root / "contoso").read() as reading:
        row = reading.get("asyncoperation", (operation["asyncoperationid"],))
    outbox = Outbox(ServiceDatabase(root))
    event = Event(operation["asyncoperationid"], f"step:{step}", 0, None, str(row.values["data"]))
    assert outbox.tell("contoso", [event], datetime.now(UTC)) == 1
    assert [one["statuscode"] for one in operations(world)] == [0], "not marked"
    teller()
    teller()
    assert len(receiver.seen) == 1
    assert [one["statuscode"] for one in operations(world)] == [30]


SECRETLY = [
    "?$select=authvalue", "?$filter=startswith(authvalue,'top')", "?$orderby=authvalue", "?$apply=groupby((authvalue))",
    "?sql=SELECT authvalue FROM serviceendpoint", "?sql=SELECT name FROM serviceendpoint WHERE saskey = 'x'",
    "?fetchXml=<fetch><entity name='serviceendpoint'><attribute name='authvalue'/></entity></fetch>",
]  # fmt: skip


def test_secrets_of_endpoints_cannot_be_asked_for(same):
    body = {"name": "secret", "url": "https://x.example/", "authtype": 4, "authvalue": "topsecret", "saskey": SECRET}
    made = same.post("serviceendpoints", body, headers={"Prefer": "return=representation"})
    assert made.status_code == 201
    key = made.json()["serviceendpointid"]
    whole = "?fetchXml=<fetch><entity name='serviceendpoint'><all-attributes/></entity></fetch>"
    for url in ("", whole, f"({key})"):
        answer = same.ask("GET", f"serviceendpoints{url}")
        assert answer.status_code == 200
        assert not {"topsecret", SECRET} & set(answer.text.split('"'))
    for url in (*SECRETLY, f"({key})/authvalue", f"({key})/saskey"):
        answer = same.ask("GET", f"serviceendpoints{url}")
        assert answer.status_code == 400, url
        assert "topsecret" not in answer.text
    assert "topsecret" not in made.text
