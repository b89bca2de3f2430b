"""What changed a segment between two runs: data, rule, identity or time. Every customer has exactly one cause.

    before ──clock moved──▶ ──identity changed──▶ ──data changed──▶ ──rule changed──▶ after
    old rule,  old rule,        the same, carried      old rule,          new rule,
    old data,  old data,        to the customers       new data,          new data,
    old clock  new clock        of the new data        new clock          new clock

One thing at a time is exchanged, in this order: first time, which nobody did; then who is who; then what is known of
them; the rule last, because it is the one thing that somebody decided. A customer's cause is the last step that
changed whether they are in, so what one step did and another undid does not count, and the sums are exact.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pyroaring import BitMap

from segments.membership.identity import Changes, follow
from unify.core.errors import QueryError
from unify.core.insight_reports import Cause, Drift, Moved

Members = BitMap | Callable[[], BitMap]
"""A set of customers, or how to find it when it is needed."""
CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass(frozen=True)
class Identity:
    """How customers of the old data became those of the new, by ordinal.

    merged   a customer that is gone → the one it was merged into
    split    a new customer → the one that its records were split from
    """

    merged: Mapping[int, int]
    split: Mapping[int, int]

    def __call__(self, members: BitMap) -> BitMap:
        """The members after merges and splits: who received a member's records is in, who was merged away is not."""
        gone = BitMap(o for o in self.merged if o in members)
        received = BitMap(self._end(o) for o in gone)
        kept = (members - gone) | received
        born = BitMap(new for new, old in self.split.items() if old in members)
        return kept | born

    def _end(self, ordinal: int) -> int:
        """The customer it is in the end; merges may follow each other. QueryError when they go round."""
        here, seen = ordinal, {ordinal}
        while here in self.merged:
            here = self.merged[here]
            if here in seen:
                raise QueryError(f"customer {ordinal} was merged into itself", where="merged")
            seen.add(here)
        return here


SAME = Identity({}, {})
Carry = Callable[[BitMap], BitMap]


def heirs(steps: Sequence[Changes]) -> Carry:
    """By the changes of customers in the generations between, oldest first (segments/membership/identity.py).

    Customers whose records were all deleted have no heir; they stay here, because that is a change of data.
    """

    def carry(members: BitMap) -> BitMap:
        found = follow(members, steps)
        return found.all | (members - found.kept - BitMap(found.origin))

    return carry


@dataclass(frozen=True)
class Drifted:
    """The report, and who it is about: cause → ordinals that entered, and that left."""

    report: Drift
    entered: Mapping[Cause, BitMap]
    left: Mapping[Cause, BitMap]


def drift(
    before: BitMap,
    after: BitMap,
    *,
    old_rule_old_data_new_clock: Members | None = None,
    old_rule_new_data_new_clock: Members | None = None,
    identity: Carry = SAME,
    name: str = "segment",
) -> Drifted:
    """Who entered and left, split by cause. Pure: sets of ordinals, or functions that find them, are handed over.

    before, after                   members as the two runs found them
    old_rule_old_data_new_clock     None: time alone changes nothing, as where no rule says `now`
    old_rule_new_data_new_clock     None: the rule did not change
    identity                        members of the old data → the same customers in the new; `heirs`, or an Identity

    A segment that only one of the runs had: hand over an empty set for the other, and `old_rule…` as empty sets.
    """
    if before == after:
        return _drifted(before, after, dict.fromkeys(CAUSES, BitMap()), dict.fromkeys(CAUSES, BitMap()), name)
    timed = before if old_rule_old_data_new_clock is None else _found(old_rule_old_data_new_clock)
    renewed = after if old_rule_new_data_new_clock is None else _found(old_rule_new_data_new_clock)
    states = [before, timed, identity(timed), renewed, after]
    entered, left = after - before, before - after
    entered_by, left_by = dict[Cause, BitMap](), dict[Cause, BitMap]()
    for cause, earlier, later in reversed(list(zip(CAUSES, states, states[1:], strict=False))):
        entered_by[cause] = entered & (later - earlier)
        left_by[cause] = left & (earlier - later)
        entered, left = entered - entered_by[cause], left - left_by[cause]
    return _drifted(before, after, entered_by, left_by, name)


def _found(members: Members) -> BitMap:
    return members if isinstance(members, BitMap) else members()


def _drifted(
    before: BitMap, after: BitMap, entered: Mapping[Cause, BitMap], left: Mapping[Cause, BitMap], name: str
) -> Drifted:
    report = Drift(
        segment=name,
        before=len(before),
        after=len(after),
        entered=len(after - before),
        left=len(before - after),
        stayed=len(before & after),
        causes=[Moved(cause=c, entered=len(entered[c]), left=len(left[c])) for c in CAUSES],
    )
    return Drifted(report, {c: entered[c] for c in CAUSES}, {c: left[c] for c in CAUSES})
