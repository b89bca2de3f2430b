"""Rows of entities that somebody writes: the vendor's create and update (docs/service-odata.md).

    POST  ~/data/{entityName}               202 AcceptedResult: the next run that ingests makes it a row
    PATCH ~/data/{entityName}/{entityId}    204; also at the `location` of a new row, {entityName}('{entityId}')

The body is an object, or a JSON string that holds one, as the vendor's client sends it. Errors that its client decodes
here: 400, 404 of an update, 409 of a create.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote

import orjson

from unify.instance import Instance
from unify.service.asgi import JSON
from unify.service.caller import Caller, Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.mount import Mount
from unify.service.errors import ServiceError, bad_request
from unify.service.management.depends import hosted_for
from unify.verbs.written import RowExistsError, Together

if TYPE_CHECKING:
    from unify.service.app import Service

OPTIONS: Final = ("validUntil", "caller")
LONGEST: Final = timedelta(days=30)
"""That a write may stay in force, as the vendor documents."""
CALLER: Final = 200
"""Characters of who writes."""
LOCATED: Final = re.compile(r"([^()]+)\('((?:[^']|'')+)'\)\Z", re.DOTALL)
"""The row that the `location` of a new row names."""


async def write(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """Create or update a row; it takes the role of a steward."""
    hosted = hosted_for(service, caller, mount.instance, Role.STEWARD)
    wanted = wanted_of(inquiry, caller)

    def work(acme: Instance) -> str:
        writes = Together(acme)
        key = wanted.add_to(writes)
        writes.keep()
        return key

    try:
        key = await hosted.ask(work)
    except RowExistsError as error:
        raise conflict(error) from None
    return wanted.reply(mount, key)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request wants written. `key`: of the row that is changed; None: it is a new one."""

    entity: str
    key: str | None
    values: Mapping[str, Any]
    until: datetime | None
    caller: str

    def add_to(self, writes: Together) -> str:
        """Its key as text; errors as of Together."""
        if self.key is None:
            return writes.add_row(self.entity, self.values, until=self.until, caller=self.caller)[1]
        return writes.add_change(self.entity, self.key, self.values, until=self.until, caller=self.caller)[1]

    def path(self, key: str) -> str:
        """Of the row, behind the root: `crm_Contacts('C-9')`."""
        return f"{quote(self.entity)}('{quote(key.replace(chr(39), chr(39) * 2), safe=chr(39))}')"

    def reply(self, mount: Mount, key: str) -> Reply:
        """202 of a new row, 204 of a change."""
        if self.key is not None:
            return Reply(204)
        location = f"{mount.root}{self.path(key)}"
        body = {"location": location, "value": self.values, "declaredType": None, "statusCode": 202}
        return Reply(202, orjson.dumps(body), [JSON])


def wanted_of(inquiry: Inquiry, caller: Caller) -> Wanted:
    """A POST or PATCH read. ServiceError 400 for what is none."""
    entity, key = _named(inquiry)
    until, by = _options(inquiry)
    who = f"{caller.principal}: {by}" if by else caller.principal
    return Wanted(entity, key, values_of(inquiry.body), until, who)


def conflict(error: RowExistsError) -> ServiceError:
    """409, which the vendor's client decodes of a create."""
    return ServiceError(409, error.message, where=error.where, hint=error.hint, key="rowExists")


def _named(inquiry: Inquiry) -> tuple[str, str | None]:
    """The entity, and the row of an update. ServiceError 400 for another path."""
    try:
        pieces = [unquote(piece, errors="strict") for piece in inquiry.path.decode("ascii").split("/")]
    except UnicodeDecodeError:
        raise bad_request("the address is no UTF-8", where="path", hint="percent-encode it") from None
    if inquiry.method == "PATCH" and len(pieces) == 1 and (match := LOCATED.match(pieces[0])):
        return match[1], match[2].replace("''", "'")
    wanted = 1 if inquiry.method == "POST" else 2
    if len(pieces) != wanted or not all(pieces):
        way = "POST …/data/{entityName}" if wanted == 1 else "PATCH …/data/{entityName}/{entityId}"
        raise ServiceError(400, f"{inquiry.method} does not take this path", where="path", hint=f"write {way}")
    return pieces[0], pieces[1] if wanted == 2 else None


def _options(inquiry: Inquiry) -> tuple[datetime | None, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(inquiry.query.decode("latin-1"), keep_blank_values=True):
        if name not in OPTIONS or name in found:
            why = "stands twice" if name in found else "is no option here"
            raise bad_request(f"{name[:40]} {why}", where=name[:40], hint=f"there are {' and '.join(OPTIONS)}")
        found[name] = value
    by = found.get("caller", "")
    if len(by) > CALLER:
        raise bad_request(f"caller is longer than {CALLER} characters", where="caller", hint="shorten it")
    return _until(found["validUntil"]) if found.get("validUntil") else None, by


def _until(text: str) -> datetime:
    hint = "an instant in the next 30 days, as in 2026-12-01T00:00:00Z"
    try:
        until = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise bad_request(f"{text[:40]!r} is no instant", where="validUntil", hint=hint) from None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until
    now = datetime.now(UTC)
    if not now < until <= now + LONGEST:
        raise bad_request(f"{text[:40]} is past, or more than 30 days away", where="validUntil", hint=hint)
    return until


def values_of(body: bytes) -> Mapping[str, Any]:
    """Columns and values; a JSON string that holds JSON is read twice. ServiceError 400."""
    hint = 'send an object, as in {"ContactId":"C-9","City":"Bern"}'
    try:
        said = orjson.loads(body)
        if isinstance(said, str):
            said = orjson.loads(said)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error.msg}", where="body", hint=hint) from None
    if not isinstance(said, dict) or not said:
        raise bad_request("the body is no object with columns", where="body", hint=hint)
    return said
