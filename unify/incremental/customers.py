"""Customers of a run: carried over when nothing they depend on changed, else worked out."""

from typing import Any

from unify.conflation.binding import plan_of
from unify.conflation.normalize_lists import lists_of
from unify.conflation.run import Conflated, ThisRun, conflate
from unify.core.progress import Progress
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.carry import carry_customers, said_of
from unify.incremental.delta import Delta, change_of, delta_of, names_of
from unify.incremental.planning import ANEW, CARRIED, CONFLATION, UPDATED, Course, table_hash
from unify.incremental.stages import ChangedStages, KeptStages
from unify.spec import Project


def make_customers(
    engine: DuckDBEngine, project: Project, this: ThisRun, course: Course, progress: Progress
) -> Conflated:
    """The conflation stage of a run, as cheap as what changed allows.

    Raises what `conflate` raises.
    """
    deltas = _deltas(engine, project, this, course)
    now = {
        "plan": course.plan,
        "lists": table_hash(engine, "list_values"),
        "overrides": table_hash(engine, "overrides"),
    }
    before = course.known.get(CONFLATION)
    if course.takes_over and before is not None:
        why = _why(before[0], now, deltas)
        if not why:
            progress("conflate", "nothing changed: customers are carried over")
            found = carry_customers(engine, before[1], this.started)
            course.stage(CONFLATION, CARRIED)
            course.made[CONFLATION] = (now, before[1])
            course.report = course.report.model_copy(update={"reconsidered": 0})
            return found
    else:
        why = course.why
    how = _how(engine, project, course, this, before[0] if before is not None else None, now, deltas)
    course.stage(CONFLATION, UPDATED if isinstance(how, ChangedStages) else ANEW, why)
    found = conflate(engine, project, lists_of(engine, project), this=this, progress=progress, how=how)
    course.made[CONFLATION] = (now, said_of(found))
    return found


def _how(
    engine: DuckDBEngine,
    project: Project,
    course: Course,
    this: ThisRun,
    before: dict[str, Any] | None,
    now: dict[str, Any],
    deltas: list[Delta],
) -> KeptStages:
    """The stages for what changed: those of touched customers where the rest can stay."""
    stays = course.takes_over and before is not None and before["lists"] == now["lists"]
    if not stays or this.previous is None or not all(delta.same_columns for delta in deltas):
        return KeptStages(engine, project, course)
    return ChangedStages(engine, project, course, this.previous, deltas)


def _deltas(engine: DuckDBEngine, project: Project, this: ThisRun, course: Course) -> list[Delta]:
    """What changed in every entity of the order that was read again; noted in the report, the others' rows too."""
    noted = {change.entity for change in course.report.entities}
    found = []
    ordered = {one.entity: number for number, one in enumerate(plan_of(project).order)}
    for name, entity in project.entities.items():
        if name in noted:
            continue
        if not course.takes_over or name not in ordered or this.previous is None:
            continue
        delta = delta_of(engine, this.previous, name, entity.key, ordered[name])
        found.append(delta)
        course.read(change_of(delta))
    return found


def _why(before: dict[str, Any], now: dict[str, Any], deltas: list[Delta]) -> str:
    """Why customers cannot stay as they are; empty when they can."""
    if before["lists"] != now["lists"]:
        return "entries of lists changed"
    if before["overrides"] != now["overrides"]:
        return "entries of always or never lists, or decisions, changed"
    if any(delta.any for delta in deltas):
        return f"{names_of(deltas)} changed"
    return ""
