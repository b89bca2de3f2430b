"""What an action of the package API was asked: names in any case, JSON also with single quotes, nothing passed over.

Real clients write `overWrite` for `overwrite` and `{'messageId':'…'}` for JSON; both are taken here, and nowhere else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.service.errors import bad_request

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One. `default` REQUIRED: it must be said."""

    kind: type
    default: Any = REQUIRED


def parameters_of(body: bytes, known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Values by name; ServiceError 400 for a name that is not known, a value of another type, one that is missing."""
    said = object_of(body)
    names = {name.casefold(): name for name in known}
    values: dict[str, Any] = {}
    for given, value in said.items():
        name = names.get(given.removeprefix("_").casefold())
        if name is None:
            raise bad_request(
                f"there is no parameter {given[:80]!r}", where=given[:80], hint=did_you_mean(given, known)
            )
        if name in values:
            raise bad_request(f"{name} is given twice", where=name)
        if value is not None:
            values[name] = _typed(name, value, known[name].kind)
    for name, parameter in known.items():
        if name not in values:
            if parameter.default is REQUIRED:
                raise bad_request(f"{name} is missing", where=name, hint=f"parameters: {', '.join(known)}")
            values[name] = parameter.default
    return values


def _typed(name: str, value: Any, kind: type) -> Any:
    if kind is bool and isinstance(value, str) and value.casefold() in ("true", "false"):
        return value.casefold() == "true"
    if kind is int and isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        what = {str: "a text", bool: "true or false", int: "a whole number", list: "a list"}.get(kind, "an object")
        raise bad_request(f"{name} is {what}", where=name)
    return value.strip() if isinstance(value, str) else value


def object_of(body: bytes) -> dict[str, Any]:
    """A JSON object; none at all is an empty one. ServiceError 400."""
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise bad_request("the body is not UTF-8", where="body") from None
    if not text:
        return {}
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            said = json.loads(double_quoted(text))
        except (ValueError, RecursionError):
            raise bad_request(f"the body is no JSON: {error}"[:300], where="body") from None
    if not isinstance(said, dict):
        raise bad_request("the body is a JSON object", where="body", hint='{"executionId": "…"}')
    return said


def double_quoted(text: str) -> str:
    r"""JSON whose texts stand in single quotes, as JSON.

    >>> double_quoted("{'a': 'it\\'s \"b\"', \"c\": \"d'e\"}")
    '{"a": "it\'s \\"b\\"", "c": "d\'e"}'
    """
    found: list[str] = []
    inside, at = "", 0
    while at < len(text):
        sign = text[at]
        if inside and sign == "\\" and at + 1 < len(text):
            pair = text[at : at + 2]
            found.append("'" if pair == "\\'" else pair)
            at += 2
            continue
        if not inside and sign in "\"'":
            inside = sign
            found.append('"')
        elif sign == inside:
            inside = ""
            found.append('"')
        else:
            found.append('\\"' if inside == "'" and sign == '"' else sign)
        at += 1
    return "".join(found)
