"""One state, one ETag: whether memory answered or DuckDB did, and for whom."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

import unify
from tests.service.access.conftest import World
from tests.service.hot.conftest import until
from unify.service.caller import Role

CLEAN, VENDOR = "/odata/contoso/", "/v1/instances/contoso/data/"
ID = "CustomerId eq '{id}'"
QUESTIONS = (
    "Customer('{id}')",
    "Customer('{id}')?$select=CustomerId,City",
    f"Customer?$filter={ID} and IsMemberOfSegment('big_spenders')",
    "Customer?$filter=IsMemberOfSegment('big_spenders')&$top=3&$count=true",
    "Customer?$top=2&$select=CustomerId",
    "Customer/$count",
    "Customer/$count?$filter=IsMemberOfSegment('big_spenders')",
)
SLOW = {"cache-control": "no-cache"}
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def world(contoso_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    root = tmp_path_factory.mktemp("tags") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    made = World(root)
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(world: World) -> dict[str, str]:
    make = world.changes.create_key
    given = {
        "admin": world.admin.text,
        "reader": make("ann", roles={"contoso": Role.READER}).text,
        "part": make("bo", roles={"contoso": Role.STEWARD}).text,
    }
    world.changes.grant("bo", segments={"contoso": ("big_spenders", "gone_quiet")})
    return given


def is_hot(answer: httpx.Response) -> bool:
    return "last-modified" in answer.headers


def hot(world: World, url: str, key: str, **headers: str) -> httpx.Response:
    """From memory, as soon as that is ready."""
    found: list[httpx.Response] = []

    def asked() -> bool:
        found.append(world.ask("GET", url, key=key, headers=headers))
        return is_hot(found[-1])

    until(asked, 10)
    return found[-1]


@pytest.mark.parametrize("who", ["admin", "reader", "part"])
@pytest.mark.parametrize("base", [CLEAN, VENDOR], ids=["clean", "vendor"])
def test_memory_and_duckdb_give_one_tag(world: World, keys: dict[str, str], who: str, base: str) -> None:
    key = keys[who]
    rows = world.ask("GET", f"{CLEAN}Customer?$filter=IsMemberOfSegment('big_spenders')&$top=1", key=key).json()
    id_ = rows["value"][0]["CustomerId"]
    hot(world, f"{base}Customer/$count", key)
    both = 0
    for question in QUESTIONS:
        url = base + question.format(id=id_)
        fast, slow = (world.ask("GET", url, key=key, headers=said) for said in ({}, SLOW))
        assert not is_hot(slow)
        assert fast.headers["etag"] == slow.headers["etag"], question
        assert fast.content == slow.content
        both += is_hot(fast)
        for said in ({}, SLOW):
            again = world.ask("GET", url, key=key, headers={**said, "if-none-match": fast.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == fast.headers["etag"]
    assert both == {"admin": 7, "part": 7, "reader": 4}[who]


def test_a_tag_is_of_the_answer_as_it_was_asked_for(world: World, keys: dict[str, str]) -> None:
    url, key = f"{CLEAN}Customer?$top=2", keys["admin"]
    tags = [
        world.ask("GET", url, key=key, headers=headers).headers["etag"]
        for headers in (
            {"accept": "application/json"},
            {"accept": "application/json;odata.metadata=none"},
            {"accept": "text/csv"},
            {"prefer": "maxpagesize=1"},
            {"prefer": "maxpagesize=2"},
        )
    ]
    tags += [world.ask("GET", url, key=keys[who]).headers["etag"] for who in ("reader", "part")]
    assert len(set(tags)) == len(tags)
    assert world.ask("GET", url, key=key, headers={"accept": "*/*"}).headers["etag"] == tags[0]
    weak = tags[0].removeprefix("W/")  # compared weakly, as RFC 9110 says of If-None-Match
    for said in ({}, SLOW):
        assert world.ask("GET", url, key=key, headers={**said, "if-none-match": weak}).status_code == 304


def test_a_segment_that_ends_ends_its_tag_on_both_ways(contoso_made: Path, tmp_path: Path) -> None:
    shutil.copytree(contoso_made, tmp_path / "root" / "contoso")
    with unify.open(tmp_path / "root" / "contoso") as acme:
        ends = datetime.now(UTC) + timedelta(seconds=4)
        acme.segments().create("brief", {"where": "City ne null", "ends": ends.isoformat()})
        acme.segments().refresh("brief")
    world = World(tmp_path / "root")
    try:
        url, key = f"{CLEAN}Customer/$count", world.admin.text
        before = hot(world, url, key).headers["etag"]
        assert world.ask("GET", url, key=key, headers=SLOW).headers["etag"] == before
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.05)
        after = hot(world, url, key, **{"if-none-match": before})
        assert after.status_code == 200
        assert after.headers["etag"] != before
        assert world.ask("GET", url, key=key, headers=SLOW).headers["etag"] == after.headers["etag"]
    finally:
        world.close()


def test_lists_of_segments_have_a_tag_of_their_own(contoso_made: Path, tmp_path: Path) -> None:
    """A segment that was declared and never found is in them, and in no answer about customers."""
    shutil.copytree(contoso_made, tmp_path / "root" / "contoso")
    world = World(tmp_path / "root")
    try:
        urls = (CLEAN, f"{CLEAN}$metadata", f"{CLEAN}Customer?$top=1")

        def tags() -> list[str]:
            return [world.ask("GET", url, key=world.admin.text).headers["etag"] for url in urls]

        before = tags()
        with unify.open(tmp_path / "root" / "contoso") as acme:
            acme.segments().create("later", "City ne null")
        after = tags()
        assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, True]
    finally:
        world.close()
