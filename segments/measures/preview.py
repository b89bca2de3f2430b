"""A measure before it is saved: what the next refresh of the same generation would give, by the same steps."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from segments.measures.manual import work_out
from segments.measures.order import with_what_they_need
from segments.measures.plan import MeasurePlan, measure_plan
from segments.measures.statistics import statistics
from segments.measures.templates import expanded
from segments.model import CUSTOMER_ID, MEASURES, Model
from segments.relationships import CUSTOMER
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.reports import MeasureReport
from unify.core.steps import Query
from unify.spec import Measure, Project


@dataclass(frozen=True)
class MeasurePreview:
    """What a measure would be.

    measure   as it was given; a template as the measure it stands for
    reports   one per column, as a run would tell them
    rows      the first ones: customers with a value, or rows of the measure's own table
    sql       every statement, in order
    """

    name: str
    measure: Measure
    reports: list[MeasureReport]
    rows: pa.Table
    sql: str


def plan_of_one(
    engine: Engine, project: Project, model: Model, name: str, measure: Measure, clock: datetime
) -> tuple[MeasurePlan, Measure]:
    """Steps of a measure and of all that it is made of, as scratch tables. SpecError."""
    measures = {**project.measures, name: measure.model_copy(update={"active": True})}
    ordinary = expanded(project, measures)
    own = frozenset(model.catalog.table(CUSTOMER).attributes)
    needed = with_what_they_need(name, ordinary, own)
    return measure_plan(engine, project, model, clock=clock, only=needed), ordinary[name]


def preview(
    engine: Engine, project: Project, model: Model, name: str, measure: Measure, *, clock: datetime, limit: int = 20
) -> MeasurePreview:
    """Work a measure out on the engine's generation, in scratch tables. SpecError as a run raises it.

    clock   what `now()` means
    limit   rows to show
    """
    plan, ordinary = plan_of_one(engine, project, model, name, measure, clock)
    for step in plan.steps:
        work_out(engine, step)
    made = next(m for m in plan.made if m.name == name)
    table = plan.customers if made.table == MEASURES else made.table
    [*reports] = statistics(engine, [made], {MEASURES: plan.customers})
    columns = [*made.dimensions, *made.columns]
    if ordinary.kind == "attribute":
        sql = (
            f"SELECT c.{quote(CUSTOMER_ID)}, s.{quote(name)} FROM {quote(table)} AS s JOIN {quote(CUSTOMER)} AS c\n"
            f"ON c.ordinal = s.ordinal ORDER BY s.{quote(name)} IS NULL, s.ordinal LIMIT $limit"
        )
    else:
        shown = [CUSTOMER_ID, *columns] if ordinary.kind == "customer" else columns
        sql = f"SELECT {', '.join(map(quote, shown))} FROM {quote(table)} ORDER BY ALL LIMIT $limit"
    return MeasurePreview(name, ordinary, reports, engine.fetch(Query(sql, {"limit": limit})), sql_of_plan(plan))


def sql_of_plan(plan: MeasurePlan) -> str:
    """The statements of a plan, each behind the reason for it; bound values stand as comments."""
    parts = []
    for step in plan.steps:
        kind = ("" if step.keep else "TEMP ") + ("VIEW" if step.view else "TABLE")
        bound = "".join(f"\n-- ${name} = {value!r}" for name, value in step.query.params.items())
        parts.append(f"-- {step.why}{bound}\nCREATE {kind} {quote(step.makes)} AS\n{step.query.sql};")
    return "\n\n".join(parts)
