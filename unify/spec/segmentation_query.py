"""The vendor's SegmentationQuery, key for key."""

from typing import Any

SegmentationQuery = dict[str, Any]
