"""Definitions as Python: types from annotations, what is refused at the declaration, code that is loaded by name only."""

import sys
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, NotRequired, TypedDict
from uuid import UUID

import pytest

from unify.core.errors import SpecError
from unify.custom import (
    Context,
    Entity,
    EntityCollection,
    EntityReference,
    Money,
    Named,
    Picklist,
    collected,
    custom_api,
    load,
    loading,
    plugin,
    step,
)
from unify.custom.decorator import declared
from unify.custom.nouns import Binding, StepsAllowed
from unify.dataverse.errors import DataverseError


class Colour(IntEnum):
    RED = 1


def api_of(function):
    return declared(function)[0].api


def test_thirteen_types_from_annotations():
    @custom_api("acme_All")
    def everything(
        context: Context, a: bool, b: datetime, c: Decimal, d: Entity, e: EntityCollection, f: EntityReference, g: float,
        h: int, i: Money, j: Colour, k: str, l: list[str],  # noqa: E741
        m: UUID, n: Picklist, o: tuple[str, ...],
    ) -> None:  # fmt: skip
        """Takes all."""

    kinds = {field.name: int(field.type) for field in api_of(everything).parameters}
    assert kinds == {name.upper(): number for number, name in enumerate("abcdefghijklm")} | {"N": 9, "O": 11}


def test_names_and_what_is_optional():
    @custom_api("acme_Named")
    def named(
        max_rows: int, StringParameter: str, label: str | None, weight: float = 1.0,  # noqa: N803
        owner: Annotated[EntityReference | None, Named("Owner", entity="systemuser", label="Who")] = None,
    ) -> None:  # fmt: skip
        """Takes names.

        And more."""

    api = api_of(named)
    assert [(f.name, f.optional) for f in api.parameters] == [
        ("MaxRows", False), ("StringParameter", False), ("Label", True), ("Weight", True), ("Owner", True)
    ]  # fmt: skip
    assert (api.parameters[4].entity, api.parameters[4].label) == ("systemuser", "Who")
    assert (api.label, api.description) == ("acme_Named", "Takes names.")


def test_response_properties():
    @dataclass
    class Answer:
        total_spend: Money
        note: str | None

    class Loose(TypedDict):
        count: int
        rows: NotRequired[EntityCollection]

    @custom_api("acme_A")
    def as_dataclass() -> Answer: ...

    @custom_api("acme_B")
    def as_typed_dict() -> Loose: ...

    @custom_api("acme_C", response={"Sum": Decimal, "Names": list[str]})
    def as_dict() -> dict: ...

    @custom_api("acme_D")
    def nothing() -> None: ...

    found = {f.__name__: [(p.name, p.type.word) for p in api_of(f).properties]
             for f in (as_dataclass, as_typed_dict, as_dict, nothing)}  # fmt: skip
    assert found == {
        "as_dataclass": [("TotalSpend", "Money"), ("Note", "String")],
        "as_typed_dict": [("Count", "Integer"), ("Rows", "EntityCollection")],
        "as_dict": [("Sum", "Decimal"), ("Names", "StringArray")],
        "nothing": [],
    }


def test_the_rest_of_a_definition():
    @custom_api(
        "acme_X", label="L", description="D", bound_to="account", function=True, private=True, steps="async",
        privilege="prvReadAccount", customizable=True, response={"N": int},
    )  # fmt: skip
    def bound(target: EntityReference, n: int) -> dict:
        """No."""

    api = api_of(bound)
    assert (api.label, api.description, api.binding, api.entity) == ("L", "D", Binding.ENTITY, "account")
    assert (api.is_function, api.is_private, api.steps) == (True, True, StepsAllowed.ASYNC_ONLY)
    assert (api.privilege, api.customizable) == ("prvReadAccount", True)
    assert [f.name for f in api.parameters] == ["N"], "target comes by itself"
    collection = custom_api("acme_Y", bound_to="account", binding="collection")(_nothing)
    assert api_of(collection).binding is Binding.ENTITY_COLLECTION


def _nothing() -> None:
    """Nothing."""


def _wrong_type(a: dict) -> None: ...
def _untyped(a) -> None: ...
def _many(*a: int) -> None: ...
def _union(a: int | str) -> None: ...
def _returns() -> int: ...


@pytest.mark.parametrize("function", [_wrong_type, _untyped, _many, _union, _returns])
def test_signatures_that_cannot_be(function):
    with pytest.raises(SpecError) as refused:
        custom_api("acme_X")(function)
    assert function.__name__ in refused.value.where
    assert refused.value.hint


@pytest.mark.parametrize(
    "said",
    [{"name": "X"}, {"name": "acme_X", "bound_to": "account", "binding": "global"},
     {"name": "acme_X", "binding": "entity"}, {"name": "acme_X", "function": True, "in_workflows": True}],
)  # fmt: skip
def test_the_rules_of_definitions_hold_here_too(said):
    with pytest.raises(DataverseError):
        custom_api(**said)(_nothing)


def test_workflows_have_no_words_for_lists():
    def listed(a: list[str]) -> None: ...

    with pytest.raises(DataverseError, match="StringArray"):
        custom_api("acme_X", in_workflows=True)(listed)


@pytest.mark.parametrize(
    "said",
    [{"message": "Update", "stage": 30}, {"message": "Update", "stage": 20, "mode": "async"},
     {"message": "Create", "filtering": ("name",)}],
)  # fmt: skip
def test_steps_that_cannot_be_declared(said):
    with pytest.raises(SpecError):
        step(**said)(_nothing)


def test_a_decorated_function_is_still_a_function():
    @custom_api("acme_Twice")
    @step("Create", entity="account")
    def twice(context: Context) -> None: ...

    assert len(declared(twice)) == 2
    assert callable(twice)
    found = collected([twice], "here")
    assert (list(found.apis), len(found.steps), list(found.plugins)) == (["acme_Twice"], 1, list(found.assemblies))


# ── entry points ─────────────────────────────────────────────────────────────────────────────────────────────────────

GOOD = '''
from unify.custom import custom_api, plugin
from decimal import Decimal

@custom_api("good_Do")
def do() -> None:
    """Does it."""
'''


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Three packages with entry points: one good, one whose import fails, one with nothing in it."""
    (tmp_path / "good_apis.py").write_text(GOOD)
    (tmp_path / "evil_apis.py").write_text("raise SystemError('this must never be imported')")
    (tmp_path / "empty_apis.py").write_text("x = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [EntryPoint(name, f"{name}_apis", loading.GROUP) for name in ("good", "evil", "empty")]
    monkeypatch.setattr(loading, "entry_points", lambda group: [p for p in points if p.group == group])
    yield
    for name in ("good_apis", "evil_apis", "empty_apis"):
        sys.modules.pop(name, None)


def test_only_what_is_named_is_imported(packages):
    found = load(["good"])
    assert list(found.apis) == ["good_Do"]
    assert set(found.assemblies.values()) == {"good"}
    assert "good_apis" in sys.modules
    assert "evil_apis" not in sys.modules


def test_nothing_named_is_nothing_loaded(packages, monkeypatch):
    monkeypatch.setattr(loading, "entry_points", lambda group: pytest.fail("nobody asked for entry points"))
    assert load() == load([])
    assert not {"good_apis", "evil_apis"} & sys.modules.keys()


@pytest.mark.parametrize(("name", "says"), [("evil", "cannot be loaded: SystemError"), ("goood", "no custom APIs"),
                                             ("empty", "nothing is declared")])  # fmt: skip
def test_what_cannot_be_loaded_says_so(packages, name, says):
    with pytest.raises(SpecError, match=says) as refused:
        load([name])
    assert "this must never be imported" not in str(refused.value)
    if name == "goood":
        assert "good" in refused.value.hint


def test_two_cannot_declare_one_name():
    first, second = ModuleType("first"), ModuleType("second")
    for module in (first, second):
        exec(GOOD.replace("Does it", module.__name__), module.__dict__)
        module.do.__module__ = module.__name__
    with pytest.raises(SpecError, match="declared twice"):
        collected(first, "a") + collected(second, "b")


def test_a_module_brings_its_own_functions_only():
    module = ModuleType("mine")
    exec(GOOD, module.__dict__)
    module.do.__module__ = "mine"
    module.other = plugin("elsewhere.x")(lambda context: None)
    assert [plugin.function for plugin in collected(module, "a").plugins.values()] == [module.do]
