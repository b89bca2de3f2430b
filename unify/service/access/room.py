"""Routes of the gate itself: tokens for API keys (OAuth 2.0 client credentials), and how to verify them.

    POST /oauth2/token                     also /{tenant}/oauth2/token and /{tenant}/oauth2/v2.0/token
    GET  /.well-known/openid-configuration  also below a tenant and below v2.0; GET /oauth2/keys

A client is an API key: its id, and as its secret the whole key or what stands behind the id. Tenants mean nothing here;
they stand in the paths because clients of the vendor write them.
"""

import asyncio
import binascii
import re
import time
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, unquote_plus

import orjson

from unify.service.access import keys
from unify.service.access.signing import ALGORITHM, TOKEN_S
from unify.service.asgi import JSON, Headers, Receive, Scope, Send, body_of, header, respond_json
from unify.service.caller import Caller
from unify.service.errors import ServiceError

if TYPE_CHECKING:
    from unify.service.app import Service

TENANT: Final = r"(?:/[A-Za-z0-9][A-Za-z0-9.-]{0,127})?"
TOKEN: Final = re.compile(rf"{TENANT}/oauth2(/v2\.0)?/token")
ABOUT: Final = re.compile(rf"({TENANT}(?:/v2\.0)?)/\.well-known/openid-configuration")
KEYS: Final = "/oauth2/keys"
MOST_BODY: Final = 16 * 2**10
FRESH: Final = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]
FORM: Final = b"application/x-www-form-urlencoded"
KNOWN: Final = frozenset(("grant_type", "client_id", "client_secret", "resource", "scope"))


class OAuthError(ServiceError):
    """A refusal in the words of RFC 6749, 5.2: `key` is its `error`."""

    def __init__(self, key: str, message: str, *, status: int = 400, basic: bool = False) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="unify"'} if basic else {}
        super().__init__(status, message, key=key, headers=headers)


class AccessRoom:
    """`/oauth2/token` and its spellings."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return path == KEYS or TOKEN.fullmatch(path) is not None or ABOUT.fullmatch(path) is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        path, method = scope["path"], scope["method"]
        token = TOKEN.fullmatch(path)
        wanted = ("POST",) if token else ("GET", "HEAD")
        scope["unify.route"] = (
            "/oauth2/token" if token else KEYS if path == KEYS else "/.well-known/openid-configuration"
        )
        if method not in wanted:
            raise ServiceError(405, f"{method} is not for this path", headers={"Allow": ", ".join(wanted)})
        if token:
            await respond_json(send, 200, await self._token(scope, receive, v2=token[1] is not None), FRESH)
        elif path == KEYS:
            public = await asyncio.to_thread(self._service.guard.signing.public)
            await respond_json(send, 200, {"keys": public})
        else:
            await respond_json(send, 200, self._about(scope))

    async def _token(self, scope: Scope, receive: Receive, *, v2: bool) -> dict[str, Any]:
        form = await _form(scope, receive)
        if form.get("grant_type") != "client_credentials":
            raise OAuthError("unsupported_grant_type", "grant_type is client_credentials here")
        if unknown := sorted(set(form) - KNOWN):
            raise OAuthError("invalid_request", f"unknown parameter {unknown[0][:64]!r}")
        scopes = form.get("scope", "").split()
        if v2 and scopes and not (len(scopes) == 1 and scopes[0].endswith("/.default")):
            raise OAuthError("invalid_scope", "scope is `<resource>/.default`: the rights of a key are those it has")
        key = await self._client(scope, form)
        token = await asyncio.to_thread(self._service.guard.signing.token, key)
        now = int(time.time())
        ends = TOKEN_S if key.expires is None else min(TOKEN_S, max(0, int(key.expires) - now))
        if v2:
            return {"token_type": "Bearer", "expires_in": ends, "ext_expires_in": ends, "access_token": token}
        return {
            "token_type": "Bearer", "expires_in": str(ends), "ext_expires_in": str(ends), "expires_on": str(now + ends),
            "not_before": str(now), "resource": form.get("resource", ""), "access_token": token,
        }  # fmt: skip

    async def _client(self, scope: Scope, form: Mapping[str, str]) -> keys.ApiKey:
        """The key that a client names, when the secret is its own; OAuthError invalid_client."""
        said = header(scope, b"authorization")
        basic = _basic(said) if said is not None else None
        if said is not None and (basic is None or "client_secret" in form):
            raise OAuthError("invalid_request", "one way to say who asks: Basic, or client_id and client_secret")
        id_, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        if form.get("client_id", id_) != id_:
            raise OAuthError("invalid_request", "client_id is another than that of Basic")
        whole = keys.parts(secret)
        if whole is not None and whole[0] == id_:
            secret = whole[1]
        register = await self._service.guard.registry.fresh()
        key = register.keys.get(id_)
        kept = key.hash if key is not None else b"\0" * 32
        right = keys.same(kept, secret, self._service.guard.pepper)
        if key is None or not right or not key.lives(time.time()):
            raise OAuthError("invalid_client", "no such client, or another secret", status=401, basic=basic is not None)
        return key

    def _about(self, scope: Scope) -> dict[str, Any]:
        """OpenID Connect discovery, for libraries that begin there."""
        host = (header(scope, b"host") or b"localhost").decode("latin-1")
        tls = scope.get("scheme") == "https" or self._service.settings.tls_certificate is not None
        base = f"{'https' if tls else 'http'}://{host}"
        return {
            "issuer": self._service.guard.signing.issuer,
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}{KEYS}",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """As OAuth 2.0 says it (RFC 6749, 5.2)."""
        key = error.key if isinstance(error, OAuthError) else "server_error" if status >= 500 else "invalid_request"
        said = error.message if isinstance(error, ServiceError) and status < 500 else "it failed"
        return orjson.dumps({"error": key, "error_description": said}), [JSON, *FRESH]


async def _form(scope: Scope, receive: Receive) -> dict[str, str]:
    kind = (header(scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != FORM:
        raise OAuthError("invalid_request", "the body is application/x-www-form-urlencoded")
    body = await body_of(receive, MOST_BODY)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=32)
    except ValueError:
        raise OAuthError("invalid_request", "the body is no form") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "a parameter stands twice")
    return form


def _basic(said: bytes) -> tuple[str, str] | None:
    """Client and secret of `Authorization: Basic`; both are form-encoded inside (RFC 6749, 2.3.1)."""
    kind, _, coded = said.partition(b" ")
    if kind.lower() != b"basic":
        return None
    try:
        id_, colon, secret = b64decode(coded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (unquote_plus(id_), unquote_plus(secret)) if colon else None
