"""Comparisons as evidence: one piece per column, levels in per cent; and notes on whatever has no counterpart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from unify.proposal.splink.conditions import Alike, Condition, Edits, Equal, Missing, understand
from unify.proposal.splink.settings import Comparison, Level
from unify.spec import Evidence

LESS, BEGINS_ALIKE = 10, 0.88
"""A Jaro-Winkler similarity counts in a scored rule less ten points, and from 0.88 on (docs/scored-rules.md)."""
MOST_LEVELS = len(Evidence.model_fields["levels"].default)
"""Levels that evidence may have, as many as it has by default."""
REVERSED = "of one record with"
ADVICE = {
    "a difference of dates": "dates are compared as they are written; an exception can ask for days: "
    "`unless: [{field: …, differs: true, compare: date, within: 31}]`",
    "a difference of numbers": "an exception can ask for it: "
    "`unless: [{field: …, differs: true, compare: number, within: 5}]`",
    "lists in one column": "split the list into columns and compare `fields: [A1, A2]`, where any may equal any",
    "how values sound": "an ordered rule can: `compare: phonetic`",
    "a certain value": "a list of kind bypass, or `junk: detect`, takes such values out",
}
"""What to do instead."""
REVERSED_ADVICE = "write both as one comparison, `fields: [A, B]`, where any may equal any"
EDITS_INSTEAD = {"a difference of dates", "a part of the value", "how values sound"}
"""What similarity by edits stands in for, when a column has no other level than equality."""


@dataclass
class Column:
    """What the comparisons of the file say of one column. `default`: levels of ours stand in for what has no
    counterpart; `comparisons`: names of those that are about it."""

    name: str
    equal: bool = False
    levels: set[float] = field(default_factory=set)
    term_frequency: bool = False
    default: bool = False
    comparisons: list[str] = field(default_factory=list)


@dataclass
class Carried:
    """Columns in the order of the file, and notes."""

    columns: dict[str, Column] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Understood = Sequence[tuple[Level, Condition]]


def understood(comparison: Comparison) -> Understood:
    """The levels of a comparison, with what they ask."""
    return [(level, understand(level.condition)) for level in comparison.levels]


def columns_of(levels: Understood) -> list[str]:
    """The columns that are compared, each once, as the file writes them; values that are missing are no comparison."""
    terms = [term for level, said in levels if not level.missing for term in said.terms]
    return list(dict.fromkeys(term.column for term in terms if not isinstance(term, Missing)))


def counted(levels: Understood) -> list[str]:
    """The columns whose edits are counted."""
    return [term.column for _, said in levels for term in said.terms if isinstance(term, Edits)]


def carry(
    comparisons: Mapping[str, Understood], places: Mapping[str, str | None], lengths: Mapping[str, int]
) -> Carried:
    """What can be carried over.

    comparisons  name → its levels
    places       column of the file → what the project calls it, None: nobody has it
    lengths      column of the file → characters that half of its values have at most
    """
    found = Carried()
    for name, levels in comparisons.items():
        own = [column for column in columns_of(levels) if places[column]]
        for column in own:
            kept = found.columns.setdefault(str(places[column]), Column(str(places[column])))
            kept.comparisons.append(name)
        if not own:
            found.notes.append(f"{name}: is left out, nothing of it has a counterpart in the project")
        found.notes += _levels(found, name, levels, places, lengths)
        _terms(found, name, levels, places)
        found.notes += _learned(name, levels)
        for column in own:
            _instead(found, name, found.columns[str(places[column])], levels)
    for kept in found.columns.values():
        found.notes += _of_column(kept)
    return found


def _levels(
    found: Carried, name: str, levels: Understood, places: Mapping[str, str | None], lengths: Mapping[str, int]
) -> Iterator[str]:
    """The levels, put to the columns that they are about; notes on what became of them."""
    lost: dict[str, list[str]] = {}
    stands: dict[str, list[str]] = {}
    for level, said in levels:
        if said.rest or (level.missing and said.missing):
            continue
        if level.missing:
            yield f"{name}: {level.label!r} takes values that are there for missing ({_short(level)}), here they count"
            continue
        if said.reason:
            lost.setdefault(said.reason, []).append(level.label)
            continue
        terms = [term for term in said.terms if not isinstance(term, Missing)]
        if len(terms) > 1:
            yield f"{name}: the level {level.label!r} asks for several things at once, here each is weighed for itself"
        if len(terms) < len(said.terms):
            yield f"{name}: the level {level.label!r} is about missing values, too, which say nothing here"
        for term in terms:
            if place := places[term.column]:
                stands.setdefault(place, []).extend(_put(found.columns[place], term, lengths.get(term.column, 0)))
    for place, notes in stands.items():
        if notes:
            at = name if name == place else f"{name}, {place}"
            yield f"{at}: {'; '.join(dict.fromkeys(notes))}"
    for reason, labels in lost.items():
        advice = REVERSED_ADVICE if REVERSED in reason else ADVICE.get(reason, "")
        which = f"the level{'s' if len(labels) > 1 else ''} {', '.join(map(repr, labels))}"
        yield f"{name}: not carried over: {which}, {reason}" + (f"; {advice}" if advice else "")


def _put(kept: Column, term: Equal | Alike | Edits, length: int) -> Iterator[str]:
    """Add what a level asks to the column; how it stands there."""
    if isinstance(term, Equal):
        kept.equal = True
        return
    cut, note = _cut(term, length)
    if cut is not None:
        kept.levels.add(cut)
    yield note


def _cut(term: Alike | Edits, length: int) -> tuple[float | None, str]:
    """The level in per cent, and how it came about; None: there is none."""
    if isinstance(term, Edits):
        said = f"{term.measure} of at most {term.most:g}"
        if length <= term.most:
            return None, f"{said} is not carried over: half of the values have {length} characters at most"
        cut = _whole(100 * (1 - term.most / length))
        if not 0 < cut < 100:
            return None, f"{said} is not carried over: it is equality"
        return (
            cut,
            f"{said} stands as {cut:g} % alike: half of the values have {length} characters at most",
        )
    said = f"{term.measure} of at least {term.share:g}"
    words = term.measure in ("jaro_winkler", "jaro")
    exact = 100 * term.share - (LESS if words else 0)
    if not 1 <= exact < 100:
        return None, f"{said} is not carried over: it is everything, or equality"
    cut = _whole(exact)
    if not words:
        return cut, f"{said} stands as {cut:g} % alike, counted by edits"
    if term.measure == "jaro_winkler" and term.share >= BEGINS_ALIKE:
        return cut, f"{said} stands as {cut:g} % alike, as it counts here"
    return cut, f"{said} stands as {cut:g} % alike, counted by edits: Jaro-Winkler counts here from {BEGINS_ALIKE:g} on"


def _whole(cut: float) -> float:
    """Down to a whole per cent; what floating point left under one is that one."""
    return float(int(cut + 1e-6))


def _terms(found: Carried, name: str, levels: Understood, places: Mapping[str, str | None]) -> None:
    """Term frequencies, put to their columns."""
    folded = {column.casefold(): place for column, place in places.items() if place}
    for level, said in levels:
        if level.term_column is None:
            continue
        kept = found.columns.get(folded.get(level.term_column.casefold(), ""))
        if kept is None:
            found.notes.append(
                f"{name}: term frequencies of {level.term_column} are not carried over, it is not compared"
            )
            continue
        if not any(isinstance(term, Equal) for term in said.terms):
            found.notes.append(
                f"{name}: term frequencies of the level {level.label!r} are not carried over, they are for equal values"
            )
            continue
        if level.weight == 0:
            continue
        kept.term_frequency = True
        if level.weight != 1:
            found.notes.append(
                f"{name}: tf_adjustment_weight {level.weight:g} is not carried over, term frequencies count in full"
            )
        if level.least_u:
            found.notes.append(
                f"{name}: tf_minimum_u_value {level.least_u:g} is not carried over; "
                "no value counts as more than 20 times rarer than average"
            )
        if level.undetected:
            found.notes.append(
                f"{name}: disable_tf_exact_match_detection is not carried over, equality is a level of its own"
            )


def _learned(name: str, levels: Understood) -> Iterator[str]:
    """What the file has learned, beside what the rule will learn."""
    said = [
        f"{level.label} {_probabilities(level)}" for level, _ in levels if level.m is not None or level.u is not None
    ]
    if said:
        yield f"{name}: the rule learns m and u itself; the file has: {'; '.join(said)}"
    fixed = [f"{' and '.join(level.fixed)} of {level.label!r}" for level, _ in levels if level.fixed]
    if fixed:
        yield f"{name}: fixed by the file, learned here all the same: {'; '.join(fixed)}"


def _probabilities(level: Level) -> str:
    both = (("m", level.m), ("u", level.u))
    return ", ".join(f"{which} {value:.3g}" for which, value in both if value is not None)


def _instead(found: Carried, name: str, kept: Column, levels: Understood) -> None:
    lost = {said.reason for _, said in levels} & EDITS_INSTEAD
    if kept.equal and not kept.levels and lost and not kept.default:
        kept.default = True
        found.notes.append(f"{kept.name}: is compared at the default levels of similarity instead")


def _of_column(kept: Column) -> Iterator[str]:
    if len(kept.comparisons) > 1:
        names = ", ".join(dict.fromkeys(kept.comparisons))
        yield f"{kept.name}: is one comparison here, of {names}; evidence counts once"
    if not kept.equal:
        yield f"{kept.name}: equality is a level of its own here, above those of the file"
    if len(kept.levels) > MOST_LEVELS:
        left = kept.levels - set(fewer(kept.levels))
        yield f"{kept.name}: at most {MOST_LEVELS} levels; left out: {', '.join(f'{cut:g}' for cut in sorted(left))} %"


def fewer(levels: set[float]) -> tuple[float, ...]:
    """As many as there may be, ascending: of the two that are nearest to each other the lower goes, again and again.

    >>> fewer({60, 62, 70, 80, 85, 90})
    (62, 70, 80, 85, 90)
    """
    kept = sorted(levels)
    while len(kept) > MOST_LEVELS:
        gaps = [(high - low, k) for k, (low, high) in enumerate(pairwise(kept))]
        del kept[min(gaps)[1]]
    return tuple(kept)


def _short(level: Level) -> str:
    text = " ".join(level.condition.split())
    return text if len(text) <= 80 else text[:77] + "..."
