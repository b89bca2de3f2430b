"""`$expand`: related rows put into their rows, one SELECT for each relation and level, whatever the number of rows."""

from typing import Any

from segments.odata.answers.entity_sets import EntitySet
from segments.odata.answers.ground import Ground, bindable
from segments.odata.answers.level import Expansion, Level
from segments.odata.answers.links import Links, links, starts
from segments.odata.answers.pages import Position, next_link, question_of
from segments.odata.answers.rows import Related, count_related, read_related
from segments.odata.syntax.ast import Argument, Arguments, Literal, Name, Path
from segments.odata.syntax.ast_options import AliasValue, Option, Request
from unify.core.errors import QueryError


def hidden_columns(ground: Ground, level: Level) -> list[str]:
    """Columns that expansions need of a row beside those that are shown: where they start, and its key."""
    if not level.expansions:
        return []
    first = [_steps(ground, level.set, e)[0].from_column for e in level.expansions]
    return list(dict.fromkeys([*first, *([level.set.key] if level.set.key else [])]))


def _steps(ground: Ground, set_: EntitySet, expansion: Expansion) -> Any:
    return ground.model.catalog.path(set_.table, expansion.path)


def expand(ground: Ground, level: Level, rows: list[dict[str, Any]], hidden: dict[str, list[Any]]) -> None:
    """Add to every row what its expansions say; `hidden`: the columns of `hidden_columns`, row by row."""
    for expansion in level.expansions:
        _expand(ground, level.set, expansion, rows, hidden)


def _expand(
    ground: Ground, set_: EntitySet, expansion: Expansion, rows: list[dict[str, Any]], hidden: dict[str, list[Any]]
) -> None:
    steps = _steps(ground, set_, expansion)
    column = steps[0].from_column
    values = hidden[column]
    wanted = [bindable(v) for v in dict.fromkeys(values) if v is not None]
    found = links(steps, *starts(wanted, ground.sql_type(set_.table, column)))
    keys = hidden[set_.key] if set_.key else [None] * len(rows)
    if expansion.tail == "$count":
        counts = count_related(ground, expansion.level, found)
        for row, start in zip(rows, values, strict=True):
            row[f"{expansion.name}@odata.count"] = counts.get(start, 0)
        return
    _put(ground, set_, expansion, found, rows, list(zip(values, keys, strict=True)))


def _put(
    ground: Ground,
    set_: EntitySet,
    expansion: Expansion,
    found: Links,
    rows: list[dict[str, Any]],
    starts_and_keys: list[tuple[Any, Any]],
) -> None:
    level, name = expansion.level, expansion.name
    needed = hidden_columns(ground, level)
    if expansion.tail == "$ref" and level.set.key not in needed:
        needed.append(_key_for_references(level.set))
    limit = _limit(ground, expansion)
    related, every, inner = read_related(ground, expansion, found, needed, limit)
    counts = count_related(ground, level, found) if level.count else {}
    if expansion.tail == "$ref":
        for row, key in zip(every, inner[level.set.key], strict=True):
            row.clear()
            row["@odata.id"] = reference(level.set, key)
    else:
        expand(ground, level, every, inner)
    for row, (start, key) in zip(rows, starts_and_keys, strict=True):
        own = related.get(start, _NONE)
        if level.count:
            row[f"{name}@odata.count"] = counts.get(start, 0)
        if not expansion.many:
            row[name] = own.rows[0] if own.rows else None
            continue
        row[name] = list(own.rows)
        if own.more and (level.top is None or level.top > limit):
            row[f"{name}@odata.nextLink"] = _rest(ground, set_, expansion, key, own, limit)


_NONE = Related()


def _limit(ground: Ground, expansion: Expansion) -> int:
    if not expansion.many:
        return 1
    return ground.expand_size if expansion.level.top is None else min(ground.expand_size, expansion.level.top)


def _key_for_references(set_: EntitySet) -> str:
    if not set_.key:
        raise QueryError(f"rows of {set_.table} have no key to refer to", where="$expand", hint="leave /$ref out")
    return set_.key


def reference(set_: EntitySet, key: Any) -> str:
    """The path of one row."""
    from segments.odata.syntax.printer_options import print_path

    return print_path(Path((Name(set_.table), _arguments(key))))


def _arguments(key: Any) -> Arguments:
    literal = Literal("integer", key) if isinstance(key, int) else Literal("string", str(key))
    return Arguments((Argument(None, literal),))


def _rest(ground: Ground, set_: EntitySet, expansion: Expansion, key: Any, own: Related, given: int) -> str:
    """The next link of one row's related rows: they are asked for by navigation from it."""
    level = expansion.level
    if key is None:
        hint = f"write $expand={expansion.name}($top=…), {ground.expand_size:,} at most"
        raise QueryError(f"rows of {set_.table} have no key that a next link could name", where="$expand", hint=hint)
    aliases: list[Option] = [AliasValue(name, value) for name, value in ground.aliases.items()]
    said = {option.name for option in expansion.options if isinstance(option, AliasValue)}
    options = (*expansion.options, *(a for a in aliases if isinstance(a, AliasValue) and a.name not in said))
    tail = (Name(expansion.name),) if not expansion.tail else (Name(expansion.name), _ref())
    request = Request(Path((Name(set_.table), _arguments(key), *tail)), options)
    position = Position(
        generation=ground.generation,
        clock=ground.clock.isoformat(),
        question=question_of(request),
        size=ground.size,
        after=own.after,
        offset=0 if own.after else level.skip + given,
        left=None if level.top is None else level.top - given,
    )
    return next_link(request, position)


def _ref() -> Any:
    from segments.odata.syntax.ast import System

    return System("$ref")
