"""Random OData filters: the text through parser, binder and SQL says what a naive walk of the syntax tree says.

The walk (tests/oracles/odata_expressions.py) knows the standard and the parser's tree, and nothing of binder or SQL.
"""

import importlib.util
import random
import sys
from pathlib import Path

import duckdb
import pytest

from segments.odata import parse_expression
from segments.odata.binding.bind import bind_filter
from segments.predicates import tree as p
from segments.predicates.compile import truth_of


def _load(name):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, making = _load("odata_expressions"), _load("odata_questions")
NEVER = "the standard lets the request fail"
AT_ONCE = 20


def naive(node, world):
    """Per customer whether the filter keeps it; NEVER where an overflow or a division by zero decides."""
    found = []
    for row in world.tables["Customer"]:
        try:
            found.append(oracle.holds(node, "Customer", row, world))
        except (oracle.UnansweredError, OverflowError):
            found.append(NEVER)
    return found


def disagreements(seed, count, depth=4):
    rng = random.Random(seed)
    rows, segments = making.rows_of(rng)
    world = oracle.World(rows, making.links_of(rows), making.CLOCK, making.ZONE, segments)
    texts = [making.Questions(rng).condition([("", "Customer")], rng.randint(1, depth)) for _ in range(count)]
    nodes = [parse_expression(text) for text in texts]
    trees = [bind_filter(node, making.MODEL) for node in nodes]
    with duckdb.connect(config={"threads": 1}) as connection:
        making.load(connection, rows, segments)
        for start in range(0, count, AT_ONCE):
            query = truth_of(trees[start : start + AT_ONCE], making.MODEL.catalog, "Customer", clock=making.CLOCK)
            answer = connection.execute(query.sql, query.params or None).fetchall()
            by_id = {row[0]: row[1:] for row in answer}
            for i, text in enumerate(texts[start : start + AT_ONCE]):
                said = [by_id[row["ordinal"]][i] is True for row in rows["Customer"]]
                expected = naive(nodes[start + i], world)
                if any(e is not NEVER and s != e for s, e in zip(said, expected, strict=True)):
                    yield f"seed {seed}\n{text}\n{trees[start + i]}\nSQL   {said}\nnaive {expected}"


def told(problems):
    found = [problem for _, problem in zip(range(3), problems, strict=False)]
    if found:
        pytest.fail("\n\n".join(found))


@pytest.mark.parametrize("seed", range(6))
def test_filters_say_what_the_standard_says(seed):
    told(disagreements(seed, 100))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1100))
def test_filters_say_what_the_standard_says_for_longer(seed):
    told(disagreements(seed, 200, depth=5))


def test_random_filters_keep_some_and_leave_some():
    """Filters that nobody passes would agree about nothing."""
    rng = random.Random(5)
    rows, segments = making.rows_of(rng)
    world = oracle.World(rows, making.links_of(rows), making.CLOCK, making.ZONE, segments)
    found = []
    for _ in range(200):
        found += naive(parse_expression(making.Questions(rng).condition([("", "Customer")], 4)), world)
    assert min(found.count(True), found.count(False)) > len(found) / 6
    assert found.count(NEVER) < len(found) / 6


def test_not_of_a_comparison_holds_where_the_value_is_unknown():
    tree = bind_filter(parse_expression("not (Points gt 3)"), making.MODEL)
    assert tree == p.Not(p.Call("is_true", (p.Compare("gt", p.Field("Points"), p.literal(3)),)))
