"""Custom APIs, plug-in types and steps as Python functions. A decorator declares; nothing happens at import.

    @custom_api("acme_Score", steps="async")
    def score(context: Context, customer: str, weight: float = 1.0) -> Scored: ...

Parameters of the function are request parameters, fields of what it returns are response properties: `customer` is
`Customer` on the wire, `max_rows` is `MaxRows`. A parameter with a default, or of `X | None`, is optional.
"""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

from unify.core.errors import SpecError
from unify.custom.context import Context
from unify.custom.nouns import (
    TARGET,
    Binding,
    CustomApi,
    Entity,
    EntityCollection,
    EntityReference,
    Field,
    FieldType,
    Image,
    Mode,
    Stage,
    Step,
    StepsAllowed,
)
from unify.custom.rules import check_api
from unify.custom.types import id_of

F = TypeVar("F", bound=Callable[..., Any])
MARK: Final = "__unify_custom__"
STEPS: Final = {"none": StepsAllowed.NONE, "async": StepsAllowed.ASYNC_ONLY, "all": StepsAllowed.SYNC_AND_ASYNC}
BINDINGS: Final = {"global": Binding.GLOBAL, "entity": Binding.ENTITY, "collection": Binding.ENTITY_COLLECTION}


class Money(Decimal):
    """An amount: a Decimal on the wire, and of the type Money in definitions."""


class Picklist(int):
    """A choice by its number. An IntEnum does as well, and says which numbers there are."""


@dataclass(frozen=True, slots=True)
class Named:
    """What cannot be told by an annotation: `Annotated[EntityReference, Named("Owner", entity="systemuser")]`."""

    name: str | None = None
    entity: str | None = None
    label: str = ""
    description: str = ""


@dataclass(frozen=True)
class PluginType:
    """Code that can be called: the main operation of an API, or a step.

    takes     name of a parameter of the function → of the request parameter; None: it is given the context alone
    gives     name of a field of what it returns → of the response property
    context   name of the parameter that takes the context
    """

    name: str
    function: Callable[..., Any]
    takes: Mapping[str, str] | None = None
    gives: Mapping[str, str] = dataclasses.field(default_factory=dict)
    context: str | None = None
    label: str = ""

    def run(self, context: Context) -> Any:
        """Call it; what was not given has the default of the function, or is None."""
        if self.takes is None:
            return self.function(context)
        parameters = inspect.signature(self.function).parameters
        given: dict[str, Any] = {} if self.context is None else {self.context: context}
        for name, wire in self.takes.items():
            value = context.inputs.get(wire)
            if value is not None or parameters[name].default is inspect.Parameter.empty:
                given[name] = value
        return self.function(**given)


@dataclass(frozen=True)
class Declared:
    """What a decorator hangs on a function."""

    plugin: PluginType
    api: CustomApi | None = None
    step: Step | None = None


def custom_api(
    name: str,
    *,
    label: str = "",
    description: str = "",
    bound_to: str | None = None,
    binding: Literal["global", "entity", "collection"] | None = None,
    function: bool = False,
    private: bool = False,
    steps: Literal["none", "async", "all"] = "none",
    privilege: str | None = None,
    in_workflows: bool = False,
    customizable: bool = False,
    response: Mapping[str, Any] | None = None,
) -> Callable[[F], F]:
    """Declare a custom API whose main operation is the function. SpecError, DataverseError for one that cannot be.

    name         uniquename, with a prefix of your own: `acme_Score`
    label, description   default: the name, and the first line of the docstring
    bound_to     logical name of a table: the API stands behind one row of it, which `target` of the function is given;
                 with `binding="collection"` behind the table as a whole
    function     called with GET and changes nothing; else an action, called with POST
    private      `$metadata` does not tell of it
    steps        which further steps may be registered: `none`, `async` ones, or `all`
    privilege    what a caller must hold: docs/custom-apis.md
    in_workflows   enabled for workflow, with what that forbids
    customizable   others may change label, description, privilege and whether it is private
    response     properties of an answer that is a plain dict: `{"Score": float}`
    """

    def declare(made: F) -> F:
        bound = _binding(name, bound_to, binding)
        takes, parameters, context = _parameters(made, bound)
        gives, properties = _properties(made, response)
        first = (inspect.getdoc(made) or "").partition("\n")[0].strip()
        plugin = PluginType(f"{made.__module__}.{made.__qualname__}", made, takes, gives, context, label or name)
        api = CustomApi(
            name,
            label or name,
            description or first or name,
            bound,
            bound_to,
            is_function=function,
            is_private=private,
            steps=STEPS[steps],
            privilege=privilege,
            in_workflows=in_workflows,
            customizable=customizable,
            plugin=plugin.name,
            parameters=parameters,
            properties=properties,
        )
        check_api(api, None)
        return _marked(made, Declared(plugin, api))

    return declare


def event(
    name: str, *, label: str = "", description: str = "", privilege: str | None = None, parameters: Mapping[str, Any]
) -> CustomApi:
    """A business event: an API without a plug-in, for those who listen. `parameters`: name → type."""
    fields = tuple(_field(key, key, said) for key, said in parameters.items())
    api = CustomApi(
        name,
        label or name,
        description or name,
        steps=StepsAllowed.ASYNC_ONLY,
        privilege=privilege,
        customizable=False,
        parameters=fields,
    )
    check_api(api, None)
    return api


def plugin(name: str, *, label: str = "") -> Callable[[F], F]:
    """Declare a plug-in type: code that an API or step defined by rows can name. It is given the context."""

    def declare(made: F) -> F:
        return _marked(made, Declared(PluginType(name, made, label=label or name)))

    return declare


def step(
    message: str,
    *,
    entity: str | None = None,
    stage: int = Stage.POST_OPERATION,
    mode: Literal["sync", "async"] = "sync",
    rank: int = 1,
    filtering: tuple[str, ...] = (),
    images: tuple[Image, ...] = (),
) -> Callable[[F], F]:
    """Declare a step: the function is given the context at a stage of a message. SpecError for one that cannot be.

    message    Create, Update, Delete, or the name of a custom API that allows it
    entity     logical name; None: every table
    stage      10 pre-validation, 20 pre-operation, 40 post-operation; asynchronous ones are at 40
    filtering  of Update: called only when one of these columns is set
    images     copies of the row before or after
    """

    def declare(made: F) -> F:
        how = Mode[mode.upper()]
        name = f"{made.__module__}.{made.__qualname__}"
        if stage not in (Stage.PRE_VALIDATION, Stage.PRE_OPERATION, Stage.POST_OPERATION):
            raise SpecError(f"a step of {message} cannot be at stage {stage}", where=name, hint="10, 20 or 40")
        if how is Mode.ASYNC and stage != Stage.POST_OPERATION:
            raise SpecError("an asynchronous step is called after the commit: stage 40", where=name)
        if filtering and message != "Update":
            raise SpecError("only an Update has columns to filter by", where=name)
        told = PluginType(name, made, label=name)
        id_ = id_of("step", name, message, entity or "", str(int(stage)), mode)
        said = Step(id_, f"{name}: {message}", message, Stage(stage), how, rank, entity, filtering, images, name)
        return _marked(made, Declared(told, None, said))

    return declare


def declared(function: Any) -> tuple[Declared, ...]:
    """What decorators said of a function."""
    found: tuple[Declared, ...] = getattr(function, MARK, ())
    return found


def _marked(function: F, said: Declared) -> F:
    setattr(function, MARK, (*declared(function), said))
    return function


def _binding(name: str, bound_to: str | None, binding: str | None) -> Binding:
    if binding is None:
        return Binding.GLOBAL if bound_to is None else Binding.ENTITY
    if binding not in BINDINGS:
        raise SpecError(f"{binding!r} is no binding", where=name, hint=", ".join(BINDINGS))
    return BINDINGS[binding]


# ── annotations ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _parameters(made: Callable[..., Any], bound: Binding) -> tuple[Mapping[str, str], tuple[Field, ...], str | None]:
    hints = typing.get_type_hints(made, include_extras=True)
    context: str | None = None
    takes: dict[str, str] = {}
    fields: list[Field] = []
    for name, parameter in inspect.signature(made).parameters.items():
        where = f"{made.__qualname__}.{name}"
        if hints.get(name) is Context or name == "context":
            context = name
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise SpecError("a request parameter has a name and a type", where=where, hint="no *args, **kwargs or /")
        if name not in hints:
            raise SpecError("the type is missing", where=where, hint="annotate it: customer: str")
        if bound is Binding.ENTITY and name == "target":
            takes[name] = TARGET
            continue
        field = _field(wire_name(name), where, hints[name], has_default=parameter.default is not parameter.empty)
        takes[name] = field.name
        fields.append(field)
    return takes, tuple(fields), context


def _properties(
    made: Callable[..., Any], response: Mapping[str, Any] | None
) -> tuple[Mapping[str, str], tuple[Field, ...]]:
    returned = typing.get_type_hints(made, include_extras=True).get("return")
    if response is not None:
        fields = tuple(_field(name, name, said) for name, said in response.items())
        return {field.name: field.name for field in fields}, fields
    if returned is None or returned is type(None):
        return {}, ()
    if not (dataclasses.is_dataclass(returned) or typing.is_typeddict(returned)):
        hint = "a dataclass or TypedDict whose fields are the response properties, or None; or say response={…}"
        raise SpecError("what it returns has no fields", where=made.__qualname__, hint=hint)
    gives: dict[str, str] = {}
    found: list[Field] = []
    for name, hint_ in typing.get_type_hints(returned, include_extras=True).items():
        field = _field(wire_name(name), f"{made.__qualname__} → {name}", hint_)
        gives[name] = field.name
        found.append(dataclasses.replace(field, optional=False))
    return gives, tuple(found)


def wire_name(name: str) -> str:
    """A name of Python as the wire has it; one with capitals stays.

    >>> wire_name("max_rows"), wire_name("customer"), wire_name("StringParameter")
    ('MaxRows', 'Customer', 'StringParameter')
    """
    return name if name != name.lower() else "".join(part.capitalize() for part in name.split("_"))


def _field(name: str, where: str, said: Any, *, has_default: bool = False) -> Field:
    """One field of an annotation; SpecError for a type that custom APIs have no word for."""
    more = Named()
    if get_origin(said) in (typing.Required, typing.NotRequired):
        said = get_args(said)[0]
    if get_origin(said) is Annotated:
        more = next((extra for extra in said.__metadata__ if isinstance(extra, Named)), more)
        said = said.__origin__
    optional = has_default
    if get_origin(said) in (Union, types.UnionType):
        kinds = [one for one in get_args(said) if one is not type(None)]
        if len(kinds) == 1:
            optional, said = True, kinds[0]
    kind = _kind(said)
    if kind is None:
        known = "bool, int, float, Decimal, Money, str, datetime, UUID, list[str], Picklist or an IntEnum, Entity,"
        shown = getattr(said, "__name__", said)
        raise SpecError(
            f"custom APIs have no type for {shown}", where=where, hint=f"{known} EntityReference, EntityCollection"
        )
    shown = more.name or name
    return Field(shown, kind, optional, more.entity, more.label or shown, more.description or more.label or shown)


KINDS: Final[Mapping[Any, FieldType]] = {
    bool: FieldType.BOOLEAN, datetime: FieldType.DATETIME, Decimal: FieldType.DECIMAL, Money: FieldType.MONEY,
    float: FieldType.FLOAT, int: FieldType.INTEGER, Picklist: FieldType.PICKLIST, str: FieldType.STRING,
    UUID: FieldType.GUID, Entity: FieldType.ENTITY, EntityCollection: FieldType.ENTITY_COLLECTION,
    EntityReference: FieldType.ENTITY_REFERENCE, list[str]: FieldType.STRING_ARRAY,
    tuple[str, ...]: FieldType.STRING_ARRAY,
}  # fmt: skip


def _kind(said: Any) -> FieldType | None:
    if isinstance(said, type) and issubclass(said, IntEnum):
        return FieldType.PICKLIST
    try:
        return KINDS.get(said)
    except TypeError:  # an annotation that cannot be a key
        return None
