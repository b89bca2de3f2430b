"""If-Match and If-None-Match: which state of a row a client speaks of.

If-Match: W/"468026"    that version          If-Match: *        the row is there
If-None-Match: *        it is not there       If-None-Match: null    nothing at all, as clients send it
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.writes import ANY, NEW, Expect
from unify.service.data.exchange import Inquiry
from unify.service.dataverse.errors import MISMATCH

TAG: Final = re.compile(r'(?:W/)?"?([^",\s]*)"?\Z')
NEVER: Final = -1
"""No row is at this version."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the two headers say. `match`, `other`: versions as text; None: the header says nothing."""

    match: tuple[str, ...] | None
    other: tuple[str, ...] | None

    def expect(self, version: int | None) -> Expect:
        """In the words of writes. `version`: of the row now, None where there is none; asked for lists alone.

        DataverseError 412.
        """
        if self.other is not None:
            if self.other == ("*",):
                return NEW
            if version is not None and str(version) in self.other:
                raise mismatch()
        if self.match is None:
            return None
        if self.match == ("*",):
            return ANY
        found = [tag for tag in self.match if tag == str(version)] or list(self.match)
        return int(found[0]) if found[0].isascii() and found[0].isdigit() and len(found[0]) < 19 else NEVER

    @property
    def given(self) -> bool:
        """Whether either header says anything."""
        return self.match is not None or self.other is not None

    def check_read(self, tag: str) -> None:
        """DataverseError 412 for a GET of a row that is not at the version it names."""
        if self.match is not None and self.match != ("*",) and _bare(tag) not in self.match:
            raise mismatch()

    def unchanged(self, tag: str) -> bool:
        """Whether a client has what it asks for already."""
        return self.other is not None and bool(tag) and (self.other == ("*",) or _bare(tag) in self.other)


def condition_of(inquiry: Inquiry) -> Condition:
    """Of a request."""
    return Condition(_tags(inquiry.header("if-match")), _tags(inquiry.header("if-none-match")))


def _tags(text: str | None) -> tuple[str, ...] | None:
    if text is None or text.strip().lower() in ("", "null"):
        return None
    tags = [part.strip() for part in text.split(",")]
    return ("*",) if "*" in tags else tuple(_bare(tag) for tag in tags)


def _bare(tag: str) -> str:
    match = TAG.match(tag.strip())
    return match[1] if match else tag


def mismatch() -> DataverseError:
    """412."""
    message = "The version of the existing record doesn't match the RowVersion property provided."
    return DataverseError(message, code=MISMATCH, status=HTTPStatus.PRECONDITION_FAILED)
