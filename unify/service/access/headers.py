"""Headers that every answer has, unless a room says otherwise; and the limits of what comes in."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from unify.service.asgi import Headers, Scope, header
from unify.service.errors import ServiceError
from unify.service.settings import Settings

SECURITY: Final[Headers] = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-cache"),
]
"""No answer is a page, but those that say their own policy. Answers hold people: no shared cache keeps them, and a
private one asks again (304 when the generation is the same). There is no CORS header: browsers of other sites get
nothing."""
TLS: Final = (b"strict-transport-security", b"max-age=31536000")
MOST_HEADERS: Final = 64 * 2**10


def secured(headers: Headers, *, tls: bool) -> Headers:
    """With those that are not there yet."""
    there = {name for name, _ in headers}
    more = [(name, value) for name, value in SECURITY if name not in there]
    return [*headers, *more, TLS] if tls and TLS[0] not in there else [*headers, *more]


def check_request(scope: Scope, settings: Settings) -> None:
    """ServiceError 414 for too long a URL, 431 for too long headers, 403 for a page of another site."""
    size = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    if size > settings.limits.url_bytes:
        limit = settings.limits.url_bytes
        raise ServiceError(414, f"the URL is longer than {limit} bytes", hint="send the question in a $batch or as POST …/$query")  # fmt: skip # noqa: E501
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MOST_HEADERS:
        raise ServiceError(431, f"the headers are longer than {MOST_HEADERS} bytes")
    if settings.open:
        _refuse_other_sites(scope, settings)


def _refuse_other_sites(scope: Scope, settings: Settings) -> None:
    """An open service trusts who reaches loopback, and every page in a browser there does.

    A page whose own name was made to lead to 127.0.0.1 (DNS rebinding) says that name as the host: hosts with a dot
    that are no loopback address are refused. A page elsewhere that posts here says where it is from.
    """
    host = (header(scope, b"host") or b"").decode("latin-1").lower()
    own = _own(settings.public_url)
    origin = header(scope, b"origin")
    if not is_near(host, settings.public_url):
        raise ServiceError(403, "an open service answers to loopback only", hint="set auth: required, or public_url")
    if origin is not None and origin.decode("latin-1").lower().partition("://")[2] not in (host, own):
        raise ServiceError(403, "an open service answers no page of another site", hint="set auth: required")


def is_near(host: str, public_url: str | None) -> bool:
    """Whether a Host header is one that an open service answers to: a name of loopback, or its own public one."""
    host = host.lower()
    if host == _own(public_url):
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return "." not in name or name.endswith(".localhost") or ip_address(name).is_loopback
    except ValueError:
        return False


def _own(public_url: str | None) -> str | None:
    return urlsplit(public_url).netloc.lower() if public_url else None
