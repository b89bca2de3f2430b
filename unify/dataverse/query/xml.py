"""XML that strangers send: elements and attributes alone. DTDs, entities and processing instructions are refused."""

from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from xml.parsers import expat

DEEPEST: Final = 60
MOST_ELEMENTS: Final = 5_000


class XmlError(ValueError):
    """It is not well-formed, or more than elements and attributes. The message says where."""


@dataclass
class Element:
    """One element. `text` is what stands in it, without its children's."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""


def parse_xml(text: str) -> Element:
    """The root element; XmlError."""
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8"), True)
    except expat.ExpatError as error:
        raise XmlError(
            f"{expat.errors.messages[error.code]} at line {error.lineno}, column {error.offset + 1}"
        ) from None
    except UnicodeEncodeError:
        raise XmlError("half of a surrogate pair") from None
    if reader.root is None:
        raise XmlError("there is no element")
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        parser = self.parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = lambda _: self._open.pop()
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= DEEPEST or self._count > MOST_ELEMENTS:
            raise XmlError(f"more than {DEEPEST} levels or {MOST_ELEMENTS:,} elements")
        element = Element(tag, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _characters(self, text: str) -> None:
        self._open[-1].text += text

    def _refuse(self, *_: Any) -> NoReturn:
        raise XmlError("document types, entities and processing instructions are not taken")
