"""What a measured script and the one that measures it say to each other. Standard library only: every peer imports it.

On stdin comes one JSON job:

    set       name of the data set
    tables    for peers: CSV files that benchmarks/peers/tables.py made, each with a column `record`, unique over the
              set; one is deduplicated, two are linked
    truth     for peers that must be shown labels: a CSV of record and person; null for the others
    folder, project   for ours: where the raw files are, and a project that names them
    work      an empty folder for whatever the script writes
    started   seconds since the epoch, when the process was asked for

On stdout goes one JSON line per answer; whatever else a library prints is sent to stderr. The first answer is the one
the peer's documentation leads to; its seconds and memory are measured up to that line. Later lines may give clusters
at other thresholds, found with the same scores, for the row "tuned on the truth": nobody has those in practice.
"""

import csv
import json
import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO


class Talk:
    """One job and the way to answer it."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.job: dict[str, Any] = json.load(sys.stdin)
        self.work = Path(self.job["work"])
        self._clock = time.perf_counter()
        self.stages: dict[str, float] = {}
        self._answers = 0

    def stage(self, name: str) -> None:
        """Everything since the last stage ended was this one; seconds of one name add up."""
        now = time.perf_counter()
        self.stages[name] = round(self.stages.get(name, 0.0) + now - self._clock, 3)
        self._clock = now

    def place(self) -> Path:
        """Where the clusters of the next answer go: a CSV with the columns record and cluster."""
        return self.work / f"clusters-{self._answers}.csv"

    def clusters(self, rows: Iterable[tuple[Any, Any]]) -> str:
        """Writes (record, cluster) of every record there; the path. A record left out is a customer of its own."""
        path = self.place()
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["record", "cluster"])
            writer.writerows(rows)
        return str(path)

    def answer(self, clusters: str, threshold: "float | None", **more: Any) -> None:
        """Says where the clusters are. `threshold` is in the peer's own terms."""
        spent = {"seconds": round(time.time() - self.job["started"], 3), "own_peak_mib": round(_peak_mib(), 1)}
        line = {"clusters": clusters, "threshold": threshold, "stages": dict(self.stages), **spent, **more}
        print(json.dumps(line), file=self._out, flush=True)
        self._answers += 1


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20
