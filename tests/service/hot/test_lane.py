"""Answers that the protocol gives at once, beside those of the ordinary way: over sockets, two servers, one root."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.service.hot.conftest import until
from unify.service.access.changes import Changes
from unify.service.app import Service
from unify.service.caller import EVERYWHERE, Role
from unify.service.data.room import DataRoom
from unify.service.protocol import protocol_of
from unify.service.settings import Limits, Settings

CLEAN, VENDOR = "/odata/contoso/", "/v1/instances/contoso/data/"
MEMBER = "IsMemberOfSegment(%27big_spenders%27)"
COUNT = f"{CLEAN}Customer/$count"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def names(self) -> list[tuple[str, str]]:
        """Headers in no order, without the date: it may have moved on."""
        return sorted((name, value) for name, value in self.headers if name != "date")


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self._got = b""

    def send(self, path: str, *headers: str, method: str = "GET", version: str = "1.1", body: bytes = b"") -> None:
        self.socket.sendall(request(path, *headers, method=method, version=version) + body)

    def read(self, *, head: bool = False) -> Answer:
        while b"\r\n\r\n" not in self._got:
            self._more()
        said, _, self._got = self._got.partition(b"\r\n\r\n")
        line, *lines = said.decode("latin-1").split("\r\n")
        pairs = [(name, value) for name, _, value in (one.partition(": ") for one in lines)]
        length = 0 if head else int(dict(pairs).get("content-length", 0))
        while len(self._got) < length:
            self._more()
        body, self._got = self._got[:length], self._got[length:]
        return Answer(int(line.split()[1]), pairs, body)

    def ask(self, path: str, *headers: str, **said: Any) -> Answer:
        self.send(path, *headers, **said)
        return self.read(head=said.get("method") == "HEAD")

    @property
    def ended(self) -> bool:
        return self.socket.recv(1) == b""

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed")
        self._got += data

    def close(self) -> None:
        self.socket.close()


def request(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.insert(1, "host: 127.0.0.1")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass
class Served:
    service: Service
    port: int
    counted: list[int]

    def wire(self) -> Any:
        return closing(Wire(self.port))

    def ask(self, path: str, *headers: str, **said: Any) -> Answer:
        with self.wire() as wire:
            return wire.ask(path, *headers, **said)  # type: ignore[no-any-return]

    def hot(self, path: str, *headers: str) -> bool:
        """Whether the lane answers it."""
        before = self.counted[0]
        self.ask(path, *headers)
        return self.counted[0] > before


@contextmanager
def served(settings: Settings, *, lane: bool = True, keep_alive: float = 60) -> Iterator[Served]:
    service = Service(settings)
    service.hot.warm(5)
    counted = [0]

    def counting(scope: Any) -> Any:
        found = service.lane.answer(scope) if lane else None
        counted[0] += found is not None
        return found

    limits = settings.limits
    protocol = protocol_of(limits.header_seconds, limits.url_bytes, limits.connections, counting)
    config = uvicorn.Config(
        service, http=protocol, ws="none", lifespan="on", log_config=None, server_header=False,
        timeout_keep_alive=keep_alive,  # type: ignore[arg-type]
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield Served(service, listening.getsockname()[1], counted)
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def shared(contoso_made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lane") / "root"
    shutil.copytree(contoso_made, root / "contoso")
    return root


@pytest.fixture(scope="module")
def two(shared: Path) -> Iterator[tuple[Served, Served]]:
    """With the lane and without."""
    settings = Settings(root=shared, jobs=False, log_level="error")
    with served(settings) as fast, served(settings, lane=False) as plain:
        yield fast, plain


@pytest.fixture(scope="module")
def fast(two: tuple[Served, Served]) -> Served:
    for one in two:
        until(lambda one=one: "last-modified" in dict(one.ask(COUNT).headers), 10)
    return two[0]


@pytest.fixture(scope="module")
def id_(fast: Served) -> str:
    rows = json.loads(fast.ask(f"{CLEAN}Customer?$filter={MEMBER}&$top=1").body)["value"]
    return str(rows[0]["CustomerId"])


def questions(id_: str) -> list[tuple[str, Sequence[str], bool]]:
    """Path, headers, and whether the lane is meant to answer."""
    both = [
        f"Customer('{id_}')", f"Customer(%27{id_}%27)", f"Customer%28%27{id_}%27%29", f"Customer('{id_}')?$select=City",
        f"Customer?$filter=CustomerId%20eq%20%27{id_}%27%20and%20{MEMBER}", f"Customer?$filter={MEMBER}&$top=3",
        f"Customer?%24filter={MEMBER}&$count=true&$top=2", "Customer/$count", f"Customer/$count?$filter={MEMBER}",
    ]  # fmt: skip
    found: list[tuple[str, Sequence[str], bool]] = [(base + q, (), True) for base in (CLEAN, VENDOR) for q in both]
    count = f"{VENDOR}Customer/$count"
    found += [
        (count, ["accept: application/json"], True),
        (count, ["odata-maxversion: 4.0"], True),
        (count, ["x-anything: else", "user-agent: test"], True),
        (count, ["if-none-match: *"], True),
        (count, ["if-none-match: W/\"1-nothing\""], True),
        (count, ["host: localhost:8330"], True),
        (count, ["host: data.example.org"], False),  # 403: an open service is for loopback
        (count, ["origin: https://elsewhere.example"], False),
        (count, ["origin: http://127.0.0.1"], False),
        (count, ["accept: text/csv"], False),
        (count, ["odata-maxversion: 3.0"], False),
        (count, ["cache-control: no-cache"], False),
        (count, ["content-length: 0"], False),
        (count, ["transfer-encoding: identity"], False),
        (count, ["connection: close"], False),
        (f"{CLEAN}Customer('{id_[:-1]}')", (), False),
        (f"{CLEAN}Customer('{'0' * 32}')", (), False),
        (f"{CLEAN}Customer?$filter=IsMemberOfSegment(%27nothing%27)", (), False),
        (f"{CLEAN}Customer?$filter=City%20eq%20%27Eastwick%27&$top=2", (), False),
        ("/odata/nowhere/Customer/$count", (), False),
        (f"{CLEAN}Customer/$count#part", (), False),
        (f"{CLEAN}Customer('\xe9')", (), False),
        (f"{VENDOR}Customer?$filter={'x' * 40_000}", (), False),
        ("/healthz", (), False),
    ]  # fmt: skip
    return found


def hot(made: Served, path: str, headers: Sequence[str]) -> Answer:
    """From memory, by the lane or not: only such answers say when they were last modified."""
    found: list[Answer] = []

    def asked() -> bool:
        found.append(made.ask(path, *headers))
        return "last-modified" in dict(found[-1].headers)

    until(asked, 5)
    return found[-1]


def test_both_ways_give_the_same_status_headers_and_body(two: tuple[Served, Served], fast: Served, id_: str) -> None:
    plain = two[1]
    for path, headers, at_once in questions(id_):
        before = fast.counted[0]
        mine, other = fast.ask(path, *headers), plain.ask(path, *headers)
        if at_once:  # something that was just published is looked at first, and DuckDB answers meanwhile
            until(lambda path=path, headers=headers: fast.hot(path, *headers), 5)
            mine, other = (hot(one, path, headers) for one in (fast, plain))
        else:
            assert fast.counted[0] == before, (path[:90], headers)
            if "last-modified" in {name for name, _ in (*mine.headers, *other.headers)}:  # DuckDB may have answered one
                mine, other = (hot(one, path, headers) for one in (fast, plain))
        assert (mine.status, mine.names, mine.body) == (other.status, other.names, other.body), path[:90]
        assert len({name for name, _ in mine.headers}) == len(mine.headers)
        assert dict(mine.headers).get("date", "").endswith("GMT") or mine.status >= 400
    assert plain.counted == [0]


def test_heads_old_versions_of_http_and_closing_connections(two: tuple[Served, Served], fast: Served, id_: str) -> None:
    path = f"{CLEAN}Customer('{id_}')"
    whole = fast.ask(path)
    for server in (fast, two[1]):
        head = server.ask(path, method="HEAD")
        assert (head.status, dict(head.headers)["content-length"]) == (200, str(len(whole.body)))
        for said in (
            {"version": "1.0"},
            {"version": "1.0", "keep": "connection: keep-alive"},
            {"keep": "connection: close"},
        ):
            with server.wire() as wire:
                keep = [said["keep"]] if "keep" in said else []
                found = wire.ask(path, *keep, version=said.get("version", "1.1"))
                assert found.body == whole.body
                assert wire.ended
    with fast.wire() as wire:
        assert {wire.ask(path).body for _ in range(20)} == {whole.body}


def test_a_request_that_comes_in_pieces_is_answered_once(fast: Served, id_: str) -> None:
    text = request(f"{CLEAN}Customer('{id_}')")
    with fast.wire() as wire:
        for n in range(0, len(text), 7):
            wire.socket.sendall(text[n : n + 7])
            time.sleep(0.002)
        assert wire.read().status == 200
        assert wire.ask("/healthz").body == b"ok\n"


def test_pipelined_answers_come_in_the_order_of_their_questions(fast: Served, id_: str) -> None:
    """Some by the lane, some by tasks: those that wait for DuckDB hold up those behind them, not the other way round."""
    slow = f"{CLEAN}Customer/$count?$filter=City%20eq%20%27Eastwick%27"
    paths = [COUNT, slow, COUNT, "/healthz", f"{CLEAN}Customer('{id_}')", f"{CLEAN}Customer('{'0' * 32}')", COUNT]
    alone = [fast.ask(path).body for path in paths]
    with fast.wire() as wire:
        wire.socket.sendall(b"".join(map(request, paths * 5)))
        assert [wire.read().body for _ in paths * 5] == alone * 5


def test_a_client_that_does_not_read_holds_up_itself_alone(fast: Served) -> None:
    path, times = f"{CLEAN}Customer?$filter={MEMBER}", 600
    one = fast.ask(path).body
    with fast.wire() as wire:
        sending = threading.Thread(target=wire.socket.sendall, args=(request(path) * times,))
        sending.start()
        time.sleep(0.3)
        began = time.monotonic()
        assert fast.ask("/healthz").body == b"ok\n"
        assert time.monotonic() - began < 2
        bodies = [wire.read().body for _ in range(times)]
        sending.join()
    assert set(bodies) == {one}


def test_idle_connections_are_closed_and_slow_answers_are_not(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    answer = DataRoom.answer

    async def slowly(self: DataRoom, scope: Any, receive: Any, send: Any, caller: Any) -> None:
        await asyncio.sleep(0.8)
        await answer(self, scope, receive, send, caller)

    monkeypatch.setattr(DataRoom, "answer", slowly)
    with served(Settings(root=shared, jobs=False, log_level="error"), keep_alive=0.5) as made:
        until(lambda: made.hot(COUNT), 10)
        with made.wire() as wire:
            wire.socket.sendall(request(COUNT) + request(COUNT, "cache-control: no-cache"))  # at once, then slowly
            assert wire.read().body == wire.read().body == b"723"
            began = time.monotonic()
            assert wire.ended
            assert 0.3 < time.monotonic() - began < 5
        with made.wire() as wire:
            for _ in range(4):  # each answer begins the time anew
                assert wire.ask(COUNT).status == 200
                time.sleep(0.2)
            assert wire.ended


# ── what every request passes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def closed(contoso_made: Path, tmp_path: Path) -> Iterator[tuple[Served, Changes]]:
    """A service that wants credentials."""
    shutil.copytree(contoso_made, tmp_path / "root" / "contoso")
    settings = Settings(root=tmp_path / "root", auth="required", jobs=False, log_level="error", limits=Limits())
    with served(settings) as made:
        yield made, Changes(made.service.guard)


def shown(key: str) -> str:
    return f"ocp-apim-subscription-key: {key}"


def test_keys_roles_and_sights_hold(closed: tuple[Served, Changes]) -> None:
    made, changes = closed
    reader = changes.create_key("ann", roles={"contoso": Role.READER})
    part = changes.create_key("bo", roles={"contoso": Role.STEWARD})
    changes.grant("bo", segments={"contoso": ("big_spenders",)})
    nobody = changes.create_key("eve", roles={"elsewhere": Role.ADMIN})
    until(lambda: made.hot(COUNT, shown(reader.text)), 10)
    until(lambda: made.hot(COUNT, shown(part.text)), 10)
    assert made.ask(COUNT, shown(reader.text)).body == b"723"
    assert made.ask(COUNT, shown(part.text)).body == b"35"
    assert not made.hot(f"{CLEAN}Customer?$top=1", shown(reader.text))  # masked columns are in it
    before = made.counted[0]
    for said, status in (
        ([], 401),
        ([shown("uk_x_y")], 401),
        ([shown(nobody.text)], 404),
        ([shown(reader.text)] * 2, 401),
    ):
        assert made.ask(COUNT, *said).status == status
    assert made.counted[0] == before
    changes.revoke(reader.id)
    until(lambda: made.ask(COUNT, shown(reader.text)).status == 401, 3)


def test_allowances_are_taken_once_for_each_answer(closed: tuple[Served, Changes]) -> None:
    made, changes = closed
    slow = changes.create_key("slow", roles={EVERYWHERE: Role.ADMIN}, rate=0.01, burst=5)
    other = changes.create_key("any", roles={EVERYWHERE: Role.ADMIN})
    until(lambda: made.hot(COUNT, shown(other.text)), 10)
    found = [made.ask(COUNT, shown(slow.text)) for _ in range(8)]
    assert [answer.status for answer in found] == [200] * 5 + [429] * 3
    assert int(dict(found[-1].headers)["retry-after"]) > 10
    rows = changes.create_key("rows", roles={EVERYWHERE: Role.ADMIN}, daily_rows=10)
    page = f"{CLEAN}Customer?$filter={MEMBER}&$top=4"
    assert [made.ask(page, shown(rows.text)).status for _ in range(5)] == [200] * 3 + [429] * 2


def test_every_answer_is_in_the_audit_log_and_in_the_figures(closed: tuple[Served, Changes], id_: str) -> None:
    made, changes = closed
    key = changes.create_key("ann", roles={EVERYWHERE: Role.ADMIN})
    until(lambda: made.hot(COUNT, shown(key.text)), 10)
    path = f"{CLEAN}Customer?$filter={MEMBER}&$top=4"
    tag = dict(made.ask(path, shown(key.text)).headers)["etag"]
    asked = [
        (made.ask(path, shown(key.text), *said).status, said)
        for said in ([], ["cache-control: no-cache"], [f"if-none-match: {tag}"])
    ]
    assert [status for status, _ in asked] == [200, 200, 304]
    audit = made.service.record.audit

    def entries() -> list[dict[str, Any]]:
        return [e for e in audit.entries(who="key:ann") + audit.entries(who="ann") if "top" in json.dumps(e)]

    until(lambda: len(entries()) == 4, 5)
    same = ("who", "key", "method", "route", "shape", "instance", "status", "rows")
    first, *others, last = sorted(({name: e[name] for name in same} for e in entries()), key=lambda e: e["status"])
    assert others == [first, first]
    assert last == {**first, "status": 304, "rows": 0}
    assert (first["status"], first["rows"], first["instance"]) == (200, 4, "contoso")
    assert not audit.verify().trouble
    text = made.ask("/metrics", shown(key.text)).body.decode()
    [line] = [
        one
        for one in text.splitlines()
        if one.startswith("unify_requests_total") and 'room="data"' in one and '="304"' in one
    ]
    assert line.endswith(" 1.0")


def test_with_a_line_for_every_answer_there_is_one(shared: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with served(Settings(root=shared, jobs=False, log_level="debug")) as made:
        for _ in range(3):
            assert made.ask(COUNT).status == 200
        assert made.counted == [0]
    assert capfd.readouterr().err.count('"event": "answered"') == 3
