"""Answers as Dataverse writes them: JSON with a context, bare 204s with the address of a row, text of one value."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from unify.dataverse.model import Model
from unify.dataverse.query import Page
from unify.dataverse.writes import Written
from unify.service.asgi import Headers
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.negotiate import ranges_of
from unify.service.dataverse.errors import CONTENT
from unify.service.dataverse.mount import Mount
from unify.service.dataverse.preferences import Preferences
from unify.service.errors import ServiceError

TEXT: Final = (b"content-type", b"text/plain")
JSON_TYPES: Final = frozenset(("application/json", "application/*", "*/*", "text/json"))
KEPT: Final = ("@odata.nextLink", "@odata.deltaLink", "@odata.count")
"""Annotations that odata.metadata=none leaves."""


def dumped(value: Any) -> bytes:
    """JSON; a Decimal is a number with all its digits."""
    return orjson.dumps(value, default=_number)


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f").encode())
    raise TypeError


def plain(said: Any) -> Any:
    """Without annotations of OData, for a client that wants none."""
    if isinstance(said, dict):
        return {k: plain(v) for k, v in said.items() if "@odata." not in k or k in KEPT}
    return [plain(each) for each in said] if isinstance(said, list) else said


def json_reply(inquiry: Inquiry, status: int, said: Mapping[str, Any], headers: Headers | None = None) -> Reply:
    """An answer with a body; `odata.metadata=none` is honoured. ServiceError 406 for a client that takes no JSON."""
    if wants_none(inquiry):
        return Reply(
            status, dumped(plain(said)), [(CONTENT[0], b"application/json; odata.metadata=none"), *(headers or [])]
        )
    return Reply(status, dumped(said), [CONTENT, *(headers or [])])


def wants_none(inquiry: Inquiry) -> bool:
    """Whether the client wants no metadata in the JSON. ServiceError 406 when no JSON of ours will do."""
    accept = inquiry.header("accept")
    ranges = [] if accept is None else [one for one in ranges_of(accept) if one.q > 0]
    if accept is None or not accept.strip():
        return False
    fitting = [one for one in ranges if one.type in JSON_TYPES and one.parameters.get("ieee754compatible") != "true"]
    levels = {one.parameters.get("metadata", "minimal") for one in fitting}
    if not levels & {"minimal", "none"}:
        hint = "send Accept: application/json; odata.metadata=minimal"
        raise ServiceError(406, f"there is no answer in {accept[:80]!r}", where="Accept", hint=hint)
    return "minimal" not in levels


def page_reply(mount: Mount, inquiry: Inquiry, page: Page, text: str, said: Preferences) -> Reply:
    """Rows. `text`: the options that a next link repeats."""
    body: dict[str, Any] = {"@odata.context": f"{mount.root}$metadata#{page.context}"}
    body |= page.annotations
    body["value"] = page.rows
    for name, token, option in (("nextLink", page.next, "$skiptoken"), ("deltaLink", page.delta, "$deltatoken")):
        if token is not None:
            options = text if option == "$skiptoken" else _selected(text)
            body[f"@odata.{name}"] = link(mount, inquiry, options, option, token)
    reply = json_reply(inquiry, 200, body, applied(said, written=False))
    reply.rows = len(page.rows)
    return reply


def _selected(text: str) -> str:
    """The one option that what is tracked keeps."""
    return "&".join(part for part in text.split("&") if unquote(part.partition("=")[0]) == "$select")


def link(mount: Mount, inquiry: Inquiry, options: str, name: str, token: str) -> str:
    """The address that was asked, with a token."""
    path = inquiry.path.decode("ascii", "ignore") if inquiry.path.isascii() else quote(inquiry.path)
    joined = quote(options, safe="%=&$@'(),;:/*+!?~") + "&" if options else ""
    return f"{mount.root}{path}?{joined}{name}={quote(token, safe='')}"


def applied(said: Preferences, *, written: bool) -> Headers:
    """The header that says which preferences were honoured."""
    text = said.applied(written=written)
    return [(b"preference-applied", text.encode())] if text else []


def entity_id(mount: Mount, model: Model, table: str, id_: str) -> str:
    """Where a row is."""
    return f"{mount.root}{model.table(table).set_name}({id_})"


def written_headers(mount: Mount, model: Model, row: Written, *, located: bool) -> Headers:
    """Of an answer to a write; `located`: it was made, so Location says where."""
    address = entity_id(mount, model, row.table, row.id).encode()
    return [(b"odata-entityid", address), *([(b"location", address)] if located else [])]


def etag_of(row: Mapping[str, Any]) -> str:
    """Of a row as it goes out; "" when it has none."""
    return str(row.get("@odata.etag") or "")


def text_reply(text: str) -> Reply:
    """One value as text."""
    return Reply(200, text.encode("utf-8", "replace"), [TEXT])


def value_text(value: Any) -> str:
    """A value as `/$value` writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def listed(mount: Mount, context: str, rows: Sequence[Any]) -> dict[str, Any]:
    """A collection that is whole."""
    return {"@odata.context": f"{mount.root}$metadata#{context}", "value": list(rows)}
