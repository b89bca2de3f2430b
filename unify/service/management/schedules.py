"""Operations 47–50: when jobs come by themselves. docs/service-jobs.md says how clocks that change are met."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Body, Path

from unify.core.errors import QueryError, SpecError
from unify.instance import Instance
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.jobs.nouns import Request
from unify.service.jobs.schedules import INVALID, Schedule, Schedules
from unify.service.jobs.work import check_identifiers
from unify.service.jobs.zones import supported
from unify.service.management.decoded import vendor_area
from unify.service.management.depends import Reading, Ruling, TheCaller, TheService
from unify.service.management.workflow_shapes import TimezoneDetail, WorkflowRefreshSchedule, schedule_info
from unify.service.management.workflows import Workflow, check_workflow

router = vendor_area("Schedules")


@router.get(
    "/workflows/{workflowName}/schedules/supportedTimezones",
    operation_id="get_supported_timezones",
    summary="Time zones that schedules may be in",
)
async def get_supported_timezones(hosted: Reading, workflow: Workflow) -> list[TimezoneDetail]:
    """Windows names, which the vendor's clients send, and IANA's. Of any workflow, as the client says."""
    zones = await asyncio.to_thread(supported, datetime.now(UTC))
    return [TimezoneDetail(id=id_, name=name) for id_, name in zones]


@router.get("/workflows/{workflowName}/schedules", operation_id="get_workflow_schedules", summary="All schedules")
async def get_workflow_schedules(
    hosted: Reading, service: TheService, workflow: Workflow
) -> list[WorkflowRefreshSchedule]:
    """With the next time that each fires."""
    check_workflow(workflow)
    found = await asyncio.to_thread(Schedules(service.database).of, hosted.id)
    return [schedule_info(schedule) for schedule in found]


@router.post(
    "/workflows/{workflowName}/schedules",
    operation_id="create_workflow_refresh_schedule",
    summary="Make a schedule, or change one",
)
async def create_workflow_refresh_schedule(
    hosted: Ruling, service: TheService, caller: TheCaller, workflow: Workflow, body: WorkflowRefreshSchedule
) -> WorkflowRefreshSchedule:
    """With a `scheduleId` it takes the place of that schedule; without one it is new."""
    check_workflow(workflow)
    found = await hosted.ask(lambda acme: _saved(acme, hosted, service, [body], caller.principal))
    return found[0]


@router.post(
    "/workflows/{workflowName}/schedules/batch",
    operation_id="create_a_batch_of_workflow_refresh_schedules",
    summary="Make or change several schedules",
)
async def create_a_batch_of_workflow_refresh_schedules(
    hosted: Ruling,
    service: TheService,
    caller: TheCaller,
    workflow: Workflow,
    body: Annotated[list[WorkflowRefreshSchedule], Body(max_length=50)],
) -> list[WorkflowRefreshSchedule]:
    """All of them, or none when one is wrong."""
    check_workflow(workflow)
    return await hosted.ask(lambda acme: _saved(acme, hosted, service, body, caller.principal))


@router.delete(
    "/workflows/{workflowName}/schedules/{scheduleId}", operation_id="delete_a_schedule", summary="Delete a schedule"
)
async def delete_a_schedule(
    hosted: Ruling, service: TheService, workflow: Workflow, schedule_id: Annotated[str, Path(alias="scheduleId")]
) -> bool:
    """Jobs that it has queued stay."""
    check_workflow(workflow)
    await asyncio.to_thread(Schedules(service.database).delete, hosted.id, schedule_id)
    return True


def _saved(
    acme: Instance, hosted: Hosted, service: Any, said: Sequence[WorkflowRefreshSchedule], by: str
) -> list[WorkflowRefreshSchedule]:
    document = hosted.draft.now().document
    schedules = []
    for place, one in enumerate(said):
        try:
            schedule = _schedule(hosted.id, one).checked()
            request = Request(schedule.operation, schedule.kind, schedule.identifiers)
            check_identifiers(acme, document, request)
        except (SpecError, QueryError) as error:
            where = f"{place}.{error.where}" if len(said) > 1 else error.where
            raise bad_request(error.message, where=where, hint=error.hint, key=INVALID) from None
        except ServiceError as error:
            error.key = error.key or INVALID
            raise
        schedules.append(schedule)
    ids = [s.schedule_id for s in schedules if s.schedule_id]
    if len(set(ids)) < len(ids):
        raise bad_request("a schedule stands there twice", where="scheduleId", hint="each id once", key=INVALID)
    return [schedule_info(s) for s in Schedules(service.database).save(schedules, by)]


def _schedule(instance: str, said: WorkflowRefreshSchedule) -> Schedule:
    if said.instance_id not in (None, instance):
        raise bad_request("it is of another instance", where="instanceId", hint=f"{instance}, or leave it out")
    missing = [key for key in ("operationType", "timezoneId", "cronSchedules") if key not in said.wire()]
    if missing:
        raise bad_request("is missing", where=missing[0], hint="a schedule says what, when, and on which clock")
    return Schedule(
        schedule_id=said.schedule_id or "",
        instance=instance,
        operation=said.operation_type or "",
        kind=said.job_type or "incremental",
        identifiers=tuple(said.identifiers or ()),
        active=said.is_active is not False,
        timezone=said.timezone_id or "",
        crons=tuple(said.cron_schedules or ()),
    )
