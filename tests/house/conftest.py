"""What several tests of the house look at: one demo, told and finished."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class DemoRun:
    """What the demo printed, and the folder it made."""

    said: str
    folder: Path


def run_demo(cwd: Path) -> subprocess.CompletedProcess:
    """The demo as `make demo` runs it, in another folder."""
    return subprocess.run(
        [sys.executable, "-m", "sample_data.demo"],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)]),
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo, run once."""
    cwd = tmp_path_factory.mktemp("demo")
    done = run_demo(cwd)
    assert done.returncode == 0, done.stderr
    return DemoRun(done.stdout, cwd / "demo")
