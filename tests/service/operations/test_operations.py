"""Health, metrics, logs."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from unify.service.app import Service
from unify.service.operations.log import SAID
from unify.service.settings import Settings

SECRET = "agnes.cantrell@example.org"


def readiness(ask, **settings):
    answer = ask("GET", "/readyz", **settings)
    return answer.status_code, answer.json()


def test_the_service_is_ready_with_what_is_published(ask):
    assert readiness(ask) == (200, {"ready": True, "instances": 1, "published": 1, "problems": {}})


def test_it_is_not_ready_while_a_published_file_is_missing(ask, root: Path):
    for file in (root / "contoso" / "generations").glob("*.duckdb"):
        file.unlink()
    status, said = readiness(ask)
    assert (status, said["problems"]) == (503, {"the file of a published generation is missing": 1})


def test_it_is_not_ready_while_what_it_serves_is_too_old(ask, root: Path):
    status, said = readiness(ask, settings=Settings(root=root, stale_seconds=0.001))
    assert (status, said["problems"]) == (503, {"a published generation is older than stale_seconds": 1})


def test_health_says_nothing_of_instances(ask):
    for path in ("/healthz", "/readyz", "/version"):
        assert "contoso" not in ask("GET", path).text


def test_what_is_read_is_not_written(ask):
    answer = ask("DELETE", "/healthz")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_metrics_count_answers_by_route_and_never_name_an_id(root: Path):
    async def body() -> str:
        async with Service(Settings(root=root)) as service:
            transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
                for _ in range(3):
                    await client.get("/healthz")
                await client.get("/v1/instances/contoso/no-such-thing-4711")
                return (await client.get("/metrics")).text

    text = asyncio.run(body())
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    health = [s for s in samples if s.name == "unify_requests_total" and s.labels["route"] == "/healthz"]
    assert [(s.labels["status"], s.value) for s in health] == [("200", 3.0)]
    [generation] = [s for s in samples if s.name == "unify_generation"]
    assert (generation.labels, generation.value) == ({"instance": "contoso"}, 1.0)
    assert "4711" not in text


def test_metrics_take_a_caller(ask, root: Path):
    assert ask("GET", "/metrics", settings=Settings(root=root, auth="required")).status_code == 401


def test_a_failure_is_a_line_with_places_and_without_values(root: Path, capfd, monkeypatch):
    def fails(*_: object) -> None:
        email = SECRET
        raise ValueError(f"cannot read {email}")

    monkeypatch.setattr("unify.service.operations.room.readiness", fails)

    async def body() -> None:
        async with Service(Settings(root=root)) as service:
            transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://s") as client:
                answer = await client.get(f"/readyz?who={SECRET}")
                assert (answer.status_code, answer.json()) == (500, {"message": "something went wrong in the service"})

    asyncio.run(body())
    written = capfd.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    assert [line["event"] for line in lines] == ["failed", "answered"]
    assert lines[0]["exception"][0] == "ValueError"
    assert any(re.search(r"test_operations\.py:\d+ fails", place) for place in lines[0]["exception"])
    assert lines[1]["status"] == 500
    assert SECRET not in written
    assert all(set(line) <= SAID for line in lines)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_good_answers_are_lines_at_debug_only(ask, root: Path, capfd, level):
    ask("GET", "/healthz", settings=Settings(root=root, log_level=level))
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["route"] for line in lines] == ([] if level == "info" else ["/healthz"])


def test_workers_of_a_server_add_up_and_a_replaced_one_takes_nothing_away(root: Path):
    command = [sys.executable, "-m", "unify", "serve", str(root), "--port", "0", "--workers", "2", "--no-jobs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            url = server.stdout.readline().split()[0]
            for _ in range(40):
                assert httpx.get(f"{url}/version").status_code == 200  # a connection each: either worker takes it
            workers = [child for child in psutil.Process(server.pid).children() if child.is_running()]
            workers[0].kill()
            counted = {asked_for(httpx.get(f"{url}/metrics").text, "/version") for _ in range(10)}
            assert counted == {40.0}
        finally:
            server.terminate()
            server.wait(30)


def asked_for(text: str, route: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "unify_requests_total" and sample.labels["route"] == route
    )


def test_workers_add_up(tmp_path: Path):
    script = """
import sys
from pathlib import Path
from unify.service.operations.metrics import Meter
meter = Meter()
for _ in range(int(sys.argv[1])):
    meter.observe("data", "/x", "GET", 200, 0.001)
if sys.argv[2:]:
    class Roof: ids = lambda self: []
    class Pool: taken = 0
    class Service: roof, pool = Roof(), Pool()
    print(meter.text(Service())[0].decode())
"""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script, "5"], env=environment, check=True)
    second = subprocess.run(
        [sys.executable, "-c", script, "7", "print"], env=environment, check=True, capture_output=True, text=True
    )
    counted = [
        s.value
        for f in text_string_to_metric_families(second.stdout)
        for s in f.samples
        if s.name == "unify_requests_total"
    ]
    assert counted == [12.0]
