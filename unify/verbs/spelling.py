"""Spellings of segments on an instance: its model, with every segment it has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segments.model import model_of
from segments.spellings.convert import convert
from unify.opened import Opened
from unify.verbs.segments import Segments

if TYPE_CHECKING:
    from unify.spec import Segment


def converted(
    acme: Opened, said: "Segment | str | Mapping[str, Any]", to: str, *, spelling: str | None, name: str
) -> str:
    """As segments.spellings.convert says."""
    model = model_of(acme.engine(), acme.project())
    known = dict.fromkeys((info.name for info in Segments(acme.store).all()), model.catalog.customers)
    return convert(said, to, model.with_segments(known), spelling=spelling, name=name)
