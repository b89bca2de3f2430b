"""One question and one answer of OData, whatever carried them: an HTTP request, or a part of a batch."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from unify.service.asgi import Headers
from unify.service.errors import bad_request


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What somebody asks.

    path      behind the service root as it came, percent-encoded or not: `Customer('…')`
    query     behind the `?` as it came, without it
    headers   names in lower case
    in_batch  it stands in a batch, so it is answered whole and opens no batch of its own
    """

    method: str
    path: bytes
    query: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    in_batch: bool = False

    def header(self, name: str) -> str | None:
        """By its name in lower case."""
        return self.headers.get(name)

    @property
    def media(self) -> str:
        """Of the body: `text/plain`, "" when it is not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """Path and query; ServiceError 400 for bytes that are no text."""
        raw = self.path + b"?" + self.query if self.query else self.path
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            hint = "percent-encode everything that is not ASCII, as UTF-8"
            raise bad_request(f"byte {error.start + 1} of the address is no UTF-8", where="path", hint=hint) from None

    def asking(self, path: bytes, query: bytes) -> "Inquiry":
        """The same as a GET of something else, without the body."""
        return replace(self, method="GET", path=path, query=query, body=b"")


@dataclass(slots=True)
class Reply:
    """What comes back. `parts`: text of unknown length in the place of a body. `rows`: how many are in the body."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    parts: AsyncIterator[bytes] | None = None
    rows: int = 0

    def header(self, name: bytes) -> bytes:
        """By its name in lower case; empty when it is not there."""
        return next((value for key, value in self.headers if key == name), b"")


def text_of(headers: Headers) -> dict[str, str]:
    """Request headers as text; of one that is repeated, the values joined as HTTP joins them."""
    found: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found
