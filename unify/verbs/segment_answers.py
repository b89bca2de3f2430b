"""What questions about segments return: frozen reports and rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from unify.answers import Answer
from unify.core.reports import Report

SegmentState = Literal["active", "inactive", "invalid"]


class SegmentInfo(Report):
    """One segment as a list shows it.

    source      project: declared in the project file; catalog: made by a verb, in `version`
    part_of     the waterfall that makes it
    state       active; inactive (switched off, or past its end); invalid: `error` says what is wrong
    refresh     what the last run said: refreshed, carried, failed; null: no run has looked at it on this generation
    members     how many are in force; null: none were ever found
    as_of       the run that found them, `clock` the moment that it looked from
    outdated    whether the definition has changed since
    """

    name: str
    title: str | None = None
    description: str | None = None
    kind: str
    source: str
    version: int | None = None
    part_of: str | None = None
    state: SegmentState
    static: bool = False
    ends: datetime | None = None
    tags: list[str] = []
    refresh: str | None = None
    members: int | None = None
    as_of: int | None = None
    clock: str | None = None
    outdated: bool = False
    error: dict[str, str] | None = None

    def __repr__(self) -> str:
        members = "no members" if self.members is None else f"{self.members:,} members of run {self.as_of}"
        return f"<SegmentInfo {self.name}: {self.state}, {members}>"


@dataclass(frozen=True)
class SegmentDifference:
    """Who entered and who left between two runs (docs/segment-lifecycle.md has the exact rules).

    before, after   members then
    entered         rows of CustomerId
    left            rows of CustomerId and reason: criteria, merged, gone, unknown
    carried         rows of CustomerId (then), now, how: merged, split
    """

    segment: str
    run_a: int
    run_b: int
    before: int
    after: int
    entered: Answer
    left: Answer
    carried: Answer

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "segment": self.segment,
            "run_a": self.run_a,
            "run_b": self.run_b,
            "before": self.before,
            "after": self.after,
            "entered": self.entered.arrow().column(0).to_pylist(),
            "left": self.left.rows(),
            "carried": self.carried.rows(),
        }

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"{self.segment}, run {self.run_a} to run {self.run_b}: {self.before:,} members, then {self.after:,}"
        yield f"entered: {len(self.entered):,}"
        reasons = self.left.arrow().column("reason").to_pylist()
        said = ", ".join(f"{reasons.count(r):,} {r}" for r in sorted(set(reasons)))
        yield f"left: {len(self.left):,}" + (f" ({said})" if said else "")
        yield f"carried over a merge or a split: {len(self.carried):,}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return (
            f"<SegmentDifference {self.segment}, run {self.run_a} → {self.run_b}: +{len(self.entered):,}"
            f" −{len(self.left):,}, {len(self.carried):,} carried>"
        )


def rows_answer(columns: dict[str, list[Any]], types: dict[str, pa.DataType] | None = None) -> Answer:
    """Columns of Python values as an answer; text unless `types` says otherwise."""
    kinds = types or {}
    return Answer(pa.table({name: pa.array(v, kinds.get(name, pa.string())) for name, v in columns.items()}))
