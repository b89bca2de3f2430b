"""Three evaluators and a simplifier say the same of random trees over random data.

SQL by DuckDB, bitmaps over materialised leaves, and the walk of tests/oracles/predicates.py: for every row true, false
or null. A failure prints its seed; `python -m pytest … --seed` is not needed: the trees are a function of the seed.
"""

import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb
import pytest
from pyroaring import BitMap

from segments import bitmaps
from segments.bind import bind, bind_predicate
from segments.compile import Compiler
from unify.core.errors import QueryError


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, making = _load("predicates"), _load("predicate_trees")
CATALOG, CLOCK = making.CATALOG, making.CLOCK
BATCH = 100
"""Trees over one world. A new world costs 15 ms."""


class Connected:
    """One world in Python and in DuckDB."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        rows, segments = making.world_rows(self.rng)
        self.world = oracle.World(rows, CLOCK, segments)
        self.connection = duckdb.connect(config={"threads": 1})
        making.load_world(self.connection, rows, segments)

    def fetch(self, query):
        return self.connection.sql(query.sql, params=query.params or None).to_arrow_table()

    def naive(self, bound):
        return [oracle.evaluate(bound, [row], self.world) for row in self.world.tables["Customer"]]


def drawn(draw, bind_it, n):
    """n trees that bind, bound. Only a decimal of more than 38 digits, or a double in a list, may keep one from it."""
    found = []
    while len(found) < n:
        tree = draw()
        try:
            found.append((tree, bind_it(tree)))
        except QueryError as error:
            assert "is not possible" in error.message or "is a double, the item" in error.message, error
    return found


def disagreements(seed, n=BATCH, depth=4):
    """What went differently: (seed, tree, evaluator, what it says, what the walk says)."""
    here = Connected(seed)
    trees = making.Trees(here.rng)
    with here.connection:
        pairs = drawn(
            lambda: trees.predicate(["Customer"], here.rng.randint(1, depth)),
            lambda t: bind_predicate(t, CATALOG, "Customer"),
            n,
        )
        said = {tree: here.naive(bound) for tree, bound in pairs}
        ordinals = [row["ordinal"] for row in here.world.tables["Customer"]]
        everything = BitMap(ordinals)
        all_trees = list(said)
        by_sql = bitmaps.materialise(all_trees, CATALOG, "Customer", here.fetch, clock=CLOCK)
        leaves = frozenset().union(*(bitmaps.leaves(t) for t in all_trees))
        leaf = bitmaps.materialise(leaves, CATALOG, "Customer", here.fetch, clock=CLOCK)
        for tree in all_trees:
            combined = bitmaps.combine(tree, everything, leaf, lambda s: BitMap(here.world.segments[s]))
            for name, truth in (("SQL", by_sql[tree]), ("bitmaps", combined)):
                found = [True if o in truth.true else None if o in truth.null else False for o in ordinals]
                if found != said[tree]:
                    yield seed, tree, name, found, said[tree]


@pytest.mark.parametrize("seed", range(3))
def test_evaluators_agree(seed):
    for problem in disagreements(seed):
        pytest.fail("\n".join(map(str, problem)))
