"""Criteria: who is in a segment, as a tree of conditions. What each means: docs/segments.md.

    Criteria ── text                                   OData, e.g. "TotalSpend gt 1000"
             ── a list                                 all of them
             ── all, any, not, segment                 combinations
             ── attribute, related, sum, count, …      of rows; tests: criteria_values.py
             ── did, did_not, first, last, regularly, stopped, restarted, sequence      criteria_events.py
             ── top, split, percent, anniversary, members                               of customers as a whole
             ── sentence, predicate                         the other spellings of a condition: docs/spellings.md

A mapping's kind is the key that stands in it (KINDS).
"""

import difflib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter, model_validator
from typing_extensions import TypeAliasType

from unify.spec.base import Name, Noun, Strings
from unify.spec.criteria_events import Did, DidNot, EdgeEvent, Event, Regularly, Restarted, Sequence, Stopped
from unify.spec.criteria_values import Path, Tests, Times, exactly_one, some_number
from unify.spec.windows import SpanText, WindowText

MAX_LEVELS = 60
"""Of mappings inside mappings. Each becomes a level or two of a predicate, which may have 100."""


class AllOf(Noun):
    """Every one of them holds. A list means the same."""

    all: "tuple[Criteria, ...]" = Field(min_length=1)


class AnyOf(Noun):
    """At least one of them holds."""

    any: "tuple[Criteria, ...]" = Field(min_length=1)


class NotThis(Noun):
    """It is false. What is unknown, as any comparison with a missing value, stays unknown."""

    not_: "Criteria" = Field(alias="not")


class InSegment(Noun):
    """The customer is in another segment."""

    segment: Name


class AttributeCriterion(Tests):
    """An attribute passes every test that is given.

    attribute  a name, of a measure too, or a path to one: `UnifiedActivity/ActivityType`
    within     a window that the date or datetime is in
    every      of a path to many rows: every related row passes, not just one; true when there is none
    """

    attribute: Path
    within: WindowText | None = None
    every: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.within is None and not self.given:
            raise ValueError("it needs a test, e.g. `equals`, `at_least` or `is_null`")
        return self


class Rows(Noun):
    """Which rows of a relation count.

    where   criteria on the row
    within  a window that its time is in
    time    its date or datetime; default: the timestamp of its entity
    """

    where: "Criteria | None" = None
    within: WindowText | None = None
    time: str | None = None

    @model_validator(mode="after")
    def _a_time_for_a_window(self) -> Self:
        if self.time is not None and self.within is None:
            raise ValueError("`time` says nothing without `within`")
        return self


class RelatedCriterion(Rows):
    """There is a related row that meets criteria, all of them on the same row.

    related  the relations that lead to the rows
    every    every row does; true when there is no row
    none     no row does
    at_least, at_most, exactly, between   so many rows do
    """

    related: Path
    every: bool = False
    none: bool = False
    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)
    exactly: int | None = Field(default=None, ge=0)
    between: tuple[int, int] | None = None

    @property
    def times(self) -> Times | None:
        """How many rows, when that is asked."""
        counts = {k: v for k in Times.model_fields if (v := getattr(self, k)) is not None}
        return Times(**counts) if counts else None

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        given = [k for k in ("every", "none") if getattr(self, k)]
        given += [k for k in Times.model_fields if getattr(self, k) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other")
        some_number(self.between)
        return self


AGGREGATES = ("count", "count_distinct", "sum", "avg", "min", "max")


class Aggregated(Rows):
    """One number, date or text out of many related rows.

    count                             of the rows at the end of these relations
    count_distinct, sum, avg, min, max   of an attribute of the rows that `of` leads to
    """

    count: Path | None = None
    count_distinct: str | None = None
    sum: str | None = None
    avg: str | None = None
    min: str | None = None
    max: str | None = None
    of: Path | None = None

    @property
    def function(self) -> str:
        """Which of AGGREGATES."""
        return next(f for f in AGGREGATES if getattr(self, f) is not None)

    @property
    def value(self) -> str | None:
        """The attribute it takes; None for count."""
        return None if self.function == "count" else str(getattr(self, self.function))

    @property
    def path(self) -> Path:
        """The relations that lead to the rows."""
        found = self.count if self.of is None else self.of
        assert found is not None
        return found

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        exactly_one(self, AGGREGATES)
        if (self.count is None) == (self.of is None):
            raise ValueError("write `count: <relation>`, or `sum: <attribute>` with `of: <relation>`")
        return self


class AggregateCriterion(Aggregated, Tests):
    """The value passes every test that is given."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.given:
            raise ValueError("it needs a test, e.g. `at_least`")
        return self


class Top(Noun):
    """Those with the highest (or lowest) values.

    top    how many, or `5 %` of those that have a value, rounded up
    by     an attribute of customers, a measure, or an aggregate; who has none is never in
    order  highest, lowest
    among  criteria: only these are ranked; default: all customers
    ties   where the last place is shared: by_id (the smallest CustomerIds), include (all who share it), drop (none)
    """

    top: Annotated[int, Field(ge=1, strict=True)] | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?%$")]
    by: Annotated[
        Annotated[str, Tag("text")] | Annotated[Aggregated, Tag("Aggregated")],
        Discriminator(lambda v: "text" if isinstance(v, str) else "Aggregated"),
    ]
    order: Literal["highest", "lowest"] = "highest"
    among: "Criteria | None" = None
    ties: Literal["by_id", "include", "drop"] = "by_id"

    @property
    def percent(self) -> Decimal | None:
        """The share, when one is asked for."""
        return Decimal(self.top.rstrip("% ")) if isinstance(self.top, str) else None

    @model_validator(mode="after")
    def _a_share(self) -> Self:
        if self.percent is not None and not 0 < self.percent <= 100:
            raise ValueError(f"{self.top}: more than 0 %, at most 100 %")
        return self


Percent = Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)]
"""A share with up to four decimals: customers are drawn from a million lots."""


class SplitParts(Noun):
    """Customers by lot in parts. The same seed draws the same lots in every run; a customer's part changes only when
    the shares do. `parts`: name to percent, 100 in all; `part`: the one that is meant."""

    seed: str
    parts: dict[str, Percent] = Field(min_length=1)
    part: str

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (total := sum(self.parts.values())) != 100:
            raise ValueError(f"the parts are {total} % in all, not 100: add a part for the rest")
        if self.part not in self.parts:
            raise ValueError(f"there is no part {self.part!r}: {', '.join(self.parts)}")
        return self


class Split(Noun):
    """One part of a split."""

    split: SplitParts


class PercentOf(Noun):
    """So many per cent of all customers, by lot. Of one seed, 10 % are among the 20 %."""

    percent: Percent
    seed: str = ""


class Anniversary(Noun):
    """The day comes round, at least one year after the date itself, within a window of a year at most. What happened on
    29 February is remembered on the 28th in other years."""

    anniversary: Path
    within_next: SpanText | None = None
    within_last: SpanText | None = None
    within: WindowText | None = None

    @model_validator(mode="after")
    def _one_window(self) -> Self:
        exactly_one(self, ("within_next", "within_last", "within"))
        return self


class Members(Noun):
    """Listed customers: ids or records (`crm.Contacts:C-1`). Retired ids resolve."""

    members: Strings = Field(min_length=1)


class Sentence(Noun):
    """The condition as a sentence: `sentence: Spend is at least 100 and not Vip`."""

    sentence: str


class Predicate(Noun):
    """The condition as the predicate tree in JSON, as `unify segment convert --to json` writes it."""

    predicate: dict[str, Any]


KINDS: dict[str, type[Noun]] = {
    "all": AllOf, "any": AnyOf, "not": NotThis, "segment": InSegment,
    "attribute": AttributeCriterion, "related": RelatedCriterion, **dict.fromkeys(AGGREGATES, AggregateCriterion),
    "did": Did, "did_not": DidNot, "first": EdgeEvent, "last": EdgeEvent, "regularly": Regularly, "stopped": Stopped,
    "restarted": Restarted, "sequence": Sequence, "top": Top, "split": Split, "percent": PercentOf,
    "anniversary": Anniversary, "members": Members, "sentence": Sentence, "predicate": Predicate,
}  # fmt: skip
"""The key that says what a mapping is, and the noun it becomes."""


def recognised(value: Any) -> Any:
    """A list becomes `all`; a mapping must have one key of KINDS. ValueError says which was meant."""
    if isinstance(value, (list, tuple)):
        return {"all": value}
    if not isinstance(value, Mapping):
        if isinstance(value, (str, Noun)):
            return value
        raise ValueError(f"{value!r} is no condition: write OData text, a mapping or a list")
    kinds = [k for k in KINDS if value.get(k) is not None]
    if len(kinds) == 1:
        return value
    if kinds:
        raise ValueError(
            f"{' and '.join(kinds)} are two conditions: write a list, `- {kinds[0]}: …` and `- {kinds[1]}: …`"
        )
    near = [n for k in value for n in difflib.get_close_matches(str(k), KINDS, 1)]
    hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(KINDS)}"
    raise ValueError(f"{', '.join(map(str, value)) or 'an empty mapping'} says no condition: {hint}")


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, Noun):
        return type(value).__name__
    return next(noun.__name__ for key, noun in KINDS.items() if value.get(key) is not None)


Criterion = (
    AllOf | AnyOf | NotThis | InSegment | AttributeCriterion | RelatedCriterion | AggregateCriterion | Did | DidNot
    | EdgeEvent | Regularly | Stopped | Restarted | Sequence | Top | Split | PercentOf | Anniversary | Members
    | Sentence | Predicate
)  # fmt: skip
"""One condition that is no text."""

Condition = TypeAliasType(
    "Condition",
    Annotated[
        Annotated[str, Tag("text")]
        | Annotated[AllOf, Tag("AllOf")]
        | Annotated[AnyOf, Tag("AnyOf")]
        | Annotated[NotThis, Tag("NotThis")]
        | Annotated[InSegment, Tag("InSegment")]
        | Annotated[AttributeCriterion, Tag("AttributeCriterion")]
        | Annotated[RelatedCriterion, Tag("RelatedCriterion")]
        | Annotated[AggregateCriterion, Tag("AggregateCriterion")]
        | Annotated[Did, Tag("Did")]
        | Annotated[DidNot, Tag("DidNot")]
        | Annotated[EdgeEvent, Tag("EdgeEvent")]
        | Annotated[Regularly, Tag("Regularly")]
        | Annotated[Stopped, Tag("Stopped")]
        | Annotated[Restarted, Tag("Restarted")]
        | Annotated[Sequence, Tag("Sequence")]
        | Annotated[Top, Tag("Top")]
        | Annotated[Split, Tag("Split")]
        | Annotated[PercentOf, Tag("PercentOf")]
        | Annotated[Anniversary, Tag("Anniversary")]
        | Annotated[Members, Tag("Members")]
        | Annotated[Sentence, Tag("Sentence")]
        | Annotated[Predicate, Tag("Predicate")],
        Discriminator(_kind),
    ],
)
"""A text, or the noun that the key of a mapping names."""

_written: Any = Condition | tuple["Criteria", ...]  # an editor is told so; the validator makes the list one condition
Criteria = TypeAliasType("Criteria", Annotated[Condition, BeforeValidator(recognised, json_schema_input_type=_written)])
"""A condition, or a list of criteria, which means all of them."""

for _noun in (
    *(AllOf, AnyOf, NotThis, Rows, RelatedCriterion, Aggregated, AggregateCriterion, Top),
    *(Event, Did, DidNot, EdgeEvent, Regularly, Stopped, Restarted, Sequence),
):
    _noun.model_rebuild(force=True, _types_namespace={"Criteria": Criteria})


def not_too_deep(value: Any) -> Any:
    """The same; ValueError beyond MAX_LEVELS. Asked of the outermost criteria, without recursion."""
    layer: list[Any] = [value] if isinstance(value, (Mapping, list, tuple)) else []
    levels = 0
    while layer:
        levels += any(isinstance(here, Mapping) or _lists(here) for here in layer)
        if levels > MAX_LEVELS:
            raise ValueError(f"nested deeper than {MAX_LEVELS} levels: make segments of the inner parts and name them")
        layer = [part for here in layer for part in (here.values() if isinstance(here, Mapping) else here)]
        layer = [part for part in layer if isinstance(part, (Mapping, list, tuple))]
    return value


def _lists(value: Any) -> bool:
    """A list directly in a list is a level too."""
    return isinstance(value, (list, tuple)) and any(isinstance(part, (list, tuple)) for part in value)


OutermostCriteria = Annotated[Criteria, BeforeValidator(not_too_deep, json_schema_input_type=Criteria)]
"""Criteria as a segment or rule has them."""

_ADAPTER: TypeAdapter[Any] = TypeAdapter(OutermostCriteria)


def criteria(value: object) -> "str | Criterion":
    """Criteria from plain data, as a project file holds them; pydantic's ValidationError."""
    found: str | Criterion = _ADAPTER.validate_python(value)
    return found
