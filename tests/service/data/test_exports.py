"""Whole sets, streamed: the same rows as page by page, whatever is in them, and an end whatever clients do."""

import asyncio
import csv
import io
import json
import shutil
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

import unify
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.service.app import Service
from unify.service.data import exports
from unify.service.settings import Limits, Settings
from unify.verbs.odata import Exporting

ROOT = "/odata/contoso/"


def pages(asking: Any, url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    link: str | None = url
    while link:
        found = asking("GET", link, headers={"prefer": "maxpagesize=10000"}).json()
        rows += found["value"]
        link = found.get("@odata.nextLink", "").removeprefix("http://service") or None
    return rows


def text(row: Any) -> str:
    return json.dumps(row, sort_keys=True)


def test_an_export_of_every_set_has_the_rows_of_its_pages(asking):
    for entry in asking("GET", ROOT).json()["value"]:
        url = ROOT + entry["url"]
        whole = asking("GET", f"{url}?export=true").json()
        assert "@odata.nextLink" not in whole
        assert whole["@odata.context"] == f"http://service{ROOT}$metadata#{entry['name']}"
        assert sorted(map(text, whole["value"])) == sorted(map(text, pages(asking, url)))


@pytest.mark.parametrize(
    "query",
    ["$filter=City eq 'Eastwick'&$orderby=FullName desc", "$search=anna&$select=FullName,City", "$top=333&$select=CustomerId",
     "$orderby=City,CustomerId&$skip=700", "$filter=false", "$compute=length(City) add 1 as L&$select=L,City", "$count=true&$select=City&$top=2",
     "$apply=groupby((City),aggregate($count as N))", "$expand=UnifiedActivity($top=2;$select=Title),Customer_Measure&$top=150",
     "$filter=IsMemberOfSegment('big_spenders')", "$select=CustomerId&$orderby=RewardPoints desc,City"],
)  # fmt: skip
def test_options_narrow_and_sort_an_export_as_they_do_pages(asking, query):
    whole = asking("GET", f"{ROOT}Customer?{query}&export=true")
    assert whole.status_code == 200, whole.text
    slow = pages(asking, f"{ROOT}Customer?{query}")
    found = whole.json()["value"]
    if "orderby" in query or "$top" in query or "apply" in query:
        assert found == slow
    assert sorted(map(text, found)) == sorted(map(text, slow))
    assert whole.json().get("@odata.count") == (723 if "$count=true" in query else None)


@pytest.mark.parametrize("way", ["$format=csv", "$format=text/csv", "accept", "content-type"])
def test_csv_is_the_whole_set_however_it_is_asked_for(asking, way):
    headers = (
        {"accept": "text/csv"} if way == "accept" else {"content-type": "text/csv"} if way == "content-type" else {}
    )
    root = "/v1/instances/contoso/data/" if way == "content-type" else ROOT
    query = f"&{way}" if way.startswith("$") else ""
    found = asking("GET", f"{root}Customer?$select=CustomerId,FullName,City{query}", headers=headers)
    assert found.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(found.text, newline="")))
    slow = pages(asking, f"{ROOT}Customer?$select=CustomerId,FullName,City")
    assert sorted(map(text, rows)) == sorted(text({k: v or "" for k, v in row.items()}) for row in slow)
    assert found.text.count("\r\n") == 724


def test_the_vendors_search_exports_too(asking):
    found = asking("GET", "/api/instances/contoso/data/Customer?$search=anna", headers={"content-type": "text/csv"})
    assert found.text.count("\r\n") == 1 + len(pages(asking, "/api/instances/contoso/data/Customer?$search=anna"))


def test_csv_with_a_relation_of_one_and_without_rows(asking):
    found = asking(
        "GET", f"{ROOT}Customer?$format=csv&$select=City&$expand=Customer_Measure($select=CustomerId)&$top=250"
    )
    assert found.text.splitlines()[0] == "City,Customer_Measure/CustomerId"
    assert len(found.text.splitlines()) == 251
    assert asking("GET", f"{ROOT}Customer?$format=csv&$select=City&$filter=false").text == "City\r\n"
    refused = asking("GET", f"{ROOT}Customer?$format=csv&$expand=UnifiedActivity")
    assert refused.status_code == 400
    assert refused.json()["error"]["target"] == "$format"


def test_one_row_in_csv_is_an_answer_and_no_export(asking):
    [row] = pages(asking, f"{ROOT}Customer?$top=1&$select=CustomerId")
    found = asking("GET", f"{ROOT}Customer('{row['CustomerId']}')?$select=City&$format=csv")
    assert found.text.startswith("City\r\n")
    assert found.headers["content-length"]


REFUSED = {
    "Customer('x')?export=true": 400, "Customer/$count?export=true": 400, "?export=true": 400, "$metadata?export=true": 400,
    "Customer?export=maybe": 400, "Nobody?export=true": 404, "Customer?export=true&$filter=City eq": 400,
}  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
def test_what_cannot_be_exported_is_said_before_anything_is_sent(asking, path):
    found = asking("GET", ROOT + path)
    assert found.status_code == REFUSED[path]
    assert found.json()["error"]["message"]


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

TIMES = [
    datetime(2024, 1, 31, 12, tzinfo=UTC),
    datetime(1000, 1, 1, tzinfo=UTC),
    datetime(2024, 1, 1, 0, 0, 0, 120000, tzinfo=UTC),
]
ODD = pa.table(
    {
        "Id": pa.array([1, 2, 3, 4], pa.int64()),
        "Name": pa.array(['say "hi", ok', "two\r\nlines", "ünï\U0001f600\u2028\x01", None]),
        "Empty": pa.array(["", " ", "=1+1", ","]),
        "Big": pa.array([2**63 - 1, -(2**63), 0, None], pa.int64()),
        "Ratio": pa.array([float("nan"), float("inf"), float("-inf"), 1e-7], pa.float64()),
        "Small": pa.array([0.1, 1e16, 123456.75, None], pa.float32()),
        "Money": pa.array(
            [Decimal("0.10"), Decimal("-12345678901234567890.12"), Decimal("0.00"), None], pa.decimal128(38, 2)
        ),
        "At": pa.array(
            [f"{t:%Y-%m-%d %H:%M:%S.%f}" for t in TIMES] + [None],
        ).cast(pa.timestamp("us")),
        "Zoned": pa.array([datetime(2024, 7, 1, 12, tzinfo=UTC)] * 3 + [None], pa.timestamp("us", tz="Europe/Berlin")),
        "On": pa.array([date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31), None]),
        "Yes": pa.array([True, False, None, True]),
        "Guid": pa.array([str(UUID(int=i)) for i in range(3)] + [None]),
    }
)


@pytest.fixture(scope="module")
def odd(tmp_path_factory, run_service) -> Any:
    """A service over an instance with a table of odd values, `x_Odd`."""
    folder = tmp_path_factory.mktemp("odd")
    project = {
        "sources": {"x": {"Odd": {"key": "Id"}}},
        "conflation": {"order": ["x.Odd"], "dedupe": {"x.Odd": [{"name": "n", "when": [{"field": "Name"}]}]}},
    }
    with unify.open(folder / "odd", create=True) as acme:
        acme.run(project, frames={"x.Odd": ODD})
    with run_service(Settings(root=folder)) as ask:
        yield ask


@pytest.mark.parametrize("form", ["application/json", "application/json;IEEE754Compatible=true"])
def test_sql_writes_json_as_python_does(odd, form):
    whole = odd("GET", "/odata/odd/x_Odd?export=true&$orderby=Id", headers={"accept": form})
    paged = odd("GET", "/odata/odd/x_Odd?$orderby=Id", headers={"accept": form})
    assert whole.json(parse_float=str, parse_int=str) == paged.json(parse_float=str, parse_int=str)
    assert whole.headers["content-type"] == paged.headers["content-type"]


def test_sql_writes_csv_as_python_does(odd):
    names = ",".join(ODD.column_names)
    whole = odd("GET", f"/odata/odd/x_Odd?$format=csv&$orderby=Id&$select={names}").text
    with unify.open(odd.service.settings.root / "odd") as acme:
        assert whole == acme.odata(f"x.Odd?$orderby=Id&$select={names}").csv()


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_batches_come_before_the_answer_is_whole():
    began = time.perf_counter()
    with DuckDBEngine(memory_limit="256MiB", threads=1) as engine:
        batches = engine.batches(Query("SELECT repeat('x', 1000) AS t FROM range(1_000_000_000)"), 8192)
        assert [next(batches).num_rows for _ in range(3)] == [8192] * 3
    assert time.perf_counter() - began < 20


def endless(self: Exporting) -> Any:
    while True:
        yield b"x" * 100_000


async def streamed(service: Service, *, takes: int, leaves: bool, seconds: float = 20) -> tuple[int, list[int]]:
    """Ask for an export; take so many parts, then leave, or take nothing more. Status and sizes of what came."""
    came: list[int] = []
    status = 0
    enough = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not came and not receive.asked:  # type: ignore[attr-defined]
            receive.asked = True  # type: ignore[attr-defined]
            return {"type": "http.request", "body": b"", "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    receive.asked = False  # type: ignore[attr-defined]

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            return
        came.append(len(message.get("body", b"")))
        if len(came) >= takes:
            if leaves:
                enough.set()
            await asyncio.sleep(seconds)

    scope = {
        "type": "http", "method": "GET", "path": f"{ROOT}Customer", "raw_path": f"{ROOT}Customer".encode(), "query_string": b"export=true",
        "headers": [], "scheme": "http", "server": ("h", 80),
    }  # fmt: skip
    asking = asyncio.ensure_future(service(scope, receive, send))
    try:
        await asyncio.wait([asking], timeout=seconds)
    finally:
        asking.cancel()
    return status, came


async def settled(service: Service) -> bool:
    for _ in range(200):
        if service.exports == 0 and service.pool.taken == 0:
            return True
        await asyncio.sleep(0.05)
    return False


def test_a_client_that_goes_away_ends_its_export(shared_root, monkeypatch):
    monkeypatch.setattr(Exporting, "parts", endless)

    async def check() -> None:
        async with Service(Settings(root=shared_root)) as service:
            status, came = await streamed(service, takes=3, leaves=True)
            assert status == 200
            assert len(came) == 3
            assert await settled(service)

    asyncio.run(check())


def test_a_client_that_takes_nothing_loses_its_export_and_no_more_is_read_than_fits(shared_root, monkeypatch):
    monkeypatch.setattr(Exporting, "parts", endless)
    monkeypatch.setattr(exports, "STALLED_S", 0.5)

    async def check() -> None:
        async with Service(Settings(root=shared_root)) as service:
            asking = asyncio.ensure_future(streamed(service, takes=2, leaves=False, seconds=8))
            for _ in range(100):
                await asyncio.sleep(0.05)
                if service.pool.taken == 0 and service.exports == 0 and asking.done() is False:
                    break
            assert service.pool.taken == 0  # the thread is free while the client still holds its connection
            asking.cancel()

    asyncio.run(check())


def test_only_so_many_exports_at_once_and_questions_are_answered_meanwhile(shared_root, monkeypatch, run_service):
    monkeypatch.setattr(Exporting, "parts", endless)
    with run_service(Settings(root=shared_root, limits=Limits(exports=1))) as ask:
        service = ask.service
        holding = asyncio.run_coroutine_threadsafe(
            streamed(service, takes=1, leaves=False, seconds=5), service_loop(ask)
        )
        for _ in range(100):
            if service.exports:
                break
            time.sleep(0.05)
        refused = ask("GET", f"{ROOT}Customer?export=true")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert ask("GET", f"{ROOT}Customer/$count?$filter=City ne 'x'").text == "723"
        holding.cancel()
        assert ask.wait(settled(service))


def service_loop(ask: Any) -> asyncio.AbstractEventLoop:
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    found: asyncio.AbstractEventLoop = ask.wait(loop())
    return found


def test_head_of_an_export_reads_nothing(asking, monkeypatch):
    def never(self: Exporting) -> Any:
        raise AssertionError("read")

    monkeypatch.setattr(Exporting, "parts", never)
    found = asking("HEAD", f"{ROOT}Customer?$format=csv")
    assert (found.status_code, found.content) == (200, b"")
    assert found.headers["content-type"] == "text/csv; charset=utf-8"


def test_an_error_in_the_middle_breaks_the_answer(shared_root: Path, monkeypatch, tmp_path):
    def broken(self: Exporting) -> Any:
        yield b'{"value":['
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(Exporting, "parts", broken)

    async def check() -> None:
        async with Service(Settings(root=shared_root)) as service:
            ended: list[bool] = []

            async def receive() -> dict[str, Any]:
                if not ended:
                    ended.append(False)
                    return {"type": "http.request", "body": b"", "more_body": False}
                await asyncio.Event().wait()
                raise AssertionError

            async def send(message: Any) -> None:
                ended.append(message["type"] == "http.response.body" and not message.get("more_body"))

            scope = {
                "type": "http", "method": "GET", "path": f"{ROOT}Customer", "raw_path": f"{ROOT}Customer".encode(),
                "query_string": b"export=true", "headers": [], "scheme": "http", "server": ("h", 80),
            }  # fmt: skip
            with pytest.raises(RuntimeError):
                await service(scope, receive, send)
            assert not any(ended)  # it was never said to be whole
            assert await settled(service)

    asyncio.run(check())


def test_exports_stay_on_their_generation(tmp_path, contoso_made, run_service):
    shutil.copytree(contoso_made, tmp_path / "r" / "contoso")
    with run_service(Settings(root=tmp_path / "r")) as ask:
        found = ask("GET", f"{ROOT}Customer?export=true&$select=CustomerId")
        assert found.headers["etag"].startswith('W/"1-')
