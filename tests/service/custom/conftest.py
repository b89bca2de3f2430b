"""A service over an instance, with custom APIs of a package that its settings name; asked without sockets."""

import asyncio
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import httpx
import pytest

from unify.custom import loading
from unify.service.access.changes import Changes
from unify.service.app import Service
from unify.service.caller import Role
from unify.service.settings import Settings

APIS = '''
"""Custom APIs of a package that is called acme."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Annotated
from uuid import UUID

from unify.custom import (
    Context, Entity, EntityCollection, EntityReference, Money, Named, OperationRefused, custom_api, event, step,
)


class Priority(IntEnum):
    HIGH = 1


@dataclass
class Echo:
    flag: bool | None
    at: datetime | None
    weight: Decimal | None
    row: Entity | None
    rows: EntityCollection | None
    reference: EntityReference | None
    share: float | None
    count: int | None
    price: Money | None
    priority: Priority | None
    text: str | None
    texts: list[str] | None
    key: UUID | None


@custom_api("acme_Echo")
def echo(flag: bool | None, at: datetime | None, weight: Decimal | None, row: Entity | None,
         rows: EntityCollection | None, reference: EntityReference | None, share: float | None, count: int | None,
         price: Money | None, priority: Priority | None, text: str | None, texts: list[str] | None,
         key: UUID | None) -> Echo:
    """Gives back what it is given."""
    return Echo(**locals())


@custom_api("acme_EchoF", function=True)
def echo_by_get(flag: bool | None, at: datetime | None, weight: Decimal | None, reference: EntityReference | None,
                share: float | None, count: int | None, price: Money | None, priority: Priority | None,
                text: str | None, texts: list[str] | None, key: UUID | None) -> Echo:
    """The same with GET."""
    return Echo(row=None, rows=None, **locals())


@dataclass
class Owner:
    assigned_to: Annotated[EntityReference, Named("AssignedTo", entity="systemuser")]


@custom_api("acme_EscalateCase", bound_to="incident", steps="all")
def escalate(context: Context, target: EntityReference, priority: Priority) -> Owner:
    """As in the document."""
    context.writes.update("incident", target.id, {"prioritycode": int(priority)})
    return Owner(EntityReference("systemuser", context.user_id))


@custom_api("acme_Best", bound_to="account", binding="collection", function=True, response={"Name": str})
def best(context: Context) -> dict:
    """The account of the first name."""
    names = sorted(str(row.values["name"]) for row in context.records.rows("account"))
    return {"Name": names[0] if names else None}


@custom_api("acme_First", function=True, response={"Row": Annotated[Entity, Named(entity="account")]})
def first(context: Context) -> dict:
    """One row."""
    row = next(context.records.rows("account"))
    return {"Row": Entity("account", {"name": row.values["name"]}, row.values["accountid"])}


@custom_api("acme_Every", function=True, response={"Rows": EntityCollection})
def every(context: Context, table: str = "account") -> dict:
    """Many rows."""
    rows = context.records.rows(table)
    return {"Rows": EntityCollection(tuple(Entity(table, {"name": r.values["name"]}, r.values["accountid"]) for r in rows),
                                     table)}


@custom_api("acme_Refuse", steps="all")
def refuse(context: Context, how: str) -> None:
    """Says no, or fails."""
    context.trace("about to say no")
    if how == "write":
        context.writes.create("account", {"name": "never"})
    if how == "crash":
        raise RuntimeError("the password is swordfish")
    raise OperationRefused("Not today", 42)


@custom_api("acme_Private", private=True)
def private(context: Context) -> None:
    """Not told of."""


@custom_api("acme_Guarded", privilege="prvUnifyAdmin")
def guarded(context: Context) -> None:
    """For admins."""


@custom_api("acme_Names", function=True, response={"Count": int})
def names(context: Context) -> dict:
    """Of customers, as the caller may see them."""
    return {"Count": len(context.instance.customers())}


@custom_api("acme_Make", steps="all")
def make(context: Context, name: str) -> None:
    """An account."""
    context.writes.create("account", {"name": name})


on_visit = event("acme_OnVisit", parameters={"Shop": str, "At": datetime | None})


@step("acme_OnVisit", mode="async")
def count_visit(context: Context) -> None:
    context.writes.create("account", {"name": "visit of " + context.inputs["Shop"]})
'''


@pytest.fixture(scope="package")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A package `acme` with an entry point, and one that must never be imported."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "acme_unify_apis.py").write_text(APIS)
    (folder / "evil_unify_apis.py").write_text("raise RuntimeError('imported')")
    points = [EntryPoint(name, f"{name}_unify_apis", loading.GROUP) for name in ("acme", "evil")]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setattr(loading, "entry_points", lambda group: [p for p in points if p.group == group])
        yield
    sys.modules.pop("acme_unify_apis", None)
    assert "evil_unify_apis" not in sys.modules


class World:
    """A service, and those who ask it: an admin, a steward, an analyst, a reader."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.settings = Settings(root=root, **{"auth": "required", "jobs": False, "custom_apis": ("acme",), **settings})
        self.service = Service(self.settings)
        self.changes = Changes(self.service.guard)
        self.keys = {role: self.changes.create_key(role.name, roles={"contoso": role}).text for role in Role}
        transport = httpx.ASGITransport(app=self.service, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://service")
        self.runner = asyncio.Runner()

    def ask(
        self, method: str, url: str, body: Any = None, *, role: Role = Role.ADMIN, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        more = {"Ocp-Apim-Subscription-Key": self.keys[role], **(headers or {})}
        address = f"/instances/contoso/api/data/v9.2/{url}"
        return self.runner.run(self.client.request(method, address, json=body, headers=more))

    def get(self, url: str, **more: Any) -> Any:
        answer = self.ask("GET", url, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, url: str, body: Any = None, **more: Any) -> httpx.Response:
        return self.ask("POST", url, body or {}, **more)

    def made(self, url: str, body: Any) -> str:
        """The id of a row."""
        answer = self.post(url, body)
        assert answer.status_code == 204, answer.text
        return answer.headers["odata-entityid"].partition("(")[2].rstrip(")")

    def close(self) -> None:
        self.runner.run(self.client.aclose())
        self.runner.close()


@pytest.fixture
def world(root: Path, acme: None) -> Iterator[World]:
    made = World(root)
    yield made
    made.close()


@pytest.fixture
def world_of() -> Callable[[Path], World]:
    """Over a root of the test's own, without code; whoever makes it closes it."""
    return lambda root: World(root, custom_apis=())


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory, contoso_made: Path, acme: None) -> Iterator[World]:
    """One for all tests of a module that write nothing which another one could find."""
    root = tmp_path_factory.mktemp("same")
    shutil.copytree(contoso_made, root / "contoso")
    made = World(root)
    yield made
    made.close()


class Receiver:
    """Of webhooks, on loopback. `answers`: status of the next requests, then 204; `seen`: path, headers, body."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.seen.append((self.path, headers, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.seen]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
