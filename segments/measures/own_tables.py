"""Measures with a table of their own: one row per dimensions, or one row with a single value."""

from collections.abc import Callable
from datetime import datetime

from segments.measures.known import Made, with_table
from segments.measures.passes import Pass, params_of, result_of_value
from segments.measures.rows import Rows
from segments.measures.trees import Ground
from segments.model import CUSTOMER_ID, ORDINAL, Model, own_table
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from segments.predicates.fields import Type
from segments.relationships import CUSTOMER
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query, Step
from unify.spec import Measure

Scratch = Callable[[str], str]
"""A new name for a scratch table."""


def own_table_steps(
    name: str, measure: Measure, rows: Rows, ground: Ground, condition: p.Expr, clock: datetime, scratch: Scratch
) -> tuple[tuple[Step, ...], Made]:
    """Group the rows, finish what came out, work out values of it. QueryError for what cannot be worked out."""
    place = f"measures.{name}"
    one = Pass(rows, clock)
    counts = one.condition(condition)
    cells: dict[str, str] = {}
    kinds: dict[str, Type] = {}
    if measure.kind == "customer":
        cells[ORDINAL] = one.cell(one.compiler.column(rows.ordinal))
    for dimension in measure.by:
        where = f"{place}.by.{dimension}"
        cells[dimension], kinds[dimension] = one.dimension(dimension, measure, ground, where)
    results = [
        one.add(column, spec, ground, "", place if column == name else f"{place}.calculate.{column}")
        for column, spec in measure.columns(name).items()
        if spec.function != "value"
    ]
    groups, table = scratch("groups"), scratch("table")
    why = f"{name} over {rows.said}"
    group = Step(groups, one.grouped(cells, counts), why, tuple(sorted(one.compiler.reads)))
    customer = [f"c.{quote(CUSTOMER_ID)}", f"g.{ORDINAL}"] if measure.kind == "customer" else []
    join = f"\nJOIN {quote(CUSTOMER)} AS c ON c.ordinal = g.ordinal" if customer else ""
    columns = [
        *customer,
        *(f"CAST(g.{quote(n)} AS {t.sql}) AS {quote(n)}" for n, t in kinds.items()),
        *(f"CAST({r.finished('g')} AS {r.kind.sql}) AS {quote(r.column)}" for r in results),
    ]
    sql = f"SELECT {', '.join(columns)}\nFROM {quote(groups)} AS g{join}"
    finish = Step(table, Query(sql, params_of(results)), why, (groups, CUSTOMER), releases=(groups,))
    found = {**kinds, **{r.column: r.kind for r in results}}
    last, made = _values(name, measure, table, found, rows.model, clock)
    return (group, finish, last), made


def _values(
    name: str, measure: Measure, table: str, found: dict[str, Type], model: Model, clock: datetime
) -> tuple[Step, Made]:
    """The table that is kept: in order, with the values that are made of its columns."""
    wider = with_table(model, table, found)
    ground = Ground(wider, table, name)
    compiler = Compiler(wider.catalog, table, clock)
    columns: dict[str, Type] = {}
    cells = [f"t0.{quote(n)}" for n in ((CUSTOMER_ID, ORDINAL) if measure.kind == "customer" else ())]
    cells += [f"t0.{quote(n)}" for n in measure.by]
    for column, spec in measure.columns(name).items():
        if spec.function == "value":
            where = f"measures.{name}" if column == name else f"measures.{name}.calculate.{column}"
            tree, columns[column] = result_of_value(spec, ground, where)
            ground.variables[column] = tree
            cells.append(f"CAST({compiler.value(tree)} AS {columns[column].sql}) AS {quote(column)}")
        else:
            columns[column] = found[column]
            cells.append(f"t0.{quote(column)}")
    order = [*([ORDINAL] if measure.kind == "customer" else []), *measure.by]
    tail = "\nORDER BY " + ", ".join(f"t0.{quote(n)} NULLS LAST" for n in order) if order else ""
    sql = f"SELECT {', '.join(cells)}\nFROM {compiler.source}{tail}"
    query, why = Query(sql, compiler.params), _why(name, measure)
    step = Step(own_table(name), query, why, (table,), keep=True, releases=(table,))
    return step, Made(name, measure, own_table(name), columns, {n: found[n] for n in measure.by})


def _why(name: str, measure: Measure) -> str:
    groups = ["customer"] if measure.kind == "customer" else []
    by = " and ".join([*groups, *measure.by])
    return f"{name} by {by}" if by else f"{name}, a single value"


def single_value_steps(
    name: str, measure: Measure, singles: list[Made], model: Model, clock: datetime, scratch: Scratch
) -> tuple[tuple[Step, ...], Made]:
    """A business measure that is made of others with one value each."""
    place = f"measures.{name}"
    for one in singles:
        if not one.measure.scalar:
            hint = "write `of: Customer` and an aggregate of it under `calculate`"
            raise QueryError(f"{one.name} is no single value", where=f"{place}.value", hint=hint)
    table = scratch("singles")
    columns = ", ".join(f"b{n}.{quote(one.name)}" for n, one in enumerate(singles)) or "1 AS one"
    sources = ", ".join(f"{quote(one.table)} AS b{n}" for n, one in enumerate(singles))
    sql = f"SELECT {columns}" + (f"\nFROM {sources}" if sources else "")
    made = Step(table, Query(sql), "single values side by side", tuple(one.table for one in singles))
    last, result = _values(name, measure, table, {one.name: one.columns[one.name] for one in singles}, model, clock)
    return (made, last), result
