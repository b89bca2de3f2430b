"""The error of the binder: text that can be read, but asks for what the model does not have."""

from typing import NoReturn

from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax.limits import SHOWN
from unify.core.errors import QueryError


class BindError(QueryError):
    """A question about a model that has no such thing. `position` counts characters of the decoded text, from 0.

    `part` names the option the text stands in, where that is known: `@p` for the value of a parameter alias.
    """

    def __init__(self, message: str, *, position: int, hint: str = "", part: str = "") -> None:
        place = f"character {position + 1}"
        super().__init__(message, where=f"{part}, {place}" if part else place, hint=hint)
        self.position, self.part = position, part

    def inside(self, part: str) -> "BindError":
        """The same error, as one of that option."""
        return self if self.part else type(self)(self.message, position=self.position, hint=self.hint, part=part)

    def as_dict(self) -> dict[str, str]:
        """The error as `--json` prints it, with the position as its own key."""
        return super().as_dict() | {"position": str(self.position)}


class BindUnsupportedError(BindError, ODataUnsupportedError):
    """OData has it, and nobody answers it here: 501 to an HTTP client."""


def unanswered(at: int, message: str, hint: str = "") -> NoReturn:
    """Raise a BindUnsupportedError."""
    raise BindUnsupportedError(message, position=at, hint=hint)


def fail(at: int, message: str, hint: str = "") -> NoReturn:
    """Raise a BindError."""
    raise BindError(message, position=at, hint=hint)


def cut(name: str) -> str:
    """A name as a message repeats it: cut after 40 characters.

    >>> cut("Name")
    'Name'
    """
    return name if len(name) <= SHOWN else name[:SHOWN] + "…"
