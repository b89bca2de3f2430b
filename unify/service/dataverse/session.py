"""One request at work in a thread of the pool, or one change set: who asks, and the transaction that they share."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID, uuid4

from unify.custom import STEPS
from unify.custom.installing import install
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Model, model_of
from unify.dataverse.query import Asker, Preferences, Questions
from unify.dataverse.writes import Writer, Writes, organization_of, user_id, writer_of
from unify.instance import Instance
from unify.records import Reading, RecordStore, Writing
from unify.service.access.visibility import Policy
from unify.service.caller import Caller, Role
from unify.service.dataverse.errors import DENIED
from unify.service.dataverse.mount import Mount
from unify.service.dataverse.preferences import Preferences as Said
from unify.service.errors import ServiceError
from unify.service.keeping import keep
from unify.service.operations.log import logger
from unify.service.settings import Limits

SECONDS: Final = 8.0
"""Of one question: the official client waits 10 for a GET."""


@dataclass
class Session:
    """What a request, or the requests of a change set, are answered with.

    correlation  of the request, given by the client or drawn
    references   of a batch: Content-ID to what it led to, `contacts(…)`
    writing      the transaction of a change set; None outside of one
    alone        whether a failure undoes no other request's work
    """

    mount: Mount
    caller: Caller
    policy: Policy
    instance: Instance
    limits: Limits
    correlation: str
    references: dict[str, str] = field(default_factory=dict)
    writing: Writing | None = None
    afters: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = RecordStore(self.instance.path)
        self.in_change_set = False
        install(self.store, STEPS.code(self.instance.path))
        keep(self.store.path)

    def join(self, writing: Writing) -> None:
        """Do everything in this transaction: that of a change set."""
        self.writing, self.in_change_set = writing, True

    def need(self, role: Role) -> None:
        """DataverseError 403 unless the caller holds the role, and nothing is withheld from it."""
        if not self.caller.may(self.mount.instance, role):
            word = role.name.lower()
            raise denied(f"this takes the role {word}", hint=f"an admin of {self.mount.instance[:128]} can assign it")
        if role >= Role.STEWARD and not self.policy.everything:
            hint = "an admin can take away what restricts this caller"
            raise denied("rows are shown whole here, and this caller may not see everything", hint=hint)

    # ── transactions ─────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """One moment; inside a change set, what it has written so far."""
        if self.writing is not None:
            yield self.writing
            return
        with self.store.read() as reading:
            yield reading

    @contextmanager
    def transaction(self) -> Iterator[Writing]:
        """That of the change set, else one of its own: on the disk when the block ends."""
        if self.writing is not None:
            yield self.writing
            return
        with in_time(), self.store.write() as writing:
            self.writing = writing
            try:
                yield writing
            finally:
                self.writing = None

    def settle(self) -> None:
        """Everything is on the disk: do what waited for that. It cannot fail the request any more."""
        for work in self.afters:
            try:
                work()
            except Exception:
                logger.exception("failed after a commit", room="dataverse", correlation=self.correlation)
        self.afters.clear()

    # ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def questions(self, reading: Reading) -> Questions:
        """To ask of one moment."""
        _, unit = organization_of(reading)
        asker = Asker(user_id(reading, self.caller.principal), unit, datetime.now(UTC))
        return Questions(reading, self.model(reading), asker, root=self.mount.root, seconds=SECONDS)

    def writes(self, writing: Writing) -> Writes:
        """To write in one transaction."""
        return Writes(writing, self.writer(writing))

    def reader(self, reading: Reading) -> Writes:
        """Writes that only read: files of a moment."""
        _, unit = organization_of(reading)
        writer = Writer(user_id(reading, self.caller.principal), unit, datetime.now(UTC))
        return Writes(reading, writer)  # type: ignore[arg-type]  # `file` reads alone

    def writer(self, writing: Writing) -> Writer:
        """Who the caller is among the users of the organization."""
        return writer_of(writing, self.caller.principal)

    @staticmethod
    def model(reading: Reading) -> Model:
        """All tables at that moment."""
        return model_of(reading)

    def check_caller(self, headers: Mapping[str, str]) -> None:
        """DataverseError 403 for who acts as somebody else; naming oneself is nothing."""
        for name in ("mscrmcallerid", "callerobjectid"):
            said = headers.get(name)
            if said is None:
                continue
            with self.reading() as reading:
                own = user_id(reading, self.caller.principal)
            if _guid(said) != own:
                hint = f"leave {name} out, or name yourself: {own}"
                raise denied("nobody acts on behalf of another user here", hint=hint)


@contextmanager
def in_time() -> Iterator[None]:
    """ServiceError 503 where another writer held the store for longer than a transaction waits."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        hint = "ask again in a few seconds"
        message = "another writer holds the tables of this instance"
        raise ServiceError(503, message, hint=hint, headers={"Retry-After": "5"}) from None


def _guid(text: str) -> str | None:
    try:
        return str(UUID(text.strip().strip("{}")))
    except ValueError:
        return None


def denied(message: str, *, hint: str = "") -> DataverseError:
    """403."""
    return DataverseError(message, code=DENIED, status=HTTPStatus.FORBIDDEN, hint=hint)


def asked_for(said: Said) -> Preferences:
    """Preferences in the words of queries."""
    return Preferences(annotations=said.annotations or "", page_size=said.page, track_changes=said.track)


def correlation_of(headers: Mapping[str, str]) -> str:
    """The id that a client gave its request, else a new one."""
    said = headers.get("x-ms-client-request-id") or headers.get("x-ms-correlation-request-id") or ""
    return _guid(said) or str(uuid4())
