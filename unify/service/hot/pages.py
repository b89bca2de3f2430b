"""Pages of a segment: which members stand on one, and the link to the next, the same as the slow way gives."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from segments.odata.answers.answer import parsed
from segments.odata.answers.pages import Position, next_link, page_size, position_of, question_of
from segments.odata.dialect import CUSTOMER_INSIGHTS
from segments.odata.syntax.ast_options import Request, Text
from unify.service.hot.asked import CUSTOMER_ID, TOKEN, Asked
from unify.service.hot.members import Members
from unify.service.hot.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Page:
    """Places of its rows; rows in all where the question asks for that; the next link, "" for none."""

    places: Sequence[int]
    count: int | None
    next: str


def first_page(snapshot: Snapshot, members: Members, asked: Asked, text: str, root: str, size: int | None) -> Page:
    """The page that a question without a token asks for. `text`: the whole of it, for the next link."""
    rows = page_size(size)
    limit = rows if asked.top is None else min(rows, asked.top)
    places = members.slice(asked.skip, limit)
    count = members.count if asked.count else None
    link = ""
    if members.count > asked.skip + limit and asked.top != limit:
        clock = datetime.now(UTC).replace(tzinfo=None).isoformat()
        request = parsed(text, CUSTOMER_INSIGHTS)
        left = None if asked.top is None else asked.top - limit
        link = _link(snapshot, request, Position(
            snapshot.generation, clock, question_of(request), rows, left=left, count=count
        ), places, root)  # fmt: skip
    return Page(places, count, link)


def token_in(query: bytes) -> tuple[bytes, str] | None:
    """The query without its $skiptoken, and the token; None when there is none, or not as our links write it."""
    match = TOKEN.search(query)
    if match is None:
        return None
    rest = query[: match.start()] + query[match.end() :]
    return rest.removeprefix(b"&"), match[1].decode()


def later_page(
    snapshot: Snapshot, members: Members, asked: Asked, text: str, token: str, root: str, size: int | None
) -> Page | None:
    """The page behind a token; None when it is of another generation. `text`: the question without the token.

    QueryError for a token that is damaged or belongs to another question.
    """
    first = parsed(text, CUSTOMER_INSIGHTS)
    request = replace(first, options=(*first.options, Text("$skiptoken", token)))
    position = position_of(request)
    if position is None or position.generation != snapshot.generation or position.after is None:
        return None
    [last] = position.after if len(position.after) == 1 else (None,)
    if last is None or not CUSTOMER_ID.match(last):
        return None
    place = snapshot.rows.ids.find(last)
    if place is None:
        return None
    rows = position.size if size is None else page_size(size)
    left = position.left
    limit = rows if left is None else min(rows, left)
    begin = members.before(place + 1)
    places = members.slice(begin, limit)
    count = (members.count if position.count is None else position.count) if asked.count else None
    link = ""
    if members.count > begin + limit and left != limit:
        link = _link(snapshot, first, replace(
            position, size=rows, left=None if left is None else left - limit, count=count
        ), places, root)  # fmt: skip
    return Page(places, count, link)


def _link(snapshot: Snapshot, request: Request, position: Position, places: Sequence[int], root: str) -> str:
    """`places`: at least one, since a page that is not the last has rows."""
    last = snapshot.rows.ids.digits(places[-1])
    return root + next_link(request, replace(position, after=(last,), offset=0))
