"""Measures: values worked out per customer, or over the business."""

from typing import Any

from unify.spec.base import Noun


class Measure(Noun):
    """A measure."""

    definition: dict[str, Any] = {}
