"""What a record table is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeAlias

from unify.core.errors import SpecError, did_you_mean

Value: TypeAlias = str | int | float | bool | Decimal | date | datetime | bytes | None
"""Of one column, as Python sees it. A datetime is aware; a guid is text, 36 signs, lower case."""


class Kind(StrEnum):
    """Of a column; how SQLite holds it stands in `unify.records.values`."""

    TEXT = "text"
    INTEGER = "integer"
    """64 bits with a sign."""
    DECIMAL = "decimal"
    """With `scale` digits after the point, exact; 18 digits in all."""
    DOUBLE = "double"
    """Finite."""
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    """A moment, to the microsecond."""
    GUID = "guid"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `length`: most code points of a text or bytes of a binary; None: no bound of its own."""

    name: str
    kind: Kind
    scale: int = 0
    length: int | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    key     columns that tell its rows apart; never null, never changed
    keys    further ones, by name (alternate keys): unique where none of their columns is null
    about   what its owner keeps with it, as JSON: labels, relationships, option sets
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """By name, as it is spelt; SpecError."""
        for column in self.columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, [c.name for c in self.columns])
        raise SpecError(f"{self.name} has no column {name[:80]!r}", where=name[:80], hint=hint)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns, in order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read. `version` grows with every write in the store, over all tables."""

    values: Mapping[str, Value]
    version: int
