"""Events in an order: exact, and linear in the events once they are sorted.

    step 1      every such event is the end of a chain that starts with it
    step n      an event ends a chain if one of step n−1 ended earlier, by `max_gap` at most; the latest is taken

The latest one is enough, also for `max_span`: of two chains of n−1 steps the one that ends later can always be made to
start no earlier (where they cross, the later begin goes on with the later end, and no gap grows). So each event of a
step has one predecessor, found by an ASOF join, and each chain the latest start it can have.
"""

from dataclasses import dataclass

from pyroaring import BitMap

from segments.blocks.condition import bitmap
from segments.blocks.events import compiled, query
from segments.criteria.windows import MICROSECONDS, MONTHS
from segments.lowered import Scope
from segments.predicates import tree as p
from segments.predicates.sentence import sentence
from unify.spec.windows import Span


@dataclass(frozen=True)
class Sequence:
    """One event of each step, each strictly later than the one before; events at an unknown time are in none.

    steps     conditions on a row of UnifiedActivity
    window    what all of them meet
    max_gap   from one to the next; None: any
    max_span  from the first to the last
    """

    steps: tuple[p.Expr, ...]
    window: p.Expr = p.TRUE
    max_gap: Span | None = None
    max_span: Span | None = None

    @property
    def sentence(self) -> str:
        """`had (…), later (…), at most 7 days between them`."""
        said = ", later ".join(f"({sentence(step)})" for step in self.steps)
        window = "" if self.window == p.TRUE else f", each with ({sentence(self.window)})"
        gap = f", at most {self.max_gap} from one to the next" if self.max_gap else ""
        span = f", at most {self.max_span} in all" if self.max_span else ""
        return f"had {said}{window}{gap}{span}"

    @property
    def segments(self) -> frozenset[str]:
        """Segments that conditions name."""
        return frozenset().union(*(p.segments_named(part) for part in (*self.steps, self.window)))

    def members(self, scope: Scope) -> BitMap:
        """One scan of the activities; then one join a step."""
        truths, window, compiler = compiled(scope, self.steps, self.window)
        at, ordinal = compiler.column("ActivityTime"), compiler.column("ordinal")
        marks = ", ".join(f"{truth} AS s{i}" for i, truth in enumerate(truths))
        some = " OR ".join(f"s{i}" for i in range(len(truths)))
        gap = "" if self.max_gap is None else f" WHERE e.time <= c.time + {_interval(self.max_gap, 'gap')}"
        events = (
            f"events AS MATERIALIZED (SELECT * FROM (SELECT {ordinal} AS ordinal, {at} AS time, {marks}\n"
            f"  FROM {compiler.source} WHERE {at} IS NOT NULL AND {window}) AS marked WHERE {some})"
        )
        first = "chain0 AS (SELECT DISTINCT ordinal, time, time AS since FROM events WHERE s0)"
        further_steps = [
            f"chain{i} AS (SELECT e.ordinal, e.time, c.since\n"
            f"  FROM (SELECT DISTINCT ordinal, time FROM events WHERE s{i}) AS e\n"
            f"  ASOF JOIN chain{i - 1} AS c ON e.ordinal = c.ordinal AND e.time > c.time{gap})"
            for i in range(1, len(self.steps))
        ]
        span = "" if self.max_span is None else f" WHERE time <= since + {_interval(self.max_span, 'span')}"
        with_parts = ",\n".join([events, first, *further_steps])
        sql = f"WITH {with_parts}\nSELECT DISTINCT ordinal FROM chain{len(self.steps) - 1}{span}"
        lengths = {"gap": self.max_gap, "span": self.max_span}
        further = {name: _length(span) for name, span in lengths.items() if span is not None}
        return bitmap(scope.engine.fetch(query(sql, compiler, **further)))


def _interval(span: Span, name: str) -> str:
    kind = "to_months(CAST($%s AS INTEGER))" if span.unit in MONTHS else "to_microseconds(CAST($%s AS BIGINT))"
    return kind % name


def _length(span: Span) -> int:
    return span.count * (MONTHS[span.unit] if span.unit in MONTHS else MICROSECONDS[span.unit])
