"""Works off what steps were queued for: code that is called after the commit, once for each, more often when it fails.

Each call has a transaction of its own, which is undone when the code fails.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unify.custom import queue
from unify.custom.context import Context, Who
from unify.custom.loading import Loaded
from unify.custom.nouns import TARGET, CustomApi, EntityReference, Mode, Stage, Step
from unify.custom.pipeline import Failed, Pipeline, silent
from unify.custom.privileges import holds
from unify.custom.queue import Pending
from unify.custom.registered import Registered, registered
from unify.custom.remote import EMPTY, image_of, values_of
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.dataverse.writes import Writer
from unify.opened import Opened
from unify.records import RecordStore


def steps_of(found: Registered) -> dict[str, Step]:
    """Asynchronous ones by id."""
    return {step.id: step for of in found.steps.values() for step in of if step.mode is Mode.ASYNC}


def work_off(
    path: Path,
    loaded: Loaded,
    *,
    opened: Callable[[], AbstractContextManager[Opened]] | None = None,
    failed: Failed = silent,
) -> int:
    """Call what waits in an instance now; how many steps were called, with success or without."""
    store = RecordStore(path)
    with store.read() as reading:
        found = registered(reading, loaded)
    steps = steps_of(found)
    waiting = queue.claim(store, steps, endpoints=False)
    for pending in waiting:
        why = _call(path, loaded, pending, steps[pending.step], found, opened, failed)
        if why is None:
            queue.succeeded(store, [pending.id])
        else:
            queue.failed(store, pending, why)
    return len(waiting)


def _call(
    path: Path,
    loaded: Loaded,
    pending: Pending,
    step: Step,
    found: Registered,
    opened: Callable[[], AbstractContextManager[Opened]] | None,
    failed: Failed,
) -> str | None:
    """Why it failed, without anything of its inside; None: it did not."""
    store, said = RecordStore(path), pending.said
    with store.read() as reading:
        model = model_of(reading)

    def may(privilege: str) -> bool:
        return holds(pending.level, privilege, model)

    writer = Writer(said["UserId"], said["BusinessUnitId"], datetime.now(UTC))
    who = Who(pending.principal, writer, may, records=pending.level in ("steward", "admin"))
    try:
        with ExitStack() as stack:
            instance = stack.enter_context(opened()) if opened is not None and who.records else None
            pipeline = Pipeline(path, loaded, who, instance=instance, failed=failed)
            context = _context(pipeline, stack, said, step, found.apis.get(said["MessageName"]))
            pipeline.plug(step.plugin or "", context, step.name)
    except DataverseError as error:
        return error.message
    return None


def _context(
    pipeline: Pipeline, stack: ExitStack, said: Mapping[str, Any], step: Step, api: CustomApi | None
) -> Context:
    entity = None if said["PrimaryEntityName"] == "none" else said["PrimaryEntityName"]
    target = EntityReference(entity, said["PrimaryEntityId"]) if entity and said["PrimaryEntityId"] != EMPTY else None
    inputs = values_of(said.get("InputParameters", ()), api.parameters if api is not None else ())
    if target is not None:
        inputs.setdefault(TARGET, target)
    return Context(
        message=said["MessageName"], stage=Stage.POST_OPERATION, mode=Mode.ASYNC, depth=said["Depth"],
        correlation=said["CorrelationId"], organization=said["OrganizationName"],
        organization_id=said["OrganizationId"], entity=entity, target=target, inputs=MappingProxyType(inputs),
        outputs=MappingProxyType(values_of(said["OutputParameters"], api.properties if api is not None else ())),
        shared=values_of(said["SharedVariables"]), _execution=pipeline.execution(stack),
        before={pair["key"]: image_of(pair["value"]) for pair in said.get("PreEntityImages", ())},
        after={pair["key"]: image_of(pair["value"]) for pair in said.get("PostEntityImages", ())},
        configuration=step.configuration,
    )  # fmt: skip
