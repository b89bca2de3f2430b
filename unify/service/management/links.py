"""Links of the OpenAPI document: from the answer that made something to the operations that take it.

Whoever reads the document, a person or a program, learns from it which part of an answer names the thing: tests follow
them (tests/service/management/test_fuzzing.py), Swagger UI shows them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

MADE: Final[Mapping[str, tuple[str, str]]] = {
    "get_all_instances": ("instanceId", "/0/instanceId"),
    "create_an_instance": ("instanceId", "/instanceId"),
    "copy_an_instance": ("instanceId", "/instanceId"),
    "create_a_key": ("keyId", "/keyId"),
    "create_a_data_source": ("dataSourceId", "/dataSourceMetadata/dataSourceId"),
    "create_a_relationship": ("relationshipName", "/name"),
    "create_a_segment": ("segmentName", "/name"),
    "create_a_measure": ("measureName", "/name"),
    "create_a_hierarchy": ("hierarchyId", "/name"),
    "submit_a_workflow_job": ("jobId", "/jobId"),
    "create_workflow_refresh_schedule": ("scheduleId", "/scheduleId"),
    "create_webhook": ("webhookId", "/webhookId"),
}
"""Operation → the parameter that names what it made or found, and where its answer says the name (JSON pointer)."""
OF_INSTANCE: Final = ("get_instance_metadata", "update_an_instance", "reset_an_instance", "delete_an_instance")
NAME: Final = re.compile(r"\{(\w+)\}")


def link(document: dict[str, Any]) -> None:
    """Write the links into a document."""
    operations = {
        operation["operationId"]: (NAME.findall(path), operation)
        for path, item in document["paths"].items()
        for operation in item.values()
    }
    for maker, (name, pointer) in MADE.items():
        own, operation = operations[maker]
        known = {one: f"$request.path.{one}" for one in own} | {name: f"$response.body#{pointer}"}
        links = {
            target: {"operationId": target, "parameters": {one: known[one] for one in names if one in known}}
            for target, (names, _) in operations.items()
            if target != maker and _takes(target, names, name)
        }
        operation["responses"][min(operation["responses"])]["links"] = links


def _takes(target: str, names: Sequence[str], name: str) -> bool:
    """Whether an operation is about one thing of a kind. Of those on an instance some: fifty links hide each other."""
    if name != "instanceId":
        return bool(names) and names[-1] == name
    return target in OF_INSTANCE or (target in MADE and name in names)
