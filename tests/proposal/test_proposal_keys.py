"""Keys that two entities have in common: one person's number is compared, counters that meet by chance are not."""

import random

import pyarrow as pa
import pytest

import unify
from unify.engines.duckdb import DuckDBEngine
from unify.proposal.keys import says_the_same

SHARED = [("Name", "Name"), ("Sex", "Sex")]


def tables(same, n=1_500, seed=1):
    """Two entities with keys 1 to n; the share `same` of the records with one key is one person."""
    dice = random.Random(seed)
    one = [{"Id": i, "Name": f"name{dice.randrange(900)}", "Sex": dice.choice("mf")} for i in range(1, n + 1)]
    other = [{**r, "Name": r["Name"] if dice.random() < same else f"name{dice.randrange(900)}"} for r in one]
    other = [{**r, "Sex": r["Sex"] if dice.random() < same else dice.choice("mf")} for r in other]
    return {"a.P": one, "b.P": other}


@pytest.mark.parametrize(("same", "said"), [(1.0, True), (0.4, True), (0.0, False)])
def test_records_with_one_key_are_held_against_strangers(same, said):
    with DuckDBEngine() as engine:
        for name, rows in tables(same).items():
            for order in (rows, rows[::-1]):  # whatever the order of rows
                engine.connection.register("given", pa.Table.from_pylist(order))
                engine.connection.execute(f"CREATE OR REPLACE TABLE {name.replace('.', '_')} AS FROM given")
        assert says_the_same(engine, ("a.P", "Id"), ("b.P", "Id"), SHARED) is said


def test_where_nothing_else_is_shared_nothing_speaks_against_the_key():
    with DuckDBEngine() as engine:
        assert says_the_same(engine, ("a.P", "Id"), ("b.P", "Id"), [])


def compared(same):
    """Attributes of the plan that is worked out for two sources whose keys are both called Id."""
    frames = {name: pa.Table.from_pylist(rows) for name, rows in tables(same, 400).items()}
    bare = {"sources": {"a": {"P": {"key": "Id"}}, "b": {"P": {"key": "Id"}}}}
    return {attribute.name for attribute in unify.suggest(bare, frames=frames).attributes}


def test_counters_of_two_systems_are_no_evidence():
    assert "Id" not in compared(0.0)


def test_a_number_that_two_systems_share_is_evidence():
    assert "Id" in compared(1.0)
