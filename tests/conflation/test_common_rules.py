"""Common rules: the links of every two records compared naively, and those of one entity that holds all the records."""

import sys
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.binding import bind
from unify.conflation.cluster import cluster
from unify.conflation.links import make_links
from unify.conflation.normalize import Lists
from unify.conflation.overrides import resolve_overrides
from unify.conflation.prepare import prepare
from unify.core.progress import silent
from unify.core.reports import RuleReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project


def oracle(name: str) -> Any:
    spec = spec_from_file_location(f"oracle_{name}", Path(__file__).parents[1] / "oracles" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


naive, values = oracle("common_rules"), oracle("rules")

TEXT, DATE = pa.string(), pa.date32()
ENTITIES: dict[str, dict[str, pa.DataType]] = {
    "crm.Contacts": {"EMail": TEXT, "FullName": TEXT, "Phone": TEXT, "Born": DATE},
    "loyalty.Members": {"Mail": TEXT, "FullName": TEXT, "Phone": TEXT, "Mobile": TEXT},
    "web.SignUps": {"Mail1": TEXT, "Mail2": TEXT, "First": TEXT, "Last": TEXT, "Born": DATE},
}
MAIL = {"field": "EMail", "columns": {"loyalty.Members": "Mail", "web.SignUps": ["Mail1", "Mail2"]}}
NAME = {"field": "FullName", "columns": {"web.SignUps": {"join": ["First", "Last"]}}}
KNOWN_AS = {
    "field": "Known",
    "columns": {"crm.Contacts": "FullName", "web.SignUps": ["First", {"join": ["First", "Last"]}]},
}
PHONE = {"fields": ["Phone", "Mobile"]}
CRITERIA: list[dict[str, Any]] = [
    MAIL,
    MAIL | {"normalize": ["lower"]},
    NAME,
    NAME | {"precision": 75},
    NAME | {"compare": "jaro_winkler", "precision": 85, "normalize": ["lower"]},
    NAME | {"compare": "prefix", "within": 3},
    KNOWN_AS | {"precision": 60},
    PHONE,
    PHONE | {"columns": {"crm.Contacts": [], "web.SignUps": "Mail2"}},
    {"field": "Born"},
    {"field": "Born", "compare": "date", "within": 3},
    {"field": "Mobile"},
]
VETOES: list[dict[str, Any]] = [
    {"field": "Born", "differs": True},
    NAME | {"precision": 60, "differs": True},
    PHONE,
    {"all": [{"field": "Born", "differs": True}, MAIL | {"differs": True}]},
]
RULES = st.builds(
    lambda when, unless: {"when": when, "unless": unless},
    st.lists(st.sampled_from(CRITERIA), min_size=1, max_size=3, unique_by=str),
    st.lists(st.sampled_from(VETOES), max_size=2, unique_by=str),
)
MAILS = st.sampled_from([None, "", "a@x", "A@x", "b@x", "1"])
PHONES = st.sampled_from([None, " ", "1", "2", "3"])
FULL = st.sampled_from([None, "anna berg", "anne berg", "Anna Berg", "anna", "bert o", "Ånna berg"])
PART = st.sampled_from([None, "", "anna", " anna ", "berg", "anna berg", "bert", "o"])
BORN = st.sampled_from([None, date(2000, 1, 2), date(2000, 1, 4), date(1990, 5, 5)])
COLUMNS = {"EMail": MAILS, "Mail": MAILS, "Mail1": MAILS, "Mail2": MAILS, "FullName": FULL, "Phone": PHONES,
           "Mobile": PHONES, "First": PART, "Last": PART, "Born": BORN}  # fmt: skip
WORLDS = st.fixed_dictionaries(
    {
        entity: st.lists(st.fixed_dictionaries({c: COLUMNS[c] for c in columns}), max_size=5)
        for entity, columns in ENTITIES.items()
    }
)
LIMITS = st.lists(st.sampled_from([{"never_two": "Born"}, {"max_records": 3}]), max_size=2, unique_by=str)
OVERRIDES = pa.schema([(c, pa.string()) for c in ("list", "kind", "entity1", "key1", "entity2", "key2")])
quickly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def project(rules: list[dict[str, Any]], **plan: Any) -> Project:
    sources: dict[str, Any] = {}
    for entity in ENTITIES:
        source, name = entity.split(".")
        sources[source] = {name: {"key": "Id"}}
    return Project.model_validate({"sources": sources, "conflation": {"order": list(ENTITIES), "rules": rules, **plan}})


def tables(world: dict[str, list[dict[str, Any]]]) -> dict[str, pa.Table]:
    made = {}
    for entity, rows in world.items():
        schema = pa.schema([("Id", TEXT), *ENTITIES[entity].items()])
        made[entity] = pa.Table.from_pylist([{"Id": f"{i:04}", **row} for i, row in enumerate(rows)], schema)
    return made


def run(engine: DuckDBEngine, p: Project, made: dict[str, pa.Table]) -> list[RuleReport]:
    for entity, table in made.items():
        engine.load(entity.replace(".", "_"), table)
    engine.load("overrides", OVERRIDES.empty_table())
    assert p.conflation is not None
    bound = bind(engine, p, Lists())
    prepare(engine, p, p.conflation, bound.prepared)
    resolve_overrides(engine, p, p.conflation)
    return make_links(engine, p.conflation, bound, silent)


def links(engine: DuckDBEngine, rule: int) -> dict[tuple[int, int], float]:
    found = engine.fetch(Query("SELECT a, b, score FROM links WHERE rule = $rule", {"rule": rule})).to_pylist()
    assert all(row["a"] < row["b"] for row in found)
    assert len({(row["a"], row["b"]) for row in found}) == len(found), "no pair twice"
    return {(row["a"], row["b"]): row["score"] for row in found}


def shared(engine: DuckDBEngine, rule: int) -> set[tuple[int, int]]:
    """The pairs that a star rule stands for."""
    groups: dict[int, list[int]] = {}
    query = Query("SELECT key_group, side, rid FROM stars WHERE rule = $rule", {"rule": rule})
    for row in engine.fetch(query).to_pylist():
        assert row["side"] is None
        groups.setdefault(row["key_group"], []).append(row["rid"])
    return {(a, b) for rids in groups.values() for a in rids for b in rids if a < b}


def components(pairs: Any) -> set[frozenset[int]]:
    return {frozenset(c) for c in nx.connected_components(nx.Graph(sorted(pairs)))}


@settings(quickly, max_examples=50)
@given(world=WORLDS, first=RULES, second=RULES)
def test_links_are_those_of_every_two_records_compared(
    world: dict[str, list[dict[str, Any]]], first: Any, second: Any
) -> None:
    p = project([{"name": "one", **first}, {"name": "two", **second}])
    assert p.conflation is not None
    records = [(entity, row) for entity in ENTITIES for row in world[entity]]
    place = [entity for entity, _ in records]
    with DuckDBEngine(threads=1) as engine:
        for report, rule in zip(run(engine, p, tables(world)), p.conflation.rules, strict=True):
            expected = naive.pairs(records, rule, values.values_pass)
            found = links(engine, report.rule)
            assert report.kind == "common"
            if report.shape == "star":
                assert shared(engine, report.rule) == set(expected)
                assert components(found) == components(expected)
                assert set(found) <= set(expected), "a star link is a pair that the rule really links"
                inside = [pair for pair in expected if place[pair[0]] == place[pair[1]]]
                kept = [pair for pair in found if place[pair[0]] == place[pair[1]]]
                assert components(kept) == components(inside), "the part inside an entity hangs together by itself"
            else:
                assert set(found) == set(expected)


# ── one entity that holds all the records ───────────────────────────────────────────────────────────────────────────


def concatenated(
    rules: list[dict[str, Any]], world: dict[str, list[dict[str, Any]]]
) -> tuple[dict[str, Any], pa.Table]:
    """The same records as one entity, and a plan whose dedupe rules name the columns that stand side by side there."""
    rows: list[dict[str, Any]] = []
    names: dict[str, list[str]] = {}

    def fields(compared: dict[str, Any]) -> dict[str, Any]:
        said = {k: v for k, v in compared.items() if k not in ("field", "fields", "columns")}
        return {"fields": names[repr(compared)], **said}

    def every(rule: dict[str, Any]) -> list[dict[str, Any]]:
        vetoes = [c for veto in rule.get("unless", ()) for c in veto.get("all", [veto])]
        return [*rule.get("when", ()), *rule.get("score", ()), *vetoes]

    wanted = {repr(c): c for rule in rules for c in every(rule)}
    for number, compared in enumerate(wanted.values()):
        width = 2
        names[repr(compared)] = [f"c{number}_{i}" for i in range(width)]
    for n, entity in enumerate(ENTITIES):
        for i, row in enumerate(world[entity]):
            cells: dict[str, Any] = {"Id": f"{n}:{i:04}", "Born": row.get("Born")}
            for key, compared in wanted.items():
                for name, column in zip(names[key], _columns(compared, entity), strict=False):
                    parts = column["join"] if isinstance(column, dict) else None
                    text = " ".join(str(row[c]).strip() for c in parts if naive.filled(row[c])) if parts else None
                    cells[name] = text if parts else row[column]
            rows.append(cells)
    dated = {name for key, compared in wanted.items() if compared.get("field") == "Born" for name in names[key]}
    columns = [name for several in names.values() for name in several]
    schema = pa.schema([("Id", TEXT), ("Born", DATE), *((c, DATE if c in dated else TEXT) for c in columns)])
    plan = [
        {
            **rule,
            **({"when": [fields(c) for c in rule["when"]]} if "when" in rule else {}),
            **({"score": [fields(c) for c in rule["score"]]} if "score" in rule else {}),
            "unless": [{"all": [fields(c) for c in v.get("all", [v])]} for v in rule.get("unless", ())],
        }
        for rule in rules
    ]
    return {
        "sources": {"all": {"Records": {"key": "Id"}}},
        "conflation": {"order": ["all.Records"], "dedupe": {"all.Records": plan}},
    }, pa.Table.from_pylist(rows, schema)


def _columns(compared: dict[str, Any], entity: str) -> list[Any]:
    if entity not in compared.get("columns", {}):
        return [c for c in compared.get("fields", [compared.get("field")]) if c in ENTITIES[entity]]
    said = compared["columns"][entity]
    return said if isinstance(said, list) else [said]


@settings(quickly, max_examples=25)
@given(world=WORLDS, first=RULES, second=RULES, limits=LIMITS)
def test_the_same_links_and_customers_as_of_one_entity_that_holds_all_records(
    world: dict[str, list[dict[str, Any]]], first: Any, second: Any, limits: list[dict[str, Any]]
) -> None:
    rules = [{"name": "one", **first}, {"name": "two", **second}]
    plan, table = concatenated(rules, world)
    plan["conflation"]["limits"] = limits
    mine_plan, its_plan = project(rules, limits=limits), Project.model_validate(plan)
    assert mine_plan.conflation is not None
    assert its_plan.conflation is not None
    with DuckDBEngine(threads=1) as engine, DuckDBEngine(threads=1) as other:
        reports = run(engine, mine_plan, tables(world))
        alone = run(other, its_plan, {"all.Records": table})
        for mine, its in zip(reports, alone, strict=True):
            assert (mine.shape, mine.candidates, mine.links) == (its.shape, its.candidates, its.links)
            if mine.shape == "star":
                assert components(links(engine, mine.rule)) == components(links(other, its.rule))
                assert shared(engine, mine.rule) == shared(other, its.rule)
            else:
                assert links(engine, mine.rule) == links(other, its.rule)
        found = cluster(engine, mine_plan.conflation)
        assert found.clusters == cluster(other, its_plan.conflation).clusters
        said = Query("SELECT rid, cluster FROM clusters ORDER BY rid")
        assert engine.fetch(said).to_pylist() == other.fetch(said).to_pylist()
