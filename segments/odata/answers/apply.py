"""`$apply` as a page: what it leaves is narrowed, sorted and paged as a set is.

$compute, $filter and $orderby beside it speak of what it leaves, so they are further transformations. The rows have no
key any more; their order is total all the same, so a next link remembers how many rows were given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from segments.model import CUSTOMER_ID, ORDINAL
from segments.odata.aggregation.query import Applied, apply_query
from segments.odata.answers.formats import converted
from segments.odata.answers.ground import Ground
from segments.odata.answers.level import check_options
from segments.odata.answers.path import Place
from segments.odata.answers.search_words import search_predicate
from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax import ast_options as o
from segments.odata.syntax.ast import Call, Literal
from segments.odata.syntax.functions import MEMBERSHIP
from segments.predicates import tree as p
from segments.relationships import CUSTOMER
from unify.core.engine import scalar
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query

OF_APPLY = frozenset((
    "$apply", "$filter", "IsMemberOfSegment", "$orderby", "$top", "$skip", "$count", "$select", "$compute", "$format",
    "$skiptoken",
))  # fmt: skip
OF_COUNT_OF_APPLY = frozenset(("$apply", "$filter", "IsMemberOfSegment", "$compute"))
MOVED = (o.Compute, o.Filter, o.OrderBy)
"""Options that are transformations behind $apply, in the order in which OData evaluates them."""


@dataclass
class AppliedPage:
    """Rows of a page. `columns`: names as they were selected, `Relation/Name` for grouped paths."""

    table: pa.Table
    rows: list[dict[str, Any]]
    columns: list[str]
    more: bool


def applied(ground: Ground, place: Place, options: Sequence[o.Option], *, count: bool = False) -> Applied:
    """The SELECT of a request with $apply. QueryError for options that cannot stand beside it."""
    check_options(options, OF_COUNT_OF_APPLY if count else OF_APPLY, "a set with $apply")
    [apply] = [option for option in options if isinstance(option, o.Apply)]
    steps = list(apply.steps)
    for kind in MOVED:
        steps += [option for option in options if isinstance(option, kind)]
    return apply_query(
        tuple(steps),
        ground.public,
        place.set.table,
        clock=ground.clock,
        aliases=ground.aliases,
        where=_where(ground, place, options),
        search=lambda term: search_predicate(term, place.set),
    )


def read_applied(
    ground: Ground, query: Applied, options: Sequence[o.Option], *, limit: int, offset: int
) -> AppliedPage:
    """At most `limit` rows from `offset` on."""
    select = next((option for option in options if isinstance(option, o.Select)), None)
    names = _selected(query, select)
    sql = f"{query.query.sql} LIMIT {limit + 1} OFFSET {offset}"
    found = ground.engine.fetch(Query(sql, query.query.params))
    more = found.num_rows > limit
    found = found.slice(0, limit).select(names)
    cells = [converted(_readable(found.column(n)), query.columns[n]) for n in names]
    rows = [_nested(dict(zip(names, row, strict=True))) for row in zip(*cells, strict=True)]
    return AppliedPage(found, rows, names, more)


def count_applied(ground: Ground, query: Applied) -> int:
    """How many rows $apply leaves."""
    return int(scalar(ground.engine, Query(f"SELECT count(*) FROM ({query.query.sql})", query.query.params)))


def _readable(column: pa.ChunkedArray) -> list[Any]:
    return list(column.to_pylist())


def _selected(query: Applied, select: o.Select | None) -> list[str]:
    if select is None or any(item.names == ("*",) for item in select.items):
        return list(query.columns)
    names: dict[str, None] = {}
    for item in select.items:
        name = "/".join(item.names)
        if item.options or item.parameters:
            raise ODataUnsupportedError(f"{name} is selected whole or not at all", where="$select", hint="name it")
        if name not in query.columns:
            hint = did_you_mean(name, query.columns)
            raise QueryError(f"$apply leaves no {name!r}", where="$select", hint=hint)
        names[name] = None
    return list(names)


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """`Customer/City` is City of an object called Customer."""
    if not any("/" in name for name in row):
        return row
    made: dict[str, Any] = {}
    for name, value in row.items():
        *path, last = name.split("/")
        here = made
        for step in path:
            here = here.setdefault(step, {})
        here[last] = value
    return made


# ── what narrows the rows before ─────────────────────────────────────────────────────────────────────────────────────


def _where(ground: Ground, place: Place, options: Sequence[o.Option]) -> p.Expr | None:
    """The path, and `&IsMemberOfSegment('S')`, which speaks of customers and so comes before they are grouped."""
    if place.narrowed.links:
        hint = "ask the set itself, and narrow it with filter(…) inside $apply"
        raise ODataUnsupportedError("$apply over rows that several relations lead to", where="$apply", hint=hint)
    terms = [_spoken(ground, term) for term in place.narrowed.predicates]
    for option in options:
        if isinstance(option, o.Membership):
            call = Call(MEMBERSHIP, (Literal("string", option.segment),), option.at)
            terms.append(ground.condition(call, place.set.table, {}, MEMBERSHIP))
    return None if not terms else terms[0] if len(terms) == 1 else p.And(tuple(terms))


def _spoken(ground: Ground, term: p.Expr) -> p.Expr:
    """The term in names that clients may use: a customer's rows are found by CustomerId then."""
    match term:
        case p.Compare(op="eq", left=p.Field(name="ordinal", path=()), right=p.Literal(value=value)):
            sql = f"SELECT {quote(CUSTOMER_ID)} FROM {quote(CUSTOMER)} WHERE {quote(ORDINAL)} = $ordinal"
            id_ = scalar(ground.engine, Query(sql, {"ordinal": value}))
            return p.Compare("eq", p.Field(CUSTOMER_ID), p.literal(id_))
    return term
