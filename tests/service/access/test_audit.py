"""The audit log: what is on record, that nothing of it can be changed unseen, and what a kill leaves."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from unify.core.errors import StoreError
from unify.service.access.audit import Audit, Entry
from unify.service.access.secret import Secret
from unify.service.access.shapes import shape
from unify.service.database import ServiceDatabase


@pytest.fixture
def database(tmp_path):
    return ServiceDatabase(tmp_path)


def audit_of(database: ServiceDatabase) -> Audit:
    return Audit(database, Secret(database.folder))


def entry(n: int, **more: object) -> Entry:
    return Entry(at=1_700_000_000 + n, who=f"who-{n}", method="POST", route="/x", status=200, ms=1.5, **more)


def written(database: ServiceDatabase, count: int) -> Audit:
    audit = audit_of(database)

    async def write() -> None:
        for n in range(count):
            await audit.sealed(entry(n))

    asyncio.run(write())
    audit.close()
    return audit


def test_an_empty_log_holds(database):
    assert audit_of(database).verify().entries == 0


def test_the_chain_holds_and_goes_on_after_a_restart(database):
    first = written(database, 5).verify()
    second = written(database, 3).verify()
    assert (first.entries, second.entries, second.trouble) == (5, 8, "")
    assert first.head != second.head
    assert [e["who"] for e in audit_of(database).entries(limit=2)] == ["who-2", "who-1"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE access_audit SET entry = replace(entry, 'who-2', 'who-9') WHERE number = 3",
        "DELETE FROM access_audit WHERE number = 3",
        "DELETE FROM access_audit WHERE number = 1",
        "UPDATE access_audit SET hash = zeroblob(32) WHERE number = 5",
        "INSERT INTO access_audit SELECT 6, entry, hash FROM access_audit WHERE number = 5",
        "UPDATE access_audit SET number = number + 10 WHERE number = 5",
    ],
)
def test_a_change_is_seen(database, change):
    audit = written(database, 5)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), database.write() as db:
        db.execute(change if "INSERT" not in change else "DELETE FROM access_audit")
    raw = sqlite3.connect(database.path)
    raw.executescript(f"DROP TRIGGER access_audit_stays; DROP TRIGGER access_audit_is_final; {change};")
    raw.close()
    found = audit.verify()
    assert found.trouble
    assert found.entries < 6


def test_who_knows_the_chain_but_not_the_secret_cannot_go_on(database, tmp_path):
    import hashlib
    import hmac

    written(database, 2)
    with database.write() as db:
        last = db.execute("SELECT hash FROM access_audit WHERE number = 2").fetchone()["hash"]
        text = entry(3).text()
        forged = hmac.digest(b"a guess", last + text, hashlib.sha256)
        db.execute("INSERT INTO access_audit VALUES (3, $text, $hash)", {"text": text.decode(), "hash": forged})
    assert audit_of(database).verify().trouble == "entry 3 is not what was written"


def test_many_workers_make_one_chain(database):
    audits = [audit_of(database) for _ in range(4)]

    async def write() -> None:
        await asyncio.gather(*(audit.sealed(entry(n)) for n in range(25) for audit in audits))

    asyncio.run(write())
    for audit in audits:
        audit.close()
    found = audits[0].verify()
    assert (found.entries, found.trouble) == (100, "")


def _writes_until_killed(root: Path, acknowledged: "multiprocessing.Queue[int]") -> None:
    audit = audit_of(ServiceDatabase(root))

    async def write() -> None:
        for n in range(100_000):
            await audit.sealed(entry(n))
            acknowledged.put(n)

    asyncio.run(write())


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path):
    context = multiprocessing.get_context("spawn")
    acknowledged = context.Queue()
    process = context.Process(target=_writes_until_killed, args=(tmp_path, acknowledged))
    process.start()
    seen = acknowledged.get(timeout=30)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while True:
        try:
            seen = acknowledged.get(timeout=0.2)
        except Exception:
            break
    found = audit_of(ServiceDatabase(tmp_path)).verify()
    assert found.trouble == ""
    assert found.entries >= seen + 1


def test_reads_are_written_soon_and_a_full_disk_refuses_writes(database, monkeypatch):
    audit = audit_of(database)

    async def work() -> None:
        await audit.noted(entry(0))
        monkeypatch.setattr(audit, "_append", lambda entries: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(StoreError, match="cannot be written"):
            await audit.sealed(entry(1))
        monkeypatch.undo()
        await audit.sealed(entry(2))

    asyncio.run(work())
    audit.close()
    assert audit.verify().trouble == ""
    assert {e["who"] for e in audit.entries()} >= {"who-2"}


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("Customer('4711')", "$filter=City eq 'Bern' and Age gt 30&$top=5", "Customer(?)?$filter=City eq ? and Age gt ?&$top=?"),
        ("Customer%28%27anna%40example.org%27%29%2FUnifiedActivity", "", "Customer(?)"),
        ("Customer", "$search=anna smith", "Customer?$search=?"),
        ("Customer/C-1001", "", "Customer/?"),
        ("Customer/anna", "$select=Name", "Customer/??$select=Name"),
        ("Customer", "$filter=Name%20eq%20%27O%27%27Hara%27", "Customer?$filter=Name eq ?"),
        ("Customer", "$filter=Born ge 1980-01-01T00:00:00Z", "Customer?$filter=Born ge ?"),
        ("Customer", "$filter=IsMemberOfSegment('Old men')", "Customer?$filter=IsMemberOfSegment(?)"),
        ("Customer", "anna@example.org", "Customer?"),
        ("Customer/$count", "", "Customer/$count"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_shapes_hold_no_values(path, query, said):
    shown = shape(path, query, understood=True)
    assert shown.startswith(said.rstrip("?")), shown
    assert not [v for v in ("Bern", "4711", "anna", "smith", "O'", "Hara", "1980", "Old", "1001", "30") if v in shown]


def test_of_what_was_refused_only_names_of_options_are_kept():
    assert shape("anna@example.org", "$filter=anna eq 1&$top=x", understood=False) == "?$filter=?&$top=?"


def test_writes_are_on_record_before_they_are_answered(root, world_of):
    world = world_of(root)
    url = "/v1/instances/contoso/rbac/principals/sam/assignment"
    assert world.ask("PUT", url, key=world.admin.text, json={"roles": ["Viewer"]}).status_code == 200
    found = world.service.record.audit.entries()
    assert [(e["who"], e["method"], e["status"], e["instance"]) for e in found] == [("boss", "PUT", 200, "contoso")]
    world.ask(url="/v1/instances/contoso/data/Customer?$filter=City eq 'Eastwick'", key=world.admin.text)
    world.ask(url="/v1/instances")
    deadline = time.monotonic() + 5
    while len(found) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
        found = world.service.record.audit.entries()
    assert [(e["who"], e["status"]) for e in found[:2]] == [("", 401), ("boss", 200)]
    assert found[1]["shape"] == "Customer?$filter=City eq ?"
    assert found[1]["rows"] > 0
    answer = world.ask(url="/v1/audit?top=1", key=world.admin.text)
    assert answer.json()[0]["number"] >= 3
    assert world.ask(url="/v1/audit/verification", key=world.admin.text).json()["trouble"] == ""
