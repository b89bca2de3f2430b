"""Many rows in one call: made, changed, made or changed, deleted; all or none of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Model, model_of
from unify.dataverse.writes import Writes, Written
from unify.records import Value, Writing
from unify.service.dataverse.bodies import bad_payload
from unify.service.dataverse.expressions import fetch_of
from unify.service.dataverse.operations import NAMESPACE, Binding, Builtin, Call, Outcome, Parameter
from unify.service.errors import ServiceError

BULK_DELETE: Final = 13
SUCCEEDED, FAILED, COMPLETED = 30, 31, 3
LATE: Final = timedelta(minutes=5)
"""A job that begins so soon begins now: clocks of clients are not ours."""


def targets_of(call: Call) -> tuple[str, list[Mapping[str, Any]]]:
    """The table, and the rows of `Targets`. DataverseError 400."""
    assert call.target is not None
    table, said = call.target.table, call.parameters["Targets"]
    if not isinstance(said, list) or not said:
        raise bad_payload("Targets is a list with at least one row", hint='send {"Targets": [{…}]}')
    for place, row in enumerate(said):
        if not isinstance(row, dict):
            raise bad_payload(f"Targets[{place}] is no object")
        kind = str(row.get("@odata.type", table)).removeprefix("#").removeprefix(f"{NAMESPACE}.")
        if kind != table:
            raise bad_payload(f"Targets[{place}] is a {kind[:80]}, and this is sent to {table}")
    return table, said


def create_multiple(call: Call) -> Outcome:
    """CreateMultiple: ids in the order of the targets."""
    table, targets = targets_of(call)
    with call.transaction() as writing:
        made = Writes(writing, call.writer(writing)).create_multiple(table, targets)
    return Outcome({"Ids": [row.id for row in made]})


def update_multiple(call: Call) -> Outcome:
    """UpdateMultiple."""
    table, targets = targets_of(call)
    with call.transaction() as writing:
        Writes(writing, call.writer(writing)).update_multiple(table, targets)
    return Outcome()


def upsert_multiple(call: Call) -> Outcome:
    """UpsertMultiple: which were made, and where each is."""
    table, targets = targets_of(call)
    with call.transaction() as writing:
        writes = Writes(writing, call.writer(writing))
        done = writes.upsert_multiple(table, targets)
        model = writes.model
    return Outcome({"Results": [_result(model, row) for row in done]})


def _result(model: Model, row: Written) -> dict[str, Any]:
    table = model.table(row.table)
    target = {"@odata.type": f"#{NAMESPACE}.{row.table}", table.id_attribute: row.id}
    return {"RecordCreated": row.created, "Target": target}


def delete_multiple(call: Call) -> Outcome:
    """DeleteMultiple: each target says its id."""
    table, targets = targets_of(call)
    with call.transaction() as writing:
        writes = Writes(writing, call.writer(writing))
        id_ = writes.model.table(table).id_attribute
        keys = [row.get(id_) for row in targets]
        if not all(isinstance(key, str) for key in keys):
            raise bad_payload(f"each target says its {id_}")
        writes.delete_multiple(table, [str(key) for key in keys])
    return Outcome()


# ── BulkDelete ───────────────────────────────────────────────────────────────────────────────────────────────────────


def bulk_delete(call: Call) -> Outcome:
    """BulkDelete: a job that is done before this answers; `asyncoperations(JobId)` tells how it ended."""
    if call.in_change_set:
        raise bad_payload("BulkDelete is a job of its own, and stands in no change set")
    _check_time(call.parameters)
    queries = call.parameters["QuerySet"]
    if not isinstance(queries, list) or not queries:
        raise bad_payload("QuerySet is a list of queries")
    with call.reading() as reading:
        model = model_of(reading)
        fetches = [fetch_of(model, query) for query in queries]
        for table, text in fetches:
            call.questions(reading).fetch_xml(table, text)  # what cannot be asked is refused before there is a job
    job, name = str(uuid4()), str(call.parameters["JobName"])[:256]
    began = datetime.now(UTC)
    try:
        with call.transaction() as writing:
            gone = sum(_delete(call, writing, table, text) for table, text in fetches)
            _note(
                call,
                writing,
                job,
                name,
                fetches[0][0],
                began,
                "1 row was deleted." if gone == 1 else f"{gone:,} rows were deleted.",
            )
    except DataverseError as error:
        with call.transaction() as writing:
            _note(call, writing, job, name, fetches[0][0], began, error.message, code=error.code)
    return Outcome({"JobId": job})


def _check_time(said: Mapping[str, Any]) -> None:
    """ServiceError 501 for a job that is to begin later, again and again, or to tell somebody by mail."""
    if said.get("RecurrencePattern"):
        raise ServiceError(501, "jobs are not repeated here", where="RecurrencePattern", hint="send it empty")
    if said.get("SendEmailNotification"):
        raise ServiceError(501, "nobody is sent a mail here", where="SendEmailNotification", hint="send false")
    start = said.get("StartDateTime")
    if start is None:
        return
    try:
        at = datetime.fromisoformat(str(start))
    except ValueError:
        raise bad_payload("StartDateTime is no moment") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if at > datetime.now(UTC) + LATE:
        raise ServiceError(501, "jobs begin at once here", where="StartDateTime", hint="send it when it is to begin")


def _delete(call: Call, writing: Writing, table: str, text: str) -> int:
    """Rows of one query, page by page: what is deleted is not found again."""
    writes = Writes(writing, call.writer(writing))
    questions = call.questions(writing)
    id_ = writes.model.table(table).id_attribute
    gone = 0
    while keys := [str(row[id_]) for row in questions.fetch_xml(table, text).rows]:
        done = writes.delete_multiple(table, keys)
        gone += done
        if not done:
            break
    return gone


def _note(
    call: Call, writing: Writing, job: str, name: str, table: str, began: datetime, message: str, *, code: str = ""
) -> None:
    """The row that tells of the job."""
    writer = call.writer(writing)
    row: dict[str, Value] = {
        "asyncoperationid": job, "name": name, "operationtype": BULK_DELETE, "primaryentitytype": table,
        "message": message[:2000], "friendlymessage": message[:2000], "errorcode": _signed(code), "retrycount": 0,
        "startedon": began, "completedon": datetime.now(UTC), "correlationid": str(UUID(call.correlation)),
        "statecode": COMPLETED, "statuscode": FAILED if code else SUCCEEDED,
        "createdon": began, "modifiedon": began, "createdby": writer.user, "modifiedby": writer.user,
        "ownerid": writer.user, "owneridtype": "systemuser", "owninguser": writer.user,
        "owningbusinessunit": writer.business_unit,
    }  # fmt: skip
    writing.insert("asyncoperation", [row])


def _signed(code: str) -> int | None:
    """A code as the number that Dataverse keeps."""
    return int(code, 16) - 2**32 if code.startswith("0x8") else None


_TARGETS: Final[Sequence[Parameter]] = (Parameter("Targets", "Collection(mscrm.crmbaseentity)"),)


def _on_set(name: str, run: Any, returns: tuple[Parameter, ...] | None = None) -> Builtin:
    return Builtin(name, run, binding=Binding.COLLECTION, parameters=tuple(_TARGETS), returns=returns)


OPERATIONS: Final = (
    _on_set("CreateMultiple", create_multiple, (Parameter("Ids", "Collection(Edm.Guid)"),)),
    _on_set("UpdateMultiple", update_multiple),
    _on_set("UpsertMultiple", upsert_multiple, (Parameter("Results", "Collection(mscrm.UpsertResponse)"),)),
    _on_set("DeleteMultiple", delete_multiple),
    Builtin(
        "BulkDelete", bulk_delete,
        parameters=(
            Parameter("QuerySet", "Collection(mscrm.QueryExpression)"), Parameter("JobName", "Edm.String"),
            Parameter("SendEmailNotification", "Edm.Boolean", optional=True),
            Parameter("ToRecipients", "Collection(mscrm.activityparty)", optional=True),
            Parameter("CCRecipients", "Collection(mscrm.activityparty)", optional=True),
            Parameter("RecurrencePattern", "Edm.String", optional=True),
            Parameter("StartDateTime", "Edm.DateTimeOffset", optional=True),
            Parameter("SourceImportId", "Edm.Guid", optional=True),
            Parameter("RunNow", "Edm.Boolean", optional=True),
        ),
        returns=(Parameter("JobId", "Edm.Guid"),),
    ),
)  # fmt: skip
