"""Waterfalls: other segments in order of precedence, each customer in the first that applies."""

from collections.abc import Mapping

from unify.core.errors import SpecError
from unify.spec.criteria import AllOf, AnyOf, InSegment, NotThis
from unify.spec.segment import Segment


def expanded(segments: Mapping[str, Segment]) -> dict[str, Segment]:
    """The same with the segments that waterfalls make, each after its waterfall.

    A waterfall's n-th segment: who is in the n-th segment it takes from and in none of those before; suppressed,
    active, frozen and ended as the waterfall. SpecError when a name is taken.
    """
    found = dict(segments)
    owner = dict.fromkeys(segments, "a segment of that name")
    for name, segment in segments.items():
        for made in segment.waterfall:
            if made in owner:
                raise SpecError(
                    f"{made!r} is taken by {owner[made]}", where=f"segments.{name}.waterfall", hint="use another name"
                )
            owner[made] = f"the waterfall {name}"
        found |= dict(_exclusive(segment))
    return found


def _exclusive(segment: Segment) -> "list[tuple[str, Segment]]":
    made: list[tuple[str, Segment]] = []
    before: list[InSegment] = []
    for name, source in segment.waterfall.items():
        here = InSegment(segment=source)
        where = AllOf(all=(here, NotThis(**{"not": AnyOf(any=tuple(before))}))) if before else here
        shared = {key: getattr(segment, key) for key in _SHARED}
        made.append((name, Segment(where=where, **shared)))
        before.append(here)
    return made


_SHARED = ("suppress", "static", "active", "ends", "timezone", "tags", "projected")
"""What a waterfall's segments have of it."""
