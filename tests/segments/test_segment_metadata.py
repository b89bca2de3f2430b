"""The vendor's SegmentMetadata and our Segment, into each other, without loss."""

import datetime as dt

import pytest

from segments.vendor.segment_metadata import metadata_of, segment_of
from unify.core.errors import SpecError
from unify.spec import Segment
from unify.spec.segment_metadata import SegmentMetadata
from unify.spec.segmentation_query import SegmentationQuery

BERN = {"attribute": "City", "comparisonOperator": "equals", "value": "Bern"}
QUERY = {"type": "structured", "rowsets": [{"rowsetOperation": "none", "criteria": BERN, "rowsetId": "r0"}]}
METADATA = {
    "kind": "default",
    "name": "Bernese",
    "friendlyName": "People of Bern",
    "description": "All of them",
    "segmentQueryExpression": QUERY,
    "state": "active",
    "errorDescription": "none so far",
    "endDate": "2030-01-01T00:00:00Z",
    "evaluationStatus": {
        "jobStatus": "CompletedSuccess",
        "evaluationDate": "2024-03-31T10:30:00Z",
        "entityCount": 3,
        "error": {"key": "segmentNotFound", "value": "no", "args": ["a"]},
        "lastSuccessfulRunId": "17",
    },
    "sqlValidationStats": {"validationDate": "2024-03-31T10:30:00Z", "error": "x"},
    "evaluationStatusHistory": [{"evaluationDate": "2024-03-30T10:30:00Z", "entityCount": 2, "jobStatus": "Ok"}],
    "segmentQueryStats": {"rowsetStat": [{"rowsetId": "r0", "rowsetCount": 3}]},
    "version": 7,
    "updatedBy": "a@x",
    "updatedUtc": "2024-03-31T10:30:00Z",
    "createdBy": "b@x",
    "createdUtc": "2024-03-01T10:30:00Z",
    "instanceId": "i-1",
}


def test_metadata_become_a_segment_and_come_back_whole():
    metadata = SegmentMetadata.model_validate(METADATA)
    assert metadata.wire() == METADATA
    name, segment = segment_of(metadata)
    assert (name, segment.kind, segment.title, segment.active) == ("Bernese", "query", "People of Bern", True)
    assert segment.ends == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    assert metadata_of(name, segment, base=metadata) == metadata


@pytest.mark.parametrize("state", ["inactive", "active", "validating", "validated", "invalid", "validationError", None])
def test_states_come_back(state):
    metadata = SegmentMetadata.model_validate(METADATA | {"state": state})
    name, segment = segment_of(metadata)
    assert segment.active == (state in ("active", None))
    assert metadata_of(name, segment, base=metadata) == metadata
    turned = metadata_of(name, segment.model_copy(update={"active": not segment.active}), base=metadata)
    assert turned.state == ("inactive" if segment.active else "active")


@pytest.mark.parametrize(
    "segment",
    [
        Segment(query=SegmentationQuery.model_validate(QUERY), title="x", active=False),
        Segment(sql="SELECT CustomerId FROM Customer", description="y", ends=dt.datetime(2030, 1, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_segment_becomes_metadata_and_comes_back(segment):
    metadata = metadata_of("vip", segment)
    assert segment_of(metadata) == ("vip", segment)
    assert segment_of(SegmentMetadata.model_validate(metadata.wire())) == ("vip", segment)


@pytest.mark.parametrize(
    ("segment", "said"),
    [
        (Segment(where="Points gt 5"), "where"),
        (Segment(sql="SELECT 1", tags=("a",), suppress=("staff",)), "suppress, tags"),
        (Segment(sql="SELECT 1", static=True), "static"),
    ],
)
def test_what_the_vendor_has_no_key_for_is_named(segment, said):
    with pytest.raises(SpecError, match=f"no key for {said}"):
        metadata_of("vip", segment)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "needs a name"),
        ({"segmentQueryExpression": None}, "no segmentQueryExpression"),
        ({"kind": "engagement"}, "engagement insights"),
    ],
)
def test_metadata_that_are_no_segment(change, message):
    with pytest.raises(SpecError, match=message):
        segment_of(SegmentMetadata.model_validate(METADATA | change))
