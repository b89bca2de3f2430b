"""The stages of an incremental run: each as cheap as the change allows, and what the next run needs is kept.

sources ─delta─▶ changed records ─▶ links, clusters ─▶ touched customers ─▶ their ids, values, output tables
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import numpy as np
import pyarrow as pa

from unify.conflation.binding import BoundPlan, plan_of
from unify.conflation.customer_clusters import Unified
from unify.conflation.identity import IdentityReport, identity_steps
from unify.conflation.junk.fields import Judged
from unify.conflation.letters import letters_of
from unify.conflation.links import make_links
from unify.conflation.normalize import Lists
from unify.conflation.prepare import records_steps
from unify.conflation.run import Stages, ThisRun
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.progress import Progress
from unify.core.reports import RuleReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.incremental import state
from unify.incremental.delta import Delta
from unify.incremental.linking import ChangedLinks
from unify.incremental.planning import ANEW, CONFLATION, UPDATED, Course
from unify.incremental.renumber import REMAP, Ints, Rids, renumbered
from unify.incremental.restricted import TouchedCustomers
from unify.incremental.touched import Touched, touched
from unify.incremental.values import ChangedValues, keep_values, values_table
from unify.spec import ConflationPlan, Project

MOST = 0.5
"""Share of records from which on working out touched customers alone is no cheaper than all of them."""


FEW = 100_000
"""Records up to which a rule that looks at all of them takes no longer (17 ms with 30,000, 55 ms with 100,000) than the
twenty statements that follow a change through its key groups (50 ms)."""


class KeptStages(Stages):
    """A whole run that keeps what the next one needs."""

    def __init__(self, engine: DuckDBEngine, project: Project, course: Course) -> None:
        self.duckdb, self.course = engine, course
        self.junk = plan_of(project).junk.detect

    def clustered(self, engine: Engine, bound: BoundPlan) -> None:
        """Prepared values and stars are there for the last time: keep them."""
        if self.junk:
            return  # which values count depends on all of them: the next run prepares anew
        state.begin(self.duckdb)
        keep_values(self.duckdb, bound.prepared.values())
        state.keep_table(self.duckdb, "stars")

    def identity(self, engine: Engine, project: Project, this: ThisRun, progress: Progress) -> IdentityReport:
        """Clusters are final here: keep them."""
        self._keep_clusters(*self._clusters())
        return super().identity(engine, project, this, progress)

    def _clusters(self) -> tuple[Ints, Ints]:
        """Cluster and dedupe group of every record, by rid."""
        sql = "SELECT cluster, grp FROM clusters JOIN dedupe_groups USING (rid) ORDER BY rid"
        found = self.duckdb.fetch(Query(sql))
        return _ints(found, "cluster"), _ints(found, "grp")

    def _keep_clusters(self, clusters: Ints, groups: Ints) -> None:
        state.keep(
            self.duckdb,
            "clusters",
            pa.table({"rid": np.arange(len(clusters), dtype=np.int32), "cluster": clusters, "grp": groups}),
        )


class ChangedStages(KeptStages):
    """A run over the changes of `deltas`, on a copy of the generation `previous`."""

    def __init__(
        self, engine: DuckDBEngine, project: Project, course: Course, previous: str, deltas: Sequence[Delta]
    ) -> None:
        super().__init__(engine, project, course)
        self.previous, self.deltas = previous, deltas
        self.touched: TouchedCustomers | None = None
        self.links: ChangedLinks | None = None

    def prepare(self, engine: Engine, project: Project, plan: ConflationPlan, bound: BoundPlan) -> int:
        """Values of changed records, where those of the others are kept."""
        why = self._why_not(plan, bound)
        if why:
            self.course.stage("prepare", ANEW, why)
            return super().prepare(engine, project, plan, bound)
        self.course.stage("prepare", UPDATED)
        if any(delta.moves for delta in self.deltas):
            for step in records_steps(engine, project, plan):
                engine.build(step)
            self.duckdb.change(Query("DROP TABLE temp.record_rows"))
        keys = {name: entity.key for name, entity in project.entities.items()}
        ChangedValues(self.duckdb, self.previous, self.rids).make(bound, keys)
        reports = (RuleReport.model_validate(r) for r in self.course.known[CONFLATION][1]["rules"])
        self.links = ChangedLinks(self.duckdb, plan, self.previous, {r.rule: r for r in reports})
        return self.rids.records

    def _why_not(self, plan: ConflationPlan, bound: BoundPlan) -> str:
        """Why values must be prepared anew; empty when they need not be."""
        if (records := self._records()) < FEW:
            return f"all {records:,} records are prepared and compared sooner than changes are followed"
        if self.junk:
            return "which values are junk depends on all of them"
        there = state.columns(self.duckdb, self.previous)
        for one in bound.prepared.values():
            wanted = {"rid", *one.values.values(), *(letters_of(name) for name in one.lettered)}
            if set(there.get(values_table(one.number), ())) != wanted:
                return f"values of {one.entity} were not kept"
        return "" if "stars" in there else "who shares values was not kept"

    def _records(self) -> int:
        return int(self.duckdb.fetch(Query("SELECT count(*) FROM records")).column(0)[0].as_py())

    def link(
        self, engine: Engine, plan: ConflationPlan, bound: BoundPlan, progress: Progress, lies: Judged
    ) -> list[RuleReport]:
        """Links of changed records, rule by rule."""
        if self.links is None:
            self.course.stage("link", ANEW, "values were prepared anew")
            return super().link(engine, plan, bound, progress, lies)
        reports = make_links(engine, plan, bound, progress, lies, self.links.run)
        anew = [r.name for r in reports if self.links.ways[r.rule] == ANEW]
        why = f"anew, because they depend on all records: {', '.join(dict.fromkeys(anew))}" if anew else ""
        self.course.stage("link", UPDATED, why)
        return reports

    def clustered(self, engine: Engine, bound: BoundPlan) -> None:
        """The values are kept already, where they were only updated."""
        if self.links is None:
            super().clustered(engine, bound)
        else:
            state.keep_table(self.duckdb, "stars")

    def identity(self, engine: Engine, project: Project, this: ThisRun, progress: Progress) -> IdentityReport:
        """Ids of touched customers, unless they are most."""
        clusters, groups = self._clusters()
        before = self.duckdb.fetch(
            Query(f"SELECT cluster, grp FROM {quote(self.previous)}.{state.SCHEMA}.clusters ORDER BY rid")
        )
        rids = self.rids
        was = (_ints(before, "cluster"), _ints(before, "grp"))
        which = touched(rids, (was[0], clusters), (was[1], groups), self._relinked())
        self._keep_clusters(clusters, groups)
        self._note(which, rids)
        if len(which.now) > MOST * rids.records:
            self.course.stage("merge", ANEW, f"{len(which.now):,} of {rids.records:,} records are touched")
            return super().identity(engine, project, this, progress)
        self.touched = TouchedCustomers(self.duckdb, self.previous, rids, which)
        return self.touched.identity(project, this, progress)

    def merge(
        self, engine: Engine, project: Project, lists: Lists, first_rule: int, progress: Progress, unified: Unified
    ) -> list[RuleReport]:
        """Values of touched customers; of all where clusters of customers are to be found."""
        if self.touched is not None and not project.clusters:
            self.course.stage("merge", UPDATED)
            self.touched.merge(unified)
            return []
        if self.touched is not None:
            self.touched.forget()
            self.touched = None
            self.course.stage("merge", ANEW, "clusters of customers are found among all of them")
            for step in identity_steps(0, None):
                if step.makes == "previous_ids":
                    engine.build(step)
        return super().merge(engine, project, lists, first_rule, progress, unified)

    def outputs(self, engine: Engine, project: Project, started: datetime) -> None:
        """Rows of touched customers."""
        if self.touched is not None:
            self.touched.outputs(project, started)
        else:
            super().outputs(engine, project, started)

    @cached_property
    def rids(self) -> Rids:
        """Once `records` is that of today."""
        rids = renumbered(self.duckdb, self.previous, self.deltas)
        self.duckdb.define(rids.functions())
        return rids

    def _relinked(self) -> Ints:
        """New rids of records with other links than before."""
        old = f"SELECT {REMAP}(a) AS a, {REMAP}(b) AS b, rule, score FROM {quote(self.previous)}.main.links"
        now = "SELECT a, b, rule, score FROM links"
        other = f"(({old}) EXCEPT ({now})) UNION ALL (({now}) EXCEPT ({old}))"
        ends = f"WITH other AS ({other}) SELECT a AS rid FROM other UNION SELECT b FROM other"
        return _ints(self.duckdb.fetch(Query(f"SELECT rid FROM ({ends}) WHERE rid IS NOT NULL")), "rid")

    def _note(self, which: Touched, rids: Rids) -> None:
        self.course.report = self.course.report.model_copy(update={"reconsidered": len(which.now)})


def _ints(table: pa.Table, column: str) -> Ints:
    found: Ints = table.column(column).to_numpy().astype(np.int32, copy=False)
    return found
