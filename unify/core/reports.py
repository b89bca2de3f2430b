"""What a run says about itself: small frozen reports, the same in Python, in the catalog and behind `--json`.

RunReport
├── stages      seconds per stage
├── arrows      rows accounted for at every arrow: rows in = rows out + rows aside, each with a reason
├── entities    per entity: files, rows kept, quarantined by reason, filtered
├── overrides   always and never pairs in force
├── rules       per rule: candidates, links, marginal yield, seconds
├── ignored     values that a rule left out
├── junk        values that too many different people carry
├── clusters    sizes, largest, cuts
├── changes     customers created, merged, split, retired since the previous generation
├── activities  per activity: the way to customers, rows that found theirs, orphans
├── measures    per column of a measure: rows, nulls, smallest, largest, mean
└── incremental what was carried over from the generation before, updated, or made anew, and why
"""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

from unify.core.rendering import html_of


class Report(BaseModel):
    """Base: frozen, reads back what it wrote."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def as_dict(self) -> dict[str, Any]:
        """The report as `--json` prints it."""
        return self.model_dump(mode="json")

    def _repr_html_(self) -> str | None:
        """What a notebook shows; None lets it show the `repr`."""
        return html_of(self)


class StageReport(Report):
    """Wall-clock seconds of one stage."""

    stage: str
    seconds: float


class ArrowReport(Report):
    """Rows at one arrow of the road. `aside`: reason to rows that did not go on."""

    arrow: str
    rows_in: int
    rows_out: int
    aside: dict[str, int] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def balanced(self) -> bool:
        """Whether every row is accounted for."""
        return self.rows_in == self.rows_out + sum(self.aside.values())


class EntityReport(Report):
    """How one entity was ingested; rows_in = rows_kept + rows_quarantined + rows_filtered + rows_superseded."""

    entity: str
    files: int
    rows_in: int
    rows_kept: int
    rows_quarantined: int = 0
    rows_filtered: int = 0
    rows_superseded: int = 0
    rows_added: int = 0
    """Of the rows in: written one by one, in no file."""
    rows_changed: int = 0
    """Of the rows in: rows of the files that were changed one by one."""
    reasons: dict[str, int] = {}
    """Quarantine reason to rows."""
    columns: list[dict[str, Any]] = []
    """name, type, label of every column."""
    seconds: float = 0.0
    warnings: list[str] = []


class OverridesReport(Report):
    """Override pairs in force, and entries that name records that are not there."""

    always: int = 0
    never: int = 0
    unknown: int = 0


class RuleReport(Report):
    """What one rule did.

    kind         dedupe, common, match, or cluster (of customers)
    left, right  the entities it compares; `every entity` on both sides of a common rule
    entities     all of them; empty in reports that were written before it was there
    shape        star, join or similarity (docs/how-rules-run.md), or scored (docs/scored-rules.md)
    candidates   pairs of records compared or, for a star rule, implied by its key groups
    links        pairs found
    ignored      values left out because too many records share them or the rule would explode
    yields       marginal yield: records that only this rule brought to another record
    """

    rule: int
    kind: str
    name: str
    left: str
    right: str
    sentence: str
    shape: str
    candidates: int
    links: int
    ignored: int
    seconds: float
    yields: int = 0
    entities: list[str] = []


class IgnoredValue(Report):
    """A value that a rule did not use as evidence."""

    rule: int
    value: str
    records: int
    pairs: int
    reason: str


class ValueVerdict(Report):
    """What was found out about one value, in the form in which rules compare it.

    columns     where it stands, e.g. `crm.Contacts.EMail, loyalty.Members.EMail`; `normalized`: after which normalisers
    people      at least so many different people carry it; null: they were not counted, a list gave the verdict
    verdict     junk: no evidence at all; shared: no proof of identity by itself; genuine: overruled
    overruled   the list that decided; null: the number of people did
    """

    columns: str
    normalized: str
    value: str
    records: int
    people: int | None
    verdict: str
    reason: str
    overruled: str | None = None


class JunkReport(Report):
    """Values that lie: how many, and the worst. `judged`: the columns that were looked at."""

    judged: list[str] = []
    junk: int = 0
    shared: int = 0
    overruled: int = 0
    worst: list[ValueVerdict] = []


class LargestCluster(Report):
    """One of the customers with the most records."""

    CustomerId: str
    records: int


class ClusterReport(Report):
    """Clusters of the run.

    components   connected components over all links, before any limit; `violating`: those that broke a limit
    histogram    records in a customer to customers
    cuts         limit to links that yielded to it
    """

    records: int
    customers: int
    dropped: int = 0
    """Records left out because their entity does not include records that match nothing."""
    components: int = 0
    violating: int = 0
    dedupe_groups: int = 0
    """Dedupe groups of two records or more."""
    histogram: dict[int, int] = {}
    largest: list[LargestCluster] = []
    cuts: dict[str, int] = {}
    doubtful: int = 0
    """Links queued for review; the table `doubtful_links` has them."""


class ChangeReport(Report):
    """What happened to CustomerIds since the previous generation; `previous` is its number, null for the first run."""

    previous: int | None = None
    created: int = 0
    merged: int = 0
    split: int = 0
    retired: int = 0
    unchanged: int = 0


class ActivityReport(Report):
    """What happened to customers, of one activity entity; rows = activities + orphans + hidden.

    path      the relationships from the entity to Customer
    orphans   reason to rows that lead to no customer; the table `orphan_activities` has all
    hidden    rows of an activity that is left out of the timeline
    undated   activities without a time; `several`: those that could be of more than one customer
    """

    activity: str
    entity: str
    path: str
    rows: int
    activities: int
    customers: int
    orphans: dict[str, int] = {}
    hidden: int = 0
    undated: int = 0
    several: int = 0


class SegmentReport(Report):
    """What a run says of one segment.

    state          refreshed: found in this run; carried: static, taken over; failed: `error` says why, and the members
                   that were found last were taken over
    members        how many; null: none were ever found
    entered, left  since the generation or refresh before, customers that merged or split carried over; null: nothing
                   to compare with
    as_of          the run that found these members
    rules          rule to customers that meet it by itself
    """

    segment: str
    kind: str
    state: str
    members: int | None = None
    entered: int | None = None
    left: int | None = None
    as_of: int | None = None
    seconds: float = 0.0
    rules: dict[str, int] = {}
    error: dict[str, str] | None = None
    warnings: list[str] = []


class MeasureReport(Report):
    """One column of a measure. A measure with a single value has it as `min`, `max` and, a number, `mean`.

    table     where it is; `type`: of the column, as docs/predicates.md names types
    rows      of the table: customers, or combinations of dimensions; `nulls` of them have no value
    min, max  of numbers, dates and times, decimals as text; texts are somebody's data and stay out of reports
    """

    measure: str
    column: str
    kind: str
    table: str
    type: str
    rows: int
    nulls: int
    min: int | float | str | None = None
    max: int | float | str | None = None
    mean: float | None = None


class SourceChange(Report):
    """What a run found of one entity against the generation before.

    state      carried: it is what it was then, nothing was read; read: it was, and compared by key
    inserted   rows; null, as the other numbers: nobody compared them, because everything is made anew or because the
               entity takes no part in conflation
    """

    entity: str
    state: str
    inserted: int | None = 0
    updated: int | None = 0
    deleted: int | None = 0
    unchanged: int | None = 0


class StageChange(Report):
    """What became of one stage: carried over, updated for what changed, or made anew; and why."""

    stage: str
    state: str
    why: str = ""


class IncrementalReport(Report):
    """What a run took over from the generation `previous`, and what it made anew; null: there was none.

    reconsidered   records whose customer was worked out again; null: of all of them
    """

    previous: int | None = None
    entities: list[SourceChange] = []
    stages: list[StageChange] = []
    reconsidered: int | None = None

    @property
    def sentence(self) -> str:
        """What was taken over, in short; empty when nothing was."""
        carried = [e.entity for e in self.entities if e.state == "carried"]
        stages = [s for s in self.stages if s.state != "anew"]
        if not carried and not stages:
            return ""
        said = [f"{len(carried)} of {len(self.entities)} sources", *(f"{s.stage} ({s.state})" for s in stages)]
        count = "" if self.reconsidered is None else f"; {self.reconsidered:,} records reconsidered"
        return f"taken over from generation {self.previous}: {', '.join(said)}{count}"


class RunReport(Report):
    """Everything a run says about itself. A refresh of segments has `segments`, and the generation it looked at."""

    run: int
    generation: int
    project: str
    started: str
    seconds: float
    peak_mib: float
    stages: list[StageReport] = []
    arrows: list[ArrowReport] = []
    entities: list[EntityReport] = []
    overrides: OverridesReport = OverridesReport()
    rules: list[RuleReport] = []
    ignored: list[IgnoredValue] = []
    junk: JunkReport | None = None
    clusters: ClusterReport | None = None
    changes: ChangeReport | None = None
    activities: list[ActivityReport] = []
    measures: list[MeasureReport] = []
    segments: list[SegmentReport] = []
    incremental: IncrementalReport | None = None
    warnings: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The run in short, as plain text: rows at every arrow, changes of ids, warnings."""
        yield repr(self)
        for arrow in self.arrows:
            aside = "".join(f"; {rows:,} {reason}" for reason, rows in arrow.aside.items())
            yield f"{arrow.arrow}: {arrow.rows_in:,} in, {arrow.rows_out:,} out{aside}"
        if self.changes is not None:
            c = self.changes
            yield (
                f"customers: {c.created:,} created, {c.merged:,} merged, {c.split:,} split, {c.retired:,} retired, "
                f"{c.unchanged:,} unchanged"
            )
        if self.incremental is not None and (said := self.incremental.sentence):
            yield said
        for one in self.segments:
            members = "no" if one.members is None else f"{one.members:,}"
            moved = "" if one.entered is None else f" (+{one.entered:,} −{one.left:,})"
            yield f"segment {one.segment}: {one.state}, {members} members{moved}"
        yield from (f"warning: {warning}" for warning in self.warnings)

    def __repr__(self) -> str:
        customers = f", {self.clusters.customers:,} customers" if self.clusters else ""
        said = f"{sum(e.rows_in for e in self.entities):,} rows{customers}"
        if self.run != self.generation:
            said = "1 segment" if len(self.segments) == 1 else f"{len(self.segments):,} segments"
        return f"<RunReport run {self.run} → generation {self.generation}: {said}, {self.seconds:.1f} s>"
