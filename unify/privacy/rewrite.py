"""A generation file, written anew without somebody: one that rows are deleted from still holds them on its pages."""

import json
from pathlib import Path

from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.privacy.person import Person
from unify.privacy.scrub import Scrub

BEFORE = "before"
SCHEMAS = ("main", "incremental")
LISTING = frozenset((
    "overrides", "list_values", "listed_customers", "customer_ids", "customer_changes", "value_verdicts", "ignored",
    "evidence_terms",
))  # fmt: skip
"""Tables with rows about somebody that do not come from sources alone; all others were made without them."""
RECORDS = (("entity", "key"), ("entity1", "key1"), ("entity2", "key2"), ("founded_by_entity", "founded_by_key"))
"""Pairs of columns that name a record."""


def rewrite(path: Path, who: Person) -> None:
    """Replace a closed generation file by one whose tables are copied without rows and texts that name the person."""
    fresh = path.with_suffix(".tmp")
    fresh.unlink(missing_ok=True)
    scrub = Scrub(who)
    with DuckDBEngine(fresh) as engine:
        engine.change(Query("SET preserve_insertion_order = true"))  # a customer's activities stay together
        engine.attach(path, BEFORE)
        for schema in SCHEMAS:
            tables = engine.tables(BEFORE, schema)
            if tables and schema != "main":
                engine.change(Query(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            for table in tables:
                where, params = _stays(engine, schema, table, who, scrub)
                made = (
                    f"CREATE TABLE {schema}.{quote(table)} AS FROM {BEFORE}.{schema}.{quote(table)} AS t WHERE {where}"
                )
                engine.change(Query(made, params))
        _project(engine, scrub)
        engine.copy_views(BEFORE)
        engine.detach(BEFORE)
    fresh.replace(path)


def _stays(engine: DuckDBEngine, schema: str, table: str, who: Person, scrub: Scrub) -> tuple[str, dict[str, object]]:
    """Condition for the rows of a table that stay."""
    rows = engine.connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = $db AND schema_name = $schema"
        " AND table_name = $table",
        {"db": BEFORE, "schema": schema, "table": table},
    ).fetchall()
    texts = {name for name, kind in rows if kind == "VARCHAR"}
    if table not in LISTING and not table.endswith("_corrupt"):
        return "true", {}
    tests = [f"coalesce(NOT list_contains($gone, t.{quote(column)}), true)" for column in sorted(texts)]
    for entity, key in RECORDS:
        if {entity, key} <= texts:
            tests.append(f"coalesce(NOT list_contains($gone, t.{entity} || ':' || t.{key}), true)")
    params: dict[str, object] = {"gone": sorted(scrub.names | scrub.values)} if tests else {}
    if table.endswith("_corrupt") and scrub.values:
        said = [c for c in ("value", "details", "raw") if c in texts]
        tests += [f"len(list_filter($values, lambda v: contains(coalesce(t.{c}, ''), v))) = 0" for c in said]
        params["values"] = sorted(scrub.values)
    return " AND ".join(tests) or "true", params


def _project(engine: DuckDBEngine, scrub: Scrub) -> None:
    [(text,)] = engine.connection.execute("SELECT project FROM project").fetchall()
    clean = scrub.json(text)
    if clean != text:
        json.loads(clean)
        engine.change(Query("CREATE OR REPLACE TABLE project AS SELECT $text AS project", {"text": clean}))
