"""The SQL behind the comparisons, by family: equality of something, edit distance, similarity, tolerance.

`passes` is `score >= threshold`, always. Edit distances compare whole numbers, 100 * d <= (100 - precision) * m, and
their score (m - d) / m is one correctly rounded division, which cannot cross the correctly rounded precision / 100.
Similarities that are no ratios of small integers are rounded to nine decimals in both. Tolerances decide by the exact
difference, and the score follows the decision.

Tests come in a CASE, cheapest first: DuckDB evaluates a branch for those rows only that reach it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from unify.conflation.letters import parities_apart
from unify.core.engine import Function
from unify.spec import Criterion

Sql = Callable[[Criterion, str, str], str]
Key = Callable[[Criterion, str], str]

BUILT_IN_CELLS = 400
"""Product of lengths up to which DuckDB's Levenshtein is used: its time grows with it, rapidfuzz's hardly. 1 M pairs on
two cores: 14 characters 0.17 s against 0.25 s, 39 characters 0.96 s against 0.21 s; level at about 20 x 20."""
_LOOSE_BLANKS = r"[\s\x0b\x1c-\x1f]{2}|^[\s\x0b\x1c-\x1f]|[\s\x0b\x1c-\x1f]$"
"""White space as Python and rapidfuzz split by it: at an end, or two in a row."""
LIMIT = 0.5
"""Score of number and date at exactly `within`: 1 at no difference, falling to 0 at twice the tolerance."""
BEYOND = 0.499
"""Most that number and date score beyond `within`."""
SWAPPED = 0.9
"""Score of a date whose day and month were exchanged: a known slip of the pen, yet less than equality."""


@dataclass(frozen=True, slots=True)
class Sqls:
    """What a comparison is in SQL: its score, its test and, if equality of something decides, that something.

    `apart`: a cheap test over the letters beside both columns that holds only where the precision is out of reach.
    """

    score: Sql
    passes: Sql
    key: Key | None = None
    apart: Sql | None = None


def equality(key: Key) -> Sqls:
    """Passes when `key` of both sides is equal; scores 1 or 0."""
    return Sqls(
        lambda criterion, a, b: f"CAST({key(criterion, a)} = {key(criterion, b)} AS DOUBLE)",
        lambda criterion, a, b: f"({key(criterion, a)} = {key(criterion, b)})",
        key,
    )


def edit_distance(function: Function, built_in: str | None = None) -> Sqls:
    """1 - distance / length of the longer side, in code points; `built_in` is DuckDB's, for short ASCII values."""

    def distance(a: str, b: str) -> str:
        call = f"{function.name}({a}, {b})"
        if built_in is None:
            return call
        short = f"strlen({a}) * strlen({b}) <= {BUILT_IN_CELLS}"
        return f"CASE WHEN {short} AND {_ascii(a, b)} THEN {built_in}({a}, {b}) ELSE {call} END"

    def score(_: Criterion, a: str, b: str) -> str:
        longer = _longer(a, b)
        return f"CASE WHEN {a} = {b} THEN 1.0::DOUBLE ELSE ({longer} - {distance(a, b)})::DOUBLE / {longer} END"

    def passes(criterion: Criterion, a: str, b: str) -> str:
        longer, precision = _longer(a, b), criterion.precision or 100
        if precision == 100:
            return f"({a} = {b})"
        too_far = f"100 * abs(length({a}) - length({b})) > {100 - precision} * {longer}"
        return (
            f"CASE WHEN {a} = {b} THEN true WHEN {too_far} THEN false "
            f"ELSE 100 * {distance(a, b)} <= {100 - precision} * {longer} END"
        )

    return Sqls(score, passes, itself, edits_apart)


def similarity(
    function: Function,
    built_in: str | None = None,
    key: Key | None = None,
    hopeless: Sql | None = None,
    apart: Sql | None = None,
) -> Sqls:
    """A similarity from 0 to 1; `built_in` is DuckDB's function for ASCII values, `key` what is equal at 100 %.

    `hopeless`: a cheap test that holds only for values that cannot reach the precision. `apart`: see Sqls.
    """
    call = f"{function.name}({{a}}, {{b}})"

    def score(_: Criterion, a: str, b: str) -> str:
        value = call.format(a=a, b=b)
        if built_in is not None:
            value = f"CASE WHEN {_ascii(a, b)} THEN {built_in}({a}, {b}) ELSE {value} END"
        return f"CASE WHEN {a} = {b} THEN 1.0::DOUBLE ELSE round({value}, 9) END"

    def passes(criterion: Criterion, a: str, b: str) -> str:
        test = f"({score(criterion, a, b)} >= {criterion.precision or 100} / 100.0::DOUBLE)"
        return f"CASE WHEN {hopeless(criterion, a, b)} THEN false ELSE {test} END" if hopeless else test

    return Sqls(score, passes, key, apart)


def edits_apart(criterion: Criterion, a: str, b: str) -> str:
    """Whether letters and lengths need more edits than the precision allows.

    An edit changes the parity of two letters at most, or of one and the length: distance >= (parities + lengths) / 2.
    """
    needed = f"{parities_apart(a, b)} + abs(length({a}) - length({b}))"
    return f"50 * ({needed}) > {100 - (criterion.precision or 100)} * {_longer(a, b)}"


def words_apart(criterion: Criterion, a: str, b: str) -> str:
    """The same where an edit inserts or deletes one character, over sorted words, for 1 - edits / both lengths.

    Blanks are no letters, and words that are sorted are no longer than the value.
    """
    share = 100 - (criterion.precision or 100)
    return f"100 * {parities_apart(a, b)} > {share} * (length({a}) + length({b}))"


def lengths_too_far(criterion: Criterion, a: str, b: str) -> str:
    """Whether single-spaced ASCII values differ too much in length for 1 - d / (m + n), where d is at least |m - n|.

    Words that are sorted and joined again keep the value's length if blanks stand singly and inside only. It leaves one
    in four pairs of names to rapidfuzz: 1.8 M candidates took 1.1 s before, 0.4 s with it.
    """
    shares = (
        f"100 * abs(length({a}) - length({b})) > {100 - (criterion.precision or 100)} * (length({a}) + length({b}))"
    )
    tight = " AND ".join(f"NOT regexp_matches({side}, '{_LOOSE_BLANKS}')" for side in (a, b))
    return f"{shares} AND {_ascii(a, b)} AND {tight}"


def tolerance(difference: Callable[[str, str], str], second_chance: Sql | None = None) -> Sqls:
    """Passes when `difference` is at most `within`; `second_chance`, when it applies, passes too and scores SWAPPED."""

    def close(criterion: Criterion, a: str, b: str) -> str:
        return f"{difference(a, b)} <= {Decimal(repr(criterion.within or 0.0)):f}::DOUBLE"

    def other(criterion: Criterion, a: str, b: str) -> str:
        return second_chance(criterion, a, b) if second_chance and criterion.swap else ""

    def passes(criterion: Criterion, a: str, b: str) -> str:
        second = other(criterion, a, b)
        return f"({close(criterion, a, b)} OR {second})" if second else f"({close(criterion, a, b)})"

    def score(criterion: Criterion, a: str, b: str) -> str:
        apart, second = difference(a, b), other(criterion, a, b)
        gradual = f"1 - {apart} / {2 * criterion.within!r}::DOUBLE" if criterion.within else "0"
        # Rounding must not carry a score over the limit in either direction: the test itself decides the side.
        return (
            f"CASE WHEN {apart} = 0 THEN 1.0::DOUBLE "
            + (f"WHEN {second} THEN greatest({SWAPPED}::DOUBLE, {gradual}) " if second else "")
            + f"WHEN {close(criterion, a, b)} THEN greatest({LIMIT}::DOUBLE, {gradual}) "
            f"WHEN {apart} IS NOT NULL THEN greatest(0::DOUBLE, least({BEYOND}::DOUBLE, {gradual})) END"
        )

    return Sqls(score, passes)


def itself(_: Criterion, value: str) -> str:
    """The value is its own key."""
    return value


def prefix(criterion: Criterion, value: str) -> str:
    """The first `within` characters; a shorter value whole."""
    return f"left({value}, {int(criterion.within or 1)})"


def number_difference(a: str, b: str) -> str:
    """How far numbers are apart, as DOUBLE; NULL where a side is no number.

    Subtracted as decimals, because 0.4 - 0.1 > 0.3 in binary; what does not fit 27 digits before the point as DOUBLE.
    """
    exact = " - ".join(f"TRY_CAST({side} AS DECIMAL(37, 10))" for side in (a, b))
    rough = " - ".join(f"TRY_CAST({side} AS DOUBLE)" for side in (a, b))
    return f"coalesce(abs({exact})::DOUBLE, abs({rough}))"


def days_apart(a: str, b: str) -> str:
    """How many days dates are apart, as DOUBLE; times of day do not count. NULL where a side is no date."""
    return f"abs(date_diff('day', {_day(a)}, {_day(b)}))::DOUBLE"


def day_and_month_exchanged(_: Criterion, a: str, b: str) -> str:
    """Whether a is b with day and month exchanged; NULL where a side is no date."""
    day = _day(b)
    exchanged = f"make_date(year({day}), day({day}), month({day}))"
    return f"CASE WHEN day({day}) > 12 THEN {_day(a)} IS NULL AND NULL ELSE {_day(a)} = {exchanged} END"


def _day(value: str) -> str:
    return f"TRY_CAST({value} AS DATE)"


def _ascii(a: str, b: str) -> str:
    # strlen counts bytes, length code points: equal only for ASCII.
    return f"strlen({a}) = length({a}) AND strlen({b}) = length({b})"


def _longer(a: str, b: str) -> str:
    return f"greatest(length({a}), length({b}))"
