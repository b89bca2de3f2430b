"""The generated part of docs/predicates.md: `python -m segments.predicates.function_docs` rewrites it."""

from collections.abc import Sequence
from pathlib import Path

from segments.predicates.fields import Type
from segments.predicates.function_rows import Function
from segments.predicates.functions import table
from segments.predicates.tree import AGGREGATES, COMPARISONS

PAGE = Path(__file__).parents[2] / "docs" / "predicates.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def generated() -> str:
    """Three tables: comparisons, aggregates, functions."""
    return "\n\n".join(
        [
            "### Comparisons\n\n" + _table(("op", "in words"), [(f"`{k}`", w) for k, w in COMPARISONS.items()]),
            "### Aggregates\n\n" + _table(("function", "in words"), [(f"`{k}`", w) for k, w in AGGREGATES.items()]),
            *(f"### Functions: {group}\n\n" + _functions(group) for group in ("arithmetic", "text", "dates", "logic")),
        ]
    )


def _functions(group: str) -> str:
    rows = [(_call(f), _result(f), _words(f)) for found in table().values() for f in found if f.group == group]
    return _table(("call", "gives", "in words"), rows)


def _call(function: Function) -> str:
    return f"`{function.key}({', '.join(_taken(function, i) for i in range(len(function.takes)))})`"


def _taken(function: Function, i: int) -> str:
    return f"literal {function.takes[i]}" if i in function.literals else function.takes[i]


def _result(function: Function) -> str:
    if isinstance(function.result, Type):
        return function.result.name
    return "the same" if "same" in function.takes else "decimal"


def _words(function: Function) -> str:
    return function.sentence.format(*"abc")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def with_tables(page: str) -> str:
    """The page with its generated part made anew."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{generated()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
