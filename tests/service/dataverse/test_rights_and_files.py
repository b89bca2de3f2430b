"""Who may do what, and files in columns."""

import base64
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from unify.service.access.changes import Changes
from unify.service.access.guard import Guard
from unify.service.access.shapes import shape
from unify.service.caller import Role
from unify.service.database import ServiceDatabase
from unify.service.settings import Settings
from unify.store import Store

# ── rights ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def gated(acme: Any, run_asking: Any) -> Iterator[Any]:
    """`gated(who, method, path, …)`: as the holder of a key, or as nobody."""
    Store.create(acme / "other")
    changes = Changes(Guard(ServiceDatabase(acme)))
    keys = {role.name.lower(): changes.create_key(role.name, roles={"acme": role}).text for role in Role}
    keys["elsewhere"] = changes.create_key("elsewhere", roles={"other": Role.ADMIN}).text
    keys["restricted"] = changes.create_key("restricted", roles={"acme": Role.STEWARD}).text
    changes.show("acme", "crm_Contacts", "EMail", "hidden", audience="principal:restricted")
    with run_asking(Settings(root=acme, jobs=False, auth="required", organization="acme")) as ask:

        def asked(who: str, method: str, path: str, **options: Any) -> Any:
            headers = {**options.pop("headers", {}), "Ocp-Apim-Subscription-Key": keys[who]}
            return ask(method, path, headers=headers, **options)

        yield asked


@pytest.mark.parametrize(
    ("who", "sees_who", "sees_model", "sees_rows"),
    [
        ("reader", 200, 403, 403),
        ("analyst", 200, 200, 403),
        ("steward", 200, 200, 200),
        ("admin", 200, 200, 200),
        ("restricted", 200, 200, 403),
        ("elsewhere", 404, 404, 404),
    ],
)
def test_roles(gated, who, sees_who, sees_model, sees_rows):
    assert gated(who, "GET", "WhoAmI").status_code == sees_who
    for path in ("$metadata", "", "EntityDefinitions?$select=LogicalName"):
        assert gated(who, "GET", path).status_code == sees_model, path
    for path in ("accounts", "contacts/$count", "RetrieveTotalRecordCount(EntityNames=@p)?@p=['account']"):
        assert gated(who, "GET", path).status_code == sees_rows, path
    made = gated(who, "POST", "accounts", json={"name": "x"})
    assert made.status_code == (204 if sees_rows == 200 else sees_rows)
    batch = (
        "--b\r\nContent-Type: application/http\r\n\r\nGET accounts HTTP/1.1\r\n\r\n\r\n"
        "--b\r\nContent-Type: application/http\r\n\r\nGET WhoAmI HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    )
    said = {"Content-Type": "multipart/mixed; boundary=b", "Prefer": "odata.continue-on-error"}
    reply = gated(who, "POST", "$batch", content=batch, headers=said)
    if who == "elsewhere":
        assert reply.status_code == 404
    else:
        assert f"HTTP/1.1 {sees_rows}" in reply.text
        assert "UserId" in reply.text
    schema = gated(who, "POST", "EntityDefinitions(LogicalName='account')/Attributes", json={})
    assert schema.status_code == {200: 400}.get(sees_rows, sees_rows)


def test_refusals_say_what_it_takes(gated):
    said = gated("reader", "GET", "accounts").json()["error"]
    assert (said["code"], said["message"][:30]) == ("0x80040220", "this takes the role steward (a")
    assert "may not see everything" in gated("restricted", "GET", "accounts").json()["error"]["message"]


def test_a_key_that_asks_too_often(acme, run_asking):
    changes = Changes(Guard(ServiceDatabase(acme)))
    key = changes.create_key("hasty", roles={"acme": Role.STEWARD}, rate=0.01, burst=1).text
    with run_asking(Settings(root=acme, jobs=False, auth="required", organization="acme")) as ask:
        said = {"Ocp-Apim-Subscription-Key": key}
        assert ask("GET", "WhoAmI", headers=said).status_code == 200
        late = ask("GET", "WhoAmI", headers=said)
    assert (late.status_code, late.json()["error"]["code"]) == (429, "0x80072322")
    assert int(late.headers["retry-after"]) > 0


def test_the_audit_log_keeps_no_values():
    query = "fetchXml=<value>Muster</value>&sql=SELECT x WHERE y = %22Muster%22&$id=contacts(1)&$filter=a eq 'Muster'&@p='Muster'"
    kept = shape("contacts(4711)", query, understood=True)
    assert kept == "contacts(?)?fetchXml=?&sql=?&$id=?&$filter=a eq ?&?"


def test_rows_say_who_wrote_them(gated):
    users = {who: gated(who, "GET", "WhoAmI").json()["UserId"] for who in ("steward", "admin")}
    assert len(set(users.values())) == 2
    id_ = gated("steward", "POST", "accounts", json={"name": "mine"}).headers["odata-entityid"][-37:-1]
    gated("admin", "PATCH", f"accounts({id_})", json={"name": "ours"})
    row = gated("steward", "GET", f"accounts({id_})?$select=_createdby_value,_modifiedby_value").json()
    assert (row["_createdby_value"], row["_modifiedby_value"]) == (users["steward"], users["admin"])


def test_several_instances_and_none_named(acme, run_asking):
    with run_asking(Settings(root=acme, jobs=False)) as ask:
        reply = ask("GET", "WhoAmI")
        assert reply.status_code == 404
        assert "set `organization`" in reply.json()["error"]["message"]
        assert ask("GET", "http://127.0.0.1/instances/other/api/data/v9.2/WhoAmI").status_code == 200


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CONTENT = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def paper(acme: Any, run_asking: Any) -> Iterator[Any]:
    """A service, and the address of a file column of a row."""
    with run_asking(Settings(root=acme, jobs=False, organization="other")) as ask:
        Store.create(acme / "other") if not (acme / "other").exists() else None
        label = {"LocalizedLabels": [{"Label": "Paper", "LanguageCode": 1033}]}
        column = {"@odata.type": "Microsoft.Dynamics.CRM.FileAttributeMetadata", "SchemaName": "acme_Paper",
                  "DisplayName": label, "RequiredLevel": {"Value": "None"}}  # fmt: skip
        assert ask("POST", "EntityDefinitions(LogicalName='account')/Attributes", json=column).status_code == 204
        yield ask


@pytest.fixture
def place(paper):
    made = paper("POST", "accounts", json={"name": "with paper"})
    return f"{made.headers['odata-entityid']}/acme_paper"


def test_a_file_in_one_request(paper, place):
    said = {"Content-Type": "application/pdf", "x-ms-file-name": "contr%C3%A4ct.pdf"}
    assert paper("GET", place).status_code == 204
    assert paper("PATCH", place, content=CONTENT, headers=said).status_code == 204
    whole = paper("GET", f"{place}/$value")
    assert (whole.content, whole.headers["content-type"]) == (CONTENT, "application/pdf")
    assert whole.headers["x-ms-file-name"] == "contr%C3%A4ct.pdf"
    assert whole.headers["x-ms-file-size"] == str(len(CONTENT))
    some = paper("GET", f"{place}/$value", headers={"Range": "bytes=256-511"})
    assert (some.status_code, some.content) == (206, CONTENT[256:512])
    assert some.headers["content-range"] == f"bytes 256-511/{len(CONTENT)}"
    assert paper("GET", place, headers={"Range": f"bytes={len(CONTENT)}-"}).status_code == 416
    assert base64.b64decode(paper("GET", place).json()["value"]) == CONTENT
    assert paper("DELETE", place).status_code == 204
    assert paper("GET", f"{place}/$value").status_code == 204
    assert paper("PATCH", place, content=CONTENT, headers={"Content-Type": "application/pdf"}).status_code == 400


def test_a_file_in_parts(paper, place):
    begun = paper("PATCH", f"{place}?x-ms-file-name=long.bin", headers={"x-ms-transfer-mode": "chunked"})
    assert (begun.status_code, begun.headers["x-ms-chunk-size"]) == (200, str(4 * 2**20))
    url, size = begun.headers["location"], len(CONTENT)

    def send(begin, end, **headers):
        said = {"Content-Type": "application/octet-stream", "Content-Range": f"bytes {begin}-{end - 1}/{size}"}
        return paper("PATCH", url, content=CONTENT[begin:end], headers=said | headers).status_code

    assert send(0, 4000) == 206
    assert send(5000, 6000) == 409
    assert send(0, 4000) == 206
    assert send(4000, 8000, **{"Content-Range": f"bytes 4000-4001/{size}"}) == 400
    assert send(4000, 8000) == 206
    assert paper("GET", place).status_code == 204
    assert send(8000, size) == 204
    assert paper("GET", f"{place}/$value").content == CONTENT
    assert send(0, 4000) == 404
    unknown = url[:-32] + uuid4().hex
    assert paper("PATCH", unknown, content=b"x", headers={"Content-Range": "bytes 0-0/1"}).status_code == 404
