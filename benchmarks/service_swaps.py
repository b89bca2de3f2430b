"""Generations that change under load: whether an answer fails, and whether one holds customers of two generations.

Two generations of the same customers, in which every customer says which one it is of. They are published in turn, by
`Store.rollback`: to the service that is a publication as any other, and takes 20 ms instead of a run. The snapshot of
the one to come is removed before, so that it is built, mapped and swapped in each time.
"""

import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import unify
from benchmarks.load import load, request
from unify.service.hot.making import forget
from unify.store import Store

TAG = re.compile(rb"\r\netag: W/\"(\d+)-")
WORD = re.compile(rb'"Of":"(\w+)"')
WORDS = {b"1": b"one", b"2": b"two"}
PATIENCE_S = 60
"""For one swap, on a machine where much else goes on."""
PROJECT: dict[str, Any] = {
    "name": "swaps",
    "sources": {"crm": {"Contacts": {"files": "contacts.csv", "key": "Id"}}},
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "EMail"}]}]},
    },
    "segments": {"everybody": "Of ne null", "half": "endswith(EMail,'0@x.invalid') or endswith(EMail,'5@x.invalid')"},
}


def build(path: Path, customers: int) -> None:
    """The instance, with both generations."""
    files = path.parent / f"{path.name}-files"
    files.mkdir(parents=True)
    with unify.open(path, create=True) as acme:
        for word in ("one", "two"):
            rows = (f"C-{n},p{n}@x.invalid,{word}" for n in range(customers))
            (files / "contacts.csv").write_text("\n".join(["Id,EMail,Of", *rows]) + "\n")
            acme.run(PROJECT, base=files)


def paths(instance: Path, base: str) -> list[str]:
    """Questions whose answers say which generation each customer is of."""
    with unify.open(instance) as acme:
        ids = [row["CustomerId"] for row in acme.sql("SELECT CustomerId FROM Customer ORDER BY 1 LIMIT 200").rows()]
    member = "IsMemberOfSegment(%27everybody%27)"
    found = []
    for n, id_ in enumerate(ids):
        found.append(f"{base}Customer(%27{id_}%27)")
        found.append(f"{base}Customer?$filter=CustomerId%20eq%20%27{id_}%27%20and%20{member}")
        found.append(f"{base}Customer?$filter={member}&$top=50&$skip={n}")
    return found


def swaps(
    instance: Path, address: tuple[str, int], asked: Sequence[str], count: int, *, connections: int = 8
) -> dict[str, Any]:
    """So many swaps while `connections` ask. swap_ms: from the publication to the first answer of it, median."""
    store = Store.open(instance)
    seen = _Seen()
    swapper = threading.Thread(target=_swap, args=(store, seen, count))
    swapper.start()
    done = load(
        address, [request(path) for path in asked], connections=connections, seconds=count * PATIENCE_S,
        until=lambda: not swapper.is_alive(), seen=seen.look,
    )  # fmt: skip
    swapper.join()
    if seen.problem:
        raise ValueError(seen.problem)
    return {
        "swaps": len(seen.took),
        "swap_failures": done.failures,
        "mixed_generations": seen.mixed,
        "swap_answers": done.answers,
        "swap_ms": round(median(seen.took) * 1000, 1),
    }


class _Seen:
    """What the answers say."""

    def __init__(self) -> None:
        self.generation = b""
        self.mixed = 0
        self.took: list[float] = []
        self.problem = ""

    def look(self, head: bytes, body: bytes) -> None:
        """One answer."""
        tag = TAG.search(head)
        words = set(WORD.findall(body))
        if tag is None or words != {WORDS[tag[1]]}:
            self.mixed += 1
        else:
            self.generation = tag[1]


def _swap(store: Store, seen: _Seen, count: int) -> None:
    published = store.published()
    assert published is not None
    now = published.number
    for _ in range(count):
        now = 3 - now
        forget(store)
        store.rollback(now, wait=PATIENCE_S)
        began = time.perf_counter()
        while seen.generation != b"%d" % now:
            if time.perf_counter() - began > PATIENCE_S:
                seen.problem = f"generation {now} was not served within {PATIENCE_S} s"
                return
            time.sleep(0.001)
        seen.took.append(time.perf_counter() - began)
