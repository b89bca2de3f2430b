"""A declared segment as one predicate tree over Customer, plus the blocks that no predicate can say.

    Segment ──lower──▶ Lowered(expr, blocks, rules)

A block (top 100 by spend, a sequence of events, a list of customers, SQL) finds a set of customers by itself. The tree
names it as it names other segments, `MemberOf("#…")`, so that every evaluator of trees works with blocks too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pyroaring import BitMap

from segments.model import Model
from segments.predicates import tree as p
from unify.core.engine import Engine
from unify.core.errors import SpecError
from unify.spec.criteria import AllOf, AnyOf, InSegment, NotThis
from unify.spec.segment import Segment


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a block finds its members. `clock`: the run's moment, UTC. `timezone`: of the segment."""

    engine: Engine
    model: Model
    clock: datetime
    timezone: str


class Block(Protocol):
    """A set of customers that is found by its own means. Frozen and hashable: equal blocks are worked out once."""

    @property
    def sentence(self) -> str:
        """In words, as part of a segment's sentence: `among the top 100 by TotalSpend`."""

    @property
    def segments(self) -> frozenset[str]:
        """Segments it names; their tables are in the model's catalog when `members` is called."""

    def members(self, scope: Scope) -> BitMap:
        """Ordinals of the customers in it; QueryError as bind raises it."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A segment, ready to be evaluated.

    expr    over Customer; `MemberOf` names segments, or blocks by their key
    blocks  key (begins with `#`, derived from what the block says) → block
    rules   name of a rule → its own expression, in order, for counts per rule; empty when there is one rule
    """

    expr: p.Expr
    blocks: Mapping[str, Block] = field(default_factory=dict)
    rules: tuple[tuple[str, p.Expr], ...] = ()


def lower(
    segment: Segment,
    model: Model,
    *,
    name: str = "",
    base_clock: datetime | None = None,
    known: Collection[str] | None = None,
) -> Lowered:
    """What a declared segment says, as one predicate over Customer and blocks.

    name        of the segment: for places in messages, and for a list that stands in a file
    base_clock  every `now` is this moment; None: the clock of whoever evaluates
    known       segments that may be named; None: unknown ones are found when the tree is bound

    Raises QueryError with the place, `segments.vip.where.all[1]`: unknown names, values of another type, windows that
    make no sense. The segment's waterfall must have been through `expanded`.
    """
    from segments.lowering_kinds import lowered

    return lowered(segment, model, name, base_clock, known)


def sentence_of(found: Lowered) -> str:
    """A segment in words, its blocks spoken out."""
    from segments.blocks.condition import spoken

    return spoken(found.expr, dict(found.blocks))


def depends_on(found: Lowered) -> frozenset[str]:
    """The segments that must be there before this one is worked out."""
    named = {s for s in p.segments_named(found.expr) if not s.startswith("#")}
    return frozenset(named).union(*(block.segments for block in found.blocks.values()))


def expanded(segments: Mapping[str, Segment]) -> dict[str, Segment]:
    """The same with the segments that waterfalls make, each after its waterfall.

    A waterfall's n-th segment: who is in the n-th segment it takes from and in none of those before; suppressed,
    active, frozen and ended as the waterfall. SpecError when a name is taken.
    """
    found = dict(segments)
    owner = dict.fromkeys(segments, "a segment of that name")
    for name, segment in segments.items():
        for made in segment.waterfall:
            if made in owner:
                raise SpecError(
                    f"{made!r} is taken by {owner[made]}", where=f"segments.{name}.waterfall", hint="use another name"
                )
            owner[made] = f"the waterfall {name}"
        found |= dict(_exclusive(segment))
    return found


def _exclusive(segment: Segment) -> "list[tuple[str, Segment]]":
    made: list[tuple[str, Segment]] = []
    before: list[InSegment] = []
    for name, source in segment.waterfall.items():
        here = InSegment(segment=source)
        where = AllOf(all=(here, NotThis(**{"not": AnyOf(any=tuple(before))}))) if before else here
        shared = {key: getattr(segment, key) for key in _SHARED}
        made.append((name, Segment(where=where, **shared)))
        before.append(here)
    return made


_SHARED = ("suppress", "static", "active", "ends", "timezone", "tags", "projected")
"""What a waterfall's segments have of it."""
