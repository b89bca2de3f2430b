"""A predicate over customers as a set: its leaves by SQL, its blocks and segments as bitmaps."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from segments.lowered import Block, Scope
from segments.model import ORDINAL
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.bitmaps import combine, leaves, materialise
from segments.predicates.sentence import sentence
from unify.core.names import quote
from unify.core.steps import Query


@dataclass(frozen=True)
class Condition:
    """`expr` over customers; `blocks` are the ones it names."""

    expr: p.Expr
    blocks: tuple[tuple[str, Block], ...] = ()

    @property
    def sentence(self) -> str:
        """In words, blocks spoken out."""
        return spoken(self.expr, dict(self.blocks))

    @property
    def segments(self) -> frozenset[str]:
        """Segments it and its blocks name."""
        named = {s for s in p.segments_named(self.expr) if not s.startswith("#")}
        return frozenset(named).union(*(block.segments for _, block in self.blocks))

    def members(self, scope: Scope) -> BitMap:
        """The customers for whom it is true."""
        blocks = dict(self.blocks)
        catalog = scope.model.catalog

        def found(name: str) -> BitMap:
            if name in blocks:
                return blocks[name].members(scope)
            return bitmap(scope.engine.fetch(Query(f"SELECT ordinal FROM {quote(catalog.segments[name])}")))

        # What a block finds has no table, so the tree is bound with any name in its place.
        known = dict(catalog.segments) | dict.fromkeys(blocks, catalog.customers)
        bind_predicate(self.expr, scope.model.with_segments(known).catalog, catalog.customers)
        truths = materialise(leaves(self.expr), catalog, catalog.customers, scope.engine.fetch, clock=scope.clock)
        return combine(self.expr, everybody(scope), truths, found).true


def everybody(scope: Scope) -> BitMap:
    """All customers."""
    return bitmap(scope.engine.fetch(Query(f"SELECT {ORDINAL} FROM {quote(scope.model.catalog.customers)}")))


def bitmap(answer: pa.Table) -> BitMap:
    """The ordinals in the first column of an answer."""
    return BitMap(answer.column(0).to_numpy().astype(np.uint32))


def spoken(expr: p.Expr, blocks: dict[str, Block]) -> str:
    """The sentence of a tree, with those of its blocks in the places of their keys."""
    text = sentence(expr)
    for key, block in blocks.items():
        text = text.replace(f'in segment "{key}"', block.sentence)
    return text
