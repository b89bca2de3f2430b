"""The lane: hot answers that are given the moment their request is read, by the protocol itself.

    protocol ─▶ lane ─ bytes ─▶ one write                      GET, known caller, from memory
                  └─ None ─▶ task ─▶ Service ─▶ …             everything else

A task, its context and a head looked at header by header cost more than a hot answer itself. What the ordinary way
does for a request is done here too, by the same parts: limits, other sites, who asks, allowance, answer, metrics, log,
audit. Whatever of it would have to wait, or to be refused, is None: the ordinary way takes the request as if nothing
had been. tests/service/hot/test_lane.py holds both ways beside each other.
"""

from time import perf_counter
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from unify.service.asgi import BARE, Scope
from unify.service.hot.answer import LOOKED_AT
from unify.service.hot.front import found

if TYPE_CHECKING:
    from unify.service.app import Service

Whole = tuple[int, bytes, bytes]
SEPARATE: Final = LOOKED_AT | {b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"origin"}
"""Headers whose values this way has nothing to say to, but for those that LOOKED_AT knows as plain."""
ABOUT: Final = {"room": "data", "route": "-", "method": "GET"}


class Lane:
    """Of one service. Called on the thread of the event loop."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._open = service.settings.open
        self._url_bytes = service.settings.limits.url_bytes

    def answer(self, scope: Scope) -> Whole | None:
        """Status, headers and body of a GET; None for the ordinary way, which knows of nothing then.

        scope   type, method, scheme, raw_path, query_string, headers; no more
        Headers are lines, each with its end; the date, the status line and the blank line are the protocol's.
        """
        service, began = self._service, perf_counter()
        if service.all_lines or service.record.audit.full:
            return None
        if len(scope["raw_path"]) + len(scope["query_string"]) > self._url_bytes:
            return None
        try:
            proof = service.gate.known(scope)
            one = None if proof is None else found(service, scope, proof.caller, SEPARATE)
            if proof is None or one is None or (self._open and not one.near):
                return None
            if proof.key is not None:
                scope["unify.key"] = proof.key
                service.gate.take(proof.key)  # last of all that may fail: what is taken is not given back
        except Exception:
            return None  # the ordinary way meets it too, and words it
        answer = one.answer
        head = answer.head.text(old=one.old, tls=scope["scheme"] == "https")
        if answer.status not in BARE:
            head += b"content-length: %d\r\n" % len(answer.body)
        seconds = perf_counter() - began
        service.note(ABOUT, answer.status, seconds)
        if not self._open:
            scope["path"], scope["unify.rows"] = unquote(scope["raw_path"].decode("ascii")), answer.rows
            service.gate.answered(scope)
            service.record.note_at_once(scope, proof.caller, answer.status, seconds)
        return answer.status, head, answer.body
