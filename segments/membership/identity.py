"""What became of customers between two generations, so that a merge or a split is no exit and no entry.

    customer_changes of each generation ──▶ Changes (one step) ──follow──▶ Heirs (any number of steps)

An **heir** of a customer holds what the customer held: itself while it lives, the customer it was merged into, the ones
that split off from it. Ordinals only; arrays and bitmaps, never a loop over customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap

from unify.core.engine import Engine
from unify.core.steps import Query

Ordinals = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint8]

SAME, MERGED, SPLIT, RETIRED = range(4)
WORDS = ("same", "merged", "split", "retired")
"""By number: how an heir came to be one. `retired` leads to none."""

CHANGES_SQL = """
SELECT
    CAST(CASE c.change WHEN 'merged' THEN 1 WHEN 'split' THEN 2 ELSE 3 END AS UTINYINT) AS kind,
    CAST(CASE WHEN c.change = 'retired' THEN now.ordinal ELSE before.ordinal END AS UINTEGER) AS source,
    CAST(CASE WHEN c.change = 'retired' THEN 0 ELSE now.ordinal END AS UINTEGER) AS heir
FROM customer_changes AS c
JOIN customer_ids AS now ON now.CustomerId = c.CustomerId
LEFT JOIN customer_ids AS before ON before.CustomerId = c.other
WHERE c.change <> 'created'
ORDER BY source, heir, kind"""


@dataclass(frozen=True, slots=True)
class Changes:
    """One generation's changes: rows of (source, heir, kind), sorted by source; of RETIRED the heir means nothing."""

    source: Ordinals
    heir: Ordinals
    kind: Kinds

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]]) -> "Changes":
        """From (source, heir, kind) in any order."""
        ordered = sorted(rows)
        columns = list(zip(*ordered, strict=True)) if ordered else [(), (), ()]
        return cls(
            np.array(columns[0], dtype=np.uint32),
            np.array(columns[1], dtype=np.uint32),
            np.array(columns[2], dtype=np.uint8),
        )

    @property
    def gone(self) -> Ordinals:
        """Customers that are no more: merged into another, or retired."""
        gone: Ordinals = np.unique(self.source[self.kind != SPLIT])
        return gone

    def to_bytes(self) -> bytes:
        """As it is kept; empty when nothing changed."""
        if not len(self.source):
            return b""
        table = pa.table({"source": self.source, "heir": self.heir, "kind": self.kind})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())

    @classmethod
    def from_bytes(cls, content: bytes) -> "Changes":
        """From what `to_bytes` made."""
        if not content:
            return cls.of([])
        table = pa.ipc.open_stream(content).read_all()
        return cls(*(table.column(name).to_numpy() for name in ("source", "heir", "kind")))


def changes_of(engine: Engine) -> Changes:
    """The changes of the generation that the engine is on, since the one that it was built on."""
    table = engine.fetch(Query(CHANGES_SQL))
    return Changes(*(table.column(name).to_numpy() for name in ("source", "heir", "kind")))


@dataclass(frozen=True, slots=True)
class Heirs:
    """The heirs of some customers.

    kept                  those who are what they were: their only heir is themselves
    origin, heir, kind    the others, a row per heir; `kind` says how it came to be one. Those without a row are gone
    origins               all that were asked for
    """

    origins: BitMap
    kept: BitMap
    origin: Ordinals
    heir: Ordinals
    kind: Kinds

    @property
    def all(self) -> BitMap:
        """Every heir."""
        return self.kept | BitMap(self.heir)


def follow(origins: BitMap, steps: Sequence[Changes]) -> Heirs:
    """The heirs of customers after some generations, oldest first."""
    kept = origins.copy()
    found: tuple[Ordinals, Ordinals, Kinds] = (_none(), _none(), np.array([], dtype=np.uint8))
    for step in steps:
        touched = kept & BitMap(step.source)
        kept -= touched
        first: Ordinals = np.array(touched.to_array(), dtype=np.uint32)
        origin, heir = np.concatenate([found[0], first]), np.concatenate([found[1], first])
        kind = np.concatenate([found[2], np.full(len(first), SAME, dtype=np.uint8)])
        found = _step(origin, heir, kind, step)
    return Heirs(origins, kept, *found)


def _none() -> Ordinals:
    return np.array([], dtype=np.uint32)


def _step(origin: Ordinals, heir: Ordinals, kind: Kinds, step: Changes) -> tuple[Ordinals, Ordinals, Kinds]:
    """Heirs of heirs: those who live stay, and every merge and split of one leads on."""
    low = np.searchsorted(step.source, heir, side="left")
    many = np.searchsorted(step.source, heir, side="right") - low
    row = np.repeat(np.arange(len(heir)), many)
    change = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    leads = step.kind[change] != RETIRED
    row, change = row[leads], change[leads]
    stays = ~np.isin(heir, step.gone)
    return _different(
        np.concatenate([origin[stays], origin[row]]),
        np.concatenate([heir[stays], step.heir[change]]),
        np.concatenate([kind[stays], step.kind[change]]),
    )


def _different(origin: Ordinals, heir: Ordinals, kind: Kinds) -> tuple[Ordinals, Ordinals, Kinds]:
    """Every pair once, sorted; what came about in two ways is told by the first kind."""
    order = np.lexsort((kind, heir, origin))
    origin, heir, kind = origin[order], heir[order], kind[order]
    first = np.ones(len(origin), dtype=bool)
    first[1:] = (origin[1:] != origin[:-1]) | (heir[1:] != heir[:-1])
    return origin[first], heir[first], kind[first]


def lineage(parents: "dict[int, int | None]", generation: int) -> list[int]:
    """A generation and those it was built on, newest first, as far as it is known."""
    found = [generation]
    while (parent := parents.get(found[-1])) is not None:
        found.append(parent)
    return found


def way(parents: "dict[int, int | None]", start: int, end: int) -> tuple[int | None, list[int]]:
    """How one generation's customers became another's: the last generation that both come from, and the steps from
    there to `end`, oldest first. None when they have none in common.

    A rollback makes branches: 2 → 3, then 2 → 4. From 3 to 4 the way goes by 2.

    >>> way({2: 1, 3: 2, 4: 2}, 3, 4)
    (2, [4])
    >>> way({2: 1, 3: 2}, 1, 3)
    (1, [2, 3])
    """
    before = set(lineage(parents, start))
    steps: list[int] = []
    for generation in lineage(parents, end):
        if generation in before:
            return generation, steps[::-1]
        steps.append(generation)
    return None, []
