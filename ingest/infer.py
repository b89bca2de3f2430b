"""Types of undeclared text columns: a type is inferred only when every value of the column has it.

One exception: a column of dates with a few that are none (at most STRAY of them) is a column of dates, and the rows of
the others are quarantined, as the reference has it for a datetime in the wrong format. Were it a string, every date in
it would be one, and two spellings of one day would differ. Any other column that nearly has a type stays a string,
loses nothing, and is named in a warning with the first value that does not fit; declaring the type then quarantines
those rows. A sample only rules types out; it never decides.

| inferred  | every value is                                                                                       |
|-----------|------------------------------------------------------------------------------------------------------|
| boolean   | true or false, any case                                                                               |
| guid      | 8-4-4-4-12 hex digits                                                                                 |
| integer   | the text of an integer of at most 15 digits, exactly as it would be written back: not 007, +1, 1.0, -0 |
| double    | digits with an optional sign, decimals, exponent; at most 15 digits before the mark, no leading zero   |
| date      | an ISO or en-US date; day-first ones only if `dates: day-first`                                       |
| datetime  | the same, some with a time of day                                                                     |
| string    | anything else; also numbers in columns that by name or label hold codes: phones, postal codes, …        |
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.dates import Family, Spelling, families, read_families
from ingest.rows import slot
from ingest.types import BOOLEAN, DATE, DATETIME, DOUBLE, GUID, INTEGER, STRING, ColumnType, Reading
from unify.core.engine import Engine
from unify.core.names import literal, quote
from unify.core.steps import Query

SAMPLE_ROWS = 2000
NEARLY = 0.8
"""Share of values that must fit for a type to be worth a warning."""
STRAY = 0.02
"""Share of values of a column of dates that may be none: a few slips of the pen, not a second kind of content."""
DAY_FIRST = ColumnType("day-first date")
"""Never inferred; only told apart to advise `dates: day-first`."""
_LADDER = (BOOLEAN, GUID, INTEGER, DOUBLE, DATE, DATETIME)
"""Tried in this order: narrow before wide."""
_CODE_WORDS = frozenset({
    "phone", "telephone", "tel", "mobile", "cell", "cellphone", "fax", "zip", "zipcode", "postcode", "postalcode",
    "postal", "plz", "ssn", "iban", "passport",
})  # fmt: skip
_CODE_LABELS = ("identity.", "location.postalcode", "identityservice", "locationpostalcode")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Inferred:
    """A column's type, how its dates are written, and a warning when it nearly had another type.

    strays   some values are not of the type: their rows are to be quarantined
    """

    type: ColumnType
    families: tuple[Family, ...] = ()
    warning: str = ""
    strays: bool = False


def holds_codes(name: str, label: str) -> bool:
    """Whether digits in the column are a code, by its name or label: nobody adds up phone numbers.

    >>> holds_codes("MobilePhone", ""), holds_codes("zip_code", ""), holds_codes("Total", "")
    (True, True, False)
    """
    words = [w.lower() for w in _WORD.findall(name)]
    pairs = {a + b for a, b in pairwise(words)}
    return bool(_CODE_WORDS & ({*words} | pairs)) or label.lower().startswith(_CODE_LABELS)


def infer(
    engine: Engine,
    table: str,
    columns: Mapping[int, str],
    *,
    codes: Sequence[int] = (),
    quoted: Sequence[int] = (),
    dates: Spelling | None = None,
    decimal: str = ".",
) -> dict[int, Inferred]:
    """The types of text columns of a staging table. `columns` maps their slots to names.

    codes   slots that are never numbers; quoted: slots that are neither numbers nor booleans
    """
    if not columns:
        return {}
    tests = _tests(columns, codes, quoted, dates, decimal)
    left = _survivors(_count(engine, f"(SELECT * FROM {quote(table)} LIMIT {SAMPLE_ROWS})", tests))
    found: dict[int, Inferred] = {}
    best: dict[int, tuple[int, ColumnType]] = {}
    while left:
        counts = _count(
            engine, quote(table), {(i, ladder[0]): tests[i, ladder[0]] for i, ladder in left.items() if ladder}
        )
        for i, ladder in list(left.items()):
            filled = counts.get((i, None), 0)
            if ladder and not filled:
                found[i] = Inferred(STRING)
            elif not ladder:
                reading = Reading(best[i][1], dates=dates, decimal=decimal) if i in best else None
                found[i] = _near_miss(engine, table, i, columns[i], reading)
            elif ladder[0] == DAY_FIRST and counts[i, DAY_FIRST] == filled:
                found[i] = Inferred(STRING, warning=_SAY_DAY_FIRST.format(name=columns[i]))
            elif counts[i, ladder[0]] == filled:
                is_time = ladder[0] in (DATE, DATETIME)
                found[i] = Inferred(ladder[0], families_of(engine, table, i, dates) if is_time else ())
            else:
                fitting = (counts[i, ladder[0]], ladder.pop(0))
                best[i] = max(best.get(i, fitting), fitting, key=lambda b: b[0])
                continue
            del left[i]
    return found


_SAY_DAY_FIRST = (
    "column {name!r}: all values are dates if the day stands first; kept as string. Declare `dates: day-first` for the "
    "entity, or a format for the column"
)


def _tests(
    columns: Mapping[int, str], codes: Sequence[int], quoted: Sequence[int], dates: Spelling | None, decimal: str
) -> dict[tuple[int, ColumnType], str]:
    """For each column, in the order of trying, what each type asks of its values."""
    tests: dict[tuple[int, ColumnType], str] = {}
    for i in columns:
        tests |= {(i, t): _fits(slot(i), t, dates, decimal) for t in _ladder(i, codes, quoted)}
        if dates != "day-first":
            tests[i, DAY_FIRST] = f"{read_families(slot(i), families('day-first', with_time=True))} IS NOT NULL"
    return tests


def _survivors(counts: Mapping[tuple[int, ColumnType | None], int]) -> dict[int, list[ColumnType]]:
    """Per column the types that the sample does not rule out, in the order of trying."""
    left: dict[int, list[ColumnType]] = {i: [] for i, wanted in counts if wanted is None}
    for (i, wanted), fitting in counts.items():
        if wanted is not None and fitting >= NEARLY * counts[i, None]:
            left[i].append(wanted)
    return left


def _ladder(i: int, codes: Sequence[int], quoted: Sequence[int]) -> list[ColumnType]:
    barred = {INTEGER, DOUBLE} if i in codes else {INTEGER, DOUBLE, BOOLEAN} if i in quoted else set()
    return [t for t in _LADDER if t not in barred]


def _fits(value: str, wanted: ColumnType, dates: Spelling | None, decimal: str) -> str:
    """SQL condition, null or false when the text is not of the type as inference has it."""
    if wanted == BOOLEAN:
        return f"lower({value}) IN ('true', 'false')"
    if wanted == INTEGER:
        return f"CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) = {value} AND length(ltrim({value}, '-')) <= 15"
    if wanted == DOUBLE:
        shape = r"-?(0|[1-9]\d{0,14})?(" + re.escape(decimal) + r"\d+)?([eE][+-]?\d{1,3})?"
        number = Reading(DOUBLE, decimal=decimal).sql(value)
        return f"regexp_full_match({value}, {literal(shape)}) AND {number} IS NOT NULL"
    if wanted == GUID:
        return f"length({value}) = 36 AND {Reading(GUID).sql(value)} IS NOT NULL"
    return f"{read_families(value, families(dates, with_time=wanted == DATETIME))} IS NOT NULL"


def _count(
    engine: Engine, relation: str, tests: Mapping[tuple[int, ColumnType], str]
) -> dict[tuple[int, ColumnType | None], int]:
    """How many values each column has (type None), and how many pass each test: one scan."""
    if not tests:
        return {}
    keys: list[tuple[int, ColumnType | None]] = [(i, None) for i in dict.fromkeys(i for i, _ in tests)]
    parts = [f"count({slot(i)})" for i, _ in keys]
    for (i, wanted), condition in tests.items():
        keys.append((i, wanted))
        parts.append(f"count_if({condition})")
    select = ", ".join(f"{part} AS n{j}" for j, part in enumerate(parts))
    row = engine.fetch(Query(f"SELECT {select} FROM {relation}"))
    return {key: int(row.column(j)[0].as_py() or 0) for j, key in enumerate(keys)}


def families_of(engine: Engine, table: str, i: int, dates: Spelling | None) -> tuple[Family, ...]:
    """The ways in which the values of a column of dates are written.

    The sample guesses; one cheap scan over all values shows that there are no others, else all are looked for.
    """
    chosen = families(dates, with_time=True)
    likely = _seen(engine, f"(SELECT * FROM {quote(table)} LIMIT {SAMPLE_ROWS})", i, chosen)
    if likely:
        others = f"{slot(i)} IS NOT NULL AND NOT ({' OR '.join(f.matches(slot(i)) for f in likely)})"
        if not engine.fetch(Query(f"SELECT count_if({others}) FROM {quote(table)}")).column(0)[0].as_py():
            return likely
    return _seen(engine, quote(table), i, chosen)


def _seen(engine: Engine, relation: str, i: int, chosen: Sequence[Family]) -> tuple[Family, ...]:
    parts = ", ".join(f"bool_or({f.matches(slot(i))}) AS n{j}" for j, f in enumerate(chosen))
    row = engine.fetch(Query(f"SELECT {parts} FROM {relation}"))
    return tuple(f for j, f in enumerate(chosen) if row.column(j)[0].as_py())


def _near_miss(engine: Engine, table: str, i: int, name: str, reading: Reading | None) -> Inferred:
    """What a column is when most values are of a type and some could not be read as it, even if it were declared.

    Values that only inference refuses, such as 007, make the column a code, and there is nothing to warn of.
    """
    if reading is None or reading.type == DAY_FIRST:
        return Inferred(STRING)
    unread = f"{slot(i)} IS NOT NULL AND ({reading.sql(slot(i))}) IS NULL"
    sql = (
        f"SELECT count({slot(i)}) AS filled, count_if({unread}) AS n, min({slot(i)}) FILTER ({unread}) AS v FROM "
        + quote(table)
    )
    [row] = engine.fetch(Query(sql)).to_pylist()
    filled, odd, wanted = row["filled"], row["n"], reading.type.name
    if not odd or odd > (1 - NEARLY) * filled:
        return Inferred(STRING)
    counted = (
        f"column {name!r}: {filled - odd:,} of {filled:,} values are of type {wanted}, {odd:,} are not, "
        f"e.g. {row['v']!r}"
    )
    if reading.type in (DATE, DATETIME) and odd <= STRAY * filled:
        advice = f"their rows are quarantined. Declare `{name}: string` to keep them as they are"
        return Inferred(reading.type, warning=f"{counted}; {advice}", strays=True)
    advice = f"kept as string. Declare `{name}: {wanted}` to quarantine the rows that do not fit"
    return Inferred(STRING, warning=f"{counted}; {advice}")
