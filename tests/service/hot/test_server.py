"""`unify serve` as processes: workers that die, clients that dawdle, signals, memory that is shared."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import unify
from tests.service.hot.conftest import until
from unify.core.errors import StoreError
from unify.service.server import listen
from unify.service.settings import Settings

LINE = re.compile(r"http://127\.0\.0\.1:(\d+)  (\d+) instances? in ")


RAW: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while RAW:
        RAW.pop().close()


@dataclass
class Served:
    process: subprocess.Popen[str]
    port: int
    instances: int

    def get(self, path: str, timeout: float = 20) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read()

    @property
    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def raw(self) -> socket.socket:
        """A client of few words; closed when the test ends."""
        made = socket.create_connection(("127.0.0.1", self.port), 20)
        RAW.append(made)
        return made


@contextmanager
def served(root: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    command = [sys.executable, "-m", "unify", "serve", str(root), "--port", "0", "--no-jobs", *options]
    said = os.environ | (environment or {})
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=said) as process:
        try:
            assert process.stdout is not None
            match = LINE.match(process.stdout.readline())
            assert match is not None
            yield Served(process, int(match[1]), int(match[2]))
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@pytest.fixture(scope="module")
def root(contoso_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "root"
    shutil.copytree(contoso_made, folder / "contoso")
    return folder


COUNT = "/v1/instances/contoso/data/Customer/$count"


@pytest.fixture(scope="module")
def two(root: Path) -> Iterator[Served]:
    """Two workers that wait a second for a head."""
    limits = {"UNIFY_SERVE_LIMITS_HEADER_SECONDS": "1", "UNIFY_SERVE_LIMITS_CONNECTIONS": "40"}
    with served(root, "--workers", "2", environment=limits) as made:
        until(lambda: made.get(COUNT) == (200, b"723"))
        yield made


def test_the_printed_line_says_where_and_how_many(two: Served) -> None:
    assert two.instances == 1
    assert two.get("/healthz") == (200, b"ok\n")
    assert len(two.workers) == 2


def test_a_worker_that_is_killed_is_replaced_while_the_others_answer(two: Served) -> None:
    before = {worker.pid for worker in two.workers}
    stop, failures, answers = threading.Event(), [], []

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(two.get(COUNT))
            except OSError as error:  # an answer of the worker that was killed, cut off
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    victim = next(iter(before))
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(two.workers) == 2 and victim not in {worker.pid for worker in two.workers})
    time.sleep(0.5)
    stop.set()
    asking.join()
    assert len(failures) <= 1
    assert set(answers) == {(200, b"723")}


def test_slow_and_silent_clients_lose_their_connection(two: Served) -> None:
    silent, slow, body = two.raw(), two.raw(), two.raw()
    began = time.monotonic()
    slow.sendall(b"GET /healthz HTTP/1.1\r\n")
    body.sendall(
        b"POST /v1/instances HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    )
    stopping = threading.Event()

    def drip() -> None:
        while not stopping.wait(0.2):
            try:
                slow.sendall(b"x: y\r\n")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(100) == b""
        assert body.recv(1000).startswith((b"HTTP/1.1 4", b""))
        assert time.monotonic() - began < 8
    finally:
        stopping.set()
        dripping.join()
    assert two.get("/healthz")[0] == 200


def test_a_body_that_keeps_coming_may_take_longer(two: Served) -> None:
    client = two.raw()
    text = json.dumps({"customers": ["x"] * 20}).encode()
    head = "POST /v1/instances/contoso/memberships/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    client.sendall(f"{head}content-length: {len(text)}\r\n\r\n".encode())
    for begin in range(0, len(text), len(text) // 4):
        client.sendall(text[begin : begin + len(text) // 4])
        time.sleep(0.4)
    assert client.recv(4000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", (b"414",)),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 90_000 + b"\r\n\r\n", (b"431",)),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * 60_000, (b"431",)),
        (b"POST /v1/instances/contoso/memberships/check HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n", (b"413", b"408", b"")),
        (b"NONSENSE\r\n\r\n", (b"400",)),
        (b"GET / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", (b"400",)),
        (b"\x16\x03\x01\x02\x00\x01\x00", (b"400",)),
    ],
)  # fmt: skip
def test_oversized_and_broken_requests_are_refused(two: Served, request_: bytes, statuses: Sequence[bytes]) -> None:
    client = two.raw()
    try:
        client.sendall(request_)
        answer = client.recv(1000)
    except ConnectionError:  # closed before all of it was taken
        answer = b""
    assert answer == b"" or answer[9:12] in statuses
    assert two.get("/healthz")[0] == 200


def test_half_closed_and_vanished_clients_hold_nothing(two: Served) -> None:
    for _ in range(30):
        client = two.raw()
        client.sendall(b"GET /v1/instances/contoso/data/Customer HTTP/1.1\r\nhost: x\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        client.settimeout(10)
        with client:
            while client.recv(65536):
                pass
    clients = [two.raw() for _ in range(30)]
    for client in clients:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # a reset
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        client.close()
    until(lambda: sum(len(worker.net_connections("tcp")) for worker in two.workers) < 12)
    assert two.get(COUNT) == (200, b"723")


def test_pipelined_requests_are_answered_in_order(two: Served) -> None:
    client = two.raw()
    client.sendall(
        b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 3
        + b"GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    said = b""
    while part := client.recv(65536):
        said += part
    assert re.findall(rb"HTTP/1.1 (\d+)", said) == [b"200", b"200", b"200", b"404"]


def test_one_connection_too_many_is_503_and_an_answer_that_has_begun_ends_before_the_service_does(root: Path) -> None:
    with served(root, environment={"UNIFY_SERVE_LIMITS_CONNECTIONS": "3"}) as made:
        held = [made.raw() for _ in range(4)]
        time.sleep(0.3)
        assert [_status(client) for client in held] == [b"200", b"200", b"200", b"503"]
        held[0].close()
        until(lambda: _status(made.raw()) == b"200")
        client = held[1]
        text = json.dumps({"customers": ["x"]}).encode()
        head = "POST /v1/instances/contoso/memberships/check HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        client.sendall(f"{head}content-length: {len(text)}\r\n\r\n".encode() + text[:5])
        time.sleep(0.3)
        made.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        client.sendall(text[5:])
        assert client.recv(4000).startswith(b"HTTP/1.1 200")
        assert made.process.wait(20) == 0


def _status(client: socket.socket) -> bytes:
    client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    return client.recv(1000)[9:12]


def test_workers_end_when_their_supervisor_is_killed(root: Path) -> None:
    with served(root, "--workers", "2") as made:
        workers = made.workers
        made.process.kill()
        until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))
    assert unify.open(root / "contoso").odata("Customer/$count").value == 723


def test_a_taken_port_is_said(two: Served) -> None:
    with pytest.raises(StoreError, match="cannot listen there"):
        listen(Settings(root=Path(), port=two.port))


def test_elsewhere_than_on_loopback_nobody_gets_in_unasked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "unify", "serve", str(tmp_path), "--host", "0.0.0.0", "--auth", "open"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "loopback" in done.stderr


def test_without_the_extra_the_command_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unify.cli import serve
    from unify.core.errors import SpecError

    monkeypatch.setattr(serve, "NEEDS", ("uvicorn", "no_such_package"))
    with pytest.raises(SpecError, match="no_such_package missing") as refused:
        serve.serve(tmp_path)
    assert "pip install 'unify-customer-data[service]'" in refused.value.hint
