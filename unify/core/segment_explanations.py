"""Why is a customer in a segment, or why not: frozen reports like those of explanations.py.

SegmentExplanation
├── tree            Condition: every part of the definition with its truth, parts inside parts
│   ├── values      SeenValue: what the customer has, which record gave it, how that record was merged
│   └── rows        SeenRows: related rows that were counted, summed or looked for; the first of them
└── nearest         Change: the smallest set of leaves that would have to turn round
"""

from collections.abc import Iterator
from typing import Any, Literal

from unify.core.reports import Report

MARKS = {True: "✓", False: "✗", None: "?"}


class SeenValue(Report):
    """A value as it was compared. `record`: the record that gave it; "" for values that no record gave."""

    name: str
    value: Any
    record: str = ""
    how: str = ""
    """How it won among the customer's records."""
    merged_by: list[str] = []
    """The links that joined that record to the customer's others, when they were asked for."""

    def lines(self) -> Iterator[str]:
        """Plain text."""
        origin = f"  from {self.record}" if self.record else ""
        yield f"{self.name} = {shown(self.value)}{origin}{f' ({self.how})' if self.how else ''}"
        yield from (f"    {link}" for link in self.merged_by)


class SeenRow(Report):
    """A related row. `key`: `web_Orders:O-1`, or "" in a table without keys. `fails`: what is not true for it."""

    key: str
    matches: bool
    values: dict[str, Any] = {}
    fails: list[str] = []


class SeenRows(Report):
    """The related rows behind an aggregate, or behind the question whether there is one.

    `reached`: rows at the end of the path; `matching`: those for which the condition is true; `rows`: the first that
    do, then those that fail the fewest parts of the condition.
    """

    sentence: str
    table: str
    value: Any
    reached: int
    matching: int
    rows: list[SeenRow] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.sentence} = {shown(self.value)}  ({self.matching} of {self.reached} rows of {self.table})"
        for row in self.rows:
            said = ", ".join(f"{k} {shown(v)}" for k, v in row.values.items())
            missed = f"  fails: {'; '.join(row.fails)}" if row.fails else ""
            yield f"    {MARKS[row.matches]} {row.key or self.table}: {said}{missed}"


class Condition(Report):
    """One part of a definition, as it is for one customer.

    `kind`: `and`, `or`, `not`, `surely` (unknown counts as false), `leaf`, `segment`, `block`, `constant`.
    `truth`: null is unknown. `leaf`: number of what may turn round by itself, equal parts have one number.
    `label`: name of the rule it is. `note`: what else to know, e.g. that it was explained above.
    """

    kind: Literal["and", "or", "not", "surely", "leaf", "segment", "block", "constant"]
    sentence: str
    truth: bool | None
    leaf: int | None = None
    label: str = ""
    note: str = ""
    values: list[SeenValue] = []
    rows: list[SeenRows] = []
    parts: list["Condition"] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        words = {"and": "all of", "or": "any of", "not": "not", "surely": "surely"}
        said = words.get(self.kind, self.sentence)
        label = f"rule {self.label!r}: " if self.label else ""
        yield f"{MARKS[self.truth]} {label}{said}{f'  ({self.note})' if self.note else ''}"
        told = [line for value in self.values for line in value.lines()]
        told += [line for rows in self.rows for line in rows.lines()]
        yield from (f"    {line}" for line in told)
        for part in self.parts:
            yield from (f"  {line}" for line in part.lines())

    def walk(self) -> Iterator["Condition"]:
        """This part and all parts of it, parents first."""
        yield self
        for part in self.parts:
            yield from part.walk()


class Change(Report):
    """A leaf that would have to turn round. `change`: in words.

    `subject`, `value`: what would have to have which value, for one; "" when no single value can be said.
    """

    leaf: int
    sentence: str
    becomes: bool
    change: str
    subject: str = ""
    value: Any = None


class SegmentExplanation(Report):
    """The answer to: why is this customer in the segment, or why not?

    member    the truth of the definition at `clock`
    nearest   the fewest leaves that would turn the answer round; empty when nothing about the customer can
    smallest  False: the definition names so many things several times that a smaller set may exist
    stored    whether the run had them in it, when that was handed over
    """

    segment: str
    CustomerId: str
    ordinal: int
    member: bool
    stored: bool | None = None
    clock: str
    sentence: str
    summary: str
    tree: Condition
    nearest: list[Change] = []
    smallest: bool = True
    notes: list[str] = []

    def lines(self) -> Iterator[str]:
        """Plain text, for a terminal or a log."""
        yield self.summary
        yield from (f"• {note}" for note in self.notes)
        yield ""
        yield from self.tree.lines()
        yield ""
        turn = "would not be" if self.member else "would be"
        if not self.nearest:
            yield f"Nothing about the customer could change it: they {turn} in it by no change of these conditions."
            return
        many = "this change" if len(self.nearest) == 1 else f"these {len(self.nearest)} changes together"
        yield f"They {turn} in it after {many}:"
        yield from (f"  • {change.change}" for change in self.nearest)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


def shown(value: Any) -> str:
    """A value as explanations write it: text quoted, nothing for null."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
