"""Measures that are one SELECT: checked before anything is made, run behind the fence, kept like every other measure.

    SELECT CustomerId, count(*) AS n …  ──SqlStep──▶  measuring_sql_<n>: CustomerId, ordinal, v0, v1, …
                                                      ──Step──▶ a column of Customer_Measure, or Measure_<Name>

They are made before all other measures and see none of them, so their order needs no reading of the SQL.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from segments.manual_sql import CheckedSql, ManualSqlError, Moment, SqlProblem, run_sql
from segments.manual_sql.check import Checker, Shape
from segments.measures.known import Made
from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, Model, own_table
from segments.predicates.fields import INTEGER, Type, type_of_sql
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query, Step
from unify.spec import Measure, Project
from unify.spec.base import NAME
from unify.spec.measure import ALWAYS_THERE

SHAPES: dict[str, Shape] = {"attribute": "measure", "customer": "measure", "business": "scalar"}
WIDE = "HUGEINT"
"""What a sum of integers is in DuckDB. It becomes 64 bits as all sums here, null beyond."""
NO_MEASURES = "SQL is worked out before all other measures: let a `value` put them together"


@dataclass(frozen=True)
class SqlStep:
    """One SELECT of a user's; its answer becomes a scratch table.

    makes    the table: `CustomerId` and `ordinal` of customers, and `v0`, `v1`, … in the order of the answer
    place    of the SQL, for errors: `measures.Visits.sql`
    """

    makes: str
    checked: CheckedSql
    moment: Moment
    place: str
    why: str
    releases: tuple[str, ...] = ()
    keep: bool = False
    view: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """Tables that the SQL names."""
        return tuple(self.checked.reads)

    @property
    def query(self) -> Query:
        """The SQL as it was written; what `now()` is in it stands beside it."""
        return Query(self.checked.sql, {"now()": f"{self.moment.clock:%Y-%m-%d %H:%M:%S}"})

    @property
    def values(self) -> tuple[tuple[str, str], ...]:
        """Name and SQL type of the columns of values."""
        return self.checked.columns if self.checked.shape == "scalar" else self.checked.columns[1:]


def work_out(engine: Engine, step: Step | SqlStep, *, dry: bool = False) -> None:
    """Make a step's table. `dry`: SQL is not run; of a customer it says nothing, of the business null.

    ManualSqlError with the measure's place, for SQL that fails or says something of nobody.
    """
    if isinstance(step, Step):
        engine.build(step)
    elif dry:
        cells = [f"CAST(NULL AS {kind}) AS v{n}" for n, (_, kind) in enumerate(step.values)]
        own = ["CAST(NULL AS VARCHAR) AS CustomerId", "CAST(NULL AS INTEGER) AS ordinal"]
        scalar = step.checked.shape == "scalar"
        sql = f"SELECT {', '.join(cells if scalar else [*own, *cells])}{'' if scalar else ' WHERE false'}"
        engine.build(Step(step.makes, Query(sql), step.why))
    else:
        try:
            answer = run_sql(step.checked, engine, step.moment)
        except ManualSqlError as error:
            raise ManualSqlError(list(error.problems), where=step.place) from None
        engine.load(step.makes, _named(answer, step))


def _named(answer: pa.Table, step: SqlStep) -> pa.Table:
    """Columns by their places: two names of an answer may differ in what a table takes for one."""
    values = [f"v{n}" for n in range(len(step.values))]
    return answer.rename_columns(values if step.checked.shape == "scalar" else [CUSTOMER_ID, *values, ORDINAL])


class ManualMeasures:
    """Checks the SQL of measures: one fenced process for all of them, begun with the first.

    base    the model without any measure
    """

    def __init__(self, engine: Engine, base: Model, measures: dict[str, Measure], clock: datetime) -> None:
        self._engine, self._base, self._clock = engine, base, clock
        self._project: Project = base.project
        self._hidden = {MEASURES.casefold(), *(own_table(n).casefold() for n in (*measures, *self._project.measures))}
        self._checker: Checker | None = None

    def close(self) -> None:
        """End the process."""
        if self._checker is not None:
            self._checker.close()

    def step(self, name: str, measure: Measure, makes: str) -> tuple[SqlStep, dict[str, Type]]:
        """What runs the SQL of a measure, and its columns with their types. QueryError with the measure's place."""
        place = f"measures.{name}.sql"
        checked = self._checked(measure, place)
        step = SqlStep(makes, checked, Moment(self._clock, self._base.timezone), place, f"{name} by SQL")
        columns = {column: _type(kind) for column, kind in step.values}
        if measure.kind == "customer":
            _check_names(columns, place)
        elif len(columns) > 1:
            hint = "write `kind: customer`" if measure.kind == "attribute" else "one measure for each"
            raise QueryError(f"it gives {len(columns)} values: {', '.join(columns)}", where=place, hint=hint)
        else:
            columns = dict(zip([name], columns.values(), strict=True))
        return step, columns

    def _checked(self, measure: Measure, place: str) -> CheckedSql:
        assert measure.sql is not None
        if self._checker is None:
            self._checker = Checker(self._engine, self._base)
        try:
            return self._checker.check(measure.sql, SHAPES[measure.kind])
        except ManualSqlError as error:
            raise ManualSqlError([self._said(p) for p in error.problems], where=place) from None

    def _said(self, problem: SqlProblem) -> SqlProblem:
        """Why a measure's table is not there."""
        named = problem.message.casefold()
        if problem.code == "entityNotFound" and any(f"table '{name}'" in named for name in self._hidden):
            return replace(problem, hint=NO_MEASURES)
        return problem


def _type(sql_type: str) -> Type:
    kind = INTEGER if sql_type == WIDE else type_of_sql(sql_type)
    assert kind is not None  # the check lets single values through only
    return kind


def _check_names(columns: dict[str, Type], place: str) -> None:
    """Columns of a table of its own are named as everything in a project is."""
    for column in columns:
        if column.casefold() in ALWAYS_THERE:
            raise QueryError(f"{column} is there already", where=place, hint="name it otherwise with AS")
        if not NAME.match(column):
            hint = "name it with AS: a letter, then letters, digits and underscores"
            raise QueryError(f"a column is called {column!r}", where=place, hint=hint)


def attribute_of_sql(part: str, sql: SqlStep, columns: dict[str, Type]) -> tuple[SqlStep | Step, ...]:
    """Steps that make a scratch table `part` of `ordinal` and the attribute."""
    query = Query(f"SELECT ordinal, {_cells(columns)} FROM {quote(sql.makes)}")
    return sql, Step(part, query, sql.why, (sql.makes,), releases=(sql.makes,))


def own_table_of_sql(
    name: str, measure: Measure, sql: SqlStep, columns: dict[str, Type]
) -> tuple[tuple[SqlStep | Step, ...], Made]:
    """Steps that make the measure's own table: of customers in their order, of the business one row."""
    customer = measure.kind == "customer"
    shown = f"{quote(CUSTOMER_ID)}, {ORDINAL}, {_cells(columns)}" if customer else _cells(columns)
    query = Query(f"SELECT {shown}\nFROM {quote(sql.makes)}{' ORDER BY ordinal' if customer else ''}")
    kept = Step(own_table(name), query, sql.why, (sql.makes,), keep=True, releases=(sql.makes,))
    return (sql, kept), Made(name, measure, own_table(name), columns)


def _cells(columns: dict[str, Type]) -> str:
    cast = {True: "TRY_CAST", False: "CAST"}
    cells = [f"{cast[kind == INTEGER]}(v{n} AS {kind.sql})" for n, kind in enumerate(columns.values())]
    return ", ".join(f"{cell} AS {quote(name)}" for cell, name in zip(cells, columns, strict=True))
