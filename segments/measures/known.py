"""What is known about customers and the business while measures are worked out, as a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from segments.measures.names import HIDDEN
from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, Model, own_table
from segments.predicates.fields import INTEGER, STRING, Attribute, Relation, Table, Type
from segments.relationships import CUSTOMER
from unify.spec import Measure


@dataclass(frozen=True)
class Made:
    """A measure's result: the table, and its dimensions and columns with their types."""

    name: str
    measure: Measure
    table: str
    columns: Mapping[str, Type]
    dimensions: Mapping[str, Type] = field(default_factory=dict)


@dataclass
class Known:
    """Grows from round to round.

    base       the model without any measure
    made       results so far
    table      one row per customer with all that is known of it: `columns`, hidden ones and single values too
    """

    base: Model
    made: dict[str, Made] = field(default_factory=dict)
    table: str = ""
    columns: dict[str, Type] = field(default_factory=dict)

    def model(self, ingredients_of: str = "") -> Model:
        """Everything that expressions can name now; a measure's ingredients go by their own names."""
        tables, relations = dict(self.base.catalog.tables), dict(self.base.catalog.relations)
        for made in self.made.values():
            if made.measure.kind != "attribute":
                _add_own_table(tables, relations, made)
        if self.table:
            shown = {n: t for n, t in self.columns.items() if HIDDEN not in n}
            begin = f"{ingredients_of}{HIDDEN}"
            shown |= {n.removeprefix(begin): t for n, t in self.columns.items() if n.startswith(begin)}
            attributes = _attributes({ORDINAL: INTEGER, **shown})
            tables[MEASURES] = Table(MEASURES, attributes)
            tables[self.table] = Table(self.table, {**attributes, **_attributes(self.columns)})
            relations[CUSTOMER, MEASURES] = Relation(MEASURES, CUSTOMER, ORDINAL, self.table, ORDINAL, many=False)
        return replace(self.base, catalog=replace(self.base.catalog, tables=tables, relations=relations))


def without_measures(model: Model) -> Model:
    """The model before there are measures: those of the generation at hand would be taken for new ones."""
    gone = {MEASURES, *map(own_table, model.project.measures)}
    relations = {k: r for k, r in model.catalog.relations.items() if not gone & {r.from_table, r.to_table}}
    tables = {n: t for n, t in model.catalog.tables.items() if n not in gone}
    return replace(model, catalog=replace(model.catalog, tables=tables, relations=relations))


def with_table(model: Model, name: str, columns: Mapping[str, Type]) -> Model:
    """The model with a table of results."""
    tables = {**model.catalog.tables, name: Table(name, _attributes(columns))}
    return replace(model, catalog=replace(model.catalog, tables=tables))


def _attributes(columns: Mapping[str, Type]) -> dict[str, Attribute]:
    return {n: Attribute(n, t, t.sql) for n, t in columns.items()}


def _add_own_table(tables: dict[str, Table], relations: dict[tuple[str, str], Relation], made: Made) -> None:
    known: dict[str, Type] = {**made.dimensions, **made.columns}
    if made.measure.kind == "customer":
        known = {CUSTOMER_ID: STRING, ORDINAL: INTEGER, **known}
        relations[CUSTOMER, made.table] = Relation(made.table, CUSTOMER, ORDINAL, made.table, ORDINAL)
        relations[made.table, CUSTOMER] = Relation(CUSTOMER, made.table, ORDINAL, CUSTOMER, ORDINAL, many=False)
    tables[made.table] = Table(made.table, _attributes(known))
