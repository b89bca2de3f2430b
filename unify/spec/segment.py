"""Segments: sets of customers, declared. What they mean is docs/segments.md; how they are found, the room segments/."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from unify.spec.base import Name, Noun, Strings, known_zone
from unify.spec.criteria import OutermostCriteria
from unify.spec.segmentation_query import SegmentationQuery

MAX_TAGS = 20
SetOperation = Literal["union", "intersect", "except", "include", "exclude"]
"""include means union, exclude means except: the vendor's API has both words."""


class SegmentRule(Noun):
    """One rule of a segment: the customers for whom it holds, and what is done with them to what the rules before left.

    The operation of the first rule is not looked at by the vendor; here it must be union (the default) or include.
    """

    where: OutermostCriteria
    operation: SetOperation = "union"
    name: str = ""


class ListedCustomers(Noun):
    """A list of customers: ids, records (`crm.Contacts:C-1`), or the first column of a CSV file of either.

    Records are looked up anew in every run, so whoever became one customer with them is in. Retired ids resolve.
    """

    customers: Strings = ()
    file: str | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if bool(self.customers) == (self.file is not None):
            raise ValueError("a list has either `customers` or a `file`")
        return self


class Projected(Noun):
    """Attributes of related rows that go out with each member, collected as lists: `{path: [UnifiedActivity],
    attributes: [Title]}`. An empty path: attributes of Customer itself."""

    attributes: Strings = Field(min_length=1)
    path: Strings = ()


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags; at most {MAX_TAGS}")
    return tags


class Segment(Noun):
    """A set of customers. Exactly one of where, rules, query, members, sql and waterfall says which.

    where        a condition: OData filter text (`TotalSpend gt 1000`) or criteria as a mapping (docs/segments.md)
    rules        conditions joined in sequence by set operations
    query        the vendor's SegmentationQuery, as its clients send it
    members      a list of customers
    sql          one SELECT that gives CustomerIds; read-only and fenced in
    waterfall    other segments in order of precedence: name of a new segment to the segment it takes from. A customer
                 is in the first that applies; this segment has them all
    suppress     segments whose members are taken out last
    static       frozen: found once, in the first run that has it; later only by a refresh of this segment by name
    active       false: not refreshed, and asking for its members is an error
    ends         from this moment on it is inactive
    timezone     of its dates and times of day; default: the project's
    projected    attributes that are exported with each member
    """

    where: OutermostCriteria | None = None
    rules: tuple[SegmentRule, ...] = ()
    query: SegmentationQuery | None = None
    members: ListedCustomers | None = None
    sql: str | None = None
    waterfall: dict[Name, Name] = {}
    suppress: Strings = ()
    static: bool = False
    active: bool = True
    ends: datetime | None = None
    timezone: Annotated[str, AfterValidator(known_zone)] | None = None
    title: str | None = None
    description: str | None = None
    tags: Annotated[Strings, AfterValidator(_tags)] = ()
    projected: tuple[Projected, ...] = ()

    @property
    def kind(self) -> str:
        """Which of the six ways says who is in: `where`, `rules`, `query`, `members`, `sql` or `waterfall`."""
        return next(kind for kind in KINDS if getattr(self, kind))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind)]
        if len(given) != 1:
            said = f"this one has {' and '.join(given)}" if given else "this one has none"
            raise ValueError(f"a segment has one of {', '.join(KINDS)}; {said}")
        if self.rules and self.rules[0].operation not in ("union", "include"):
            raise ValueError(f"there is nothing before the first rule to {self.rules[0].operation}: begin with union")
        return self


KINDS = ("where", "rules", "query", "members", "sql", "waterfall")


def short_segment(value: object) -> object:
    """`vip: "TotalSpend gt 1000"` means `vip: {where: …}`; a list means a list of customers."""
    if isinstance(value, str):
        return {"where": value}
    return {"members": {"customers": value}} if isinstance(value, list) else value


SegmentLike = Annotated[Segment, BeforeValidator(short_segment, json_schema_input_type=Segment | str | tuple[str, ...])]
"""A segment, or what short_segment reads."""
