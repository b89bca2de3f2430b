"""Functions and actions of the Web API: what one is, what it is called with, and where all of them are found.

    WhoAmI()   accounts(…)/Microsoft.Dynamics.CRM.Merge   acme_Score(Target=@p)?@p={'@odata.id':'contacts(…)'}
        │
        └── found(instance, name) ── a row of SOURCES, asked in order ── Operation.call(Call) → Outcome

A module of SOURCES has one function, `operations(instance) -> Mapping[str, Operation]`: names as they stand in an
address, without the namespace. To add operations, write such a module and name it in SOURCES.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from unify.opened import Opened
from unify.records import Reading, Writing
from unify.service.caller import Caller, Role

if TYPE_CHECKING:
    from unify.dataverse.query import Questions
    from unify.dataverse.writes import Writer

NAMESPACE: Final = "Microsoft.Dynamics.CRM"
SOURCES: Final[tuple[str, ...]] = ("unify.service.dataverse.builtin", "unify.service.dataverse.custom_operations")
"""Modules with `operations`; the first that has a name gives the operation of that name."""


class Binding(IntEnum):
    """What an operation stands behind in an address; numbers as in `customapi.bindingtype`."""

    GLOBAL = 0
    ENTITY = 1
    COLLECTION = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that an operation takes, or one property of its answer.

    type      as in CSDL: `Edm.String`, `Collection(Edm.String)`, `mscrm.contact`, `mscrm.crmbaseentity`
    optional  a call may leave it out
    """

    name: str
    type: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation is bound to. `id` is None for a collection."""

    table: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """One call. Blocking work may be done in it: it runs in a thread.

    parameters   by name, as JSON values, numbers with a point as Decimal; of a function, literals as JSON writes them
                 and aliases as they were given.
                 What a reference looks like: {"@odata.id": "contacts(…)"} or {"@odata.type": …, "contactid": …}
    target       what it is bound to; the row is not known to exist
    root         what links begin with, `https://host/api/data/v9.2/`
    correlation  of the request, in answers and logs
    headers      of the request, names in lower case
    reading      `with call.reading() as reading:` one moment; inside a change set what that has written so far
    transaction  `with call.transaction() as writing:` joins that of a change set, else begins one of its own, which is
                 on the disk when the block ends
    writer       `call.writer(writing)`: who the caller is, as in `Writes(writing, call.writer(writing))`
    questions    `call.questions(reading)`: to ask as this caller
    in_change_set  what it writes is undone when a later request of the set fails
    after        `after(work)`: call `work` once all that this call has written is on the disk; never when it is undone
    """

    name: str
    instance: Opened
    parameters: Mapping[str, Any]
    target: Target | None
    caller: Caller
    root: str
    correlation: str
    headers: Mapping[str, str]
    reading: Callable[[], AbstractContextManager[Reading]]
    transaction: Callable[[], AbstractContextManager[Writing]]
    writer: Callable[[Writing], "Writer"]
    questions: Callable[[Reading], "Questions"]
    after: Callable[[Callable[[], None]], None]
    in_change_set: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an operation answers.

    value    members of the JSON answer, or a list: `{"value": […]}`; None: 204
    context  behind `$metadata#` in `@odata.context`; "" is `Microsoft.Dynamics.CRM.<name>Response`
    headers  further ones of the answer
    """

    value: Any = None
    context: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Operation(Protocol):
    """One function or action. Errors that it raises become the answer; see unify/service/dataverse/errors.py."""

    @property
    def name(self) -> str:
        """As in an address, without the namespace."""

    @property
    def function(self) -> bool:
        """Called with GET; else an action, called with POST."""

    @property
    def binding(self) -> Binding:
        """What it stands behind."""

    @property
    def table(self) -> str | None:
        """Logical name of what it is bound to; None: of every table, or of none."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Without the one that it is bound to. What is not named here is refused with 400."""

    @property
    def returns(self) -> str | tuple[Parameter, ...] | None:
        """A type as in CSDL, the properties of its `<name>Response`, or nothing."""

    @property
    def private(self) -> bool:
        """It can be called, and `$metadata` does not tell of it."""

    @property
    def role(self) -> Role:
        """The least that a caller must hold."""

    def call(self, call: Call) -> Outcome:
        """Do it."""


Operations = Mapping[str, Operation]


@dataclass(frozen=True, slots=True)
class Builtin:
    """An operation that is one Python function."""

    name: str
    run: Callable[[Call], Outcome]
    function: bool = False
    binding: Binding = Binding.GLOBAL
    table: str | None = None
    parameters: tuple[Parameter, ...] = ()
    returns: str | tuple[Parameter, ...] | None = None
    private: bool = False
    role: Role = Role.STEWARD

    def call(self, call: Call) -> Outcome:
        """See Operation."""
        return self.run(call)


def found(instance: Opened, name: str) -> Operation | None:
    """The operation of that name; blocking where a source reads definitions."""
    return next((made[name] for made in _all(instance) if name in made), None)


def operations(instance: Opened) -> list[Operation]:
    """All, by name; of two with one name the one that `found` gives."""
    known: dict[str, Operation] = {}
    for made in _all(instance):
        for name, operation in made.items():
            known.setdefault(name, operation)
    return [known[name] for name in sorted(known)]


def _all(instance: Opened) -> Iterator[Operations]:
    """One source after the other, each asked when it is its turn: some read definitions."""
    for source in SOURCES:
        yield importlib.import_module(source).operations(instance)
