"""System jobs: what was asked for and may be looked up afterwards. No client writes them."""

from unify.dataverse.model.nouns import AttributeModel, OneToMany, OptionModel, TableModel, Type
from unify.dataverse.model.shipped.making import (
    audit,
    audit_relationships,
    guid,
    identity,
    memo,
    moment,
    status,
    table,
    text,
    whole,
)

ASYNC_OPERATION = table("AsyncOperation", "System Job", "System Jobs", 4700, [
    identity("AsyncOperationId", "System Job"), text("Name", "System Job Name", 256, primary=True),
    AttributeModel("operationtype", "OperationType", Type.PICKLIST, "System Job Type",
                   options=(OptionModel(13, "Bulk Delete"),)),
    text("PrimaryEntityType", "Regarding Type", 64), memo("Message", "Message"),
    memo("FriendlyMessage", "Friendly message"), whole("ErrorCode", "Error Code"),
    whole("RetryCount", "Retry Count", 0),
    moment("StartedOn", "Started On"), moment("CompletedOn", "Completed On"), guid("CorrelationId", "Correlation Id"),
    *status(
        ("Ready", {0: "Waiting For Resources"}), ("Suspended", {10: "Waiting"}),
        ("Locked", {20: "In Progress", 21: "Pausing", 22: "Canceling"}),
        ("Completed", {30: "Succeeded", 31: "Failed", 32: "Canceled"}),
    ),
    *audit(),
], writable=False)  # fmt: skip
TABLES: tuple[TableModel, ...] = (ASYNC_OPERATION,)
RELATIONSHIPS: tuple[OneToMany, ...] = tuple(audit_relationships("asyncoperation", "asyncoperations"))
