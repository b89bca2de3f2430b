"""Every table that a run keeps is documented in docs/tables.md, with its columns, and its grain holds."""

import re
from pathlib import Path

import pytest
import yaml

from unify.core.names import corrupt_table_of, quote, table_of
from unify.spec import Project

ROOT = Path(__file__).parents[2]
PROJECT = Project.model_validate(yaml.safe_load((ROOT / "sample_data" / "project.yaml").read_text(encoding="utf-8")))
ORDER = [o.entity for o in PROJECT.conflation.order]

GRAINS = {
    "entities": ["entity"],
    "overrides": None,
    "list_values": ["list", "value", "alias"],
    "project": [],
    "records": ["rid"],
    "rules": ["rule"],
    "links": ["a", "b", "rule"],
    "cuts": ["a", "b"],
    "doubtful_links": ["a", "b"],
    "ignored": ["rule", "value"],
    "evidence_model": ["rule", "comparison", "level"],
    "evidence_overlaps": ["rule", "comparison", "level", "parent_level"],
    "evidence_kinds": ["rule", "kind", "comparison"],
    "evidence_terms": ["rule", "comparison", "value"],
    "value_verdicts": ["columns", "normalized", "value"],
    "members": ["rid"],
    "customer_ids": ["CustomerId"],
    "customer_changes": ["change", "CustomerId", "other"],
    "Customer": ["CustomerId"],
    "customer_sources": ["ordinal"],
    "customer_lineage": ["CustomerId", "column"],
    "ConflationMatchPairs": ["TrueObjectId"],
    "UnifiedActivity": ["ActivityId"],
    "orphan_activities": ["entity", "key"],
    "Customer_Measure": ["CustomerId"],
    "Measure_MonthlySpend": ["CustomerId", "Month"],
    "Measure_Revenue": [],
    "listed_customers": None,
    **{table_of(name): [entity.key] for name, entity in PROJECT.entities.items()},
    **{corrupt_table_of(name): ["file", "line"] for name in PROJECT.entities},
    **{f"Deduplication_{table_of(name)}": [PROJECT.entities[name].key] for name in ORDER},
}
"""Table to the columns of which no two rows have the same; none: exactly one row. Null: rows as ingested, any number."""
ALSO_UNIQUE = [
    ("records", ["entity", "key"]), ("members", ["entity", "key"]), ("customer_ids", ["ordinal"]),
    ("entities", ["table_name"]), ("UnifiedActivity", ["SourceTableName", "SourceActivityId"]),
]  # fmt: skip


def documented():
    """Table name as documented → names of its columns: what stands in backticks, but in brackets."""
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+?)`(?: \(view\))? \| .+? \| (.+) \|$", page, re.MULTILINE)
    return {
        name: re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*`[^()]*\)", "", said)))
        for name, said in rows
    }


DOCUMENTED = documented()


def pattern_of(table):
    """The name under which a table stands in the documents."""
    for name in PROJECT.entities:
        for pattern in ("<Source>_<Entity>", "<Source>_<Entity>_corrupt", "Deduplication_<Source>_<Entity>"):
            if table == pattern.replace("<Source>_<Entity>", table_of(name)):
                return pattern
    return "Measure_<Name>" if table.startswith("Measure_") else table


def columns_of(connection, table):
    return [row[0] for row in connection.sql(f"DESCRIBE {quote(table)}").fetchall()]


def tables_of(connection):
    shown = connection.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'").fetchall()
    return {name for (name,) in shown}


def test_every_table_is_documented_and_every_documented_table_is_there(sample_instance):
    kept = tables_of(sample_instance)
    assert {t for t in kept if pattern_of(t) not in DOCUMENTED} == set()
    assert set(DOCUMENTED) == {pattern_of(t) for t in kept}


def test_every_table_has_a_grain(sample_instance):
    assert set(GRAINS) == tables_of(sample_instance)


@pytest.mark.parametrize(
    ("table", "key"),
    [*((t, k) for t, k in GRAINS.items() if k is not None), *ALSO_UNIQUE],
    ids=lambda x: x if isinstance(x, str) else "+".join(x) or "one row",
)
def test_grain(sample_instance, table, key):
    rows = sample_instance.sql(f"SELECT count(*) FROM {quote(table)}").fetchall()[0][0]
    if not key:
        assert rows == 1
        return
    columns = ", ".join(map(quote, key))
    distinct = sample_instance.sql(f"SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {quote(table)})").fetchall()[
        0
    ][0]
    assert rows == distinct


def test_the_sample_fills_the_tables(sample_instance):
    """Or their grains would hold of nothing."""
    empty = {t for t in GRAINS if not sample_instance.sql(f"SELECT count(*) FROM {quote(t)}").fetchall()[0][0]}
    assert empty <= {
        "ignored",
        "listed_customers",
        "value_verdicts",
        "evidence_model",
        "evidence_overlaps",
        "evidence_kinds",
        "evidence_terms",
    }


FIXED = sorted(
    t
    for t in DOCUMENTED
    if "<" not in t and t not in ("Customer", "customer_sources", "ConflationMatchPairs", "Customer_Measure")
)


@pytest.mark.parametrize("table", FIXED)
def test_columns_are_those_documented(sample_instance, table):
    assert DOCUMENTED[table] == columns_of(sample_instance, table)


@pytest.mark.parametrize("name", PROJECT.entities)
def test_columns_of_an_entity(sample_instance, name):
    assert columns_of(sample_instance, corrupt_table_of(name)) == DOCUMENTED["<Source>_<Entity>_corrupt"]
    [listed] = sample_instance.sql(
        'SELECT list_transform(from_json(columns, \'[{"name": "VARCHAR"}]\'), lambda c: c.name) FROM entities WHERE entity = $name',
        params={"name": name},
    ).fetchall()
    assert columns_of(sample_instance, table_of(name)) == listed[0]


def test_columns_of_measures(sample_instance):
    attributes = [name for name, measure in PROJECT.measures.items() if measure.kind == "attribute"]
    assert columns_of(sample_instance, "Customer_Measure") == [*DOCUMENTED["Customer_Measure"], *attributes]
    monthly = [*DOCUMENTED["Measure_<Name>"], "Month", "MonthlySpend"]
    assert columns_of(sample_instance, "Measure_MonthlySpend") == monthly


def test_columns_of_customer(sample_instance):
    columns = columns_of(sample_instance, "Customer")
    keys = [f"{table_of(e)}_{PROJECT.entities[e].key}{suffix}" for e in ORDER for suffix in ("", "_Alternate")]
    assert columns[0] == "CustomerId"
    assert {*keys, "PreviousCustomerId", *PROJECT.clusters} <= set(columns)
    assert columns[-1] == "ordinal"
    unified = [c for c in columns[1:-1] if c not in {*keys, "PreviousCustomerId", *PROJECT.clusters}]
    assert columns_of(sample_instance, "customer_sources") == ["ordinal", *unified]


@pytest.mark.parametrize("name", ORDER)
def test_columns_of_deduplication(sample_instance, name):
    key = PROJECT.entities[name].key
    assert columns_of(sample_instance, f"Deduplication_{table_of(name)}") == [
        key, f"{key}_Alternate", *DOCUMENTED["Deduplication_<Source>_<Entity>"]
    ]  # fmt: skip


def test_columns_of_match_pairs(sample_instance):
    keys = [f"{table_of(e)}_{PROJECT.entities[e].key}{suffix}" for e in ORDER for suffix in ("", "_Alternate")]
    assert columns_of(sample_instance, "ConflationMatchPairs") == [
        "TrueObjectId",
        *keys,
        "ConflationMatchPairs_ModifiedOn",
    ]
