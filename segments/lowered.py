"""A segment, ready to be evaluated: one predicate tree over Customer, plus the blocks that no predicate can say.

A block (top 100 by spend, a sequence of events, a list of customers, SQL) finds a set of customers by itself. The tree
names it as it names other segments, `MemberOf("#…")`, so that every evaluator of trees works with blocks too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pyroaring import BitMap

from segments.model import Model
from segments.predicates import tree as p
from unify.core.engine import Engine


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a block finds its members. `clock`: the run's moment, UTC."""

    engine: Engine
    model: Model
    clock: datetime


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


def depends_on(found: Lowered) -> frozenset[str]:
    """The segments that must be there before this one is worked out."""
    named = {s for s in p.segments_named(found.expr) if not s.startswith("#")}
    return frozenset(named).union(*(block.segments for block in found.blocks.values()))
