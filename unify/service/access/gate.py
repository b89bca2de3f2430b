"""The gate: from a request to the caller who made it."""

from unify.service.access.guard import Guard
from unify.service.asgi import Scope
from unify.service.caller import OPEN, Caller
from unify.service.errors import ServiceError
from unify.service.settings import Settings


class Gate:
    """Asked once for every request that is not public."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self._settings, self._guard = settings, guard

    async def caller(self, scope: Scope) -> Caller:
        """Who asks; ServiceError 401 when nothing proves it."""
        if self._settings.open:
            return OPEN
        raise ServiceError(401, "no key and no token", headers={"WWW-Authenticate": "Bearer"})
