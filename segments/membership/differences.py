"""Who entered a segment and who left it between two runs, with customers that merged or split carried over.

    A at run a, B at run b; H(c): the heirs of a customer c of A at run b (identity.py)

    entered    in B, and no heir of anybody in A
    left       in A, and none of the heirs is in B; why:
                 criteria   the customer still is one: it does not meet the segment any more
                 merged     it was merged into a customer that is not in
                 gone       no record of it is left
                 unknown    it was founded in a generation that was rolled back since
    carried    in A, with an heir in B that bears another id: merged into it, or split off from it

So a member merged into a customer that is in the segment neither left nor is that customer new; a member whose new part
alone is in did not leave; and both parts of a member that was split are in without an entry.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pyroaring import BitMap

from segments.membership.identity import SAME, Heirs, Kinds, Ordinals

Reason = Literal["criteria", "merged", "gone", "unknown"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Ordinals: `entered` and the heirs in `carried` as of the later run, `left` and the origins as of the earlier.

    left      reason → who; every reason is a key
    origins, heirs, kinds   what was carried, a row per pair
    """

    before: int
    after: int
    entered: BitMap
    left: Mapping[Reason, BitMap]
    origins: Ordinals
    heirs: Ordinals
    kinds: Kinds

    @property
    def all_left(self) -> BitMap:
        """Whoever left, for any reason."""
        return BitMap.union(*self.left.values())


def difference(before: BitMap, after: BitMap, heirs: Heirs, unknown: BitMap | None = None) -> Difference:
    """What changed from `before` to `after`; `heirs` are those of `before`.

    unknown   of `before`, customers that the later generation never knew
    """
    lost = (unknown or BitMap()) & before
    stayed = BitMap(heirs.origin[_in(heirs.heir, after)]) | (heirs.kept & after)
    left = before - stayed - lost
    itself = BitMap(heirs.origin[heirs.kind == SAME]) | heirs.kept
    has_heir = BitMap(heirs.origin) | heirs.kept
    carried = (heirs.kind != SAME) & _in(heirs.heir, after)
    return Difference(
        before=len(before),
        after=len(after),
        entered=after - heirs.all,
        left={
            "criteria": left & itself,
            "merged": (left & has_heir) - itself,
            "gone": left - has_heir,
            "unknown": lost,
        },
        origins=heirs.origin[carried],
        heirs=heirs.heir[carried],
        kinds=heirs.kind[carried],
    )


def _in(ordinals: Ordinals, members: BitMap) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return np.isin(ordinals, np.array(members.to_array(), dtype=np.uint32)) if len(ordinals) else np.zeros(0, bool)
