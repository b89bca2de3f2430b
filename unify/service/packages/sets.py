"""`…/data/DataManagement…`: projects, their entities, executions, definitions and recurring jobs as small entity sets.

    DataManagementDefinitionGroups          data projects                                 GET POST DELETE
    DataManagementDefinitionGroupDetails    their entities                                GET POST DELETE
    DataManagementExecutionJobs             executions                                    GET
    DataManagementExecutionJobDetails       what became of each entity in each of them    GET
    DataManagementEntities                  what can be imported and exported             GET POST DELETE
    DataManagementRecurringJobs             activities of …/api/connector                 GET POST DELETE

`$filter` knows `eq` and `and`; `$select`, `$top`, `$skip` and `$count` do what they do elsewhere; other options are
refused. Names of the first four are the vendor's, those of the last two are ours.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from unify.core.errors import did_you_mean
from unify.packages import (
    CompositePart,
    EntityDefinition,
    EntityRun,
    Execution,
    Operation,
    Project,
    ProjectEntity,
)
from unify.records import Column, Kind
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.packages.actions import Asking
from unify.service.packages.asked import Parameter, parameters_of
from unify.service.packages.recurring import Activity, Recurring

Row = dict[str, Any]
TERM: Final = re.compile(
    r"\s*(\w+)\s+eq\s+(?:[\w.]*'((?:[^']|'')*)'|(true|false|null|-?\d+))\s*(?:\band\b|\Z)", re.IGNORECASE
)
KEY: Final = re.compile(r"\s*(?:(\w+)\s*=\s*)?'((?:[^']|'')*)'\s*(?:,|\Z)")
OPTIONS: Final = ("$filter", "$select", "$top", "$skip", "$count", "cross-company")
OPERATIONS: Final = {operation.value.casefold(): operation for operation in Operation}


@dataclass(frozen=True, slots=True)
class EntitySet:
    """One. `key`: the properties that tell its rows apart."""

    key: tuple[str, ...]
    rows: Callable[[Asking], list[Row]]
    create: Callable[[Asking], Row] | None = None
    parameters: Mapping[str, Parameter] | None = None
    delete: Callable[[Asking, Row], None] | None = None

    @property
    def methods(self) -> str:
        """For `Allow`."""
        return ", ".join(["GET", *(["POST"] if self.create else []), *(["DELETE"] if self.delete else [])])


def answer(asking: Asking, method: str, path: str, query: str, body: bytes) -> tuple[int, Row | None]:
    """Status and body. `path`: behind `…/data/`, decoded: `DataManagementExecutionJobs('…')`. ServiceError."""
    name, _, rest = path.partition("(")
    folded = {known.casefold(): known for known in SETS}
    if name.casefold() not in folded or (rest and not rest.endswith(")")):
        raise not_found(f"there is no set {path[:80]!r}", where="path", hint=did_you_mean(name, SETS))
    name = folded[name.casefold()]
    one = SETS[name]
    key = _key(one, rest[:-1]) if rest else None
    if method == "POST" and key is None and one.create is not None and one.parameters is not None:
        made = one.create(replace(asking, said=parameters_of(body, one.parameters)))
        return 201, {"@odata.context": _context(asking, name, "/$entity"), **made}
    if method in ("GET", "HEAD"):
        return 200, _read(asking, name, one, key, query)
    if method == "DELETE" and key is not None and one.delete is not None:
        one.delete(asking, _one(one, one.rows(asking), key))
        return 204, None
    raise ServiceError(405, f"{method[:20]} is not possible here", hint=one.methods, headers={"Allow": one.methods})


def _context(asking: Asking, name: str, tail: str = "") -> str:
    return f"{asking.address.root}/data/$metadata#{name}{tail}"


def _read(asking: Asking, name: str, one: EntitySet, key: Mapping[str, str] | None, query: str) -> Row:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        if option not in OPTIONS:
            raise bad_request(f"the option {option[:80]} is not known here", where=option[:80], hint=", ".join(OPTIONS))
    rows = one.rows(asking)
    select = [part.strip() for part in options.get("$select", "").split(",") if part.strip()]
    if key is not None:
        return {"@odata.context": _context(asking, name, "/$entity"), **_selected(_one(one, rows, key), select)}
    rows = [row for row in rows if _fits(row, _terms(options.get("$filter", ""), rows))]
    said: Row = {"@odata.context": _context(asking, name)}
    if options.get("$count", "").casefold() == "true":
        said["@odata.count"] = len(rows)
    first, most = _whole(options, "$skip", 0), _whole(options, "$top", len(rows))
    said["value"] = [_selected(row, select) for row in rows[first : first + most]]
    return said


def _whole(options: Mapping[str, str], name: str, default: int) -> int:
    text = options.get(name)
    if text is not None and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad_request(f"{name} is a whole number", where=name)
    return int(text) if text is not None else default


def _terms(text: str, rows: Sequence[Row]) -> list[tuple[str, Any]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = TERM.match(text, at)
        if match is None:
            raise bad_request(
                f"the filter is not understood from {text[at : at + 40]!r} on", where="$filter",
                hint="Name eq 'text', joined by and",
            )  # fmt: skip
        name = match[1]
        if rows and name not in rows[0]:
            raise bad_request(f"there is no property {name[:80]!r}", where="$filter", hint=did_you_mean(name, rows[0]))
        plain = match[3]
        found.append((name, match[2].replace("''", "'") if plain is None else plain.casefold()))
        at = match.end()
    return found


def _fits(row: Row, terms: Sequence[tuple[str, Any]]) -> bool:
    return all(
        ("null" if row[name] is None else str(row[name])).casefold() == value.casefold() for name, value in terms
    )


def _selected(row: Row, select: Sequence[str]) -> Row:
    for name in select:
        if name not in row:
            raise bad_request(f"there is no property {name[:80]!r}", where="$select", hint=did_you_mean(name, row))
    return {name: row[name] for name in select} if select else row


def _key(one: EntitySet, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = KEY.match(text, at)
        name = (match[1] or one.key[0]) if match else ""
        if match is None or (match[1] is None and len(one.key) > 1):
            raise bad_request("the key is not understood", where="path", hint=",".join(f"{k}='…'" for k in one.key))
        found[name] = match[2].replace("''", "'")
        at = match.end()
    if set(found) != set(one.key):
        raise bad_request("the key is not whole", where="path", hint=",".join(f"{name}='…'" for name in one.key))
    return found


def _one(one: EntitySet, rows: Sequence[Row], key: Mapping[str, str]) -> Row:
    for row in rows:
        if all(str(row[name]).casefold() == value.casefold() for name, value in key.items()):
            return row
    raise not_found(f"there is none with {', '.join(f'{k} {v[:80]!r}' for k, v in key.items())}", where="path")


# ── projects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _projects(asking: Asking) -> list[Row]:
    return [_of_project(project) for project in asking.packages.projects()]


def _of_project(project: Project) -> Row:
    return {
        "Name": project.name, "Description": project.description, "OperationType": project.operation.value,
        "ProjectCategory": project.category, "GenerateDataPackage": "Yes",
    }  # fmt: skip


def _make_project(asking: Asking) -> Row:
    said = asking.said
    operation = OPERATIONS.get(said["OperationType"].casefold())
    if operation is None:
        raise bad_request("OperationType is Import or Export", where="OperationType")
    if any(project.name.casefold() == said["Name"].casefold() for project in asking.packages.projects()):
        raise ServiceError(409, f"there is a data project {said['Name'][:200]!r} already", where="Name")
    project = Project(said["Name"], operation, said["Description"], said["ProjectCategory"])
    return _of_project(asking.packages.define_project(project))


def _drop_project(asking: Asking, row: Row) -> None:
    asking.packages.drop_project(row["Name"])


def _entities(asking: Asking) -> list[Row]:
    return [_of_entity(project, entity) for project in asking.packages.projects() for entity in project.entities]


def _of_entity(project: Project, entity: ProjectEntity) -> Row:
    return {
        "DefinitionGroupId": project.name, "EntityName": entity.entity, "SourceFormat": entity.format,
        "ExecutionUnit": entity.unit, "LevelInExecutionUnit": entity.level, "SequenceInLevel": entity.sequence,
        "FailExecutionUnitOnError": "Yes" if entity.fail_unit_on_error else "No",
        "FailLevelOnError": "Yes" if entity.fail_level_on_error else "No",
        "DefaultRefreshType": "IncrementalPush" if entity.change_tracking else "FullPush",
        "AutoGenerateMapping": "Yes",
    }  # fmt: skip


def _add_entity(asking: Asking) -> Row:
    said = asking.said
    project = asking.packages.project(said["DefinitionGroupId"])
    if any(entity.entity.casefold() == said["EntityName"].casefold() for entity in project.entities):
        raise ServiceError(409, f"{project.name} has {said['EntityName'][:200]!r} already", where="EntityName")
    refresh = said["DefaultRefreshType"].casefold()
    if refresh not in ("fullpush", "incrementalpush"):
        raise bad_request("DefaultRefreshType is FullPush or IncrementalPush", where="DefaultRefreshType")
    entity = ProjectEntity(
        asking.packages.entity(said["EntityName"]).name, said["SourceFormat"], {}, said["ExecutionUnit"],
        said["LevelInExecutionUnit"], said["SequenceInLevel"], _yes(said, "FailExecutionUnitOnError"),
        _yes(said, "FailLevelOnError"), refresh == "incrementalpush",
    )  # fmt: skip
    asking.packages.define_project(replace(project, entities=(*project.entities, entity)))
    return _of_entity(project, entity)


def _yes(said: Mapping[str, Any], name: str) -> bool:
    if said[name].casefold() not in ("yes", "no"):
        raise bad_request(f"{name} is Yes or No", where=name)
    return bool(said[name].casefold() == "yes")


def _remove_entity(asking: Asking, row: Row) -> None:
    project = asking.packages.project(row["DefinitionGroupId"])
    kept = tuple(entity for entity in project.entities if entity.entity != row["EntityName"])
    asking.packages.define_project(replace(project, entities=kept))


# ── executions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _jobs(asking: Asking) -> list[Row]:
    return [
        {
            "JobId": one.id, "DefinitionGroupId": one.project, "OperationType": one.operation.value,
            "ExecutionStatus": _status(asking, one), "SubmittedDateTime": one.submitted.isoformat(),
            "StartDateTime": one.started.isoformat() if one.started else None,
            "EndDateTime": one.ended.isoformat() if one.ended else None,
        }
        for one in asking.packages.executions()
    ]  # fmt: skip


def _status(asking: Asking, one: Execution) -> str:
    waits = one.status.value == "Unknown" and asking.queue.has(asking.instance, one.id)
    return "Executing" if waits else one.status.value


def _details(asking: Asking) -> list[Row]:
    return [_of_run(one, run) for one in asking.packages.executions() for run in one.entities]


def _of_run(one: Execution, run: EntityRun) -> Row:
    return {
        "JobId": one.id, "DefinitionGroupId": one.project, "EntityName": run.entity, "Part": run.part,
        "StagingStatus": run.staging.value, "TargetStatus": run.target.value, "SourceRecordsCount": run.file_rows,
        "StagingRecordsCreatedCount": run.staged, "StagingErrorCount": run.staging_errors,
        "TargetRecordsCreatedCount": run.created, "TargetRecordsUpdatedCount": run.updated,
        "TargetRecordsUnchangedCount": run.unchanged, "TargetErrorCount": run.refused,
        "NotRunCount": run.not_run, "ExportedRecordsCount": run.exported,
    }  # fmt: skip


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _definitions(asking: Asking) -> list[Row]:
    return [_of_definition(entity) for entity in asking.packages.entities()]


def _of_definition(entity: EntityDefinition) -> Row:
    return {
        "EntityName": entity.name, "TargetEntity": entity.target, "Table": entity.table, "Origin": entity.origin,
        "Columns": [
            {"Name": c.name, "Type": c.kind.value, "Scale": c.scale, "Length": c.length, "Required": c.required,
             "ReadOnly": c.name in entity.read_only, "Options": list(entity.options.get(c.name, ()))}
            for c in entity.columns
        ],
        "Key": list(entity.key), "AllowImport": entity.allow_import, "AllowExport": entity.allow_export,
        "ChangeTracking": entity.change_tracking,
        "Parts": [{"Element": p.element, "EntityName": p.entity, "Parent": p.parent, "Link": dict(p.link)}
                  for p in entity.parts],
    }  # fmt: skip


COLUMN: Final = {
    "Name": Parameter(str), "Type": Parameter(str, "text"), "Scale": Parameter(int, 0), "Length": Parameter(int, None),
    "Required": Parameter(bool, False), "ReadOnly": Parameter(bool, False), "Options": Parameter(list, []),
}  # fmt: skip
PART: Final = {
    "Element": Parameter(str), "EntityName": Parameter(str), "Parent": Parameter(str, ""), "Link": Parameter(dict, {}),
}  # fmt: skip
DEFINITION: Final = {
    "EntityName": Parameter(str), "TargetEntity": Parameter(str, ""), "Table": Parameter(str, ""),
    "Columns": Parameter(list, []), "Key": Parameter(list, []), "AllowImport": Parameter(bool, True),
    "AllowExport": Parameter(bool, True), "ChangeTracking": Parameter(bool, True), "Parts": Parameter(list, []),
}  # fmt: skip


def _define(asking: Asking) -> Row:
    said = asking.said
    columns = [_inside(one, COLUMN, "Columns") for one in said["Columns"]]
    parts = [_inside(one, PART, "Parts") for one in said["Parts"]]
    kinds = {kind.value: kind for kind in Kind}
    for one in columns:
        if one["Type"].casefold() not in kinds:
            raise bad_request(f"{one['Type'][:40]!r} is no type", where="Type", hint=did_you_mean(one["Type"], kinds))
    name: str = said["EntityName"]
    table = said["Table"] or "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name.lower())
    definition = EntityDefinition(
        name, "" if parts else table,
        tuple(Column(one["Name"], kinds[one["Type"].casefold()], one["Scale"], one["Length"], one["Required"])
              for one in columns),
        _texts(said["Key"], "Key"), said["TargetEntity"],
        {one["Name"]: _texts(one["Options"], "Options") for one in columns if one["Options"]},
        tuple(one["Name"] for one in columns if one["ReadOnly"]),
        allow_import=said["AllowImport"], allow_export=said["AllowExport"], change_tracking=said["ChangeTracking"],
        parts=tuple(
            CompositePart(one["Element"], one["EntityName"], one["Parent"], _link(one["Link"])) for one in parts
        ),
    )  # fmt: skip
    return _of_definition(asking.packages.define(definition))


def _inside(said: Any, known: Mapping[str, Parameter], where: str) -> Row:
    if not isinstance(said, dict):
        raise bad_request(f"{where} is a list of objects", where=where)
    from orjson import dumps

    return parameters_of(dumps(said), known)


def _texts(said: Sequence[Any], where: str) -> tuple[str, ...]:
    if not all(isinstance(one, str) for one in said):
        raise bad_request(f"{where} is a list of texts", where=where)
    return tuple(said)


def _link(said: Mapping[Any, Any]) -> dict[str, str]:
    if not all(isinstance(one, str) for one in said.values()):
        raise bad_request("Link is an object of texts: own column, the parent's", where="Link")
    return {str(mine): theirs for mine, theirs in said.items()}


def _forget(asking: Asking, row: Row) -> None:
    asking.packages.forget(row["EntityName"])


# ── recurring ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _recurring(asking: Asking) -> list[Row]:
    return [_of_activity(one) for one in Recurring(asking.service.database).every(asking.instance)]


def _of_activity(one: Activity) -> Row:
    return {
        "ActivityId": one.id, "Name": one.name, "DefinitionGroupId": one.project, "OperationType": one.operation.value,
        "LegalEntityId": one.company, "RecurrenceMinutes": one.minutes, "PreventUploadWhenZeroRecords": one.skip_empty,
        "NextDateTime": one.next_at,
    }  # fmt: skip


def _make_recurring(asking: Asking) -> Row:
    said = asking.said
    project = asking.packages.project(said["DefinitionGroupId"])
    made = Recurring(asking.service.database).make(
        asking.instance, project.name, project.operation, name=said["Name"] or project.name,
        company=said["LegalEntityId"], minutes=said["RecurrenceMinutes"],
        skip_empty=said["PreventUploadWhenZeroRecords"],
    )  # fmt: skip
    return _of_activity(made)


def _remove_recurring(asking: Asking, row: Row) -> None:
    Recurring(asking.service.database).remove(asking.instance, row["ActivityId"])


SETS: Final[Mapping[str, EntitySet]] = {
    "DataManagementDefinitionGroups": EntitySet(
        ("Name",), _projects, _make_project,
        {"Name": Parameter(str), "Description": Parameter(str, ""), "OperationType": Parameter(str),
         "ProjectCategory": Parameter(str, ""), "GenerateDataPackage": Parameter(str, "Yes")},
        _drop_project,
    ),
    "DataManagementDefinitionGroupDetails": EntitySet(
        ("DefinitionGroupId", "EntityName"), _entities, _add_entity,
        {"DefinitionGroupId": Parameter(str), "EntityName": Parameter(str), "SourceFormat": Parameter(str, "CSV"),
         "AutoGenerateMapping": Parameter(str, "Yes"), "ExecutionUnit": Parameter(int, 1),
         "LevelInExecutionUnit": Parameter(int, 1), "SequenceInLevel": Parameter(int, 1),
         "FailExecutionUnitOnError": Parameter(str, "No"), "FailLevelOnError": Parameter(str, "No"),
         "DefaultRefreshType": Parameter(str, "FullPush")},
        _remove_entity,
    ),
    "DataManagementExecutionJobs": EntitySet(("JobId",), _jobs),
    "DataManagementExecutionJobDetails": EntitySet(("JobId", "EntityName"), _details),
    "DataManagementEntities": EntitySet(("EntityName",), _definitions, _define, DEFINITION, _forget),
    "DataManagementRecurringJobs": EntitySet(
        ("ActivityId",), _recurring, _make_recurring,
        {"DefinitionGroupId": Parameter(str), "Name": Parameter(str, ""), "LegalEntityId": Parameter(str, ""),
         "RecurrenceMinutes": Parameter(int, None), "PreventUploadWhenZeroRecords": Parameter(bool, True)},
        _remove_recurring,
    ),
}  # fmt: skip
