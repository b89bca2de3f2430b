"""Who may: stewards from whom nothing is withheld; a signed URL needs nobody, and stands in no log."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.access.conftest import World
from tests.service.packages.conftest import ACTION, made
from unify.service.caller import Role
from unify.service.database import ServiceDatabase
from unify.store import Store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made(tmp_path / "root")
    one = World(tmp_path / "root")
    yield one
    one.close()


PATHS = (
    ("POST", f"{ACTION}GetAzureWriteUrl"), ("GET", "/data/DataManagementEntities"),
    ("POST", f"/instances/acme{ACTION}GetAzureWriteUrl"), ("GET", "/instances/acme/data/DataManagementDefinitionGroups"),
    ("GET", "/api/connector/dequeue/x"), ("POST", "/instances/acme/api/connector/enqueue/x"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_steward_may_and_those_below_may_not(world: World, method: str, path: str) -> None:
    keys = {role: world.changes.create_key(role.name, roles={"acme": role}).text for role in Role}
    stranger = world.changes.create_key("stranger", roles={"elsewhere": Role.ADMIN}).text
    body = {"content": json.dumps({"uniqueFileName": "a.zip"})} if method == "POST" else {}
    statuses = {role: world.ask(method, path, key=key, **body).status_code for role, key in keys.items()}
    assert statuses[Role.READER] == statuses[Role.ANALYST] == 403
    assert statuses[Role.STEWARD] == statuses[Role.ADMIN]
    assert statuses[Role.ADMIN] in (200, 404)
    assert world.ask(method, path, **body).status_code == 401
    refused = world.ask(method, path, key=stranger, **body)
    assert refused.status_code == 404
    assert "error" in refused.json()


def test_a_steward_who_sees_some_customers_only_gets_no_packages(world: World) -> None:
    key = world.changes.create_key("some", roles={"acme": Role.STEWARD}).text
    assert world.ask("GET", "/data/DataManagementEntities", key=key).status_code == 200
    world.changes.grant("some", segments={"acme": ["vip"]})
    refused = world.ask("GET", "/data/DataManagementEntities", key=key)
    assert refused.status_code == 403
    assert "withheld" in refused.json()["error"]["message"]


def test_a_signed_url_needs_no_credential_and_its_signature_is_written_nowhere(world: World, tmp_path: Path) -> None:
    key = world.changes.create_key("steward", roles={"acme": Role.STEWARD}).text
    answer = world.ask("POST", f"{ACTION}GetAzureWriteUrl", key=key, content='{"uniqueFileName": "a.zip"}')
    url = json.loads(answer.json()["value"])["BlobUrl"]
    assert world.ask("PUT", url, content=b"content").status_code == 201
    assert world.ask("PUT", url.replace("sig=", "sig=A"), content=b"content").status_code == 403
    signature = url.split("sig=")[1]
    tables = ServiceDatabase(tmp_path / "root").rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (table,) in tables:
        for row in ServiceDatabase(tmp_path / "root").rows(f'SELECT * FROM "{table}"'):
            assert signature not in str(tuple(row)), table


def test_several_instances_need_a_name(world: World, tmp_path: Path) -> None:
    Store.create(tmp_path / "root" / "second")
    key = world.changes.create_key("steward", roles={"acme": Role.STEWARD}).text
    refused = world.ask("GET", "/data/DataManagementEntities", key=key)
    assert refused.status_code == 404
    assert "organization" in refused.json()["error"]["message"]
    assert world.ask("GET", "/instances/acme/data/DataManagementEntities", key=key).status_code == 200
    assert world.ask("GET", "/instances/second/data/DataManagementEntities", key=key).status_code == 404
