"""A few merges worth looking at: customers of several entities whose records disagree. For the report page."""

from collections.abc import Sequence

from unify.conflation.explain import Explainer
from unify.core.engine import Engine
from unify.core.explanations import Explanation
from unify.core.steps import Query

CANDIDATES = 24
"""Customers that are explained to choose among; explaining one takes some ten milliseconds."""
READABLE = 8
"""Records that still fit on a page side by side."""

LARGEST = """
SELECT CustomerId FROM members GROUP BY CustomerId
HAVING count(*) BETWEEN 2 AND $readable
ORDER BY count(DISTINCT entity) DESC, count(*) DESC, CustomerId LIMIT $candidates"""


def telling_merges(engine: Engine, explainer: Explainer, count: int = 4) -> list[Explanation]:
    """At most `count` customers: those in which the most values are contested, largest first among equals.

    Empty for a generation without customers.
    """
    found = engine.fetch(Query(LARGEST, {"readable": READABLE, "candidates": CANDIDATES})).column(0).to_pylist()
    explained = [explainer.customer(customer) for customer in found]
    return _distinct_rules(sorted(explained, key=_telling), count)


def _telling(merge: Explanation) -> tuple[int, int, int, str]:
    contested = sum(bool(value.others) for value in merge.values)
    entities = len({record.record.partition(":")[0] for record in merge.records})
    return -contested, -entities, -len(merge.records), merge.records[0].record


def _distinct_rules(ranked: Sequence[Explanation], count: int) -> list[Explanation]:
    """The best of every combination of rules first: four merges by one rule would show one thing."""
    seen: set[frozenset[str]] = set()
    first: list[Explanation] = []
    rest: list[Explanation] = []
    for merge in ranked:
        rules = frozenset(hop.rule for hop in merge.links)
        (rest if rules in seen else first).append(merge)
        seen.add(rules)
    return [*first, *rest][:count]
