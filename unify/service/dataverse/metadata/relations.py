"""Keys and relationships as metadata."""

from typing import Any, Final

from unify.dataverse.model import Cascade, KeyModel, ManyToMany, OneToMany, TableModel, metadata_id
from unify.service.dataverse.metadata.labels import label, managed

NO_MENU: Final[dict[str, Any]] = {
    "Behavior": "UseCollectionName", "Group": "Details", "Order": None, "IsCustomizable": True, "Icon": None,
    "ViewId": "00000000-0000-0000-0000-000000000000", "AvailableOffline": True, "MenuId": None, "QueryApi": None,
    "Label": {"LocalizedLabels": [], "UserLocalizedLabel": None},
}  # fmt: skip


def key(table: TableModel, one: KeyModel) -> dict[str, Any]:
    """An alternate key as EntityKeyMetadata: it is active as soon as it is there."""
    return {
        "MetadataId": key_id(table, one),
        "LogicalName": one.name,
        "SchemaName": one.schema_name,
        "EntityLogicalName": table.name,
        "KeyAttributes": list(one.attributes),
        "DisplayName": label(one.label, table.name, one.name, "key"),
        "EntityKeyIndexStatus": "Active",
        "AsyncJob": None,
        "IntroducedVersion": "1.0",
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsManaged": not one.custom,
        "IsExportKey": False,
        "IsSecondaryKey": False,
        "IsSynchronous": True,
        "HasChanged": None,
    }


def key_id(table: TableModel, one: KeyModel) -> str:
    """Its MetadataId."""
    return metadata_id(table.name, "key", one.name)


def relationship_id(one: OneToMany | ManyToMany) -> str:
    """Its MetadataId."""
    return metadata_id("relationship", one.schema_name)


def kind_of(one: OneToMany | ManyToMany) -> str:
    """`OneToManyRelationshipMetadata`."""
    return "OneToManyRelationshipMetadata" if isinstance(one, OneToMany) else "ManyToManyRelationshipMetadata"


def relationship(one: OneToMany | ManyToMany) -> dict[str, Any]:
    """The whole definition."""
    found: dict[str, Any] = {
        "MetadataId": relationship_id(one),
        "SchemaName": one.schema_name,
        "RelationshipType": kind_of(one).removesuffix("Metadata"),
        "IsCustomRelationship": one.custom,
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsManaged": False,
        "IsValidForAdvancedFind": True,
        "IntroducedVersion": "1.0",
        "SecurityTypes": "None",
        "HasChanged": None,
    }
    return found | (_one_to_many(one) if isinstance(one, OneToMany) else _many_to_many(one))


def _one_to_many(one: OneToMany) -> dict[str, Any]:
    quiet = Cascade.NONE.value
    cascades = dict.fromkeys(("Assign", "Share", "Unshare", "Reparent", "Merge", "RollupView", "Archive"), quiet)
    return {
        "ReferencedEntity": one.referenced,
        "ReferencedAttribute": one.referenced_attribute,
        "ReferencedEntityNavigationPropertyName": one.collection,
        "ReferencingEntity": one.referencing,
        "ReferencingAttribute": one.attribute,
        "ReferencingEntityNavigationPropertyName": one.lookup,
        "AssociatedMenuConfiguration": NO_MENU,
        "CascadeConfiguration": {**cascades, "Delete": one.on_delete.value},
        "EntityKey": None,
        "RelationshipAttributes": [],
        "RelationshipBehavior": 0,
        "IsDenormalizedLookup": None,
        "DenormalizedAttributeName": None,
        "IsHierarchical": False,
        "IsRelationshipAttributeDenormalized": False,
    }


def _many_to_many(both: ManyToMany) -> dict[str, Any]:
    return {
        "IntersectEntityName": both.intersect,
        "Entity1LogicalName": both.first,
        "Entity1IntersectAttribute": both.first_attribute,
        "Entity1NavigationPropertyName": both.first_collection,
        "Entity1AssociatedMenuConfiguration": NO_MENU,
        "Entity2LogicalName": both.second,
        "Entity2IntersectAttribute": both.second_attribute,
        "Entity2NavigationPropertyName": both.second_collection,
        "Entity2AssociatedMenuConfiguration": NO_MENU,
    }
