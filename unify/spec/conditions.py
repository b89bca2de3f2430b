"""One comparison of a rule: which columns, what is done to their values first, and how two values are compared."""

from collections.abc import Collection
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from unify.spec.base import EntityName, Noun, Strings

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


def short_normalizer(value: Any) -> Any:
    """`lower` and `{alias: nicknames}` as a NormalizeStep is spelled in full."""
    if isinstance(value, str):
        return {"kind": value}
    if isinstance(value, dict) and len(value) == 1 and "kind" not in value:
        [(kind, argument)] = value.items()
        return {"kind": kind, "argument": argument}
    return value


class Joined(Noun):
    """Several columns of one entity read as one text: the values that are there, joined by one blank, in this order."""

    join: tuple[str, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _no_copies(self) -> Self:
        if len(set(self.join)) < len(self.join):
            raise ValueError("`join` names a column twice")
        return self

    def __str__(self) -> str:
        return " + ".join(self.join)


SourceColumn = str | Joined
"""A column of an entity, or several of them read as one text."""


def parts(column: SourceColumn) -> tuple[str, ...]:
    """The columns that it is made of."""
    return column.join if isinstance(column, Joined) else (column,)


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict, Joined)) else value


def _kind(value: Any) -> str:
    return "<joined>" if isinstance(value, (dict, Joined)) else "<column>"


_OneColumn = Annotated[Annotated[str, Tag("<column>")] | Annotated[Joined, Tag("<joined>")], Discriminator(_kind)]
SourceColumns = Annotated[
    tuple[_OneColumn, ...],
    BeforeValidator(_listed, json_schema_input_type=SourceColumn | tuple[SourceColumn, ...]),
]
"""One column or a list of them, of which any may be meant; an empty list: none."""


class Compared(Noun):
    """Which columns a comparison is about: named alike, or apart for the two sides, or apart for every entity."""

    field: str | None = None
    fields: Strings = ()
    left: Strings = ()
    right: Strings = ()
    columns: dict[EntityName, SourceColumns] = {}

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.field is not None) + bool(self.fields) + bool(self.left or self.right) != 1:
            raise ValueError("name the columns once: `field`, or `fields`, or `left` and `right`")
        if bool(self.left) != bool(self.right):
            raise ValueError("`left` and `right` come together")
        if self.columns and self.left:
            raise ValueError("`columns` goes with `field` or `fields`, not with `left` and `right`")
        return self

    @property
    def left_columns(self) -> tuple[str, ...]:
        """Columns on the side before the arrow; in a common rule those of every entity not under `columns`."""
        return self.left or self.fields or (self.field or "",)

    @property
    def right_columns(self) -> tuple[str, ...]:
        """Columns on the side after the arrow."""
        return self.right or self.fields or (self.field or "",)

    def of_entity(self, entity: str, known: Collection[str]) -> tuple[SourceColumn, ...]:
        """In a common rule: the columns of one entity, which has the columns `known`; none: it has no value there."""
        if entity in self.columns:
            return self.columns[entity]
        return tuple(column for column in self.left_columns if column in known)


class Criterion(Compared):
    """One condition on a pair of records.

    field       the column, named alike on both sides; `fields` several of them: any may equal any
    left/right  the column (or several) on each side when the names differ; left is the entity before the arrow
    columns     only in common rules: entity to the column (or several) that is meant there instead, or
                `{join: [First, Last]}` to read several as one text; an empty list means none
    normalize   normalisers, applied in order, for comparison only
    compare     how; default exact, or levenshtein when a precision is given
    precision   low 30, medium 60, high 80, exact 100, or a whole per cent; the pair passes when score >= precision
    within      tolerance of number (units), date (days) and prefix (characters)
    swap        date: day and month exchanged also passes
    differs     only under `unless`: holds when both values are there and do *not* pass
    """

    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(short_normalizer)], ...] = ()
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
    def is_exact(self) -> bool:
        """Whether equality of the normalised values decides (phonetic codes are equal or not; so are prefixes)."""
        if self.compare == "token_set":
            return False  # at 100 % the words of one are among the words of the other: no equality
        return self.compare in ("exact", "phonetic", "prefix") or self.precision == 100


class Veto(Noun):
    """An exception: the pair is vetoed when all of these hold."""

    all: tuple[Criterion, ...] = Field(min_length=1)


def short_veto(value: Any) -> Any:
    """One condition alone as an exception."""
    return value if isinstance(value, Veto) or (isinstance(value, dict) and "all" in value) else {"all": [value]}


class Evidence(Compared):
    """One comparison of a scored rule: how much alike two values are weighs for or against one customer.

    field           the column, named alike on both sides; `fields` several of them: the best combination counts
    left/right      the column (or several) on each side when the names differ, in a rule between entities
    columns         only in common rules: entity to the column (or several) that is meant there, as in a condition
    normalize       normalisers, for comparison only; default lower and whitespace
    levels          similarities in per cent at which a level begins; equality is always one more, the rest the lowest
    term_frequency  equal values weigh more the rarer the value is
    """

    normalize: tuple[Annotated[NormalizeStep, BeforeValidator(short_normalizer)], ...] = (
        NormalizeStep(kind="lower"),
        NormalizeStep(kind="whitespace"),
    )
    levels: tuple[Annotated[float, Field(gt=0, lt=100)], ...] = Field(default=(45, 60, 70, 80, 90), max_length=5)
    term_frequency: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("a level stands twice")
        return self

    @property
    def name(self) -> str:
        """The columns, for people."""
        left, right = " or ".join(self.left_columns), " or ".join(self.right_columns)
        return left if left == right else f"{left} with {right}"


def short_evidence(value: Any) -> Any:
    """A column's name as evidence."""
    return {"field": value} if isinstance(value, str) else value
