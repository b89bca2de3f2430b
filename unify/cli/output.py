"""Answers on stdout: drawn for people, or one JSON document for programs."""

import json
import math
import os
import sys
import unicodedata
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

NO_WRAP = 4096
"""Columns of text when stdout is no terminal and COLUMNS says nothing: lines and tables stay whole for grep."""
PAGE = 120
"""The same for drawings that fill the width they get."""


def show(document: Any, draw: "Callable[[], RenderableType]", *, as_json: bool, width: int = NO_WRAP) -> None:
    """Print the document as JSON, or what `draw` makes of it; `width` is that of a pipe."""
    if as_json:
        print(json_text(document))
    else:
        console(width).print(draw())


def json_text(document: Any) -> str:
    """The document as JSON text. Dates are ISO text, decimals exact text, NaN and infinity text, bytes hex."""
    return json.dumps(jsonable(document), indent=2, ensure_ascii=False, allow_nan=False)


def jsonable(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(key): jsonable(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value).__name__} is nothing that JSON can hold")


def console(width: int = NO_WRAP) -> "Console":
    """Where answers are drawn: as wide as the terminal or COLUMNS, else as `width`. Honours NO_COLOR."""
    from rich.console import Console

    made = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not made.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        made.width = width
    return made


def cell(value: Any) -> str:
    """A value in a table for people: nothing is blank, times are short, and no control character gets through."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return printable(str(jsonable(value)) if not isinstance(value, (dict, list)) else json_text_short(value))


def json_text_short(value: Any) -> str:
    """A list or a struct on one line."""
    return json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)


def printable(text: str) -> str:
    """Text from data, safe to show: a terminal would obey its escape sequences.

    >>> printable("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    return "".join(c if unicodedata.category(c) not in ("Cc", "Cs") or c == "\t" else f"\\x{ord(c):02x}" for c in text)
