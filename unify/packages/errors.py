"""Why an import or export is not begun. What goes wrong later stands in the execution."""

from unify.core.errors import NotFoundError, QueryError, SpecError


class ProjectError(SpecError):
    """A data project, an entity definition or an option that cannot be."""


class NoSuchProjectError(NotFoundError):
    """There is no data project of that name."""


class NoSuchExecutionError(NotFoundError):
    """There is no execution of that id; those that ended more than seven days ago are forgotten."""


class NoSuchEntityError(NotFoundError):
    """Nothing can be imported or exported under that name."""


class ExecutionStateError(QueryError):
    """The execution is not in a state for that: it has run already, it is at work."""
