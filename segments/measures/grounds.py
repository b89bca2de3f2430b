"""What the expressions of a measure over rows are about, and which of its rows count."""

from collections.abc import Iterator, Mapping

from segments.measures.names import table_of_rows
from segments.measures.order import texts
from segments.measures.rows import Rows, customers_rows, plain_rows, rows_with_customer
from segments.measures.trees import Ground, paths, within
from segments.model import Model
from segments.predicates import tree as p
from segments.relationships import CUSTOMER
from unify.core.errors import QueryError
from unify.spec import Measure


class Grounds:
    """The same rows get the same scratch tables, whichever measure asks."""

    def __init__(self, measures: Mapping[str, Measure]) -> None:
        self.measures = measures
        self._numbers: dict[tuple[str, tuple[str, ...], bool], int] = {}

    def of(self, model: Model, name: str) -> tuple[Rows, Ground]:
        """The rows of a measure, and what expressions about them may name. QueryError."""
        measure, place = self.measures[name], f"measures.{name}"
        assert measure.of is not None
        table = table_of_rows(model, measure.of, self.measures, f"{place}.of")
        business = measure.kind == "business"
        number = self._numbers.setdefault((table, measure.path, business), len(self._numbers))
        find = rows_with_customer if business else customers_rows
        rows = find(model, table, measure.path, number, place)
        ground = self._ground(rows, name)
        if business and not any(CUSTOMER in paths(tree) for tree in self._trees(ground, name)):
            rows = plain_rows(model, table)  # nobody asks whose they are
            ground = self._ground(rows, name)
        return rows, ground

    def condition(self, rows: Rows, ground: Ground, name: str) -> p.Expr:
        """Which of the rows count. QueryError."""
        measure, place = self.measures[name], f"measures.{name}"
        parts = [] if measure.where is None else [ground.condition(measure.where, f"{place}.where")]
        if measure.period is not None:
            where = f"{place}.period"
            if not rows.time:
                hint = "the entity needs a `timestamp`; or say it with `where`"
                raise QueryError(f"{rows.said} has no timestamp", where=where, hint=hint)
            kind = ground.value(rows.time, where)[1]
            parts.append(within(rows.time, kind, measure.period, ground.model.timezone, where))
        return parts[0] if len(parts) == 1 else p.And(tuple(parts))

    def _ground(self, rows: Rows, name: str) -> Ground:
        ground = Ground(rows.model, rows.table, rows.said)
        for variable, spec in self.measures[name].variables.items():
            ground.add(variable, spec, f"measures.{name}.variables.{variable}")
        return ground

    def _trees(self, ground: Ground, name: str) -> Iterator[p.Expr]:
        """Everything that a measure says about its rows."""
        measure = self.measures[name]
        yield from ground.variables.values()
        if measure.where is not None:
            yield ground.condition(measure.where, f"measures.{name}.where")
        for place, text in texts(measure):
            if place and not place.startswith("where"):
                yield ground.value(text, f"measures.{name}.{place}")[0]
