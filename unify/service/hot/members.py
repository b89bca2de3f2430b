"""Members of segments, packed: one bit a customer, or a list of places where that is shorter.

Places are those of the sorted CustomerIds, so that members come in the order in which OData gives them, and a page
begins anywhere at once. A million customers take 125 kB a segment at most.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from unify.service.hot.packed import Pack, PackWriter

BLOCK: Final = 8192
"""Customers between two counts: 1 kB of bits, looked through in some microseconds."""

Bits = npt.NDArray[np.uint8]


class Members(Protocol):
    """A set of places."""

    count: int

    def has(self, place: int) -> bool:
        """Whether a customer is in."""

    def slice(self, begin: int, count: int) -> Sequence[int]:
        """Members number `begin` and following, ascending; fewer at the end."""

    def before(self, place: int) -> int:
        """How many members come before a place."""

    def bits(self) -> Bits:
        """All as bits, the first customer's lowest."""


class Everybody:
    """All customers."""

    def __init__(self, count: int) -> None:
        self.count = count

    def has(self, place: int) -> bool:
        """See Members."""
        return True

    def slice(self, begin: int, count: int) -> Sequence[int]:
        """See Members."""
        return range(begin, min(begin + count, self.count))

    def before(self, place: int) -> int:
        """See Members."""
        return place

    def bits(self) -> Bits:
        """See Members."""
        return np.packbits(np.ones(self.count, np.uint8), bitorder="little")


class Listed:
    """Few members: their places, sorted."""

    def __init__(self, places: memoryview) -> None:
        self._places, self.count = places, len(places)

    def has(self, place: int) -> bool:
        """See Members."""
        at = bisect_left(self._places, place)
        return at < self.count and bool(self._places[at] == place)

    def slice(self, begin: int, count: int) -> Sequence[int]:
        """See Members."""
        return self._places[begin : begin + count].tolist()

    def before(self, place: int) -> int:
        """See Members."""
        return bisect_left(self._places, place)

    def bits(self) -> Bits:
        """See Members."""
        last = self._places[-1] if self.count else -1
        return _bits(np.asarray(self._places, np.uint32), last + 1)


class Marked:
    """Many members: a bit for each customer, and how many there are before each block."""

    def __init__(self, bits: memoryview, before: memoryview, count: int) -> None:
        self._bits, self._before, self.count = bits, before, count

    def has(self, place: int) -> bool:
        """See Members."""
        at = place >> 3
        return at < len(self._bits) and bool(self._bits[at] >> (place & 7) & 1)

    def slice(self, begin: int, count: int) -> Sequence[int]:
        """See Members."""
        if begin >= self.count or count <= 0:
            return ()
        first = bisect_right(self._before, begin) - 1
        end = bisect_left(self._before, min(begin + count, self.count))
        part = np.frombuffer(self._bits[first * BLOCK >> 3 : end * BLOCK >> 3], np.uint8)
        found = np.flatnonzero(np.unpackbits(part, bitorder="little")) + first * BLOCK
        skipped = begin - self._before[first]
        places: list[int] = found[skipped : skipped + count].tolist()
        return places

    def before(self, place: int) -> int:
        """See Members."""
        block = place // BLOCK
        if block >= len(self._before) - 1:
            return self.count
        inside = np.frombuffer(self._bits[block * BLOCK >> 3 : (place + 7) >> 3], np.uint8)
        unpacked = np.unpackbits(inside, bitorder="little")[: place - block * BLOCK]
        return int(self._before[block]) + int(np.count_nonzero(unpacked))

    def bits(self) -> Bits:
        """See Members."""
        return np.frombuffer(self._bits, np.uint8)


def marked(bits: Bits) -> Marked:
    """Members in memory of this process alone: what was worked out of others."""
    before = _counts(bits)
    return Marked(np.ascontiguousarray(bits).data, before.data, int(before[-1]))


def union(sets: Sequence[Members]) -> Marked:
    """Who is in one of them at least."""
    return marked(_combined(sets, np.bitwise_or))


def intersection(sets: Sequence[Members]) -> Marked:
    """Who is in all of them."""
    return marked(_combined(sets, np.bitwise_and))


def _combined(sets: Sequence[Members], combine: Any) -> Bits:
    bits = [one.bits() for one in sets]
    longest = max((len(b) for b in bits), default=0)
    padded = [np.pad(b, (0, longest - len(b))) for b in bits]
    found: Bits = combine.reduce(padded) if padded else np.zeros(0, np.uint8)
    return found


def _bits(places: npt.NDArray[Any], customers: int) -> Bits:
    flags = np.zeros(customers, np.uint8)
    flags[places] = 1
    return np.packbits(flags, bitorder="little")


def _counts(bits: Bits) -> npt.NDArray[np.uint32]:
    """Members before each block, and in all."""
    ones = np.unpackbits(bits)
    blocks = np.pad(ones, (0, -len(ones) % BLOCK)).reshape(-1, BLOCK)
    return np.concatenate(([0], np.cumsum(blocks.sum(axis=1, dtype=np.uint32)))).astype(np.uint32)


# ── packed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_members(pack: PackWriter, number: int, places: npt.NDArray[np.uint32], customers: int) -> dict[str, Any]:
    """One set, in sections of its own; what the head says of it. `places` are sorted."""
    if 4 * len(places) <= customers / 8:
        pack.section(f"{number}.places", [places])
        return {"count": len(places), "listed": True}
    bits = _bits(places, customers)
    pack.section(f"{number}.bits", [bits])
    pack.section(f"{number}.before", [_counts(bits)])
    return {"count": len(places), "listed": False}


def read_members(pack: Pack, number: int, said: dict[str, Any]) -> Members:
    """The set that `write_members` wrote."""
    if said["listed"]:
        return Listed(pack.numbers(f"{number}.places", "I"))
    return Marked(pack.bytes(f"{number}.bits"), pack.numbers(f"{number}.before", "I"), said["count"])
