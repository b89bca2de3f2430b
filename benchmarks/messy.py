"""Messy records: exports of five systems, with every trap of the sample at the rates of messy_rates.py.

    python -m benchmarks messy --records 1000000

A CRM out of a spreadsheet (BOM, CRLF, m/d/yyyy), a loyalty scheme (semicolons, one column for the whole name), a web
shop (JSON lines, no birth dates), a support desk (Parquet, `Last, First`, a number to call back), tills that ask for
little. No column is called the same in two of them. Between the records lie the rows that any export has and no
truth can name: without a key, cut short, exported twice.

Everything is drawn column-wise from PCG64 by `random()` alone: the same seed gives the same files. The truth lies in
a folder of its own: one row per record with entity, key, person and, as bits of messy_records.TRAPS, what is wrong.

Of the sample's traps, orphans and orders of lost accounts are about activities, lists of a clerk's decisions are
answers: none of them is here.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fields import Draws, Ints, digits, join
from benchmarks.generate import DATA
from benchmarks.messy_files import FILES, Writer
from benchmarks.messy_people import People, people
from benchmarks.messy_rates import RECORDS_OF_A_PERSON, SOURCES
from benchmarks.messy_records import Records

VERSION = 1
"""Raise when the data changes: the cache folder's name has it."""
CHUNK = 250_000
"""Records at a time; about 250 MiB. People are made all at once, about 500 bytes each."""


@dataclass(frozen=True)
class Messy:
    """A generated set: `files` may be read, `truth` may not."""

    folder: Path
    records: int
    people: int
    true_pairs: int

    @property
    def files(self) -> Path:
        """The folder of the five exports."""
        return self.folder / "files"

    @property
    def truth(self) -> Path:
        """One row per record: entity, key, person, traps."""
        return self.folder / "truth" / "truth.parquet"


def customers(records: int, *, seed: int = 7, data: Path = DATA) -> Messy:
    """The set of this size and seed: from the cache, or generated into it. ValueError for fewer than 1 record.

    Half a set is never seen: it is built beside and renamed.
    """
    if records < 1:
        raise ValueError(f"--records {records}: at least 1")
    folder = data / f"messy-{records}-seed{seed}-v{VERSION}"
    note = folder / "about.json"
    if not note.exists():
        building = folder.with_suffix(".building")
        shutil.rmtree(building, ignore_errors=True)
        for part in ("files", "truth"):
            (building / part).mkdir(parents=True)
        (building / "about.json").write_text(json.dumps(_generate(building, records, seed)))
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    about = json.loads(note.read_text())
    return Messy(folder, about["records"], about["people"], about["true_pairs"])


def _generate(folder: Path, records: int, seed: int) -> dict[str, int]:
    counts = _records_per_person(Draws(seed, -1), records)
    of = people(Draws(seed, 0), len(counts))
    owner = np.repeat(np.arange(len(counts)), counts)
    owner = owner[np.argsort(Draws(seed, 1).random(records), kind="stable")]
    truth = pq.ParquetWriter(folder / "truth" / "truth.parquet", _TRUTH, compression="zstd")
    writers = {name: Writer(folder / "files" / FILES[name].file, name, seed) for name in SOURCES}
    try:
        for i, start in enumerate(range(0, records, CHUNK)):
            for table in _chunk(Draws(seed, 2 + i), of, owner[start : start + CHUNK], start, writers):
                truth.write_table(table)
    finally:
        truth.close()
        for writer in writers.values():
            writer.close()
    return {"records": records, "people": len(counts), "true_pairs": int((counts * (counts - 1) // 2).sum())}


_TRUTH = pa.schema([("entity", pa.string()), ("key", pa.string()), ("person", pa.int64()), ("traps", pa.int64())])


def _records_per_person(draws: Draws, records: int) -> Ints:
    """Counts that sum to `records` exactly: the last person gets what is left."""
    counts = 1 + np.searchsorted(np.cumsum(RECORDS_OF_A_PERSON)[:-1], draws.random(records)).astype(np.int64)
    ends = np.cumsum(counts)
    last = int(np.searchsorted(ends, records))
    counts = counts[: last + 1]
    counts[last] -= ends[last] - records
    return counts


def _chunk(draws: Draws, of: People, owner: Ints, start: int, writers: dict[str, Writer]) -> list[pa.Table]:
    """Writes the records of these owners; their truth, a table per source."""
    shares = np.cumsum([share for share, _ in SOURCES.values()])
    source = np.searchsorted(shares[:-1], draws.random(len(owner)))
    number = np.arange(start, start + len(owner), dtype=np.uint64)
    truths = []
    for i, name in enumerate(SOURCES):
        rows = np.flatnonzero(source == i)
        if len(rows):
            made = Records(draws, of, owner[rows], name)
            keys = _keys(name, number[rows])
            writers[name].write(made, keys)
            entity = pa.array([name]).take(pa.array(np.zeros(len(rows), np.int8)))
            truths.append(pa.table([entity, keys, pa.array(owner[rows]), pa.array(made.traps)], schema=_TRUTH))
    return truths


def _keys(source: str, number: "np.ndarray[tuple[int], np.dtype[np.uint64]]") -> pa.Array:
    """Keys in mixed order, so that they tell no person: times an odd number modulo 2^32 is one-to-one."""
    mixed = (number * np.uint64(2_654_435_761) + np.uint64(97)) % np.uint64(2**32)
    return join(pa.array([source[0].upper()]).take(pa.array(np.zeros(len(number), np.int8))), digits(mixed, 10))
