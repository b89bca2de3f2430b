"""One POST to one receiver, signed after the Standard Webhooks specification, to the address that was checked."""

import base64
import hashlib
import hmac
import http.client
import secrets
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from unify.core.errors import QueryError
from unify.service.jobs.addresses import Target, address_of, target_of

SECONDS: Final = 10.0
"""A receiver has to answer within; it should note the event and work on it later."""
SECRET: Final = "whsec_"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt. `status` None: no answer of HTTP. `error` None: it was taken."""

    status: int | None
    error: str | None


def new_secret() -> str:
    """A key to sign with: 256 bits, as the specification writes it."""
    return SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, event_id: str, seconds: int, body: bytes) -> str:
    """What stands in `webhook-signature`: `v1,` and the HMAC-SHA256 of id, timestamp and body."""
    key = base64.b64decode(secret.removeprefix(SECRET))
    said = f"{event_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()


def headers_of(secret: str, event_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Of one attempt. The timestamp is that of the attempt: receivers refuse old ones, so that none can be replayed."""
    seconds = int(now.timestamp())
    return {
        "content-type": "application/json",
        "user-agent": "unify-webhooks",
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(secret, event_id, seconds, body),
    }


def post(url: str, body: bytes, headers: Mapping[str, str], *, private: bool, seconds: float = SECONDS) -> Outcome:
    """Send; only a 2xx is a yes. Redirects are not followed: they would lead past the check of the address."""
    try:
        target = target_of(url, private=private)
        address = address_of(target, private=private)
    except QueryError as error:
        return Outcome(None, error.message)
    connection = _Pinned(target, address, seconds)
    timer = threading.Timer(seconds, connection.cut)  # a receiver that answers a byte at a time is never idle
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", target.path, body, {**headers, "host": target.authority, "connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = connection.late or isinstance(error, TimeoutError)
        return Outcome(None, f"no answer within {seconds:g} s" if late else f"no answer: {_said(error)}")
    finally:
        timer.cancel()
        connection.close()
    if 200 <= status < 300:
        return Outcome(status, None)
    return Outcome(status, "redirects are not followed" if 300 <= status < 400 else f"it answered {status}")


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or type(error).__name__}"
    return type(error).__name__


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its name stands for by now; TLS still checks the name."""

    def __init__(self, target: Target, address: str, seconds: float) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self._target, self._address = target, address
        self.late = False

    def connect(self) -> None:
        """See HTTPConnection."""
        plain = socket.socket(socket.AF_INET6 if ":" in self._address else socket.AF_INET, socket.SOCK_STREAM)
        self.sock = plain  # `cut` and `close` reach it from here on
        plain.settimeout(self.timeout)
        plain.connect((self._address, self._target.port))
        if self._target.https:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self._target.host)

    def cut(self) -> None:
        """End it from another thread: it took too long."""
        self.late = True
        if (sock := self.sock) is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
