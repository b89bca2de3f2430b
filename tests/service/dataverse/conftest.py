"""One service with one empty instance, `acme`: asked in the process, or over TLS on loopback as Microsoft's client asks."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from unify.service.access.certificates import make as make_certificates
from unify.service.app import Service
from unify.service.settings import Settings
from unify.store import Store

BASE = "http://127.0.0.1/api/data/v9.2/"
Ask = Callable[..., httpx.Response]


@contextlib.contextmanager
def asking(settings: Settings) -> Iterator[Ask]:
    """`ask(method, path, …)` of a service that stays open; a path is relative to the Web API."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    service = Service(settings)
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=BASE)
    wait(service.__aenter__())

    def ask(method: str, path: str, **options: Any) -> httpx.Response:
        found: httpx.Response = wait(client.request(method, path, **options))
        return found

    ask.service, ask.wait, ask.client = service, wait, client  # type: ignore[attr-defined]
    try:
        yield ask
    finally:
        wait(client.aclose())
        wait(service.__aexit__())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the instance `acme`, one for each file of tests."""
    root = tmp_path_factory.mktemp("dataverse")
    Store.create(root / "acme")
    return root


@pytest.fixture(scope="module")
def ask(acme: Path) -> Iterator[Ask]:
    with asking(Settings(root=acme, jobs=False)) as asked:
        yield asked


@pytest.fixture
def make(ask: Ask) -> Callable[..., str]:
    """`make("accounts", name="A")`: the id of a new row."""

    def made(entity_set: str, **values: Any) -> str:
        reply = ask("POST", entity_set, json=values)
        assert reply.status_code == 204, reply.text
        return reply.headers["odata-entityid"][-37:-1]

    return made


@pytest.fixture
def unique() -> str:
    """A text that no row has yet."""
    return f"n{uuid4().hex[:12]}"


def code(reply: httpx.Response) -> tuple[int, str]:
    """Status, and code of the error."""
    said = reply.json()["error"]
    assert set(said) >= {"code", "message"}
    assert said["message"]
    return reply.status_code, said["code"]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "tls"
    make_certificates(folder)
    return folder


@contextlib.contextmanager
def served(settings: Settings, certificates: Path | None = None) -> Iterator[str]:
    """A real server in a thread; its base URL."""
    tls = {} if certificates is None else {
        "ssl_certfile": certificates / "localhost.pem", "ssl_keyfile": certificates / "localhost.key",
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(Service(settings), log_level="error", lifespan="on", timeout_graceful_shutdown=1, **tls)  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            thread.join(0.01)
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="session")
def serve() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """`with serve(settings, certificates) as url:`"""
    return served


@pytest.fixture(scope="session")
def run_asking() -> Callable[..., contextlib.AbstractContextManager[Ask]]:
    """`with run_asking(settings) as ask:`"""
    return asking
