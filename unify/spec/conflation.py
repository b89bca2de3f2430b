"""The conflation plan: which records are the same customer."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from unify.spec.base import EntityName, Noun, Strings
from unify.spec.bridges import BridgeSpec
from unify.spec.junk import JunkSpec, short_junk
from unify.spec.preference import Preference, SpokenPreference

NormalizerKind = Literal[
    "numerals", "symbols", "lower", "phone", "name", "address", "organization", "ascii", "whitespace",
    "alias", "bypass",
]  # fmt: skip
ComparisonKind = Literal[
    "exact", "levenshtein", "osa", "damerau_levenshtein", "jaro_winkler", "token_sort", "token_set",
    "prefix", "phonetic", "number", "date",
]  # fmt: skip
PRECISIONS = {"low": 30, "medium": 60, "high": 80, "exact": 100}
"""Named levels in per cent (reference §3.3)."""
TOLERANT = ("number", "date", "prefix")
"""Comparisons that take `within` instead of a precision."""


class NormalizeStep(Noun):
    """One normaliser. Written as its name, or `{alias: list}`, `{bypass: list}`, `{phone: US}`."""

    kind: NormalizerKind
    argument: str | None = None
    """A list's name for alias and bypass; a region (ISO 3166, e.g. US) for phone."""

    @model_validator(mode="after")
    def _argument_fits(self) -> Self:
        if self.kind in ("alias", "bypass") and not self.argument:
            raise ValueError(f"{self.kind} needs a list: write {{{self.kind}: <name of the list>}}")
        if self.argument and self.kind not in ("alias", "bypass", "phone"):
            raise ValueError(f"{self.kind} takes no argument")
        return self

    def __str__(self) -> str:
        return f"{self.kind}({self.argument})" if self.argument else self.kind


def _short_normalizer(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and len(value) == 1 and "kind" not in value:
        [(kind, argument)] = value.items()
        return {"kind": kind, "argument": argument}
    return value


class Criterion(Noun):
    """One condition on a pair of records.

    field       the column, named alike on both sides; `fields` several of them: any may equal any
    left/right  the column (or several) on each side when the names differ; left is the entity before the arrow
    normalize   normalisers, applied in order, for comparison only
    compare     how; default exact, or levenshtein when a precision is given
    precision   low 30, medium 60, high 80, exact 100, or a whole per cent; the pair passes when score >= precision
    within      tolerance of number (units), date (days) and prefix (characters)
    swap        date: day and month exchanged also passes
    differs     only under `unless`: holds when both values are there and do *not* pass
    """

    field: str | None = None
    fields: Strings = ()
    left: Strings = ()
    right: Strings = ()
    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(_short_normalizer)], ...] = ()
    compare: ComparisonKind = "exact"
    precision: int | None = Field(default=None, ge=1, le=100)
    within: float | None = Field(default=None, ge=0)
    swap: bool = False
    differs: bool = False

    @field_validator("precision", mode="before")
    @classmethod
    def _named_precision(cls, value: Any) -> Any:
        if isinstance(value, str):
            if value.lower() not in PRECISIONS:
                raise ValueError(f"precision {value!r} is not one of {', '.join(PRECISIONS)} or a whole per cent")
            return PRECISIONS[value.lower()]
        if isinstance(value, float):
            if not 0 < value <= 1:
                raise ValueError("a precision with a decimal point is a share between 0 and 1, in steps of 0.01")
            if abs(value * 100 - round(value * 100)) > 1e-9:
                raise ValueError("precision goes in steps of 1 %")
            return round(value * 100)
        return value

    @model_validator(mode="before")
    @classmethod
    def _precision_means_fuzzy(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("precision") is not None and "compare" not in data:
            return {**data, "compare": "levenshtein"}
        return data

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.field is not None) + bool(self.fields) + bool(self.left or self.right) != 1:
            raise ValueError("name the columns once: `field`, or `fields`, or `left` and `right`")
        if bool(self.left) != bool(self.right):
            raise ValueError("`left` and `right` come together")
        if self.compare in TOLERANT:
            if self.precision is not None:
                raise ValueError(f"{self.compare} takes `within`, not `precision`")
            if self.within is None:
                raise ValueError(f"{self.compare} needs `within`")
            if self.compare == "prefix" and (self.within < 1 or self.within != int(self.within)):
                raise ValueError("prefix needs `within`: a whole number of characters, at least 1")
        else:
            if self.within is not None:
                raise ValueError(f"`within` belongs to {', '.join(TOLERANT)}")
            if self.compare in ("exact", "phonetic"):
                if self.precision not in (None, 100):
                    raise ValueError(f"{self.compare} takes no precision; choose a fuzzy comparison")
            elif self.precision is None:
                raise ValueError(f"{self.compare} needs a precision")
        if self.swap and self.compare != "date":
            raise ValueError("`swap` belongs to date")
        return self

    @property
    def left_columns(self) -> tuple[str, ...]:
        """Columns on the side before the arrow."""
        return self.left or self.fields or (self.field or "",)

    @property
    def right_columns(self) -> tuple[str, ...]:
        """Columns on the side after the arrow."""
        return self.right or self.fields or (self.field or "",)

    @property
    def is_exact(self) -> bool:
        """Whether equality of the normalised values decides (phonetic codes are equal or not; so are prefixes)."""
        if self.compare == "token_set":
            return False  # at 100 % the words of one are among the words of the other: no equality
        return self.compare in ("exact", "phonetic", "prefix") or self.precision == 100


class Veto(Noun):
    """An exception: the pair is vetoed when all of these hold."""

    all: tuple[Criterion, ...] = Field(min_length=1)


def _short_veto(value: Any) -> Any:
    return value if isinstance(value, Veto) or (isinstance(value, dict) and "all" in value) else {"all": [value]}


class Evidence(Noun):
    """One comparison of a scored rule: how much alike two values are weighs for or against one customer.

    field           the column, named alike on both sides; `fields` several of them: the best combination counts
    left/right      the column (or several) on each side when the names differ, in a rule between entities
    normalize       normalisers, for comparison only; default lower and whitespace
    levels          similarities in per cent at which a level begins; equality is always one more, the rest the lowest
    term_frequency  equal values weigh more the rarer the value is
    """

    field: str | None = None
    fields: Strings = ()
    left: Strings = ()
    right: Strings = ()
    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(_short_normalizer)], ...] = (
        NormalizeStep(kind="lower"),
        NormalizeStep(kind="whitespace"),
    )
    levels: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = Field(default=(45, 60, 70, 80, 90), max_length=5)
    term_frequency: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.field is not None) + bool(self.fields) + bool(self.left or self.right) != 1:
            raise ValueError("name the columns once: `field`, or `fields`, or `left` and `right`")
        if bool(self.left) != bool(self.right):
            raise ValueError("`left` and `right` come together")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("a level stands twice")
        return self

    @property
    def left_columns(self) -> tuple[str, ...]:
        """Columns on the side before the arrow."""
        return self.left or self.fields or (self.field or "",)

    @property
    def right_columns(self) -> tuple[str, ...]:
        """Columns on the side after the arrow."""
        return self.right or self.fields or (self.field or "",)

    @property
    def name(self) -> str:
        """The columns, for people."""
        left, right = " or ".join(self.left_columns), " or ".join(self.right_columns)
        return left if left == right else f"{left} with {right}"


def _short_evidence(value: Any) -> Any:
    return {"field": value} if isinstance(value, str) else value


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
    score: tuple[Annotated[Evidence, BeforeValidator(_short_evidence, json_schema_input_type=str | Evidence)], ...] = (
        Field(default=(), max_length=20)
    )
    at_least: float | None = Field(default=None, gt=0, lt=1)
    unless: tuple[Annotated[Veto, BeforeValidator(_short_veto)], ...] = ()
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


class DedupeSpec(Noun):
    """Rules inside one entity: every rule is tried on every row, and what matches is united across rules.

    winner   which row of a group stands for it; ties go to the larger primary key
    prefer   per column: take this column's value from another row of the group than the winner
    """

    rules: tuple[Rule, ...] = ()
    winner: SpokenPreference = Preference(kind="most filled")
    prefer: dict[str, SpokenPreference] = {}
    default_rule: bool = True
    """Without rules: rows equal in all columns that the entity's match rules use are one (reference §3.4)."""


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
    rules: tuple[Rule, ...] = Field(min_length=1)


class Limit(Noun):
    """Something no customer may have, whatever the links say; the weakest, latest links yield and are reported.

    at_most_one   an entity: no customer holds two of its records (a deduplicated group counts as one)
    never_two     an attribute: no customer holds two different values of it, over all entities that have the column
    max_records   no customer holds more records than this
    """

    at_most_one: EntityName | None = None
    never_two: str | None = None
    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(_short_normalizer)], ...] = ()
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

    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_scores(self) -> Self:
        for rule in self.rules:
            if rule.score:
                raise ValueError(f"rule {rule.name!r}: `score` belongs to rules under dedupe and match; write `when`")
        return self


class ConflationPlan(Noun):
    """Everything that decides which records are one customer.

    order        ranked entities, the first is primary; an entity matches only entities above it
    dedupe       per entity
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
