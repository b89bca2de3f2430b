"""Always- and never-match lists: from keys to rids.

reads  overrides        kind, list, entity1, key1, entity2, key2, as ingested
makes  override_pairs   kind, a, b (a < b): scratch
"""

from unify.core.engine import Engine, scalar
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.core.reports import OverridesReport
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan, Project

SHOWN = 5
"""Unknown records named in a warning; the count is always given."""


def resolve_overrides(
    engine: Engine, project: Project, plan: ConflationPlan
) -> tuple[OverridesReport, tuple[str, ...]]:
    """Make `override_pairs`; returns the counts, and warnings for entries whose record is not there (it may be gone).

    Raises SpecError for an entity that is not in the plan, for a record paired with itself, and for a dedupe override
    on an entity without a dedupe rule (reference §3.5).
    """
    spelled = {table_of(o.entity): o.entity for o in plan.order} | {o.entity: o.entity for o in plan.order}
    named = engine.fetch(
        Query(
            "SELECT DISTINCT list, entity FROM (SELECT list, entity1 AS entity FROM overrides UNION ALL "
            "SELECT list, entity2 FROM overrides) ORDER BY list, entity"
        )
    ).to_pylist()
    for row in named:
        if row["entity"] not in spelled:
            raise SpecError(
                f"{row['entity']!r} is not an entity of the conflation order",
                where=f"list {row['list']!r}",
                hint=did_you_mean(str(row["entity"]), spelled) + " (names are case-sensitive)",
            )
    cases = " ".join(f"WHEN $table_{i} THEN $entity_{i}" for i in range(len(spelled)))
    params = {f"table_{i}": name for i, name in enumerate(spelled)}
    params |= {f"entity_{i}": name for i, name in enumerate(spelled.values())}
    engine.build(
        Step(
            "override_rids",
            Query(
                f"SELECT o.list, o.kind, o.entity1, o.key1, o.entity2, o.key2, x.rid AS rid1, y.rid AS rid2 FROM "
                f"(SELECT list, kind, CASE entity1 {cases} END AS entity1, key1, "
                f"CASE entity2 {cases} END AS entity2, key2 FROM overrides) AS o "
                "LEFT JOIN records AS x ON x.entity = o.entity1 AND x.key = o.key1 "
                "LEFT JOIN records AS y ON y.entity = o.entity2 AND y.key = o.key2",
                params,
            ),
            "find the records that overrides name",
            reads=("overrides", "records"),
        )
    )
    _refuse_self_pairs(engine)
    _refuse_dedupe_overrides_without_rules(engine, plan)
    pairs = (
        "SELECT DISTINCT kind, least(rid1, rid2) AS a, greatest(rid1, rid2) AS b FROM override_rids "
        "WHERE rid1 IS NOT NULL AND rid2 IS NOT NULL"
    )
    engine.build(Step("override_pairs", Query(pairs), "the override pairs in force"))
    counts = {
        r["kind"]: r["n"]
        for r in engine.fetch(Query("SELECT kind, count(*) AS n FROM override_pairs GROUP BY kind")).to_pylist()
    }
    unknown, warnings = _unknown_records(engine)
    return OverridesReport(always=counts.get("always", 0), never=counts.get("never", 0), unknown=unknown), warnings


def _refuse_self_pairs(engine: Engine) -> None:
    same = engine.fetch(
        Query(
            "SELECT list, entity1, key1 FROM override_rids WHERE entity1 = entity2 AND key1 = key2 ORDER BY ALL LIMIT 1"
        )
    ).to_pylist()
    if same:
        row = same[0]
        raise SpecError(
            f"record {row['entity1']} {row['key1']!r} is paired with itself",
            where=f"list {row['list']!r}",
            hint="name two different records",
        )


def _refuse_dedupe_overrides_without_rules(engine: Engine, plan: ConflationPlan) -> None:
    inside = engine.fetch(
        Query(
            "SELECT DISTINCT list, entity1 AS entity FROM override_rids "
            "WHERE entity1 = entity2 AND kind = 'always' ORDER BY ALL"
        )
    ).to_pylist()
    for row in inside:
        if not plan.dedupes(row["entity"]):
            raise SpecError(
                f"pairs two records of {row['entity']}, which has no dedupe rule",
                where=f"list {row['list']!r}",
                hint=f"add a dedupe rule: conflation.dedupe.{row['entity']}, or a common rule: conflation.rules",
            )


def _unknown_records(engine: Engine) -> tuple[int, tuple[str, ...]]:
    missing = "FROM override_rids WHERE rid1 IS NULL OR rid2 IS NULL"
    count = int(scalar(engine, Query(f"SELECT count(*) {missing}")))
    if not count:
        return 0, ()
    shown = engine.fetch(
        Query(
            f"SELECT list, CASE WHEN rid1 IS NULL THEN entity1 ELSE entity2 END AS entity, "
            f"CASE WHEN rid1 IS NULL THEN key1 ELSE key2 END AS key {missing} ORDER BY ALL LIMIT {SHOWN}"
        )
    ).to_pylist()
    named = ", ".join(f"{r['entity']} {r['key']!r} (list {r['list']})" for r in shown)
    more = f" and {count - SHOWN} more" if count > SHOWN else ""
    return count, (f"{count} override entries name records that are not there and have no effect: {named}{more}",)
