"""The whole conflation stage: records in, customers out, with a report.

prepare ─▶ overrides ─▶ junk ─▶ dedupe, match ─▶ cluster ─▶ bridges ─▶ identity ─▶ merge ─▶ clusters of customers
─▶ outputs
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from unify.conflation.binding import BoundPlan, bind, plan_of
from unify.conflation.bridges.compared import compared
from unify.conflation.bridges.stage import WEAK_BRIDGE, Bridged, weigh_links
from unify.conflation.checks import check_plan
from unify.conflation.cluster import ClusterReport as Clustered
from unify.conflation.cluster import cluster
from unify.conflation.columns import unified_columns
from unify.conflation.customer_clusters import Unified, make_customer_clusters
from unify.conflation.identity import IdentityReport, assign
from unify.conflation.junk.effects import drop_junk, forms_of
from unify.conflation.junk.fields import Judged, judged
from unify.conflation.junk.verdicts import judge_values, junk_warnings
from unify.conflation.links import make_links
from unify.conflation.merge import customer_steps, value_steps
from unify.conflation.merge_cells import plain_columns
from unify.conflation.normalize import Lists
from unify.conflation.outputs import output_steps
from unify.conflation.overrides import resolve_overrides
from unify.conflation.prepare import prepare
from unify.conflation.winners import winner_steps
from unify.core.engine import Engine, scalar
from unify.core.names import table_of
from unify.core.progress import Progress, silent
from unify.core.reports import (
    ArrowReport,
    ChangeReport,
    ClusterReport,
    IgnoredValue,
    JunkReport,
    LargestCluster,
    OverridesReport,
    RuleReport,
    StageReport,
)
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan, Project

LARGEST = 10
"""Customers with the most records that the report names."""
SUSPICIOUS = 200
"""Records of one customer from which a person is unlikely to be one."""
IGNORED_SHOWN = 100
"""Ignored values in the report, those with the most pairs first; the table `ignored` has all."""

WORST_IGNORED = """
SELECT rule, count(*) AS n, arg_min(value, (-pairs, value)) AS value,
       arg_min(records, (-pairs, value)) AS records
FROM ignored GROUP BY rule ORDER BY rule"""
YIELDS = """
SELECT rule, count(*) AS records FROM (
    SELECT rid, min(rule) AS rule FROM (
        SELECT a AS rid, rule FROM links ANTI JOIN cuts USING (a, b)
        UNION ALL
        SELECT b AS rid, rule FROM links ANTI JOIN cuts USING (a, b)
    ) GROUP BY rid HAVING min(rule) = max(rule)
) GROUP BY rule"""
SIZES = """
SELECT size, count(*) AS customers FROM (SELECT count(*) AS size FROM members GROUP BY ordinal)
GROUP BY size ORDER BY size"""
BIGGEST = f"""
SELECT CustomerId, count(*) AS records FROM members GROUP BY CustomerId
HAVING count(*) > 1 ORDER BY records DESC, CustomerId LIMIT {LARGEST}"""


@dataclass(frozen=True)
class ThisRun:
    """Which run this is, and what it goes on from.

    previous          name of the attached database of the generation before, for ids that stay
    highest_ordinal   ever given to a customer, in generations that were rolled back too; -1: none
    """

    number: int
    started: datetime
    previous: str | None = None
    highest_ordinal: int = -1


@dataclass
class Conflated:
    """What the stage found out; becomes part of the run report."""

    stages: list[StageReport] = field(default_factory=list)
    arrows: list[ArrowReport] = field(default_factory=list)
    overrides: OverridesReport = field(default_factory=OverridesReport)
    rules: list[RuleReport] = field(default_factory=list)
    ignored: list[IgnoredValue] = field(default_factory=list)
    junk: JunkReport | None = None
    clusters: ClusterReport | None = None
    changes: ChangeReport | None = None
    warnings: list[str] = field(default_factory=list)
    highest_ordinal: int = -1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        started = perf_counter()
        yield
        self.stages.append(StageReport(stage=name, seconds=round(perf_counter() - started, 3)))


class Stages:
    """The stages that may be done in another way than for all records at once, as a whole run does them.

    Another way leaves the same tables behind.
    """

    def prepare(self, engine: Engine, project: Project, plan: ConflationPlan, bound: BoundPlan) -> int:
        """Make `records` and the prepared values; returns the number of records."""
        return prepare(engine, project, plan, bound.prepared)

    def link(
        self, engine: Engine, plan: ConflationPlan, bound: BoundPlan, progress: Progress, lies: Judged
    ) -> list[RuleReport]:
        """Make `links` and what belongs to them (links.py)."""
        return make_links(engine, plan, bound, progress, lies)

    def clustered(self, engine: Engine, bound: BoundPlan) -> None:
        """Clusters are made, and prepared values and stars are there for the last time."""

    def identity(self, engine: Engine, project: Project, this: ThisRun, progress: Progress) -> IdentityReport:
        """Make `members`, `customer_ids`, `customer_changes` and scratch `previous_ids` from clusters."""
        plan = plan_of(project)
        _build(engine, winner_steps(engine, project, plan))
        return assign(engine, this.number, this.previous, matched_only(plan), progress, above=this.highest_ordinal)

    def merge(
        self, engine: Engine, project: Project, lists: Lists, first_rule: int, progress: Progress, unified: Unified
    ) -> list[RuleReport]:
        """Make `Customer` and its lineage; returns the reports of the rules of clusters."""
        _build(engine, value_steps(unified.columns))
        columns, rules = make_customer_clusters(
            engine, project, plan_of(project), lists, first_rule, progress, unified
        )  # fmt: skip
        _build(engine, customer_steps(unified.columns, columns, plain_columns(engine, unified.columns)))
        return rules

    def outputs(self, engine: Engine, project: Project, started: datetime) -> None:
        """Make the vendor's output tables."""
        _build(engine, output_steps(project, started))


WHOLE = Stages()


def matched_only(plan: ConflationPlan) -> list[str]:
    """Entities whose records become a customer only together with a record of another entity."""
    return [o.entity for o in plan.order if not o.include_all]


def conflate(
    engine: Engine,
    project: Project,
    lists: Lists,
    *,
    this: ThisRun,
    progress: Progress = silent,
    how: Stages = WHOLE,
) -> Conflated:
    """Make every table of docs/tables.md below "Conflate" and "Merge" from the source tables and `overrides`.

    Raises SpecError for a plan that does not fit the sources, OverloadError when a rule would explode and may not.
    """
    found = Conflated()
    schemas = {name: engine.columns(table_of(name)) for name in project.entities}
    check_plan(project, schemas)
    plan = plan_of(project)
    columns = unified_columns(project, schemas)
    found.warnings += columns.notes
    with found.stage("prepare"):
        progress("prepare", "normalise what the rules compare")
        bound = bind(engine, project, lists)
        attributes = compared(bound, plan)
        lies = judged(project, bound)
        records = how.prepare(engine, project, plan, bound)
        found.overrides, warnings = resolve_overrides(engine, project, plan)
        found.warnings += warnings
    with found.stage("junk"):
        progress("junk", "find values that too many different people carry")
        found.junk = judge_values(engine, project, lies, list(bound.prepared.values()), lists)
        found.warnings += junk_warnings(project, found.junk)
        for one in bound.prepared.values():
            drop_junk(engine, one, forms_of(lies, one))
    with found.stage("link"):
        found.rules = how.link(engine, plan, bound, progress, lies)
    with found.stage("cluster"):
        clustered = cluster(engine, plan, progress)
        how.clustered(engine, bound)
    with found.stage("bridges"):
        bridged = weigh_links(engine, plan, bound, attributes, progress)
    with found.stage("identity"):
        identity = how.identity(engine, project, this, progress)
    with found.stage("merge"):
        progress("merge", "choose the values of every customer")
        cluster_rules = how.merge(engine, project, lists, len(bound.rules) + 1, progress, Unified(lies, columns))
    with found.stage("outputs"):
        progress("outputs", "write the documented tables")
        how.outputs(engine, project, this.started)
    _report(engine, found, records, clustered, bridged, identity)
    found.rules += cluster_rules
    return found


def _build(engine: Engine, steps: Iterable[Step]) -> None:
    for step in steps:
        engine.build(step)


def _ignored_warnings(engine: Engine, rules: list[RuleReport]) -> Iterator[str]:
    """One sentence per rule that left values out, naming the worst."""
    told = {r.rule: r for r in rules}
    for row in engine.fetch(Query(WORST_IGNORED)).to_pylist():
        rule = told[row["rule"]]
        values = "1 value" if row["n"] == 1 else f"{row['n']:,} values"
        worst = f"the worst {row['value']!r} on {row['records']:,} records; the table `ignored` says why"
        if rule.shape == "scored":
            does = "brings" if row["n"] == 1 else "bring"
            yield f"rule {rule.name!r}: {values} alone {does} no records together, other values may; {worst}"
        else:
            yield f"rule {rule.name!r}: {values} {'is' if row['n'] == 1 else 'are'} no evidence, {worst}"


def _size_warnings(clusters: ClusterReport) -> Iterator[str]:
    if clusters.largest and clusters.largest[0].records > SUSPICIOUS:
        worst = clusters.largest[0]
        yield (
            f"customer {worst.CustomerId} holds {worst.records:,} records: a rule may chain strangers; "
            "`unify explain` it, or set a limit (`limits: [{max_records: 50}]`)"
        )


def _report(
    engine: Engine, found: Conflated, records: int, clustered: Clustered, bridged: Bridged, identity: IdentityReport
) -> None:
    """Fill in what needs all tables: yields, sizes, ignored values, changes, accounting."""
    yields = {r["rule"]: r["records"] for r in engine.fetch(Query(YIELDS)).to_pylist()}
    found.rules = [r.model_copy(update={"yields": yields.get(r.rule, 0)}) for r in found.rules]
    ignored = Query(f"FROM ignored ORDER BY pairs DESC, rule, value LIMIT {IGNORED_SHOWN}")
    found.ignored = [IgnoredValue(**r) for r in engine.fetch(ignored).to_pylist()]
    histogram = {r["size"]: r["customers"] for r in engine.fetch(Query(SIZES)).to_pylist()}
    dropped = dict(identity.dropped)
    found.highest_ordinal = int(scalar(engine, Query("SELECT coalesce(max(ordinal), -1) FROM customer_ids")))
    members = int(scalar(engine, Query("SELECT count(*) FROM members")))
    found.clusters = ClusterReport(
        records=records,
        customers=identity.customers,
        dropped=sum(dropped.values()),
        histogram=histogram,
        largest=[LargestCluster(**r) for r in engine.fetch(Query(BIGGEST)).to_pylist()],
        components=clustered.components,
        violating=clustered.violating,
        dedupe_groups=clustered.dedupe_groups,
        cuts=dict(clustered.cuts) | ({WEAK_BRIDGE: bridged.cut} if bridged.cut else {}),
        doubtful=bridged.doubtful,
    )
    found.warnings += [*_ignored_warnings(engine, found.rules), *_size_warnings(found.clusters)]
    found.changes = ChangeReport(
        created=identity.created,
        merged=identity.merged,
        split=identity.split,
        retired=identity.retired,
        unchanged=identity.kept,
    )
    found.arrows += [
        ArrowReport(
            arrow="records → members",
            rows_in=records,
            rows_out=members,
            aside={f"{entity} matched nothing": n for entity, n in dropped.items()},
        ),
        ArrowReport(
            arrow="members → customers",
            rows_in=members,
            rows_out=identity.customers,
            aside={"joined another record": sum((size - 1) * n for size, n in histogram.items())},
        ),
    ]
