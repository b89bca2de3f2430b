"""Heads of hot answers: the same for all of one state, so their bytes are put together once."""

from typing import Final

from segments.odata.answers.formats import Format
from unify.service.access.headers import secured
from unify.service.asgi import Headers
from unify.service.data.negotiate import NEWEST, VARY

NEW: Final[Headers] = [(b"odata-version", NEWEST.encode()), VARY]
OLD: Final[Headers] = [(b"odata-version", b"4.0"), VARY]
JSON: Final = (b"content-type", Format().content_type.encode())
TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class Head:
    """The headers of an answer: content-type, etag, last-modified. Those of every OData answer are `common`."""

    __slots__ = ("_texts", "headers")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self._texts: dict[tuple[bool, bool], bytes] = {}

    def text(self, *, old: bool, tls: bool) -> bytes:
        """All headers but date and content-length as they go out, each with its line end.

        old   whether the client takes 4.0 only
        """
        found = self._texts.get((old, tls))
        if found is None:
            lines = secured([*self.headers, *(OLD if old else NEW)], tls=tls)
            found = self._texts[old, tls] = b"".join(b"%b: %b\r\n" % line for line in lines)
        return found


class Heads:
    """Those of one state, for one way to see it.

    state      names the members in force
    unchanged  of a 304
    """

    __slots__ = ("etag", "json", "state", "text", "unchanged")

    def __init__(self, state: str, etag: str, changed: tuple[bytes, bytes]) -> None:
        self.state, self.etag = state, etag
        same = [(b"etag", etag.encode()), changed]
        self.json, self.text, self.unchanged = Head([JSON, *same]), Head([TEXT, *same]), Head(same)
