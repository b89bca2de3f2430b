"""Where a page ended, as a token: a paging cookie as Dataverse writes it.

    <cookie pagenumber="2" pagingcookie="%253ccookie%2520page%253d%25221%2522…" istracking="False" />
    <cookie page="1"><name last="Contoso" first="Adatum" /><accountid last="{…}" first="{…}" /></cookie>

The second stands in the first, percent-encoded twice. It holds the values of the last row, so the next page begins
behind that row, whatever was written meanwhile. `check` binds it to the question it belongs to: a token that was
changed, or is sent with another $orderby or $filter, is refused.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

from unify.dataverse.errors import DataverseError
from unify.dataverse.query.ordering import Key
from unify.dataverse.query.xml import Element, XmlError, parse_xml

LONGEST: Final = 16_000
"""Characters of a token: names of 4,000 characters and a few keys."""
BEYOND: Final = 50_000
"""Rows that pages without a cookie reach, as in Dataverse."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the next page begins.

    page     its number, from 1
    values   of the last row of the page before, in the order of the keys; None: count rows off instead
    left     rows that $top still allows
    """

    page: int = 1
    values: tuple[Any, ...] | None = None
    left: int | None = None


def checked(*parts: object) -> str:
    """What binds a token to its question."""
    return hashlib.sha256(json.dumps(parts, default=repr, ensure_ascii=False).encode()).hexdigest()[:16]


def cookie(keys: Sequence[Key], first: Sequence[Any], last: Sequence[Any], place: Place, check: str) -> str:
    """The inner cookie of a page; `place` is where the next begins."""
    parts = [f'<cookie page="{place.page - 1}" check="{_seal(last, place, check)}"']
    if place.left is not None:
        parts.append(f' left="{place.left}"')
    parts.append(">")
    for key, a, b in zip(keys, first, last, strict=True):
        parts.append(f"<{_tag(key.name)} {_side('last', b)} {_side('first', a)} />")
    return "".join([*parts, "</cookie>"])


def outer(inner: str, page: int) -> str:
    """The cookie around it: $skiptoken, and the annotation of FetchXML."""
    twice = quote(quote(inner, safe=""), safe="")
    return f'<cookie pagenumber="{page}" pagingcookie="{twice}" istracking="False" />'


def counted(place: Place, check: str) -> str:
    """A token of pages that are counted off."""
    left = "" if place.left is None else f' left="{place.left}"'
    return f'<cookie pagenumber="{place.page}" check="{_seal((), place, check)}"{left} istracking="False" />'


def read_token(token: str, keys: Sequence[Key], check: str) -> Place:
    """What `outer` or `counted` made; DataverseError for anything else."""
    found = _parsed(token)
    number = found.attributes.get("pagenumber", "")
    inner = found.attributes.get("pagingcookie")
    if inner is None:
        place = Place(_page(number), None, _left(found))
        _confirm(found, (), place, check)
        return place
    place = read_cookie(unquote(unquote(inner)), keys, check)
    if _page(number) != place.page:
        raise malformed()
    return place


def is_of(token: str, keys: Sequence[Key]) -> bool:
    """Whether a token holds values of these keys; what else is wrong with it, `read_token` tells."""
    try:
        inner = _parsed(token).attributes.get("pagingcookie", "")
        return [child.tag for child in _parsed(unquote(unquote(inner))).children] == [key.name for key in keys]
    except DataverseError:
        return False


def read_cookie(text: str, keys: Sequence[Key], check: str) -> Place:
    """The inner cookie; DataverseError."""
    found = _parsed(text)
    if [child.tag for child in found.children] != [_tag(key.name) for key in keys]:
        raise malformed()
    values = tuple(_value(child) for child in found.children)
    place = Place(_page(found.attributes.get("page", "")) + 1, values, _left(found))
    _confirm(found, values, place, check)
    return place


def malformed() -> DataverseError:
    """Not one of ours, or of another question."""
    return DataverseError(
        "Malformed paging cookie: it belongs to another query, or was changed.",
        code="0x80044352",
        hint="follow @odata.nextLink as it is, or ask for the first page again",
    )


def _parsed(text: str) -> Element:
    if len(text) > LONGEST:
        raise malformed()
    try:
        found = parse_xml(text)
    except XmlError:
        raise malformed() from None
    if found.tag != "cookie":
        raise malformed()
    return found


def _seal(values: Sequence[Any], place: Place, check: str) -> str:
    return checked(check, place.page, list(values), place.left)


def _confirm(found: Element, values: Sequence[Any], place: Place, check: str) -> None:
    if found.attributes.get("check") != _seal(values, place, check):
        raise malformed()


def _page(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise malformed()
    return int(text)


def _left(found: Element) -> int | None:
    text = found.attributes.get("left")
    return None if text is None else _page(text)


def _tag(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][\w.-]*", name, re.ASCII) else "key"


def _side(which: str, value: Any) -> str:
    """`last="…"`: text escaped as in JSON, a guid in braces, a number with its kind where it is not whole."""
    if value is None:
        return f'{which}null="1"'
    if isinstance(value, str):
        return f"{which}={quoteattr(json.dumps(value)[1:-1])}"
    return f'{which}="{value!r}" {which}kind="{type(value).__name__}"'


def _value(child: Element) -> Any:
    if "lastnull" in child.attributes:
        return None
    text, kind = child.attributes.get("last"), child.attributes.get("lastkind")
    try:
        if kind == "int":
            return int(str(text)) if len(str(text)) < 24 else None
        return float(str(text)) if kind == "float" else str(json.loads(f'"{text}"')) if text is not None else None
    except ValueError:
        raise malformed() from None
