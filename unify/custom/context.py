"""What a handler or a step is told of the operation it is part of, and what it may do there."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol

from unify.custom.errors import NO_PRIVILEGE, OperationRefused
from unify.custom.nouns import Entity, EntityReference, Mode, Stage
from unify.dataverse.errors import DataverseError
from unify.dataverse.writes import Writer, Writes
from unify.opened import Opened
from unify.records import Reading, Writing
from unify.store import Store

MOST_TRACE: Final = 10_000
"""Characters of trace that one operation keeps, as Dataverse: the oldest go first."""


@dataclass(frozen=True)
class Who:
    """Who calls.

    principal   a stable id, as the audit log has it
    writer      the same in the words of Dataverse writes: user id, business unit, moment
    may         whether a privilege is held, by name
    records     may see and write record tables: they hold unmasked data
    """

    principal: str
    writer: Writer
    may: Callable[[str], bool]
    records: bool = True


@dataclass(frozen=True)
class Job:
    """A job of the service's queue. `state`: queued, running, successful, failed, aborted, timedOut."""

    id: str
    state: str
    run: int | None = None
    error: Mapping[str, str] | None = None


Submit = Callable[[str, Sequence[str], float], Job]
"""Queues a job of an operation with identifiers, waits so many seconds for its end, and tells how it stands."""


class Calling(Protocol):
    """How one operation calls another; the pipeline is one."""

    @property
    def code(self) -> Any:
        """What can be called: unify.custom.loading.Loaded."""

    def nested(self, name: str, parameters: Mapping[str, Any], context: "Context") -> Mapping[str, Any]:
        """The answer of a custom API, by property."""

    def plug(self, plugin: str, context: "Context", what: str) -> Any:
        """Call code."""


@dataclass
class Execution:
    """What all operations of one request share: the transaction, begun when somebody needs it, and the trace.

    path     of the instance
    look     one moment of the store; inside a transaction of somebody else's, that
    begin    begins or joins a transaction
    doomed   an operation inside has failed, so nothing may be kept, even when its caller went on
    opened   the published generation; None: it is opened when code asks for it
    submit   the queue of jobs, where there is one
    """

    path: Path
    who: Who
    look: Callable[[], AbstractContextManager[Reading]]
    begin: Callable[[], AbstractContextManager[Writing]]
    stack: ExitStack
    calling: Calling
    opened: Opened | None = None
    submit: Submit | None = None
    traces: list[str] = field(default_factory=list)
    doomed: bool = False
    _writing: Writing | None = None
    _reading: Reading | None = None

    def instance(self) -> Opened:
        """The published generation."""
        if self.opened is None and not self.who.records:
            raise OperationRefused("What this caller may see of the instance is not known here.", status=403)
        if self.opened is None:
            self.opened = self.stack.enter_context(Opened(Store.open(self.path)))
        return self.opened

    def writing(self) -> Writing:
        """The transaction."""
        if self._writing is None:
            self._writing = self.stack.enter_context(self.begin())
        return self._writing

    def reading(self) -> Reading:
        """The transaction when there is one, else one moment of the store for the whole request."""
        if self._writing is not None:
            return self._writing
        if self._reading is None:
            self._reading = self.stack.enter_context(self.look())
        return self._reading

    @property
    def wrote(self) -> bool:
        """Whether a transaction was begun."""
        return self._writing is not None

    def trace(self, text: str) -> None:
        """Keep it."""
        self.traces.append(text[:MOST_TRACE])
        while sum(map(len, self.traces)) > MOST_TRACE:
            self.traces.pop(0)


@dataclass(frozen=True)
class Context:
    """The operation, as code sees it. Nothing of it can be set.

    message       Create, Update, Delete, or the name of the custom API
    stage, mode   where in the pipeline this code is called
    depth         1 for what a client asked for, 2 for what that has called …; 8 at most
    correlation   one id for everything that one request has set off
    organization  id of the instance; organization_id: its guid
    entity        logical name of the table that it is about, or None
    target        the row that it is about, or None
    inputs        request parameters by name. Steps before the main operation may set some; it is a plain dict there
    outputs       response properties by name. Steps after it may set some
    shared        yours: steps and the main operation hand things on in it
    before, after   images by alias, of Create, Update and Delete
    configuration   of the step
    """

    message: str
    stage: Stage
    mode: Mode
    depth: int
    correlation: str
    organization: str
    organization_id: str
    entity: str | None
    target: EntityReference | None
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    shared: dict[str, Any]
    _execution: Execution
    before: Mapping[str, Entity] = field(default_factory=dict)
    after: Mapping[str, Entity] = field(default_factory=dict)
    configuration: str | None = None
    read_only: bool = False
    """Of a function: it changes nothing."""

    @property
    def who(self) -> Who:
        """The caller, with what it may do."""
        return self._execution.who

    @property
    def pipeline(self) -> Calling:
        """What calls this code."""
        return self._execution.calling

    @property
    def code(self) -> Any:
        """All code that can be called."""
        return self._execution.calling.code

    @property
    def caller(self) -> str:
        """Who asks: the principal."""
        return self._execution.who.principal

    @property
    def user_id(self) -> str:
        """The caller's row of systemuser."""
        return self._execution.who.writer.user

    @property
    def instance(self) -> Opened:
        """The published generation, as the caller may see it: masked where the caller's role masks."""
        return self._execution.instance()

    @property
    def records(self) -> Reading:
        """The record tables, in the transaction when there is one. OperationRefused 403 when the caller may not."""
        self._need_records()
        return self._execution.reading()

    @property
    def writing(self) -> Writing:
        """The transaction of the operation: undone when anything of it is refused. It begins at the first use."""
        self._need_records()
        if self.read_only:
            raise RuntimeError(f"{self.message} is a function, and functions change nothing")
        if self.stage is Stage.PRE_VALIDATION:
            raise RuntimeError(f"stage 10 of {self.message} comes before the transaction")
        return self._execution.writing()

    @property
    def writes(self) -> Writes:
        """Creates, updates and deletes of Dataverse tables in the transaction; their steps are called too."""
        return Writes(self.writing, self._execution.who.writer)

    def may(self, privilege: str) -> bool:
        """Whether the caller holds a privilege."""
        return self._execution.who.may(privilege)

    def demand(self, privilege: str) -> None:
        """Refuse, in Dataverse's words, when the caller holds it not."""
        if not self.may(privilege):
            raise missing(self._execution.who, privilege)

    def trace(self, text: str) -> None:
        """Note something for whoever asks for annotations of a refusal. It is in no log."""
        self._execution.trace(text)

    def submit(self, operation: str, identifiers: Sequence[str], seconds: float) -> Job | None:
        """A job of the service, waited for `seconds` at most; None where there is no queue. Jobs: docs/service-jobs.md.

        It is queued at once, whatever becomes of the transaction.
        """
        submit = self._execution.submit
        return None if submit is None else submit(operation, identifiers, seconds)

    def call(self, name: str, /, **parameters: Any) -> Mapping[str, Any]:
        """Another custom API, in the same transaction, one deeper; its answer by property."""
        return self._execution.calling.nested(name, parameters, self)

    def _need_records(self) -> None:
        if not self._execution.who.records:
            raise OperationRefused(
                "Record tables hold unmasked data, which this caller may not see.",
                status=403,
                hint="the role steward, without restrictions to segments or columns",
            )


def missing(who: Who, privilege: str) -> DataverseError:
    """The caller holds a privilege not."""
    return DataverseError(
        f"Principal user (Id={who.writer.user}, type=8) is missing {privilege} privilege.",
        code=NO_PRIVILEGE,
        status=HTTPStatus.FORBIDDEN,
        where=privilege,
    )
