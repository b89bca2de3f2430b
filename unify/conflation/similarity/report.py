"""What a similarity join says afterwards, and how it refuses."""

from dataclasses import dataclass
from typing import Literal

from unify.core.errors import OverloadError


@dataclass(frozen=True, slots=True)
class Ignored:
    """A value that took no part. pairs: what it was estimated to cost, in compared pairs."""

    value: str
    side: Literal["left", "right"]
    pairs: int


@dataclass(frozen=True, slots=True)
class SimilarityReport:
    """method       how candidates were found: `segments`, `scan`, `words`, `range`, joined by +
    left, right     distinct values that took part
    estimated       candidates before anything was left out, as counted against max_pairs
    compared        pairs that were scored exactly
    filtered        pairs that were looked at by signature only
    pairs           pairs that passed: rows of the table made
    ignored         values left out because of max_pairs
    """

    method: str
    left: int
    right: int
    estimated: int
    compared: int
    filtered: int
    pairs: int
    ignored: tuple[Ignored, ...]
    seconds: float


def overloaded(condition: str, estimate: int, max_pairs: int, worst: str) -> OverloadError:
    """The error of a join that was not started."""
    return OverloadError(
        f"about {estimate:,} pairs to compare, more than max_pairs = {max_pairs:,}; most of them come from {worst}",
        where=f"condition '{condition}'",
        hint="raise the precision, add an exact condition to the rule, clean those values, raise max_pairs, "
        "or set `overload: degrade` to leave them out and list them",
    )
