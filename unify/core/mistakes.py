"""What pydantic says of a document, as its reader would: not `Input should be …` but `'c' is none of a, b`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from unify.core.errors import did_you_mean

FEW = 7
"""Words of a choice that are all told; of more only those that are near."""
LONG = 60
"""Characters of a wrong value that are repeated."""
_PAGES = {"segments": "docs/segments.md shows every condition", "measures": "docs/measures.md lists every key"}


def in_words(error: Mapping[str, Any], keys_of: Callable[[str], list[str]]) -> str:
    """What is wrong with one value. `keys_of`: name of a noun to its keys, for where a mapping is wanted."""
    said = str(error["msg"]).removeprefix("Value error, ")
    kind, about = error["type"], error.get("ctx", {})
    value = _shown(error["input"])
    if kind == "literal_error":
        return _choice(error["input"], value, re.findall(r"'([^']*)'|(\w+)(?=$| or|,)", about["expected"]))
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"{value} is {words} {about[key]}"
    if kind in ("too_short", "too_long"):
        word, key = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        return f"{word} {about[key]} must stand here, there {_are(about['actual_length'])}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        keys = keys_of(about.get("class_name", ""))
        return f"{value} is no mapping" + (f": {{{', '.join(f'{key}: …' for key in keys[:4])}}}" if keys else "")
    for prefix, words in _KINDS.items():
        if kind.startswith(prefix):
            return f"{value} is no {words}"
    return said


_LIMITS = {
    "greater_than": ("gt", "too little: more than"), "greater_than_equal": ("ge", "too little: at least"),
    "less_than": ("lt", "too much: less than"), "less_than_equal": ("le", "too much: at most"),
}  # fmt: skip
_KINDS = {
    "datetime_": "date or time: write 2025-01-31 or 2025-01-31T12:00:00Z",
    "date_": "date: write 2025-01-31",
    "int_": "whole number",
    "float_": "number",
    "decimal_type": "number",
    "decimal_parsing": "number",
    "bool_": "truth value: write true or false",
    "string_type": "text: write it in quotes",
    "list_type": "list: write [ … ]",
    "tuple_type": "list: write [ … ]",
}
"""Beginnings of pydantic's kinds of errors, to what was wanted."""


def page_for(places: list[tuple[str | int, ...]]) -> str:
    """The next move: the page that tells what may stand there."""
    tops = {place[0] for place in places if place}
    if len(tops) != 1 or (top := tops.pop()) not in _PAGES:
        return "docs/project-file.md lists every key"
    if all(len(place) > 2 and place[2] == "query" for place in places):
        return "docs/segmentation-query.md lists every key"
    return _PAGES[str(top)]


def _choice(given: Any, value: str, found: list[tuple[str, str]]) -> str:
    words = [quoted or bare for quoted, bare in found if quoted or bare]
    if words == ["True"]:
        return "write true, or leave it out"
    if len(words) <= FEW:
        return f"{value} is none of {', '.join(words)}"
    return f"{value} is none of what may stand here; {did_you_mean(str(given), words)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONG else text[:LONG] + "…"


def _are(count: int) -> str:
    return "is one" if count == 1 else f"are {count}" if count else "is none"
