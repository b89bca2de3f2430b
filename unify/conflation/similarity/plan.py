"""What a string join is going to cost, measured before it runs: one group for each length of the longer string."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from unify.conflation.similarity.bounds import IMPOSSIBLE, Bounds
from unify.conflation.similarity.pairs import by_letters_of, plausible
from unify.conflation.similarity.segments import index_segment, probes, segment_plan
from unify.conflation.similarity.values import I64, Values

SCAN_NS, PROBE_NS, CANDIDATE_NS, LOOP_NS = 1.2, 25.0, 20.0, 30_000.0
"""One core: a pair by signature (0.7 to 1.2 measured); rounded guesses for a look-up, a candidate, a loop turn."""
SCORE_NS = 700.0
"""One pair through rapidfuzz with its conversion."""
SURVIVOR_NS = 60.0
"""A pair that passed the first signature: second signature, common prefix."""
BLOCK_NS, SLOW_BLOCK_NS = 15.0, 400.0
"""A pair scored as part of a block of strings; Damerau-Levenshtein has no SIMD form."""
SAMPLE_ROWS, SAMPLE_PARTNERS, SAMPLE_PROBES = 256, 1024, 4096


@dataclass(frozen=True, slots=True)
class Pass:
    """One orientation of the join. same: a table with itself; strict: equal lengths belong to the other pass."""

    longer: Values
    shorter: Values
    same: bool
    strict: bool
    longer_is_left: bool


@dataclass(frozen=True, slots=True)
class Group:
    """All pairs whose longer string has one length.

    rows, partners    slices of the pass's sides; `lengths` the partners' lengths that can match
    method            segments: PassJoin; scan: signatures, all against all; blocks: score all against all
    nanoseconds       estimated time on one core
    """

    turn: Pass
    length: int
    rows: slice
    partners: slice
    lengths: I64
    cuts: tuple[tuple[int, int], ...]
    method: Literal["segments", "scan", "blocks"]
    nanoseconds: float

    @property
    def cost(self) -> int:
        """In scored pairs: what is only filtered counts by its time."""
        return max(1, round(self.nanoseconds / SCORE_NS))


def passes_of(left: Values, right: Values | None) -> list[Pass]:
    """One orientation for a table with itself, two for two tables: who is longer."""
    if right is None:
        return [Pass(left, left, same=True, strict=False, longer_is_left=True)]
    return [
        Pass(right, left, same=False, strict=False, longer_is_left=False),
        Pass(left, right, same=False, strict=True, longer_is_left=True),
    ]


def plan(bounds: Bounds, left: Values, right: Values | None, simd: bool) -> list[Group]:
    """Every group that can hold a pair, each with the cheapest complete method. simd: blocks of strings score fast."""
    groups = []
    for turn in passes_of(left, right):
        for length in turn.longer.distinct_lengths.tolist():
            group = _group(bounds, turn, length, simd)
            if group is not None:
                groups.append(group)
    return groups


def _group(bounds: Bounds, turn: Pass, length: int, simd: bool) -> Group | None:
    kinds = turn.shorter.distinct_lengths
    kinds = kinds[: np.searchsorted(kinds, length, side="left" if turn.strict else "right")]
    lost, _ = bounds.allowance(np.full(len(kinds), length), kinds)
    kinds = kinds[lost != IMPOSSIBLE]
    if not len(kinds):
        return None
    rows, partners = turn.longer.slice_of(length, length), turn.shorter.slice_of(int(kinds[0]), int(kinds[-1]))
    pairs = (rows.stop - rows.start) * (partners.stop - partners.start) / (2 if turn.same else 1)
    letters, all_filters = survival(bounds, turn, rows, partners)
    scoring = pairs * all_filters * SCORE_NS
    ways: dict[Literal["segments", "scan", "blocks"], float] = {
        "scan": pairs * (SCAN_NS + letters * SURVIVOR_NS) + scoring,
        "blocks": pairs * (BLOCK_NS if simd else SLOW_BLOCK_NS),
    }
    group = Group(turn, length, rows, partners, kinds, (), "scan", 0.0)
    cuts = segment_plan(bounds, length, kinds)
    if cuts is not None:
        looked_up, found, turns = _probe_sample(bounds, group, cuts)
        ways["segments"] = looked_up * PROBE_NS + found * CANDIDATE_NS + turns * LOOP_NS
        ways["segments"] += min(scoring, found * SCORE_NS)
    method = min(ways, key=lambda way: ways[way])
    return replace(group, cuts=tuple(cuts or ()), method=method, nanoseconds=ways[method])


def survival(bounds: Bounds, turn: Pass, rows: slice, partners: slice) -> tuple[float, float]:
    """The share of pairs that letters, and then all filters, let through, in an evenly spaced sample."""
    i, j = spaced(rows, SAMPLE_ROWS), spaced(partners, SAMPLE_PARTNERS)
    a, b = np.repeat(i, len(j)), np.tile(j, len(i))
    if turn.same:
        before = b < a
        a, b = a[before], b[before]
    if not len(a):
        return 0.0, 0.0
    by_letters, _ = by_letters_of(bounds, turn.longer, turn.shorter, a, b)
    kept, _ = plausible(bounds, turn.longer, turn.shorter, a, b)
    return len(by_letters) / len(a), len(kept) / len(a)


def spaced(rows: slice, most: int) -> I64:
    """At most `most` row numbers, evenly spaced over the slice."""
    n = rows.stop - rows.start
    picked: I64 = rows.start + (np.arange(min(n, most)) * n) // min(n, most)
    return picked


def _probe_sample(bounds: Bounds, group: Group, cuts: list[tuple[int, int]]) -> tuple[int, int, int]:
    """Look-ups, candidates and loop turns that segments would take; candidates from the first rows of every stride."""
    turn = group.turn
    indexes = [index_segment(turn.longer, group.rows, place, width) for place, width in cuts]
    looked_up = found = turns = 0
    for partner in group.lengths.tolist():
        rows = turn.shorter.slice_of(partner, partner)
        n = rows.stop - rows.start
        step = max(1, n // SAMPLE_PROBES)
        thin = slice(rows.start, rows.stop, step)
        for _, _, count in probes(bounds, group.length, indexes, turn.shorter, partner, thin):
            looked_up += n
            found += int(count.sum()) * n // max(1, len(count))
            turns += 1
    return looked_up, found, turns
