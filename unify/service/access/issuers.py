"""Bearer tokens of configured issuers: whose key sets are fetched, kept, and fetched anew when they turn.

A key set is asked for again after an hour, or when a token names a key that is not in it, though never more often than
the back-off says: after a failure 1 s, 2 s, 4 s … up to five minutes. While an issuer cannot be reached its old keys
hold; one whose keys were never had lets nobody in.
"""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from unify.core.errors import SpecError
from unify.service.operations.log import logger
from unify.service.settings import LOOPBACK, Issuer

ASYMMETRIC: Final = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
)
"""Never `none`, and never HS…: with those the public key would be the secret."""
KEEP_S: Final = 3600.0
UNKNOWN_S: Final = 10.0
"""Least time between two fetches because of an unknown key."""
MOST_BACK_OFF_S: Final = 300.0
TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 2**20


@dataclass
class IssuerKeys:
    """The keys of one issuer. Safe for many threads; fetching blocks, in the thread that first needs it."""

    issuer: Issuer
    fetch: Callable[[str], bytes] = field(default_factory=lambda: _fetch)
    clock: Callable[[], float] = time.monotonic
    _set: KeySet | None = None
    _had: float = 0.0
    _next: float = 0.0
    _failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        wrong = sorted(set(self.issuer.algorithms) - ASYMMETRIC)
        if wrong or not self.issuer.algorithms:
            known = ", ".join(sorted(ASYMMETRIC))
            raise SpecError(f"algorithms: {', '.join(wrong) or 'none'}", where="issuers", hint=f"choose of {known}")
        url = urlsplit(self.issuer.jwks)
        if url.scheme == "http" and url.hostname not in LOOPBACK:
            raise SpecError("keys that come over plain http can be anybody's", where="issuers.jwks", hint="use https")

    def claims(self, token: str, header: dict[str, Any]) -> dict[str, Any] | None:
        """The claims of a token that one of the keys signed; None."""
        if header.get("alg") not in self.issuer.algorithms:
            return None
        key = self._key(header.get("kid"))
        if key is None:
            return None
        try:
            return dict(jwt.decode(token, key, algorithms=list(self.issuer.algorithms)).claims)
        except (JoseError, ValueError, TypeError):
            return None

    def _key(self, kid: Any) -> Any:
        """The one that a token names; without a name the only one there is."""
        with self._lock:
            now = self.clock()
            if self._set is None or now - self._had > KEEP_S:
                self._refresh(now)
            found = _find(self._set, kid)
            if found is None and self._set is not None and now - self._had > UNKNOWN_S:
                self._refresh(now)
                found = _find(self._set, kid)
            return found

    def _refresh(self, now: float) -> None:
        if now < self._next:
            return
        try:
            self._set = KeySet.import_key_set(json.loads(self.fetch(self.issuer.jwks)))
            self._had, self._failures, self._next = now, 0, now
        except (OSError, ValueError, TypeError, KeyError, JoseError) as error:
            self._failures += 1
            self._next = now + min(2.0 ** (self._failures - 1), MOST_BACK_OFF_S)
            logger.warning("no keys of an issuer", issuer=self.issuer.issuer, error=type(error).__name__)


def _find(keys: KeySet | None, kid: Any) -> Any:
    usable = [k for k in keys.keys if k.get("use", "sig") == "sig"] if keys is not None else []
    if kid is None:
        return usable[0] if len(usable) == 1 else None
    return next((key for key in usable if key.kid == kid), None)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A key set that moves is a new setting: following would be to trust whoever answers there."""


def _fetch(where: str) -> bytes:
    """Of a URL (https, or http on loopback) or a file."""
    if urlsplit(where).scheme in ("http", "https"):
        opener = urllib.request.build_opener(_NoRedirects)
        with opener.open(where, timeout=TIMEOUT_S) as answer:
            found: bytes = answer.read(MOST_BYTES + 1)
    else:
        found = Path(where).read_bytes()
    if len(found) > MOST_BYTES:
        raise ValueError("the key set is too long")
    return found
