"""Measures as steps: what is made, in which order, with every problem of every measure.

at first  SQL of users                          measuring_sql_<n>    checked here, run by work_out
round 1   measures over rows        one pass per rows:  measuring_part_<n>   a column per calculation
          joined to Customer                            measuring_so_far_<n> all that is known of every customer
          values made of them                           measuring_part_<n>, joined again
round 2   measures that are made of those of round 1 …
at last   Customer_Measure                              the attributes, in the order of the project
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from segments.measures.grounds import Grounds
from segments.measures.known import Known, Made, without_measures
from segments.measures.manual import ManualMeasures, SqlStep, attribute_of_sql, own_table_of_sql
from segments.measures.names import SCRATCH, ingredient
from segments.measures.order import dependencies, rounds
from segments.measures.own_tables import own_table_steps, single_value_steps
from segments.measures.passes import Pass, Result, params_of, result_of_value
from segments.measures.templates import expanded
from segments.measures.trees import Ground, at_hand
from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, Model
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from segments.predicates.fields import Catalog, Table, Type
from segments.relationships import CUSTOMER
from unify.core.engine import Engine
from unify.core.errors import SpecError, UnifyError
from unify.core.names import quote
from unify.core.problems import Problem
from unify.core.steps import Query, Step
from unify.spec import Measure, Project


@dataclass(frozen=True)
class MeasurePlan:
    """Steps in order, and what they make. `customers`: the table of attributes, hidden columns too; "" without any."""

    steps: tuple[Step | SqlStep, ...]
    made: tuple[Made, ...]
    customers: str


def measure_plan(
    engine: Engine, project: Project, model: Model, *, clock: datetime, only: Mapping[str, Measure] | None = None
) -> MeasurePlan:
    """What makes the measures of a project, or `only` those given, which must hold all that they are made of.

    engine   on the generation; it is asked for columns of tables, where a measure is SQL
    What `only` gives becomes scratch tables: nothing is kept. Raises SpecError with one line per problem.
    """
    measures = expanded(project, project.measures if only is None else only)
    base = without_measures(model)
    manual = ManualMeasures(engine, base, measures, clock)
    try:
        return _Planner(base, measures, clock, manual, keep=only is None).plan()
    finally:
        manual.close()


class _Planner:
    """One planning. Steps are appended in the order in which they run."""

    def __init__(
        self, base: Model, measures: dict[str, Measure], clock: datetime, manual: ManualMeasures, *, keep: bool
    ) -> None:
        self.measures, self.clock, self.keep = measures, clock, keep
        self.known, self.manual = Known(base), manual
        self.grounds = Grounds(measures)
        self.own = frozenset(base.catalog.table(CUSTOMER).attributes)
        self.needs = {n: dependencies(m, measures, self.own) for n, m in measures.items()}
        self.steps: list[Step | SqlStep] = []
        self.problems: list[Problem] = []
        self.failed: set[str] = set()
        self._counts: dict[str, int] = {}

    def plan(self) -> MeasurePlan:
        """Raises SpecError with all problems."""
        for name in self.measures:
            with self._problems_of(name):
                self._check_names(name)
        for names in rounds(self.measures, self.own):
            self._round([n for n in names if self._can_be_made(n)])
        if self.problems:
            raise SpecError("\n".join(str(problem) for problem in self.problems))
        if self.keep:
            self._finish()
        return MeasurePlan(tuple(self.steps), tuple(self.known.made[n] for n in self.measures), self.known.table)

    def _round(self, names: list[str]) -> None:
        attributes = [n for n in names if self.measures[n].kind == "attribute"]
        parts = self._attributes_over_rows([n for n in attributes if self.measures[n].of is not None])
        parts |= self._attributes_of_sql([n for n in attributes if self.measures[n].sql is not None])
        for name in names:
            if name not in attributes:
                self._own_table(name)
        self._join(parts, [n for n in names if self._is_single_value_for_others(n)])
        values = [n for n in attributes if self.measures[n].function == "value"]
        self._join(self._values(values), [])
        for name in attributes:
            if name in self.known.columns:
                columns = {name: self.known.columns[name]}
                self.known.made[name] = Made(name, self.measures[name], MEASURES, columns)

    # ── problems ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _problems_of(self, name: str) -> Iterator[None]:
        """What is raised inside becomes a problem of the measure."""
        try:
            yield
        except UnifyError as error:
            self.failed.add(name)
            self.problems.append(Problem(error.where or f"measures.{name}", error.message, error.hint))

    def _can_be_made(self, name: str) -> bool:
        """Not when a measure that it is made of cannot: that one's problem is enough."""
        if self.needs[name] & self.failed:
            self.failed.add(name)
        return name not in self.failed

    def _check_names(self, name: str) -> None:
        measure, place, hint = self.measures[name], f"measures.{name}", "call it otherwise"
        if name in {**measure.by, **measure.calculate, **measure.variables}:
            raise SpecError(f"a part of it is called {name} too", where=place, hint=hint)
        folded = {own.casefold() for own in self.own}
        taken = [n for n in (name, *measure.calculate) if n.casefold() in folded]
        if measure.kind == "attribute" and taken:
            raise SpecError(f"Customer has a column {taken[0]}", where=place, hint=hint)

    def _scratch(self, what: str) -> str:
        self._counts[what] = self._counts.get(what, -1) + 1
        return f"{SCRATCH}{what}_{self._counts[what]}"

    def _add(self, steps: tuple[Step | SqlStep, ...]) -> None:
        """Steps, but those that were there before."""
        there = {step.makes for step in self.steps}
        self.steps += [step for step in steps if step.makes not in there]

    # ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _attributes_over_rows(self, names: list[str]) -> dict[str, list[Result]]:
        """Aggregates, one table per rows that are counted: table → its columns."""
        model = self.known.model()
        passes: dict[str, Pass] = {}
        results: dict[str, list[Result]] = {}
        for name in names:
            with self._problems_of(name):
                rows, ground = self.grounds.of(model, name)
                shared = passes.setdefault(rows.table, Pass(rows, self.clock))
                results.setdefault(rows.table, []).extend(self._ingredients(name, shared, ground))
        parts: dict[str, list[Result]] = {}
        for table, shared in passes.items():
            if results.get(table):
                self._add(shared.rows.steps)
                part = self._scratch("part")
                why = f"over {shared.rows.said}: {', '.join(shared.aggregates)}"
                self.steps.append(Step(part, shared.per_customer(), why, tuple(sorted(shared.compiler.reads))))
                parts[part] = results[table]
        return parts

    def _ingredients(self, name: str, shared: Pass, ground: Ground) -> list[Result]:
        measure, place = self.measures[name], f"measures.{name}"
        condition = shared.condition(self.grounds.condition(shared.rows, ground, name))
        return [
            shared.add(column if column == name else ingredient(name, column), spec, ground, condition,
                       place if column == name else f"{place}.calculate.{column}")
            for column, spec in measure.columns(name).items()
            if spec.function != "value"
        ]  # fmt: skip

    def _attributes_of_sql(self, names: list[str]) -> dict[str, list[Result]]:
        """A table for each: table → its one column."""
        parts: dict[str, list[Result]] = {}
        for name in names:
            with self._problems_of(name):
                sql, columns = self.manual.step(name, self.measures[name], self._scratch("sql"))
                part = self._scratch("part")
                self.steps += attribute_of_sql(part, sql, columns)
                parts[part] = [Result(name, kind) for kind in columns.values()]
        return parts

    def _values(self, names: list[str]) -> dict[str, list[Result]]:
        """Values made of what is known: all of them in one table."""
        trees: dict[str, tuple[p.Expr, Type]] = {}
        for name in names:
            with self._problems_of(name):
                trees[name] = self._value(name)
        if not trees:
            return {}
        catalog, view = self._customers()
        compiler = Compiler(catalog, view, self.clock)
        columns = [f"{compiler.value(tree)} AS {quote(name)}" for name, (tree, _) in trees.items()]
        ordinal = compiler.column(ORDINAL)
        sql = f"SELECT {', '.join([f'{ordinal} AS ordinal', *columns])}\nFROM {compiler.source}"
        part = self._scratch("part")
        why = f"made of what is known: {', '.join(trees)}"
        self.steps.append(Step(part, Query(sql, compiler.params), why, tuple(sorted(compiler.reads))))
        return {part: [Result(name, kind) for name, (_, kind) in trees.items()]}

    def _customers(self) -> tuple[Catalog, str]:
        """Customers side by side with what is known of them, so that one scan reads both: a catalog, and the view."""
        catalog, before = self.known.model().catalog, self.known.table
        if not before:
            return catalog, CUSTOMER
        view = self._scratch("customers")
        columns = ", ".join(f"s.{quote(n)}" for n in self.known.columns)
        sql = f"SELECT c.*, {columns} FROM {quote(CUSTOMER)} AS c JOIN {quote(before)} AS s ON s.ordinal = c.ordinal"
        why = "customers with what is known of them"
        self.steps.append(Step(view, Query(sql), why, (CUSTOMER, before), view=True))
        attributes = {**catalog.tables[before].attributes, **catalog.tables[CUSTOMER].attributes}
        relations = {(view, n): replace(r, from_table=view) for (t, n), r in catalog.relations.items() if t == CUSTOMER}
        tables = {**catalog.tables, view: Table(view, attributes)}
        return replace(catalog, tables=tables, relations={**catalog.relations, **relations}), view

    def _value(self, name: str) -> tuple[p.Expr, Type]:
        measure, place = self.measures[name], f"measures.{name}"
        ground = Ground(self.known.model(ingredients_of=name), CUSTOMER, CUSTOMER)
        for column, spec in measure.calculate.items():
            if spec.function == "value":
                ground.variables[column] = result_of_value(spec, ground, f"{place}.calculate.{column}")[0]
        tree, kind = result_of_value(measure, ground, place)
        return at_hand(tree, MEASURES, {c: ingredient(name, c) for c in measure.calculate}), kind

    def _join(self, parts: Mapping[str, list[Result]], singles: list[str]) -> None:
        """All that is known of every customer, with new columns and with single values that others need."""
        if not (parts or singles):
            return
        before, table = self.known.table, self._scratch("so_far")
        columns = ["c.ordinal", *(f"s.{quote(n)}" for n in self.known.columns)]
        joins = [f"LEFT JOIN {quote(before)} AS s ON s.ordinal = c.ordinal"] if before else []
        for number, (part, results) in enumerate(parts.items()):
            columns += [f"{r.finished(f'p{number}')} AS {quote(r.column)}" for r in results]
            joins.append(f"LEFT JOIN {quote(part)} AS p{number} ON p{number}.ordinal = c.ordinal")
            self.known.columns |= {r.column: r.kind for r in results}
        for number, name in enumerate(singles):
            columns.append(f"b{number}.{quote(name)}")
            joins.append(f"CROSS JOIN {quote(self.known.made[name].table)} AS b{number}")
            self.known.columns[name] = self.known.made[name].columns[name]
        params = params_of([r for results in parts.values() for r in results])
        sql = "\n".join([f"SELECT {', '.join(columns)}", f"FROM {quote(CUSTOMER)} AS c", *joins])
        releases = (*parts, *([before] if before else []))
        reads = (CUSTOMER, *releases, *(self.known.made[n].table for n in singles))
        self.steps.append(Step(table, Query(sql, params), "measures of every customer", reads, releases=releases))
        self.known.table = table

    def _finish(self) -> None:
        """Customer_Measure, and everything that nobody needs any more goes."""
        shown = [n for n, m in self.measures.items() if m.kind == "attribute"]
        if shown:
            columns = ", ".join(f"CAST(s.{quote(n)} AS {self.known.columns[n].sql}) AS {quote(n)}" for n in shown)
            sql = (
                f"SELECT c.{quote(CUSTOMER_ID)}, c.ordinal, {columns}\nFROM {quote(CUSTOMER)} AS c\n"
                f"JOIN {quote(self.known.table)} AS s ON s.ordinal = c.ordinal ORDER BY c.ordinal"
            )
            reads = (CUSTOMER, self.known.table)
            self.steps.append(Step(MEASURES, Query(sql), "measures of every customer", reads, keep=True))
        if self.steps:
            gone = {table for step in self.steps for table in step.releases}
            left = [s.makes for s in self.steps if not s.keep and not s.view and s.makes not in gone]
            last = self.steps[-1]
            self.steps[-1] = replace(last, releases=(*last.releases, *left))

    # ── tables of their own ──────────────────────────────────────────────────────────────────────────────────────────

    def _own_table(self, name: str) -> None:
        measure = self.measures[name]
        with self._problems_of(name):
            steps: tuple[Step | SqlStep, ...]
            if measure.sql is not None:
                sql, columns = self.manual.step(name, measure, self._scratch("sql"))
                steps, made = own_table_of_sql(name, measure, sql, columns)
            elif measure.of is None:
                singles = [self.known.made[n] for n in sorted(self.needs[name])]
                steps, made = single_value_steps(name, measure, singles, self.known.base, self.clock, self._scratch)
            else:
                rows, ground = self.grounds.of(self.known.model(), name)
                condition = self.grounds.condition(rows, ground, name)
                steps, made = own_table_steps(name, measure, rows, ground, condition, self.clock, self._scratch)
                steps = (*rows.steps, *steps)
            if not self.keep:
                steps = tuple(replace(s, keep=False) for s in steps)
            self.known.made[name] = made
            self._add(steps)

    def _is_single_value_for_others(self, name: str) -> bool:
        wanted = name in self.known.made and self.measures[name].scalar
        return wanted and any(name in needs for needs in self.needs.values())
