"""Code that others bring: found by entry point, loaded only when the configuration names it.

    [project.entry-points."unify.custom_apis"]
    acme = "acme_unify.apis"              a module, or one function, or a list of functions

    custom_apis: [acme]                   in the settings of the service

Code that is not named is never imported.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Final
from uuid import uuid4

from unify.core.errors import SpecError, UnifyError, did_you_mean
from unify.custom.decorator import PluginType, declared
from unify.custom.nouns import CustomApi, Step

GROUP: Final = "unify.custom_apis"


@dataclass(frozen=True)
class Loaded:
    """Code that can be called. `assemblies`: plug-in type → who brought it."""

    apis: Mapping[str, CustomApi] = field(default_factory=dict)
    plugins: Mapping[str, PluginType] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    assemblies: Mapping[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: uuid4().hex, compare=False)
    """Of this very set of code, for what is worked out from it once."""

    def __add__(self, other: "Loaded") -> "Loaded":
        """Both; SpecError when two declare an API or plug-in type of one name."""
        for kind, mine, theirs in (
            ("custom API", self.apis, other.apis),
            ("plug-in type", self.plugins, other.plugins),
        ):
            for name in theirs:
                if name in mine and mine[name] != theirs[name]:
                    hint = "take another name, or leave one of them out of `custom_apis`"
                    raise SpecError(f"the {kind} {name} is declared twice", where="custom_apis", hint=hint)
        steps = (*self.steps, *(step for step in other.steps if step not in self.steps))
        return Loaded(
            {**self.apis, **other.apis},
            {**self.plugins, **other.plugins},
            steps,
            {**self.assemblies, **other.assemblies},
        )


def load(names: Sequence[str] = ()) -> Loaded:
    """The entry points of these names; SpecError for one that is not there, or fails."""
    known = {point.name: point for point in entry_points(group=GROUP)} if names else {}
    found = Loaded()
    for name in dict.fromkeys(names):
        if name not in known:
            hint = did_you_mean(name, known) if known else f"no installed package has the entry-point group {GROUP}"
            raise SpecError(f"there are no custom APIs {name!r}", where="custom_apis", hint=hint)
        found += collected(_loaded(known[name]), name)
    return found


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except UnifyError as error:  # a declaration that cannot be says itself what is wrong
        error.where = error.where or point.value
        raise
    except (Exception, SystemExit) as error:
        message = f"the custom APIs {point.name!r} cannot be loaded: {type(error).__name__}"
        raise SpecError(message, where=point.value, hint="import the module by hand to see where it fails") from error


def collected(what: Any, assembly: str) -> Loaded:
    """All that decorators declared in modules, functions or lists of these; events too. SpecError for nothing."""
    apis: dict[str, CustomApi] = {}
    plugins: dict[str, PluginType] = {}
    steps: list[Step] = []
    for one in _each(what):
        if isinstance(one, CustomApi):
            apis[one.name] = one
            continue
        for said in declared(one):
            plugins[said.plugin.name] = said.plugin
            if said.api is not None:
                if apis.get(said.api.name, said.api) != said.api:
                    raise SpecError(f"the custom API {said.api.name} is declared twice", where=assembly)
                apis[said.api.name] = said.api
            if said.step is not None:
                steps.append(said.step)
    if not (apis or plugins):
        hint = "a module, a function or a list of functions with @custom_api, @plugin or @step"
        raise SpecError("nothing is declared there", where=assembly, hint=hint)
    return Loaded(apis, plugins, tuple(steps), dict.fromkeys(plugins, assembly))


def _each(what: Any) -> Iterator[Any]:
    if isinstance(what, ModuleType):
        for value in vars(what).values():
            if isinstance(value, CustomApi) or (declared(value) and value.__module__ == what.__name__):
                yield value
    elif isinstance(what, Iterable) and not isinstance(what, str):
        for one in what:
            yield from _each(one)
    else:
        yield what
