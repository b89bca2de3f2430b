"""A small instance whose jobs take a second, and a runner in this process that starts real processes."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import unify
from unify.service.database import ServiceDatabase
from unify.service.jobs.nouns import Job, Request
from unify.service.jobs.queue import Queue
from unify.service.jobs.runner import Runner
from unify.service.settings import Settings

PEOPLE = """Id,Name,EMail,City
1,Ada,ada@x.example,Bern
2,Ben,ben@x.example,Bern
3,Ada,ada@x.example,Basel
4,Cleo,cleo@x.example,Basel
"""
PROJECT = {
    "sources": {"crm": {"People": {"files": "people.csv", "key": "Id"}}},
    "conflation": {
        "order": ["crm.People"],
        "dedupe": {"crm.People": {"rules": [{"name": "mail", "when": [{"field": "EMail"}]}]}},
    },
    "resolution": {},
    "segments": {"bern": {"where": "City eq 'Bern'"}},
}


@pytest.fixture(scope="session")
def tiny_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the published instance `tiny`, and beside it the file it is made of."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "people.csv").write_text(PEOPLE)
    with unify.open(folder / "root" / "tiny", create=True) as acme:
        acme.run(PROJECT, base=folder)
    return folder


@pytest.fixture
def tiny(tmp_path: Path, tiny_made: Path) -> Path:
    """A root of one's own with the instance `tiny`, whose file is `people.csv` in the instance."""
    root = tmp_path / "root"
    shutil.copytree(tiny_made / "root", root)
    shutil.copy(tiny_made / "people.csv", root / "tiny" / "people.csv")
    with unify.open(root / "tiny") as acme:
        acme.refresh(acme.project(), base=root / "tiny")
    return root


@pytest.fixture
def queue(tiny: Path) -> Queue:
    """Of the root `tiny`."""
    return Queue(ServiceDatabase(tiny))


@pytest.fixture
def submit(queue: Queue) -> Callable[..., Job]:
    """`submit("all")`: a job of the instance `tiny`."""

    def submitted(operation: str, *, instance: str = "tiny", **said: object) -> Job:
        return queue.submit(instance, Request(operation, **said), [(operation, None)], "somebody")[0]  # type: ignore[arg-type]

    return submitted


@pytest.fixture
def runner(tiny: Path) -> Iterator[Runner]:
    """One that ticks when it is told to; what it started has ended after the test."""
    made = Runner(Settings(root=tiny, job_threads=1))
    yield made
    made.go_down()


@pytest.fixture
def until(runner: Runner) -> Callable[[Callable[[], object]], None]:
    """Tick until something is so."""

    def ticked(so: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not so():
            assert time.monotonic() < end, "it did not come to be"
            runner.tick()
            time.sleep(0.02)

    return ticked
