"""Columns that follow from others: status, owner, full name, who wrote a row and when."""

from collections.abc import Mapping
from typing import Any

from unify.dataverse.errors import BAD_INPUT, BAD_STATUS, DataverseError, no_record
from unify.dataverse.model import Computed, OptionModel, TableModel, Type
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.values import to_second
from unify.records import Value


def defaults(table: TableModel, values: dict[str, Value]) -> None:
    """What a new row has where nobody said anything."""
    for name, attribute in table.attributes.items():
        if attribute.default is not None and attribute.type is not Type.STATE and values.get(name) is None:
            values[name] = attribute.default


def status(table: TableModel, values: dict[str, Value], row: Mapping[str, Value] | None, row_id: str) -> None:
    """Settle statecode and statuscode among what is written. `row`: as it was; None: it is new. DataverseError.

    A state without a status takes the state's default status; a status without a state must be one of the row's state,
    and of a new row brings its state.
    """
    state, reason = table.attributes.get("statecode"), table.attributes.get("statuscode")
    if state is None or reason is None or (row is not None and not {"statecode", "statuscode"} & values.keys()):
        return
    states = {option.value: option for option in state.options}
    codes = {option.value: option for option in reason.options}
    for name in ("statecode", "statuscode"):
        if row is not None and name in values and values[name] is None:
            raise DataverseError(f"'{name}' cannot be set to null.", code=BAD_INPUT, where=name)
    said: Any = values.get("statecode")
    code: Any = values.get("statuscode")
    now: Any = row["statecode"] if row is not None else None
    if code is not None and code not in codes:
        raise _bad_status(table, code, states.get(0 if said is None else said), row_id)
    if said is None:
        said = now if row is not None else (codes[code].state if code is not None else 0)
    if code is None:
        code = row["statuscode"] if row is not None and said == now else states[said].default
    if codes[code].state != said:
        raise _bad_status(table, code, states[said], row_id)
    values["statecode"], values["statuscode"] = said, code


def _bad_status(table: TableModel, code: int, state: OptionModel | None, row_id: str) -> DataverseError:
    label = "" if state is None else state.label.replace(" ", "")
    states = table.attributes["statuscode"].options
    valid = ", ".join(f"{o.value} ({o.label})" for o in states if state is not None and o.state == state.value)
    return DataverseError(
        f"{code} is not a valid status code for state code {table.schema_name}State.{label} on {table.name} with Id "
        f"{row_id}.",
        code=BAD_STATUS,
        where="statuscode",
        hint=f"valid there: {valid}",
    )


def owner(session: Session, table: TableModel, values: dict[str, Value], *, new: bool) -> None:
    """The columns that follow from ownerid; a new row is its writer's unless it says otherwise."""
    if "ownerid" not in table.attributes or not (new or "ownerid" in values):
        return
    if values.get("ownerid") is None:
        values["ownerid"], values["owneridtype"] = session.writer.user, "systemuser"
    chosen = values["ownerid"]
    if chosen == session.writer.user:
        kind, unit = "systemuser", session.writer.business_unit
    else:
        found = session.writing.get("owner", [chosen])
        if found is None:
            raise no_record(str(values["owneridtype"]), str(chosen))
        kind = str(found.values["owneridtype"])
        principal = session.writing.get(kind, [chosen])
        unit = str(principal.values["businessunitid"]) if principal is not None else session.writer.business_unit
    values["owneridtype"] = kind
    values["owninguser"] = chosen if kind == "systemuser" else None
    values["owningteam"] = chosen if kind == "team" else None
    values["owningbusinessunit"] = unit


def names(table: TableModel, values: dict[str, Value], row: Mapping[str, Value] | None) -> None:
    """Full names."""
    if not values.keys() & {"firstname", "lastname"}:
        return
    for name, attribute in table.attributes.items():
        if attribute.computed is Computed.NAME:
            of = {**(row or {}), **values}
            values[name] = " ".join(str(of[part]) for part in ("firstname", "lastname") if of.get(part)) or None


def made(session: Session, table: TableModel, values: dict[str, Value]) -> None:
    """When a new row was made, and by whom. A migrated row says when; then the other column says when it came."""
    now = to_second(session.writer.now)
    if "createdon" in table.attributes:
        migrated = values.get("overriddencreatedon")
        values["createdon"] = now if migrated is None else migrated
        if migrated is not None:
            values["overriddencreatedon"] = now
        values["createdby"] = session.writer.user
    changed(session, table, values)


def changed(session: Session, table: TableModel, values: dict[str, Value]) -> None:
    """When a row was changed, and by whom."""
    if "modifiedon" in table.attributes:
        values["modifiedon"], values["modifiedby"] = to_second(session.writer.now), session.writer.user
