"""What of an instance's data a caller may see. It holds wherever data is read: an engine shows nothing else."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Visibility:
    """Equal for callers who may see the same, so that what is prepared for one serves all of them.

    hidden     (table, column) that are not there at all, not even by name
    masked     (table, column) of which only a mask is shown, also to conditions and sorting
    segments   only customers in one of these, and only rows that belong to such customers; None: all
    """

    hidden: frozenset[tuple[str, str]] = frozenset()
    masked: frozenset[tuple[str, str]] = frozenset()
    segments: tuple[str, ...] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is withheld."""
        return not self.hidden and not self.masked and self.segments is None


EVERYTHING: Final = Visibility()
