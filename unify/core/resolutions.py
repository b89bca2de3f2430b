"""What `resolve` says of a record that is not there yet. Frozen like reports; `lines()` is the plain text of it.

Resolution
├── customer, verdict   which customer a run would make it part of
├── matches             records that it would be linked with, the strongest first
│   └── RuleCheck       the rule on the pair: values before and after normalising, scores (core/explanations.py)
├── apart               links that would yield to a limit, a never-list or an exception of the plan
├── nearest             the customers that came nearest, and what was missing
└── changes             what else a run would change: customers merged or retired, records that move
"""

from collections.abc import Iterator
from typing import Any, Literal

from unify.core.explanations import RuleCheck
from unify.core.reports import Report

Verdict = Literal["joins", "merges", "new", "none"]


class Match(Report):
    """A record that the new one would be linked with, by its strongest rule.

    customer   of the record, today
    rule       number in the table `rules`; 0: an always-match list
    score      of the link, 0 to 1
    rules      names of all rules that link the two, the strongest first
    check      the rule on the pair; null for an always-match, or when nobody asked why
    """

    record: str
    customer: str | None
    rule: int
    name: str
    score: float
    rules: list[str] = []
    check: RuleCheck | None = None

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.record}, of {self.customer or 'no customer'}: rule {self.name!r}, score {self.score:.0%}"
        if self.check is not None:
            yield from (f"  {line}" for line in self.check.lines())


class Apart(Report):
    """A link that would yield: `limit` says to what, `detail` which values or records clash."""

    record: str
    customer: str | None
    rule: int
    name: str
    score: float
    limit: str
    detail: str

    def lines(self) -> Iterator[str]:
        """Plain text."""
        who = f"{self.record}, of {self.customer or 'no customer'}"
        yield f"kept apart from {who}, in spite of rule {self.name!r}: {self.limit}: {self.detail}"


class Near(Report):
    """A customer that the record would not join, though one of its records came near. `missing` says why not."""

    customer: str | None
    record: str
    missing: list[str]
    check: RuleCheck | None = None

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.customer or 'no customer'}, by {self.record}"
        for line in self.missing:
            yield f"  • {line}"
        if self.check is not None:
            yield from (f"  {line}" for line in self.check.lines())


class ResolvedChange(Report):
    """What a run would do to another customer or record.

    merged    the customer `other` would be retired into `customer`
    retired   the customer `other` would be gone: none of its records would be of any customer
    moved     the record `other` would leave its customer for `customer`; null: a new one
    dropped   the record `other` would be of no customer
    """

    change: Literal["merged", "retired", "moved", "dropped"]
    customer: str | None
    other: str

    def line(self) -> str:
        """Plain text."""
        said = {
            "merged": f"{self.other} would be retired into {self.customer}",
            "retired": f"{self.other} would be retired",
            "dropped": f"{self.other} would be of no customer",
            "moved": f"{self.other} would be moved to {self.customer or 'a new customer'}",
        }
        return said[self.change]


class Resolution(Report):
    """Which customer a record belongs to, as a run would decide if the record were added.

    generation   the answer is about
    verdict      joins: it would be part of `customer`; merges: and others would be retired into that one (`retired`);
                 new: a customer of its own, or of records that have none today; none: it would be of no customer
    customer     CustomerId that it would have; null: a new one, or none
    replaces     the record has the key of one that is there, which it replaces; that one's customer is `was`
    because      why it is of no customer, or kept apart, in sentences
    notes        what the answer does not count: values that are no evidence, sources newer than the customers
    """

    generation: int
    entity: str
    key: str | None
    verdict: Verdict
    customer: str | None
    retired: list[str] = []
    replaces: bool = False
    was: str | None = None
    record: dict[str, Any] = {}
    matches: list[Match] = []
    apart: list[Apart] = []
    nearest: list[Near] = []
    changes: list[ResolvedChange] = []
    because: list[str] = []
    notes: list[str] = []

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        who = f"{self.entity}:{self.key}" if self.key is not None else f"the record of {self.entity}"
        if self.verdict == "none":
            said = f"{who} would be of no customer"
        elif self.verdict == "new":
            said = f"{who} would be a new customer"
        else:
            said = f"{who} belongs to customer {self.customer}"
        if self.verdict == "merges":
            said += f", into which {', '.join(self.retired)} would be retired"
        if self.replaces:
            said += f"; it replaces the record with that key, which is of {self.was or 'no customer'}"
        return said

    def lines(self) -> Iterator[str]:
        """Plain text, for a terminal or a log."""
        yield self.summary
        for line in (*self.because, *self.notes):
            yield f"• {line}"
        for match in self.matches:
            yield ""
            yield from match.lines()
        if self.apart:
            yield ""
        for apart in self.apart:
            yield from apart.lines()
        others = [c for c in self.changes if c.change != "merged" or c.other not in self.retired]
        if others:
            yield ""
        for change in others:
            yield change.line()
        if self.nearest:
            yield ""
            yield "Nearest of the others:"
            for near in self.nearest:
                yield from (f"  {line}" for line in near.lines())

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)
