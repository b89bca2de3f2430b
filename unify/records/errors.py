"""Why the record store takes something not."""

from unify.core.errors import NotFoundError, SpecError, StoreError


class RecordError(SpecError):
    """A value that its column cannot hold, or a row that lacks one. `where` is the column."""


class KeyTakenError(RecordError):
    """Another row has the key. `where` is the name of the alternate key, or the columns of the key."""

    def __init__(self, message: str, *, table: str, where: str) -> None:
        super().__init__(message, where=where)
        self.table = table


class VersionError(RecordError):
    """The row is not the one the writer had seen: somebody wrote it since."""


class NoSuchRowError(NotFoundError):
    """There is no row of that key."""


class ForgottenError(NotFoundError):
    """Changes are asked for from so long ago that deletions of then are not kept any more."""


class NewerStoreError(StoreError):
    """The file was written by a newer version of this product."""
