"""Links of one rule, from those of the generation before and what changed.

What a rule links depends on key groups alone: records that share its exact values. So only groups are looked at that a
changed record is in, or was, or a record that an earlier rule matches now and did not, or the other way round.

    pairs     fuzzy conditions: a pair is linked or not whatever else is in its group, so pairs with a changed record
    groups    star rules, and those with exceptions only: whole groups, because they may be too large or have a new hub
    anew      scored rules, similarity joins, groups of common rules, and a rule near its `max_pairs`: all records
"""

from functools import cached_property
from time import perf_counter

from unify.conflation.all_records import AllRecords
from unify.conflation.links import run_rule
from unify.conflation.pairs import RuleRunner
from unify.conflation.rules import BoundRule, Columns
from unify.core.names import quote
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.near import TABLES, Near
from unify.incremental.renumber import REMAP, THEN
from unify.incremental.state import SCHEMA
from unify.incremental.values import PAST, elsewhere
from unify.spec import ConflationPlan

OLD = 10_000
"""Added to a rule's number: the same rule over the generation before."""


class ChangedLinks:
    """Runs the rules of a plan over changes: `ChangedLinks(...).run(bound, without)` in the order of the rules."""

    def __init__(
        self, engine: DuckDBEngine, plan: ConflationPlan, previous: str, reports: dict[int, RuleReport]
    ) -> None:
        """`reports`: those of the generation before, by the rule's number."""
        self.engine, self.plan, self.reports = engine, plan, reports
        self.previous = quote(previous)
        self.loose: dict[tuple[str, str], str] = {}
        """Pair of entities to a scratch table: lower records whose links of rules so far changed (rid, of today)."""
        self.earlier: dict[tuple[str, str], list[int]] = {}
        self.flipped = False
        """Whether `flips` is there for the rule at hand."""
        self.ways: dict[int, str] = {}
        """Rule to how it was run: carried, pairs, groups or anew."""

    # ── small verbs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self, name: str, sql: str) -> int:
        return self.engine.build(Step(name, Query(sql), "links of what changed"))

    def _drop(self, *names: str) -> None:
        for name in names:
            self.engine.change(Query(f"DROP TABLE IF EXISTS temp.{quote(name)}"))

    def _count(self, sql: str) -> int:
        return int(self.engine.fetch(Query(f"SELECT count(*) FROM {sql}")).column(0)[0].as_py())

    def _old_links(self, n: int) -> str:
        return f"(SELECT a, b, score FROM {self.previous}.main.links WHERE rule = {n})"

    # ── one rule ────────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self, bound: BoundRule, without: str) -> RuleReport:
        """Make links_<n>, and star_<n> and ignored_<n> where they apply, as `run_rule`."""
        started, n = perf_counter(), bound.number
        before = self.reports[n]
        pair = (bound.left.entity, bound.right.entity)
        ruled = self.earlier.setdefault(pair, [])
        report = self._run(bound, without, before, pair)
        way = self.ways[n]
        if way == "carried":
            report = report.model_copy(update={"seconds": 0.0})
        else:
            report = report.model_copy(update={"seconds": round(perf_counter() - started, 3), "yields": 0})
        ruled.append(n)
        return report

    def _run(self, bound: BoundRule, without: str, before: RuleReport, pair: tuple[str, str]) -> RuleReport:
        n, shape = bound.number, before.shape
        self.ways[n] = "anew"
        grouped = shape == "star" or not bound.fuzzy
        if shape in ("scored", "similarity") or (grouped and bound.kind == "common") or n in self._too_much:
            return self._anew(bound, without)
        if not self._seeds(bound, without, pair):
            self.ways[n] = "carried"
            return self._carry(bound, before)
        self.ways[n] = "groups" if grouped else "pairs"
        found = self._groups(bound, without, before) if grouped else self._pairs(bound, without, before)
        self._drop("seeds_now", "seeds_before", "flips", *TABLES)
        return found if found is not None else self._anew(bound, without)

    @cached_property
    def _too_much(self) -> set[int]:
        """Rules of which `max_pairs` left out groups: which ones depends on all the others."""
        sql = f"SELECT DISTINCT rule FROM {self.previous}.main.ignored WHERE reason LIKE '%would compare more than%'"
        return set(self.engine.fetch(Query(sql)).column(0).to_pylist())

    def _loosen(self, bound: BoundRule, removed: str, added: str) -> None:
        """Note the lower records whose links of this rule may have changed.

        removed, added   SELECTs of b, of then and of now
        """
        if bound.kind != "match":
            return
        pair = (bound.left.entity, bound.right.entity)
        table = self.loose.get(pair, f"loose_{len(self.loose)}")
        more = f"SELECT rid FROM {table} UNION " if pair in self.loose else ""
        found = f"SELECT {REMAP}(b) AS rid FROM ({removed}) UNION {added}"
        self._make(table, f"{more}SELECT rid FROM ({found}) WHERE rid IS NOT NULL")
        self.loose[pair] = table

    def _anew(self, bound: BoundRule, without: str) -> RuleReport:
        """Run the rule on all records."""
        n = bound.number
        self.ways[n] = "anew"
        report = run_rule(self.engine, self.plan, bound, without)
        old = f"SELECT {REMAP}(a) AS a, {REMAP}(b) AS b FROM {self._old_links(n)}"
        now = f"SELECT a, b FROM links_{n}"
        other = f"(({old}) EXCEPT ({now})) UNION ALL (({now}) EXCEPT ({old}))"
        self._loosen(bound, "SELECT CAST(NULL AS INTEGER) AS b WHERE false", f"SELECT b FROM ({other})")
        return report

    # ── which records a rule has to look at again ───────────────────────────────────────────────────────────────────

    def _seeds(self, bound: BoundRule, without: str, pair: tuple[str, str]) -> int:
        """Make `seeds_now` and `seeds_before` (rid, side), of the rids of today and of then; returns how many."""
        now, before = [_NOBODY], [_NOBODY]
        for which in ("left",) if bound.one_table else ("left", "right"):
            for number, columns in _used(bound, which).items():
                differing = _differing(number, columns)
                now.append(f"SELECT rid, '{which}' AS side FROM ({differing[0]})")
                before.append(f"SELECT rid, '{which}' AS side FROM ({differing[1]})")
        self.flipped = bool(without) and pair in self.loose
        if self.flipped:
            flips = self._flips(without, pair)
            now.append(f"SELECT now AS rid, 'left' AS side FROM {flips}")
            before.append(f"SELECT rid, 'left' AS side FROM {flips}")
        return self._make("seeds_now", " UNION ".join(now)) + self._make("seeds_before", " UNION ".join(before))

    def _flips(self, without: str, pair: tuple[str, str]) -> str:
        """Lower records that earlier rules match now and did not, or did and do not: rid of then, now."""
        rules = ", ".join(map(str, self.earlier[pair]))
        was = (
            f"SELECT DISTINCT b AS rid FROM {self.previous}.main.links WHERE rule IN ({rules}) "
            f"AND b IN (SELECT {THEN}(rid) FROM {self.loose[pair]})"
        )
        self._make("flips_before", f"SELECT rid, {REMAP}(rid) AS now FROM ({was})")
        self._make("flips_now", f"SELECT DISTINCT rid AS now FROM ({without}) SEMI JOIN {self.loose[pair]} USING (rid)")
        sql = (
            "SELECT f.rid, f.now FROM flips_before AS f ANTI JOIN flips_now USING (now) UNION ALL "
            f"SELECT {THEN}(f.now), f.now FROM flips_now AS f ANTI JOIN flips_before USING (now) "
            f"WHERE {THEN}(f.now) IS NOT NULL"
        )
        self._make("flips", sql)
        self._drop("flips_before", "flips_now")
        return "flips"

    def _near(self, bound: BoundRule, without: str) -> Near | None:
        """What the seeds are near to; None when that has no end."""
        near = Near(self.engine, bound)
        rules = ", ".join(map(str, self.earlier[bound.left.entity, bound.right.entity]))
        before = f"SELECT b AS rid FROM {self.previous}.main.links WHERE rule IN ({rules})" if without else ""
        return near if near.find(self.flipped, without, before) else None

    # ── carried, pairs, groups ──────────────────────────────────────────────────────────────────────────────────────

    def _carry(self, bound: BoundRule, before: RuleReport) -> RuleReport:
        n = bound.number
        self._drop("seeds_now", "seeds_before", "flips")
        self._links(n, self._old_links(n), "")
        if before.shape == "star":
            self._stars(n, "", "")
        if before.ignored:
            self._make(f"ignored_{n}", f"FROM {self.previous}.main.ignored WHERE rule = {n}")
        return before

    def _links(self, n: int, old: str, new: str) -> int:
        """Make links_<n>: those of then that stay, and new ones."""
        kept = (
            f"SELECT {REMAP}(a) AS a, {REMAP}(b) AS b, CAST({n} AS SMALLINT) AS rule, CAST(score AS FLOAT) AS score "
            f"FROM {old}"
        )
        return self._make(f"links_{n}", f"{kept} UNION ALL {new}" if new else kept)

    def _stars(self, n: int, gone: str, new: str) -> None:
        """Make star_<n>. gone: SELECT of rids of then whose groups give way; new: SELECT of groups of now."""
        old = f"{self.previous}.{SCHEMA}.stars"
        leave = f" ANTI JOIN ({gone}) AS g USING (rid)" if gone else ""
        kept = f"SELECT key_group, side, {REMAP}(rid) AS rid FROM (SELECT * FROM {old} WHERE rule = {n}){leave}"
        above = f"(SELECT coalesce(max(key_group), 0) FROM {old} WHERE rule = {n})"
        more = f" UNION ALL SELECT key_group + {above}, side, rid FROM ({new})" if new else ""
        self._make(f"star_{n}", kept + more)

    def _pairs(self, bound: BoundRule, without: str, before: RuleReport) -> RuleReport | None:
        near = self._near(bound, without)
        if near is None:
            return None
        n = bound.number
        right, past_right = near.right
        runner = RuleRunner(self.engine, self.plan, bound)
        candidates = before.candidates
        candidates += runner.candidates_between("near_left", right) - runner.candidates_between("past_left", past_right)
        if candidates > self.plan.max_pairs:
            return None
        other = "left" if bound.one_table else "right"
        seeds, others = (f"(SELECT rid FROM seeds_now WHERE side = '{side}') AS s" for side in ("left", other))
        runner.links_between(f"(SELECT * FROM near_left SEMI JOIN {seeds} USING (rid))", right)
        self._make("first_links", f"FROM links_{n}")
        runner.links_between(
            f"(SELECT * FROM near_left ANTI JOIN {seeds} USING (rid))",
            f"(SELECT * FROM {right} SEMI JOIN {others} USING (rid))",
        )
        self._make("second_links", f"FROM links_{n}")
        new = "SELECT a, b, rule, max(score) AS score FROM (FROM first_links UNION ALL FROM second_links) GROUP BY ALL"
        changed = ["left", "left"] if bound.one_table else ["right", "left"]  # the upper record is on the right
        leave = "".join(
            f" ANTI JOIN (SELECT rid FROM seeds_before WHERE side = '{side}') AS {end}_ ON {end}_.rid = x.{end}"
            for end, side in zip("ab", changed, strict=True)
        )
        links = self._links(n, f"{self._old_links(n)} AS x{leave}", new)
        touching = " OR ".join(
            f"{end} IN (SELECT rid FROM seeds_before WHERE side = '{side}')"
            for end, side in zip("ab", changed, strict=True)
        )
        self._loosen(
            bound,
            f"SELECT b FROM {self._old_links(n)} WHERE {touching}",
            "SELECT b FROM first_links UNION SELECT b FROM second_links",
        )
        self._drop("first_links", "second_links")
        return before.model_copy(update={"candidates": candidates, "links": links})

    def _groups(self, bound: BoundRule, without: str, before: RuleReport) -> RuleReport | None:
        near = self._near(bound, without)
        if near is None:
            return None
        n, star = bound.number, before.shape == "star"
        right, past_right = near.right
        old_rule = elsewhere(bound, OLD + n, PAST)
        if not star and RuleRunner(self.engine, self.plan, bound).candidates_between("near_left", right) > (
            self.plan.max_pairs
        ):
            return None
        was = RuleRunner(self.engine, self.plan, old_rule).between("past_left", past_right, 0.0)
        now = RuleRunner(self.engine, self.plan, bound).between("near_left", right, 0.0)
        candidates = before.candidates - was.candidates + now.candidates
        if not star and candidates > self.plan.max_pairs:
            self._drop(f"links_{OLD + n}", f"ignored_{OLD + n}")
            return None
        self._make("first_links", f"FROM links_{n}")
        old = f"(SELECT * FROM {self._old_links(n)} ANTI JOIN links_{OLD + n} USING (a, b))"
        links = self._links(n, old, "FROM first_links")
        self._loosen(bound, f"SELECT b FROM links_{OLD + n}", "SELECT b FROM first_links")
        if star:
            self._make("first_star", f"SELECT key_group, side, rid FROM star_{n}")
            self._stars(n, f"SELECT rid FROM star_{OLD + n}", "FROM first_star")
        ignored = self._ignored(n, before, was, now)
        self._drop(f"links_{OLD + n}", f"star_{OLD + n}", f"ignored_{OLD + n}", "first_links", "first_star")
        return before.model_copy(update={"candidates": candidates, "links": links, "ignored": ignored})

    def _ignored(self, n: int, before: RuleReport, was: RuleReport, now: RuleReport) -> int:
        """Make ignored_<n>; returns its rows."""
        columns = "value, records, pairs, reason"
        parts = []
        if before.ignored:
            kept = f"SELECT {columns} FROM {self.previous}.main.ignored WHERE rule = {n}"
            parts.append(f"({kept}) EXCEPT ALL (SELECT {columns} FROM ignored_{OLD + n})" if was.ignored else kept)
        if now.ignored:
            self._make("first_ignored", f"SELECT {columns} FROM ignored_{n}")
            parts.append("FROM first_ignored")
        if not parts:
            return 0
        union = " UNION ALL ".join(f"SELECT {columns} FROM ({part})" for part in parts)
        rows = self._make(f"ignored_{n}", f"SELECT CAST({n} AS SMALLINT) AS rule, {columns} FROM ({union})")
        self._drop("first_ignored")
        return rows


_NOBODY = "SELECT CAST(0 AS INTEGER) AS rid, '' AS side WHERE false"


def _used(bound: BoundRule, which: str) -> dict[int, set[str]]:
    """The prepared columns of a side that the rule looks at, by entity's number; of both sides of one table."""
    terms = [*bound.exact, *bound.fuzzy, *(t for veto in bound.vetoes for t in veto)]
    names: set[str] = set()
    for term in terms:
        own: Columns = getattr(term, which)
        names |= {*own, *(term.right if bound.one_table else ())}
    side = bound.left if which == "left" else bound.right
    if not isinstance(side, AllRecords):
        return {side.number: names}
    found: dict[int, set[str]] = {}
    for one, form in side.forms(names):
        found.setdefault(one.number, set()).add(form)
    return found


def _differing(number: int, columns: set[str]) -> tuple[str, str]:
    """SELECTs of rids whose values differ in these columns, or that are new or gone: of today, of then."""
    now, old = f"changed_{number}", f"changed_{PAST + number}"
    differs = " OR ".join(f"n.{c} IS DISTINCT FROM o.{c}" for c in sorted(columns)) or "false"
    return (
        f"SELECT n.rid FROM {now} AS n LEFT JOIN {old} AS o ON o.now = n.rid WHERE o.now IS NULL OR {differs}",
        f"SELECT o.rid FROM {old} AS o LEFT JOIN {now} AS n ON n.rid = o.now WHERE n.rid IS NULL OR {differs}",
    )
