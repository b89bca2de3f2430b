"""Rows written in a batch: a change set is kept whole, in one transaction, or not at all; a lone write is a set of one.

A member may name an earlier one: `PATCH $1` changes the row that request 1 makes, in the same transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from unify.core.errors import UnifyError
from unify.instance import Instance
from unify.service.caller import Caller, Role
from unify.service.data.errors import refused
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.mount import Mount, whole
from unify.service.data.writes import conflict, wanted_of
from unify.service.errors import ServiceError, bad_request
from unify.service.management.depends import hosted_for
from unify.verbs.written import RowExistsError, Together

if TYPE_CHECKING:
    from unify.service.app import Service

WRITES: Final = ("POST", "PATCH")
Locate = Callable[[bytes, dict[str, bytes]], bytes]
"""The path behind the root of an address, given where the members before it led."""


@dataclass(slots=True)
class Changed:
    """What became of a change set.

    replies   id and answer of each member; of a set that was refused the one answer, under the id of who caused it
    paths     member's id → the row that it wrote, behind the root; empty when the set was refused
    kept      whether it was written
    """

    replies: list[tuple[str, Reply]] = field(default_factory=list)
    paths: dict[str, bytes] = field(default_factory=dict)
    kept: bool = False


async def changed(
    service: "Service", mount: Mount, caller: Caller, members: Sequence[tuple[str, Inquiry]], locate: Locate
) -> Changed:
    """Everything written, or nothing. What is refused is an answer; UnifyError for who may not write at all."""
    hosted = hosted_for(service, caller, mount.instance, Role.STEWARD)
    at = 0

    def work(acme: Instance) -> Changed:
        nonlocal at
        writes, made = Together(acme), Changed(kept=True)
        for number, (id_, inquiry) in enumerate(members):
            at = number
            _refuse_method(inquiry)
            wanted = wanted_of(replace(inquiry, path=whole(locate(inquiry.path, made.paths))), caller)
            key = wanted.add_to(writes)
            made.replies.append((id_, wanted.reply(mount, key)))
            if id_:
                made.paths[id_] = wanted.path(key).encode()
        try:
            writes.keep()
        except RowExistsError as error:
            at = error.number
            raise
        return made

    try:
        return await hosted.ask(work)
    except RowExistsError as error:
        return Changed([(members[at][0], refused(conflict(error), vendor=True))])
    except UnifyError as error:
        return Changed([(members[at][0] if members else "", refused(error, vendor=True))])


def is_write(inquiry: Inquiry) -> bool:
    """Whether a request of a batch writes a row: not a batch, nor a question in a body."""
    address = inquiry.path.replace(b"%24", b"$")
    asks = address.endswith((b"/$query", b"$batch"))
    return inquiry.method == "PATCH" or (inquiry.method == "POST" and not asks)


def _refuse_method(inquiry: Inquiry) -> None:
    """ServiceError 400 for a question, 405 for what no address here takes."""
    if inquiry.method in ("GET", "HEAD", "OPTIONS"):
        raise bad_request("a change set holds no question", where="$batch", hint="put it beside the change set")
    if inquiry.method not in WRITES:
        message = f"{inquiry.method[:20]} is not possible here: rows are made and changed"
        raise ServiceError(405, message, hint="use POST or PATCH", headers={"Allow": "POST, PATCH"})
