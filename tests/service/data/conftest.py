"""One service for all tests that only read, on a loop of its own; what a test asks is answered in the process."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from unify.service.app import Service
from unify.service.settings import Settings

Ask = Callable[..., httpx.Response]


@contextmanager
def running(settings: Settings) -> Iterator[Ask]:
    """`ask(method, url, …)` to a service that stays open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    service = Service(settings)
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://service")
    wait(service.__aenter__())

    def ask(method: str, url: str, **options: Any) -> httpx.Response:
        found: httpx.Response = wait(client.request(method, url, **options))
        return found

    ask.service, ask.wait = service, wait  # type: ignore[attr-defined]
    try:
        yield ask
    finally:
        wait(client.aclose())
        wait(service.__aexit__())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path) -> Path:
    """A root with `contoso` that no test writes to."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(contoso_made, folder / "contoso")
    return folder


@pytest.fixture(scope="session")
def asking(shared_root: Path) -> Iterator[Ask]:
    """`asking("GET", "/odata/contoso/Customer")`: of one service for all tests of this folder."""
    with running(Settings(root=shared_root)) as ask:
        yield ask


@pytest.fixture(scope="session")
def get(asking: Ask) -> Ask:
    """`get("Customer?$top=1")`: of the clean root."""

    def got(path: str, **options: Any) -> httpx.Response:
        return asking("GET", f"/odata/contoso/{path}", **options)

    return got


@pytest.fixture(scope="session")
def run_service() -> Callable[..., Any]:
    """`with run_service(settings) as ask:`"""
    return running


@pytest.fixture(scope="session")
def shared_server(shared_root: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Base URL of a real server on loopback, for clients that open sockets of their own."""
    above = request.config.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    with above.serving(Settings(root=shared_root)) as url:  # type: ignore[union-attr]
        yield url
