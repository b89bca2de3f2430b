"""The memberships route, over HTTP as clients see it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import unify

Ask = Callable[..., httpx.Response]
BASE = "/v1/instances/contoso/memberships"


@pytest.fixture
def someone(contoso_made: Path) -> tuple[str, list[str]]:
    """A CustomerId and its segments, found by handles."""
    with unify.open(contoso_made) as acme:
        bitmaps = acme.segments().bitmaps()
        ordinal = next(iter(bitmaps["win_back"]))
        [row] = acme.sql("SELECT CustomerId FROM Customer WHERE ordinal = $o", {"o": ordinal}).rows()
        return row["CustomerId"], sorted(name for name, members in bitmaps.items() if ordinal in members)


@pytest.mark.parametrize("prefix", ["/v1", "/api", ""])
def test_the_segments_of_a_customer(ask: Ask, someone: tuple[str, list[str]], prefix: str) -> None:
    id_, segments = someone
    answer = ask("GET", f"{prefix}/instances/contoso/memberships/{id_}")
    assert answer.status_code == 200
    assert answer.json() == {
        "generation": 1, "state": answer.json()["state"], "customerId": id_, "segments": segments,
    }  # fmt: skip
    again = ask("GET", f"{BASE}/{id_}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-length" not in again.headers


def test_only_those_that_are_named(ask: Ask, someone: tuple[str, list[str]]) -> None:
    answer = ask("GET", f"{BASE}/{someone[0]}?segment=win_back&segment=unhappy")
    assert answer.json()["segments"] == [s for s in ("win_back", "unhappy") if s in someone[1]]


def test_many_customers_in_many_segments_are_what_the_handles_say(ask: Ask, contoso_made: Path) -> None:
    with unify.open(contoso_made) as acme:
        rows = acme.sql("SELECT CustomerId, ordinal FROM Customer ORDER BY 1").rows()
        bitmaps = acme.segments().bitmaps()
    names = ["unhappy", "win_back", "gone_quiet"]
    customers = [row["CustomerId"] for row in rows] + ["nobody", "0" * 32]
    answer = ask("POST", f"{BASE}/check", json={"customers": customers, "segments": names})
    assert answer.status_code == 200
    want = [[n for n in names if row["ordinal"] in bitmaps[n]] for row in rows]
    assert [row["segments"] for row in answer.json()["value"]] == [*want, [], []]
    assert [row["customerId"] for row in answer.json()["value"]] == [*customers[:-2], None, None]
    assert [row["customer"] for row in answer.json()["value"]] == customers


def test_records_name_customers_too(ask: Ask) -> None:
    names = ["crm.Contacts:C-1081", "crm_Contacts:C-1081", "loyalty.Members:L-1045", "crm.Contacts:none", "x:C-1081"]
    said = ask("POST", f"{BASE}/check", json={"customers": names}).json()["value"]
    assert said[0]["customerId"] == said[1]["customerId"] == said[2]["customerId"] != None  # noqa: E711
    assert [row["customerId"] for row in said[3:]] == [None, None]
    assert ask("GET", f"{BASE}/crm.Contacts:C-1081").json()["customerId"] == said[0]["customerId"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/nobody", None, 404, "there is no customer"),
        ("GET", "/nobody?segment=win_bakc", None, 404, "win_bakc"),
        ("GET", "/nobody?segments=win_back", None, 400, "there is no parameter"),
        ("GET", "/nobody?segment", None, 400, "cannot be read"),
        ("DELETE", "/nobody", None, 405, "DELETE"),
        ("PUT", "/check", None, 405, "PUT"),
        ("POST", "/check", b"{", 400, "no JSON"),
        ("POST", "/check", b"[]", 400, "no object"),
        ("POST", "/check", b'{"customer":["x"]}', 400, "there is no 'customer'"),
        ("POST", "/check", b'{"customers":"x"}', 400, "no list of texts"),
        ("POST", "/check", b'{"customers":[1]}', 400, "no list of texts"),
        ("POST", "/check", b'{"customers":[]}', 400, "0 customers"),
        ("POST", "/check", b'{"customers":["x"],"segments":["nope"]}', 404, "nope"),
        ("POST", "/check", json.dumps({"customers": ["x"] * 10_001}).encode(), 400, "10,001 customers"),
    ],
)
def test_what_is_wrong_is_said(ask: Ask, method: str, path: str, body: bytes | None, status: int, said: str) -> None:
    answer = ask(method, f"{BASE}{path}", content=body)
    assert answer.status_code == status
    assert said in answer.json()["message"]


def test_an_unknown_instance_and_an_empty_one(ask: Ask, root: Path) -> None:
    assert ask("GET", "/v1/instances/nope/memberships/x").status_code == 404
    unify.open(root / "empty", create=True).close()
    answer = ask("GET", "/v1/instances/empty/memberships/x")
    assert answer.status_code == 404
    assert "nothing has been published" in answer.json()["message"]


def test_hot_answers_have_the_headers_of_every_answer(ask: Ask, root: Path) -> None:
    url = "/v1/instances/contoso/data/Customer/$count"
    ask("GET", f"{BASE}/check")  # waits for the snapshot, which the next service finds on disk
    answers = [ask("GET", url, headers={"cache-control": value}) for value in ("no-cache", "max-age=0")]
    for answer in answers:
        assert (answer.status_code, answer.text, answer.headers["odata-version"]) == (200, "723", "4.01")
    old = ask("GET", url, headers={"odata-maxversion": "4.0"})
    assert old.headers["odata-version"] == "4.0"
