"""How much of a person each column tells, and on from the sources to Customer.

labels, pii of an entity ──▶ (crm_Contacts, EMail) ──what feeds──▶ (Customer, EMail) ◀── pii of a resolution
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ingest.labels import canonical, label_by_name
from segments.model import CUSTOMER_ID, ORDINAL
from segments.relationships import CUSTOMER
from unify.conflation.columns import key_names, unified_columns
from unify.core.engine import Engine
from unify.core.errors import SpecError
from unify.core.names import table_of
from unify.spec import Entity, Project

Place = tuple[str, str]
"""(table, column)."""
Kind = Literal["email", "phone", "name", "address", "birthdate", "id", "other"]

KINDS: Final[Mapping[str, Kind]] = {
    "Person.FullName": "name", "Person.FirstName": "name", "Person.MiddleName": "name", "Person.LastName": "name",
    "Person.BirthDate": "birthdate", "Person.ProfileImage": "other",
    "Identity.Service.Email": "email", "Identity.Service.Phone": "phone", "Identity.Service.Facebook": "other",
    "Identity.Service.Twitter": "other", "Identity.GovernmentID": "id",
    "Location.Address": "address", "Location.AddressStreet": "address", "Location.PostalCode": "address",
    "Location.Latitude": "address", "Location.Longitude": "address", "Location.Point": "address",
}  # fmt: skip
"""Labels that say a column is about a person. A city, a state or a gender alone finds nobody."""
CLASSES: Final = ("pii", "sensitive", "email", "phone", "name", "address", "birthdate", "id", "other")
"""Words for columns that somebody may see in clear: both classes, and the kinds of `pii`."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a column tells. `kind` chooses the mask."""

    pii: Literal["pii", "sensitive"]
    kind: Kind = "other"

    def seen_by(self, words: frozenset[str]) -> bool:
        """Whether somebody to whom these words are clear sees it in clear; `pii` alone does not open `sensitive`."""
        return self.pii in words or (self.pii == "pii" and self.kind in words)


@dataclass(frozen=True)
class Schema:
    """The columns of one generation with what they mean.

    columns  table → column → SQL type, of what a model may be about
    feeds    (Customer, column) → the source columns that feed it
    told     columns that tell of a person
    """

    project: Project
    columns: Mapping[str, Mapping[str, str]]
    feeds: Mapping[Place, tuple[Place, ...]]
    told: Mapping[Place, Told]


def schema_of(engine: Engine, project: Project, tables: Mapping[str, Mapping[str, str]]) -> Schema:
    """The schema of the generation that an engine shows whole; `tables`: table → columns."""
    feeds = dict(_feeds(engine, project)) if CUSTOMER in tables else {}
    told = dict(_of_entities(project, tables))
    for place, sources in feeds.items():
        found = [told[s] for s in sources if s in told]
        if found:
            told[place] = max(found, key=lambda t: (t.pii == "sensitive", t.kind))
    declared = _declared(project, told)
    return Schema(project, tables, feeds, {place: t for place, t in declared.items() if t is not None})


def _of_entities(project: Project, tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[Place, Told]]:
    for name, entity in project.entities.items():
        table = table_of(name)
        for column, sql_type in tables.get(table, {}).items():
            kind = None if sql_type == "BOOLEAN" else KINDS.get(_label(entity, column))
            said = entity.pii.get(column, "pii" if kind else "none")
            if said != "none":
                yield (table, column), Told(said, kind or "other")


def _label(entity: Entity, column: str) -> str:
    """Declared, or what the name says: a column that nobody looked at is rather masked than shown."""
    return canonical(entity.labels[column]) if column in entity.labels else label_by_name(column)


def _declared(project: Project, told: dict[Place, Told]) -> dict[Place, Told | None]:
    """With what resolutions say of their columns."""
    found: dict[Place, Told | None] = dict(told)
    for name, resolution in project.resolution.items():
        for column in resolution.group or (name,) if resolution.pii else ():
            place = (CUSTOMER, column)
            old = told.get(place)
            kind = old.kind if old is not None else "other"
            found[place] = None if resolution.pii == "none" else Told(resolution.pii, kind)  # type: ignore[arg-type]
    return found


def _feeds(engine: Engine, project: Project) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """What feeds each column of Customer; every source column of a table that was made by another plan."""
    schemas = {}
    for name in project.entities:
        try:
            schemas[name] = engine.columns(table_of(name))
        except KeyError:
            continue
    try:
        columns = unified_columns(project, schemas)
    except (SpecError, KeyError):  # ingested by one plan, conflated by another
        everything = tuple((table_of(n), column) for n, columns in schemas.items() for column in columns)
        for column in engine.columns(CUSTOMER):
            if column not in (CUSTOMER_ID, ORDINAL):
                yield (CUSTOMER, column), everything
        return
    for unified in columns.columns:
        yield (CUSTOMER, unified.name), tuple((table_of(f.entity), f.column) for f in unified.feeds)


def key_columns(project: Project) -> dict[Place, tuple[Place, ...]]:
    """Key of an entity → the two columns of Customer that hold keys of its records."""
    if project.conflation is None:
        return {}
    return {
        (table_of(entity), project.entity(entity).key): tuple((CUSTOMER, name) for name in names)
        for entity, names in key_names(project).items()
    }
