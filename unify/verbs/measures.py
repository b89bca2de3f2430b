"""Measures of an instance: their values, where they come from, what they were in every run.

acme.measures()                        handles, in the order of the project
acme.measure("TotalSpend").values()    every customer's, or the rows of the measure's own table
acme.measure("TotalSpend").history()   figures per run; of one customer in every kept generation
acme.preview_measure({...})            before it is saved
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from segments.measures.preview import MeasurePreview, plan_of_one, preview, sql_of_plan
from segments.measures.templates import expanded
from segments.model import CUSTOMER_ID, MEASURES, model_of, own_table
from unify.answers import Answer
from unify.core.documents import measure_of
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import quote
from unify.core.reports import MeasureReport, RunReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.opened import Opened
from unify.spec import Measure, Project
from unify.store import Generation, Store

MANY_RUNS = 1_000_000
"""More than an instance keeps."""
Given = Measure | Mapping[str, Any] | str
"""A measure, the same as a dict, or an expression over other measures."""


class MeasureHandle:
    """One measure of the published generation."""

    def __init__(self, instance: Opened, name: str, project: Project) -> None:
        """QueryError when the project has no measure of that name."""
        if name not in project.measures:
            raise QueryError(f"there is no measure {name!r}", hint=did_you_mean(name, project.measures))
        self._instance, self.name, self._project = instance, name, project

    def definition(self) -> Measure:
        """As the project declares it."""
        return self._project.measures[self.name]

    def ordinary(self) -> Measure:
        """The same; of a template, the measure that it stands for. SpecError when no activity suits."""
        declared = self.definition()
        active = declared.model_copy(update={"active": True})
        return expanded(self._project, {self.name: active})[self.name]

    @property
    def kind(self) -> str:
        """attribute, customer or business."""
        return self.definition().kind

    @property
    def table(self) -> str:
        """Where its values are."""
        return MEASURES if self.kind == "attribute" else own_table(self.name)

    @property
    def sql(self) -> str:
        """The statements that make it and all that it is made of, on the published generation."""
        engine = self._instance.engine()
        model = model_of(engine, self._project)
        clock = self._instance.published().published
        plan, _ = plan_of_one(engine, self._project, model, self.name, self.definition(), clock)
        return sql_of_plan(plan)

    def values(self) -> Answer:
        """CustomerId and value of every customer, or the rows of its own table. QueryError before it was worked out."""
        engine = self._instance.engine()
        self._check_there(engine)
        if self.kind != "attribute":
            return Answer(engine.fetch(Query(f"FROM {quote(self.table)}")))
        sql = f"SELECT {quote(CUSTOMER_ID)}, {quote(self.name)} FROM {quote(MEASURES)} ORDER BY ordinal"
        return Answer(engine.fetch(Query(sql)))

    def value(self, customer: str | None = None) -> Any:
        """The single value of a business measure; of an attribute, that of a customer (id or record)."""
        engine = self._instance.engine()
        self._check_there(engine)
        if self.kind == "attribute":
            if customer is None:
                raise QueryError(f"whose {self.name}?", hint="name a customer, or ask for `.values()`")
            sql = f"SELECT {quote(self.name)} FROM {quote(MEASURES)} WHERE {quote(CUSTOMER_ID)} = $customer"
            found = engine.fetch(Query(sql, {"customer": self._instance.customer_id(customer)}))
            return found.column(0)[0].as_py()
        if not self.definition().scalar:
            raise QueryError(f"{self.name} is a table, not a single value", hint="ask for `.values()`")
        return engine.fetch(Query(f"SELECT {quote(self.name)} FROM {quote(self.table)}")).column(0)[0].as_py()

    def report(self) -> list[MeasureReport]:
        """Its figures in the published generation, one per column; those of the latest run that worked it out."""
        runs = [run for run in _reports(self._instance.store, self.name) if run[0] <= self._instance.published().number]
        return runs[-1][2] if runs else []

    def history(self, customer: str | None = None) -> Answer:
        """Its figures in every run that worked it out, oldest first: one row per run and column.

        customer   an id or a record: instead the customer's values in every kept generation. Ids that were merged into
                   the customer since are followed, so that an older generation may have several rows.
        """
        if customer is not None:
            return Answer(self._of_customer(customer))
        rows = [
            {"run": run, "started": started, **report.model_dump(exclude={"measure", "table"})}
            for run, started, reports in _reports(self._instance.store, self.name)
            for report in reports
        ]
        for row in rows:
            row |= {key: None if row[key] is None else str(row[key]) for key in ("min", "max")}
        return Answer(pa.Table.from_pylist(rows, schema=_HISTORY))

    def _of_customer(self, customer: str) -> pa.Table:
        if self.kind == "business":
            raise QueryError(f"{self.name} is about the business, not about customers", hint="ask for `.history()`")
        current = self._instance.customer_id(customer)
        sql = "SELECT CustomerId FROM customer_ids WHERE CustomerId = $id OR successor = $id"
        ids = self._instance.engine().fetch(Query(sql, {"id": current})).column(0).to_pylist()
        parts = []
        for generation in reversed(self._instance.generations()):
            part = self._in_generation(generation, ids)
            if part is not None:
                parts.append(part)
        if not parts:
            raise QueryError(f"{self.name} is in no kept generation", hint="`unify refresh` works it out")
        return _stacked(parts)

    def _in_generation(self, generation: Generation, ids: list[str]) -> pa.Table | None:
        with self._instance.store.pin(generation), DuckDBEngine.reading(generation.path) as engine:
            try:
                columns = engine.columns(self.table)
            except KeyError:
                return None
            shown = [CUSTOMER_ID, self.name] if self.kind == "attribute" else [c for c in columns if c != "ordinal"]
            if not set(shown) <= set(columns):
                return None
            cells = ", ".join(map(quote, shown))
            sql = (
                f"SELECT $generation AS generation, {cells} FROM {quote(self.table)}\n"
                f"WHERE {quote(CUSTOMER_ID)} IN (SELECT unnest($ids)) ORDER BY ALL"
            )
            return engine.fetch(Query(sql, {"generation": generation.number, "ids": ids}))

    def _check_there(self, engine: DuckDBEngine) -> None:
        try:
            columns = engine.columns(self.table)
        except KeyError:
            columns = {}
        if not columns or (self.kind == "attribute" and self.name not in columns):
            why = "" if self.definition().active else ": it is not active"
            raise QueryError(f"{self.name} has not been worked out{why}", hint="`unify refresh` does")

    def __repr__(self) -> str:
        return f"<Measure {self.name}: {self.kind}, {self.table}>"


_HISTORY = pa.schema([
    ("run", pa.int64()), ("started", pa.string()), ("column", pa.string()), ("kind", pa.string()),
    ("type", pa.string()), ("rows", pa.int64()), ("nulls", pa.int64()), ("min", pa.string()), ("max", pa.string()),
    ("mean", pa.float64()),
])  # fmt: skip


def _reports(store: Store, name: str) -> list[tuple[int, str, list[MeasureReport]]]:
    """Run, its start, and its reports of a measure; oldest first."""
    found = []
    for run in reversed(store.runs(MANY_RUNS)):
        if run.report and run.report.get("measures"):
            read = RunReport.model_validate(run.report)
            own = [m for m in read.measures if m.measure == name]
            if own:
                found.append((run.number, read.started, own))
    return found


def _stacked(parts: list[pa.Table]) -> pa.Table:
    """One table; a column whose type changed between generations becomes text."""
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        texts = [p.cast(pa.schema([(f.name, f.type if i == 0 else pa.string()) for i, f in enumerate(p.schema)]))
                 for p in parts]  # fmt: skip
        return pa.concat_tables(texts, promote_options="permissive")


def preview_of(
    instance: Opened, given: Given, *, name: str = "Preview", limit: int = 20, clock: datetime | None = None
) -> MeasurePreview:
    """What a measure would be on the published generation; nothing is kept. SpecError as a run raises it.

    clock   what `now()` means; the present unless it is given
    """
    project = instance.project()
    measure = measure_of(name, given)
    generation, pin = instance.store.pin_published()
    with pin, DuckDBEngine.reading(generation.path) as engine:
        model = model_of(engine, project)
        return preview(engine, project, model, name, measure, clock=clock or datetime.now(UTC), limit=limit)
