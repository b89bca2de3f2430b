"""Ids, values and output tables of touched customers only, by the same steps as those of all.

A step reads bare names, and a scratch table hides the kept one of its name. So `members`, `clusters` and the like are
made as scratch tables that hold touched customers alone, the steps of a whole run work on those, and what they make
replaces the rows of these customers in the kept tables, which are a copy of those of the generation before.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from unify.conflation.binding import plan_of
from unify.conflation.columns import key_names
from unify.conflation.customer_clusters import Unified
from unify.conflation.identity import COUNTS, IdentityReport, identity_steps
from unify.conflation.merge import customer_steps, value_steps
from unify.conflation.outputs import MATCH_PAIRS, deduplication_step, deduplication_table, match_pairs_step
from unify.conflation.run import ThisRun, matched_only
from unify.conflation.winners import winner_steps
from unify.core.names import quote, table_of
from unify.core.progress import Progress
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.renumber import REMAP, Rids
from unify.incremental.touched import Touched
from unify.spec import Project


class TouchedCustomers:
    """Identity, merge and outputs for touched customers. `previous`: the attached generation before."""

    def __init__(self, engine: DuckDBEngine, previous: str, rids: Rids, which: Touched) -> None:
        self.engine, self.rids, self.which = engine, rids, which
        self.here, self.previous = f"{quote(engine.database)}.main", f"{quote(previous)}.main"
        self.scratch: list[str] = []

    # ── small verbs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _change(self, sql: str, **params: object) -> None:
        self.engine.change(Query(sql, params))

    def _make(self, name: str, sql: str) -> None:
        self.engine.build(Step(name, Query(sql), "touched customers"))
        self.scratch.append(name)

    def _build(self, steps: Iterable[Step]) -> None:
        """Build steps with everything they make as scratch."""
        for step in steps:
            if not step.view:
                self.engine.build(replace(step, keep=False))
                self.scratch.append(step.makes)

    def _replace(self, table: str, key: str, *gone: str) -> None:
        """Rows of a kept table whose `key` is in one of the SELECTs give way to those of its scratch table."""
        name = quote(table)
        for keys in gone:
            self._change(f"DELETE FROM {self.here}.{name} WHERE {quote(key)} IN ({keys})")
        self._change(f"INSERT INTO {self.here}.{name} SELECT * FROM temp.main.{name}")

    def _drop(self, *names: str) -> None:
        for name in names:
            self._change(f"DROP TABLE IF EXISTS temp.main.{quote(name)}")

    # ── identity ────────────────────────────────────────────────────────────────────────────────────────────────────

    def identity(self, project: Project, this: ThisRun, progress: Progress) -> IdentityReport:
        """As `assign`; scratch `members`, `customer_ids`, `previous_ids` of touched customers stay for what follows."""
        plan = plan_of(project)
        self.engine.load("touched_now", pa.table({"rid": self.which.now}))
        self.engine.load("touched_before", pa.table({"rid": self.which.before}))
        self.scratch += ["touched_now", "touched_before"]
        self._make(
            "touched_ids",
            f"SELECT DISTINCT CustomerId, ordinal FROM {self.previous}.members SEMI JOIN touched_before USING (rid)",
        )
        for name in ("clusters", "dedupe_groups"):
            self._make(name, f"SELECT c.* FROM {name} AS c SEMI JOIN touched_now USING (rid)")
        self._sources(project)
        self._build(winner_steps(self.engine, project, plan))
        progress("identity", f"ids of {len(self.which.now):,} records")
        self._identity_steps(this, matched_only(plan))
        self._members()
        self._replace("customer_ids", "CustomerId", "SELECT CustomerId FROM temp.main.customer_ids")
        return self._report(this, bool(matched_only(plan)))

    def _sources(self, project: Project) -> None:
        """The source rows of touched records, under the names of the whole tables: merge reads them several times."""
        self._make("touched_rows", "SELECT r.entity_no, r.key FROM records AS r SEMI JOIN touched_now USING (rid)")
        for number, ordered in enumerate(plan_of(project).order):
            table, key = table_of(ordered.entity), quote(project.entity(ordered.entity).key)
            keys = f"(SELECT key FROM touched_rows WHERE entity_no = {number})"
            sql = (
                f"SELECT s.* FROM {self.here}.{quote(table)} AS s "
                f"SEMI JOIN {keys} AS t ON t.key = CAST(s.{key} AS VARCHAR)"
            )
            self._make(table, sql)

    def _identity_steps(self, this: ThisRun, matched: list[str]) -> None:
        assert this.previous is not None
        affected = "SELECT CustomerId FROM touched_ids"
        for step in identity_steps(this.number, this.previous, matched, this.highest_ordinal):
            if step.makes == "before":
                old = f"{self.previous}.members SEMI JOIN touched_before USING (rid)"
                self._make("before", f"SELECT entity, key, CustomerId FROM {old}")
            elif step.makes == "ledger":
                self.engine.build(replace(step, view=True))
            elif step.makes == "customer_ids":
                self._change("DROP VIEW temp.main.ledger")
                sql = (
                    f"SELECT * FROM {self.previous}.customer_ids "
                    f"WHERE CustomerId IN ({affected}) OR successor IN ({affected})"
                )
                self._make("ledger", sql)
                self._build([replace(step, releases=())])
            elif step.makes == "customer_changes":
                self.engine.build(replace(step, releases=()))
            else:
                self._build([replace(step, releases=())])

    def _members(self) -> None:
        """Put the touched members into the kept table, the others under the rids of today."""
        self._change(f"DELETE FROM {self.here}.members WHERE rid IN (SELECT rid FROM touched_before)")
        if self.rids.moved:
            self._change(f"UPDATE {self.here}.members SET rid = {REMAP}(rid), winner = {REMAP}(winner)")
        self._change(f"INSERT INTO {self.here}.members SELECT * FROM temp.main.members")

    def _report(self, this: ThisRun, some_are_dropped: bool) -> IdentityReport:
        counts = COUNTS.replace("FROM customer_ids", f"FROM {self.here}.customer_ids")
        [found] = self.engine.fetch(Query(counts, {"run": this.number})).to_pylist()
        dropped = []
        if some_are_dropped:
            sql = (
                f"SELECT r.entity, count(*) AS records FROM {self.here}.records AS r "
                f"ANTI JOIN {self.here}.members AS m USING (rid) GROUP BY r.entity ORDER BY r.entity"
            )
            dropped = self.engine.fetch(Query(sql)).to_pylist()
        return IdentityReport(**found, dropped=tuple((d["entity"], d["records"]) for d in dropped))

    # ── merge and outputs ───────────────────────────────────────────────────────────────────────────────────────────

    def merge(self, unified: Unified) -> None:
        """As a whole run without clusters of customers; scratch `Customer` stays for the output tables."""
        columns = unified.columns
        self._build(value_steps(columns))
        self._build(customer_steps(columns))
        gone = ("SELECT ordinal FROM touched_ids", "SELECT ordinal FROM temp.main.members")
        sources = f"{self.here}.customer_sources"
        for keys in gone:
            self._change(f"DELETE FROM {sources} WHERE ordinal IN ({keys})")
        names = [quote(column.name) for column in columns.columns]
        if self.rids.moved and names:
            self._change(f"UPDATE {sources} SET {', '.join(f'{name} = {REMAP}({name})' for name in names)}")
        self._change(f"INSERT INTO {sources} SELECT * FROM temp.main.customer_sources")
        self._replace("Customer", "ordinal", *gone)

    def outputs(self, project: Project, started: datetime) -> None:
        """As `output_steps`."""
        self._make("links", f"SELECT l.* FROM {self.here}.links AS l SEMI JOIN touched_now AS t ON t.rid = l.a")
        for entity in key_names(project):
            key = project.entity(entity).key
            self._build([deduplication_step(entity, key)])
            self._make(
                "touched_keys",
                f"SELECT key FROM temp.main.members WHERE entity = '{entity}' UNION ALL "
                f"SELECT m.key FROM {self.previous}.members AS m SEMI JOIN touched_before USING (rid) "
                f"WHERE m.entity = '{entity}'",
            )
            self._replace(deduplication_table(entity), key, "SELECT key FROM touched_keys")
        self._build([match_pairs_step(project, started)])
        moment = started.astimezone(UTC).replace(tzinfo=None)
        pairs, modified = f"{self.here}.{quote(MATCH_PAIRS)}", quote(f"{MATCH_PAIRS}_ModifiedOn")
        self._change(f"UPDATE {pairs} SET {modified} = CAST($when AS TIMESTAMP)", when=moment)
        gone = ("SELECT CustomerId FROM touched_ids", 'SELECT "TrueObjectId" FROM temp.main."ConflationMatchPairs"')
        self._replace(MATCH_PAIRS, "TrueObjectId", *gone)
        self.forget()

    def forget(self) -> None:
        """Drop the scratch tables, so that nothing hides a kept one."""
        self._drop(*dict.fromkeys(self.scratch))
        self.scratch = []
