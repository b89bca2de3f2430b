"""Checking a user's SQL without running it: its syntax tree against the list, then its names and types by DuckDB."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, get_args

from segments.manual_sql.fence import Fence, Limits, Moment
from segments.manual_sql.handover import schemas
from segments.manual_sql.problems import Code, ManualSqlError, SqlProblem, Text
from segments.manual_sql.walk import Reading, fold, read
from segments.model import CUSTOMER_ID, Model
from segments.predicates.fields import type_of_sql
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean

Shape = Literal["segment", "measure", "scalar"]
"""Of an answer. segment: one column of CustomerIds, or among several one that is called so. measure: CustomerId and
one column or more of values. scalar: one row of values."""
IDENTITY_TABLES = ("members", "customer_ids")
"""Beside the model's own tables: which record is of which customer, and what became of ids."""
SOME_MOMENT = Moment(datetime(2000, 1, 1))  # noqa: DTZ001 - a check reads no data; the type of now() is all it needs


@dataclass(frozen=True, slots=True)
class CheckedSql:
    """SQL that may run.

    shape     what its answer is
    columns   name and SQL type of the columns that are wanted of its answer; of a segment the one with CustomerIds
    places    where they stand in the answer, from 0
    reads     table → the columns of it that can matter, in the table's order
    """

    sql: str
    shape: Shape
    columns: tuple[tuple[str, str], ...]
    places: tuple[int, ...]
    reads: Mapping[str, tuple[str, ...]]


def check_sql(
    sql: str, engine: Engine, model: Model, *, shape: Shape = "segment", limits: Limits | None = None
) -> CheckedSql:
    """Read and bind, in a process of its own, on empty tables. Raises ManualSqlError with every problem found."""
    with Checker(engine, model, limits=limits) as checker:
        return checker.check(sql, shape)


class Checker:
    """Checks statements one after the other in one fenced process: 0.3 s to start, a few milliseconds each."""

    def __init__(self, engine: Engine, model: Model, *, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.known = known_tables(engine, model)
        self._tables = schemas(engine, list(self.known))
        self._fence: Fence | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a further check starts another."""
        if self._fence is not None:
            self._fence.end()
            self._fence = None

    def check(self, sql: str, shape: Shape = "segment") -> CheckedSql:
        """One statement. Raises ManualSqlError with every problem found, QueryError for an unknown shape."""
        if shape not in get_args(Shape):
            raise QueryError(f"there is no shape {shape!r}", where="sql", hint=did_you_mean(shape, get_args(Shape)))
        _check_text(sql, self.limits)
        try:
            return self._check(sql, shape)
        except ManualSqlError as error:
            if any(p.code == "unknown" for p in error.problems):
                self.close()  # it died, or was late
            raise

    def _check(self, sql: str, shape: Shape) -> CheckedSql:
        fence, text = self._started(), Text(sql)
        fence.send(sql.encode())
        try:
            found = self._read(fence, text)
        except ManualSqlError:
            if fence.alive:
                fence.send(b"skip")
            raise
        fence.send(b"bind")
        bound = fence.ask()
        if "error" in bound:
            raise ManualSqlError([binding_problem(bound["error"], text, found)])
        columns = [(str(name), str(kind)) for name, kind in bound["columns"]]
        places = _wanted(columns, shape)
        return CheckedSql(sql, shape, tuple(columns[i] for i in places), places, _reads(found))

    def _read(self, fence: Fence, text: Text) -> Reading:
        found = read(_statement(_tree(fence), text), text, self.known)
        if found.problems:
            raise ManualSqlError(found.problems)
        return found

    def _started(self) -> Fence:
        if self._fence is None:
            self._fence = Fence(self._tables, SOME_MOMENT, self.limits, do="check").start()
        return self._fence


def known_tables(engine: Engine, model: Model) -> dict[str, list[str]]:
    """The tables that SQL may name, with their columns."""
    known = {name: list(table.attributes) for name, table in model.catalog.tables.items()}
    for name in IDENTITY_TABLES:
        known[name] = list(engine.columns(name))
    return known


_NOTHING = SqlProblem("parsingFailed", "there is no statement", hint="write one SELECT")


def _check_text(sql: str, limits: Limits) -> None:
    """What can be said before anything is started."""
    if not sql.strip():
        raise ManualSqlError([_NOTHING])
    if len(sql) > limits.length:
        said = f"{len(sql):,} characters; at most {limits.length:,}"
        raise ManualSqlError(
            [SqlProblem("unsupportedSyntax", said, hint="lists of ids belong in a segment's `members`")]
        )
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise ManualSqlError([SqlProblem("parsingFailed", "half a surrogate pair is no character")]) from None
    if "\x00" in sql:
        raise ManualSqlError([SqlProblem("parsingFailed", "a NUL character")])


# ── the syntax tree ──────────────────────────────────────────────────────────────────────────────────────────────────


def _tree(fence: Fence) -> dict[str, Any]:
    try:
        found: dict[str, Any] = fence.ask()
    except RecursionError:
        raise ManualSqlError([SqlProblem("unsupportedSyntax", "this is nested too deeply")]) from None
    except json.JSONDecodeError as error:  # e.g. a text with half a character, which JSON cannot hold
        raise ManualSqlError([SqlProblem("parsingFailed", f"its syntax tree cannot be read: {error.msg}")]) from None
    return found


def _statement(tree: dict[str, Any], text: Text) -> dict[str, Any]:
    """The one SELECT."""
    if isinstance(tree["error"], dict):
        raise ManualSqlError([binding_problem(tree["error"], text, None)])
    if tree["error"]:
        raise ManualSqlError([_parsing_problem(tree, text)])
    statements = tree["statements"]
    if not statements:
        raise ManualSqlError([_NOTHING])
    if len(statements) != 1:
        said = f"one statement is wanted, these are {len(statements)}"
        raise ManualSqlError([SqlProblem("unsupportedSyntax", said, hint="join them by WITH, UNION, or a subquery")])
    statement: dict[str, Any] = statements[0]
    return statement


def _parsing_problem(tree: dict[str, Any], text: Text) -> SqlProblem:
    kinds = tree.get("kinds", [])
    if tree.get("error_type") == "not implemented":
        said = f"{' and '.join(kinds) or 'this'} is not allowed: a segment or measure is one SELECT"
        return text.problem("unsupportedSyntax", said, 0, "write one SELECT")
    if "allocate" in str(tree.get("error_message")):
        return text.problem("unsupportedSyntax", "reading it takes too much memory", -1, "nest less")
    if "Max expression depth" in str(tree.get("error_message")):
        return text.problem("unsupportedSyntax", "this is nested too deeply", -1, "nest less, or name parts by WITH")
    code: Code = "parsingFailed" if tree.get("error_subtype") == "SYNTAX_ERROR" else "unsupportedSyntax"
    hint = "docs/manual-sql.md says what may be written"
    return text.problem(code, _first_line(tree.get("error_message", "")), int(tree.get("position", -1)), hint)


# ── names and types ──────────────────────────────────────────────────────────────────────────────────────────────────

_NO_COLUMN = re.compile(r'Referenced column "(.+?)" (?:not found|was not found)|does not have a column named "(.+?)"')
_NO_TABLE = re.compile(r'Referenced table "(.+?)" not found|Table with name (\S+) does not exist')
_CALL = re.compile(r"No function matches the given name and argument types '(.+?)\((.*)\)'\.", re.DOTALL)
_CANDIDATE = re.compile(r"^\t\"?[^\s(]+\((.*)\) -> ", re.MULTILINE)


def binding_problem(error: dict[str, Any], text: Text, found: Reading | None) -> SqlProblem:
    """DuckDB's refusal, as one of ours."""
    message = str(error.get("exception_message", ""))
    at = int(error.get("position", -1))
    if found is not None and (hit := _NO_COLUMN.search(message)):
        name = hit[1] or hit[2]
        columns = [c for t in sorted(found.tables) for c in found.known[t]]
        return text.problem("attributeNotFound", f"there is no column {name!r} here", at, did_you_mean(name, columns))
    if found is not None and (hit := _NO_TABLE.search(message)):
        name = hit[1] or hit[2]
        return text.problem("entityNotFound", f"there is no table {name!r} here", at, did_you_mean(name, found.known))
    if hit := _CALL.search(message):
        counts = {_arguments(c) for c in _CANDIDATE.findall(message) if "..." not in c and "[" not in c}
        wrong = bool(counts) and _arguments(hit[2]) not in counts
        code: Code = "incorrectArgumentCount" if wrong else "invalidArgument"
        return text.problem(code, f"{hit[1]} takes no ({hit[2]})", at, "cast the arguments, e.g. CAST(x AS DOUBLE)")
    kind = str(error.get("exception_type", "")).casefold()
    if kind in ("out of memory", "outofmemoryexception"):
        return text.problem("unknown", "it needs more memory than is allowed", -1, "read fewer rows or columns")
    if kind in ("conversion", "out of range", "invalid input", "conversionexception", "invalidinputexception"):
        return text.problem("invalidArgument", _first_line(message), at)
    return text.problem("invalidOperation", _first_line(message), at)


def _arguments(types: str) -> int:
    """How many types are listed; commas inside parentheses do not part them.

    >>> _arguments("VARCHAR, DECIMAL(10,2)"), _arguments("")
    (2, 0)
    """
    flat = types
    while re.search(r"\([^()]*\)", flat):
        flat = re.sub(r"\([^()]*\)", "", flat)
    return flat.count(",") + 1 if flat.strip() else 0


def _first_line(message: str) -> str:
    line = message.strip().split("\n")[0]
    return line if len(line) <= 300 else f"{line[:297]}..."


# ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _wanted(columns: list[tuple[str, str]], shape: Shape) -> tuple[int, ...]:
    """Places of the columns that are wanted; ManualSqlError when the answer has not the shape."""
    ids = [i for i, (name, _) in enumerate(columns) if fold(name) == fold(CUSTOMER_ID)]
    if shape == "segment" and len(columns) == 1:
        ids = [0]
    if shape != "scalar" and len(ids) != 1:
        said = f"one column CustomerId is wanted; there are {len(ids)} among {', '.join(n for n, _ in columns)}"
        raise _unfit(said, 'name it: SELECT … AS "CustomerId"')
    if shape != "scalar" and columns[ids[0]][1] not in ("VARCHAR", "NULL", '"NULL"'):
        raise _unfit(f"CustomerIds are text, this column is {columns[ids[0]][1]}", "select CustomerId")
    if shape == "segment":
        return tuple(ids)
    values = [i for i in range(len(columns)) if shape == "scalar" or i not in ids]
    _check_values([columns[i] for i in values])
    return (*ids, *values) if shape == "measure" else tuple(values)


def _check_values(values: list[tuple[str, str]]) -> None:
    if not values:
        raise _unfit("there is no column of values", "SELECT CustomerId, count(*) AS orders …")
    names = [fold(name) for name, _ in values]
    for (name, kind), folded in zip(values, names, strict=True):
        if names.count(folded) > 1:
            raise _unfit(f"two columns are called {name}", "name them apart with AS")
        if type_of_sql(kind) is None or kind == "TIMESTAMP WITH TIME ZONE":
            raise _unfit(f"{name} is {kind}, which is no single value", "cast it, e.g. CAST(x AS TIMESTAMP)")


def _unfit(said: str, hint: str) -> ManualSqlError:
    return ManualSqlError([SqlProblem("invalidOperation", said, hint=hint)])


def _reads(found: Reading) -> dict[str, tuple[str, ...]]:
    """Per table the columns that can matter; at least one, so that its rows are counted."""
    reads: dict[str, tuple[str, ...]] = {}
    for table in sorted(found.tables):
        columns = list(found.known[table])
        named = [c for c in columns if found.whole or fold(c) in found.names]
        reads[table] = tuple(named or columns[:1])
    return reads
