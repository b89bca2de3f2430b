"""The shape of a request, for the audit log: what was asked, without the values that were asked about.

Customer('4711')?$filter=City eq 'Bern' and Age gt 30&$top=5   →   Customer(?)?$filter=City eq ? and Age gt ?&$top=?
"""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, unquote_plus

TEXTS: Final = re.compile(r"'(?:[^']|'')*'")
NUMBERS: Final = re.compile(r"(?<![A-Za-z_$@?])[+-]?\d[\w.:+-]*")
WORDS_ONLY: Final = (
    "$search", "search", "$skiptoken", "skiptoken", "caller", "validuntil", "fetchxml", "sql", "$id", "$deltatoken",
    "sessiontoken", "x-ms-file-name",
)  # fmt: skip
"""Options of which only the name is kept: what stands there is no language that values can be taken out of."""
NAMED: Final = re.compile(r"\$?[A-Za-z_][\w.]*")
MOST: Final = 1000
KEYED: Final = re.compile(r"\(.*\)", re.DOTALL)


@lru_cache(2048)
def shape(path: str, query: str, *, understood: bool) -> str:
    """The shape of a path behind its route and a query, at most 1,000 characters.

    `understood`: the request was answered, so that what stands there besides values are names that the service knows.
    Of one that was refused only names of options are kept: anything else in it may be somebody's address.
    """
    parts = [_option(part, understood) for part in query.split("&") if part]
    text = _path(path) if understood else ""
    return (f"{text}?{'&'.join(parts)}" if parts else text)[:MOST]


def _path(path: str) -> str:
    """The first segment, what begins with `$`, and `?` in the place of all others: a key may stand there as it is."""
    segments = [segment for segment in TEXTS.sub("?", unquote(path)).split("/") if segment]
    shown = [
        _without_key(segment) if n == 0 or segment.startswith("$") or "(" in segment else "?"
        for n, segment in enumerate(segments)
    ]
    return "/".join(shown)


def _without_key(segment: str) -> str:
    plain = KEYED.sub("(?)", segment)
    return plain if NAMED.fullmatch(plain.removesuffix("(?)")) else "?"


def _option(part: str, understood: bool) -> str:
    name, _, value = part.partition("=")
    name = unquote(name)
    if not NAMED.fullmatch(name):
        return "?"
    if not understood or name.casefold() in WORDS_ONLY:
        return f"{name}=?"
    return f"{name}={NUMBERS.sub('?', TEXTS.sub('?', unquote_plus(value)))}"
