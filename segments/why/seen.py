"""What one customer has: values of expressions, the related rows behind aggregates. The SQL of a run, for one id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import Bound, bind
from segments.predicates.compile import Compiler
from segments.predicates.sentence import sentence
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.segment_explanations import SeenRow, SeenRows
from unify.core.steps import Query

TOGETHER = 16
"""Expressions of one SELECT: DuckDB plans 16 subqueries in 30 ms, 100 in 2 s."""
MOST_VALUES = 8
"""Columns of a related row that are shown."""
RowNode = p.Exists | p.Aggregate


@dataclass(frozen=True)
class OneCustomer:
    """A customer of a generation: `ordinal` is of the table of customers. `clock`: the run's moment."""

    engine: Engine
    model: Model
    ordinal: int
    clock: datetime

    @property
    def table(self) -> str:
        """The table of customers."""
        return self.model.catalog.customers

    def values(self, exprs: Sequence[p.Expr]) -> dict[p.Expr, Any]:
        """Every expression with its value, null as None. Empty when there is no such customer."""
        found: dict[p.Expr, Any] = {}
        todo = list(dict.fromkeys(exprs))
        for start in range(0, len(todo), TOGETHER):
            batch = todo[start : start + TOGETHER]
            compiler = Compiler(self.model.catalog, self.table, self.clock)
            columns = [f"{compiler.value(e)} AS v{i}" for i, e in enumerate(batch)]
            key = compiler.column(self.model.catalog.table(self.table).id)
            sql = f"SELECT {', '.join(columns)} FROM {compiler.source} WHERE {key} = $ordinal"
            for row in self.engine.fetch(Query(sql, {**compiler.params, "ordinal": self.ordinal})).to_pylist()[:1]:
                found |= {e: _plain(row[f"v{i}"]) for i, e in enumerate(batch)}
        return found

    def customer_id(self) -> str | None:
        """Its CustomerId; None when there is no customer of that ordinal."""
        sql = f"SELECT CustomerId FROM {quote(self.table)} WHERE ordinal = $ordinal"
        rows = self.engine.fetch(Query(sql, {"ordinal": self.ordinal})).column(0).to_pylist()
        return str(rows[0]) if rows else None

    def records(self, customer_id: str) -> dict[str, str]:
        """Column to the record that gave its value, `crm.Contacts:C-1`."""
        try:
            self.engine.columns("customer_lineage")
        except KeyError:
            return {}
        sql = 'SELECT "column", entity, key FROM customer_lineage WHERE CustomerId = $id'
        rows = self.engine.fetch(Query(sql, {"id": customer_id})).to_pylist()
        return {row["column"]: f"{row['entity']}:{row['key']}" for row in rows}

    def related(self, node: RowNode, value: Any, limit: int) -> SeenRows:
        """The rows behind an Exists or Aggregate that starts at the customer: counts, and the first `limit`."""
        reader = _Rows(self.model.catalog, self.table, self.clock)
        query, labels, said = reader.query(node, self.model, self.ordinal, limit)
        rows = self.engine.fetch(query).to_pylist()
        end = self.model.end(self.table, node.path)
        entity = self.model.entities.get(end, end)
        return SeenRows(
            sentence=sentence(node),
            table=entity,
            value=value,
            reached=rows[0]["reached"] if rows else 0,
            matching=rows[0]["matching"] if rows else 0,
            rows=[_row(row, entity, labels, said) for row in rows],
        )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _row(row: dict[str, Any], entity: str, labels: Sequence[str], said: Sequence[str]) -> SeenRow:
    return SeenRow(
        key="" if row["key"] is None else f"{entity}:{row['key']}",
        matches=row["matches"],
        values={label: _plain(row[f"c{i}"]) for i, label in enumerate(labels)},
        fails=[words for i, words in enumerate(said) if row[f"p{i}"] is not True],
    )


class _Rows(Compiler):
    """The SELECT of the rows at the end of a path, with the truth of each part of their condition."""

    def query(self, node: RowNode, model: Model, ordinal: int, limit: int) -> tuple[Query, list[str], list[str]]:
        """The SELECT; names of its columns `c0`, `c1`, …; sentences of the parts `p0`, `p1`, ….

        Order: what matches, then what fails the fewest parts, then by key and shown values.
        """
        bound = bind(node, model.catalog, self._scopes[0].table.name)
        condition = bound.args[-1]
        parts = condition.args if isinstance(condition.expr, p.And) and not condition.constant else (condition,)
        values = bound.args[:-1]
        sources, links, end = self._walk(self._scopes[0], bound.steps)
        shown = list({field.expr: field for part in (*values, condition) for field in _own(part)}.values())[
            :MOST_VALUES
        ]
        self._scopes.append(end)
        truths = [self._sql(part) for part in parts]
        columns = [self._sql(field) for field in shown]
        self._scopes.pop()
        key = model.keys.get(end.table.name)
        made = [
            f"{f'CAST({end.column(key)} AS VARCHAR)' if key else 'CAST(NULL AS VARCHAR)'} AS key",
            *(f"{sql} AS p{i}" for i, sql in enumerate(truths)),
            *(f"{sql} AS c{i}" for i, sql in enumerate(columns)),
        ]
        outer = self._scopes[0]
        inner = f"SELECT {', '.join(made)} FROM {', '.join([*sources, end.source])} WHERE {' AND '.join(links)}"
        holds = " AND ".join(f"coalesce(p{i}, FALSE)" for i in range(len(truths)))
        passed = " + ".join(f"CAST(coalesce(p{i}, FALSE) AS INTEGER)" for i in range(len(truths)))
        order = ", ".join(["matches DESC", "passed DESC", "key", *(f"c{i}" for i in range(len(columns)))])
        sql = (
            "SELECT *, count(*) OVER () AS reached, count(*) FILTER (WHERE matches) OVER () AS matching FROM ("
            f"SELECT r.*, ({holds}) AS matches, ({passed}) AS passed FROM {outer.source}, LATERAL ({inner}) AS r "
            f"WHERE {outer.column(outer.table.id)} = $ordinal) AS rows ORDER BY {order} LIMIT {int(limit)}"
        )
        labels = [_label(field) for field in shown]
        said = [sentence(_expr(part)) for part in parts]
        return Query(sql, {**self.params, "ordinal": ordinal}), labels, said


def _own(bound: Bound) -> Iterator[Bound]:
    """The attributes of the related row itself that a condition or value looks at."""
    if isinstance(bound.expr, p.Field):
        if bound.expr.up == 0:
            yield bound
    elif not isinstance(bound.expr, (p.Exists, p.Aggregate)):
        for arg in bound.args:
            yield from _own(arg)


def _label(bound: Bound) -> str:
    assert isinstance(bound.expr, p.Field)
    return ".".join([*bound.expr.path, bound.expr.name])


def _expr(bound: Bound) -> p.Expr:
    """The expression of a bound part; what the binder put around it adds nothing to its sentence."""
    while not isinstance(bound.expr, p.Expr):
        bound = bound.args[0]
    return bound.expr
