"""Tokens that the service gives out itself, for its own API keys: ES256, an hour long, the signing key a month."""

import json
import secrets
import threading
import time
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from unify.service.access.keys import ApiKey
from unify.service.access.secret import Secret
from unify.service.database import ServiceDatabase

ALGORITHM: Final = "ES256"
TOKEN_S: Final = 3600
ROTATE_S: Final = 30 * 86_400
"""A new signing key after so long; the old one is known until its last token has ended."""
LOOK_S: Final = 1.0
"""Least time between two looks for keys that another worker made: a token with an invented `kid` costs no more."""


class Signing:
    """The keys, in the database for all workers, in memory for each."""

    def __init__(self, database: ServiceDatabase, secret: Secret) -> None:
        self._database = database
        self.issuer = f"urn:unify:{secret.of('issuer').hex()[:32]}"
        self._keys: dict[str, tuple[float, ECKey]] = {}
        self._looked = 0.0
        self._lock = threading.Lock()

    def token(self, key: ApiKey, *, now: float | None = None) -> str:
        """A token for the principal of an API key. Blocking."""
        moment = time.time() if now is None else now
        kid, signing = self._newest(moment)
        until = moment + TOKEN_S if key.expires is None else min(moment + TOKEN_S, key.expires)
        claims = {
            "iss": self.issuer, "aud": self.issuer, "sub": key.principal, "appid": key.key, "jti": secrets.token_hex(8),
            "iat": int(moment), "nbf": int(moment), "exp": int(until),
        }  # fmt: skip
        return jwt.encode({"alg": ALGORITHM, "kid": kid, "typ": "JWT"}, claims, signing, algorithms=[ALGORITHM])

    def claims(self, token: str, kid: str) -> dict[str, Any] | None:
        """The claims of a token that one of the keys signed; None. Blocking when the key is not known yet."""
        with self._lock:
            found = self._keys.get(kid)
            if found is None and time.monotonic() - self._looked >= LOOK_S:
                self._look()
                found = self._keys.get(kid)
        if found is None:
            return None
        try:
            return dict(jwt.decode(token, found[1], algorithms=[ALGORITHM]).claims)
        except (JoseError, ValueError, TypeError):
            return None

    def public(self) -> list[dict[str, Any]]:
        """The public halves, newest first: what the JWKS document lists. Blocking."""
        self._newest(time.time())
        with self._lock:
            keys = sorted(self._keys.values(), key=lambda k: -k[0])
        return [key.as_dict(private=False) for _, key in keys]

    def _newest(self, moment: float) -> tuple[str, ECKey]:
        with self._lock:
            self._look()
            fresh = {kid: k for kid, k in self._keys.items() if moment - k[0] < ROTATE_S}
            if not fresh:
                self._make(moment)
                fresh = self._keys
            kid = max(fresh, key=lambda k: (fresh[k][0], k))
            return kid, fresh[kid][1]

    def _make(self, moment: float) -> None:
        kid = secrets.token_hex(8)
        made = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": ALGORITHM})
        row = {"kid": kid, "created": moment, "jwk": json.dumps(made.as_dict(private=True))}
        with self._database.write() as db:
            gone = moment - ROTATE_S - 2 * TOKEN_S
            db.execute("DELETE FROM access_signing WHERE created < $gone", {"gone": gone})
            db.execute("INSERT INTO access_signing VALUES ($kid, $created, $jwk)", row)
        self._look()

    def _look(self) -> None:
        self._looked = time.monotonic()
        rows = self._database.rows("SELECT kid, created, jwk FROM access_signing")
        self._keys = {r["kid"]: (r["created"], ECKey.import_key(json.loads(r["jwk"]))) for r in rows}
