"""Jobs, tasks, nodes and schedules as the vendor's client reads and sends them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from unify.service.jobs.nouns import Job, Task
from unify.service.jobs.schedules import Schedule
from unify.service.management.errors import CIResult
from unify.spec.wire import Wire, Yes, initial_lower

TaskStatus = Literal[
    "queued", "needsUpdate", "running", "failed", "timedOut", "aborted", "deleted", "successful", "skipped"
]
JobType = Annotated[Literal["full", "incremental"], BeforeValidator(initial_lower)]
SubmissionKind = Annotated[Literal["onDemand", "scheduled"], BeforeValidator(initial_lower)]
InputMode = Literal["FailedOrModifiedRecursive", "FailedRecursive", "FailedOrModified", "Failed", "None"]
ReasonCode = Literal[
    "unknown", "requested", "firstRun", "unsuccessful", "lastRunSkipped", "alreadyRunning", "modifiedInputs",
    "upstreamRerunning", "dependantSystemNode", "dependsOnMerge",
]  # fmt: skip


class GraphJobOptions(Wire):
    """`runDownstreamAfterMerge`: a generation is whole, so what follows a merge is always made with it."""

    run_downstream_after_merge: Yes | None = None


class OnDemandJobRequest(Wire):
    """What to do. `graphName`: as in the path; `submissionKind`: told of a job, not chosen."""

    graph_name: str | None = None
    operation_type: str | None = None
    submission_kind: SubmissionKind | None = None
    job_type: JobType | None = None
    identifiers: tuple[str, ...] | None = Field(default=None, max_length=1000)
    force_run_requested: bool | None = None
    input_refresh_mode: InputMode | None = None
    options: GraphJobOptions | None = None


class CustomTaskInformation(Wire):
    """More about a task. `step`: what it is doing (ours)."""

    kind: str | None = None
    step: str | None = None


class GraphTaskInfo(Wire):
    """One part of a job. `jobIds`: the job."""

    task_id: str
    task_status: TaskStatus
    operation_type: str
    sub_type: str | None = None
    job_ids: tuple[str, ...] = ()
    friendly_name: str | None = None
    submitted_timestamp: datetime | None = None
    end_timestamp: datetime | None = None
    ci_error: CIResult | None = None
    ci_errors: tuple[CIResult, ...] | None = None
    waiting_task_ids: tuple[str, ...] = ()
    additional_info: CustomTaskInformation | None = None


class GraphJobInfo(Wire):
    """One job. `notice`, `ciError`, `run`, `submittedBy` are ours: why it waits or failed, what it published, whose."""

    job_id: str
    job_type: JobType
    job_submission_kind: SubmissionKind
    job_status: TaskStatus
    operation_type: str
    sub_type: str | None = None
    submitted_timestamp: datetime
    end_timestamp: datetime | None = None
    should_force_run_requested_nodes: bool
    tasks: tuple[GraphTaskInfo, ...] | None = None
    id_list: tuple[str, ...] = ()
    options: GraphJobOptions | None = None
    notice: str | None = None
    ci_error: CIResult | None = None
    run: int | None = None
    submitted_by: str | None = None


class SelectionReason(Wire):
    """Why the node was part of its last job."""

    code: ReasonCode
    details: str | None = None


class GraphNodeInfo(Wire):
    """Something that jobs make: the entities of a data source, the matches, the segments."""

    operation_type: str
    sub_type: str | None = None
    identifier: str | None = None
    friendly_name: str | None = None
    job_ids: tuple[str, ...] = ()
    task_status: TaskStatus
    last_success_job_ids: tuple[str, ...] = ()
    end_timestamp: datetime | None = None
    last_successful_timestamp: datetime | None = None
    ci_error: CIResult | None = None
    ci_errors: tuple[CIResult, ...] | None = None
    additional_info: CustomTaskInformation | None = None
    selection_reason: SelectionReason | None = None


class TimezoneDetail(Wire):
    """A zone that schedules may be in."""

    id: str
    name: str


class WorkflowRefreshSchedule(Wire):
    """When jobs come by themselves. `nextTimestamp`, `lastTimestamp`, `lastJobId`: ours, told and not chosen."""

    operation_type: str | None = None
    sub_type: Literal["noSubType"] | None = None
    identifiers: tuple[str, ...] | None = Field(default=None, max_length=1000)
    job_type: JobType | None = None
    is_active: bool | None = None
    timezone_id: str | None = Field(default=None, max_length=200)
    cron_schedules: tuple[str, ...] | None = Field(default=None, max_length=100)
    schedule_id: str | None = Field(default=None, max_length=200)
    instance_id: str | None = None
    next_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    last_job_id: str | None = None


def problem(error: dict[str, str]) -> CIResult:
    """An error of a job or a task."""
    params = {key: error[key] for key in ("where", "hint") if error.get(key)}
    return CIResult.model_validate(
        {
            "exceptionCulprit": "system" if error.get("error") in ("InternalError", "ProcessDiedError") else "user",
            "errorCode": error.get("error") or None,
            "resultSeverity": "error",
            "message": error.get("message"),
            "name": error.get("error") or None,
            "params": params or None,
        }
    )


NAMES = {
    "ingestion": "Data sources",
    "match": "Match",
    "merge": "Merge",
    "activity": "Activities",
    "measures": "Measures",
    "segmentation": "Segments",
    "export": "Exports",
}


def friendly(operation: str, identifier: str | None) -> str:
    """
    >>> friendly("ingestion", "crm"), friendly("match", None)
    ('Data sources: crm', 'Match')
    """
    name = NAMES.get(operation, operation)
    return f"{name}: {identifier}" if identifier else name


def task_info(task: Task, before: tuple[str, ...] = ()) -> GraphTaskInfo:
    """A task. `before`: tasks that it waits for."""
    errors = tuple(problem(error) for error in task.errors)
    return GraphTaskInfo.model_validate(
        {
            "taskId": task.task_id,
            "taskStatus": task.status,
            "operationType": task.operation,
            "subType": "noSubType",
            "jobIds": (task.job_id,),
            "friendlyName": friendly(task.operation, task.identifier),
            "submittedTimestamp": task.started,
            "endTimestamp": task.ended,
            "ciError": errors[0] if errors else None,
            "ciErrors": errors or None,
            "waitingTaskIds": before if task.status == "queued" else (),
            "additionalInfo": {"kind": additional_kind(task.operation), "step": task.note} if task.note else None,
        }
    )


def additional_kind(operation: str) -> str | None:
    """The vendor's word for what is told besides."""
    kinds = {"segmentation": "segmentation", "measures": "measures", "export": "export", "merge": "merge",
             "ingestion": "incrementalIngestion", "match": "incrementalMatch"}  # fmt: skip
    return kinds.get(operation)


def job_info(job: Job, tasks: list[Task] | None = None, notice: str | None = None) -> GraphJobInfo:
    """A job, with its tasks when they are given."""
    said: dict[str, Any] = {
        "jobId": job.job_id,
        "jobType": job.request.kind,
        "jobSubmissionKind": job.request.submission,
        "jobStatus": job.status,
        "operationType": job.request.operation,
        "subType": "noSubType",
        "submittedTimestamp": job.submitted,
        "endTimestamp": job.ended,
        "shouldForceRunRequestedNodes": job.request.forced,
        "idList": job.request.identifiers,
        "options": job.request.options or None,
        "notice": notice or job.note or ("it is being cancelled" if job.cancel and job.open else None),
        "ciError": problem(job.error) if job.error else None,
        "run": job.run,
        "submittedBy": job.submitted_by,
    }
    if tasks is not None:
        open_ = [task.task_id for task in tasks if task.status in ("queued", "running")]
        before = dict(zip(open_[1:], open_, strict=False))
        said["tasks"] = tuple(
            task_info(task, (before[task.task_id],) if task.task_id in before else ()) for task in tasks
        )
    return GraphJobInfo.model_validate(said)


def schedule_info(schedule: Schedule) -> WorkflowRefreshSchedule:
    """A schedule as it is kept."""
    return WorkflowRefreshSchedule.model_validate(
        {
            "operationType": schedule.operation,
            "subType": "noSubType",
            "identifiers": schedule.identifiers,
            "jobType": schedule.kind,
            "isActive": schedule.active,
            "timezoneId": schedule.timezone,
            "cronSchedules": schedule.crons,
            "scheduleId": schedule.schedule_id,
            "instanceId": schedule.instance,
            "nextTimestamp": schedule.next_at,
            "lastTimestamp": schedule.last_at,
            "lastJobId": schedule.last_job,
        }
    )
