"""The conflation plan: which records are the same customer."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from unify.spec.base import EntityName, Noun
from unify.spec.bridges import BridgeSpec
from unify.spec.conditions import (
    Compared,
    Criterion,
    Evidence,
    NormalizeStep,
    Veto,
    short_evidence,
    short_normalizer,
    short_veto,
)
from unify.spec.junk import JunkSpec, short_junk
from unify.spec.preference import Preference, SpokenPreference

AT_LEAST = 0.15
"""Probability that a customer's pairs of records reach on average, unless a rule says otherwise. One pair is decided at
0.5; an average also holds pairs that differ in what was changed on purpose or by mistake (docs/scored-rules.md)."""


class Rule(Noun):
    """Records are the same customer when all conditions hold, or evidence adds up, and no exception holds.

    when      conditions that must all hold
    score     instead of `when`: comparisons whose weights add up to a probability
    at_least  with `score`: the probability that the records of a customer must have on average
    """

    name: str = Field(min_length=1)
    when: tuple[Criterion, ...] = ()
    score: tuple[Annotated[Evidence, BeforeValidator(short_evidence, json_schema_input_type=str | Evidence)], ...] = (
        Field(default=(), max_length=20)
    )
    at_least: float | None = Field(default=None, gt=0, lt=1)
    unless: tuple[Annotated[Veto, BeforeValidator(short_veto)], ...] = ()
    active: bool = True

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.when) == bool(self.score):
            raise ValueError(f"rule {self.name!r}: write `when` with conditions, or `score` with comparisons")
        if self.at_least is not None and not self.score:
            raise ValueError(f"rule {self.name!r}: `at_least` belongs to `score`")
        if len({e.name for e in self.score}) < len(self.score):
            raise ValueError(f"rule {self.name!r}: a comparison stands twice; its evidence would count twice")
        return self

    @property
    def compared(self) -> tuple[Compared, ...]:
        """Everything in the rule that names columns: conditions, evidence, and the conditions of exceptions."""
        return (*self.when, *self.score, *(c for veto in self.unless for c in veto.all))

    @property
    def threshold(self) -> float:
        """The probability that a scored rule asks for."""
        return AT_LEAST if self.at_least is None else self.at_least

    @model_validator(mode="after")
    def _conditions_make_sense(self) -> Self:
        for criterion in self.when:
            if criterion.differs:
                raise ValueError(f"rule {self.name!r}: `differs` belongs under `unless`")
        seen: list[Criterion] = []
        for criterion in self.when:
            if criterion in seen:
                raise ValueError(f"rule {self.name!r}: a condition is a copy of another one; remove it")
            seen.append(criterion)
        return self


def _without_columns(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Rules of one entity or of a pair, which have no `columns`."""
    for rule in rules:
        if any(one.columns for one in rule.compared):
            raise ValueError(
                f"rule {rule.name!r}: `columns` belongs to common rules (conflation.rules); "
                "write `fields`, or between two entities `left` and `right`"
            )
    return rules


PlainRules = Annotated[tuple[Rule, ...], AfterValidator(_without_columns)]
"""Rules that name columns alike everywhere, or by side."""


def _without_sides(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Common rules, which have no sides."""
    for rule in rules:
        if any(one.left for one in rule.compared):
            raise ValueError(
                f"rule {rule.name!r}: a common rule has no sides, so no `left` and `right`; "
                "write `field`, and under `columns` what it is called in which entity"
            )
    return rules


class DedupeSpec(Noun):
    """Rules inside one entity: every rule is tried on every row, and what matches is united across rules.

    winner   which row of a group stands for it; ties go to the larger primary key
    prefer   per column: take this column's value from another row of the group than the winner
    """

    rules: PlainRules = ()
    winner: SpokenPreference = Preference(kind="most filled")
    prefer: dict[str, SpokenPreference] = {}
    default_rule: bool = True
    """Without rules, and in a plan without common rules: rows equal in all columns that the entity's match rules use
    are one (reference §3.4)."""


def _short_dedupe(value: Any) -> Any:
    return {"rules": value} if isinstance(value, (list, tuple)) else value


class OrderedEntity(Noun):
    """An entity's place in the order. Written short as its name."""

    entity: EntityName
    include_all: bool = True
    """False: records that matched nothing are dropped from Customer, and counted."""


def _short_ordered(value: Any) -> Any:
    return {"entity": value} if isinstance(value, str) else value


_ARROW = re.compile(r"\s*(\S+)\s*->\s*(\S+)\s*\Z")


class MatchPair(Noun):
    """The ordered rules of one pair of entities: records of `left` look for a customer among records of `right`."""

    left: EntityName
    right: EntityName
    rules: PlainRules = Field(min_length=1)


class Limit(Noun):
    """Something no customer may have, whatever the links say; the weakest, latest links yield and are reported.

    at_most_one   an entity: no customer holds two of its records (a deduplicated group counts as one)
    never_two     an attribute: no customer holds two different values of it, over all entities that have the column
    max_records   no customer holds more records than this
    """

    at_most_one: EntityName | None = None
    never_two: str | None = None
    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(short_normalizer)], ...] = ()
    max_records: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(x is not None for x in (self.at_most_one, self.never_two, self.max_records)) != 1:
            raise ValueError("a limit is one of at_most_one, never_two, max_records")
        if self.normalize and self.never_two is None:
            raise ValueError("`normalize` belongs to never_two")
        return self

    def __str__(self) -> str:
        if self.at_most_one is not None:
            return f"at most one {self.at_most_one}"
        if self.never_two is not None:
            return f"never two {self.never_two}"
        return f"at most {self.max_records} records"


class ClusterSpec(Noun):
    """A grouping over the Customer table after merge, e.g. households: adds a column with the cluster's id."""

    rules: PlainRules = Field(min_length=1)

    @model_validator(mode="after")
    def _no_scores(self) -> Self:
        for rule in self.rules:
            if rule.score:
                raise ValueError(
                    f"rule {rule.name!r}: `score` belongs to rules under dedupe and match, and to common rules; "
                    "here write `when`"
                )
        return self


class ConflationPlan(Noun):
    """Everything that decides which records are one customer.

    order        ranked entities, the first is primary; an entity matches only entities above it
    dedupe       per entity
    rules        common rules: over the records of all entities at once, each tried on every record; what a column is
                 called in which entity says `columns`
    match        "lower -> upper": ordered rules; rule n+1 is tried only for records rule n left unmatched there
    limits       what no customer may have
    clustering   components: everything linked is one customer; anchored: no two primary records are joined through a
                 lower one
    max_shared   a value that more records of one entity share is no evidence in a rule of exact conditions only
    max_pairs    pairs one rule may compare
    overload     when a rule's estimate is above max_pairs: `degrade` leaves out the values that cause it and names
                 them, `refuse` stops the run
    bridges      links that alone hold a customer together: from which doubt on they are cut, or queued for review
    junk         `detect`: values that too many different people carry are no evidence; `off`: every value counts
    """

    order: tuple[Annotated[OrderedEntity, BeforeValidator(_short_ordered)], ...] = Field(min_length=1)
    dedupe: dict[EntityName, Annotated[DedupeSpec, BeforeValidator(_short_dedupe)]] = {}
    rules: Annotated[tuple[Rule, ...], AfterValidator(_without_sides)] = ()
    match: tuple[MatchPair, ...] = ()
    limits: tuple[Limit, ...] = ()
    clustering: Literal["components", "anchored"] = "components"
    max_shared: int = Field(default=100, ge=2)
    max_pairs: int = Field(default=200_000_000, ge=1)
    overload: Literal["degrade", "refuse"] = "degrade"
    bridges: BridgeSpec = BridgeSpec()
    junk: Annotated[
        JunkSpec, BeforeValidator(short_junk, json_schema_input_type=Literal["detect", "off"] | bool | JunkSpec)
    ] = JunkSpec(detect=False)

    @property
    def has_common_rules(self) -> bool:
        """Whether any common rule is in use."""
        return any(rule.active for rule in self.rules)

    def dedupes(self, entity: str) -> bool:
        """Whether any rule written in the plan compares records of this entity with each other."""
        own = self.dedupe.get(entity)
        return self.has_common_rules or (own is not None and any(rule.active for rule in own.rules))

    @field_validator("match", mode="before")
    @classmethod
    def _arrows(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        pairs = []
        for arrow, rules in value.items():
            found = _ARROW.match(str(arrow))
            if not found:
                raise ValueError(f"{arrow!r} is not a pair: write `loyalty.Members -> crm.Contacts`")
            pairs.append({"left": found[1], "right": found[2], "rules": rules})
        return pairs
