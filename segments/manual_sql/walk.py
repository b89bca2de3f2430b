"""Reading the syntax tree that DuckDB makes of a user's SQL, and refusing whatever is not on the list."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from segments.manual_sql.allowed import (
    CHANCE,
    CLOCK,
    EVERYWHERE,
    FUNCTIONS,
    HINTS,
    KEYWORDS,
    NODES,
    OPERATOR_TYPES,
    OPERATORS,
    REFUSED_BECAUSE,
    TABLE_FUNCTIONS,
    TWO_ARGUMENTS,
    TYPES,
    WALK,
)
from segments.manual_sql.problems import Code, SqlProblem, Text
from unify.core.errors import did_you_mean

MAX_DEPTH = 150
"""Nodes inside each other. Hand-written SQL stays below 40; DuckDB's own limit of 1000 does not count subqueries."""
MAX_NODES = 20_000
MAX_TABLES = 200
"""SELECTs and places behind FROM together. Binding them takes time by the square: 2,500 joined by UNION, 10 s."""
COLLATION = re.compile(r"[A-Za-z_.]{1,40}\Z")
NOWHERE = 2**64 - 1
"""DuckDB's query_location when it has none."""
Node = dict[str, Any]


def fold(name: str) -> str:
    """A name as DuckDB compares it: A to Z in small letters, everything else as it is.

    >>> fold("Kunde_Ä"), fold("ſ")
    ('kunde_Ä', 'ſ')
    """
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in name)


@dataclass
class Reading:
    """What a statement asks for, and what is wrong with it.

    tables    tables it reads, as the model spells them
    names     names of columns, aliases and fields that occur in it, folded: no other column can matter to it
    whole     a star, a natural join or a row as a value: every column of its tables may matter
    """

    text: Text
    known: Mapping[str, Iterable[str]]
    """Table → its columns."""
    tables: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    whole: bool = False
    problems: list[SqlProblem] = field(default_factory=list)
    nodes: int = 0
    sources: int = 0
    refs: list[tuple[str, int]] = field(default_factory=list)
    """Columns named without a table, and where."""
    aliases: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.by_name = {fold(t): t for t in self.known}
        self.columns = {fold(c) for columns in self.known.values() for c in columns}

    def refuse(self, code: Code, message: str, at: int, hint: str = "") -> None:
        """Note a problem."""
        self.problems.append(self.text.problem(code, message, at, hint))


def read(tree: Node, text: Text, known: Mapping[str, Iterable[str]]) -> Reading:
    """Walk a statement of `json_serialize_sql`. What is refused is in the reading's `problems`."""
    found = Reading(text, known)
    try:
        _walk(tree["node"], found, frozenset(), -1, 0)
    except RecursionError:
        found.refuse("unsupportedSyntax", "this is nested too deeply", -1)
    for key in tree.keys() - {"node", "named_param_map"}:
        found.refuse("unsupportedSyntax", f"{key} is not taken", -1)
    _bare_names(found)
    return found


def _walk(node: Node, found: Reading, ctes: frozenset[str], at: int, depth: int, key: str = "") -> None:
    """One node: its kind, its keys, then what is inside it. `ctes`: names of WITH that are seen here."""
    found.nodes += 1
    if depth > MAX_DEPTH or found.nodes > MAX_NODES:
        if found.nodes <= MAX_NODES + 1:
            found.refuse("unsupportedSyntax", f"nested deeper than {MAX_DEPTH}, or longer than {MAX_NODES} parts", at)
            found.nodes = MAX_NODES + 1
        return
    at = _location(node, at)
    kind = _kind(node, key)
    found.sources += kind in ("SELECT_NODE", "BASE_TABLE", "TABLE_FUNCTION")
    if found.sources == MAX_TABLES + 1:
        found.sources += 1
        found.refuse("unsupportedSyntax", f"more than {MAX_TABLES} SELECTs and tables", at)
    shape = NODES.get(kind)
    if shape is None:
        why = REFUSED_BECAUSE.get(kind, f"{kind.lower().replace('_', ' ')} is not taken")
        found.refuse("unsupportedSyntax", why, at, HINTS.get(kind, ""))
        return
    for name, value in node.items():
        allowed = shape.get(name)
        if (allowed is None and name not in EVERYWHERE) or (
            isinstance(allowed, frozenset) and str(value) not in allowed
        ):
            _refuse_key(name, value, found, at)
    ctes = _with(node, found, ctes, at, depth)
    _LOOK.get(kind, _nothing)(node, found, ctes, at)
    for name, value in node.items():
        if shape.get(name) == WALK:
            for child in _nodes(value):
                _walk(child, found, ctes, at, depth + 1, name)


def _nodes(value: Any) -> Iterator[Node]:
    """The nodes in a value: a node, a list of them, or a list of lists."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def _kind(node: Node, key: str) -> str:
    if "class" in node:
        return "expression SUBQUERY" if node["class"] == "SUBQUERY" else str(node["class"])
    return str(node["type"]) if "type" in node else f"key {key}"


def _location(node: Node, above: int) -> int:
    at = node.get("query_location", NOWHERE)
    return int(at) if isinstance(at, int) and at < NOWHERE else above


def _refuse_key(name: str, value: Any, found: Reading, at: int) -> None:
    said = {
        "sample": ("a sample is left to chance", "a segment's `percent` split is stable from run to run"),
        "at_clause": ("AT (…) is not taken: this generation is all there is", ""),
        "schema": ("a function has no schema here", "write its name alone, f(x) and not x.f()"),
        "catalog": ("a function has no catalog here", "write its name alone"),
        "schema_name": ("a table has no schema here", "write `crm_Contacts` for crm.Contacts"),
        "catalog_name": ("a table has no catalog here", "write the table's name alone"),
        "key_targets": ("USING KEY is not taken", ""),
        "ref_type": ("a positional join is left to chance", "join on a column"),
    }.get(
        name,
        (f"{name.replace('_', ' ')} {value if isinstance(value, str) else ''} is not taken".replace("  ", " "), ""),
    )
    found.refuse("unsupportedSyntax", said[0], at, said[1])


def _with(node: Node, found: Reading, ctes: frozenset[str], at: int, depth: int) -> frozenset[str]:
    """The names of WITH at a node; each sees those before it, a recursive one itself."""
    for entry in node.get("cte_map", {}).get("map", []):
        name, value = fold(str(entry["key"])), entry["value"]
        for extra in value.keys() - {"aliases", "materialized", "query_node"}:
            _refuse_key(extra, "", found, at)
        found.names.update(fold(a) for a in value.get("aliases", []))
        body = value.get("query_node")
        if not isinstance(body, dict):
            found.refuse("unsupportedSyntax", f"WITH {entry['key']} holds no SELECT", at)
            continue
        inner = ctes | {name} if body.get("type") == "RECURSIVE_CTE_NODE" else ctes
        _walk(body, found, inner, at, depth + 1)
        ctes |= {name}
    return ctes


# ── kinds that need more than their shape ────────────────────────────────────────────────────────────────────────────


def _nothing(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    """Its shape said it all."""


def _select(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    kinds = {m["type"]: m for m in node.get("modifiers", [])}
    hint = "add ORDER BY, with CustomerId last so that there are no ties"
    if "LIMIT_MODIFIER" in kinds and "ORDER_MODIFIER" not in kinds:
        found.refuse("invalidOperation", "LIMIT without ORDER BY leaves to chance which rows remain", at, hint)
    if kinds.get("DISTINCT_MODIFIER", {}).get("distinct_on_targets") and "ORDER_MODIFIER" not in kinds:
        found.refuse("invalidOperation", "DISTINCT ON without ORDER BY leaves to chance which row remains", at, hint)


def _table(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    path = node.get("qualified_name", {}).get("path", [node.get("table_name", "")])
    name = str(path[-1])
    found.aliases.update((fold(name), fold(str(node.get("alias", name)))))
    found.names.update(fold(a) for a in node.get("column_name_alias", []))
    if node.get("column_name_alias"):
        found.whole = True  # `AS t(a, b)` names columns by their place
    if len(path) > 1:
        return  # refused by its keys
    if fold(name) in ctes:
        return
    if fold(name) in found.by_name:
        found.tables.add(found.by_name[fold(name)])
        return
    found.refuse("entityNotFound", f"there is no table {name!r} here", at, did_you_mean(name, found.known))


def _subquery(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    found.names.update(fold(a) for a in node.get("column_name_alias", []))
    found.aliases.add(fold(str(node.get("alias", ""))))


def _join(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    found.names.update(fold(c) for c in node.get("using_columns", []))
    found.whole |= node.get("ref_type") == "NATURAL"


def _table_function(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    found.aliases.add(fold(str(node.get("alias", ""))))
    name = fold(str(node.get("function", {}).get("function_name", "")))
    if name in FUNCTIONS and name not in TABLE_FUNCTIONS:  # what is no function at all is refused as one
        hint = f"behind FROM stand tables, subqueries and {', '.join(sorted(TABLE_FUNCTIONS))}"
        found.refuse("unsupportedSyntax", f"{name} cannot stand behind FROM", at, hint)


def _column(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    names = [str(n) for n in node.get("column_names", [])]
    found.names.update(fold(n) for n in names)
    if len(names) == 1:
        found.refs.append((fold(names[0]), at))


def _function(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    name = str(node.get("function_name", ""))
    known = OPERATORS if node.get("is_operator") else FUNCTIONS
    path = node.get("qualified_name", {}).get("path", [name])
    if len(path) > 1:
        return  # refused by its keys
    if fold(name) not in known and fold(name) not in OPERATORS | FUNCTIONS:
        near = [] if node.get("is_operator") else get_close_matches(fold(name), sorted(FUNCTIONS), 1, cutoff=0.8)
        hint = f"did you mean {near[0]}?" if near else "docs/manual-sql.md lists the functions"
        hint = "lots that stay are drawn by a segment: `percent: 10`" if fold(name) in CHANCE else hint
        found.refuse("invalidOperation", f"the function {name!r} is not allowed", at, hint)
    if fold(name) in TWO_ARGUMENTS and len(node.get("arguments", [])) < 2:
        hint = f"{fold(name)}(now(), …) counts to the clock of the run"
        found.refuse("incorrectArgumentCount", f"{fold(name)} needs two arguments here", at, hint)
    if fold(name) in CLOCK and node.get("arguments"):
        found.refuse("incorrectArgumentCount", f"{fold(name)} takes no arguments", at)


def _operator(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    if node.get("type") not in OPERATOR_TYPES:
        found.refuse("unsupportedSyntax", f"the operator {node.get('type')} is not taken", at)


def _star(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    found.whole = True


def _type(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    path = node.get("qualified_name", {}).get("path", [""])
    name = fold(str(node.get("type_name") or path[-1]))
    if len(path) > 1 or name not in TYPES:
        found.refuse("unsupportedSyntax", f"the type {'.'.join(map(str, path)) or name!r} is not taken", at)


def _collate(node: Node, found: Reading, ctes: frozenset[str], at: int) -> None:
    if not COLLATION.match(str(node.get("collation", ""))):
        found.refuse("unsupportedSyntax", f"the collation {node.get('collation')!r} is not taken", at)


_LOOK = {
    "SELECT_NODE": _select, "SET_OPERATION_NODE": _select, "BASE_TABLE": _table, "SUBQUERY": _subquery, "JOIN": _join,
    "TABLE_FUNCTION": _table_function, "COLUMN_REF": _column, "FUNCTION": _function, "WINDOW": _function,
    "OPERATOR": _operator, "STAR": _star, "TYPE": _type, "COLLATE": _collate,
}  # fmt: skip


def _bare_names(found: Reading) -> None:
    """Words that are no column: answers of DuckDB's own are refused, a table's name means its whole rows."""
    for name, at in found.refs:
        if name in found.columns:
            continue
        if name in KEYWORDS:
            found.refuse("invalidOperation", f"{name} is not allowed", at, "it speaks of the engine, not of customers")
        found.whole |= name in found.aliases
