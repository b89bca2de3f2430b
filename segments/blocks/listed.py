"""Listed customers: ids and records, as somebody wrote them down."""

from dataclasses import dataclass

import pyarrow.compute as pc
from pyroaring import BitMap

from segments.blocks.condition import bitmap
from segments.lowered import Scope
from unify.core.steps import Query

LISTS = "listed_customers"
"""The kept table of lists that came from files: one row per `segment` and `item`."""
SHOWN_ITEMS = 20
"""Of unknown entries; the rest is counted."""

_RESOLVE = """
SELECT i.item, coalesce(c.ordinal, m.ordinal) AS ordinal
FROM ({items}) AS i
LEFT JOIN customer_ids AS given ON given."CustomerId" = lower(i.item)
LEFT JOIN customer_ids AS active
  ON active."CustomerId" = CASE WHEN given.retired_run IS NULL THEN given."CustomerId" ELSE given.successor END
LEFT JOIN "Customer" AS c ON c."CustomerId" = active."CustomerId"
LEFT JOIN members AS m ON m.entity = split_part(i.item, ':', 1) AND m.key = substring(i.item, instr(i.item, ':') + 1)
"""


@dataclass(frozen=True)
class Listed:
    """Ids (retired ones stand for who they became) and records, `crm.Contacts:C-1`."""

    items: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """`one of 3 listed customers`."""
        return f"one of {len(self.items)} listed customers" if len(self.items) > 1 else f"the customer {self.items[0]}"

    @property
    def segments(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def members(self, scope: Scope) -> BitMap:
        """Those that are found; the others are in `unknown`."""
        return _found(scope, self._query())

    def unknown(self, scope: Scope) -> tuple[str, ...]:
        """Entries that stand for no customer, as written, sorted."""
        return _missing(scope, self._query())

    def _query(self) -> Query:
        return Query(_RESOLVE.format(items="SELECT DISTINCT unnest(CAST($items AS VARCHAR[])) AS item"),
                     {"items": list(self.items)})  # fmt: skip


@dataclass(frozen=True)
class ListedInFile:
    """The list of a segment whose `members` name a file; a run keeps its entries in `listed_customers`."""

    segment: str

    @property
    def sentence(self) -> str:
        """`in the list of vip`."""
        return f"in the list of {self.segment}"

    @property
    def segments(self) -> frozenset[str]:
        """None."""
        return frozenset()

    def members(self, scope: Scope) -> BitMap:
        """Those that are found; the others are in `unknown`."""
        return _found(scope, self._query())

    def unknown(self, scope: Scope) -> tuple[str, ...]:
        """Entries that stand for no customer, as written, sorted."""
        return _missing(scope, self._query())

    def _query(self) -> Query:
        items = f"SELECT DISTINCT item FROM {LISTS} WHERE segment = $segment"
        return Query(_RESOLVE.format(items=items), {"segment": self.segment})


def _found(scope: Scope, query: Query) -> BitMap:
    return bitmap(
        scope.engine.fetch(Query(f"SELECT ordinal FROM ({query.sql}) WHERE ordinal IS NOT NULL", query.params))
    )


def _missing(scope: Scope, query: Query) -> tuple[str, ...]:
    sql = f"SELECT item FROM ({query.sql}) WHERE ordinal IS NULL ORDER BY item"
    return tuple(pc.cast(scope.engine.fetch(Query(sql, query.params)).column(0), "string").to_pylist())


def listing(items: tuple[str, ...]) -> str:
    """Unknown entries as a warning names them."""
    shown = ", ".join(items[:SHOWN_ITEMS])
    return shown + (f" and {len(items) - SHOWN_ITEMS} more" if len(items) > SHOWN_ITEMS else "")
