"""What a client wants of an answer: the Prefer header, in all the ways that clients write it.

Prefer: odata.maxpagesize=50,odata.include-annotations="OData.Community.Display.V1.FormattedValue,*"
Prefer: return=representation
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

PREFERENCE: Final = re.compile(r'\s*([^\s=;,"]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^,;]*))?((?:;[^,]*)?)(?:,|\Z)')
LARGEST: Final = 5000
"""Rows of a page."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What was preferred and can be had.

    representation  the row in the answer to a write; None: nothing was said
    page            rows of a page, 5,000 at most
    annotations     which ones, as they were written: names with commas between, `*` for any part
    track           a link by which changes can be asked for later
    go_on           a batch answers further requests after one that failed
    """

    representation: bool | None = None
    page: int | None = None
    annotations: str | None = None
    track: bool = False
    go_on: bool = False

    def annotation(self, name: str) -> bool:
        """Whether this one is wanted: `-name` takes out what a name before it put in."""
        wanted = False
        for pattern in map(str.strip, (self.annotations or "").split(",")):
            out = pattern.startswith("-")
            if fnmatchcase(name, pattern.removeprefix("-").replace("[", "[[]").replace("?", "[?]")):
                wanted = not out
        return wanted

    def applied(self, *, written: bool) -> str:
        """Preference-Applied of an answer, "" when nothing was; `written`: to a write."""
        if written:
            return {True: "return=representation", False: "return=minimal", None: ""}[self.representation]
        said = []
        if self.page is not None:
            said.append(f"odata.maxpagesize={self.page}")
        if self.track:
            said.append("odata.track-changes")
        if self.annotations is not None:
            said.append(f'odata.include-annotations="{self.annotations}"')
        return ",".join(said)


def preferences_of(headers: Mapping[str, str]) -> Preferences:
    """Of request headers, names in lower case; several Prefer headers are joined. What cannot be read is passed over.

    >>> preferences_of({"prefer": 'odata.maxpagesize=5, odata.include-annotations="a,b"'})
    Preferences(representation=None, page=5, annotations='a,b', track=False, go_on=False)
    """
    found: dict[str, str] = {}
    for match in PREFERENCE.finditer(headers.get("prefer", "")):
        value = (match[2] or "").strip()
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.setdefault(match[1].lower().removeprefix("odata."), value)
    return Preferences(
        representation={"representation": True, "minimal": False}.get(found.get("return", "").lower()),
        page=_page(found.get("maxpagesize", "")),
        annotations=_printable(found.get("include-annotations")),
        track=_said(found, "track-changes"),
        go_on=_said(found, "continue-on-error"),
    )


def _page(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 19) or int(text) == 0:
        return None
    return min(int(text), LARGEST)


def _said(found: Mapping[str, str], name: str) -> bool:
    return name in found and found[name].lower() != "false"


def _printable(text: str | None) -> str | None:
    """It comes back in a header: nothing in it may end one."""
    return None if text is None else re.sub(r'[^\x20-\x7e]|["\\]', "", text)
