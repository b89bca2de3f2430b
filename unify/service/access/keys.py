"""API keys: an id that may be shown, and a secret that is shown once.

    uk_7h2kq4m5x3ab_Jp0…43 characters          id: 12 characters of base32, secret: 256 random bits

What is kept is HMAC-SHA256 of the secret under a key of the service. A slow hash, as for passwords, would buy nothing:
nobody can try 2^256 secrets, and a slow hash at every request is a way to stop the service.
"""

import hashlib
import hmac
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "uk_"
KEY: Final = re.compile(r"(uk_[a-z2-7]{12})_([A-Za-z0-9_-]{43})")
SLOTS: Final = ("primary", "secondary")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One that was given out.

    key         its id
    expires, revoked   seconds since 1970; None: never
    rate, burst        requests a second, and how many at once
    daily_rows         rows that it may be answered with in a day, UTC
    """

    number: int
    key: str
    principal: str
    slot: str
    hash: bytes
    created: str
    expires: float | None
    revoked: float | None
    rate: float | None
    burst: int | None
    daily_rows: int | None

    def lives(self, moment: float) -> bool:
        """Whether it opens anything."""
        return self.revoked is None and (self.expires is None or moment < self.expires)


def new_id() -> str:
    """60 random bits: two keys never have one id."""
    return PREFIX + b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def new_secret() -> str:
    """256 random bits."""
    return secrets.token_urlsafe(32)


def parts(text: str) -> tuple[str, str] | None:
    """Id and secret of a whole key; None for what cannot be one."""
    found = KEY.fullmatch(text)
    return (found[1], found[2]) if found else None


def hashed(secret: str, pepper: bytes) -> bytes:
    """What is kept of a secret."""
    return hmac.digest(pepper, secret.encode(), hashlib.sha256)


def same(kept: bytes, secret: str, pepper: bytes) -> bool:
    """Whether it is the secret; takes as long for every wrong one."""
    return hmac.compare_digest(kept, hashed(secret, pepper))
