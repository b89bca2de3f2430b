"""Activities of customers: steps from the activity entities to UnifiedActivity.

    activity row ──relationships, any number──▶ record ──members──▶ customer

Ways are joined from their far end: `activity_reach_<n>_<hop>` says for every value of a referred-to attribute which
customer it leads to, so that an activity has one customer however often a value repeats on the way. Records lead there
through `members`, alternates and merged ones too: what hangs on them stays with the surviving customer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from segments.relation_checks import Schemas
from segments.relationships import Path, RelationshipGraph, spoken
from unify.core.engine import Engine, scalar
from unify.core.names import literal, quote, table_of
from unify.core.problems import family
from unify.core.progress import Progress, silent
from unify.core.reports import ActivityReport, ArrowReport, StageReport
from unify.core.steps import Query, Step
from unify.spec import Activity, Project

UNIFIED = "UnifiedActivity"
ORPHANS = "orphan_activities"
COLUMNS = {
    "ActivityId": "VARCHAR", "CustomerId": "VARCHAR", "ordinal": "INTEGER", "SourceTableName": "VARCHAR",
    "SourceActivityId": "VARCHAR", "ActivityType": "VARCHAR", "ActivityTypeDisplay": "VARCHAR",
    "ActivityTime": "TIMESTAMP", "Title": "VARCHAR", "Description": "VARCHAR", "URL": "VARCHAR",
    "SemanticData": "VARCHAR", "RangeIndex": "BIGINT",
}  # fmt: skip
ORPHAN_COLUMNS = ("activity", "entity", "key", "column", "value", "reason")
EPOCH = "TIMESTAMP '1970-01-01 00:00:00'"
EMPTY, NOBODY = "had no value", "led to no customer"
"""Reasons of orphans."""
HIDDEN = "not shown on the timeline"
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
"""Years 1 to 9999: beyond them a number is no time."""


@dataclass(frozen=True)
class ActivitiesMade:
    """What the stage found out; becomes part of the run report."""

    stages: list[StageReport] = field(default_factory=list)
    arrows: list[ArrowReport] = field(default_factory=list)
    reports: list[ActivityReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def make_activities(engine: Engine, project: Project, progress: Progress = silent) -> ActivitiesMade:
    """Make UnifiedActivity and orphan_activities, after conflation; both are empty when no activity is declared.

    Raises SpecError when an activity leads to no customer, or on several ways; relation_checks says so before.
    """
    started = perf_counter()
    progress("activities", "bring what happened to its customers")
    schemas = {a.entity: engine.columns(table_of(a.entity)) for a in project.activities.values()}
    for step in activity_steps(project, schemas):
        engine.build(step)
    reports = _reports(engine, project)
    return ActivitiesMade(
        stages=[StageReport(stage="activities", seconds=round(perf_counter() - started, 3))],
        arrows=[_arrow(report) for report in reports],
        reports=reports,
        warnings=[warning for report in reports for warning in _warnings(report)],
    )


def activity_steps(project: Project, schemas: Schemas) -> list[Step]:
    """Every step, in order. `schemas`: of the activity entities."""
    shown = [(n, *_way(project, n)) for n, activity in enumerate(project.activities.values()) if activity.timeline]
    reaches = [step for number, _, path in shown for step in _reach_steps(project, number, path)]
    return [
        *reaches,
        _unified_step(project, schemas, shown),
        _orphan_step(project, shown),
    ]


def _way(project: Project, number: int) -> tuple[Activity, Path]:
    """An activity and its declared hops; the system's hop, from record to customer, is `members`."""
    activity = list(project.activities.values())[number]
    path = RelationshipGraph(project).path_to_customer(activity.entity, activity.path)
    return activity, path[:-1]


# ── from values to customers ─────────────────────────────────────────────────────────────────────────────────────────


def reach_table(number: int, hop: int) -> str:
    """Value that hop number `hop` of an activity's way refers to → ordinal; `several`: it leads to several customers.

    The oldest customer, that with the smallest ordinal, has it then.
    """
    return f"activity_reach_{number}_{hop}"


def _reach_steps(project: Project, number: int, path: Path) -> Iterator[Step]:
    """From the record's end to the activity's; each step lets go of the table before."""
    last = path[-1]
    key = quote(project.entity(last.to_entity).key)
    sql = (
        f"SELECT target.{quote(last.to_attribute)} AS value, min(m.ordinal) AS ordinal,\n"
        "  min(m.ordinal) <> max(m.ordinal) AS several\n"
        f"FROM {quote(table_of(last.to_entity))} AS target\n"
        f"JOIN members AS m ON m.entity = $entity AND m.key = CAST(target.{key} AS VARCHAR)\n"
        f"WHERE target.{quote(last.to_attribute)} IS NOT NULL\nGROUP BY target.{quote(last.to_attribute)}"
    )
    why = f"which customer a value of {last.to_entity}.{last.to_attribute} leads to"
    reads = (table_of(last.to_entity), "members")
    yield Step(reach_table(number, len(path) - 1), Query(sql, {"entity": last.to_entity}), why, reads)
    for at in range(len(path) - 2, -1, -1):
        hop, onward = path[at], path[at + 1]
        beyond = reach_table(number, at + 1)
        sql = (
            f"SELECT target.{quote(hop.to_attribute)} AS value, min(r.ordinal) AS ordinal,\n"
            "  min(r.ordinal) <> max(r.ordinal) OR bool_or(r.several) AS several\n"
            f"FROM {quote(table_of(hop.to_entity))} AS target\n"
            f"JOIN {quote(beyond)} AS r ON r.value = target.{quote(onward.from_attribute)}\n"
            f"WHERE target.{quote(hop.to_attribute)} IS NOT NULL\nGROUP BY target.{quote(hop.to_attribute)}"
        )
        why = f"which customer a value of {hop.to_entity}.{hop.to_attribute} leads to"
        yield Step(reach_table(number, at), Query(sql), why, (table_of(hop.to_entity), beyond), releases=(beyond,))


# ── the tables ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _unified_step(project: Project, schemas: Schemas, shown: list[tuple[int, Activity, Path]]) -> Step:
    """All activities of customers, a customer's together and in the order of time: what a timeline reads is near."""
    parts: list[str] = []
    params: dict[str, str] = {}
    reads = ["customer_ids"]
    names = list(project.activities)
    for number, activity, path in shown:
        cells = _cells(project, number, activity, schemas[activity.entity])
        columns = ",\n  ".join(f"{cells[name]} AS {quote(name)}" for name in COLUMNS)
        parts.append(
            f"SELECT {columns}\nFROM {quote(table_of(activity.entity))} AS a\n"
            f"JOIN {quote(reach_table(number, 0))} AS r ON r.value = a.{quote(path[0].from_attribute)}\n"
            "JOIN customer_ids AS c ON c.ordinal = r.ordinal"
        )
        params |= {f"entity_{number}": activity.entity, f"table_{number}": table_of(activity.entity),
                   f"type_{number}": activity.type}  # fmt: skip
        if activity.display is None:
            params[f"name_{number}"] = names[number]
        reads += [table_of(activity.entity), reach_table(number, 0)]
    if not parts:
        nothing = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in COLUMNS.items())
        return Step(UNIFIED, Query(f"SELECT {nothing} WHERE false"), "no activity is declared", keep=True)
    union = "\nUNION ALL\n".join(parts)
    sql = f'FROM (\n{union}\n) AS happened ORDER BY "ordinal", "ActivityTime" NULLS LAST, "ActivityId"'
    return Step(UNIFIED, Query(f"SELECT * {sql}", params), "what happened to every customer", tuple(reads), keep=True)


def _cells(project: Project, number: int, activity: Activity, columns: Mapping[str, str]) -> dict[str, str]:
    """SQL of every column of UnifiedActivity over `a`, the activity's row, `r`, its ordinal, and `c`, its customer."""
    entity = project.entity(activity.entity)
    key = f"CAST(a.{quote(entity.key)} AS VARCHAR)"
    timestamp = entity.timestamp or ""
    time = _time(f"a.{quote(timestamp)}", family(columns[timestamp]) == "integer", activity.epoch)
    return {
        "ActivityId": f"md5($entity_{number} || chr(31) || {key})",
        "CustomerId": 'c."CustomerId"',
        "ordinal": "r.ordinal",
        "SourceTableName": f"$table_{number}",
        "SourceActivityId": key,
        "ActivityType": f"$type_{number}",
        "ActivityTypeDisplay": _text(activity.display) if activity.display else f"$name_{number}",
        "ActivityTime": time,
        "Title": _text(activity.title or activity.event),
        "Description": _text(activity.description or activity.detail),
        "URL": _text(activity.url),
        "SemanticData": _semantic_data(activity),
        "RangeIndex": f"date_diff('second', {EPOCH}, {time})",
    }


def _text(column: str | None) -> str:
    return f"CAST({f'a.{quote(column)}' if column else 'NULL'} AS VARCHAR)"


def _time(value: str, counted: bool, epoch: str) -> str:
    """A TIMESTAMP in UTC, null when a number is no time between the years 1 and 9999."""
    if not counted:
        return f"CAST({value} AS TIMESTAMP)"
    scale, unit = (1, "SECOND") if epoch == "seconds" else (1000, "MILLISECOND")
    within = f"{value} BETWEEN {FIRST_SECOND * scale} AND {LAST_SECOND * scale}"
    return f"CASE WHEN {within} THEN {EPOCH} + TRY_CAST({value} AS BIGINT) * INTERVAL 1 {unit} END"


def _semantic_data(activity: Activity) -> str:
    """JSON: the semantic type's fields, and the event and the additional detail under the vendor's names for them."""
    fields = dict(activity.fields)
    for name, column in (("EventActivity", activity.event), ("AdditionalDetail", activity.detail)):
        if column and name.casefold() not in {f.casefold() for f in fields}:
            fields[name] = column
    if not fields:
        return "CAST(NULL AS VARCHAR)"
    return f"CAST(to_json({{{', '.join(f'{literal(name)}: a.{quote(c)}' for name, c in fields.items())}}}) AS VARCHAR)"


def _orphan_step(project: Project, shown: list[tuple[int, Activity, Path]]) -> Step:
    """Activities that lead to no customer, with the value that leads nowhere."""
    parts: list[str] = []
    params: dict[str, str] = {}
    reads: list[str] = []
    names = list(project.activities)
    for number, activity, path in shown:
        reference = f"a.{quote(path[0].from_attribute)}"
        key = f"CAST(a.{quote(project.entity(activity.entity).key)} AS VARCHAR)"
        parts.append(
            f"SELECT $name_{number} AS activity, $entity_{number} AS entity,\n"
            f'  {key} AS key, $column_{number} AS "column",\n'
            f"  CAST({reference} AS VARCHAR) AS value,\n"
            f"  CASE WHEN {reference} IS NULL THEN '{EMPTY}' ELSE '{NOBODY}' END AS reason\n"
            f"FROM {quote(table_of(activity.entity))} AS a\n"
            f"LEFT JOIN {quote(reach_table(number, 0))} AS r ON r.value = {reference}\nWHERE r.value IS NULL"
        )
        params |= {f"name_{number}": names[number], f"entity_{number}": activity.entity,
                   f"column_{number}": path[0].from_attribute}  # fmt: skip
        reads += [table_of(activity.entity), reach_table(number, 0)]
    if not parts:
        nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {quote(name)}" for name in ORPHAN_COLUMNS)
        return Step(ORPHANS, Query(f"SELECT {nothing} WHERE false"), "no activity is declared", keep=True)
    sql = "SELECT * FROM (\n" + "\nUNION ALL\n".join(parts) + "\n) AS lost ORDER BY entity, key"
    return Step(ORPHANS, Query(sql, params), "activities that lead to no customer", tuple(reads), keep=True)


# ── what the run says ────────────────────────────────────────────────────────────────────────────────────────────────


def _reports(engine: Engine, project: Project) -> list[ActivityReport]:
    counted = {
        r["SourceTableName"]: r
        for r in engine.fetch(
            Query(
                'SELECT "SourceTableName", count(*) AS activities, count(DISTINCT ordinal) AS customers,\n'
                '  count(*) FILTER (WHERE "ActivityTime" IS NULL) AS undated\n'
                f'FROM {quote(UNIFIED)} GROUP BY "SourceTableName"'
            )
        ).to_pylist()
    }
    lost = engine.fetch(
        Query(f"SELECT activity, reason, count(*) AS rows FROM {quote(ORPHANS)} GROUP BY activity, reason ORDER BY ALL")
    ).to_pylist()
    reports = []
    for number, (name, activity) in enumerate(project.activities.items()):
        table = quote(table_of(activity.entity))
        found = counted.get(table_of(activity.entity), {"activities": 0, "customers": 0, "undated": 0})
        rows = int(scalar(engine, Query(f"SELECT count(*) FROM {table}")))
        whole = RelationshipGraph(project).path_to_customer(activity.entity, activity.path)
        reports.append(
            ActivityReport(
                activity=name,
                entity=activity.entity,
                path=spoken(whole),
                rows=rows,
                activities=found["activities"],
                customers=found["customers"],
                orphans={row["reason"]: row["rows"] for row in lost if row["activity"] == name},
                hidden=0 if activity.timeline else rows,
                undated=found["undated"],
                several=_of_several(engine, table, number, whole) if activity.timeline else 0,
            )
        )
    return reports


def _of_several(engine: Engine, table: str, number: int, path: Path) -> int:
    """Activities whose value leads to more than one customer."""
    reach = quote(reach_table(number, 0))
    if not scalar(engine, Query(f"SELECT count(*) FROM {reach} WHERE several")):
        return 0
    join = f"JOIN {reach} AS r ON r.value = a.{quote(path[0].from_attribute)}"
    return int(scalar(engine, Query(f"SELECT count(*) FROM {table} AS a {join} WHERE r.several")))


def _arrow(report: ActivityReport) -> ArrowReport:
    aside = dict(report.orphans) | ({HIDDEN: report.hidden} if report.hidden else {})
    return ArrowReport(
        arrow=f"{report.entity} → {UNIFIED}", rows_in=report.rows, rows_out=report.activities, aside=aside
    )


def _warnings(report: ActivityReport) -> Iterator[str]:
    orphans = sum(report.orphans.values())
    if report.rows and orphans == report.rows:
        yield f"activity {report.activity}: none of its {report.rows:,} rows leads to a customer by {report.path}"
    if report.several:
        yield (
            f"activity {report.activity}: {report.several:,} rows lead to more than one customer by {report.path}; "
            "the oldest of them has them"
        )
    if report.undated:
        yield f"activity {report.activity}: {report.undated:,} rows have no time, and stand last on their timelines"
