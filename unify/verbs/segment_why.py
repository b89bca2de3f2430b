"""Why a customer is in a segment, or why not: what segments/why needs, put together from one reading."""

from datetime import datetime

from pyroaring import BitMap

from segments.why import Known, why
from unify.core.segment_explanations import SegmentExplanation
from unify.verbs.segment_reading import Reading


def explain(reading: Reading, name: str, ordinal: int, members: BitMap, *, rows: int) -> SegmentExplanation:
    """The answer, at the moment that the run looked from; UnifyError when the definition cannot be read."""
    row = reading.rows[name]
    stage = reading.stage(datetime.fromisoformat(row.facts["clock"]))
    lowered, failed = stage.lowered([name], ())
    if name in failed:
        raise failed[name]
    stored = reading.bitmaps()
    known = {
        other: Known(lowered.get(other), stored.get(other), frozen=d.segment.static)
        for other, d in reading.declared.items()
        if other in lowered or other in stored
    }
    return why(
        reading.opened.engine,
        reading.opened.model,
        lowered[name],
        ordinal,
        clock=stage.clock,
        segments=known,
        name=name,
        stored=members,
        merges=reading.opened.explainer.customer,
        rows=rows,
    )
