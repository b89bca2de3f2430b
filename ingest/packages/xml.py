"""XML of somebody else's: one event after the other, and nothing that expands, includes or nests without end.

A document type declaration is refused as a whole, so there are no entities but the five of XML, no external files and
no default attributes; so is XInclude. Python's expat is fed piece by piece.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol
from xml.parsers import expat

from ingest.packages.errors import DamagedPackageError, HostilePackageError
from ingest.packages.nouns import PackageLimits

XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_XINCLUDE: Final = "http://www.w3.org/2001/XInclude"
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"<\0", "utf-16le"),
    (b"\0<", "utf-16be"),
)  # fmt: skip
_PIECE: Final = 1 << 20
_NAME: Final = 1024
"""Characters of the name of an element, with its namespace: names are held while a document is read."""
_NAMES: Final = 1000
_NO_DTD: Final = "write it without a document type declaration"


class Events(Protocol):
    """Who listens. Names are `namespace name`, or `name` where there is no namespace."""

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        """An element begins, on that line."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Characters, perhaps a part of those between two tags."""


@lru_cache(maxsize=4096)
def local(name: str) -> str:
    """A name without its namespace.

    >>> local("http://example.com Row")
    'Row'
    """
    return name.rpartition(" ")[2]


def parse(pieces: Iterable[bytes], events: Events, limits: PackageLimits, where: str) -> None:
    """Tell `events` what stands in a document. Raises HostilePackageError, DamagedPackageError, and what they raise."""
    for _ in turns(pieces, events, limits, where):
        pass


def turns(pieces: Iterable[bytes], events: Events, limits: PackageLimits, where: str) -> Iterator[None]:
    """As `parse`, with a turn after every piece, in which whoever listens may hand on what it has."""
    walk = _Walk(events, limits, where)
    for piece in pieces:
        walk.give(piece)
        yield
    walk.give(b"", final=True)
    yield


class _Walk:
    """The parser's events on their way to who listens, counted.

    A byte order mark decides how the text is read, whatever the declaration says: writers of UTF-16 often leave a
    declaration of UTF-8 standing.
    """

    def __init__(self, events: Events, limits: PackageLimits, where: str) -> None:
        self._events, self._limits, self._where = events, limits, where
        self._parser: expat.XMLParserType | None = None
        self._depth = self._text = self._fed = 0
        self._names: set[str] = set()

    def give(self, piece: bytes, *, final: bool = False) -> None:
        """Parse one piece more."""
        if self._parser is None:
            self._parser = self._open(piece)
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            message = f"not well-formed XML: {expat.errors.messages.get(error.code, 'damaged')}"
            hint = "export it again; nothing of it was taken"
            raise DamagedPackageError(message, where=f"{self._where}, line {error.lineno}", hint=hint) from None
        except (LookupError, ValueError):  # a codec that is not there, or not one of single bytes
            raise DamagedPackageError(
                "its encoding is not known", where=self._where, hint="write it in UTF-8"
            ) from None
        self._fed += len(piece)
        if not final and self._fed - max(self._parser.CurrentByteIndex, 0) > self._limits.xml_token:
            message = f"one tag or value has more than {self._limits.xml_token:,} bytes"
            raise HostilePackageError(message, where=f"{self._where}, line {self._parser.CurrentLineNumber}")

    def _open(self, first: bytes) -> "expat.XMLParserType":
        encoding = next((e for mark, e in _MARKS if first.startswith(mark)), None)
        parser = expat.ParserCreate(encoding, " ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.ExternalEntityRefHandler = self._doctype
        return parser

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._text = 0
        if self._depth > self._limits.xml_depth:
            message = f"elements stand more than {self._limits.xml_depth} deep in one another"
            raise HostilePackageError(message, where=self._where)
        if name not in self._names:
            self._look_at(name)
        self._events.start(name, attributes, self._parser.CurrentLineNumber if self._parser else 0)

    def _look_at(self, name: str) -> None:
        """What is wrong with the name of an element; looked at once for each, as long as they are few."""
        if len(name) > _NAME:
            raise HostilePackageError(f"the name of an element has {len(name):,} characters", where=self._where)
        if name.startswith(_XINCLUDE):
            raise HostilePackageError("it includes another file (XInclude)", where=self._where, hint=_NO_DTD)
        if len(self._names) < _NAMES:
            self._names.add(name)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._text = 0
        self._events.end(name)

    def _characters(self, data: str) -> None:
        self._text += len(data)
        if self._text > self._limits.xml_token:
            message = f"one value has more than {self._limits.xml_token:,} characters"
            raise HostilePackageError(message, where=self._where)
        self._events.text(data)

    def _doctype(self, *_: object) -> int:
        message = "it has a document type declaration (DTD), with which XML reads files and fills memory"
        raise HostilePackageError(message, where=self._where, hint=_NO_DTD)


@dataclass(slots=True)
class Node:
    """One element of a small document. `nil`: xsi:nil says that it has no value."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: "list[Node]" = field(default_factory=list)
    value: str = ""

    @property
    def nil(self) -> bool:
        """Whether the element says that there is no value."""
        return self.attributes.get(f"{XSI} nil", "").strip() in ("true", "1")


def tree(document: bytes, limits: PackageLimits, where: str) -> Node:
    """A small document as nodes. Raises HostilePackageError, DamagedPackageError."""
    grower = _Grower()
    parse((document[i : i + _PIECE] for i in range(0, len(document), _PIECE)), grower, limits, where)
    if grower.root is None:
        raise DamagedPackageError("the XML has no element", where=where)
    return grower.root


class _Grower:
    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        node = Node(name, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        if self._open:
            self._open[-1].value += data
