"""The model of a generation: every table a question may be about, and how rows of one lead to rows of another.

    Customer ──UnifiedActivity, Customer_Measure──▶ …           by ordinal, as Measure_<name> of customers
    Customer ──crm_Contacts──▶ records of the customer          through members, alternates and merged ones too
    crm_Contacts ──Customer──▶ the customer of a record         through members; each record has one
    web_Orders ──<relationship>──▶ crm_Contacts, and back       by the relationship's own name, both ways
    Customer ──web_Orders──▶                                    a shortcut: the path of relations that leads there
    web_Orders ──Customer──▶                                    a shortcut: the same path back

Shortcuts are names for paths, where one path only leads from an entity to its customer; and measures may be named as if
they were columns of Customer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from segments.activities import UNIFIED
from segments.predicates.fields import Attribute, Catalog, Relation, Table, Type
from segments.relationships import CUSTOMER, RelationshipGraph
from unify.core.engine import Engine
from unify.core.errors import QueryError, SpecError, did_you_mean
from unify.core.names import table_of
from unify.spec import Project

MEASURES = "Customer_Measure"
ORDINAL = "ordinal"
CUSTOMER_ID = "CustomerId"


@dataclass(frozen=True)
class Model:
    """What questions about one generation may name.

    catalog    tables, relations, segments
    shortcuts  (table, name) → the path of relations it stands for
    keys       table → the column that tells its rows apart; tables without one are not in it
    entities   table → the entity it holds, e.g. `crm_Contacts` → `crm.Contacts`
    timezone   of dates and times of day, unless a question says another
    searched   table → attributes that `$search` looks at; of other tables: every one that holds text
    """

    catalog: Catalog
    project: Project
    shortcuts: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    entities: Mapping[str, str] = field(default_factory=dict)
    timezone: str = "UTC"
    searched: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def with_segments(self, segments: Mapping[str, str]) -> "Model":
        """The same, with segment → table of its members (one column, `ordinal`)."""
        return replace(self, catalog=replace(self.catalog, segments=segments))

    def relations(self, table: str) -> list[str]:
        """Names by which related rows are reached from a table, shortcuts included, sorted."""
        own = {name for start, name in self.catalog.relations if start == table}
        return sorted(own | {name for start, name in self.shortcuts if start == table})

    def path(self, table: str, names: tuple[str, ...], where: str = "") -> tuple[str, ...]:
        """The path of relations that names stand for, shortcuts resolved; QueryError for one that leads nowhere."""
        found: list[str] = []
        for name in names:
            steps = (name,) if (table, name) in self.catalog.relations else self.shortcuts.get((table, name))
            if steps is None:
                hint = did_you_mean(name, self.relations(table))
                raise QueryError(f"{table} has no relation {name!r}", where=where, hint=hint)
            found += steps
            table = self.end(table, steps)
        return tuple(found)

    def end(self, table: str, path: tuple[str, ...]) -> str:
        """The table that a path of relations leads to."""
        steps = self.catalog.path(table, path)
        return steps[-1].to_table if steps else table

    def is_many(self, table: str, path: tuple[str, ...]) -> bool:
        """Whether a row may meet several rows at the end of a path."""
        return any(step.many for step in self.catalog.path(table, path))

    def attribute(self, table: str, name: str, where: str = "") -> tuple[tuple[str, ...], Attribute, Type]:
        """An attribute by name: the path to it (a measure of Customer has one), what it is, and its type.

        QueryError for an unknown one, with the nearest known name, and for lists and structs.
        """
        here = self.catalog.table(table, where)
        measures = self.catalog.tables.get(MEASURES)
        if name not in here.attributes and table == self.catalog.customers and measures is not None:
            if name in measures.attributes:
                return ((MEASURES,), *measures.attribute(name, where))
            known = [*here.attributes, *measures.attributes]
            raise QueryError(f"{table} has no attribute {name!r}", where=where, hint=did_you_mean(name, known))
        return ((), *here.attribute(name, where))


def model_of(engine: Engine, project: Project, *, segments: Mapping[str, str] | None = None) -> Model:
    """The model of the generation an engine is on. QueryError when there are no customers in it."""
    tables = {table.name: table for table in _tables(engine, project)}
    if CUSTOMER not in tables:
        raise QueryError("there are no customers yet", hint="the project needs a conflation plan; then `unify run`")
    relations = [r for r in _relations(project, tables) if r.from_table in tables and r.to_table in tables]
    entities = {table_of(name): name for name in project.entities if table_of(name) in tables}
    keys = {table: project.entity(name).key for table, name in entities.items()}
    origins = _origins(project, tables)
    keys |= {CUSTOMER: CUSTOMER_ID, UNIFIED: "ActivityId", MEASURES: CUSTOMER_ID}
    catalog = replace(Catalog.of(tables.values(), relations, customers=CUSTOMER, segments=segments), origins=origins)
    return Model(
        catalog=catalog,
        project=project,
        shortcuts=dict(_shortcuts(project, catalog)),
        keys={table: key for table, key in keys.items() if table in tables},
        entities=entities,
        timezone=project.timezone,
    )


def _tables(engine: Engine, project: Project) -> Iterator[Table]:
    measured = [own_table(name) for name, m in project.measures.items() if m.kind != "attribute"]
    for name in (CUSTOMER, UNIFIED, MEASURES, *map(table_of, project.entities), *measured):
        try:
            columns = engine.columns(name)
        except KeyError:
            continue  # nothing conflated yet, or no measures
        yield Table.of_columns(name, columns, id=ORDINAL if name == CUSTOMER else "")


def reverse_name(project: Project, relationship: str) -> str:
    """What a relationship is called when it is walked from the referred-to entity: the same, unless both are one."""
    r = project.relationships[relationship]
    return f"{relationship}_reverse" if r.from_entity == r.to_entity else relationship


def _relations(project: Project, tables: Mapping[str, Table]) -> Iterator[Relation]:
    yield Relation(UNIFIED, CUSTOMER, ORDINAL, UNIFIED, ORDINAL)
    yield Relation(CUSTOMER, UNIFIED, ORDINAL, CUSTOMER, ORDINAL, many=False)
    yield Relation(MEASURES, CUSTOMER, ORDINAL, MEASURES, ORDINAL, many=False)
    yield Relation(CUSTOMER, MEASURES, ORDINAL, CUSTOMER, ORDINAL, many=False)
    for table in (own_table(name) for name, m in project.measures.items() if m.kind == "customer"):
        yield Relation(table, CUSTOMER, ORDINAL, table, ORDINAL)
        yield Relation(CUSTOMER, table, ORDINAL, CUSTOMER, ORDINAL, many=False)
    graph = RelationshipGraph(project)
    if CUSTOMER in tables:
        for entity in graph.profiles:
            table, key = table_of(entity), project.entity(entity).key
            yield Relation(table, CUSTOMER, ORDINAL, table, key, through=entity)
            if CUSTOMER not in project.relationships:
                yield Relation(CUSTOMER, table, key, CUSTOMER, ORDINAL, many=False, record_of=entity)
    seen: set[str] = set()
    for hop in graph.hops:
        if hop.system:
            continue
        name = reverse_name(project, hop.relationship) if hop.relationship in seen else hop.relationship
        seen.add(hop.relationship)
        start, end = table_of(hop.from_entity), table_of(hop.to_entity)
        yield Relation(name, start, hop.from_attribute, end, hop.to_attribute, many=not hop.to_one)


def _origins(project: Project, tables: Mapping[str, Table]) -> dict[tuple[str, str], Relation]:
    """From an activity to the row it was made of, under a name that nobody can write."""
    found: dict[tuple[str, str], Relation] = {}
    for activity in project.activities.values():
        table = table_of(activity.entity)
        if activity.timeline and table in tables and UNIFIED in tables:
            name, key = origin_name(table), project.entity(activity.entity).key
            found[UNIFIED, name] = Relation(name, UNIFIED, "SourceActivityId", table, key, many=False, made_of=table)
    return found


def origin_name(table: str) -> str:
    """What the relation from an activity to its own row in a table is called in paths."""
    return f"row of {table}"


def _shortcuts(project: Project, catalog: Catalog) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    """Of entities that one path only leads to from Customer: the path, and the path back."""
    graph = RelationshipGraph(project)
    for entity in project.entities:
        table = table_of(entity)
        if entity in graph.profiles or table not in catalog.tables:
            continue
        try:
            way = graph.path_to_customer(entity)
        except SpecError:
            continue  # none, or several: then the relations are named one by one
        down = [reverse_name(project, hop.relationship) for hop in reversed(way[:-1])]
        path = (table_of(way[-1].from_entity), *down)
        if (CUSTOMER, table) not in catalog.relations and not _broken(catalog, CUSTOMER, path):
            yield (CUSTOMER, table), path
        back = tuple(hop.relationship for hop in way[:-1])
        # A relationship of that name leads where its owner says.
        if CUSTOMER not in project.relationships and not _broken(catalog, table, (*back, CUSTOMER)):
            yield (table, CUSTOMER), (*back, CUSTOMER)


def _broken(catalog: Catalog, start: str, path: tuple[str, ...]) -> bool:
    try:
        catalog.path(start, path)
    except QueryError:
        return True  # an entity on the way has not been ingested
    return False


def own_table(measure: str) -> str:
    """The table of a measure that is no attribute of customers.

    >>> own_table("Revenue")
    'Measure_Revenue'
    """
    return f"Measure_{measure}"
