"""Operations 1–7 with the vendor's client; and that instances come and go whole, whenever a process is killed."""

import json
import os
import shutil
import signal
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from dynamics.customerinsights.api import CustomerInsights, models
from msrest.exceptions import HttpOperationError

import unify
from unify.service.app import Service
from unify.service.errors import ServiceError
from unify.service.management import housekeeping
from unify.service.management.housekeeping import Housekeeping
from unify.service.settings import Settings
from unify.store import Store

AT = "2026-01-01T00:00:00+00:00"


def creation(**said: Any) -> models.InstanceCreationRequest:
    return models.InstanceCreationRequest(instance_metadata=models.InstanceMetadata(**said))


def test_instances_live_as_the_client_says(client: CustomerInsights, shared_root: Path) -> None:
    made = client.create_an_instance(creation(name="Acme", instance_type="trial", region="here", is_b2_b=True))
    assert isinstance(made, models.InstanceMetadata)
    uuid.UUID(made.instance_id)
    assert (made.name, made.instance_type, made.region, made.is_b2_b, made.is_b2_c) == (
        "Acme",
        "trial",
        "here",
        True,
        True,
    )
    assert (made.provisioning_state, made.version, made.created_by) == ("active", 1, "loopback")
    assert made.configured_workspaces == ["B2B", "B2C"]
    assert (shared_root / made.instance_id / "catalog.sqlite").is_file()

    listed = {i.instance_id: i for i in client.get_all_instances()}
    assert listed[made.instance_id].name == "Acme"
    assert listed["contoso"].name == "contoso"
    assert client.get_instance_metadata(made.instance_id).as_dict() == made.as_dict()

    changed = client.update_an_instance(made.instance_id, creation(name="Acme 2"))
    assert (changed.name, changed.region, changed.version) == ("Acme 2", "here", 2)
    assert changed.created_utc == made.created_utc < changed.updated_utc
    again = client.update_an_instance(made.instance_id, models.InstanceCreationRequest(instance_metadata=changed))
    assert again.name == "Acme 2"  # what was read can be sent back

    assert client.reset_an_instance(made.instance_id) is True
    assert client.get_instance_metadata(made.instance_id).name == "Acme 2"
    assert client.delete_an_instance(made.instance_id) is True
    gone = client.get_instance_metadata(made.instance_id)
    assert isinstance(gone, models.ApiErrorResult)
    assert (gone.http_status_code, gone.params["where"]) == ("404", "instanceId")
    assert isinstance(client.delete_an_instance(made.instance_id), models.ApiErrorResult)
    assert not (shared_root / made.instance_id).exists()


def test_without_a_key_the_client_is_told_nothing(served_at: Any, tmp_path: Path) -> None:
    """A trap: it takes a 401 for None, without a word."""
    with served_at(Settings(root=tmp_path, auth="required", jobs=False, log_level="error")) as url:
        client = CustomerInsights(base_url=f"{url}/v1")
        assert client.get_all_instances() is None
        assert client.create_an_instance(creation(name="x")) is None
        client.close()


def test_one_that_the_command_line_made_is_told_and_takes_metadata(client: CustomerInsights, shared_root: Path) -> None:
    Store.create(shared_root / "by_hand")
    found = client.get_instance_metadata("by_hand")
    assert (found.name, found.version, found.created_by, found.is_b2_c) == ("by_hand", 0, None, True)
    assert client.update_an_instance("by_hand", creation(name="By hand")).version == 1
    assert client.get_instance_metadata("by_hand").name == "By hand"


def test_an_id_may_be_given_once(client: CustomerInsights) -> None:
    assert client.create_an_instance(creation(name="x", instance_id="given")).instance_id == "given"
    clash = client.create_an_instance(creation(name="x", instance_id="given"))
    assert (clash.http_status_code, clash.error_code) == ("409", "conflict")
    for bad in ("../x", ".hidden", "a/b", "", ".service"):
        refused = client.create_an_instance(creation(name="x", instance_id=bad))
        assert refused.http_status_code == "400", bad
    nameless = client.create_an_instance(creation(instance_id="other"))
    assert (nameless.http_status_code, nameless.params["where"]) == ("400", "instanceMetadata.name")
    moved = client.update_an_instance("given", creation(name="x", instance_id="other"))
    assert moved.params["where"] == "instanceMetadata.instanceId"


@pytest.mark.parametrize(
    "said", [{"isDataverseUpdateRequested": True}, {"bapProvisioningType": "create"}, {"cdsResourceMetadata": {}}]
)
def test_what_only_a_cloud_has_is_refused_not_ignored(http: httpx.Client, said: dict) -> None:
    response = http.post("V2", json={"instanceMetadata": {"name": "x"}, **said})
    assert response.status_code == 400
    accepted = {key: False if value is True else None for key, value in said.items()}
    assert http.post("V2", json={"instanceMetadata": {"name": "x"}, **accepted}).status_code == 200


def test_a_copy_has_the_configuration_and_no_data(
    client: CustomerInsights, http: httpx.Client, shared_root: Path
) -> None:
    with unify.open(shared_root / "contoso") as contoso:
        contoso.segments().create("made_here", "TotalSpend gt 900")
        contoso.segments().create("gone_here", "TotalSpend gt 901")
        contoso.segments().delete("gone_here")
    request = models.InstanceCopyRequest(
        instance_id_to_copy="contoso", instance_metadata=models.InstanceMetadata(name="Copy")
    )
    made = client.copy_an_instance(request)
    assert (
        http.get(f"{made.instance_id}/project").json()["conflation"] == http.get("contoso/project").json()["conflation"]
    )
    store = Store.open(shared_root / made.instance_id)
    assert store.published() is None
    assert [d.name for d in store.definitions("segment")] == ["made_here"]
    unknown = client.copy_an_instance(
        models.InstanceCopyRequest(instance_id_to_copy="nowhere", instance_metadata=models.InstanceMetadata(name="x"))
    )
    assert (unknown.http_status_code, unknown.params["where"]) == ("400", "instanceIdToCopy")


def test_a_writer_at_work_keeps_an_instance_from_going(
    client: CustomerInsights, http: httpx.Client, shared_root: Path
) -> None:
    store = Store.create(shared_root / "busy")
    with store.lease("run"):
        for path in ("busy", "busy/manage/reset"):
            response = http.delete(path)
            assert response.status_code == 409
            assert "being written to" in response.json()["message"]
        with pytest.raises(HttpOperationError):  # the client's list has no 409 here
            client.delete_an_instance("busy")
    assert client.delete_an_instance("busy") is True


def test_many_at_once_make_change_and_delete(http: httpx.Client) -> None:
    """One of several wins; the others are told so, and nobody gets a 5xx."""
    link = {
        "fromEntityName": "web_SignUps",
        "fromAttributeName": "EMail",
        "toEntityName": "crm_Contacts",
        "toAttributeName": "EMail",
    }
    with ThreadPoolExecutor(6) as many:
        made = [
            *many.map(
                lambda _: http.post("V2", json={"instanceMetadata": {"name": "x", "instanceId": "once"}}), range(6)
            )
        ]
        assert sorted(r.status_code for r in made) == [200, *[409] * 5]
        linked = [
            *many.map(lambda i: http.post("contoso/manage/relationships", json={"name": f"r{i}", **link}), range(8))
        ]
        assert {r.status_code for r in linked} == {200}
        gone = [*many.map(lambda _: http.delete("once"), range(4))]
        assert sorted(r.status_code for r in gone) == [200, 404, 404, 404]
    assert {f"r{i}" for i in range(8)} <= {r["name"] for r in http.get("contoso/manage/relationships").json()}


def test_reset_empties_and_numbers_go_on(tmp_path: Path, contoso_made: Path) -> None:
    """A generation number that somebody remembers, in a cache or an ETag, is never given to other data."""
    shutil.copytree(contoso_made, tmp_path / "contoso")
    service = Service(Settings(root=tmp_path))
    hosted = service.roof.get("contoso")
    before = hosted.store.runs(1)[0].number
    Housekeeping(service).reset(hosted)
    store = service.roof.get("contoso").store
    assert (store.published(), store.runs(), store.definitions("project")) == (None, [], [])
    with store.lease("run") as lease, store.begin(lease) as build:
        assert build.number == before + 1
        build.fail({"error": "x", "message": "x"})
    Housekeeping(service).delete(service.roof.get("contoso"))
    again = Housekeeping(service).create("contoso", {"name": "x"}, "me", AT)
    with again.store.lease("run") as lease, again.store.begin(lease) as build:
        assert build.number == before + 2
        build.fail({"error": "x", "message": "x"})


def test_what_rooms_keep_about_an_instance_goes_with_it(tmp_path: Path) -> None:
    service = Service(Settings(root=tmp_path))
    keeper = Housekeeping(service)
    keeper.create("a", {"name": "a"}, "me", AT)
    tables = service.database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    kept = [
        row["name"]
        for row in tables
        if {"instance", "instance_id"}
        & {c["name"] for c in service.database.rows(f"SELECT name FROM pragma_table_info('{row['name']}')")}
    ]
    assert "authors" in kept  # the rooms say `instance`: what they keep is found by that
    with service.database.write() as rows:
        rows.execute(
            "INSERT INTO authors (instance, kind, name, version, created_by, created, updated_by, updated)"
            " VALUES ('a', 'segment', 's', 1, 'me', $at, 'me', $at), ('b', 'segment', 's', 1, 'me', $at, 'me', $at)",
            {"at": AT},
        )
    keeper.reset(service.roof.get("a"))
    assert [r["instance"] for r in service.database.rows("SELECT instance FROM authors")] == ["b"]
    assert len(service.database.rows("SELECT * FROM instances WHERE id = 'a'")) == 1
    keeper.delete(service.roof.get("a"))
    assert [r["instance"] for r in service.database.rows("SELECT instance FROM authors")] == ["b"]
    assert service.database.rows("SELECT * FROM instances WHERE id = 'a'") == []


def killed_at(root: Path, verb: str, instant: int) -> bool:
    """Do it in a child process that is killed before its step `instant`; True: it ended before."""
    child = os.fork()
    if child == 0:
        steps = iter(range(1000))

        def counted(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                if next(steps) == instant:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **options)

            return call

        try:
            service = Service(Settings(root=root))
            Path.rename = counted(Path.rename)  # type: ignore[method-assign]
            for name in ("fsync", "_remove", "_forget"):
                setattr(housekeeping, name, counted(getattr(housekeeping, name)))
            service.database.write = counted(service.database.write)  # type: ignore[method-assign]
            getattr(Housekeeping(service), verb)(service.roof.get("acme"))
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFEXITED(status)


@pytest.mark.parametrize("verb", ["delete", "reset"])
def test_killed_at_any_instant_an_instance_is_whole_or_gone(tmp_path: Path, verb: str) -> None:
    """Each file-system and database step is once the last one; then another process starts."""
    ended = False
    for instant in range(20):
        root = tmp_path / f"{verb}{instant}"
        keeper = Housekeeping(Service(Settings(root=root)))
        made = keeper.create("acme", {"name": "Acme"}, "me", AT)
        made.store.save_definition("mark", "was_there", {"yes": True})
        ended = killed_at(root, verb, instant)
        service = Service(Settings(root=root))  # recovers
        assert [p.name for p in root.iterdir() if p.name.startswith((".trash", ".new"))] == []
        assert service.database.rows("SELECT * FROM resets") == []
        if "acme" in service.roof.ids():
            marks = service.roof.get("acme").store.definitions("mark")
            assert marks == [] if ended else True
            assert json.loads(service.database.rows("SELECT said FROM instances WHERE id = 'acme'")[0]["said"])
        else:
            assert verb == "delete"
            with pytest.raises(ServiceError, match="no instance"):
                service.roof.get("acme")
            Housekeeping(service).create("acme", {"name": "New"}, "me", AT)  # the name is free, and nothing is left
            assert service.roof.get("acme").store.definitions("mark") == []
        if ended:
            break
    assert ended, "there are more steps than instants"
    assert instant > 4
