"""All rules in order make `links`; overrides have the last word.

Dedupe: every rule on every row of its entity. Match: per pair of entities, rule n+1 only on records of the lower entity
that rule n left unmatched in that upper entity.

makes  rules     one row per rule, in order of strength; rule 0 stands for always-overrides
       links     a, b, rule, score: one row per pair and rule
       ignored   rule, value, records, pairs, reason
       evidence_model, evidence_overlaps, evidence_kinds, evidence_terms: what scored rules learned (evidence/stored.py)
       never     a, b (scratch): pairs that must stay apart
       stars     rule, key_group, side, rid (scratch): who shares a value in star rules
       limit_<i> rid, value (scratch): the values of the i-th limit when it is a never_two
"""

from collections.abc import Callable, Iterator

import pyarrow as pa

from unify.conflation.binding import BoundPlan
from unify.conflation.evidence.run import EvidenceRunner
from unify.conflation.evidence.stored import KINDS, MODEL, OVERLAPS, TERMS
from unify.conflation.junk.fields import NOTHING_JUDGED, Judged
from unify.conflation.pairs import RuleRunner
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine
from unify.core.progress import Progress
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan

RULES_SCHEMA = pa.schema(
    [("rule", pa.int16()), *((c, pa.string()) for c in ("kind", "name", "left_entity", "right_entity", "sentence"))]
)
ALWAYS_LINKS = """
SELECT DISTINCT a, b, 0::SMALLINT AS rule, 1::FLOAT AS score FROM override_pairs WHERE kind = 'always'"""
NO_STARS = """
SELECT 0::SMALLINT AS rule, 0::BIGINT AS key_group, 0::UTINYINT AS side, 0::INTEGER AS rid WHERE false"""
NO_VALUES = """
SELECT 0::SMALLINT AS rule, '' AS value, 0::BIGINT AS records, 0::BIGINT AS pairs, '' AS reason WHERE false"""
ALWAYS = (0, "always", "always match", "", "", "the records are on an always-match list")


RunRule = Callable[[BoundRule, str], RuleReport]
"""A bound rule and a SELECT of the rids that earlier rules matched, to the rule's report."""


def run_rule(
    engine: Engine, plan: ConflationPlan, rule: BoundRule, without: str, lies: Judged = NOTHING_JUDGED
) -> RuleReport:
    """Run one rule on all records."""
    if rule.scored:
        return EvidenceRunner(engine, plan, rule, without).run()
    return RuleRunner(engine, plan, rule, without, lies.contact(rule)).run()


def make_links(
    engine: Engine,
    plan: ConflationPlan,
    bound: BoundPlan,
    progress: Progress,
    lies: Judged = NOTHING_JUDGED,
    runner: RunRule | None = None,
) -> list[RuleReport]:
    """Run every rule, then gather links, stars, ignored values and never-pairs; returns a report per rule.

    runner   runs one rule instead of `run_rule`, and makes the same tables
    """
    run = runner or (lambda rule, without: run_rule(engine, plan, rule, without, lies))
    rows = [ALWAYS, *((b.number, b.kind, b.rule.name, b.left.entity, b.right.entity, b.sentence) for b in bound.rules)]
    engine.load(
        "rules",
        pa.Table.from_pylist([dict(zip(RULES_SCHEMA.names, r, strict=True)) for r in rows], RULES_SCHEMA),
        keep=True,
    )
    reports: list[RuleReport] = []
    for rule in bound.rules:
        progress(rule.kind, rule.rule.name)
        earlier = [
            r.rule
            for r in reports
            if rule.kind == "match" and (r.left, r.right) == (rule.left.entity, rule.right.entity)
        ]
        matched = " UNION ALL ".join(f"SELECT b AS rid FROM links_{n}" for n in earlier)
        reports.append(run(rule, matched))
    for step in _gather(engine, bound, reports):
        engine.build(step)
    return reports


def _gather(engine: Engine, bound: BoundPlan, reports: list[RuleReport]) -> list[Step]:
    """The tables of all rules together."""
    numbers = [r.rule for r in reports]
    made = [ALWAYS_LINKS, *(f"SELECT a, b, rule, score FROM links_{n}" for n in numbers)]
    starry = [r.rule for r in reports if r.shape == "star"]
    stars = [NO_STARS, *(f"SELECT {n}, key_group, side, rid FROM star_{n}" for n in starry)]
    ignored = [
        NO_VALUES,
        *(f"SELECT rule, value, records, pairs, reason FROM ignored_{r.rule}" for r in reports if r.ignored),
    ]
    union = "\nUNION ALL\n".join
    return [
        Step("links", Query(union(made)), "all links", keep=True, releases=tuple(f"links_{n}" for n in numbers)),
        Step("stars", Query(union(stars)), "who shares values", releases=tuple(f"star_{n}" for n in starry)),
        *_learned(engine, [r.rule for r in reports if r.shape == "scored"]),
        Step("ignored", Query(union(ignored)), "values that were no evidence", keep=True),
        *(_limit_values(bound, i, columns) for i, columns in bound.limit_values.items()),
        Step(
            "never",
            Query("SELECT DISTINCT a, b FROM override_pairs WHERE kind = 'never'"),
            "pairs that stay apart",
        ),
    ]


def _learned(engine: Engine, scored: list[int]) -> Iterator[Step]:
    """What scored rules learned, all together."""
    schemas = {"evidence_model": MODEL, "evidence_overlaps": OVERLAPS, "evidence_kinds": KINDS, "evidence_terms": TERMS}
    for table, schema in schemas.items():
        engine.load(f"{table}_0", schema.empty_table())
        parts = tuple(f"{table}_{n}" for n in (0, *scored))
        union = " UNION ALL ".join(f"FROM {part}" for part in parts)
        keys = {
            "evidence_model": "level NULLS FIRST",
            "evidence_overlaps": "level, parent_level",
            "evidence_kinds": "kind",
            "evidence_terms": "value",
        }
        order = f"rule, comparison, {keys[table]}"
        yield Step(table, Query(f"FROM ({union}) ORDER BY {order}"), "what scored rules learned", parts, True, parts)


def _limit_values(bound: BoundPlan, number: int, columns: dict[str, str]) -> Step:
    values = "\nUNION ALL\n".join(
        f"SELECT rid, CAST({column} AS VARCHAR) AS value FROM {bound.prepared[entity].table} WHERE {column} IS NOT NULL"
        for entity, column in columns.items()
    )
    return Step(f"limit_{number}", Query(values), "values that no customer may have two of")
