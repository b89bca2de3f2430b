"""Run a plan: groups in, scored pairs out."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from unify.conflation.similarity_bounds import Bounds
from unify.conflation.similarity_pairs import Measure, Pairs, Scored, distinct, plausible
from unify.conflation.similarity_plan import Group, Pass
from unify.conflation.similarity_scan import scan
from unify.conflation.similarity_segments import SegmentIndex, candidates, index_segment

PROBE_ROWS = 1 << 16
"""Rows probed before their pairs are scored: bounds the pairs that are held unscored."""
PENDING = 1 << 18
"""Pairs collected from scan blocks before they are scored together."""
DENSE = 0.03
"""Above this share of a block, scoring the whole block is cheaper than picking (13 ns a pair against 700)."""


@dataclass
class Counts:
    """What really happened: pairs that were scored, pairs that were looked at by signature."""

    scored: int = 0
    filtered: int = 0


@dataclass
class Join:
    """How to score, and how much was done. `blocks_pay`: the scorer has a SIMD form for whole blocks."""

    bounds: Bounds
    measure: Measure
    blocks_pay: bool = True
    counts: Counts = field(default_factory=Counts)

    def run(self, groups: list[Group]) -> Iterator[Scored]:
        """Pairs as (left row, right row); each exactly once."""
        for group in groups:
            found = self._by_segments(group) if group.method == "segments" else self._by_scan(group)
            for pairs in found:
                if len(pairs.a):
                    yield pairs if group.turn.longer_is_left else Scored(pairs.b, pairs.a, pairs.score)

    def _by_segments(self, group: Group) -> Iterator[Scored]:
        turn = group.turn
        indexes = [index_segment(turn.longer, group.rows, place, width) for place, width in group.cuts]
        for partner in group.lengths.tolist():
            rows = turn.shorter.slice_of(partner, partner)
            for first in range(rows.start, rows.stop, PROBE_ROWS):
                chunk = slice(first, min(first + PROBE_ROWS, rows.stop))
                a, b = self._survivors(group, indexes, partner, chunk)
                self.counts.scored += len(a)
                yield self.measure.pairs(turn.longer, turn.shorter, a, b)

    def _survivors(self, group: Group, indexes: list[SegmentIndex], partner: int, chunk: slice) -> Pairs:
        turn, kept = group.turn, [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
        for a, b in candidates(self.bounds, group.length, indexes, turn.shorter, partner, chunk):
            self.counts.filtered += len(a)
            if turn.same and partner == group.length:
                before = b < a
                a, b = a[before], b[before]  # noqa: PLW2901
            kept.append(plausible(self.bounds, turn.longer, turn.shorter, a, b))
        return distinct(np.concatenate([a for a, _ in kept]), np.concatenate([b for _, b in kept]))

    def _by_scan(self, group: Group) -> Iterator[Scored]:
        turn = group.turn
        waiting: list[Pairs] = []
        held = 0
        for rows, partners, (a, b) in scan(
            self.bounds, turn.longer, group.rows, turn.shorter, group.partners, turn.same
        ):
            size = (rows.stop - rows.start) * (partners.stop - partners.start)
            self.counts.filtered += size
            if self.blocks_pay and len(a) > DENSE * size:
                yield self._dense(turn, rows, partners, size)
                continue
            waiting.append((a, b))
            held += len(a)
            if held >= PENDING:
                yield self._score(turn, waiting)
                waiting, held = [], 0
        if waiting:
            yield self._score(turn, waiting)

    def _dense(self, turn: Pass, rows: slice, partners: slice, size: int) -> Scored:
        self.counts.scored += size
        found = self.measure.block(turn.longer, turn.shorter, rows, partners)
        if not turn.same:
            return found
        before = found.b < found.a
        return Scored(found.a[before], found.b[before], found.score[before])

    def _score(self, turn: Pass, waiting: list[Pairs]) -> Scored:
        a, b = np.concatenate([x for x, _ in waiting]), np.concatenate([y for _, y in waiting])
        a, b = plausible(self.bounds, turn.longer, turn.shorter, a, b)
        self.counts.scored += len(a)
        return self.measure.pairs(turn.longer, turn.shorter, a, b)
