"""`$batch`: up to 1,000 requests in one, answered in order; change sets among them all or none.

A change set is one transaction of the record store. A request may name an earlier one: `$1` in its address, in
`…@odata.bind` and in `@odata.id` is what request 1 led to. The first that fails is the last that is answered, and the
batch is 400, unless the client prefers to go on.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from unify.core.errors import UnifyError
from unify.instance import Instance
from unify.service.access.tally import tally
from unify.service.caller import Caller
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse.bodies import bad_payload, referred
from unify.service.dataverse.errors import refused
from unify.service.dataverse.handling import handled
from unify.service.dataverse.mount import Mount
from unify.service.dataverse.parts import Item, items_of, written, written_set
from unify.service.dataverse.preferences import preferences_of
from unify.service.dataverse.session import Session, correlation_of, in_time
from unify.service.errors import ServiceError
from unify.service.hosted import Hosted

if TYPE_CHECKING:
    from unify.service.app import Service

MOST_BYTES: Final = 256 * 2**20
"""Of the answers of one batch: they are together in memory until it is known whether all went well."""
ABSOLUTE: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
ROOT: Final = re.compile(rb"(?:/instances/([^/]+))?/api/data/v9(?:\.\d{1,6}){1,3}(?:/|\Z)", re.IGNORECASE)
PASSED_ON: Final = ("mscrmcallerid", "callerobjectid", "mscrm.solutionuniquename", "accept")
"""Headers of the batch that hold for its requests, unless they say their own."""
VERSION: Final = (b"odata-version", b"4.0")


class _UndoneError(Exception):
    """A request of a change set failed: nothing of the set stays."""

    def __init__(self, item: Item, error: UnifyError) -> None:
        super().__init__(item.id)
        self.item, self.error = item, error


@dataclass
class _Answered:
    """The parts so far."""

    boundary: bytes
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    failed: bool = False

    def add(self, replies: list[tuple[str, Reply]], *, a_set: bool) -> None:
        """The answer to one request, or those to a change set; of one that was undone there is one answer."""
        failed = any(reply.status >= 400 for _, reply in replies)
        if a_set and not failed:
            part = written_set(replies, self.boundary, b"changesetresponse_" + secrets.token_hex(16).encode())
        else:
            part = b"".join(written(reply, id_, self.boundary) for id_, reply in replies)
        self.parts.append(part)
        self.size += len(part)
        self.failed = self.failed or failed
        tally(sum(reply.rows for _, reply in replies))

    @property
    def text(self) -> bytes:
        """The whole body."""
        return b"".join([*self.parts, b"--" + self.boundary + b"--\r\n"])


async def batch(service: "Service", hosted: Hosted, mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """The answer. ServiceError 400 and 415 for what is no batch."""
    items = items_of(inquiry)
    goes_on = preferences_of(inquiry.headers).go_on
    work = Work(service, hosted, mount, caller, inquiry)
    done = _Answered(b"batchresponse_" + secrets.token_hex(16).encode())
    for item in items:
        if done.size > MOST_BYTES:
            too_long = ServiceError(413, f"the answers of this batch are longer than {MOST_BYTES:,} bytes")
            done.add([(item.id, _versioned(refused(too_long)))], a_set=False)
        else:
            done.add(await work.answers(item), a_set=item.inquiry is None)
        if done.failed and not goes_on:
            break
    content = (b"content-type", b"multipart/mixed; boundary=" + done.boundary)
    applied = [(b"preference-applied", b"odata.continue-on-error")] if goes_on else []
    return Reply(400 if done.failed and not goes_on else 200, done.text, [content, *applied])


class Work:
    """The requests of one batch, and what they led to so far."""

    def __init__(self, service: "Service", hosted: Hosted, mount: Mount, caller: Caller, outer: Inquiry) -> None:
        self._service, self._hosted, self._mount, self._caller = service, hosted, mount, caller
        self._headers = {name: outer.headers[name] for name in PASSED_ON if name in outer.headers}
        self._correlation = correlation_of(outer.headers)
        self._references: dict[str, str] = {}

    async def answers(self, item: Item) -> list[tuple[str, Reply]]:
        """To one request, or to a change set."""
        members = [item] if item.inquiry is not None else list(item.members)
        before = dict(self._references)
        try:
            return await self._hosted.ask_as(
                self._caller, lambda instance: self._answers(instance, members, item.inquiry is None)
            )
        except _UndoneError as undone:
            self._references = before
            wanted = preferences_of(undone.item.inquiry.headers if undone.item.inquiry else {}).annotation
            return [(undone.item.id, _versioned(refused(undone.error, wanted)))]
        except UnifyError as error:  # the pool's: too many wait, or it took too long
            self._references = before
            return [(members[0].id if members else "", _versioned(refused(error)))]

    def _answers(self, instance: Instance, members: list[Item], together: bool) -> list[tuple[str, Reply]]:
        session = Session(
            mount=self._mount, caller=self._caller, policy=self._hosted.policy(self._caller), instance=instance,
            limits=self._service.settings.limits, correlation=self._correlation, references=self._references,
        )  # fmt: skip
        if not together:
            found = self._each(session, members)
        else:
            with in_time(), session.store.write() as writing:
                session.join(writing)
                found = self._each(session, members)
        session.settle()
        return found

    def _each(self, session: Session, members: Iterable[Item]) -> list[tuple[str, Reply]]:
        found = []
        for member in members:
            assert member.inquiry is not None
            if session.in_change_set and member.inquiry.method in ("GET", "HEAD", "OPTIONS"):
                raise _UndoneError(
                    member, bad_payload("a change set holds no GET", hint="put it beside the change set")
                )
            try:
                found.append((member.id, self._one(session, member.inquiry, member.id)))
            except UnifyError as error:
                raise _UndoneError(member, error) from error
        return found

    def _one(self, session: Session, inquiry: Inquiry, id_: str) -> Reply:
        path = _located(self._mount, referred_path(inquiry.path, self._references))
        asked = replace(inquiry, path=path, headers={**self._headers, **inquiry.headers})
        reply = _versioned(handled(session, asked))
        if id_:
            self._references[id_] = _led(self._mount, reply) or path.decode("latin-1")
        return reply


def referred_path(path: bytes, references: dict[str, str]) -> bytes:
    """An address with `$1` at its begin in the place of what that led to. DataverseError."""
    text = path.decode("latin-1")
    bare = text.removeprefix("/")
    if not bare.startswith("$") or bare.startswith(("$metadata", "$batch", "$entity")):
        return path
    return referred(bare, references).encode("latin-1")


def _led(mount: Mount, reply: Reply) -> str:
    """The row that a request wrote, relative to the root; "" when it wrote none."""
    return reply.header(b"odata-entityid").decode("latin-1").removeprefix(mount.root)


def _located(mount: Mount, address: bytes) -> bytes:
    """The path behind the root, of an address that is absolute, absolute on this host, or relative to the root.

    ServiceError 404 for one of another service: a batch asks one instance.
    """
    match = ABSOLUTE.match(address)
    rest = address[match.end() :] or b"/" if match is not None else address
    if not rest.startswith(b"/"):
        return rest
    root = ROOT.match(rest)
    if root is None or (root[1] is not None and root[1].decode("latin-1") != mount.instance):
        message = "this address is of another service than the batch"
        raise ServiceError(404, message, where="url", hint=f"begin with {mount.root}", key="0x8006088a")
    return rest[root.end() :]


def _versioned(reply: Reply) -> Reply:
    if not reply.header(b"odata-version"):
        reply.headers.append(VERSION)
    return reply
