"""What a generation keeps for the next run: tables in the schema `incremental`, which readers do not see.

stages       stage, inputs, said: what each stage was made from, and what it reported (both JSON)
values_<n>   the prepared values of the n-th entity of the order, as `prepared_<n>` of a run: rid, v0, v1, …
stars        who shares values in star rules: rule, key_group, side, rid
clusters     rid, cluster, grp: cluster and dedupe group of every record, after weak bridges were cut

They make a generation a third larger (100,000 records: 39 MB instead of 29), and save comparing what did not change.
"""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

SCHEMA = "incremental"
STAGES = f"{SCHEMA}.stages"


def begin(engine: DuckDBEngine) -> None:
    """Make the schema and `stages` where they are not there yet."""
    engine.change(Query(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    engine.change(Query(f"CREATE TABLE IF NOT EXISTS {STAGES} (stage VARCHAR, inputs VARCHAR, said VARCHAR)"))


def tables(engine: DuckDBEngine, database: str | None = None) -> list[str]:
    """Names of the kept tables of this schema."""
    return engine.tables(database, schema=SCHEMA)


def stages(engine: DuckDBEngine, database: str) -> dict[str, tuple[Any, Any]]:
    """Stage to what it was made from and what it said, in an attached generation; nothing when it kept nothing."""
    if "stages" not in tables(engine, database):
        return {}
    rows = engine.fetch(Query(f"SELECT stage, inputs, said FROM {quote(database)}.{STAGES}")).to_pylist()
    return {row["stage"]: (json.loads(row["inputs"]), json.loads(row["said"])) for row in rows}


def write_stages(engine: DuckDBEngine, made: Mapping[str, tuple[Any, Any]]) -> None:
    """Replace what was known of all stages."""
    begin(engine)
    engine.change(Query(f"DELETE FROM {STAGES}"))
    made = {stage: (i, t) for stage, (i, t) in made.items() if i is not None}
    rows = [{"stage": s, "inputs": json.dumps(i), "said": json.dumps(t)} for s, (i, t) in made.items()]
    if not rows:
        return
    engine.load("stages_made", pa.Table.from_pylist(rows))
    engine.change(Query(f"INSERT INTO {STAGES} SELECT stage, inputs, said FROM temp.stages_made"))
    engine.change(Query("DROP TABLE temp.stages_made"))


def keep(engine: DuckDBEngine, name: str, data: pa.Table) -> None:
    """Make or replace a table of this schema."""
    begin(engine)
    engine.load("state_made", data)
    engine.change(Query(f"CREATE OR REPLACE TABLE {SCHEMA}.{quote(name)} AS FROM temp.state_made"))
    engine.change(Query("DROP TABLE temp.state_made"))


def keep_table(engine: DuckDBEngine, name: str) -> None:
    """Make or replace a table of this schema from the scratch table of its name."""
    begin(engine)
    engine.change(Query(f"CREATE OR REPLACE TABLE {SCHEMA}.{quote(name)} AS FROM temp.main.{quote(name)}"))


def columns(engine: DuckDBEngine, database: str) -> dict[str, list[str]]:
    """Table of this schema in an attached generation to its columns."""
    sql = (
        "SELECT table_name, list(column_name) AS columns FROM duckdb_columns() "
        "WHERE database_name = $database AND schema_name = $schema GROUP BY table_name"
    )
    rows = engine.fetch(Query(sql, {"database": database, "schema": SCHEMA})).to_pylist()
    return {row["table_name"]: row["columns"] for row in rows}


def forget(engine: DuckDBEngine, *names: str) -> None:
    """Drop tables of this schema."""
    for name in names:
        engine.change(Query(f"DROP TABLE IF EXISTS {SCHEMA}.{quote(name)}"))
