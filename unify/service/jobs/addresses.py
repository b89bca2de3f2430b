"""Where a webhook may go: decided on the address that a name stands for at the moment of sending, and kept to it."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from unify.core.errors import QueryError

MAX_URL: int = 2000


@dataclass(frozen=True)
class Target:
    """An URL, taken apart. `path` with its query."""

    https: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What stands in `Host`."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.https else 80) else f"{name}:{self.port}"


def target_of(url: str, *, private: bool) -> Target:
    """QueryError for what is no URL to send to. `private`: plain http too is allowed, for receivers nearby."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise QueryError(f"{url[:200]!r} is no URL: {error}", where="url") from None
    if len(url) > MAX_URL or any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise QueryError(
            "an URL is made of visible ASCII, 2000 characters at most", where="url", hint="percent-encode the rest"
        )
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise QueryError(f"{url[:200]!r} is no URL to send to", where="url", hint="https://host/path")
    if parts.scheme == "http" and not private:
        hint = "use https; plain http is for receivers on your own net, with the setting webhook_private"
        raise QueryError("webhooks go over https", where="url", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise QueryError(
            "a name or password in an URL ends up in logs", where="url", hint="check the signature instead"
        )
    if parts.fragment:
        raise QueryError("a fragment is never sent", where="url", hint="leave out what follows #")
    https = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(https, parts.hostname, port or (443 if https else 80), path)


def address_of(target: Target, *, private: bool) -> str:
    """The address to connect to. QueryError when the name is not known, or any address of it is not a public one."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise QueryError(f"{target.host} is not known", where="url") from None
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not private and (wrong := [a for a in addresses if not is_public(a)]):
        hint = "the setting webhook_private allows it"
        raise QueryError(f"{target.host} leads to {wrong[0]}, which is no public address", where="url", hint=hint)
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an address is of the public net, also where it stands inside another one.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("64:ff9b::7f00:1")
    (True, False, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
