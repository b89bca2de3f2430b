"""Top so many, or so many per cent, by a value."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Literal

import numpy as np
from pyroaring import BitMap

from segments.blocks.condition import Condition
from segments.lowered import Scope
from segments.model import CUSTOMER_ID, ORDINAL
from segments.predicates import tree as p
from segments.predicates.bind import bind
from segments.predicates.compile import Compiler
from segments.predicates.fields import DOUBLE
from segments.predicates.sentence import sentence
from unify.core.steps import Query


@dataclass(frozen=True)
class Top:
    """Customers by `by`, highest first unless `lowest`; those without a value (null, NaN) are not ranked.

    count, percent  how many; of the ranked ones, rounded up
    ties            of those who share the last place: by_id takes the smallest CustomerIds, include all, drop none
    among           who is ranked; None: everybody
    """

    by: p.Expr
    count: int | None
    percent: Decimal | None
    lowest: bool = False
    ties: Literal["by_id", "include", "drop"] = "by_id"
    among: Condition | None = None

    @property
    def sentence(self) -> str:
        """`among the top 100 by TotalSpend`."""
        many = f"{self.percent} %" if self.count is None else str(self.count)
        ties = {"by_id": "", "include": ", all who share the last place", "drop": ", nobody who shares the last place"}
        among = "" if self.among is None else f" of those with ({self.among.sentence})"
        return f"among the {'lowest' if self.lowest else 'top'} {many} by {sentence(self.by)}{among}{ties[self.ties]}"

    @property
    def segments(self) -> frozenset[str]:
        """Segments that `by` and `among` name."""
        return p.segments_named(self.by) | (frozenset() if self.among is None else self.among.segments)

    def members(self, scope: Scope) -> BitMap:
        """Ranks come from SQL, whatever type the value has; the cut is made here, because `among` may need bitmaps."""
        answer = scope.engine.fetch(self._ranked(scope))
        ordinals = answer.column("ordinal").to_numpy().astype(np.uint32)
        shared, row = answer.column("shared").to_numpy(), answer.column("row").to_numpy()
        if self.among is not None and len(ordinals):
            kept = np.zeros(int(ordinals.max()) + 1, dtype=bool)
            wanted = np.array(self.among.members(scope).to_array(), dtype=np.uint32)
            kept[wanted[wanted < len(kept)]] = True
            ordinals, shared, row = ordinals[kept[ordinals]], shared[kept[ordinals]], row[kept[ordinals]]
        order = np.argsort(row)
        return BitMap(ordinals[order][: self._cut(shared[order])])

    def _cut(self, shared: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> int:
        """How many of the ranked are in; `shared`: the place of each, equal where values are equal."""
        size = len(shared)
        wanted = self.count if self.count is not None else _share(size, self.percent or Decimal(0))
        if wanted >= size or self.ties == "by_id" or shared[wanted] != shared[wanted - 1]:
            return min(wanted, size)
        side: Literal["left", "right"] = "right" if self.ties == "include" else "left"
        return int(np.searchsorted(shared, shared[wanted - 1], side=side))

    def _ranked(self, scope: Scope) -> Query:
        """Per customer with a value: `ordinal`, `shared` place, and `row`, its place with CustomerId deciding."""
        catalog = scope.model.catalog
        bound = bind(self.by, catalog, catalog.customers)
        compiler = Compiler(catalog, catalog.customers, scope.clock)
        value = compiler.value(bound)
        number = " AND NOT isnan(v)" if bound.type == DOUBLE else ""
        way = "ASC" if self.lowest else "DESC"
        sql = (
            f"SELECT ordinal, dense_rank() OVER (ORDER BY v {way}) AS shared,\n"
            f"  row_number() OVER (ORDER BY v {way}, id) AS row\n"
            f"FROM (SELECT {compiler.column(ORDINAL)} AS ordinal, {compiler.column(CUSTOMER_ID)} AS id, {value} AS v\n"
            f"  FROM {compiler.source}) AS ranked\nWHERE v IS NOT NULL{number}"
        )
        return Query(sql, compiler.params)


def _share(size: int, percent: Decimal) -> int:
    return int((size * percent / 100).to_integral_value(ROUND_CEILING))
