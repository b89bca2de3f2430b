"""The vendor's SegmentMetadata and our Segment, into each other.

    name ─────────────────── name              friendlyName ──── title
    segmentQueryExpression ─ query, or sql     description ───── description
    state ────────────────── active            endDate ───────── ends

What runs left (evaluationStatus, segmentQueryStats, …) and the audit tail define nothing: they stay with the metadata.
"""

from pydantic import ValidationError

from unify.core.errors import SpecError
from unify.spec.segment import Segment
from unify.spec.segment_metadata import SegmentMetadata
from unify.spec.segmentation_query import SegmentationQuery

_OURS_ALONE = ("where", "rules", "members", "waterfall", "suppress", "static", "timezone", "tags", "projected")
"""What a Segment can say and SegmentMetadata has no key for."""


def segment_of(metadata: SegmentMetadata) -> tuple[str, Segment]:
    """The segment's name, and what it is. SpecError when it has no name or query, and for engagement segments.

    It is active when its state is, or when none is given; the states of a draft (validating, invalid, …) are not. A
    manual query that is only SQL becomes `sql`, any other `query`.
    """
    where = f"segment {metadata.name}" if metadata.name else "segment"
    if not metadata.name:
        raise SpecError("a segment needs a name", where=where)
    if metadata.kind == "engagement":
        hint = "ingest the events as an activity, and ask for them in a segment of kind default"
        raise SpecError("segments of kind engagement live in the vendor's engagement insights", where=where, hint=hint)
    query = metadata.segment_query_expression
    if query is None:
        raise SpecError("there is no segmentQueryExpression", where=where)
    said = {"sql": query.segmentation_query_sql} if _only_sql(query) else {"query": query}
    try:
        segment = Segment(
            **said,
            active=metadata.state in (None, "active"),
            ends=metadata.end_date,
            title=metadata.friendly_name,
            description=metadata.description,
        )
    except ValidationError as error:
        raise SpecError(error.errors()[0]["msg"], where=where) from None
    return metadata.name, segment


def _manual(sql: str | None) -> SegmentationQuery:
    return SegmentationQuery.model_validate({"type": "manual", "segmentationQuerySql": sql})


def _only_sql(query: SegmentationQuery) -> bool:
    return query == _manual(query.segmentation_query_sql)


def metadata_of(name: str, segment: Segment, *, base: SegmentMetadata | None = None) -> SegmentMetadata:
    """The metadata of a segment. `base`: an earlier one, whose other keys are kept (kind, results, audit tail).

    The state of `base` stays as it is where it agrees with `active`. SpecError that names what the vendor's shape has
    no key for: a condition of ours, a list, a waterfall, tags, …
    """
    extra = [key for key in _OURS_ALONE if getattr(segment, key)]
    if extra:
        hint = "its own YAML or JSON says everything"
        message = f"the vendor's SegmentMetadata has no key for {', '.join(extra)}"
        raise SpecError(message, where=f"segments.{name}", hint=hint)
    query = segment.query or _manual(segment.sql)
    kept = base.wire() if base else {}
    state = base.state if base and _is_active(base) == segment.active else None
    if state is None and not (base and base.state is None and segment.active):
        state = "active" if segment.active else "inactive"
    said = {
        "name": name,
        "friendlyName": segment.title,
        "description": segment.description,
        "segmentQueryExpression": query.wire(),
        "state": state,
        "endDate": segment.ends,
    }
    return SegmentMetadata.model_validate(kept | said)


def _is_active(metadata: SegmentMetadata) -> bool:
    return metadata.state in (None, "active")
