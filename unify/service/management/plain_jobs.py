"""Jobs as somebody reads them who may not see all columns and rows: without words that may quote a value or a name."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel

from unify.service.access.definitions import names_hidden
from unify.service.access.visibility import Visibility
from unify.service.caller import Caller
from unify.service.hosted import Hosted
from unify.service.jobs.telling import without_values
from unify.service.management.errors import CIResult
from unify.service.management.workflow_shapes import problem

T = TypeVar("T")
SPOKEN: Final = ("step", "notice")
"""Fields that say in words what a job does; the words may hold names of columns."""


def plain(hosted: Hosted, caller: Caller, said: T) -> T:
    """Jobs, tasks or nodes, as they are for those from whom nothing is withheld. Blocking, as Hosted.visibility."""
    if hosted.policy(caller).everything:
        return said
    known = hosted.generation() is not None  # else nobody knows yet which names are hidden
    told: T = _Plain(hosted.visibility(caller), known).of(said)
    return told


class _Plain:
    def __init__(self, visibility: Visibility, known: bool) -> None:
        self._visibility, self._known = visibility, known

    def of(self, said: Any) -> Any:
        """Models, lists and tuples of them, at any depth."""
        if isinstance(said, CIResult):
            return self._error(said)
        if isinstance(said, list | tuple):
            return type(said)(map(self.of, said))
        if not isinstance(said, BaseModel):
            return said
        return said.model_copy(
            update={
                field: None if field in SPOKEN and not self._may_tell(value) else self.of(value)
                for field, value in said
                if value is not None
            }
        )

    def _error(self, said: CIResult) -> CIResult:
        params = said.params or {}
        error = {"error": said.error_code or "", "message": said.message or "", **params}
        return problem(without_values(error, names=self._may_tell(params.get("where", ""))))

    def _may_tell(self, text: str) -> bool:
        return self._known and not names_hidden(self._visibility, text)
