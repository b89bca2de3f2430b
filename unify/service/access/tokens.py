"""Bearer tokens: a JWT of ours or of a configured issuer, to what it proves."""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

from unify.service.access.guard import Guard
from unify.service.access.issuers import IssuerKeys
from unify.service.access.proof import Proof
from unify.service.access.register import Register
from unify.service.access.words import roles_said
from unify.service.caller import Caller
from unify.service.settings import Settings

MOST_BYTES: Final = 16 * 2**10
LEEWAY_S: Final = 60
"""Clocks differ."""
MOST_NAME: Final = 256


class Tokens:
    """Verifies. Blocking: a signature takes 0.2 ms, a key set that must be fetched seconds."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self._guard = guard
        self._issuers = {issuer.issuer: IssuerKeys(issuer) for issuer in settings.issuers}

    def proof(self, token: str, register: Register) -> Proof | None:
        """What a token proves; None when nothing.

        Who issued it is read before the signature, only to choose the keys; all else is read of what they signed.
        """
        header, claimed = _unverified(token)
        if header is None or claimed is None or "crit" in header:
            return None
        issuer = claimed.get("iss")
        if issuer == self._guard.signing.issuer:
            return self._own(token, header, register)
        keys = self._issuers.get(issuer) if isinstance(issuer, str) else None
        claims = keys.claims(token, header) if keys is not None else None
        if keys is None or claims is None or not _holds(claims, keys.issuer.issuer, keys.issuer.audience):
            return None
        return self._foreign(claims, keys, register)

    def _own(self, token: str, header: Mapping[str, Any], register: Register) -> Proof | None:
        """For an API key, as long as that lives."""
        kid, ours = header.get("kid"), self._guard.signing.issuer
        claims = self._guard.signing.claims(token, kid) if isinstance(kid, str) else None
        if claims is None or not _holds(claims, ours, ours):
            return None
        key = register.keys.get(str(claims.get("appid")))
        if key is None or not key.lives(time.time()) or key.principal != claims["sub"]:
            return None
        principal = register.principals.get(key.principal)
        return Proof(principal.caller, key, float(claims["exp"])) if principal else None

    def _foreign(self, claims: Mapping[str, Any], keys: IssuerKeys, register: Register) -> Proof:
        """A principal is called after its issuer too: nobody else's subject is ever one of ours.

        What the token says and what was assigned here count both, the higher role of an instance wins.
        """
        name = f"{keys.issuer.issuer}#{claims['sub']}"
        said = claims.get(keys.issuer.roles_claim)
        roles = roles_said(said if isinstance(said, list) else str(said or "").split())
        known = register.principals.get(name)
        kind = "app" if "appid" in claims or "azp" in claims else "user"
        if known is None:
            return Proof(Caller(name, kind, roles), None, float(claims["exp"]))
        both = {i: max(r[i] for r in (roles, known.roles) if i in r) for i in (*roles, *known.roles)}
        caller = Caller(name, known.kind, both, known.columns, known.segments)
        return Proof(caller, None, float(claims["exp"]))


def _unverified(token: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MOST_BYTES:
        return None, None
    return _object(parts[0]), _object(parts[1])


def _object(part: str) -> dict[str, Any] | None:
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _holds(claims: Mapping[str, Any], issuer: str, audience: str) -> bool:
    """Issuer, audience, time and subject. A token without an end, or for nobody in particular, holds nothing."""
    now, said = time.time(), claims.get("aud")
    audiences = said if isinstance(said, list) else [said]
    subject = claims.get("sub")
    return (
        claims.get("iss") == issuer
        and audience in audiences
        and _number(claims.get("exp"))
        and now < claims["exp"] + LEEWAY_S
        and ("nbf" not in claims or (_number(claims["nbf"]) and claims["nbf"] - LEEWAY_S <= now))
        and ("iat" not in claims or (_number(claims["iat"]) and claims["iat"] - LEEWAY_S <= now))
        and isinstance(subject, str)
        and 0 < len(subject) <= MOST_NAME
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
