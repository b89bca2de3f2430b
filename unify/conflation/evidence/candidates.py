"""Pairs of records worth comparing: those that share a rare value, two values, or the beginnings of two or three.

A key is one to three comparisons, each by its whole value or by its beginning. Records with the same key are a group;
a group of n records makes n(n-1)/2 pairs. Pairs are counted before they are made, keys with the fewest first. What is
left out is said: groups above GROUP, and what the budget of pairs no longer allows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from unify.conflation.evidence.values import Codes, Compared, Flags, Ints

GROUP = 300
"""Records that share a key, at most: 45,000 pairs."""
BEGINNING = 4
"""Characters of a beginning."""
SHARE = 200
"""A comparison is a key of its own, or by its beginning, when it has more than records / SHARE distinct values ..."""
MANY = 100
"""... or more than MANY."""
NEARLY = 50
"""A budget of which less than one part in so many is left is spent."""
FITS = 2**31
"""Codes below this times another code fit into 64 bits."""
WAITING = 4_000_000
"""Pairs that wait to be merged: 32 MB."""


@dataclass(frozen=True)
class LeftOut:
    """A key group, or the rest of a key, whose pairs were not made."""

    value: str
    records: int
    pairs: int
    reason: str


@dataclass(frozen=True)
class Key:
    """Comparisons by number; `whole`: by the whole value, else by its beginning."""

    parts: tuple[tuple[int, bool], ...]


@dataclass(frozen=True)
class _Groups:
    """Records in groups of one key, group after group: rows[begin : begin + size]."""

    rows: Ints
    begin: Ints
    size: Ints
    pairs: Ints


@dataclass
class Candidates:
    """Pairs (left < right, ascending) of places of records, and what was left out."""

    left: Ints
    right: Ints
    left_out: list[LeftOut] = field(default_factory=list)
    short: int = 0
    """Pairs that the budget did not allow."""


def candidates(values: Sequence[Compared], lower: Flags | None, budget: int) -> Candidates:
    """Candidate pairs among records; with `lower`, only pairs of a record of the lower entity and one of the upper."""
    beginnings = [_beginnings(v) for v in values]
    counted = []
    left_out: list[LeftOut] = []
    for number, key in enumerate(keys(values)):
        pairs, over = _count(_groups(values, beginnings, key, lower))
        left_out += [_over(values, key, *one) for one in over]
        if pairs:
            counted.append((pairs, number, key))
    found: Ints = np.empty(0, dtype=np.int64)
    waiting: list[Ints] = []
    waits = short = 0
    for pairs, _, key in sorted(counted, key=lambda c: c[:2]):
        room = budget - len(found) - waits
        if pairs > room and waits > budget // NEARLY:
            found, waiting, waits = _merged(found, waiting), [], 0
            room = budget - len(found)
        groups = _groups(values, beginnings, key, lower)
        chosen, missing = _within(groups, room if room > budget // NEARLY else 0)
        if missing:
            short += missing
            spoken = " and ".join(values[k].name + ("" if whole else " (beginning)") for k, whole in key.parts)
            left_out.append(LeftOut(
                f"same {spoken}", int(groups.size[~chosen & (groups.size <= GROUP)].sum()), missing,
                f"the rule compares {budget:,} pairs at most, and this key was not the most selective",
            ))  # fmt: skip
        for made in _pairs(groups, chosen, lower, len(values[0].codes)):
            waiting.append(made)
            waits += len(made)
            if waits > WAITING:
                found, waiting, waits = _merged(found, waiting), [], 0
    found = _merged(found, waiting)
    records = max(1, len(values[0].codes))
    return Candidates(found // records, found % records, left_out, short)


def keys(values: Sequence[Compared]) -> Iterator[Key]:
    """Every key, widest evidence last; deterministic."""
    records = len(values[0].codes)
    numbers = range(len(values))
    telling = [k for k in numbers if len(values[k].texts) > min(MANY, records / SHARE)]
    yield from (Key(((k, True),)) for k in telling)
    yield from (Key(((a, True), (b, True))) for a, b in combinations(numbers, 2))
    yield from (Key(((a, False), (b, False))) for a, b in combinations(telling, 2))
    yield from (Key(((a, True), (b, False))) for a, b in product(telling, telling) if a != b)
    yield from (Key(((a, False), (b, False), (c, False))) for a, b, c in combinations(telling, 3))


def _beginnings(values: Compared) -> Codes:
    """The code of every text's beginning."""
    cut = np.array([text[:BEGINNING] for text in values.texts], dtype=object)
    return np.unique(cut, return_inverse=True)[1].astype(np.int32) if len(cut) else np.empty(0, dtype=np.int32)


def _groups(values: Sequence[Compared], beginnings: Sequence[Codes], key: Key, lower: Flags | None) -> _Groups:
    """Records by key, in groups of two or more; in a match, in groups with both entities."""
    widths = [range(values[k].codes.shape[1]) for k, _ in key.parts]
    all_rows, all_codes = [], []
    for columns in product(*widths):
        parts = [values[k].codes[:, c] for (k, _), c in zip(key.parts, columns, strict=True)]
        rows = np.flatnonzero(np.logical_and.reduce([p >= 0 for p in parts]))
        joined = np.zeros(len(rows), dtype=np.int64)
        for (k, whole), part in zip(key.parts, parts, strict=True):
            code = part[rows] if whole else beginnings[k][part[rows]]
            if len(joined) and int(joined.max()) >= FITS:
                joined = _dense(joined)
            joined = joined * len(values[k].texts) + code
        all_rows.append(rows)
        all_codes.append(joined)
    rows, codes = np.concatenate(all_rows), np.concatenate(all_codes)
    order = np.argsort(codes, kind="stable")
    rows, codes = rows[order], codes[order]
    if len(all_rows) > 1:
        rows, codes = _once(rows, codes)
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]]) if len(codes) else np.empty(0, dtype=np.int64)
    size = np.diff(np.r_[starts, len(codes)])
    if lower is None:
        pairs = size * (size - 1) // 2
    else:
        low = np.add.reduceat(lower[rows].astype(np.int64), starts) if len(starts) else size
        pairs = low * (size - low)
    kept = pairs > 0
    return _Groups(rows, starts[kept], size[kept], pairs[kept])


def _dense(codes: Ints) -> Ints:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _once(rows: Ints, codes: Ints) -> tuple[Ints, Ints]:
    """A record that has one key through two columns counts once."""
    order = np.lexsort((rows, codes))
    rows, codes = rows[order], codes[order]
    kept = np.r_[True, (rows[1:] != rows[:-1]) | (codes[1:] != codes[:-1])] if len(rows) else np.empty(0, dtype=bool)
    return rows[kept], codes[kept]


def _count(groups: _Groups) -> tuple[int, list[tuple[int, int, int]]]:
    """Pairs of the groups that are small enough, and (a record, records, pairs) of those that are not."""
    large = np.flatnonzero(groups.size > GROUP)
    over = [(int(groups.rows[groups.begin[g]]), int(groups.size[g]), int(groups.pairs[g])) for g in large]
    return int(groups.pairs[groups.size <= GROUP].sum()), over


def _over(values: Sequence[Compared], key: Key, row: int, records: int, pairs: int) -> LeftOut:
    spoken = []
    for k, whole in key.parts:
        code = values[k].codes[row].max()
        text = values[k].texts[code]
        spoken.append(text if whole else f"{text[:BEGINNING]}…")
    return LeftOut(
        " | ".join(spoken), records, pairs,
        f"more than {GROUP} records share it: alone it brings none of them together, other values may",
    )  # fmt: skip


def _within(groups: _Groups, room: int) -> tuple[Flags, int]:
    """The groups to pair, smallest first, that fit into `room` pairs; and the pairs that do not."""
    small = groups.size <= GROUP
    total = int(groups.pairs[small].sum())
    if total <= room:
        return small, 0
    by_size = np.bincount(groups.size[small], weights=groups.pairs[small].astype(np.float64), minlength=GROUP + 1)
    fits = int(np.searchsorted(np.cumsum(by_size), max(room, 0), side="right")) - 1
    chosen = small & (groups.size <= fits)
    return chosen, total - int(groups.pairs[chosen].sum())


def _pairs(groups: _Groups, chosen: Flags, lower: Flags | None, records: int) -> Iterator[Ints]:
    """Pairs of the chosen groups as smaller place · records + larger place."""
    begin, size = groups.begin[chosen], groups.size[chosen]
    places = np.repeat(begin, size) + _ramp(size)
    left = np.repeat(begin + size, size) - places
    """Places from here to the end of the group."""
    for apart in range(1, int(size.max()) if len(size) else 0):
        more = left > apart
        places, left = places[more], left[more]
        a, b = groups.rows[places], groups.rows[places + apart]
        if lower is not None:
            across = lower[a] != lower[b]
            a, b = a[across], b[across]
        yield np.minimum(a, b) * records + np.maximum(a, b)


def _ramp(size: Ints) -> Ints:
    """0, 1, ... size - 1 for every size, one after the other."""
    total = int(size.sum())
    return np.arange(total) - np.repeat(np.cumsum(size) - size, size)


def _merged(found: Ints, waiting: list[Ints]) -> Ints:
    """Sorted and without repetition; np.unique hashes, which takes ten times as long."""
    if not waiting:
        return found
    together = np.sort(np.concatenate([found, *waiting]))
    return together[np.r_[True, together[1:] != together[:-1]]] if len(together) else together
