"""Questions: from text to a Reply, by the snapshot in memory or by DuckDB in the pool.

inquiry ─▶ hot? ─▶ parse, limits, versions, formats ─▶ not changed? ─▶ pool: answer | export ─▶ reply
"""

import re
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import duckdb

from segments.odata.answers.answer import generation_asked, parsed
from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o
from segments.odata.syntax.url import parse_path
from unify.core.errors import NotFoundError
from unify.instance import Instance
from unify.service.access.tally import tally
from unify.service.asgi import Headers
from unify.service.caller import Caller, Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.exports import NotASetError, exported
from unify.service.data.limits import check_limits, check_url
from unify.service.data.mount import Mount
from unify.service.data.negotiate import CSV, VARY, accepted, matches, page_preferred, usual, version_of
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.hot.states import tag_of
from unify.service.management.depends import hosted_for
from unify.verbs.odata import OData, model_on

if TYPE_CHECKING:
    from unify.service.app import Service

TOP: Final = re.compile(rb"(?:\A|&)(?:\$|%24)?top=(\d{1,9})(?:&|\Z)", re.IGNORECASE)
TOKEN: Final = re.compile(rb"skiptoken=", re.IGNORECASE)
ROWS: Final = 100
"""A page where nobody says how many, as the vendor's."""
YES_NO: Final = {"true": True, "false": False}
QUESTION_MEDIA: Final = ("text/plain", "application/x-www-form-urlencoded")


async def query(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """The answer to a question. Errors of the product, ServiceError."""
    limits = service.settings.limits
    check_url(len(inquiry.path) + len(inquiry.query), limits)
    version = version_of(inquiry)
    size = page_size(inquiry, limits.page_rows)
    common = headers_of_every(version, inquiry, size)
    if (found := _from_memory(service, mount, caller, inquiry, size)) is not None:
        found.headers += common
        tally(found.rows)
        return found
    hosted = hosted_for(service, caller, mount.instance, Role.READER)
    request = read(mount, inquiry)
    check_limits(request, limits)
    wants_all = _yes(request, "export")
    accept = accepted(inquiry, request, vendor=mount.vendor)
    asking = _Asking(mount, hosted, caller, inquiry, request, size, accept)
    if wants_all or _is_csv(request, accept):
        try:
            reply = await exported(service, hosted, caller, asking.export, inquiry)
        except NotASetError:
            if wants_all:
                raise
            reply = await hosted.ask_as(caller, asking.answer)
    else:
        reply = await hosted.ask_as(caller, asking.answer)
    reply.headers += common
    tally(reply.rows)
    return reply


def read(mount: Mount, inquiry: Inquiry) -> o.Request:
    """The question as a tree; ODataSyntaxError, ServiceError."""
    text = inquiry.text
    if not mount.vendor:
        text = SIGNED.sub("%2B", text)
    elif "?" in text.partition("?")[2]:  # the path was encoded with a query of its own
        path, own, rest = text.split("?", 2)
        text = f"{path}?{own}&{rest}"
    request = parsed(text.removeprefix("?") if text == "?" else text, mount.dialect)
    first = request.path.segments[0] if request.path.segments else None
    if isinstance(first, ast.System) and first.name == "$entity":
        request = _of_id(mount, request)
    for name in ("forceSearch", "proxy"):
        _yes(request, name)
    return request


SIGNED: Final = re.compile(r"(?<=\d)\+(?=\d\d:\d\d)|(?<=\d[eE])\+(?=\d)")
"""A raw + that is a sign, of an offset or an exponent; any other one is a space."""


def _of_id(mount: Mount, request: o.Request) -> o.Request:
    """`$entity?$id=…`: the row that an id names."""
    id_ = next((x.value for x in request.options if isinstance(x, o.Text) and x.name == "$id"), "")
    for prefix in (mount.root, f"{mount.base}/"):
        if id_.startswith(prefix):
            id_ = id_.removeprefix(prefix)
            break
    if "://" in id_ or id_.startswith("/"):
        raise NotFoundError("this id is of another service", where="$id", hint=f"ids here begin with {mount.root}")
    options = tuple(x for x in request.options if not (isinstance(x, o.Text) and x.name == "$id"))
    path = ast.Path((*parse_path(id_, mount.dialect).segments, *request.path.segments[1:]))
    return replace(request, path=path, options=options)


def _yes(request: o.Request, name: str) -> bool:
    """An option that is true or false; false when it is not said. ServiceError 400 for another value."""
    said = next((x.value for x in request.options if isinstance(x, o.Custom) and x.name == name), "false")
    if (said or "").lower() not in YES_NO:
        raise bad_request(f"{name} is true or false", where=name, hint=f"write {name}=true")
    return YES_NO[(said or "").lower()]


def _is_csv(request: o.Request, accept: str) -> bool:
    said = next((x.value for x in request.options if isinstance(x, o.Text) and x.name == "$format"), accept)
    return said.lower().partition(";")[0].strip() in ("csv", CSV)


def page_size(inquiry: Inquiry, most: int) -> int | None:
    """Rows a page: what a client prefers, else all that `$top` allows, else as a next link says, else 100."""
    preferred = page_preferred(inquiry, most)
    if preferred is not None:
        return preferred
    if TOKEN.search(inquiry.query):
        return None
    top = TOP.search(inquiry.query)
    return min(max(int(top[1]), 1), most) if top else min(ROWS, most)


def headers_of_every(version: str, inquiry: Inquiry, size: int | None) -> Headers:
    """Of every answer to a question."""
    preferred = page_preferred(inquiry, 10**9) is not None
    name = b"odata.maxpagesize" if version == "4.0" else b"maxpagesize"
    applied = [(b"preference-applied", b"%s=%d" % (name, size))] if preferred and size else []
    return [(b"odata-version", version.encode()), VARY, *applied]


def _from_memory(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry, size: int | None) -> Reply | None:
    if mount.vendor and inquiry.media == CSV:  # as the vendor's documents ask for an export
        return None
    headers = [(_bytes(name), _bytes(value)) for name, value in inquiry.headers.items()]
    scope = {"type": "http", "method": "GET", "headers": headers, "query_string": inquiry.query}
    found = service.hot.answer(scope, caller, mount.instance, inquiry.path, mount.root, size)
    return None if found is None else Reply(found.status, found.body, list(found.headers), rows=found.rows)


def _bytes(text: str) -> bytes:
    """Of a header; those of a JSON batch may hold any character."""
    return text.encode("latin-1", "replace")


# ── in the pool ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Asking:
    """One question, ready for a thread of the pool."""

    mount: Mount
    hosted: Hosted
    caller: Caller
    inquiry: Inquiry
    request: o.Request
    size: int | None
    accept: str

    def answer(self, acme: Instance) -> Reply:
        """The whole answer."""
        with _said_plainly():
            tag = self._tag(acme)
            if tag and matches(self.inquiry.header("if-none-match") or "", tag):
                return Reply(304, headers=[(b"etag", tag.encode())])
            made = self._odata(acme).ask(self.request)
            while tag and tag != (tag := self._tag(acme)):  # published meanwhile: the rows may be of either
                made = self._odata(acme).ask(self.request)
            headers = [(b"content-type", made.content_type.encode())] if made.status != 204 else []
            if tag:
                headers.append((b"etag", tag.encode()))
            rows = len(made.value) if isinstance(made.value, list) else int(made.value is not None)
            return Reply(made.status, made.body().encode("utf-8", "replace"), headers, rows=rows)

    def export(self, acme: Instance) -> Any:
        """A stream that has been looked at, and the headers of its answer."""
        with _said_plainly():
            made = self._odata(acme).export(self.request)
            headers = [(b"content-type", made.export.format.content_type.encode())]
            tag = self._tag(acme)
            return made, [*headers, *([(b"etag", tag.encode())] if tag else [])]

    def _odata(self, acme: Instance) -> OData:
        return OData(acme, self.mount.dialect, self.mount.root, self.size, self.accept)

    def _tag(self, acme: Instance) -> str:
        """Names what the answer is made of; "" where the answer is of the moment that it is asked at."""
        if uses_clock(self.request):
            return ""
        engine = acme.engine()
        generation = generation_asked(self.request, self.mount.dialect)
        stamp = self.hosted.store.segment_state()
        if generation not in (None, acme.generation):  # a later page of an older one, whose project is not at hand
            return tag_of(generation, "", None, (stamp, self.hosted.policy(self.caller), self._form(stamp)))
        state = self.hosted.state(acme.generation, model_on(engine).project)
        return tag_of(acme.generation, state, self.hosted.visibility(self.caller), self._form(stamp))

    def _form(self, stamp: tuple[int, ...]) -> object:
        """What the text hangs on beside address, generation, members and caller; None in the usual case.

        That is the case which memory answers too, with the same tag.
        """
        accept = "" if self.accept == usual(self.request) else self.accept
        preferred = page_preferred(self.inquiry, 10**18)
        segments = self.request.path.segments
        defined = stamp if not segments or isinstance(segments[0], ast.System) else None  # these name segments
        return (accept, preferred, defined) if accept or preferred or defined else None


def uses_clock(node: Any) -> bool:
    """Whether a question says `now()`."""
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, tuple):
            todo += one
        elif isinstance(one, ast.Call) and one.name.lower() == "now":
            return True
        elif is_dataclass(one) and not isinstance(one, type):
            todo += [getattr(one, field.name) for field in fields(one)]
    return False


class _said_plainly:  # noqa: N801 - it reads as the verb it is
    """Errors of DuckDB about values, and of formats, as refusals of HTTP."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ODataUnsupportedError) and error.where == "$format":
            raise ServiceError(406, error.message, where="$format", hint=error.hint) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            hint = "narrow it with $filter, sort by less, or export the set without $orderby"
            raise bad_request("the question needs more memory than one may use", hint=hint, key="queryMemory") from None
        if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException | duckdb.InvalidInputException):
            hint = "a number grows beyond its type, or a text is no value of the type it is cast to"
            raise bad_request("the question cannot be computed on these rows", hint=hint, key="notComputable") from None


def query_of_body(inquiry: Inquiry) -> Inquiry:
    """`POST …/$query`: the question whose options stand in the body, as they would behind the `?`.

    ServiceError 415 for a body of another kind.
    """
    if inquiry.media not in QUESTION_MEDIA:
        message = f"a query in the body is text/plain, not {inquiry.media[:60] or 'of no type'}"
        raise ServiceError(415, message, where="Content-Type", hint="send Content-Type: text/plain")
    path = inquiry.path.removesuffix(b"/$query").removesuffix(b"/%24query")
    parts = [part for part in (inquiry.query, inquiry.body.strip()) if part]
    return inquiry.asking(path, b"&".join(parts))
