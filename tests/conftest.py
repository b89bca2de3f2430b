"""What several rooms' tests share."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, settings

import unify
from unify.instance import Instance

# How long an example takes is up to what else the machine does: no test fails for it.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("same each time", settings.get_profile("patient"), derandomize=True)
settings.register_profile("explore", settings.get_profile("patient"))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same each time"))

SAMPLE_PROJECT = Path(__file__).parents[1] / "sample_data" / "project.yaml"
CONTOSO_PROJECT = Path(__file__).parent / "contoso" / "project.yaml"
CONTOSO_DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "contoso"


@pytest.fixture(scope="session")
def sample_instance(tmp_path_factory):
    """A read-only DuckDB connection on the generation that sample_data/project.yaml makes."""
    with unify.open(tmp_path_factory.mktemp("sample") / "instance", create=True) as instance:
        instance.run(SAMPLE_PROJECT)
        generation = instance.status().published
    with duckdb.connect(str(generation.path), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def contoso_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the publisher's Contoso files and our places.csv, which tests/contoso/project.yaml reads."""
    if not CONTOSO_DATA.is_dir():
        pytest.skip("the publisher's Contoso files are not beside the project")
    folder = tmp_path_factory.mktemp("contoso") / "data"
    shutil.copytree(CONTOSO_DATA, folder, copy_function=shutil.copyfile)
    folder.chmod(0o755)
    shutil.copyfile(CONTOSO_PROJECT.parent / "places.csv", folder / "places.csv")
    return folder


@pytest.fixture(scope="session")
def contoso(contoso_data: Path) -> Iterator[Instance]:
    """An instance that has run tests/contoso/project.yaml once. Only read it; what writes takes a copy of its folder."""
    with unify.open(contoso_data.parent / "instance", create=True) as instance:
        instance.run(CONTOSO_PROJECT, base=contoso_data)
        yield instance
