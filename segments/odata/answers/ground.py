"""What every part of one answer shares, and the small questions all of them ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from segments.model import Model
from segments.odata.answers.pages import DEFAULT_PAGE
from segments.odata.binding.bind import bind_filter, bind_value
from segments.odata.binding.errors import BindError
from segments.odata.syntax.ast import Expression
from segments.predicates import tree as p
from segments.predicates.bind import bind
from segments.predicates.fields import Type
from unify.core.engine import Engine

EXPANDED_PAGE = 1_000
"""Rows of one expanded relation at one row; the rest stands behind a next link of its own."""
MOST_EXPANDED = 100_000
"""Rows of one expanded relation at all rows of a page: some 50 MB of JSON."""


@dataclass(frozen=True)
class Ground:
    """Where a request is answered.

    model       of the generation, with all columns: what is compiled against
    public      without those that clients may not name: what names are bound against
    clock       what `now()` is, UTC
    aliases     parameter aliases of the request
    generation  its number, for next links
    segments    entity sets that are segments: name of the set → segment
    """

    engine: Engine
    model: Model
    public: Model
    clock: datetime
    aliases: Mapping[str, Expression] = field(default_factory=dict)
    generation: int = 0
    size: int = DEFAULT_PAGE
    expand_size: int = EXPANDED_PAGE
    segments: Mapping[str, str] = field(default_factory=dict)

    def with_aliases(self, aliases: Mapping[str, Expression]) -> "Ground":
        """The same, with aliases that stand inside nested options."""
        return replace(self, aliases={**self.aliases, **aliases}) if aliases else self

    def condition(self, expression: Expression, table: str, computed: Mapping[str, p.Expr], part: str) -> p.Expr:
        """A predicate over a table."""
        try:
            return bind_filter(expression, self.public, table, aliases=self.aliases, computed=computed)
        except BindError as error:
            raise error.inside(part) from None

    def value(self, expression: Expression, table: str, computed: Mapping[str, p.Expr], part: str) -> p.Expr:
        """A value over a table."""
        try:
            return bind_value(expression, self.public, table, aliases=self.aliases, computed=computed)
        except BindError as error:
            raise error.inside(part) from None

    def type_of(self, expr: p.Expr, table: str, part: str) -> Type:
        """The type of a bound value; QueryError as predicates raise it."""
        return bind(expr, self.model.catalog, table, where=part).type

    def sql_type(self, table: str, column: str) -> str:
        """Of a column, hidden ones too."""
        return self.model.catalog.tables[table].attributes[column].sql_type


def bindable(value: Any) -> Any:
    """A value as a parameter that SQL casts: numbers and text as they are, the rest as text."""
    return value if value is None or isinstance(value, int | str) else str(value)
