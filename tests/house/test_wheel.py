"""What people install: the wheel holds three packages with their data, and works without the checkout around it."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("unify", "ingest", "segments")
SUBSET = ["tests/core", "tests/conflation/test_links.py", "tests/house/test_tables.py", "tests/house/test_demo.py"]
"""A part of the suite that touches every package and its data: documents, rules, SQL files, the demo, the command."""
LONG = "not every_pair_compared and not second_demo"
"""Less two tests that take as long as all others, and see nothing of where a package lies."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = out.iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder into which the wheel, and nothing else, is installed."""
    target = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--disable-pip-version-check",
    ]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True)
    return target


def elsewhere(target, cwd, *arguments):
    """Python with the installed packages first on its path, in a folder that is not the checkout."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_top_level_is_three_packages(wheel):
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    [info] = [name for name in top if name.endswith(".dist-info")]
    assert top - {info} == set(ROOMS)
    assert re.fullmatch(r"unify_customer_data-\d+\.\d+\.\d+\.dist-info", info)


def test_every_file_of_the_packages_is_in_it(wheel):
    listed = subprocess.run(["git", "ls-files", *ROOMS], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: nobody knows which files belong to the packages")
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    assert {name for name in tracked if name not in inside} == set()
    assert {Path(name).suffix for name in inside} >= {".py", ".sql", ".css"}, "package data is missing"


def test_it_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        [scripts] = [n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt")]
        said, commands = archive.read(metadata).decode(), archive.read(scripts).decode()
        licences = [n for n in archive.namelist() if n.endswith("/LICENSE")]
    assert "License-Expression: Apache-2.0" in said
    assert "unify = unify.cli:main" in commands
    assert len(licences) == 1


def test_the_packages_come_from_where_they_were_installed(installed, tmp_path):
    code = "import unify, ingest, segments; print(*(m.__file__ for m in (unify, ingest, segments)), sep='\\n')"
    done = elsewhere(installed, tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    assert [Path(line).parents[1] for line in done.stdout.splitlines()] == [installed] * 3


def test_the_command_works(installed, tmp_path):
    done = elsewhere(installed, tmp_path, "-m", "unify", "--help")
    assert done.returncode == 0, done.stderr
    assert "explain" in done.stdout


def test_a_part_of_the_suite_passes_on_what_was_installed(installed, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import pathlib, unify, ingest\n\n\ndef pytest_sessionfinish():\n"
        f"    assert {{pathlib.Path(m.__file__).parents[1] for m in (unify, ingest)}} == {{pathlib.Path({str(installed)!r})}}\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(installed), str(tmp_path)])
    arguments = [
        "-m",
        "pytest",
        "-q",
        "-p",
        "probe",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-m",
        "not soak",
        "-k",
        LONG,
    ]
    done = elsewhere(
        path,
        tmp_path,
        *arguments,
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
        *(str(ROOT / s) for s in SUBSET),
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 100
