"""Ids and case numbers that are drawn."""

import os
import secrets
import time
from typing import Final

from unify.records import Writing

_SIGNS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def new_id() -> str:
    """A guid that begins with the time (UUID version 7): rows made one after another lie side by side in the index."""
    drawn = bytearray(os.urandom(16))
    drawn[:6] = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    drawn[6] = 0x70 | drawn[6] & 0x0F
    drawn[8] = 0x80 | drawn[8] & 0x3F
    text = drawn.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def case_numbers(writing: Writing, count: int) -> list[str]:
    """`CAS-00001-A1B2C3` and on: counted over the organization, so none comes twice."""
    organization = next(writing.rows("organization"))
    used = organization.values["currentcasenumber"]
    first = (used if isinstance(used, int) else 0) + 1
    key = [organization.values["organizationid"]]
    writing.update("organization", key, {"currentcasenumber": first + count - 1})
    return [
        f"CAS-{number:05}-{''.join(secrets.choice(_SIGNS) for _ in range(6))}" for number in range(first, first + count)
    ]
