"""Query options as Dataverse takes them: names as they are spelt, each once, and none that it does not have."""

from typing import Final
from urllib.parse import unquote_plus

from segments.odata.dialect import Dialect
from segments.odata.errors import ODataSyntaxError, ODataUnsupportedError
from segments.odata.syntax.ast_options import (
    AliasValue,
    Apply,
    Compute,
    CountOption,
    Custom,
    Expand,
    Filter,
    Index,
    Option,
    OrderBy,
    Search,
    Select,
    Skip,
    Text,
    Top,
)  # fmt: skip
from segments.odata.syntax.url import parse_options as parsed
from unify.core.errors import did_you_mean
from unify.dataverse.errors import NO_PROPERTY, DataverseError
from unify.dataverse.query.nouns import Options

DATAVERSE: Final = Dialect(
    any_case=False, dollar_optional=False, plus_is_space=True, loose_space=True, slash_in_key=True, key_segments=False
)
"""OData 4.0 as it is written; a space may stand behind a comma, as people do."""
TAKEN: Final = (
    "$select", "$filter", "$orderby", "$expand", "$top", "$skip", "$count", "$apply", "$skiptoken", "$deltatoken",
)  # fmt: skip
OWN: Final = ("fetchXml", "sql")
PASSED_OVER: Final = frozenset({"tag", "api-version"})
"""Options that clients add and that ask for nothing: a shared variable of plug-ins, a version."""
ELSEWHERE: Final = {
    "savedQuery": "saved views are not kept here; send the query itself",
    "userQuery": "saved views are not kept here; send the query itself",
    "$search": "use contains(…) in $filter",
    "$compute": "Dataverse is OData 4.0, which has no $compute",
    "$format": "send the header Accept: application/json",
    "$index": "rows have no place of their own",
    "$schemaversion": "there is one version of the model",
    "$id": "read the row at its own address",
}
UNSUPPORTED: Final = {Search: "$search", Compute: "$compute", Index: "$index"}


def parse_options(text: str) -> Options:
    """The query part of a URL, percent-encoded, without its `?`; DataverseError."""
    if not text:
        return Options()
    own, rest = _own(text)
    found: dict[str, object] = dict(own)
    aliases = {}
    given = set()
    for option in _parsed("&".join(rest)) if rest else ():
        if isinstance(option, AliasValue):
            aliases[option.name] = option.value
            continue
        name, key, value = _taken(option)
        if not name:
            continue
        given.add(name)
        found[key] = value
    kept = "&".join(part for part in text.split("&") if _name(part) != "$skiptoken")
    return Options(text=kept, aliases=aliases, given=frozenset(given), **found)  # type: ignore[arg-type]


def _name(part: str) -> str:
    return unquote_plus(part.partition("=")[0])


def _own(text: str) -> tuple[dict[str, str], list[str]]:
    """fetchXml and sql, decoded, and the parts that are OData's. They have no grammar of OData and can be long."""
    own: dict[str, str] = {}
    rest: list[str] = []
    for part in text.split("&"):
        name = _name(part)
        if name in OWN:
            key = "fetch_xml" if name == "fetchXml" else "sql"
            if key in own:
                raise refused(
                    f"Query option '{name}' was specified more than once, but it must be specified at most once."
                )
            own[key] = unquote_plus(part.partition("=")[2])
        elif part:
            rest.append(part)
    return own, rest


def _parsed(text: str) -> tuple[Option, ...]:
    try:
        return parsed(text, DATAVERSE)
    except ODataUnsupportedError as error:
        raise refused(str(error.message)) from error
    except ODataSyntaxError as error:
        raise refused(f"Syntax error: {error.reason} ({error.where}).", hint=error.hint or error.expected) from error


def _taken(option: Option) -> tuple[str, str, object]:
    match option:
        case Filter(predicate):
            return "$filter", "filter", predicate
        case Select(items):
            return "$select", "select", items
        case Expand(items):
            return "$expand", "expand", items
        case OrderBy(items):
            return "$orderby", "orderby", items
        case Apply(steps):
            return "$apply", "apply", steps
        case Top(number):
            return "$top", "top", number
        case Skip(number):
            return "$skip", "skip", number
        case CountOption(wanted):
            return "$count", "count", wanted
        case Text("$skiptoken", value):
            return "$skiptoken", "skip_token", value
        case Text("$deltatoken", value):
            return "$deltatoken", "delta_token", value
        case Custom(name):
            return _custom(name), "", None
    raise _unsupported(option.name if isinstance(option, Text) else UNSUPPORTED.get(type(option), "This option"))


def _custom(name: str) -> str:
    if name in PASSED_OVER:
        return ""
    if name in ELSEWHERE:
        raise _unsupported(name)
    near = did_you_mean(name[:64], (*TAKEN, *OWN))
    raise refused(f"The query parameter {name[:64]} is not supported.", hint=near)


def _unsupported(name: str) -> DataverseError:
    return refused(f"The query parameter {name} is not supported.", hint=ELSEWHERE.get(name, ""))


def refused(message: str, *, hint: str = "", where: str = "") -> DataverseError:
    """A question that is not answered: 400."""
    return DataverseError(message, code=NO_PROPERTY, where=where, hint=hint)
