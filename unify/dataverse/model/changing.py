"""Tables and columns that users make: from the JSON of the Web API's metadata to definitions."""

from collections.abc import Mapping
from typing import Any

from unify.dataverse.model.nouns import AttributeModel, KeyModel, ManyToMany, OneToMany, TableModel
from unify.records import Writing


def create_table(writing: Writing, said: Mapping[str, Any]) -> TableModel:
    """From EntityMetadata (POST EntityDefinitions, one of CreateEntities' Entities), with its Attributes."""
    raise NotImplementedError


def change_table(writing: Writing, table: str, said: Mapping[str, Any]) -> TableModel:
    """PUT EntityDefinitions(…): labels, description, change tracking."""
    raise NotImplementedError


def delete_table(writing: Writing, table: str) -> None:
    """With its rows, and the lookups of other tables that point at it."""
    raise NotImplementedError


def add_attribute(writing: Writing, table: str, said: Mapping[str, Any]) -> AttributeModel:
    """From AttributeMetadata (POST …/Attributes). Lookups are made with their relationship."""
    raise NotImplementedError


def change_attribute(writing: Writing, table: str, name: str, said: Mapping[str, Any]) -> AttributeModel:
    """PUT …/Attributes(…): labels, lengths, bounds, required level, options. Not the type."""
    raise NotImplementedError


def delete_attribute(writing: Writing, table: str, name: str) -> None:
    """A column that a user made, with what lies in it."""
    raise NotImplementedError


def add_key(writing: Writing, table: str, said: Mapping[str, Any]) -> KeyModel:
    """From EntityKeyMetadata (POST …/Keys)."""
    raise NotImplementedError


def delete_key(writing: Writing, table: str, name: str) -> None:
    """By logical name."""
    raise NotImplementedError


def create_relationship(writing: Writing, said: Mapping[str, Any]) -> OneToMany | ManyToMany:
    """From One- or ManyToManyRelationshipMetadata (POST RelationshipDefinitions); a one-to-many brings its Lookup."""
    raise NotImplementedError


def delete_relationship(writing: Writing, schema_name: str) -> None:
    """With the lookup column, or the pairs."""
    raise NotImplementedError
