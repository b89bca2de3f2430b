"""Webhooks: what runs mean to those who listen, sent at least once to whoever takes it."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import unify
from unify.core.errors import QueryError
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError
from unify.service.jobs import events as making
from unify.service.jobs.addresses import address_of, is_public, target_of
from unify.service.jobs.announcer import Announcer
from unify.service.jobs.delivery import Outcome, post
from unify.service.jobs.events import KINDS
from unify.service.jobs.outbox import AGAIN_S, MOST_ATTEMPTS, OLDEST, Outbox, Webhook
from unify.service.settings import Settings
from unify.store import Store


class Receiver:
    """One on loopback. `answers`: status of the next requests, 204 when there are no more; `seen`: id, headers, body."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.before_answering: Callable[[], None] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.seen.append((headers["webhook-id"], headers, body))
                receiver.before_answering()
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "http://127.0.0.1:1/")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?a=b"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def events(self) -> list[dict]:
        return [json.loads(body) for _, _, body in self.seen]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def outbox(tiny: Path) -> Outbox:
    return Outbox(ServiceDatabase(tiny))


def subscribed(outbox: Outbox, tiny: Path, url: str, *events: str, segments: tuple[str, ...] | None = None) -> Webhook:
    wanted = Webhook("", "tiny", url, events or KINDS, segments, "", active=True, description=None)
    return outbox.subscribe(wanted, "ann", Store.open(tiny / "tiny").runs(1)[0])


def tell(tiny: Path) -> Announcer:
    """One look at what has ended, and one round of sending."""
    announcer = Announcer(Settings(root=tiny, webhook_private=True))
    announcer.look()
    with ThreadPoolExecutor(4) as pool:
        announcer.send(pool)
    return announcer


def people(tiny: Path, *lines: str) -> None:
    (tiny / "tiny" / "people.csv").write_text("\n".join(["Id,Name,EMail,City", *lines]) + "\n")


def test_a_run_of_the_command_line_is_told_too_with_who_entered_and_left(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url)
    with unify.open(tiny / "tiny") as acme:
        ben = acme.segment("bern").members().arrow().column(0).to_pylist()
        people(tiny, "1,Ada,ada@x.example,Bern", "2,Ben,ben@x.example,Basel", "4,Cleo,cleo@x.example,Basel")
        acme.run(acme.project(), base=tiny / "tiny")
        ada = acme.segment("bern").members().arrow().column(0).to_pylist()
    tell(tiny)
    told = {event["type"]: event for event in receiver.events()}
    assert told["segment.entered"]["data"] == {
        "instance": "tiny", "run": 3, "generation": 3, "segment": "bern", "customers": ada, "part": 1, "parts": 1, "count": 1,
    }  # fmt: skip
    assert told["segment.left"]["data"]["customers"] == ben
    assert told["run.finished"]["data"]["purpose"] == "run"
    assert all("example" not in body.decode() and "Ada" not in body.decode() for _, _, body in receiver.seen)
    tell(tiny)
    assert len(receiver.seen) == len({id_ for id_, _, _ in receiver.seen})  # once each
    assert {d.state for d in outbox.deliveries(webhook.webhook_id, None, 100)} == {"delivered"}


def test_customers_that_come_and_go_are_told(tiny, outbox, receiver):
    subscribed(outbox, tiny, receiver.url, "customer.created", "customer.retired", "customer.merged")
    with unify.open(tiny / "tiny") as acme:
        people(tiny, "1,Ada,ada@x.example,Bern", "2,Ben,ada@x.example,Bern", "9,Zoe,zoe@x.example,Bern")
        acme.run(acme.project(), base=tiny / "tiny")
        acme.refresh()  # it takes over what the run has told
        changes = acme.sql("SELECT change, CustomerId, other FROM customer_changes ORDER BY 1, 2").rows()
    tell(tiny)
    told = sorted(
        (e["type"], c["id"], (c.get("others") or [None])[0]) for e in receiver.events() for c in e["data"]["customers"]
    )
    assert told == sorted((f"customer.{r['change']}", r["CustomerId"], r["other"]) for r in changes)
    assert {kind for kind, _, _ in told} == {"customer.created", "customer.merged", "customer.retired"}


def test_a_refresh_and_a_failed_run_are_told_and_other_segments_are_not(tiny, outbox, receiver):
    subscribed(outbox, tiny, receiver.url, "run.failed", "segment.entered", segments=("basel",))
    with unify.open(tiny / "tiny") as acme:
        acme.segments().create("basel", "City eq 'Basel'")
        acme.segments().create("all_of_them", "City ne null")
        acme.segments().refresh()
        people(tiny)
        with pytest.raises(unify.UnifyError):
            acme.run(
                {
                    **acme.project().model_dump(mode="json", by_alias=True),
                    "sources": {"crm": {"Nobody": {"files": "x.csv", "key": "Id"}}},
                },
                base=tiny,
            )
    tell(tiny)
    told = [(e["type"], e["data"].get("segment")) for e in receiver.events()]
    assert told == [("segment.entered", "basel"), ("run.failed", None)]
    assert receiver.events()[0]["data"]["count"] == 2  # whoever is in it at first has entered
    assert set(receiver.events()[1]["data"]) == {"instance", "run", "generation", "purpose", "error"}


def test_long_lists_come_in_parts_that_are_the_list(tiny, outbox, receiver, monkeypatch):
    monkeypatch.setattr(making, "PART", 2)
    subscribed(outbox, tiny, receiver.url, "segment.entered")
    with unify.open(tiny / "tiny") as acme:
        acme.segments().create("everybody", "City ne null")
        acme.segments().refresh("everybody")
        wanted = acme.segment("everybody").members().arrow().column(0).to_pylist()
    tell(tiny)
    parts = [e["data"] for e in receiver.events()]
    assert [(p["part"], p["parts"], p["count"], len(p["customers"])) for p in parts] == [(1, 2, 3, 2), (2, 2, 3, 1)]
    assert [c for p in parts for c in p["customers"]] == sorted(wanted)
    assert len({e["id"] for e in receiver.events()}) == 2


def test_the_signature_is_that_of_the_specification(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
    tell(tiny)
    ((event_id, headers, body),) = receiver.seen
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    said = f"{event_id}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    wanted = base64.b64encode(hmac.digest(key, said, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert json.loads(body)["id"] == event_id
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["host"] == receiver.url.split("/")[2]


def test_a_receiver_that_fails_is_tried_again_later_and_later_and_then_given_up(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
        acme.refresh()
    receiver.answers = [500] * 50
    announcer = tell(tiny)
    first, second = reversed(outbox.deliveries(webhook.webhook_id, None, 10))
    assert (first.state, first.attempts, first.last_status, first.last_error) == ("pending", 1, 500, "it answered 500")
    assert second.attempts == 0  # what waits for the same receiver waits as long
    assert second.next_at == first.next_at
    waits = []
    while first.state == "pending":
        waits.append((first.next_at - first.last_at).total_seconds())
        outbox.failed(first, Outcome(500, "it answered 500"), first.next_at)
        (first,) = (d for d in outbox.deliveries(webhook.webhook_id, None, 10) if d.event_id == first.event_id)
    assert waits == pytest.approx(AGAIN_S, abs=0.01)
    assert (first.state, first.attempts) == ("dead", MOST_ATTEMPTS)
    again = outbox.retry(webhook.webhook_id, first.event_id, datetime.now(UTC))
    assert (again.state, again.attempts) == ("pending", 0)
    receiver.answers = []
    with ThreadPoolExecutor(1) as pool:
        announcer.send(pool)
    states = {d.event_id: d.state for d in outbox.deliveries(webhook.webhook_id, None, 10)}
    assert states[first.event_id] == "delivered"


def test_one_that_is_gone_or_too_old_is_given_up_at_once(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
        acme.refresh()
    announcer = Announcer(Settings(root=tiny, webhook_private=True))
    announcer.look()
    first, second = outbox.deliveries(webhook.webhook_id, "pending", 10)
    assert outbox.failed(first, Outcome(410, "it answered 410"), datetime.now(UTC)) == "dead"
    assert (
        outbox.failed(second, Outcome(None, "no answer"), datetime.now(UTC) + OLDEST + timedelta(seconds=1)) == "dead"
    )
    assert {d.state for d in outbox.deliveries(webhook.webhook_id, "dead", 10)} == {"dead"}


def test_a_slow_or_failing_receiver_keeps_nobody_else_waiting(tiny, outbox, receiver):
    bad = subscribed(outbox, tiny, "http://127.0.0.1:1/", "run.finished")
    good = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
    tell(tiny)
    assert [d.state for d in outbox.deliveries(bad.webhook_id, None, 10)] == ["pending"]
    assert [d.state for d in outbox.deliveries(good.webhook_id, None, 10)] == ["delivered"]


def test_a_receiver_that_answers_a_byte_at_a_time_is_cut_off(receiver):
    receiver.before_answering = lambda: time.sleep(0.6)
    began = time.monotonic()
    outcome = post(receiver.url, b"{}", {"webhook-id": "x"}, private=True, seconds=0.3)
    assert outcome == Outcome(None, "no answer within 0.3 s")
    assert time.monotonic() - began < 5


def test_redirects_are_not_followed(receiver):
    receiver.answers = [302]
    assert post(receiver.url, b"{}", {"webhook-id": "x"}, private=True) == Outcome(302, "redirects are not followed")


def test_telling_a_run_twice_adds_nothing(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url)
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
    store = Store.open(tiny / "tiny")
    run = store.runs(1)[0]
    for wanted in (1, 0):
        events = making.events_of("tiny", store, run, KINDS, None)
        assert outbox.announce("tiny", run, events, datetime.now(UTC)) == wanted
    assert len(outbox.deliveries(webhook.webhook_id, None, 10)) == 1


def test_one_that_is_killed_between_the_yes_and_writing_it_down_sends_the_event_again(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
    code = (
        "import sys; from pathlib import Path; from concurrent.futures import ThreadPoolExecutor\n"
        "from unify.service.jobs.announcer import Announcer; from unify.service.settings import Settings\n"
        "a = Announcer(Settings(root=Path(sys.argv[1]), webhook_private=True)); a.look(); a.send(ThreadPoolExecutor(1))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tiny)], stderr=subprocess.DEVNULL)
    receiver.before_answering = lambda: os.kill(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    receiver.before_answering = lambda: None
    assert [d.state for d in outbox.deliveries(webhook.webhook_id, None, 10)] == ["pending"]
    tell(tiny)
    first, second = receiver.seen
    assert first[0] == second[0]
    assert first[2] == second[2]
    assert [d.state for d in outbox.deliveries(webhook.webhook_id, None, 10)] == ["delivered"]


def test_who_subscribes_hears_of_what_happens_from_then_on(tiny, outbox, receiver):
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
        first = subscribed(outbox, tiny, receiver.url, "run.finished")
        tell(tiny)
        assert receiver.seen == []
        acme.refresh()
        tell(tiny)
        outbox.unsubscribe("tiny", first.webhook_id)
        acme.refresh()
        subscribed(outbox, tiny, receiver.url, "run.finished")
        acme.refresh()
    tell(tiny)
    assert [e["data"]["run"] for e in receiver.events()] == [4, 6]


def test_old_events_are_swept_and_waiting_ones_are_not(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url, "run.finished")
    with unify.open(tiny / "tiny") as acme:
        acme.refresh()
        tell(tiny)
        acme.refresh()
    Announcer(Settings(root=tiny)).look()
    outbox.sweep(datetime.now(UTC) + timedelta(days=30))
    assert [d.state for d in outbox.deliveries(webhook.webhook_id, None, 10)] == ["pending"]


def test_subscriptions_of_other_instances_are_not_there(tiny, outbox, receiver):
    webhook = subscribed(outbox, tiny, receiver.url)
    with pytest.raises(ServiceError, match="no webhook"):
        outbox.webhook("other", webhook.webhook_id)
    with pytest.raises(ServiceError, match="no webhook"):
        outbox.unsubscribe("other", webhook.webhook_id)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
        "2002:7f00:1::", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_public_net(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::93.184.216.34"]
)
def test_addresses_of_the_public_net(address):
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/", "https"),
        ("ftp://example.com/", "no URL"),
        ("https:///path", "no URL"),
        ("https://ann:secret@example.com/", "name or password"),
        ("https://example.com/#x", "fragment"),
        ("https://example.com:99999/", "no URL"),
        ("https://exämple.com/", "visible ASCII"),
        ("https://example.com/a b", "visible ASCII"),
        ("https://example.com/\r\nx: y", "visible ASCII"),
        ("https://[::1/", "no URL"),
    ],
)
def test_urls_that_nothing_is_sent_to(url, said):
    with pytest.raises(QueryError, match=said) as refused:
        target_of(url, private=False)
    assert refused.value.where == "url"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "169.254.169.254"])
def test_names_that_lead_inside_are_refused_however_they_are_written(host):
    target = target_of(f"https://{host}/", private=False)
    with pytest.raises(QueryError, match=r"no public address|is not known"):
        address_of(target, private=False)


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch):
    found = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with pytest.raises(QueryError, match=r"10\.0\.0\.1"):
        address_of(target_of("https://both.example/", private=False), private=False)


def test_a_name_is_looked_up_once_and_the_connection_goes_to_that_address(receiver, monkeypatch):
    """A second answer of the name server would be an attack: rebinding."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    asked = []

    def answered(host, *_, **__):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", port))]

    monkeypatch.setattr("unify.service.jobs.addresses.socket.getaddrinfo", answered)
    outcome = post(f"http://rebound.example:{port}/", b"{}", {"webhook-id": "x"}, private=True, seconds=5)
    assert asked[0] == "rebound.example"
    assert outcome == Outcome(204, None)
    assert receiver.seen[0][1]["host"] == f"rebound.example:{port}"
