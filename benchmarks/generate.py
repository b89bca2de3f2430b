"""Invented customers by the million: three Parquet files and, apart from them, the truth.

    python -m benchmarks generate --records 1000000

One row of a file is one record; a person has 1 to 5 of them, over three sources, and no two need agree: nicknames,
typos, exchanged fields, moves, new e-mail addresses and phone numbers, married names, defaults where nobody
asked. Of the people 28 % share a household: its address always; surname, phone and e-mail often; birthday
and first name now and then.

Everything is drawn column-wise from PCG64 by `random()` alone, chunk by chunk, so memory stays flat and the same
seed gives the same records. Strings are picked from tables of names and their prepared typos.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import fields
from benchmarks.project import project

__all__ = ["DATA", "Customers", "customers", "project"]

VERSION = 2
"""Raise when the data changes: the cache folder's name has it."""
SOURCES = ("crm", "loyalty", "web")
KEY_COLUMNS = {"crm": "ContactId", "loyalty": "LoyaltyId", "web": "UserId"}
SOURCE_SHARES = np.cumsum([0.45, 0.30, 0.25])
RECORD_SHARES = np.cumsum([0.595, 0.247, 0.105, 0.041, 0.012])
"""Of people with 1, 2, 3, 4, 5 records: 1.628 records a person, 0.93 true pairs a person."""
CHUNK = 120_000
"""People at a time; about 200,000 records and 150 MiB."""
DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Customers:
    """A generated set. `folder` holds crm.parquet, loyalty.parquet, web.parquet and truth.parquet."""

    folder: Path
    records: int
    people: int
    true_pairs: int

    @property
    def truth(self) -> Path:
        """One row per record: source, key, person. No pipeline ever gets this path."""
        return self.folder / "truth.parquet"


def customers(records: int, *, seed: int = 7, data: Path = DATA) -> Customers:
    """The set of this size and seed: from the cache, or generated into it.

    Half a set is never seen: it is built beside and renamed. ValueError for fewer than 1 record.
    """
    if records < 1:
        raise ValueError(f"--records {records}: at least 1")
    folder = data / f"customers-{records}-seed{seed}-v{VERSION}"
    note = folder / "about.json"
    if not note.exists():
        building = folder.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        about = _generate(building, records, seed)
        (building / "about.json").write_text(json.dumps(about))
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    about = json.loads(note.read_text())
    return Customers(folder, about["records"], about["people"], about["true_pairs"])


def _generate(folder: Path, records: int, seed: int) -> dict[str, int]:
    counts = _records_per_person(records, seed)
    writers: dict[str, pq.ParquetWriter] = {}
    base = 0
    try:
        for chunk, start in enumerate(range(0, len(counts), CHUNK)):
            mine = counts[start : start + CHUNK]
            _write_chunk(folder, writers, fields.Draws(seed, chunk), mine, start, base)
            base += int(mine.sum())
    finally:
        for writer in writers.values():
            writer.close()
    wide = counts.astype(np.int64)
    return {"records": base, "people": len(counts), "true_pairs": int((wide * (wide - 1) // 2).sum())}


def _records_per_person(records: int, seed: int) -> npt.NDArray[np.int8]:
    """Counts that sum to `records` exactly: the last person gets what is left."""
    people = records  # more than enough: each has one at least
    counts = (1 + np.searchsorted(RECORD_SHARES[:-1], fields.Draws(seed, -1).random(people))).astype(np.int8)
    ends = np.cumsum(counts, dtype=np.int64)
    last = int(np.searchsorted(ends, records))
    counts = counts[: last + 1]
    counts[last] -= ends[last] - records
    return counts


def _write_chunk(
    folder: Path,
    writers: dict[str, pq.ParquetWriter],
    draws: "fields.Draws",
    counts: npt.NDArray[np.int8],
    first_person: int,
    first_record: int,
) -> None:
    people = fields.people(draws, len(counts))
    person = np.repeat(np.arange(len(counts)), counts)
    person = person[np.argsort(draws.random(len(person)), kind="stable")]
    source = np.searchsorted(SOURCE_SHARES[:-1], draws.random(len(person)))
    table = fields.records(draws, people, person)
    number = np.arange(first_record, first_record + len(person), dtype=np.uint64)
    truth_keys = []
    for i, name in enumerate(SOURCES):
        rows = np.flatnonzero(source == i)
        keys = _keys(name, number[rows])
        part = table.take(pa.array(rows)).add_column(0, KEY_COLUMNS[name], keys)
        if name == "loyalty":
            part = part.append_column("Tier", fields.tiers(draws, len(rows)))
        _write(folder, writers, name, part)
        truth_keys.append(pa.table({
            "source": pa.array([name] * len(rows)), "key": keys, "person": pa.array(person[rows] + first_person),
        }))  # fmt: skip
    _write(folder, writers, "truth", pa.concat_tables(truth_keys))


def _keys(source: str, number: npt.NDArray[np.uint64]) -> pa.Array:
    """Keys in mixed order, so that the key says nothing about who is whose neighbour.

    Multiplying by an odd number modulo 2^32 is one-to-one.
    """
    mixed = (number * np.uint64(2_654_435_761) + np.uint64(97)) % np.uint64(2**32)
    return fields.join(
        pa.array([source[0].upper()]).take(pa.array(np.zeros(len(number), np.int8))), fields.digits(mixed, 10)
    )


def _write(folder: Path, writers: dict[str, Any], name: str, table: pa.Table) -> None:
    if name not in writers:
        writers[name] = pq.ParquetWriter(folder / f"{name}.parquet", table.schema, compression="zstd")
    writers[name].write_table(table)
