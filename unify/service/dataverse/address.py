"""Which resource an address names: split as text first, then held against the tables there are.

accounts(accountnumber='A1')/primarycontactid/fullname/$value
└ set ──┴ key ─────────────┴ navigation ─────┴ column ┴ tail
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final
from urllib.parse import unquote_plus

import orjson

from segments.odata.errors import ODataSyntaxError
from segments.odata.syntax.ast import (
    Alias,
    Argument,
    Arguments,
    Array,
    Count,
    EnumLiteral,
    Expression,
    Literal,
    Name,
    Object,
    Path,
    System,
    Unary,
)  # fmt: skip
from segments.odata.syntax.url import parse_expression, parse_path
from unify.dataverse.errors import NO_PROPERTY, DataverseError
from unify.dataverse.model import TableModel
from unify.dataverse.query.options import DATAVERSE
from unify.service.data.exchange import Inquiry
from unify.service.dataverse.operations import NAMESPACE
from unify.service.errors import ServiceError, bad_request

PATHS: Final = replace(DATAVERSE, dotted_sets=True)
"""`Microsoft.Dynamics.CRM.WhoAmI()` may stand first."""
TAILS: Final = frozenset(("$count", "$ref", "$value", "$metadata", "$batch"))
GUID: Final = re.compile(r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Step:
    """A name between slashes, without the namespace of Dataverse; `arguments`: None where there are no parentheses."""

    name: str
    qualified: bool
    arguments: tuple[Argument, ...] | None


@dataclass(frozen=True, slots=True)
class Way:
    """An address as it was written. `tail`: `$count`, `$ref`, `$value`, `$metadata`, `$batch` or nothing."""

    steps: tuple[Step, ...]
    tail: str


def way_of(path: bytes) -> Way:
    """The address behind the root. ServiceError 400 and 501, ODataSyntaxError."""
    try:
        text = path.decode()
    except UnicodeDecodeError as error:
        raise bad_request(f"byte {error.start + 1} of the address is no UTF-8", where="path") from None
    segments = parse_path(text.removesuffix("/"), PATHS).segments
    steps: list[Step] = []
    for place, segment in enumerate(segments):
        last = place == len(segments) - 1
        if isinstance(segment, Name):
            name = segment.text.removeprefix(f"{NAMESPACE}.").removeprefix("mscrm.")
            steps.append(Step(name, name != segment.text, None))
        elif isinstance(segment, Arguments) and steps and steps[-1].arguments is None:
            steps[-1] = replace(steps[-1], arguments=segment.items)
        elif last and isinstance(segment, Count):
            return Way(tuple(steps), "$count")
        elif last and isinstance(segment, System) and segment.name in TAILS:
            return Way(tuple(steps), segment.name)
        else:
            what = getattr(segment, "name", type(segment).__name__.lower())
            raise ServiceError(501, f"{what} is not answered here", where="path", hint="docs/service-dataverse.md")
    return Way(tuple(steps), "")


# ── what stands behind the question mark ─────────────────────────────────────────────────────────────────────────────


def aliases_of(query: bytes) -> dict[str, str]:
    """`@p=…` by name, without the @, decoded and not yet read. DataverseError for one that stands twice."""
    found: dict[str, str] = {}
    for name, value in pairs_of(query):
        if name.startswith("@"):
            if name[1:] in found:
                raise DataverseError(f"The parameter alias {name[:60]} stands twice.", code=NO_PROPERTY, where="url")
            found[name[1:]] = value
    return found


def query_text(inquiry: Inquiry) -> str:
    """What stands behind the `?`, percent-encoded or not. ServiceError 400 for what is no UTF-8."""
    try:
        return inquiry.query.decode()
    except UnicodeDecodeError:
        raise bad_request("the query is no UTF-8", where="url", hint="percent-encode it") from None


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """Names and values, decoded. ServiceError 400 for what is no UTF-8."""
    try:
        text = query.decode()
        parts = [part.partition("=") for part in text.split("&") if part]
        return [(unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")) for name, _, value in parts]
    except UnicodeDecodeError:
        raise bad_request("the query is no UTF-8", where="url", hint="percent-encode it") from None


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def value_of(expression: Expression, aliases: Mapping[str, str], *, depth: int = 0) -> Any:
    """A literal, or what an alias stands for, as JSON would have it; an alias that is not given is null.

    DataverseError for what is no value.
    """
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, EnumLiteral):
        return ",".join(expression.members)
    if isinstance(expression, Unary) and expression.operator == "-":
        held = value_of(expression.operand, aliases, depth=depth)
        return -held if isinstance(held, int | float | Decimal) and not isinstance(held, bool) else _no_value()
    if isinstance(expression, Array):
        return [value_of(item, aliases, depth=depth) for item in expression.items]
    if isinstance(expression, Object):
        return {name: value_of(item, aliases, depth=depth) for name, item in expression.members}
    if isinstance(expression, Path) and len(expression.segments) == 1 and isinstance(expression.segments[0], Alias):
        return _aliased(expression.segments[0].name, aliases, depth)
    return _no_value()


def _no_value() -> Any:
    raise DataverseError("A parameter is a literal, an alias or JSON.", code=NO_PROPERTY, where="url")


def _aliased(name: str, aliases: Mapping[str, str], depth: int) -> Any:
    text = aliases.get(name)
    if text is None:
        return None
    if depth:
        raise DataverseError(f"The alias @{name[:60]} stands for another alias.", code=NO_PROPERTY, where="url")
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        return _json(name, stripped)
    try:
        return value_of(parse_expression(text, DATAVERSE), {}, depth=1)
    except ODataSyntaxError as error:
        message = f"The value of @{name[:60]} cannot be read: {error.reason}"
        raise DataverseError(
            message, code=NO_PROPERTY, where=f"@{name[:60]}", hint="a quote in a text is doubled"
        ) from None


def _json(name: str, text: str) -> Any:
    """JSON, also with single quotes: `{'@odata.id':'contacts(…)'}` is how Dataverse's documents write references."""
    for each in (text, _with_double_quotes(text)):
        try:
            return orjson.loads(each)
        except orjson.JSONDecodeError:
            continue
    raise DataverseError(f"The value of @{name[:60]} is no JSON.", code=NO_PROPERTY, where=f"@{name[:60]}")


def _with_double_quotes(text: str) -> str:
    """Texts in single quotes as JSON writes them; a doubled quote inside is one."""
    return re.sub(
        r'"(?:[^"\\]|\\.)*"|\'((?:[^\']|\'\')*)\'',
        lambda m: m[0] if m[1] is None else orjson.dumps(m[1].replace("''", "'")).decode(),
        text,
    )


def key_of(step: Step, table: TableModel, aliases: Mapping[str, str]) -> str | dict[str, Any]:
    """The key in parentheses: a guid, or values by property name. DataverseError in the words of Dataverse."""
    arguments = step.arguments or ()
    resource = f"{NAMESPACE}.{table.name}"
    wrong = DataverseError(
        f"The key in the request URI is not valid for resource '{resource}'. Ensure that the names and number of key "
        f"properties match the declared or alternate key properties for the resource '{resource}'.",
        code=NO_PROPERTY,
        where="path",
    )
    if not arguments:
        raise wrong
    if arguments[0].name is None:
        return _guid(value_of(arguments[0].value, aliases), wrong)
    values = {str(one.name): value_of(one.value, aliases) for one in arguments}
    if list(values) == [table.id_attribute]:
        return _guid(values[table.id_attribute], wrong)
    known = [{table.attribute(name).wire_name for name in key.attributes} for key in table.keys.values()]
    if set(values) not in known or any(value is None for value in values.values()):
        raise wrong
    return values


def _guid(value: Any, wrong: DataverseError) -> str:
    if not isinstance(value, str) or not GUID.match(value):
        raise wrong
    return value.strip("{}").lower()
