"""The vendor's SegmentationQuery and SegmentMetadata, and what they mean here. docs/segmentation-query.md

segmentation_query  rowsets and criteria as one predicate      segment_metadata  metadata to a Segment and back
paths, rows         which rows a criterion is about            operators, values the 25 operators and their values
hierarchy           childOf, parentOf
"""
