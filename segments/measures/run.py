"""The stage of a batch that makes measures."""

from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from segments.measures.checks import check_measures
from segments.measures.manual import work_out
from segments.measures.plan import measure_plan
from segments.measures.statistics import statistics
from segments.model import Model
from unify.core.engine import Engine
from unify.core.progress import Progress, silent
from unify.core.reports import MeasureReport, StageReport
from unify.spec import Project


@dataclass(frozen=True)
class MeasuresMade:
    """What the stage found out; becomes part of the run report."""

    stages: list[StageReport] = field(default_factory=list)
    reports: list[MeasureReport] = field(default_factory=list)


def make_measures(
    engine: Engine,
    project: Project,
    model: Model,
    *,
    clock: datetime,
    progress: Progress = silent,
    dry: bool = False,
) -> MeasuresMade:
    """Make Customer_Measure and the tables of other measures.

    clock   the run's moment, UTC
    dry     on tables without rows: SQL of users is checked and not run, since what it gives of nothing may be wrong
    Raises SpecError with a line per problem: then nothing was made. ManualSqlError when a user's SQL fails.
    """
    if not project.measures:
        return MeasuresMade()
    check_measures(project)
    started = perf_counter()
    plan = measure_plan(engine, project, model, clock=clock)
    for step in plan.steps:
        progress("measures", step.why)
        work_out(engine, step, dry=dry)
    reports = statistics(engine, plan.made)
    return MeasuresMade([StageReport(stage="measures", seconds=round(perf_counter() - started, 3))], reports)
