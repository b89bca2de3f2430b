"""Bodies of requests: JSON that is exact, and references of a batch in it resolved."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn

from unify.dataverse.errors import DataverseError
from unify.service.data.exchange import Inquiry
from unify.service.dataverse.errors import BAD_PAYLOAD
from unify.service.errors import ServiceError

REFERENCE: Final = re.compile(r"\$([A-Za-z0-9_.~-]{1,100})(?=/|\Z)")
MOST_DIGITS: Final = 400
"""Of a number: more than any column holds."""
DEEPEST: Final = 64
"""Objects and lists inside each other."""


def json_body(inquiry: Inquiry, references: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The object in the body. ServiceError 415, DataverseError 400.

    Numbers with a point are Decimals; a name may stand once in an object. `{}` where there is no body.
    """
    if not inquiry.body.strip():
        return {}
    check_media(inquiry)
    try:
        said = json.loads(
            inquiry.body.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise bad_payload(f"byte {error.start + 1} of the body is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise bad_payload(f"the body is no JSON: {error.msg}, line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise bad_payload("the body nests too deep") from None
    if not isinstance(said, dict):
        raise bad_payload("the body is no object", hint='send an object, as in {"name":"Contoso"}')
    found = resolved(said, references or {})
    return found if isinstance(found, dict) else {}


def check_media(inquiry: Inquiry) -> None:
    """ServiceError 415 unless the body says that it is JSON in UTF-8."""
    charset = re.search(r"charset=[\"']?([\w-]+)", inquiry.header("content-type") or "", re.IGNORECASE)
    if inquiry.media != "application/json" or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        said = (inquiry.header("content-type") or "of no type")[:80]
        message = f"a body is application/json in UTF-8, and this is {said}"
        raise ServiceError(415, message, where="Content-Type", hint="send Content-Type: application/json")


def bad_payload(message: str, *, hint: str = "") -> DataverseError:
    """400 in the words of Dataverse."""
    return DataverseError(
        f"Error identified in Payload provided by the user for Entity :'', {message}", code=BAD_PAYLOAD, where="body",
        hint=hint,
    )  # fmt: skip


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise bad_payload(f"the property {twice[:80]!r} stands twice in an object")
    return made


def _decimal(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= MOST_DIGITS else None
    if number is None or abs(number.adjusted()) > MOST_DIGITS:
        raise bad_payload("a number has too many digits")
    return number


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise bad_payload("a number has too many digits")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise bad_payload(f"{text} is no number of JSON")


def floated(said: Any) -> Any:
    """With floats in the place of Decimals: definitions have bounds, which are no amounts."""
    if isinstance(said, dict):
        return {name: floated(value) for name, value in said.items()}
    if isinstance(said, list):
        return [floated(value) for value in said]
    return float(said) if isinstance(said, Decimal) else said


# ── references of a batch ────────────────────────────────────────────────────────────────────────────────────────────


def resolved(said: Any, references: Mapping[str, str], name: str = "", depth: int = 0) -> Any:
    """With `$1` in `…@odata.bind` and `@odata.id` in the place of which what request 1 led to. DataverseError."""
    if depth > DEEPEST:
        raise bad_payload("the body nests too deep")
    if isinstance(said, dict):
        return {key: resolved(value, references, key, depth + 1) for key, value in said.items()}
    if isinstance(said, list):
        return [resolved(value, references, name, depth + 1) for value in said]
    if isinstance(said, str) and said.startswith("$") and name.endswith(("@odata.bind", "@odata.id")):
        return referred(said, references)
    return said


def referred(text: str, references: Mapping[str, str]) -> str:
    """An address with what a request of the batch led to in the place of `$1`. DataverseError for an unknown one."""
    match = REFERENCE.match(text)
    if match is None:
        return text
    if match[1] not in references:
        raise DataverseError(
            f"Content-ID Reference: '${match[1]}' does not exist in the batch context.",
            code="",
            hint="refer to a request that stands before this one",
        )
    return references[match[1]] + text[match.end() :]
