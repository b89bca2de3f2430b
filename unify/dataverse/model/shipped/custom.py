"""Custom APIs, what is called along with messages, and business events: definitions as rows.

    customapi ─┬─ customapirequestparameter        catalog ── catalog ── catalogassignment ──▶ customapi, entity
               └─ customapiresponseproperty
    sdkmessage ── sdkmessageprocessingstep ─┬─▶ plugintype          code, loaded by the service
    (+ filter: of which table)              └─▶ serviceendpoint     a webhook
    asyncoperation    what is called after a commit       localizedlabel    labels in further languages

Their rules are in unify/custom.
"""

from collections.abc import Mapping
from typing import Any, Final

from unify.dataverse.model.nouns import AttributeModel, Cascade, OneToMany, OptionModel, Required, TableModel, Type
from unify.dataverse.model.shipped.making import (
    audit,
    audit_relationships,
    choice,
    flag,
    guid,
    identity,
    lookup,
    memo,
    moment,
    status,
    table,
    text,
    type_of,
    whole,
)

_CLOSED: Final[Mapping[str, Any]] = {"ownership": "None", "writable": False, "tracked": False}
_ORG: Final[Mapping[str, Any]] = {"ownership": "OrganizationOwned", "tracked": False}
_ACTIVE: Final = (("Active", {1: "Active"}), ("Inactive", {2: "Inactive"}))
FIELD_TYPES: Final = (
    "Boolean", "DateTime", "Decimal", "Entity", "EntityCollection", "EntityReference", "Float", "Integer", "Money",
    "Picklist", "String", "StringArray", "Guid",
)  # fmt: skip
MANAGED: Final = "ManagedProperty"
"""The format of a boolean that goes over the wire as `{"Value": true, "CanBeChanged": true, …}`."""


def _customizable() -> AttributeModel:
    options = (OptionModel(0, "False"), OptionModel(1, "True"))
    return AttributeModel(
        "iscustomizable", "IsCustomizable", Type.BOOLEAN, "Is Customizable", options=options, default=True,
        required=Required.SYSTEM, format=MANAGED,
    )  # fmt: skip


def _managed() -> AttributeModel:
    options = (OptionModel(0, "Unmanaged"), OptionModel(1, "Managed"))
    return AttributeModel(
        "ismanaged", "IsManaged", Type.BOOLEAN, "Is Managed", options=options, default=False, create=False, update=False
    )


def _labelled(*, length: int = 300, required: Required = Required.SYSTEM) -> list[AttributeModel]:
    return [
        text("DisplayName", "Display Name", 100, required=required),
        text("Description", "Description", length, required=required),
    ]


def _named(length: int = 100, required: Required = Required.SYSTEM) -> AttributeModel:
    return text("Name", "Name", length, required=required, primary=True)


def _unique(length: int = 128) -> AttributeModel:
    return text("UniqueName", "Unique Name", length, required=Required.SYSTEM)


CUSTOM_API = table("CustomAPI", "Custom API", "Custom APIs", 10032, [
    identity("CustomAPIId", "Custom API"), _unique(), _named(), *_labelled(),
    choice("BindingType", "Binding Type", ("Global", "Entity", "Entity Collection"), 0, default=0,
           required=Required.SYSTEM, option_set="customapi_bindingtype"),
    text("BoundEntityLogicalName", "Bound Entity Logical Name", 100),
    flag("IsFunction", "Is Function"), flag("IsPrivate", "Is Private"),
    choice("AllowedCustomProcessingStepType", "Allowed Custom Processing Step Type",
           ("None", "Async Only", "Sync and Async"), 0, default=0, required=Required.SYSTEM,
           option_set="customapi_allowedcustomprocessingsteptype"),
    text("ExecutePrivilegeName", "Execute Privilege Name", 100),
    flag("WorkflowSdkStepEnabled", "Enabled for Workflow"),
    lookup("PluginTypeId", "Plugin Type", "plugintype"),
    lookup("SdkMessageId", "Sdk Message", "sdkmessage", create=False, update=False),
    _customizable(), _managed(), *status(*_ACTIVE), *audit(),
], set_name="customapis", collection="CustomAPIs", tracked=False)  # fmt: skip


def _field(schema_name: str, label: str, plural: str, code: int, set_name: str, *more: AttributeModel) -> TableModel:
    return table(schema_name, label, plural, code, [
        identity(f"{schema_name}Id", label), _unique(), _named(required=Required.APPLICATION),
        *_labelled(required=Required.APPLICATION),
        choice("Type", "Type", FIELD_TYPES, 0, default=0, required=Required.SYSTEM, option_set="customapifieldtype"),
        text("LogicalEntityName", "Bound Entity Logical Name", 100), *more,
        lookup("CustomAPIId", "Custom API", "customapi", required=Required.SYSTEM),
        _customizable(), _managed(), *status(*_ACTIVE), *audit(owned=False),
    ], set_name=set_name, ownership="None", tracked=False)  # fmt: skip


PARAMETER = _field(
    "CustomAPIRequestParameter", "Custom API Request Parameter", "Custom API Request Parameters", 10033,
    "customapirequestparameters", flag("IsOptional", "Is Optional"),
)  # fmt: skip
PROPERTY = _field(
    "CustomAPIResponseProperty", "Custom API Response Property", "Custom API Response Properties", 10034,
    "customapiresponseproperties",
)  # fmt: skip
PLUGIN_TYPE = table("PluginType", "Plug-in Type", "Plug-in Types", 4602, [
    identity("PluginTypeId", "Plug-in Type"), _named(256), text("TypeName", "Type Name", 256),
    text("FriendlyName", "Display Name", 256), text("AssemblyName", "Assembly Name", 100),
    text("Version", "Version", 48), text("Description", "Description", 256), _managed(), *audit(owned=False),
], **_CLOSED)  # fmt: skip
MESSAGE = table("SdkMessage", "Sdk Message", "Sdk Messages", 4606, [
    identity("SdkMessageId", "SDK message"), _named(256), text("CategoryName", "Category Name", 25),
    flag("IsPrivate", "Is Private"), flag("IsActive", "Is Active", default=True),
    flag("WorkflowSdkStepEnabled", "WorkflowSdkStepEnabled"), _managed(), *audit(owned=False),
], **_CLOSED)  # fmt: skip
FILTER = table("SdkMessageFilter", "Sdk Message Filter", "Sdk Message Filters", 4607, [
    identity("SdkMessageFilterId", "SDK message filter"), text("Name", "Name", 256, primary=True),
    lookup("SdkMessageId", "SDK Message", "sdkmessage"),
    text("PrimaryObjectTypeCode", "Primary Object Type Code", 64),
    text("SecondaryObjectTypeCode", "Secondary Object Type Code", 64),
    flag("IsCustomProcessingStepAllowed", "Custom Processing Step Allowed", default=True), _managed(),
    *audit(owned=False),
], **_CLOSED)  # fmt: skip
STEP = table("SdkMessageProcessingStep", "Sdk Message Processing Step", "Sdk Message Processing Steps", 4608, [
    identity("SdkMessageProcessingStepId", "SDK message processing step"), _named(256, Required.NONE),
    text("Description", "Description", 256),
    AttributeModel("stage", "Stage", Type.PICKLIST, "Execution Stage", required=Required.SYSTEM, default=40, options=(
        OptionModel(10, "Pre-validation"), OptionModel(20, "Pre-operation"), OptionModel(40, "Post-operation"))),
    choice("Mode", "Execution Mode", ("Synchronous", "Asynchronous"), 0, default=0, required=Required.SYSTEM),
    whole("Rank", "Execution Order", default=1),
    text("FilteringAttributes", "Filtering Attributes", 100_000),
    text("Configuration", "Configuration", 1_000_000),
    lookup("SdkMessageId", "SDK Message", "sdkmessage", required=Required.SYSTEM),
    lookup("SdkMessageFilterId", "SdkMessage Filter", "sdkmessagefilter"),
    lookup("EventHandler", "Event Handler", "plugintype", "serviceendpoint", type_column="eventhandlertypecode"),
    type_of("EventHandlerTypeCode"),
    lookup("PluginTypeId", "Plug-In Type", "plugintype"),
    flag("AsyncAutoDelete", "Asynchronous Automatic Delete"),
    _customizable(), _managed(), *status(("Enabled", {1: "Enabled"}), ("Disabled", {2: "Disabled"})),
    *audit(owned=False),
], **_ORG)  # fmt: skip
IMAGE = table("SdkMessageProcessingStepImage", "Step Image", "Step Images",
    4615, [
    identity("SdkMessageProcessingStepImageId", "SDK message processing step image"), _named(256, Required.NONE),
    text("EntityAlias", "Entity Alias", 256, required=Required.SYSTEM),
    choice("ImageType", "Image Type", ("PreImage", "PostImage", "Both"), 0, default=0, required=Required.SYSTEM),
    text("Attributes", "Attributes", 100_000), text("MessagePropertyName", "Message Property Name", 256),
    text("Description", "Description", 256),
    lookup("SdkMessageProcessingStepId", "SDK Message Processing Step", "sdkmessageprocessingstep",
           required=Required.SYSTEM),
    _customizable(), _managed(), *audit(owned=False),
], **_ORG)  # fmt: skip
ENDPOINT = table("ServiceEndpoint", "Service Endpoint", "Service Endpoints", 4618, [
    identity("ServiceEndpointId", "Service Endpoint"), _named(256), memo("Description", "Description"),
    text("Url", "Url Address", 2000, form="Url"),
    choice("Contract", "Contract", ("OneWay", "Queue", "Rest", "TwoWay", "Topic", "Queue (Persistent)", "Event Hub",
           "Webhook", "Event Grid", "Managed Data Lake"), 1, default=8, required=Required.SYSTEM),
    choice("AuthType", "Specifies mode of authentication with SB", ("ACS", "SAS Key", "SAS Token", "Webhook Key",
           "Http Header", "Http Query String", "Connection String", "Access Key"), 1),
    text("AuthValue", "Authentication Value", 2048, read=False),
    AttributeModel("isauthvalueset", "IsAuthValueSet", Type.BOOLEAN, "Is AuthValue Set", create=False, update=False,
        options=(OptionModel(0, "No"), OptionModel(1, "Yes")), default=False),
    text("SASKey", "Shared Access Key", 256, read=False),
    AttributeModel("issaskeyset", "IsSASKeySet", Type.BOOLEAN, "Is SASKey Set", create=False, update=False,
        options=(OptionModel(0, "No"), OptionModel(1, "Yes")), default=False),
    choice("MessageFormat", "Content type of the message", ("Binary XML", "Json", "Text XML"), 1, default=2),
    choice("ConnectionMode", "Connection Mode", ("Normal", "Federated"), 1, default=1),
    choice("UserClaim", "User Claim", ("None", "UserId", "UserInfo"), 1, default=1),
    text("NamespaceAddress", "Namespace Address", 255), text("Path", "Path", 160),
    text("SolutionNamespace", "Service Namespace", 160),
    _customizable(), _managed(), *audit(owned=False),
], **_ORG)  # fmt: skip
CATALOG = table("Catalog", "Catalog", "Catalogs", 10018, [
    identity("CatalogId", "Catalog"), _unique(), _named(), *_labelled(),
    lookup("ParentCatalogId", "Parent Catalog", "catalog"),
    _customizable(), _managed(), *status(*_ACTIVE), *audit(owned=False),
], **_ORG)  # fmt: skip
ASSIGNMENT = table("CatalogAssignment", "Catalog Assignment", "Catalog Assignments", 10019, [
    identity("CatalogAssignmentId", "Catalog Assignment"), _named(100, Required.NONE),
    lookup("CatalogId", "Catalog", "catalog", required=Required.SYSTEM),
    lookup("Object", "Catalog Assignment Object", "customapi", "entity", type_column="objecttypecode",
           required=Required.SYSTEM),
    type_of("ObjectTypeCode"),
    _customizable(), _managed(), *status(*_ACTIVE), *audit(owned=False),
], **_ORG)  # fmt: skip
ENTITY = table("Entity", "Entity", "Entities", 9800, [
    identity("EntityId", "Entity"), text("Name", "Name", 64, primary=True), text("LogicalName", "Logical Name", 64),
    text("EntitySetName", "Entity Set Name", 64), _managed(),
], **{**_CLOSED, "set_name": "entities", "collection": "Entities"})  # fmt: skip
OPERATION = table("AsyncOperation", "System Job", "System Jobs", 4700, [
    identity("AsyncOperationId", "System Job"), text("Name", "System Job Name", 256, primary=True),
    text("MessageName", "Message Name", 160), text("PrimaryEntityType", "Primary Entity Type", 64),
    text("CorrelationId", "Correlation Id", 100), whole("Depth", "Depth", 0),
    lookup("OwningExtensionId", "Owning Extension", "sdkmessageprocessingstep"),
    AttributeModel("operationtype", "OperationType", Type.PICKLIST, "System Job Type",
                   options=(OptionModel(1, "System Event"), OptionModel(13, "Bulk Delete"))),
    guid("RegardingObjectId", "Regarding"),
    *status(
        ("Ready", {0: "Waiting For Resources"}), ("Suspended", {10: "Waiting"}),
        ("Locked", {20: "In Progress", 21: "Pausing", 22: "Canceling"}),
        ("Completed", {30: "Succeeded", 31: "Failed", 32: "Canceled"}),
    ),
    moment("StartedOn", "Started On"), moment("CompletedOn", "Completed On"), moment("PostponeUntil", "Postpone Until"),
    whole("RetryCount", "Retry Count", 0), whole("ErrorCode", "Error Code"), text("Message", "Message", 1_000_000),
    text("FriendlyMessage", "Friendly Message", 1_000_000),
    text("Data", "Data", 1_000_000, read=False),
        text("Principal", "Principal", 400, read=False), text("Level", "Level", 20, read=False), *audit(),
], **{**_CLOSED, "ownership": "UserOwned"})  # fmt: skip
LABEL = table("LocalizedLabel", "Localized Label", "Localized Labels", 9999, [
    identity("LocalizedLabelId", "Localized Label"), guid("ObjectId", "Object"),
    text("ObjectColumnName", "Object Column Name", 128, primary=True), whole("LanguageId", "Language"),
    text("Label", "Label", 1000), _managed(),
], **_CLOSED)  # fmt: skip

TABLES: tuple[TableModel, ...] = (
    PLUGIN_TYPE, MESSAGE, FILTER, CUSTOM_API, PARAMETER, PROPERTY, ENDPOINT, STEP, IMAGE, ENTITY, CATALOG, ASSIGNMENT,
    OPERATION, LABEL,
)  # fmt: skip


def _one(
    name: str, referenced: str, referencing: str, attribute: str, via: str, collection: str,
    on_delete: Cascade = Cascade.REMOVE_LINK,
) -> OneToMany:  # fmt: skip
    return OneToMany(name, referenced, f"{referenced}id", referencing, attribute, via, collection, on_delete)


_STEP, _OF_STEP = "sdkmessageprocessingstep", "sdkmessageprocessingstepid_sdkmessageprocessingstepimage"
RELATIONSHIPS: tuple[OneToMany, ...] = (
    _one("customapi_customapirequestparameter", "customapi", "customapirequestparameter", "customapiid", "CustomAPIId",
         "CustomAPIRequestParameters", Cascade.CASCADE),
    _one("customapi_customapiresponseproperty", "customapi", "customapiresponseproperty", "customapiid", "CustomAPIId",
         "CustomAPIResponseProperties", Cascade.CASCADE),
    _one("plugintype_customapi", "plugintype", "customapi", "plugintypeid", "PluginTypeId", "CustomAPIId",
         Cascade.RESTRICT),
    _one("sdkmessage_customapi", "sdkmessage", "customapi", "sdkmessageid", "SdkMessageId", "CustomAPIs"),
    _one("sdkmessageid_sdkmessagefilter", "sdkmessage", "sdkmessagefilter", "sdkmessageid", "sdkmessageid",
         "sdkmessageid_sdkmessagefilter", Cascade.CASCADE),
    _one("sdkmessageid_sdkmessageprocessingstep", "sdkmessage", _STEP, "sdkmessageid", "sdkmessageid",
         "sdkmessageid_sdkmessageprocessingstep", Cascade.CASCADE),
    _one("sdkmessagefilterid_sdkmessageprocessingstep", "sdkmessagefilter", _STEP, "sdkmessagefilterid",
         "sdkmessagefilterid", "sdkmessagefilterid_sdkmessageprocessingstep", Cascade.CASCADE),
    _one("plugintype_sdkmessageprocessingstep", "plugintype", _STEP, "eventhandler", "eventhandler_plugintype",
         "plugintype_sdkmessageprocessingstep", Cascade.RESTRICT),
    _one("serviceendpoint_sdkmessageprocessingstep", "serviceendpoint", _STEP, "eventhandler",
         "eventhandler_serviceendpoint", "serviceendpoint_sdkmessageprocessingstep", Cascade.CASCADE),
    _one("plugintypeid_sdkmessageprocessingstep", "plugintype", _STEP, "plugintypeid", "plugintypeid",
         "plugintypeid_sdkmessageprocessingstep"),
    _one(_OF_STEP, _STEP, "sdkmessageprocessingstepimage", "sdkmessageprocessingstepid", "sdkmessageprocessingstepid",
         _OF_STEP, Cascade.CASCADE),
    _one("catalog_catalog", "catalog", "catalog", "parentcatalogid", "ParentCatalogId", "SubCatalogs",
         Cascade.RESTRICT),
    _one("catalog_catalogassignment", "catalog", "catalogassignment", "catalogid", "CatalogId", "CatalogAssignments",
         Cascade.RESTRICT),
    _one("customapi_catalogassignment", "customapi", "catalogassignment", "object", "CustomAPIId",
         "CatalogAssignments", Cascade.CASCADE),
    _one("entity_catalogassignment", "entity", "catalogassignment", "object", "EntityId", "CatalogAssignments",
         Cascade.CASCADE),
    _one("sdkmessageprocessingstep_asyncoperations", _STEP, "asyncoperation", "owningextensionid", "owningextensionid",
         "AsyncOperations"),
    *(one for made in TABLES if any(name == "createdby" for name in made.attributes) for one in audit_relationships(
        made.name, made.set_name, owned="ownerid" in made.attributes)),
)  # fmt: skip
