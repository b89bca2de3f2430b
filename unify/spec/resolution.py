"""Conflict resolution: which of a customer's values goes into the Customer table."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from unify.spec.base import EntityName, Noun, Strings
from unify.spec.entities import Pii
from unify.spec.preference import Preference, SpokenPreference, spoken_preference

MAX_GROUP_FIELDS = 10
MAX_GROUPS = 15
"""Limits of grouped merge (reference §17)."""


def _columns_of_a_group(value: Any) -> Any:
    return dict.fromkeys(value, ()) if isinstance(value, (list, tuple)) else value


class Resolution(Noun):
    """How one output column, or one group of columns as a unit, gets its value.

    from     the attributes that feed it, as `source.Entity.Column`, in order of importance; default: every column of
             that name, ranked by the conflation order
    group    output columns that are taken from one record together (an address), each with a `from` or alike named
    by       importance (default), most filled, most recent by X, least recent by X
    order    entities in order of importance, when it differs from the conflation order
    pii      how much of a person the columns tell, when it is not what their sources tell
    """

    sources: Strings = Field(default=(), alias="from")
    group: Annotated[dict[str, Strings], BeforeValidator(_columns_of_a_group)] = {}
    by: SpokenPreference = Preference()
    order: tuple[EntityName, ...] = ()
    pii: Pii | None = None

    @field_validator("sources")
    @classmethod
    def _qualified_columns(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        for source in sources:
            if source.count(".") < 2:
                raise ValueError(f"{source!r}: write source.Entity.Column")
        return sources

    @model_validator(mode="after")
    def _group_or_column(self) -> Self:
        if self.group and self.sources:
            raise ValueError("a group names its sources per column: `group: {Street: [crm.Contacts.Street]}`")
        if len(self.group) > MAX_GROUP_FIELDS:
            raise ValueError(f"a group holds at most {MAX_GROUP_FIELDS} columns, this one has {len(self.group)}")
        return self


def short_resolution(value: Any) -> Any:
    """`Email: most recent by CreatedOn` means `Email: {by: most recent by CreatedOn}`."""
    return {"by": spoken_preference(value)} if isinstance(value, str) else value


class CustomerTable(Noun):
    """What the Customer table looks like beyond conflict resolution.

    default    the preference of columns that `resolution` does not name
    separate   columns that are not combined across entities: one output column each, `<Source>_<Entity>_<Column>`
    exclude    output columns to leave out
    first      output columns to put first, in this order
    """

    default: SpokenPreference = Preference()
    separate: Strings = ()
    exclude: Strings = ()
    first: Strings = ()
