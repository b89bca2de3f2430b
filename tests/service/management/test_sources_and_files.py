"""Operations 8–10, and the way in: sources are declared, files are uploaded, and nothing else on the server is read."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from dynamics.customerinsights.api import CustomerInsights, models
from msrest.exceptions import HttpOperationError

import unify
from unify.service.settings import Limits, Settings
from unify.verbs.draft import Draft

Ask = Callable[..., httpx.Response]
CSV = b"Id,Name,Email,On\n1,Ann,ann@x.example,2024-01-02\n2,Bob,bob@x.example,2024-01-03\n"
CONTACTS = {
    "entityName": "Contacts",
    "primaryKey": "Id",
    "semanticLabels": [{"attributeName": "Email", "label": "IdentityServiceEmail"}],
    "settings": {"columns": {"Name": "string"}},
}


@pytest.fixture(scope="module")
def acme(http: httpx.Client) -> str:
    """An empty instance with the source `shop`."""
    http.post("V2", json={"instanceMetadata": {"name": "Acme", "instanceId": "acme"}})
    body = {"name": "shop", "kind": "powerQuery", "friendlyName": "The shop", "entities": [CONTACTS]}
    made = http.post("acme/manage/datasources", json=body)
    assert made.status_code == 200, made.text
    return "acme"


BOMB = b"a0: &a0 [x]\n" + b"".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n".encode() for n in range(1, 12))
FILES = "manage/datasources/shop/entities/Contacts/files"


def test_the_client_reads_sources_as_they_are(client: CustomerInsights, acme: str) -> None:
    [info] = client.get_all_data_sources(acme)
    assert isinstance(info, models.DataSourceInfo)
    metadata = info.data_source_metadata
    assert (metadata.name, metadata.data_source_id, metadata.kind, metadata.friendly_name) == (
        "shop",
        "shop",
        "powerQuery",
        "The shop",
    )
    assert (metadata.entity_names, metadata.entities_count, metadata.is_active) == (["Contacts"], 1, True)
    assert (metadata.refresh_state, metadata.last_refresh, metadata.version) == ("notUpdated", None, 1)
    [entity] = metadata.entity_information
    assert (entity.entity_name, entity.primary_key, entity.entity_type) == ("Contacts", "Id", "Profile")
    assert [(s.attribute_name, s.label) for s in entity.semantic_labels] == [("Email", "Identity.Service.Email")]
    assert [e.name for e in info.model.entities] == ["Contacts"]
    assert client.get_data_source(acme, "shop").as_dict() == info.as_dict()
    assert client.get_data_source(acme, "shop", include_model=False).model is None
    crm = client.get_data_source("contoso", "crm").data_source_metadata
    assert crm.refresh_state == "updated"
    assert crm.last_refresh is not None
    with pytest.raises(HttpOperationError):  # a trap: the client's list has no 404 for this one
        client.get_data_source(acme, "nothing")


def test_what_was_uploaded_is_what_a_run_reads(
    client: CustomerInsights, http: httpx.Client, acme: str, shared_root: Path
) -> None:
    first = http.put(f"{acme}/{FILES}/a.csv", content=CSV, headers={"content-type": "text/csv"})
    assert first.json() == {**first.json(), "name": "a.csv", "path": "incoming/shop/Contacts/a.csv", "size": len(CSV)}
    http.put(f"{acme}/{FILES}/b.csv", content=b"Id,Name,Email,On\n3,Cid,c@x.example,2024-01-04\n")
    http.put(f"{acme}/{FILES}/b.csv", content=b"Id,Name,Email,On\n4,Dee,d@x.example,2024-01-04\n")  # replaced
    assert [f["name"] for f in http.get(f"{acme}/{FILES}").json()] == ["a.csv", "b.csv"]
    draft = Draft(unify.open(shared_root / acme).store)
    with unify.open(shared_root / acme) as instance:
        instance.ingest(draft.project(), base=draft.now().base)
        assert instance.sql("SELECT Id FROM shop_Contacts ORDER BY Id").arrow().column(0).to_pylist() == [1, 2, 4]
    assert client.get_data_source(acme, "shop").data_source_metadata.refresh_state == "updated"
    assert http.delete(f"{acme}/{FILES}/b.csv").json() == {"statusCode": 200}
    assert http.delete(f"{acme}/{FILES}/b.csv").status_code == 404
    assert sorted(p.name for p in (shared_root / acme / "incoming" / "shop").rglob("*")) == ["Contacts", "a.csv"]


@pytest.mark.parametrize(
    "name",
    ["..csv", "a..csv", ".a.csv", "_a.csv", "a.exe", "a", "-a.csv", "a%00.csv", "a%5Cb.csv", "~.csv", "a%0a.csv", f"{'x' * 250}.csv", "%2e%2e%5ca.csv"],
)  # fmt: skip
def test_file_names_that_are_no_plain_names_are_refused(
    http: httpx.Client, acme: str, shared_root: Path, name: str
) -> None:
    before = sorted(map(str, shared_root.rglob("*.csv")))
    response = http.put(f"{acme}/{FILES}/{name}", content=CSV)
    assert response.status_code in (400, 404), response.text
    assert sorted(map(str, shared_root.rglob("*.csv"))) == before


@pytest.mark.parametrize("path", ["..%2F..%2Fx.csv", "%2Fetc%2Fx.csv", "../../x.csv", "a/b.csv"])
def test_file_names_that_are_paths_lead_nowhere(http: httpx.Client, acme: str, path: str) -> None:
    assert http.put(f"{acme}/{FILES}/{path}", content=CSV).status_code == 404


def test_an_upload_that_is_empty_or_too_long_leaves_nothing(ask: Ask, root: Path) -> None:
    small = Settings(root=root, limits=Limits(upload_bytes=1024))
    ask("POST", "/v1/instances/V2", json={"instanceMetadata": {"name": "x", "instanceId": "a"}})
    ask("POST", "/v1/instances/a/manage/datasources", json={"name": "shop", "entities": [CONTACTS]})
    url = f"/v1/instances/a/{FILES}/a.csv"

    async def chunks():
        for _ in range(20):
            yield CSV

    assert ask("PUT", url, content=CSV * 20, settings=small).status_code == 413  # said
    assert ask("PUT", url, content=chunks(), settings=small).status_code == 413  # counted
    assert ask("PUT", url, content=b"").status_code == 400

    incoming = root / "a" / "incoming"
    assert [p for p in incoming.rglob("*") if p.is_file()] == []
    assert ask("PUT", url, content=CSV).status_code == 200


def test_an_upload_that_breaks_off_leaves_nothing(served: tuple[str, Path], acme: str) -> None:
    url, root = served
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        head = f"PUT /v1/instances/{acme}/{FILES}/half.csv HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5000000\r\n\r\n"
        raw.sendall(head.encode() + CSV * 20_000)
        folder = root / acme / "incoming" / "shop"
        until = time.monotonic() + 10
        while not list(folder.glob(".*.part")):
            assert time.monotonic() < until, "the upload has not begun"
            time.sleep(0.01)
    while list(folder.glob(".*.part")):
        assert time.monotonic() < until + 10, "the half of a file stays"
        time.sleep(0.01)
    assert not list(folder.rglob("half*"))


def test_a_link_in_the_folder_of_uploads_leads_nowhere(ask: Ask, root: Path, tmp_path: Path) -> None:
    ask("POST", "/v1/instances/V2", json={"instanceMetadata": {"name": "x", "instanceId": "a"}})
    ask("POST", "/v1/instances/a/manage/datasources", json={"name": "shop", "entities": [CONTACTS]})
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "a" / "incoming" / "shop").mkdir(parents=True)
    (root / "a" / "incoming" / "shop" / "Contacts").symlink_to(outside)
    assert ask("PUT", f"/v1/instances/a/{FILES}/a.csv", content=CSV).status_code == 403
    assert list(outside.iterdir()) == []


OUTSIDE = [
    "/etc/passwd", "../contoso/catalog.sqlite", "incoming/../../contoso/x.csv", "incoming/..", "incoming", "incoming/",
    "catalog.sqlite", "generations/*.duckdb", "s3://bucket/x.csv", "https://x.example/a.csv", "file:///etc/passwd",
    "incoming/a/../../../x", "~/x.csv", "incoming\\..\\x", "./../x.csv", "incoming/shop/../../*", "incoming/\x00",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("place", ["entity", "list", "segment", "settings"])
def test_no_file_outside_the_instance_can_be_named(http: httpx.Client, acme: str, path: str, place: str) -> None:
    """Neither in a project nor in a source: a server's files are not a caller's."""
    project: dict[str, Any] = {"sources": {"shop": {"Contacts": {"files": ["incoming/shop/Contacts"], "key": "Id"}}}}
    before = http.get(f"{acme}/project").json()
    if place == "entity":
        project["sources"]["shop"]["Contacts"]["files"] = [path]
    elif place == "list":
        project["lists"] = {"l": {"kind": "bypass", "files": path}}
    elif place == "segment":
        project["segments"] = {"s": {"members": {"file": path}}}
    if place == "settings":
        entity = {"entityName": "E", "primaryKey": "Id", "settings": {"files": path}}
        response = http.post(f"{acme}/manage/datasources", json={"name": "evil", "entities": [entity]})
    else:
        response = http.put(f"{acme}/project", json=project)
    assert response.status_code == 403, response.text
    assert response.json()["errorCode"] == "fileOutsideInstance"
    assert http.get(f"{acme}/project").json() == before


def test_files_that_the_command_line_named_stay_and_no_other_one_joins_them(
    http: httpx.Client, shared_root: Path
) -> None:
    project = http.get("contoso/project").json()
    assert project["sources"]["crm"]["Contacts"]["files"] == ["output/crm/contacts.csv"]
    kept = http.put("contoso/project", json=project)
    assert kept.status_code == 200
    assert kept.json()["sources"] == project["sources"]
    project["sources"]["crm"]["Contacts"]["files"] = ["output/crm/other.csv"]
    assert http.put("contoso/project", json=project).status_code == 403
    upload = http.put("contoso/manage/datasources/crm/entities/Contacts/files/a.csv", content=CSV)
    assert upload.status_code == 409
    project["sources"]["crm"]["Contacts"]["files"] = ["incoming/crm/Contacts"]
    shown = http.put("contoso/project", json=project)
    assert shown.json()["sources"]["crm"]["Contacts"]["files"] == ["incoming/crm/Contacts"]
    assert http.put("contoso/manage/datasources/crm/entities/Contacts/files/a.csv", content=CSV).status_code == 200
    [kept_path] = Draft(unify.open(shared_root / "contoso").store).project().entity("crm.Contacts").files
    assert Path(kept_path) == shared_root / "contoso" / "incoming" / "crm" / "Contacts"  # whatever the base is
    assert str(shared_root) not in http.get("contoso/project").text


def test_a_source_that_is_used_stays_and_says_who_uses_it(client: CustomerInsights, http: httpx.Client) -> None:
    response = http.delete("contoso/manage/datasources/web")
    assert response.status_code == 409
    error = response.json()
    assert error["errorCode"] == "dataSourceUpdateDependenciesError"
    for user in ("measures.TotalSpend", "activities.online_order", "relationships.orders", "conflation"):
        assert user in error["message"]
    order = error["message"]
    assert (
        order.index("measures") < order.index("activities") < order.index("relationships") < order.index("conflation")
    )


def test_a_source_goes_with_its_uploads(client: CustomerInsights, http: httpx.Client, shared_root: Path) -> None:
    http.post("V2", json={"instanceMetadata": {"name": "x", "instanceId": "going"}})
    http.post("going/manage/datasources", json={"name": "shop", "entities": [CONTACTS]})
    http.put(f"going/{FILES}/a.csv", content=CSV)
    assert isinstance(client.delete_a_data_source("going", "shop"), models.OkResult)
    assert client.get_all_data_sources("going") == []
    assert list((shared_root / "going" / "incoming").iterdir()) == []
    gone = client.delete_a_data_source("going", "shop")
    assert (gone.http_status_code, gone.error_code) == ("404", "dataSourceNotFound")
    assert http.post("going/manage/datasources", json={"name": "shop", "entities": [CONTACTS]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "shop", "entities": [CONTACTS]}, 409, "duplicateDataSourceName"),
        ({"name": "SHOP", "entities": [CONTACTS]}, 409, "duplicateDataSourceName"),
        ({"name": "my shop", "entities": [CONTACTS]}, 400, "invalidDataSourceNameCharacter"),
        ({"name": "1shop", "entities": [CONTACTS]}, 400, "invalidDataSourceNameCharacter"),
        ({"name": "other", "entities": []}, 400, "badRequest"),
        ({"name": "other", "entities": [CONTACTS, CONTACTS]}, 400, "badRequest"),
        ({"name": "other", "entities": [{**CONTACTS, "entityType": "Activity"}]}, 400, "badRequest"),
        ({"name": "other", "entities": [{**CONTACTS, "settings": {"key": "Other"}}]}, 400, "badRequest"),
        ({"name": "other", "entities": [{**CONTACTS, "settings": {"colums": {}}}]}, 400, "badRequest"),
        ({"name": "other", "kind": "magic", "entities": [CONTACTS]}, 400, "badRequest"),
    ],
)  # fmt: skip
def test_sources_that_cannot_be(http: httpx.Client, acme: str, body: dict, status: int, code: str) -> None:
    response = http.post(f"{acme}/manage/datasources", json=body)
    assert (response.status_code, response.json()["errorCode"]) == (status, code), response.text


def test_the_project_is_read_and_written_whole_under_its_version(http: httpx.Client, acme: str) -> None:
    first = http.get(f"{acme}/project")
    version = first.headers["etag"]
    project = first.json()
    as_yaml = http.get(f"{acme}/project", headers={"accept": "application/yaml"})
    import yaml

    assert yaml.safe_load(as_yaml.text) == project
    project["timezone"] = "Europe/Berlin"
    second = http.put(f"{acme}/project", json=project, headers={"if-match": version})
    assert second.status_code == 200, second.text
    assert second.headers["etag"] != version
    stale = http.put(f"{acme}/project", json=project, headers={"if-match": version})
    assert (stale.status_code, stale.json()["errorCode"]) == (412, "preconditionFailed")
    said = "sources: {shop: {Contacts: {files: incoming/shop/Contacts, key: Id, labels: {Name: Person.FullName}}}}\n"
    third = http.put(f"{acme}/project", content=said.encode(), headers={"content-type": "application/yaml"})
    assert third.json()["sources"]["shop"]["Contacts"]["labels"] == {"Name": "Person.FullName"}
    assert "timezone: UTC" in http.get(f"{acme}/project", headers={"accept": "application/yaml"}).text


@pytest.mark.parametrize(
    ("raw", "kind", "where"),
    [
        (b"sources: {shop: {Contacts: {key: Id, kee: 1}}}", "application/yaml", "kee"),
        (b"sources: [", "application/yaml", "line"),
        (b"a: &a [*a]", "application/yaml", "contains itself"),
        (b"!!python/object/apply:os.system [true]", "application/yaml", "constructor"),
        (BOMB, "application/yaml", "aliases"),
        (b"[" * 100_000, "application/yaml", "too deep"),
        (b'{"sources": {"shop": {"Contacts": {"key": 1}}}}', "application/json", "sources.shop.Contacts.key"),
        (b'{"name": "x"}', "application/json", "sources"),
        (b"[]", "application/json", "object"),
        (b"", "application/json", "missing"),
        (b"\xff", "application/yaml", "UTF-8"),
    ],
)
def test_projects_that_cannot_be(http: httpx.Client, acme: str, raw: bytes, kind: str, where: str) -> None:
    response = http.put(f"{acme}/project", content=raw, headers={"content-type": kind})
    assert response.status_code == 400, response.text
    assert where in response.text


def test_a_draft_is_held_against_its_files_and_a_plan_worked_out(http: httpx.Client, acme: str) -> None:
    http.put(f"{acme}/{FILES}/a.csv", content=CSV, headers={"content-type": "text/csv"})
    checked = http.post(f"{acme}/project/validate").json()
    assert checked["ok"] is True
    assert checked["columns"]["shop.Contacts"]["Name"] == "string"
    empty = http.post("V2", json={"instanceMetadata": {"name": "x"}}).json()["instanceId"]
    assert http.post(f"{empty}/project/validate").status_code == 400
    assert http.post(f"{empty}/project/suggest").status_code == 400
    before = http.get("contoso/project").json()
    suggested = http.post("contoso/project/suggest").json()
    assert suggested["project"]["conflation"]["order"]
    assert "conflation" in suggested["explanation"]
    assert http.get("contoso/project").json() == before
