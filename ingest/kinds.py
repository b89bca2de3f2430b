"""What kind of value an SQL type holds: the one place that reads type names of the engine."""

from typing import Literal

Kind = Literal["text", "integer", "decimal", "double", "boolean", "date", "datetime", "guid", "other"]

_KINDS: dict[str, Kind] = {
    "VARCHAR": "text",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "datetime",
    "TIMESTAMP_S": "datetime",
    "TIMESTAMP_MS": "datetime",
    "TIMESTAMP_NS": "datetime",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "UUID": "guid",
    "FLOAT": "double",
    "DOUBLE": "double",
}
_INTEGERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")} | {
    "INTEGER",
    "UINTEGER",
}

NUMBERS: tuple[Kind, ...] = ("integer", "decimal", "double")
TIMES: tuple[Kind, ...] = ("date", "datetime")


def kind_of(sqltype: str) -> Kind:
    """The kind of an SQL type; `other` for lists, structs, blobs, times of day and intervals.

    >>> kind_of("DECIMAL(18,2)"), kind_of("TIMESTAMP WITH TIME ZONE"), kind_of("INTEGER[]")
    ('decimal', 'datetime', 'other')
    """
    name = sqltype.upper()
    if name in _INTEGERS:
        return "integer"
    if name.startswith("DECIMAL(") and name.endswith(")"):
        return "decimal"
    return _KINDS.get(name, "other")
