"""Where the Web API is served: `/api/data/v9.x/…`, bare or behind `/instances/{id}`."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unify.service.asgi import Scope
from unify.service.errors import not_found
from unify.service.organization import Address, address_of

if TYPE_CHECKING:
    from unify.service.app import Service

TAKEN: Final = re.compile(r"(?:/instances/[^/]+)?/api/data(?:/|\Z)")
"""Decoded paths of this room."""
VERSIONED: Final = re.compile(rb"(/api/data/(v9(?:\.\d{1,6}){1,3}))(?:/(.*))?\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mount:
    """One root.

    base      its path as it came, without the slash at its end: `/instances/acme/api/data/v9.2`
    instance  its id, decoded
    origin    `https://host:port`
    host      what a client calls its base URL: origin, and `/instances/acme` where that was written
    version   `v9.2`
    """

    base: str
    instance: str
    origin: str
    host: str
    version: str

    @property
    def root(self) -> str:
        """What links and contexts begin with."""
        return f"{self.origin}{self.base}/"


def mount_of(scope: Scope, service: "Service") -> tuple[Mount, bytes]:
    """The root that a request came to, and the path behind it as it was sent. ServiceError 404. Lists a directory."""
    address: Address = address_of(scope, service)
    match = VERSIONED.match(address.rest)
    if match is None:
        message = f"there is no Web API at {address.rest[:60].decode('latin-1')}"
        raise not_found(message, where="path", hint="ask /api/data/v9.2/; v9.0 and later v9 are served")
    base = address.base + match[1].decode("latin-1")
    mount = Mount(base, address.instance, address.origin, address.root, match[2].decode("latin-1").lower())
    return mount, match[3] or b""
