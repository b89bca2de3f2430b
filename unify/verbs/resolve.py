"""Records as the command line hands them over: JSON in place, in a file, or line by line on standard input."""

import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from unify.core.errors import QueryError, SourceError


def records_of(said: str) -> tuple[list[dict[str, Any]], bool]:
    """The records, and whether it is one alone. `{…}`: a record; `[…]`: several; `@file`: what is in it; `-`: stdin.

    Several JSON objects, one per line, are several records. QueryError for what is no record, SourceError for a file.
    """
    where, text = "RECORD", said
    if said == "-":
        where, text = "standard input", sys.stdin.read()
    elif said.startswith("@"):
        where = said[1:]
        try:
            text = Path(where).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(str(error), where=where, hint="a UTF-8 file with JSON is wanted") from None
    found = list(_documents(text, where))
    if len(found) == 1 and isinstance(found[0], list):
        return [_record(one, where) for one in found[0]], False
    return [_record(one, where) for one in found], len(found) == 1


def _documents(text: str, where: str) -> Iterator[Any]:
    """JSON documents, one after the other. Numbers with decimals stay exact; a key that stands twice is an error."""
    decoder = json.JSONDecoder(parse_float=Decimal, object_pairs_hook=lambda pairs: _once(pairs, where))
    at, end = 0, len(text.rstrip())
    if not text.strip():
        raise QueryError("there is no record", where=where, hint='write e.g. {"EMail": "ada@example.com"}')
    while at < end:
        while text[at].isspace():
            at += 1
        try:
            document, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            hint = 'write e.g. {"EMail": "ada@example.com"}, or @file.json'
            raise QueryError(f"no JSON: {error.msg} at character {error.pos + 1}", where=where, hint=hint) from None
        yield document


def _once(pairs: list[tuple[str, Any]], where: str) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"column {name!r} stands twice", where=where, hint="keep one")
    return dict(pairs)


def _record(document: Any, where: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise QueryError(f"{json.dumps(document, default=str)[:60]} is no record", where=where, hint="a record is {…}")
    return document
