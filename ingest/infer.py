"""Types of undeclared text columns: a type is inferred only when every value of the column has it, none excepted.

A column that nearly has a type stays a string, loses nothing, and is named in a warning with the first value that does
not fit; declaring the type then quarantines those rows. A sample only rules types out; it never decides.

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
    """A column's type, how its dates are written, and a warning when it nearly had another type."""

    type: ColumnType
    families: tuple[Family, ...] = ()
    warning: str = ""


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
    left: dict[int, list[ColumnType]] = {}
    sample = f"(SELECT * FROM {quote(table)} LIMIT {SAMPLE_ROWS})"
    every = {(i, t): _fits(slot(i), t, dates, decimal) for i in columns for t in _ladder(i, codes, quoted)}
    if not every:
        return {}
    counts = _count(engine, sample, every)
    for i in columns:
        filled = counts[i, None]
        left[i] = [t for t in _ladder(i, codes, quoted) if counts[i, t] >= NEARLY * filled]
    found: dict[int, Inferred] = {}
    best: dict[int, tuple[int, int, ColumnType]] = {}
    while left:
        tests = {(i, ladder[0]): every[i, ladder[0]] for i, ladder in left.items() if ladder}
        counts = _count(engine, quote(table), tests) if tests else {}
        for i, ladder in list(left.items()):
            filled = counts.get((i, None), 0)
            if not ladder or not filled:
                near = best.get(i)
                reading = Reading(near[2] if near else STRING, dates=dates, decimal=decimal)
                found[i] = Inferred(STRING, warning=_near_miss(engine, table, i, columns[i], near, reading))
                del left[i]
            elif counts[i, ladder[0]] == filled:
                is_time = ladder[0] in (DATE, DATETIME)
                found[i] = Inferred(ladder[0], families_of(engine, table, i, dates) if is_time else ())
                del left[i]
            else:
                fitting = counts[i, ladder[0]]
                best[i] = max(best.get(i, (0, filled, ladder[0])), (fitting, filled, ladder[0]), key=lambda b: b[0])
                ladder.pop(0)
    return found


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


def _near_miss(
    engine: Engine, table: str, i: int, name: str, best: tuple[int, int, ColumnType] | None, reading: Reading
) -> str:
    """A warning when most values are of a type and some could not be read as it, even if it were declared.

    Values that only inference refuses, such as 007, make the column a code, and there is nothing to warn of.
    """
    if best is None or best[0] < NEARLY * best[1]:
        return ""
    unread = f"{slot(i)} IS NOT NULL AND {reading.sql(slot(i))} IS NULL"
    sql = f"SELECT count(*) AS n, min({slot(i)}) AS v FROM {quote(table)} WHERE {unread}"
    [row] = engine.fetch(Query(sql)).to_pylist()
    if not row["n"]:
        return ""
    wanted, filled = reading.type.name, best[1]
    return (
        f"column {name!r}: {filled - row['n']:,} of {filled:,} values are of type {wanted}, {row['n']:,} are not, "
        f"e.g. {row['v']!r}; kept as string. Declare `{name}: {wanted}` to quarantine the rows that do not fit"
    )
