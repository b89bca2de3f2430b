"""A day of work with the vendor's own client, unmodified: from no instance to a queried segment, and all put away again.

The service is `unify serve` itself with keys required and its runner of jobs. Every one of the client's 60 operations
is called; the last test of the day counts them.
"""

import csv
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from dynamics.customerinsights.api import CustomerInsights, models
from msrest.exceptions import HttpOperationError

SAMPLE = Path(__file__).parents[2] / "sample_data"
PLAN = yaml.safe_load((SAMPLE / "project.yaml").read_text(encoding="utf-8"))
OPERATIONS = {name for name, value in vars(CustomerInsights).items() if not name.startswith("_") and callable(value)}
DONE = ("successful", "failed", "aborted", "timedOut", "skipped", "deleted")
JOB_S = 120


class Counting:
    """The client, and which of its operations were called."""

    def __init__(self, url: str, key: str) -> None:
        self._client = CustomerInsights(base_url=f"{url}/v1")
        self._client.config.retry_policy.policy.total = 0
        self._headers = {"Ocp-Apim-Subscription-Key": key}
        self.called: set[str] = set()

    def __getattr__(self, operation: str) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            self.called.add(operation)
            return getattr(self._client, operation)(*args, custom_headers=self._headers, **options)

        return call

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory):
    """Base URL and admin key of a service over an empty folder."""
    root = tmp_path_factory.mktemp("day")
    unify = [sys.executable, "-m", "unify"]
    made = subprocess.run(
        [*unify, "access", "key", "create", str(root), "--role", "admin", "--principal", "ops"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    command = [*unify, "serve", str(root), "--port", "0", "--auth", "required"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().split()[0], made.stdout.split()[0]
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def day(service):
    client = Counting(*service)
    yield client
    client.close()


@pytest.fixture(scope="module")
def http(service):
    """For what the client lacks: uploads, the plan, webhooks."""
    url, key = service
    with httpx.Client(base_url=f"{url}/v1", headers={"Ocp-Apim-Subscription-Key": key}, timeout=60) as client:
        yield client


def finished(day: Counting, instance: str, job: Any) -> Any:
    """The job when it has ended."""
    until = time.monotonic() + JOB_S
    while time.monotonic() < until:
        job = day.get_a_workflow_job_information(instance, "main", job.job_id, include_tasks=True)
        if job.job_status in DONE:
            return job
        time.sleep(0.2)
    raise AssertionError(f"job {job.job_id} is {job.job_status} after {JOB_S} s")


def run(day: Counting, instance: str, operation: str) -> Any:
    job = day.submit_a_workflow_job(instance, "main", operation_type=operation)
    assert isinstance(job, models.GraphJobInfo), told(job)
    job = finished(day, instance, job)
    assert job.job_status == "successful", [t.ci_error for t in job.tasks]
    return job


def test_a_day_of_work(day: Counting, http: httpx.Client) -> None:
    acme = morning(day, http)
    unified(day, acme)
    asked(day, acme)
    segments(day, acme)
    measures(day, acme)
    relationships(day, acme)
    hierarchies(day, acme)
    rows(day, acme)
    schedules(day, acme)
    roles(day, acme)
    evening(day, acme)
    assert sorted(OPERATIONS - day.called) == []
    assert len(OPERATIONS) == 60


def morning(day: Counting, http: httpx.Client) -> str:
    """An instance, its sources with their files, and the plan; then everything runs."""
    assert day.get_all_instances() == []
    wanted = models.InstanceMetadata(name="Acme", instance_type="sandbox")
    made = day.create_an_instance(models.InstanceCreationRequest(instance_metadata=wanted))
    assert (made.name, made.instance_type, made.provisioning_state) == ("Acme", "sandbox", "active")
    [found] = day.get_all_instances()
    acme = found.instance_id
    renamed = models.InstanceMetadata(name="Acme Ltd", instance_type="sandbox")
    assert day.update_an_instance(acme, models.InstanceCreationRequest(instance_metadata=renamed)).name == "Acme Ltd"
    assert day.get_instance_metadata(acme).name == "Acme Ltd"

    for source, entities in PLAN["sources"].items():
        declared = []
        for name, entity in entities.items():
            settings = {k: v for k, v in entity.items() if k not in ("files", "key", "type", "timestamp", "labels")}
            info = {"entityName": name, "primaryKey": entity["key"], "settings": settings}
            if entity.get("type") == "activity":
                info |= {"entityType": "activity", "timestampFieldName": entity["timestamp"]}
            declared.append(info)
        answer = http.post(f"/instances/{acme}/manage/datasources", json={"name": source, "entities": declared})
        assert answer.status_code == 200, answer.text
        for name, entity in entities.items():
            file = SAMPLE / entity["files"]
            url = f"/instances/{acme}/manage/datasources/{source}/entities/{name}/files/{file.name}"
            uploaded = http.put(url, content=file.read_bytes())
            assert uploaded.status_code in (200, 201), uploaded.text
    assert {s.data_source_metadata.name for s in day.get_all_data_sources(acme)} == set(PLAN["sources"])
    crm = day.get_data_source(acme, "crm")
    assert (crm.data_source_metadata.entity_names, crm.data_source_metadata.refresh_state) == (
        ["Contacts"],
        "notUpdated",
    )

    answer = http.get(f"/instances/{acme}/project")
    project = answer.json()
    project |= {k: PLAN[k] for k in ("conflation", "resolution", "relationships", "activities", "measures", "segments")}
    project["lists"] = {name: in_place(said) for name, said in PLAN["lists"].items()}
    saved = http.put(f"/instances/{acme}/project", json=project, headers={"If-Match": answer.headers["ETag"]})
    assert saved.status_code == 200, saved.text
    job = run(day, acme, "all")
    assert {t.operation_type.casefold() for t in job.tasks} >= {"ingestion", "match", "merge"}
    return acme


def in_place(said: dict[str, Any]) -> dict[str, Any]:
    """A list with its records written where its file was named."""
    if "files" not in said:
        return said
    with (SAMPLE / said["files"]).open(encoding="utf-8", newline="") as file:
        return {"kind": said["kind"], "records": list(csv.reader(file))[1:]}


def unified(day: Counting, acme: str) -> None:
    """What the run left: entities, their sizes and profiles, jobs and their tasks."""
    model = day.get_all_entity_metadata(acme)
    names = {e.qualified_entity_name for e in model.entities}
    assert {"Customer", "UnifiedActivity", "crm_Contacts", "web_Orders"} <= names
    contacts = day.get_entity_metadata(acme, "crm_Contacts")
    assert {"EMail", "FullName"} <= {a.name for a in contacts.attributes}
    assert day.get_entity_size(acme, "Customer") is not None
    profile = day.get_an_entity_profile(acme, "crm_Contacts", include_attribute_data=True)
    assert profile.row_count > 400
    email = day.get_an_attribute_profile(acme, "crm_Contacts", "EMail")
    assert email.count + email.missing_count == profile.row_count
    recent = day.get_list_of_recent_workflow_jobs(acme, "main", include_tasks=True)
    assert recent[0].job_status == "successful"
    assert day.get_list_of_workflow_task_information_history(acme, "main", top=3)
    assert day.get_workflow_status(acme, "main")
    second = day.submit_a_workflow_job(acme, "main", operation_type="all", force_run_requested=True)
    cancelled = day.cancel_a_workflow_job(acme, "main", second.job_id)
    assert cancelled.job_id == second.job_id
    assert finished(day, acme, cancelled).job_status in ("aborted", "successful")
    assert day.get_profile_store_state(acme).primary_info.current_state == "queryable"


def told(answer: Any) -> Any:
    """What a refusal says, however the client decoded it."""
    return getattr(answer, "message", None) or getattr(answer, "messages", None) or answer


def customers(day: Counting, instance: str, path: str, **options: Any) -> Any:
    """A page; a refusal is told in its own words."""
    page = day.get_entities_with_odata_path(instance, path, **options)
    assert isinstance(page, models.ODataEntityPayload), f"{path} {options}: {page.message}"
    return page


def asked(day: Counting, acme: str) -> None:
    """Customers, by every documented form of question."""
    page = customers(day, acme, "Customer", top="3", select="CustomerId,FullName")
    assert len(page.value) == 3
    one = page.value[0]["CustomerId"]
    by_id = customers(day, acme, "Customer", filter=f"CustomerId eq '{one}'")
    assert [c["CustomerId"] for c in by_id.value] == [one]
    found = customers(day, acme, "Customer", search="anna", top="5")
    assert found.value
    ring = day.get_key_ring(acme, "crm", "Contacts", "C-1485")
    assert ring.customer_id
    counts = day.get_activity_types_and_counts(acme, ring.customer_id)
    assert counts.customer_id == ring.customer_id
    search = day.get_search_configuration(acme)
    assert day.update_search_configuration(acme, search).entity_config


def members(day: Counting, acme: str, segment: str) -> int:
    found = customers(day, acme, "Customer", filter=f"IsMemberOfSegment('{segment}')", select="CustomerId", top="10000")
    return len(found.value)


def segments(day: Counting, acme: str) -> None:
    """Made, switched off and on, changed, refreshed, asked, deleted."""
    assert members(day, acme, "big_spenders") == 35
    criteria = models.SegmentMembershipCriteria(
        kind="default", attribute="Customer.City", comparison_operator="equals", value="Eastwick"
    )
    rowset = models.SegmentationRowset(rowset_operation="none", criteria=criteria)
    query = models.SegmentationQuery(type="structured", rowsets=[rowset])
    wanted = models.SegmentMetadata(name="eastwick", friendly_name="Eastwick", segment_query_expression=query)
    made = day.create_a_segment(acme, wanted)
    assert isinstance(made, models.SegmentMetadata), told(made)
    assert made.name == "eastwick"
    assert day.deactivate_segment(acme, "eastwick") is True
    assert day.activate_segment(acme, "eastwick") is True
    run(day, acme, "segmentation")
    assert members(day, acme, "eastwick") > 10
    [made] = [s for s in day.get_all_segments(acme) if s.name == "eastwick"]  # an older version would be refused
    made.description = "who lives there"
    changed = day.update_a_segment(acme, "eastwick", made)
    assert isinstance(changed, models.SegmentMetadata), told(changed)
    assert changed.description == "who lives there"
    listed = {s.name: s for s in day.get_all_segments(acme, include_historic_stats=True)}
    assert {"big_spenders", "eastwick"} <= set(listed)
    assert day.delete_segment(acme, "eastwick") is not None
    assert "eastwick" not in {s.name for s in day.get_all_segments(acme)}


def measures(day: Counting, acme: str) -> None:
    """What each customer spent, made again under another name."""
    listed = {m.name: m for m in day.get_a_list_of_measures_metadata(acme)}
    assert {"TotalSpend", "Revenue"} <= set(listed)
    known = day.get_metadata_for_a_measure(acme, "TotalSpend", include_historic_stats=True)
    wanted = models.MeasureMetadata(name="Spent", display_name="Spent", definition=known.definition)
    made = day.create_a_measure(acme, wanted)
    assert isinstance(made, models.MeasureMetadata), told(made)
    made.description = "in all"
    changed = day.update_a_measure(acme, "Spent", made)
    assert isinstance(changed, models.MeasureMetadata), told(changed)
    assert changed.description == "in all"
    run(day, acme, "measures")
    found = customers(day, acme, "Customer_Measure", filter="TotalSpend gt 500", top="2")
    assert all(row["Spent"] == row["TotalSpend"] for row in found.value)
    assert day.delete_a_measure(acme, "Spent") is not None


def relationships(day: Counting, acme: str) -> None:
    assert day.get_all_system_created_relationships(acme)
    wanted = models.RelationshipMetadata(
        name="orders_again", friendly_name="orders again", relationship_type="singleKeyRelationshipOrigin",
        from_entity_name="web_Orders", from_attribute_name="UserId", to_entity_name="web_SignUps",
        to_attribute_name="UserId", cardinality="manyToOne",
    )  # fmt: skip
    made = day.create_a_relationship(acme, wanted)
    assert isinstance(made, models.RelationshipMetadata), told(made)
    made.description = "a second one"
    changed = day.update_a_relationship(acme, "orders_again", made)
    assert isinstance(changed, models.RelationshipMetadata), told(changed)
    assert changed.description == "a second one"
    assert day.get_a_relationship(acme, "orders_again").from_attribute_name == "UserId"
    assert "orders_again" in {r.name for r in day.get_all_relationships(acme)}
    assert day.delete_a_relationship(acme, "orders_again") is not None


def hierarchies(day: Counting, acme: str) -> None:
    dependency = models.HierarchyDependency(
        source_entity="crm_Contacts", account_id_attribute="ContactId", parent_account_id_attribute="FullName"
    )
    wanted = models.HierarchyMetadata(name="families", display_name="Families", dependency=dependency)
    made = day.create_a_hierarchy(acme, wanted)
    assert isinstance(made, models.HierarchyMetadata), told(made)
    made.display_name = "All families"
    changed = day.update_a_hierarchy(acme, "families", made)
    assert isinstance(changed, models.HierarchyMetadata), told(changed)
    assert changed.display_name == "All families"
    assert day.get_a_hierarchy(acme, "families").display_name == "All families"
    assert [h.name for h in day.get_all_hierarchies(acme)] == ["families"]
    assert day.delete_a_hierarchy(acme, "families") is not None


def rows(day: Counting, acme: str) -> None:
    """A contact by hand, changed by hand: a customer after the next run."""
    created = day.create_an_entity(
        acme, "crm_Contacts", '{"ContactId": "C-HAND-1", "FullName": "Wilhelmina Testperson", "City": "Eastwick"}'
    )
    assert created is not None
    day.update_an_entity(acme, "crm_Contacts", "C-HAND-1", '{"City": "Foxglove"}')
    run(day, acme, "all")
    found = customers(day, acme, "Customer(crm_Contacts_ContactId='C-HAND-1')")
    said = found.additional_properties | {k: v for row in found.value or [] for k, v in row.items()}
    assert said["City"] == "Foxglove"


def schedules(day: Counting, acme: str) -> None:
    zones = day.get_supported_timezones("main", acme)
    assert len(zones) > 50
    wanted = models.WorkflowRefreshSchedule(
        operation_type="all", job_type="full", is_active=True, timezone_id="Europe/Berlin", cron_schedules=["0 3 * * *"]
    )
    made = day.create_workflow_refresh_schedule(acme, "main", wanted)
    assert made.schedule_id
    more = [
        models.WorkflowRefreshSchedule(
            operation_type="segmentation", is_active=False, timezone_id="UTC", cron_schedules=[f"{m} 5 * * 1"]
        )
        for m in (0, 30)
    ]
    assert len(day.create_a_batch_of_workflow_refresh_schedules(acme, "main", more)) == 2
    assert len(day.get_workflow_schedules(acme, "main")) == 3


def roles(day: Counting, acme: str) -> None:
    definitions = day.get_all_role_definitions(acme)
    assert definitions
    mine = day.get_current_user_role(acme)
    assert mine.principal_id == "ops"
    wanted = models.RoleAssignment(principal_id="marie", principal_type="user", roles=["viewer"])
    assert "marie" in {a.principal_id for a in day.update_a_role_assignment(acme, "marie", wanted)}
    assert "marie" in {a.principal_id for a in day.get_all_role_assignments(acme)}
    day.deletes_a_role_assignment(acme, "marie")
    assert "marie" not in {a.principal_id for a in day.get_all_role_assignments(acme)}


def evening(day: Counting, acme: str) -> None:
    """A copy has the configuration and no data; then all goes."""
    wanted = models.InstanceMetadata(name="Copy", instance_type="sandbox")
    copy = day.copy_an_instance(models.InstanceCopyRequest(instance_id_to_copy=acme, instance_metadata=wanted))
    assert copy.name == "Copy"
    [other] = [i.instance_id for i in day.get_all_instances() if i.name == "Copy"]
    assert {s.data_source_metadata.name for s in day.get_all_data_sources(other)} == set(PLAN["sources"])
    assert day.reset_an_instance(other) is True
    assert day.get_all_data_sources(other) == []
    with pytest.raises(HttpOperationError, match="Conflict"):  # the plan speaks of it
        day.delete_a_data_source(acme, "crm")
    assert day.delete_an_instance(other) is True
    assert day.delete_an_instance(acme) is True
    assert day.get_all_instances() == []
