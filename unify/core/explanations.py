"""Why, why not, where from: what `explain` says. Frozen like reports; `lines()` is the plain text of it.

Explanation            two records, or one customer
├── records            who is who: record, customer, winner or alternate
├── path               same customer: the links from one record to the other
│   └── RuleCheck ─ ConditionCheck   a rule on a pair: values before and after normalising, score, passed or not
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

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"rule {self.name!r} ({self.kind}){'' if self.passed else ' does not link them'}"
        for condition in self.conditions:
            yield from (f"  {line}" for line in condition.lines())
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
