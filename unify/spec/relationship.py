"""Relationships: which column of one entity holds the key of another. Activities: what happened to customers."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from unify.spec.base import NAME, EntityName, Noun, Strings

RELATIONSHIP_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
"""Letters, digits, underscores: the first documented limit. Unlike other names it may begin with a digit."""
CARDINALITIES = ("ManyToOne", "OneToMany", "OneToOne")
RELATIONSHIP_TYPES = (
    "SingleKeyRelationshipOrigin", "SingleKeyRelationshipDestination",
    "DataSourceLineageOrigin", "DataSourceLineageDestination",
)  # fmt: skip
SEMANTIC_TYPES = ("Feedback", "Loyalty", "SalesOrder", "SalesOrderLine", "Subscription", "Other")
"""Activity types that the vendor knows; any other word is a type of the user's own."""


def _a_relationship_name(text: str) -> str:
    if not RELATIONSHIP_NAME.match(text):
        raise ValueError(f"{text!r} is not the name of a relationship: write letters, digits and underscores")
    return text


def _an_attribute(text: str) -> str:
    source, _, rest = text.partition(".")
    entity, dot, column = rest.partition(".")
    if not dot or not column or not NAME.match(source) or not NAME.match(entity):
        raise ValueError(f"{text!r} is not an attribute: write source.Entity.Column, e.g. web.Orders.ContactId")
    return text


def _initial_case(value: Any) -> Any:
    """The documents write ManyToOne, the client manyToOne: both are one word."""
    return value[:1].upper() + value[1:] if isinstance(value, str) else value


RelationshipName = Annotated[str, AfterValidator(_a_relationship_name)]
AttributeName = Annotated[str, AfterValidator(_an_attribute)]
"""`source.Entity.Column`; the column may hold dots and blanks."""
Cardinality = Annotated[Literal["ManyToOne", "OneToMany", "OneToOne"], BeforeValidator(_initial_case)]
RelationshipType = Annotated[
    Literal[
        "SingleKeyRelationshipOrigin",
        "SingleKeyRelationshipDestination",
        "DataSourceLineageOrigin",
        "DataSourceLineageDestination",
    ],
    BeforeValidator(_initial_case),
]


class Relationship(Noun):
    """Rows of two entities belong together where their attributes are equal, upper and lower case told apart.

    from         the attribute that refers, `source.Entity.Column`
    to           the attribute that is referred to
    cardinality  ManyToOne: many rows of `from` to one of `to`; the sources' manyToOne is the same word
    type         one of the vendor's four; it is kept and told, and changes nothing
    """

    start: AttributeName = Field(alias="from")
    end: AttributeName = Field(alias="to")
    cardinality: Cardinality = "ManyToOne"
    type: RelationshipType = "SingleKeyRelationshipOrigin"
    description: str | None = None

    @property
    def from_entity(self) -> str:
        """The entity that refers."""
        return entity_of(self.start)

    @property
    def from_attribute(self) -> str:
        """Its column."""
        return column_of(self.start)

    @property
    def to_entity(self) -> str:
        """The entity that is referred to."""
        return entity_of(self.end)

    @property
    def to_attribute(self) -> str:
        """Its column."""
        return column_of(self.end)

    def __str__(self) -> str:
        return f"{self.start} -> {self.end}"


def entity_of(attribute: str) -> str:
    """
    >>> entity_of("web.Orders.ContactId")
    'web.Orders'
    """
    source, entity, _ = attribute.split(".", 2)
    return f"{source}.{entity}"


def column_of(attribute: str) -> str:
    """
    >>> column_of("web.Orders.Contact.Id")
    'Contact.Id'
    """
    return attribute.split(".", 2)[2]


def short_relationship(value: Any) -> Any:
    """`web.Orders.ContactId -> crm.Contacts.ContactId` means `{from: ..., to: ...}`."""
    if not isinstance(value, str):
        return value
    start, arrow, end = value.partition("->")
    if not arrow:
        raise ValueError(f"{value!r} is not a relationship: write web.Orders.ContactId -> crm.Contacts.ContactId")
    return {"from": start.strip(), "to": end.strip()}


class Activity(Noun):
    """What rows of an activity entity are on the customer's timeline. Its time is the entity's `timestamp`.

    entity       the activity entity; it has one activity at most
    type         Feedback, Loyalty, SalesOrder, SalesOrderLine, Subscription, Other, or a word of your own
    display      column that says what kind of thing happened; otherwise the name of the activity says it
    event        column of the event, e.g. the product; also the title when `title` is absent
    title        column of the title
    description  column of a longer text
    url          column of a link
    detail       column of an additional detail; also the description when `description` is absent
    fields       field of the semantic type to column, e.g. `OrderTotal: Total`
    epoch        what a whole number in the timestamp column counts since 1970
    timeline     false: left out of the timeline and of the API; the run counts its rows
    path         relationships that lead from the entity to a profile, in order; found when there is one way only
    """

    entity: EntityName
    type: str = Field(default="Other", min_length=1)
    display: str | None = None
    event: str | None = None
    title: str | None = None
    description: str | None = None
    url: str | None = None
    detail: str | None = None
    fields: dict[str, str] = {}
    epoch: Literal["seconds", "milliseconds"] = "seconds"
    timeline: bool = True
    path: Strings = ()

    @property
    def columns(self) -> dict[str, str]:
        """Every column of the entity that the activity speaks of, by where it does."""
        own = {k: getattr(self, k) for k in ("display", "event", "title", "description", "url", "detail")}
        return {k: v for k, v in own.items() if v is not None} | {f"fields.{k}": v for k, v in self.fields.items()}

    @model_validator(mode="after")
    def _fields_differ_by_more_than_case(self) -> Self:
        seen: dict[str, str] = {}
        for name in self.fields:
            if (other := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"fields {other!r} and {name!r} differ only in case")
            if not name:
                raise ValueError("a field needs a name")
        return self
