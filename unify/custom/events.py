"""Business events of the product itself: event-only APIs that nobody but it can call, and what it says in them.

    unify_OnCustomerCreated, …Merged, …Split, …Retired   unify_OnSegmentEntered, …Left   unify_OnRunFinished, …Failed

They are told of runs that have ended, whoever started them. Values are those of the events of our own webhooks
(docs/service-jobs.md): ids and counts. Long lists come in parts of a thousand.
"""

from collections.abc import Mapping
from typing import Any, Final

from unify.custom.decorator import event
from unify.custom.nouns import CustomApi
from unify.custom.privileges import SYSTEM

ROOT: Final = "unify_Unify"
_RUN: Final[Mapping[str, Any]] = {"Run": int, "Generation": int | None, "At": str}
_PART: Final[Mapping[str, Any]] = {"Part": int, "Parts": int, "Count": int}
_CHANGE: Final[Mapping[str, Any]] = {"Customers": list[str], "Others": list[str] | None, **_PART, **_RUN}
_MOVED: Final[Mapping[str, Any]] = {"Segment": str, "Customers": list[str], **_PART, **_RUN}


def _on(name: str, description: str, parameters: Mapping[str, Any]) -> CustomApi:
    return event(name, description=description, privilege=SYSTEM, parameters=parameters)


EVENTS: Final[Mapping[str, CustomApi]] = {
    "customer.created": _on("unify_OnCustomerCreated", "Customers that a run has made", _CHANGE),
    "customer.merged": _on("unify_OnCustomerMerged", "Customers that others were merged into", _CHANGE),
    "customer.split": _on("unify_OnCustomerSplit", "Customers that others were split from", _CHANGE),
    "customer.retired": _on("unify_OnCustomerRetired", "Customers that are no more", _CHANGE),
    "segment.entered": _on("unify_OnSegmentEntered", "Customers who have come into a segment", _MOVED),
    "segment.left": _on("unify_OnSegmentLeft", "Customers who are out of a segment", _MOVED),
    "run.finished": _on(
        "unify_OnRunFinished",
        "A run that was published",
        {
            "Purpose": str,
            "Seconds": float | None,
            "SegmentsNotTold": list[str] | None,
            "CustomersNotTold": bool | None,
            **_RUN,
        },
    ),
    "run.failed": _on("unify_OnRunFailed", "A run that was not", {"Purpose": str, "Error": str, **_RUN}),
}
"""Kind of our own event → API."""
CATEGORIES: Final[Mapping[str, tuple[str, ...]]] = {
    "unify_Customers": tuple(api.name for kind, api in EVENTS.items() if kind.startswith("customer.")),
    "unify_Segments": tuple(api.name for kind, api in EVENTS.items() if kind.startswith("segment.")),
    "unify_Runs": tuple(api.name for kind, api in EVENTS.items() if kind.startswith("run.")),
}


def inputs_of(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """One of our own events as input parameters of its API.

    Customers of `customer.*` come with others that they were merged or split with: `Others` has a line for each of
    `Customers`, their ids with blanks between. What a run could not tell any more stands in it only when there is such.
    """
    data = body["data"]
    said: dict[str, Any] = {"Run": data["run"], "Generation": data["generation"], "At": body["timestamp"]}
    if kind.startswith("run."):
        said["Purpose"] = data["purpose"]
        if kind == "run.failed":
            return said | {"Error": data["error"]}
        untold = {"SegmentsNotTold": data["segmentsNotTold"], "CustomersNotTold": data["customersNotTold"]}
        return said | {"Seconds": data["seconds"]} | {name: value for name, value in untold.items() if value}
    said |= {"Part": data["part"], "Parts": data["parts"], "Count": data["count"]}
    if kind.startswith("segment."):
        return {"Segment": data["segment"], "Customers": data["customers"], **said}
    customers = [one["id"] for one in data["customers"]]
    others = [" ".join(one.get("others", ())) for one in data["customers"]]
    return {"Customers": customers, **({"Others": others} if any(others) else {}), **said}
