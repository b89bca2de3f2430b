"""What a write is given and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

Key: TypeAlias = str | Mapping[str, Any]
"""Of a row: its guid, or the values of an alternate key by property name (a lookup's as `_name_value`)."""

Body: TypeAlias = Mapping[str, Any]
"""A row as a client sends it: properties, `<navigation>@odata.bind`, nested rows; other annotations are passed over."""


class Condition(Enum):
    """A condition that names no version."""

    ANY = "*"
    NEW = "new"


ANY: Final = Condition.ANY
"""If-Match: *. The row must be there."""
NEW: Final = Condition.NEW
"""If-None-Match: *. The row must not be there."""

Expect: TypeAlias = int | Condition | None
"""Of a write: a version (If-Match with an ETag), ANY, NEW; None: no condition."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and when: every row of one request has one moment. `user` is a systemuserid."""

    user: str
    business_unit: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was written. `version` is what its ETag is made of."""

    table: str
    id: str
    version: int
    created: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """A row that is not there any more, as change tracking tells of it."""

    table: str
    id: str
    version: int
