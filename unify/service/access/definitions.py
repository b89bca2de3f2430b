"""Definitions that somebody may not write: a segment on a column that is withheld tells the column by who is in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from unify.core.errors import UnifyError
from unify.service.access.visibility import Visibility, words_of
from unify.service.errors import ServiceError, bad_request


@contextmanager
def defining(visibility: Visibility, definition: object) -> Iterator[None]:
    """Around whatever tries or saves a definition (as JSON: dicts, lists, text) for somebody with this visibility.

    ServiceError 403 when it names a masked column, 400 for a hidden one, in words for a name that never was. Names
    alone are looked at, so a column of that name in another table is refused too. Errors from inside come through
    without their hints, which list what there is.
    """
    said = words_of(definition)
    masked = sorted({column for _, column in visibility.masked if column.casefold() in said})
    if masked:
        hint = "ask an admin to show you the column, or a steward to save the definition"
        raise ServiceError(403, f"{', '.join(masked)} is masked for you, so a definition cannot name it", hint=hint)
    hidden = sorted({column for _, column in visibility.hidden if column.casefold() in said})
    if hidden:
        raise bad_request(f"there is no attribute {hidden[0]!r}")
    try:
        yield
    except UnifyError as error:
        if visibility.hidden:
            error.hint = ""
        raise
