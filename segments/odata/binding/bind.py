"""OData's expressions held against a model: what `$filter`, `$orderby` and `$compute` say, as predicate trees.

    text ─parse_expression─▶ ast ─bind_filter─▶ predicate tree ─segments.predicates─▶ SQL, bitmaps, a sentence

    filter_of_text("TotalSpend gt 100 and IsMemberOfSegment('Vip')", model)

What the trees mean is settled in docs/odata-semantics.md. Everything that the model does not have is a BindError (a
QueryError) with its place in the text and the nearest known name; what comes back binds and cannot fail in SQL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from segments.model import Model
from segments.odata.binding.compare import checked
from segments.odata.binding.errors import BindError, fail
from segments.odata.binding.expressions import Binder
from segments.odata.dialect import CUSTOMER_INSIGHTS, Dialect
from segments.odata.errors import ODataSyntaxError
from segments.odata.syntax import ast
from segments.odata.syntax.ast_options import ComputeItem
from segments.odata.syntax.url import parse_expression
from segments.predicates import bind as predicates
from segments.predicates import tree as p
from segments.relationships import CUSTOMER
from unify.core.errors import QueryError

__all__ = ["BindError", "bind_compute", "bind_filter", "bind_value", "filter_of_text", "value_of_text"]

_NONE: Mapping[str, ast.Expression] = {}
_NOTHING: Mapping[str, p.Expr] = {}


def bind_filter(
    expression: ast.Expression,
    model: Model,
    table: str = CUSTOMER,
    *,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    computed: Mapping[str, p.Expr] = _NOTHING,
) -> p.Expr:
    """A predicate over the rows of `table`.

    aliases   values of parameter aliases, without their @
    timezone  in which days begin and clocks are read; the model's when None
    computed  names that $compute has made, as trees over the same rows

    BindError for what the model does not have and for what is no condition.
    """
    binder = Binder(model, table, aliases=aliases, timezone=timezone, computed=computed)
    found = checked(binder.truth(expression, binder.top, exact=False).expr, expression.at)
    try:
        predicates.bind_predicate(found, model.catalog, table)
    except QueryError as error:
        fail(expression.at, error.message, error.hint)
    return found


def bind_value(
    expression: ast.Expression,
    model: Model,
    table: str = CUSTOMER,
    *,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    computed: Mapping[str, p.Expr] = _NOTHING,
) -> p.Expr:
    """A value of a row of `table`, for $orderby and $compute; its type is that of `segments.predicates.bind.bind`."""
    binder = Binder(model, table, aliases=aliases, timezone=timezone, computed=computed)
    found = checked(binder.value(expression, binder.top).expr, expression.at)
    try:
        predicates.bind(found, model.catalog, table)
    except QueryError as error:
        fail(expression.at, error.message, error.hint)
    return found


def bind_compute(
    items: tuple[ComputeItem, ...],
    model: Model,
    table: str = CUSTOMER,
    *,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    computed: Mapping[str, p.Expr] = _NOTHING,
) -> dict[str, p.Expr]:
    """The values of $compute by name, in order; later ones may name earlier ones. `computed` itself is not repeated.

    BindError for a name that an attribute, a relation or an earlier one has already.
    """
    made: dict[str, p.Expr] = {}
    for item in items:
        known = {**computed, **made}
        binder = Binder(model, table, aliases=aliases, timezone=timezone, computed=known)
        if item.alias in known or item.alias in binder.names(table):
            fail(item.at, f"there is a {item.alias} already", "give the computed value another name")
        made[item.alias] = bind_value(item.expression, model, table, aliases=aliases, timezone=timezone, computed=known)
    return made


def filter_of_text(
    text: str,
    model: Model,
    table: str = CUSTOMER,
    *,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    computed: Mapping[str, p.Expr] = _NOTHING,
    dialect: Dialect = CUSTOMER_INSIGHTS,
    where: str = "",
) -> p.Expr:
    """`bind_filter` of plain text, as a segment's `where` holds it; QueryError from reading it as well.

    A % is a character: nothing is percent-decoded. `where` is the place of the text, for errors.
    """
    with _placed(where):
        expression = parse_expression(text, dialect)
        return bind_filter(expression, model, table, aliases=aliases, timezone=timezone, computed=computed)


def value_of_text(
    text: str,
    model: Model,
    table: str = CUSTOMER,
    *,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    computed: Mapping[str, p.Expr] = _NOTHING,
    dialect: Dialect = CUSTOMER_INSIGHTS,
    where: str = "",
) -> p.Expr:
    """`bind_value` of plain text."""
    with _placed(where):
        expression = parse_expression(text, dialect)
        return bind_value(expression, model, table, aliases=aliases, timezone=timezone, computed=computed)


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """Errors of a text name the place it stands in as well."""
    try:
        yield
    except BindError as error:
        raise (error.inside(where) if where else error) from None
    except ODataSyntaxError as error:
        raise (error.moved(error.position, where) if where else error) from None
