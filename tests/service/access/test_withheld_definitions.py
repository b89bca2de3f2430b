"""Definitions, jobs and their errors tell nothing of what is withheld: two instances that differ in it alone, over HTTP.

Beside values, the instances differ in the constants of definitions that name columns which an analyst does not see, and
in the words of a job's errors.
"""

import json
import re
import shutil
from typing import Any

import pytest

import unify
from unify.service.caller import Role
from unify.service.database import ServiceDatabase
from unify.service.jobs.nouns import Request
from unify.service.jobs.queue import Queue

VARIANTS = {"alpha": ("topsecret", "anna@example.org", 10), "gamma": ("different", "carl@example.net", 70)}
HIDDEN, MASKED = "hush", "veiled"


def plan(variant: str) -> dict[str, Any]:
    secret, mail, least = VARIANTS[variant]
    return {
        "sources": {
            "crm": {
                "Contacts": {
                    "key": "Id",
                    "labels": {"Mail": "Identity.Service.Email"},
                    "columns": {"Id": "string", "Mail": "string", "Secret": "string", "Club": "string"},
                    "where": [{"column": "Mail", "operator": "not_equals", "value": f"no-{mail}"}],
                }
            },
            "web": {
                "Orders": {
                    "key": "OrderId", "type": "activity", "timestamp": "At",
                    "columns": {"OrderId": "string", "Contact": "string", "At": "date", "Total": "integer"},
                }
            },
        },
        "conflation": {
            "order": ["crm.Contacts"],
            "dedupe": {"crm.Contacts": {"rules": [{"name": "id", "when": [{"field": "Id"}]}]}},
        },
        "relationships": {"orders": "web.Orders.Contact -> crm.Contacts.Id"},
        "measures": {
            "Orders": {"count": True, "of": "web.Orders"},
            "Big": {"count": True, "of": "web.Orders", "where": f"Total ge {least}", "description": f"of {least}"},
            "Twice": "Big mul 2",
        },
        "segments": {
            "reds": {"where": "Club eq 'red'", "description": "the reds"},
            HIDDEN: {"where": f"Secret eq '{secret}'", "description": f"those of {secret}"},
            MASKED: {"where": f"Mail eq '{mail}'", "description": f"{mail} alone"},
            "many": {"where": f"Big gt {least}"},
        },
    }  # fmt: skip


def rows(variant: str) -> dict[str, Any]:
    import pyarrow as pa

    secret, mail, least = VARIANTS[variant]
    contacts = [
        {"Id": f"K{n}", "Mail": mail if n == 0 else f"{n}{mail}", "Secret": secret if n < 2 else f"{n}", "Club": "red"}
        for n in range(4)
    ]
    orders = [{"OrderId": f"O{n}", "Contact": f"K{n}", "At": "2025-01-02", "Total": n * least} for n in range(4)]
    return {"crm.Contacts": pa.Table.from_pylist(contacts), "web.Orders": pa.Table.from_pylist(orders)}


def fail(root: Any, variant: str) -> str:
    """A job that failed in words that quote values."""
    queue = Queue(ServiceDatabase(root))
    secret, mail, least = VARIANTS[variant]
    job, _ = queue.submit(variant, Request("all"), [("ingestion", "crm"), ("match", None)], "somebody")
    (taken,) = queue.take(1)
    queue.at(taken, 0, f"Secret {variant}")
    text = {"hint": f"is {mail} a date?", "where": "crm.Contacts.Club"}
    queue.task_errors(taken, 0, [{"error": "SourceError", "message": f"{secret!r} is no date", **text}], failed=True)
    queue.finish(taken, "failed", error={"error": "OverloadError", "message": f"{least}", "hint": "", "where": mail})
    return job.job_id


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("withheld")
    for variant in VARIANTS:
        with unify.open(root / variant, create=True) as acme:
            acme.run(plan(variant), frames=rows(variant))
    return root


@pytest.fixture
def world(made, world_of, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    world = world_of(root)
    world.jobs = {variant: fail(root, variant) for variant in VARIANTS}
    held = dict.fromkeys(VARIANTS, Role.ANALYST)
    world.keys = {
        "analyst": world.changes.create_key("ann", roles=held).text,
        "steward": world.changes.create_key("stu", roles=dict.fromkeys(VARIANTS, Role.STEWARD)).text,
        "admin": world.admin.text,
    }
    for variant in VARIANTS:
        for table, column in (("crm.Contacts", "Secret"), ("web.Orders", "Total")):
            rule = {"table": table, "column": column, "shown": "hidden", "audience": "role:analyst"}
            said = world.ask("PUT", f"/v1/instances/{variant}/access/columns", key=world.keys["admin"], json=rule)
            assert said.status_code == 200, said.text
    return world


def get(world: Any, who: str, variant: str, place: str) -> Any:
    return world.ask("GET", f"/v1/instances/{variant}/{place}", key=world.keys[who])


PLACES = [
    "manage/segments?includeHistoricStats=true", f"manage/segments/{HIDDEN}", f"manage/segments/{MASKED}",
    "manage/segments/many", "manage/segments/reds", "manage/measures?templateSummaryIncluded=true", "manage/measures/Big",
    "manage/measures/Twice?includeHistoricStats=true", "manage/relationships", "manage/relationships/orders",
    "manage/systemrelationships", "manage/search", "manage/datasources", "manage/datasources/crm", "hierarchies",
    "manage/datasources/crm/entities/entityInfo", "conflations/main/conflationPlan",
    "conflations/main/entityInformation", "conflations/main/conflictResolutionRules", "project",
    "workflows/main/jobs?includeTasks=true", "workflows/main/jobs/{job}?includeTasks=true", "workflows/main/history",
    "workflows/main/status",
]  # fmt: skip
VARYING = re.compile(
    r"alpha|gamma|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\d{8}T?\d{6}[-\w]*|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)"
)
"""Ids, moments and names of instances: of no column."""


@pytest.mark.parametrize("place", PLACES)
def test_no_route_tells_the_instances_apart(world, place):
    told = [get(world, "analyst", v, place.replace("{job}", world.jobs[v])) for v in VARIANTS]
    assert told[0].status_code == told[1].status_code
    assert told[0].status_code in (200, 403), told[0].text
    texts = [VARYING.sub("…", answer.text) for answer in told]
    assert texts[0] == texts[1]
    for answer, (secret, mail, _) in zip(told, VARIANTS.values(), strict=True):
        assert not [word for word in (secret, mail, "Secret", "Total") if word in answer.text]


def test_a_steward_reads_what_an_analyst_does_not(world):
    """Else none of the above would say anything."""
    for place, word in (
        (f"manage/segments/{HIDDEN}", "topsecret"), (f"manage/segments/{MASKED}", "anna@example.org"),
        ("manage/measures/Big", "Total"), ("project", "topsecret"), ("workflows/main/history", "'topsecret' is no date"),
        ("workflows/main/jobs?includeTasks=true", "is anna@example.org a date?"), ("workflows/main/status", "topsecret"),
    ):  # fmt: skip
        assert word in get(world, "steward", "alpha", place).text, place


def test_a_definition_that_is_withheld_keeps_everything_else(world):
    told = get(world, "analyst", "alpha", f"manage/segments/{HIDDEN}").json()
    assert told["description"] == "what it says names columns that you may not see"
    assert told["state"] == "active"
    assert told["evaluationStatus"]["entityCount"] == 2
    assert not {"segmentQueryExpression", "ownDefinition", "segmentQueryStats"} & set(told)
    plain = get(world, "analyst", "alpha", "manage/segments/reds").json()
    assert plain["description"] == "the reds"
    assert "Club" in json.dumps(plain)
    measures = {m["name"]: m for m in get(world, "analyst", "alpha", "manage/measures").json()}
    assert [n for n, m in measures.items() if "definition" in m or "ownDefinition" in m] == ["Orders"]


def test_sent_back_it_is_refused_and_nothing_is_lost(world):
    url = f"/v1/instances/alpha/manage/segments/{MASKED}"
    told = world.ask("GET", url, key=world.keys["analyst"]).json()
    assert world.ask("PUT", url, key=world.keys["analyst"], json=told).status_code in (400, 404)
    assert "anna@example.org" in get(world, "steward", "alpha", f"manage/segments/{MASKED}").text


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("segments", {"where": "Secret eq 'x'"}), ("segments", {"where": "Big gt 1"}), ("segments", {"where": "Mail eq 'x'"}),
        ("segments", {"where": "crm_Contacts/any(c: c/Secret eq 'x')"}), ("measures", {"sum": "Total", "of": "web.Orders"}),
        ("measures", {"count": True, "of": "web.Orders", "where": "Total gt 1"}),
    ],
)  # fmt: skip
def test_who_may_not_read_a_column_defines_nothing_by_it(world, kind, said):
    body = {"name": "Oracle", "state": "inactive", "ownDefinition": said} if kind == "segments" else {
        "name": "Oracle", "ownDefinition": said
    }  # fmt: skip
    answer = world.ask("POST", f"/v1/instances/alpha/manage/{kind}", key=world.keys["analyst"], json=body)
    assert answer.status_code in (400, 403, 404), answer.text
    assert "there is no attribute" in answer.text or "masked for you" in answer.text
    assert get(world, "steward", "alpha", f"manage/{kind}/Oracle").status_code == 404


def test_a_masked_column_leaves_the_project_readable_and_a_hidden_one_does_not(world):
    assert get(world, "analyst", "alpha", "project").status_code == 403
    for table, column in (("crm.Contacts", "Secret"), ("web.Orders", "Total")):
        rule = {"table": table, "column": column, "shown": "masked", "audience": "role:analyst"}
        said = world.ask("PUT", "/v1/instances/alpha/access/columns", key=world.keys["admin"], json=rule)
        assert said.status_code == 200, said.text
    answer = get(world, "analyst", "alpha", "project")
    assert answer.status_code == 200, answer.text
    assert not [word for word in VARIANTS["alpha"][:2] if word in answer.text]
    told, note = answer.json(), {"withheld": "what it says names columns that you may not see"}
    assert told["segments"][HIDDEN] == told["segments"][MASKED] == told["measures"]["Twice"] == note
    assert told["sources"]["crm"]["Contacts"]["where"] == note
    assert told["segments"]["reds"] != note
    steward = {"Ocp-Apim-Subscription-Key": world.keys["steward"]}
    back = world.ask("PUT", "/v1/instances/alpha/project", headers=steward, json=told)
    assert back.status_code == 400, "so that nothing is lost by it"


def test_an_error_keeps_its_kind_and_its_place(world):
    told = get(world, "analyst", "alpha", f"workflows/main/jobs/{world.jobs['alpha']}?includeTasks=true").json()
    task = told["tasks"][0]
    assert (task["ciError"]["errorCode"], task["ciError"]["params"]["where"]) == ("SourceError", "crm.Contacts.Club")
    assert told["ciError"]["errorCode"] == "OverloadError"
    assert "where" not in told["ciError"]["params"], "a mail address is no place"
