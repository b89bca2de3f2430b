"""What the vendor's operation types come to here: which verb of an instance is called, and which tasks a job has.

    ingestion ─▶ match, merge, activity ─▶ measures ─▶ segmentation ─▶ export
    └────────────────── all ───────────────────────────────────────┘

A generation is whole: whoever makes customers anew also makes what hangs on them. So a job of `match` goes on to
segments, and one of `measures` too; what has not changed is carried over (docs/incremental-runs.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from unify.core.errors import QueryError, did_you_mean

Verb = Literal["run", "ingest", "conflate", "refresh", "segments"]
"""Of an instance."""
STAGES: Final = ("ingestion", "conflation", "measures", "segmentation", "export")
STAGE_OF: Final = {
    "ingestion": "ingestion",
    "map": "conflation",
    "match": "conflation",
    "merge": "conflation",
    "activity": "conflation",
    "attributeMeasures": "measures",
    "entityMeasures": "measures",
    "measures": "measures",
    "segmentation": "segmentation",
    "segmentMembership": "segmentation",
    "export": "export",
    "all": "all",
}
"""The vendor's operationType → a stage."""
VENDORS: Final = (
    "none", "ingestion", "derivedEntity", "hierarchy", "dataPreparation", "map", "realtimeM3Search", "match", "merge",
    "profileStore", "search", "activity", "contact", "attributeMeasures", "entityMeasures", "measures", "segmentation",
    "segmentMembership", "enrichment", "preEnrichment", "transform", "intelligence", "aiBuilder", "insights", "export",
    "modelManagement", "relationship", "roleAssignment", "analysis", "semanticEntity", "all",
)  # fmt: skip
INPUT_MODES: Final = ("None", "Failed", "FailedOrModified", "FailedRecursive", "FailedOrModifiedRecursive")
JobKind = Literal["full", "incremental"]
TASKS_OF: Final[dict[str, tuple[str, ...]]] = {
    "run": ("match", "merge", "activity", "measures", "segmentation"),
    "ingest": (),
    "conflate": ("match", "merge", "activity", "measures", "segmentation"),
    "refresh": ("measures", "segmentation"),
    "segments": (),
}
"""Beside ingestion, which has a task per data source, and named segments, which have one each."""
TASK_OF_STEP: Final = {
    "prepare": "match", "junk": "match", "always": "match", "dedupe": "match", "common": "match", "match": "match",
    "cluster": "match", "bridges": "match", "clusters": "match", "conflate": "match", "identity": "match",
    "merge": "merge", "outputs": "merge", "activities": "activity", "measures": "measures", "segments": "segmentation",
}  # fmt: skip
"""The stage that progress names (unify/core/progress.py) → the task that it is part of; `ingest` names an entity."""


@dataclass(frozen=True)
class Plan:
    """What a job does. `verb` None: it only exports."""

    verb: Verb | None
    export: bool

    def tasks(self, sources: Sequence[str], identifiers: Sequence[str]) -> list[tuple[str, str | None]]:
        """Operation and identifier of each task, in order.

        sources   data sources of the project; `identifiers`: of the job
        """
        found: list[tuple[str, str | None]] = []
        if self.verb in ("run", "ingest"):
            found += [("ingestion", source) for source in sources]
        if self.verb == "segments":
            found += [("segmentation", name) for name in self.segments(identifiers)] or [("segmentation", None)]
        elif self.verb is not None:
            found += [(operation, None) for operation in TASKS_OF[self.verb]]
        if self.export:
            found += [("export", name) for name in identifiers or (EXPORTED,)]
        return found

    def segments(self, identifiers: Sequence[str]) -> tuple[str, ...]:
        """The segments that are refreshed by name; of an export the names say what is written."""
        return () if self.export else tuple(identifiers)


EXPORTED: Final = "Customer"
"""What an export writes when nothing is named."""


def stage_of(operation: str) -> str:
    """The stage of an operationType, or `all`. QueryError for one that this service does not do."""
    word = next((known for known in VENDORS if known.casefold() == operation.casefold()), None)
    if word is None:
        raise QueryError(
            f"{operation!r} is no operationType", where="operationType", hint=did_you_mean(operation, STAGE_OF)
        )
    if word not in STAGE_OF:
        hint = f"what it does is {', '.join(STAGE_OF)}"
        raise QueryError(f"this service has no jobs of {word}", where="operationType", hint=hint)
    return STAGE_OF[word]


def spelled(operation: str) -> str:
    """An operationType as the vendor writes it, of any case. QueryError as `stage_of`."""
    stage_of(operation)
    return next(known for known in VENDORS if known.casefold() == operation.casefold())


def plan_of(operation: str, inputs: str = "None", failed: frozenset[str] = frozenset()) -> Plan:
    """What to do.

    inputs   the vendor's inputRefreshMode: whether stages before the one asked for are made too. Failed: those whose
             last job failed. Modified: all of them, since what is unmodified is carried over. Recursive: not only the
             stage right before, but all before it
    failed   stages whose last job failed
    """
    stage = stage_of(operation)
    if stage == "all":
        return Plan("run", export=False)
    end = STAGES.index(stage)
    start = end
    while start > 0 and inputs != "None" and ("Modified" in inputs or STAGES[start - 1] in failed):
        start -= 1
        if "Recursive" not in inputs:
            break
    return Plan(_verb(STAGES[start : end + 1]), export=stage == "export")


def _verb(stages: Sequence[str]) -> Verb | None:
    """That makes these stages, which follow each other."""
    if stages[0] == "ingestion":
        return "ingest" if len(stages) == 1 else "run"
    verbs: dict[str, Any] = {
        "conflation": "conflate",
        "measures": "refresh",
        "segmentation": "segments",
        "export": None,
    }
    found: Verb | None = verbs[stages[0]]
    return found
