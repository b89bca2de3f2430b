"""Which steps and images may be registered: as rows, on what is there, where the message lets them in."""

from collections.abc import Mapping
from typing import Final

from unify.core.errors import did_you_mean
from unify.custom.errors import invalid
from unify.custom.nouns import Mode, Stage, StepsAllowed
from unify.custom.registered import rows_of_apis
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.records import Reading, Value

STAGES: Final = (Stage.PRE_VALIDATION, Stage.PRE_OPERATION, Stage.POST_OPERATION)
BEFORE, AFTER, BOTH = 0, 1, 2
"""imagetype."""


def check_step(reading: Reading, values: dict[str, Value], row: Mapping[str, Value]) -> None:
    """A row of sdkmessageprocessingstep. `values`: what is written of it, which is completed. DataverseError 400."""
    row = {**row, **_handler(values, row)}
    stage, mode = int(str(row.get("stage") or 0)), int(str(row.get("mode") or 0))
    if stage not in tuple(STAGES):
        raise _wrong(
            f"Invalid stage {stage} for a step.", "stage", "10 pre-validation, 20 pre-operation, 40 post-operation"
        )
    if mode == Mode.ASYNC and stage != Stage.POST_OPERATION:
        raise _wrong("Only post-operation steps can be asynchronous.", "mode", "set stage to 40, or mode to 0")
    if row["eventhandlertypecode"] == "serviceendpoint" and mode != Mode.ASYNC:
        raise _wrong(
            "A step of a webhook must be asynchronous here.",
            "mode",
            "set mode to 1: a call over the net would hold the only transaction for as long as the receiver takes",
        )
    message = reading.get("sdkmessage", (row["sdkmessageid"],))
    if message is None:
        raise _wrong("The message of the step does not exist.", "sdkmessageid", "sdkmessages lists them")
    name = str(message.values["name"])
    _check_allowed(reading, name, mode)
    entity = _entity(reading, row, name)
    _check_filtering(reading, row, name, entity)
    if row.get("name") is None:
        values["name"] = f"{name} of {entity or 'any entity'}"


def _handler(values: dict[str, Value], row: Mapping[str, Value]) -> dict[str, Value]:
    """What is called: the event handler; of a step that names only a plug-in type, that."""
    handler, kind = row.get("eventhandler"), row.get("eventhandlertypecode")
    if handler is None and row.get("plugintypeid") is not None:
        handler, kind = row["plugintypeid"], "plugintype"
        values["eventhandler"], values["eventhandlertypecode"] = handler, kind
    if handler is None:
        raise _wrong(
            "The step has no event handler.",
            "eventhandler",
            "bind eventhandler_plugintype or eventhandler_serviceendpoint",
        )
    return {"eventhandler": handler, "eventhandlertypecode": kind}


def _check_allowed(reading: Reading, message: str, mode: int) -> None:
    api = next((one for one in rows_of_apis(reading).values() if one.name == message), None)
    if api is None or api.steps is StepsAllowed.SYNC_AND_ASYNC:
        return
    if api.steps is StepsAllowed.NONE or mode == Mode.SYNC:
        what = "no custom processing steps" if api.steps is StepsAllowed.NONE else "only asynchronous steps"
        raise _wrong(
            "Custom SdkMessageProcessingStep is not allowed on the specified message and entity.",
            "sdkmessageid",
            f"{message} allows {what}",
        )


def _entity(reading: Reading, row: Mapping[str, Value], message: str) -> str | None:
    if row.get("sdkmessagefilterid") is None:
        return None
    found = reading.get("sdkmessagefilter", (row["sdkmessagefilterid"],))
    if found is None or found.values["sdkmessageid"] != row["sdkmessageid"]:
        raise _wrong(
            f"The message filter does not belong to the message {message}.",
            "sdkmessagefilterid",
            "sdkmessages(…)/sdkmessageid_sdkmessagefilter lists them",
        )
    return str(found.values["primaryobjecttypecode"])


def _check_filtering(reading: Reading, row: Mapping[str, Value], message: str, entity: str | None) -> None:
    names = [n for part in str(row.get("filteringattributes") or "").split(",") if (n := part.strip())]
    if not names:
        return
    if message not in ("Create", "Update") or entity is None:
        raise _wrong(
            "Filtering attributes are only for steps of Create and Update on one table.", "filteringattributes",
            "bind a message filter, or leave them out",
        )  # fmt: skip
    _check_columns(reading, entity, names, "filteringattributes")


def check_image(reading: Reading, row: Mapping[str, Value]) -> None:
    """A row of sdkmessageprocessingstepimage. DataverseError 400."""
    step = reading.get("sdkmessageprocessingstep", (row["sdkmessageprocessingstepid"],))
    if step is None:
        raise _wrong("The step of the image does not exist.", "sdkmessageprocessingstepid", "")
    message = reading.get("sdkmessage", (step.values["sdkmessageid"],))
    name = str(message.values["name"]) if message is not None else ""
    kind = int(str(row.get("imagetype") or 0))
    if name not in ("Create", "Update", "Delete"):
        raise _wrong(f"Entity images are not supported for message {name}.", "sdkmessageprocessingstepid", "")
    if (name == "Create" and kind in (BEFORE, BOTH)) or (name == "Delete" and kind in (AFTER, BOTH)):
        word = "a row before it" if name == "Create" else "a row after it"
        raise _wrong(f"{name} has not {word}.", "imagetype", "0 is before, 1 after, 2 both")
    if kind in (AFTER, BOTH) and step.values["stage"] != Stage.POST_OPERATION:
        raise _wrong("Post images are only there at stage 40.", "imagetype", "register the step at stage 40")
    names = [n for part in str(row.get("attributes") or "").split(",") if (n := part.strip())]
    filter_ = reading.get("sdkmessagefilter", (step.values["sdkmessagefilterid"],)) if names else None
    if filter_ is not None:
        _check_columns(reading, str(filter_.values["primaryobjecttypecode"]), names, "attributes")


def _check_columns(reading: Reading, entity: str, names: list[str], where: str) -> None:
    known = model_of(reading).table(entity).attributes
    for name in names:
        if name not in known:
            raise _wrong(
                f"'{entity}' entity doesn't contain attribute with Name = '{name[:100]}'.", where,
                did_you_mean(name, known),
            )  # fmt: skip


def _wrong(message: str, where: str, hint: str) -> DataverseError:
    return invalid(message, where=where, hint=hint)
