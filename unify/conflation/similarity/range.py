"""Numbers and dates within a tolerance: sort one side, look up both ends of every value's range in it.

The ranges are exact, so the number of pairs is known before any pair is made.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unify.conflation.similarity.pairs import Pairs, expand
from unify.conflation.similarity.values import I64

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranges:
    """For each row of the left side, the places [first, first + count) of the ordered right side that are near."""

    first: I64
    count: I64
    order: I64

    def pairs(self) -> Pairs:
        """(left row, right row), each once."""
        found = [(a, self.order[place]) for a, place in expand(self.first, self.count)]
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *(a for a, _ in found)]), np.concatenate([none, *(b for _, b in found)])


def near(left: Points, right: Points, within: float) -> Ranges:
    """Pairs with |left − right| <= within, and perhaps a few that are further apart by a rounding error.

    NaN is near nothing. Values may have been rounded to floats, and left − within is: ranges are opened by eight units
    in the last place on either side. The caller checks the exact difference.
    """
    order = np.argsort(right, kind="stable")
    order = order[: len(order) - int(np.isnan(right).sum())]
    ordered = right[order]
    low, high = left - within, left + within
    slack = 8 * np.spacing(np.abs(left) + within)
    low, high = low - slack, high + slack
    first = np.searchsorted(ordered, low, side="left")
    last = np.searchsorted(ordered, high, side="right")
    return Ranges(first, np.where(np.isnan(left), 0, np.maximum(last - first, 0)), order)
