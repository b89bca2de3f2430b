"""Which instance an address without one means, for dialects whose clients know a host and nothing else.

/instances/{id}/api/data/v9.2/…    that instance: a client's base URL is `https://host/instances/{id}`
/api/data/v9.2/…                   the `organization` of the settings, else the only instance there is
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from unify.service.asgi import Scope
from unify.service.errors import not_found
from unify.service.origin import origin_of

if TYPE_CHECKING:
    from unify.service.app import Service

NAMED: Final = re.compile(rb"(/instances/([^/]+))(/.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request came to.

    instance  its id, decoded
    base      the path before the dialect's own: `/instances/acme`, or nothing
    rest      the dialect's own path, as it was sent
    origin    `https://host:port`
    """

    instance: str
    base: str
    rest: bytes
    origin: str

    @property
    def root(self) -> str:
        """What a client calls its base URL."""
        return f"{self.origin}{self.base}"


def address_of(scope: Scope, service: "Service") -> Address:
    """Of one request. ServiceError 404 where no instance is named and none goes without saying. Lists a directory."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    origin = origin_of(scope, service.settings.public_url)
    named = NAMED.match(raw)
    if named is not None:
        instance = unquote_to_bytes(named[2]).decode("utf-8", "replace")
        return Address(instance, named[1].decode("latin-1"), named[3], origin)
    return Address(organization_of(service), "", raw, origin)


def organization_of(service: "Service") -> str:
    """The instance that goes without saying; ServiceError 404."""
    if service.settings.organization is not None:
        return service.settings.organization
    ids = service.roof.ids()
    if len(ids) != 1:
        message = "there is no instance yet" if not ids else "there are several instances, and this address names none"
        hint = "ask /instances/{instanceId}/…, or set `organization` in the settings of the service"
        raise not_found(message, where="path", hint=hint)
    return ids[0]
