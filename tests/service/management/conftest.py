"""The vendor's own client against a real server, and a hand that says where the refusal points."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dynamics.customerinsights.api import CustomerInsights

from unify.service.settings import Settings

Refused = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path, served_at: Any) -> Iterator[tuple[str, Path]]:
    """Base URL and root of a server that the tests of a module share."""
    root = tmp_path_factory.mktemp("managed") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    with served_at(Settings(root=root, jobs=False, log_level="error")) as url:
        yield url, root


@pytest.fixture(scope="module")
def client(served: tuple[str, Path]) -> Iterator[CustomerInsights]:
    """`customerinsights` 1.0.8, pointed at the server and otherwise as it is; it tries nothing twice."""
    made = CustomerInsights(base_url=f"{served[0]}/v1")
    made.config.retry_policy.policy.total = 0
    yield made
    made.close()


@pytest.fixture(scope="module")
def http(served: tuple[str, Path]) -> Iterator[httpx.Client]:
    """For what the client lacks; paths begin behind `/v1/instances/`."""
    with httpx.Client(base_url=f"{served[0]}/v1/instances/", timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def shared_root(served: tuple[str, Path]) -> Path:
    return served[1]


@pytest.fixture
def refused(http: httpx.Client) -> Refused:
    """`refused("PATCH", path, body)`: the request is refused, and this is the vendor's error that says why."""

    def asked(method: str, path: str, body: Any = None, status: int = 400) -> dict[str, Any]:
        response = http.request(method, path, json=body)
        assert response.status_code == status, response.text
        error: dict[str, Any] = response.json()
        assert error["httpStatusCode"] == str(status)
        return error

    return asked
