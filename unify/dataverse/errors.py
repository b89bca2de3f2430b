"""What Dataverse says when it refuses: a code, a status of HTTP, and its own words.

Clients match on codes and on parts of messages, so both are the vendor's where they are known; who serves HTTP renders
`{"error": {"code": …, "message": …}}` of them.
"""

from http import HTTPStatus
from typing import Final

from unify.core.errors import UnifyError

NO_RECORD: Final = "0x80040217"
DUPLICATE: Final = "0x80040237"
NO_METHOD: Final = "0x80040800"
NO_TABLE: Final = "0x80041102"
BAD_CHOICE: Final = "0x8004431a"
OUT_OF_RANGE: Final = "0x80044330"
TOO_LONG: Final = "0x80044331"
EXPIRED_TOKEN: Final = "0x80044352"
BAD_NAME: Final = "0x80047007"
EXISTS: Final = "0x80047013"
BAD_STATUS: Final = "0x80048408"
RESTRICTED: Final = "0x80048521"
BAD_INPUT: Final = "0x80048d19"
NO_PROPERTY: Final = "0x80060888"
NO_SEGMENT: Final = "0x8006088a"
VERSION: Final = "0x80060882"
NOT_A_KEY: Final = "0x80060890"
NO_RECORD_OF_KEY: Final = "0x80060891"
KEY_TAKEN: Final = "0x80060892"


class DataverseError(UnifyError):
    """A refusal. `code` is Dataverse's, `0x` and eight hex digits; `status` that of HTTP; `where` table or column."""

    exit_code = 7

    def __init__(
        self, message: str, *, code: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, where: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.code, self.status = code, status


def no_record(table: str, row: str) -> DataverseError:
    """404."""
    message = f"{table} With Id = {row} Does Not Exist"
    return DataverseError(message, code=NO_RECORD, status=HTTPStatus.NOT_FOUND, where=table)
