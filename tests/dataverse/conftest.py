"""An instance's record store with the shipped tables, made once and copied."""

import shutil
from pathlib import Path

import pytest

from tests.dataverse.asked import NOW
from unify.dataverse.model import ready
from unify.dataverse.writes import Writes, writer_of
from unify.records import RecordStore


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = RecordStore(tmp_path_factory.mktemp("template"))
    ready(made)
    return made.path


@pytest.fixture
def store(tmp_path: Path, template: Path) -> RecordStore:
    shutil.copy(template, tmp_path)
    return RecordStore(tmp_path)


@pytest.fixture
def writes(store: RecordStore):
    with store.write() as writing:
        yield Writes(writing, writer_of(writing, "crm-sync", now=NOW))
