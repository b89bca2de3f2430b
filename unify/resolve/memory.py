"""What resolving needs of a published generation, held in memory: columns, links, customers, lists, verdicts.

    Memory
    ├── entities    Held: keys, prepared columns, and what they are made of as it is written
    ├── links       Links: who is linked with whom, by which rule, in both directions
    ├── customers   per record the place of its customer among `ids`, oldest first; `founded`, `founders` of each
    ├── first       per pair of a match the first rule that linked each lower record (rule n+1 sees the rest)
    ├── overrides   always and never entries, by record
    └── left_out, junk, shared   values that are no evidence, as the run found

Everything is made once, when a resolver opens (remembering.py).
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from unify.conflation.binding import BoundPlan
from unify.conflation.junk.fields import Judged
from unify.conflation.prepare import Prepared
from unify.conflation.rules import BoundRule, ScoredTerm, Term
from unify.core.names import table_of
from unify.core.problems import family
from unify.resolve.alike import Value
from unify.resolve.columns import Column, Ints, Longs
from unify.spec import ConflationPlan, Project

WHOLE = re.compile(r"-?\d{1,38}\Z")
NOBODY = -1
"""In place of a customer: the record is none."""
UNMATCHED = 32_767
"""First rule of a lower record that no rule of a pair matched: later than any rule."""
READ = {
    "number": ("TRY_CAST({v} AS DECIMAL(37, 10))", "TRY_CAST({v} AS DOUBLE)"),
    "date": ("TRY_CAST({v} AS DATE)",),
}
"""What SQL reads in a value that a rule compares as number or date, as in compare_sql.py."""


def text_of(v: str, kind: str) -> str:
    """SQL: a prepared value as text, so that equal values have equal texts: 1.50 and 1.5, 0 and minus 0."""
    if family(kind) == "number" and not kind.endswith(",0)"):
        return f"CAST(CAST({v} AS DOUBLE) + 0.0 AS VARCHAR)"
    return f"CAST({v} AS VARCHAR)"


def cells(prepared: Prepared, read: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """SQL of everything that is held of a prepared row: texts, and what is read in them as number or date."""
    made = []
    for v in prepared.values.values():
        made.append(f"{text_of(v, kinds[v])} AS {v}")
        for i, sql in enumerate(READ.get(read.get(v, ""), ())):
            made.append(f"{sql.format(v=v)} AS {v}_{i}")
    return made


@dataclass(frozen=True)
class Held:
    """One entity of the plan.

    first    rid of its first record; a record's place is its rid less this
    keys     keys in the order of rids, in the key's own type
    read     prepared columns that rules compare as number or date
    extra    what was read in them: v3_0, v3_1
    written  columns of the source that rules compare, as they are written, in the order of rids
    """

    name: str
    number: int
    first: int
    keys: "pa.Array"
    prepared: Prepared
    columns: dict[str, Column]
    read: dict[str, str]
    kinds: dict[str, str]
    extra: dict[str, "pa.Array"]
    written: dict[str, "pa.Array"]

    def row(self, place: int) -> dict[str, Any]:
        """What rules compare of a record, as its source has it."""
        return {column: values[place].as_py() for column, values in self.written.items()}

    def find(self, key: Any) -> tuple[int, bool]:
        """The place of a key, or where it would be, and whether it is there. `key`: text, or a whole number."""
        place = bisect_left(_Keys(self.keys), key)
        return place, place < len(self.keys) and self.keys[place].as_py() == key

    def as_key(self, text: str) -> Any:
        """A key from its text; None when no key can be so."""
        if not pa.types.is_decimal(self.keys.type):
            return text
        return Decimal(text) if WHOLE.match(text) else None

    def value(self, place: int, v: str) -> Value | None:
        """One value of a record; None when it has none."""
        text = self.columns[v].text(place)
        return None if text is None else self.of(text, v, [self.extra[x][place].as_py() for x in self.more(v)])

    def more(self, v: str) -> list[str]:
        """Names of what is read in a column besides its text."""
        return [f"{v}_{i}" for i in range(len(READ.get(self.read.get(v, ""), ())))]

    def of(self, text: str, v: str, more: list[Any]) -> Value:
        """A value from its text and what was read in it."""
        if self.read.get(v) == "number":
            return Value(text, exact=more[0], rough=more[1])
        return Value(text, day=more[0]) if self.read.get(v) == "date" else Value(text)


class _Keys:
    """Keys as `bisect` reads them."""

    def __init__(self, keys: "pa.Array") -> None:
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> Any:
        return self.keys[place].as_py()


@dataclass(frozen=True)
class Adjacent:
    """The links of the generation, each from both of its ends, by the end: others[starts[rid] : starts[rid + 1]]."""

    starts: Longs
    others: Ints
    rules: "np.typing.NDArray[np.int16]"
    scores: "np.typing.NDArray[np.float32]"

    @classmethod
    def of(cls, links: "pa.Table", records: int) -> "Adjacent":
        """From the table `links`."""
        a, b = (links.column(c).to_numpy() for c in ("a", "b"))
        ends = np.concatenate([a, b])
        order = np.argsort(ends, kind="stable")
        rules, scores = (np.tile(links.column(c).to_numpy(), 2)[order] for c in ("rule", "score"))
        starts = np.searchsorted(ends[order], np.arange(records + 1))
        return cls(starts, np.concatenate([b, a])[order], rules, scores)

    def at(self, rid: int) -> slice:
        """Where the links of a record are."""
        return slice(int(self.starts[rid]), int(self.starts[rid + 1]))

    def from_(self, rid: int) -> Iterator[tuple[int, int, float]]:
        """(other record, rule, score) of every link of a record."""
        here = self.at(rid)
        return zip(self.others[here].tolist(), self.rules[here].tolist(), self.scores[here].tolist(), strict=True)


@dataclass
class Memory:
    """See above. Nothing in it changes after it was made, so any number of threads may read it."""

    project: Project
    plan: ConflationPlan
    bound: BoundPlan
    entities: dict[str, Held]
    records: int
    entity_of: "np.typing.NDArray[np.uint8]"
    links: Adjacent
    customers: Ints
    ids: "pa.Array"
    founded: "np.typing.NDArray[np.int64]"
    founders: dict[str, "pa.Array"]
    first: dict[tuple[str, str], "np.typing.NDArray[np.int16]"]
    never: dict[int, list[int]]
    listed: "Listed"
    left_out: dict[int, frozenset[str]]
    bridges: frozenset[tuple[int, int]]
    lies: Judged
    verdicts: dict[tuple[int, str], tuple[str, str]]

    def entity(self, number: int) -> Held:
        """An entity by its place in the conflation order."""
        return self.entities[self.plan.order[number].entity]

    def held(self, rid: int) -> tuple[Held, int]:
        """The entity of a record, and its place there."""
        one = self.entity(int(self.entity_of[rid]))
        return one, rid - one.first

    def find(self, table: str, key: str) -> int | None:
        """The rid of a record, by table and key as text."""
        for name, one in self.entities.items():
            if table_of(name) == table and (own := one.as_key(key)) is not None:
                place, there = one.find(own)
                return one.first + place if there else None
        return None

    def record(self, rid: int) -> str:
        """`source.Entity:key`."""
        one, place = self.held(rid)
        return f"{one.name}:{one.keys[place].as_py()}"

    @property
    def nbytes(self) -> int:
        """Memory of what grows with records, in bytes."""
        held = sum(
            c.nbytes
            for e in self.entities.values()
            for c in (*e.columns.values(), e.keys, *e.extra.values(), *e.written.values())
        )
        arrays = (self.entity_of, self.links.starts, self.links.others, self.links.rules, self.links.scores)
        others = (self.customers, self.founded, self.ids, *self.founders.values(), *self.first.values())
        return int(held + sum(a.nbytes for a in (*arrays, *others)))


Listed = dict[tuple[str, str], list[tuple[str, str, str]]]
"""Table and key of a record to the entries that name it: kind, table and key of the other record."""


def columns_by_entity(rule: BoundRule, side: str, term: Term | ScoredTerm) -> dict[str, tuple[str, ...]]:
    """The prepared columns of one side of a comparison, per entity that takes part on that side."""
    owner, forms = getattr(rule, side), getattr(term, side)
    if isinstance(owner, Prepared):
        return {owner.entity: forms}
    made = {name: place for place, name in owner.columns.items()}
    return {
        one.entity: tuple(v for name in forms if (v := made[name][i]) is not None)
        for i, one in enumerate(owner.members)
    }
