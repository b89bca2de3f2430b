"""An instance: the verbs a notebook user calls. The composition root; every face (CLI, service) goes through it.

    acme = unify.open("acme")
    acme.run("project.yaml")                         build and publish; the only verbs that take the writer's lease:
                                                     run, ingest, conflate, refresh, rollback
    acme.customers()  acme.table("links")  acme.sql("SELECT …")
    acme.explain("crm.Contacts:C-1", "loyalty.Members:L-9")
    acme.customer("crm.Contacts:C-1")  acme.timeline("crm.Contacts:C-1")
    acme.segments()  acme.segment("vip")
    acme.report()  acme.runs()  acme.generations()  acme.status()

Reading never takes the lease and never waits for a writer: it sees the published generation, whole, and moves to the
next one between two questions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from unify.answers import Answer
from unify.batch import Job, run_job
from unify.core.documents import project_of, read_project
from unify.core.errors import QueryError, SpecError, StoreError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.progress import Progress, silent
from unify.core.reports import RunReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.pages import register as register_pages
from unify.spec import Project
from unify.store import Generation, Holder, Pin, Run, Store

if TYPE_CHECKING:
    import duckdb

    from ingest.profile import EntityProfile
    from segments.customer_card import CustomerCard, Moment
    from segments.measures.preview import MeasurePreview
    from segments.odata.answer_result import ODataAnswer
    from segments.relationships import Hop
    from segments.relationships import Path as RelationshipPath
    from unify.conflation.explain import Explainer
    from unify.core.explanations import Explanation
    from unify.core.insight_reports import Overlap, OverlapByValue
    from unify.doctor import DoctorReport
    from unify.engines.export import Exported, Format
    from unify.measures import Given, MeasureHandle
    from unify.segment_handle import SegmentHandle
    from unify.segment_insights import Insights
    from unify.segment_verbs import Segments
    from unify.spec import Segment

register_pages()

AMOUNT_OF_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?)?B\Z", re.IGNORECASE)
"""As DuckDB reads it."""
ProjectLike = Project | Mapping[str, Any] | str | Path
"""A project, the same as a dict, or the path of its file."""


@dataclass(frozen=True)
class Status:
    """What is published, who is writing, and how the last run ended."""

    path: Path
    published: Generation | None
    writer: Holder | None
    last_run: Run | None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        p, w, r = self.published, self.writer, self.last_run
        return {
            "path": str(self.path),
            "generation": p.number if p else None,
            "published": p.published.isoformat() if p else None,
            "customers": p.rows.get("Customer") if p else None,
            "writer": {"pid": w.pid, "host": w.host, "purpose": w.purpose, "since": w.started.isoformat()}
            if w
            else None,
            "last_run": {"run": r.number, "state": r.state, "purpose": r.purpose, "error": r.error} if r else None,
        }


class Instance:
    """An instance on disk. Safe to open in many processes and notebooks at once; close it, or use it in a `with`.

    One thread at a time asks it; a thread of your own opens its own, which costs a few milliseconds.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.path = store.path
        self._engine: DuckDBEngine | None = None
        self._pin: Pin | None = None
        self._open_number: int | None = None

    # ── building: these take the lease ───────────────────────────────────────────────────────────────────────────────

    def run(self, project: ProjectLike, **options: Any) -> RunReport:
        """Ingest, conflate and publish. Options: frames, base, wait, progress, memory_limit, threads.

        frames        {"crm.Contacts": a pandas, polars or Arrow table, ...} instead of files
        base          folder that paths in the project are relative to; default: the project file's, else the current
        wait          seconds to wait for another writer; default: LeaseHeldError at once
        Raises SpecError, SourceError, OverloadError, LeaseHeldError, StoreError; then nothing was published.
        """
        return self._job(project, ingest=True, conflate=True, **options)

    def ingest(self, project: ProjectLike, **options: Any) -> RunReport:
        """Ingest only; customers stay as they are until the next conflate. Options as for `run`."""
        return self._job(project, ingest=True, conflate=False, **options)

    def conflate(self, project: ProjectLike | None = None, **options: Any) -> RunReport:
        """Conflate what was ingested, by another plan or the last one; of the files only those of lists are read."""
        if project is None:
            return self._job(self.project(), ingest=False, conflate=True, lists=False, **options)
        return self._job(project, ingest=False, conflate=True, **options)

    def refresh(self, project: ProjectLike | None = None, **options: Any) -> RunReport:
        """Measures and segments anew, by the project given or the last one, over the customers that are there."""
        given = self.project() if project is None else project
        return self._job(given, ingest=False, conflate=False, lists=project is not None, **options)

    def _job(
        self,
        project: ProjectLike,
        *,
        ingest: bool,
        conflate: bool,
        lists: bool = True,
        frames: Mapping[str, Any] | None = None,
        base: str | Path | None = None,
        wait: float | None = None,
        progress: Progress = silent,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> RunReport:
        read, folder = load_project(project)
        if memory_limit is not None and not AMOUNT_OF_MEMORY.match(memory_limit):
            hint = "write a number and a unit, e.g. 4GB or 512MiB"
            raise SpecError(f"{memory_limit!r} is no amount of memory", where="memory_limit", hint=hint)
        if threads is not None and threads < 1:
            raise SpecError(f"{threads} threads cannot work", where="threads", hint="write 1 or more, or leave it out")
        job = Job(
            project=read,
            base=Path(base) if base is not None else folder,
            ingest=ingest,
            conflate=conflate,
            lists=lists,
            frames=frames or {},
            memory_limit=memory_limit,
            threads=threads,
        )
        return run_job(self.store, job, wait=wait, progress=progress)

    def rollback(self, generation: int, *, wait: float | None = None) -> Generation:
        """Publish a kept generation again; StoreError naming the kept ones when it is not kept."""
        return self.store.rollback(generation, wait)

    # ── reading: these never take the lease ──────────────────────────────────────────────────────────────────────────

    def engine(self) -> DuckDBEngine:
        """A read-only engine on the published generation; moves to a newer one between two calls."""
        if self._engine is None or self.published().number != self._open_number:
            self.close()
            generation, self._pin = self.store.pin_published()
            self._engine = DuckDBEngine.reading(generation.path)
            self._open_number = generation.number
        return self._engine

    def published(self) -> Generation:
        """The published generation; StoreError when there is none."""
        published = self.store.published()
        if published is None:
            raise StoreError("nothing has been published yet", where=str(self.path), hint="`unify run PROJECT.yaml`")
        return published

    def sql(self, query: str, params: Mapping[str, Any] | None = None) -> Answer:
        """One SELECT over the tables of docs/tables.md; values are bound as `$name`. QueryError for anything else."""
        return Answer(self.engine().question(query, dict(params or {})))

    def table(self, name: str) -> Answer:
        """A whole table, by table or entity name (`crm_Contacts`, `crm.Contacts`)."""
        known = self.tables()
        table = name if name in known else table_of(name)
        if table not in known:
            raise QueryError(f"there is no table {name!r}", hint=did_you_mean(name, known))
        return Answer(self.engine().fetch(Query(f"FROM {quote(table)}")))

    def customers(self) -> Answer:
        """The master customer dataset."""
        return self.table("Customer")

    def tables(self) -> dict[str, int | None]:
        """Table to row count; None for a view."""
        engine = self.engine()
        return engine.row_counts()

    def connect(self) -> "duckdb.DuckDBPyConnection":
        """A read-only DuckDB connection of your own on the published generation; close it when you are done.

        It stays on that generation whatever this instance moves on to: an open file outlives its removal.
        """
        generation, pin = self.store.pin_published()
        with pin:
            return DuckDBEngine.reading(generation.path).connection

    def project(self) -> Project:
        """The project that made the published generation."""
        text = self.engine().fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
        return Project.model_validate_json(text)

    def profile(self, entity: str) -> "EntityProfile":
        """Counts, values, quantiles and more of every column of an entity."""
        from ingest.profiler import profile

        known = self.entities()
        if entity not in known:
            raise QueryError(f"there is no entity {entity!r}", hint=did_you_mean(entity, known))
        return profile(self.engine(), entity)

    def entities(self) -> list[str]:
        """Qualified names of the ingested entities."""
        rows = self.engine().fetch(Query("SELECT entity FROM entities ORDER BY entity"))
        return list(rows.column(0).to_pylist())

    def explain(self, record: str, other: str | None = None) -> "Explanation":
        """Why two records are one customer or not; with one record or CustomerId, where its values come from.

        A record is written `crm.Contacts:C-1`, or by its key alone when only one entity has it. QueryError for a record
        or customer that is not there.
        """
        explainer = self._explainer()
        return explainer.customer(record) if other is None else explainer.pair(record, other)

    def customer(self, customer: str) -> "CustomerCard":
        """Who a customer is: unified values, records, activities by type.

        Asked for by CustomerId (retired ones resolve) or by a record, as `explain` is; QueryError when there is none.
        """
        from segments.customer_card import customer_card

        return customer_card(self.engine(), self._explainer().customer_id(customer))

    def timeline(
        self,
        customer: str,
        *,
        since: "Moment | None" = None,
        until: "Moment | None" = None,
        types: Sequence[str] | None = None,
        limit: int | None = 100,
    ) -> Answer:
        """What happened to a customer, newest first: rows of UnifiedActivity.

        customer       a CustomerId or a record, as for `customer`
        since, until   from this moment on, up to and without that one; ISO text, date or datetime; UTC unless it says
        types          ActivityTypes
        limit          rows at most; None: all
        """
        from segments.customer_card import timeline_query

        engine = self.engine()
        customer_id = self._explainer().customer_id(customer)
        declared = [activity.type for activity in self.project().activities.values()]
        return Answer(
            engine.fetch(
                timeline_query(
                    engine, customer_id, since=since, until=until, types=types, declared=declared, limit=limit
                )
            )
        )

    def odata(self, request: str, *, clock: datetime | None = None, page_size: int | None = None) -> "ODataAnswer":
        """Answer an OData request, e.g. `Customer?$filter=City eq 'Bern'&$top=5`; docs/odata.md. Rows come in pages.

        `clock` is what `now()` means; the present unless it is given. QueryError for what cannot be asked.
        """
        from unify.odata import ask
        from unify.segment_tables import preparing

        def current() -> tuple[DuckDBEngine, int]:
            return self.engine(), cast("int", self._open_number)

        segments = partial(preparing, self.store)
        return ask(
            self.store, current, request, clock=clock or datetime.now(UTC), page_size=page_size, segments=segments
        )

    def relationships(self) -> "list[Hop]":
        """Declared relationships in their own direction, then those that conflation made."""
        from segments.relationships import RelationshipGraph

        return RelationshipGraph(self.project()).listed()

    def relationship_paths(self, start: str, end: str = "Customer") -> "list[RelationshipPath]":
        """Ways from one entity to another, or to Customer, that pass no entity twice: short ones first, 100 at most."""
        from segments.relationships import RelationshipGraph

        return RelationshipGraph(self.project()).paths(start, end)

    def measures(self) -> "list[MeasureHandle]":
        """Every measure of the project, in order."""
        return [self.measure(name) for name in self.project().measures]

    def measure(self, name: str) -> "MeasureHandle":
        """One measure: its values, definition, SQL and history; QueryError for an unknown one."""
        from unify.measures import MeasureHandle

        return MeasureHandle(self, name, self.project())

    def preview_measure(self, measure: "Given", **options: Any) -> "MeasurePreview":
        """What a measure would be on the published generation. Options: name, limit, clock. SpecError."""
        from unify.measures import preview_of

        return preview_of(self, measure, **options)

    def _explainer(self) -> "Explainer":
        from unify.batch import lists_of
        from unify.conflation.explain import Explainer

        engine, project = self.engine(), self.project()
        return Explainer(engine, project, lists_of(engine, project))

    def convert(
        self, said: "Segment | str | Mapping[str, Any]", to: str, *, spelling: str | None = None, name: str = "segment"
    ) -> str:
        """A segment or a condition in another spelling: odata, sentence, json or yaml; docs/spellings.md."""
        from unify.segment_spelling import converted

        return converted(self, said, to, spelling=spelling, name=name)

    def segments(self) -> "Segments":
        """Every segment with state, members and run; also the verbs that make, change, preview and refresh them."""
        return self._segments

    def segment(self, name: str) -> "SegmentHandle":
        """One segment, opened: members, history, `customer in …`; NotFoundError for an unknown one."""
        return self._segments.open(name)

    def overlap(self, names: Sequence[str] | None = None, *, by: str | None = None) -> "Overlap | OverlapByValue":
        """How segments share customers; None: all that have members. `by`: per value of an attribute."""
        return self.insights.overlap(names, by=by)

    @property
    def insights(self) -> "Insights":
        """Overlap, suggested segments, values of a field; of one segment: `acme.segment(name).differ()`, `.drift()`."""
        from unify.segment_insights import Insights

        return Insights(self._segments)

    @cached_property
    def _segments(self) -> "Segments":
        from unify.segment_verbs import Segments

        return Segments(self.store)

    def export(
        self,
        what: str,
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 - the word users know
        neutralise: bool = True,
        overwrite: bool = False,
    ) -> "Exported":
        """Write a table, or the answer to a SELECT, to a CSV, Parquet, JSON or JSON lines file.

        `neutralise`: cells that a spreadsheet would run as a formula get an apostrophe (CSV only).
        Raises QueryError for an unknown table, SpecError for an unknown format, StoreError when the file exists.
        """
        from unify.engines.export import export

        known = self.tables()
        chosen: str | Query = what
        if what not in known and table_of(what) in known:
            chosen = table_of(what)
        elif what not in known and " " in what.strip():
            self.engine().question(f"EXPLAIN {what}", {})  # only a SELECT may be written out
            chosen = Query(what)
        generation, pin = self.store.pin_published()
        with pin, DuckDBEngine.reading(generation.path, sealed=False) as engine:
            kind = cast("Format | None", format)
            return export(engine, chosen, Path(path), kind, neutralise=neutralise, overwrite=overwrite)

    def suggest_labels(self, entity: str) -> dict[str, Any]:
        """Semantic labels that an entity's columns seem to have; they apply once you write them under `labels:`."""
        from ingest.labels import suggest_labels

        if entity not in self.entities():
            raise QueryError(f"there is no entity {entity!r}", hint=did_you_mean(entity, self.entities()))
        return dict(suggest_labels(self.engine(), table_of(entity)))

    def status(self) -> Status:
        """What is published, who writes, how the last run ended."""
        runs = self.store.runs(1)
        return Status(self.path, self.store.published(), self.store.lease_holder(), runs[0] if runs else None)

    def runs(self, limit: int = 20) -> list[Run]:
        """The last runs, newest first, failed and killed ones included."""
        return self.store.runs(limit)

    def generations(self) -> list[Generation]:
        """Kept generations, newest first."""
        return self.store.generations()

    def report(self, run: int | None = None) -> RunReport:
        """The report of a run; default: the one that made the published generation."""
        if run is None:
            run = self.published().number
        found = self.store.run(run)
        if found.report is None:
            why = f": {found.error['message']}" if found.error else ""
            raise QueryError(f"run {run} {found.state} and has no report{why}", hint="`unify runs` lists all runs")
        return RunReport.model_validate(found.report)

    def page(self, run: int | None = None, *, merges: int = 4) -> str:
        """A run's report as one self-contained HTML page, with a few merges shown value by value.

        Merges are those of the published generation, so the page of another run has none.
        """
        from unify.merges import telling_merges
        from unify.pages.report_page import report_page

        report = self.report(run)
        shown: list[Explanation] = []
        if merges and report.generation == self.published().number and report.clusters is not None:
            shown = telling_merges(self.engine(), self._explainer(), merges)
        before = report.changes.previous if report.changes else None
        previous = self.store.run(before).report if before is not None else None
        return report_page(report, previous=RunReport.model_validate(previous) if previous else None, merges=shown)

    def doctor(self) -> "DoctorReport":
        """Is everything in order: surroundings, catalog, generations, leftovers, lease, disk. Reads only."""
        from unify.doctor import examine

        return examine(self.path)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Let go of the generation; the next question opens it again."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self._pin is not None:
            self._pin.close()
            self._pin = None
        self._open_number = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.__dict__.pop("_segments", None)  # it holds the generation that its last question was about

    def __repr__(self) -> str:
        published = self.store.published()
        if published is None:
            return f"<Instance {self.path}: nothing published yet>"
        customers = published.rows.get("Customer")
        return f"<Instance {self.path}: generation {published.number}" + (
            f", {customers:,} customers>" if customers is not None else ">"
        )


def load_project(project: ProjectLike) -> tuple[Project, Path]:
    """The project and the folder that its paths are relative to."""
    if isinstance(project, Project):
        return project, Path.cwd()
    if isinstance(project, Mapping):
        return project_of(dict(project)), Path.cwd()
    path = Path(project)
    return read_project(path), path.resolve().parent
