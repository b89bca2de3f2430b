"""A service over a root with one instance, `contoso`, made once; in the process, or on a loopback port."""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

import unify
from unify.service.app import Service
from unify.service.settings import Settings

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"


@pytest.fixture(scope="session")
def contoso_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a published instance of the sample; copy it, do not write to it."""
    path = tmp_path_factory.mktemp("made") / "contoso"
    with unify.open(path, create=True) as acme:
        acme.run(SAMPLE)
    return path


@pytest.fixture
def root(tmp_path: Path, contoso_made: Path) -> Path:
    """A root with the instance `contoso`."""
    folder = tmp_path / "root"
    shutil.copytree(contoso_made, folder / "contoso")
    return folder


@asynccontextmanager
async def client_of(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service, raise_app_exceptions=False)
    async with service, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        yield client


@pytest.fixture
def ask(root: Path) -> Callable[..., httpx.Response]:
    """`ask("GET", "/v1/instances")`: one request to a service of its own over `root`."""

    def asked(method: str, url: str, *, settings: Settings | None = None, **options: object) -> httpx.Response:
        async def one() -> httpx.Response:
            async with client_of(Service(settings or Settings(root=root))) as client:
                return await client.request(method, url, **options)  # type: ignore[arg-type]

        return asyncio.run(one())

    return asked


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """A real server in a thread; its base URL. For clients that open sockets of their own."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(Service(settings), log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            thread.join(0.01)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def server(root: Path) -> Iterator[str]:
    """Base URL of a service over `root`."""
    with serving(Settings(root=root)) as url:
        yield url


@pytest.fixture(scope="session")
def served_at() -> Callable[[Settings], AbstractContextManager[str]]:
    """`with served_at(settings) as url`: a real server, for fixtures that live longer than one test."""
    return serving


@pytest.fixture(scope="session")
def npm_installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """`npm_installed(folder)`: a copy of the folder with what its package.json names; skips where that cannot be had."""

    def installed(source: Path) -> Path:
        if shutil.which("node") is None or shutil.which("npm") is None:
            pytest.skip("node is not installed")
        folder = tmp_path_factory.mktemp("node")
        for name in ("package.json", "clients.js"):
            shutil.copy(source / name, folder)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0"]
        try:
            done = subprocess.run(
                [*command, "--loglevel=error"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not end within a minute")
        if done.returncode:
            pytest.skip(f"npm could not install the clients: {done.stderr.strip()[:200]}")
        return folder

    return installed
