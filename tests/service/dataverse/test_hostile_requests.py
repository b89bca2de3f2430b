"""Requests that nobody sends by mistake: mutated, deep, broken, at the same time. Never a 5xx, never a lost update."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from unify.service.settings import Settings

JSON = {"content-type": "application/json"}
ID = "01a20463-9cc0-7916-8927-8376903b8beb"
BATCH = (
    b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
    b'POST /api/data/v9.2/contacts HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{"lastname":"x"}\r\n--c--\r\n'
    b"--b\r\nContent-Type: application/http\r\n\r\nGET $1 HTTP/1.1\r\n\r\n\r\n--b--\r\n"
)
SEEDS = [
    ("GET", b"accounts?$select=name,revenue&$filter=contains(name,'a') and revenue gt 5&$orderby=name desc&$top=3&$count=true", b"", {}),
    ("GET", b"accounts(%s)/contact_customer_accounts?$expand=parentcustomerid_account($select=name)" % ID.encode(), b"", {}),
    ("GET", b"contacts?$apply=groupby((gendercode),aggregate(annualincome with sum as t,$count as n))", b"", {}),
    ("GET", b"contacts?fetchXml=<fetch count='2'><entity name='contact'><attribute name='lastname'/></entity></fetch>", b"", {}),
    ("GET", b"contacts?sql=SELECT lastname FROM contact WHERE lastname LIKE 'a%25' ORDER BY lastname", b"", {}),
    ("GET", b"accounts(accountnumber='A%27%271')/primarycontactid/fullname/$value", b"", {"If-None-Match": 'W/"1"'}),
    ("GET", b"EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options)", b"", {}),
    ("GET", b"RetrieveMetadataChanges(Query=@p1)?@p1={\"Properties\":{\"AllProperties\":false,\"PropertyNames\":[\"LogicalName\"]}}", b"", {}),
    ("GET", b"RetrieveTotalRecordCount(EntityNames=@p)?@p=['account','contact']", b"", {}),
    ("POST", b"accounts?$select=name", b'{"name":"A","revenue":1.5,"primarycontactid":{"lastname":"B"},"ownerid@odata.bind":"/systemusers(1)"}',
     {**JSON, "Prefer": 'return=representation,odata.include-annotations="*"'}),
    ("PATCH", b"accounts(%s)" % ID.encode(), b'{"name":"A","statecode":1,"creditonhold":true,"address1_latitude":1e3}', {**JSON, "If-Match": "*"}),
    ("PUT", b"accounts(%s)/name" % ID.encode(), b'{"value":"A"}', JSON),
    ("POST", b"contacts/Microsoft.Dynamics.CRM.CreateMultiple", b'{"Targets":[{"@odata.type":"Microsoft.Dynamics.CRM.contact","lastname":"x"}]}', JSON),
    ("POST", b"contacts/Microsoft.Dynamics.CRM.UpsertMultiple", b'{"Targets":[{"@odata.id":"contacts(%s)","lastname":"x"}]}' % ID.encode(), JSON),
    ("POST", b"accounts(%s)/contact_customer_accounts/$ref" % ID.encode(), b'{"@odata.id":"contacts(%s)"}' % ID.encode(), JSON),
    ("POST", b"BulkDelete", b'{"JobName":"j","QuerySet":[{"EntityName":"lead","Criteria":{"FilterOperator":"And","Conditions":[{"AttributeName":"subject","Operator":"Equal","Values":[{"Value":"none","Type":"System.String"}]}]}}]}', JSON),
    ("POST", b"EntityDefinitions", b'{"SchemaName":"acme_T","DisplayName":{"LocalizedLabels":[{"Label":"T","LanguageCode":1033}]},"Attributes":[{"@odata.type":"Microsoft.Dynamics.CRM.StringAttributeMetadata","SchemaName":"acme_Name","MaxLength":10,"IsPrimaryName":true}]}', JSON),
    ("POST", b"$batch", BATCH, {"content-type": "multipart/mixed; boundary=b"}),
    ("DELETE", b"accounts(%s)/primarycontactid/$ref?$id=contacts(%s)" % (ID.encode(), ID.encode()), b"", {}),
]  # fmt: skip
PIECES = [b"'", b'"', b"(", b")", b"/", b"$", b"@", b",", b"=", b"&", b"%", b"%00", b"%ff", b"\xc3\x28", b"null", b"[]", b"{}", b"[[[[",
          b"-1", b"1e999", b"9" * 40, b"true", b"\\u0000", b"\\ud800", b" ", b"\r\n", b"$count", b"/$ref", b"/$value", b"Microsoft.Dynamics.CRM.",
          "é".encode(), b"--b--", b"*", b"not ", b"any(x:x eq 1)", b"<", b"&amp;", b"<!DOCTYPE x [<!ENTITY a 'b'>]>"]  # fmt: skip


def mutated(random_, text):
    """A few edits: a piece put in, a part taken out, doubled, or turned."""
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(text) + 1)
        end = min(len(text), at + random_.randint(1, 12))
        text = random_.choice([
            text[:at] + random_.choice(PIECES) + text[at:],
            text[:at] + text[end:],
            text[:end] + text[at:end] + text[end:],
            text[:at] + random_.choice(PIECES) + text[end:],
            text[:at] + bytes(reversed(text[at:end])) + text[end:],
        ])  # fmt: skip
    return text


async def raw(service, method, target, body, headers):
    """One request as a server would hand it on: no client mends the address first. Status and body."""
    path, _, query = target.partition(b"?")
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])
    got = {"status": 0, "body": b""}

    async def receive():
        import asyncio

        try:
            return next(sent)
        except StopIteration:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            got["status"] = message["status"]
            for name, value in message["headers"]:
                assert b"\n" not in name + value
                assert b"\r" not in name + value
        else:
            got["body"] += message.get("body", b"")

    from urllib.parse import unquote

    whole = b"/api/data/v9.2/" + path
    scope = {
        "type": "http", "method": method, "path": unquote(whole.decode("latin-1")), "raw_path": whole, "query_string": query,
        "headers": [(b"host", b"127.0.0.1"), *((k.lower().encode(), v.encode()) for k, v in headers.items())],
        "scheme": "http", "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await service(scope, receive, send)
    return got["status"], got["body"]


def storm(ask, seed, count):
    random_ = random.Random(seed)
    statuses: dict[int, int] = {}
    for number in range(count):
        method, target, body, headers = random_.choice(SEEDS)
        if not body or random_.random() < 0.5:
            target = mutated(random_, target)
        if body and random_.random() < 0.8:
            body = mutated(random_, body)
        if random_.random() < 0.1:
            method = random_.choice(["GET", "POST", "PATCH", "PUT", "DELETE", "MERGE", "OPTIONS", "HEAD"])
        status, said = ask.wait(raw(ask.service, method, target, body, headers))
        assert status < 500 or status == 501, (seed, number, method, target, body, said)
        statuses[status] = statuses.get(status, 0) + 1
    assert len(statuses) >= 4, statuses  # it is no test where all are turned away at the door


def test_mutated_requests(ask):
    storm(ask, 20261122, 200)


@pytest.mark.soak
def test_five_thousand_mutated_requests(ask):
    storm(ask, 6, 5_000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":' * 2_000 + b"1" + b"}" * 2_000,
        b"[" * 100_000,
        b'{"primarycontactid":' * 200 + b"{}" + b"}" * 200,
        b'{"revenue":1e400000000}',
        b'{"revenue":' + b"9" * 5_000 + b"}",
        b'{"name":"\xff\xfe"}',
        b'{"name":"\\ud800"}',
        b'{"name":"a\\u0000b"}',
        b'{"name":{"a":1}}',
        b'{"name":[1]}',
        b'{"revenue":"text"}',
        b'{"revenue":NaN}',
        b'{"statecode":true}',
        b'{"accountid":5}',
        b'{"primarycontactid@odata.bind":["contacts(1)"]}',
        b'{"primarycontactid@odata.bind":"http://elsewhere/contacts(1)"}',
        b'{"contact_customer_accounts":{"lastname":"x"}}',
        b'"text"',
        b"null",
        b"\xef\xbb\xbf[]",
    ],
)
def test_bodies_that_are_no_rows(ask, body):
    reply = ask("POST", "accounts", content=body, headers=JSON)
    assert reply.status_code == 400, (body[:60], reply.text[:300])
    assert reply.json()["error"]["message"]


def test_a_body_that_is_too_long(acme, run_asking):
    from unify.service.settings import Limits

    with run_asking(Settings(root=acme, jobs=False, limits=Limits(body_bytes=2048))) as small:
        reply = small("POST", "accounts", json={"description": "x" * 4_000})
        assert reply.status_code == 413
        assert reply.json()["error"]["message"]


def test_two_clients_with_one_version_of_a_row(acme, serve):
    """Both send the ETag that they have read: one is in, the other is told."""
    with serve(Settings(root=acme, jobs=False)) as url, httpx.Client(base_url=f"{url}/api/data/v9.2/") as client:
        address = client.post("accounts", json={"name": "contended"}).headers["odata-entityid"]
        for round_ in range(5):
            tag = client.get(address).headers["etag"]
            barrier = threading.Barrier(4)

            def patch(n, tag=tag, barrier=barrier):
                with httpx.Client() as own:
                    barrier.wait()
                    return own.patch(address, json={"revenue": n}, headers={"If-Match": tag}).status_code

            with ThreadPoolExecutor(4) as threads:
                found = sorted(threads.map(patch, range(4)))
            assert found == [204, 412, 412, 412], round_


def test_a_counter_that_many_raise_loses_nothing(acme, serve):
    """Read, add one, write under the version that was read, again when told so: each raise is there in the end."""
    with serve(Settings(root=acme, jobs=False)) as url:
        base = f"{url}/api/data/v9.2/"
        address = httpx.post(base + "accounts", json={"name": "counter", "numberofemployees": 0}).headers[
            "odata-entityid"
        ]

        def raise_it(_):
            with httpx.Client() as client:
                while True:
                    row = client.get(f"{address}?$select=numberofemployees")
                    body = {"numberofemployees": row.json()["numberofemployees"] + 1}
                    reply = client.patch(address, json=body, headers={"If-Match": row.headers["etag"]})
                    if reply.status_code == 204:
                        return
                    assert reply.status_code == 412

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(raise_it, range(12)))
        assert httpx.get(address).json()["numberofemployees"] == 12


def test_one_row_is_made_once(acme, serve):
    with serve(Settings(root=acme, jobs=False)) as url:
        address = f"{url}/api/data/v9.2/accounts({uuid4()})"

        def make(n):
            return httpx.patch(address, json={"name": str(n)}, headers={"If-None-Match": "*"}).status_code

        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(make, range(4))) == [204, 412, 412, 412]
