"""The hot routes of OData: a question that a snapshot can answer, answered; any other is None.

    Customer('id')  Customer(CustomerId='id')  Customer(crm_Contacts_ContactId='C-1')      with $select
    Customer?$filter=CustomerId eq 'id' [and IsMemberOfSegment('S')]
    Customer[?$filter=IsMemberOfSegment('S')]                                   with $select, $top, $skip, $count, pages
    Customer/$count[?$filter=IsMemberOfSegment('S')]

What stands here is the sum of small costs, a few microseconds each: nothing is awaited, no SQL, no parser for what a
pattern reads. tests/service/hot holds every answer against the slow way's.
"""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Final

from segments.relationships import CUSTOMER
from unify.core.errors import NotFoundError
from unify.service.access.visibility import Policy, Visibility
from unify.service.asgi import Headers, Scope
from unify.service.caller import OPEN, Caller
from unify.service.data.negotiate import matches
from unify.service.errors import ServiceError
from unify.service.hosted import Hosted
from unify.service.hot.asked import CHECK, COUNT, CUSTOMER_ID, KEY, ONE_KEY, SET, Asked, asked, text_of
from unify.service.hot.heads import Head, Heads
from unify.service.hot.keeper import Keeper
from unify.service.hot.members import Members
from unify.service.hot.pages import first_page, later_page, token_in
from unify.service.hot.rows import GONE
from unify.service.hot.snapshot import Snapshot
from unify.service.hot.texts import Shape

if TYPE_CHECKING:
    from unify.service.app import Service

CUSTOMER_ID_KEY: Final = "customerid"
REMEMBERED: Final = 256
"""Ways to see customers of which it is known what they leave out."""
THREADS: Final = 2
"""That look at catalogs and make small snapshots, for all instances of a worker."""
LOOKED_AT: Final = frozenset((
    b"accept", b"prefer", b"if-none-match", b"odata-maxversion", b"odata-version", b"cache-control", b"if-match",
    b"odata-isolation", b"isolation", b"accept-charset", b"content-type",
))  # fmt: skip
PLAIN: Final = {
    b"accept": frozenset((b"*/*", b"application/json", b"application/json, */*", b"application/json, text/plain, */*")),
    b"content-type": frozenset((b"application/json",)),  # text/csv asks the vendor's path for an export
    b"odata-maxversion": frozenset((b"4.0",)),
    b"odata-version": frozenset((b"4.0",)),
}
"""Values of headers that ask for no more than the plain answer. Any other value, and any other header of those that are
looked at, is for the slow way."""
NO_COLUMNS: Final[frozenset[str]] = frozenset()
OF_ONE: Final = frozenset(("$select", "$format"))
OF_COUNT: Final = frozenset(("$filter", "IsMemberOfSegment"))


@dataclass(slots=True)
class HotAnswer:
    """A whole answer. Headers of every OData answer are the room's to add to those of `head`.

    status   200, or 304 without a body
    rows     how many customers are told of
    """

    status: int
    body: bytes
    head: Head
    rows: int = 0

    @property
    def headers(self) -> Headers:
        """Content-type, etag, last-modified; a list of the caller's own."""
        return list(self.head.headers)


class Root:
    """What links and contexts begin with; and how an answer about customers begins."""

    __slots__ = ("context", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.context = f'{{"@odata.context":{encode_basestring(text + "$metadata#Customer")[:-1]}'.encode()


@dataclass(slots=True)  # not frozen: making one costs a third
class Sight:
    """What one caller sees of one snapshot.

    columns   of Customer that are withheld
    segments  only their members are seen; None: everybody
    """

    snapshot: Snapshot
    root: Root
    columns: frozenset[str]
    segments: tuple[str, ...] | None
    heads: Heads
    now: float

    def shape(self, select: tuple[str, ...] | None) -> Shape | None:
        """How rows are shown; None when that cannot be said here."""
        if self.columns and (select is None or not self.columns.isdisjoint(select)):
            return None
        return self.snapshot.texts.shape(select)

    def sees(self, place: int) -> bool:
        """Whether a customer is there for this caller."""
        return self.segments is None or self.snapshot.seen(self.segments).has(place)

    def members(self, segment: str | None) -> Members | None:
        """Those of a segment, or all customers, as far as they are seen; None when that cannot be said here."""
        if segment is None:
            return self.snapshot.everybody if self.segments is None else self.snapshot.seen(self.segments)
        members = self.snapshot.members(segment, self.now)
        if members is None or self.segments is None:
            return members
        return self.snapshot.within(self.segments, segment) if segment in self.segments else None


class Hot:
    """Held by the service; the room of the data route asks it first for every GET.

    found = service.hot.answer(scope, caller, instance_id, relative, root)
    if found is not None:
        await respond(send, found.status, found.body, [*headers_of_every_answer, *found.headers])
        return
    hosted = hosted_for(…)      # the way through the parser and DuckDB, errors included
    """

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="snapshot")
        self._keepers: dict[str, tuple[Hosted, Keeper]] = {}

    def answer(
        self, scope: Scope, caller: Caller, instance_id: str, relative: bytes, root: str, page_size: int | None = None
    ) -> HotAnswer | None:
        """What `acme.odata(…)` gives; None for what takes the parser, DuckDB or a refusal. Never waits.

        It looks at the role and the visibility of the caller itself, and at the headers that change an answer (Accept,
        Prefer, If-None-Match, OData-MaxVersion): where one asks for more than plain JSON, None.

        relative    the path behind the service root as it came, percent-encoded or not: `Customer('…')`. The query is
                    that of the scope
        root        what links and contexts begin with
        page_size   rows a page where the request does not say, as for `segments.odata.answers.answer.answer`

        NotFoundError where a key is well-formed and nobody has it: a miss must not cost more than a hit. QueryError for
        a $skiptoken of another question.
        """
        known = headers_plain(scope["headers"])
        if known is None or not relative.startswith(SET):
            return None
        return self.found(caller, instance_id, relative, scope["query_string"], Root(root), page_size, known)

    def found(
        self,
        caller: Caller,
        instance_id: str,
        relative: bytes,
        query: bytes,
        root: Root,
        size: int | None,
        known: bytes,
    ) -> HotAnswer | None:
        """The same of a request whose headers have been looked at. `known`: of If-None-Match, or nothing."""
        if caller is not OPEN and caller.role(instance_id) is None:
            return None
        kept = self._kept(instance_id)
        snapshot = kept[1].current() if kept is not None else None
        if kept is None or snapshot is None:
            return None
        if caller is OPEN:
            now = time.time()
            sight: Sight | None = Sight(snapshot, root, NO_COLUMNS, None, snapshot.heads(now), now)
        else:
            sight = _sight(kept[1], snapshot, root, kept[0].policy(caller))
        found = None if sight is None else _answered(sight, relative, query, size)
        if known and found is not None and sight is not None and matches(known.decode("latin-1"), sight.heads.etag):
            return HotAnswer(304, b"", sight.heads.unchanged)
        return found

    def keeper(self, instance_id: str) -> Keeper:
        """The keeper of an instance; ServiceError 404 when it is not there."""
        hosted = self._service.roof.get(instance_id)
        known = self._keepers.get(instance_id)
        if known is not None and known[0] is hosted:
            return known[1]
        if known is not None:
            known[1].close()
        keeper = Keeper(hosted.store, self._executor)
        self._keepers[instance_id] = (hosted, keeper)
        return keeper

    def warm(self, seconds: float = 0) -> None:
        """Have a snapshot of every instance opened or made, so that the first question is a fast one already.

        seconds   to wait at most for those that need no process to make them
        """
        for instance_id in self._service.roof.ids():
            with contextlib.suppress(ServiceError):  # removed this very moment
                self.keeper(instance_id).current()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not all(keeper.settled for _, keeper in self._keepers.values()):
            time.sleep(0.005)

    def close(self) -> None:
        """Make no more snapshots."""
        for _, keeper in self._keepers.values():
            keeper.close()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _kept(self, instance_id: str) -> tuple[Hosted, Keeper] | None:
        known = self._keepers.get(instance_id)
        if known is not None and not known[1].gone:
            return known
        try:
            self.keeper(instance_id)
        except ServiceError:
            self._keepers.pop(instance_id, None)
            return None
        return self._keepers[instance_id]


def headers_plain(headers: Headers) -> bytes | None:
    """If-None-Match, or b""; None when a header asks for something else than the plain answer."""
    known = b""
    for name, value in headers:
        if name not in LOOKED_AT:
            continue
        if name == b"if-none-match":
            known = value
        elif value not in PLAIN.get(name, ()):
            return None
    return known


def _sight(keeper: Keeper, snapshot: Snapshot, root: Root, policy: Policy) -> Sight | None:
    """What somebody sees; None when that takes more than leaving rows and columns out, or is not known yet."""
    now = time.time()
    if policy.everything:
        return Sight(snapshot, root, NO_COLUMNS, None, snapshot.heads(now), now)
    visibility = keeper.visibility(snapshot, policy)
    if visibility is None:
        return None
    withheld = _withheld(visibility)
    segments = visibility.segments
    if "CustomerId" in withheld or "ordinal" in withheld:
        return None
    if segments is not None and any(snapshot.members(name, now) is None for name in segments):
        return None
    return Sight(snapshot, root, withheld, segments, snapshot.heads(now, visibility), now)


@lru_cache(REMEMBERED)
def _withheld(visibility: Visibility) -> frozenset[str]:
    """Columns of Customer."""
    return frozenset(column for table, column in visibility.hidden | visibility.masked if table == CUSTOMER)


def _answered(sight: Sight, relative: bytes, query: bytes, size: int | None) -> HotAnswer | None:
    if relative == SET:
        return _set(sight, query, size)
    if not query and not sight.columns and (match := ONE_KEY.match(relative)):
        rows = sight.snapshot.rows
        place = rows.ids.find(match[1])
        if place is not None and sight.sees(place):
            row = sight.snapshot.texts.whole.row(rows.row(place))
            return HotAnswer(200, b'%b/$entity",%b' % (sight.root.context, row[1:]), sight.heads.json, 1)
    if match := KEY.match(relative):
        said = asked(query)
        shape = None if said is None or said.named - OF_ONE else sight.shape(said.select)
        return None if shape is None else _entity(sight, match[1], match[2], shape)
    if COUNT.match(relative):
        said = asked(query)
        if said is None or said.named - OF_COUNT or said.customer is not None:
            return None
        members = sight.members(said.segment)
        return None if members is None else HotAnswer(200, b"%d" % members.count, sight.heads.text)
    return None


# ── one customer ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _entity(sight: Sight, name: bytes | None, raw: bytes, shape: Shape) -> HotAnswer | None:
    key = text_of(raw)
    if key is None:
        return None
    folded = CUSTOMER_ID_KEY if name is None else name.decode().casefold()
    rows = sight.snapshot.rows
    if folded == CUSTOMER_ID_KEY:
        place = _place(sight.snapshot, key)
        if place == GONE:
            return None
        if place is None or not sight.sees(place):
            raise NotFoundError(f"there is no Customer with CustomerId {key!r}", where="path", hint="check the key")
    else:
        entity = rows.alternates.get(folded)
        if entity is None or sight.columns or sight.segments is not None:
            return None
        place = rows.of_record(entity, key)
        if place is None:
            raise NotFoundError(f"no customer has the record {entity}:{key}", where="path", hint="check the key")
    body = b'%b%b/$entity",%b' % (sight.root.context, shape.suffix, shape.row(rows.row(place))[1:])
    return HotAnswer(200, body, sight.heads.json, 1)


def _place(snapshot: Snapshot, key: str) -> int | None:
    """Of a customer or of the one who took over a retired id."""
    if not CUSTOMER_ID.match(key):
        return None
    place = snapshot.rows.ids.find(key)
    return snapshot.rows.heir(key) if place is None else place


# ── sets ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set(sight: Sight, query: bytes, size: int | None) -> HotAnswer | None:
    if (match := CHECK.match(query)) and (segment := text_of(match[2])) is not None and not sight.columns:
        return _checked(sight, match[1], segment)
    said = asked(query)
    if said is None:
        return _later(sight, query, size)
    shape = sight.shape(said.select)
    if shape is None:
        return None
    if said.customer is not None:
        return _one_or_none(sight, said, said.customer, shape)
    members = sight.members(said.segment)
    if members is None:
        return None
    text = f"Customer?{query.decode('ascii', 'replace')}" if query else "Customer"
    page = first_page(sight.snapshot, members, said, text, sight.root.text, size)
    return _written(sight, shape, page.places, page.count, page.next)


def _checked(sight: Sight, customer: bytes, segment: str) -> HotAnswer | None:
    """Whether a customer is in a segment: the hottest question."""
    members = sight.members(segment)
    if members is None:
        return None
    rows = sight.snapshot.rows
    place = rows.ids.find(customer)
    if place is None or not members.has(place):
        return HotAnswer(200, sight.root.context + b'","value":[]}', sight.heads.json)
    row = sight.snapshot.texts.whole.row(rows.row(place))
    return HotAnswer(200, b'%b","value":[%b]}' % (sight.root.context, row), sight.heads.json, 1)


def _one_or_none(sight: Sight, said: Asked, customer: str, shape: Shape) -> HotAnswer | None:
    """A set that one customer at most is in."""
    place = sight.snapshot.rows.ids.find(customer) if CUSTOMER_ID.match(customer) else None
    if said.segment is not None:
        members = sight.members(said.segment)
        if members is None:
            return None
        if place is not None and not members.has(place):
            place = None
    elif place is not None and not sight.sees(place):
        place = None
    count = int(place is not None)
    shown = () if place is None or said.skip or said.top == 0 else (place,)
    return _written(sight, shape, shown, count if said.count else None, "")


def _later(sight: Sight, query: bytes, size: int | None) -> HotAnswer | None:
    found = token_in(query)
    if found is None:
        return None
    rest, token = found
    said = asked(rest)
    shape = None if said is None else sight.shape(said.select)
    if said is None or shape is None or said.customer is not None:
        return None
    members = sight.members(said.segment)
    if members is None:
        return None
    text = f"Customer?{rest.decode('ascii', 'replace')}" if rest else "Customer"
    page = later_page(sight.snapshot, members, said, text, token, sight.root.text, size)
    return None if page is None else _written(sight, shape, page.places, page.count, page.next)


def _written(sight: Sight, shape: Shape, places: Sequence[int], count: int | None, link: str) -> HotAnswer:
    row = sight.snapshot.rows.row
    counted = b"" if count is None else b',"@odata.count":%d' % count
    tail = f',"@odata.nextLink":{encode_basestring(link)}' if link else ""
    texts = shape.rows([row(place) for place in places])
    body = b'%b%b"%b,"value":[%b]%b}' % (sight.root.context, shape.suffix, counted, texts, tail.encode())
    return HotAnswer(200, body, sight.heads.json, len(places))
