"""The recurring half: files that are enqueued are imported, exports are fetched and acknowledged, or come again."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.packages.conftest import GROUPS, HEADER
from tests.service.packages.conftest import Api, Inside, running
from unify.opened import Opened
from unify.packages import Operation, Packages, Project, ProjectEntity
from unify.records import RecordStore
from unify.service.database import ServiceDatabase
from unify.service.packages.recurring import Recurring
from unify.service.settings import Settings
from unify.store import Store


def packages_of(settings: Settings) -> Packages:
    return Packages(Opened(Store.open(settings.root / "acme")))


def job(api: Api, project: str, **more: object) -> str:
    response = api.client.post("/data/DataManagementRecurringJobs", json={"DefinitionGroupId": project, **more})
    assert response.status_code == 201, response.text
    return str(response.json()["ActivityId"])


def test_packages_and_files_that_are_enqueued_are_imported(quiet: Api, settings: Settings, package) -> None:
    packages_of(settings).define_project(
        Project(
            "In", Operation.IMPORT, entities=(ProjectEntity(GROUPS.name, "Semicolon", {"ID": "Nr", "NAME": "Name"}),)
        )
    )
    activity = "{" + job(quiet, "In", LegalEntityId="USMF").upper() + "}"
    whole = quiet.client.post(f"/api/connector/enqueue/{activity}", content=package("1,One,,\n2,,,\n"))
    file = quiet.client.post(
        f"/api/connector/enqueue/{activity}?entity=customer groups&company=DEMF", content="Nr;Name\n3;Three\n",
        headers={"x-ms-dyn-externalidentifier": "mine-7"},
    )  # fmt: skip
    broken = quiet.client.post(
        f"/api/connector/enqueue/{activity}?entity=Customer groups", content=b"ID;Name\n4;Four\n"
    )
    assert [response.status_code for response in (whole, file, broken)] == [200, 200, 200], whole.text + file.text
    messages = [response.json() for response in (whole, file, broken)]
    assert [quiet.value("GetMessageStatus", f"{{'messageId':'{one}'}}") for one in messages] == ["Enqueued"] * 3
    with running(settings):
        executions = [quiet.value("GetExecutionIdByMessageId", {"_messageId": one}) for one in messages]
        assert [quiet.ended(one) for one in executions] == ["PartiallySucceeded", "Succeeded", "Failed"]
    statuses = [quiet.value("GetMessageStatus", messageId=one) for one in (messages[0], "mine-7", messages[2])]
    assert statuses == ["ProcessedWithErrors", "Processed", "PreProcessingError"]
    with RecordStore(settings.root / "acme").read() as reading:
        assert [row.values["ID"] for row in reading.rows(GROUPS.table)] == ["1", "3"]
    assert list((settings.root / "acme" / "packages" / "blobs").iterdir()) == []


def test_what_cannot_be_enqueued_is_said(quiet: Api, settings: Settings) -> None:
    packages_of(settings).define_project(Project("In", Operation.IMPORT, entities=(ProjectEntity(GROUPS.name),)))
    activity = job(quiet, "In")
    client = quiet.client
    assert "needs its entity" in client.post(f"/api/connector/enqueue/{activity}", content=b"a").text
    assert (
        "did you mean Customer groups"
        in client.post(f"/api/connector/enqueue/{activity}?entity=Customer group", content=b"a").text
    )
    assert "is empty" in client.post(f"/api/connector/enqueue/{activity}?entity=Customer groups").text
    assert client.post(f"/api/connector/enqueue/{activity}?entry=x", content=b"a").status_code == 400
    assert client.post("/api/connector/enqueue/nope", content=b"a").status_code == 404
    assert client.get(f"/api/connector/enqueue/{activity}").status_code == 405
    assert client.get(f"/api/connector/dequeue/{activity}").status_code == 400
    assert client.get("/api/connector/else/x").status_code == 404
    assert (
        client.post(
            "/data/DataManagementRecurringJobs", json={"DefinitionGroupId": "In", "RecurrenceMinutes": 5}
        ).status_code
        == 400
    )
    assert quiet.call("GetMessageStatus", messageId="nope").status_code == 404


@pytest.fixture
def exported(quiet: Api, settings: Settings, package) -> str:
    """A recurring export, change-tracked, that has run once: one message waits."""
    packages = packages_of(settings)
    packages.define_project(
        Project("Out", Operation.EXPORT, entities=(ProjectEntity(GROUPS.name, change_tracking=True),))
    )
    assert quiet.client.post("/data/DataManagementRecurringJobs", json={"DefinitionGroupId": "Out"}).status_code == 400
    activity = job(quiet, "Out", RecurrenceMinutes=15)
    assert quiet.client.get(f"/api/connector/dequeue/{activity}").status_code == 204
    path = settings.root.parent / "first.zip"
    path.write_bytes(package("1,One,,\n"))
    packages.import_package(path)
    run_exports(settings)
    return activity


def run_exports(settings: Settings, later: timedelta = timedelta()) -> None:
    """What the runner does, in this process: submit what is due, run it, make messages."""
    runner = Inside(settings, clock=lambda: datetime.now(UTC) + later)
    for _ in range(4):
        runner.tick()


def test_an_export_is_fetched_and_acknowledged(quiet: Api, settings: Settings, exported: str) -> None:
    client = quiet.client
    first = client.get(f"/en/api/connector/dequeue/{{{exported}}}").json()
    assert first["IsDownLoadFileExist"] is True
    assert first["LastDequeueDateTime"] == ""
    assert client.get(first["DownloadLocation"]).content[:2] == b"PK"
    assert quiet.value("GetMessageStatus", messageId=first["CorrelationId"]) == "Dequeued"
    assert client.get(f"/api/connector/dequeue/{exported}").status_code == 204
    assert client.post(f"/api/connector/ack/{exported}", json={**first, "PopReceipt": "other"}).status_code == 409
    assert client.post(f"/api/connector/ack/{exported}", json={**first, "CorrelationId": "other"}).status_code == 404
    assert client.post(f"/api/connector/ack/{exported}", json=first).status_code == 200
    assert client.post(f"/api/connector/ack/{exported}", json=first).status_code == 200
    assert quiet.value("GetMessageStatus", messageId=first["CorrelationId"]) == "Acked"


def test_what_is_not_acknowledged_comes_again_after_half_an_hour(quiet: Api, settings: Settings, exported: str) -> None:
    first = quiet.client.get(f"/api/connector/dequeue/{exported}").json()
    recurring = Recurring(ServiceDatabase(settings.root))
    activity = recurring.get("acme", exported)
    now = datetime.now(UTC)
    assert recurring.dequeue(activity, now + timedelta(minutes=29)) is None
    again = recurring.dequeue(activity, now + timedelta(minutes=31))
    assert again is not None
    assert again.id == first["CorrelationId"]
    assert again.dequeued
    assert quiet.client.post(f"/api/connector/ack/{exported}", json=first).status_code == 409
    body = {**first, "PopReceipt": again.receipt, "LastDequeueDateTime": again.dequeued}
    assert quiet.client.post(f"/api/connector/ack/{exported}", json=body).status_code == 200
    assert recurring.dequeue(activity, now + timedelta(days=1)) is None


def test_nothing_new_is_no_message_and_a_change_is_one(quiet: Api, settings: Settings, exported: str, package) -> None:
    assert quiet.client.get(f"/api/connector/dequeue/{exported}").status_code == 200
    run_exports(settings, timedelta(minutes=14))
    assert len(packages_of(settings).executions("Out")) == 1
    run_exports(settings, timedelta(minutes=16))
    assert len(packages_of(settings).executions("Out")) == 2
    assert quiet.client.get(f"/api/connector/dequeue/{exported}").status_code == 204
    path = settings.root.parent / "more.zip"
    path.write_bytes(package(f"9,Nine,,\n{HEADER[:0]}"))
    packages_of(settings).import_package(path)
    run_exports(settings, timedelta(minutes=40))
    assert quiet.client.get(f"/api/connector/dequeue/{exported}").status_code == 200
    assert quiet.client.delete(f"/data/DataManagementRecurringJobs('{exported}')").status_code == 204
    assert quiet.client.get(f"/api/connector/dequeue/{exported}").status_code == 404
