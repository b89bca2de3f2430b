"""$apply over a table of the model: one SELECT, whatever the sequence.

    apply_query(parse_option("$apply=groupby((City),aggregate($count as N))"), model, "Customer", clock=…)
        → Applied(query, {"City": string, "N": integer})

Every transformation gives a Stage; what the last one leaves is selected, in an order that is the same each time.
$filter, $compute, $orderby, $skip and $top behind $apply are further transformations: append them to the steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from segments.model import Model
from segments.odata.aggregation.stage import Making, Stage
from segments.odata.aggregation.steps import run
from segments.odata.binding.errors import fail
from segments.odata.dialect import CUSTOMER_INSIGHTS, Dialect
from segments.odata.syntax import ast
from segments.odata.syntax.ast_options import Apply, Transformation
from segments.odata.syntax.ast_search import SearchTerm
from segments.odata.syntax.url import parse_option
from segments.predicates import tree as p
from segments.predicates.fields import Type
from segments.relationships import CUSTOMER
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query

__all__ = ["Applied", "apply_of_text", "apply_query"]

_NONE: Mapping[str, ast.Expression] = {}
KEYLESS = "give it a key in the project file, or group its rows"


@dataclass(frozen=True, slots=True)
class Applied:
    """A SELECT in its final order. `columns`: name → type in order; a grouped path is called `Relation/Name`."""

    query: Query
    columns: dict[str, Type]


def apply_query(
    apply: Apply | tuple[Transformation, ...],
    model: Model,
    table: str = CUSTOMER,
    *,
    clock: datetime,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    where: p.Expr | None = None,
    search: Callable[[SearchTerm], p.Expr] | None = None,
) -> Applied:
    """A sequence of transformations as one SELECT.

    clock   the moment of now()
    where   narrows the rows of the table before the first transformation
    search  what search(…) means, as a predicate over the table; without it search(…) is refused

    QueryError (mostly a BindError with its place) for what the model does not have and what cannot be answered. Rows of
    the table itself show every attribute that is a single value.
    """
    steps = apply.steps if isinstance(apply, Apply) else apply
    making = Making(model, clock=clock, aliases=aliases, timezone=timezone, search=search)
    stage = run(making, _start(model, table, where), steps)
    selecting = making.selecting(stage)
    shown = ", ".join(f"{selecting.value(stage.expr(n))} AS {quote(n)}" for n in stage.columns)
    order = selecting.sorted_by(stage.order)
    sql = making.with_sql(f"SELECT {shown} {selecting.rest()} ORDER BY {order}")
    return Applied(Query(sql, making.params), dict(stage.columns))


def apply_of_text(
    text: str,
    model: Model,
    table: str = CUSTOMER,
    *,
    clock: datetime,
    aliases: Mapping[str, ast.Expression] = _NONE,
    timezone: str | None = None,
    where: p.Expr | None = None,
    search: Callable[[SearchTerm], p.Expr] | None = None,
    dialect: Dialect = CUSTOMER_INSIGHTS,
) -> Applied:
    """`apply_query` of what stands behind `$apply=`, percent-encoded as in a URL."""
    option = parse_option(f"$apply={text}", dialect)
    if not isinstance(option, Apply):
        fail(0, "this is no $apply")
    return apply_query(
        option, model, table, clock=clock, aliases=aliases, timezone=timezone, where=where, search=search
    )


def _start(model: Model, table: str, where: p.Expr | None) -> Stage:
    here = model.catalog.table(table)
    columns = {name: a.type for name, a in here.attributes.items() if a.type}
    tie = here.id if here.id in here.attributes else model.keys.get(table)  # else hidden from clients
    if tie is None:
        raise QueryError(f"{table} has no key, so its rows have no order", hint=KEYLESS)
    return Stage(table, columns, (tie,), rows=True, where=() if where is None else (where,))
