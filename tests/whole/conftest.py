"""Makes `whole_jobs` importable here and in the processes that it starts; `crash_harness` comes from the store's tests."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

import multiprocessing

import crash_harness  # noqa: F401 - it names modules to preload; ours are to stand
import whole_jobs as jobs

# A run imports scipy, networkx and rapidfuzz: 0.7 s of every process that a test would start, paid once.
multiprocessing.set_forkserver_preload(["duckdb", "pyarrow", "unify.store", "unify.instance", "unify.conflation.run"])

MEMORY = Path("/dev/shm")
"""What a process gave to the system outlives its kill, on disk or not: kills are tested where fsync is free."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project, its files, and an instance `acme` that has run it once and twice; copy, never use it."""
    root = tmp_path_factory.mktemp("whole") / "root"
    jobs.make(root)
    jobs.run(str(root))
    jobs.write_sources(root, 2)
    jobs.run(str(root))
    return root


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As pytest's, but in memory where there is room: a tiny run waits for the disk as long as it works."""
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 200 * 2**20
    with tempfile.TemporaryDirectory(prefix="unify-test-", dir=MEMORY if room else None) as folder:
        yield Path(folder)


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """A fresh copy of the template; the source files are those of day 3, which no run has seen."""
    copy = Path(shutil.copytree(template, tmp_path / "root"))
    jobs.write_sources(copy, 3)
    return copy
