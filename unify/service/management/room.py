"""The management API as a room: it takes what no other room does."""

from typing import TYPE_CHECKING, ClassVar, Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from unify.core.mistakes import in_words
from unify.service.asgi import JSON, Headers, Receive, Scope, Send
from unify.service.caller import Caller
from unify.service.errors import ServiceError, not_found
from unify.service.management.app import PREFIX, management_app
from unify.service.management.errors import RefusedInputError, api_error
from unify.service.management.housekeeping import Housekeeping

if TYPE_CHECKING:
    from unify.service.app import Service

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")


class ManagementRoom:
    """Errors are the vendor's ApiErrorResult."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service, self._app = service, management_app()
        Housekeeping(service).recover()

    def takes(self, path: str) -> bool:
        """See Room."""
        return True

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        asked = {
            **scope,
            "path": canonical(scope["path"]),
            "unify.service": self._service,
            "unify.caller": caller,
        }
        try:
            await self._app(asked, receive, send)
        except RequestValidationError as error:
            raise RefusedInputError([_problem(e) for e in error.errors()]) from None
        except HTTPException as error:
            raise self._refused(asked, error) from None
        finally:
            scope["route"] = asked.get("route")  # for the log

    def _refused(self, scope: Scope, error: HTTPException) -> ServiceError:
        if error.status_code == 404:
            return not_found("there is nothing under this path", hint="GET /openapi.json lists every path")
        if error.status_code == 405:
            allowed = ", ".join(self._methods(scope))
            message = f"{scope['method'][:20]} is not among the methods of this path: {allowed}"
            return ServiceError(405, message, headers={"Allow": allowed})
        return ServiceError(error.status_code, str(error.detail))

    def _methods(self, scope: Scope) -> list[str]:
        """Those that some operation has at this path."""
        return [
            method
            for method in METHODS
            if any(r.matches({**scope, "method": method})[0] is Match.FULL for r in self._app.router.routes)
        ]

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        body = api_error(error, status, self._service.settings.root)
        return orjson.dumps(body.wire()), [JSON]


def canonical(path: str) -> str:
    """The path with the prefix that the routes have.

    >>> canonical("/api/instances/acme"), canonical("/instances/acme"), canonical("/v1/instances/acme")
    ('/v1/instances/acme', '/v1/instances/acme', '/v1/instances/acme')
    """
    if path.startswith("/api/"):
        return PREFIX + path.removeprefix("/api")
    return path if path.startswith(f"{PREFIX}/") else PREFIX + path


def _problem(error: dict[str, object]) -> tuple[str, str]:
    """What FastAPI found: a parameter that is missing or out of range."""
    loc = error["loc"]
    assert isinstance(loc, tuple)
    where = ".".join(str(part) for part in loc)
    return where, "is missing" if error["type"] == "missing" else in_words(error, lambda _: [])
