"""Rows that are new, changed or gone, by key: the table of an entity now against that of the generation before.

makes  delta_<n>   key, kind (inserted, updated, deleted): one row per change of the n-th entity of the order (scratch)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from unify.core.names import quote, table_of
from unify.core.reports import SourceChange
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.incremental.planning import READ, not_compared

INSERTED, UPDATED, DELETED = "inserted", "updated", "deleted"
FLOATS = ("FLOAT", "DOUBLE", "REAL")
"""Minus zero equals zero, and is written otherwise."""


@dataclass(frozen=True)
class Delta:
    """Changes of one entity. `table`: where they are, empty when there are none; `same_columns`: names and types."""

    entity: str
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    table: str = ""
    same_columns: bool = True

    @property
    def any(self) -> bool:
        """Whether anything changed."""
        return bool(self.inserted or self.updated or self.deleted or not self.same_columns)

    @property
    def moves(self) -> bool:
        """Whether keys came or went, so that records are numbered anew."""
        return bool(self.inserted or self.deleted)


def delta_of(engine: DuckDBEngine, previous: str, entity: str, key: str, number: int) -> Delta:
    """Compare an entity with what it was in the attached database `previous`; both have it."""
    table, makes = quote(table_of(entity)), f"delta_{number}"
    types = engine.columns(table_of(entity))
    if types != columns_before(engine, previous, entity):
        return Delta(entity, same_columns=False)
    differs = " OR ".join(_differs(column, kind) for column, kind in types.items())
    k = quote(key)
    sql = (
        f"SELECT coalesce(now.{k}, old.{k}) AS key, CASE WHEN old.{k} IS NULL THEN '{INSERTED}' "
        f"WHEN now.{k} IS NULL THEN '{DELETED}' ELSE '{UPDATED}' END AS kind\n"
        f"FROM main.{table} AS now FULL JOIN {quote(previous)}.main.{table} AS old ON now.{k} = old.{k}\n"
        f"WHERE now.{k} IS NULL OR old.{k} IS NULL OR {differs}"
    )
    engine.build(Step(makes, Query(sql), f"what changed in {entity}"))
    counts = engine.fetch(Query(f"SELECT kind, count(*) AS n FROM {makes} GROUP BY kind")).to_pylist()
    found = {row["kind"]: row["n"] for row in counts}
    rows = int(engine.fetch(Query(f"SELECT count(*) FROM main.{table}")).column(0)[0].as_py())
    changed = found.get(INSERTED, 0) + found.get(UPDATED, 0)
    return Delta(entity, found.get(INSERTED, 0), found.get(UPDATED, 0), found.get(DELETED, 0), rows - changed, makes)


def _differs(column: str, kind: str) -> str:
    now, old = f"now.{quote(column)}", f"old.{quote(column)}"
    if kind in FLOATS:
        now, old = f"CAST({now} AS VARCHAR)", f"CAST({old} AS VARCHAR)"
    return f"{now} IS DISTINCT FROM {old}"


def columns_before(engine: DuckDBEngine, previous: str, entity: str) -> dict[str, str]:
    """Column name to SQL type of an entity's table in an attached database, in order; empty when there is none."""
    sql = (
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = $previous AND schema_name = 'main' "
        "AND table_name = $table ORDER BY column_index"
    )
    rows = engine.fetch(Query(sql, {"previous": previous, "table": table_of(entity)})).to_pylist()
    return {row["column_name"]: row["data_type"] for row in rows}


def change_of(delta: Delta) -> SourceChange:
    """A delta as the report says it."""
    if not delta.same_columns:
        return not_compared(delta.entity)
    return SourceChange(
        entity=delta.entity,
        state=READ,
        inserted=delta.inserted,
        updated=delta.updated,
        deleted=delta.deleted,
        unchanged=delta.unchanged,
    )


def names_of(deltas: Iterable[Delta]) -> str:
    """Entities that changed, for people."""
    return ", ".join(delta.entity for delta in deltas if delta.any)
