"""What is doubtful and what was decided about it: what `review` and `decisions` say. Frozen like reports.

Review ── ReviewItem   a link to look at: both records side by side, the rule, what speaks for and against it
Decision               what somebody said of two records; outlives every run
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from unify.core.reports import Report

Verdict = Literal["same", "different"]


class ReviewedValue(Report):
    """One attribute of both records, as ingested. `says`: agree, contradict, or nothing where a value is missing."""

    attribute: str
    a: list[Any]
    b: list[Any]
    says: Literal["agree", "contradict", "nothing"]


class ReviewItem(Report):
    """A doubtful link.

    id          of the pair of records, the same in every run
    a, b        `source.Entity:key`
    kind        bridge: without it the customer falls apart; link: there is a way around it; cut: it was a weak bridge
    records_a   records on the side of `a`, 1 unless it is a bridge; `records_b` likewise
    doubt       0 to 1: one minus the score of the link times the certainty that its sides are one customer
    urgency     doubt x records_a x records_b: the pairs of records that are one customer by mistake, if it is one
    customer    CustomerId of `a`; `other` that of `b`, the same one unless the link was cut
    """

    id: str
    a: str
    b: str
    kind: Literal["bridge", "link", "cut"]
    rule: str
    score: float
    doubt: float
    urgency: float
    records_a: int
    records_b: int
    customer: str | None
    other: str | None
    agrees: str
    contradicts: str
    values: list[ReviewedValue] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.id}  {self.a}  —  {self.b}"
        yield f"  {self._said()}: {self.doubt:.0%} doubtful, rule {self.rule!r}, score {self.score:.0%}"
        for value in self.values:
            mark = {"agree": "✓", "contradict": "✗", "nothing": "·"}[value.says]
            yield f"  {mark} {value.attribute}: {_spoken(value.a)}  |  {_spoken(value.b)}"
        if self.contradicts:
            yield f"  against it: {self.contradicts}"
        yield f"  → unify review --decide {self.id} same, or different"

    def _said(self) -> str:
        if self.kind == "link":
            return "a link of two records, or one of several"
        sides = f"{self.records_a} and {self.records_b} records"
        return f"one link holds {sides} together" if self.kind == "bridge" else f"one link held {sides}, and was cut"


class Review(Report):
    """The doubtful links that nobody has decided on, the most urgent first. `total`: how many there are in all."""

    generation: int
    total: int
    decided: int
    items: list[ReviewItem]

    def lines(self) -> Iterator[str]:
        """Plain text."""
        if not self.total:
            yield "nothing is doubtful" + (f" that was not decided ({self.decided:,} were)" if self.decided else "")
            return
        for item in self.items:
            yield from item.lines()
            yield ""
        yield f"{len(self.items):,} of {self.total:,} doubtful links; {self.decided:,} more are decided"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


class Decision(Report):
    """What somebody decided about two records.

    state   in force: the published generation was made with it; waiting: the next conflate applies it; gone: one of the
            records is not there (`why` names it), so it has no effect until the record comes back; withdrawn
    """

    id: str
    verdict: Verdict
    a: str
    b: str
    note: str = ""
    saved: datetime
    state: Literal["in force", "waiting", "gone", "withdrawn"]
    why: str = ""

    def line(self) -> str:
        """Plain text."""
        said = f"{self.id}  {self.a} and {self.b} are {self.verdict}  ({self.state}"
        return said + (f": {self.why}" if self.why else "") + ")" + (f"  {self.note}" if self.note else "")


def _spoken(values: list[Any]) -> str:
    said = [repr(v) if isinstance(v, str) else str(v) for v in values if v is not None]
    return ", ".join(said) if said else "nothing"
