"""The tables of an instance: those that are shipped, and those that its users made.

    ready(store)          once an instance is written to: the shipped tables are there from then on
    model_of(reading)     all tables, as they are at that moment

A definition is kept in the record store, with the record table (`Table.about`), so that every process sees it.
"""

from unify.dataverse.model.changing import (
    add_attribute,
    add_key,
    change_attribute,
    change_table,
    create_relationship,
    create_table,
    delete_attribute,
    delete_key,
    delete_relationship,
    delete_table,
)
from unify.dataverse.model.kept import model_of
from unify.dataverse.model.nouns import (
    CHOICES,
    LANGUAGE,
    LOOKUPS,
    AttributeModel,
    Cascade,
    Computed,
    KeyModel,
    ManyToMany,
    Model,
    Navigation,
    OneToMany,
    OptionModel,
    Required,
    TableModel,
    Type,
    metadata_id,
)
from unify.dataverse.model.shipping import ready, shipped_record_tables

__all__ = [
    "CHOICES",
    "LANGUAGE",
    "LOOKUPS",
    "AttributeModel",
    "Cascade",
    "Computed",
    "KeyModel",
    "ManyToMany",
    "Model",
    "Navigation",
    "OneToMany",
    "OptionModel",
    "Required",
    "TableModel",
    "Type",
    "add_attribute",
    "add_key",
    "change_attribute",
    "change_table",
    "create_relationship",
    "create_table",
    "delete_attribute",
    "delete_key",
    "delete_relationship",
    "delete_table",
    "metadata_id",
    "model_of",
    "ready",
    "shipped_record_tables",
]
