"""Server-driven paging: what a `$skiptoken` says.

    generation    the page before was read from it, and so is the next, whatever has been published since
    clock         what `now()` was, so that a moving window does not move between two pages
    after         values of the last row's sort keys (text, null); the next page begins behind it. None: `offset` rows
    offset        were given, of rows that nothing tells apart
    left          how many rows $top still allows; None: all
    count         what $count=true found on the first page
    size          rows a page
    question      a digest of the request, so that a token is not carried over to another one

The text is opaque and ends with a digest of itself: a damaged or invented one is refused. It grants nothing: whoever
holds it can ask the question without it.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from segments.odata.syntax.ast_options import Option, Request, Text
from segments.odata.syntax.printer_options import print_request
from segments.predicates.fields import Type
from unify.core.errors import QueryError

DEFAULT_PAGE = 100
"""Rows, as the vendor's API gives."""
LARGEST_PAGE = 10_000
"""Rows: about 5 MB of JSON. Who wants more at once exports the table."""
DIGEST = 9
"""Bytes: no accident passes 72 bits."""
PERSON = b"odata page"


@dataclass(frozen=True)
class Position:
    """Where a page begins."""

    generation: int
    clock: str
    question: str
    size: int
    after: tuple[str | None, ...] | None = None
    offset: int = 0
    left: int | None = None
    count: int | None = None


def page_size(wanted: int | None) -> int:
    """Rows a page; QueryError for less than one and for more than LARGEST_PAGE."""
    if wanted is None:
        return DEFAULT_PAGE
    if not 1 <= wanted <= LARGEST_PAGE:
        raise QueryError(f"pages of {wanted:,} rows", where="page_size", hint=f"1 to {LARGEST_PAGE:,}")
    return wanted


def question_of(request: Request) -> str:
    """A digest of what is asked, whichever page of it."""
    return _digest(print_request(without_token(request)).encode()).hex()


def without_token(request: Request) -> Request:
    """The request of the first page; the types are those of the generation, so their version need not be said again."""
    return replace(request, options=tuple(o for o in request.options if not _is_passing(o)))


def _is_passing(option: Option) -> bool:
    return isinstance(option, Text) and option.name in ("$skiptoken", "$schemaversion")


def _is_token(option: Option) -> bool:
    return isinstance(option, Text) and option.name == "$skiptoken"


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST, person=PERSON).digest()


def next_link(request: Request, position: Position) -> str:
    """The request with the token of the next page, percent-encoded, relative to the service root."""
    first = without_token(request)
    return print_request(replace(first, options=(*first.options, Text("$skiptoken", token(position)))))


def token(position: Position) -> str:
    """A position as text."""
    said = {name: value for name, value in asdict(position).items() if value is not None}
    content = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
    return urlsafe_b64encode(_digest(content) + content).decode().rstrip("=")


def position_of(request: Request) -> Position | None:
    """Where the request's page begins; None for the first one. QueryError for a token that is none of ours."""
    found = next((o for o in request.options if _is_token(o)), None)
    if not isinstance(found, Text):
        return None
    position = _read(found.value)
    if position.question != question_of(request):
        hint = "follow a next link as it is, or leave $skiptoken out to begin again"
        raise QueryError("this $skiptoken belongs to another question", where="$skiptoken", hint=hint)
    return position


def _read(text: str) -> Position:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (Base64Error, ValueError):
        raw = b""
    if len(raw) <= DIGEST or _digest(raw[DIGEST:]) != raw[:DIGEST]:
        hint = "follow a next link as it is; $skip begins at a row of your choice"
        raise QueryError("this $skiptoken is damaged, or not from here", where="$skiptoken", hint=hint)
    said: dict[str, Any] = json.loads(raw[DIGEST:])
    after = said.get("after")
    return Position(**said | {"after": None if after is None else tuple(after)})


# ── keyset ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class SortKey:
    """One key that rows are sorted by: its SQL, its type, and the way. Null is the least, as OData says."""

    sql: str
    type: Type
    descending: bool = False

    def order(self, place: int) -> str:
        """For ORDER BY, by the place of the column: a name could be one of the table."""
        return f"{place} DESC NULLS LAST" if self.descending else f"{place} ASC NULLS FIRST"

    def window_order(self) -> str:
        """For ORDER BY of a window, which takes no places."""
        return f"{self.sql} DESC NULLS LAST" if self.descending else f"{self.sql} ASC NULLS FIRST"


def behind(keys: Sequence[SortKey], after: Sequence[str | None]) -> tuple[str, dict[str, Any]]:
    """SQL of "this row stands behind the one with these values", and what it binds. The last key has no two alike."""
    params: dict[str, Any] = {}
    cases: list[str] = []
    same: list[str] = []
    for i, (key, value) in enumerate(zip(keys, after, strict=True)):
        bound = f"CAST($after{i} AS {key.type.sql})"
        if value is not None:
            params[f"after{i}"] = value
        if further := _further(key, bound, value is None):
            cases.append(" AND ".join([*same, further]))
        same.append(f"{key.sql} IS NULL" if value is None else f"{key.sql} = {bound}")
    return f"({' OR '.join(f'({case})' for case in cases) or 'FALSE'})", params


def _further(key: SortKey, bound: str, is_null: bool) -> str:
    if key.descending:
        return "" if is_null else f"({key.sql} < {bound} OR {key.sql} IS NULL)"
    return f"{key.sql} IS NOT NULL" if is_null else f"{key.sql} > {bound}"


def sort_text(value: Any) -> str | None:
    """A value of a sort key so that SQL's CAST reads it again without loss."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
