"""Who is meant: the records of a customer, what hangs on them, and the values that nobody else has."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ingest.labels import canonical, label_by_name
from segments.activities import UNIFIED
from segments.relationships import CUSTOMER
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.opened import Opened
from unify.spec import Project
from unify.verbs.odata import OData, model_on

LEAST: Final = 5
"""Characters of a value that is looked for inside other texts: shorter ones stand in too many by chance."""
LONG: Final = 20
"""The same in a column whose name tells nothing of a person: what is so long is a text about somebody."""
TELLING: Final = frozenset((
    "Person.FullName", "Identity.Service.Email", "Identity.Service.Phone", "Identity.Service.Facebook",
    "Identity.Service.Twitter", "Identity.GovernmentID", "Location.Address", "Location.AddressStreet",
))  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One customer.

    id        its CustomerId; `ids` with those that became it; `ordinals` of all of them
    records   entity → keys of what conflation made one
    related   entity → keys of rows that hang on those: activities, and whatever a relationship leads from
    values    keys and telling texts of all these rows that stand in no row of anybody else
    """

    id: str
    ids: tuple[str, ...]
    ordinals: tuple[int, ...]
    records: Mapping[str, tuple[str, ...]]
    related: Mapping[str, tuple[str, ...]]
    values: frozenset[str]

    @property
    def rows(self) -> dict[str, tuple[str, ...]]:
        """Entity → keys, of all."""
        both = {**self.related}
        for entity, keys in self.records.items():
            both[entity] = tuple(sorted({*keys, *both.get(entity, ())}))
        return both


def person(acme: Opened, customer: str) -> Person:
    """By CustomerId, a retired one, or a record; QueryError for nobody."""
    id_ = acme.customer_id(customer)
    engine = acme.engine()
    sql = 'SELECT "CustomerId", ordinal FROM customer_ids WHERE "CustomerId" = $id OR successor = $id ORDER BY ordinal'
    known = engine.fetch(Query(sql, {"id": id_})).to_pylist()
    sql = 'SELECT entity, key FROM members WHERE "CustomerId" = $id ORDER BY entity, key'
    records = _grouped(engine.fetch(Query(sql, {"id": id_})).to_pylist())
    related = _related(acme, id_, records)
    made = Person(
        id_, tuple(r["CustomerId"] for r in known), tuple(r["ordinal"] for r in known), records, related, frozenset()
    )
    return replace(made, values=_own_values(acme, made))


def rows_of(acme: Opened, entity: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """Whole rows of an entity by key, in the order of the keys."""
    key = quote(acme.project().entity(entity).key)
    sql = f"FROM {quote(table_of(entity))} WHERE list_contains($keys, CAST({key} AS VARCHAR)) ORDER BY {key}"
    return list(acme.engine().fetch(Query(sql, {"keys": list(keys)})).to_pylist())


def _related(acme: Opened, id_: str, records: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Activities of the timeline, and rows of every entity that one way only leads from to a customer."""
    engine, project = acme.engine(), acme.project()
    model = model_on(engine)
    found: dict[str, set[str]] = {}
    entities = {table_of(name): name for name in project.entities}
    if UNIFIED in model.catalog.tables:
        sql = f'SELECT "SourceTableName" AS t, "SourceActivityId" AS k FROM {UNIFIED} WHERE "CustomerId" = $id'
        for row in engine.fetch(Query(sql, {"id": id_})).to_pylist():
            found.setdefault(entities[row["t"]], set()).add(row["k"])
    for table, entity in sorted(model.entities.items()):
        if entity in records or (table, CUSTOMER) not in {*model.shortcuts, *model.catalog.relations}:
            continue
        key = project.entity(entity).key
        answer = OData(acme, page_size=10_000).ask(f"{table}?$filter=Customer/CustomerId eq '{id_}'&$select={key}")
        while True:
            found.setdefault(entity, set()).update(str(row[key]) for row in answer.value)
            if answer.follow is None:
                break
            answer = answer.follow()
    return {entity: tuple(sorted(keys)) for entity, keys in sorted(found.items()) if keys}


def _own_values(acme: Opened, who: Person) -> frozenset[str]:
    """What tells this person from everybody: keys, and texts that are somebody's by their label, their column's name or
    their length. Whatever stands in a row of somebody else too, in whichever column, is left alone."""
    engine, project = acme.engine(), acme.project()
    found = {key for keys in who.rows.values() for key in keys if len(key) >= LEAST}
    tables = {name: engine.columns(table_of(name)) for name in project.entities if table_of(name) in engine.tables()}
    for entity, keys in who.rows.items():
        for column in (c for c, kind in tables[entity].items() if kind == "VARCHAR"):
            label = project.entity(entity).labels.get(column)
            telling = (canonical(label) if label is not None else label_by_name(column)) in TELLING
            least = LEAST if telling else LONG
            sql = f"SELECT DISTINCT {quote(column)} AS v FROM {_theirs(project, entity)} AND length(v) >= {least}"
            found |= set(engine.fetch(Query(sql, {"keys": list(keys)})).column(0).to_pylist())
    for entity, columns in tables.items():
        mine = {"keys": list(who.rows.get(entity, ())), "found": sorted(found)}
        for column in (c for c, kind in columns.items() if kind == "VARCHAR"):
            others = _theirs(project, entity, no=True)
            sql = f"SELECT DISTINCT {quote(column)} AS v FROM {others} AND list_contains($found, v)"
            found -= set(engine.fetch(Query(sql, mine)).column(0).to_pylist()) if found else set()
    return frozenset(found)


def _theirs(project: Project, entity: str, *, no: bool = False) -> str:
    key = f"CAST({quote(project.entity(entity).key)} AS VARCHAR)"
    return f"{quote(table_of(entity))} WHERE {'NOT ' if no else ''}list_contains($keys, {key})"


def _grouped(rows: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["entity"], []).append(row["key"])
    return {entity: tuple(keys) for entity, keys in found.items()}
