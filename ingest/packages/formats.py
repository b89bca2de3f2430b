"""What names of source formats mean.

A manifest names a source format of the system that wrote it; how the format looks is configured there, not in the
package. These are the names that such systems come with. Others are given to `read_package(…, formats=…)`.
"""

from collections.abc import Mapping
from typing import Final

from ingest.packages.nouns import FileKind, SourceFormat

_D: Final = FileKind.DELIMITED
_KNOWN: Final = (
    SourceFormat("CSV", _D),
    SourceFormat("CSV-Unicode", _D),
    SourceFormat("Comma", _D, ","),
    SourceFormat("Semicolon", _D, ";"),
    SourceFormat("Tab", _D, "\t"),
    SourceFormat("TSV", _D, "\t"),
    SourceFormat("Bar", _D, "|"),
    SourceFormat("Pipe", _D, "|"),
    SourceFormat("Colon", _D, ":"),
    SourceFormat("EXCEL", FileKind.EXCEL),
    SourceFormat("XML-Element", FileKind.XML_ELEMENT),
    SourceFormat("XML-Attribute", FileKind.XML_ATTRIBUTE),
)
FORMATS: Final[Mapping[str, SourceFormat]] = {f.name: f for f in _KNOWN}
"""By the name that this product writes."""
DELIMITERS: Final = (",", ";", "\t", "|", ":")
"""Tried in this order where a format does not say which one it has."""
UNICODE: Final = "CSV-Unicode"
"""Written as UTF-16, as its readers ask; read in any encoding that its first bytes tell."""


def _folded(name: str) -> str:
    """A name without what people vary: case, blanks, hyphens; `Tab-delimited` and `TAB delimited` are `tab`."""
    plain = "".join(c for c in name.casefold() if c.isalnum())
    return plain.removesuffix("delimited").removesuffix("separated") or plain


_BY_FOLDED: Final = {_folded(f.name): f for f in _KNOWN}


def source_format(name: str, own: Mapping[str, SourceFormat] | None = None) -> SourceFormat | None:
    """The format of a name, ignoring case and punctuation; those of one's own come first. None: not known.

    >>> source_format("xml attribute").name
    'XML-Attribute'
    >>> source_format("TAB delimited").delimiter
    '\\t'
    >>> source_format("Fixed width") is None
    True
    """
    folded = _folded(name)
    mine = {_folded(n): f for n, f in (own or {}).items()}
    return mine.get(folded) or _BY_FOLDED.get(folded)
