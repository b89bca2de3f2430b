"""Query and Step: what an engine is asked to do, as data.

A stage is a list of Steps in order. Run, dry-run, explain, profile and golden tests all read that one list.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT with its bound values. `params` are named: `$name` in the SQL."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """Make one table from a SELECT.

    makes     the table; bare, stable name
    query     the SELECT
    why       one sentence for dry-run, progress and explain
    reads     tables it reads (ours, not system tables)
    keep      True: part of the generation, readers see it. False: scratch, gone with the connection
    releases  scratch tables nobody needs after this step: the engine drops them to free memory
    view      True: readers get the SELECT itself under that name, nothing is stored; it takes no bound values
    plain     text columns of a kept table whose values hardly repeat, such as keys: stored as they are. To compress
              them takes longer than all the rest of writing a table and saves half of their size
    """

    makes: str
    query: Query
    why: str
    reads: tuple[str, ...] = ()
    keep: bool = False
    releases: tuple[str, ...] = ()
    view: bool = False
    plain: tuple[str, ...] = ()
