"""Three custom APIs that the product brings itself, and an example of how they are written: docs/custom-apis.md.

unify_ResolveCustomer     which customer a record belongs to, and why     steward
unify_ExplainMembership   why a customer is in a segment, or why not      analyst, who may see everything
unify_RefreshSegment      find a segment's members anew                   steward
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol, cast

from unify.core.errors import StoreError, UnifyError
from unify.core.resolutions import Resolution
from unify.custom import (
    STEPS,
    Context,
    CustomApi,
    EntityReference,
    Loaded,
    OperationRefused,
    Pipeline,
    Request,
    Who,
    collected,
    custom_api,
    load,
)
from unify.custom.background import work_off
from unify.custom.events import EVENTS
from unify.custom.privileges import SYSTEM
from unify.custom.registered import registered
from unify.dataverse.model import ready
from unify.dataverse.writes import Writer, organization_of, user_id
from unify.opened import Opened
from unify.records import RecordStore
from unify.verbs.segment import SegmentHandle
from unify.verbs.segments import Segments

WAIT_S: Final = 20.0
"""A call waits so long for its job: clients wait for thirty seconds and more."""
NOT_FOUND, WRONG, BUSY = 1, 2, 3
"""Sub-codes of refusals."""


class Asked(Protocol):
    """What is asked of an instance."""

    def resolve(self, entity: str, record: Mapping[str, Any]) -> Resolution:
        """See Instance."""

    def segment(self, name: str) -> SegmentHandle:
        """See Instance."""

    def segments(self) -> Segments:
        """See Instance."""


@dataclass(frozen=True)
class Resolved:
    """Which customer."""

    verdict: str
    customer: str | None
    retired: list[str]
    matches: list[str]
    why: list[str]
    generation: int


@dataclass(frozen=True)
class Explained:
    """In, or not, and what would turn it."""

    is_member: bool
    customer: str
    why: list[str]
    nearest_change: list[str]
    generation: int


@dataclass(frozen=True)
class Refreshed:
    """Who is in it now. `state`: successful; queued or running, when the job takes longer than a call may."""

    state: str
    count: int | None
    entered: int | None
    left: int | None
    run: int | None
    job: str | None


@custom_api("unify_ResolveCustomer", label="Resolve a record", privilege="prvUnifySteward", steps="async")
def resolve_customer(context: Context, entity: str, record: str) -> Resolved:
    """Which customer a run would make a record part of, and why. The record is a JSON object of its columns."""
    with _refusing():
        found = _instance(context).resolve(entity, _record(record))
    return Resolved(
        found.verdict,
        found.customer,
        found.retired,
        [match.record for match in found.matches],
        list(found.lines()),
        found.generation,
    )


@custom_api("unify_ExplainMembership", label="Explain a membership", privilege="prvUnifyAnalyze", function=True)
def explain_membership(context: Context, customer: str, segment: str) -> Explained:
    """Why a customer, or whoever a record belongs to, is in a segment or not, and the nearest change."""
    with _refusing():
        handle = _instance(context).segment(segment)
        found = handle.explain(customer)
    nearest = [change.change for change in found.nearest]
    return Explained(found.member, found.CustomerId, list(found.lines()), nearest, handle.generation)


@custom_api("unify_RefreshSegment", label="Refresh a segment", privilege="prvUnifySteward", steps="async")
def refresh_segment(context: Context, segment: str, wait: bool = True) -> Refreshed:
    """Find the members of a segment anew: through the queue of jobs where there is one, else at once.

    Without `wait` it answers as soon as the job is queued.
    """
    acme = _instance(context)
    with _refusing():
        acme.segments().open(segment)
        job = context.submit("segmentation", [segment], WAIT_S if wait else 0.0)
        if job is None:
            acme.segments().refresh(segment)
        elif job.state in ("queued", "running"):
            return Refreshed(job.state, None, None, None, None, job.id)
        elif job.state != "successful":
            why = (job.error or {}).get("message", job.state)
            raise OperationRefused(f"The segment {segment} could not be refreshed: {why}", BUSY)
        return _told(acme, segment, job.id if job is not None else None)


def _told(acme: Asked, segment: str, job: str | None) -> Refreshed:
    handle = acme.segment(segment)
    runs = [run for run in handle.history().rows() if run["kept"]]
    moved = handle.diff() if len(runs) > 1 else None
    entered = len(moved.entered.arrow()) if moved is not None else handle.count()
    left = len(moved.left.arrow()) if moved is not None else 0
    return Refreshed("successful", handle.count(), entered, left, handle.run, job)


def _instance(context: Context) -> Asked:
    """The instance with all its verbs: a call over HTTP or from Python has one. 403 for who sees only a part of it."""
    instance = context.instance
    if not hasattr(instance, "segments"):
        raise OperationRefused("This API cannot be called from a step of a write.")
    asked = cast("Asked", instance)
    if not isinstance(asked.segments(), Segments):
        hint = "an admin can widen what you see"
        raise OperationRefused("This shows more than you may see.", status=403, hint=hint)
    return asked


def _record(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise OperationRefused(f"Record is no JSON: {error}", WRONG, hint='{"EMail": "ada@example.com"}') from None
    if not isinstance(said, dict):
        raise OperationRefused("Record is no JSON object", WRONG, hint='{"EMail": "ada@example.com"}')
    return said


@contextmanager
def _refusing() -> Iterator[None]:
    """What cannot be answered is a refusal in the words of the product."""
    try:
        yield
    except OperationRefused:
        raise
    except StoreError as error:
        raise OperationRefused(error.message, BUSY, hint=error.hint) from error
    except UnifyError as error:
        status = getattr(error, "status", 400)
        status = int(status) if 400 <= int(status) < 500 else 400
        raise OperationRefused(error.message, WRONG, status=status, where=error.where, hint=error.hint) from error


class CustomApis:
    """Operations of an instance, called from Python: `apis.call("acme_Score", Customer="…")`, `apis["acme_Score"]`."""

    def __init__(self, instance: Opened, loaded: Loaded) -> None:
        self._instance, self._loaded = instance, loaded
        self._store = RecordStore(instance.path)
        ready(self._store)
        STEPS.use(instance.path, loaded)

    def call(self, name: str, /, *, target: EntityReference | None = None, **parameters: Any) -> dict[str, Any]:
        """Its answer, by response property. Values are those of Python: docs/custom-apis.md.

        target   of an API that is bound to an entity
        DataverseError when there is no such API, a parameter does not fit, or it refuses: OperationRefused.
        """
        with self._store.read() as reading:
            user, unit = user_id(reading, LOCAL), organization_of(reading)[1]
        who = Who(LOCAL, Writer(user, unit, datetime.now(UTC)), lambda privilege: privilege != SYSTEM)
        pipeline = Pipeline(self._instance.path, self._loaded, who, instance=self._instance, failed=_raise)
        answer = pipeline.call(Request(name, parameters, target, python=True))
        self.work_off()
        return dict(answer.outputs)

    def work_off(self) -> int:
        """Call what steps were queued for, as the service does by itself; how many."""
        return work_off(self._instance.path, self._loaded, opened=lambda: nullcontext(self._instance))

    def all(self) -> list[CustomApi]:
        """Those that can be called, by name."""
        with self._store.read() as reading:
            found = registered(reading, self._loaded).apis
        return [found[name] for name in sorted(found) if found[name].complete]

    def __getitem__(self, name: str) -> CustomApi:
        """One; DataverseError for one that is not there."""
        with self._store.read() as reading:
            return registered(reading, self._loaded).api(name)

    def __iter__(self) -> Iterator[CustomApi]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.all())

    def __repr__(self) -> str:
        return "\n".join([f"<CustomApis of {self._instance.path}: {len(self)}>", *(f"  {api.name}" for api in self)])


def _raise(_what: str, _correlation: str, error: BaseException) -> None:
    """Whoever calls from Python sees why code failed."""
    raise error


LOCAL: Final = "local"
"""The principal of whoever calls from Python: the machine lets them at the files anyway."""
SHIPPED: Final[Loaded] = collected([resolve_customer, explain_membership, refresh_segment, *EVENTS.values()], "unify")


def loaded(names: tuple[str, ...] = ()) -> Loaded:
    """What the product brings, and the entry points that the configuration names. SpecError."""
    return SHIPPED + load(names)


def of_instance(instance: Opened, handlers: Sequence[Any], names: Sequence[str]) -> CustomApis:
    """See Instance.custom_apis: nothing named means what was named before, at first the product's own."""
    before = STEPS.own(instance.path)
    if before is not None and not handlers and not names:
        return CustomApis(instance, before)
    found = loaded(tuple(names))
    return CustomApis(instance, found + collected(handlers, "local") if handlers else found)
