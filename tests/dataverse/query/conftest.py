import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.oracles import dataverse_questions as world
from unify.dataverse.model import model_of, ready
from unify.dataverse.query import Asker, Preferences, Questions, parse_options
from unify.records import RecordStore

USER, UNIT = world.guid(9, 1), world.guid(9, 2)
ROOT = "https://host/api/data/v9.2/"


class Asking:
    """Questions as a test writes them: option by option, percent-encoded here."""

    def __init__(self, store, now=world.NOW, reading=None):
        self.store, self.now, self.reading = store, now, reading

    def questions(self, reading, seconds=8.0):
        return Questions(reading, model_of(reading), Asker(USER, UNIT, self.now), root=ROOT, seconds=seconds)

    def __call__(self, verb, *args, **more):
        if self.reading is not None:
            return getattr(self.questions(self.reading), verb)(*args, **more)
        with self.store.read() as reading:
            return getattr(self.questions(reading), verb)(*args, **more)

    @staticmethod
    def options(**said):
        """`filter=`, `orderby=` …; `_p` for `@p`."""
        parts = [
            f"@{name[1:]}={quote(str(v), safe='')}" if name.startswith("_") else f"${name}={quote(str(v), safe='')}"
            for name, v in said.items()
            if v is not None
        ]
        return parse_options("&".join(parts))

    def page(self, table, *, annotations="", page_size=None, track=False, **said):
        preferences = Preferences(annotations, page_size, track)
        return self("query", table, self.options(**said), preferences)

    def rows(self, table, **said):
        return self.page(table, **said).rows

    def ids(self, table, **said):
        return [row[world.KEYS[table]] for row in self.rows(table, **said)]

    def all_pages(self, table, *, page_size, **said):
        rows, token, number = [], None, 0
        while True:
            page = self.page(table, page_size=page_size, skiptoken=token, **said)
            rows += page.rows
            token, number = page.next, number + 1
            assert number < 500
            if token is None:
                return rows


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    """The rows of tests/oracles/dataverse_questions.py, for tests that only read."""
    store = RecordStore(tmp_path_factory.mktemp("dataverse-questions"))
    ready(store)
    with store.write() as writing:
        world.fill(writing)
    with store.read() as reading:
        yield Asking(store, reading=reading)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """A folder with shipped tables alone: copying it takes a tenth of making them."""
    folder = tmp_path_factory.mktemp("shipped") / "instance"
    folder.mkdir()
    ready(RecordStore(folder))
    return folder


@pytest.fixture
def empty(tmp_path, shipped):
    """Shipped tables without rows, for tests that write."""
    return Asking(RecordStore(Path(shutil.copytree(shipped, tmp_path / "instance"))))
