"""A service that wants credentials, asked without sockets."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from unify.service.access.changes import Changes
from unify.service.app import Service
from unify.service.caller import EVERYWHERE, Role
from unify.service.settings import Issuer, Settings

ME = "/v1/instances"


class World:
    """A service that wants credentials, asked without sockets."""

    def __init__(self, root: Path, issuers: tuple[Issuer, ...] = ()) -> None:
        self.service = Service(Settings(root=root, auth="required", jobs=False, issuers=issuers))
        self.changes = Changes(self.service.guard)
        self.admin = self.changes.create_key("boss", roles={EVERYWHERE: Role.ADMIN})
        transport = httpx.ASGITransport(app=self.service, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://service")
        self.runner = asyncio.Runner()

    def ask(
        self, method: str = "GET", url: str = ME, *, key: str | None = None, bearer: str | None = None, **more: Any
    ) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["Ocp-Apim-Subscription-Key"] = key
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        return self.runner.run(self.client.request(method, url, headers=headers, **more))

    def token(self, **form: str) -> httpx.Response:
        return self.ask("POST", form.pop("url", "/oauth2/token"), data={"grant_type": "client_credentials", **form})

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.run(self.service.__aexit__()) if hasattr(
            self.service, "_life"
        ) else self.service.record.audit.close()
        self.runner.close()


@pytest.fixture
def world_of() -> Iterator[Callable[..., World]]:
    """`world_of(root, issuers)`: a service over a root, with one admin, `boss`; closed at the end."""
    made: list[World] = []

    def build(root: Path, issuers: tuple[Issuer, ...] = ()) -> World:
        made.append(World(root, issuers))
        return made[-1]

    yield build
    for world in made:
        world.close()
