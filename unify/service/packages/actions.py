"""Actions of `DataManagementDefinitionGroups`: name, parameters, what it does, and what its `value` is.

All of them are blocking and run in a thread. What takes long is an execution, which the runner does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ingest.packages import read_package
from unify.core.errors import did_you_mean
from unify.packages import (
    Execution,
    ExecutionStateError,
    ExportOptions,
    ImportOptions,
    NoSuchExecutionError,
    Operation,
    Packages,
    Project,
    ProjectEntity,
    Status,
)
from unify.service.errors import ServiceError, bad_request
from unify.service.jobs.telling import without_places
from unify.service.organization import Address
from unify.service.packages.asked import Parameter, parameters_of
from unify.service.packages.files import Files
from unify.service.packages.queue import PackageQueue
from unify.service.packages.recurring import Recurring, status_of
from unify.service.packages.signing import READ, WRITE, Links, Place

if TYPE_CHECKING:
    from unify.service.app import Service

MOST_ERRORS: Final = 10_000
"""In the answer of GetExecutionErrors; the error files have all."""
NOTHING: Final = object()
"""What an action without an answer gives: 204."""
EXECUTION: Final = {"executionId": Parameter(str)}
OF_ENTITY: Final = {"executionId": Parameter(str), "entityName": Parameter(str)}
IMPORT: Final = {
    "packageUrl": Parameter(str, ""), "definitionGroupId": Parameter(str, ""), "executionId": Parameter(str, ""),
    "execute": Parameter(bool, True), "overwrite": Parameter(bool, True), "legalEntityId": Parameter(str, ""),
    "failOnError": Parameter(bool, False), "runAsyncWithoutBatch": Parameter(bool, False),
    "thresholdToRunInBatch": Parameter(int, 0),
}  # fmt: skip
EXPORT: Final = {
    "definitionGroupId": Parameter(str), "packageName": Parameter(str, ""), "executionId": Parameter(str, ""),
    "reExecute": Parameter(bool, False), "legalEntityId": Parameter(str, ""), "entityList": Parameter(str, ""),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asking:
    """One call: where it came to, what it said, and what it works with."""

    service: "Service"
    address: Address
    packages: Packages
    said: Mapping[str, Any]

    @property
    def instance(self) -> str:
        """Its id."""
        return self.address.instance

    @property
    def files(self) -> Files:
        """Of the service."""
        return Files(self.service.database, self.service.settings.root)

    @property
    def queue(self) -> PackageQueue:
        """Of the service."""
        return PackageQueue(self.service.database)

    def url(self, name: str, permission: str) -> str:
        """A signed URL of a file of the instance."""
        seconds = self.service.settings.package_link_seconds
        return Links(self.service.database).url(self.address.origin, Place(self.instance, name), permission, seconds)

    def submitted(self, execution: Execution) -> str:
        """Have an execution run; its id."""
        self.queue.put(self.instance, execution.id, execution.project)
        return execution.id

    def execution(self) -> Execution:
        """The one that `executionId` names, with the status that the queue knows it to have."""
        found = self.packages.execution(self.said["executionId"])
        if found.status is Status.UNKNOWN and self.queue.has(self.instance, found.id):
            return replace(found, status=Status.EXECUTING)
        return found


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def get_azure_write_url(asking: Asking) -> dict[str, str]:
    """A URL to upload a package to."""
    name = asking.said["uniqueFileName"]
    blob = asking.files.reserve(asking.instance, name)
    return {"BlobId": "{" + blob + "}", "BlobUrl": asking.url(name, WRITE)}


def _given(asking: Asking) -> Path:
    """The file that `packageUrl` leads to, uploaded to this instance; ServiceError 400 for any other."""
    origins = frozenset(filter(None, (asking.address.origin, asking.service.settings.public_url)))
    links = Links(asking.service.database)
    name = links.check_url(asking.said["packageUrl"], origins, asking.instance)
    try:
        return asking.files.get(asking.instance, name).path
    except ServiceError:
        raise bad_request(
            "nothing was uploaded to that URL, or it has expired", where="packageUrl",
            hint="PUT the package to the BlobUrl first",
        ) from None  # fmt: skip


def _published(asking: Asking, path: Path | None) -> str:
    """A URL to fetch a file of an execution from; "" where there is none."""
    if path is None:
        return ""
    name = f"{path.parent.name}-{path.name}"

    asking.files.publish(asking.instance, name, path)
    return asking.url(name, READ)


# ── import ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def import_from_package(asking: Asking) -> str:
    """Begin an import; or take one that stopped at staging to the target, when its id is given again."""
    said, packages = asking.said, asking.packages
    if said["executionId"] and said["execute"] and _stopped_at_staging(packages, said["executionId"]):
        return asking.submitted(packages.submit_execute(said["executionId"], overwrite=said["overwrite"]))
    options = ImportOptions(
        execute=said["execute"], overwrite=said["overwrite"], legal_entity=said["legalEntityId"],
        fail_on_error=said["failOnError"],
    )  # fmt: skip
    submitted = packages.submit_import(
        _given(asking), project=said["definitionGroupId"], execution_id=said["executionId"], options=options, link=True
    )
    return asking.submitted(submitted)


def _stopped_at_staging(packages: Packages, execution_id: str) -> bool:
    try:
        found = packages.execution(execution_id)
    except NoSuchExecutionError:
        return False
    waits = all(run.target is Status.NOT_RUN for run in found.entities)
    return found.operation is Operation.IMPORT and found.status.ended and bool(found.entities) and waits


def get_import_staging_error_file_url(asking: Asking) -> str:
    """Rows that did not reach staging."""
    path = asking.packages.staging_error_file(asking.said["executionId"], asking.said["entityName"])
    return _published(asking, path)


def generate_import_target_error_keys_file(asking: Asking) -> bool:
    """Make the file of keys of rows that the target refused; whether there are any."""
    if not asking.execution().status.ended:
        return asking.packages.has_target_errors(asking.said["executionId"], asking.said["entityName"])
    return asking.packages.target_keys_file(asking.said["executionId"], asking.said["entityName"]) is not None


def get_import_target_error_keys_file_url(asking: Asking) -> str:
    """The URL of it; "" while the execution is at work, and when there are none."""
    if not asking.execution().status.ended:
        return ""
    path = asking.packages.target_keys_file(asking.said["executionId"], asking.said["entityName"])
    return _published(asking, path)


# ── export ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def export_to_package(asking: Asking, *, preview: int | None = None, delta: bool = False) -> str:
    """Begin an export of a data project."""
    said = asking.said
    names = tuple(name.strip() for name in said["entityList"].split(",") if name.strip())
    options = ExportOptions(said["packageName"], said["legalEntityId"], names, preview, delta)
    rerun = said["reExecute"] and said["executionId"] and _is_there(asking.packages, said["executionId"])
    submitted = asking.packages.submit_export(
        said["definitionGroupId"], execution_id=said["executionId"], re_execute=bool(rerun), options=options
    )
    return asking.submitted(submitted)


def _is_there(packages: Packages, execution_id: str) -> bool:
    try:
        packages.execution(execution_id)
    except NoSuchExecutionError:
        return False
    return True


def export_to_package_delta(asking: Asking) -> str:
    """The same, change-tracked whatever the project says."""
    return export_to_package(asking, delta=True)


def export_to_package_preview(asking: Asking) -> str:
    """The same with the first rows of each entity."""
    count = asking.said["exportPreviewCount"]
    if count < 1:
        raise bad_request("a preview has at least one row", where="exportPreviewCount")
    return export_to_package(asking, preview=count)


def export_from_package(asking: Asking) -> str:
    """Make a project for export of the entities that a package names, and export it."""
    said = asking.said
    with read_package(_given(asking)) as package:
        manifest = package.manifest
    name = said["definitionGroupId"] or manifest.group
    known = {project.name.casefold() for project in asking.packages.projects()}
    if name.casefold() in known and not said["overwrite"]:
        hint = "with overwrite true its entities are replaced"
        raise bad_request(f"there is a data project {name[:200]!r} already", where="definitionGroupId", hint=hint)
    entities = tuple(
        ProjectEntity(
            one.name, one.source_format, {m.entity_field: m.xml_field for m in one.maps}, one.execution_unit, one.level,
            one.sequence,
        )
        for one in manifest.entities
    )  # fmt: skip
    asking.packages.define_project(Project(name, Operation.EXPORT, manifest.description, entities=entities))
    if not said["execute"]:
        return ""
    options = ExportOptions(legal_entity=said["legalEntityId"])
    return asking.submitted(asking.packages.submit_export(name, execution_id=said["executionId"], options=options))


def get_exported_package_url(asking: Asking) -> str:
    """Where the package of an export can be fetched; "" while it is not there."""
    done = asking.execution()
    if done.operation is not Operation.EXPORT:
        raise ExecutionStateError(f"{done.id} is an import", where="executionId")
    if done.status not in (Status.SUCCEEDED, Status.PARTIALLY_SUCCEEDED):
        return ""
    return _published(asking, done.package)


# ── status ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def get_execution_summary_status(asking: Asking) -> str:
    """One of seven words."""
    return asking.execution().status.value


def get_execution_summary_page_url(asking: Asking) -> str:
    """Where an execution is told of, entity by entity."""
    found = asking.execution().id.replace("'", "''")
    root = asking.service.settings.public_url or asking.address.origin
    where = quote(f"JobId eq '{found}'", safe="")
    return f"{root}{asking.address.base}/data/DataManagementExecutionJobDetails?$filter={where}"


def get_entity_execution_summary_status_list(asking: Asking) -> list[str]:
    """A text with JSON for each entity: its name and its status."""
    found = []
    for run in asking.execution().entities:
        status = run.target if run.target is not Status.NOT_RUN else run.staging
        if run.failed and status is Status.SUCCEEDED:
            status = Status.PARTIALLY_SUCCEEDED
        found.append(json.dumps({"EntityName": run.entity, "EntityStatus": status.value}, ensure_ascii=False))
    return found


def get_execution_errors(asking: Asking) -> str:
    """A text with a JSON list."""
    found = asking.packages.errors(asking.said["executionId"], most=MOST_ERRORS + 1)
    folders = {"": asking.service.settings.root.absolute() / asking.instance}
    errors = [
        {"RecordId": one.record, "Field": one.field, "ErrorMessage": without_places(one.message, folders),
         "EntityName": one.entity, "Step": one.step, "RowId": one.row}
        for one in found[:MOST_ERRORS]
    ]  # fmt: skip
    if len(found) > MOST_ERRORS:
        errors.append({"RecordId": "", "Field": "", "ErrorMessage": "there are more: the error files have all of them",
                       "EntityName": "", "Step": "", "RowId": 0})  # fmt: skip
    return json.dumps(errors, ensure_ascii=False)


def get_message_status(asking: Asking) -> str:
    """Of the recurring half."""
    message = Recurring(asking.service.database).message(asking.instance, asking.said["messageId"])
    try:
        done = asking.packages.execution(message.execution)
    except NoSuchExecutionError:
        done = None
    return status_of(message, done, waiting=asking.queue.has(asking.instance, message.execution))


def get_execution_id_by_message_id(asking: Asking) -> str:
    """The execution that a message became."""
    return Recurring(asking.service.database).message(asking.instance, asking.said["messageId"]).execution


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def initialize_data_management(_: Asking) -> Any:
    """Entities are looked up whenever they are asked for: there is nothing to refresh."""
    return NOTHING


def delete_execution_history_job(asking: Asking) -> bool:
    """Forget an execution with its staging and files."""
    asking.packages.delete_history(asking.said["executionId"])
    return True


def reset_version_token(asking: Asking) -> bool:
    """The next change-tracked export of an entity, or of all of a project, sends every row."""
    asking.packages.reset_tracking(asking.said["definitionGroupId"], asking.said["entityName"] or None)
    return True


@dataclass(frozen=True, slots=True)
class Action:
    """One. `wrapped`: in the object form its answer is an object whose only member is `value`."""

    do: Callable[[Asking], Any]
    parameters: Mapping[str, Parameter]
    edm: str = "Edm.String"
    wrapped: bool = False


PREVIEW: Final = EXPORT | {"exportPreviewCount": Parameter(int)}
ACTIONS: Final[Mapping[str, Action]] = {
    "GetAzureWriteUrl": Action(get_azure_write_url, {"uniqueFileName": Parameter(str)}),
    "ImportFromPackage": Action(import_from_package, IMPORT, wrapped=True),
    "ImportFromPackageAsync": Action(import_from_package, IMPORT, wrapped=True),
    "GetImportStagingErrorFileUrl": Action(get_import_staging_error_file_url, OF_ENTITY),
    "GenerateImportTargetErrorKeysFile": Action(generate_import_target_error_keys_file, OF_ENTITY, "Edm.Boolean"),
    "GetImportTargetErrorKeysFileUrl": Action(get_import_target_error_keys_file_url, OF_ENTITY),
    "ExportToPackage": Action(export_to_package, EXPORT, wrapped=True),
    "ExportToPackageAsync": Action(export_to_package, EXPORT, wrapped=True),
    "ExportToPackageDelta": Action(export_to_package_delta, EXPORT, wrapped=True),
    "ExportToPackagePreview": Action(export_to_package_preview, PREVIEW, wrapped=True),
    "ExportToPackagePreviewAsync": Action(export_to_package_preview, PREVIEW, wrapped=True),
    "ExportFromPackage": Action(export_from_package, IMPORT, wrapped=True),
    "GetExportedPackageUrl": Action(get_exported_package_url, EXECUTION, wrapped=True),
    "GetExecutionSummaryStatus": Action(get_execution_summary_status, EXECUTION, wrapped=True),
    "GetExecutionSummaryPageUrl": Action(get_execution_summary_page_url, EXECUTION),
    "GetEntityExecutionSummaryStatusList": Action(
        get_entity_execution_summary_status_list, EXECUTION, "Collection(Edm.String)"
    ),
    "GetExecutionErrors": Action(get_execution_errors, EXECUTION),
    "GetMessageStatus": Action(get_message_status, {"messageId": Parameter(str)}),
    "GetExecutionIdByMessageId": Action(get_execution_id_by_message_id, {"messageId": Parameter(str)}),
    "InitializeDataManagement": Action(initialize_data_management, {}),
    "InitializeDataManagementAsync": Action(initialize_data_management, {}),
    "DeleteExecutionHistoryJob": Action(delete_execution_history_job, EXECUTION, "Edm.Boolean"),
    "ResetVersionToken": Action(
        reset_version_token,
        {"definitionGroupId": Parameter(str), "entityName": Parameter(str, ""), "sourceName": Parameter(str, "")},
        "Edm.Boolean",
    ),
}
_FOLDED: Final = {name.casefold(): name for name in ACTIONS}


def action_of(name: str) -> Action:
    """By its name in any case; ServiceError 404."""
    found = _FOLDED.get(name.casefold())
    if found is None:
        raise ServiceError(404, f"there is no action {name[:80]!r}", where="path", hint=did_you_mean(name, ACTIONS))
    return ACTIONS[found]


def answer(action: Action, asking: Asking, body: bytes) -> Any:
    """The `value` of an action's answer, as clients take it: a string, unless the settings want the object form."""
    value = action.do(replace(asking, said=parameters_of(body, action.parameters)))
    if asking.service.settings.package_values == "object":
        return {"value": value} if action.wrapped else value
    return json.dumps(value) if isinstance(value, dict) else value
