"""Resolving records against generated customers: how long one answer takes, warm, and what opening costs.

    python -m benchmarks resolve --records 1000000 --json

Half of the records asked about are those of people who are there, under a key that is not, with a letter of the first
name exchanged in every fifth; half are of people drawn with another seed. Predicted: 2 ms, of which reading and
normalising 0.5 ms, 28 rules at 30 µs, clustering 0.5 ms.
"""

import resource
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import unify
from benchmarks import generate
from benchmarks.generate import KEY_COLUMNS, Customers
from unify.resolve.resolver import Resolver

ASKED = 1_000
"""Records, so that p99 rests on ten."""
WARM = 200
NAPKIN_MS = 2.0
ENTITIES = {"crm": "crm.Contacts", "loyalty": "loyalty.Members", "web": "web.SignUps"}
Question = tuple[str, Mapping[str, Any]]


def measure(customers: Customers, seed: int = 7) -> dict[str, Any]:
    """Opening seconds and MiB, and milliseconds per answer: median, p99, with and without reasons."""
    others = generate.customers(min(customers.records, 100_000), seed=seed + 1)
    questions = _questions(customers, others, seed)
    with tempfile.TemporaryDirectory(prefix="resolve-") as folder:
        with unify.open(Path(folder) / "instance", create=True) as acme:
            acme.run(generate.project(customers.folder), base=customers.folder)
        with unify.open(Path(folder) / "instance") as acme:
            before, started = _resident_mib(), perf_counter()
            with acme.resolver() as resolver:
                opened, resident = perf_counter() - started, _resident_mib()
                for entity, record in questions[:WARM]:
                    resolver.resolve(entity, record)
                brief = _times(lambda q: resolver.resolve(*q, why=False), questions)
                whole = _times(lambda q: resolver.resolve(*q), questions)
                verdicts = [resolver.resolve(*q, why=False).verdict for q in questions]
                return {
                    "records": customers.records,
                    "open_s": round(opened, 2),
                    "held_mib": resolver.memory_mib,
                    "resident_mib": resident - before,
                    "asked": len(questions),
                    "brief_ms": _told(brief),
                    "why_ms": _told(whole),
                    "napkin": {"predicted_ms": NAPKIN_MS, "ratio": round(median(brief) / NAPKIN_MS, 2)},
                    "threads_2_per_s": _together(resolver, questions, 2),
                    "verdicts": {v: verdicts.count(v) for v in sorted(set(verdicts))},
                }


def _questions(customers: Customers, others: Customers, seed: int) -> list[Question]:
    """Records of people who are there, and of others, in turns."""
    draw = np.random.default_rng(seed)
    found: list[Question] = []
    for place, (source, key) in enumerate(KEY_COLUMNS.items()):
        here, there = (pq.read_table(c.folder / f"{source}.parquet") for c in (customers, others))
        share = ASKED // 2 // len(KEY_COLUMNS) + 1
        for mine, table in ((True, here), (False, there)):
            rows = table.take(np.sort(draw.choice(len(table), min(share, len(table)), replace=False))).to_pylist()
            for number, row in enumerate(rows):
                row[key] = f"new-{place}-{mine:d}-{number}"
                name = row.get("FirstName")
                if mine and number % 5 == 0 and name and len(name) > 2:
                    row["FirstName"] = name[:-2] + name[-1] + name[-2]
                found.append((ENTITIES[source], row))
    return [found[i] for i in draw.permutation(len(found))[:ASKED]]


def _times(ask: Callable[[Question], Any], questions: Sequence[Question]) -> list[float]:
    times = []
    for question in questions:
        started = perf_counter()
        ask(question)
        times.append((perf_counter() - started) * 1000)
    return times


def _told(times: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(times), 2), "p99": round(float(np.quantile(times, 0.99)), 2)}


def _together(resolver: Resolver, questions: Sequence[Question], threads: int) -> float:
    """Answers per second of several threads at once."""

    def ask(part: Sequence[Question]) -> None:
        for entity, record in part:
            resolver.resolve(entity, record, why=False)

    workers = [threading.Thread(target=ask, args=(questions[i::threads],)) for i in range(threads)]
    started = perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return round(len(questions) / (perf_counter() - started), 1)


def _resident_mib() -> int:
    """Memory of this process now; ru_maxrss is the most it ever was, the run's among it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20
