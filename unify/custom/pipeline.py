"""The road of a custom API: what is called when, and what undoes it.

    10 pre-validation   20 pre-operation   30 main: its plug-in   40 post, synchronous │ commit │ 40 post, asynchronous
    └ no transaction yet └────────────── the transaction, from the first use of it on ─┘        └ from a durable queue

Whatever is refused or fails up to the commit undoes everything of the request. What is asynchronous is queued in the
same transaction, so it is told exactly when the operation has happened.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

from unify.custom.context import Context, Execution, Submit, Who, missing
from unify.custom.errors import LOOP, HandlerError, OperationFailedError, OperationRefused, bad_input, invalid
from unify.custom.loading import Loaded
from unify.custom.nouns import TARGET, Binding, CustomApi, EntityReference, Mode, Stage, Step, StepsAllowed
from unify.custom.registered import Registered, registered
from unify.custom.types import World, default, fits, read
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.dataverse.writes import located, organization_of, parse_reference, writer_of
from unify.opened import Opened
from unify.records import Reading, RecordStore, Writing

MOST_DEPTH: Final = 8
"""Operations that call each other, as in Dataverse."""
Failed = Callable[[str, str, BaseException], None]
"""Told of a handler that failed: what of, correlation id, error."""
CURRENT: Final[ContextVar[Context | None]] = ContextVar("custom_api", default=None)
"""The operation that the code of this thread is part of: writes that it makes are one deeper."""


@dataclass(frozen=True)
class Request:
    """What is called. `inputs`: by name, without the target: JSON, or values of Python. `depth`: of the operation."""

    api: str
    inputs: Mapping[str, Any]
    target: EntityReference | None = None
    depth: int = 1
    correlation: str = ""
    python: bool = False


@dataclass(frozen=True)
class Answer:
    """What came of it: values of Python by property, and the API, which says their types."""

    api: CustomApi
    outputs: Mapping[str, Any]


def silent(_what: str, _correlation: str, _error: BaseException) -> None:
    """For whom nobody listens."""


class Pipeline:
    """One per caller and instance.

    path       of the instance
    instance   the published generation as the caller may see it; None: as it is
    look       one moment of its record store; in a transaction of the caller's own, that
    begin      begins or joins a transaction of it
    failed     is told of handlers that fail
    submit     the queue of jobs, where there is one
    """

    def __init__(
        self,
        path: Path,
        loaded: Loaded,
        who: Who,
        *,
        instance: Opened | None = None,
        look: Callable[[], AbstractContextManager[Reading]] | None = None,
        begin: Callable[[], AbstractContextManager[Writing]] | None = None,
        failed: Failed = silent,
        submit: Submit | None = None,
    ) -> None:
        self._submit = submit
        self._look = look or RecordStore(path).read
        self._path, self._store, self._loaded, self._who = path, RecordStore(path), loaded, who
        self._instance, self._begin, self._failed = instance, begin or self._write, failed

    @contextmanager
    def _write(self) -> Iterator[Writing]:
        with self._store.write() as writing:
            writer_of(writing, self._who.principal)  # what it writes is somebody's
            yield writing

    @property
    def code(self) -> Loaded:
        """What can be called."""
        return self._loaded

    def call(self, request: Request) -> Answer:
        """Do it. DataverseError: 404 no such API, 400 wrong parameters or refused, 403 not allowed, 500 failed."""
        with ExitStack() as stack:
            execution = self.execution(stack)
            reading = execution.reading()
            api = registered(reading, self._loaded).api(request.api)
            if request.python:
                self._check_python(api, request.inputs)
            inputs = dict(request.inputs) if request.python else self._inputs(api, request, reading)
            answer = self._run(execution, api, inputs, request)
            if execution.doomed and execution.wrote:
                raise OperationFailedError(api.name, request.correlation)
            return answer

    def execution(self, stack: ExitStack) -> Execution:
        """What the operations of one request share, until the stack is closed."""
        return Execution(self._path, self._who, self._look, self._begin, stack, self, self._instance, self._submit)

    def nested(self, name: str, parameters: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
        """See Context.call: values are those of Python."""
        execution = context._execution  # noqa: SLF001 - the pipeline made it
        api = registered(execution.reading(), self._loaded).api(name)
        target = parameters.get(TARGET) if api.binding is Binding.ENTITY else None
        given = {key: value for key, value in parameters.items() if not (key == TARGET and target is not None)}
        self._check_python(api, given)
        request = Request(name, given, target, context.depth + 1, context.correlation)
        try:
            return self._run(execution, api, dict(given), request).outputs
        except BaseException:
            execution.doomed = True
            raise

    # ── what a request says ──────────────────────────────────────────────────────────────────────────────────────────

    def _inputs(self, api: CustomApi, request: Request, reading: Reading) -> dict[str, Any]:
        """Values of Python by parameter, checked: every one known, of its type, and all that are required there."""
        known = {field.name: field for field in api.parameters}
        for name in request.inputs:
            if name not in known:
                raise bad_input(
                    f"The parameter '{name[:60]}' in the request payload is not a valid parameter for the operation"
                    f" '{api.name}'.",
                    where=name[:60],
                    hint=f"it takes {', '.join(known)}" if known else "it takes none",
                )
        world = World(model_of(reading), lambda text: reference_at(reading, text))
        values = {name: read(known[name], value, world) for name, value in request.inputs.items()}
        self._check_required(api, values)
        return {name: value for name, value in values.items() if value is not None}

    @staticmethod
    def _check_required(api: CustomApi, values: Mapping[str, Any]) -> None:
        for field in api.parameters:
            if not field.optional and values.get(field.name) is None:
                raise invalid(
                    f"Required field '{field.name}' is missing",
                    where=field.name,
                    hint=f"{api.name} needs it",
                )

    def _check_python(self, api: CustomApi, given: Mapping[str, Any]) -> None:
        known = {field.name: field for field in api.parameters}
        for name, value in given.items():
            if name not in known or not fits(known[name], value):
                what = f"of the type {known[name].type.word}" if name in known else "a parameter of it"
                raise bad_input(f"'{name}' of {api.name} is not {what}.", where=name)
        self._check_required(api, given)

    # ── the road ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, execution: Execution, api: CustomApi, inputs: dict[str, Any], request: Request) -> Answer:
        correlation = request.correlation or str(uuid4())
        check_depth(request.depth)
        if api.privilege is not None and not self._who.may(api.privilege):
            raise missing(self._who, api.privilege)
        if request.target is not None:
            inputs = {TARGET: request.target, **inputs}
        found = registered(execution.reading(), self._loaded)
        steps = allowed(api, found)
        shared: dict[str, Any] = {}
        outputs: dict[str, Any] = {}
        organization = organization_id(execution.reading())

        def context(stage: Stage, mode: Mode = Mode.SYNC, step: Step | None = None) -> Context:
            early, late = stage < Stage.MAIN, stage > Stage.MAIN and mode is Mode.SYNC
            return Context(
                message=api.name, stage=stage, mode=mode, depth=request.depth, correlation=correlation,
                organization=self._path.name, organization_id=organization,
                entity=api.entity, target=request.target, inputs=inputs if early else MappingProxyType(inputs),
                outputs=outputs if late else MappingProxyType(outputs), shared=shared, _execution=execution,
                configuration=step.configuration if step is not None else None, read_only=api.is_function,
            )  # fmt: skip

        def at(stage: Stage) -> None:
            for step in steps:
                if step.stage is stage and step.mode is Mode.SYNC:
                    self.plug(step.plugin or "", context(stage, step=step), api.name)

        at(Stage.PRE_VALIDATION)
        at(Stage.PRE_OPERATION)
        self._check_steps(api, inputs, "request parameter", correlation)
        main = context(Stage.MAIN)
        made = self.plug(api.plugin, main, api.name) if api.plugin is not None else None
        outputs.update(self._outputs(api, made, correlation))
        at(Stage.POST_OPERATION)
        self._check_steps(api, outputs, "response property", correlation)
        self._queue(
            execution, context(Stage.POST_OPERATION, Mode.ASYNC), [s for s in steps if s.mode is Mode.ASYNC], api
        )
        return Answer(api, MappingProxyType(outputs))

    def plug(self, plugin: str, context: Context, what: str) -> Any:
        """What code gives. A refusal and what Dataverse itself refuses come through, anything else is a failure."""
        code = self._loaded.plugins.get(plugin)
        try:
            if code is None:
                raise HandlerError(f"the plug-in type {plugin} is not loaded")  # noqa: TRY301 - one way for all failures
            with executing(context):
                return code.run(context)
        except OperationRefused as refused:
            refused.trace = "\n".join(context._execution.traces)  # noqa: SLF001 - the pipeline made it
            raise
        except DataverseError:
            raise
        except Exception as error:
            self._failed(what, context.correlation, error)
            raise OperationFailedError(what, context.correlation) from error

    def _outputs(self, api: CustomApi, made: Any, correlation: str) -> dict[str, Any]:
        """What a handler returned, by property; what it did not name is the default of the type, None is null."""
        code = self._loaded.plugins.get(api.plugin or "")
        gives = dict(code.gives) if code is not None and code.gives else {f.name: f.name for f in api.properties}
        if is_dataclass(made) and not isinstance(made, type):
            values = {name: getattr(made, name) for name in gives if hasattr(made, name)}
        elif made is None or isinstance(made, Mapping):
            values = dict(made or {})
        else:
            raise self._wrong(api, f"it returned {type(made).__name__}, not a dict or dataclass", correlation)
        wires = {f.name for f in api.properties}
        named = {gives.get(name, name): value for name, value in values.items()}
        for name in named:
            if name not in wires:
                raise self._wrong(api, f"it returned {name!r}, which is no response property", correlation)
        outputs = {f.name: named[f.name] if f.name in named else default(f) for f in api.properties}
        self._check_steps(api, outputs, "response property", correlation)
        return outputs

    def _check_steps(self, api: CustomApi, values: Mapping[str, Any], kind: str, correlation: str) -> None:
        """What code has set is there to be set, and of its type."""
        fields = {f.name: f for f in (api.parameters if kind == "request parameter" else api.properties)}
        for name, value in values.items():
            if name == TARGET and api.binding is Binding.ENTITY and kind == "request parameter":
                continue
            if name not in fields:
                raise self._wrong(api, f"{name!r} is no {kind}", correlation)
            if not fits(fields[name], value):
                got = type(value).__name__
                raise self._wrong(api, f"{name} is {got}, not {fields[name].type.word}", correlation)

    def _wrong(self, api: CustomApi, message: str, correlation: str) -> OperationFailedError:
        self._failed(api.name, correlation, HandlerError(f"{api.name}: {message}"))
        return OperationFailedError(api.name, correlation)

    @staticmethod
    def _queue(execution: Execution, context: Context, steps: list[Step], api: CustomApi) -> None:
        from unify.custom.queue import enqueue

        if steps:
            enqueue(execution.writing(), context, steps, api)


def allowed(api: CustomApi, found: Registered) -> list[Step]:
    """The steps of an API that its step type lets in."""
    steps = found.at(api.name, api.entity)
    if api.steps is StepsAllowed.NONE:
        return []
    return [step for step in steps if api.steps is StepsAllowed.SYNC_AND_ASYNC or step.mode is Mode.ASYNC]


def check_depth(depth: int) -> None:
    """DataverseError when operations have called each other too often: they would go on for ever."""
    if depth > MOST_DEPTH:
        raise invalid(
            "This workflow job was canceled because the workflow that started it included an infinite loop. Correct"
            " the workflow logic and try again.",
            code=LOOP,
            hint=f"operations may call each other {MOST_DEPTH} deep",
        )


@contextmanager
def executing(context: Context) -> Iterator[None]:
    """While the block lasts, what this thread writes is part of that operation."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


def reference_at(reading: Reading, text: str) -> EntityReference:
    """The row that an `@odata.id` means."""
    model = model_of(reading)
    found = parse_reference(model, text)
    id_ = located(reading, model, found.table, found.key)
    if id_ is None:
        raise bad_input(f"The row {text[:100]} does not exist.", where=text[:100])
    return EntityReference(found.table, id_)


def organization_id(reading: Reading) -> str:
    """Of the instance; a guid of zeros before anything was written to it."""
    if "organization" not in reading.tables() or not reading.count("organization"):
        return "00000000-0000-0000-0000-000000000000"
    return organization_of(reading)[0]
