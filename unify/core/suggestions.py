"""What `suggest` says: a plan that was worked out from the data, with what every part of it was estimated at."""

from collections.abc import Iterator

from unify.core.reports import Report
from unify.spec import Project


class SuggestedAttribute(Report):
    """Columns that mean the same, compared with each other.

    columns    entity to its columns, as people write them
    normalize  how values are made alike
    bits       what a comparison is expected to say about two records of one customer, in bits
    used       whether the plan compares it
    """

    name: str
    label: str | None = None
    columns: dict[str, list[str]]
    normalize: list[str]
    bits: float
    used: bool


class SuggestedRule(Report):
    """One rule, in order.

    kind       common: conditions; scored: evidence that adds up
    precision  share of the pairs it links that are expected to be one customer; None where it was not estimated
    finds      share of all pairs of one customer that it links
    adds       share that it links and no rule before it does
    pairs      of records that it links, about
    labelled   labelled pairs that it links
    """

    name: str
    kind: str
    sentence: str
    precision: float | None = None
    finds: float | None = None
    adds: float | None = None
    pairs: int | None = None
    labelled: int = 0


class CarriedComparison(Report):
    """Evidence on one column that stands for comparisons of a settings file.

    comparisons     their names in the file
    levels          in per cent, equality aside
    term_frequency  equal values weigh more the rarer they are
    """

    column: str
    comparisons: list[str]
    levels: list[float]
    term_frequency: bool


class Suggestion(Report):
    """A proposed plan. `project` is ready to run, `text` is its project file, with the estimates as comments.

    records    of all entities; `studied`: how many of them, drawn by lot, the estimates are about
    pairs      of records that were compared
    matches    pairs of records that are expected to be one customer
    labels     semantic labels that are proposed: entity to column to label
    left_out   columns that are not compared, and why
    labelled   labelled pairs that were used
    read_from  the settings file that the plan was carried over from; then nothing is estimated
    carried    its comparisons, as evidence; what has no counterpart stands in `notes`
    """

    project: Project
    text: str
    records: int
    studied: int
    pairs: int
    matches: int
    attributes: list[SuggestedAttribute]
    rules: list[SuggestedRule]
    labels: dict[str, dict[str, str]] = {}
    left_out: dict[str, str] = {}
    labelled: int = 0
    notes: list[str] = []
    read_from: str = ""
    carried: list[CarriedComparison] = []

    def lines(self) -> Iterator[str]:
        """What a reader wants to know before the file, as plain text."""
        if self.read_from:
            yield from self.head()
            return
        of = (
            f"{self.studied:,} of {self.records:,} records"
            if self.studied < self.records
            else f"{self.records:,} records"
        )
        known = f" and {self.labelled:,} labelled pairs" if self.labelled else ", no labels"
        yield f"estimated from {self.pairs:,} pairs of {of}{known}: about {self.matches:,} pairs are one customer"
        for number, rule in enumerate(self.rules, 1):
            yield f"{number:>3}  {rule.name}{estimate(rule)}"
        yield from (f"  !  {note}" for note in self.notes)

    def head(self) -> Iterator[str]:
        """What stands above a plan that was carried over."""
        yield f"carried over from {self.read_from}: {len(self.carried)} comparisons; nothing was estimated"
        yield from (f"  !  {note}" for note in self.notes)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


def estimate(rule: SuggestedRule) -> str:
    """`: 99.8 % precise, finds 61 %, 12 % more than the rules before it`; nothing where it was not estimated."""
    if rule.kind == "splink":
        return ": its comparisons; what they weigh is learned from the records"
    if rule.precision is None or rule.finds is None or rule.adds is None:
        return ": what the rules before it left, by the weight of all evidence"
    more = "" if rule.adds >= rule.finds else f", {_share(rule.adds)} that no rule before it does"
    return f": {_share(rule.precision, '99.99 % or more')} precise, finds {_share(rule.finds)} of the matches{more}"


def _share(value: float, most: str = "all") -> str:
    return most if value > 0.9999 else f"{100 * value:.4g} %" if value < 0.99 else f"{100 * value:.2f} %"
