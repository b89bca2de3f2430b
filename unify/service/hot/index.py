"""From 128 bits to a place: sorted halves and bisection in mapped memory, about a microsecond for a million.

Ids and digests are spread evenly, so their first 16 bits say where to look: of a million, 15 share them, and four steps
of bisection do. Memory: 20 bytes an entry.
"""

from bisect import bisect_left
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unify.service.hot.packed import Pack, PackWriter

BUCKETS: Final = 2**16
SHIFT: Final = 48

Halves = npt.NDArray[np.uint64]


def halves(digits: "pa.Array[Any]") -> Halves:
    """Texts of 32 hexadecimal digits as rows of two numbers."""
    if not len(digits):
        return np.empty((0, 2), np.uint64)
    data = digits.cast(pa.binary()).buffers()[2]
    text = memoryview(data)[32 * digits.offset : 32 * (digits.offset + len(digits))]
    return np.frombuffer(bytes.fromhex(str(text, "ascii")), dtype=">u8").astype(np.uint64).reshape(-1, 2)


def order_of(keys: Halves) -> npt.NDArray[np.int64]:
    """Where each key stands when they are sorted as text."""
    return np.lexsort((keys[:, 1], keys[:, 0]))


def write(pack: PackWriter, name: str, keys: Halves, places: npt.NDArray[np.int32] | None) -> None:
    """The sections of an index. `keys` are sorted; `places`: what is found, None: the number of the key itself."""
    high = np.ascontiguousarray(keys[:, 0])
    edges = np.arange(BUCKETS, dtype=np.uint64) << np.uint64(SHIFT)
    starts = np.append(np.searchsorted(high, edges), len(high)).astype(np.uint32)
    pack.section(f"{name}.high", [high])
    pack.section(f"{name}.low", [np.ascontiguousarray(keys[:, 1])])
    pack.section(f"{name}.starts", [starts])
    if places is not None:
        pack.section(f"{name}.places", [places.astype(np.int32)])


class Index:
    """One index of a packed file."""

    __slots__ = ("_high", "_low", "_places", "_starts")

    def __init__(self, pack: Pack, name: str, *, places: bool) -> None:
        self._high, self._low = pack.numbers(f"{name}.high", "Q"), pack.numbers(f"{name}.low", "Q")
        self._starts = pack.numbers(f"{name}.starts", "I")
        self._places = pack.numbers(f"{name}.places", "i") if places else None

    def __len__(self) -> int:
        return len(self._high)

    def find(self, digits: bytes | str) -> int | None:
        """What 32 hexadecimal digits lead to; None when they are not there."""
        first, highs = int(digits[:16], 16), self._high
        bucket = first >> SHIFT
        end = self._starts[bucket + 1]
        at = bisect_left(highs, first, self._starts[bucket], end)
        while at < end and highs[at] == first:
            if self._low[at] == int(digits[16:], 16):
                found: int = at if self._places is None else self._places[at]
                return found
            at += 1
        return None

    def digits(self, at: int) -> str:
        """The key at a place of the sorted keys."""
        return f"{self._high[at]:016x}{self._low[at]:016x}"
