"""Rows that are written one by one: what is refused, what a run makes of them, and that none is lost."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import unify
from unify.service.caller import Caller, Role
from unify.service.settings import Settings
from unify.store.written import WrittenRow, WrittenRows

DATA = "/v1/instances/shop/data"
PATCHED = {"content-type": "application/json-patch+json; charset=utf-8"}
"""As the vendor's client sends it."""


@pytest.fixture(scope="session")
def shop_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file, its project, and a root with an instance of it, `shop`."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "files").mkdir()
    (folder / "files" / "people.csv").write_text(
        "Id,Name,Points,Member,Since,Balance\n1,Ann Quill,10,true,2024-01-31,1.50\n2,Bo Tarn,20,false,2024-02-29,2.25\n"
    )
    rule = {"name": "same name", "when": [{"field": "Name"}]}
    project = {
        "name": "shop",
        "sources": {"crm": {"People": {"files": "files/people.csv", "key": "Id"}}},
        "conflation": {"order": ["crm.People"], "dedupe": {"crm.People": [rule]}},
    }
    (folder / "project.json").write_text(json.dumps(project))
    (folder / "root").mkdir()
    with unify.open(folder / "root" / "shop", create=True) as acme:
        acme.run(folder / "project.json")
    return folder


@pytest.fixture
def root(tmp_path: Path, shop_made: Path) -> Path:
    """A root of one's own with `shop`, its files and project beside it."""
    shutil.copytree(shop_made, tmp_path / "all")
    return tmp_path / "all" / "root"


@pytest.fixture(scope="module")
def shop_asking(shop_made: Path, run_service):
    """A service over what nobody changes."""
    with run_service(Settings(root=shop_made / "root")) as ask:
        yield ask


def run(root: Path) -> "unify.Instance":
    acme = unify.open(root / "shop")
    acme.run(root.parent / "project.json")
    return acme


def people(root: Path) -> list[dict[str, object]]:
    with run(root) as acme:
        return acme.sql("SELECT * FROM crm_People ORDER BY Id").rows()


@pytest.mark.parametrize("body", [json.dumps, lambda row: json.dumps(json.dumps(row))])
def test_a_new_row_is_accepted_and_the_next_run_has_it(ask, root, body):
    row = {"Id": 3, "Name": "Cy Vale", "Points": 5, "Member": True, "Since": "2024-03-01", "Balance": 9.75}
    made = ask("POST", f"{DATA}/crm_People?caller=till&validUntil=", content=body(row), headers=PATCHED)
    assert made.status_code == 202
    assert made.json()["location"] == f"http://service{DATA}/crm_People('3')"
    assert made.json()["statusCode"] == 202
    assert made.json()["value"] == row
    found = people(root)
    assert [r["Id"] for r in found] == [1, 2, 3]
    assert found[2]["Name"] == "Cy Vale"
    assert str(found[2]["Since"]) == "2024-03-01"
    again = ask("GET", f"{DATA}/crm_People('3')?$select=Balance,Member")
    assert (again.json()["Balance"], again.json()["Member"]) == (9.75, True)


def test_a_change_touches_only_its_columns_and_outlives_further_runs(ask, root):
    assert ask("PATCH", f"{DATA}/crm_People/2", content='{"Name":"Bo T.","Points":null}').status_code == 204
    for _ in range(2):
        [_, second] = people(root)
        assert (second["Name"], second["Points"], second["Member"]) == ("Bo T.", None, False)
    assert ask("PATCH", f"{DATA}/crm.People/2", content='{"Points":"77"}').status_code == 204
    [_, second] = people(root)
    assert (second["Name"], second["Points"]) == ("Bo T.", 77)


def test_a_change_of_a_row_that_was_only_written_adds_to_it(ask, root):
    assert ask("POST", f"{DATA}/crm_People", content='{"Id":9,"Name":"Di"}').status_code == 202
    assert ask("PATCH", f"{DATA}/crm_People/9", content='{"Points":4}').status_code == 204
    assert people(root)[-1] | {"Since": None} == {
        "Id": 9, "Name": "Di", "Points": 4, "Member": None, "Since": None, "Balance": None,
    }  # fmt: skip


def test_counts_say_what_was_written(ask, root):
    ask("POST", f"{DATA}/crm_People", content='{"Id":9,"Name":"Di"}')
    ask("PATCH", f"{DATA}/crm_People/1", content='{"Points":4}')
    with unify.open(root / "shop") as acme:
        [entity] = acme.run(root.parent / "project.json").entities
        assert (entity.rows_in, entity.rows_kept, entity.rows_added, entity.rows_changed) == (3, 3, 1, 1)
        [again] = acme.run(root.parent / "project.json").entities  # carried over as it is
        assert (again.rows_in, again.rows_added, again.rows_changed) == (3, 1, 1)
        assert acme.sql("SELECT count(*) AS n FROM Customer").rows()[0]["n"] == 3


def test_a_row_that_the_files_have_by_now_changes_that_row(ask, root):
    ask("POST", f"{DATA}/crm_People", content='{"Id":3,"Name":"Written"}')
    with (root.parent / "files" / "people.csv").open("a") as file:
        file.write("3,From the file,1,true,2024-04-01,3.00\n")
    last = people(root)[-1]
    assert (last["Name"], last["Points"]) == ("Written", 1)


def test_a_write_that_is_over_is_gone(ask, root):
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    assert ask("PATCH", f"{DATA}/crm_People/1", params={"validUntil": until}, content='{"Name":"X"}').status_code == 204
    assert people(root)[0]["Name"] == "X"
    rows = WrittenRows(root / "shop")
    past = datetime.now(UTC) - timedelta(seconds=1)
    rows.write(WrittenRow("crm.People", "1", {"Name": "X"}, False, past), datetime.now(UTC))
    assert people(root)[0]["Name"] == "Ann Quill"


def test_what_the_files_no_longer_have_is_said(ask, root):
    ask("PATCH", f"{DATA}/crm_People/1", content='{"Balance":"12.5"}')
    ask("PATCH", f"{DATA}/crm_People/2", content='{"Name":"Y"}')
    file = root.parent / "files" / "people.csv"
    file.write_text("Id,Name,Points\n1,Ann Quill,10\n")
    project = json.loads((root.parent / "project.json").read_text())
    project["sources"]["crm"]["People"]["drift"] = "accept"
    (root.parent / "project.json").write_text(json.dumps(project))
    with unify.open(root / "shop") as acme:
        report = acme.run(root.parent / "project.json")
    assert any("Balance is left out: there is no such column any more" in w for w in report.warnings)
    assert any("1 written rows have no row in the files to change" in w for w in report.warnings)


REFUSED = {
    "unknown entity": ("POST", "crm_Peopel", "{}{", 400, "body"),
    "no such entity": ("POST", "crm_Peopel", '{"Id":5}', 404, "entityName"),
    "made by runs": ("PATCH", "Customer/x", '{"City":"Bern"}', 400, "entityName"),
    "no such row": ("PATCH", "crm_People/77", '{"Name":"x"}', 404, "entityId"),
    "no row of that type": ("PATCH", "crm_People/abc", '{"Name":"x"}', 404, "entityId"),
    "no such column": ("POST", "crm_People", '{"Id":5,"Nam":"x"}', 400, "Nam"),
    "text for a number": ("POST", "crm_People", '{"Id":5,"Points":"many"}', 400, "Points"),
    "half a point": ("POST", "crm_People", '{"Id":5,"Points":"1.7"}', 400, "Points"),
    "a number for text": ("POST", "crm_People", '{"Id":5,"Name":7}', 400, "Name"),
    "yes for true": ("POST", "crm_People", '{"Id":5,"Member":"yes"}', 400, "Member"),
    "true for a number": ("POST", "crm_People", '{"Id":5,"Points":true}', 400, "Points"),
    "a time for a date": ("POST", "crm_People", '{"Id":5,"Since":"2024-01-01T10:00:00"}', 400, "Since"),
    "an object": ("POST", "crm_People", '{"Id":5,"Name":{"first":"x"}}', 400, "Name"),
    "no key": ("POST", "crm_People", '{"Name":"x"}', 400, "Id"),
    "null key": ("POST", "crm_People", '{"Id":null,"Name":"x"}', 400, "Id"),
    "a key that is there": ("POST", "crm_People", '{"Id":2,"Name":"x"}', 409, "Id"),
    "another key": ("PATCH", "crm_People/2", '{"Id":3}', 400, "Id"),
    "a list": ("POST", "crm_People", "[1]", 400, "body"),
    "nothing": ("POST", "crm_People", "", 400, "body"),
    "python's repr": ("POST", "crm_People", json.dumps("{'Id': 5}"), 400, "body"),
    "an unknown option": ("POST", "crm_People?validuntil=x", '{"Id":5}', 400, "validuntil"),
    "no instant": ("POST", "crm_People?validUntil=soon", '{"Id":5}', 400, "validUntil"),
    "the past": ("POST", "crm_People?validUntil=2020-01-01T00:00:00Z", '{"Id":5}', 400, "validUntil"),
    "too far": ("POST", "crm_People?validUntil=2999-01-01T00:00:00Z", '{"Id":5}', 400, "validUntil"),
    "a path too long": ("POST", "crm_People/5", '{"Id":5}', 400, "path"),
    "a path too short": ("PATCH", "crm_People", '{"Name":"x"}', 400, "path"),
}  # fmt: skip


def test_what_is_refused_says_where_and_is_not_kept(shop_asking, shop_made):
    for case, (method, path, body, status, where) in REFUSED.items():
        found = shop_asking(method, f"{DATA}/{path}", content=body, headers=PATCHED)
        assert (found.status_code, found.json()["target"]) == (status, where), (case, found.text)
        assert found.json()["errorCode"]
        assert found.json()["message"]
    assert WrittenRows(shop_made / "root" / "shop").all(datetime.now(UTC)) == {}


def test_a_second_create_is_a_conflict_until_the_first_is_over(ask, root):
    assert ask("POST", f"{DATA}/crm_People", content='{"Id":5}').status_code == 202
    found = ask("POST", f"{DATA}/crm_People", content='{"Id":"5"}')
    assert (found.status_code, found.json()["errorCode"]) == (409, "rowExists")


def test_erasing_leaves_no_trace_in_the_file(root):
    rows, now = WrittenRows(root / "shop"), datetime.now(UTC)
    rows.write(WrittenRow("crm.People", "1", {"Name": "Zoltan Unmistakable"}, False), now)
    folder = root / "shop" / "incoming"
    assert any(b"Unmistakable" in path.read_bytes() for path in folder.iterdir())
    assert rows.erase("crm.People", ["1", "nobody"]) == 1
    assert not any(b"Unmistakable" in path.read_bytes() for path in folder.iterdir())


def test_writing_takes_a_steward(ask, root, monkeypatch):
    from unify.service.access.gate import Gate

    async def analyst(self: object, scope: object) -> Caller:
        return Caller("ann", "user", {"shop": Role.ANALYST})

    monkeypatch.setattr(Gate, "caller", analyst)
    assert ask("POST", f"{DATA}/crm_People", content='{"Id":5}').status_code == 403
    assert ask("GET", f"{DATA}/crm_People/$count").status_code == 200
