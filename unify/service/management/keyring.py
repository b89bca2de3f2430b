"""Operations 36–37: under which keys a customer is known, and what happened to it."""

# ruff: noqa: N803 - parameters are called what the wire calls them

from typing import Any

from pydantic import Field

from segments.customer_card import customer_card
from unify.core.names import table_of
from unify.core.steps import Query
from unify.instance import Instance
from unify.service.errors import not_found
from unify.service.management.depends import Asking, TheCaller
from unify.service.management.drafts import entity_named, require_data
from unify.service.management.routes import area
from unify.spec.wire import Wire

router = area("Profile")


class KeyRingResponse(Wire):
    """`keyRing`: what was asked for, of one customer."""

    instance_id: str
    customer_id: str
    key_ring: list[dict[str, Any]] | dict[str, Any] = Field(default={})


@router.get("/profile/keyring", operation_id="get_key_ring", summary="Every key of the customer that has a key")
async def get_key_ring(
    hosted: Asking,
    caller: TheCaller,
    dataSourceName: str,
    entityName: str,
    key: str,
) -> KeyRingResponse:
    """`keyRing`: `{dataSourceName, entityName, preferredKey, keys}` of each entity; the preferred key is the winner's.

    404 for a key that no record has.
    """

    def look(acme: Instance) -> dict[str, Any]:
        require_data(acme)
        entity = entity_named(acme.entities(), entityName, dataSourceName)
        engine = acme.engine()
        found = engine.fetch(
            Query(
                "SELECT CustomerId FROM members WHERE entity = $entity AND key = $key", {"entity": entity, "key": key}
            )
        ).to_pylist()
        if not found:
            raise not_found(f"no record of {entity} has that key", where="query.key", key="customerNotFound")
        return {"customerId": found[0]["CustomerId"], "keyRing": _ring(acme, found[0]["CustomerId"])}

    return KeyRingResponse.model_validate({"instanceId": hosted.id, **await hosted.ask_as(caller, look)})


@router.get(
    "/profile/activityresponsemetadata",
    operation_id="get_activity_types_and_counts",
    summary="Activities of a customer, counted",
)
async def get_activity_types_and_counts(hosted: Asking, caller: TheCaller, customerId: str) -> KeyRingResponse:
    """`keyRing`: `{totalCount, activityTypes: [{activityType, count, first, last}]}`. Retired ids resolve.

    The vendor's client calls this answer a KeyRingResponse too.
    """

    def look(acme: Instance) -> dict[str, Any]:
        require_data(acme)
        id_ = _customer(acme, customerId)
        counts = customer_card(acme.engine(), id_).activities
        types = [{"activityType": c.type, "count": c.activities, "first": c.first, "last": c.last} for c in counts]
        return {"customerId": id_, "keyRing": {"totalCount": sum(c.activities for c in counts), "activityTypes": types}}

    return KeyRingResponse.model_validate({"instanceId": hosted.id, **await hosted.ask_as(caller, look)})


def _customer(acme: Instance, id_: str) -> str:
    """The active customer that an id means; ServiceError 404."""
    rows = (
        acme.engine()
        .fetch(
            Query(
                "SELECT coalesce(successor, CustomerId) AS id FROM customer_ids"
                " WHERE CustomerId = $id AND (retired_run IS NULL OR successor IS NOT NULL)",
                {"id": id_},
            )
        )
        .to_pylist()
    )
    shown = (
        rows
        and acme.engine().fetch(Query("SELECT 1 FROM Customer WHERE CustomerId = $id", {"id": rows[0]["id"]})).num_rows
    )
    if not shown:
        raise not_found("there is no customer of that id", where="query.customerId", key="customerNotFound")
    return str(rows[0]["id"])


def _ring(acme: Instance, customer: str) -> list[dict[str, Any]]:
    rows = (
        acme.engine()
        .fetch(
            Query("SELECT entity, key, is_winner FROM members WHERE CustomerId = $id ORDER BY rid", {"id": customer})
        )
        .to_pylist()
    )
    rings: dict[str, dict[str, Any]] = {}
    for row in rows:
        source, name = row["entity"].split(".", 1)
        ring = rings.setdefault(
            row["entity"],
            {
                "dataSourceName": source,
                "entityName": name,
                "qualifiedEntityName": table_of(row["entity"]),
                "preferredKey": row["key"],
                "keys": [],
            },
        )
        ring["keys"].append(row["key"])
        if row["is_winner"]:
            ring["preferredKey"] = row["key"]
    return list(rings.values())
