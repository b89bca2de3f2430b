"""What several rooms' tests share."""

import os
from pathlib import Path

import duckdb
import pytest
from hypothesis import settings

import unify

settings.register_profile("same each time", derandomize=True, print_blob=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same each time"))

SAMPLE_PROJECT = Path(__file__).parents[1] / "sample_data" / "project.yaml"


@pytest.fixture(scope="session")
def sample_instance(tmp_path_factory):
    """A read-only DuckDB connection on the generation that sample_data/project.yaml makes."""
    with unify.open(tmp_path_factory.mktemp("sample") / "instance", create=True) as instance:
        instance.run(SAMPLE_PROJECT)
        generation = instance.status().published
    with duckdb.connect(str(generation.path), read_only=True) as connection:
        yield connection
