"""One rule makes its links. A rule has one of three shapes:

    star         only exact conditions: a key group of k records becomes k-1 links, never k²/2 pairs
    join         exact conditions join, fuzzy conditions and vetoes decide
    similarity   no exact condition: complete candidates from similarity/, then the other conditions

Before anything is joined the pairs are counted from group sizes. A rule above `max_pairs` is refused, or its largest
groups are left out and named in `ignored`.

makes  links_<n>      a, b (a < b), rule, score: one row per pair
       star_<n>       key_group, side (null: dedupe, 0: lower, 1: upper), rid: who shares a value; star rules only
       ignored_<n>    rule, value, records, pairs, reason
"""

from time import perf_counter

import pyarrow as pa

from unify.conflation.junk.effects import SHARED_REASON, all_shared
from unify.conflation.rules import BoundRule
from unify.conflation.similarity.join import Ignored, similar_values
from unify.core.engine import Engine, scalar
from unify.core.errors import OverloadError
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan

HELD = 20_000_000
"""Candidate pairs up to which they are held side by side before they are compared (about 100 bytes each)."""


class RuleRunner:
    """Runs one bound rule on an engine: `RuleRunner(engine, plan, bound).run()`."""

    def __init__(
        self, engine: Engine, plan: ConflationPlan, bound: BoundRule, without: str = "", contact: tuple[int, ...] = ()
    ) -> None:
        """`without` selects the rids of lower records that an earlier rule already matched.

        `contact`: the judged fields of the keys, if the rule compares contacts only (junk/fields.py).
        """
        self.contact = contact
        self.engine, self.plan, self.bound, self.without = engine, plan, bound, without
        self.n = bound.number
        self.shape = "star" if bound.is_star else "join" if bound.exact else "similarity"
        self.self_join = bound.one_table and not bound.crosswise
        self.left = self.right = ""
        self.groups = f"groups_{self.n}"
        self.keys = ", ".join(bound.keys)
        self.group_keys = ("k0", "k1") if self.shape == "similarity" else bound.keys
        self.left_out = 0
        self.candidates = 0

    def run(self) -> RuleReport:
        """Make links_<n>, and star_<n> and ignored_<n> where they apply."""
        started = perf_counter()
        left = self._side("left", self.without)
        return self.between(left, left if self.self_join else self._side("right"), started)

    def candidates_between(self, left: str, right: str) -> int:
        """Pairs that key groups of these sides imply (`between`), before anything is left out."""
        self.left, self.right = left, right
        return self._pairs(f"({self._key_groups()})")

    def links_between(self, left: str, right: str) -> int:
        """Make links_<n> of all pairs of these sides (`between`), however many."""
        self.left, self.right = left, right
        return self._join()

    def between(self, left: str, right: str, started: float) -> RuleReport:
        """As `run`, on sides that the caller made: tables or bracketed SELECTs, as of `BoundRule.side`."""
        bound = self.bound
        self.left, self.right = left, right
        self.candidates = self._count()
        links = self._star() if self.shape == "star" else self._join()
        self._release(f"left_{self.n}", f"right_{self.n}", self.groups)
        return RuleReport(
            rule=self.n,
            kind=bound.kind,
            name=bound.rule.name,
            left=bound.left.entity,
            right=bound.right.entity,
            sentence=bound.sentence,
            shape=self.shape,
            candidates=self.candidates,
            links=links,
            ignored=self.left_out,
            seconds=round(perf_counter() - started, 3),
            entities=bound.entities,
        )

    def _build(self, makes: str, sql: str, why: str, **params: object) -> int:
        return self.engine.build(Step(makes, Query(sql, params), why))

    def _release(self, *tables: str) -> None:
        self.engine.build(Step("released", Query("SELECT 1 AS one"), "free memory", releases=(*tables, "released")))

    def _side(self, which: str, without: str = "") -> str:
        """A side as something to select from: a subquery, or a table when making it twice would cost more."""
        sql = self.bound.side(which, without)
        if not without and not self.bound.exploded:
            return f"({sql})"
        self._build(f"{which}_{self.n}", sql, f"key the {which} side")
        return f"{which}_{self.n}"

    # ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _key_groups(self) -> str:
        """SQL: key groups that make pairs: k0, ..., records, pairs, hub_left, hub_right (smallest rids)."""
        rids = "count(DISTINCT rid)" if self.bound.pairs_repeat else "count(*)"
        per_key = f"SELECT {self.keys}, {rids} AS n, min(rid) AS hub FROM {{}} GROUP BY {self.keys}"
        if self.self_join:
            body = (
                f"SELECT {self.keys}, n AS records, n::BIGINT * (n - 1) // 2 AS pairs, "
                f"hub AS hub_left, hub AS hub_right FROM ({per_key.format(self.left)}) WHERE n > 1"
            )
        else:
            body = (
                f"SELECT {self.keys}, l.n + r.n AS records, l.n::BIGINT * r.n AS pairs, "
                f"l.hub AS hub_left, r.hub AS hub_right, greatest(l.n, r.n) AS most FROM "
                f"({per_key.format(self.left)}) AS l JOIN ({per_key.format(self.right)}) AS r USING ({self.keys})"
            )
        return body

    def _similar_groups(self) -> str:
        """SQL: pairs of similar values of the anchor: k0 (left), k1 (right), records, pairs."""
        n = self.n
        values = "SELECT k0 AS value, count(DISTINCT rid) AS n FROM {} GROUP BY k0"
        left = right = f"values_left_{n}"
        self._build(left, values.format(self.left), "distinct values of the left side")
        if not self.self_join:
            right = f"values_right_{n}"
            self._build(right, values.format(self.right), "distinct values of the right side")
        report = similar_values(
            self.engine, self.bound.anchor().criterion, left, None if self.self_join else right, f"similar_{n}",
            max_pairs=self.plan.max_pairs, overload=self.plan.overload,
        )  # fmt: skip
        self._note_ignored(report.ignored)
        same = f" UNION ALL SELECT value, value FROM {left} WHERE n > 1" if self.self_join else ""
        found = f"SELECT a, b FROM similar_{n}{same}"
        same_value = "l.n::BIGINT * (l.n - 1) // 2" if self.self_join else "l.n::BIGINT * r.n"
        return (
            "SELECT a AS k0, b AS k1, l.n + r.n AS records, "
            f"CASE WHEN a = b THEN {same_value} ELSE l.n::BIGINT * r.n END AS pairs "
            f"FROM ({found}) JOIN {left} AS l ON l.value = a JOIN {right} AS r ON r.value = b"
        )

    def _note_ignored(self, values: tuple[Ignored, ...]) -> None:
        """Values that the similarity join left out go to ignored_<n>."""
        if not values:
            return
        reason = f"with it the rule would compare more than {self.plan.max_pairs:,} pairs"
        rows = [{"value": v.value, "side": v.side, "pairs": v.pairs} for v in values]
        self.engine.load("left_out", pa.Table.from_pylist(rows))
        counts = " UNION ALL ".join(
            f"SELECT '{side}' AS side, CAST(value AS VARCHAR) AS value, n FROM values_{side}_{self.n}"
            for side in (("left",) if self.self_join else ("left", "right"))
        )
        self.left_out = self._build(
            f"ignored_{self.n}",
            f"SELECT CAST({self.n} AS SMALLINT) AS rule, value, CAST(n AS BIGINT) AS records, pairs, $reason AS reason "
            f"FROM left_out JOIN ({counts}) USING (side, value)",
            "values that are no evidence",
            reason=reason,
        )
        self._release("left_out")

    def _pairs(self, groups: str) -> int:
        return int(scalar(self.engine, Query(f"SELECT coalesce(sum(pairs), 0)::BIGINT FROM {groups}")))

    def _joined(self) -> int:
        """How many pairs the keys join.

        Only one side is grouped, the left: it is the one that earlier rules leave few records of.
        """
        if self.self_join or self.bound.pairs_repeat:
            return self._pairs(f"({self._key_groups()})")
        sizes = f"SELECT {self.keys}, count(*) AS pairs FROM {self.left} GROUP BY {self.keys}"
        return self._pairs(f"{self.right} AS r JOIN ({sizes}) AS l USING ({self.keys})")

    def _count(self) -> int:
        """Count the pairs before making any; key groups become a table only where somebody needs them one by one."""
        if self.shape == "join" and self.bound.fuzzy and (pairs := self._joined()) <= self.plan.max_pairs:
            return pairs
        groups = self._similar_groups() if self.shape == "similarity" else self._key_groups()
        numbered = f"SELECT row_number() OVER () AS key_group, * FROM ({groups})"
        self._build(self.groups, numbered, "count the pairs before making any")
        return self._within_budget()

    def _within_budget(self) -> int:
        """Leave out shared values and, above max_pairs, the largest groups; returns the pairs that remain.

        Raises OverloadError when the plan says refuse.
        """
        plan = self.plan
        if self.contact:
            self._leave_out(all_shared(self.contact, self.bound.keys), SHARED_REASON)
        if not self.bound.fuzzy:
            self._leave_out(self._too_shared(), f"more than {plan.max_shared} records of one entity share it")
        pairs = self._pairs(self.groups)
        if self.shape == "star" or pairs <= plan.max_pairs:
            return pairs
        if plan.overload == "refuse":
            raise self._overload(pairs)
        by_size = f"ORDER BY pairs, {', '.join(self.group_keys)}"
        running = f"SELECT key_group, sum(pairs) OVER ({by_size}) AS running FROM {self.groups}"
        self._leave_out(
            f"key_group IN (SELECT key_group FROM ({running}) WHERE running > {plan.max_pairs})",
            f"with it the rule would compare more than {plan.max_pairs:,} pairs",
        )
        return self._pairs(self.groups)

    def _too_shared(self) -> str:
        """SQL: whether more than max_shared records of one entity are in a key group."""
        most = self.plan.max_shared
        if self.bound.kind != "common":
            return f"{'records' if self.self_join else 'most'} > {most}"
        large = (
            f"SELECT key_group FROM {self.groups} AS g JOIN {self.left} AS one USING ({self.keys}) "
            f"JOIN records AS r ON r.rid = one.rid WHERE g.records > {most} "
            f"GROUP BY key_group, r.entity_no HAVING count(DISTINCT r.rid) > {most}"
        )
        return f"(records > {most} AND key_group IN ({large}))"

    def _overload(self, pairs: int) -> OverloadError:
        worst = self.engine.fetch(
            Query(f"SELECT {self._spoken_key()} AS v, records, pairs FROM {self.groups} ORDER BY pairs DESC, v LIMIT 1")
        ).to_pylist()[0]
        return OverloadError(
            f"would compare {pairs:,} pairs, the plan allows {self.plan.max_pairs:,}; "
            f"{worst['v']!r} alone is on {worst['records']:,} records and makes {worst['pairs']:,} of them",
            where=f"rule {self.bound.rule.name!r}",
            hint="add an exact condition, put the value on a bypass list, raise conflation.max_pairs, "
            "or set conflation.overload: degrade to leave such values out",
        )

    def _spoken_key(self) -> str:
        return f"concat_ws(' | ', {', '.join(f'CAST({k} AS VARCHAR)' for k in self.group_keys)})"

    def _leave_out(self, when: str, reason: str) -> None:
        """Move the groups for which `when` holds from the key groups to ignored_<n>."""
        rows = (
            f"SELECT CAST({self.n} AS SMALLINT) AS rule, {self._spoken_key()} AS value, records, pairs, "
            f"$reason AS reason FROM {self.groups} WHERE {when}"
        )
        before = f"FROM ignored_{self.n} UNION ALL " if self.left_out else ""
        if int(scalar(self.engine, Query(f"SELECT count(*) FROM {self.groups} WHERE {when}"))):
            self.left_out = self._build(
                f"ignored_{self.n}", before + rows, "values that are no evidence", reason=reason
            )
            self._build(
                self.groups, f"SELECT * FROM {self.groups} WHERE NOT coalesce({when}, false)", "keep the others"
            )

    # ── linking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _star(self) -> int:
        """Dedupe: everybody to the group's smallest rid. Match: everybody to the smallest rid of the other side.

        A common rule: everybody to the smallest rid of the own entity, and that to the group's smallest.
        """
        distinct = "DISTINCT " if self.bound.pairs_repeat else ""
        member = (
            f"SELECT {distinct}key_group, CAST({{}} AS UTINYINT) AS side, rid "
            f"FROM {{}} JOIN {self.groups} USING ({self.keys})"
        )
        with_hubs = f"FROM star_{self.n} JOIN {self.groups} USING (key_group)"
        if self.self_join:
            self._build(f"star_{self.n}", member.format("NULL", self.left), "who shares a value")
            found = f"SELECT {distinct}hub_left AS a, rid AS b {with_hubs} WHERE rid <> hub_left"
            if self.bound.kind == "common":
                found = self._links_of_every_entity(distinct)
        else:
            both = f"{member.format(0, self.left)} UNION ALL {member.format(1, self.right)}"
            self._build(f"star_{self.n}", both, "who shares a value")
            found = (
                "SELECT DISTINCT CASE side WHEN 0 THEN hub_right ELSE rid END AS a, "
                f"CASE side WHEN 0 THEN rid ELSE hub_left END AS b {with_hubs}"
            )
        return self._links(f"SELECT a, b, 1.0 AS score FROM ({found})")

    def _links_of_every_entity(self, distinct: str) -> str:
        """SQL: links that join the group, and inside each entity its part of the group, which is a dedupe group.

        600,000 records: 0.27 s; with a window instead of the second grouping 0.43 s.
        """
        return (
            "WITH own AS (SELECT key_group, s.rid, r.entity_no "
            f"FROM star_{self.n} AS s JOIN records AS r USING (rid)), "
            "firsts AS (SELECT key_group, entity_no, min(rid) AS first FROM own GROUP BY key_group, entity_no) "
            f"SELECT {distinct}CASE WHEN rid = first THEN hub_left ELSE first END AS a, rid AS b FROM own "
            f"JOIN firsts USING (key_group, entity_no) JOIN {self.groups} USING (key_group) WHERE rid <> hub_left"
        )

    def _join(self) -> int:
        """Compare every candidate pair: joined by key, or by the pairs of similar values."""
        bound = self.bound
        similar = self.shape == "similarity"
        if similar:
            joined = f"{self.groups} AS g JOIN {self.left} AS l ON l.k0 = g.k0 JOIN {self.right} AS r ON r.k0 = g.k1"
        else:
            on = " AND ".join(f"l.{k} = r.{k}" for k in bound.keys)
            joined = f"{self.left} AS l JOIN {self.right} AS r ON {on}"
            if self.left_out:
                joined += f" SEMI JOIN {self.groups} AS g ON {' AND '.join(f'g.{k} = l.{k}' for k in bound.keys)}"
        unordered = bound.one_table and (bound.crosswise or similar)
        pair = ""
        if bound.one_table:
            pair = "l.rid <> r.rid AND " if unordered else "l.rid < r.rid AND "
        lettered = any(t.lettered for t in bound.fuzzy)
        apart = not similar and bound.conditions() != "true" and (lettered or self.candidates <= HELD)
        found = self._in_two_steps(joined, pair) if apart else self._at_once(joined, pair, similar)
        if unordered:
            found = f"SELECT least(a, b) AS a, greatest(a, b) AS b, score FROM ({found})"
        if bound.pairs_repeat or (similar and bound.one_table):
            found = f"SELECT a, b, max(score) AS score FROM ({found}) GROUP BY a, b"
        return self._links(found)

    @property
    def _ends(self) -> tuple[str, str]:
        """Which sides the smaller and the larger rid of a pair are on; the lower entity has the larger rids."""
        return ("l", "r") if self.bound.one_table else ("r", "l")

    def _at_once(self, joined: str, pair: str, similar: bool) -> str:
        """SQL: a, b, score of the pairs that pass."""
        a, b = self._ends
        where = f"{pair}{self.bound.conditions(anchored_by_value=similar)}"
        return f"SELECT {a}.rid AS a, {b}.rid AS b, {self.bound.score()} AS score FROM {joined} WHERE {where}"

    def _in_two_steps(self, joined: str, pair: str) -> str:
        """The same; pairs that a cheap test leaves are put side by side first and compared by the thousand.

        A join hands over a few pairs at a time where groups differ in size, and to compare two pairs costs as much as
        to compare a hundred: five rules on a million records took 9.5 s of processor time, 4.2 s with it.
        """
        a, b = self._ends
        bound = self.bound
        cells = [f"{side}.rid AS {side}_rid" for side in "lr"]
        for side, which in (("l", "left"), ("r", "right")):
            cells += [f"{side}.{column} AS {side}_{column}" for column in bound.carried(which)]
        may = " AND ".join(t.may_pass() for t in bound.fuzzy) or "true"
        return (
            f"WITH candidate AS MATERIALIZED (SELECT {', '.join(cells)} FROM {joined} WHERE {pair}{may}) "
            f"SELECT {a}_rid AS a, {b}_rid AS b, {bound.score('l_', 'r_')} AS score "
            f"FROM candidate WHERE {bound.conditions(left='l_', right='r_')}"
        )

    def _links(self, found: str) -> int:
        return self._build(
            f"links_{self.n}",
            f"SELECT a, b, CAST({self.n} AS SMALLINT) AS rule, CAST(score AS FLOAT) AS score FROM ({found})",
            "records that this rule links",
        )
