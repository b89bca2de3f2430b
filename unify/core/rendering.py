"""How a report shows itself in a notebook, without the kernel knowing pages: whoever can draw a kind registers here."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_DRAWERS: dict[type, Callable[[Any], str]] = {}


def register(kind: type[T], draw: Callable[[T], str]) -> None:
    """From now on `draw` makes the HTML of this kind of report; the last one registered wins."""
    _DRAWERS[kind] = draw


def html_of(thing: object) -> str | None:
    """The thing as HTML; None when nobody registered its kind, and the notebook falls back to its `repr`."""
    draw = _DRAWERS.get(type(thing))
    return draw(thing) if draw is not None else None
