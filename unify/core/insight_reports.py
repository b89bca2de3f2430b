"""What is to be learned from segments: frozen reports, the same in Python, on pages and behind `--json`.

Overlap          how segments share customers: pairs, exclusive intersections
OverlapByValue   the same per value of an attribute
Differences      what tells a segment from everybody else, or from another one
Drift            who entered and left between two runs, and because of what
Suggestions      segments worth having, as definitions
Similar          customers like the members of a segment
QuickField       values or percentiles of one field, to make a quick segment of
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from unify.core.reports import Report


class Told(Report):
    """A report with a plain text."""

    def lines(self) -> Iterator[str]:
        """Plain text."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


# ── overlap ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Pair(Report):
    """Two segments. Shares are of the first; `lift`: customers in both ÷ as many as independence would give.

    `jaccard`: both ÷ either. Null where there is nothing to divide by.
    """

    a: str
    b: str
    both: int
    share_of_a: float | None
    share_of_b: float | None
    jaccard: float | None
    lift: float | None


class Intersection(Report):
    """Customers in exactly these segments and in no other of them."""

    segments: list[str]
    customers: int


class Overlap(Told):
    """`sizes`: segment → members; `matrix[i][j]`: customers in both, in that order; `customers`: all there are.

    `exclusive`: largest first; `left_out`: intersections beyond the limit, and their customers.
    """

    customers: int
    sizes: dict[str, int]
    matrix: list[list[int]]
    pairs: list[Pair]
    exclusive: list[Intersection]
    left_out: int = 0
    left_out_customers: int = 0
    in_none: int = 0

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{len(self.sizes)} segments over {self.customers:,} customers, {self.in_none:,} of them in none"
        width = max((len(name) for name in self.sizes), default=0)
        for (name, size), row in zip(self.sizes.items(), self.matrix, strict=True):
            yield f"  {name:<{width}}  {size:>9,}  " + " ".join(f"{n:>9,}" for n in row)
        for part in self.exclusive:
            yield f"  only {' + '.join(part.segments)}: {part.customers:,}"
        if self.left_out:
            yield f"  and {self.left_out:,} more intersections with {self.left_out_customers:,} customers"


class ValueOverlap(Report):
    """Customers of one value: in several of the segments, and in one alone. `value` is null for those without one."""

    value: Any
    several: int
    only: dict[str, int]
    none: int


class OverlapByValue(Told):
    """`rows`: the values with the most customers first; `rest`: all other values together, null when there are none."""

    attribute: str
    segments: list[str]
    rows: list[ValueOverlap]
    rest: ValueOverlap | None = None
    rest_values: int = 0

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"by {self.attribute}: in two or more, only in one, in none"
        for row in self.rows:
            only = ", ".join(f"{name} {n:,}" for name, n in row.only.items())
            yield f"  {'nothing' if row.value is None else row.value}: {row.several:,}; {only}; {row.none:,}"
        if self.rest is not None:
            only = ", ".join(f"{name} {n:,}" for name, n in self.rest.only.items())
            yield f"  {self.rest_values:,} other values: {self.rest.several:,}; {only}; {self.rest.none:,}"


# ── differences ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Band(Report):
    """One value, or one range of numbers (`low` ≤ x ≤ `high` of the first, `low` < x of the others), on both sides."""

    label: str
    members: int
    others: int
    share_of_members: float
    share_of_others: float


class Difference(Report):
    """How one attribute tells two groups of customers apart.

    score        0 the same, 1 nothing in common: numbers and dates by Kolmogorov–Smirnov's D, values by total variation
    significant  p after Holm's correction over all attributes is below 0.01
    smd          numbers: standardised mean difference, (mean of members − mean of others) ÷ pooled standard deviation
    cramers_v    values: Cramér's V, Bergsma's bias-corrected form
    """

    attribute: str
    kind: Literal["number", "date", "value"]
    score: float
    p: float
    significant: bool
    smd: float | None = None
    cramers_v: float | None = None
    mean_of_members: float | str | None = None
    mean_of_others: float | str | None = None
    missing_of_members: float
    missing_of_others: float
    bands: list[Band]

    def lines(self) -> Iterator[str]:
        """Plain text."""
        mark = "" if self.significant else "  (may be chance)"
        yield f"{self.score:.2f}  {self.attribute}{mark}"
        if self.mean_of_members is not None and self.mean_of_others is not None:
            yield f"      mean {figure(self.mean_of_members)} against {figure(self.mean_of_others)}"
        far = sorted(self.bands, key=lambda b: -abs(b.share_of_members - b.share_of_others))[:3]
        for band in far:
            yield f"      {band.label}: {band.share_of_members:.0%} against {band.share_of_others:.0%}"


class LeftOut(Report):
    """An attribute that was not looked at, and why."""

    attribute: str
    reason: str


class Differences(Told):
    """Attributes, the most telling first; those that chance explains come last."""

    segment: str
    other: str
    members: int
    others: int
    attributes: list[Difference]
    left_out: list[LeftOut] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.segment} ({self.members:,}) against {self.other} ({self.others:,})"
        for attribute in self.attributes:
            yield from attribute.lines()
        if self.left_out:
            yield f"left out: {gathered(self.left_out)}"


# ── drift ────────────────────────────────────────────────────────────────────────────────────────────────────────────

Cause = Literal["clock moved", "identity changed", "data changed", "rule changed"]


class Moved(Report):
    """Customers whose membership one cause changed."""

    cause: Cause
    entered: int
    left: int


class Drift(Told):
    """before + entered − left = after; every customer that entered or left has one cause."""

    segment: str
    before: int
    after: int
    entered: int
    left: int
    stayed: int
    causes: list[Moved]
    notes: list[str] = []
    """What could not be told apart, and why."""

    def lines(self) -> Iterator[str]:
        """Plain text."""
        change = f"{self.entered:,} entered, {self.left:,} left"
        yield f"{self.segment}: {self.before:,} before, {change}, {self.after:,} after"
        for moved in self.causes:
            yield f"  {moved.cause}: {moved.entered:,} entered, {moved.left:,} left"
        yield from (f"• {note}" for note in self.notes)


# ── suggestions ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Suggestion(Report):
    """A segment worth having. `definition`: as a project declares it, under `segments: {name: …}`.

    `customers` is exact: what the definition gives on the generation it was made from, at that clock.
    """

    name: str
    definition: dict[str, Any]
    sentence: str
    customers: int
    share: float
    value: float | str | None = None
    """Of what was looked at: the mean in this group, or the share of the value."""
    average: float | str | None = None
    """The same over everybody looked at."""
    p: float | None = None


class Suggestions(Told):
    """`basis`: what they were worked out from, in a sentence. `considered`: groups that were looked at."""

    title: str
    basis: str
    suggestions: list[Suggestion]
    considered: int
    left_out: list[LeftOut] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield self.title
        yield self.basis
        for s in self.suggestions:
            value = "" if s.value is None else f"  {figure(s.value)} (average {figure(s.average)})"
            yield f"  {s.name}: {s.customers:,} customers ({s.share:.0%}){value}"
            yield f"      {written(s.definition.get('where'))}"
        if not self.suggestions:
            yield "  none: no group differs from the average by more than chance"
        if self.left_out:
            yield f"left out: {gathered(self.left_out)}"


class SimilarClass(Report):
    """Customers whose score is in a range."""

    name: str
    low: float
    high: float
    customers: int


class Weight(Report):
    """How much one value of an attribute speaks for being like the members: log of the odds ratio."""

    attribute: str
    value: str
    weight: float


class Similar(Told):
    """Customers like the members of a segment, scored from 0 to 1.

    auc       cross-validated: how often a member scores above another customer, 0.5 is chance
    auc_low   the lower end of its 95 % interval
    chosen    customers in the result, `lowest` their lowest score
    classes   of the result, by score
    """

    segment: str
    members: int
    audience: int
    chosen: int
    lowest: float | None
    auc: float
    auc_low: float
    folds: int
    basis: str
    classes: list[SimilarClass]
    weights: list[Weight]
    attributes: list[str]
    left_out: list[LeftOut] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.chosen:,} of {self.audience:,} customers are like the {self.members:,} members of {self.segment}"
        yield self.basis
        for c in self.classes:
            yield f"  {c.name} ({c.low:.2f} to {c.high:.2f}): {c.customers:,}"
        for w in self.weights:
            yield f"  {w.weight:+.2f}  {w.attribute} = {w.value}"
        if self.left_out:
            yield f"left out: {gathered(self.left_out)}"


# ── quick segments ───────────────────────────────────────────────────────────────────────────────────────────────────


class ValueCount(Report):
    """One value and the customers who have it."""

    value: Any
    customers: int


class Percentile(Report):
    """The smallest value that this share of the customers with a value do not exceed."""

    percent: int
    value: Any


class QuickField(Told):
    """One field of the customers: its most frequent values, and percentiles where it can be ordered."""

    attribute: str
    type: str
    customers: int
    missing: int
    different: int
    values: list[ValueCount]
    percentiles: list[Percentile] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        missing = f"missing for {self.missing:,} of {self.customers:,}"
        yield f"{self.attribute} ({self.type}): {self.different:,} values, {missing}"
        for v in self.values:
            yield f"  {v.value}: {v.customers:,}"
        for x in self.percentiles:
            yield f"  {x.percent:>3} %: {x.value}"


def gathered(left_out: Sequence[LeftOut]) -> str:
    """Attributes with one reason together.

    >>> gathered([LeftOut(attribute="a", reason="x"), LeftOut(attribute="b", reason="y")])
    'a (x); b (y)'
    """
    by_reason: dict[str, list[str]] = {}
    for out in left_out:
        by_reason.setdefault(out.reason, []).append(out.attribute)
    return "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())


def written(where: Any) -> str:
    """A condition as a project file has it on one line.

    >>> written("City eq 'Bern'"), written({"count": "Orders", "at_least": 2})
    ("City eq 'Bern'", '{"count": "Orders", "at_least": 2}')
    """
    return where if isinstance(where, str) else json.dumps(where, ensure_ascii=False)


def figure(value: float | str | None) -> str:
    """A number as people read it.

    >>> figure(1234.5), figure(0.1234), figure("2024-01-01"), figure(None)
    ('1,234.5', '0.1234', '2024-01-01', '–')
    """
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
