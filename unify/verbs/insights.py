"""What is to be learned from the segments of an instance: segments/insights, put together from one reading.

acme.overlap(["vip", "young"])  acme.overlap(["vip", "young"], by="City")
acme.segment("vip").differ()  .differ("young")  .drift(12, 17)  .similar()
acme.insights.suggest("TotalSpend")  .suggest_by_activity("2024-01-01", "2024-12-31")  .quick("City")
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyroaring import BitMap

from segments.insights.activity import Activities, by_activity
from segments.insights.columns import everyone
from segments.insights.differ import differ as differences
from segments.insights.overlap import overlap as overlap_of
from segments.insights.overlap import overlap_by
from segments.insights.quick import quick as quick_field
from segments.insights.similar import CLASSES
from segments.insights.similar import similar as similar_customers
from segments.insights.suggest import suggest as suggest_groups
from segments.lowered import Lowered
from unify.answers import Answer
from unify.core.errors import SpecError
from unify.core.insight_reports import (
    Differences,
    Drift,
    Overlap,
    OverlapByValue,
    QuickField,
    Similar,
    Suggestions,
)
from unify.verbs.segment_drift import Drifting
from unify.verbs.segment_reading import Reading

if TYPE_CHECKING:
    from unify.verbs.segment import SegmentHandle
    from unify.verbs.segments import Segments


@dataclass(frozen=True)
class DriftedSegment:
    """The report, and who it is about: CustomerId, change (`entered`, `left`), cause."""

    report: Drift
    customers: Answer

    def __repr__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str | None:
        return self.report._repr_html_()


@dataclass(frozen=True)
class SimilarCustomers:
    """The report, and the customers: CustomerId, score, class; the most similar first."""

    report: Similar
    customers: Answer

    @property
    def definition(self) -> dict[str, Any]:
        """As a segment that lists them: `acme.segments().create("like_vip", found.definition)`."""
        return {"members": {"customers": [row["CustomerId"] for row in self.customers.rows()]}}

    def __repr__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str | None:
        return self.report._repr_html_()


class Insights:
    """Questions about several segments, or before there is one. Of the published generation, and members in force."""

    def __init__(self, segments: "Segments") -> None:
        self._segments = segments

    def overlap(self, names: Sequence[str] | None = None, *, by: str | None = None) -> Overlap | OverlapByValue:
        """How segments share customers; `by`: per value of an attribute. None: every segment that has members."""
        reading = self._segments.reading()
        found = reading.bitmaps(names)
        if by is None:
            return overlap_of(found, everyone(reading.opened.engine, reading.opened.model))
        return overlap_by(reading.opened.engine, reading.opened.model, found, by)

    def suggest(
        self,
        primary: str,
        *,
        influencers: Sequence[str] | None = None,
        among: str | None = None,
        groups: int = 10,
        smallest: int | None = None,
    ) -> Suggestions:
        """Groups in which a measure or attribute is far from its average; `among`: members of a segment."""
        reading = self._segments.reading()
        return suggest_groups(
            reading.opened.engine,
            reading.opened.model,
            primary,
            influencers=influencers,
            among=None if among is None else reading.bitmap(among),
            clock=datetime.now(UTC),
            leaves=groups,
            smallest=smallest,
        )

    def suggest_by_activity(
        self,
        since: str | date,
        through: str | date,
        *,
        of: str = "UnifiedActivity",
        time: str = "ActivityTime",
        amount: str | None = None,
        where: Any = None,
        groups: int = 3,
        among: str | None = None,
    ) -> Suggestions:
        """Customers in equal parts by recency, frequency and money in a period."""
        reading = self._segments.reading()
        return by_activity(
            reading.opened.engine,
            reading.opened.model,
            Activities(of, time, amount, where),
            since=_day(since, "since"),
            through=_day(through, "through"),
            groups=groups,
            among=None if among is None else reading.bitmap(among),
            clock=datetime.now(UTC),
        )

    def quick(self, attribute: str, *, top: int = 10, percentiles: Iterable[int] | None = None) -> QuickField:
        """Values and percentiles of an attribute or measure."""
        reading = self._segments.reading()
        wanted = None if percentiles is None else tuple(percentiles)
        return quick_field(reading.opened.engine, reading.opened.model, attribute, top=top, percentiles=wanted)


def differ(reading: Reading, name: str, other: str | None, attributes: Sequence[str] | None) -> Differences:
    """What tells the members from everybody else or from another segment's."""
    return differences(
        reading.opened.engine,
        reading.opened.model,
        reading.bitmap(name),
        other=None if other is None else reading.bitmap(other),
        attributes=attributes,
        name=name,
        other_name=other or "everybody else",
    )


def drift(reading: Reading, handle: "SegmentHandle", run_a: int | None, run_b: int | None) -> DriftedSegment:
    """Who entered and left between two runs, each with one cause."""
    found = Drifting.between(handle, reading, run_a, run_b).told()
    moves = [("entered", cause, who) for cause, who in found.entered.items()]
    moves += [("left", cause, who) for cause, who in found.left.items()]
    names = reading.opened.ids(BitMap().union(*(who for _, _, who in moves)))
    rows = sorted((names.get(o, ""), change, cause) for change, cause, who in moves for o in who)
    columns = {key: [row[i] for row in rows] for i, key in enumerate(("CustomerId", "change", "cause"))}
    return DriftedSegment(found.report, Answer(pa.table({k: pa.array(v, pa.string()) for k, v in columns.items()})))


def similar(
    reading: Reading,
    name: str,
    *,
    attributes: Sequence[str] | None = None,
    share: float = 0.2,
    lowest: float = 0.4,
    include_members: bool = False,
    audience: str | None = None,
) -> SimilarCustomers:
    """Customers like the members of a segment; attributes that define it are left out unless they are named."""
    found = similar_customers(
        reading.opened.engine,
        reading.opened.model,
        reading.bitmap(name),
        attributes=attributes,
        defined_by=_definition(reading, name),
        share=share,
        lowest=lowest,
        include_members=include_members,
        audience=None if audience is None else reading.bitmap(audience),
        name=name,
    )
    names = reading.opened.ids(found.members)
    scored = zip(found.ordinals.tolist(), found.scores.tolist(), strict=True)
    rows = sorted((-score, names[o]) for o, score in scored if o in found.members)
    table = pa.table(
        {
            "CustomerId": pa.array([who for _, who in rows], pa.string()),
            "score": pa.array([-score for score, _ in rows], pa.float64()),
            "class": pa.array([_class(-score) for score, _ in rows], pa.string()),
        }
    )
    return SimilarCustomers(found.report, Answer(table))


def _class(score: float) -> str:
    return next((name for name, low, _ in CLASSES if score >= low), "none")


def _definition(reading: Reading, name: str) -> Lowered | None:
    """What it says; None when it cannot be read any more, for then its attributes cannot be found either."""
    lowered, _ = reading.stage().lowered([name], ())
    return lowered.get(name)


def _day(day: str | date, where: str) -> date:
    if isinstance(day, date):
        return day.date() if isinstance(day, datetime) else day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise SpecError(f"{day!r} is no day", where=where, hint="write it as 2024-12-31") from None
