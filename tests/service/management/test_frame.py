"""What every operation shares: one shape of refusal, strict bodies and parameters, prefixes, documents, limits."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from openapi_spec_validator import validate
from starlette.requests import Request

from unify.service.app import Service
from unify.service.management.app import management_app
from unify.service.management.errors import api_error, status_word
from unify.service.management.openapi import document
from unify.service.management.routes import WireRoute, _Query, json_of
from unify.service.management.workflows import router as workflows
from unify.service.settings import Limits, Settings

Ask = Callable[..., httpx.Response]
NEW = {"instanceMetadata": {"name": "Acme"}}
ERROR_KEYS = {
    "exception", "httpStatusCode", "exceptionCulprit", "errorCode", "resultSeverity", "message", "name", "params",
    "ciResults",
}  # fmt: skip


def error_of(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"].startswith("application/json")
    error = response.json()
    assert set(error) <= ERROR_KEYS
    assert error["httpStatusCode"] == str(status)
    assert error["resultSeverity"] == "error"
    assert error["message"]
    return error


def test_every_problem_of_a_body_is_told_with_its_place_and_the_next_move(ask: Ask) -> None:
    said = {"instanceMetadata": {"nme": "x", "isB2B": "yes", "instanceType": "huge"}, "instanceMetdata": {}}
    error = error_of(ask("POST", "/v1/instances/V2", json=said), 400)
    places = {r["params"]["where"]: r["message"] for r in error["ciResults"]}
    assert set(places) == {
        "instanceMetadata.nme", "instanceMetadata.isB2B", "instanceMetadata.instanceType", "instanceMetdata",
    }  # fmt: skip
    assert "did you mean name" in places["instanceMetadata.nme"]
    assert "true or false" in places["instanceMetadata.isB2B"]
    assert "sandbox" in places["instanceMetadata.instanceType"]


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/v1/instances?top=1", "query.top"),
        ("/v1/instances/contoso/manage/datasources/crm?includeModel=yes", "query.includeModel"),
        ("/v1/instances/contoso/manage/datasources/crm?includeModel=", "query.includeModel"),
        ("/v1/instances/contoso/manage/datasources/crm?includeModel=true&includeModel=true", "query.includeModel"),
        ("/v1/instances/contoso/manage/datasources/crm?includemodel=true", "query.includemodel"),
        ("/v1/instances/contoso/profile/keyring?dataSourceName=crm", "query.entityName"),
    ],
)
def test_parameters_that_are_unknown_repeated_missing_or_of_another_type(ask: Ask, url: str, place: str) -> None:
    error = error_of(ask("GET", url), 400)
    assert place in {r["params"]["where"] for r in error["ciResults"]}


def test_a_number_is_written_in_digits() -> None:
    assert all(_whole(text) for text in ("10", "-1", "0"))
    assert not any(_whole(text) for text in ("1_0", "1.0", " 1", "+1", "١", "", "-", "0x1"))


def _whole(text: str) -> bool:
    query = _Query(
        next(r for r in workflows.routes if getattr(r, "operation_id", "") == "get_list_of_recent_workflow_jobs")
    )
    request = Request({"type": "http", "query_string": f"top={quote(text)}".encode(), "headers": []})
    return not query.problems(request)


def test_true_is_written_as_python_and_as_json_write_it(ask: Ask) -> None:
    for text in ("true", "True", "FALSE"):
        url = f"/v1/instances/contoso/manage/datasources/crm?includeModel={text}"
        assert ask("GET", url).status_code == 200


def test_a_number_in_quotes_is_no_number(ask: Ask) -> None:
    said = {"instanceMetadata": {"name": "x", "version": "1"}}
    error = error_of(ask("POST", "/v1/instances/V2", json=said), 400)
    assert error["params"]["where"] == "instanceMetadata.version"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json-patch+json; charset=utf-8",
        "application/json-patch+json",
        "text/json",
        None,
    ],
)
def test_content_types_that_are_json(ask: Ask, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    assert ask("POST", "/v1/instances/V2", content=json.dumps(NEW).encode(), headers=headers).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
)
def test_other_content_types_are_415(ask: Ask, kind: str) -> None:
    response = ask("POST", "/v1/instances/V2", content=b"{}", headers={"content-type": kind})
    assert "application/json" in error_of(response, 415)["params"]["hint"]
    assert "json" in response.headers["accept"]


def test_a_json_string_that_holds_json_is_what_it_holds(ask: Ask) -> None:
    twice = json.dumps(json.dumps(NEW))
    assert ask("POST", "/v1/instances/V2", content=twice.encode()).json()["name"] == "Acme"
    assert json_of(b'"plain text"') == "plain text"


@pytest.mark.parametrize(
    "raw", [b'{"a":', b"NaN", b'{"a": "\\ud800"}', b"\xff\xfe", b"[" * 5000, b'"{\\"a\\":"', b'{"a": 1e999}']
)
def test_what_is_no_json_is_400(ask: Ask, raw: bytes) -> None:
    assert error_of(ask("POST", "/v1/instances/V2", content=raw), 400)["params"]["where"] == "body"


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"7", b'"text"'])
def test_a_body_that_is_no_object_is_400(ask: Ask, raw: bytes) -> None:
    error_of(ask("POST", "/v1/instances/V2", content=raw), 400)


def test_a_body_may_begin_with_a_mark(ask: Ask) -> None:
    assert ask("POST", "/v1/instances/V2", content=b"\xef\xbb\xbf" + json.dumps(NEW).encode()).status_code == 200


def test_a_body_that_is_too_long_is_413_said_or_counted(ask: Ask, root: Path) -> None:
    small = Settings(root=root, limits=Limits(body_bytes=1024))
    long = json.dumps({"instanceMetadata": {"name": "x" * 2000}}).encode()
    error_of(ask("POST", "/v1/instances/V2", content=long, settings=small), 413)

    async def chunks():
        for i in range(0, len(long), 100):
            yield long[i : i + 100]

    error_of(ask("POST", "/v1/instances/V2", content=chunks(), settings=small), 413)


def test_paths_without_an_operation_are_404_and_other_methods_405(ask: Ask) -> None:
    for path in ("/v1/nothing", "/nothing", "/v1/instances/", "/v1/instances/contoso/", "/v1//instances"):
        error_of(ask("GET", path), 404)
    response = ask("POST", "/v1/instances/contoso/manage/relationships/orders")
    error_of(response, 405)
    assert response.headers["allow"] == "DELETE, GET, PATCH, PUT"


@pytest.mark.parametrize(
    "name", ["%00", "a%00b", "%ff", "%ED%A0%80", "%F0%9F%92%A9", "..%2F..", "a" * 3000, "%0d%0aX:1"]
)
def test_odd_names_in_paths_are_404(ask: Ask, name: str) -> None:
    for path in (
        f"/v1/instances/{name}",
        f"/v1/instances/contoso/manage/entities/{name}",
        f"/v1/instances/contoso/manage/relationships/{name}",
        f"/v1/instances/contoso/manage/datasources/{name}",
        f"/v1/instances/contoso/dataprofile/crm_Contacts/{name}",
    ):
        error_of(ask("GET", path), 404)


def test_the_three_prefixes_are_one(ask: Ask) -> None:
    answers = [ask("GET", f"{p}/instances/contoso").json() for p in ("", "/api", "/v1")]
    assert answers[0] == answers[1] == answers[2]


def test_without_proof_the_answer_is_401_in_the_same_shape(ask: Ask, root: Path) -> None:
    response = ask("GET", "/v1/instances", settings=Settings(root=root, auth="required"))
    error_of(response, 401)
    assert response.headers["www-authenticate"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://service.evil.example", "http://service:81"])
def test_pages_of_other_sites_write_nothing(ask: Ask, origin: str) -> None:
    """On loopback everybody may do everything, so every page in a browser there could."""
    kind = {"content-type": "text/plain"}
    for headers in ({"origin": origin}, {"origin": origin, **kind}):
        error_of(ask("POST", "/v1/instances/V2", json=NEW, headers=headers), 403)
    error_of(
        ask("POST", "/v1/instances/contoso/workflows/main/jobs?operationType=all", headers={"origin": origin}), 403
    )
    assert ask("POST", "/v1/instances/V2", json=NEW, headers={"origin": "http://service"}).status_code == 200


def test_a_failure_says_nothing_of_its_inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unify.service.management import instances

    def breaks(*_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(instances, "metadata_of", breaks)

    async def go() -> httpx.Response:
        service = Service(Settings(root=root))
        transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
        async with service, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get("/v1/instances/contoso")

    response = asyncio.run(go())
    error = error_of(response, 500)
    assert "secret" not in response.text
    assert error["exceptionCulprit"] == "system"


def test_folders_of_the_server_are_not_named(tmp_path: Path) -> None:
    from unify.core.errors import StoreError

    error = api_error(
        StoreError("no room", where=str(tmp_path / "acme" / "x"), hint=f"look at {tmp_path}"), 503, tmp_path
    )
    assert error.params == {"where": "acme/x", "hint": "look at the root"}
    assert status_word(503) == "serviceUnavailable"


def test_the_document_is_valid_and_says_every_status_with_its_model() -> None:
    made = document(management_app(), open_=False)
    validate(made)
    assert made["security"] == [{"key": []}, {"bearer": []}]
    for path, operations in made["paths"].items():
        for method, operation in operations.items():
            said = set(operation["responses"])
            assert {"400", "401", "403", "404", "413", "415", "429", "500", "503"} <= said, (path, method)
            assert "422" not in said
            schema = operation["responses"]["404"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ApiErrorResult"}
            assert operation["summary"]
            assert operation["tags"]
            bodies = operation.get("requestBody", {}).get("content", {})
            assert ("application/json" in bodies) <= (
                "application/json-patch+json" in bodies or "application/yaml" in bodies
            )


def test_operations_are_called_as_the_client_calls_them_at_its_paths() -> None:
    from dynamics.customerinsights.api import CustomerInsights

    ours = {
        o["operationId"]: (path, m)
        for path, p in document(management_app(), open_=True)["paths"].items()
        for m, o in p.items()
    }
    for name, function in vars(CustomerInsights).items():
        if (metadata := getattr(function, "metadata", None)) and not metadata["url"].startswith(
            "/instances/{instanceId}/data/"
        ):
            path, _ = ours[name]
            assert _unnamed(path) == _unnamed(f"/v1{metadata['url']}")


def _unnamed(path: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in path.split("/")]


def test_every_operation_checks_what_all_must_check() -> None:
    from unify.service.management.app import OF_INSTANCE, OF_SERVICE

    for router in (*OF_INSTANCE, *OF_SERVICE):
        assert router.routes
        for route in router.routes:
            assert isinstance(route, WireRoute), route


@pytest.mark.parametrize(
    "path", ["/swagger", "/swagger/index.html", "/redoc", "/openapi.json", "/swagger/v1/swagger.json"]
)
def test_pages_are_served_without_a_network_and_without_a_key(ask: Ask, root: Path, path: str) -> None:
    closed = Settings(root=root, auth="required")
    response = ask("GET", path, settings=closed)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "script-src" not in policy  # so scripts come from here alone
    assert "http" not in policy
    if not path.endswith(".json"):
        import re

        for asset in re.findall(r'(?:src|href|spec-url)="([^"]+)"', response.text):
            assert asset.startswith("/")
            assert ask("GET", asset, settings=closed).status_code == 200
    again = ask("GET", path, settings=closed, headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    error_of(ask("POST", path, settings=closed), 405)
