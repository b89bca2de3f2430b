"""Every error this product raises on purpose.

    UnifyError                      exit 1   says what, where, and the next move
    ├── SpecError                   exit 2   a project file, plan or option is wrong
    ├── SourceError                 exit 3   an input file or frame cannot be taken
    │   ├── DamagedFileError                 truncated, corrupt, or lying about itself
    │   └── SchemaDriftError                 columns changed since the last run
    ├── StoreError                  exit 4   the instance on disk
    │   ├── InstanceNotFoundError
    │   ├── NotPublishedError                no run has published anything yet
    │   └── LeaseHeldError          exit 5   somebody else is writing
    ├── OverloadError               exit 6   a join would explode; names the value that causes it
    └── QueryError                  exit 7   a question that cannot be answered: bad SQL, unknown record or customer
        └── NotFoundError                    well asked, but what it names by key or name is not there

A caller needs one handler::

    try:
        acme.run("project.yaml")
    except unify.UnifyError as error:
        print(error.message, error.where, error.hint)
"""

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class UnifyError(Exception):
    """Base of all errors. `message` says what, `where` the place, `hint` the next move."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  → {self.hint}" if self.hint else text

    def as_dict(self) -> dict[str, str]:
        """The error as `--json` prints it."""
        return {"error": type(self).__name__, "message": self.message, "where": self.where, "hint": self.hint}


class SpecError(UnifyError):
    """A declared thing is wrong: project file, conflation plan, option. May carry several problems, one a line."""

    exit_code = 2


class SourceError(UnifyError):
    """An input cannot be taken."""

    exit_code = 3


class DamagedFileError(SourceError):
    """A file is truncated, corrupt, or its content contradicts its own footer or checksum; it is refused whole."""


class SchemaDriftError(SourceError):
    """The columns of an entity changed since the last run."""


class StoreError(UnifyError):
    """Something about the instance directory: not writable, full, damaged, unknown generation."""

    exit_code = 4


class NotPublishedError(StoreError):
    """The instance is there, and has no data yet: no run has ended."""


class InstanceNotFoundError(StoreError):
    """There is no instance at that path."""


class LeaseHeldError(StoreError):
    """Another process holds the writer's lease."""

    exit_code = 5


class OverloadError(UnifyError):
    """The estimate before a join is above the plan's budget; nothing was joined."""

    exit_code = 6


class QueryError(UnifyError):
    """A question that cannot be answered: SQL that is not a SELECT, an unknown table, record or customer."""

    exit_code = 7


class NotFoundError(QueryError):
    """What a question names by key or name is not there: an entity set, a customer, a page that is no longer kept."""


def did_you_mean(name: str, known: "Iterable[str]") -> str:
    """A hint that names the nearest known names, or all of them when none is near.

    >>> did_you_mean("Emial", ["EMail", "City"])
    'did you mean EMail?'
    >>> did_you_mean("x", ["b", "a"])
    'known: a, b'
    """
    names = sorted(set(known))
    folded: dict[str, str] = {n.casefold(): n for n in names}
    near = [folded[m] for m in get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
