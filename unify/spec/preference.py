"""Which of several values or rows is preferred."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from unify.spec.base import Noun

PreferenceKind = Literal["importance", "most filled", "most recent", "least recent"]

_SPOKEN = re.compile(r"(importance|most filled|most recent|least recent)(?:\s+by\s+(?P<by>.+))?\Z")


class Preference(Noun):
    """How to choose. Written `importance`, `most filled`, `most recent by ModifiedOn`, `least recent by CreatedOn`."""

    kind: PreferenceKind = "importance"
    by: str | None = None
    """The date or numeric column that says how recent a row is."""

    @model_validator(mode="after")
    def _recency_needs_a_column(self) -> Self:
        if self.kind.endswith("recent") and not self.by:
            raise ValueError(f"'{self.kind}' needs a date or numeric column: write '{self.kind} by <column>'")
        if self.by and not self.kind.endswith("recent"):
            raise ValueError(f"'{self.kind}' takes no column")
        return self

    def __str__(self) -> str:
        return f"{self.kind} by {self.by}" if self.by else self.kind


def spoken_preference(value: Any) -> Any:
    """Read the spoken form; anything else goes on to pydantic."""
    if not isinstance(value, str):
        return value
    found = _SPOKEN.match(value.strip())
    if not found:
        raise ValueError(
            f"{value!r} is not a preference: write importance, most filled, most recent by <column> "
            "or least recent by <column>"
        )
    return {"kind": found[1], "by": found["by"]}


SpokenPreference = Annotated[Preference, BeforeValidator(spoken_preference)]
