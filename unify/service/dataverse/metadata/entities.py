"""A table as EntityMetadata: what there is to say of it, and the settings of Dataverse that it has not."""

from collections.abc import Mapping
from typing import Any, Final

from unify.dataverse.model import TableModel
from unify.service.dataverse.metadata.labels import NO_LABEL, label, managed

OFF: Final = (
    "AutoCreateAccessTeams", "AutoRouteToOwnerQueue", "CanTriggerWorkflow", "EnforceStateTransitions",
    "EntityHelpUrlEnabled", "HasEmailAddresses", "HasFeedback", "HasNotes", "IsAIRUpdated", "IsActivityParty",
    "IsArchivalEnabled", "IsAvailableOffline", "IsBPFEntity", "IsBusinessProcessEnabled", "IsChildEntity",
    "IsDocumentManagementEnabled", "IsDocumentRecommendationsEnabled", "IsEnabledForCharts",
    "IsEnabledForExternalChannels", "IsEnabledForTrace", "IsImportable", "IsInteractionCentricEnabled",
    "IsKnowledgeManagementEnabled", "IsManaged", "IsMSTeamsIntegrationEnabled", "IsOneNoteIntegrationEnabled",
    "IsPrivate", "IsQuickCreateEnabled", "IsReadingPaneEnabled", "IsRetentionEnabled", "IsRetrieveAuditEnabled",
    "IsRetrieveMultipleAuditEnabled", "IsSLAEnabled", "IsSolutionAware", "IsStateModelAware",
    "SyncToExternalSearchIndex", "UsesBusinessDataLabelTable", "CreateEventsOnly",
)  # fmt: skip
"""Settings that are false for every table."""
NONE: Final = (
    "DataProviderId", "DataSourceId", "DaysSinceRecordLastModified", "EntityColor", "EntityHelpUrl",
    "ExternalCollectionName", "ExternalName", "HasChanged", "IconLargeName", "IconMediumName", "IconSmallName",
    "IconVectorName", "MobileOfflineFilters", "OwnerId", "OwnerIdType", "OwningBusinessUnit", "PrimaryImageAttribute",
    "RecurrenceBaseEntityLogicalName", "ReportViewName", "ActivityTypeMask",
)  # fmt: skip
"""Properties that are null for every table."""
MANAGED: Final[Mapping[str, tuple[bool, str]]] = {
    "CanBeInManyToMany": (True, "canbeinmanytomany"),
    "CanBePrimaryEntityInRelationship": (True, "canbeprimaryentityinrelationship"),
    "CanBeRelatedEntityInRelationship": (True, "canberelatedentityinrelationship"),
    "CanBeInCustomEntityAssociation": (True, "canbeincustomentityassociation"),
    "CanChangeHierarchicalRelationship": (False, "canchangehierarchicalrelationship"),
    "CanChangeTrackingBeEnabled": (True, "canchangetrackingbeenabled"),
    "CanCreateAttributes": (True, "cancreateattributes"),
    "CanCreateCharts": (False, "cancreatecharts"),
    "CanCreateForms": (False, "cancreateforms"),
    "CanCreateViews": (False, "cancreateviews"),
    "CanEnableSyncToExternalSearchIndex": (False, "canenablesynctoexternalsearchindex"),
    "CanModifyAdditionalSettings": (True, "canmodifyadditionalsettings"),
    "IsAuditEnabled": (False, "canmodifyauditsettings"),
    "IsConnectionsEnabled": (False, "canmodifyconnectionsettings"),
    "IsDuplicateDetectionEnabled": (False, "canmodifyduplicatedetectionsettings"),
    "IsMailMergeEnabled": (False, "canmodifymailmergesettings"),
    "IsMappable": (True, "ismappable"),
    "IsOfflineInMobileClient": (False, "canmodifymobileclientoffline"),
    "IsReadOnlyInMobileClient": (False, "canmodifymobileclientreadonly"),
    "IsRenameable": (True, "isrenameable"),
    "IsValidForQueue": (False, "canmodifyqueuesettings"),
    "IsVisibleInMobile": (False, "canmodifymobilevisibility"),
    "IsVisibleInMobileClient": (False, "canmodifymobileclientvisibility"),
}


def entity(table: TableModel) -> dict[str, Any]:
    """The whole definition, without what hangs on it: columns, keys and relationships are expanded."""
    found: dict[str, Any] = dict.fromkeys(OFF, False) | dict.fromkeys(NONE)
    found |= {name: managed(value, by, changeable=False) for name, (value, by) in MANAGED.items()}
    return found | {
        "MetadataId": table.id,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.set_name,
        "LogicalCollectionName": table.set_name,
        "CollectionSchemaName": table.collection_schema_name,
        "PrimaryIdAttribute": table.id_attribute,
        "PrimaryNameAttribute": table.name_attribute,
        "ObjectTypeCode": table.type_code,
        "OwnershipType": table.ownership,
        "TableType": "Standard",
        "DisplayName": label(table.label, table.name, "label"),
        "DisplayCollectionName": label(table.label_collection, table.name, "collection"),
        "Description": label(table.description, table.name, "description") if table.description else NO_LABEL,
        "IntroducedVersion": "1.0",
        "IsActivity": table.is_activity,
        "HasActivities": False,
        "IsCustomEntity": table.custom,
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsIntersect": table.is_intersect,
        "IsLogicalEntity": False,
        "IsOptimisticConcurrencyEnabled": True,
        "IsValidForAdvancedFind": True,
        "ChangeTrackingEnabled": table.tracked,
        "Privileges": [],
        "Settings": [],
    }
