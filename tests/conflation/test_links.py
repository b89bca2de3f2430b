"""Rules against a naive evaluator that compares every pair of rows: same links, same scores, same order of rules."""

from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.binding import bind
from unify.conflation.links import make_links
from unify.conflation.normalize import Lists
from unify.conflation.overrides import resolve_overrides
from unify.conflation.prepare import prepare
from unify.core.errors import OverloadError
from unify.core.progress import silent
from unify.core.reports import RuleReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project

_spec = spec_from_file_location("oracle_rules", Path(__file__).parents[1] / "oracles" / "rules.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

SCHEMA = pa.schema(
    [("Id", pa.string()), ("Mail", pa.string()), ("Name", pa.string()), ("Phone", pa.string()), ("Mobile", pa.string()),
     ("Born", pa.date32()), ("Size", pa.int64())]
)  # fmt: skip
OVERRIDES = pa.schema([(c, pa.string()) for c in ("list", "kind", "entity1", "key1", "entity2", "key2")])

MAILS = st.sampled_from([None, "", "a@x", "A@x", "b@x", "c@x"])
NAMES = st.sampled_from([None, "anna", "anne", "ana", "bert", "berta", "Ånna", "o"])
PHONES = st.sampled_from([None, "1", "2", "3", "4"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {"Mail": MAILS, "Name": NAMES, "Phone": PHONES, "Mobile": PHONES,
         "Born": st.sampled_from([None, date(2000, 1, 2), date(2000, 1, 4), date(1990, 5, 5)]),
         "Size": st.sampled_from([None, 1, 2, 5])}
    ),
    max_size=9,
)  # fmt: skip

CRITERIA: list[dict[str, Any]] = [
    {"field": "Mail"},
    {"field": "Mail", "normalize": ["lower"]},
    {"fields": ["Phone", "Mobile"]},
    {"left": "Phone", "right": "Mobile"},
    {"field": "Name", "precision": 75},
    {"field": "Name", "compare": "jaro_winkler", "precision": 90},
    {"field": "Name", "compare": "prefix", "within": 2},
    {"fields": ["Name", "Mail"], "precision": 60},
    {"field": "Born", "compare": "date", "within": 3},
    {"field": "Size", "compare": "number", "within": 1},
    {"field": "Born"},
]
VETOES: list[dict[str, Any]] = [
    {"field": "Born", "differs": True},
    {"field": "Name", "precision": 60, "differs": True},
    {"fields": ["Phone", "Mobile"]},
    {"all": [{"field": "Size", "differs": True}, {"field": "Mail", "differs": True}]},
]
RULES = st.builds(
    lambda when, unless: {"when": when, "unless": unless},
    st.lists(st.sampled_from(CRITERIA), min_size=1, max_size=3, unique_by=str),
    st.lists(st.sampled_from(VETOES), max_size=2, unique_by=str),
)


def project(dedupe: list[dict[str, Any]], match: list[dict[str, Any]], **plan: Any) -> Project:
    return Project.model_validate(
        {
            "sources": {"s": {"Upper": {"key": "Id"}, "Lower": {"key": "Id"}}},
            "conflation": {
                "order": ["s.Upper", "s.Lower"],
                "dedupe": {"s.Upper": {"rules": dedupe, "default_rule": False}, "s.Lower": {"default_rule": False}},
                "match": [{"left": "s.Lower", "right": "s.Upper", "rules": match}] if match else [],
                **plan,
            },
        }
    )


def rows_table(rows: list[dict[str, Any]], prefix: str) -> pa.Table:
    return pa.Table.from_pylist([{"Id": f"{prefix}{i:03}", **row} for i, row in enumerate(rows)], SCHEMA)


def run(
    engine: DuckDBEngine, p: Project, upper: list[dict[str, Any]], lower: list[dict[str, Any]],
    overrides: list[tuple[str, ...]] = (),  # type: ignore[assignment]
) -> list[RuleReport]:  # fmt: skip
    engine.load("s_Upper", rows_table(upper, "U"))
    engine.load("s_Lower", rows_table(lower, "L"))
    engine.load(
        "overrides", pa.Table.from_pylist([dict(zip(OVERRIDES.names, o, strict=True)) for o in overrides], OVERRIDES)
    )
    assert p.conflation is not None
    bound = bind(engine, p, Lists())
    prepare(engine, p, p.conflation, bound.prepared)
    resolve_overrides(engine, p, p.conflation)
    return make_links(engine, p.conflation, bound, silent)


def links(engine: DuckDBEngine) -> dict[int, dict[tuple[int, int], float]]:
    found: dict[int, dict[tuple[int, int], float]] = {}
    for row in engine.fetch(Query("SELECT a, b, rule, score FROM links ORDER BY ALL")).to_pylist():
        assert row["a"] < row["b"]
        assert (row["a"], row["b"]) not in found.setdefault(row["rule"], {})
        found[row["rule"]][row["a"], row["b"]] = row["score"]
    return found


def expand(engine: DuckDBEngine, rule: int) -> set[tuple[int, int]]:
    """The pairs a star rule stands for."""
    found: set[tuple[int, int]] = set()
    groups: dict[int, dict[int | None, list[int]]] = {}
    for r in engine.fetch(
        Query("SELECT key_group, side, rid FROM stars WHERE rule = $rule", {"rule": rule})
    ).to_pylist():
        groups.setdefault(r["key_group"], {}).setdefault(r["side"], []).append(r["rid"])
    for sides in groups.values():
        if None in sides:
            found |= {(min(x, y), max(x, y)) for x in sides[None] for y in sides[None] if x != y}
        else:
            found |= {(min(x, y), max(x, y)) for x in sides.get(0, []) for y in sides.get(1, [])}
    return found


def components(pairs: set[tuple[int, int]]) -> set[frozenset[int]]:
    return {frozenset(c) for c in nx.connected_components(nx.Graph(sorted(pairs)))}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(upper=ROWS, lower=ROWS, dedupe=RULES, first=RULES, second=RULES)
def test_links_are_those_of_every_pair_compared(
    upper: list[dict[str, Any]], lower: list[dict[str, Any]], dedupe: Any, first: Any, second: Any
) -> None:
    p = project([{"name": "d", **dedupe}], [{"name": "one", **first}, {"name": "two", **second}])
    assert p.conflation is not None
    with DuckDBEngine(threads=1) as engine:
        reports = run(engine, p, upper, lower)
        found = links(engine)
        naive_dedupe = oracle.dedupe_pairs(upper, p.conflation.dedupe["s.Upper"].rules[0])
        check(engine, reports[0], found.get(1, {}), naive_dedupe)
        naive = oracle.match_pairs(lower, upper, list(p.conflation.match[0].rules))
        for n, report in enumerate(reports[1:]):
            pairs = {(j, i + len(upper)): None for i, j in naive[n]}
            check(engine, report, found.get(n + 2, {}), pairs)


def check(
    engine: DuckDBEngine, report: RuleReport, found: dict[tuple[int, int], float], naive: dict[tuple[int, int], Any]
) -> None:
    if report.shape == "star":
        assert expand(engine, report.rule) == set(naive)
        assert components(set(found)) == components(set(naive))
        assert set(found) <= set(naive), "a star link is a pair that the rule really links"
        assert report.candidates >= len(naive)
    else:
        assert set(found) == set(naive)
        for pair, score in naive.items():
            if score is not None and report.shape == "join" and "tolerance" not in report.sentence:
                assert 0 < found[pair] <= 1


@pytest.fixture
def engine() -> Any:
    with DuckDBEngine(threads=1) as engine:
        yield engine


def same(n: int, **values: Any) -> list[dict[str, Any]]:
    return [dict(values) for _ in range(n)]


def test_a_star_needs_one_link_less_than_records(engine: DuckDBEngine) -> None:
    [report] = run(engine, project([{"name": "mail", "when": [{"field": "Mail"}]}], []), same(50, Mail="a@x"), [])
    assert (report.shape, report.links, report.candidates) == ("star", 49, 50 * 49 // 2)


def test_a_value_that_too_many_share_is_no_evidence_and_is_named(engine: DuckDBEngine) -> None:
    p = project([{"name": "mail", "when": [{"field": "Mail"}]}], [], max_shared=10)
    rows = same(11, Mail="noreply@x") + same(2, Mail="a@x")
    [report] = run(engine, p, rows, [])
    assert (report.links, report.ignored) == (1, 1)
    ignored = engine.fetch(Query("FROM ignored")).to_pylist()
    assert [(r["value"], r["records"], r["pairs"]) for r in ignored] == [("noreply@x", 11, 55)]
    assert "more than 10 records" in ignored[0]["reason"]


def test_a_shared_value_still_helps_where_a_fuzzy_condition_decides(engine: DuckDBEngine) -> None:
    p = project([{"name": "both", "when": [{"field": "Mail"}, {"field": "Name", "precision": 80}]}], [], max_shared=5)
    rows = [
        {"Mail": "noreply@x", "Name": name} for name in ("anna", "annaa", "bert", "carlo", "dora", "emil", "frieda")
    ]
    [report] = run(engine, p, rows, [])
    assert (report.links, report.ignored) == (1, 0)


def test_a_rule_above_its_budget_is_refused_with_the_value_that_causes_it(engine: DuckDBEngine) -> None:
    rule = {"name": "both", "when": [{"field": "Mail"}, {"field": "Name", "precision": 80}]}
    p = project([rule], [], max_pairs=50, overload="refuse")
    with pytest.raises(OverloadError, match=r"rule 'both': would compare 66 pairs.*'noreply@x' alone is on 12 records"):
        run(engine, p, same(12, Mail="noreply@x", Name="n"), [])


def test_a_rule_above_its_budget_leaves_out_its_largest_groups(engine: DuckDBEngine) -> None:
    rule = {"name": "both", "when": [{"field": "Mail"}, {"field": "Name", "precision": 80}]}
    p = project([rule], [], max_pairs=20)
    [report] = run(engine, p, same(12, Mail="noreply@x", Name="n") + same(4, Mail="a@x", Name="n"), [])
    assert (report.links, report.candidates, report.ignored) == (6, 6, 1)
    assert engine.fetch(Query("SELECT value FROM ignored")).to_pylist() == [{"value": "noreply@x"}]


def test_similar_values_on_many_records_are_counted_before_they_are_joined(engine: DuckDBEngine) -> None:
    rule = {"name": "name", "when": [{"field": "Name", "precision": 80}]}
    p = project([rule], [], max_pairs=100)
    [report] = run(engine, p, same(20, Name="maria") + same(3, Name="johan") + same(1, Name="johann"), [])
    assert report.shape == "similarity"
    assert report.links == 6, "the johans; the marias alone would be 190 pairs"
    assert report.ignored == 1


def test_overrides_become_links_and_never_pairs(engine: DuckDBEngine) -> None:
    p = project([{"name": "mail", "when": [{"field": "Mail"}]}], [])
    overrides = [
        ("o", "always", "s.Upper", "U000", "s.Lower", "L000"),
        ("o", "never", "s_Upper", "U000", "s_Upper", "U001"),
        ("o", "always", "s.Upper", "U999", "s.Lower", "L000"),
    ]
    run(engine, p, same(2, Mail="a@x"), same(1, Mail="b@x"), overrides)
    assert links(engine)[0] == {(0, 2): 1.0}
    assert engine.fetch(Query("FROM never")).to_pylist() == [{"a": 0, "b": 1}]


def test_the_default_dedupe_rule_joins_rows_that_are_equal_in_all_matched_columns(engine: DuckDBEngine) -> None:
    p = Project.model_validate(
        {
            "sources": {"s": {"Upper": {"key": "Id"}, "Lower": {"key": "Id"}}},
            "conflation": {
                "order": ["s.Upper", "s.Lower"],
                "match": {
                    "s.Lower -> s.Upper": [
                        {"name": "m", "when": [{"field": "Mail"}, {"field": "Name", "precision": 80}]}
                    ]
                },
            },
        }
    )
    upper = [
        {"Mail": "a", "Name": "x"},
        {"Mail": "a", "Name": "x"},
        {"Mail": "a", "Name": "y"},
        {"Mail": "a", "Name": None},
    ]
    reports = run(engine, p, upper, [])
    assert [r.name for r in reports] == ["equal in every matched column"] * 2 + ["m"]
    assert set(links(engine)[1]) == {(0, 1)}
