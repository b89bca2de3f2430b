"""Operations 1–7: instances, which are the directories under the root that hold one."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any, Final, Literal

from fastapi import Request
from pydantic import Field, field_validator

from unify.service.caller import EVERYWHERE, Caller, Role
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.management.depends import Asking, Ruling, TheCaller, TheService, hosted_for
from unify.service.management.housekeeping import Housekeeping
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import AuditedWire, No, Wire
from unify.store.files import FOLDERS

of_all = area("Instances")
of_one = area("Instances")

InstanceType = Literal["trial", "sandbox", "production", "pitchDemo", "pov"]
ProvisioningState = Literal[
    "new", "creating", "active", "createFailed", "updateFailed", "deleting", "refreshCredentials",
    "resetInstanceInProgress", "updating", "quickUpdate", "deactivated",
]  # fmt: skip
SAID: Final = ("name", "instanceType", "region", "isB2B", "isB2C")
"""Keys that a caller may say."""
CLOUD: Final = "this service keeps everything on its own disk and has no such thing: leave it out"


class InstanceMetadata(AuditedWire):
    """An instance. What clients send beside `name`, `instanceType`, `region`, `isB2B` and `isB2C` is the service's."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    instance_type: InstanceType | None = None
    provisioning_state: ProvisioningState | None = None
    region: str | None = Field(default=None, max_length=200)
    is_b2b: bool | None = Field(default=None, alias="isB2B")
    is_b2c: bool | None = Field(default=None, alias="isB2C")
    configured_workspaces: tuple[str, ...] | None = None
    is_byo_pbi: No | None = None
    is_byo_synapse: No | None = None
    is_cds_mdl_or_cds_byodl: No | None = None
    is_refresh_credential_required: No | None = None

    def said(self) -> dict[str, Any]:
        """What a caller may say, of what was said."""
        return {key: value for key, value in self.wire().items() if key in SAID}


class _Request(Wire):
    instance_metadata: InstanceMetadata
    is_cds_mdl_storage_enabled: No | None = None
    is_ci_to_byosa_migration_enabled: No | None = None
    is_pbi_provisioning_required: No | None = None
    is_dataverse_update_requested: No | None = None
    byosa_resource_metadata: None = None
    cds_resource_metadata: None = None
    bap_provisioning_type: str | None = Field(default=None, description="Accepted only as `None`, the client's word.")

    @field_validator("bap_provisioning_type")
    @classmethod
    def _no_platform(cls, word: str | None) -> str | None:
        if word not in (None, "none", "None", "skip"):
            raise ValueError(CLOUD)
        return word


class InstanceCreationRequest(_Request):
    """A new instance, or what changes of one. `instanceMetadata.instanceId`: its id; a uuid when nothing is said."""


class InstanceCopyRequest(_Request):
    """A new instance with the configuration of another."""

    instance_id_to_copy: str


class InstanceInfo(Wire):
    """One line of the list. `scaleUnitUri`: where it is served."""

    instance_id: str
    name: str | None = None
    instance_type: InstanceType | None = None
    scale_unit_uri: str | None = None


@of_all.get("/instances", operation_id="get_all_instances", summary="Instances of the caller")
async def get_all_instances(service: TheService, caller: TheCaller, request: Request) -> list[InstanceInfo]:
    """Those in which the caller has a role, by id."""
    where = str(request.base_url).rstrip("/")
    metadata = await asyncio.to_thread(_all, service, caller)
    return [
        told(
            InstanceInfo,
            instance_id=m.instance_id or "",
            name=m.name,
            instance_type=m.instance_type,
            scale_unit_uri=where,
        )
        for m in metadata
    ]


@of_one.get("", operation_id="get_instance_metadata", summary="One instance")
async def get_instance_metadata(hosted: Asking, service: TheService) -> InstanceMetadata:
    """Its name, kind and state. One that the command line made is told as its directory shows it."""
    return await asyncio.to_thread(metadata_of, service, hosted)


@of_all.post("/instances/V2", operation_id="create_an_instance", summary="A new instance")
async def create_an_instance(body: InstanceCreationRequest, service: TheService, caller: TheCaller) -> InstanceMetadata:
    """Empty: sources, a plan and a run come next. 409 when the id is taken."""
    id_ = _new_id(body.instance_metadata, caller)
    said = _defaults(body.instance_metadata)
    hosted = await asyncio.to_thread(Housekeeping(service).create, id_, said, caller.principal, _now())
    return await asyncio.to_thread(metadata_of, service, hosted)


@of_all.post("/instances/copy", operation_id="copy_an_instance", summary="A new instance, configured like another")
async def copy_an_instance(body: InstanceCopyRequest, service: TheService, caller: TheCaller) -> InstanceMetadata:
    """Takes over the project draft and the segments made here; no data, no members, no history, no roles.

    Files that were uploaded to the other one are not copied: upload the new one's own.
    """
    id_ = _new_id(body.instance_metadata, caller)
    try:
        source = await asyncio.to_thread(hosted_for, service, caller, body.instance_id_to_copy, Role.STEWARD)
    except ServiceError as error:
        if error.status != 404:
            raise
        raise bad_request(error.message, where="instanceIdToCopy", hint=error.hint) from None
    said = _defaults(body.instance_metadata)
    hosted = await asyncio.to_thread(Housekeeping(service).copy, source, id_, said, caller.principal, _now())
    return await asyncio.to_thread(metadata_of, service, hosted)


@of_one.patch("/V2", operation_id="update_an_instance", summary="Change the metadata of an instance")
async def update_an_instance(
    body: InstanceCreationRequest, hosted: Ruling, service: TheService, caller: TheCaller
) -> InstanceMetadata:
    """Name, kind, region: what is not said stays. An id cannot be changed."""
    if body.instance_metadata.instance_id not in (None, hosted.id):
        raise bad_request("an id stays what it is", where="instanceMetadata.instanceId", hint="copy the instance")
    await asyncio.to_thread(_change, service, hosted, body.instance_metadata.said(), caller.principal)
    return await asyncio.to_thread(metadata_of, service, hosted)


@of_one.delete("", operation_id="delete_an_instance", summary="Delete an instance")
async def delete_an_instance(hosted: Ruling, service: TheService) -> bool:
    """With all its data, roles and schedules, at once and for good. 409 while a job is at work."""
    await asyncio.to_thread(Housekeeping(service).delete, hosted)
    return True


@of_one.delete("/manage/reset", operation_id="reset_an_instance", summary="Empty an instance")
async def reset_an_instance(
    hosted: Ruling,
    service: TheService,
    instanceManagementOperationScope: Literal["all"] = "all",
) -> bool:
    """Data, project, segments and history go; its metadata, roles and schedules stay. 409 while a job is at work."""
    await asyncio.to_thread(Housekeeping(service).reset, hosted)
    return True


def metadata_of(service: Any, hosted: Hosted) -> InstanceMetadata:
    """What is told of an instance; blocking."""
    rows = service.database.rows("SELECT * FROM instances WHERE id = $id", {"id": hosted.id})
    if rows:
        [row] = rows
        said = {"isB2B": False, "isB2C": True, **json.loads(row["said"])}
        tail: dict[str, Any] = {
            "version": row["version"],
            "createdUtc": row["created"],
            "createdBy": row["created_by"],
            "updatedUtc": row["updated"],
            "updatedBy": row["updated_by"],
        }
    else:
        said = {"name": hosted.id, "instanceType": "production", "isB2B": False, "isB2C": True}
        made = min(p.stat().st_mtime for name in (*FOLDERS, "") if (p := hosted.store.path / name).exists())
        tail = {"version": 0, "createdUtc": datetime.fromtimestamp(made, UTC).isoformat()}
    spaces = [word for word, key in (("B2B", "isB2B"), ("B2C", "isB2C")) if said[key]]
    return InstanceMetadata.model_validate(
        {**said, **tail, "provisioningState": "active", "configuredWorkspaces": spaces, "instanceId": hosted.id}
    )


def _all(service: Any, caller: Caller) -> list[InstanceMetadata]:
    found = []
    for id_ in service.roof.ids():
        if caller.role(id_) is None:
            continue
        try:
            found.append(metadata_of(service, service.roof.get(id_)))
        except (ServiceError, FileNotFoundError):
            continue  # deleted a moment ago
    return found


def _new_id(metadata: InstanceMetadata, caller: Caller) -> str:
    if not caller.may(EVERYWHERE, Role.ADMIN):
        raise ServiceError(403, "making instances takes the role admin for all instances")
    if metadata.name is None:
        raise bad_request("is missing", where="instanceMetadata.name", hint="give the instance a name")
    return metadata.instance_id if metadata.instance_id is not None else str(uuid.uuid4())


def _defaults(metadata: InstanceMetadata) -> dict[str, Any]:
    return {"instanceType": "sandbox", **metadata.said()}


def _change(service: Any, hosted: Hosted, said: dict[str, Any], by: str) -> None:
    """Keep what was said beside what was said before."""
    now = metadata_of(service, hosted)
    with service.database.write() as rows:
        row = rows.execute("SELECT said FROM instances WHERE id = $id", {"id": hosted.id}).fetchone()
        before = json.loads(row["said"]) if row is not None else now.said()
        rows.execute(
            "INSERT INTO instances (id, said, version, created, created_by, updated, updated_by)"
            " VALUES ($id, $said, 1, $created, $by, $at, $by) ON CONFLICT (id) DO UPDATE SET"
            " said = excluded.said, version = version + 1,"
            " updated = excluded.updated, updated_by = excluded.updated_by",
            {
                "id": hosted.id,
                "said": json.dumps({**before, **said}),
                "created": now.created_utc.isoformat() if now.created_utc else _now(),
                "at": _now(),
                "by": by,
            },
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
