"""Measures: values worked out per customer, or over the business. What they mean is docs/measures.md."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from unify.spec.base import Name, Noun, Strings, one_or_many
from unify.spec.criteria import Criteria

MeasureKind = Literal["attribute", "customer", "business"]
Bucket = Literal["none", "day", "week", "month", "quarter", "year"]
Template = Literal[
    "average_transaction_value", "total_transaction_value", "average_daily_revenue", "average_monthly_revenue",
    "average_yearly_revenue", "transaction_count", "loyalty_points_earned", "loyalty_points_redeemed",
    "loyalty_points_balance", "active_lifespan", "membership_duration", "time_since_last_purchase",
]  # fmt: skip
Scalar = bool | int | float | str
FUNCTIONS = (
    "sum", "avg", "min", "max", "median", "count", "count_distinct", "first", "last", "argmin", "argmax",
)  # fmt: skip
ALWAYS_THERE = ("customerid", "ordinal")
"""Columns of every table with a row per customer."""
PERIOD = re.compile(r"last ([1-9]\d{0,4}) (day|week|month|year)s?\Z")
MAX_TAGS = 20
BESIDE_SQL = (
    *FUNCTIONS, "value", "default", "whole", "of", "path", "where", "period", "by", "variables", "calculate", "fields",
)  # fmt: skip
"""What a measure in SQL does not say in other words."""


class Pick(Noun):
    """A value of the row in which another one is smallest or largest.

    take  the column or expression that is taken
    by    the column or expression that is smallest or largest there
    """

    take: str
    by: str


class Calculation(Noun):
    """One aggregate over rows, or a value made of other calculations and measures.

    sum, avg, min, max, median  of a column or an expression over the row, e.g. `Quantity mul Price`
    count           true counts rows, a column those with a value
    count_distinct  different values of a column or expression
    first, last     its value in the first or last row, by the entity's timestamp, then its key
    argmin, argmax  the value of one column where another is smallest or largest: `{take: Product, by: Total}`
    value           an expression over the measure's other calculations, and over the customer and other measures
    default         instead of null
    whole           rounded to a whole number, halves away from zero
    """

    sum: str | None = None
    avg: str | None = None
    min: str | None = None
    max: str | None = None
    median: str | None = None
    count: bool | str | None = None
    count_distinct: str | None = None
    first: str | None = None
    last: str | None = None
    argmin: Pick | None = None
    argmax: Pick | None = None
    value: str | None = None
    default: Scalar | None = None
    whole: bool = False

    @property
    def function(self) -> str:
        """A word of FUNCTIONS, `value`, or nothing."""
        return next((f for f in (*FUNCTIONS, "value") if getattr(self, f) is not None), "")

    @model_validator(mode="after")
    def _one_function(self) -> Self:
        given = [f for f in (*FUNCTIONS, "value") if getattr(self, f) is not None]
        if len(given) > 1:
            raise ValueError(f"one of {' and '.join(given)}, please: several go under `calculate`")
        if not given and type(self) is Calculation:
            raise ValueError(f"a calculation needs one of {', '.join((*FUNCTIONS, 'value'))}")
        if self.count is False:
            raise ValueError("`count: false` counts nothing: write `count: true`, or a column")
        return self


class Dimension(Noun):
    """What rows are grouped by.

    value   a column, a path to one (`product/Category`) or an expression
    bucket  of a date or time: the period of the calendar it falls into, as that period's first day
    """

    value: str
    bucket: Bucket = "none"


def _text_keys(value: Any) -> Any:
    return {_text_of(k): v for k, v in value.items()} if isinstance(value, dict) else value


def _text_of(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


class Variable(Noun):
    """A value worked out for every row, under a name that the measure's other expressions may use.

    value    an expression over the row, e.g. `Total sub Discount`
    nulls    instead of null
    replace  value → what stands for it
    whole    rounded to a whole number, halves away from zero
    """

    value: str
    nulls: Scalar | None = None
    replace: Annotated[dict[str, Scalar | None], BeforeValidator(_text_keys)] = {}
    whole: bool = False


def _dimensions(value: Any) -> Any:
    """`[Product, product/Category]` means `{Product: Product, Category: product/Category}`."""
    many = one_or_many(value)
    if isinstance(many, list | tuple):
        named: dict[str, Any] = {}
        for item in many:
            name = item.rpartition("/")[2] if isinstance(item, str) else item
            if not isinstance(name, str):
                raise ValueError("dimensions are a list of columns, or a mapping of names to them")  # noqa: TRY004
            if name in named:
                raise ValueError(f"two dimensions would be called {name}: write `by: {{name: column, …}}`")
            named[name] = item
        many = named
    return many


def _short_value(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


def _a_period(text: str) -> str:
    if not PERIOD.match(text):
        raise ValueError(f"{text!r} is no period: write e.g. `last 30 days`; days, weeks, months or years")
    return text


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags; at most {MAX_TAGS}")
    return tags


class Measure(Calculation):
    """A value per customer, or a table of values. One calculation stands in the measure itself, several under
    `calculate`.

    of         the rows that count: an entity (`web.Orders`), UnifiedActivity or Customer
    path       relations that lead there from Customer, in order; found when there is one way only
    where      only these rows: OData filter text, or criteria as for segments
    period     only these rows: `last 12 months` by the entity's timestamp, today included
    by         dimensions: what the rows are grouped by
    variables  values worked out per row
    calculate  name → calculation. With `value` in the measure itself they are only its ingredients
    kind       `attribute`: a column of Customer_Measure, the default without dimensions. `customer`: a table of its
               own, one row per customer and dimensions, the default with dimensions. `business`: a table of its own,
               one row per dimensions; without any, a single value
    template   stands for a measure over an activity, named by `of`
    fields     of a template: which column is OrderTotal, PointsEarned, PointsRedeemed, where the activity does not say
    sql        instead of all that: one SELECT, read-only and fenced in. It gives CustomerId and a value; of kind
               `customer` CustomerId and several; of kind `business` one row with one value
    active     false: not worked out
    title, description, tags  for people
    """

    of: str | None = None
    path: Strings = ()
    where: Criteria | None = None
    period: Annotated[str, AfterValidator(_a_period)] | None = None
    by: Annotated[dict[Name, Annotated[Dimension, BeforeValidator(_short_value)]], BeforeValidator(_dimensions)] = {}
    variables: dict[Name, Annotated[Variable, BeforeValidator(_short_value)]] = {}
    calculate: dict[Name, Calculation] = {}
    kind: MeasureKind = Field(default="attribute")
    template: Template | None = None
    fields: dict[str, str] = {}
    sql: str | None = None
    active: bool = True
    title: str | None = None
    description: str | None = None
    tags: Annotated[Strings, AfterValidator(_tags)] = ()

    def columns(self, name: str) -> dict[str, Calculation]:
        """Every calculation by its column, ingredients included; `name` is the measure's, and so that of the only one
        where the result is one value."""
        own = {name: Calculation(**{f: getattr(self, f) for f in Calculation.model_fields})} if self.function else {}
        if not own and len(self.calculate) == 1 and self.kind != "customer" and not self.by:
            return {name: next(iter(self.calculate.values()))}
        return {**self.calculate, **own}

    def shown(self, name: str) -> list[str]:
        """Columns of the result; the ingredients of a `value` are among them in tables only. None for SQL of customers
        with a table of its own: what it gives is known when it is checked."""
        one = self.kind == "attribute" or (self.sql is not None and self.scalar)
        return [name] if one else list(self.columns(name))

    @property
    def scalar(self) -> bool:
        """Whether it is one single value."""
        one = bool(self.function) or len(self.calculate) == 1 or self.sql is not None
        return self.kind == "business" and not self.by and one

    @model_validator(mode="before")
    @classmethod
    def _kind_of_what_it_says(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "kind" in data:
            return data
        table = data.get("by") or (len(data.get("calculate") or ()) > 1 and not data.get("value"))
        return {**data, "kind": "customer" if table else "attribute"}

    @model_validator(mode="after")
    def _whole_and_consistent(self) -> Self:
        if self.template is not None:
            self._only_a_template()
            return self
        if self.sql is not None:
            self._only_sql()
            return self
        if self.fields:
            raise ValueError("`fields` go with a `template`")
        if not self.function and not self.calculate:
            raise ValueError(f"what is measured? Write one of {', '.join((*FUNCTIONS, 'value', 'template', 'sql'))}")
        if self.function and self.function != "value" and self.calculate:
            raise ValueError(f"`{self.function}` goes under `calculate` too, with a name of its own")
        if self.of is None:
            self._needs_no_rows()
        elif self.function == "value" and not self.calculate:
            raise ValueError("`value` is made of measures and calculations: put those over rows under `calculate`")
        if self.kind == "attribute" and self.by:
            raise ValueError("an attribute of customers has no dimensions: write `kind: customer`")
        if self.kind == "attribute" and not self.function and len(self.calculate) > 1:
            raise ValueError("an attribute of customers is one value: add `value`, or write `kind: customer`")
        if not any(c.function != "value" for c in self.columns("").values()) and self.of is not None:
            raise ValueError("nothing is calculated over the rows of `of`")
        self._names_differ()
        return self

    def _only_a_template(self) -> None:
        more = [n for n in ("calculate", "by", "variables", "where", "sql") if getattr(self, n)]
        if self.function or more or self.kind != "attribute":
            wrong = [
                *more,
                *([self.function] if self.function else []),
                *(["kind"] if self.kind != "attribute" else []),
            ]
            raise ValueError(f"a template says what is measured: leave out {', '.join(wrong)}")

    def _only_sql(self) -> None:
        assert self.sql is not None
        wrong = [
            n
            for n in BESIDE_SQL
            if getattr(self, n) != type(self).model_fields[n].get_default(call_default_factory=True)
        ]
        if wrong:
            raise ValueError(f"`sql` says what is measured: leave out {', '.join(wrong)}")
        if not self.sql.strip():
            raise ValueError("`sql` is empty: write one SELECT")

    def _needs_no_rows(self) -> None:
        given = [n for n in ("path", "where", "period", "by", "variables", "calculate") if getattr(self, n)]
        if self.function != "value":
            raise ValueError(f"`{self.function or 'calculate'}` over which rows? Add `of: web.Orders`, say")
        if given:
            raise ValueError(f"{', '.join(given)} need rows: add `of`")
        if self.kind == "customer":
            raise ValueError("`value` without `of` is an attribute, or a business measure")

    def _names_differ(self) -> None:
        seen: dict[str, str] = {}
        for name in (*self.by, *self.columns("the measure"), *self.variables):
            if name.casefold() in ALWAYS_THERE and self.kind != "business":
                raise ValueError(f"{name} is the name of a column that is there already")
            if (other := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"{other} and {name} differ only in case")
        names = [*self.by, *self.columns("the measure"), *self.variables]
        if len(set(names)) < len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise ValueError(f"{', '.join(twice)}: dimensions, variables and calculations need names of their own")


def short_measure(value: Any) -> Any:
    """`AvgBasket: TotalSpend div Orders` means `AvgBasket: {value: …}`."""
    return {"value": value} if isinstance(value, str) else value
