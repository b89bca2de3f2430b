"""A scored rule of the plan makes its links: the same tables as other rules, and its model.

makes  links_<n>, ignored_<n>    as pairs.py
       evidence_model_<n>        rows of `evidence_model`
       evidence_overlaps_<n>     rows of `evidence_overlaps`
       evidence_kinds_<n>        rows of `evidence_kinds`
       evidence_terms_<n>        rows of `evidence_terms`
"""

from time import perf_counter

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

from unify.conflation.evidence.candidates import Candidates, candidates
from unify.conflation.evidence.linkage import CAP, Linked, group
from unify.conflation.evidence.model import Model, fit, probability
from unify.conflation.evidence.stored import kinds_table, model_rows, model_table, overlaps_table, terms_table
from unify.conflation.evidence.values import Compared, Flags, Floats, Ints, compared
from unify.conflation.evidence.weights import Scorer
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine
from unify.core.errors import OverloadError
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan

BUDGET = 1_000_000
"""Candidate pairs that any rule may make ..."""
BUDGET_PER_RECORD = 40
"""... and so many per record besides; never more than the plan's max_pairs."""
LINKS = pa.schema([("a", pa.int32()), ("b", pa.int32()), ("rule", pa.int16()), ("score", pa.float32())])


class EvidenceRunner:
    """Runs one scored rule on an engine: `EvidenceRunner(engine, plan, bound, without).run()`."""

    def __init__(self, engine: Engine, plan: ConflationPlan, bound: BoundRule, without: str = "") -> None:
        """`without` selects the rids of lower records that an earlier rule already matched."""
        self.engine, self.plan, self.bound, self.n = engine, plan, bound, bound.number
        self.rids, self.lower, self.values = read_values(engine, bound, without=without)

    def run(self) -> RuleReport:
        """Make links_<n>, evidence_model_<n>, evidence_terms_<n>, and ignored_<n> where something was left out.

        Raises OverloadError when the plan refuses what its max_pairs does not allow.
        """
        started = perf_counter()
        found = self._candidates()
        model = fit(self.values, found.left, found.right, self.lower)[0] if len(found.left) else None
        self._keep(model)
        links = self._links(found, model)
        self._ignored(found)
        bound = self.bound
        return RuleReport(
            rule=self.n,
            kind=bound.kind,
            name=bound.rule.name,
            left=bound.left.entity,
            right=bound.right.entity,
            sentence=bound.sentence,
            shape="scored",
            candidates=len(found.left),
            links=links,
            ignored=len(found.left_out),
            seconds=round(perf_counter() - started, 3),
            entities=bound.entities,
        )

    def _candidates(self) -> Candidates:
        records = len(self.rids)
        budget = min(self.plan.max_pairs, BUDGET + BUDGET_PER_RECORD * records)
        empty = np.empty(0, dtype=np.int64)
        if records < 2:
            return Candidates(empty, empty)
        found = candidates(self.values, self.lower, budget)
        if found.short and self.plan.overload == "refuse" and budget == self.plan.max_pairs:
            raise OverloadError(
                f"would compare {found.short:,} pairs more than the plan allows ({budget:,})",
                where=f"rule {self.bound.rule.name!r}",
                hint="raise conflation.max_pairs, or set conflation.overload: degrade to compare the most telling ones",
            )
        return found

    def _keep(self, model: Model | None) -> None:
        rows = list(model_rows(self.n, self.values, model)) if model else []
        self.engine.load(f"evidence_model_{self.n}", model_table(rows))
        self.engine.load(f"evidence_overlaps_{self.n}", overlaps_table(self.n, model))
        self.engine.load(f"evidence_kinds_{self.n}", kinds_table(self.n, model))
        self.engine.load(f"evidence_terms_{self.n}", terms_table(self.n, self.values if model else ()))

    def _links(self, found: Candidates, model: Model | None) -> int:
        if model is None:
            return self.engine.load(f"links_{self.n}", LINKS.empty_table())
        weigh = Weigher(self.engine, self.bound, self.rids, self.lower, Scorer(self.values, model))
        at_least = float(np.log(self.bound.rule.threshold / (1 - self.bound.rule.threshold)))
        weight = weigh.positive(found.left, found.right)
        linked = group(len(self.rids), found.left, found.right, weight, at_least, weigh)
        left, right, weight = links_of(linked, self.lower, at_least)
        count = len(left)
        columns = [self.rids[left], self.rids[right], np.full(count, self.n), probability(weight)]
        table = pa.table([pa.array(c).cast(f.type) for c, f in zip(columns, LINKS, strict=True)], LINKS)
        return self.engine.load(f"links_{self.n}", table)

    def _ignored(self, found: Candidates) -> None:
        if not found.left_out:
            return
        columns = ("value", "records", "pairs", "reason")
        table = pa.table({c: [getattr(one, c) for one in found.left_out] for c in columns})
        self.engine.load(f"left_out_{self.n}", table)
        sql = (
            f"SELECT CAST({self.n} AS SMALLINT) AS rule, value, max(records) AS records, max(pairs) AS pairs, "
            f"max(reason) AS reason FROM left_out_{self.n} GROUP BY value"
        )
        why = "values that are no evidence"
        self.engine.build(Step(f"ignored_{self.n}", Query(sql), why, releases=(f"left_out_{self.n}",)))


def read_values(
    engine: Engine, bound: BoundRule, *, without: str = "", among: str = ""
) -> tuple[Ints, Flags | None, list[Compared]]:
    """(rids ascending, which of them are lower records or None in dedupe, what the rule compares).

    without   SELECT of rids of lower records to leave out
    among     SQL condition on rid: only these records
    """
    anti = f" ANTI JOIN ({without}) AS matched USING (rid)" if without else ""
    sides = [("left", anti)] if bound.one_table else [("right", ""), ("left", anti)]
    widths = [max(len(t.left), len(t.right)) for t in bound.scored]
    parts = []
    for side, leave in sides:
        columns = []
        for k, term in enumerate(bound.scored):
            names = [*getattr(term, side)]
            names += [None] * (widths[k] - len(names))
            columns += [f"CAST({name or 'NULL'} AS VARCHAR) AS c{k}_{i}" for i, name in enumerate(names)]
        prepared = getattr(bound, side)
        which = f" WHERE {among}" if among else ""
        parts.append(f"SELECT rid, {side == 'left'} AS lower, {', '.join(columns)} FROM {prepared.table}{leave}{which}")
    table = engine.fetch(Query(f"FROM ({' UNION ALL '.join(parts)}) ORDER BY rid"))
    values = [
        compared(
            term.evidence.name,
            [table.column(f"c{k}_{i}") for i in range(widths[k])],
            tuple(sorted(level / 100 for level in term.evidence.levels)),
            term.evidence.term_frequency,
        )
        for k, term in enumerate(bound.scored)
    ]
    lower = None if bound.one_table else table.column("lower").to_numpy(zero_copy_only=False).astype(np.bool_)
    return table.column("rid").to_numpy().astype(np.int64), lower, values


class Weigher:
    """Weights of pairs, with exceptions: a vetoed pair weighs as much against as any pair can."""

    def __init__(self, engine: Engine, bound: BoundRule, rids: Ints, lower: Flags | None, scorer: Scorer) -> None:
        self.engine, self.bound, self.rids, self.lower, self.scorer = engine, bound, rids, lower, scorer

    def __call__(self, left: Ints, right: Ints) -> Floats:
        """The log odds of each pair; -CAP where an exception holds."""
        weight = self.scorer.weigh(left, right)
        if self.bound.vetoes:
            weight[self.vetoed(left, right, weight > -CAP)] = -CAP
        return weight

    def positive(self, left: Ints, right: Ints) -> Floats:
        """As calling it, for pairs that weigh more than nothing; less than nothing for the others."""
        weight = self.scorer.weigh_above(left, right, 0.0)
        if self.bound.vetoes:
            weight[self.vetoed(left, right, weight > 0)] = -CAP
        return weight

    def vetoed(self, left: Ints, right: Ints, asked: Flags) -> Ints:
        """Which of the pairs asked about are vetoed, as places. Of a rule between entities: pairs across them only."""
        if self.lower is not None:
            asked = asked & (self.lower[left] != self.lower[right])
        places = np.flatnonzero(asked)
        pairs = {"place": places, "a": self.rids[left[places]], "b": self.rids[right[places]]}
        scratch = f"left_vetoes_{self.bound.number}"
        self.engine.load(scratch, pa.table(pairs))
        sql = veto_sql(self.bound, scratch)
        found = self.engine.fetch(Query(sql)).column("place").to_numpy()
        self.engine.build(Step("released", Query("SELECT 1 AS one"), "free memory", releases=(scratch, "released")))
        return np.sort(found)


def veto_sql(bound: BoundRule, pairs: str) -> str:
    """SQL: the places of the pairs (place, a, b; a < b) that an exception vetoes.

    In dedupe an exception over different columns must hold in both directions, as in rules with conditions, where a
    pair may be linked in either.
    """
    a, b = ("l", "r") if bound.one_table else ("r", "l")
    tests = []
    for veto in bound.vetoes:
        held = " AND ".join(t.holds() for t in veto)
        if bound.one_table and any(t.left != t.right for t in veto):
            held += " AND " + " AND ".join(t.holds("r.", "l.") for t in veto)
        tests.append(f"({held})")
    return (
        f"SELECT p.place FROM {pairs} AS p JOIN {bound.left.table} AS l ON l.rid = p.{'a' if a == 'l' else 'b'} "
        f"JOIN {bound.right.table} AS r ON r.rid = p.{'b' if b == 'r' else 'a'} WHERE {' OR '.join(tests)}"
    )


def links_of(linked: Linked, lower: Flags | None, at_least: float) -> tuple[Ints, Ints, Floats]:
    """The links that stand for the groups: pairs at the threshold, and the strongest pairs that hold a group together.

    The second are a maximum spanning forest: a record may be in a group by its average alone. Between entities only
    pairs across count, vetoed pairs never.
    """
    left, right, weight = linked.left, linked.right, linked.weight
    kept = weight > -CAP
    if lower is not None:
        kept &= lower[left] != lower[right]
    left, right, weight = left[kept], right[kept], weight[kept]
    if not len(left):
        return left, right, weight
    order = np.lexsort((right, left, -weight))
    rank = np.empty(len(order), dtype=np.float64)
    rank[order] = np.arange(1, len(order) + 1)
    records = len(linked.labels)
    tree = minimum_spanning_tree(coo_matrix((rank, (left, right)), shape=(records, records)).tocsr()).tocoo()
    needed = np.zeros(len(left), dtype=np.bool_)
    needed[order[tree.data.astype(np.int64) - 1]] = True
    chosen = needed | (weight >= at_least)
    return left[chosen], right[chosen], weight[chosen]
