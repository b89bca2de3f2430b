"""Members of the segments and blocks that a definition names: as handed over, else found as a run finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from segments.lowered import Lowered
from segments.membership.evaluate import evaluate
from segments.model import Model
from segments.predicates import tree as p
from segments.why.plan import Known, Plan
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean


@dataclass
class Sets:
    """Finds each set once. `blocks`: members of blocks by key, where somebody has them."""

    engine: Engine
    model: Model
    clock: datetime
    plan: Plan
    known: Mapping[str, Known]
    blocks: Mapping[str, BitMap]
    _found: dict[str, BitMap] = field(default_factory=dict)

    def of(self, name: str) -> BitMap:
        """The members of a segment, or of a block by its key. QueryError as finding them raises it."""
        known = self.known.get(name)
        if name in self.blocks:
            return self.blocks[name]
        if known is not None and known.members is not None:
            return known.members
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> BitMap:
        if name not in self.plan.blocks and name not in self.known:
            raise QueryError(f"there is no segment {name!r}", hint=did_you_mean(name, self.known))
        asked = Lowered(p.MemberOf(name), self.plan.blocks.get(name, {}))
        there = {n: k.members for n, k in self.known.items() if k.members is not None}
        others = {n: k.lowered for n, k in self.known.items() if k.members is None and k.lowered is not None}
        found = evaluate(self.engine, self.model, {**others, _ASKED: asked}, clock=self.clock, known=there)[_ASKED]
        if found.members is None:
            raise found.error or QueryError(f"the members of {name} cannot be found")
        return found.members

    def with_tables(self) -> Model:
        """The model with a table of members for each segment that a leaf asks SQL about."""
        wanted = {s for leaf in self.plan.leaves if leaf.kind == "leaf" for s in p.segments_named(leaf.expr)}
        tables = dict(self.model.catalog.segments)
        for i, name in enumerate(sorted(wanted - set(tables))):
            ids = np.asarray(self.of(name).to_array(), dtype=np.int32)
            self.engine.load(f"~why{i}", pa.table({"ordinal": pa.array(ids)}))
            tables[name] = f"~why{i}"
        return self.model.with_segments(tables)


_ASKED = "#asked"
"""No segment has such a name, and no block's key is this short."""
