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

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from unify.answers import Answer
from unify.building import Building
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.reports import RunReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.pages import register as register_pages
from unify.status import Status
from unify.store import Run

if TYPE_CHECKING:
    import duckdb

    from ingest.profile import EntityProfile
    from segments.customer_card import CustomerCard, Moment
    from segments.measures.preview import MeasurePreview
    from segments.odata.answers.result import ODataAnswer
    from segments.relationships import Hop
    from segments.relationships import Path as RelationshipPath
    from unify.core.explanations import Explanation
    from unify.core.insight_reports import Overlap, OverlapByValue
    from unify.core.resolutions import Resolution
    from unify.core.review import Decision, Review
    from unify.doctor import DoctorReport
    from unify.engines.export import Exported, Format
    from unify.packages import Packages
    from unify.privacy.erase import Erasure
    from unify.privacy.subject import Subject
    from unify.spec import Segment
    from unify.verbs.custom_apis import CustomApis
    from unify.verbs.insights import Insights
    from unify.verbs.measures import Given, MeasureHandle
    from unify.verbs.segment import SegmentHandle
    from unify.verbs.segments import Segments

register_pages()


class Instance(Building):
    """An instance on disk. Safe to open in many processes and notebooks at once; close it, or use it in a `with`.

    One thread at a time asks it; a thread of your own opens its own, which costs a few milliseconds.
    """

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

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

    def connect(self) -> "duckdb.DuckDBPyConnection":
        """A read-only DuckDB connection of your own on the published generation; close it when you are done.

        It stays on that generation whatever this instance moves on to: an open file outlives its removal.
        """
        generation, pin = self.store.pin_published()
        with pin:
            return DuckDBEngine.reading(generation.path).connection

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
        explainer = self.explainer()
        return explainer.customer(record) if other is None else explainer.pair(record, other)

    def resolve(self, entity: str, record: Mapping[str, Any], *, why: bool = True) -> "Resolution":
        """Which customer a run would make a record part of, without a run; docs/resolve.md.

        The first call reads the published generation into memory, later ones take milliseconds. QueryError for what is
        not there or does not fit.
        """
        return self.resolving().resolve(entity, record, why=why)

    def resolve_all(self, entity: str, records: Any, *, why: bool = False) -> "list[Resolution]":
        """`resolve` for each of many records by itself: a list of dicts, or a pandas, polars or Arrow table."""
        return self.resolving().resolve_all(entity, records, why=why)

    def custom_apis(self, *handlers: Any, names: Sequence[str] = ()) -> "CustomApis":
        """Operations that others add, and the product's own three; docs/custom-apis.md.

        handlers   functions with @custom_api, @plugin or @step, or modules of them
        names      entry points of the group `unify.custom_apis`: their code is loaded
        """
        from unify.verbs.custom_apis import of_instance

        return of_instance(self, handlers, names)

    def call(self, name: str, /, **parameters: Any) -> dict[str, Any]:
        """One of the custom APIs that need no further code, by name: `call("unify_RefreshSegment", Segment="vip")`."""
        return self.custom_apis().call(name, **parameters)

    def review(self, limit: int | None = 20) -> "Review":
        """Doubtful links that nobody decided on, the most urgent first; docs/review.md. `limit` None: all."""
        from unify.verbs.review import review

        engine = self.engine()
        return review(self.store, engine, self.published().number, self.project(), limit)

    def decide(self, what: "str | tuple[str, str]", verdict: str, *, note: str = "") -> "Decision":
        """Two records are `same` or `different`: a link of the review by id, or two records. The next conflate obeys.

        QueryError for what is not there, and for a contradiction to what was decided before.
        """
        from unify.verbs.review import decide

        return decide(self.store, self.engine(), self.project(), what, verdict, note)

    def decisions(self) -> "list[Decision]":
        """Every decision that stands, and whether it is in force."""
        from unify.verbs.review import decisions

        return decisions(self.store, self.engine())

    def withdraw(self, decision: str) -> "Decision":
        """Take a decision back, by id; the next conflate does without it. NotFoundError."""
        from unify.verbs.review import withdrawn

        return withdrawn(self.store, decision)

    def customer(self, customer: str) -> "CustomerCard":
        """Who a customer is: unified values, records, activities by type.

        Asked for by CustomerId (retired ones resolve) or by a record, as `explain` is; QueryError when there is none.
        """
        from segments.customer_card import customer_card

        return customer_card(self.engine(), self.customer_id(customer))

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
        customer_id = self.customer_id(customer)
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
        from unify.verbs.odata import OData

        return OData(self, page_size=page_size).ask(request, clock=clock)

    def subject(self, customer: str) -> "Subject":
        """Everything that is held about one person, as a document; docs/service-access.md."""
        from unify.privacy.subject import subject

        return subject(self, customer)

    def erase(self, customer: str, *, reason: str, wait: float | None = None) -> "Erasure":
        """Erase one person from everything, kept generations included; later runs leave them out. No way back."""
        from unify.privacy.erase import erase

        return erase(self, customer, reason=reason, wait=wait)

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
        from unify.verbs.measures import MeasureHandle

        return MeasureHandle(self, name, self.project())

    def preview_measure(self, measure: "Given", **options: Any) -> "MeasurePreview":
        """What a measure would be on the published generation. Options: name, limit, clock. SpecError."""
        from unify.verbs.measures import preview_of

        return preview_of(self, measure, **options)

    def convert(
        self, said: "Segment | str | Mapping[str, Any]", to: str, *, spelling: str | None = None, name: str = "segment"
    ) -> str:
        """A segment or a condition in another spelling: odata, sentence, json or yaml; docs/spellings.md."""
        from unify.verbs.spelling import converted

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
    def packages(self) -> "Packages":
        """Data packages in and out, their projects and executions."""
        from unify.packages import Packages

        return Packages(self)

    @property
    def insights(self) -> "Insights":
        """Overlap, suggested segments, values of a field; of one segment: `acme.segment(name).differ()`, `.drift()`."""
        from unify.verbs.insights import Insights

        return Insights(self._segments)

    @cached_property
    def _segments(self) -> "Segments":
        from unify.verbs.segments import Segments

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
            shown = telling_merges(self.engine(), self.explainer(), merges)
        before = report.changes.previous if report.changes else None
        previous = self.store.run(before).report if before is not None else None
        return report_page(report, previous=RunReport.model_validate(previous) if previous else None, merges=shown)

    def doctor(self) -> "DoctorReport":
        """Is everything in order: surroundings, catalog, generations, leftovers, lease, disk. Reads only."""
        from unify.doctor import examine

        return examine(self.path)

    def __repr__(self) -> str:
        published = self.store.published()
        if published is None:
            return f"<Instance {self.path}: nothing published yet>"
        customers = published.rows.get("Customer")
        return f"<Instance {self.path}: generation {published.number}" + (
            f", {customers:,} customers>" if customers is not None else ">"
        )
