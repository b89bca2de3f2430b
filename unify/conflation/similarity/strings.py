"""Run a plan: groups in, scored pairs out, one thread a processor."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from unify.conflation.similarity.bounds import Bounds
from unify.conflation.similarity.pairs import Measure, Pairs, Scored, distinct, plausible, plausible_of_lengths
from unify.conflation.similarity.plan import Group
from unify.conflation.similarity.scan import scan
from unify.conflation.similarity.segments import SegmentIndex, candidates, index_segment
from unify.conflation.similarity.values import I64

PROBE_ROWS = 1 << 16
"""Rows probed before their pairs are scored: bounds the pairs that are held unscored."""
PENDING = 1 << 18
"""Pairs collected from scan blocks before they are scored together."""
BLOCK_ROWS, BLOCK_COLUMNS = 256, 4096
"""Strings scored all against all at once: 8 MiB of scores, and each string is prepared for SIMD once in 256 uses."""


@dataclass
class Counts:
    """What really happened: pairs that were scored, pairs that were looked at by signature."""

    scored: int = 0
    filtered: int = 0


@dataclass
class Join:
    """How to score, and how much was done."""

    bounds: Bounds
    measure: Measure
    counts: Counts = field(default_factory=Counts)

    def run(self, groups: list[Group]) -> Iterator[Scored]:
        """Pairs as (left row, right row); each exactly once. numpy and rapidfuzz release the GIL while they work."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for counts, found in pool.map(self._run_group, groups):
                self.counts.scored += counts.scored
                self.counts.filtered += counts.filtered
                yield from found

    def _run_group(self, group: Group) -> tuple[Counts, list[Scored]]:
        way = {"segments": self._by_segments, "scan": self._by_scan, "blocks": self._by_blocks}[group.method]
        counts = Counts()
        found = [pairs for pairs in way(group, counts) if len(pairs.a)]
        if not group.turn.longer_is_left:
            found = [Scored(pairs.b, pairs.a, pairs.score) for pairs in found]
        return counts, found

    def _by_segments(self, group: Group, counts: Counts) -> Iterator[Scored]:
        turn = group.turn
        indexes = [index_segment(turn.longer, group.rows, place, width) for place, width in group.cuts]
        for partner in group.lengths.tolist():
            rows = turn.shorter.slice_of(partner, partner)
            for first in range(rows.start, rows.stop, PROBE_ROWS):
                chunk = slice(first, min(first + PROBE_ROWS, rows.stop))
                a, b = self._survivors(group, indexes, partner, chunk, counts)
                counts.scored += len(a)
                yield self.measure.pairs(turn.longer, turn.shorter, a, b)

    def _survivors(
        self, group: Group, indexes: list[SegmentIndex], partner: int, chunk: slice, counts: Counts
    ) -> Pairs:
        turn, none = group.turn, np.zeros(0, np.int64)
        kept = [(none, none)]
        for a, b in candidates(self.bounds, group.length, indexes, turn.shorter, partner, chunk):
            counts.filtered += len(a)
            near = plausible_of_lengths(self.bounds, turn.longer, turn.shorter, a, b)
            kept.append(_smaller_partner(*near) if turn.same else near)
        return distinct(np.concatenate([a for a, _ in kept]), np.concatenate([b for _, b in kept]))

    def _by_scan(self, group: Group, counts: Counts) -> Iterator[Scored]:
        turn = group.turn
        waiting: list[Pairs] = []
        held = 0
        for size, (a, b) in scan(self.bounds, turn.longer, group.rows, turn.shorter, group.partners, turn.same):
            counts.filtered += size
            waiting.append((a, b))
            held += len(a)
            if held >= PENDING:
                yield self._score(group, waiting, counts)
                waiting, held = [], 0
        if waiting:
            yield self._score(group, waiting, counts)

    def _score(self, group: Group, waiting: list[Pairs], counts: Counts) -> Scored:
        a, b = np.concatenate([x for x, _ in waiting]), np.concatenate([y for _, y in waiting])
        a, b = plausible(self.bounds, group.turn.longer, group.turn.shorter, a, b)
        counts.scored += len(a)
        return self.measure.pairs(group.turn.longer, group.turn.shorter, a, b)

    def _by_blocks(self, group: Group, counts: Counts) -> Iterator[Scored]:
        turn = group.turn
        for r in range(group.rows.start, group.rows.stop, BLOCK_ROWS):
            rows = slice(r, min(r + BLOCK_ROWS, group.rows.stop))
            end = min(group.partners.stop, rows.stop) if turn.same else group.partners.stop
            for c in range(group.partners.start, end, BLOCK_COLUMNS):
                part = slice(c, min(c + BLOCK_COLUMNS, end))
                counts.scored += (rows.stop - rows.start) * (part.stop - part.start)
                found = self.measure.block(turn.longer, turn.shorter, rows, part)
                if turn.same:
                    before = found.b < found.a
                    found = Scored(found.a[before], found.b[before], found.score[before])
                yield found


def _smaller_partner(a: I64, b: I64) -> Pairs:
    """Of one table with itself: each pair from its larger row only."""
    before = b < a
    return a[before], b[before]
