"""Dataverse tables without HTTP: rows a second of writing, reading and taking in.

    python -m benchmarks dataverse --records 1000000 --json

Contacts of eight columns a client sends; each batch is one transaction, on the disk when it ends. `store` writes ten
columns straight into a record table, as imports of packages do. Napkin: an fsync is a millisecond or less on a local
SSD, so batches of one row come to a few hundred a second; a row of fifty columns takes some 40 µs of Python and 15 µs
of SQLite, so large batches come to twenty thousand; a point read is a connection and a seek, 0.3 ms.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import unify
from unify.dataverse.model import ready
from unify.dataverse.writes import Writes, writer_of
from unify.records import Column, Kind, RecordStore, Table

BATCHES = (1, 100, 1000)
SECONDS = 3.0
"""Of writing at each batch size, and of reading."""
PLAN = {
    "name": "dataverse",
    "sources": {"crm": {"Contacts": {"records": "contact"}}},
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "emailaddress1"}]}]},
    },
}
TEN = Table(
    "ten",
    (
        Column("id", Kind.GUID),
        *(Column(f"text{i}", Kind.TEXT) for i in range(4)),
        Column("whole", Kind.INTEGER),
        Column("exact", Kind.INTEGER),
        Column("flag", Kind.BOOLEAN),
        Column("half", Kind.DOUBLE),
        Column("more", Kind.TEXT),
    ),
    ("id",),
)


def measure(records: int, seed: int = 7, seconds: float = SECONDS) -> dict[str, Any]:
    """Rows a second of each. `records`: rows that a run takes in, and that go straight into the store."""
    if records < 1:
        raise ValueError(f"--records {records}: one at least")
    randomness = Random(seed)
    with tempfile.TemporaryDirectory(prefix="dataverse-") as folder:
        with unify.open(Path(folder) / "instance", create=True) as acme:
            store = RecordStore(acme.path)
            ready(store)
            creating = {str(size): _writing(store, size, seconds, randomness) for size in BATCHES}
            reads = _reading(store, seconds, randomness)
            filled = _fill(store, records, randomness)
            whole = acme.run(PLAN)
            _change(store, records // 100 or 1)
            part = acme.run(PLAN)
        straight = _straight(RecordStore(Path(folder)), records)
    return {
        "records": records,
        "create_multiple_rows_per_s": creating,
        "point_reads_per_s": reads,
        "fill_rows_per_s": filled,
        "store_rows_per_s": straight,
        "ingest": _ingest(whole),
        "ingest_one_in_a_hundred_changed": _ingest(part),
    }


def _person(number: int, randomness: Random) -> dict[str, Any]:
    return {
        "firstname": f"First{randomness.randrange(5000)}", "lastname": f"Last{randomness.randrange(20_000)}",
        "emailaddress1": f"person{number}@example.com", "telephone1": f"+41 44 {number:09}", "address1_city": "Bern",
        "birthdate": f"{1950 + number % 50}-0{1 + number % 9}-11", "annualincome": number % 100_000 + 0.5,
        "gendercode": 1 + number % 2,
    }  # fmt: skip


def _writing(store: RecordStore, size: int, seconds: float, randomness: Random) -> float:
    def once() -> int:
        bodies = [_person(randomness.randrange(10**9), randomness) for _ in range(size)]
        with store.write() as writing:
            Writes(writing, writer_of(writing, "benchmark")).create_multiple("contact", bodies)
        return size

    return _rate(once, seconds)


def _reading(store: RecordStore, seconds: float, randomness: Random) -> float:
    with store.read() as reading:
        ids = [row[0] for row in reading.connection.execute("SELECT contactid FROM t_contact LIMIT 10000")]

    def once() -> int:
        with store.read() as reading:
            found = reading.get("contact", [randomness.choice(ids)])
        if found is None:
            raise ValueError("a row that was written is not there")
        return 1

    return _rate(once, seconds)


def _rate(once: Callable[[], int], seconds: float) -> float:
    once()  # the first time imports and reads definitions
    start, done = perf_counter(), 0
    while (passed := perf_counter() - start) < seconds:
        done += once()
    return round(done / passed, 1)


def _fill(store: RecordStore, records: int, randomness: Random) -> float:
    start = perf_counter()
    for some in _chunks(range(records), 10_000):
        with store.write() as writing:
            bodies = [_person(number, randomness) for number in some]
            Writes(writing, writer_of(writing, "benchmark")).create_multiple("contact", bodies)
    return round(records / (perf_counter() - start), 1)


def _change(store: RecordStore, count: int) -> None:
    with store.read() as reading:
        ids = [row[0] for row in reading.connection.execute("SELECT contactid FROM t_contact LIMIT ?", (count,))]
    with store.write() as writing:
        targets = [{"contactid": id_, "lastname": "Changed"} for id_ in ids]
        Writes(writing, writer_of(writing, "benchmark")).update_multiple("contact", targets)


def _straight(store: RecordStore, records: int) -> float:
    rows = [
        {
            "id": f"00000000-0000-7000-8000-{number:012x}",
            "text0": f"name {number}",
            "text1": "Bern",
            "text2": "x@example.com",
            "whole": number,
            "exact": number,
            "flag": True,
            "half": 0.5,
            "more": None,
        }
        for number in range(records)
    ]
    with store.write() as writing:
        writing.define(TEN)
    start = perf_counter()
    with store.write() as writing:
        writing.insert("ten", rows)
    return round(records / (perf_counter() - start), 1)


def _chunks(numbers: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))


def _ingest(report: Any) -> dict[str, Any]:
    [entity] = report.entities
    return {
        "rows": entity.rows_in,
        "seconds": entity.seconds,
        "rows_per_s": round(entity.rows_in / (entity.seconds or 1e-9), 1),
    }
