"""Prepared values of two generations: kept from run to run, worked out again for changed records alone.

makes  incremental.values_<n>   the values of the n-th entity of the order, under the rids of today (kept)
       prepared_<n>             a view on them, as rules read them
       prepared_<PAST + n>      a view on those of the generation before, under its rids
       changed_<n>              values of records that are new or changed: rid, v0, v1, …
       changed_<PAST + n>       what records had that are changed or gone: rid (of then), now (rid of today, or null), …
       prepared_<CAME + n>      views on those two
       prepared_<WENT + n>
       changed_now              rids of records that are new or changed
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from unify.conflation import compare
from unify.conflation.all_records import AllRecords
from unify.conflation.binding import BoundPlan
from unify.conflation.normalize import define
from unify.conflation.prepare import Prepared
from unify.conflation.rules import BoundRule, Side
from unify.core.names import quote, table_of
from unify.core.plain import hardly_repeat
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.renumber import GONE, REMAP, Rids
from unify.incremental.state import SCHEMA

PAST, CAME, WENT = 1000, 2000, 3000
"""Added to an entity's number: its values in the generation before, and of changed records alone, of today and of then.
An order has fewer entities."""


def values_table(number: int) -> str:
    """Where the values of the n-th entity are kept."""
    return f"values_{number}"


def keep_values(engine: DuckDBEngine, prepared: Iterable[Prepared]) -> None:
    """Keep what a whole run prepared."""
    for one in prepared:
        kept = f"{quote(engine.database)}.{SCHEMA}.{values_table(one.number)}"
        texts = [column for column, kind in engine.columns(one.table).items() if kind == "VARCHAR"]
        engine.fill(kept, Query(f"SELECT * FROM {one.table}"), hardly_repeat(engine, one.table, texts))


def elsewhere(bound: BoundRule, number: int, offset: int) -> BoundRule:
    """A rule over other values (PAST, CAME, WENT), under another number."""

    def there(side: Side) -> Side:
        if isinstance(side, AllRecords):
            return replace(side, members=tuple(replace(one, number=offset + one.number) for one in side.members))
        return replace(side, number=offset + side.number)

    left = there(bound.left)
    return replace(bound, number=number, left=left, right=left if bound.one_table else there(bound.right))


class ChangedValues:
    """Brings the kept values up to date."""

    def __init__(self, engine: DuckDBEngine, previous: str, rids: Rids) -> None:
        self.engine, self.rids = engine, rids
        self.here = f"{quote(engine.database)}.{SCHEMA}"
        self.previous = f"{quote(previous)}.{SCHEMA}"

    def make(self, bound: BoundPlan, keys: dict[str, str]) -> None:
        """Make all tables of this module. `keys`: the key column of every entity."""
        was = self.rids.then[self.rids.changed]
        before = np.concatenate((was[was != GONE], self.rids.gone)).astype(np.int32)
        self.engine.load("changed_now", pa.table({"rid": self.rids.changed}))
        self.engine.load("changed_before", pa.table({"rid": before}))
        sql = "SELECT r.rid, r.entity_no, r.key FROM records AS r SEMI JOIN changed_now USING (rid)"
        self.engine.build(Step("changed_rows", Query(sql), "records that are new or changed"))
        self.engine.define(compare.functions())
        for one in bound.prepared.values():
            self._one(one, keys[one.entity])
        for name in ("changed_before", "changed_rows"):
            self.engine.change(Query(f"DROP TABLE temp.{name}"))

    def _one(self, one: Prepared, key: str) -> None:
        n, table = one.number, values_table(one.number)
        define(self.engine, one.chains, one.lists)
        rows = (
            f"{quote(table_of(one.entity))} AS source\n"
            f"JOIN changed_rows AS record_rows ON record_rows.key = CAST(source.{quote(key)} AS VARCHAR) "
            f"AND record_rows.entity_no = {n}"
        )
        for step in replace(one, rows=rows).steps(self.engine):
            self.engine.build(step)
        self.engine.change(Query(f"DROP TABLE IF EXISTS temp.changed_{n}"))
        self.engine.change(Query(f"ALTER TABLE temp.{one.table} RENAME TO changed_{n}"))
        old = f"SELECT {REMAP}(rid) AS now, * FROM {self.previous}.{table} SEMI JOIN changed_before USING (rid)"
        self.engine.build(Step(f"changed_{PAST + n}", Query(old), f"what changed records of {one.entity} had"))
        kept = f"{self.here}.{table}"
        self.engine.change(Query(f"DELETE FROM {kept} WHERE rid IN (SELECT rid FROM changed_before)"))
        if self.rids.moved:
            self.engine.change(Query(f"UPDATE {kept} SET rid = {REMAP}(rid)"))
        self.engine.change(Query(f"INSERT INTO {kept} SELECT * FROM changed_{n}"))
        for number, sql in (
            (n, f"FROM {kept}"),
            (PAST + n, f"FROM {self.previous}.{table}"),
            (CAME + n, f"FROM changed_{n}"),
            (WENT + n, f"SELECT * EXCLUDE (now) FROM changed_{PAST + n}"),
        ):
            self.engine.build(Step(f"prepared_{number}", Query(sql), "values to compare", view=True))
