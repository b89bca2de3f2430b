"""What is wrong with somebody's SQL: a code of the vendor's, the place, what it is, and the next move."""

from dataclasses import dataclass
from typing import Any, Literal

from unify.core.errors import QueryError

Code = Literal[
    "unknown", "parsingFailed", "entityNotFound", "attributeNotFound", "unsupportedSyntax", "invalidOperation",
    "incorrectArgumentCount", "incorrectIntervalType", "invalidArgument",
]  # fmt: skip
"""As the vendor's ParsingError spells them. `unknown`: the statement is sound, running it failed."""
SHOWN = 5
"""Problems in a message; all of them are in `problems`."""


@dataclass(frozen=True, slots=True)
class SqlProblem:
    """One thing that is wrong. Line and column count from 1; 0 when DuckDB does not say where."""

    code: Code
    message: str
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{place}{self.message}"


class ManualSqlError(QueryError):
    """SQL that is refused, or whose answer is not what was asked for. `problems` has every one, in order of place."""

    def __init__(self, problems: list[SqlProblem], *, where: str = "sql") -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=lambda p: (p.line, p.column, p.message)))
        shown = [str(p) for p in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            shown.append(f"and {len(self.problems) - SHOWN} more")
        hints = dict.fromkeys(p.hint for p in self.problems[:SHOWN] if p.hint)
        super().__init__("; ".join(shown), where=where, hint="; ".join(hints))

    def parsing_errors(self) -> list[dict[str, Any]]:
        """As the vendor's API has them: one ParsingError per code, in order of place."""
        by_code: dict[str, list[dict[str, Any]]] = {}
        for p in self.problems:
            said = {"location": {"line": p.line, "column": p.column}, "message": p.message}
            by_code.setdefault(p.code, []).append(said)
        return [{"code": code, "messages": messages} for code, messages in by_code.items()]


@dataclass(frozen=True)
class Text:
    """The SQL as it was written, to say where a byte of it stands."""

    sql: str

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte (DuckDB counts UTF-8 bytes), both from 1; (0, 0) for a place it does not know.

        >>> Text("select 'é',\\n y").place(14)
        (2, 2)
        """
        data = self.sql.encode()
        if not 0 <= offset <= len(data):
            return 0, 0
        before = data[:offset].decode(errors="ignore")
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    def problem(self, code: Code, message: str, offset: int = -1, hint: str = "") -> SqlProblem:
        """A problem at a byte."""
        return SqlProblem(code, message, *self.place(offset), hint)
