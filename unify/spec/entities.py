"""Entities: what is ingested, from which files, under which key."""

from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticKnownError

from unify.spec.base import Noun, Strings, one_or_many

EntityType = Literal["profile", "activity", "unspecified"]
FileFormat = Literal["csv", "parquet", "jsonl"]
Pii = Literal["none", "pii", "sensitive"]
"""How much of a person a column tells: readers of the service see a mask of `pii`, nothing of `sensitive`."""
FilterOperator = Literal[
    "equals", "not_equals", "any_of", "contains", "starts_with", "ends_with",
    "greater_than", "greater_than_or_equal", "less_than", "less_than_or_equal", "is_null", "is_not_null",
]  # fmt: skip


class Column(Noun):
    """A declared column. Written short as its type: `DateOfBirth: date`, `Total: decimal(18,2)`."""

    type: str | None = None
    """string, integer, double, decimal(p,s), boolean, date, datetime or guid; inferred when absent."""
    format: Strings = ()
    """Formats of a date or datetime column, strptime (`%d.%m.%Y`) or Java style (`dd.MM.yyyy`); tried in order."""


def _short_column(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class CsvOptions(Noun):
    """How a CSV file is written; what is not said is detected (delimiter, quote, header, encoding by BOM)."""

    delimiter: str | None = Field(default=None, min_length=1, max_length=4)
    quote: str | None = Field(default=None, max_length=1)
    escape: str | None = Field(default=None, max_length=1)
    encoding: str | None = None
    header: bool = True
    null: tuple[str, ...] = ("",)
    """Texts that mean: no value."""
    decimal: Literal[".", ","] = "."
    skip: int = Field(default=0, ge=0)
    """Lines before the header."""


class RowFilter(Noun):
    """Keep only rows for which this holds; several filters are joined by AND. `any_of` takes a list, on strings."""

    column: str
    operator: FilterOperator
    value: str | int | float | bool | tuple[str, ...] | None = None

    @field_validator("value", mode="before")
    @classmethod
    def _dates_as_text(cls, value: Any) -> Any:
        """YAML reads an unquoted 2020-01-31 as a date."""
        return value.isoformat() if isinstance(value, date) else value

    @model_validator(mode="after")
    def _value_fits(self) -> Self:
        if self.operator in ("is_null", "is_not_null"):
            if self.value is not None:
                raise ValueError(f"{self.operator} takes no value")
        elif self.operator == "any_of":
            if not isinstance(self.value, tuple) or not self.value:
                raise ValueError("any_of takes a list of strings with at least one entry")
        elif self.value is None or isinstance(self.value, tuple):
            raise ValueError(f"{self.operator} takes one value")
        return self


class Incremental(Noun):
    """`files` is a folder with `FullData` and `IncrementalData/yyyy/mm/dd/hh/{Upserts,Deletes}` (hours in UTC)."""

    updated: str
    """The date/time column that decides between an upsert and a delete of one key: the later one wins."""


class Entity(Noun):
    """One table of a source.

    files        a path, glob, folder or list of them, relative to the project file; absent when data comes from Python
    records      instead of files: a record table of the instance, e.g. the Dataverse table `contact`. Its columns have
                 types and its rows a key, so none of these is declared
    duplicates   what happens to rows that share a key: `best` keeps the row that is most filled, then the one with the
                 largest values (the same answer for any row order); `first` and `last` go by file order; `quarantine`
                 keeps none of them. Rows not kept go to the corrupt table with the reason.
    drift        what happens when columns changed since the last run: `stop` is an error, `accept` is a warning
    """

    files: Annotated[tuple[str, ...], BeforeValidator(one_or_many)] = ()
    records: str | None = Field(default=None, min_length=1)
    format: FileFormat | None = None
    key: str = Field(default="", validate_default=True)
    type: EntityType = "profile"
    timestamp: str | None = None
    labels: dict[str, str] = {}
    pii: dict[str, Pii] = {}
    """Of columns whose label does not say it, or says something else: docs/service-access.md."""
    columns: dict[str, Annotated[Column, BeforeValidator(_short_column)]] = {}
    dates: Literal["iso", "en-US", "day-first"] | None = None
    """How undeclared dates are written: iso and en-US are recognised by themselves; day-first must be said."""
    where: tuple[RowFilter, ...] = ()
    csv: CsvOptions = CsvOptions()
    duplicates: Literal["best", "first", "last", "quarantine"] = "best"
    drift: Literal["stop", "accept"] = "stop"
    incremental: Incremental | None = None

    @field_validator("key")
    @classmethod
    def _key_is_there(cls, key: str, info: ValidationInfo) -> str:
        if not key and info.data.get("records") is None:
            raise PydanticKnownError("missing")
        return key

    @field_validator("columns")
    @classmethod
    def _names_differ_by_more_than_case(cls, columns: dict[str, Column]) -> dict[str, Column]:
        seen: dict[str, str] = {}
        for name in columns:
            if (other := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"columns {other!r} and {name!r} differ only in case")
        return columns

    @model_validator(mode="after")
    def _one_kind_of_source(self) -> Self:
        if self.records is None:
            return self
        fields = type(self).model_fields
        own = ("files", "format", "columns", "dates", "csv", "incremental", "duplicates")
        told = [name for name in own if getattr(self, name) != fields[name].default]
        if told:
            names = ", ".join(f"`{name}`" for name in told)
            raise ValueError(f"a record table has rows, types and a key of its own: {names} is not for `records`")
        return self

    @model_validator(mode="after")
    def _activity_has_a_time(self) -> Self:
        if self.type == "activity" and not self.timestamp:
            raise ValueError("an activity needs its timestamp column: add `timestamp: <date or datetime column>`")
        if self.incremental and not self.files:
            raise ValueError("incremental needs `files`: the folder that holds FullData and IncrementalData")
        return self
