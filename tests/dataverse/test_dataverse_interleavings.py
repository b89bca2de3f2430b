"""Many writers at once, in threads and in processes: no update is lost, and every outcome is one of some order."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.oracles.record_history import Done, replay
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import ready
from unify.dataverse.writes import NEW, Writes, writer_of
from unify.records import RecordStore

ROUNDS, WRITERS, WRITES = 1000, 3, 2
PROCESSES, EACH = 2, 40


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    made = RecordStore(tmp_path)
    ready(made)
    return made


class Round:
    """Writers who all begin at the same moment, on the same two rows."""

    def __init__(self, store: RecordStore, number: int, randomness: random.Random) -> None:
        self.store, self.randomness = store, randomness
        self.rows = [f"00000000-0000-0000-{i:04x}-{number:012x}" for i in range(2)]
        self.claimed: list[str] = []
        self.done: list[Done] = []
        self.trouble: list[BaseException] = []
        with store.write() as writing:
            writes = Writes(writing, writer_of(writing, "tests"))
            made = writes.create("account", {"accountid": self.rows[0], "name": "start", "numberofemployees": 0})
        self.start = {self.rows[0]: (made.version, {"name": "start", "numberofemployees": 0})}
        self.begin = threading.Barrier(WRITERS)

    def go(self) -> None:
        plans = [[self.randomness.choice(VERBS) for _ in range(WRITES)] for _ in range(WRITERS)]
        threads = [threading.Thread(target=self._write, args=(f"w{i}", plan)) for i, plan in enumerate(plans)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.trouble:
            raise self.trouble[0]

    def check(self) -> None:
        expected = replay(self.start, self.done)
        with self.store.read() as reading:
            for row in self.rows:
                found = reading.get("account", [row])
                assert (row in expected) == (found is not None)
                if found is not None:
                    version, values = expected[row]
                    assert (found.version, {name: found.values[name] for name in values}) == (version, values)
        assert len(self.claimed) <= 1, f"all of {self.claimed} won one version"

    def _write(self, name: str, plan: list[str]) -> None:
        try:
            self.begin.wait()
            seen = 0
            for verb in plan:
                before = len(self.done)
                VERB[verb](self, name)
                mine = [d.version for d in self.done[before:] if d.values.get("name") == name]
                assert all(version > seen for version in mine)
                seen = max([seen, *mine])
        except BaseException as error:
            self.trouble.append(error)

    def _now(self, row: str) -> tuple[int, int]:
        with self.store.read() as reading:
            found = reading.get("account", [row])
        return (found.version, found.values["numberofemployees"] or 0) if found is not None else (0, 0)

    def increment(self, name: str) -> None:
        """Read, add one, write if nobody wrote in between; again until it is done."""
        while True:
            version, count = self._now(self.rows[0])
            if not version:
                return
            values = {"numberofemployees": count + 1, "name": name}
            try:
                self._do("update", self.rows[0], values, version)
            except DataverseError as error:
                assert error.status in {412, 404}  # noqa: PT017
            else:
                return

    def claim(self, name: str) -> None:
        """Everybody insists on the version that the row had at the start."""
        try:
            self._do("update", self.rows[0], {"name": name}, self.start[self.rows[0]][0])
        except DataverseError as error:
            assert error.status in {412, 404}  # noqa: PT017
        else:
            self.claimed.append(name)

    def make(self, name: str) -> None:
        """Everybody makes the same second row."""
        try:
            self._do("create", self.rows[1], {"name": name}, None)
        except DataverseError as error:
            assert error.status == 412  # noqa: PT017

    def overwrite(self, name: str) -> None:
        try:
            self._do("update", self.rows[1], {"name": name}, None)
        except DataverseError as error:
            assert error.status == 404  # noqa: PT017

    def delete(self, name: str) -> None:
        try:
            self._do("delete", self.rows[1], {}, None)
        except DataverseError as error:
            assert error.status == 404  # noqa: PT017

    def _do(self, verb: str, row: str, values: dict[str, object], seen: int | None) -> None:
        with self.store.write() as writing:
            writes = Writes(writing, writer_of(writing, "tests"))
            if verb == "create":
                version = writes.upsert("account", row, values, expect=NEW).version
            elif verb == "update":
                version = writes.update("account", row, values, **({} if seen is None else {"expect": seen})).version
            else:
                writes.delete("account", row)
                version = writing.version
        self.done.append(Done(row, verb, version, values, seen))


VERB = {
    "increment": Round.increment, "claim": Round.claim, "make": Round.make, "overwrite": Round.overwrite,
    "delete": Round.delete,
}  # fmt: skip
VERBS = sorted(VERB)


def rounds(store: RecordStore, count: int, seed: int) -> None:
    randomness = random.Random(seed)
    for number in range(count):
        played = Round(store, number, randomness)
        played.go()
        try:
            played.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, round {number}: {error}") from error


def test_a_thousand_interleavings_of_threads(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each round waits for some dozen fsyncs, which say nothing about interleavings: what they are for is tested by kills.
    connect = RecordStore._connect

    def hasty(self: RecordStore):
        connection = connect(self)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(RecordStore, "_connect", hasty)
    rounds(store, ROUNDS, 6)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_more(store: RecordStore, seed: int) -> None:
    rounds(store, ROUNDS, seed)


WORKER = """
import sys
from pathlib import Path
from unify.dataverse.errors import DataverseError
from unify.dataverse.writes import Writes, writer_of
from unify.records import RecordStore
store, row, each = RecordStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
lost = 0
for _ in range(each):
    while True:
        with store.read() as reading:
            found = reading.get("account", [row])
        try:
            with store.write() as writing:
                writes = Writes(writing, writer_of(writing, sys.argv[4]))
                writes.update("account", row, {"numberofemployees": found.values["numberofemployees"] + 1}, expect=found.version)
            break
        except DataverseError as error:
            assert error.status == 412  # noqa: PT017
            lost += 1
print(lost)
"""


def test_processes_lose_no_update(store: RecordStore) -> None:
    with store.write() as writing:
        row = Writes(writing, writer_of(writing, "t")).create("account", {"name": "x", "numberofemployees": 0}).id
    command = [sys.executable, "-c", WORKER, str(store.path.parent), row, str(EACH)]
    running = [subprocess.Popen([*command, f"p{i}"], stdout=subprocess.PIPE, text=True) for i in range(PROCESSES)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, outputs
    with store.read() as reading:
        assert reading.get("account", [row]).values["numberofemployees"] == PROCESSES * EACH
