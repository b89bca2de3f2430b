"""Names, literals and signs of the SQL that is taken."""

import re
from typing import Final, NamedTuple

from unify.dataverse.errors import DataverseError
from unify.dataverse.query.fetch_reading import wrong

TOKEN: Final = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/
    |(?P<text>[Nn]?'(?:[^']|'')*')
    |(?P<number>\d{1,40}(?:\.\d{1,40})?|\.\d{1,40})
    |(?P<name>[A-Za-z_][\w]{0,127}|\[[^\]\n]{1,128}\]|"[^"\n]{1,128}")
    |(?P<sign><=|>=|<>|!=|[=<>(),.*+-])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
KEYWORDS: Final = frozenset({
    "SELECT", "DISTINCT", "TOP", "FROM", "AS", "INNER", "LEFT", "OUTER", "JOIN", "ON", "WHERE", "AND", "OR", "NOT",
    "LIKE", "IN", "BETWEEN", "IS", "NULL", "GROUP", "ORDER", "BY", "ASC", "DESC", "OFFSET", "FETCH", "UNION",
    "HAVING", "WITH", "CASE", "EXISTS", "RIGHT", "FULL", "CROSS", "EXCEPT", "INTERSECT", "INTO", "INSERT",
    "UPDATE", "DELETE", "DROP", "ALTER", "CREATE", "EXEC", "EXECUTE", "DECLARE", "MERGE", "TRUNCATE", "FOR",
    "OPTION",
})  # fmt: skip
MOST_TOKENS: Final = 5_000


class Token(NamedTuple):
    """kind: text, number, name, keyword, sign or end; `value`: keywords in capitals, names as they are called."""

    kind: str
    value: str
    at: int


def tokens(text: str) -> list[Token]:
    """All of a text, and one for its end; DataverseError."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise syntax(text[at : at + 20], at)
        kind = match.lastgroup
        if kind is not None:
            found.append(_token(kind, match[kind], at))
        at = match.end()
        if len(found) > MOST_TOKENS:
            raise wrong(f"The SQL has more than {MOST_TOKENS:,} names, values and signs.")
    return [*found, Token("end", "", at)]


def _token(kind: str, text: str, at: int) -> Token:
    if kind == "text":
        return Token(kind, text[text.index("'") + 1 : -1].replace("''", "'"), at)
    if kind != "name":
        return Token(kind, text, at)
    if text[0] in '["':
        return Token(kind, text[1:-1].lower(), at)
    return Token("keyword", text.upper(), at) if text.upper() in KEYWORDS else Token(kind, text.lower(), at)


def syntax(shown: str, at: int) -> DataverseError:
    """Not what is taken, there."""
    return wrong(
        f"Incorrect syntax near '{shown[:40]}' (character {at + 1}). One SELECT is taken: columns, FROM, INNER and "
        "LEFT JOIN, WHERE, GROUP BY, ORDER BY, TOP, OFFSET and FETCH.",
        hint="no writes, UNION, WITH, subqueries, HAVING, CASE, functions or *; COUNT, SUM, AVG, MIN and MAX are there",
    )
