"""kill -9 in the middle of create, update and delete: what was acknowledged is there, and nothing is there by half."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from unify.dataverse.model import ready
from unify.dataverse.writes import Writes, writer_of
from unify.records import RecordStore

KILLS = 20


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    made = RecordStore(tmp_path)
    ready(made)
    return made


def work(store: RecordStore, first: int, say: int) -> None:
    """Accounts with a contact and a task each; every third is changed, every fifth deleted with all. Never ends."""
    number = first
    while True:
        number += 1
        with store.write() as writing:
            writes = Writes(writing, writer_of(writing, "killed"))
            made = writes.create("account", {
                "name": f"a{number}", "numberofemployees": number,
                "contact_customer_accounts": [{"lastname": f"c{number}"}],
                "Account_Tasks": [{"subject": f"t{number}"}],
            })  # fmt: skip
        os.write(say, f"made {number} {made.id} {made.version}\n".encode())
        if number % 3 == 0:
            with store.write() as writing:
                writes = Writes(writing, writer_of(writing, "killed"))
                version = writes.update("account", made.id, {"name": f"b{number}"}).version
            os.write(say, f"changed {number} {made.id} {version}\n".encode())
        if number % 5 == 0:
            with store.write() as writing:
                Writes(writing, writer_of(writing, "killed")).delete("account", made.id)
            os.write(say, f"deleted {number} {made.id} 0\n".encode())


def killed(store: RecordStore, first: int, after: float) -> list[list[str]]:
    """What a writer acknowledged until it was killed."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(store, first, say)
        finally:
            os._exit(1)
    os.close(say)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(hear, encoding="ascii") as lines:
        return [line.split() for line in lines.read().splitlines()]


def check(store: RecordStore, said: list[list[str]]) -> None:
    with store.read() as reading:
        assert [row[0] for row in reading.connection.execute("PRAGMA quick_check")] == ["ok"]
        latest = {number: (verb, id_, int(version)) for verb, number, id_, version in said}
        for number, (verb, id_, version) in latest.items():
            found = reading.get("account", [id_])
            if verb == "deleted":
                assert found is None
                assert any(key == (id_,) for key, _ in reading.changes("account", 1).gone)
                continue
            goes_on = number == max(latest, key=int) and (found is None or found.version > version)
            assert goes_on or (found is not None and found.version == version)
            if found is not None:
                assert found.values["name"] in {f"a{number}", f"b{number}"}
        accounts = {str(row.values["accountid"]): row.values["numberofemployees"] for row in reading.rows("account")}
        for table, of, name in (("contact", "parentcustomerid", "lastname"), ("task", "regardingobjectid", "subject")):
            rows = [row.values for row in reading.rows(table) if row.values[of] is not None]
            assert {row[of]: f"{row[name][0]}{accounts.get(row[of])}" for row in rows} == {
                row[of]: row[name] for row in rows
            }
        tasks = {row.values["activityid"] for row in reading.rows("task")}
        assert tasks == {row.values["activityid"] for row in reading.rows("activitypointer")}
        assert {row.values["regardingobjectid"] for row in reading.rows("task")} == set(accounts)


def kills(store: RecordStore, count: int, seed: int) -> int:
    randomness = random.Random(seed)
    heard = 0
    for kill in range(count):
        said = killed(store, kill * 100_000, randomness.uniform(0.02, 0.2))
        heard += len(said)
        check(store, said)
    return heard


def test_twenty_kills(store: RecordStore) -> None:
    assert kills(store, KILLS, 9) > KILLS  # they did get to write


@pytest.mark.soak
def test_a_thousand_kills(store: RecordStore) -> None:
    kills(store, 1000, 10)
