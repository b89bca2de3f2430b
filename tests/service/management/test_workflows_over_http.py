"""Operations 41–50 by the vendor's own client, over a service whose runner is a process beside it."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dynamics.customerinsights.api import models
from msrest.exceptions import HttpOperationError

from unify.service.database import ServiceDatabase
from unify.service.jobs.queue import Queue
from unify.service.jobs.runner import Runner
from unify.service.jobs.schedules import Schedules
from unify.service.settings import Settings


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path, served_at: Any) -> Iterator[tuple[str, Path]]:
    """One that takes jobs; nobody does them until a test starts a runner."""
    root = tmp_path_factory.mktemp("flows") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    with served_at(Settings(root=root, log_level="error")) as url:
        yield url, root


@pytest.fixture(autouse=True)
def _nothing_waits(shared_root: Path) -> None:
    queue = Queue(ServiceDatabase(shared_root))
    for job in queue.recent("contoso", 100):
        queue.cancel(job.job_id)


def test_a_job_is_submitted_told_and_cancelled(client):
    job = client.submit_a_workflow_job("contoso", "main", operation_type="all", force_run_requested=True)
    assert (job.job_status, job.operation_type, job.job_type, job.job_submission_kind) == (
        "queued",
        "all",
        "incremental",
        "onDemand",
    )
    assert job.should_force_run_requested_nodes is True
    assert [t.operation_type for t in job.tasks] == ["ingestion"] * 4 + [
        "match",
        "merge",
        "activity",
        "measures",
        "segmentation",
    ]
    assert job.tasks[1].waiting_task_ids == [job.tasks[0].task_id]
    again = client.submit_a_workflow_job("contoso", "main", operation_type="all", force_run_requested=True)
    assert again.job_id == job.job_id
    assert "queued already" in again.additional_properties["notice"]
    one = client.get_a_workflow_job_information("contoso", "main", job.job_id)
    assert (one.job_id, one.tasks) == (job.job_id, None)
    assert len(client.get_a_workflow_job_information("contoso", "main", job.job_id, include_tasks=True).tasks) == 9
    assert client.get_list_of_recent_workflow_jobs("contoso", "main", top=1)[0].job_id == job.job_id
    gone = client.cancel_a_workflow_job("contoso", "main", job.job_id)
    assert (gone.job_status, {t.task_status for t in gone.tasks}) == ("aborted", {"aborted"})
    assert gone.end_timestamp is not None
    assert client.cancel_a_workflow_job("contoso", "main", job.job_id).job_status == "aborted"


def test_the_body_has_the_say_and_any_case_is_taken(client):
    body = models.OnDemandJobRequest(
        operation_type="Segmentation", job_type="Full", identifiers=["big_spenders"], input_refresh_mode="Failed"
    )
    job = client.submit_a_workflow_job("contoso", "main", body=body, operation_type="all")
    assert (job.operation_type, job.job_type, job.id_list) == ("segmentation", "full", ["big_spenders"])
    listed = client.submit_a_workflow_job(
        "contoso", "main", operation_type="segmentation", identifiers=["unhappy", "gone_quiet"]
    )
    assert listed.id_list == ["gone_quiet", "unhappy"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "what is to be done"),
        ({"operation_type": "enrichment"}, "no jobs of enrichment"),
        ({"operation_type": "al"}, "no operationType"),
        ({"operation_type": "all", "identifiers": ["crm"]}, "no identifiers"),
        ({"operation_type": "segmentation", "identifiers": ["vip"]}, "there is no 'vip'"),
        ({"operation_type": "measures", "identifiers": ["TotlSpend"]}, "there is no 'TotlSpend'"),
        ({"operation_type": "ingestion", "identifiers": ["cmr"]}, "there is no 'cmr'"),
        ({"operation_type": "export", "identifiers": ["nothing"]}, "there is no 'nothing'"),
        ({"body": models.OnDemandJobRequest(operation_type="match", options=models.GraphJobOptions(run_downstream_after_merge=False))}, "runDownstreamAfterMerge"),
        ({"body": models.OnDemandJobRequest(operation_type="all", input_refresh_mode="Always")}, "inputRefreshMode"),
        ({"body": models.OnDemandJobRequest(operation_type="all", submission_kind="scheduled")}, "onDemand"),
        ({"body": models.OnDemandJobRequest(operation_type="all", graph_name="other")}, "no workflow"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_a_404_with_the_reason(client, asked, said):
    refused = client.submit_a_workflow_job("contoso", "main", **asked)
    assert isinstance(refused, models.ApiErrorResult)
    assert refused.http_status_code == "404"
    assert said in f"{refused.params} {refused.message}"


def test_what_is_not_there_is_not_found(client):
    for refused in (
        client.submit_a_workflow_job("contoso", "other", operation_type="all"),
        client.get_list_of_recent_workflow_jobs("nobody", "main"),
        client.get_a_workflow_job_information("contoso", "main", "nothing"),
        client.cancel_a_workflow_job("contoso", "main", "nothing"),
        client.get_list_of_workflow_task_information_history("contoso", "other"),
        client.get_workflow_status("contoso", "other"),
    ):
        assert refused.http_status_code == "404"


def test_a_job_runs_and_status_and_history_say_so(client, shared_root):
    before = {n.operation_type: n for n in client.get_workflow_status("contoso", "main")}
    assert {"ingestion", "match", "merge", "activity", "measures", "segmentation"} <= set(before)
    assert before["match"].last_successful_timestamp is not None  # the run of the command line counts
    job = client.submit_a_workflow_job("contoso", "main", operation_type="segmentation", identifiers=["big_spenders"])
    runner = Runner(Settings(root=shared_root))
    end = time.monotonic() + 120
    while client.get_a_workflow_job_information("contoso", "main", job.job_id).job_status in ("queued", "running"):
        assert time.monotonic() < end
        runner.tick()
        time.sleep(0.1)
    runner.go_down()
    done = client.get_a_workflow_job_information("contoso", "main", job.job_id, include_tasks=True)
    assert (done.job_status, [t.task_status for t in done.tasks]) == ("successful", ["successful"])
    (node,) = [n for n in client.get_workflow_status("contoso", "main") if n.identifier == "big_spenders"]
    assert (node.task_status, node.last_success_job_ids, node.selection_reason.code) == (
        "successful",
        [job.job_id],
        "requested",
    )
    (last,) = client.get_list_of_workflow_task_information_history("contoso", "main", top=1)
    assert (last.job_ids, last.friendly_name, last.task_status) == (
        [job.job_id],
        "Segments: big_spenders",
        "successful",
    )


def schedule(**said: Any) -> models.WorkflowRefreshSchedule:
    kept = {
        "operation_type": "all",
        "timezone_id": "W. Europe Standard Time",
        "cron_schedules": ["0 2 * * *"],
        "is_active": True,
    }
    return models.WorkflowRefreshSchedule(**{**kept, **said})


def test_schedules_are_made_changed_listed_and_fire(client, http, shared_root):
    made = client.create_workflow_refresh_schedule("contoso", "main", schedule())
    assert (made.job_type, made.is_active, made.instance_id, made.cron_schedules) == (
        "incremental",
        True,
        "contoso",
        ["0 2 * * *"],
    )
    following = datetime.fromisoformat(made.additional_properties["nextTimestamp"])
    assert following.astimezone(__import__("zoneinfo").ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "02:00"
    batch = [
        schedule(schedule_id=made.schedule_id, is_active=False),
        schedule(operation_type="Measures", job_type="Full", identifiers=["Revenue"]),
    ]
    changed, new = client.create_a_batch_of_workflow_refresh_schedules("contoso", "main", batch)
    assert (changed.schedule_id, changed.is_active, "nextTimestamp" in changed.additional_properties) == (
        made.schedule_id,
        False,
        False,
    )
    assert (new.operation_type, new.job_type) == ("measures", "full")
    assert [s.schedule_id for s in client.get_workflow_schedules("contoso", "main")] == [
        changed.schedule_id,
        new.schedule_id,
    ]
    (job_id,) = Schedules(ServiceDatabase(shared_root)).fire(datetime(2100, 1, 1, tzinfo=UTC))
    job = client.get_a_workflow_job_information("contoso", "main", job_id)
    assert (job.job_submission_kind, job.operation_type, job.id_list) == ("scheduled", "measures", ["Revenue"])
    for one in (changed, new):
        assert http.delete(f"contoso/workflows/main/schedules/{one.schedule_id}").json() is True
    assert client.get_workflow_schedules("contoso", "main") == []


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"timezone_id": "Europe/Bern"}, "timezoneId"),
        ({"timezone_id": None}, "timezoneId"),
        ({"cron_schedules": ["at noon"]}, "cronSchedules.0"),
        ({"cron_schedules": ["0 * * * *"]}, "cronSchedules"),
        ({"cron_schedules": []}, "cronSchedules"),
        ({"operation_type": "enrichment"}, "operationType"),
        ({"operation_type": None}, "operationType"),
        ({"identifiers": ["crm"]}, "identifiers"),
        ({"schedule_id": "nobody's"}, "scheduleId"),
        ({"instance_id": "other"}, "instanceId"),
    ],
)
def test_what_is_no_schedule_is_refused(client, http, said, where):
    refused = client.create_a_batch_of_workflow_refresh_schedules("contoso", "main", [schedule(**said)])
    assert (refused.http_status_code, refused.params["where"]) == ("404", where)
    assert refused.error_code == "dataRefreshInvalidScheduleRequest"
    with pytest.raises(HttpOperationError):  # of a single one the client decodes neither 400 nor 404
        client.create_workflow_refresh_schedule("contoso", "main", schedule(**said))
    assert client.get_workflow_schedules("contoso", "main") == []


def test_a_batch_with_one_that_is_wrong_keeps_none(client):
    refused = client.create_a_batch_of_workflow_refresh_schedules(
        "contoso", "main", [schedule(), schedule(timezone_id="Mars")]
    )
    assert refused.params["where"] == "1.timezoneId"
    assert client.get_workflow_schedules("contoso", "main") == []


def test_zones_that_schedules_may_be_in(client):
    zones = {z.id: z.name for z in client.get_supported_timezones("any", "contoso")}
    assert zones["W. Europe Standard Time"] == "(UTC+01:00) W. Europe Standard Time: Europe/Berlin"
    assert "Asia/Tokyo" in zones
