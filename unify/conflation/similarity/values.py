"""Strings as arrays: what a similarity join needs to rule pairs out without looking at the strings again.

    Values
    ├── texts     the strings that are compared, ordered by length, then as given: equal lengths are one slice
    ├── codes     their code points, end to end; starts[i]:starts[i+1] is string i
    ├── letters   64-bit signature of (character, how many-th occurrence)
    └── bigrams   64-bit signature of neighbouring characters

A signature maps every feature of a string to one bit. A bit that A has and B has not stands for at least one feature
that A has and B has not, whatever the mapping; so `popcount(A & ~B)` never exceeds the number of features that differ.
That is all the filters rely on: a poor mapping makes them slow, never wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint32]
Texts = npt.NDArray[np.object_]

CHUNK = 1 << 20
"""Characters turned into features at once, at about 60 bytes each."""
OWN_BITS = 56
"""The most frequent (character, occurrence) features get a bit of their own; the rest share the last 8."""
_CODE_BITS = np.int64(21)  # a code point is below 2**21
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX2 = np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Values:
    """One side of a join. `rows[i]` is the place of texts[i] in the list that was given, before ordering by length."""

    texts: Texts
    rows: I64
    lengths: I64
    starts: I64
    codes: npt.NDArray[np.uint32]
    letters: U64
    bigrams: U64
    letter_count: U8 = field(init=False)
    bigram_count: U8 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "letter_count", np.bitwise_count(self.letters))
        object.__setattr__(self, "bigram_count", np.bitwise_count(self.bigrams))

    def __len__(self) -> int:
        return len(self.texts)

    def slice_of(self, shortest: int, longest: int) -> slice:
        """The rows with `shortest <= length <= longest`."""
        lo, hi = np.searchsorted(self.lengths, [shortest, longest + 1])
        return slice(int(lo), int(hi))

    @cached_property
    def distinct_lengths(self) -> I64:
        """The lengths that occur, ascending."""
        return np.unique(self.lengths)

    @cached_property
    def heads(self) -> npt.NDArray[np.uint32]:
        """The first four code points of every string, shape (n, 4); 0 behind the end of a shorter one."""
        out = np.zeros((len(self), 4), np.uint32)
        for place in range(4):
            there = np.flatnonzero(self.lengths > place)
            out[there, place] = self.codes[self.starts[there] + place]
        return out

    @cached_property
    def _prefix_hash(self) -> U64:
        """Cumulative sums of mixed code times B**place, modulo 2**64; one longer than `codes`."""
        place = np.arange(len(self.codes), dtype=np.int64) - np.repeat(self.starts[:-1], self.lengths)
        mixed = (self.codes.astype(np.uint64) + np.uint64(1)) * _MIX
        mixed ^= mixed >> np.uint64(29)
        sums = np.zeros(len(self.codes) + 1, np.uint64)
        np.cumsum(mixed * _powers(self._longest, _MIX2)[place], out=sums[1:])
        return sums

    @property
    def _longest(self) -> int:
        return int(self.lengths[-1]) if len(self) else 0

    @cached_property
    def _inverse_powers(self) -> U64:
        inverse = pow(int(_MIX2), -1, 2**64)
        return _powers(self._longest, np.uint64(inverse))

    def hash_of(self, rows: slice, place: int, width: int) -> U64:
        """A hash of the substring [place, place + width) of every string in `rows`; all must be long enough."""
        first = self.starts[rows] + place
        sums = self._prefix_hash
        with np.errstate(over="ignore"):
            found = (sums[first + width] - sums[first]) * self._inverse_powers[place]
            found ^= found >> np.uint64(32)
            return np.asarray(found * _MIX, np.uint64)


def _powers(longest: int, base: np.uint64) -> U64:
    """base**0 … base**longest modulo 2**64."""
    out = np.full(longest + 1, base, np.uint64)
    out[0] = 1
    return np.multiply.accumulate(out)


def frequent(texts: Sequence[str]) -> I64:
    """The features that get a bit of their own: strings that are encoded at another time must use the same ones."""
    _, _, starts, codes = _ordered(texts)
    return _choose_bits([_count(codes, starts)])


def encode(*sides: Sequence[str], own: I64 | None = None) -> tuple[Values, ...]:
    """Each list of strings as Values, under one feature-to-bit mapping: `own`, or chosen by frequency, so whatever the
    order."""
    plain = [_ordered(texts) for texts in sides]
    if own is None:
        own = _choose_bits([_count(codes, starts) for _, _, starts, codes in plain])
    return tuple(
        Values(
            texts,
            rows,
            np.diff(starts),
            starts,
            codes,
            _by_chunk(starts, codes, partial(_letters, own=own)),
            _by_chunk(starts, codes, _bigrams),
        )
        for texts, rows, starts, codes in plain
    )


def _chunks(starts: I64) -> Iterator[slice]:
    """Slices of rows with about CHUNK characters; a longer string is alone."""
    lo, n = 0, len(starts) - 1
    while lo < n:
        hi = max(int(np.searchsorted(starts, starts[lo] + CHUNK, side="right")) - 1, lo + 1)
        yield slice(lo, hi)
        lo = hi


def _by_chunk(starts: I64, codes: Codes, of: Callable[[Codes, I64], U64]) -> U64:
    none = np.zeros(0, np.uint64)
    return np.concatenate([none, *(of(*_part(codes, starts, rows)) for rows in _chunks(starts))])


def _part(codes: Codes, starts: I64, rows: slice) -> tuple[Codes, I64]:
    edges = starts[rows.start : rows.stop + 1]
    return codes[edges[0] : edges[-1]], edges - edges[0]


def _count(codes: Codes, starts: I64) -> tuple[I64, I64]:
    """Features and how many strings have them."""
    none = np.zeros(0, np.int64)
    found = [np.unique(_features(*_part(codes, starts, rows))[1], return_counts=True) for rows in _chunks(starts)]
    kinds, place = np.unique(np.concatenate([none, *(kinds for kinds, _ in found)]), return_inverse=True)
    count = np.bincount(place, np.concatenate([none, *(count for _, count in found)]), minlength=len(kinds))
    return kinds, count.astype(np.int64)


def _letters(codes: Codes, starts: I64, own: I64) -> U64:
    owner, kinds = _features(codes, starts)
    return _gather(owner, _bits(kinds, own), len(starts) - 1)


def _ordered(texts: Sequence[str]) -> tuple[Texts, I64, I64, Codes]:
    """Texts by (length, given order) with the row each came from, offsets and code points."""
    held = np.empty(len(texts), object)
    held[:] = texts
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    rows = np.argsort(lengths, kind="stable")
    held, lengths = held[rows], lengths[rows]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    codes = np.frombuffer("".join(held).encode("utf-32-le", "surrogatepass"), np.uint32)
    return held, rows, starts, codes


def _features(codes: Codes, starts: I64) -> tuple[I64, I64]:
    """Every (character, occurrence) as (owner row, feature), grouped by owner."""
    owner = np.repeat(np.arange(len(starts) - 1, dtype=np.int64), np.diff(starts))
    key = np.sort((owner << _CODE_BITS) | codes.astype(np.int64))
    if not len(key):
        return key, key
    change = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    run = np.diff(np.append(change, len(key)))
    occurrence = np.arange(len(key)) - np.repeat(change, run)
    code = key & ((np.int64(1) << _CODE_BITS) - 1)
    return key >> _CODE_BITS, (np.minimum(occurrence, 255) << _CODE_BITS) | code


def _choose_bits(counted: Sequence[tuple[I64, I64]]) -> I64:
    """The features that get a bit of their own: the most frequent ones; ties by feature. Ascending."""
    seen, place = np.unique(np.concatenate([kinds for kinds, _ in counted]), return_inverse=True)
    count = np.bincount(place, np.concatenate([count for _, count in counted]), minlength=len(seen))
    best = np.lexsort((seen, -count))[:OWN_BITS]
    return np.sort(seen[best])


def _bits(kinds: I64, own: I64) -> U64:
    place = np.searchsorted(own, kinds)
    place = np.minimum(place, max(len(own) - 1, 0))
    mine = own[place] == kinds if len(own) else np.zeros(len(kinds), bool)
    with np.errstate(over="ignore"):
        shared = OWN_BITS + ((kinds.astype(np.uint64) * _MIX) >> np.uint64(61)).astype(np.int64)
    return np.uint64(1) << np.where(mine, place, shared).astype(np.uint64)


def _gather(owner: I64, bits: U64, n: int) -> U64:
    """OR of the bits of each owner; owners ascend."""
    out = np.zeros(n, np.uint64)
    if len(owner):
        first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
        out[owner[first]] = np.bitwise_or.reduceat(bits, first)
    return out


def _bigrams(codes: Codes, starts: I64) -> U64:
    n = len(starts) - 1
    owner = np.repeat(np.arange(n, dtype=np.int64), np.diff(starts))
    inside = owner[1:] == owner[:-1]
    first, second = codes[:-1][inside].astype(np.uint64), codes[1:][inside].astype(np.uint64)
    with np.errstate(over="ignore"):
        mixed = (first * _MIX + second) * _MIX2
    return _gather(owner[:-1][inside], np.uint64(1) << (mixed >> np.uint64(58)), n)
