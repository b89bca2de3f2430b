"""Rows written in a batch of the vendor's root: a change set is all or nothing, and a refused one has one answer."""

import json
import shutil
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest

import unify
from unify.service.caller import Caller, Role
from unify.service.settings import Limits, Settings
from unify.store.written import WrittenRow, WrittenRows

DATA = "/v1/instances/shop/data/"
GOES_ON = {"prefer": "continue-on-error"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with an instance of one file of two people, `shop`; its folder."""
    folder = tmp_path_factory.mktemp("changes")
    (folder / "people.csv").write_text("Id,Name,Points\n1,Ann Quill,10\n2,Bo Tarn,20\n")
    rule = {"name": "same name", "when": [{"field": "Name"}]}
    project = {
        "name": "shop",
        "sources": {"crm": {"People": {"files": "people.csv", "key": "Id"}}},
        "conflation": {"order": ["crm.People"], "dedupe": {"crm.People": [rule]}},
    }
    (folder / "project.json").write_text(json.dumps(project))
    (folder / "root").mkdir()
    with unify.open(folder / "root" / "shop", create=True) as acme:
        acme.run(folder / "project.json")
    return folder


@pytest.fixture(scope="module")
def shop(made: Path, run_service: Any) -> Any:
    with run_service(Settings(root=made / "root", limits=Limits(batch_requests=6))) as ask:
        yield ask


@pytest.fixture(autouse=True)
def nothing_written(made: Path) -> None:
    """Before each test."""
    shutil.rmtree(made / "root" / "shop" / "incoming", ignore_errors=True)


def kept(made: Path) -> dict[str, dict[str, str | None]]:
    """Key → values of what is written."""
    rows = WrittenRows(made / "root" / "shop").all(datetime.now(UTC)).get("crm.People", [])
    return {row.key: dict(row.values) for row in rows}


def request(line: str, body: Any = None, id_: str = "") -> str:
    content_id = f"Content-ID: {id_}\r\n" if id_ else ""
    text = f"Content-Type: application/json\r\n\r\n{json.dumps(body)}" if body is not None else "\r\n"
    return f"Content-Type: application/http\r\n{content_id}\r\n{line} HTTP/1.1\r\n{text}\r\n"


def new(id_: int | str, content_id: str = "", **values: Any) -> str:
    return request("POST crm_People", {"Id": id_, **values}, content_id)


def changes(*members: str, boundary: str = "c") -> str:
    inner = "".join(f"--{boundary}\r\n{member}\r\n" for member in members)
    return f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{inner}--{boundary}--\r\n"


def send(ask: Any, *parts: str, **headers: str) -> httpx.Response:
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--"
    found: httpx.Response = ask(
        "POST",
        f"{DATA}$batch",
        content=body.encode(),
        headers={"content-type": "multipart/mixed; boundary=b", **headers},
    )
    return found


def read(message: Any) -> list[Any]:
    """Of each part (Content-ID, status, JSON); of a change set a list of them."""
    found: list[Any] = []
    for part in message.get_payload():
        if part.is_multipart():
            found.append(read(part))
            continue
        if part.get_content_type() == "multipart/mixed":
            found.append([])
            continue
        head, _, body = part.get_payload().replace("\r\n", "\n").partition("\n\n")
        answer = json.loads(body) if body.strip().startswith("{") else None
        found.append((part["Content-ID"] or "", int(head.split(" ", 2)[1]), answer))
    return found


def parts(found: httpx.Response) -> list[Any]:
    assert found.status_code == 200, found.text
    head = b"Content-Type: " + found.headers["content-type"].encode() + b"\r\n\r\n"
    return read(message_from_bytes(head + found.content, policy=policy.compat32))


def statuses(found: httpx.Response) -> list[Any]:
    return [[one[1] for one in part] if isinstance(part, list) else part[1] for part in parts(found)]


def test_a_change_set_is_written_and_answered_member_by_member(shop, made):
    count = request("GET crm_People?$top=1")
    members = new(3, "one", Name="Cy Vale"), request("PATCH crm_People/2", {"Points": 77}, "two")
    found = parts(send(shop, count, changes(*members), count))
    assert (found[0][1], found[2][1]) == (200, 200)
    [first, second] = found[1]
    assert (first[0], first[1], first[2]["location"]) == ("one", 202, f"http://service{DATA}crm_People('3')")
    assert second == ("two", 204, None)
    assert kept(made) == {"2": {"Points": "77"}, "3": {"Id": "3", "Name": "Cy Vale"}}


def test_a_run_takes_what_a_change_set_wrote(made, tmp_path, run_service):
    shutil.copytree(made, tmp_path / "all")
    with run_service(Settings(root=tmp_path / "all" / "root")) as ask:
        assert statuses(send(ask, changes(new(3, Name="Cy"), request("PATCH crm_People('2')", {"Points": 5})))) == [
            [202, 204]
        ]
    with unify.open(tmp_path / "all" / "root" / "shop") as acme:
        acme.run(tmp_path / "all" / "project.json")
        rows = acme.sql("SELECT Id, Name, Points FROM crm_People ORDER BY Id").rows()
    assert [tuple(row.values()) for row in rows] == [(1, "Ann Quill", 10), (2, "Bo Tarn", 5), (3, "Cy", None)]


BROKEN = {
    "no such row": (request("PATCH crm_People/99", {"Name": "x"}, "bad"), 404),
    "no such entity": (request("POST crm_Peopel", {"Id": 9}, "bad"), 404),
    "no such column": (new(9, "bad", Nam="x"), 400),
    "a key of the files": (new(1, "bad"), 409),
    "a key of the set itself": (new(3, "bad"), 409),
    "no body": (request("POST crm_People", None, "bad"), 400),
    "a question": (request("GET crm_People", None, "bad"), 400),
    "a deletion": (request("DELETE crm_People/1", None, "bad"), 405),
    "nobody's id": (request("PATCH $nobody", {"Name": "x"}, "bad"), 400),
    "another root": (request("POST /odata/shop/crm_People", {"Id": 9}, "bad"), 404),
    "an unknown option": (request("POST crm_People?until=x", {"Id": 9}, "bad"), 400),
    "a batch": (request("POST $batch", {"requests": []}, "bad"), 404),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("at", [1, 2])
def test_one_that_fails_undoes_all_and_is_the_one_answer(shop, made, what, at):
    member, status = BROKEN[what]
    members = [new(3, "good", Name="Cy"), request("PATCH crm_People/2", {"Points": 5}, "fine")]
    members.insert(at, member)
    [part, after] = parts(send(shop, changes(*members), request("GET crm_People?$top=1"), **GOES_ON))
    assert (part[0], part[1]) == ("bad", status), part
    assert part[2]["message"]
    assert after[1] == 200
    assert kept(made) == {}


def test_a_refused_change_set_ends_a_batch_and_what_came_before_stays(shop, made):
    found = send(shop, changes(new(3)), changes(new(4), new(4)), changes(new(5)))
    assert statuses(found) == [[202], 409]
    assert set(kept(made)) == {"3"}
    found = send(shop, changes(new(6), new(3)), changes(new(5)), **GOES_ON)
    assert statuses(found) == [409, [202]]
    assert set(kept(made)) == {"3", "5"}


def test_a_row_that_somebody_wrote_meanwhile_undoes_the_set(made):
    """The race that no check before the transaction can see."""
    rows, now = WrittenRows(made / "root" / "shop"), datetime.now(UTC)
    assert rows.write(WrittenRow("crm.People", "8", {"Name": "first"}, True), now)
    together = [
        WrittenRow("crm.People", "7", {"Name": "x"}, True),
        WrittenRow("crm.People", "7", {"Points": "1"}, False),
        WrittenRow("crm.People", "8", {"Name": "second"}, True),
    ]
    assert rows.write_all(together, now) == 2
    assert kept(made) == {"8": {"Name": "first"}}
    assert rows.write_all(together[:2], now) is None
    assert kept(made) == {"7": {"Name": "x", "Points": "1"}, "8": {"Name": "first"}}


def test_the_race_is_answered_as_a_conflict_of_its_member(shop, made, monkeypatch):
    meanwhile = WrittenRows.write_all

    def raced(self: WrittenRows, rows: Any, now: datetime) -> int | None:
        meanwhile(self, [WrittenRow("crm.People", "4", {"Name": "theirs"}, True)], now)
        return meanwhile(self, rows, now)

    monkeypatch.setattr(WrittenRows, "write_all", raced)
    [part] = parts(send(shop, changes(new(3, "a"), new(4, "b"), new(5, "c"))))
    assert (part[0], part[1], part[2]["errorCode"]) == ("b", 409, "rowExists")
    assert kept(made) == {"4": {"Name": "theirs"}}


def test_a_member_names_a_row_that_an_earlier_one_makes(shop, made):
    members = new("3", "n'1", Name="Cy"), request("PATCH $n'1", {"Points": 4}, "p")
    assert statuses(send(shop, changes(*members))) == [[202, 204]]
    assert kept(made) == {"3": {"Id": "3", "Name": "Cy", "Points": "4"}}
    later = changes(new(5, "5", Name="Di")), changes(request("PATCH $5", {"Points": 6}))
    assert statuses(send(shop, *later)) == [[202], [204]]
    assert kept(made)["5"] == {"Id": "5", "Name": "Di", "Points": "6"}


def test_a_write_alone_is_written_too_in_both_forms(shop, made):
    root = f"http://service{DATA}"
    found = send(
        shop, new(3, "one"), request(f"PATCH {root}crm_People/3", {"Name": "Cy"}), request("PATCH $one", {"Points": 1})
    )
    assert statuses(found) == [202, 204, 204]
    requests = [
        {"id": "a", "method": "POST", "url": "crm_People", "body": {"Id": 4, "Name": "Di"}},
        {"id": "b", "method": "PATCH", "url": "$a", "body": {"Points": 2}, "dependsOn": ["a"]},
        {"id": "c", "method": "PATCH", "url": "crm_People/99", "body": {"Points": 2}},
    ]
    answers = shop("POST", f"{DATA}$batch", json={"requests": requests}).json()["responses"]
    assert [(one["id"], one["status"]) for one in answers] == [("a", 202), ("b", 204), ("c", 404)]
    assert kept(made) == {
        "3": {"Id": "3", "Name": "Cy", "Points": "1"},
        "4": {"Id": "4", "Name": "Di", "Points": "2"},
    }  # fmt: skip


def test_members_count_and_sets_hold_no_sets(shop, made):
    assert statuses(send(shop, changes(*map(new, range(10, 16))))) == [[202] * 6]
    found = send(shop, changes(*map(new, range(20, 26))), request("GET crm_People"))
    assert (found.status_code, found.json()["errorCode"]) == (400, "tooManyRequests")
    assert send(shop, changes(changes(new(30), boundary="d"))).status_code == 400
    assert len(kept(made)) == 6


def test_an_empty_change_set_has_an_empty_answer(shop):
    assert parts(send(shop, changes(), request("GET crm_People?$top=1")))[1][1] == 200


def test_writing_in_a_batch_takes_a_steward(shop, made, monkeypatch):
    from unify.service.access.gate import Gate

    async def analyst(self: object, scope: object) -> Caller:
        return Caller("ann", "user", {"shop": Role.ANALYST})

    monkeypatch.setattr(Gate, "caller", analyst)
    found = send(shop, request("GET crm_People?$top=1"), changes(new(3)), new(4), **GOES_ON)
    assert statuses(found) == [200, 403, 403]
    assert kept(made) == {}
