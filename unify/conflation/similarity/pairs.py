"""Pairs of row numbers: expanding lists of partners, filtering by signature, scoring what is left."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz import process

from unify.conflation.similarity.bounds import Bounds, WinklerBounds
from unify.conflation.similarity.values import I64, U8, U64, Values

Pairs = tuple[I64, I64]

EXPAND = 1 << 20
"""Candidates handled at once: about 40 bytes each while they are filtered."""
ROUNDING = 1e-8
"""More than what rounding to nine decimals can add to a score: below it nothing needs rounding."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs that passed. Row numbers are places in Values, scores 0 to 1."""

    a: I64
    b: I64
    score: npt.NDArray[np.float64]


def expand(first: I64, count: I64) -> Iterator[Pairs]:
    """(probe number, place) for every place in [first, first + count) of every probe, at most about EXPAND at once.

    A single probe with more places than that is not split.
    """
    busy = np.flatnonzero(count)
    first, count = first[busy], count[busy]
    ends = np.cumsum(count)
    lo = 0
    while lo < len(busy):
        done = int(ends[lo - 1]) if lo else 0
        hi = max(int(np.searchsorted(ends, done + EXPAND, side="right")), lo + 1)
        n = count[lo:hi]
        total = int(ends[hi - 1]) - done
        begin = ends[lo:hi] - n - done
        place = np.arange(total) + np.repeat(first[lo:hi] - begin, n)
        yield np.repeat(busy[lo:hi], n), place
        lo = hi


def unlike(ours: U64, theirs: U64) -> U8:
    """How many features of ours theirs has not: a lower bound."""
    count: U8 = np.bitwise_count(ours & ~theirs)
    return count


def plausible(bounds: Bounds, left: Values, right: Values, a: I64, b: I64) -> Pairs:
    """The pairs that no filter rules out: letters, then bigrams, then the common prefix where it matters."""
    lost, gained = bounds.allowance(left.lengths[a], right.lengths[b])
    a, b, lost, gained = _by_letters(left, right, a, b, lost, gained)
    broken = bounds.bigrams(lost, gained)
    if broken is not None:
        keep = _within(left.bigrams, right.bigrams, a, b, *broken)
        return a[keep], b[keep]
    if isinstance(bounds, WinklerBounds):
        alike = np.cumprod((left.heads[a] == right.heads[b]) & (left.heads[a] != 0), axis=1).sum(axis=1)
        lost, gained = bounds.refine(left.lengths[a], right.lengths[b], alike)
        a, b, _, _ = _by_letters(left, right, a, b, lost, gained)
    return a, b


def by_letters_of(bounds: Bounds, left: Values, right: Values, a: I64, b: I64) -> Pairs:
    """The pairs that the first signature does not rule out, as `scan` uses it."""
    la, lb = left.lengths[a], right.lengths[b]
    if isinstance(bounds, WinklerBounds):
        lost, gained = bounds.refine(la, lb, np.where(left.heads[a, 0] == right.heads[b, 0], 4, 0))
    else:
        lost, gained = bounds.allowance(la, lb)
    a, b, _, _ = _by_letters(left, right, a, b, lost, gained)
    return a, b


def plausible_of_lengths(bounds: Bounds, left: Values, right: Values, a: I64, b: I64) -> Pairs:
    """`plausible` where all of a have one length and all of b have one: the allowance is two numbers."""
    if not len(a):
        return a, b
    lost, gained = bounds.allowance(left.lengths[a[:1]], right.lengths[b[:1]])
    keep = _within(left.letters, right.letters, a, b, lost, gained)
    a, b = a[keep], b[keep]
    broken = bounds.bigrams(lost, gained)
    if broken is not None:
        keep = _within(left.bigrams, right.bigrams, a, b, *broken)
        a, b = a[keep], b[keep]
    return a, b


def _by_letters(left: Values, right: Values, a: I64, b: I64, lost: I64, gained: I64) -> tuple[I64, I64, I64, I64]:
    keep = _within(left.letters, right.letters, a, b, lost, gained)
    return a[keep], b[keep], lost[keep], gained[keep]


def _within(left: U64, right: U64, a: I64, b: I64, lost: I64, gained: I64) -> npt.NDArray[np.bool_]:
    """Places where both signatures are within the allowance; IMPOSSIBLE is below every count."""
    ours, theirs = left[a], right[b]
    fits: npt.NDArray[np.bool_] = (unlike(ours, theirs) <= lost) & (unlike(theirs, ours) <= gained)
    return fits


def distinct(a: I64, b: I64) -> Pairs:
    """Each pair once, in order."""
    key = np.unique((a << np.int64(32)) | b)
    return key >> np.int64(32), key & np.int64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Measure:
    """How alike two strings are, 0 to 1, in the numbers that compare.py gives.

    edit    `scorer` counts edits d; the score is (m − d) / m, m the longer length: one correctly rounded division
    scale   what `scorer` gives for equal strings; otherwise scores are rounded to nine decimals
    """

    scorer: Callable[..., float]
    percent: int
    edit: bool = False
    scale: float = 1.0

    def pairs(self, left: Values, right: Values, a: I64, b: I64) -> Scored:
        """Score pair by pair and keep what passes."""
        if not len(a):
            return Scored(a, b, np.zeros(0))
        raw = process.cpdist(
            left.texts[a].tolist(), right.texts[b].tolist(), scorer=self.scorer, dtype=self._dtype, workers=-1
        )
        return self._passing(left, right, a, b, raw)

    def block(self, left: Values, right: Values, a: slice, b: slice) -> Scored:
        """Score every row of one slice with every row of the other: about 30 times cheaper a pair (SIMD)."""
        raw = process.cdist(left.texts[a], right.texts[b], scorer=self.scorer, dtype=self._dtype, workers=-1)
        if self.edit:
            most = (100 - self.percent) * int(max(left.lengths[a].max(), right.lengths[b].max())) // 100
            near = np.flatnonzero(raw <= most)
        else:
            near = np.flatnonzero(raw >= self.scale * (self.percent / 100 - ROUNDING))
        i, j = np.divmod(near, raw.shape[1])
        return self._passing(left, right, i + a.start, j + b.start, raw.ravel()[near])

    @property
    def _dtype(self) -> type:
        return np.int32 if self.edit else np.float64

    def _passing(self, left: Values, right: Values, a: I64, b: I64, raw: npt.NDArray[Any]) -> Scored:
        if self.edit:
            longer = np.maximum(left.lengths[a], right.lengths[b])
            keep = np.flatnonzero(100 * (longer - raw) >= self.percent * longer)
            return Scored(a[keep], b[keep], (longer[keep] - raw[keep]) / longer[keep])
        keep = np.flatnonzero(raw >= self.scale * (self.percent / 100 - ROUNDING))
        score = np.round(raw[keep] / self.scale, 9)
        passed = score >= self.percent / 100
        return Scored(a[keep][passed], b[keep][passed], score[passed])


def distinct_scored(found: list[Scored]) -> Scored:
    """Each pair once, in order."""
    none = np.zeros(0, np.int64)
    a, b = np.concatenate([none, *(f.a for f in found)]), np.concatenate([none, *(f.b for f in found)])
    key, first = np.unique((a << np.int64(32)) | b, return_index=True)
    score = np.concatenate([np.zeros(0), *(f.score for f in found)])[first]
    return Scored(key >> np.int64(32), key & np.int64(0xFFFFFFFF), score)
