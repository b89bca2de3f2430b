"""Data packages: how fast one is written, read, and imported into an empty instance; how much memory each takes.

    python -m benchmarks packages --rows 1000000 --json

Eight columns of a customer's kind: a key, texts with accents and quotes, a whole number, a decimal, a date, a moment, a
truth value; a tenth of the values is null. Each of the three runs in a process of its own, so that its peak_mib is its
own. `read` takes the archive to Arrow batches of text; `import` goes through staging to a record table, which has typed
columns, and to the disk.

Predicted for 1 M rows of CSV (110 MB, 35 MB packed) on two cores. write 4 s: text of eight columns at 10 M values/s,
deflate at 40 MB/s. read 2 s: unpacked twice at 400 MB/s, records found at 400 MB/s, parsed at 500 MB/s. import 15 s:
eight million values into SQLite at 2 M/s, and again into the table with its key and version.
"""

import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.memory import peak_mib

NAPKIN_S = {"write": 4.0, "read": 2.0, "import": 15.0}
"""Seconds per million rows of CSV, predicted."""
FORMATS = ("CSV", "CSV-Unicode", "XML-Element", "XML-Attribute", "EXCEL")
ENTITY = "Customers"
_BATCH = 50_000


def measure(rows: int, source_format: str = "CSV", seed: int = 7) -> dict[str, Any]:
    """Seconds, rows/s, peak_mib of writing, reading and importing so many rows."""
    found: dict[str, Any] = {"rows": rows, "format": source_format}
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        for what, per_million in NAPKIN_S.items():
            child = subprocess.run(
                [sys.executable, "-m", "benchmarks.packages", what, folder, str(rows), source_format, str(seed)],
                check=False, capture_output=True, text=True, cwd=Path(__file__).parents[1],
            )  # fmt: skip
            if child.returncode:
                raise ValueError(f"{what} failed: {child.stderr.strip().splitlines()[-1:]}")
            found[what] = json.loads(child.stdout)
            seconds, predicted = found[what]["seconds"], per_million * rows / 1e6
            found[what]["rows_per_s"] = round(rows / seconds)
            found[what]["napkin"] = {"predicted_s": round(predicted, 3), "ratio": round(seconds / predicted, 2)}
    return found


def table_of() -> "Any":
    """The record table that the package describes."""
    from unify.records.nouns import Column, Kind, Table

    columns = (
        Column("accountnumber", Kind.TEXT, required=True), Column("name", Kind.TEXT), Column("city", Kind.TEXT),
        Column("visits", Kind.INTEGER), Column("credit", Kind.DECIMAL, scale=2), Column("since", Kind.DATE),
        Column("modified", Kind.DATETIME), Column("active", Kind.BOOLEAN),
    )  # fmt: skip
    return Table("customers", columns, ("accountnumber",))


def batches(rows: int, seed: int) -> "Any":
    """The rows, as a reader: made batch by batch."""
    names = [column.name for column in table_of().columns]
    text = pa.string()
    kinds = [text, text, text, pa.int64(), pa.decimal128(18, 2), pa.date32(), pa.timestamp("s", "UTC"), pa.bool_()]
    schema = pa.schema(list(zip(names, kinds, strict=True)))

    def made() -> "Any":
        draw = np.random.default_rng(seed)
        first = pa.array([f"Qu{a}l{b}" for a in ("i", "é", "ee") for b in ("la", "mo", '"Lu"', "ra, jr")])
        city = pa.array([f"{a}{b}" for a in ("Nord", "Süd", "Ost") for b in ("hafen", "tal", "burg", "see")])
        for start in range(0, rows, _BATCH):
            size = min(_BATCH, rows - start)
            number = pc.utf8_lpad(pa.array(np.arange(start, start + size)).cast(pa.string()), 9, "0")
            name = pc.binary_join_element_wise(first.take(pa.array(draw.integers(0, 12, size))), number, " ")
            cents = pa.array(draw.integers(0, 10_000_000, size).astype(np.int32))
            values = [
                pc.binary_join_element_wise("C-", number, ""),
                name,
                city.take(pa.array(draw.integers(0, 12, size))),
                pa.array(draw.integers(0, 1000, size)),
                pc.multiply(cents.cast(pa.decimal128(12, 0)), pa.scalar(Decimal("0.01"))),
                pa.array(draw.integers(10_000, 20_000, size).astype(np.int32)).cast(pa.date32()),
                pa.array(draw.integers(1_500_000_000, 1_700_000_000, size)).cast(pa.timestamp("s", "UTC")),
                pa.array(draw.random(size) < 0.5),
            ]
            nulls = [pa.array(draw.random(size) < 0.1) for _ in values]
            kept = [pc.if_else(n, pa.scalar(None, v.type), v) for v, n in zip(values[1:], nulls[1:], strict=True)]
            arrays = [v.cast(kind) for v, kind in zip([values[0], *kept], kinds, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, made())


def write(folder: Path, rows: int, source_format: str, seed: int) -> dict[str, Any]:
    """Write the package."""
    from ingest.packages import Header, Manifest, PackageEntity, write_package

    entity = PackageEntity(ENTITY, "", source_format, table=table_of())
    started = perf_counter()
    counts = write_package(
        folder / "package.zip", Header(), Manifest("Benchmark", entities=(entity,)), {ENTITY: batches(rows, seed)}
    )
    seconds = perf_counter() - started
    if counts != {ENTITY: rows}:
        raise ValueError(f"{counts} rows were written, and {rows} were given")
    return {"seconds": round(seconds, 3), "mib": round((folder / "package.zip").stat().st_size / 2**20, 1)}


def read(folder: Path, rows: int) -> dict[str, Any]:
    """Read every row of it."""
    from ingest.packages import read_package

    started = perf_counter()
    with read_package(folder / "package.zip") as package:
        opened = perf_counter() - started
        counts = package.count(package.entity(ENTITY))
    if counts != (rows, 0):
        raise ValueError(f"{counts} rows were read and in error, and {rows} are in the package")
    return {"seconds": round(perf_counter() - started, 3), "open_s": round(opened, 3)}


def imported(folder: Path, rows: int) -> dict[str, Any]:
    """Import it into an instance that is made for it."""
    import unify

    with unify.open(folder / "instance", create=True) as acme:
        started = perf_counter()
        done = acme.packages.import_package(folder / "package.zip")
        seconds = perf_counter() - started
    created = sum(run.created for run in done.entities)
    if created != rows:
        raise ValueError(f"{created} of {rows} rows were created: {done.error or done.status.value}")
    return {"seconds": round(seconds, 3)}


def main(arguments: list[str]) -> None:
    """One of the three, in this process."""
    what, folder, rows, source_format, seed = arguments
    place, number = Path(folder), int(rows)
    if what == "write":
        found = write(place, number, source_format, int(seed))
    else:
        found = read(place, number) if what == "read" else imported(place, number)
    print(json.dumps(found | {"peak_mib": round(peak_mib())}))


if __name__ == "__main__":
    main(sys.argv[1:])
