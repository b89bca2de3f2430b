"""What is asked of a value: the 25 operators of the vendor's segments under readable names."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    model_validator,
)

from unify.spec.base import Noun, one_or_many
from unify.spec.windows import SpanText, as_text, parse_time


def _names(value: Any) -> Any:
    return value.split("/") if isinstance(value, str) else value


Path = Annotated[
    tuple[str, ...], BeforeValidator(_names, json_schema_input_type=str | tuple[str, ...]), Field(min_length=1)
]
"""Names one after the other, `UnifiedActivity/ActivityType`; a list where a name holds a slash."""

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def exactly_one(noun: Noun, keys: Sequence[str]) -> None:
    """ValueError unless one of the keys is given."""
    given = [k for k in keys if getattr(noun, k) is not None]
    if len(given) != 1:
        raise ValueError(f"one of {', '.join(keys)} is wanted" + (f", not {' and '.join(given)}" if given else ""))


def some_number(between: tuple[int, int] | None) -> None:
    """ValueError when no count is between the two."""
    if between and not 0 <= between[0] <= between[1]:
        raise ValueError(f"between {between[0]} and {between[1]} there is nothing to count")


class Reference(Noun):
    """The value of another attribute of the same row."""

    attribute: Path


def _scalar_or_reference(value: object) -> str:
    return "Reference" if isinstance(value, (dict, Reference)) else "value"


_Plain = Annotated[StrictBool | StrictInt | StrictFloat | StrictStr, BeforeValidator(as_text)]
Scalar = Annotated[
    Annotated[_Plain, Tag("value")] | Annotated[Reference, Tag("Reference")],
    Discriminator(_scalar_or_reference),
]
"""A value, or `{attribute: …}`. Dates and times are text; the attribute's type says what they mean."""


def _in_a_tuple(value: Any) -> Any:
    return value if isinstance(value, (list, tuple)) or value is None else (value,)


Scalars = Annotated[
    tuple[Scalar, ...],
    BeforeValidator(_in_a_tuple, json_schema_input_type=Scalar | tuple[Scalar, ...]),
    Field(min_length=1),
]
"""One value or several."""
Texts = Annotated[
    tuple[StrictStr, ...],
    BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...]),
    Field(min_length=1),
]


def _named(names: tuple[str, ...], what: str) -> BeforeValidator:
    """Numbers from 1, or names in English, also cut to three letters."""
    known = {n[:size].casefold(): i for i, n in enumerate(names, 1) for size in (3, len(n))}

    def number(value: Any) -> Any:
        items = _in_a_tuple(value)
        if items is None:
            return None
        found = [known.get(v.casefold(), v) if isinstance(v, str) else v for v in items]
        for v in found:
            if not isinstance(v, int) or isinstance(v, bool) or not 1 <= v <= len(names):
                raise ValueError(f"{v!r} is no {what}: write 1 to {len(names)}, or {names[0]}")
        return found

    return BeforeValidator(number, json_schema_input_type=int | str | tuple[int | str, ...])


Months = Annotated[tuple[int, ...], _named(MONTHS, "month"), Field(min_length=1)]
Weekdays = Annotated[tuple[int, ...], _named(WEEKDAYS, "day of the week"), Field(min_length=1)]
_Several = BeforeValidator(_in_a_tuple, json_schema_input_type=int | tuple[int, ...])
Days = Annotated[tuple[Annotated[int, Field(ge=1, le=31)], ...], _Several, Field(min_length=1)]
Years = Annotated[tuple[Annotated[int, Field(ge=1, le=9999)], ...], _Several, Field(min_length=1)]


class Hierarchy(Noun):
    """Rows of an entity that name their parent: `{of: crm.Accounts, key: AccountId, parent: ParentAccountId}`."""

    of: str
    key: str
    parent: str


class Times(Noun):
    """How often: one of at_least, at_most (never included), exactly, between (both ends included)."""

    at_least: int | None = Field(default=None, ge=0)
    at_most: int | None = Field(default=None, ge=0)
    exactly: int | None = Field(default=None, ge=0)
    between: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("at_least", "at_most", "exactly", "between"))
        some_number(self.between)
        return self


class Tests(Noun):
    """Tests of one value; it must pass all that are given. A missing value passes none but is_null.

    equals, not_equals                        `equals` several values: any of them
    greater_than, at_least, less_than, at_most
    contains, starts_with, ends_with          text; several values: any of them, or all with `match: all`
    is_null, is_not_null
    is_in, is_not_in                          a list
    between, not_between                      both ends belong to it; of a datetime whole days, where dates are written
    within_last, within_next                  a span up to now, or from now
    year_to_date                              since 1 January, until now
    day_of, month_of, year_of, day_of_week    parts of a date, one or several: 14, May, 2024, Monday
    time_at                                   time of day, to the minute (18:30) or second (18:30:00)
    child_of, parent_of                       below or above another one in a `hierarchy`

    ignore_case  compares text whatever its case
    match        any (default) or all of several values
    time_of_day  comparisons look at the time of day alone; `between: ["22:00", "06:00"]` goes over midnight
    """

    equals: Scalars | None = None
    not_equals: Scalars | None = None
    greater_than: Scalar | None = None
    at_least: Scalar | None = None
    less_than: Scalar | None = None
    at_most: Scalar | None = None
    contains: Texts | None = None
    starts_with: Texts | None = None
    ends_with: Texts | None = None
    is_null: bool | None = None
    is_not_null: bool | None = None
    is_in: tuple[Scalar, ...] | None = None
    is_not_in: tuple[Scalar, ...] | None = None
    between: tuple[Scalar, Scalar] | None = None
    not_between: tuple[Scalar, Scalar] | None = None
    within_last: SpanText | None = None
    within_next: SpanText | None = None
    year_to_date: Literal[True] | None = None
    day_of: Days | None = None
    month_of: Months | None = None
    year_of: Years | None = None
    day_of_week: Weekdays | None = None
    time_at: str | None = None
    child_of: str | int | None = None
    parent_of: str | int | None = None
    hierarchy: Hierarchy | None = None
    ignore_case: bool = False
    match: Literal["any", "all"] | None = None
    time_of_day: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """The tests that are given, in the order above."""
        return tuple(t for t in TESTS if getattr(self, t) is not None)

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if self.time_at is not None:
            parse_time(self.time_at)
        if (self.hierarchy is None) != (self.child_of is None and self.parent_of is None):
            raise ValueError("child_of and parent_of need a `hierarchy`, and nothing else does")
        if self.match is not None and not any(len(getattr(self, t) or ()) > 1 for t in SEVERAL):
            raise ValueError(f"`match` says nothing without several values for {', '.join(SEVERAL)}")
        if self.match is None and len(self.not_equals or ()) > 1:
            raise ValueError("not_equals several values: whatever it is, it differs from one of them; write is_not_in")
        if self.ignore_case and not set(self.given) & TEXT_TESTS:
            raise ValueError("`ignore_case` says nothing without a comparison of text")
        if self.time_of_day and not set(self.given) & TIME_TESTS:
            raise ValueError("`time_of_day` says nothing without a comparison")
        return self


TESTS = (
    "equals", "not_equals", "greater_than", "at_least", "less_than", "at_most", "contains", "starts_with", "ends_with",
    "is_null", "is_not_null", "is_in", "is_not_in", "between", "not_between", "within_last", "within_next",
    "year_to_date", "day_of", "month_of", "year_of", "day_of_week", "time_at", "child_of", "parent_of",
)  # fmt: skip
SEVERAL = ("equals", "not_equals", "contains", "starts_with", "ends_with")
"""Tests that `match` speaks of."""
TIME_TESTS = frozenset({
    "equals", "not_equals", "greater_than", "at_least", "less_than", "at_most", "is_in", "is_not_in", "between",
    "not_between",
})  # fmt: skip
TEXT_TESTS = TIME_TESTS | {"contains", "starts_with", "ends_with"}
