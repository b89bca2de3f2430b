"""How two normalised values are compared. One row per comparison: key, what it says, SQL.

    passes(criterion, a, b)     BOOLEAN   the cheapest test first: equal? lengths too far apart? then the distance
    score(criterion, a, b)      DOUBLE    0 to 1
    join_key(criterion, value)            the value whose equality decides, for comparisons that are exact
    sentence(criterion)                   the criterion for people

All of them are NULL when either side is. DuckDB's own functions count bytes, so they serve ASCII values, and rapidfuzz
the others; a property test proves that both give rapidfuzz's score. Which comparison uses which is a measurement
(compare_sql.py and docs/normalisers-and-comparisons.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from unify.conflation import compare_sql as sql
from unify.conflation.compare_functions import (
    DAMERAU_LEVENSHTEIN,
    JARO_WINKLER,
    LEVENSHTEIN,
    OSA,
    SORTED_WORDS,
    TOKEN_SET,
    TOKEN_SORT,
)
from unify.conflation.letters import LETTERS
from unify.conflation.normalize_words import PHONETIC
from unify.core.engine import Function
from unify.spec import Criterion, SourceColumn

__all__ = ["COMPARISONS", "Comparison", "functions", "join_key", "passes", "score", "sentence"]

Example = tuple[str, str, float]
TELLING = 60
"""Per cent from which letters are asked: below, they tell hardly any two values apart."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    says       its part of a criterion's sentence; {precision} and {within} are filled in
    about      one line for the documentation
    sql        score, test and join key
    options    options of the criterion that the examples use, beside the key
    examples   (a, b, score); they are tests
    """

    key: str
    says: str
    about: str
    sql: sql.Sqls
    options: dict[str, object]
    examples: tuple[Example, ...]


_ROWS = (
    Comparison(
        "exact",
        "is equal",
        "equal after normalising",
        sql.equality(sql.itself),
        {},
        (("Fred", "Fred", 1.0), ("Fred", "fred", 0.0)),
    ),
    Comparison(
        "levenshtein",
        "is at least {precision} % alike (edit distance)",
        "1 − edits / length of the longer value; an edit inserts, deletes or replaces one character",
        sql.edit_distance(LEVENSHTEIN, "levenshtein"),
        {"precision": 60},
        (
            ("Jacqueline", "Jaclyne", 0.6),
            ("fred@gmail.com", "fred@gmal.cm", 12 / 14),
            ("franklin", "frank", 0.625),
            ("robert2020@hotmail.com", "robrt2020@hotmail.cm", 20 / 22),
        ),
    ),
    Comparison(
        "osa",
        "is at least {precision} % alike (edits, exchanged neighbours)",
        "like levenshtein, and exchanging two neighbours is one edit; no part is edited twice",
        sql.edit_distance(OSA),
        {"precision": 60},
        (("Jonh", "John", 0.75), ("ca", "abc", 0.0)),
    ),
    Comparison(
        "damerau_levenshtein",
        "is at least {precision} % alike (edits, exchanges)",
        "like osa, and what lies between exchanged neighbours may be edited too",
        sql.edit_distance(DAMERAU_LEVENSHTEIN),
        {"precision": 60},
        (("Jonh", "John", 0.75), ("ca", "abc", 1 / 3)),
    ),
    Comparison(
        "jaro_winkler",
        "is at least {precision} % alike (Jaro-Winkler)",
        "characters in common that are near each other, with a bonus for equal beginnings; good for short names",
        sql.similarity(JARO_WINKLER, "jaro_winkler_similarity", sql.itself),
        {"precision": 90},
        (("MARTHA", "MARHTA", 0.961111111), ("DIXON", "DICKSONX", 0.813333333)),
    ),
    Comparison(
        "token_sort",
        "is at least {precision} % alike in any order of words",
        "words in any order: 1 − insertions and deletions / both lengths, between the values with their words sorted",
        sql.similarity(
            TOKEN_SORT,
            key=lambda _, value: f"{SORTED_WORDS.name}({value})",
            hopeless=sql.lengths_too_far,
            apart=sql.words_apart,
        ),
        {"precision": 90},
        (("Okafor Ada", "Ada Okafor", 1.0), ("Okafor Ada", "Ada Okafur", 0.9)),
    ),
    Comparison(
        "token_set",
        "shares words that are at least {precision} % alike",
        "words in common, whatever one side has besides; when all words of one are in the other it is 1",
        sql.similarity(TOKEN_SET),
        {"precision": 90},
        (("Ada Okafor", "Ada Maria Okafor", 1.0),),
    ),
    Comparison(
        "prefix",
        "begins with the same {within} characters",
        "the first `within` characters are equal; a shorter value must be equal as a whole",
        sql.equality(sql.prefix),
        {"within": 4},
        (("Okafor", "Okaforski", 1.0), ("Oka", "Okafor", 0.0), ("Oka", "Oka", 1.0)),
    ),
    Comparison(
        "phonetic",
        "sounds alike",
        "sounds alike: equal Metaphone codes, word by word, after transliteration to ASCII",
        sql.equality(lambda _, value: f"{PHONETIC.name}({value})"),
        {},
        (("Smith", "Smyth", 1.0), ("Philip Müller", "Filip Muller", 1.0), ("Smith", "Jones", 0.0)),
    ),
    Comparison(
        "number",
        "is at most {within} apart",
        "at most `within` apart, exactly; 1 − difference / (2 · within), so 0.5 at the limit",
        sql.tolerance(sql.number_difference),
        {"within": 0.3},
        (("0.1", "0.4", 0.5), ("5", "5.0", 1.0), ("1", "2", 0.0)),
    ),
    Comparison(
        "date",
        "is at most {within} days apart",
        "at most `within` days apart; 1 − days / (2 · within), so 0.5 at the limit; "
        "with `swap` the date with day and month exchanged scores 0.9",
        sql.tolerance(sql.days_apart, sql.day_and_month_exchanged),
        {"within": 2, "swap": True},
        (("1980-02-03", "1980-02-04", 0.75), ("1980-02-03", "1980-03-02", 0.9), ("1980-02-03", "1981-02-03", 0.0)),
    ),
)

COMPARISONS: dict[str, Comparison] = {row.key: row for row in _ROWS}


def score(criterion: Criterion, a: str, b: str) -> str:
    """The SQL of the score of two normalised values, a DOUBLE from 0 to 1; NULL when either is NULL."""
    return COMPARISONS[criterion.compare].sql.score(criterion, a, b)


def passes(criterion: Criterion, a: str, b: str, lettered: bool = False) -> str:
    """The SQL of whether two normalised values pass, a BOOLEAN, cheapest test first; NULL when either is NULL.

    `lettered`: the columns `a` and `b` have their letters beside them, which settle most pairs that do not pass.
    """
    test = COMPARISONS[criterion.compare].sql.passes(criterion, a, b)
    far = apart(criterion, a, b) if lettered else None
    return f"CASE WHEN {far} THEN false ELSE {test} END" if far else test


def apart(criterion: Criterion, a: str, b: str) -> str | None:
    """The SQL of a cheap test over lettered columns: true only where the values do not pass; None: there is none."""
    test = COMPARISONS[criterion.compare].sql.apart
    return test(criterion, a, b) if test is not None else None


def tells_by_letters(criterion: Criterion) -> bool:
    """Whether letters settle enough pairs of this comparison to be worth having."""
    precision = criterion.precision or 0
    return not criterion.is_exact and COMPARISONS[criterion.compare].sql.apart is not None and precision >= TELLING


def join_key(criterion: Criterion, value: str) -> str:
    """The SQL whose equality on both sides is what passing means; ValueError if the criterion is no equality."""
    key = COMPARISONS[criterion.compare].sql.key
    if key is None or not criterion.is_exact:
        raise ValueError(f"{criterion.compare} with precision {criterion.precision} is no equality")
    return key(criterion, value)


def functions() -> list[Function]:
    """The functions that comparisons call from SQL."""
    return [LEVENSHTEIN, OSA, DAMERAU_LEVENSHTEIN, JARO_WINKLER, TOKEN_SORT, TOKEN_SET, SORTED_WORDS, PHONETIC, LETTERS]


def sentence(criterion: Criterion) -> str:
    """The criterion in plain English.

    >>> sentence(Criterion(field="FullName", precision="high", normalize=["name"]))
    'FullName is at least 80 % alike (edit distance), after: name'
    >>> sentence(Criterion(field="Mail", columns={"web.Users": ["Mail1", {"join": ["Name", "Host"]}]}))
    'Mail (web.Users: any of Mail1, Name + Host) is equal'
    """
    row = COMPARISONS[criterion.compare]
    within = f"{criterion.within:g}" if criterion.within is not None else ""
    equal = criterion.is_exact and row.sql.key is sql.itself
    says = "is equal" if equal else row.says.format(precision=criterion.precision, within=within)
    if criterion.swap:
        says += " or has day and month exchanged"
    if criterion.differs:
        says = "differs" if equal else f"differs (fails: {says})"
    left, right = _any_of(criterion.left_columns), _any_of(criterion.right_columns)
    elsewhere = "; ".join(f"{entity}: {_any_of(columns)}" for entity, columns in criterion.columns.items())
    left += f" ({elsewhere})" if elsewhere else ""
    text = f"{left} {says}" if elsewhere or left == right else f"{left}, compared with {right}, {says}"
    if criterion.normalize:
        text += f", after: {', '.join(str(step) for step in criterion.normalize)}"
    return text


def _any_of(columns: Sequence[SourceColumn]) -> str:
    if not columns:
        return "none"
    return str(columns[0]) if len(columns) == 1 else f"any of {', '.join(map(str, columns))}"
