"""A sample instance for the reading commands, and the command itself, in this process and in one of its own."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unify.cli import run

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "project.yaml"


@dataclass(frozen=True)
class Said:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as exactly one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """Stderr as exactly one JSON document."""
        return json.loads(self.err)


@pytest.fixture
def cli(capsys, monkeypatch):
    """`cli("status", "--json")` in this process."""
    monkeypatch.delenv("UNIFY_INSTANCE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*args):
        capsys.readouterr()
        code = run([str(a) for a in args])
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture(scope="session")
def environment():
    """For processes of their own: nothing of the developer's terminal, one core per process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UNIFY_") and k not in ("COLUMNS", "NO_COLOR")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def process(environment):
    """`process("run", …, cwd=…)`: a real process, waited for."""

    def call(*args, cwd=ROOT, env=None, **options):
        done = subprocess.run(
            [sys.executable, "-m", "unify", *(str(a) for a in args)],
            cwd=cwd, env={**environment, **(env or {})}, capture_output=True, text=True, timeout=120, check=False, **options,
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """The path of an instance that the sample's project was run on, once. Tests that write take `own_sample`."""
    path = tmp_path_factory.mktemp("cli") / "sample"
    import unify

    with unify.open(path, create=True) as instance:
        instance.run(SAMPLE)
    return path


@pytest.fixture
def own_sample(sample, tmp_path):
    """A copy of the sample instance that a test may spoil."""
    return Path(shutil.copytree(sample, tmp_path / "instance"))


@pytest.fixture
def tiny(tmp_path):
    """A project of two small files: 3 contacts, 2 members, 1 of them a contact."""
    (tmp_path / "contacts.csv").write_text(
        "ContactId,FullName,EMail\nC-1,Anna Quill,anna@mail.example\nC-2,Bert Moss,bert@mail.example\n"
        "C-3,Cleo Fern,cleo@mail.example\n"
    )
    (tmp_path / "members.csv").write_text(
        "LoyaltyId,FullName,EMail\nL-1,Anna Quill,ANNA@mail.example\nL-2,Dora Pike,dora@mail.example\n"
    )
    project = tmp_path / "project.yaml"
    project.write_text(
        """\
name: tiny
sources:
  crm: {Contacts: {files: contacts.csv, key: ContactId}}
  loyalty: {Members: {files: members.csv, key: LoyaltyId}}
conflation:
  order: [crm.Contacts, loyalty.Members]
  match:
    loyalty.Members -> crm.Contacts:
      - {name: e-mail, when: [{field: EMail, normalize: [lower]}]}
"""
    )
    return project
