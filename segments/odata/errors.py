"""Errors of OData: text that is no question, and questions that OData knows and nobody answers here."""

from segments.odata.syntax.limits import SHOWN
from unify.core.errors import QueryError


class ODataSyntaxError(QueryError):
    """Text that cannot be read. `position` counts characters of the text as it was given, from 0.

    `expected` names what could have stood there; `hint` is the next move, often the name that was probably meant.
    """

    def __init__(self, message: str, *, position: int, expected: str = "", hint: str = "", where: str = "") -> None:
        place = f"{where}, character {position + 1}" if where else f"character {position + 1}"
        full = f"{message}; expected {expected}" if expected else message
        super().__init__(full, where=place, hint=hint)
        self.reason, self.position, self.expected, self.part = message, position, expected, where

    def moved(self, position: int, part: str) -> "ODataSyntaxError":
        """The same error, placed in the text that surrounds the part it was found in."""
        return ODataSyntaxError(
            self.reason, position=position, expected=self.expected, hint=self.hint, where=self.part or part
        )

    def as_dict(self) -> dict[str, str]:
        """The error as `--json` prints it, with the position as its own key."""
        return super().as_dict() | {"position": str(self.position), "expected": self.expected}


class ODataUnsupportedError(QueryError):
    """OData has it, this product does not answer it: 501 to an HTTP client, where other QueryErrors are 400."""


def shown(text: str) -> str:
    """Text as a message repeats it: quoted, escaped, and cut after 40 characters.

    >>> shown("Name")
    "'Name'"
    """
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
