"""The query service under load: one worker on one core, the generator on another.

    python -m benchmarks service --records 1000000 --json

noop_rps, noop_p99_ms        /healthz of the same server: the same way but for the gate
membership_rps, …            Customer?$filter=CustomerId eq '…' and IsMemberOfSegment('…')
lookup_rps, …                Customer('…')
page_rps, …                  Customer?$filter=IsMemberOfSegment('…')&$top=50&$skip=…
count_rps, multicheck_rps    Customer/$count?…; memberships/{customer}
<route>_ratio, …_p99_ratio   to the no-op, median over the rounds
<route>_cpu_us               processor time of the worker for one answer
swaps, swap_failures, mixed_generations     service_swaps.py
workers_mib                  memory of the service with one worker, and of each further one (PSS)
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks import service_swaps

CONNECTIONS = 32
ASKED = 5000
"""Different customers, so that no answer is always the same."""
SEGMENT = "in_brisk"
BASE = "/v1/instances/acme/data/"
HOUSE = Path(__file__).parents[1]
SWAPPED = 2_000
"""Customers of the instance whose generations change."""
BUILD = """
import sys
from pathlib import Path
import unify
from benchmarks import segment_data
folder, records, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
segment_data.ORDERS_EACH = 1
segment_data.write(folder, records, seed)
with unify.open(folder / "root" / "acme", create=True) as acme:
    acme.run(segment_data.project(), base=folder)
    ids = acme.sql('SELECT "CustomerId" FROM Customer USING SAMPLE 5000 ROWS (reservoir, 1)').arrow()
(folder / "ids.txt").write_text("\\n".join(ids.column(0).to_pylist()))
"""


def measure(records: int, seed: int, *, seconds: float, rounds: int, swaps: int, workers: int = 3) -> dict[str, Any]:
    """All figures. ValueError when the service does not come up."""
    with tempfile.TemporaryDirectory(prefix="service-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", BUILD, name, str(records), str(seed)], check=True, cwd=HOUSE)
        ids = (folder / "ids.txt").read_text().split()
        requests = _requests(folder, ids)
        cores = sorted(os.sched_getaffinity(0))
        found = {"records": records, "connections": CONNECTIONS, "cores": [cores[0], cores[-1]]}
        with served(folder / "root", core=cores[0]) as (port, process):
            found["open_s"] = _ready(port, requests["lookup"])
            found |= _rates(port, process, requests, cores[-1], seconds, rounds)
        one, all_ = (_memory(folder / "root", requests, n, seconds) for n in (1, workers))
        more = (all_ - one) / (workers - 1)
        found["workers_mib"] = {"first": round(one), "further": round(more), "share": round(more / one, 3)}
        if swaps:
            found |= _swaps(folder / "swaps", swaps, cores)
        return found | {"generator": "python -m benchmarks.load HOST:PORT REQUESTS.json --connections 32 --core 1"}


def _requests(folder: Path, ids: Sequence[str]) -> dict[str, Path]:
    member = f"IsMemberOfSegment(%27{SEGMENT}%27)"
    paths = {
        "noop": ["/healthz"],
        "membership": [f"{BASE}Customer?$filter=CustomerId%20eq%20%27{id_}%27%20and%20{member}" for id_ in ids],
        "lookup": [f"{BASE}Customer('{id_}')" for id_ in ids],
        "page": [f"{BASE}Customer?$filter={member}&$top=50&$skip={50 * n}" for n in range(500)],
        "count": [f"{BASE}Customer/$count?$filter={member}"],
        "multicheck": [f"/v1/instances/acme/memberships/{id_}" for id_ in ids],
    }
    files = {}
    for name, asked in paths.items():
        files[name] = folder / f"{name}.json"
        files[name].write_text(json.dumps(asked))
    return files


@contextmanager
def served(root: Path, *options: str, core: int | None = None) -> "Iterator[tuple[int, psutil.Process]]":
    """The command itself, as a user starts it, without jobs; its port and its supervisor."""
    command = [sys.executable, "-m", "unify", "serve", str(root), "--port", "0", "--no-jobs", *options]
    pinned = ["taskset", "-c", str(core), *command] if core is not None else command
    with subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True, cwd=HOUSE) as process:
        try:
            assert process.stdout is not None
            port = re.search(r":(\d+) ", process.stdout.readline())
            if port is None:
                raise ValueError("the service did not start")
            yield int(port[1]), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def _ready(port: int, requests: Path) -> float:
    """Seconds until answers come from the snapshot: only those have a Last-Modified."""
    began = time.perf_counter()
    url = f"http://127.0.0.1:{port}{json.loads(requests.read_text())[0]}"
    while time.perf_counter() - began < 600:
        with urllib.request.urlopen(url, timeout=60) as answer:
            if answer.headers["last-modified"]:
                return round(time.perf_counter() - began, 2)
        time.sleep(0.05)
    raise ValueError("no snapshot was made within ten minutes")


def _load(port: int, requests: Path, core: int | None, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.load", f"127.0.0.1:{port}", str(requests)]
    command += ["--connections", str(CONNECTIONS), "--seconds", str(seconds)]
    command += ["--core", str(core)] if core is not None else []
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HOUSE)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _rates(
    port: int, process: psutil.Process, requests: dict[str, Path], core: int, seconds: float, rounds: int
) -> dict[str, Any]:
    """Rounds of all routes in turn, so that what else the machine does falls on all of them."""
    [worker] = process.children()
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in requests}
    for _ in range(rounds):
        for name, file in requests.items():
            before = sum(worker.cpu_times()[:2])
            said = _load(port, file, core, seconds)
            said["cpu_us"] = (sum(worker.cpu_times()[:2]) - before) / max(1.0, said["rps"] * seconds) * 1e6
            if said["failures"]:
                raise ValueError(f"{said['failures']} requests of {name} failed")
            taken[name].append(said)
    found: dict[str, Any] = {}
    for name, rows in taken.items():
        found[f"{name}_rps"] = round(median(row["rps"] for row in rows))
        found[f"{name}_p99_ms"] = round(median(row["p99_ms"] for row in rows), 3)
        found[f"{name}_cpu_us"] = round(median(row["cpu_us"] for row in rows), 1)
        if name != "noop":
            pairs = list(zip(rows, taken["noop"], strict=True))
            found[f"{name}_ratio"] = round(median(a["rps"] / max(1, b["rps"]) for a, b in pairs), 3)
            found[f"{name}_p99_ratio"] = round(median(a["p99_ms"] / max(1e-3, b["p99_ms"]) for a, b in pairs), 2)
            found[f"{name}_cpu_ratio"] = round(median(b["cpu_us"] / max(0.1, a["cpu_us"]) for a, b in pairs), 3)
    found["generator_busy"] = max(row["busy"] for rows in taken.values() for row in rows)
    return found


def _memory(root: Path, requests: dict[str, Path], workers: int, seconds: float) -> float:
    """MiB of a service with so many workers, each of which has answered for some seconds."""
    with served(root, "--workers", str(workers)) as (port, process):
        _ready(port, requests["lookup"])
        for _ in range(workers):
            _load(port, requests["lookup"], None, seconds)
        return _pss(process)


def _pss(process: psutil.Process) -> float:
    """MiB of the supervisor and its workers, pages that several map counted once in all."""
    tree = [process, *process.children(recursive=True)]
    return float(sum(one.memory_full_info().pss for one in tree)) / 2**20


def _swaps(folder: Path, count: int, cores: Sequence[int]) -> dict[str, Any]:
    folder.mkdir()
    service_swaps.build(folder / "root" / "swaps", SWAPPED)
    (folder / "root" / "swaps-files" / "contacts.csv").unlink()
    base = "/v1/instances/swaps/data/"
    asked = service_swaps.paths(folder / "root" / "swaps", base)
    with served(folder / "root", core=cores[0]) as (port, _):
        first = folder / "first.json"
        first.write_text(json.dumps(asked))
        _ready(port, first)
        return service_swaps.swaps(folder / "root" / "swaps", ("127.0.0.1", port), asked, count)
