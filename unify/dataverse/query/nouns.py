"""What a question is asked with and what answers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from segments.odata.syntax.ast import Expression
from segments.odata.syntax.ast_options import ExpandItem, OrderItem, SelectItem, Transformation

Row: TypeAlias = dict[str, Any]
"""As it goes over the wire: str, int, float, bool, None; a Decimal where a float cannot hold the digits: it is to be
written as a JSON number. Annotations stand in front of what they speak of."""

MOST: Final = 5_000
"""Rows of a page, and the largest count that is told."""
SECONDS: Final = 8.0
"""A question may take: the official client waits 10 for a GET."""

FORMATTED: Final = "OData.Community.Display.V1.FormattedValue"
ATTRIBUTE: Final = "OData.Community.Display.V1.AttributeName"
LOGICAL: Final = "Microsoft.Dynamics.CRM.lookuplogicalname"
NAVIGATION: Final = "Microsoft.Dynamics.CRM.associatednavigationproperty"
TOTAL: Final = "Microsoft.Dynamics.CRM.totalrecordcount"
EXCEEDED: Final = "Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"
METADATA_VERSION: Final = "Microsoft.Dynamics.CRM.globalmetadataversion"
COOKIE: Final = "Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
MORE: Final = "Microsoft.Dynamics.CRM.morerecords"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the Prefer header says.

    annotations     of odata.include-annotations: `*`, `Microsoft.Dynamics.CRM.*`, `-…` leaves out; with commas between
    page_size       odata.maxpagesize; more than 5,000 is 5,000
    track_changes   odata.track-changes
    """

    annotations: str = ""
    page_size: int | None = None
    track_changes: bool = False

    @property
    def size(self) -> int:
        """Rows of a page."""
        return MOST if self.page_size is None or self.page_size < 1 else min(MOST, self.page_size)

    def wants(self, term: str) -> bool:
        """Whether annotations of that name are given: the longest pattern that speaks of it decides."""
        told = ""
        for said in self.annotations.split(","):
            pattern = said.strip()
            if fnmatchcase(term, pattern.removeprefix("-")) and len(pattern.removeprefix("-")) >= len(
                told.removeprefix("-")
            ):
                told = pattern
        return bool(told) and not told.startswith("-")


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when: `Today`, `EqualUserId` and the like mean this. `user` is a systemuserid, `now` is aware."""

    user: str
    business_unit: str
    now: datetime
    language: int = 1033


@dataclass(frozen=True, slots=True)
class Options:
    """The query options of a URL, read and not yet held against a table.

    text      as it was sent, without $skiptoken: what a link to the next page repeats
    aliases   `@p=…` by name, without the @
    fetch_xml, sql   the options of these names, decoded
    """

    text: str = ""
    filter: Expression | None = None
    select: tuple[SelectItem, ...] | None = None
    expand: tuple[ExpandItem, ...] = ()
    orderby: tuple[OrderItem, ...] = ()
    apply: tuple[Transformation, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    skip_token: str | None = None
    delta_token: str | None = None
    aliases: Mapping[str, Expression] = field(default_factory=dict)
    fetch_xml: str | None = None
    sql: str | None = None
    given: frozenset[str] = frozenset()
    """Names of the system query options that were sent, with their `$`."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows.

    context       what follows `$metadata#` in @odata.context: `accounts(name,primarycontactid(fullname))`
    annotations   that stand beside `value`, by name with the @: @odata.count, @Microsoft.Dynamics.CRM.…
    next          $skiptoken of the next page, not percent-encoded; None: this is the last
    delta         $deltatoken for what happens from now on, likewise
    """

    rows: Sequence[Row]
    context: str
    annotations: Mapping[str, Any] = field(default_factory=dict)
    next: str | None = None
    delta: str | None = None


@dataclass(frozen=True, slots=True)
class Single:
    """One row, and what follows `$metadata#` in its @odata.context: `accounts(name)/$entity`."""

    row: Row
    context: str
