"""How segments share customers: from bitmaps alone, whatever the number of segments."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import Intersection, Overlap, OverlapByValue, Pair, ValueOverlap
from unify.core.steps import Query

EXCLUSIVE = 30
"""Exclusive intersections that are listed: as many as a picture can show. 50 segments can have millions."""
TABLE = "~overlap"
_NO_CLOCK = datetime(1970, 1, 1)  # noqa: DTZ001 - an attribute looks at no clock


def matrix(members: Sequence[BitMap]) -> list[list[int]]:
    """Customers in both of two sets, for every two; sizes on the diagonal. 50 × 50 over a million take 40 ms."""
    n = len(members)
    found = [[0] * n for _ in range(n)]
    for i in range(n):
        found[i][i] = len(members[i])
    for i, j in combinations(range(n), 2):
        found[i][j] = found[j][i] = members[i].intersection_cardinality(members[j])
    return found


def overlap(members: Mapping[str, BitMap], everyone: int | BitMap, *, exclusive: int = EXCLUSIVE) -> Overlap:
    """How segments overlap, any number of them.

    members     segment → ordinals
    everyone    the customers there are, or their number: what shares in none and lift are measured against
    exclusive   exclusive intersections to list, the largest; the rest is counted. 0: not worked out

    lift(a, b) = |a ∩ b| · customers ÷ (|a| · |b|): 1 when the two are independent. QueryError for fewer than two
    segments, and when a segment has customers that `everyone` has not.
    """
    if len(members) < 2:
        raise QueryError("an overlap is between two or more segments", hint="name at least two")
    if exclusive < 0:
        raise QueryError(f"{exclusive} intersections cannot be listed", where="exclusive", hint="write 0 or more")
    names, sets = list(members), list(members.values())
    total = everyone if isinstance(everyone, int) else len(everyone)
    either = BitMap.union(*sets)
    if len(either) > total or (isinstance(everyone, BitMap) and not either <= everyone):
        raise QueryError("a segment has customers that are not there", hint="use members of the same run")
    counts = matrix(sets)
    pairs = [_pair(names, counts, i, j, total) for i, j in combinations(range(len(names)), 2)]
    listed, left_out = _exclusive(names, sets, exclusive) if exclusive else ([], 0)
    return Overlap(
        customers=total,
        sizes={name: counts[i][i] for i, name in enumerate(names)},
        matrix=counts,
        pairs=pairs,
        exclusive=listed,
        left_out=left_out,
        left_out_customers=len(either) - sum(x.customers for x in listed) if exclusive else 0,
        in_none=total - len(either),
    )


def _pair(names: Sequence[str], counts: list[list[int]], i: int, j: int, total: int) -> Pair:
    a, b, both = counts[i][i], counts[j][j], counts[i][j]
    return Pair(
        a=names[i],
        b=names[j],
        both=both,
        share_of_a=both / a if a else None,
        share_of_b=both / b if b else None,
        jaccard=both / (a + b - both) if a or b else None,
        lift=both * total / (a * b) if a and b else None,
    )


def signatures(sets: Sequence[BitMap]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Every customer of any set, ascending, and which sets they are in: one bit each, 64 to a column."""
    either = BitMap.union(*sets)
    ids = _ids(either)
    bits = np.zeros((len(ids), (len(sets) + 63) // 64), dtype=np.uint64)
    place = np.zeros(int(ids[-1]) + 1 if len(ids) else 0, dtype=np.int64)
    place[ids] = np.arange(len(ids))
    for i, members in enumerate(sets):
        bits[place[_ids(members)], i // 64] |= np.uint64(1 << (i % 64))
    return ids, bits


def _ids(members: BitMap) -> NDArray[np.int64]:
    return np.asarray(members.to_array(), dtype=np.int64)


def _exclusive(names: Sequence[str], sets: Sequence[BitMap], most: int) -> tuple[list[Intersection], int]:
    """The largest, and how many others there are; of equal ones first those of earlier segments."""
    _, bits = signatures(sets)
    if not len(bits):
        return [], 0
    kinds, counts = np.unique(bits, axis=0, return_counts=True) if bits.shape[1] > 1 else _unique(bits[:, 0])
    order = np.lexsort((*kinds.T, -counts))[:most]
    found = []
    for kind, count in zip(kinds[order].tolist(), counts[order].tolist(), strict=True):
        inside = [name for i, name in enumerate(names) if kind[i // 64] >> (i % 64) & 1]
        found.append(Intersection(segments=inside, customers=count))
    return found, len(counts) - len(found)


def _unique(words: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The same for one column, ten times faster."""
    kinds, counts = np.unique(words, return_counts=True)
    return kinds.reshape(-1, 1), counts


def overlap_by(
    engine: Engine, model: Model, members: Mapping[str, BitMap], attribute: str, *, most: int = 20
) -> OverlapByValue:
    """Customers common to two or more segments and unique to each, per value of an attribute of Customer.

    `most`: values to list, those with the most customers; the others are added up. QueryError for an unknown attribute.
    """
    if len(members) < 2:
        raise QueryError("an overlap is between two or more segments", hint="name at least two")
    path, found, kind = model.attribute(model.catalog.customers, attribute, "attribute")
    names = list(members)
    ids, bits = signatures(list(members.values()))
    engine.load(TABLE, pa.table({"ordinal": ids.astype(np.int32), "kind": _kinds(bits, len(names))}))
    compiler = Compiler(model.catalog, model.catalog.customers, _NO_CLOCK)
    value = compiler.value(p.Field(found.name, path))
    key = compiler.column(model.catalog.table(model.catalog.customers).id)
    sql = (
        f"SELECT v, coalesce(k.kind, -1) AS kind, count(*) AS n, "
        "CAST(sum(count(*)) OVER (PARTITION BY v) AS BIGINT) AS of_v "
        f"FROM (SELECT {key} AS ordinal, {value} AS v FROM {compiler.source}) AS c "
        f'LEFT JOIN "{TABLE}" AS k USING (ordinal) '
        "GROUP BY v, k.kind ORDER BY of_v DESC, v NULLS LAST, kind"
    )
    rows = engine.fetch(Query(sql, compiler.params)).to_pylist()
    by_value: dict[Any, dict[int, int]] = {}
    for row in rows:
        by_value.setdefault(str(row["v"]) if kind.kind == "guid" and row["v"] else row["v"], {})[row["kind"]] = row["n"]
    listed = list(by_value.items())
    rest: dict[int, int] = {}
    for _, counts in listed[most:]:
        for k, n in counts.items():
            rest[k] = rest.get(k, 0) + n
    return OverlapByValue(
        attribute=attribute,
        segments=names,
        rows=[_value(names, value, counts) for value, counts in listed[:most]],
        rest=_value(names, None, rest) if rest else None,
        rest_values=max(len(listed) - most, 0),
    )


def _value(names: Sequence[str], value: Any, counts: Mapping[int, int]) -> ValueOverlap:
    only = {name: counts.get(i, 0) for i, name in enumerate(names)}
    return ValueOverlap(value=value, several=counts.get(len(names), 0), only=only, none=counts.get(-1, 0))


def _kinds(bits: NDArray[np.uint64], n: int) -> NDArray[np.int32]:
    """Of every customer the only segment it is in, or `n` for several."""
    kind = np.full(len(bits), -1, dtype=np.int32)
    for i in range(n):
        inside = (bits[:, i // 64] >> np.uint64(i % 64) & np.uint64(1)).astype(bool)
        kind[inside] = np.where(kind[inside] == -1, i, n)
    return kind
