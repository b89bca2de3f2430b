"""How many different people carry a value, at least: from the names and birth dates on its records.

A value's people are the smaller of two numbers: how many names that are not spelled alike, and how many birth dates
(a name that has none counts as one). So a loyal customer with thirty records and one name is one person; so is who
married (two names, one birth date), and somebody whose birth date was mistyped (one name, two birth dates).

makes  junk_evidence   rid, written (all name columns), who (a hash of it), born (text)
       junk_people     field, value, records, people (null: of a field in which nobody counted them)
"""

from collections.abc import Sequence

from unify.conflation.junk.fields import Field, Judged
from unify.conflation.normalize import Lists, unchecked, unless_blank
from unify.conflation.prepare import Prepared
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.steps import Query, Step
from unify.spec import NormalizeStep

ALIKE = 0.85
"""Jaro-Winkler similarity from which the words two names do not share are one spelled in two ways: Jon, John 0.93;
Smith, Smyth 0.89; but Jane, John 0.70."""
SPELLINGS = 3
"""Times `more_than`: with more names than that, a value is junk however they are spelled, and nobody compares them."""

COUNTS = """
SELECT field, value, count(*) AS records, count(*) = 1 OR coalesce(min(who) = max(who), false) AS one
FROM junk_carried JOIN junk_evidence USING (rid) GROUP BY ALL"""
"""Most values are carried by one name, always written alike: nothing needs to be read of those. `who` is a hash,
because comparing texts takes three times as long."""
BIRTHS = """
SELECT field, value, count(*) AS records, greatest(1, count(DISTINCT who)) AS people
FROM junk_carried JOIN junk_evidence USING (rid) GROUP BY ALL"""
"""Of birth dates names are counted as they are written: every date has some, and only the comparison counts."""
LOOKED_AT = 1000
"""Values of a field that tell whether many people share it by nature; nine in ten are then known to ±2 %."""
MANY_NAMES = 10
"""Names as written, misspellings included, that nine in ten values of a contact have at most."""
HOPELESS = f"""
WITH sizes AS (SELECT field, greatest(1, count(*) // {LOOKED_AT}) AS step FROM junk_counts GROUP BY field),
     sampled AS (SELECT field, value, one FROM junk_counts JOIN sizes USING (field) WHERE hash(value) % step = 0),
     names AS (SELECT field, value, count(DISTINCT who) AS names FROM junk_carried
               SEMI JOIN (FROM sampled WHERE NOT one) USING (field, value) JOIN junk_evidence USING (rid) GROUP BY ALL)
SELECT field FROM sampled LEFT JOIN names USING (field, value)
GROUP BY field HAVING quantile_disc(coalesce(names, 1), 0.9) > {MANY_NAMES}"""
"""Fields that many people share by nature, such as a postal code: they are no contacts, so none of it is read."""
SEEN = """
SELECT DISTINCT field, value, written, born FROM junk_carried
SEMI JOIN (FROM junk_counts ANTI JOIN junk_hopeless USING (field) WHERE NOT one) USING (field, value)
JOIN junk_evidence USING (rid)"""
WORDS = r"regexp_extract_all(lower(strip_accents(written)), '[\p{L}\p{M}\p{N}]+')"
SIGNED = f"""
SELECT written, nullif(array_to_string(list_sort(list_distinct({WORDS})), ' '), '') AS name
FROM (SELECT DISTINCT written FROM junk_seen WHERE written IS NOT NULL)"""
NAMES = """
SELECT field, value, name, count(born) = 0 AS undated FROM junk_seen JOIN junk_signed USING (written)
WHERE name IS NOT NULL GROUP BY ALL"""
NUMBERS = """
SELECT field, value, names, undated, dates
FROM (SELECT field, value, count(DISTINCT born) AS dates FROM junk_seen GROUP BY ALL)
LEFT JOIN (SELECT field, value, count(*) AS names, count(*) FILTER (undated) AS undated FROM junk_names GROUP BY ALL)
USING (field, value)"""
SEVERAL = """
FROM junk_numbers ANTI JOIN (
    SELECT field FROM junk_counts LEFT JOIN junk_numbers USING (field, value) WHERE (field IN ({sure})) IS NOT TRUE
    GROUP BY field HAVING quantile_disc(coalesce(least(names, dates + undated), dates, 1), 0.9) > {spellings}
) USING (field) WHERE names BETWEEN 2 AND {many} AND dates + undated > 1"""
"""Not of a field that still has too many people, and not where one birth date is on all names (one person, or twins):
there, which names are alike changes nothing."""
PEOPLE = """
SELECT c.field, c.value, c.records,
       CASE WHEN h.field IS NULL THEN greatest(1, coalesce(
           least(n.names - coalesce(s.again, 0), n.dates + n.undated - coalesce(s.undated, 0)), n.dates, 1
       )) END AS people
FROM junk_counts AS c LEFT JOIN junk_numbers AS n USING (field, value) LEFT JOIN junk_hopeless AS h USING (field)
LEFT JOIN (SELECT field, value, count(*) FILTER (again) AS again, count(*) FILTER (undated) AS undated
           FROM junk_alike GROUP BY ALL) AS s USING (field, value)"""
SCRATCH = (
    "junk_carried", "junk_counts", "junk_seen", "junk_signed", "junk_numbers", "junk_hopeless", "junk_several",
    "junk_alike", "released",
)  # fmt: skip


def gather_evidence(engine: Engine, judged: Judged, prepared: Sequence[Prepared]) -> None:
    """Make `junk_evidence`: what tells a record's person from others."""
    parts = []
    for one in prepared:
        names = [f"CAST(source.{quote(c)} AS VARCHAR)" for c in (judged.names or {}).get(one.entity, ())]
        births = [f"CAST(source.{quote(c)} AS VARCHAR)" for c in (judged.births or {}).get(one.entity, ())]
        text = f"nullif(lower(concat_ws(' ', {', '.join(names)})), '')" if names else "CAST(NULL AS VARCHAR)"
        born = f"coalesce({', '.join(births)})" if births else "CAST(NULL AS VARCHAR)"
        parts.append(f"SELECT record_rows.rid AS rid, {text} AS written, {born} AS born FROM {one.source}")
    sql = "SELECT rid, written, CASE WHEN written IS NOT NULL THEN hash(written) END AS who, born\nFROM ({})"
    engine.build(Step("junk_evidence", Query(sql.format("\nUNION ALL\n".join(parts))), "what tells people apart"))


def count_people(engine: Engine, fields: Sequence[Field], lists: Lists, more_than: int) -> None:
    """Make `junk_people` for these fields, which are all of birth dates or all of contacts. Reads `junk_evidence`.

    Makes `junk_names` besides: the names behind every contact that is written of more than one.
    """
    carried = ("junk_carried", "\nUNION ALL\n".join(map(_carriers, fields)), "who carries which value")
    if fields[0].births:
        steps = [carried, ("junk_people", BIRTHS, "how many people carry a birth date")]
        steps += [("junk_names", "SELECT 0::UTINYINT AS field, '' AS value, '' AS name WHERE false", "none are needed")]
    else:
        sure = ", ".join(str(f.number) for f in fields if f.sure) or "NULL"
        hopeless = f"FROM ({HOPELESS}) WHERE (field IN ({sure})) IS NOT TRUE"
        steps = [
            carried,
            ("junk_counts", COUNTS, "records of a value"),
            ("junk_hopeless", hopeless, "fields that many people share by nature"),
            ("junk_seen", SEEN, "who is behind a value"),
            ("junk_signed", SIGNED, "the words of a name in one order"),
            ("junk_names", NAMES, "the names behind a value"),
            ("junk_numbers", NUMBERS, "how many names and birth dates a value has"),
            (
                "junk_several",
                SEVERAL.format(many=SPELLINGS * more_than, sure=sure, spellings=SPELLINGS),
                "values with some names",
            ),
            ("junk_alike", _alike(lists), "names that are one spelled in two ways"),
            ("junk_people", PEOPLE, "how many people carry a value"),
        ]
    for makes, sql, why in steps:
        engine.build(Step(makes, Query(sql), why))
    engine.build(Step("released", Query("SELECT 1 AS one"), "free memory", releases=SCRATCH))


def _carriers(field: Field) -> str:
    """SQL: field, value, rid; a record that has the value in two columns carries it once."""
    tables = [p.table for p in field.places]
    distinct = "DISTINCT " if len(set(tables)) < len(tables) else ""
    parts = " UNION ALL ".join(
        f"SELECT CAST({p.form} AS VARCHAR) AS value, rid FROM {p.table} WHERE {p.form} IS NOT NULL"
        for p in field.places
    )
    return f"SELECT {distinct}CAST({field.number} AS UTINYINT) AS field, value, rid FROM ({parts})"


def _alike(lists: Lists) -> str:
    """SQL: names that a value has under another spelling too.

    again    an alike name comes before it, so it counts as no name of its own
    undated  it has no birth date, but an alike name has one or comes before it, so it counts as no date of its own

    Names are alike when the words that they do not share are spelled alike, are an initial and a word, are a nickname
    and a name, or when one has no word of its own. Every pair is read once; names are worked out apart from what is
    asked of them, because DuckDB works them out as often as they stand in a condition.
    """
    nickname = (NormalizeStep(kind="name"),)
    names = ", ".join(f"{unchecked(side, 'VARCHAR', nickname, lists)} AS {side}" for side in ("mine", "other"))
    first, second = (unless_blank(side, "VARCHAR", nickname) for side in ("mine", "other"))
    near = (
        f"mine = '' OR other = '' OR jaro_winkler_similarity(mine, other) >= {ALIKE} "
        "OR (length(mine) = 1 AND starts_with(other, mine)) OR (length(other) = 1 AND starts_with(mine, other))"
    )
    rest = "array_to_string(list_filter({}, lambda word: NOT list_contains({}, word)), ' ')"
    return f"""
WITH several AS (SELECT field, value, name, undated FROM junk_names SEMI JOIN junk_several USING (field, value)),
     pairs AS (SELECT field, value, x.name AS before, y.name AS after, x.undated AS before_undated,
                      y.undated AS after_undated
               FROM several AS x JOIN several AS y USING (field, value) WHERE x.name < y.name),
     words AS (SELECT before, after, string_split(before, ' ') AS b, string_split(after, ' ') AS a
               FROM (SELECT DISTINCT before, after FROM pairs)),
     rests AS (SELECT before, after, {rest.format("b", "a")} AS mine, {rest.format("a", "b")} AS other FROM words),
     named AS MATERIALIZED (SELECT before, after, {names} FROM rests WHERE ({near}) IS NOT TRUE),
     alike AS (SELECT before, after FROM rests WHERE {near}
               UNION ALL
               SELECT before, after FROM named WHERE {first} = {second}),
     told AS (SELECT field, value, after AS name, true AS again, after_undated AS undated FROM pairs
              JOIN alike USING (before, after)
              UNION ALL
              SELECT field, value, before, false, before_undated AND NOT after_undated FROM pairs
              JOIN alike USING (before, after))
SELECT field, value, name, bool_or(again) AS again, bool_or(undated) AS undated FROM told GROUP BY field, value, name"""
