"""Where OData is served: the vendor's path and a root of its own, on every instance.

/v1/instances/{id}/data/…   /api/instances/{id}/data/…   /instances/{id}/data/…     the vendor's dialect
/odata/{id}/…                                                                       OData 4.01
"""

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote_to_bytes

from segments.odata.dialect import CUSTOMER_INSIGHTS, STANDARD, Dialect
from unify.service.asgi import Scope
from unify.service.errors import not_found
from unify.service.origin import origin_of

TAKEN: Final = re.compile(r"(?:/v1|/api)?/instances/[^/]+/data(?:/|\Z)|/odata(?:/|\Z)")
"""Decoded paths of this room."""
RAW: Final = re.compile(rb"((?:/v1|/api)?/instances/([^/]+)/data|/odata/([^/]+))(?:/(.*))?\Z", re.DOTALL)
OPTIONS: Final = ("forceSearch", "proxy", "export")
"""Of the vendor's client beside those of OData, and ours. docs/service-odata.md"""
CONVERTED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One root.

    base      its path as it came, without the slash at its end: `/odata/contoso`
    instance  its id, decoded
    origin    `https://host:port`
    vendor    whether it is the vendor's dialect
    """

    base: str
    instance: str
    origin: str
    vendor: bool

    @property
    def root(self) -> str:
        """What links and contexts begin with."""
        return f"{self.origin}{self.base}/"

    @property
    def dialect(self) -> Dialect:
        """How text is read here."""
        return VENDOR if self.vendor else CLEAN


VENDOR: Final = replace(CUSTOMER_INSIGHTS, custom_options=OPTIONS)
CLEAN: Final = replace(STANDARD, custom_options=("export",))


def mount_of(scope: Scope, public_url: str | None) -> tuple[Mount, bytes]:
    """The root that a request came to, and the path behind it as it was sent. ServiceError 404 for a root alone."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    match = RAW.match(raw)
    if match is None:
        hint = "name an instance: /odata/{instanceId}/"
        raise not_found("there is no service at this address", where="path", hint=hint)
    instance = unquote_to_bytes(match[2] or match[3]).decode("utf-8", "replace")
    base = match[1].decode("latin-1")
    mount = Mount(base, instance, origin_of(scope, public_url), vendor=match[3] is None)
    rest = match[4] or b""
    return mount, (whole(rest) if mount.vendor else rest)


def whole(path: bytes) -> bytes:
    """A relativePath that was percent-encoded as a whole, decoded once: `Customer%28%27a%27%29%2FUnifiedActivity`.

    Clients of the vendor take the path for one parameter, so even its slashes are encoded. A path with a parenthesis,
    a quote or a slash as it is was encoded piece by piece and stays. A `%` that begins no escape afterwards was meant
    as a sign.
    """
    if b"%" not in path or any(sign in path for sign in (b"/", b"(", b"'")):
        return path
    return CONVERTED.sub(b"%25", unquote_to_bytes(path))
