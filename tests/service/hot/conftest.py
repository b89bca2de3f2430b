"""Hot answers beside those of the slow way, over one instance."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import unify
from unify.instance import Instance
from unify.service.app import Service
from unify.service.caller import OPEN, Caller
from unify.service.hot.answer import HotAnswer
from unify.service.hot.snapshot import Snapshot
from unify.service.settings import Settings


def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)


@dataclass
class Side:
    """One instance, to be asked both ways."""

    service: Service
    acme: Instance
    id: str = "contoso"

    def hot(
        self,
        relative: str,
        query: str = "",
        *,
        caller: Caller = OPEN,
        headers: Sequence[tuple[bytes, bytes]] = (),
        size: int | None = None,
    ) -> HotAnswer | None:
        scope = {"type": "http", "method": "GET", "headers": list(headers), "query_string": query.encode()}
        end = time.monotonic() + 5
        while True:  # after a quiet moment it looks first, and the slow way answers meanwhile
            found = self.service.hot.answer(scope, caller, self.id, relative.encode(), "http://h/data/", size)
            kept = self.service.hot._keepers.get(self.id)
            looking = kept[1]._looking if kept is not None else None
            if found is not None or looking is None or looking.done() or time.monotonic() > end:
                return found
            time.sleep(0.005)

    def slow(self, relative: str, query: str = "", *, size: int | None = None) -> str:
        text = f"{relative}?{query}" if query else relative
        body = self.acme.odata(text, page_size=size).body()
        for key in ("@odata.context", "@odata.nextLink"):
            body = body.replace(f'"{key}":"', f'"{key}":"http://h/data/')
        return body

    @property
    def snapshot(self) -> Snapshot:
        keeper = self.service.hot.keeper(self.id)
        until(lambda: keeper.current() is not None)
        found = keeper.current()
        assert found is not None
        return found

    def close(self) -> None:
        self.service.hot.close()
        self.acme.close()


def side_of(root: Path, id_: str = "contoso") -> Side:
    made = Side(Service(Settings(root=root, jobs=False, log_level="error")), unify.open(root / id_), id_)
    assert made.snapshot is not None
    return made


@pytest.fixture(scope="module")
def side(contoso_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Contoso, read only."""
    root = tmp_path_factory.mktemp("hot") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    made = side_of(root)
    yield made
    made.close()
