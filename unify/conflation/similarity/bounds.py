"""How much two strings of given lengths may differ and still pass: the one place where thresholds become integers.

For every pair of lengths, `allowance` says how many characters of A may be missing from B and the other way round
(counted as multisets), −1 when no such pair can pass. Sources of each bound are proved in docs/similarity-join.md.
All arithmetic on thresholds is in integers, so no pair is lost to rounding.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
IMPOSSIBLE = -1


class Bounds(Protocol):
    """What a comparison lets through, as numbers."""

    def allowance(self, a: I64, b: I64) -> tuple[I64, I64]:
        """Characters of A that B may lack, and the other way round, by lengths; IMPOSSIBLE if none can pass."""

    def bigrams(self, lost: I64, gained: I64) -> tuple[I64, I64] | None:
        """From an allowance: bigrams of A that B may lack, and of B that A may lack. None: no such bound."""

    def edits(self, longer: int, shorter: int) -> int:
        """Edit operations a passing pair may need, IMPOSSIBLE if none passes; only where `segmented`."""

    @property
    def segmented(self) -> bool:
        """Whether an edit touches few segments, so that some segment survives (PassJoin)."""

    @property
    def gap(self) -> int:
        """Characters to leave between segments: 1 where one edit may exchange neighbours."""

    @property
    def parity(self) -> bool:
        """Edits are insertions and deletions only, so the shift of a segment has the parity of the edits before it."""


@dataclass(frozen=True)
class EditBounds:
    """Levenshtein (gap 0); OSA and Damerau-Levenshtein (gap 1): d <= (1 − t) · max(length)."""

    percent: int
    gap: int
    segmented: bool = True
    parity: bool = False

    def allowance(self, a: I64, b: I64) -> tuple[I64, I64]:
        """An edit takes at most one character off each side; the length difference is spent already."""
        most = (100 - self.percent) * np.maximum(a, b) // 100
        lost, gained = most - np.maximum(b - a, 0), most - np.maximum(a - b, 0)
        dead = np.abs(a - b) > most
        return np.where(dead, IMPOSSIBLE, lost), np.where(dead, IMPOSSIBLE, gained)

    def bigrams(self, lost: I64, gained: I64) -> tuple[I64, I64] | None:
        """One edit breaks at most two bigrams of a side, an exchange of neighbours three."""
        most = np.maximum(lost, gained) * (3 if self.gap else 2)
        return most, most

    def edits(self, longer: int, shorter: int) -> int:
        """Depends on the longer length alone."""
        most = (100 - self.percent) * longer // 100
        return most if longer - shorter <= most else IMPOSSIBLE


@dataclass(frozen=True)
class IndelBounds:
    """Token sort: insertions and deletions only, d <= (1 − t) · (sum of lengths), over the sorted tokens.

    `whole` is False for token set, where common tokens do not stand in line and only characters can be counted.
    """

    percent: int
    whole: bool = True
    gap: int = 0
    parity: bool = True

    @property
    def segmented(self) -> bool:
        """Segments need one alignment of the whole string."""
        return self.whole

    def allowance(self, a: I64, b: I64) -> tuple[I64, I64]:
        """Deletions minus insertions is the length difference; their sum is at most d."""
        most = (100 - self.percent) * (a + b) // 100
        lost, gained = (most + a - b) // 2, (most + b - a) // 2
        dead = (lost < 0) | (gained < 0)
        return np.where(dead, IMPOSSIBLE, lost), np.where(dead, IMPOSSIBLE, gained)

    def bigrams(self, lost: I64, gained: I64) -> tuple[I64, I64] | None:
        """A deletion breaks two bigrams of its side, an insertion one."""
        return (2 * lost + gained, 2 * gained + lost) if self.whole else None

    def edits(self, longer: int, shorter: int) -> int:
        """The largest number of the right parity."""
        most = (100 - self.percent) * (longer + shorter) // 100
        spare = most - (longer - shorter)
        return IMPOSSIBLE if spare < 0 else longer - shorter + spare // 2 * 2


WINKLER_BOOST_ABOVE = 0.7
"""rapidfuzz adds the prefix bonus only to a Jaro similarity above this."""
PREFIX_WEIGHT = 0.1
SLACK = 1e-9
"""Taken off real-valued bounds: far above rounding, far below 1/(length) of any string that fits in memory."""


@dataclass(frozen=True)
class WinklerBounds:
    """Jaro-Winkler: with m matched characters, Jaro <= (m/|a| + m/|b| + 1) / 3, and m <= common characters."""

    percent: int
    segmented: bool = False
    gap: int = 0
    parity: bool = False

    def _least_jaro(self, prefix: int) -> float:
        t = self.percent / 100
        if t <= WINKLER_BOOST_ABOVE:
            return t
        return max(WINKLER_BOOST_ABOVE, (t - PREFIX_WEIGHT * prefix) / (1 - PREFIX_WEIGHT * prefix))

    def allowance(self, a: I64, b: I64) -> tuple[I64, I64]:
        """With the longest prefix that counts."""
        return self.refine(a, b, np.full(1, 4))

    def refine(self, a: I64, b: I64, prefix: I64) -> tuple[I64, I64]:
        """With this many equal characters at the front (0 to 4)."""
        least = np.array([self._least_jaro(p) for p in range(5)])[prefix]
        total = np.maximum(a + b, 1)
        matches = np.ceil((3 * least - 1) * a * b / total - SLACK * total).astype(np.int64)
        matches = np.maximum(matches, 1)
        dead = matches > np.minimum(a, b)
        return np.where(dead, IMPOSSIBLE, a - matches), np.where(dead, IMPOSSIBLE, b - matches)

    def bigrams(self, lost: I64, gained: I64) -> tuple[I64, I64] | None:
        """Matches may stand apart: nothing is known about neighbours."""
        del lost, gained
        return None

    def edits(self, longer: int, shorter: int) -> int:
        """Not an edit distance."""
        raise NotImplementedError(f"Jaro-Winkler has no edits ({longer}, {shorter})")
