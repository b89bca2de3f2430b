"""`$batch`, multipart and JSON: what a part may be, how parts hang together, and where a batch ends."""

import json
import random
import re
from email import message_from_bytes
from typing import Any

import httpx
import pytest

from unify.service.settings import Limits, Settings

ROOT = "/odata/contoso/"
BATCH = f"{ROOT}$batch"


def send(asking: Any, requests: list[dict[str, Any]], url: str = BATCH, **headers: str) -> httpx.Response:
    return asking("POST", url, json={"requests": requests}, headers=headers)


def get(id_: str, url: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "method": "get", "url": url, **more}


def answers(found: httpx.Response) -> list[tuple[str, int]]:
    assert found.status_code == 200, found.text
    return [(one["id"], one["status"]) for one in found.json()["responses"]]


def multipart(*parts: str, boundary: str = "b") -> bytes:
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f"{body}--{boundary}--".encode()


def http(request: str, id_: str = "", headers: str = "") -> str:
    content_id = f"Content-ID: {id_}\r\n" if id_ else ""
    return f"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{content_id}\r\n{request} HTTP/1.1\r\n{headers}\r\n"


def parsed(found: httpx.Response) -> list[tuple[int, str]]:
    """Status and body of each part, as Python's own reader of MIME finds them."""
    assert found.status_code == 200, found.text
    message = message_from_bytes(
        b"Content-Type: " + found.headers["content-type"].encode() + b"\r\n\r\n" + found.content
    )
    read: list[tuple[int, str]] = []
    for part in message.get_payload():
        assert part.get_content_type() == "application/http"
        head, _, body = part.get_payload().replace("\r\n", "\n").partition("\n\n")
        read.append((int(head.split(" ", 2)[1]), body.strip()))
    return read


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_come_in_order_and_as_they_would_alone(asking):
    urls = ["Customer?$top=2&$select=City", "Customer/$count", "$metadata", "Customer?$filter=City eq 'K%C3%B6ln'"]
    found = send(asking, [get(str(i), url) for i, url in enumerate(urls)]).json()["responses"]
    for one, url in zip(found, urls, strict=True):
        alone = asking("GET", ROOT + url)
        assert one["status"] == alone.status_code
        assert one["headers"]["odata-version"] == "4.01"
        is_json = alone.headers["content-type"].startswith("application/json")
        assert one["body"] == (alone.json() if is_json else alone.text)


@pytest.mark.parametrize(
    "url", ["Customer/$count", "/odata/contoso/Customer/$count", "http://elsewhere:1/odata/contoso/Customer/$count"]
)
def test_addresses_are_absolute_or_relative(asking, url):
    assert send(asking, [get("1", url)]).json()["responses"][0]["body"] == "723"


@pytest.mark.parametrize(
    "url", ["/odata/other/Customer", "http://service/v1/instances/contoso/data/Customer", "/healthz", "//x", "http://x"]
)
def test_an_address_of_another_root_is_not_answered(asking, url):
    assert answers(send(asking, [get("1", url)])) == [("1", 404)]


def test_the_first_refusal_ends_a_batch_unless_it_may_go_on(asking):
    requests = [get("1", "Customer?$top=0"), get("2", "Nobody"), get("3", "Customer?$top=0")]
    assert answers(send(asking, requests)) == [("1", 200), ("2", 404)]
    for prefer in ("continue-on-error", "odata.continue-on-error", "continue-on-error=true"):
        found = send(asking, requests, prefer=prefer)
        assert answers(found) == [("1", 200), ("2", 404), ("3", 200)]
        assert found.headers["preference-applied"] == "continue-on-error=true"
    assert answers(send(asking, requests, prefer="continue-on-error=false")) == [("1", 200), ("2", 404)]


def test_a_request_waits_for_others_and_fails_with_them(asking):
    requests = [
        get("a", "Customer?$top=0"),
        get("b", "Nobody"),
        get("c", "Customer?$top=0", dependsOn=["a"]),
        get("d", "Customer?$top=0", dependsOn=["a", "b"]),
        get("e", "Customer?$top=0", dependsOn=["d"]),
        get("f", "Customer?$top=0", dependsOn=["later"]),
    ]
    found = answers(send(asking, requests, prefer="continue-on-error"))
    assert found == [("a", 200), ("b", 404), ("c", 200), ("d", 424), ("e", 424), ("f", 400)]


def test_a_request_begins_where_an_earlier_one_led(asking):
    [row] = asking("GET", f"{ROOT}Customer?$filter=UnifiedActivity/any()&$top=1").json()["value"]
    id_ = row["CustomerId"]
    requests = [
        get("1", f"Customer('{id_}')"),
        get("2", "$1/UnifiedActivity/$count"),
        get("3", "$1/City/$value"),
        get("4", "$9/City"),
    ]
    found = send(asking, requests, prefer="continue-on-error").json()["responses"]
    assert found[1]["body"] == asking("GET", f"{ROOT}Customer('{id_}')/UnifiedActivity/$count").text
    assert found[2]["body"] == row["City"]
    assert (found[3]["status"], found[3]["body"]["error"]["message"]) == (
        400,
        "Content-ID reference $9 does not exist in the batch",
    )


def test_what_a_part_may_not_be(asking):
    refused = {
        "POST": {"id": "1", "method": "POST", "url": "Customer", "body": {"City": "x"}},
        "DELETE": {"id": "1", "method": "DELETE", "url": "Customer('x')"},
        "a group": get("1", "Customer", atomicityGroup="g"),
        "a condition": get("1", "Customer", **{"if": "$2 eq 1"}),
        "a batch": {"id": "1", "method": "POST", "url": "$batch", "body": {"requests": []}},
        "an export": get("1", "Customer?export=true"),
        "csv": get("1", "Customer", headers={"accept": "text/csv"}),
        "too deep": get("1", "Customer?$filter=" + "(" * 100),
    }
    statuses = {"POST": 405, "DELETE": 405, "a group": 501, "a condition": 501}
    for what, one in refused.items():
        assert answers(send(asking, [one])) == [("1", statuses.get(what, 400))], what


def test_a_query_in_a_body_in_a_batch(asking):
    one = {
        "id": "1",
        "method": "POST",
        "url": "Customer/$query",
        "body": "$top=1&$select=City",
        "headers": {"content-type": "text/plain"},
    }
    assert len(send(asking, [one]).json()["responses"][0]["body"]["value"]) == 1


def test_headers_of_a_part_are_its_own(asking):
    tag = asking("GET", f"{ROOT}crm_Contacts?$top=1").headers["etag"]
    requests = [
        get("1", "crm_Contacts?$top=1", headers={"If-None-Match": tag}),
        get("2", "Customer?$select=City", headers={"Prefer": "maxpagesize=2"}),
        get("3", "Customer?$top=1", headers={"OData-MaxVersion": "4.0"}),
    ]
    found = send(asking, requests).json()["responses"]
    assert (found[0]["status"], "body" in found[0]) == (304, False)
    assert len(found[1]["body"]["value"]) == 2
    assert found[2]["headers"]["odata-version"] == "4.0"


NO_BATCH: dict[str, tuple[bytes, str, int]] = {
    "no json": (b"{", "application/json", 400),
    "a list": (b"[]", "application/json", 400),
    "no requests": (b"{}", "application/json", 400),
    "a number": (b'{"requests":[1]}', "application/json", 400),
    "no id": (b'{"requests":[{"method":"GET","url":"x"}]}', "application/json", 400),
    "an id that is none": (b'{"requests":[{"id":1,"method":"GET","url":"x"}]}', "application/json", 400),
    "two ids": (b'{"requests":[{"id":"1","method":"GET","url":"x"},{"id":"1","method":"GET","url":"x"}]}', "application/json", 400),
    "a key that nobody knows": (b'{"requests":[{"id":"1","method":"GET","url":"x","Url":"y"}]}', "application/json", 400),
    "another kind": (b"<a/>", "application/xml", 415),
    "no kind": (b"x", "", 415),
    "no boundary": (b"x", "multipart/mixed", 400),
    "another boundary": (b"--a\r\n\r\n--a--", "multipart/mixed; boundary=b", 400),
    "no end": (b"--b\r\nContent-Type: application/http\r\n\r\nGET x HTTP/1.1\r\n\r\n", "multipart/mixed; boundary=b", 400),
    "no request": (multipart(http("hello")), "multipart/mixed; boundary=b", 400),
    "a part of another kind": (multipart("Content-Type: text/plain\r\n\r\nGET x HTTP/1.1\r\n"), "multipart/mixed; boundary=b", 400),
    "null bytes": (b"--b\r\n\x00\r\n--b--", "multipart/mixed; boundary=b", 400),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_BATCH)
def test_what_is_no_batch_is_told_so(asking, what):
    body, kind, status = NO_BATCH[what]
    found = asking("POST", BATCH, content=body, headers={"content-type": kind} if kind else {})
    assert found.status_code == status, found.text
    assert found.json()["error"]["message"]


def test_an_empty_batch_has_an_empty_answer(asking):
    assert send(asking, []).json() == {"responses": []}
    assert asking("GET", BATCH).status_code == 405


def test_a_batch_has_a_limit(shared_root, run_service):
    with run_service(Settings(root=shared_root, limits=Limits(batch_requests=3))) as ask:
        assert answers(send(ask, [get(str(i), "Customer?$top=0") for i in range(3)]))
        found = send(ask, [get(str(i), "Customer?$top=0") for i in range(4)])
        assert (found.status_code, found.json()["error"]["code"]) == (400, "tooManyRequests")


# ── multipart ────────────────────────────────────────────────────────────────────────────────────────────────────────


def post(asking: Any, body: bytes, boundary: str = "b", url: str = BATCH, **headers: str) -> httpx.Response:
    return asking(
        "POST", url, content=body, headers={"content-type": f'multipart/mixed; boundary="{boundary}"', **headers}
    )


def test_parts_come_back_in_order_with_their_ids(asking):
    body = multipart(
        http("GET Customer/$count", "one"),
        http("GET Customer?$top=1&$select=City", "two", "Accept: application/json\r\n"),
    )
    found = post(asking, body)
    [first, second] = parsed(found)
    assert first == (200, "723")
    assert list(json.loads(second[1])["value"][0]) == ["City"]
    assert found.text.count("Content-ID: one") == found.text.count("Content-ID: two") == 1


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("lead", ["", "preamble\r\n", "\r\n"])
def test_line_ends_and_preambles_of_clients(asking, newline, lead):
    body = lead.encode() + multipart(http("GET Customer/$count")).replace(b"\r\n", newline.encode())
    assert parsed(post(asking, body)) == [(200, "723")]


def test_change_sets_of_the_clean_root_are_refused_as_one_and_queries_are_not(asking):
    inner = multipart(http("POST Customer", "1"), http("PATCH $1", "2"), boundary="c").decode()
    body = multipart(
        http("GET Customer/$count"),
        f"Content-Type: multipart/mixed; boundary=c\r\n\r\n{inner}",
        http("GET Customer/$count"),
    )
    found = parsed(post(asking, body, prefer="odata.continue-on-error"))
    assert [status for status, _ in found] == [200, 405, 200]
    assert [status for status, _ in parsed(post(asking, body))] == [200, 405]


def test_the_vendors_root_has_batches_too(asking):
    url = "/v1/instances/contoso/data/$batch"
    found = post(
        asking,
        multipart(http("GET Customer%28%27nobody%27%29"), http("GET Customer/$count")),
        url=url,
        prefer="continue-on-error",
    )
    assert [status for status, _ in parsed(found)] == [404, 200]
    assert json.loads(parsed(found)[0][1])["errorCode"] == "notFound"


def test_an_id_cannot_write_headers(asking):
    found = post(asking, multipart(http("GET Customer/$count", "x\ty: z")))
    assert "Content-ID: xy:z" in found.text


def test_headers_of_a_part_may_hold_anything(asking):
    odd = {"x-\u20ac": "\u20ac\U0001f600", "if-none-match": "\u20ac", "accept": "application/json", "prefer": "\x00"}
    assert answers(send(asking, [get("1", "Customer?$top=1", headers=odd)])) == [("1", 200)]
    assert answers(send(asking, [get("\u20ac\r\nx: y", "Customer?$top=1")])) == [("\u20ac\r\nx: y", 200)]


def test_mangled_batches_are_refused_or_answered_and_never_fail(asking):
    chance = random.Random(5)
    whole = {
        "multipart/mixed; boundary=b": multipart(
            http("GET Customer/$count", "1"), http("GET Customer?$top=1", "2", "Accept: */*\r\n")
        ),
        "application/json": json.dumps(
            {"requests": [get("1", "Customer/$count"), get("2", "$1", dependsOn=["1"])]}
        ).encode(),
    }
    for kind, body in whole.items():
        for _ in range(150):
            text = bytearray(body)
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(text))
                text[at : at + chance.randrange(4)] = chance.choice(
                    (b"", b"\x00", b"\xff", b"--b", b"\r\n", b'"', b"{", b"$", b"%", b"9" * 50)
                )
            found = asking(
                "POST", BATCH, content=bytes(text), headers={"content-type": kind, "prefer": "continue-on-error"}
            )
            assert found.status_code in (200, 400), (found.status_code, bytes(text))
            inner = re.findall(r'"status":(\d+)|HTTP/1.1 (\d+)', found.text) if found.status_code == 200 else []
            assert not [a or b for a, b in inner if (a or b).startswith("5") and (a or b) != "501"], bytes(text)
