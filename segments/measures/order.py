"""Which measures a measure is made of, and the order in which they can be worked out."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from segments.model import MEASURES
from segments.odata import ODataSyntaxError, parse_expression
from segments.odata.syntax import ast as o
from segments.relationships import CUSTOMER
from unify.core.errors import SpecError
from unify.spec import Measure, Pick
from unify.spec.measure import FUNCTIONS


def rounds(measures: Mapping[str, Measure], own: frozenset[str]) -> list[list[str]]:
    """The names in rounds: each measure is made of measures of earlier rounds only. Diamonds are fine.

    own   columns of Customer, which no measure hides
    Raises SpecError that names the measures of a cycle, in order.
    """
    needs = {name: dependencies(measure, measures, own) for name, measure in measures.items()}
    sorter = TopologicalSorter(needs)
    try:
        sorter.prepare()
    except CycleError as error:
        ring = " → ".join(reversed(error.args[1]))
        raise SpecError(f"measures are made of each other: {ring}", where="measures", hint="break the ring") from None
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=list(measures).index)
        found.append(ready)
        sorter.done(*ready)
    return found


def with_what_they_need(wanted: str, measures: Mapping[str, Measure], own: frozenset[str]) -> dict[str, Measure]:
    """A measure and all that it is made of, in the order of the project."""
    needed, waiting = {wanted}, [wanted]
    while waiting:
        name = waiting.pop()
        new = dependencies(measures[name], measures, own) - needed
        needed |= new
        waiting += new
    return {name: m for name, m in measures.items() if name in needed}


def dependencies(measure: Measure, measures: Mapping[str, Measure], own: frozenset[str]) -> frozenset[str]:
    """The measures that one is made of: whose rows it counts, and those its expressions name."""
    found: set[str] = {measure.of} if measure.of is not None and measure.of in measures else set()
    over_customers = measure.of in (None, CUSTOMER, MEASURES)
    for place, text in texts(measure):
        of_results = not place
        bare = over_customers if not of_results else measure.kind == "attribute" or measure.of is None
        hidden = own.union(measure.calculate if of_results else measure.variables)
        found |= {n for n in named(text, bare) if n in measures and n not in hidden}
    return frozenset(found)


def texts(measure: Measure) -> Iterator[tuple[str, str]]:
    """Every expression over rows with its place; and "" with those over results of calculations."""
    for part, c in [*((f"calculate.{n}.", c) for n, c in measure.calculate.items()), ("", measure)]:
        for function in FUNCTIONS:
            said = getattr(c, function)
            if isinstance(said, str):
                yield f"{part}{function}", said
            elif isinstance(said, Pick):
                yield f"{part}{function}.take", said.take
                yield f"{part}{function}.by", said.by
        if c.value is not None:
            yield "", c.value
    yield from ((f"by.{n}", d.value) for n, d in measure.by.items())
    yield from ((f"variables.{n}", v.value) for n, v in measure.variables.items())
    yield from (("where", text) for text in _strings(measure.where))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        yield from _strings(value.model_dump(mode="json"))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _strings(part)


def named(text: str, bare: bool) -> Iterator[str]:
    """Names in an expression that can be a measure's: behind `Customer/`, and on their own where `bare`.

    What does not parse names none; whoever binds the text says what is wrong with it.

    >>> sorted(named("Total gt Customer/Limit and Orders/any(o: o/Size eq Big)", bare=True))
    ['Big', 'Limit', 'Total']
    """
    try:
        tree = parse_expression(text)
    except ODataSyntaxError:
        return
    for path in _paths(tree):
        names = [s.text if isinstance(s, o.Name) else "" for s in path.segments if not isinstance(s, o.Variable)]
        if bare and len(names) == 1:
            yield names[0]
        yield from (b for a, b in pairwise(names) if a in (CUSTOMER, MEASURES))


def _paths(node: Any) -> Iterator[o.Path]:
    if isinstance(node, o.Path):
        yield node
    if isinstance(node, tuple):
        for part in node:
            yield from _paths(part)
    elif is_dataclass(node):
        for part in fields(node):
            yield from _paths(getattr(node, part.name))
