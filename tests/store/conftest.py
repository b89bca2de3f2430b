"""Makes `crash_harness` importable here and in the processes it starts, from whatever folder pytest runs."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import crash_harness as harness

from unify.store import Store


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with generations 1 and 2, made once; copy it, never use it."""
    root = tmp_path_factory.mktemp("template") / "acme"
    Store.create(root)
    harness.publish(root, times=2, keep=5)
    return root


@pytest.fixture
def acme(template: Path, tmp_path: Path) -> Path:
    """A fresh instance with generations 1 and 2; 2 is published."""
    return Path(shutil.copytree(template, tmp_path / "acme"))
