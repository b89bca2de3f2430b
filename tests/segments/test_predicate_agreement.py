"""Three evaluators and a simplifier say the same of random trees over random data.

SQL by DuckDB, bitmaps over materialised leaves, and the walk of tests/oracles/predicates.py: for every row true, false
or null. A failure prints its seed; `python -m pytest … --seed` is not needed: the trees are a function of the seed.
"""

import json
import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb
import pytest
from pyroaring import BitMap

from segments.predicates import bitmaps
from segments.predicates.bind import bind, bind_predicate
from segments.predicates.compile import Compiler
from segments.predicates.fields import KINDS
from segments.predicates.sentence import sentence
from segments.predicates.simplify import simplify
from segments.predicates.tree_json import from_json, to_json
from unify.core.errors import QueryError
from unify.core.steps import Query


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, making = _load("predicates"), _load("predicate_trees")
CATALOG, CLOCK = making.CATALOG, making.CLOCK
ARROW = {
    "boolean": "bool", "integer": "int64", "duration": "int64", "double": "double", "string": "string", "guid": "string",
    "date": "date32[day]", "datetime": "timestamp[us]", "time": "time64[us]", "decimal": "decimal128({t.precision}, {t.scale})",
}  # fmt: skip
BATCH = 400
"""Trees over one world. A new world costs 0.1 s, as much as 30 trees."""


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
            if not ("is not possible" in error.message or "is a double, the item" in error.message):
                raise
    return found


def disagreements(seed, n=BATCH, depth=4):
    """What went differently: (seed, tree, evaluator, what it says, what the walk says)."""
    here = Connected(seed)
    trees = making.Trees(here.rng, relations=making.BACK)
    with here.connection:
        pairs = drawn(
            lambda: trees.predicate(["Customer"], here.rng.randint(1, depth)),
            lambda t: bind_predicate(t, CATALOG, "Customer"),
            n,
        )
        said = {tree: here.naive(bound) for tree, bound in pairs}
        ordinals = [row["ordinal"] for row in here.world.tables["Customer"]]
        everything = BitMap(ordinals)
        leaves = frozenset().union(*(bitmaps.leaves(t) for t in said))
        by_sql = bitmaps.materialise([*said, *leaves], CATALOG, "Customer", here.fetch, clock=CLOCK)
        for tree, expected in said.items():
            combined = bitmaps.combine(tree, everything, by_sql, lambda s: BitMap(here.world.segments[s]))
            for name, truth in (("SQL", by_sql[tree]), ("bitmaps", combined)):
                found = [True if o in truth.true else None if o in truth.null else False for o in ordinals]
                if found != expected:
                    yield seed, tree, name, found, expected
            clock = here.rng.choice([None, CLOCK])
            shorter = simplify(tree, CATALOG, "Customer", clock=clock)
            found = here.naive(bind_predicate(shorter, CATALOG, "Customer"))
            if found != expected or sentence(tree) == "":
                yield seed, tree, f"simplified, clock {clock}", found, expected
            if from_json(json.loads(json.dumps(to_json(tree), allow_nan=False))) != tree:
                yield seed, tree, "JSON", to_json(tree), tree


def told(problems):
    """Fails with the first few problems, the seed first."""
    found = [p for _, p in zip(range(5), problems, strict=False)]
    if found:
        pytest.fail("\n\n".join("seed {}\n{}\n{}: {}\nexpected {}".format(*problem) for problem in found))


@pytest.mark.parametrize("seed", range(50))
def test_three_evaluators_and_the_simplifier_agree(seed):
    told(disagreements(seed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_three_evaluators_and_the_simplifier_agree_on_80_000_more(seed):
    told(disagreements(seed, depth=5))


@pytest.mark.parametrize("seed", range(6))
def test_values_agree_to_the_last_bit(seed):
    told(value_disagreements(seed, n=96))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_values_agree_to_the_last_bit_for_longer(seed):
    told(value_disagreements(seed, n=192, depth=5))


def test_random_predicates_say_everything():
    """Trees that are always null, or always false, would agree about nothing."""
    here = Connected(7)
    trees = making.Trees(here.rng, relations=making.BACK)
    said = [
        v
        for _, bound in drawn(
            lambda: trees.predicate(["Customer"], 4), lambda t: bind_predicate(t, CATALOG, "Customer"), 300
        )
        for v in here.naive(bound)
    ]
    assert min(said.count(True), said.count(False), said.count(None)) > len(said) / 8


def value_disagreements(seed, n=48, depth=3):
    """The same of values of every kind, compared themselves and not only by what comparisons make of them."""
    here = Connected(seed)
    trees = making.Trees(here.rng, relations=making.BACK)
    with here.connection:
        pairs = drawn(
            lambda: trees.value(here.rng.choice(KINDS), ["Customer"], here.rng.randint(1, depth)),
            lambda t: bind(t, CATALOG, "Customer"),
            n,
        )
        for start in range(0, n, bitmaps.LEAVES_PER_QUERY):
            compiler = Compiler(CATALOG, "Customer", CLOCK)
            some = pairs[start : start + bitmaps.LEAVES_PER_QUERY]
            columns = ", ".join(f"{compiler.value(bound)} AS v{i}" for i, (_, bound) in enumerate(some))
            sql = f"SELECT {columns} FROM {compiler.source} ORDER BY {compiler.column('ordinal')}"
            answer = here.fetch(Query(sql, compiler.params))
            for i, (tree, bound) in enumerate(some):
                found, said = answer.column(i).to_pylist(), here.naive(bound)
                assert str(answer.schema.field(i).type) in ARROW[bound.type.kind].format(t=bound.type), (
                    tree,
                    bound.type,
                )
                if list(map(repr, found)) != list(map(repr, said)):
                    yield seed, tree, "SQL", found, said
