"""Alias and bypass: lists of values with a meaning of their own, as one dictionary look-up per value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from unify.core.engine import Engine, Function
from unify.core.errors import SpecError, did_you_mean
from unify.core.steps import Query
from unify.spec import NormalizeStep, Project

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Lists:
    """The content of the value lists that normalisers may name, as the user wrote it; order means nothing.

    aliases   name of a list -> pairs of values regarded as equal
    bypasses  name of a list -> values that match nothing
    """

    aliases: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    bypasses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_list_step(step: NormalizeStep) -> bool:
    """Whether the step looks values up in a list."""
    return step.kind in ("alias", "bypass")


def list_function_name(steps: tuple[NormalizeStep, ...], lists: Lists) -> str | None:
    """The SQL name of the look-up of these steps, or None if they name no list; SpecError for an unknown list.

    The name carries a hash of the steps and of the lists' content: another content is another function.
    """
    if not any(is_list_step(step) for step in steps):
        return None
    others = [str(step) for step in steps if not is_list_step(step)]
    pairs, values = _entries(steps, lists)
    content = repr((others, pairs, values)).encode()
    return f"unify_list_{blake2b(content, digest_size=8).hexdigest()}"


def list_function(
    steps: tuple[NormalizeStep, ...], lists: Lists, normalize: Callable[[list[str]], dict[str, str | None]]
) -> Function:
    """The look-up: a normalised value to the least of its aliases, or to NULL when it or an alias of it is bypassed.

    `normalize` maps entries to what the other normalisers make of them. An entry of which nothing is left has no
    effect: such a value matches nothing anyway.
    """
    pairs, values = _entries(steps, lists)
    forms = normalize(sorted({entry for pair in pairs for entry in pair} | set(values)))
    equal = [(forms[a], forms[b]) for a, b in pairs]
    least = _least_of_class([(a, b) for a, b in equal if a and b])
    bypassed = {least.get(form, form) for value in values if (form := forms[value])}
    table: dict[str | None, str | None] = {form: None if one in bypassed else one for form, one in least.items()}
    table |= dict.fromkeys(bypassed)

    entries, answers = pa.array(list(table), pa.string()), pa.array(list(table.values()), pa.string())

    def look_up(column: pa.Array | pa.ChunkedArray) -> pa.Array:
        place = pc.index_in(column, entries)
        return pc.if_else(place.is_valid(), answers.take(place), column)

    name = list_function_name(steps, lists)
    if name is None:
        raise ValueError(f"{steps} name no list")
    return Function(name, ("VARCHAR",), "VARCHAR", look_up)


def _entries(steps: tuple[NormalizeStep, ...], lists: Lists) -> tuple[list[tuple[str, str]], list[str]]:
    """The pairs and values of all lists the steps name, sorted and without repetition."""
    pairs: set[tuple[str, str]] = set()
    values: set[str] = set()
    for step in steps:
        if step.kind == "alias":
            pairs.update((min(pair), max(pair)) for pair in _of(lists.aliases, step))
        elif step.kind == "bypass":
            values.update(_of(lists.bypasses, step))
    return sorted(pairs), sorted(values)


def _of(known: Mapping[str, tuple[_Entry, ...]], step: NormalizeStep) -> tuple[_Entry, ...]:
    name = step.argument or ""
    if name not in known:
        raise SpecError(
            f"there is no list {name!r} of kind {step.kind}",
            where=f"normalize: {step}",
            hint=did_you_mean(name, known) if known else f"declare it: lists: {{{name}: {{kind: {step.kind}, …}}}}",
        )
    return known[name]


def _least_of_class(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Each value that occurs in a pair to the least value it is equal to, directly or through others.

    >>> _least_of_class([("bill", "william"), ("will", "william")])
    {'bill': 'bill', 'william': 'bill', 'will': 'bill'}
    """
    parent: dict[str, str] = {}

    def root(value: str) -> str:
        parent.setdefault(value, value)
        while parent[value] != value:
            parent[value] = parent[parent[value]]
            value = parent[value]
        return value

    for a, b in pairs:
        one, other = root(a), root(b)
        parent[max(one, other)] = min(one, other)
    return {value: root(value) for value in parent}


def lists_of(engine: Engine, project: Project) -> Lists:
    """The value lists as normalisers want them."""
    rows = engine.fetch(Query("SELECT list, value, alias FROM list_values ORDER BY ALL")).to_pylist()
    bypasses = {
        name: tuple(row["value"] for row in rows if row["list"] == name)
        for name, spec in project.lists.items()
        if spec.kind == "bypass"
    }
    aliases = {
        name: tuple((row["value"], row["alias"]) for row in rows if row["list"] == name)
        for name, spec in project.lists.items()
        if spec.kind == "alias"
    }
    return Lists(aliases=aliases, bypasses=bypasses)
