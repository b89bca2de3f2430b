"""Fifty segments over generated customers with ten activities each: found, previewed, compared, asked.

    python -m benchmarks segments --customers 1000000 --json

The instance is built in a process of its own, and asked in another, so that `peak_mib` is that of asking.

    refresh_s           find the members of all fifty anew and keep them
    preview_s           median of the exact previews of each, as if it were not saved yet; preview_worst_s, of which
    overlap_50x50_ms    the matrix of all of them, members already in memory
    overlap_report_ms   acme.overlap, which also lists the largest exclusive intersections
    membership_us       one check `"<CustomerId>" in acme.segment("…")`, median of rounds of thousands
    open_s              from unify.open to the first such answer, ids and members read from disk
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import segment_data
from benchmarks.memory import peak_mib

ROUNDS = 7
BUILD = """
import json, sys
from pathlib import Path
import unify
from benchmarks import segment_data
folder, customers, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
segment_data.write(folder, customers, seed)
with unify.open(folder / "instance", create=True) as acme:
    report = acme.run(segment_data.project(), base=folder)
print(json.dumps({s.stage: s.seconds for s in report.stages}))
"""
ASK = "import json, sys; from benchmarks.segments import ask; print(json.dumps(ask(sys.argv[1])))"


def measure(customers: int, seed: int = 7) -> dict[str, Any]:
    """All figures, and the stages of the run that built the instance."""
    with tempfile.TemporaryDirectory(prefix="segments-") as folder:
        stages = _child(BUILD, folder, str(customers), str(seed))
        asked = _child(ASK, str(Path(folder) / "instance"))
    activities = customers * segment_data.ORDERS_EACH
    return {"customers": customers, "activities": activities, **asked, "build_stages": stages}


def _child(code: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    return json.loads(done.stdout)


def ask(path: str) -> dict[str, Any]:
    """The figures of one instance, measured in this process."""
    import unify

    started = perf_counter()
    with unify.open(path) as acme:
        first = acme.segment("is_gold")
        assert "no such id" not in first
        opened = perf_counter() - started
        names = list(segment_data.segments())
        ids = acme.sql('SELECT "CustomerId" FROM Customer USING SAMPLE 20000 ROWS (reservoir, 1)').arrow()
        checked = _membership(acme, ids.column(0).to_pylist())
        matrix_s, overlap = _matrix(acme, names), _overlap(acme, names)
        previews = {name: _preview(acme, definition) for name, definition in segment_data.segments().items()}
        started = perf_counter()
        report = acme.segments().refresh()
        refreshed = perf_counter() - started
    worst = max(previews, key=lambda name: previews[name])
    return {
        "segments": len(names),
        "refresh_s": round(refreshed, 3),
        "preview_s": round(median(previews.values()), 3),
        "preview_worst_s": round(previews[worst], 3),
        "preview_worst": worst,
        "overlap_50x50_ms": round(matrix_s * 1000, 1),
        "overlap_report_ms": round(overlap * 1000, 1),
        "membership_us": round(checked * 1e6, 2),
        "open_s": round(opened, 3),
        "peak_mib": round(peak_mib()),
        "members": sum(s.members or 0 for s in report.segments),
    }


def _membership(acme: Any, ids: list[str]) -> float:
    gold = acme.segment("is_gold")
    rounds = []
    for _ in range(ROUNDS):
        started = perf_counter()
        for customer in ids:
            customer in gold  # noqa: B015 - the question is what is measured
        rounds.append((perf_counter() - started) / len(ids))
    return median(rounds)


def _matrix(acme: Any, names: list[str]) -> float:
    from segments.insights.overlap import matrix

    members = list(acme.segments().bitmaps(names).values())
    started = perf_counter()
    matrix(members)
    return perf_counter() - started


def _overlap(acme: Any, names: list[str]) -> float:
    acme.overlap(names)
    started = perf_counter()
    acme.overlap(names)
    return perf_counter() - started


def _preview(acme: Any, definition: str) -> float:
    started = perf_counter()
    acme.segments().preview(definition)
    return perf_counter() - started
