"""The batch job: a project's sources become a new generation of an instance.

    lease ─▶ begin ─▶ ingest, or carry over ─▶ conflate and bring activities home, or carry over ─▶ segments ─▶ publish

What a job does not make anew it carries over from the published generation, so every generation is whole.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from shutil import copyfile
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ingest.customer_lists import load_customer_lists
from ingest.dependents import dependents_of
from ingest.drift import check, drift
from ingest.entities import write_entities
from ingest.labels import check_labels
from ingest.lists import load_lists
from ingest.load import load
from ingest.record_tables import load_records, with_keys
from ingest.report import LoadReport
from segments.activities import ActivitiesMade, make_activities
from segments.measures.checks import check_measures
from segments.measures.run import MeasuresMade, make_measures
from segments.membership.identity import Changes, changes_of
from segments.model import MEASURES, model_of, own_table
from segments.relation_checks import check_relations, relation_warnings
from segments.relationships import CUSTOMER
from unify.conflation.binding import plan_of
from unify.conflation.run import Conflated, ThisRun
from unify.core.engine import Engine, scalar
from unify.core.erased import Erased
from unify.core.errors import SpecError, UnifyError, did_you_mean
from unify.core.memory import peak_mib
from unify.core.names import corrupt_table_of, quote, table_of
from unify.core.progress import Progress, silent
from unify.core.reports import ArrowReport, EntityReport, RunReport, StageReport
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental import state
from unify.incremental.customers import make_customers
from unify.incremental.planning import ANEW, Course, set_course
from unify.privacy.ledger import erased
from unify.records import RecordStore
from unify.spec import Project
from unify.store import Build, Generation, Lease, NewMembers, Store
from unify.store.written import WrittenRow, WrittenRows, digest_of
from unify.verbs.decisions import add_decisions, refuse_contradictions
from unify.verbs.segment_stage import SegmentsFound, segments_of_run

if TYPE_CHECKING:
    from unify.privacy.person import Person

PREVIOUS = "previous"
"""Name under which the published generation is attached while the next one is built."""
ORDINALS = "customer ordinals given"
"""Mark in the catalog: how many ordinals were ever given, whatever was rolled back since."""
REFRESH = "refresh"
QUESTIONS = frozenset({"measures", "segments", "timezone", "keep", "keep_members", "instance"})
"""What of a project a refresh may change: nothing that customers and activities are made of."""
LISTED = "listed_customers"
LISTS = ("overrides", "list_values", LISTED)
"""Tables of the project's lists."""


@dataclass(frozen=True)
class Job:
    """What to do: `ingest` and `conflate` stages on or off; `frames` are sources handed over from Python.

    Both off is a refresh: measures and segments anew, over the customers that are there.
    `full`: nothing is taken over from the generation before but what happened to ids.
    `lists` off: the lists of the generation before stand, because nobody gave a project whose lists could be read.
    """

    project: Project
    base: Path
    ingest: bool = True
    conflate: bool = True
    lists: bool = True
    full: bool = False
    frames: Mapping[str, Any] = field(default_factory=dict)
    memory_limit: str | None = None
    threads: int | None = None
    erasing: "Person | None" = None
    """Somebody whom the new generation must not hold on any page; no other one is kept then."""

    @property
    def purpose(self) -> str:
        """What the lease and the run are called."""
        purposes = {(True, True): "run", (True, False): "ingest", (False, True): "conflate", (False, False): REFRESH}
        return purposes[self.ingest, self.conflate]

    @property
    def fingerprint(self) -> str:
        """Hash of the project: tells whether two runs had the same plan."""
        return hashlib.sha256(self.project.model_dump_json(by_alias=True).encode()).hexdigest()[:16]


def run_job(store: Store, job: Job, *, wait: float | None = None, progress: Progress = silent) -> RunReport:
    """Build and publish one generation; returns the run's report.

    Raises LeaseHeldError when somebody else is writing (after `wait` seconds), SpecError, SourceError, OverloadError;
    whatever happens before publishing leaves the published generation as it was.
    """
    if job.purpose == "conflate":
        plan_of(job.project)  # raises when there is none: a run would only copy the generation
    job = replace(job, project=with_keys(job.project, RecordStore(store.path)))
    _check_frames(job)
    with store.lease(job.purpose, wait) as lease:
        return _Run(store, job, lease, progress).go()


def _check_frames(job: Job) -> None:
    for name in job.frames:
        if name not in job.project.entities:
            raise SpecError(
                f"a frame was given for {name}, which is not an entity of the project",
                where="frames",
                hint=did_you_mean(name, job.project.entities),
            )
    for name, entity in job.project.entities.items():
        if job.ingest and not entity.files and not entity.records and name not in job.frames:
            raise SpecError(
                f"{name} has no files and no frame was given for it",
                where=f"sources.{name}",
                hint=f"add `files:`, or call run(..., frames={{'{name}': frame}})",
            )


class _Run:
    """One run, from lease to publish."""

    def __init__(self, store: Store, job: Job, lease: Lease, progress: Progress) -> None:
        self.store, self.job, self.lease, self.progress = store, job, lease, progress
        self.records = RecordStore(store.path)
        self.started = datetime.now(UTC)
        self.clock = perf_counter()
        self.erased = erased(store)
        self.written = _but_erased(WrittenRows(store.path).all(self.started), self.erased)
        self.stages: list[StageReport] = []
        self.warnings: list[str] = []
        self.entities: list[EntityReport] = []
        self.course = Course()
        self.conflated = Conflated()
        self.happened = ActivitiesMade()
        self.measured = MeasuresMade()
        self.segments = SegmentsFound(NewMembers())

    def go(self) -> RunReport:
        before = self.store.published()
        with self.store.begin(self.lease, project=self.job.fingerprint) as build:
            self._set_course(before)
            if before is not None and self.course.takes_over:
                copyfile(before.path, build.path)
            with DuckDBEngine(build.path, memory_limit=self.job.memory_limit, threads=self.job.threads) as engine:
                if before is not None:
                    engine.attach(before.path, PREVIOUS)
                self._fill(engine, build, before)
                self._segments(engine, build, before)
                if before is not None:
                    engine.detach(PREVIOUS)
            if self.job.erasing is not None:
                from unify.privacy.rewrite import rewrite

                rewrite(build.path, self.job.erasing)
            clock = perf_counter()
            self.progress("publish", f"generation {build.number}")
            report = self._report(build, before)
            marks = {ORDINALS: self.conflated.highest_ordinal + 1}
            build.publish(
                report.as_dict(),
                1 if self.job.erasing else self.job.project.keep,
                summary=_summary(report),
                marks=marks,
                members=self.segments.kept,
            )
        body = self.job.project.model_dump(mode="json", by_alias=True)
        self.store.save_definition("project", self.job.project.name, body)
        self.store.save_definition("base", self.job.project.name, {"base": str(self.job.base.resolve())})
        publish = StageReport(stage="publish", seconds=round(perf_counter() - clock, 3))
        return report.model_copy(
            update={"stages": [*report.stages, publish], "seconds": round(perf_counter() - self.clock, 3)}
        )

    def _set_course(self, before: Generation | None) -> None:
        """What changed since the generation before, as far as it can be told before anything is read."""
        job = self.job
        if job.purpose == REFRESH:
            self.course.takes_over = before is not None
            return
        at = (before.number, before.path) if before is not None else None
        frames, now = job.frames, self.started
        written = {name: digest_of(rows) for name, rows in self.written.items()}
        self.course = set_course(
            job.project,
            frames,
            job.base,
            now,
            at,
            reads=job.ingest,
            full=job.full,
            written=written,
            records=self.records,
        )
        self.course.takes_over &= job.conflate and job.project.conflation is not None

    def _fill(self, engine: DuckDBEngine, build: Build, before: Generation | None) -> None:
        """Make every table of the generation."""
        if self.job.purpose == REFRESH:
            self._refresh(engine, before)
        else:
            self._make(engine, build, before)
        if self.job.purpose != REFRESH:
            self.course.settle(self.job.project.entities)
            state.write_stages(engine, self.course.made)
        engine.build(
            Step("project", Query("SELECT $json AS project", {"json": self.job.project.model_dump_json(by_alias=True)}),
                 "the plan that made this generation", keep=True)
        )  # fmt: skip

    def _refresh(self, engine: DuckDBEngine, before: Generation | None) -> None:
        """Everything as it was, and measures anew."""
        if before is None or CUSTOMER not in before.rows:
            raise SpecError("there are no customers to measure yet", hint="`unify run` first")
        _check_questions_only(engine, self.job.project)
        _drop_measures(engine)
        if self.job.lists or LISTED not in engine.tables():
            load_customer_lists(engine, self.job.project, self.job.base)
        self._measure(engine)

    def _make(self, engine: DuckDBEngine, build: Build, before: Generation | None) -> None:
        """Sources and customers, as far as the job makes them, and what hangs on them."""
        clock = perf_counter()
        if self.job.ingest:
            self._ingest(engine, before)
        else:
            self._carry_sources(engine, before)
        check_relations(self.job.project, {n: engine.columns(table_of(n)) for n in self.job.project.entities})
        check_measures(self.job.project)
        if self.job.lists:
            load_lists(engine, self.job.project, self.job.base)
            load_customer_lists(engine, self.job.project, self.job.base)
        else:
            if not self.course.takes_over:
                _carry(engine, [table for table in LISTS if table in engine.tables(PREVIOUS)])
            if LISTED not in engine.tables():  # a generation of before there were segments
                load_customer_lists(engine, self.job.project, self.job.base)
        if self.job.conflate:
            refuse_contradictions(self.store)
            self.warnings += add_decisions(engine, self.store, self.job.project)
        self.stages.append(StageReport(stage="ingest", seconds=round(perf_counter() - clock, 3)))
        if self.job.conflate and self.job.project.conflation is not None:
            with_ids = before is not None and "members" in engine.tables(PREVIOUS)
            this = ThisRun(build.number, self.started, PREVIOUS if with_ids else None, self.store.mark(ORDINALS) - 1)
            self.conflated = make_customers(engine, self.job.project, this, self.course, self.progress)
            _drop_measures(engine)
            self.happened = make_activities(engine, self.job.project, self.progress)
            self.course.stage("activities", ANEW, "they hang on customers")
            self._measure(engine)
        elif before is not None:
            _carry(engine, [t for t in engine.tables(PREVIOUS) if t not in engine.tables()])
            engine.copy_views(PREVIOUS)

    def _segments(self, engine: DuckDBEngine, build: Build, before: Generation | None) -> None:
        """Who is in which segment, on the tables that are there now."""
        clock = perf_counter()
        self.segments = segments_of_run(
            engine,
            self.store,
            self.job.project,
            run=build.number,
            clock=self.started,
            parent=before.number if before is not None else None,
            changes=changes_of(engine) if self.conflated.changes is not None else Changes.of([]),
            progress=self.progress,
        )
        if self.segments.reports:
            self.stages.append(StageReport(stage="segments", seconds=round(perf_counter() - clock, 3)))

    def _measure(self, engine: DuckDBEngine) -> None:
        self.course.stage("measures", ANEW, "they look from the moment of the run")
        model = model_of(engine, self.job.project)
        self.measured = make_measures(engine, self.job.project, model, clock=self.started, progress=self.progress)

    def _ingest(self, engine: DuckDBEngine, before: Generation | None) -> None:
        known = _columns_before(engine) if before is not None else {}
        loaded: list[LoadReport] = []
        for name, entity in self.job.project.entities.items():
            self.progress("ingest", name)
            report = self._loaded(engine, name)
            loaded.append(report)
            warnings = [*report.warnings, *check_labels(name, entity, [c.name for c in report.columns])]
            if name in known:
                now = [{"name": c.name, "type": c.type} for c in report.columns]
                warnings += check(name, entity, drift(known[name], now), dependents_of(self.job.project, name))
            self.entities.append(_entity_report(report, warnings))
        write_entities(engine, self.job.project.entities, loaded)

    def _loaded(self, engine: DuckDBEngine, name: str) -> LoadReport:
        """One entity's tables: those of the generation before where it would be loaded just so."""
        job, entity = self.job, self.job.project.entity(name)
        given: dict[str, Any] = {
            "base": job.base, "now": self.started, "written": self.written.get(name, ()), "erased": self.erased
        }  # fmt: skip
        if entity.records and name not in job.frames:
            since = self.course.since(name)
            reads = partial(load_records, engine, name, entity, self.records, since=since, previous=PREVIOUS, **given)
        else:
            reads = partial(load, engine, name, entity, job.frames.get(name), **given)
        return self.course.loaded(
            name,
            reads,
            partial(_carry, engine, [table_of(name), corrupt_table_of(name)]),
        )

    def _carry_sources(self, engine: DuckDBEngine, before: Generation | None) -> None:
        """Source tables of the published generation, when only conflation runs."""
        missing = [name for name in self.job.project.entities if before is None or table_of(name) not in before.rows]
        if missing:
            raise SpecError(f"{', '.join(missing)} has not been ingested", hint="`unify ingest` or `unify run` first")
        _check_keys(engine, self.job.project)
        for name in self.job.project.entities:
            self.course.keep_source(name)
        if self.course.takes_over:
            return
        for name in self.job.project.entities:
            _carry_entity(engine, name, self.job.project.entity(name).key, self.erased)
        _carry(engine, ["entities"])

    def _report(self, build: Build, before: Generation | None) -> RunReport:
        found = self.conflated
        changes = found.changes
        if changes is not None and before is not None:
            changes = changes.model_copy(update={"previous": before.number})
        report = RunReport(
            run=build.number,
            generation=build.number,
            project=self.job.project.name,
            started=self.started.isoformat(timespec="seconds"),
            seconds=round(perf_counter() - self.clock, 3),
            peak_mib=peak_mib(),
            stages=[*self.stages, *found.stages, *self.happened.stages, *self.measured.stages],
            arrows=[*_ingest_arrows(self.entities), *found.arrows, *self.happened.arrows],
            entities=self.entities,
            overrides=found.overrides,
            rules=found.rules,
            ignored=found.ignored,
            junk=found.junk,
            clusters=found.clusters,
            changes=changes,
            activities=self.happened.reports,
            measures=self.measured.reports,
            segments=self.segments.reports,
            incremental=None if self.job.purpose == REFRESH else self.course.report,
            warnings=[
                *(f"{e.entity}: {w}" for e in self.entities for w in e.warnings),
                *self.warnings,
                *found.warnings,
                *relation_warnings(self.job.project),
                *self.happened.warnings,
                *self.segments.warnings,
            ],
        )
        unbalanced = [a.arrow for a in report.arrows if not a.balanced]
        if unbalanced:
            raise UnifyError(f"rows are not accounted for at {', '.join(unbalanced)}", hint="this is a bug: report it")
        return report


def _check_keys(engine: Engine, project: Project) -> None:
    """Keys were checked when they were ingested: another one may be null or not unique."""
    rows = engine.fetch(Query(f"SELECT entity, key FROM {quote(PREVIOUS)}.entities")).to_pylist()
    ingested = {row["entity"]: row["key"] for row in rows}
    for name, entity in project.entities.items():
        if entity.key != ingested[name]:
            raise SpecError(
                f"the key of {name} is {entity.key!r} here, and was {ingested[name]!r} when it was ingested",
                where=f"sources.{name}",
                hint="`unify run` ingests it by the new key",
            )


def _check_questions_only(engine: Engine, project: Project) -> None:
    """A refresh takes customers as they are, so the project must say the same about them as when they were made."""
    text = scalar(engine, Query(f"SELECT project FROM {quote(PREVIOUS)}.project"))
    made = Project.model_validate_json(text)
    changed = [n for n in Project.model_fields if n not in QUESTIONS and getattr(made, n) != getattr(project, n)]
    if changed:
        raise SpecError(
            f"{', '.join(changed)} changed since the customers were made",
            where=changed[0],
            hint="a refresh works out measures and segments only: `unify run` does everything",
        )


def _drop_measures(engine: DuckDBEngine) -> None:
    """Measures of the generation whose file was taken over: each run makes its own, of the moment it runs."""
    for table in engine.tables():
        if table.casefold() == MEASURES.casefold() or table.startswith(own_table("")):
            engine.change(Query(f"DROP TABLE {quote(table)}"))


def _carry(engine: Engine, tables: Iterable[str]) -> None:
    for table in tables:
        engine.build(
            Step(
                table,
                Query(f"FROM {quote(PREVIOUS)}.{quote(table)}"),
                "carried over from the generation before",
                keep=True,
            )
        )


def _but_erased(written: Mapping[str, list[WrittenRow]], erased: Erased) -> dict[str, list[WrittenRow]]:
    """Rows written one by one, without those of records that were erased."""
    return {
        entity: [row for row in rows if erased.hash(entity, row.key) not in erased.of(entity)]
        for entity, rows in written.items()
    }


def _carry_entity(engine: Engine, name: str, key: str, erased: Erased) -> None:
    """The tables of an entity, without records that were erased."""
    if not erased.of(name):
        _carry(engine, [table_of(name), corrupt_table_of(name)])
        return
    why = "carried over from the generation before, without who was erased"
    for table, stays in (
        (table_of(name), erased.stays(name, quote(key))),
        (corrupt_table_of(name), erased.stays_unread(name, "raw")),
    ):
        sql = f"FROM {quote(PREVIOUS)}.{quote(table)} WHERE {stays.sql}"
        engine.build(Step(table, Query(sql, stays.params), why, keep=True))


def _columns_before(engine: Engine) -> dict[str, list[dict[str, str]]]:
    """Columns of every entity in the published generation."""
    rows = engine.fetch(Query(f"SELECT entity, columns FROM {quote(PREVIOUS)}.entities")).to_pylist()
    return {row["entity"]: json.loads(row["columns"]) for row in rows}


def _entity_report(report: LoadReport, warnings: list[str]) -> EntityReport:
    prefix = f"{report.entity}: "
    return EntityReport(
        entity=report.entity,
        files=len(report.files),
        rows_in=report.rows_in,
        rows_kept=report.rows_kept,
        rows_quarantined=report.rows_quarantined,
        rows_filtered=report.rows_filtered,
        rows_superseded=report.rows_replaced + report.rows_of_deletes,
        rows_added=report.rows_added,
        rows_changed=report.rows_changed,
        reasons=dict(report.reasons),
        columns=[
            {"name": c.name, "type": c.type, "label": c.label or None, "format": c.format or None}
            for c in report.columns
        ],
        seconds=round(report.seconds, 3),
        warnings=[w.removeprefix(prefix) for w in warnings],
    )


def _ingest_arrows(entities: Iterable[EntityReport]) -> list[ArrowReport]:
    arrows = []
    for e in entities:
        aside = {f"quarantined: {reason}": n for reason, n in e.reasons.items()}
        aside |= {"left out by a row filter": e.rows_filtered, "replaced by an upsert or delete": e.rows_superseded}
        arrows.append(
            ArrowReport(
                arrow=f"files → {e.entity}",
                rows_in=e.rows_in,
                rows_out=e.rows_kept,
                aside={reason: n for reason, n in aside.items() if n},
            )
        )
    return arrows


def _summary(report: RunReport) -> dict[str, Any]:
    """What `unify generations` lists."""
    return {
        "seconds": report.seconds,
        "rows": sum(e.rows_in for e in report.entities),
        "customers": report.clusters.customers if report.clusters else None,
    }
