"""How a custom API refuses, and the codes of Dataverse that its definitions and calls are refused with."""

from http import HTTPStatus
from typing import Final

from unify.dataverse.errors import BAD_INPUT, DataverseError

ABORTED: Final = "0x80040265"
"""IsvAborted: a plug-in said no."""
CRASHED: Final = "0x80040216"
"""UnexpectedError."""
LOOP: Final = "0x80044182"
NO_PRIVILEGE: Final = "0x80040220"
NO_PREFIX: Final = "0x800608ad"
"""ExportKeyAttributeInvalidPrefix."""
INVALID: Final = "0x80040203"
"""InvalidArgument."""
MANAGED: Final = "0x8004f026"
"""GenericManagedPropertyFailure."""
NAME_TAKEN: Final = "0x80040237"
"""DuplicateRecord."""


class OperationRefused(DataverseError):  # noqa: N818 - the word its users read: it is no failure of theirs
    """Raise it in a handler or a step to say no: 400 with `message`; everything that was written is undone.

    sub_code   a number of your own that programs can tell refusals apart by
    help_link  where a person can read more
    status     of HTTP, 400 to 499
    """

    def __init__(
        self,
        message: str,
        sub_code: int | str | None = None,
        *,
        status: int = 400,
        help_link: str = "",
        where: str = "",
        hint: str = "",
    ) -> None:
        if not 400 <= status < 500:
            raise ValueError(f"a refusal has a status from 400 to 499, not {status}")
        super().__init__(message, code=ABORTED, status=HTTPStatus(status), where=where, hint=hint)
        self.sub_code: int | str = 0 if sub_code is None else sub_code
        self.help_link = help_link
        self.operation_status = 0
        self.trace = ""
        """What was traced until then: the pipeline notes it. A caller that asks for annotations is told."""


class OperationFailedError(DataverseError):
    """A handler failed: 500, without anything of its inside. The log has that, under the correlation id."""

    def __init__(self, api: str, correlation: str) -> None:
        super().__init__(
            f"An unexpected error occurred in {api}.",
            code=CRASHED,
            status=HTTPStatus.INTERNAL_SERVER_ERROR,
            where=api,
            hint=f"the log of the service has it under {correlation}",
        )


class HandlerError(Exception):
    """Code that does not keep to its definition, or is not loaded: the text names definitions, and no values."""


def invalid(message: str, *, where: str = "", hint: str = "", code: str = INVALID) -> DataverseError:
    """400 for a definition that cannot be."""
    return DataverseError(message, code=code, where=where, hint=hint)


def bad_input(message: str, *, where: str = "", hint: str = "") -> DataverseError:
    """400 for a call that does not fit the definition."""
    return DataverseError(
        f"An error occurred while validating input parameters: {message}", code=BAD_INPUT, where=where, hint=hint
    )
