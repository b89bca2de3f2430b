"""The first or last event of a kind, and what it is like."""

from dataclasses import dataclass

from pyroaring import BitMap

from segments.blocks.condition import bitmap
from segments.blocks.events import compiled, query
from segments.lowered import Scope
from segments.predicates import tree as p
from segments.predicates.sentence import sentence


@dataclass(frozen=True)
class EdgeEvent:
    """Customers whose first (or last) event of a kind meets a condition. Of events at one moment the smallest (largest)
    ActivityId decides; events at an unknown time are left aside."""

    kind: p.Expr
    meets: p.Expr
    last: bool

    @property
    def sentence(self) -> str:
        """`the last event with (…) meets (…)`."""
        return (
            f"the {'last' if self.last else 'first'} event with ({sentence(self.kind)}) meets ({sentence(self.meets)})"
        )

    @property
    def segments(self) -> frozenset[str]:
        """Segments that conditions name."""
        return p.segments_named(self.kind) | p.segments_named(self.meets)

    def members(self, scope: Scope) -> BitMap:
        """One scan; per customer the outermost event is kept, with what was asked of it."""
        (meets,), kind, compiler = compiled(scope, (self.meets,), self.kind)
        at, ordinal = compiler.column("ActivityTime"), compiler.column("ordinal")
        edge = "arg_max" if self.last else "arg_min"
        sql = (
            f"SELECT ordinal FROM (SELECT {ordinal} AS ordinal, {meets} AS meets, {at} AS time,\n"
            f"  {compiler.column('ActivityId')} AS id FROM {compiler.source} \n"
            f"  WHERE {at} IS NOT NULL AND {kind}) AS events\n"
            f"GROUP BY ordinal HAVING {edge}(meets, ROW(time, id))"
        )
        return bitmap(scope.engine.fetch(query(sql, compiler)))
