"""Types of columns that are combined, and what a semantic label says about combining them.

Types are the engine's own spelling: VARCHAR, BIGINT, DECIMAL(18,2), DOUBLE, BOOLEAN, DATE, TIMESTAMP, UUID ...
"""

import re
from collections.abc import Iterable
from typing import Literal

INTEGERS = {
    "TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19, "HUGEINT": 39,
    "UTINYINT": 3, "USMALLINT": 5, "UINTEGER": 10, "UBIGINT": 20,
}  # fmt: skip
"""Integer types and the decimal digits each may need."""
DOUBLES = {"FLOAT", "DOUBLE"}
MOMENTS = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}
TEXT = "VARCHAR"
MAX_DECIMAL = 38
"""Digits of the widest decimal DuckDB has."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)\Z")
_DOTTED = ("person.", "identity.", "location.")
_UNDOTTED = {
    f"{kind}{part}".casefold()
    for kind, parts in {
        "Person": "FullName FirstName MiddleName LastName BirthDate Gender ProfileImage",
        "Location": "Address AddressStreet City County State Province Region Country Continent PostalCode Latitude "
        "Longitude Point Timezone",
        "Identity": "ServiceEmail ServicePhone ServiceFacebook ServiceTwitter GovernmentID",
    }.items()
    for part in parts.split()
}
"""Labels as the vendor's API spells them, without dots (reference §2)."""


def combining_label(label: str | None) -> str | None:
    """The label folded for comparison, if columns that share it mean the same thing of a person; else None.

    >>> combining_label("Person.FullName"), combining_label("PersonFullName"), combining_label("Calendar.Date")
    ('personfullname', 'personfullname', None)
    """
    folded = (label or "").strip().casefold()
    if folded.startswith(_DOTTED) or folded in _UNDOTTED:
        return folded.replace(".", "")
    return None


def is_text(kind: str) -> bool:
    """Whether values are strings, of which the empty one counts as no value."""
    return kind == TEXT


def recency_family(kind: str) -> Literal["time", "number"] | None:
    """What a recency column of this type is measured in; None if it says nothing about recency."""
    if kind == "DATE" or kind in MOMENTS:
        return "time"
    return "number" if _is_number(kind) else None


def promote(kinds: Iterable[str]) -> tuple[str, bool]:
    """The type that holds values of all these types, and whether the change is one a user should hear of.

    integer → decimal → double, date → datetime; anything else meets as string.

    >>> promote(["BIGINT", "DECIMAL(18,2)"]), promote(["DATE", "TIMESTAMP"]), promote(["BOOLEAN", "VARCHAR"])
    (('DECIMAL(21,2)', False), ('TIMESTAMP', False), ('VARCHAR', True))
    """
    distinct = sorted(set(kinds))
    if len(distinct) == 1:
        return distinct[0], False
    if all(_is_number(kind) for kind in distinct):
        return _widest_number(distinct)
    if all(recency_family(kind) == "time" for kind in distinct):
        zoned = any(kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for kind in distinct)
        return ("TIMESTAMP", zoned)
    return TEXT, True


def cast(expression: str, kind: str, to: str) -> str:
    """SQL that turns a value of one type into another; a zoned time becomes UTC, whatever the session's zone is."""
    if kind == to:
        return expression
    if kind in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"):
        expression = f"({expression} AT TIME ZONE 'UTC')"
    return f"CAST({expression} AS {to})"


def _is_number(kind: str) -> bool:
    return kind in INTEGERS or kind in DOUBLES or bool(_DECIMAL.match(kind))


def _widest_number(kinds: list[str]) -> tuple[str, bool]:
    if any(kind in DOUBLES for kind in kinds):
        return "DOUBLE", False
    whole, scale = 0, 0
    for kind in kinds:
        found = _DECIMAL.match(kind)
        digits, places = (int(found[1]), int(found[2])) if found else (INTEGERS[kind], 0)
        whole, scale = max(whole, digits - places), max(scale, places)
    if not scale and whole <= 19 and "UBIGINT" not in kinds:
        return "BIGINT", False
    if whole + scale > MAX_DECIMAL:
        return "DOUBLE", True
    return f"DECIMAL({whole + scale},{scale})", False
