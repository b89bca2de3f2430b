"""The authorisation matrix: every operation and every role. An operation that is not in the table fails the first test.

Roles are held in `contoso`; `stranger` has a valid key and a role in another instance only, `everywhere` is an admin of
all. Whoever may not gets 403, or the 404 of an instance that is not there; whoever may gets anything else.
"""

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from unify.service.access.changes import Changes
from unify.service.app import Service
from unify.service.caller import EVERYWHERE, Role
from unify.service.management.app import management_app
from unify.service.management.openapi import document
from unify.service.settings import Settings

LADDER = ["stranger", "reader", "analyst", "steward", "admin", "everywhere"]
LEAST: dict[str, str] = {
    **dict.fromkeys([
        "get_all_instances",
    ], "anyone"),
    **dict.fromkeys([
        "check_memberships", "get_activity_types_and_counts", "get_all_entity_metadata", "get_all_role_definitions",
        "get_current_user_role", "get_entity_metadata", "get_entity_size", "get_instance_metadata", "get_key_ring",
        "get_memberships", "get_profile_store_state", "get_search_configuration",
    ], "reader"),
    **dict.fromkeys([
        "activate_segment", "create_a_measure", "create_a_segment", "deactivate_segment", "delete_a_measure",
        "delete_segment", "get_a_hierarchy", "get_a_list_of_measures_metadata", "get_a_relationship",
        "get_a_segment", "get_a_workflow_job_information", "get_all_data_sources", "get_all_hierarchies",
        "get_all_relationships", "get_all_segments", "get_all_system_created_relationships",
        "get_an_attribute_profile", "get_an_entity_profile", "get_attribute_semantic_labels", "get_conflation_plan",
        "get_conflict_resolution_rules", "get_data_source", "get_entity_info", "get_entity_information",
        "get_entity_semantic_labels", "get_information_of_an_entity", "get_information_of_an_entity_of_a_source",
        "get_list_of_recent_workflow_jobs", "get_list_of_workflow_task_information_history",
        "get_metadata_for_a_measure", "get_project", "get_supported_timezones", "get_uploaded_files",
        "get_workflow_schedules", "get_workflow_status", "update_a_measure", "update_a_segment", "validate_project",
    ], "analyst"),
    **dict.fromkeys([
        "cancel_a_workflow_job", "create_a_data_source", "create_a_hierarchy", "create_a_relationship",
        "delete_a_data_source", "delete_a_hierarchy", "delete_a_relationship", "delete_an_uploaded_file",
        "patch_a_relationship", "patch_conflation_plan", "patch_conflict_resolution_rules", "patch_entity_info",
        "patch_entity_information", "patch_info_of_an_entity", "patch_information_of_an_entity",
        "patch_information_of_an_entity_of_a_source", "patch_relationships", "put_conflation_plan",
        "put_conflict_resolution_rules", "put_project", "submit_a_workflow_job", "suggest_project",
        "update_a_hierarchy", "update_a_relationship", "upload_a_file",
    ], "steward"),
    **dict.fromkeys([
        "create_a_batch_of_workflow_refresh_schedules", "create_webhook", "create_workflow_refresh_schedule",
        "delete_a_schedule", "delete_an_instance", "delete_webhook", "deletes_a_role_assignment", "erase_subject",
        "get_all_role_assignments", "get_column_rules", "get_erasures", "get_subject_data", "get_webhook",
        "list_deliveries", "list_webhooks", "renew_webhook_secret", "reset_an_instance", "retry_delivery",
        "update_a_column_rule", "update_a_role_assignment", "update_an_instance", "update_search_configuration",
        "update_webhook",
    ], "admin"),
    **dict.fromkeys([
        "copy_an_instance", "create_a_key", "create_an_instance", "get_all_keys", "get_all_principals",
        "get_audit_log", "regenerate_a_key", "revoke_a_key", "update_a_principal", "verify_audit_log",
    ], "everywhere"),
}  # fmt: skip
ROOMS = {
    "DataRoom": {
        "reader": [
            ("GET", "/v1/instances/contoso/data/Customer?$top=1"), ("GET", "/v1/instances/contoso/data/Customer/$count"),
            ("GET", "/odata/contoso/Customer?$top=1"), ("GET", "/odata/contoso/$metadata"), ("GET", "/odata/contoso/"),
            ("GET", "/odata/contoso/Customer?$top=1&$format=csv"), ("PUT", "/v1/instances/contoso/data/Customer"),
            ("GET", "/api/instances/contoso/data/UnifiedActivity?$top=1"), ("POST", "/odata/contoso/Customer/$query"),
        ],
        "steward": [
            ("POST", "/v1/instances/contoso/data/crm_Contacts"), ("PATCH", "/v1/instances/contoso/data/crm_Contacts/C-1"),
        ],
    },
    "MembershipRoom": {
        "reader": [
            ("GET", "/v1/instances/contoso/memberships/C-1"), ("POST", "/v1/instances/contoso/memberships/check"),
        ],
    },
    "DataverseRoom": {
        "reader": [("GET", "/instances/contoso/api/data/v9.2/WhoAmI")],
        "analyst": [("GET", "/instances/contoso/api/data/v9.2/EntityDefinitions(LogicalName='account')")],
        "steward": [
            ("GET", "/instances/contoso/api/data/v9.2/accounts?$top=1"), ("POST", "/instances/contoso/api/data/v9.2/accounts"),
            ("GET", "/instances/contoso/api/data/v9.2/contacts/$count"),
        ],
    },
    "PackageRoom": {
        "steward": [
            ("GET", "/instances/contoso/data/DataManagementDefinitionGroups"),
            ("POST", "/instances/contoso/data/DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities.InitializeDataManagement"),
        ],
    },
    "FilesRoom": {},  # public: the signature in the address is what lets in
    "OperationsRoom": {},  # public: nothing about customers
    "AccessRoom": {},  # public: it gives out tokens for keys
    "PagesRoom": {},  # public: documents
    "ManagementRoom": {},  # its operations are those of LEAST
}  # fmt: skip


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Id, method, path, and the operation of everything in the document."""
    made = document(management_app(), open_=False)
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, {**operation, "all": made}


OPERATIONS = {id_: rest for id_, *rest in operations()}


def example(schema: dict[str, Any], made: dict[str, Any]) -> Any:
    """The least value that a schema allows."""
    if "$ref" in schema:
        return example(made["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], made)
    for many in ("anyOf", "oneOf", "allOf"):
        if many in schema:
            return example(schema[many][0], made)
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [None]))))
    match schema.get("type"):
        case "object":
            return {k: example(schema["properties"][k], made) for k in schema.get("required", ())}
        case "array":
            return [example(schema.get("items", {}), made)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "null":
            return None
    return "x" * max(1, schema.get("minLength", 1))


def request_of(id_: str) -> tuple[str, str, dict[str, Any]]:
    """Method, URL and body that pass every check of form, about things that are not there."""
    method, path, operation = OPERATIONS[id_]
    made = operation["all"]
    query = {}
    for p in operation.get("parameters", ()):
        if p["in"] == "path":
            value = {"instanceId": "contoso", "workflowName": "main", "conflationId": "main"}.get(p["name"], "nope")
            path = path.replace(f"{{{p['name']}}}", value)
        elif p["in"] == "query" and p.get("required"):
            query[p["name"]] = str(example(p["schema"], made))
    content = operation.get("requestBody", {}).get("content", {})
    options: dict[str, Any] = {"params": query}
    if "application/json" in content:
        options["content"] = json.dumps(example(content["application/json"]["schema"], made))
        options["headers"] = {"content-type": "application/json"}
    elif content:
        options |= {"content": b"", "headers": {"content-type": next(iter(content))}}
    return method, path, options


@pytest.fixture(scope="module")
def serving(tmp_path_factory, contoso_made):
    """A service that wants keys, and a key for each rung of the ladder."""
    root = tmp_path_factory.mktemp("matrix")
    shutil.copytree(contoso_made, root / "contoso")
    service = Service(Settings(root=root, auth="required", jobs=False))
    changes = Changes(service.guard)
    roles = {name: {"contoso": Role[name.upper()]} for name in LADDER[1:5]}
    roles |= {"stranger": {"fabrikam": Role.ADMIN}, "everywhere": {EVERYWHERE: Role.ADMIN}}
    keys = {name: changes.create_key(name, roles=held).text for name, held in roles.items()}
    service.guard.registry.look()
    with asyncio.Runner() as runner:
        client = runner.run(_opened(service))
        yield service, keys, runner, client
        runner.run(client.aclose())
        runner.run(service.__aexit__())


async def _opened(service: Service) -> httpx.AsyncClient:
    await service.__aenter__()
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


def ask(serving: Any, who: str | None, method: str, url: str, **options: Any) -> httpx.Response:
    _, keys, runner, client = serving
    headers = {**options.pop("headers", {}), **({"Ocp-Apim-Subscription-Key": keys[who]} if who else {})}
    return runner.run(client.request(method, url, headers=headers, **options))


def test_every_operation_has_a_row_and_every_row_an_operation():
    assert set(LEAST) == set(OPERATIONS)


def test_every_room_has_its_probes(serving):
    assert {type(room).__name__ for room in serving[0].rooms} == set(ROOMS)
    public = {type(room).__name__ for room in serving[0].rooms if room.public}
    assert public == {"FilesRoom", "OperationsRoom", "AccessRoom", "PagesRoom"}


REFUSED = [(id_, who) for id_, least in LEAST.items() if least != "anyone" for who in LADDER[: LADDER.index(least)]]


@pytest.mark.parametrize(("id_", "who"), REFUSED, ids=lambda x: x)
def test_whoever_may_not_is_refused(serving, id_, who):
    method, path, options = request_of(id_)
    answer = ask(serving, who, method, path, **options)
    of_instance = "{instanceId}" in OPERATIONS[id_][1]
    wanted = {404} if who == "stranger" and of_instance else {403}
    if id_ == "copy_an_instance":
        wanted = {403, 404}  # the instance that is copied is somebody else's
    if id_ == "delete_segment" and who == "stranger":
        assert answer.json()["errorCode"] == "notFound"  # the client knows no 404 there
        wanted = {400}
    assert answer.status_code in wanted, answer.text


DESTROYS = {"delete_an_instance", "reset_an_instance"}


@pytest.mark.parametrize("id_", sorted(set(LEAST) - DESTROYS), ids=str)
def test_whoever_may_is_not_refused(serving, id_):
    least = LEAST[id_]
    method, path, options = request_of(id_)
    answer = ask(serving, "stranger" if least == "anyone" else least, method, path, **options)
    assert answer.status_code not in (401, 403, *range(500, 600)), answer.text


@pytest.mark.parametrize("id_", sorted(LEAST), ids=str)
def test_nobody_gets_in_without_a_credential(serving, id_):
    method, path, options = request_of(id_)
    answer = ask(serving, None, method, path, **options)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert b"contoso" not in answer.content


PROBES = [(least, probe) for room in ROOMS.values() for least, probes in room.items() for probe in probes]


@pytest.mark.parametrize(("least", "probe"), PROBES, ids=lambda x: x if isinstance(x, str) else " ".join(x))
@pytest.mark.parametrize("who", [None, *LADDER])
def test_hand_written_rooms(serving, least, probe, who):
    method, url = probe
    body = '{"customers": ["x"]}' if "memberships" in url else "" if url.endswith("$query") else "{}"
    kind = "text/plain" if url.endswith("$query") else "application/json"
    options = {"content": body, "headers": {"content-type": kind}} if method != "GET" else {}
    answer = ask(serving, who, method, url, **options)
    if who is None:
        assert answer.status_code == 401
    elif LADDER.index(who) < LADDER.index(least):
        assert answer.status_code == (404 if who == "stranger" else 403), answer.text
    else:
        assert answer.status_code not in (401, 403, *range(500, 600)), answer.text


def test_an_instance_of_others_is_told_like_one_that_is_not_there(serving):
    texts = [ask(serving, "stranger", "GET", f"/v1/instances/{name}").text for name in ("contoso", "nowhere")]
    assert texts[0].replace("contoso", "nowhere") == texts[1]
    assert ask(serving, "stranger", "GET", "/v1/instances").json() == []


def test_readers_are_shown_masks_by_every_way_to_data(serving):
    for url in (
        "/v1/instances/contoso/data/Customer",
        "/odata/contoso/Customer",
        "/odata/contoso/Customer?$format=csv",
    ):
        seen = ask(serving, "reader", "GET", url).text
        assert "a***@" in seen
        assert "***" in seen
        assert ask(serving, "steward", "GET", url).text.count("@example.com") >= 10
        assert "a***@" not in ask(serving, "steward", "GET", url).text
    key = ask(serving, "steward", "GET", "/odata/contoso/Customer?$top=1").json()["value"][0]
    one = ask(serving, "reader", "GET", f"/odata/contoso/Customer('{key['CustomerId']}')").json()
    assert one["FullName"] == f"{key['FullName'][0]}***"
    assert one["City"] == key["City"]


def test_an_analyst_cannot_ask_a_masked_column_by_a_segment(serving):
    body = {"name": "oracle", "ownDefinition": {"where": "EMail eq 'alan.yarborough98@example.com'"}}
    answer = ask(serving, "analyst", "POST", "/v1/instances/contoso/manage/segments", json=body)
    assert answer.status_code == 403
    assert "EMail is masked" in answer.text
    body["ownDefinition"] = {"where": "City eq 'Eastwick'"}
    assert ask(serving, "analyst", "POST", "/v1/instances/contoso/manage/segments", json=body).status_code == 201
    assert Path(serving[0].settings.root, ".service", "secret").stat().st_mode & 0o77 == 0


def test_a_hidden_column_is_in_no_answer_to_a_reader(serving):
    url = "/v1/instances/contoso/access/columns"
    for table in ("crm.Contacts", "loyalty.Members", "web.SignUps"):
        body = {"table": table, "column": "State", "shown": "hidden", "audience": "role:reader"}
        assert ask(serving, "admin", "PUT", url, json=body).status_code == 200
    own = "/v1/instances/contoso"
    places = [
        "/odata/contoso/$metadata", "/odata/contoso/Customer?$top=5", f"{own}/data/Customer?$top=5", f"{own}/manage/search",
        f"{own}/manage/entities", f"{own}/manage/entities/Customer", f"{own}/manage/entities/crm_Contacts",
        "/odata/contoso/crm_Contacts?$top=5", "/odata/contoso/Customer?$format=csv", "/odata/contoso/Customer?$select=Stat",
        f"{own}/profile/keyring?dataSourceName=crm&entityName=Contacts&key=C-1001",
    ]  # fmt: skip
    for place in places:
        answer = ask(serving, "reader", "GET", place)
        assert answer.status_code < 500, (place, answer.text)
        assert not re.search(r"\bState\b", answer.text), place
        assert answer.status_code == ask(serving, "steward", "GET", place).status_code, place
    refused = ask(serving, "reader", "GET", "/odata/contoso/Customer?$filter=State eq 'x'")
    assert refused.status_code == 400
    assert "State" not in refused.text.replace("'State'", ""), "but for the word that was asked"
    assert "State" in ask(serving, "steward", "GET", "/odata/contoso/$metadata").text
