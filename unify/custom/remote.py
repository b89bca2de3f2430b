"""The context of an operation as JSON, as Dataverse sends it to webhooks (RemoteExecutionContext), and back again.

    {"MessageName": "acme_OnVisit", "Stage": 40, "Mode": 1, "Depth": 1, "PrimaryEntityName": "none",
     "InputParameters": [{"key": "Shop", "value": "Bern"}], "CorrelationId": …, "OperationCreatedOn": "/Date(…)/", …}

Events carry ids, not data: of rows that are created or changed only the columns that the step names (filtering
attributes, images) are told, else the id alone.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from unify.custom.nouns import Entity, EntityCollection, EntityReference, Field, FieldType, Mode, Stage

CONTRACTS: Final = "http://schemas.microsoft.com/xrm/2011/Contracts"
EMPTY: Final = "00000000-0000-0000-0000-000000000000"
MOST_BYTES: Final = 256 * 1024
"""Of a body; beyond it what is large is left out, and a header says so."""
LARGE: Final = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")
DATE: Final = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/\Z")


def document(
    *,
    message: str,
    inputs: Iterable[tuple[str, Any, FieldType | None]],
    correlation: str,
    operation: str,
    depth: int,
    user: str,
    business_unit: str,
    organization: str,
    organization_id: str,
    step: str,
    created: datetime,
    entity: str | None = None,
    entity_id: str | None = None,
    outputs: Iterable[tuple[str, Any, FieldType | None]] = (),
    shared: Mapping[str, Any] | None = None,
    before: Mapping[str, Entity] | None = None,
    after: Mapping[str, Entity] | None = None,
    stage: Stage = Stage.POST_OPERATION,
    mode: Mode = Mode.ASYNC,
) -> dict[str, Any]:
    """The whole. Values are those of Python; the type, where one is known, tells Money and choices from numbers."""
    return {
        "BusinessUnitId": business_unit,
        "CorrelationId": correlation,
        "Depth": depth,
        "InitiatingUserId": user,
        "InputParameters": _pairs(inputs),
        "IsExecutingOffline": False,
        "IsInTransaction": False,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": message,
        "Mode": int(mode),
        "OperationCreatedOn": stamp(created),
        "OperationId": operation,
        "OrganizationId": organization_id,
        "OrganizationName": organization,
        "OutputParameters": _pairs(outputs),
        "OwningExtension": {k: v for k, v in _reference("sdkmessageprocessingstep", step).items() if k != "__type"},
        "ParentContext": None,
        "PostEntityImages": [{"key": name, "value": _untyped(image)} for name, image in (after or {}).items()],
        "PreEntityImages": [{"key": name, "value": _untyped(image)} for name, image in (before or {}).items()],
        "PrimaryEntityId": entity_id or EMPTY,
        "PrimaryEntityName": entity or "none",
        "RequestId": None,
        "SecondaryEntityName": "none",
        "SharedVariables": _pairs((name, value, None) for name, value in (shared or {}).items()),
        "Stage": int(stage),
        "UserId": user,
    }


def text(said: Mapping[str, Any]) -> str:
    """The bytes to sign and send: compact, and without what is large where the whole would be too long."""
    whole = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    if len(whole.encode()) <= MOST_BYTES:
        return whole
    return json.dumps({k: v for k, v in said.items() if k not in LARGE}, ensure_ascii=False, separators=(",", ":"))


def was_cut(said: Mapping[str, Any]) -> bool:
    """Whether `text` left something out."""
    return "InputParameters" not in said


def stamp(at: datetime) -> str:
    """A moment as the .NET serialiser writes it.

    >>> stamp(datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC))
    '/Date(1506384247000)/'
    """
    return f"/Date({round(at.timestamp() * 1000)})/"


def _pairs(values: Iterable[tuple[str, Any, FieldType | None]]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value, kind)} for name, value, kind in values]


def _value(value: Any, kind: FieldType | None = None) -> Any:
    if value is None:
        return None
    if kind is FieldType.PICKLIST:
        return {"__type": f"OptionSetValue:{CONTRACTS}", "Value": int(value)}
    if kind is FieldType.MONEY:
        return {"__type": f"Money:{CONTRACTS}", "Value": float(value)}
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return stamp(datetime(value.year, value.month, value.day, tzinfo=UTC))
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, EntityReference):
        return _reference(value.table, value.id, value.name)
    if isinstance(value, Entity):
        return {"__type": f"Entity:{CONTRACTS}", **_untyped(value)}
    if isinstance(value, EntityCollection):
        return _collection(value)
    if isinstance(value, list | tuple):
        return [_value(one) for one in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def _reference(table: str, id_: str, name: str | None = None) -> dict[str, Any]:
    return {
        "__type": f"EntityReference:{CONTRACTS}", "Id": id_, "KeyAttributes": [], "LogicalName": table, "Name": name,
        "RowVersion": None,
    }  # fmt: skip


def _untyped(row: Entity) -> dict[str, Any]:
    return {
        "Attributes": _pairs((name, value, None) for name, value in row.values.items()), "EntityState": None,
        "FormattedValues": [], "Id": row.id or EMPTY, "KeyAttributes": [], "LogicalName": row.table,
        "RelatedEntities": [], "RowVersion": None,
    }  # fmt: skip


def _collection(rows: EntityCollection) -> dict[str, Any]:
    return {
        "__type": f"EntityCollection:{CONTRACTS}", "Entities": [_untyped(row) for row in rows.rows],
        "EntityName": rows.table, "MinActiveRowVersion": None, "MoreRecords": False, "PagingCookie": None,
        "TotalRecordCount": -1, "TotalRecordCountLimitExceeded": False,
    }  # fmt: skip


# ── back ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def values_of(pairs: Iterable[Mapping[str, Any]], fields: Iterable[Field] = ()) -> dict[str, Any]:
    """InputParameters and their like as values of Python. `fields` say the types that JSON has no words for."""
    kinds = {field.name: field.type for field in fields}
    return {str(pair["key"]): _back(pair["value"], kinds.get(str(pair["key"]))) for pair in pairs}


def image_of(said: Mapping[str, Any]) -> Entity:
    """An image."""
    values = {str(pair["key"]): _back(pair["value"]) for pair in said["Attributes"]}
    return Entity(said["LogicalName"], values, None if said["Id"] == EMPTY else said["Id"])


def _back(value: Any, kind: FieldType | None = None) -> Any:
    if isinstance(value, str):
        found = DATE.match(value)
        if found and kind in (None, FieldType.DATETIME):
            return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
        return UUID(value) if kind is FieldType.GUID else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if kind is FieldType.DECIMAL:
            return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return float(value) if kind is FieldType.FLOAT else value
    if isinstance(value, list):
        return [_back(one) for one in value]
    return _object(value) if isinstance(value, dict) else value


def _object(value: Mapping[str, Any]) -> Any:
    word = str(value.get("__type", "")).partition(":")[0]
    if word == "EntityReference":
        return EntityReference(value["LogicalName"], value["Id"], value["Name"])
    if word == "Entity":
        return image_of(value)
    if word == "EntityCollection":
        return EntityCollection(tuple(map(image_of, value["Entities"])), value["EntityName"])
    if word == "Money":
        return Decimal(repr(value["Value"]))
    return value["Value"] if word == "OptionSetValue" else dict(value)
