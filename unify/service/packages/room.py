"""The room of data packages: `…/data/DataManagement…` and `…/api/connector/…`, with an instance in front or without.

Packages hold data as it came in, unmasked: whoever asks is a steward from whom nothing is withheld.
"""

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from urllib.parse import unquote

import orjson

from unify.core.errors import UnifyError
from unify.opened import Opened
from unify.packages import ExecutionStateError, NoSuchEntityError, NoSuchExecutionError, NoSuchProjectError, Packages
from unify.service.asgi import JSON, Headers, Receive, Scope, Send, body_of, respond
from unify.service.caller import Caller, Role
from unify.service.errors import ServiceError
from unify.service.hosted import Hosted
from unify.service.jobs.telling import without_places
from unify.service.management.depends import hosted_for
from unify.service.organization import Address, address_of
from unify.service.packages import connector, sets
from unify.service.packages.actions import NOTHING, Asking, action_of, answer

if TYPE_CHECKING:
    from unify.service.app import Service

T = TypeVar("T")
TAKEN: Final = re.compile(
    r"(?:/instances/[^/]+)?(?:/[a-z]{2}(?:-[a-z]{2})?)?/(?:data/DataManagement|api/connector/)", re.IGNORECASE
)
ACTION: Final = re.compile(
    r".*/data/DataManagementDefinitionGroups/(?:Microsoft\.Dynamics\.DataEntities\.)?(\w+)\Z", re.IGNORECASE
)
SET: Final = re.compile(r".*?/data/(DataManagement.*)\Z", re.IGNORECASE | re.DOTALL)
ODATA: Final[Headers] = [(b"content-type", b"application/json; odata.metadata=minimal"), (b"odata-version", b"4.0")]
BAD: Final = (NoSuchExecutionError, NoSuchProjectError, NoSuchEntityError, ExecutionStateError)
"""Named in a body, not in the path: 400, as the vendor answers."""


class PackageRoom:
    """See the module."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return TAKEN.match(path) is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        address = await asyncio.to_thread(address_of, scope, self._service)
        scope["unify.instance"] = address.instance
        hosted = hosted_for(self._service, caller, address.instance, Role.STEWARD)
        if not hosted.policy(caller).everything:
            raise ServiceError(403, "packages hold everything as it came in, and something is withheld from you here",
                               hint=f"an admin of {address.instance} can lift it")  # fmt: skip
        path = unquote(address.rest.decode("latin-1"))
        if "/api/connector/" in path.lower():
            await self._connector(scope, receive, send, address, hosted, path)
        elif (match := ACTION.match(path)) is not None:
            await self._action(scope, receive, send, address, hosted, match[1])
        else:
            await self._set(scope, receive, send, address, hosted, path)

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        known = isinstance(error, UnifyError) and status != 500
        said = error if known and isinstance(error, UnifyError) else UnifyError("it failed, and was written down")
        message = without_places(str(said), {"": self._service.settings.root.absolute()}).replace("\n  → ", "; ")
        code = error.key if isinstance(error, ServiceError) else type(said).__name__ if known else ""
        body = {"code": code, "message": message, "innererror": {"message": message, "type": "", "stacktrace": ""}}
        return orjson.dumps({"error": body}), [JSON, (b"odata-version", b"4.0")]

    async def _action(
        self, scope: Scope, receive: Receive, send: Send, address: Address, hosted: Hosted, name: str
    ) -> None:
        action = action_of(name)
        scope["unify.route"] = f"DataManagementDefinitionGroups.{name}"
        if scope["method"] != "POST":
            raise ServiceError(405, "an action is called with POST", headers={"Allow": "POST"})
        body = await body_of(receive, self._service.settings.limits.body_bytes)
        value = await self._blocking(address, hosted, lambda asking: answer(action, asking, body))
        if value is NOTHING:
            await respond(send, 204, b"", [(b"odata-version", b"4.0")])
            return
        context = f"{address.root}/data/$metadata#{action.edm}"
        await respond(send, 200, orjson.dumps({"@odata.context": context, "value": value}), ODATA)

    async def _set(
        self, scope: Scope, receive: Receive, send: Send, address: Address, hosted: Hosted, path: str
    ) -> None:
        scope["unify.route"] = "DataManagement"
        match = SET.match(path)
        if match is None:
            raise ServiceError(404, "there is nothing under this path", where="path")
        body = await body_of(receive, self._service.settings.limits.body_bytes) if scope["method"] == "POST" else b""
        query = scope["query_string"].decode("latin-1")
        status, said = await self._blocking(
            address, hosted, lambda asking: sets.answer(asking, scope["method"], match[1], query, body)
        )
        content = b"" if said is None or scope["method"] == "HEAD" else orjson.dumps(said)
        await respond(send, status, content, ODATA)

    async def _connector(
        self, scope: Scope, receive: Receive, send: Send, address: Address, hosted: Hosted, path: str
    ) -> None:
        verb, activity = connector.asked(path, scope["method"])
        scope["unify.route"] = f"/api/connector/{verb}"
        if verb == "enqueue":
            with Opened(hosted.store) as opened:
                asking = Asking(self._service, address, Packages(opened), {})
                message = await connector.enqueue(asking, scope, receive, activity)
            await respond(send, 200, orjson.dumps(message), [JSON])
        elif verb == "dequeue":
            said = await self._blocking(address, hosted, lambda asking: connector.dequeue(asking, activity))
            await respond(send, 204 if said is None else 200, b"" if said is None else orjson.dumps(said), [JSON])
        else:
            body = await body_of(receive, self._service.settings.limits.body_bytes)
            await self._blocking(address, hosted, lambda asking: connector.ack(asking, activity, body))
            await respond(send, 200, b"", [])

    async def _blocking(self, address: Address, hosted: Hosted, work: Callable[[Asking], T]) -> T:
        """In a thread, on an opening of its own: the published generation is opened only where it is looked at."""

        def done() -> Any:
            with Opened(hosted.store) as opened:
                try:
                    return work(Asking(self._service, address, Packages(opened), {}))
                except BAD as error:
                    raise ServiceError(
                        400, error.message, where=error.where, hint=error.hint, key=type(error).__name__
                    ) from None

        result: T = await asyncio.to_thread(done)
        return result
