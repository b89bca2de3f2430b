"""A question as FetchXML puts it. SQL and `$apply` are read into the same nouns.

Fetch ── Source ─┬─ Attribute        what is told of a table
                 ├─ Filter ── Condition, Filter, Link (any, not any, all, not all)
                 ├─ Order
                 └─ Link ── Source   a further table
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from unify.dataverse.query.operators import Operator


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that is told, grouped by, or worked out over rows.

    aggregate   count, countcolumn, sum, avg, min or max; empty: none
    grouping    of a date that is grouped by: day, week, month, quarter, year, fiscal-period, fiscal-year
    children    rowaggregate="CountChildren": how many rows point at this one in the hierarchy
    """

    name: str
    alias: str = ""
    aggregate: str = ""
    grouped: bool = False
    grouping: str = ""
    distinct: bool = False
    children: bool = False
    source: str = ""
    """Alias of the table, where it is not the one that the attribute stands in."""


@dataclass(frozen=True, slots=True)
class Condition:
    """On one column. `entity`: alias of the table it is of; `other`: the column that it is compared with."""

    attribute: str
    operator: Operator
    values: tuple[Any, ...] = ()
    entity: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """All of its items, or one of them."""

    every: bool
    items: "tuple[Condition | Filter | Link, ...]"


@dataclass(frozen=True, slots=True)
class Order:
    """By a column, or by what is called `alias`."""

    attribute: str = ""
    alias: str = ""
    descending: bool = False
    entity: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One table. `every`: all of its columns are told."""

    table: str
    alias: str = ""
    attributes: tuple[Attribute, ...] = ()
    every: bool = False
    filters: tuple[Filter, ...] = ()
    orders: tuple[Order, ...] = ()
    links: "tuple[Link, ...]" = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A further table: rows whose `start` is the parent's `to`.

    kind   inner, outer, exists, in, matchfirstrowusingcrossapply; in a filter any, not any, all, not all
    """

    source: Source
    start: str
    to: str
    kind: str = "inner"


@dataclass(frozen=True, slots=True)
class Fetch:
    """The whole question.

    count, page, cookie   of pages; top has none
    skip                  rows that are left out first (SQL's OFFSET)
    by_number             choices are sorted by their numbers, not their labels

    """

    source: Source
    aggregate: bool = False
    distinct: bool = False
    top: int | None = None
    count: int | None = None
    page: int = 1
    cookie: str | None = None
    total: bool = False
    by_number: bool = False
    most: int = 50_000
    skip: int = 0


Items: TypeAlias = Sequence[Condition | Filter | Link]
