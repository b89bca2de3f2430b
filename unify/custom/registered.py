"""What can be called in an instance, and what is called along with it: rows of its tables, and code that was loaded.

    customapi ─ customapirequestparameter, customapiresponseproperty      sdkmessageprocessingstep ─ …stepimage
    plugintype.typename ──▶ loaded code                                   serviceendpoint

A row outranks the declaration of the same name that it was made from. What names code that is not loaded is there, and
fails when it is called.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.custom.loading import Loaded
from unify.custom.nouns import Binding, CustomApi, Field, FieldType, Image, Mode, Stage, Step, StepsAllowed
from unify.dataverse.errors import NO_SEGMENT, DataverseError
from unify.records import Reading, Row
from unify.records.stamped import Stamped

TABLES: Final = (
    "customapi", "customapirequestparameter", "customapiresponseproperty", "plugintype", "sdkmessage",
    "sdkmessagefilter", "sdkmessageprocessingstep", "sdkmessageprocessingstepimage", "serviceendpoint",
)  # fmt: skip
ENABLED: Final = 0
"""statecode of a step that is called."""


@dataclass(frozen=True)
class Registered:
    """At one moment. `steps`: by message, in the order in which they are called."""

    apis: Mapping[str, CustomApi]
    steps: Mapping[str, tuple[Step, ...]]

    def api(self, name: str) -> CustomApi:
        """One that can be called; DataverseError 404, also for a function without a response property."""
        found = self.apis.get(name)
        if found is None or not found.complete:
            raise unknown(name, self.apis if found is None else ())
        return found

    def at(self, message: str, entity: str | None, changed: frozenset[str] | None = None) -> tuple[Step, ...]:
        """Steps that a message calls."""
        return tuple(step for step in self.steps.get(message, ()) if step.takes(message, entity, changed))


def unknown(name: str, known: Any = ()) -> DataverseError:
    """There is no such operation."""
    return DataverseError(
        f"Resource not found for the segment '{name[:100]}'.",
        code=NO_SEGMENT,
        status=HTTPStatus.NOT_FOUND,
        where=name[:100],
        hint=did_you_mean(name, known) if known else "a function needs a response property",
    )


def registered(reading: Reading, loaded: Loaded) -> Registered:
    """As rows and loaded code have it at that moment. A process works it out once for each state of the rows."""
    return _KNOWN.of(f"{loaded.token} {stamp_of(reading)}" if reading.stamp else "", lambda: _read(reading, loaded))


_KNOWN: Final[Stamped[Registered]] = Stamped()


def stamp_of(reading: Reading) -> str:
    """Changes with every write of these tables: latest version and number of rows, by index, and definitions."""
    if not all(name in reading.tables() for name in TABLES):
        return reading.stamp
    return " ".join([reading.stamp, *map(str, reading.connection.execute(_LATEST).fetchone())])


_LATEST: Final = "SELECT " + ", ".join(
    f'(SELECT max(_version) FROM "t_{name}"), (SELECT count(*) FROM "t_{name}")' for name in TABLES
)


def _read(reading: Reading, loaded: Loaded) -> Registered:
    apis = dict(loaded.apis)
    known = reading.tables()
    if not all(name in known for name in TABLES):
        return Registered(apis, _ordered(loaded.steps))
    apis |= {api.name: api for api in rows_of_apis(reading).values()}
    own = _steps(reading)
    held = {row.values["sdkmessageprocessingstepid"] for row in reading.rows("sdkmessageprocessingstep")}
    return Registered(apis, _ordered((*own, *(step for step in loaded.steps if step.id not in held))))


def rows_of_apis(reading: Reading) -> dict[str, CustomApi]:
    """The APIs that stand in rows, by customapiid."""
    plugins = {row.values["plugintypeid"]: row.values["typename"] for row in reading.rows("plugintype")}
    takes = _fields(reading, "customapirequestparameter")
    gives = _fields(reading, "customapiresponseproperty")
    found = {}
    for row in reading.rows("customapi"):
        key = str(row.values["customapiid"])
        found[key] = _api(row, plugins, takes.get(key, ()), gives.get(key, ()))
    return found


def _api(
    row: Row, plugins: Mapping[Any, Any], parameters: tuple[Field, ...], properties: tuple[Field, ...]
) -> CustomApi:
    said = row.values
    return CustomApi(
        name=str(said["uniquename"]),
        label=str(said["displayname"] or ""),
        description=str(said["description"] or ""),
        binding=Binding(_number(said["bindingtype"])),
        entity=_text(said["boundentitylogicalname"]),
        is_function=bool(said["isfunction"]),
        is_private=bool(said["isprivate"]),
        steps=StepsAllowed(_number(said["allowedcustomprocessingsteptype"])),
        privilege=_text(said["executeprivilegename"]),
        in_workflows=bool(said["workflowsdkstepenabled"]),
        customizable=said["iscustomizable"] is not False,
        plugin=_text(plugins.get(said["plugintypeid"])),
        parameters=parameters,
        properties=properties,
    )


def _fields(reading: Reading, table: str) -> dict[str, tuple[Field, ...]]:
    """By customapiid, in the order of their names."""
    found: dict[str, list[Field]] = {}
    for row in reading.rows(table):
        found.setdefault(str(row.values["customapiid"]), []).append(field_of(row.values))
    return {key: tuple(sorted(fields, key=lambda field: field.name)) for key, fields in found.items()}


def field_of(said: Mapping[str, Any]) -> Field:
    """A parameter or property of the values of its row."""
    return Field(
        name=str(said["uniquename"]),
        type=FieldType(_number(said["type"])),
        optional=bool(said.get("isoptional")),
        entity=_text(said["logicalentityname"]),
        label=str(said["displayname"] or ""),
        description=str(said["description"] or ""),
    )


def _steps(reading: Reading) -> list[Step]:
    messages = {row.values["sdkmessageid"]: str(row.values["name"]) for row in reading.rows("sdkmessage")}
    filters = {
        r.values["sdkmessagefilterid"]: r.values["primaryobjecttypecode"] for r in reading.rows("sdkmessagefilter")
    }
    plugins = {row.values["plugintypeid"]: str(row.values["typename"]) for row in reading.rows("plugintype")}
    endpoints = {row.values["serviceendpointid"] for row in reading.rows("serviceendpoint")}
    images = _images(reading)
    found = []
    for row in reading.rows("sdkmessageprocessingstep"):
        said = row.values
        message, handler = messages.get(said["sdkmessageid"]), said["eventhandler"]
        if said["statecode"] not in (None, ENABLED) or message is None:
            continue
        if handler not in plugins and handler not in endpoints:
            continue
        found.append(
            Step(
                id=str(said["sdkmessageprocessingstepid"]),
                name=str(said["name"] or ""),
                message=message,
                stage=Stage(_number(said["stage"])),
                mode=Mode(_number(said["mode"])),
                rank=_number(said["rank"], 1),
                entity=_text(filters.get(said["sdkmessagefilterid"])),
                filtering=_names(said["filteringattributes"]),
                images=images.get(said["sdkmessageprocessingstepid"], ()),
                plugin=plugins.get(handler),
                endpoint=str(handler) if handler in endpoints else None,
                configuration=_text(said["configuration"]),
            )
        )
    return found


def _images(reading: Reading) -> dict[Any, tuple[Image, ...]]:
    """By step; an image of type Both is two."""
    found: dict[Any, list[Image]] = {}
    for row in reading.rows("sdkmessageprocessingstepimage"):
        said = row.values
        kind = _number(said["imagetype"])
        for before in [True] * (kind in (0, 2)) + [False] * (kind in (1, 2)):
            image = Image(str(said["entityalias"] or said["name"]), before, _names(said["attributes"]))
            found.setdefault(said["sdkmessageprocessingstepid"], []).append(image)
    return {step: tuple(images) for step, images in found.items()}


def _ordered(steps: Any) -> dict[str, tuple[Step, ...]]:
    found: dict[str, list[Step]] = {}
    for step in sorted(steps, key=lambda one: (one.stage, one.rank, one.name, one.id)):
        found.setdefault(step.message, []).append(step)
    return {message: tuple(of) for message, of in found.items()}


def _names(text: Any) -> tuple[str, ...]:
    return tuple(name for part in str(text or "").split(",") if (name := part.strip()))


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _number(value: Any, default: int = 0) -> int:
    return default if value is None else int(value)
