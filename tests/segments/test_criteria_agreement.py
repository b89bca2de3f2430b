"""Random criteria over random worlds: what lowering and the evaluators find is what a naive walk over plain data finds.

A failure prints seed, clock, zone and criteria; `disagreements(seed)` gives it again.
"""

import json
import random
import sys
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pytest

from segments.blocks.condition import Condition
from segments.lowered import Scope
from segments.lowering import lower, sentence_of
from segments.model import model_of
from segments.predicates.compile import rows_where
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project, Segment


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, making = _load("criteria"), _load("criteria_trees")
BATCH = 30
"""Criteria over one world. A world costs as much as five of them."""


def worlds(seed):
    """A world in Python and in DuckDB, and criteria to draw from."""
    rng = random.Random(seed)
    made = making.Making(rng)
    engine = DuckDBEngine(threads=1)
    made.load(engine)
    ordinals = [c["ordinal"] for c in made.tables["Customer"]]
    segments = {"vip": set(rng.sample(ordinals, len(ordinals) // 2)), "none": set()}
    for name, members in segments.items():
        engine.load(f"segment_{name}", pa.table({"ordinal": pa.array(sorted(members), pa.int32())}))
    project = Project.model_validate(making.PROJECT)
    model = model_of(engine, project, segments={name: f"segment_{name}" for name in segments})
    return made, engine, model, made.naive(oracle, segments), making.Criteria(made, segments)


def disagreements(seed, n=BATCH, depth=3):
    made, engine, model, world, criteria = worlds(seed)
    with engine:
        for _ in range(n):
            said = criteria.any(made.rng.randint(0, depth))
            expected = {c["ordinal"] for c in world.tables["Customer"] if oracle.evaluate(said, c, world) is True}
            segment = Segment.model_validate({"where": said, "timezone": made.zone})
            assert Segment.model_validate_json(segment.model_dump_json(by_alias=True)) == segment
            found = lower(segment, model, name="drawn", known=world.segments)
            scope = Scope(engine, model, made.clock)
            members = set(Condition(found.expr, tuple(found.blocks.items())).members(scope))
            if members != expected:
                yield seed, made.clock, made.zone, json.dumps(said), "bitmaps", members, expected
            if not found.blocks:
                rows = engine.fetch(rows_where(found.expr, model.catalog, "Customer", clock=made.clock))
                if set(rows.column(0).to_pylist()) != expected:
                    yield seed, made.clock, made.zone, json.dumps(said), "SQL", rows, expected
            if made.rng.random() < 0.7:
                continue
            assert "#" not in sentence_of(found)
            pinned = lower(segment, model, name="drawn", base_clock=made.clock)
            later = Scope(engine, model, made.clock + timedelta(2000))
            if set(Condition(pinned.expr, tuple(pinned.blocks.items())).members(later)) != expected:
                yield seed, made.clock, made.zone, json.dumps(said), "pinned", "another clock answered", expected


def told(problems):
    found = [p for _, p in zip(range(3), problems, strict=False)]
    if found:
        pytest.fail("\n\n".join("\n".join(map(str, problem)) for problem in found))


@pytest.mark.parametrize("seed", range(10))
def test_criteria_say_what_a_naive_walk_says(seed):
    told(disagreements(seed))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1000, 1150))
def test_criteria_say_what_a_naive_walk_says_for_longer(seed):
    told(disagreements(seed, n=100, depth=4))


def test_random_criteria_find_some_and_leave_some():
    """Criteria that everybody or nobody meets would agree about nothing."""
    shares = []
    for seed in range(3):
        _, engine, _, world, criteria = worlds(seed)
        engine.close()
        customers = world.tables["Customer"]
        for _ in range(100):
            said = criteria.any(2)
            shares.append(sum(oracle.evaluate(said, c, world) is True for c in customers) / len(customers))
    assert sum(0 < share < 1 for share in shares) > len(shares) / 3
