"""What all nouns share."""

import difflib
import re
import zoneinfo
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
"""Names of sources, entities and lists: a letter, then letters, digits, underscores (reference §2)."""


class Noun(BaseModel):
    """A declared thing: frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)


def _a_name(text: str) -> str:
    if not NAME.match(text):
        raise ValueError(f"{text!r} is not a name: begin with a letter, then letters, digits and underscores")
    return text


def _qualified(text: str) -> str:
    source, dot, entity = text.partition(".")
    if not dot or not NAME.match(source) or not NAME.match(entity):
        raise ValueError(f"{text!r} is not an entity: write source.Entity, e.g. crm.Contacts")
    return text


def one_or_many(value: object) -> object:
    """`x` means `[x]`."""
    return [value] if isinstance(value, str) else value


@cache
def _zones() -> frozenset[str]:
    """Every time zone. Looking for them takes 20 ms, as long as a thousand nouns."""
    return frozenset(zoneinfo.available_timezones())


def known_zone(zone: str) -> str:
    """The name of a time zone, as IANA writes it; ValueError for another text."""
    if zone not in _zones():
        near = difflib.get_close_matches(zone, _zones(), 1)
        raise ValueError(f"there is no time zone {zone!r}" + (f": did you mean {near[0]!r}?" if near else ""))
    return zone


Name = Annotated[str, AfterValidator(_a_name)]
EntityName = Annotated[str, AfterValidator(_qualified)]
"""`source.Entity`."""
Strings = Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...])]
"""One string or a list of them."""
