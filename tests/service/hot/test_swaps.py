"""Generations change under load: no request fails, no answer is of two, and workers hold one copy."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks import service_swaps
from tests.service.hot.conftest import until
from tests.service.hot.test_server import Served, served

BASE = "/v1/instances/swaps/data/"
CUSTOMERS = 400


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swaps") / "root"
    service_swaps.build(folder / "swaps", CUSTOMERS)
    (folder / "swaps-files" / "contacts.csv").unlink()
    return folder


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[Served]:
    with served(root) as made:
        until(lambda: made.get(f"{BASE}Customer/$count") == (200, b"%d" % CUSTOMERS))
        yield made


def swapped(root: Path, server: Served, count: int) -> dict[str, object]:
    asked = service_swaps.paths(root / "swaps", BASE)
    return service_swaps.swaps(root / "swaps", ("127.0.0.1", server.port), asked, count)


def check(found: dict[str, object], count: int) -> None:
    assert (found["swaps"], found["swap_failures"], found["mixed_generations"]) == (count, 0, 0)
    assert found["swap_answers"] > count  # type: ignore[operator]


def test_swaps_under_load_drop_no_request_and_mix_no_generations(root: Path, server: Served) -> None:
    check(swapped(root, server, 50), 50)


@pytest.mark.soak
def test_a_thousand_swaps(root: Path, server: Served) -> None:
    check(swapped(root, server, 1000), 1000)


def test_what_is_of_two_generations_would_be_seen() -> None:
    seen = service_swaps._Seen()
    seen.look(b'HTTP/1.1 200 OK\r\netag: W/"1-ab"', b'{"Of":"one"},{"Of":"one"}')
    assert (seen.mixed, seen.generation) == (0, b"1")
    for head, body in (
        (b'\r\netag: W/"1-ab"', b'"Of":"one","Of":"two"'),
        (b'\r\netag: W/"2-a"', b'"Of":"one"'),
        (b"", b""),
    ):
        seen.look(head, body)
    assert seen.mixed == 3


def test_workers_map_one_copy_of_the_snapshot(root: Path) -> None:
    with served(root, "--workers", "2") as made:

        def mapped() -> list[set[str]]:
            return [{m.path for m in worker.memory_maps() if "/snapshots/" in m.path} for worker in made.workers]

        until(lambda: len(mapped()) == 2 and all(len(files) == 2 for files in mapped()))
        one, two = mapped()
        assert one == two
        for worker in made.workers:
            for m in worker.memory_maps(grouped=False):
                if "/snapshots/" in m.path:
                    assert (m.private_dirty, m.swap) == (0, 0)  # nothing of it is this process's own
        shared = [w.memory_full_info() for w in made.workers]
        first = psutil.Process(made.process.pid).memory_full_info()
        for worker in shared:  # forks of one process: most of the code and libraries is in memory once
            assert worker.uss < 0.5 * first.rss
