"""The model as definitions that can be walked: tables, and from each its columns, keys and relationships."""

from collections.abc import Callable, Iterable

from unify.dataverse.model import AttributeModel, ManyToMany, Model, OneToMany, TableModel
from unify.service.dataverse.metadata import attributes, entities, relations
from unify.service.dataverse.metadata.asked import Thing

ENTITY = "EntityMetadata"
ATTRIBUTE = "AttributeMetadata"
KEY = "EntityKeyMetadata"
RELATIONSHIP = "RelationshipMetadataBase"
OPTIONS = "OptionSetMetadataBase"


def tables(model: Model) -> list[Thing]:
    """All, by logical name."""
    return [table(model, model.tables[name]) for name in sorted(model.tables)]


def table(model: Model, one: TableModel) -> Thing:
    """One, with what hangs on it."""
    links: dict[str, Callable[[], list[Thing] | Thing | None]] = {
        "Attributes": lambda: columns(one),
        "Keys": lambda: [Thing(KEY, KEY, relations.key(one, key)) for key in one.keys.values()],
        "OneToManyRelationships": lambda: related(each for each in model.one_to_many if each.referenced == one.name),
        "ManyToOneRelationships": lambda: related(each for each in model.one_to_many if each.referencing == one.name),
        "ManyToManyRelationships": lambda: related(
            each for each in model.many_to_many if one.name in (each.first, each.second)
        ),
        "Settings": list,
    }
    return Thing(ENTITY, ENTITY, entities.entity(one), links)


def columns(one: TableModel) -> list[Thing]:
    """Of a table, in their order."""
    return [_column(one, each, place) for place, each in enumerate(one.attributes.values(), start=1)]


def _column(one: TableModel, column: AttributeModel, place: int) -> Thing:
    values = attributes.attribute(one, column, place)
    links: dict[str, Callable[[], list[Thing] | Thing | None]] = {}
    if column.type in attributes.WITH_OPTIONS:
        links = {"OptionSet": lambda: _options(one, column), "GlobalOptionSet": lambda: None}
    return Thing(attributes.kind_of(column), ATTRIBUTE, values, links)


def _options(one: TableModel, column: AttributeModel) -> Thing | None:
    values = attributes.option_set(one, column)
    kind = "BooleanOptionSetMetadata" if values is not None and "TrueOption" in values else "OptionSetMetadata"
    return None if values is None else Thing(kind, OPTIONS, values)


def relationships(model: Model) -> list[Thing]:
    """All, by schema name."""
    return sorted(related([*model.one_to_many, *model.many_to_many]), key=lambda one: str(one.values["SchemaName"]))


def related(found: Iterable[OneToMany | ManyToMany]) -> list[Thing]:
    """As definitions."""
    return [Thing(relations.kind_of(one), RELATIONSHIP, relations.relationship(one)) for one in found]
