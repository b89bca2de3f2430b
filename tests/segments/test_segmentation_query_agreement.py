"""Random queries of the vendor's JSON over random data: the product and a walk of the JSON find the same customers."""

import json
import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.predicates import tree as p
from unify.spec.segmentation_query import SegmentationQuery


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, seen = _load("segmentation_query"), _load("segmentation_query_world")
ZONES = ["UTC", "Europe/Berlin", "America/New_York"]


@pytest.fixture(scope="module")
def worlds():
    return [seen.Connected(oracle.world_of(seed)) for seed in range(6)]


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**48))
def test_random_queries_find_the_same_customers(worlds, seed):
    rng = random.Random(seed)
    connected, zone = rng.choice(worlds), rng.choice(ZONES)
    query = oracle.Queries(rng).query()
    found, lowered = connected.members(query, zone)
    assert found == oracle.members(query, connected.world, zone), json.dumps(query, indent=1)
    for (name, expr), rowset in zip(lowered.rules, query["rowsets"], strict=bool(lowered.rules)):
        assert name == rowset["rowsetId"]
        alone = connected.evaluated(p.Call("is_true", (expr,)), lowered.blocks)
        assert alone == oracle.rowset_members(query, rowset, connected.world, zone)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**48))
def test_random_queries_survive_the_wire(seed):
    query = oracle.Queries(random.Random(seed)).query()
    assert SegmentationQuery.model_validate(query).wire() == query
    text = SegmentationQuery.model_validate(query).model_dump_json(by_alias=True)
    assert json.loads(text) == query
