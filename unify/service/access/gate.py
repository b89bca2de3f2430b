"""The gate: from a request to the caller who made it.

A request shows an API key (`Ocp-Apim-Subscription-Key`), a bearer token, or both, as clients of the vendor do. Of two,
both must be valid and give the same rights: a stolen key beside somebody else's token opens nothing. The caller is then
whom the token names.

What was proved is remembered with the stamp of the register, so a hot route pays a dictionary look-up. Looking up by
the credential itself betrays nothing of it: dictionaries compare bytes only where a keyed 64-bit hash agrees.
"""

import asyncio
import time
from typing import Final

from unify.service.access import keys
from unify.service.access.guard import Guard
from unify.service.access.proof import Proof, unauthorised
from unify.service.access.register import Register
from unify.service.access.tokens import Tokens
from unify.service.asgi import Scope
from unify.service.caller import OPEN, Caller
from unify.service.errors import ServiceError
from unify.service.settings import Settings

KEY_HEADER: Final = b"ocp-apim-subscription-key"
EVERYBODY: Final = Proof(OPEN, None, float("inf"))
MOST_KNOWN: Final = 10_000
"""Credentials remembered per worker."""


class Gate:
    """Asked once for every request that is not public."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self._settings, self._guard = settings, guard
        self._tokens = Tokens(settings, guard)
        self._known: dict[tuple[bytes, bytes], tuple[int, Proof]] = {}

    async def caller(self, scope: Scope) -> Caller:
        """Who asks; ServiceError 401 when nothing proves it, 429 when the key has asked too much.

        The key, if there is one, is left in the scope as `unify.key`.
        """
        if self._settings.open:
            return OPEN
        given = _credentials(scope)
        register = await self._guard.registry.fresh()
        proof = self._remembered(given, register) or await self._prove(given, register)
        if proof.key is not None:
            scope["unify.key"] = proof.key
            self.take(proof.key)
        return proof.caller

    def known(self, scope: Scope) -> Proof | None:
        """The same without waiting, and without taking anything of an allowance; None when that cannot be.

        ServiceError 401 as `caller` has it.
        """
        if self._settings.open:
            return EVERYBODY
        registry = self._guard.registry
        return self._remembered(_credentials(scope), registry.now) if not registry.due else None

    def _remembered(self, given: tuple[bytes, bytes], register: Register) -> Proof | None:
        known = self._known.get(given)
        if known is not None and known[0] == register.stamp and time.time() < known[1].until:
            return known[1]
        return None

    async def _prove(self, given: tuple[bytes, bytes], register: Register) -> Proof:
        shown, bearer = given
        proofs = []
        if shown:
            proofs.append(self._by_key(shown, register))
        if bearer:
            proofs.append(await asyncio.to_thread(self._tokens.proof, bearer.decode("latin-1"), register))
        found = _both(proofs)
        if found is None:
            raise unauthorised(given=bool(proofs))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[given] = (register.stamp, found)
        return found

    def _by_key(self, shown: bytes, register: Register) -> Proof | None:
        parts = keys.parts(shown.decode("latin-1"))
        key = register.keys.get(parts[0]) if parts else None
        kept = key.hash if key is not None else b"\0" * 32  # so that an unknown id takes as long as a wrong secret
        right = keys.same(kept, parts[1] if parts else "", self._guard.pepper)
        if key is None or not right or not key.lives(time.time()):
            return None
        return Proof(register.principals[key.principal].caller, key, key.expires or float("inf"))

    def take(self, key: keys.ApiKey) -> None:
        """One request of a key's allowance; ServiceError 429 when there is none, and nothing is taken then."""
        rates = self._guard.rates
        wait = rates.wait(key.number, key.rate, key.burst) if key.rate is not None else 0.0
        if wait:
            raise _too_many(f"the key may ask {key.rate:g} times a second", max(1, round(wait + 0.5)))
        if key.daily_rows is not None and rates.rows_today(key.number) >= key.daily_rows:
            raise _too_many(f"the key has had its {key.daily_rows:,} rows of today", rates.seconds_of_day_left())

    def answered(self, scope: Scope) -> None:
        """After an answer: its rows (`unify.rows` in the scope) are taken off the key's budget of the day."""
        key, rows = scope.get("unify.key"), scope.get("unify.rows")
        if key is not None and rows and key.daily_rows is not None:
            self._guard.rates.spend(key.number, rows)


def _too_many(why: str, seconds: int) -> ServiceError:
    hint = f"ask again in {seconds} seconds"
    return ServiceError(429, why, hint=hint, key="tooManyRequests", headers={"Retry-After": str(seconds)})


def _credentials(scope: Scope) -> tuple[bytes, bytes]:
    """Key and bearer token of a request, b"" where there is none; 401 for a header that stands twice."""
    shown: list[bytes] = []
    bearer: list[bytes] = []
    for name, value in scope["headers"]:
        if name == KEY_HEADER:
            shown.append(value)
        elif name == b"authorization":
            kind, _, token = value.partition(b" ")
            bearer.append(token.strip() if kind.lower() == b"bearer" else b"?")
    if len(shown) > 1 or len(bearer) > 1 or (shown and not shown[0]) or (bearer and not bearer[0]):
        raise unauthorised(given=True)
    return (shown[0] if shown else b"", bearer[0] if bearer else b"")


def _both(proofs: list[Proof | None]) -> Proof | None:
    """What all of them prove together; None when one proves nothing, or they give different rights."""
    if not proofs or any(p is None for p in proofs):
        return None
    certain = [p for p in proofs if p is not None]
    first, last = certain[0], certain[-1]
    if _rights(first.caller) != _rights(last.caller):
        return None
    return Proof(last.caller, first.key or last.key, min(first.until, last.until))


def _rights(caller: Caller) -> tuple[object, ...]:
    return dict(caller.roles), caller.columns, dict(caller.segments)
