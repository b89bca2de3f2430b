"""What a custom API is made of.

CustomApi ─┬─ Field …   request parameters
           ├─ Field …   response properties
           └─ plugin    the name of the plug-in type that is its main operation; None: it has none, it is an event
Step          a plug-in type, or an endpoint on the net, that is called at a stage of a message
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

NAMESPACE: Final = "Microsoft.Dynamics.CRM"
TARGET: Final = "Target"
"""The parameter that an API bound to an entity gets by itself."""


class FieldType(IntEnum):
    """Of a request parameter or response property; the numbers are Dataverse's."""

    BOOLEAN = 0
    DATETIME = 1
    DECIMAL = 2
    ENTITY = 3
    ENTITY_COLLECTION = 4
    ENTITY_REFERENCE = 5
    FLOAT = 6
    INTEGER = 7
    MONEY = 8
    PICKLIST = 9
    STRING = 10
    STRING_ARRAY = 11
    GUID = 12

    @property
    def word(self) -> str:
        """As Dataverse labels it: `EntityReference`."""
        return "DateTime" if self is FieldType.DATETIME else self.name.title().replace("_", "")


WHOLE: Final = frozenset({FieldType.ENTITY, FieldType.ENTITY_COLLECTION})
"""Types that carry rows; an API whose only response property is one of them answers with that type."""
NOT_IN_WORKFLOWS: Final = WHOLE | {FieldType.STRING_ARRAY}
"""An EntityReference can be in a workflow only where the API is bound to an entity."""


class Binding(IntEnum):
    """What an API stands behind in an address."""

    GLOBAL = 0
    ENTITY = 1
    ENTITY_COLLECTION = 2


class StepsAllowed(IntEnum):
    """allowedcustomprocessingsteptype."""

    NONE = 0
    ASYNC_ONLY = 1
    SYNC_AND_ASYNC = 2


class Stage(IntEnum):
    """Where in the pipeline something is called."""

    PRE_VALIDATION = 10
    """Before the transaction."""
    PRE_OPERATION = 20
    MAIN = 30
    """The operation itself: the plug-in of the API."""
    POST_OPERATION = 40


class Mode(IntEnum):
    """When a step is called."""

    SYNC = 0
    ASYNC = 1
    """After the commit."""


@dataclass(frozen=True, slots=True)
class Field:
    """A request parameter, or a response property.

    name      uniquename: what it is called in a request or an answer
    entity    logicalentityname: of an Entity or EntityReference, the table that it is of
    optional  of a parameter
    """

    name: str
    type: FieldType
    optional: bool = False
    entity: str | None = None
    label: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class CustomApi:
    """One API; fields as columns of `customapi`, in words. Made by the decorator or read from the rows."""

    name: str
    label: str = ""
    description: str = ""
    binding: Binding = Binding.GLOBAL
    entity: str | None = None
    is_function: bool = False
    is_private: bool = False
    steps: StepsAllowed = StepsAllowed.NONE
    privilege: str | None = None
    in_workflows: bool = False
    customizable: bool = True
    plugin: str | None = None
    parameters: tuple[Field, ...] = ()
    properties: tuple[Field, ...] = ()

    @property
    def complete(self) -> bool:
        """It can be called: a function has to return something."""
        return bool(self.properties) or not self.is_function

    @property
    def event_only(self) -> bool:
        """Nothing happens at a call but that those who listen are told."""
        return self.plugin is None and not self.properties and self.steps is StepsAllowed.ASYNC_ONLY

    @property
    def returned(self) -> Field | None:
        """The one property that is the whole answer: a single Entity or EntityCollection."""
        only = self.properties[0] if len(self.properties) == 1 else None
        return only if only is not None and only.type in WHOLE else None


@dataclass(frozen=True, slots=True)
class Image:
    """A copy of the row before or after, for a step of Create, Update or Delete. `attributes` empty: all columns."""

    alias: str
    before: bool
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One registered step.

    plugin      plug-in type that is called, or
    endpoint    id of the service endpoint that is told (asynchronous)
    message     Create, Update, Delete, or the name of a custom API
    entity      logical name; None: of every table
    filtering   of Update: at least one of these is set; empty: any
    """

    id: str
    name: str
    message: str
    stage: Stage
    mode: Mode = Mode.SYNC
    rank: int = 1
    entity: str | None = None
    filtering: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    plugin: str | None = None
    endpoint: str | None = None
    configuration: str | None = None

    def takes(self, message: str, entity: str | None, changed: frozenset[str] | None) -> bool:
        """Whether it is called. `changed`: the columns an Update sets; None for what is no Update."""
        if self.message != message or self.entity not in (None, entity):
            return False
        return changed is None or not self.filtering or not changed.isdisjoint(self.filtering)


@dataclass(frozen=True, slots=True)
class EntityReference:
    """One row, by table and id; or by the values of an alternate key."""

    table: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A row, or part of one: `values` by logical name of the column. `id` None: it is not there yet."""

    table: str
    values: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None

    def __getitem__(self, column: str) -> Any:
        return self.values[column]


@dataclass(frozen=True, slots=True)
class EntityCollection:
    """Rows; `table` where all are of one."""

    rows: tuple[Entity, ...] = ()
    table: str | None = None

    def __len__(self) -> int:
        return len(self.rows)
