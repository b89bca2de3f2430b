"""Why, why not, where from: what `explain` says. Frozen like reports; `lines()` is the plain text of it.

Explanation            two records, or one customer
├── records            who is who: record, customer, winner or alternate
├── path               same customer: the links from one record to the other
│   └── RuleCheck ─ ConditionCheck   a rule on a pair: values before and after normalising, score, passed or not
│                 └ Waterfall ─ EvidencePart   a scored rule on a pair: what each comparison weighs, and the whole
├── nearest            different customers: the rule that came nearest
├── reasons            different customers: what kept them apart, in order of weight
└── values             one customer: where every value comes from
"""

from collections.abc import Iterator
from typing import Any, Literal

from unify.core.reports import Report


class RecordInfo(Report):
    """One record. `record` is `source.Entity:key`."""

    rid: int
    record: str
    CustomerId: str | None
    is_winner: bool
    row: dict[str, Any] = {}


class ConditionCheck(Report):
    """One condition on a pair. `left` and `right`: column to value as ingested; `*_compared`: after normalising."""

    sentence: str
    left: dict[str, Any]
    right: dict[str, Any]
    left_compared: list[str | None]
    right_compared: list[str | None]
    score: float | None
    passed: bool

    def lines(self) -> Iterator[str]:
        """Plain text."""
        mark = "✓" if self.passed else "✗"
        score = f"  ({self.score:.0%})" if self.score is not None else ""
        yield f"{mark} {self.sentence}{score}"
        yield f"    {_spoken(self.left, self.left_compared)}  |  {_spoken(self.right, self.right_compared)}"


class EvidencePart(Report):
    """One comparison of a scored rule on a pair. Weights are in bits: each doubles the odds, or halves them.

    level     how much alike the values are, in words
    m, u      share of a customer's own pairs, and of strangers' pairs, at this level; null without a value
    weight    log2(m / u)
    rarity    added because the value that both hold is rarer than most, or taken because it is more common
    overlap   taken away because another comparison, `beside`, says part of it already
    value     the value that both hold
    records   records that hold it; null when it is on few, or they hold none alike
    """

    name: str
    left: dict[str, Any]
    right: dict[str, Any]
    left_compared: list[str | None]
    right_compared: list[str | None]
    level: str
    m: float | None
    u: float | None
    weight: float
    rarity: float
    overlap: float = 0.0
    beside: str | None = None
    value: str | None = None
    records: int | None = None

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.bits:+7.2f}  {self.name}: {self.level}{self.why()}"
        yield f"         {_spoken(self.left, self.left_compared)}  |  {_spoken(self.right, self.right_compared)}"

    @property
    def bits(self) -> float:
        """All that the comparison adds."""
        return self.weight + self.rarity + self.overlap

    def why(self) -> str:
        """What the weight is made of, in brackets."""
        if self.m is None or self.u is None:
            return ""
        parts = f"{self.m:.1%} of own pairs, {self.u:.2g} of strangers"
        if self.rarity:
            many = f"on {self.records:,} records" if self.records else "on few records"
            parts += f"; {self.value!r} is {many}: {self.rarity:+.2f}"
        if self.overlap:
            parts += f"; {self.beside} says part of it: {self.overlap:+.2f}"
        return f"  ({parts})"


NOTHING = 0.005
"""Bits that are shown as 0.00."""


class KindPart(Report):
    """What a kind of pairs, beside those of one customer and of strangers, changes in the weight of a pair.

    same        the kind is of one customer; else of different people
    shares      comparisons that such pairs mostly share; `differs`: those that they mostly do not
    per_match   such pairs per pair that is like a customer's own
    bits        what all kinds of one customer, or of different people, change; the rest is of the likeliest of them
    """

    same: bool
    shares: list[str]
    differs: list[str]
    per_match: float
    bits: float

    def line(self) -> str:
        """Plain text."""
        many = f"{100 * self.per_match:,.0f} such pairs per 100 that agree in most"
        share = ", ".join(self.shares) or "nothing"
        if self.same:
            return f"one customer may differ in {', '.join(self.differs)} at once  ({many})"
        return f"other people share {share}, but not {', '.join(self.differs)}  ({many})"


class Waterfall(Report):
    """The evidence of a scored rule on a pair, in bits, and the customer as a whole.

    prior        before anything is compared: how rarely two records are one customer
    kinds        what other kinds of pairs change: people of one household, customers who moved
    total        prior and all weights together; `probability` says the same
    threshold    the probability that the records of a customer must have on average
    vetoed       an exception holds: the pair counts as the strongest evidence against
    records      in the groups of both records
    average      what pairs weigh on average where the two records' groups join, no pair above or below 17.3 bits;
                 `average_probability` says the same
    joined       the rule joined the two records, directly or as parts of one group
    """

    prior: float
    parts: list[EvidencePart]
    total: float
    probability: float
    threshold: float
    vetoed: bool
    records: int
    average: float
    average_probability: float
    joined: bool
    kinds: list[KindPart] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.prior:+7.2f}  before anything is compared"
        for part in self.parts:
            yield from part.lines()
        yield from (f"{kind.bits:+7.2f}  {kind.line()}" for kind in self.kinds if abs(kind.bits) >= NOTHING)
        yield f"{self.total:+7.2f}  together: this pair alone is one customer with {chance(self.probability)}"
        yield self.whole()

    def whole(self) -> str:
        """The customer as a whole, in one sentence."""
        veto = "an exception holds, so the pair counts as the strongest evidence against; " if self.vetoed else ""
        rule = f"the rule asks for {self.threshold:.0%}"
        if self.records == 2:
            return f"{veto}no other record has a say: {chance(self.average_probability)}; {rule}"
        groups = f"the group of {self.records} records joins here" if self.joined else (
            f"their two groups ({self.records} records in all) stay apart"
        )  # fmt: skip
        return f"{veto}{groups}: {self.average:+.2f} on average, {chance(self.average_probability)}; {rule}"


def chance(probability: float) -> str:
    """A probability for people: never 100 % and never 0 %.

    >>> [chance(p) for p in (0.5, 0.9987, 0.9999999, 0.0000001)]
    ['50.0 %', '99.87 %', 'more than 99.99 %', 'less than 0.01 %']
    """
    if probability > 0.9999:
        return "more than 99.99 %"
    if probability < 0.0001:
        return "less than 0.01 %"
    digits = 1 if 0.01 <= probability <= 0.99 else 2
    return f"{100 * probability:.{digits}f} %"


class RuleCheck(Report):
    """One rule on a pair of records. `score`: the weakest condition; null when a condition fails."""

    rule: int
    name: str
    kind: str
    left: str
    right: str
    passed: bool
    score: float | None
    conditions: list[ConditionCheck]
    vetoes: list[ConditionCheck] = []
    """Exceptions that hold, and so veto the pair."""
    evidence: Waterfall | None = None
    """Of a scored rule, which has no conditions; null when the run had nothing to learn from."""

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"rule {self.name!r} ({self.kind}){'' if self.passed else ' does not link them'}"
        for condition in self.conditions:
            yield from (f"  {line}" for line in condition.lines())
        if self.evidence is not None:
            yield from (f"  {line}" for line in self.evidence.lines())
        for veto in self.vetoes:
            yield from (f"  exception: {line}" for line in veto.lines())


class Hop(Report):
    """One link of a path. `check` is null for an always-match override."""

    a: str
    b: str
    rule: str
    score: float
    check: RuleCheck | None = None

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.a}  —  {self.b}"
        if self.check is None:
            yield f"  {self.rule}"
        else:
            yield from (f"  {line}" for line in self.check.lines())


class ValueOrigin(Report):
    """Where one value of a customer comes from, and what the other records say."""

    column: str
    value: Any
    record: str
    how: str
    others: dict[str, Any] = {}
    """Record to its value, of winners that have another one."""


class Explanation(Report):
    """The answer to why, why not, or where from."""

    kind: Literal["same", "different", "customer"]
    summary: str
    records: list[RecordInfo]
    path: list[Hop] = []
    nearest: RuleCheck | None = None
    reasons: list[str] = []
    values: list[ValueOrigin] = []
    links: list[Hop] = []
    """One customer: its links, without the conditions in detail."""

    def lines(self) -> Iterator[str]:
        """Plain text, for a terminal or a log."""
        yield self.summary
        for hop in self.path:
            yield ""
            yield from hop.lines()
        for reason in self.reasons:
            yield f"• {reason}"
        if self.nearest is not None:
            yield ""
            yield "Nearest rule:"
            yield from (f"  {line}" for line in self.nearest.lines())
        if self.kind == "customer":
            yield ""
            for record in self.records:
                yield f"  {record.record}{'' if record.is_winner else '  (alternate)'}"
            for hop in self.links:
                yield f"  {hop.a} — {hop.b}: {hop.rule} ({hop.score:.0%})"
            yield ""
            for value in self.values:
                yield f"  {value.column} = {value.value!r}  from {value.record}  ({value.how})"
                for record_name, other in value.others.items():
                    yield f"      {record_name} says {other!r}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


def _spoken(values: dict[str, Any], compared: list[str | None]) -> str:
    parts = []
    for (column, value), after in zip(values.items(), compared, strict=True):
        raw = "nothing" if value is None else repr(value) if isinstance(value, str) else str(value)
        changed = after is not None and str(value) != after
        parts.append(f"{column} {raw}" + (f" → {after!r}" if changed else "" if after is not None else " → no value"))
    return ", ".join(parts)
