"""Questions that are read at a glance: strict patterns over the bytes of a request, percent-encoded or not.

What does not fit exactly is nobody's question here: it goes to the parser, which refuses what is wrong and answers what
is right. So a pattern may be narrow, and never wide: each has fewer texts than the grammar, with the same sense.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

REMEMBERED: Final = 4096
"""Queries: pages and counts are asked again and again. Those that name a customer are read without remembering."""
LONGEST: Final = 2048
"""Bytes of a query that is looked at; longer ones are the parser's."""


def _any(sign: str) -> str:
    """A sign, encoded or not."""
    return f"(?:{re.escape(sign)}|%{ord(sign):02X}|%{ord(sign):02x})"


QUOTE, OPEN, CLOSE, IS, DOLLAR, SLASH = map(_any, "'()=$/")
BLANK: Final = r"(?: |\+|%20)"
TEXT: Final = r"([^'%&#+]*(?:%(?!27|0[0-9A-Fa-f]|1[0-9A-Fa-f])[0-9A-Fa-f]{2}[^'%&#+]*)*)"
"""Of a literal without apostrophes and control characters. A plus is a blank to some readers, so it is the parser's."""
ID: Final = f"CustomerId{BLANK}eq{BLANK}{QUOTE}([0-9A-Za-z_-]{{1,64}}){QUOTE}"
MEMBER: Final = f"IsMemberOfSegment{OPEN}{QUOTE}{TEXT}{QUOTE}{CLOSE}"
AND: Final = f"{BLANK}and{BLANK}"
NAMES: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:(?:,|%2C|%2c)[A-Za-z_][A-Za-z0-9_]*)*"


def _pattern(text: str) -> re.Pattern[bytes]:
    return re.compile(text.encode() + rb"\Z")


KEY: Final = _pattern(f"Customer{OPEN}(?:([A-Za-z_][A-Za-z0-9_]*){IS})?{QUOTE}{TEXT}{QUOTE}{CLOSE}")
ONE_KEY: Final = _pattern(f"Customer{OPEN}(?:CustomerId{IS})?{QUOTE}([0-9a-f]{{32}}){QUOTE}{CLOSE}")
COUNT: Final = _pattern(f"Customer{SLASH}{DOLLAR}count")
SET: Final = b"Customer"
ONE_ID: Final = f"CustomerId{BLANK}eq{BLANK}{QUOTE}([0-9a-f]{{32}}){QUOTE}"
CHECK: Final = _pattern(f"{DOLLAR}filter={ONE_ID}(?:{AND}|&){MEMBER}")
"""Whether one customer is in one segment, in the spellings of the documents: the hottest question."""
ONE: Final = _pattern(f"{DOLLAR}filter={ID}")
OF_ID: Final = _pattern(ID)
OF_MEMBER: Final = _pattern(MEMBER)
OF_BOTH: Final = _pattern(f"{ID}{AND}{MEMBER}")
OF_BOTH_TURNED: Final = _pattern(f"{MEMBER}{AND}{ID}")
NUMBER: Final = _pattern(r"[0-9]{1,9}")
SELECT: Final = _pattern(NAMES)
COMMA: Final = re.compile(rb",|%2C|%2c")
TOKEN: Final = re.compile(rb"(?:^|&)(?:\$|%24)skiptoken=([A-Za-z0-9_-]+)(?=&|\Z)")
CUSTOMER_ID: Final = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(slots=True)  # not frozen: making one costs a third
class Asked:
    """What a query says; None where it says nothing."""

    customer: str | None = None
    segment: str | None = None
    select: tuple[str, ...] | None = None
    top: int | None = None
    skip: int = 0
    count: bool = False
    named: frozenset[str] = field(default_factory=frozenset)
    """The options that stand there, for what takes some only."""


NOTHING: Final = Asked()


def text_of(raw: bytes) -> str | None:
    """A literal decoded; None when it is no UTF-8."""
    try:
        text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
    except UnicodeDecodeError:
        return None
    return text if "'" not in text and text.isprintable() else None


def asked(query: bytes) -> Asked | None:
    """The query read; None when it is not one of these."""
    if not query:
        return NOTHING
    if len(query) > LONGEST:
        return None
    if match := ONE.match(query):
        return Asked(match[1].decode(), named=_FILTERED)
    return _read(query)


_FILTERED: Final = frozenset(("$filter",))


@lru_cache(REMEMBERED)
def _read(query: bytes) -> Asked | None:
    found: dict[str, object] = {}
    for part in query.split(b"&"):
        name, equals, value = part.partition(b"=")
        name = b"$" + name[3:] if name.startswith(b"%24") else name
        if equals and name in _OPTIONS:
            said = _OPTIONS[name](value)
        elif match := OF_MEMBER.match(part):
            said = _member(match[1], "IsMemberOfSegment")
        else:
            return None
        if said is None or said.keys() & found.keys():
            return None
        found |= said
    return Asked(
        **{k: v for k, v in found.items() if k[0] not in "$I"},  # type: ignore[arg-type]
        named=frozenset(k for k in found if k[0] in "$I"),
    )


def _filter(value: bytes) -> dict[str, object] | None:
    if match := OF_MEMBER.match(value):
        return _member(match[1], "$filter")
    if match := OF_ID.match(value):
        return {"customer": match[1].decode(), "$filter": 1}
    if match := OF_BOTH.match(value):
        id_, segment = match[1], match[2]
    elif match := OF_BOTH_TURNED.match(value):
        segment, id_ = match[1], match[2]
    else:
        return None
    said = _member(segment, "$filter")
    return None if said is None else said | {"customer": id_.decode()}


def _member(raw: bytes, option: str) -> dict[str, object] | None:
    segment = text_of(raw)
    return None if segment is None else {"segment": segment, option: 1}


def _select(value: bytes) -> dict[str, object] | None:
    if not SELECT.match(value):
        return None
    return {"select": tuple(name.decode() for name in COMMA.split(value)), "$select": 1}


def _number(name: str, value: bytes) -> dict[str, object] | None:
    return {name: int(value), f"${name}": 1} if NUMBER.match(value) else None


def _count(value: bytes) -> dict[str, object] | None:
    return {"count": value == b"true", "$count": 1} if value in (b"true", b"false") else None


def _format(value: bytes) -> dict[str, object] | None:
    return {"$format": 1} if value == b"json" else None


def _top(value: bytes) -> dict[str, object] | None:
    return _number("top", value)


def _skip(value: bytes) -> dict[str, object] | None:
    return _number("skip", value)


_OPTIONS: Final[dict[bytes, Callable[[bytes], dict[str, object] | None]]] = {
    b"$filter": _filter, b"$select": _select, b"$count": _count, b"$format": _format, b"$top": _top, b"$skip": _skip,
}  # fmt: skip
