"""Makes `crash_harness` importable here and in the processes it starts, from whatever folder pytest runs."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import crash_harness as harness

from unify.store import Store

MEMORY = Path("/dev/shm")
"""What a process gave to the system outlives its kill, on disk or not: kills are tested where fsync is free."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with generations 1 and 2, made once; copy it, never use it."""
    root = tmp_path_factory.mktemp("template") / "acme"
    Store.create(root)
    harness.publish(root, times=2, keep=5)
    return root


@pytest.fixture
def acme(template: Path) -> Iterator[Path]:
    """A fresh instance with generations 1 and 2; 2 is published. In memory where there is room, else on disk."""
    room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 200 * 2**20
    with tempfile.TemporaryDirectory(prefix="unify-test-", dir=MEMORY if room else None) as folder:
        yield Path(shutil.copytree(template, Path(folder) / "acme"))


@pytest.fixture
def acme_on_disk(template: Path, tmp_path: Path) -> Path:
    """The same on a real disk."""
    return Path(shutil.copytree(template, tmp_path / "acme"))
