"""Told of every write of Dataverse tables: the rules of definitions, and the steps of Create, Update and Delete."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4
from weakref import WeakKeyDictionary

from unify.custom import definitions, queue
from unify.custom.context import Context, Execution, Who
from unify.custom.loading import Loaded
from unify.custom.nouns import TARGET, Entity, EntityReference, Mode, Stage, Step
from unify.custom.pipeline import CURRENT, Failed, Pipeline, check_depth, organization_id, silent
from unify.custom.privileges import holds
from unify.custom.registered import Registered, registered
from unify.dataverse.model import model_of
from unify.dataverse.writes import rules as write_rules
from unify.dataverse.writes import watching
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.watching import Happening, Message
from unify.records import Value, Writing


class Rules:
    """What definitions may be: unify/custom/definitions.py."""

    def wants(self, session: Session, message: Message, table: str) -> bool:
        """See Watcher."""
        return table in definitions.TABLES

    def before(self, happening: Happening) -> None:
        """See Watcher."""
        definitions.check(happening)

    def after(self, happening: Happening) -> None:
        """See Watcher."""
        definitions.follow(happening)
        STEPS.forget(happening.session.writing)


class Steps:
    """Steps that were registered on writes. `use` says which code there is: until then there is none."""

    def __init__(self) -> None:
        self._nothing = Loaded()
        self._code: dict[Path, Loaded] = {}
        self.failed: Failed = silent
        self._known: WeakKeyDictionary[Writing, tuple[Loaded, Registered]] = WeakKeyDictionary()
        """By transaction: steps are looked up once in each, not once for each row."""

    def use(self, place: Path, loaded: Loaded, failed: Failed | None = None) -> None:
        """For this process, from now on. `place`: of an instance, or the folder of many."""
        self._code[place.resolve()] = loaded
        if failed is not None:
            self.failed = failed

    def own(self, instance: Path) -> Loaded | None:
        """What was said of this very instance."""
        return self._code.get(instance.resolve())

    def code(self, instance: Path) -> Loaded:
        """What can be called in an instance."""
        path = instance.resolve()
        return self._code.get(path) or self._code.get(path.parent) or self._nothing

    def forget(self, writing: Writing) -> None:
        """Definitions were written in this transaction."""
        self._known.pop(writing, None)

    def _found(self, session: Session) -> Registered:
        current, writing = CURRENT.get(), session.writing
        if current is not None:
            return registered(writing, current.code)
        known = self._known.get(writing)
        if known is None:
            code = self.code(path_of(writing))
            known = self._known[writing] = code, registered(writing, code)
        return known[1]

    def _steps(self, happening: Happening) -> tuple[Step, ...]:
        found = self._found(happening.session)
        changed = frozenset(happening.values) if happening.message == "Update" else None
        return found.at(happening.message, happening.table.name, changed)

    def _now(self, session: Session) -> Loaded:
        """The code of the operation that writes, else that of the instance."""
        current = CURRENT.get()
        found: Loaded = current.code if current is not None else self.code(path_of(session.writing))
        return found

    def wants(self, session: Session, message: Message, table: str) -> bool:
        """See Watcher."""
        found = self._found(session)
        return any(step.entity in (None, table) for step in found.steps.get(message, ()))

    def before(self, happening: Happening) -> None:
        """See Watcher."""
        steps = [s for s in self._steps(happening) if s.stage < Stage.MAIN and s.mode is Mode.SYNC]
        if steps:
            with self._context(happening) as make:
                for step in steps:
                    self._plug(happening, step, make(step))

    def after(self, happening: Happening) -> None:
        """See Watcher."""
        steps = [s for s in self._steps(happening) if s.stage > Stage.MAIN]
        if not steps:
            return
        with self._context(happening) as make:
            for step in steps:
                if step.mode is Mode.SYNC:
                    self._plug(happening, step, make(step))
            for step in steps:
                if step.mode is Mode.ASYNC:
                    queue.enqueue(happening.session.writing, make(step), [step])

    def _plug(self, happening: Happening, step: Step, context: Context) -> None:
        """Call it, and take over what it has set in the target."""
        target = context.inputs[TARGET]
        was = dict(target.values) if isinstance(target, Entity) else {}
        context.pipeline.plug(step.plugin or "", context, step.name)
        if happening.message != "Delete" and step.stage < Stage.MAIN:
            for name, value in target.values.items():
                if name not in was or was[name] != value:
                    happening.table.attribute(name)
                    happening.values[name] = value
            write_rules.names(happening.table, happening.values, happening.before.values if happening.before else None)

    @contextmanager
    def _context(self, happening: Happening) -> Iterator[Any]:
        """Makes the context of a step."""
        writing, current = happening.session.writing, CURRENT.get()
        path = path_of(writing)
        who = current.who if current is not None else _who(happening.session)
        depth = current.depth + 1 if current is not None else 1
        check_depth(depth)
        code = self._now(happening.session)
        pipeline = Pipeline(path, code, who, begin=lambda: nullcontext(writing), failed=self.failed)
        correlation = current.correlation if current is not None else str(uuid4())
        shared: dict[str, Any] = {}
        with ExitStack() as stack:
            execution = pipeline.execution(stack)
            execution.writing()
            organization = organization_id(writing)

            def make(step: Step) -> Context:
                return _made(happening, step, execution, depth, correlation, organization, shared)

            yield make


def _made(
    happening: Happening,
    step: Step,
    execution: Execution,
    depth: int,
    correlation: str,
    organization: str,
    shared: dict[str, Any],
) -> Context:
    table, id_ = happening.table.name, happening.id
    reference = EntityReference(table, id_)
    target: Entity | EntityReference = reference
    if happening.message != "Delete":
        target = Entity(table, dict(happening.values), id_)
    after: Mapping[str, Value] | None = happening.values if happening.message != "Delete" else None
    return Context(
        message=happening.message, stage=step.stage, mode=step.mode, depth=depth, correlation=correlation,
        organization=execution.path.name, organization_id=organization, entity=table, target=reference,
        inputs={TARGET: target}, outputs=MappingProxyType({}), shared=shared, _execution=execution,
        before={i.alias: queue.imaged(happening.before, table, id_, i) for i in step.images
                if i.before and happening.before is not None},
        after={i.alias: queue.imaged(happening.before, table, id_, i, after) for i in step.images
               if not i.before and after is not None and step.stage > Stage.MAIN},
        configuration=step.configuration,
    )  # fmt: skip


def path_of(writing: Writing) -> Path:
    """Of the instance that a transaction is on."""
    rows: Iterable[Any] = writing.connection.execute("PRAGMA database_list")
    return Path(next(row[2] for row in rows if row[1] == "main")).parent


def _who(session: Session) -> Who:
    """Who writes. Whoever may write record tables is at least a steward."""
    user = session.writing.get("systemuser", (session.writer.user,))
    name = str(user.values["domainname"] or user.values["fullname"]) if user is not None else session.writer.user

    def may(privilege: str) -> bool:
        return holds("steward", privilege, model_of(session.writing))

    return Who(name, session.writer, may)


STEPS: Final = Steps()
_RULES: Final = Rules()


def watch() -> None:
    """Have writes tell us; once for each process, when `unify.custom` is imported."""
    for one in (_RULES, STEPS):
        if one not in watching.WATCHERS:
            watching.WATCHERS.append(one)
