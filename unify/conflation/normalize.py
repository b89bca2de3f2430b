"""What is done to a value before it is compared. One row per normaliser: key, sentence, examples, SQL.

    value ── step ── step ── … ── alias ── bypass ── nothing left? NULL ──▶ normalised value

A chain of steps becomes one SQL expression, written twice: once for plain ASCII values, where SQL alone does nearly
everything, and once for all others, which may need Python. `CASE` lets each value take its own road, so that a million
ASCII values never visit Python for one `é`.

Decisions the sources leave open (reference §20 rows 9 and 18):

- alias and bypass see the value *after* all other normalisers of the chain, wherever they are written in it, and the
  entries of their lists go through those same normalisers. So one entry `Bill, William` serves every spelling, and
  the place of alias in the list of steps means nothing.
- a value is bypassed together with its aliases: what is equal to a value that never matches, never matches either.
- a value with nothing but white space left is NULL: it matches nothing, ever.
- name, address and organization fold case (their word tables would be useless otherwise); so does ascii, as documented.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from unify.conflation.normalize_lists import Lists, is_list_step, list_function, list_function_name
from unify.conflation.normalize_phone import phone_sql
from unify.conflation.normalize_text import FOLD, NUMERALS, TEXT_FUNCTIONS, TO_ASCII, WHITE_SPACE
from unify.conflation.normalize_words import ADDRESS, NAME, ORGANIZATION, WORD_FUNCTIONS
from unify.core.engine import Engine, Function
from unify.core.names import literal
from unify.core.steps import Query
from unify.spec import NormalizeStep

__all__ = [
    "NORMALIZERS",
    "SYMBOLS",
    "Lists",
    "Normalizer",
    "define",
    "functions",
    "normalized",
    "unchecked",
    "unless_blank",
]

SYMBOLS = "!?\"#$%&'()+,-._/:;<=>@^\\~{}[]`"
"""Exactly the printed list (reference §3.2): asterisk and bar are not in it, and the blanks printed between brackets
are taken for typography, since white space has a normaliser of its own."""

Builder = Callable[[str, str | None], str]


@dataclass(frozen=True, slots=True)
class Normalizer:
    """One normaliser.

    sentence    what it does, for people
    examples    pairs of value and result; they are tests
    general     SQL for any text: (expression, argument) -> expression
    plain       SQL for ASCII text, when something cheaper than `general` does; its result is ASCII again
    """

    key: str
    sentence: str
    examples: tuple[tuple[str, str | None], ...]
    general: Builder
    plain: Builder | None = None

    def sql(self, expr: str, argument: str | None = None, *, ascii_only: bool = False) -> str:
        """The SQL expression; SpecError for an argument nobody knows (a region)."""
        build = self.plain if ascii_only and self.plain else self.general
        return build(expr, argument)


def _call(function: Function) -> Builder:
    return lambda expr, _: f"{function.name}({expr})"


def _unchanged(expr: str, _: str | None) -> str:
    return expr


def _lower(expr: str, _: str | None) -> str:
    return f"lower({expr})"


def _remove_symbols(expr: str, _: str | None) -> str:
    # regexp_replace, because translate() takes twice the time: 0.55 s against 0.25 s for 1 M values of 28 characters.
    return f"regexp_replace({expr}, '[{_in_class(SYMBOLS)}]+', '', 'g')"


def _remove_white_space(expr: str, _: str | None) -> str:
    return f"regexp_replace({expr}, '[{WHITE_SPACE.regex}]+', '', 'g')"


def _remove_plain_white_space(expr: str, _: str | None) -> str:
    return f"regexp_replace({expr}, '[{WHITE_SPACE.plain_regex}]+', '', 'g')"


def _in_class(characters: str) -> str:
    """Characters as they stand inside a regular expression's brackets, inside an SQL literal."""
    escaped = "".join(f"\\{c}" if c in "\\]^-[" else c for c in characters)
    return literal(escaped)[1:-1]


def _no_sql(expr: str, argument: str | None) -> str:
    raise NotImplementedError(f"{argument or expr}: alias and bypass are built from their lists, see normalized()")


_ROWS = (
    Normalizer(
        "numerals",
        "single characters that denote a number become its digits; fractions and ideographs stay",
        (
            ("❽", "8"),
            ("Ⅷ", "8"),
            ("⑫ rue ５", "12 rue 5"),
            ("٣٤", "34"),
            ("½", "½"),
            ("三浦", "三浦"),
            ("VIII", "VIII"),
        ),
        _call(NUMERALS),
        _unchanged,
    ),
    Normalizer(
        "symbols",
        f"removes the symbols {' '.join(SYMBOLS)}",
        (("O'Hara-Smith, J. (Jr.)", "OHaraSmith J Jr"), ("a*b|c", "a*b|c"), ("!?", None)),
        _remove_symbols,
    ),
    Normalizer(
        "lower",
        "case does not count (Unicode case folding)",
        (("Fred@Mail.COM", "fred@mail.com"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("ΣΊΣΥΦΟΣ", "σίσυφοσ")),
        _call(FOLD),
        _lower,
    ),
    Normalizer(
        "phone",
        "digits only; leading zeros, `+` and a lettered extension do not count; with a region (`{phone: US}`) "
        "neither does that region's country code or trunk prefix",
        (
            ("+1 (555) 010-9999", "15550109999"),
            ("+01 555 010 9999", "15550109999"),
            ("001-555-010-9999", "15550109999"),
            ("555.010.9999 x123", "5550109999"),
            ("555 010 9999 ext. 5", "5550109999"),
            ("+49 (0)171 0000001", "491710000001"),
            ("1-800-FLOWERS", "18003569377"),
            ("０３ 1234", "31234"),
            ("5.55E+09", None),
            ("000", None),
            ("unknown", None),
        ),
        lambda expr, region: phone_sql(f"{NUMERALS.name}({expr})", region),
        phone_sql,
    ),
    Normalizer(
        "name",
        "nicknames, spelling variants and titles take one form; case and punctuation around words do not count",
        (
            ("Debby O'Hara", "deborah o'hara"),
            ("Professor  Bill Smith, Jr.", "prof william smith jr"),
            ("Dr. LIZ Jones", "dr elizabeth jones"),
        ),
        _call(NAME),
    ),
    Normalizer(
        "address",
        "common parts of addresses are abbreviated; case and punctuation around words do not count",
        (
            ("12 Northwest Main Street, Apartment 4", "12 nw main st apt 4"),
            ("12 NW Main St. Apt 4", "12 nw main st apt 4"),
            ("Hauptstraße 5", "hauptstr 5"),
            ("P.O. Box 77", "pobox 77"),
        ),
        _call(ADDRESS),
    ),
    Normalizer(
        "organization",
        "words such as co, corp, ltd and gmbh are left out; a value of nothing but such words keeps them",
        (
            ("The Contoso Company, Inc.", "contoso"),
            ("Fabrikam S.p.A.", "fabrikam"),
            ("Smith & Sons Ltd", "smith sons"),
            ("Smith and Sons", "smith sons"),
            ("Company Ltd.", "company ltd"),
        ),
        _call(ORGANIZATION),
    ),
    Normalizer(
        "ascii",
        "letters of any script, accented, circled or full-width, become lower-case ASCII",
        (("Á", "a"), ("Ⓐ", "a"), ("Ａ", "a"), ("Łódź", "lodz"), ("Ærøskøbing", "aeroskobing"), ("Αθήνα", "athina")),
        _call(TO_ASCII),
        _lower,
    ),
    Normalizer(
        "whitespace",
        "removes all white space",
        (("12 345\t6", "123456"), ("a\u00a0b\u2003c", "abc"), ("  ", None)),
        _remove_white_space,
        _remove_plain_white_space,
    ),
    Normalizer(
        "alias",
        "values that a list pairs are equal; seen after all other normalisers, on both the value and the list",
        (),
        _no_sql,
    ),
    Normalizer(
        "bypass",
        "values of a list match nothing; seen after all other normalisers, on both the value and the list",
        (),
        _no_sql,
    ),
)

NORMALIZERS: dict[str, Normalizer] = {row.key: row for row in _ROWS}


def normalized(expr: str, sql_type: str, steps: tuple[NormalizeStep, ...], lists: Lists) -> str:
    """The SQL expression of the normalised value of column expression `expr`, whose SQL type is `sql_type`.

    Without steps a column that is no text keeps its type: dates compare as dates. Everything else becomes VARCHAR, and
    NULL when nothing but white space is left. `define` must have run for the same steps and lists. SpecError for an
    unknown list or region.
    """
    return unless_blank(unchecked(expr, sql_type, steps, lists), sql_type, steps)


def unchecked(expr: str, sql_type: str, steps: tuple[NormalizeStep, ...], lists: Lists) -> str:
    """What `normalized` makes of a value before it asks whether anything is left."""
    if not steps and not _is_text(sql_type):
        return expr
    value = _without_lists(expr if _is_text(sql_type) else f"CAST({expr} AS VARCHAR)", steps)
    name = list_function_name(steps, lists)
    return f"{name}({value})" if name else value


def unless_blank(value: str, sql_type: str, steps: tuple[NormalizeStep, ...]) -> str:
    """What `normalized` says of what `unchecked` made: null when nothing but white space is in a text.

    It names the value several times, and DuckDB computes what stands in a CASE as often as it is named: give it a
    column where the value is dear. A visible ASCII character in front, nearly always there, settles the question.
    """
    if not steps and not _is_text(sql_type):
        return value
    seen = f"{value} BETWEEN '!' AND '~'"
    return f"CASE WHEN {seen} OR regexp_matches({value}, '[^{WHITE_SPACE.regex}]') THEN {value} END"


def functions() -> list[Function]:
    """The functions that normalisers call from SQL, those over lists aside."""
    return [*TEXT_FUNCTIONS, *WORD_FUNCTIONS]


def define(engine: Engine, chains: Iterable[tuple[NormalizeStep, ...]], lists: Lists) -> None:
    """Make all functions that `normalized` may call known to the engine.

    `chains` are the steps of every criterion; for those with alias or bypass the entries of their lists are normalised
    here, once, by the engine. SpecError for an unknown list.
    """
    engine.define(functions())
    for steps in dict.fromkeys(chains):
        if (function := look_up(engine, steps, lists)) is not None:
            engine.define([function])


def look_up(engine: Engine, steps: tuple[NormalizeStep, ...], lists: Lists) -> Function | None:
    """The function of the lists that some steps name, None when they name none. The engine must know all others."""
    if list_function_name(steps, lists) is None:
        return None
    return list_function(steps, lists, partial(_normalize, engine, steps))


def _normalize(engine: Engine, steps: tuple[NormalizeStep, ...], entries: list[str]) -> dict[str, str | None]:
    sql = f"SELECT v, {_without_lists('v', steps)} AS n FROM (SELECT unnest($entries::VARCHAR[]) AS v)"
    answer = engine.fetch(Query(sql, {"entries": entries}))
    return dict(zip(answer.column("v").to_pylist(), answer.column("n").to_pylist(), strict=True))


def _without_lists(expr: str, steps: tuple[NormalizeStep, ...]) -> str:
    plain = general = expr
    for step in steps:
        if not is_list_step(step):
            row = NORMALIZERS[step.kind]
            plain = row.sql(plain, step.argument, ascii_only=True)
            general = row.sql(general, step.argument)
    if plain == general:
        return general
    # strlen counts bytes, length code points: equal only for ASCII, and both cost next to nothing.
    return f"CASE WHEN strlen({expr}) = length({expr}) THEN {plain} ELSE {general} END"


def _is_text(sql_type: str) -> bool:
    return sql_type.upper() in ("VARCHAR", "TEXT", "STRING", "CHAR", "BPCHAR")
