"""Activities: tasks, phone calls, e-mails and appointments, each also a row of activitypointer with what they share.

Rows of activitypointer are written with the activity, never by a client. Their statuscode is the default one of the
state, because every kind of activity has status codes of its own.
"""

from unify.dataverse.model.nouns import AttributeModel, Cascade, OneToMany, TableModel, Type
from unify.dataverse.model.shipped.making import (
    audit,
    audit_relationships,
    choice,
    flag,
    identity,
    lookup,
    memo,
    moment,
    points,
    status,
    table,
    text,
    type_of,
    whole,
)

REGARDING = ("account", "contact", "lead", "opportunity", "incident")
_TYPE = AttributeModel(
    "activitytypecode", "ActivityTypeCode", Type.ENTITY_NAME, "Activity Type", length=64, create=False, update=False
)
SHARED: tuple[AttributeModel, ...] = (
    identity("ActivityId", "Activity"), text("Subject", "Subject", 400, primary=True),
    memo("Description", "Description", 100_000), _TYPE,
    moment("ScheduledStart", "Start Date"), moment("ScheduledEnd", "Due Date"),
    moment("ActualStart", "Actual Start"), moment("ActualEnd", "Actual End"),
    whole("ScheduledDurationMinutes", "Scheduled Duration", 0), whole("ActualDurationMinutes", "Actual Duration", 0),
    choice("PriorityCode", "Priority", ("Low", "Normal", "High"), 0, default=1),
    lookup("RegardingObjectId", "Regarding", *REGARDING, type_column="regardingobjecttypecode"),
    type_of("RegardingObjectTypeCode", "Regarding Type"),
)  # fmt: skip

_POINTER = table("ActivityPointer", "Activity", "Activities", 4200, [
    *SHARED, *status(("Open", {1: "Open"}), ("Completed", {2: "Completed"}), ("Canceled", {3: "Canceled"}),
                     ("Scheduled", {4: "Scheduled"}), label="Activity Status"), *audit(),
], writable=False)  # fmt: skip
_TASK = table("Task", "Task", "Tasks", 4212, [
    *SHARED, whole("PercentComplete", "Percent Complete", 0, 100), text("Category", "Category", 250),
    *status(("Open", {2: "Not Started", 3: "In Progress", 4: "Waiting on someone else", 7: "Deferred"}),
            ("Completed", {5: "Completed"}), ("Canceled", {6: "Canceled"}), label="Activity Status"), *audit(),
], is_activity=True)  # fmt: skip
_PHONE_CALL = table("PhoneCall", "Phone Call", "Phone Calls", 4210, [
    *SHARED, text("PhoneNumber", "Phone Number", 200), flag("DirectionCode", "Direction", True, "Incoming", "Outgoing"),
    flag("LeftVoiceMail", "Left Voice Mail"),
    *status(("Open", {1: "Open"}), ("Completed", {2: "Made", 4: "Received"}), ("Canceled", {3: "Canceled"}),
            label="Activity Status"), *audit(),
], is_activity=True)  # fmt: skip
_EMAIL = table("Email", "Email", "Email Messages", 4202, [
    *SHARED, text("Sender", "From", 250, form="Email"), text("ToRecipients", "To Recipients", 500),
    text("MessageId", "Message ID", 320), flag("DirectionCode", "Direction", True, "Incoming", "Outgoing"),
    *status(("Open", {1: "Draft", 8: "Failed"}),
            ("Completed", {2: "Completed", 3: "Sent", 4: "Received", 6: "Pending Send", 7: "Sending"}),
            ("Canceled", {5: "Canceled"}), label="Activity Status"), *audit(),
], is_activity=True)  # fmt: skip
_APPOINTMENT = table("Appointment", "Appointment", "Appointments", 4201, [
    *SHARED, text("Location", "Location", 400), flag("IsAllDayEvent", "All Day Event"),
    *status(("Open", {1: "Free", 2: "Tentative"}), ("Completed", {3: "Completed"}), ("Canceled", {4: "Canceled"}),
            ("Scheduled", {5: "Busy", 6: "Out of Office"}), label="Activity Status"), *audit(),
], is_activity=True)  # fmt: skip
TABLES: tuple[TableModel, ...] = (_POINTER, _TASK, _PHONE_CALL, _EMAIL, _APPOINTMENT)


def _regarding(kind: TableModel) -> list[OneToMany]:
    suffix = "" if kind is _POINTER else f"_{kind.name}"
    names = {"phonecall": "Phonecalls", "activitypointer": "ActivityPointers"}
    plural = names.get(kind.name, kind.collection_schema_name)
    return [
        points(f"{target.capitalize()}_{plural}", target, kind.name, "regardingobjectid",
               via=f"regardingobjectid_{target}{suffix}", on_delete=Cascade.CASCADE)
        for target in REGARDING
    ]  # fmt: skip


RELATIONSHIPS: tuple[OneToMany, ...] = tuple(
    one for kind in TABLES for one in (*_regarding(kind), *audit_relationships(kind.name, f"{kind.name}s"))
)
