"""A load generator: raw sockets, keep-alive, one request at a time on each connection, nothing parsed but lengths.

    python -m benchmarks.load HOST:PORT REQUESTS.json --connections 32 --seconds 2 --core 1

An answer costs it about 12 µs, a receive and a send among them, so it is not what is measured up to some 60,000 answers
a second. It says so when it was busy for most of the time: `busy` is its share of processor time.
"""

import argparse
import json
import os
import re
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
Seen = Callable[[bytes, bytes], None]


@dataclass
class Load:
    """What was seen. Latencies in seconds, sorted."""

    answers: int = 0
    failures: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Answers a second, and latencies in milliseconds."""
        at = self.latencies or [0.0]
        return {
            "rps": round(self.answers / self.seconds) if self.seconds else 0,
            "p50_ms": round(at[len(at) // 2] * 1000, 3),
            "p99_ms": round(at[min(len(at) - 1, len(at) * 99 // 100)] * 1000, 3),
            "failures": self.failures,
            "busy": round(self.busy, 2),
        }


def request(path: str, headers: Sequence[str] = ()) -> bytes:
    """The bytes of a GET."""
    lines = [f"GET {path} HTTP/1.1", "host: 127.0.0.1", "accept: */*", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class _Connection:
    socket: socket.socket
    sent: float = 0.0
    got: bytes = b""


def load(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    connections: int = 32,
    seconds: float = 2.0,
    until: Callable[[], bool] | None = None,
    seen: Seen | None = None,
) -> Load:
    """Ask the requests in turn for so long, or until something is true.

    seen   called with head and body of every answer

    An answer other than 200, and a connection that ends, is a failure; the connection is opened again.
    """
    poll, open_, next_ = select.epoll(), dict[int, _Connection](), 0
    found = Load()

    def connect() -> None:
        made = _Connection(socket.create_connection(address, 10))
        made.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.socket.setblocking(False)
        open_[made.socket.fileno()] = made
        poll.register(made.socket.fileno(), select.EPOLLIN)
        ask(made)

    def ask(connection: _Connection) -> None:
        nonlocal next_
        next_ += 1
        connection.sent = time.perf_counter()
        connection.socket.send(requests[next_ % len(requests)])

    def again(number: int) -> None:
        found.failures += 1
        poll.unregister(number)
        open_.pop(number).socket.close()
        connect()

    for _ in range(connections):
        connect()
    began, cpu = time.perf_counter(), time.process_time()
    end = began + seconds
    note, latencies = time.perf_counter, found.latencies
    while (now := note()) < end and not (until is not None and until()):
        for number, _ in poll.poll(0.1):
            connection = open_[number]
            try:
                data = connection.socket.recv(1 << 20)
                if not data:
                    again(number)
                    continue
                if connection.got:
                    data = connection.got + data
                stop = data.find(b"\r\n\r\n")
                length = LENGTH.search(data, 0, stop + 2) if stop > 0 else None
                if length is None and b" 304 " not in data[:16]:
                    connection.got = data
                    continue
                if length is not None and len(data) < stop + 4 + int(length[1]):
                    connection.got = data
                    continue
                latencies.append(note() - connection.sent)
                connection.got = b""
                found.answers += 1
                if not data.startswith(b"HTTP/1.1 200"):
                    found.failures += 1
                elif seen is not None:
                    seen(data[:stop], data[stop + 4 :])
                ask(connection)
            except OSError:
                again(number)
    found.seconds = note() - began
    found.busy = (time.process_time() - cpu) / found.seconds
    found.latencies.sort()
    for connection in open_.values():
        connection.socket.close()
    poll.close()
    del now
    return found


def main(arguments: Sequence[str]) -> None:
    """One measurement, printed as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("address", help="HOST:PORT")
    parser.add_argument("requests", type=Path, help="a JSON list of paths, asked in turn")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--core", type=int, help="run on this core alone")
    options = parser.parse_args(arguments)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    host, _, port = options.address.rpartition(":")
    requests = [request(path) for path in json.loads(options.requests.read_text())]
    done = load((host, int(port)), requests, connections=options.connections, seconds=options.seconds)
    print(json.dumps(done.as_dict()))


if __name__ == "__main__":
    main(sys.argv[1:])
