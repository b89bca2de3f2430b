"""How two normalised values are compared. One row per comparison: key, sentence, SQL of score, test and join key.

    passes(criterion, a, b)     BOOLEAN   the cheapest test first: equal? lengths too far apart? then the distance
    score(criterion, a, b)      DOUBLE    0 to 1; NULL when a side is
    join_key(criterion, value)  the value whose equality decides, for comparisons that are exact

`passes` is `score >= threshold`, always: edit distances compare whole numbers (100 * (m - d) >= precision * m), and the score
(m - d) / m is one correctly rounded division, which cannot cross the correctly rounded precision / 100. Similarities
that are not ratios of small integers are rounded to nine decimals in both.

DuckDB's own functions count bytes, so they serve ASCII values and rapidfuzz the others; a property test proves that both
give the score of rapidfuzz. Which comparison uses which is a measurement, see docs/normalisers-and-comparisons.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from unify.conflation.compare_functions import (
    DAMERAU_LEVENSHTEIN,
    JARO_WINKLER,
    LEVENSHTEIN,
    OSA,
    SORTED_WORDS,
    TOKEN_SET,
    TOKEN_SORT,
)
from unify.conflation.normalize_words import PHONETIC
from unify.core.engine import Function
from unify.spec import Criterion

__all__ = ["COMPARISONS", "Comparison", "functions", "join_key", "passes", "score", "sentence"]

TOLERANCE_THRESHOLD = 0.5
"""Score that number and date reach at exactly `within`: 1 at no difference, 0 at twice the tolerance."""
SWAPPED = 0.9
"""Score of a date whose day and month were exchanged: less than equal, more than a date that is merely near the limit."""
BEYOND = 0.499
"""Most that number and date score beyond `within`."""
EDITS = ("levenshtein", "osa", "damerau_levenshtein")

Sql = Callable[[Criterion, str, str], str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    sentence   what it says about a column, for people; {precision} and {within} are filled in
    about      one line for the documentation
    score      SQL DOUBLE of (criterion, a, b)
    passes     SQL BOOLEAN of (criterion, a, b)
    key        SQL of the value whose equality decides, when there is one for this criterion
    examples   (a, b, score) with the criterion's other options as they are by default
    """

    key: str
    sentence: str
    about: str
    score: Sql
    passes: Sql
    join_key: Callable[[Criterion, str], str] | None
    examples: tuple[tuple[str, str, float], ...] = ()


def score(criterion: Criterion, a: str, b: str) -> str:
    """The SQL of the score of two normalised values, a DOUBLE from 0 to 1; NULL when either is NULL."""
    return COMPARISONS[criterion.compare].score(criterion, a, b)


def passes(criterion: Criterion, a: str, b: str) -> str:
    """The SQL of whether two normalised values pass, cheapest test first; NULL when either is NULL."""
    return COMPARISONS[criterion.compare].passes(criterion, a, b)


def join_key(criterion: Criterion, value: str) -> str:
    """The SQL whose equality on both sides means that the criterion passes; ValueError if there is none."""
    build = COMPARISONS[criterion.compare].join_key
    if build is None or not criterion.is_exact:
        raise ValueError(f"{criterion.compare} at {criterion.precision} % is no equality")
    return build(criterion, value)


def functions() -> list[Function]:
    """The functions that comparisons call from SQL."""
    return [LEVENSHTEIN, OSA, DAMERAU_LEVENSHTEIN, JARO_WINKLER, TOKEN_SORT, TOKEN_SET, SORTED_WORDS, PHONETIC]


def sentence(criterion: Criterion) -> str:
    """The criterion in plain English.

    >>> sentence(Criterion(field="FullName", precision="high", normalize=["name"]))
    'FullName is at least 80 % alike (edit distance), after: name'
    """
    row = COMPARISONS[criterion.compare]
    left, right = _any_of(criterion.left_columns), _any_of(criterion.right_columns)
    within = f"{criterion.within:g}" if criterion.within is not None else ""
    said = "is equal" if _is_equality(criterion) else row.sentence.format(precision=criterion.precision, within=within)
    text = f"{left} {said}" if left == right else f"{left} against {right} {said}"
    if criterion.swap:
        text += " or has day and month exchanged"
    if criterion.differs:
        text = f"not ({text})"
    if criterion.normalize:
        text += f", after: {', '.join(str(step) for step in criterion.normalize)}"
    return text


def _any_of(columns: tuple[str, ...]) -> str:
    return columns[0] if len(columns) == 1 else f"any of {', '.join(columns)}"


def _is_equality(criterion: Criterion) -> bool:
    return criterion.compare in ("exact", *EDITS, "jaro_winkler") and criterion.precision in (None, 100)


def _ascii(a: str, b: str) -> str:
    # strlen counts bytes, length code points.
    return f"strlen({a}) = length({a}) AND strlen({b}) = length({b})"


def _longer(a: str, b: str) -> str:
    return f"greatest(length({a}), length({b}))"


def _distance(function: Function, built_in: str | None, a: str, b: str) -> str:
    call = f"{function.name}({a}, {b})"
    return f"CASE WHEN {_ascii(a, b)} THEN {built_in}({a}, {b}) ELSE {call} END" if built_in else call


def _edit_distance(
    key: str, about: str, said: str, function: Function, built_in: str | None, *examples: tuple[str, str, float]
) -> Comparison:
    def score_of(_: Criterion, a: str, b: str) -> str:
        m = _longer(a, b)
        return (
            f"CASE WHEN {a} IS NULL OR {b} IS NULL THEN NULL WHEN {a} = {b} THEN 1.0::DOUBLE "
            f"ELSE ({m} - {_distance(function, built_in, a, b)})::DOUBLE / {m} END"
        )

    def passes_of(criterion: Criterion, a: str, b: str) -> str:
        if criterion.precision == 100:
            return f"({a} = {b})"
        m, p = _longer(a, b), criterion.precision
        return (
            f"CASE WHEN {a} = {b} THEN true WHEN 100 * abs(length({a}) - length({b})) > {100 - (p or 0)} * {m} THEN false "
            f"ELSE 100 * ({m} - {_distance(function, built_in, a, b)}) >= {p} * {m} END"
        )

    return Comparison(key, said, about, score_of, passes_of, _itself, examples)


def _similarity(
    key: str, about: str, said: str, function: Function, built_in: str | None, exact: Callable[[Criterion, str], str] | None,
    *examples: tuple[str, str, float],
) -> Comparison:  # fmt: skip
    def score_of(_: Criterion, a: str, b: str) -> str:
        return f"CASE WHEN {a} = {b} THEN 1.0::DOUBLE ELSE round({_distance(function, built_in, a, b)}, 9) END"

    def passes_of(criterion: Criterion, a: str, b: str) -> str:
        return f"({score_of(criterion, a, b)} >= {criterion.precision} / 100.0::DOUBLE)"

    return Comparison(key, said, about, score_of, passes_of, exact, examples)


def _itself(_: Criterion, value: str) -> str:
    return value


def _sorted_words(_: Criterion, value: str) -> str:
    return f"{SORTED_WORDS.name}({value})"


def _sound(_: Criterion, value: str) -> str:
    return f"{PHONETIC.name}({value})"


def _prefix(criterion: Criterion, value: str) -> str:
    return f"left({value}, {int(criterion.within or 1)})"


def _equality(
    key: str, about: str, said: str, of: Callable[[Criterion, str], str], *examples: tuple[str, str, float]
) -> Comparison:
    return Comparison(
        key,
        said,
        about,
        lambda criterion, a, b: f"CAST({of(criterion, a)} = {of(criterion, b)} AS DOUBLE)",
        lambda criterion, a, b: f"({of(criterion, a)} = {of(criterion, b)})",
        of,
        examples,
    )


def _tolerance(
    key: str, about: str, said: str, difference: Callable[[str, str], tuple[str, str]], also: Sql
) -> Comparison:
    """`difference` gives the exact SQL difference and the SQL type in which `within` is compared; `also` a second chance."""

    def close(criterion: Criterion, a: str, b: str) -> str:
        apart, sql_type = difference(a, b)
        return f"({apart} <= CAST('{Decimal(repr(criterion.within or 0.0)):f}' AS {sql_type}))"

    def passes_of(criterion: Criterion, a: str, b: str) -> str:
        second = also(criterion, a, b)
        return f"({close(criterion, a, b)} OR {second})" if second else close(criterion, a, b)

    def score_of(criterion: Criterion, a: str, b: str) -> str:
        apart = f"CAST({difference(a, b)[0]} AS DOUBLE)"
        gradual = f"1.0 - {apart} / {2 * criterion.within!r}::DOUBLE" if criterion.within else "0.0::DOUBLE"
        second = also(criterion, a, b)
        # Rounding must not carry a score over the threshold in either direction, so the test itself decides the side.
        return (
            f"CASE WHEN {apart} = 0 THEN 1.0::DOUBLE "
            + (f"WHEN {second} THEN greatest({SWAPPED}::DOUBLE, {gradual}) " if second else "")
            + f"WHEN {close(criterion, a, b)} THEN greatest({TOLERANCE_THRESHOLD}::DOUBLE, {gradual}) "
            f"WHEN {apart} IS NOT NULL THEN greatest(0.0::DOUBLE, least({BEYOND}::DOUBLE, {gradual})) END"
        )

    return Comparison(key, said, about, score_of, passes_of, None)


def _number_difference(a: str, b: str) -> tuple[str, str]:
    # Decimals, because 0.4 - 0.1 > 0.3 in binary; what does not fit 27 digits before the point is compared as DOUBLE.
    exact = " - ".join(f"TRY_CAST({side} AS DECIMAL(37, 10))" for side in (a, b))
    rough = " - ".join(f"TRY_CAST({side} AS DOUBLE)" for side in (a, b))
    return f"coalesce(CAST(abs({exact}) AS DOUBLE), abs({rough}))", "DOUBLE"


def _day(value: str) -> str:
    return f"TRY_CAST({value} AS DATE)"


def _days(a: str, b: str) -> tuple[str, str]:
    return f"abs(date_diff('day', {_day(a)}, {_day(b)}))", "DOUBLE"


def _day_and_month_exchanged(criterion: Criterion, a: str, b: str) -> str:
    if not criterion.swap:
        return ""
    day = _day(b)
    return (
        f"CASE WHEN day({day}) <= 12 THEN {_day(a)} = make_date(year({day}), day({day}), month({day})) "
        f"ELSE {day} IS NULL AND NULL END"
    )


_ROWS = (
    _equality(
        "exact",
        "equal after normalising",
        "is equal",
        _itself,
        ("Fred", "Fred", 1.0),
        ("Fred", "fred", 0.0),
    ),
    _edit_distance(
        "levenshtein",
        "1 − edits / length of the longer value; an edit inserts, deletes or replaces one character",
        "is at least {precision} % alike (edit distance)",
        LEVENSHTEIN,
        "levenshtein",
        ("Jacqueline", "Jaclyne", 0.6),
        ("fred@gmail.com", "fred@gmal.cm", 12 / 14),
        ("franklin", "frank", 0.625),
        ("robert2020@hotmail.com", "robrt2020@hotmail.cm", 20 / 22),
    ),
    _edit_distance(
        "osa",
        "the same, and two neighbours exchanged are one edit; no part is edited twice",
        "is at least {precision} % alike (edits and exchanged neighbours)",
        OSA,
        None,
        ("Jonh", "John", 0.75),
        ("ca", "abc", 0.0),
    ),
    _edit_distance(
        "damerau_levenshtein",
        "the same, and characters between exchanged neighbours may be edited too",
        "is at least {precision} % alike (edits and exchanges)",
        DAMERAU_LEVENSHTEIN,
        None,
        ("Jonh", "John", 0.75),
        ("ca", "abc", 1 / 3),
    ),
    _similarity(
        "jaro_winkler",
        "characters in common that are near each other, with a bonus for equal beginnings; for short names",
        "is at least {precision} % alike (Jaro-Winkler)",
        JARO_WINKLER,
        "jaro_winkler_similarity",
        _itself,
        ("MARTHA", "MARHTA", 0.961111111),
        ("DIXON", "DICKSONX", 0.813333333),
    ),
    _similarity(
        "token_sort",
        "words in any order: insertions and deletions between the values with their words sorted",
        "is at least {precision} % alike in any order of words",
        TOKEN_SORT,
        None,
        _sorted_words,
        ("Okafor Ada", "Ada Okafor", 1.0),
    ),
    _similarity(
        "token_set",
        "words in common, whatever one side has besides; a value whose words are all in the other scores 1",
        "is at least {precision} % alike in shared words",
        TOKEN_SET,
        None,
        None,
        ("Ada Okafor", "Ada Maria Okafor", 1.0),
    ),
    _equality(
        "prefix",
        "the first `within` characters are equal; a shorter value must be equal as a whole",
        "begins with the same {within} characters",
        _prefix,
    ),
    _equality(
        "phonetic",
        "sounds alike: equal Metaphone codes, word by word, after transliteration to ASCII",
        "sounds alike",
        _sound,
        ("Smith", "Smyth", 1.0),
        ("Philip Okafor", "Filip Okaffor", 1.0),
        ("Smith", "Schmidt", 0.0),
    ),
    _tolerance(
        "number",
        "differ by at most `within`; score 1 − difference / (2 · within), so 0.5 at the limit",
        "is within {within}",
        _number_difference,
        lambda *_: "",
    ),
    _tolerance(
        "date",
        "at most `within` days apart; score 1 − days / (2 · within), so 0.5 at the limit; with `swap` the same date with day "
        "and month exchanged scores 0.9",
        "is within {within} days",
        _days,
        _day_and_month_exchanged,
    ),
)  # fmt: skip

COMPARISONS: dict[str, Comparison] = {row.key: row for row in _ROWS}
