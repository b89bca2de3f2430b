"""A real server over one instance, `acme`, and a runner that starts real processes; asked as clients ask."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.packages.conftest import GROUPS, HEADER, make_package
from tests.service.conftest import serving
from unify.opened import Opened
from unify.packages import Packages
from unify.service.packages.queue import Waiting
from unify.service.packages.runner import PackageRunner
from unify.service.settings import Settings
from unify.store import Store

ACTION = "/data/DataManagementDefinitionGroups/Microsoft.Dynamics.DataEntities."


class Api:
    """Calls of the package API, by name."""

    def __init__(self, client: httpx.Client, base: str = "") -> None:
        self.client, self.base = client, base

    def call(self, name: str, body: Any = None, **said: Any) -> httpx.Response:
        content = body if isinstance(body, str) else json.dumps(body if body is not None else said)
        return self.client.post(f"{self.base}{ACTION}{name}", content=content)

    def value(self, name: str, body: Any = None, **said: Any) -> Any:
        response = self.call(name, body, **said)
        assert response.status_code == 200, response.text
        assert "/data/$metadata#" in response.json()["@odata.context"]
        return response.json()["value"]

    def upload(self, content: bytes, name: str = "in.zip", **headers: str) -> str:
        url = json.loads(self.value("GetAzureWriteUrl", uniqueFileName=name))["BlobUrl"]
        response = self.client.put(url, content=content, headers={"x-ms-blob-type": "BlockBlob", **headers})
        assert response.status_code == 201, response.text
        return str(url)

    def ended(self, execution: str, seconds: float = 60) -> str:
        """Poll as the sample of the document does, only faster."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status = self.value("GetExecutionSummaryStatus", executionId=execution)
            if status not in ("NotRun", "Executing"):
                return str(status)
            time.sleep(0.05)
        raise AssertionError(f"{execution} is still at work")

    def import_(self, content: bytes, project: str = "Groups", **more: Any) -> str:
        said = {"executionId": "", "execute": True, "overwrite": True, "legalEntityId": "USMF"}
        url = self.upload(content, f"{project}.zip")
        return str(self.value("ImportFromPackage", {**said, "packageUrl": url, "definitionGroupId": project, **more}))


class Inside(PackageRunner):
    """A runner that does the work itself: a process takes a second to come up, and there are tests of those."""

    def _start(self, one: Waiting) -> None:
        with Opened(Store.open(self._root / one.instance)) as opened:
            Packages(opened).run(one.execution)


@contextmanager
def running(settings: Settings, kind: type[PackageRunner] = Inside) -> Iterator[PackageRunner]:
    """A runner that looks ten times a second."""
    runner, stop = kind(settings), threading.Event()

    def go() -> None:
        while not stop.is_set():
            runner.tick()
            stop.wait(0.05)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield runner
    finally:
        stop.set()
        thread.join(20)
        runner.go_down()


def made(root: Path) -> Packages:
    """The packages of `acme`, which knows the customer groups."""
    packages = Packages(Opened(Store.create(root / "acme")))
    packages.define(GROUPS)
    return packages


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a service over one instance."""
    made(tmp_path / "root")
    return Settings(root=tmp_path / "root")


@pytest.fixture
def quiet(settings: Settings) -> Iterator[Api]:
    """A service whose runner is elsewhere: nothing that is submitted runs."""
    with serving(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield Api(client)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A service with a runner, for all tests of a file: instances are made by the tests that need their own."""
    root = tmp_path_factory.mktemp("live")
    made(root)
    settings = Settings(root=root, packages_at_once=4)
    with serving(settings) as url, httpx.Client(base_url=url, timeout=60) as client, running(settings):
        yield Api(client)


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., bytes]:
    """`package("1,One,,\\n")`: bytes of a package with customer groups."""

    def build(files: Any, **more: Any) -> bytes:
        given = {GROUPS.name: f"{HEADER}\r\n{files}"} if isinstance(files, str) else files
        return make_package(tmp_path / "made.zip", given, **more).read_bytes()

    return build
