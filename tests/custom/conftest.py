"""A record store with the Dataverse tables, and somebody who writes to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unify.custom import STEPS, Loaded, Pipeline, Request, Who, collected
from unify.custom.installing import install
from unify.dataverse.writes import Writer, Writes, Written, writer_of
from unify.records import RecordStore


class World:
    """One instance of records alone; `failures`: what handlers failed with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = RecordStore(path)
        self.loaded = Loaded()
        self.failures: list[tuple[str, str, BaseException]] = []
        install(self.store, self.loaded)
        with self.store.write() as writing:
            self.writer: Writer = writer_of(writing, "ann")

    def load(self, *handlers: Any) -> None:
        self.loaded = collected(handlers, "tests")
        STEPS.use(self.path, self.loaded, lambda *failure: self.failures.append(failure))
        install(self.store, self.loaded)

    def write(self, work: Callable[[Writes], Any]) -> Any:
        with self.store.write() as writing:
            return work(Writes(writing, self.writer))

    def create(self, table: str, **body: Any) -> Written:
        return self.write(lambda writes: writes.create(table, body))

    def api(self, name: str = "acme_Do", /, **body: Any) -> Written:
        said = {"uniquename": name, "name": name, "displayname": "Do", "description": "does"}
        return self.create("customapi", **{**said, **body})

    def who(self, *, may: Callable[[str], bool] = lambda _: True, records: bool = True) -> Who:
        return Who("ann", self.writer, may, records)

    def call(self, name: str, inputs: dict[str, Any] | None = None, *, who: Who | None = None, **more: Any) -> dict:
        pipeline = Pipeline(
            self.path, self.loaded, who or self.who(), failed=lambda *failure: self.failures.append(failure)
        )
        return dict(pipeline.call(Request(name, inputs or {}, **more)).outputs)

    def rows(self, table: str) -> list[dict[str, Any]]:
        with self.store.read() as reading:
            return [dict(row.values) for row in reading.rows(table)]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("custom") / "acme"
    path.mkdir()
    install(RecordStore(path), Loaded())
    return path


@pytest.fixture
def world(tmp_path: Path, made: Path) -> World:
    path = tmp_path / "acme"
    path.mkdir()
    for file in made.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    return World(path)


@pytest.fixture
def field_of() -> Callable[..., dict[str, Any]]:
    """The body of a parameter or property."""

    def made_of(
        name: str,
        type: int = 10,  # noqa: A002 - the column's name
        **more: Any,
    ) -> dict[str, Any]:
        return {"uniquename": name, "name": f"x.{name}", "displayname": name, "description": name, "type": type, **more}

    return made_of
