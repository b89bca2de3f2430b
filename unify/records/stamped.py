"""What follows from definitions, kept by their stamp: a process reads each state of a store's definitions once."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final, Generic, TypeVar

T = TypeVar("T")
KEPT: Final = 64
"""States: a service of some dozen instances; each takes about a megabyte."""


class Stamped(Generic[T]):
    """The latest `KEPT` things, by stamp. Safe in threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()

    def of(self, stamp: str, make: Callable[[], T]) -> T:
        """What is kept under a stamp, or made now. An empty stamp is nobody's, and nothing is kept under it."""
        with self._lock:
            if stamp in self._kept:
                self._kept.move_to_end(stamp)
                return self._kept[stamp]
        made = make()
        if stamp:
            with self._lock:
                self._kept[stamp] = made
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return made
