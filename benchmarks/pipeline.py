"""The whole job on generated customers, from Parquet files to a published Customer with lineage.

    python -m benchmarks pipeline --records 1000000 --json

The job runs in a process of its own, so that `peak_mib` is the job's and not the generator's. `napkin` holds a
prediction made before measuring, in seconds per million records on two cores, and the ratio of what was measured to it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import score
from benchmarks.generate import Customers

NAPKIN = {
    "ingest": 2.0,  # 15 columns × 1 M values read, checked and written at about 10 M values/s and core
    "prepare": 3.0,  # 12 prepared values × 1 M, most SQL at 5-10 M values/s, name functions 0.5-1 s per million
    "link": 8.0,  # 28 rules, each two key groupings (0.1 s) and a join (0.1 s); 10 M candidate pairs at 12 M/s
    "cluster": 1.5,  # components 0.5 s, tables in and out of Arrow
    "identity": 2.0,  # six joins and one md5 over 0.6-1 M rows
    "merge": 4.0,  # 1 M candidates × 13 columns aggregated once, read once
    "outputs": 1.5,  # string_agg over the multi-record customers
    "publish": 0.3,  # fsync of some 100 MB
}
"""Seconds per million records, predicted."""

CHILD = """
import json, sys
from pathlib import Path
import unify
from benchmarks.generate import project
folder, out = Path(sys.argv[1]), Path(sys.argv[2])
with unify.open(out, create=True) as instance:
    print(json.dumps(instance.run(project(folder), base=folder).as_dict()))
"""


def measure(customers: Customers) -> dict[str, Any]:
    """Seconds, peak_mib, stages, rows, links, customers, F1 of one run on this set."""
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        out = Path(folder) / "instance"
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(customers.folder), str(out)],
            check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
        )  # fmt: skip
        report = json.loads(child.stdout)
        quality = _quality(out / "generations" / f"{report['generation']:06}.duckdb", customers.truth)
    stages = {s["stage"]: s["seconds"] for s in report["stages"]}
    millions = customers.records / 1e6
    return {
        "records": customers.records,
        "seconds": report["seconds"],
        "peak_mib": report["peak_mib"],
        "stages": stages,
        "napkin": {
            stage: {"predicted": round(NAPKIN[stage] * millions, 3), "ratio": round(s / (NAPKIN[stage] * millions), 2)}
            for stage, s in stages.items()
            if stage in NAPKIN
        },
        "rows": sum(e["rows_in"] for e in report["entities"]),
        "links": sum(r["links"] for r in report["rules"]),
        "candidates": sum(r["candidates"] for r in report["rules"]),
        "customers": report["clusters"]["customers"],
        **quality,
    }


def _quality(generation: Path, truth: Path) -> dict[str, float]:
    import duckdb

    with duckdb.connect(str(generation), read_only=True) as connection:
        found = connection.execute(
            "SELECT m.ordinal, t.person FROM members AS m JOIN read_parquet($truth) AS t "
            "ON m.key = t.key AND split_part(m.entity, '.', 1) = t.source ORDER BY m.rid",
            {"truth": str(truth)},
        ).fetchnumpy()
    pairs = score.pairwise(found["ordinal"], found["person"])
    return {"precision": pairs.precision, "recall": pairs.recall, "f1": pairs.f1,
            "b_cubed_f1": score.b_cubed(found["ordinal"], found["person"]).f1}  # fmt: skip
