"""The data profile of an entity: what is in each column, exact, in three passes over the data.

    profile(engine, "crm.Contacts", now=…)  →  EntityProfile
                                                └── attributes: AttributeProfile
                                                     ├── top        ValueCount, the most frequent values
                                                     ├── histogram  Bin, equal width, numbers and times
                                                     ├── quantiles  nine of them, numbers and times
                                                     └── moments    Moments, numbers

What each figure means, and when one is approximate: docs/profile.md. The SQL is in profile_sql.py, the pictures in
profile_view.py.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ingest.kinds import Kind
from unify.core.names import table_of

QUANTILES = {
    "p0D1": 0.001,
    "p1": 0.01,
    "p5": 0.05,
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p95": 0.95,
    "p99": 0.99,
    "p99D9": 0.999,
}
"""Wire name to share."""

Value = str | int | float | Decimal | bool | date | datetime


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A value and the rows that hold it."""

    value: Value
    count: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows with `lower <= value < upper`; the last bin includes its upper bound."""

    lower: float | date | datetime
    upper: float | date | datetime
    count: int


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the finite values, estimated for the population (n−1). None: too few, equal or too large values."""

    mean: float | None
    standard_deviation: float | None
    variance: float | None
    skewness: float | None
    kurtosis: float | None
    """Excess kurtosis: 0 for a normal distribution."""


@dataclass(frozen=True, slots=True)
class AttributeProfile:
    """One column.

    count + missing is the number of rows of the entity; `errors` are quarantined rows that this column has a share in
    and are not among them. `exact` is False when `distinct` is an estimate (and `top` may lack a value near its end).
    """

    name: str
    type: str
    kind: Kind
    count: int
    missing: int
    errors: int
    distinct: int
    exact: bool
    min: Value | None
    max: Value | None
    top: tuple[ValueCount, ...]
    histogram: tuple[Bin, ...]
    quantiles: dict[str, float | date | datetime]
    """By wire name (QUANTILES); empty for text, guids and booleans."""
    moments: Moments | None
    suggested_key: bool

    def as_dict(self, entity: str, profiled: datetime) -> dict[str, Any]:
        """AttributeDataProfile with the wire's keys: times as ISO text, decimals as text so that they stay exact."""
        moments = self.moments
        return {
            "qualifiedEntityName": table_of(entity),
            "attributeName": self.name,
            "min": wire(self.min),
            "max": wire(self.max),
            "count": self.count,
            "missingCount": self.missing,
            "errorCount": self.errors,
            "uniqueValueCount": self.distinct,
            "valueCounts": [{"value": str(wire(v.value)), "count": v.count} for v in self.top],
            "histogram": [
                {"lowerBound": wire(b.lower), "upperBound": wire(b.upper), "count": b.count} for b in self.histogram
            ],
            "quantiles": {name: wire(value) for name, value in self.quantiles.items()} or None,
            "moments": moments
            and {
                "mean": wire(moments.mean),
                "standardDeviation": wire(moments.standard_deviation),
                "variance": wire(moments.variance),
                "skewness": wire(moments.skewness),
                "kurtosis": wire(moments.kurtosis),
            },
            "profilingDate": profiled.isoformat(),
            "isSuggestedPrimaryKey": self.suggested_key,
            "checkIfExactStats": self.exact,
        }


@dataclass(frozen=True, slots=True, repr=False)
class EntityProfile:
    """One entity: `rows` were accepted, `quarantined` were not."""

    entity: str
    rows: int
    quarantined: int
    profiled: datetime
    attributes: tuple[AttributeProfile, ...]

    def __getitem__(self, column: str) -> AttributeProfile:
        """The profile of one column; KeyError if there is none of that name."""
        for attribute in self.attributes:
            if attribute.name == column:
                return attribute
        raise KeyError(column)

    @property
    def suggested_key(self) -> str | None:
        """The column that looks most like the primary key."""
        return next((a.name for a in self.attributes if a.suggested_key), None)

    def as_dict(self) -> dict[str, Any]:
        """EntityDataProfile with the wire's keys; can go to `json.dumps` as it is."""
        return {
            "qualifiedEntityName": table_of(self.entity),
            "rowCount": self.rows,
            "quarantineRowCount": self.quarantined,
            "profilingDate": self.profiled.isoformat(),
            "profiledAttributes": ",".join(a.name for a in self.attributes),
            "corruptAttributes": ",".join(a.name for a in self.attributes if a.errors),
            "attributeDataProfiles": [a.as_dict(self.entity, self.profiled) for a in self.attributes],
        }

    def __repr__(self) -> str:
        from ingest.profile_view import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from ingest.profile_view import as_html

        return as_html(self)


def wire(value: Value | None) -> str | int | float | bool | None:
    """A value as JSON can hold it; what JSON has no number for (infinity, NaN) is text."""
    if isinstance(value, (Decimal, date)):
        return value.isoformat() if isinstance(value, date) else f"{value:f}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
