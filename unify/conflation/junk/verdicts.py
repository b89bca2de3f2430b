"""Junk, shared or genuine: what the number of people says of a value, and what the user says.

makes  value_verdicts   one row per value that is judged junk or shared, or that stands on a list of verdicts (kept)
       junk_values      field, value: no evidence for anything (scratch)
       shared_values    field, value: no proof of identity by itself (scratch)
"""

from collections.abc import Sequence

from unify.conflation import compare
from unify.conflation.junk.fields import Field, Judged
from unify.conflation.junk.people import count_people, gather_evidence
from unify.conflation.normalize import Lists, normalized
from unify.conflation.prepare import Prepared
from unify.core.engine import Engine
from unify.core.reports import JunkReport, ValueVerdict
from unify.core.steps import Query, Step
from unify.spec import JunkSpec, Project
from unify.spec.lists import VERDICT_KINDS

WORST = 100
"""Verdicts in the report, those with the most people first; the table `value_verdicts` has all."""
NO_VERDICTS = """
SELECT '' AS columns, '' AS normalized, '' AS value, 0::BIGINT AS records, 0::BIGINT AS people, '' AS verdict,
       '' AS reason, '' AS overruled WHERE false"""
NO_VALUES = "SELECT 0::UTINYINT AS field, '' AS value WHERE false"
USUAL = """
SELECT field, quantile_disc(people, 0.5) AS middle, quantile_disc(people, 0.9) AS most,
       quantile_disc(people, 0.95) AS nearly_all FROM junk_people GROUP BY field"""
"""People of the value in the middle, of the nine in ten with the fewest, and of the nineteen in twenty."""
SURNAMES = """
SELECT field, value, min(word) AS surname FROM (
    SELECT field, value, word FROM (
        SELECT field, value, name, unnest(string_split(name, ' ')) AS word FROM junk_names
        SEMI JOIN (FROM junk_found WHERE found = 'shared') USING (field, value))
    JOIN (SELECT field, value, count(*) AS names FROM junk_names GROUP BY ALL) USING (field, value)
    GROUP BY field, value, word HAVING count(*) = any_value(names) AND length(word) > 1
) GROUP BY field, value"""
"""The word that all names behind a shared value have in common: mostly a surname."""
REASONS = """
CASE WHEN people IS NULL THEN 'not counted' WHEN people = 1 THEN 'carried by one person'
    ELSE format('carried by {:,} different people', people) END ||
CASE WHEN found = 'junk' THEN format(', where {} is usual', usual)
    WHEN surname IS NOT NULL THEN format(', all called {}', surname) ELSE '' END"""


def judge_values(
    engine: Engine, project: Project, judged: Judged, prepared: Sequence[Prepared], lists: Lists
) -> JunkReport | None:
    """Make the three tables, from the prepared values; returns what the run report says, None when nothing is judged.

    Birth dates are judged first, by names alone; those that are junk then tell nobody apart among the contacts.
    """
    if not judged.fields:
        engine.build(Step("value_verdicts", Query(NO_VERDICTS), "no value is judged", keep=True))
        return None
    assert project.conflation is not None
    spec = project.conflation.junk
    gather_evidence(engine, judged, prepared)
    made = []
    for births in (True, False):
        fields = [f for f in judged.fields if f.births is births]
        if fields:
            made.append(_judge(engine, project, spec, fields, lists))
            if births:
                _forget_junk_births(engine, made[-1])
    found = "\nUNION ALL\n".join(f"FROM {table}" for table in made)
    named = ", ".join(f"({f.number}, $columns_{f.number}, $normalized_{f.number})" for f in judged.fields)
    params = {f"columns_{f.number}": f.columns for f in judged.fields}
    params |= {f"normalized_{f.number}": f.normalized for f in judged.fields}
    listed = (
        "SELECT columns, normalized, value, records, people, verdict, reason, overruled "
        f"FROM ({found}) JOIN (VALUES {named}) AS f(field, columns, normalized) USING (field) "
        "ORDER BY columns, normalized, value"
    )
    engine.build(Step("value_verdicts", Query(listed, params), "values that lie, and those overruled", keep=True))
    for kind in ("junk", "shared"):
        sql = f"SELECT field, value FROM ({found}) WHERE verdict = '{kind}'"
        engine.build(
            Step(
                f"{kind}_values",
                Query(sql),
                f"values that are {kind}",
                releases=tuple(made) if kind == "shared" else (),
            )
        )
    engine.build(Step("released", Query("SELECT 1 AS one"), "free memory", releases=("junk_evidence", "released")))
    return _report(engine, judged)


def _judge(engine: Engine, project: Project, spec: JunkSpec, fields: Sequence[Field], lists: Lists) -> str:
    """Make `judged_births` or `judged_contacts`: field, value, records, people, verdict, reason, overruled."""
    births = fields[0].births
    makes = "judged_births" if births else "judged_contacts"
    count_people(engine, fields, lists, spec.more_than)
    sure = ", ".join(str(f.number) for f in fields if f.sure) or "NULL"
    usual = "nearly_all" if births else "middle"
    shared = "" if births else "WHEN people > 1 THEN 'shared' "
    found = (
        f"SELECT field, value, records, people, {usual} AS usual, "
        f"CASE WHEN (field IN ({sure}) OR most = 1) IS NOT TRUE THEN NULL "
        f"WHEN people > {spec.more_than} * {usual} THEN 'junk' {shared}END AS found "
        f"FROM junk_people JOIN ({USUAL}) USING (field)"
    )
    _overruling(engine, project, fields, lists)
    engine.build(
        Step(
            "junk_found",
            Query(f"SELECT f.*, said.verdict AS said, said.list FROM ({found}) AS f "
                  "LEFT JOIN said USING (field, value) WHERE f.found IS NOT NULL OR said.verdict IS NOT NULL"),
            "values that may be no evidence",
            releases=("junk_people", "said"),
        )
    )  # fmt: skip
    judged = (
        f"SELECT field, value, records, people, coalesce(said, found) AS verdict, "
        f"{REASONS} || "
        "CASE WHEN list IS NULL THEN '' ELSE format('; the list {} says {}', list, said) END AS reason, "
        f"list AS overruled FROM junk_found LEFT JOIN ({SURNAMES}) USING (field, value)"
    )
    engine.build(Step(makes, Query(judged), "a verdict and its reason", releases=("junk_found", "junk_names")))
    return makes


def _forget_junk_births(engine: Engine, judged_births: str) -> None:
    """A default birth date tells nobody apart."""
    sql = (
        f"SELECT rid, written, who, CASE WHEN j.value IS NULL THEN born END AS born FROM junk_evidence "
        f"LEFT JOIN (SELECT DISTINCT value FROM {judged_births} WHERE verdict = 'junk') AS j ON j.value = born"
    )
    engine.build(Step("junk_evidence", Query(sql), "default birth dates tell nobody apart"))


def _overruling(engine: Engine, project: Project, fields: Sequence[Field], lists: Lists) -> None:
    """Make `said`: field, value, verdict, list. Entries of the lists go through each field's own normalisers."""
    kinds = {name: spec.kind for name, spec in project.lists.items() if spec.kind in VERDICT_KINDS}
    if not kinds:
        none = "SELECT 0::UTINYINT AS field, '' AS value, '' AS verdict, '' AS list WHERE false"
        engine.build(Step("said", Query(none), "nobody overrules a verdict"))
        return
    params: dict[str, object] = {f"list_{i}": name for i, name in enumerate(kinds)}
    of = " ".join(f"WHEN $list_{i} THEN {VERDICT_KINDS.index(kind)}" for i, kind in enumerate(kinds.values()))
    forms = []
    for field in fields:
        types = {p.prepared.type_of(p.column) for p in field.places}
        for kind in sorted(types):
            form = normalized(f"TRY_CAST(entry.value AS {kind})", kind, field.normalize, lists)
            if field.criterion is not None:
                form = compare.join_key(field.criterion, form)
            forms.append(
                f"SELECT {field.number} AS field, CAST({form} AS VARCHAR) AS value, list, rank FROM entries AS entry"
            )
    ranked = (
        f"WITH entries AS (SELECT list, value, CASE list {of} END AS rank FROM list_values "
        f"WHERE list IN ({', '.join(f'$list_{i}' for i in range(len(kinds)))})) "
        f"SELECT field, value, min({{'rank': rank, 'list': list}}) AS best FROM ({' UNION ALL '.join(forms)}) "
        "WHERE value IS NOT NULL GROUP BY field, value"
    )
    words = " ".join(f"WHEN {i} THEN '{kind}'" for i, kind in enumerate(VERDICT_KINDS))
    sql = (
        f"SELECT CAST(field AS UTINYINT) AS field, value, CASE best.rank {words} END AS verdict, best.list AS list "
        f"FROM ({ranked})"
    )
    engine.build(Step("said", Query(sql, params), "what the user's lists say of values"))


def _report(engine: Engine, judged: Judged) -> JunkReport:
    counts = engine.fetch(
        Query("SELECT verdict, count(*) AS n, count(overruled) AS overruled FROM value_verdicts GROUP BY verdict")
    ).to_pylist()
    number = {row["verdict"]: row["n"] for row in counts}
    worst = engine.fetch(
        Query(f"FROM value_verdicts ORDER BY people DESC, records DESC, columns, normalized, value LIMIT {WORST}")
    ).to_pylist()
    return JunkReport(
        judged=sorted({f.columns for f in judged.fields}),
        junk=number.get("junk", 0),
        shared=number.get("shared", 0),
        overruled=sum(row["overruled"] for row in counts),
        worst=[ValueVerdict(**row) for row in worst],
    )


def junk_warnings(project: Project, report: JunkReport | None) -> list[str]:
    """Lists of verdicts that have no effect because nothing is judged, and the worst junk."""
    if report is None:
        idle = [name for name, spec in project.lists.items() if spec.kind in VERDICT_KINDS]
        return [f"no value is judged, so {', '.join(idle)} has no effect: see conflation.junk"] if idle else []
    return []
