"""Erasing a person, proved by search: unique markers stand in every kind of place, and afterwards in no file at all."""

import datetime as dt
import gzip
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import unify
from unify.core.errors import LeaseHeldError, QueryError
from unify.privacy import erase as erasing
from unify.privacy import ledger
from unify.privacy.search import search
from unify.store import Store
from unify.store.written import WrittenRow, WrittenRows

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY, MEMBER, ORDER = "K-XQZV-0003", "M-XQZV-9", "O-XQZV-3"
MAIL, NAME, NOTE = "xqzv.mail@example.org", "Xqzv Quillfeather", "a long note about xqzv the third"
MARKS = ("xqzv", "quillfeather")
PLAN: dict[str, Any] = {
    "sources": {
        "crm": {"Contacts": {"key": "Id", "files": "incoming/crm/Contacts", "columns": {"Id": "string", "Born": "date", "Score": "integer"}}},
        "shop": {"Members": {"key": "M", "columns": {"M": "string"}}},
        "web": {
            "Orders": {"key": "O", "type": "activity", "timestamp": "At", "columns": {"O": "string", "Contact": "string", "At": "date"}},
            "Letters": {"key": "L", "columns": {"L": "string", "Contact": "string"}},
        },
    },
    "conflation": {
        "order": ["crm.Contacts", "shop.Members"],
        "match": {"shop.Members -> crm.Contacts": [{"name": "mail", "when": [{"field": "Mail"}]}]},
    },
    "relationships": {
        "orders": "web.Orders.Contact -> crm.Contacts.Id",
        "letters": "web.Letters.Contact -> crm.Contacts.Id",
    },
    "activities": {"order": {"entity": "web.Orders", "type": "SalesOrder", "event": "Note"}},
    "measures": {"Orders": {"count": True, "of": "web.Orders"}},
    "segments": {"everybody": {"where": "CustomerId ne null"}},
}  # fmt: skip


def contacts(n: int = 8, *, city: str = "Bern") -> list[dict[str, Any]]:
    return [
        {"Id": KEY if i == 3 else f"K-{i:04}", "Name": NAME if i == 3 else f"Name Number{i}", "Mail": MAIL if i == 3 else f"m{i}@example.org",
         "City": city, "Born": f"1980-01-{1 + i:02}", "Score": "1" if i != 5 else "many"}
        for i in range(n)
    ]  # fmt: skip


def frames(n: int = 8) -> dict[str, pa.Table]:
    who = [c["Id"] for c in contacts(n)]
    members = [{"M": MEMBER if i == 3 else f"M-{i:04}", "Mail": c["Mail"]} for i, c in enumerate(contacts(n))]
    orders = [
        {
            "O": ORDER if i == 3 else f"O-{i:04}",
            "Contact": k,
            "At": f"2025-01-{1 + i:02}",
            "Note": NOTE if i == 3 else "ok",
        }
        for i, k in enumerate(who)
    ]
    letters = [
        {"L": f"L-{i}", "Contact": k, "Text": "Dear Xqzv, thank you for your letter" if i == 3 else "Dear all"}
        for i, k in enumerate(who)
    ]
    found = {"shop.Members": members, "web.Orders": orders, "web.Letters": letters}
    return {name: pa.Table.from_pylist(rows) for name, rows in found.items()}


def csv(rows: list[dict[str, Any]]) -> str:
    return "\r\n".join([",".join(rows[0]), *(",".join(f'"{v}"' for v in r.values()) for r in rows), ""])


def upload(path: Path, rows: list[dict[str, Any]]) -> None:
    """Two uploads: the second has somebody's row twice more, once with a value that is refused."""
    folder = path / "incoming" / "crm" / "Contacts"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.csv").write_text(csv(rows), encoding="utf-8", newline="")
    theirs = next(r for r in rows if r["Id"] == KEY)
    with gzip.open(folder / "b.csv.gz", "wt", encoding="utf-8", newline="") as file:
        file.write(
            csv(
                [
                    {**theirs, "City": "Basel"},
                    {**rows[0], "Id": "K-9000", "Mail": "n@example.org"},
                    {**theirs, "Score": "bad", "Id": KEY},
                ]
            )
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("privacy") / "acme"
    with unify.open(path, create=True) as acme:
        upload(path, contacts())
        acme.run(PLAN, frames=frames(), base=path)
        acme.run(PLAN, frames=frames(), base=path, full=True)
        acme.segments().create("handpicked", [f"crm.Contacts:{KEY}", "crm.Contacts:K-0006"])
        acme.segments().create("by_mail", f"Mail eq '{MAIL}'")
        acme.segments().refresh()
        acme.decide((f"crm.Contacts:{KEY}", "crm.Contacts:K-0001"), "different", note=f"not {NAME}")
        WrittenRows(path).write(WrittenRow("crm.Contacts", KEY, {"City": "Xqzvville"}, created=False), NOW)
        (path / "rejected").mkdir(exist_ok=True)
        (path / "rejected" / "odd.jsonl").write_text(
            json.dumps({"Id": KEY, "x": 1}) + "\n" + json.dumps({"Id": "K-1"}) + "\n"
        )
        pq.write_table(pa.Table.from_pylist(contacts()), path / "incoming" / "extra.parquet")
        (path / "snapshots").mkdir()
        (path / "snapshots" / "000002.rows").write_bytes(b"..." + NAME.encode())
    return path


@pytest.fixture
def instance(made, tmp_path):
    path = tmp_path / "acme"
    shutil.copytree(made, path)
    return path


def test_the_markers_are_everywhere_before(made):
    found = " ".join(search(made, MARKS))
    for place in ("generations/000001", "generations/000002", "a.csv", "b.csv.gz", "extra.parquet", "written.sqlite", "odd.jsonl",
                  "definitions.body", "snapshots", "crm_Contacts_corrupt", "web_Letters", "UnifiedActivity"):  # fmt: skip
        assert place in found, place


@pytest.mark.parametrize("by", [f"shop.Members:{MEMBER}", "CustomerId"])
def test_an_erased_person_is_in_no_file(instance, by):
    with unify.open(instance) as acme:
        id_ = acme.customer_id(f"crm.Contacts:{KEY}")
        others = {r["CustomerId"]: r for r in acme.customers().rows() if r["CustomerId"] != id_}
        done = acme.erase(id_ if by == "CustomerId" else by, reason="ticket 7")
        assert (done.customers, done.records, done.related) == (1, 2, 2)
        assert search(instance, (*MARKS, id_)) == []
        after = {r["CustomerId"]: r for r in acme.customers().rows()}
        assert after == others, "nobody else is touched"
        assert [g.number for g in acme.generations()] == [done.generation]
        assert sorted(p.name for p in (instance / "generations").iterdir()) == [f"{done.generation:06d}.duckdb"]
        for name in (id_, f"crm.Contacts:{KEY}"):
            with pytest.raises(QueryError):
                acme.customer(name)
        infos = {i.name: i for i in acme.segments()}
        assert infos["everybody"].members == len(others)
        assert infos["handpicked"].members == 1
        assert acme.decisions() == []
        assert acme.doctor().ok


def test_the_person_stays_away_when_the_files_have_them_again(instance):
    with unify.open(instance) as acme:
        acme.erase(f"crm.Contacts:{KEY}", reason="ticket 7")
        upload(instance, contacts())  # a nightly job brings the old export again
        WrittenRows(instance).write(WrittenRow("crm.Contacts", KEY, {"City": "Xqzvville"}, created=True), NOW)
        for options in ({}, {"full": True}):
            report = acme.run(PLAN, frames=frames(), base=instance, **options)
            assert len(acme.customers().rows()) == 8
            assert all(a.balanced for a in report.arrows)
            found = [p for p in search(instance, MARKS) if not p.startswith("incoming/")]
            assert found == []
        contact = next(e for e in report.entities if e.entity == "crm.Contacts")
        assert contact.rows_in == 8, "as if their rows were not there"


def test_the_ledger_comes_first_and_holds_hashes_only(instance, monkeypatch):
    seen = []

    def stop(*_: Any) -> None:
        seen.append(ledger.entries(Store.open(instance)))
        raise KeyboardInterrupt

    monkeypatch.setattr(erasing, "_scrub", stop)
    with unify.open(instance) as acme:
        with pytest.raises(KeyboardInterrupt):
            acme.erase(f"crm.Contacts:{KEY}", reason="ticket 7")
        [[entry]] = seen
        assert (entry["reason"], entry["done"]) == ("ticket 7", False)
        assert set(entry["hashes"]) == {"crm.Contacts", "shop.Members", "web.Orders", "web.Letters"}
        assert KEY not in json.dumps(entry)
        monkeypatch.undo()
        acme.erase(f"crm.Contacts:{KEY}", reason="ticket 7, again")
        assert [e["done"] for e in ledger.entries(acme.store)] == [True, True]
    assert search(instance, MARKS) == []


def test_a_process_that_ends_before_the_old_generations_are_gone(instance, monkeypatch):
    monkeypatch.setattr(erasing, "finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with unify.open(instance) as acme:
        with pytest.raises(KeyboardInterrupt):
            acme.erase(f"crm.Contacts:{KEY}", reason="ticket 7")
        monkeypatch.undo()
        erasing.finish(acme.store)
    assert search(instance, MARKS) == []


def test_readers_of_an_old_generation_end_in_peace(instance):
    with unify.open(instance) as reader, unify.open(instance) as acme:
        before = reader.odata("Customer/$count").raw
        acme.erase(f"crm.Contacts:{KEY}", reason="ticket 7")
        assert search(instance, MARKS) == []
        assert int(reader.odata("Customer/$count").raw) == int(before) - 1


def test_nobody_and_a_busy_instance(instance):
    with unify.open(instance) as acme:
        with pytest.raises(QueryError):
            acme.erase("crm.Contacts:nobody", reason="x")
        assert ledger.entries(acme.store) == []
        with acme.store.lease("somebody else"):
            raised: list[BaseException] = []

            def other() -> None:
                try:
                    with unify.open(instance) as second:
                        second.erase(f"crm.Contacts:{KEY}", reason="x")
                except LeaseHeldError as error:
                    raised.append(error)

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        assert raised
        assert ledger.entries(acme.store) == []


def test_subject_holds_everything_and_nothing_of_others(instance):
    with unify.open(instance) as acme:
        found = acme.subject(f"shop.Members:{MEMBER}")
        text, page = found.json(), found.html()
    for value in (
        KEY,
        MEMBER,
        ORDER,
        MAIL,
        NAME,
        NOTE,
        "Dear Xqzv, thank you for your letter",
        "Xqzvville",
        "handpicked",
        "by_mail",
        "everybody",
    ):
        assert value in text
        assert value in page
    assert not [f"K-{n:04}" for n in range(8) if f'"K-{n:04}"' in text]
    document = found.as_dict()
    assert document["profile"]["Mail"]["from"] == [f"crm.Contacts:{KEY}"]
    assert {p["generation"] for p in document["history"]["profiles"]} == {1}
    assert {s["segment"] for s in document["history"]["segments"]} == {"everybody", "handpicked", "by_mail"}
    assert document["measures"]["Orders"] == 1
    assert "<script" not in page


def test_a_page_runs_no_values(instance):
    with unify.open(instance) as acme:
        found = acme.subject(f"crm.Contacts:{KEY}")
        found.records["crm.Contacts"][0]["Name"] = "<script>alert(1)</script>"
        assert "<script" not in found.html()


def test_short_keys_take_no_rows_of_others(tmp_path):
    plan = {
        "sources": {"a": {"People": {"key": "Id", "columns": {"Id": "string", "Rank": "string", "Town": "string"}}}},
        "conflation": {
            "order": ["a.People"],
            "dedupe": {"a.People": {"rules": [{"name": "id", "when": [{"field": "Id"}]}]}},
        },
    }
    rows = [{"Id": str(n), "Rank": str((n + 1) % 4), "Town": "Uniqueville" if n == 1 else "Bern"} for n in range(4)]
    path = tmp_path / "small"
    with unify.open(path, create=True) as acme:
        acme.run(plan, frames={"a.People": pa.Table.from_pylist(rows)})
        (path / "incoming" / "people.csv").write_text(
            "Id,Rank,Town\n" + "".join(f"{r['Id']},{r['Rank']},{r['Town']}\n" for r in rows)
        )
        acme.erase("a.People:1", reason="x")
        assert sorted(r["Rank"] for r in acme.table("a.People").rows()) == ["0", "1", "3"]
        assert (path / "incoming" / "people.csv").read_text() == "Id,Rank,Town\n0,1,Bern\n2,3,Bern\n3,0,Bern\n"


def test_search_sees_through_formats(tmp_path):
    import duckdb

    rows = [f"packed {n} text" for n in range(5000)] + ["needle in a haystack"]
    with duckdb.connect(str(tmp_path / "x.duckdb")) as db:
        db.register("r", pa.table({"v": rows}))
        db.execute("CREATE TABLE t AS SELECT * FROM r")
    with gzip.open(tmp_path / "y.txt.gz", "wt") as file:
        file.write("x" * 3_000_000 + "NEEDLE")
    (tmp_path / "z.bin").write_bytes("a needle".encode("utf-16-le"))
    assert {p.partition(":")[0] for p in search(tmp_path, ["needle"])} == {"x.duckdb", "y.txt.gz", "z.bin"}
    assert search(tmp_path, ["pin"]) == []
