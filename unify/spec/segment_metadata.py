"""The vendor's SegmentMetadata, key for key: a segment with its state, and what its last runs gave."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator

from unify.spec.segmentation_query import SegmentationQuery
from unify.spec.wire import AuditedWire, StringInfo, Wire, initial_lower

SegmentKind = Annotated[Literal["default", "engagement"], BeforeValidator(initial_lower)]
SegmentState = Annotated[
    Literal["inactive", "active", "validating", "validated", "invalid", "validationError"],
    BeforeValidator(initial_lower),
]
JobStatus = Literal[
    "None", "Queued", "Running", "CompletedSuccess", "CompletedFailure", "Cancelled", "Interrupted", "NotQualified"
]


class SegmentationPublishStats(Wire):
    """What the last run of a segment gave. `entityCount`: its members."""

    job_status: JobStatus | None = None
    evaluation_date: datetime | None = None
    entity_count: int | None = None
    error: StringInfo | None = None
    last_successful_run_id: str | None = None


class HistoricalSegmentStats(Wire):
    """The same of an earlier run. The vendor leaves the words of its `jobStatus` open."""

    evaluation_date: datetime | None = None
    entity_count: int | None = None
    job_status: str | None = None
    error: StringInfo | None = None


class SqlValidationStats(Wire):
    """When the SQL of a manual segment was checked, and what was wrong."""

    validation_date: datetime | None = None
    error: str | None = None


class SegmentRowsetStat(Wire):
    """Customers of one rule."""

    rowset_id: str | None = None
    rowset_count: int | None = None


class SegmentQueryStat(Wire):
    """Customers of each rule."""

    rowset_stat: tuple[SegmentRowsetStat, ...] | None = None


class SegmentMetadata(AuditedWire):
    """A segment, as the vendor's clients send and read it."""

    kind: SegmentKind | None = None
    name: str | None = None
    friendly_name: str | None = None
    description: str | None = None
    segment_query_expression: SegmentationQuery | None = None
    state: SegmentState | None = None
    error_description: str | None = None
    end_date: datetime | None = None
    evaluation_status: SegmentationPublishStats | None = None
    sql_validation_stats: SqlValidationStats | None = None
    evaluation_status_history: tuple[HistoricalSegmentStats, ...] | None = None
    segment_query_stats: SegmentQueryStat | None = None
