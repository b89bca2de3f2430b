"""PassJoin: cut the longer string into one segment more than there may be edits; one of them survives in the shorter.

The longer string (length L, at most `e` edits) is cut into e+1 segments. Some segment i is untouched, with exactly i
edits before it and at most e−i behind it: so it stands in the shorter string at a place shifted by x with |x| <= i and
|L − l + x| <= e − i. The index holds each segment of each string under (i, hash); the shorter string is probed at those
few places. Hash collisions add candidates, they never lose one. Proof and the case of exchanged neighbours:
docs/similarity-join.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unify.conflation.similarity.bounds import IMPOSSIBLE, Bounds
from unify.conflation.similarity.pairs import Pairs, expand
from unify.conflation.similarity.values import I32, I64, U64, Values

MOST_SEGMENTS = 24
"""With more segments than this the loops over (segment, shift) outweigh what the filter saves."""


@dataclass(frozen=True, slots=True)
class SegmentIndex:
    """The rows of one length by the hash of one segment. bucket h holds order[start[h]:start[h+1]]."""

    place: int
    width: int
    shift: np.uint64
    order: I64
    start: I32

    def lookup(self, keys: U64) -> tuple[I64, I64]:
        """First place and number of entries for each key."""
        bucket = (keys >> self.shift).astype(np.int64)
        first = self.start[bucket].astype(np.int64)
        return first, self.start[bucket + 1] - first


def cut(length: int, segments: int, gap: int) -> list[tuple[int, int]] | None:
    """(place, width) of nearly equal segments with `gap` characters between; None when one would be empty.

    >>> cut(13, 3, 0)
    [(0, 4), (4, 4), (8, 5)]
    >>> cut(5, 3, 1)
    [(0, 1), (2, 1), (4, 1)]
    """
    usable = length - gap * (segments - 1)
    if usable < segments:
        return None
    small, extra = divmod(usable, segments)
    out, place = [], 0
    for i in range(segments):
        width = small + (i >= segments - extra)
        out.append((place, width))
        place += width + gap
    return out


def most_edits(bounds: Bounds, longer: int, shorter: I64) -> int:
    """The largest number of edits over the lengths of partners."""
    return max((bounds.edits(longer, int(n)) for n in shorter), default=IMPOSSIBLE)


def segment_plan(bounds: Bounds, length: int, partners: I64) -> list[tuple[int, int]] | None:
    """Where strings of this length are cut; None when segments do not apply."""
    if not bounds.segmented:
        return None
    edits = most_edits(bounds, length, partners)
    if edits == IMPOSSIBLE or edits >= MOST_SEGMENTS:
        return None
    return cut(length, edits + 1, bounds.gap)


def index_segment(values: Values, rows: slice, place: int, width: int) -> SegmentIndex:
    """A direct-address table over the top bits of the hash, two to four slots per entry."""
    keys = values.hash_of(rows, place, width)
    bits = min(max(8, len(keys).bit_length() + 1), 26)
    shift = np.uint64(64 - bits)
    bucket = (keys >> shift).astype(np.int64)
    order = np.argsort(bucket, kind="stable") + rows.start
    start = np.zeros((1 << bits) + 1, np.int32)
    np.cumsum(np.bincount(bucket, minlength=1 << bits), out=start[1:])
    return SegmentIndex(place, width, shift, order, start)


def shifts(bounds: Bounds, segment: int, edits: int, difference: int) -> range:
    """Where segment number `segment` may have moved to, in a partner shorter by `difference`."""
    behind = edits - segment
    if behind < 0:
        return range(0)
    low, high = max(-segment, -difference - behind), min(segment, behind - difference)
    if bounds.parity:
        low += (low + segment) % 2
        return range(low, high + 1, 2)
    return range(low, high + 1)


def probes(
    bounds: Bounds, length: int, indexes: list[SegmentIndex], shorter: Values, partner: int, rows: slice
) -> Iterator[tuple[SegmentIndex, I64, I64]]:
    """For each way a segment can survive: the index, and per row of `rows` the first place and number of entries."""
    edits = bounds.edits(length, partner)
    for number, index in enumerate(indexes):
        for x in shifts(bounds, number, edits, length - partner):
            place = index.place + x
            if place >= 0 and place + index.width <= partner:
                first, count = index.lookup(shorter.hash_of(rows, place, index.width))
                yield index, first, count


def candidates(
    bounds: Bounds, length: int, indexes: list[SegmentIndex], shorter: Values, partner: int, rows: slice
) -> Iterator[Pairs]:
    """(row of the longer side, row of the shorter side), some of them more than once."""
    for index, first, count in probes(bounds, length, indexes, shorter, partner, rows):
        for probe, place in expand(first, count):
            yield index.order[place], probe + rows.start
