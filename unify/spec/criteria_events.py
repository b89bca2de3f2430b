"""Criteria on what happened: nouns over rows of UnifiedActivity. What each means: docs/segments.md."""

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Discriminator, Field, Tag, model_validator

from unify.spec.base import Name, Noun
from unify.spec.criteria_values import Times, exactly_one
from unify.spec.windows import SpanText, WindowText, parse_span

if TYPE_CHECKING:
    from unify.spec.criteria import Criteria

MAX_PERIODS = 400
"""Of `regularly`: a year of days."""


class Event(Noun):
    """Things that happened, rows of UnifiedActivity.

    activity  the name of an activity of the project
    type      its ActivityType
    display   its ActivityTypeDisplay
    where     criteria on it; with `activity`, columns of its entity too
    None of them: anything that happened.
    """

    activity: Name | None = None
    type: str | None = None
    display: str | None = None
    where: "Criteria | None" = None


def _is_text(value: object) -> str:
    return "text" if isinstance(value, str) else "Event"


EventLike = Annotated[
    Annotated[str, Tag("text")] | Annotated[Event, Tag("Event")],
    Discriminator(_is_text),
]
"""An event, or one word for it: the name of an activity, a type, or `anything`."""


class Did(Noun):
    """It happened, so many times (at least once), within a window. Without a window: ever, also at an unknown time."""

    did: EventLike
    times: Times = Times(at_least=1)
    within: WindowText | None = None


class DidNot(Noun):
    """It did not happen within the window."""

    did_not: EventLike
    within: WindowText | None = None


class EdgeEvent(Noun):
    """The first or last such event, within the window, meets criteria. Of events at one moment the one with the
    smallest (first) or largest (last) ActivityId is taken; those at an unknown time are left aside."""

    first: EventLike | None = None
    last: EventLike | None = None
    within: WindowText | None = None
    meets: "Criteria"

    @model_validator(mode="after")
    def _one_edge(self) -> Self:
        exactly_one(self, ("first", "last"))
        return self


class Regularly(Noun):
    """It happened in at least so many of the periods that the window has: `in_at_least: 3, of_last: 6 months` looks at
    six spans of one month, the last of which ends now."""

    regularly: EventLike
    in_at_least: int = Field(ge=1)
    of_last: SpanText

    @model_validator(mode="after")
    def _possible(self) -> Self:
        periods = parse_span(self.of_last).count
        if periods > MAX_PERIODS:
            raise ValueError(f"{periods} periods; at most {MAX_PERIODS}")
        if self.in_at_least > periods:
            raise ValueError(f"there are {periods} periods, {self.in_at_least} cannot have it")
        return self


class Stopped(Noun):
    """It happened before, but not in the last span `for`."""

    stopped: EventLike
    for_: SpanText = Field(alias="for")


class Restarted(Noun):
    """It happened within the last span `within_last`, not in the span `after_a_break_of` before that, and before."""

    restarted: EventLike
    within_last: SpanText
    after_a_break_of: SpanText


class Sequence(Noun):
    """Events in this order, each strictly later than the one before.

    max_gap   between one and the next at most
    max_span  from the first to the last at most
    within    a window that all of them are in
    """

    sequence: tuple[EventLike, ...] = Field(min_length=2, max_length=20)
    max_gap: SpanText | None = None
    max_span: SpanText | None = None
    within: WindowText | None = None
