"""The document's flows over loopback, as its C# sample and other callers of the real service do them."""

import itertools
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ingest.packages import read_package
from tests.service.conftest import serving
from tests.service.packages.conftest import ACTION, Api, made, running
from unify.packages.database import PackageDatabase
from unify.records import RecordStore
from unify.service.packages.actions import ACTIONS
from unify.service.packages.runner import PackageRunner
from unify.service.settings import Settings

Build = Callable[..., bytes]


def test_import_as_the_sample_does_it_with_both_error_files(live: Api, package: Build) -> None:
    execution = live.import_(package("1,One,1.5,\n2,Two,x,\n3,,,\n"), "Sample")
    assert live.ended(execution) == "PartiallySucceeded"
    errors = json.loads(live.value("GetExecutionErrors", executionId=execution))
    assert [(one["RecordId"], one["Field"]) for one in errors] == [("2", "RATE"), ("3", "NAME")]
    of_entity = {"executionId": execution, "entityName": "Customer groups"}
    staging = live.client.get(live.value("GetImportStagingErrorFileUrl", of_entity))
    assert "2,Two,x" in staging.text
    assert live.value("GenerateImportTargetErrorKeysFile", of_entity) is True
    keys = live.client.get(live.value("GetImportTargetErrorKeysFileUrl", of_entity))
    assert keys.text.splitlines()[1].startswith("3,3,NAME")
    assert keys.headers["content-type"] == "text/csv"
    page = live.client.get(live.value("GetExecutionSummaryPageUrl", executionId=execution)).json()["value"]
    assert [(row["StagingStatus"], row["TargetRecordsCreatedCount"]) for row in page] == [("PartiallySucceeded", 1)]
    listed = live.value("GetEntityExecutionSummaryStatusList", executionId=execution)
    assert json.loads(listed[0]) == {"EntityName": "Customer groups", "EntityStatus": "PartiallySucceeded"}
    good = live.import_(package("1,One,1.5,\n"), "Sample")
    assert live.ended(good) == "Succeeded"
    assert live.value("GetExecutionErrors", executionId=good) == "[]"
    assert live.value("GetImportStagingErrorFileUrl", executionId=good, entityName="Customer groups") == ""
    assert live.value("GenerateImportTargetErrorKeysFile", executionId=good, entityName="Customer groups") is False
    assert live.value("GetImportTargetErrorKeysFileUrl", executionId=good, entityName="Customer groups") == ""


def test_export_as_the_sample_does_it(live: Api, package: Build, tmp_path: Path) -> None:
    assert live.ended(live.import_(package("10,Ten,,\n11,Eleven,,\n"), "For export")) == "Succeeded"
    _project(live, "Out", "CSV-Unicode")
    said = {
        "definitionGroupId": "Out",
        "packageName": "mine",
        "executionId": "",
        "reExecute": False,
        "legalEntityId": "",
    }
    execution = live.value("ExportToPackage", said)
    assert live.ended(execution) == "Succeeded"
    response = live.client.get(live.value("GetExportedPackageUrl", executionId=execution))
    assert response.headers["content-type"] == "application/zip"
    (tmp_path / "out.zip").write_bytes(response.content)
    with read_package(tmp_path / "out.zip") as found:
        assert found.count(found.entity("Customer groups"))[0] >= 2
    preview = live.value("ExportToPackagePreviewAsync", {**said, "exportPreviewCount": 1})
    assert live.ended(preview) == "Succeeded"
    rows = _rows(live, f"DataManagementExecutionJobDetails?$filter=JobId eq '{preview}'&$select=ExportedRecordsCount")
    assert rows == [{"ExportedRecordsCount": 1}]
    again = live.value("ExportFromPackage", packageUrl=live.upload(response.content), definitionGroupId="From template")
    assert live.ended(again) == "Succeeded"


def _project(api: Api, name: str, form: str = "CSV", **more: str) -> None:
    """A data project for export, as clients of the real service make one."""
    made = api.client.post("/data/DataManagementDefinitionGroups", json={"Name": name, "OperationType": "Export"})
    assert made.status_code == 201, made.text
    entity = {"DefinitionGroupId": name, "EntityName": "Customer groups", "SourceFormat": form, **more}
    assert api.client.post("/data/DataManagementDefinitionGroupDetails", json=entity).status_code == 201


def _rows(api: Api, path: str) -> list[dict[str, object]]:
    response = api.client.get(f"/data/{path}")
    assert response.status_code == 200, response.text
    return list(response.json()["value"])


def test_execute_false_stops_at_staging_and_the_same_id_goes_on(live: Api, package: Build) -> None:
    execution = live.import_(package("20,Twenty,,\n"), "Staged", execute=False, executionId="My own id")
    assert execution == "My own id"
    assert live.ended(execution) == "Succeeded"
    (row,) = _rows(live, "DataManagementExecutionJobDetails?$filter=JobId eq 'My own id'")
    assert (row["TargetStatus"], row["NotRunCount"]) == ("NotRun", 1)
    assert live.value("ImportFromPackage", executionId=execution, definitionGroupId="Staged") == execution
    assert live.ended(execution) == "Succeeded"
    (row,) = _rows(live, "DataManagementExecutionJobDetails?$filter=JobId eq 'My own id'")
    assert (row["TargetStatus"], row["TargetRecordsCreatedCount"]) == ("Succeeded", 1)


def test_what_callers_really_send_is_taken(live: Api, package: Build) -> None:
    url = live.upload(package("30,Thirty,,\n"), "lenient.zip")
    said = {
        "PackageUrl": url, "definitiongroupid": "Lenient", "executionId": "", "execute": "true", "overWrite": True,
        "legalEntityId": "DAT", "failOnError": True, "runAsyncWithoutBatch": True, "thresholdToRunInBatch": 1,
    }  # fmt: skip
    execution = live.value("ImportFromPackageAsync", said)
    assert live.ended(execution) == "Succeeded"
    response = live.call("getExecutionSummaryStatus", f"{{'executionId':'{execution}'}}")
    assert response.json()["value"] == "Succeeded"
    assert live.call("InitializeDataManagement").status_code == 204
    assert (
        live.client.post(f"/instances/acme{ACTION}GetExecutionErrors", json={"executionId": execution}).status_code
        == 200
    )
    assert live.value("DeleteExecutionHistoryJob", executionId=execution) is True
    assert live.call("GetExecutionSummaryStatus", executionId=execution).status_code == 400


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("GetExecutionSummaryStatus", {"executionId": "zz"}, "were not found"),
        ("GetExecutionSummaryStatus", {"executionIdd": "zz"}, "did you mean executionId"),
        ("GetExecutionSummaryStatus", {}, "executionId is missing"),
        ("GetExecutionSummaryStatus", {"executionId": 5}, "executionId is a text"),
        ("GetExecutionSummaryStatus", "[1]", "is a JSON object"),
        ("GetExecutionSummaryStatus", "{'a", "no JSON"),
        ("ExportToPackage", {"definitionGroupId": "Nope"}, "there is no data project"),
        ("GetAzureWriteUrl", {"uniqueFileName": "../x"}, "no name of a file"),
        ("GetAzureWriteUrl", {"uniqueFileName": ""}, "no name of a file"),
        ("ImportFromPackage", {"executionId": "x" * 300, "packageUrl": "x"}, "not on this service"),
    ],
)
def test_what_is_wrong_is_said(live: Api, name: str, body: object, words: str) -> None:
    response = live.call(name, body)
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


def test_unknown_actions_and_methods(live: Api) -> None:
    assert "did you mean GetAzureWriteUrl" in live.call("GetAzureWritableUrl").json()["error"]["message"]
    assert live.client.get(f"{ACTION}GetAzureWriteUrl").status_code == 405
    assert set(ACTIONS) >= {"ExportToPackagePreview", "GetMessageStatus", "DeleteExecutionHistoryJob"}


def test_url_that_nobody_here_signed_imports_nothing(live: Api, package: Build) -> None:
    good = live.upload(package("40,Forty,,\n"), "hostile.zip")
    never = json.loads(live.value("GetAzureWriteUrl", uniqueFileName="never uploaded.zip"))["BlobUrl"]
    for url, words in {
        "file:///etc/passwd": "not on this service",
        "http://169.254.169.254/latest/meta-data": "not on this service",
        "https://account.blob.core.windows.net/dmf/x.zip?sig=a": "not on this service",
        good.replace("127.0.0.1", "localhost"): "not on this service",
        good.replace("http://", "http://somebody@"): "not on this service",
        good.replace("/acme/", "/other/"): "signature",
        good.replace("hostile.zip", "other.zip"): "signature",
        good.replace("se=20", "se=21"): "signature",
        good.replace("sp=w", "sp=r"): "signature",
        good.split("sig=")[0] + "sig=" + "A" * 44: "signature",
        good.split("?")[0]: "signature",
        good.replace("/dmf/", "/dmf/../dmf/"): "leads to no file",
        never: "nothing was uploaded",
        "": "not on this service",
        "x" * 5000: "not on this service",
        "http://[": "no URL",
    }.items():
        response = live.call("ImportFromPackage", packageUrl=url, definitionGroupId="Hostile")
        assert response.status_code == 400, url
        assert words in response.json()["error"]["message"], (url, response.text)
    assert _rows(live, "DataManagementExecutionJobs?$filter=DefinitionGroupId eq 'Hostile'") == []


def test_parallel_imports_of_one_project_run_one_after_the_other(live: Api, package: Build) -> None:
    executions: list[str] = []
    packages = [package(f"5{n},Fifty,,\n") for n in range(3)]
    threads = [
        threading.Thread(target=lambda content=content: executions.append(live.import_(content, "Parallel")))
        for content in packages
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(executions)) == 3
    assert [live.ended(execution) for execution in executions] == ["Succeeded"] * 3
    jobs = _rows(live, "DataManagementExecutionJobs?$filter=DefinitionGroupId eq 'Parallel'")
    times = sorted((str(job["StartDateTime"]), str(job["EndDateTime"])) for job in jobs)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_a_process_that_is_killed_is_followed_by_another(tmp_path: Path, package: Build) -> None:
    """The file is long enough to be in the middle of when the process is killed."""
    made(tmp_path / "root")
    settings = Settings(root=tmp_path / "root")
    rows = "".join(f"{n},Name,1.25,2026-01-01\r\n" for n in range(60_000))
    with (
        serving(settings) as url,
        httpx.Client(base_url=url, timeout=60) as client,
        running(settings, PackageRunner) as runner,
    ):
        api = Api(client)
        execution = api.import_(package(rows))
        database = PackageDatabase(tmp_path / "root" / "acme")
        until = time.monotonic() + 30
        while not database.rows("SELECT 1 FROM steps WHERE staged > 0") and time.monotonic() < until:
            time.sleep(0.01)
        (child,) = runner._children.values()
        os.kill(child.pid, signal.SIGKILL)
        assert api.value("GetExecutionSummaryStatus", executionId=execution) == "Executing"
        assert api.ended(execution) == "Succeeded"
        (job,) = client.get("/data/DataManagementExecutionJobDetails").json()["value"]
        assert (job["TargetRecordsCreatedCount"], job["SourceRecordsCount"]) == (60_000, 60_000)
    with RecordStore(tmp_path / "root" / "acme").read() as reading:
        assert reading.count("customergroups") == 60_000


def test_the_object_form_is_what_the_document_shows(settings: Settings, package: Build) -> None:
    objects = settings.model_copy(update={"package_values": "object"})
    with serving(objects) as url, httpx.Client(base_url=url, timeout=60) as client:
        api = Api(client)
        blob = api.value("GetAzureWriteUrl", uniqueFileName="a.zip")
        assert set(blob) == {"BlobId", "BlobUrl"}
        client.put(blob["BlobUrl"], content=package("1,One,,\n")).raise_for_status()
        said = api.value("ImportFromPackage", packageUrl=blob["BlobUrl"], definitionGroupId="P")
        assert api.value("GetExecutionSummaryStatus", executionId=said["value"]) == {"value": "NotRun"}


def test_sets_are_read_with_filters_and_written(live: Api) -> None:
    client = live.client
    _project(live, "Set's", DefaultRefreshType="IncrementalPush")
    assert client.get("/data/DataManagementDefinitionGroups('set''s')").json()["OperationType"] == "Export"
    filtered = (
        "DataManagementDefinitionGroupDetails?$filter=DefinitionGroupId eq 'Set''s' and EntityName eq 'Customer groups'"
    )
    (row,) = _rows(live, filtered)
    assert row["DefaultRefreshType"] == "IncrementalPush"
    again = client.post("/data/DataManagementDefinitionGroups", json={"Name": "SET'S", "OperationType": "Export"})
    assert again.status_code == 409
    for path, status in {
        "DataManagementDefinitionGroups?$orderby=Name": 400,
        "DataManagementDefinitionGroups?$filter=Name gt 'a'": 400,
        "DataManagementDefinitionGroups?$filter=Namen eq 'a'": 400,
        "DataManagementDefinitionGroups?$top=-1": 400,
        "DataManagementDefinitionGroups('none')": 404,
        "DataManagementNothing": 404,
    }.items():
        assert client.get(f"/data/{path}").status_code == status, path
    counted = client.get("/data/DataManagementDefinitionGroups?$count=true&$top=1&$select=Name").json()
    assert counted["@odata.count"] >= 1
    assert list(counted["value"][0]) == ["Name"]
    key = "DefinitionGroupId='Set''s',EntityName='Customer groups'"
    assert client.delete(f"/data/DataManagementDefinitionGroupDetails({key})").status_code == 204
    assert client.delete("/data/DataManagementDefinitionGroups('Set''s')").status_code == 204
    assert client.delete("/data/DataManagementExecutionJobs('x')").status_code == 405


def test_entities_are_defined_over_http(live: Api, package: Build) -> None:
    definition = {
        "EntityName": "Payment terms",
        "Columns": [{"Name": "CODE", "Length": 3}, {"Name": "DAYS", "Type": "integer", "Required": True}],
        "Key": ["CODE"],
    }
    assert live.client.post("/data/DataManagementEntities", json=definition).status_code == 201
    wrong = {**definition, "Columns": [{"Name": "CODE", "Type": "txt"}]}
    assert "did you mean text" in live.client.post("/data/DataManagementEntities", json=wrong).text
    execution = live.import_(package({"Payment terms": "CODE,DAYS\nN30,30\n"}), "Terms")
    assert live.ended(execution) == "Succeeded"
    assert live.client.get("/data/DataManagementEntities('Payment terms')").json()["Table"] == "payment_terms"
