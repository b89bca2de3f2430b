"""The hot routes of OData: a question that a snapshot can answer, answered; any other is None."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unify.service.asgi import Headers, Scope
from unify.service.caller import Caller

if TYPE_CHECKING:
    from unify.service.app import Service


@dataclass(frozen=True, slots=True)
class HotAnswer:
    """A whole answer. `headers`: content-type, etag, last-modified; those of every OData answer are the room's to add.

    status   200, or 304 without a body
    """

    status: int
    body: bytes
    headers: Headers


class Hot:
    """Held by the room of the data route; asked first for every GET.

    found = self._hot.answer(scope, caller, instance_id, relative, root)
    if found is not None:
        await respond(send, found.status, found.body, [*headers_of_every_answer, *found.headers])
        return
    hosted = hosted_for(…)      # the way through the parser and DuckDB, errors included
    """

    def __init__(self, service: "Service") -> None:
        self._service = service

    def answer(
        self, scope: Scope, caller: Caller, instance_id: str, relative: bytes, root: str, page_size: int | None = None
    ) -> HotAnswer | None:
        """What `acme.odata(relative?query)` would give; None for what takes the parser, DuckDB or a refusal. No waiting.

        It looks at the role and the visibility of the caller itself, and at the headers that change an answer (Accept,
        Prefer, If-None-Match, OData-MaxVersion): where one asks for more than plain JSON, None.

        relative    the path behind the service root as it came, percent-encoded or not: `Customer('…')`. The query is
                    that of the scope
        root        what links and contexts begin with
        page_size   rows a page where the request does not say, as for `segments.odata.answers.answer.answer`

        NotFoundError where a key is well-formed and nobody has it: a miss must not cost more than a hit.
        """
        return None
