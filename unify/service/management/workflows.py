"""Operations 41–46: jobs of an instance, their tasks, and how far each part of the pipeline is. docs/service-jobs.md"""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Path, Query

from unify.core.errors import did_you_mean
from unify.instance import Instance
from unify.service.database import ServiceDatabase
from unify.service.errors import bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.jobs.nouns import Job, Request, Task
from unify.service.jobs.operations import plan_of, spelled
from unify.service.jobs.queue import Queue
from unify.service.jobs.work import check_identifiers
from unify.service.management.decoded import vendor_area
from unify.service.management.depends import Building, Reading, TheCaller, TheService
from unify.service.management.plain_jobs import plain
from unify.service.management.workflow_shapes import (
    GraphJobInfo,
    GraphNodeInfo,
    GraphTaskInfo,
    OnDemandJobRequest,
    friendly,
    job_info,
    problem,
    task_info,
)
from unify.store import Run

WORKFLOW: Final = "main"
router = vendor_area("Workflows")
Top = Annotated[int, Query(ge=1, le=1000, description="How many, the latest first.")]
IncludeTasks = Annotated[bool, Query(alias="includeTasks", description="With the tasks of each job.")]
Workflow = Annotated[str, Path(alias="workflowName", description="There is one: `main`.")]
JobId = Annotated[str, Path(alias="jobId")]


def check_workflow(name: str) -> None:
    """ServiceError 404 for any but the one there is."""
    if name != WORKFLOW:
        raise not_found(
            f"there is no workflow {name[:128]!r}", where="workflowName", hint=did_you_mean(name, [WORKFLOW])
        )


def queue_of(service: Any) -> Queue:
    """The queue of a service."""
    database: ServiceDatabase = service.database
    return Queue(database)


@router.post("/workflows/{workflowName}/jobs", operation_id="submit_a_workflow_job", summary="Submit a job")
async def submit_a_workflow_job(
    hosted: Building,
    service: TheService,
    caller: TheCaller,
    workflow: Workflow,
    operation_type: Annotated[str | None, Query(alias="operationType", description="As in the body.")] = None,
    identifiers: Annotated[str | None, Query(description="As in the body, with commas between.")] = None,
    force_run_requested: Annotated[bool, Query(alias="forceRunRequested", description="As in the body.")] = False,
    body: OnDemandJobRequest | None = None,
) -> GraphJobInfo:
    """Queue a job; it begins as soon as no other job of the instance is at work.

    The body has the say where query and body both speak. A job that is just like one that is queued already is not
    queued again: the queued one is told, with a `notice`.
    """
    check_workflow(workflow)
    said = body or OnDemandJobRequest()
    if said.graph_name not in (None, WORKFLOW):
        check_workflow(said.graph_name or "")
    operation = said.operation_type or operation_type
    if operation is None:
        raise bad_request("what is to be done?", where="operationType", hint="e.g. all")
    if said.submission_kind == "scheduled":
        raise bad_request("a job that is submitted is onDemand", where="submissionKind", hint="make a schedule instead")
    names = said.identifiers if said.identifiers is not None else tuple(n for n in (identifiers or "").split(",") if n)
    forced = said.force_run_requested if said.force_run_requested is not None else force_run_requested
    request = Request(
        operation=spelled(operation),
        kind=said.job_type or "incremental",
        identifiers=tuple(dict.fromkeys(names)),
        forced=forced,
        inputs=said.input_refresh_mode or "None",
        options=said.options.wire() if said.options is not None else {},
    )
    job, new = await hosted.ask(lambda acme: _submit(acme, hosted, queue_of(service), request, caller.principal))
    notice = None if new else "a job just like it is queued already: this is it"
    if not service.settings.jobs:
        notice = "this service runs no jobs: it waits for one on the same folder that does"
    return await asyncio.to_thread(lambda: job_info(job, queue_of(service).tasks([job.job_id])[job.job_id], notice))


def _submit(acme: Instance, hosted: Hosted, queue: Queue, request: Request, by: str) -> tuple[Job, bool]:
    document = hosted.draft.now().document
    check_identifiers(acme, document, request)
    tasks = plan_of(request.operation, request.inputs).tasks(list(document.get("sources") or ()), request.identifiers)
    return queue.submit(hosted.id, request, tasks, by)


@router.get(
    "/workflows/{workflowName}/jobs", operation_id="get_list_of_recent_workflow_jobs", summary="The latest jobs"
)
async def get_list_of_recent_workflow_jobs(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    workflow: Workflow,
    top: Top = 10,
    include_tasks: IncludeTasks = False,
) -> list[GraphJobInfo]:
    """Queued and running ones first of all, then those that ended: the latest submitted comes first."""
    check_workflow(workflow)
    return await asyncio.to_thread(
        lambda: plain(hosted, caller, _recent(queue_of(service), hosted.id, top, include_tasks))
    )


def _recent(queue: Queue, instance: str, top: int, include_tasks: bool) -> list[GraphJobInfo]:
    jobs = queue.recent(instance, top)
    tasks = queue.tasks([job.job_id for job in jobs]) if include_tasks else {}
    return [job_info(job, tasks.get(job.job_id)) for job in jobs]


@router.get("/workflows/{workflowName}/jobs/{jobId}", operation_id="get_a_workflow_job_information", summary="One job")
async def get_a_workflow_job_information(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    workflow: Workflow,
    job_id: JobId,
    include_tasks: IncludeTasks = False,
) -> GraphJobInfo:
    """How far it is; of a failed one `ciError` says why."""
    check_workflow(workflow)
    return await asyncio.to_thread(
        lambda: plain(hosted, caller, _one(queue_of(service), hosted.id, job_id, include_tasks))
    )


def _one(queue: Queue, instance: str, job_id: str, include_tasks: bool) -> GraphJobInfo:
    job = _known(queue, instance, job_id)
    return job_info(job, queue.tasks([job_id])[job_id] if include_tasks else None)


def _known(queue: Queue, instance: str, job_id: str) -> Job:
    job = queue.get(job_id, instance)
    if job is None:
        hint = "GET …/jobs lists the latest; a thousand are kept"
        raise not_found(f"there is no job {job_id[:128]!r}", where="jobId", hint=hint, key="jobNotFound")
    return job


@router.post(
    "/workflows/{workflowName}/jobs/{jobId}/cancel", operation_id="cancel_a_workflow_job", summary="Cancel a job"
)
async def cancel_a_workflow_job(
    hosted: Building, service: TheService, caller: TheCaller, workflow: Workflow, job_id: JobId
) -> GraphJobInfo:
    """One that waits is `aborted` at once, one at work within seconds; what is published stays. One that has ended is
    told as it is."""
    check_workflow(workflow)

    def cancelled() -> GraphJobInfo:
        queue = queue_of(service)
        _known(queue, hosted.id, job_id)
        queue.cancel(job_id)
        return plain(hosted, caller, _one(queue, hosted.id, job_id, include_tasks=True))

    return await asyncio.to_thread(cancelled)


@router.get(
    "/workflows/{workflowName}/history",
    operation_id="get_list_of_workflow_task_information_history",
    summary="The latest tasks",
)
async def get_list_of_workflow_task_information_history(
    hosted: Reading, service: TheService, caller: TheCaller, workflow: Workflow, top: Top = 10
) -> list[GraphTaskInfo]:
    """Of all jobs, the one that began last comes first."""
    check_workflow(workflow)
    tasks = await asyncio.to_thread(queue_of(service).task_history, hosted.id, top)
    return await asyncio.to_thread(lambda: plain(hosted, caller, [task_info(task) for task in tasks]))


@router.get("/workflows/{workflowName}/status", operation_id="get_workflow_status", summary="How far everything is")
async def get_workflow_status(
    hosted: Reading, service: TheService, caller: TheCaller, workflow: Workflow
) -> list[GraphNodeInfo]:
    """A node per data source, per stage and per segment or table that jobs were about by name.

    What a run of the command line has made counts as successful too, without a job.
    """
    check_workflow(workflow)
    return await hosted.ask(lambda acme: plain(hosted, caller, _status(acme, hosted, queue_of(service))))


def _status(acme: Instance, hosted: Hosted, queue: Queue) -> list[GraphNodeInfo]:
    runs = [run for run in acme.store.runs(100) if run.state == "published" and run.finished is not None]
    sources = list(hosted.draft.now().document.get("sources") or ())
    known = {(task.operation, task.identifier): (task, good, job) for task, good, job in queue.last_tasks(hosted.id)}
    order = [*(plan_of("all").tasks(sources, ())), *known]
    gone = {("ingestion", name) for op, name in known if op == "ingestion" and name not in sources}
    return [
        _node(key, known.get(key), _last_run(key[0], runs))
        for key in dict.fromkeys(order)
        if key not in gone and (key in known or _last_run(key[0], runs) is not None)
    ]


MADE_BY: Final = {
    "ingestion": ("run", "ingest"),
    "match": ("run", "conflate"),
    "merge": ("run", "conflate"),
    "activity": ("run", "conflate"),
    "measures": ("run", "conflate", "refresh"),
    "segmentation": ("run", "ingest", "conflate", "refresh", "segments"),
}
"""Operation → purposes of runs that make it."""


def _last_run(operation: str, runs: list[Run]) -> datetime | None:
    """When a run last made it, whoever started that."""
    found = (run.finished for run in runs if run.purpose in MADE_BY.get(operation, ()))
    return next(found, None)


def _node(
    key: tuple[str, str | None], tasks: tuple[Task, Task | None, Job] | None, run: datetime | None
) -> GraphNodeInfo:
    said: dict[str, Any] = {"operationType": key[0], "subType": "noSubType", "identifier": key[1]}
    said["friendlyName"] = friendly(*key)
    if tasks is None:
        return GraphNodeInfo.model_validate(
            {**said, "taskStatus": "successful", "endTimestamp": run, "lastSuccessfulTimestamp": run,
             "selectionReason": {"code": "unknown", "details": "it was run without a job"}}
        )  # fmt: skip
    task, good, job = tasks
    errors = tuple(problem(error) for error in task.errors)
    named = key[1] is not None and key[0] != "ingestion"
    moments = [m for m in (good.ended if good is not None else None, None if named else run) if m is not None]
    said |= {
        "jobIds": (task.job_id,),
        "taskStatus": task.status,
        "lastSuccessJobIds": (good.job_id,) if good is not None else (),
        "endTimestamp": task.ended,
        "lastSuccessfulTimestamp": max(moments, default=None),
        "ciError": errors[0] if errors else None,
        "ciErrors": errors or None,
        "additionalInfo": {"step": task.note} if task.note and task.status == "running" else None,
        "selectionReason": _reason(task, good, job),
    }
    return GraphNodeInfo.model_validate(said)


def _reason(task: Task, good: Task | None, job: Job) -> dict[str, str]:
    """Why it was part of its last job."""
    operation = job.request.operation
    details = f"of a job of {operation}"
    if operation in (task.operation, "all"):
        return {"code": "requested", "details": details}
    if good is None:
        return {"code": "firstRun", "details": details}
    if operation in ("map", "match", "merge", "activity"):
        return {"code": "dependsOnMerge" if task.operation != "match" else "requested", "details": details}
    return {"code": "upstreamRerunning", "details": details}
