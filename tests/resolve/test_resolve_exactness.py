"""Resolving a record gives what a run with that record gives: random plans, records, limits, lists, updates."""

from collections.abc import Iterator
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.core.resolutions import Resolution
from unify.engines.duckdb import DuckDBEngine
from unify.resolve.resolver import Resolver
from unify.spec import Project

_spec = spec_from_file_location("oracle_upserts", Path(__file__).parents[1] / "oracles" / "upserts.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

SCHEMA = pa.schema(
    [("Id", pa.string()), ("Mail", pa.string()), ("Name", pa.string()), ("Phone", pa.string()), ("Mobile", pa.string()),
     ("Born", pa.date32()), ("Size", pa.int64())]
)  # fmt: skip
MAILS = st.sampled_from([None, None, "a@x", "A@x", "b@x", "c@x"])
NAMES = st.sampled_from([None, "anna", "anne", "bert", "berta", "Ånna", "Åna"])
PHONES = st.sampled_from([None, None, "1", "2", "3"])
RECORD = st.fixed_dictionaries(
    {"Mail": MAILS, "Name": NAMES, "Phone": PHONES, "Mobile": PHONES,
     "Born": st.sampled_from([None, date(2000, 1, 2), date(2000, 2, 1), date(1990, 5, 5)]),
     "Size": st.sampled_from([None, 1, 2, 5])}
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
    {"field": "Born", "compare": "date", "within": 40},
    {"field": "Size", "compare": "number", "within": 1},
    {"field": "Born"},
]
VETOES: list[dict[str, Any]] = [
    {"field": "Born", "differs": True},
    {"field": "Name", "precision": 60, "differs": True},
    {"fields": ["Phone", "Mobile"]},
    {"all": [{"field": "Size", "differs": True}, {"field": "Mail", "differs": True}]},
]
RULE = st.builds(
    lambda when, unless: {"when": when, "unless": unless},
    st.lists(st.sampled_from(CRITERIA), min_size=1, max_size=2, unique_by=str),
    st.lists(st.sampled_from(VETOES), max_size=1, unique_by=str),
)
SIDELESS = RULE.filter(lambda rule: all("left" not in c for c in rule["when"]))
LIMITS: list[dict[str, Any]] = [
    {"at_most_one": "s.B"}, {"at_most_one": "s.A"}, {"never_two": "Born"}, {"max_records": 3},
    {"never_two": "Mail", "normalize": ["lower"]},
]  # fmt: skip
ENTITIES = ("s.A", "s.B", "s.C")
NAMED = st.tuples(st.sampled_from(ENTITIES), st.integers(0, 4))
"""A record by entity and number, there or not."""


def rules(found: list[dict[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """Rules with names, no two alike."""
    distinct = {str(rule): rule for rule in found}
    return [{"name": f"{prefix}{i}", **rule} for i, rule in enumerate(distinct.values())]


@st.composite
def projects(draw: st.DrawFn) -> Project:
    dedupe = {e: {"rules": rules(draw(st.lists(RULE, max_size=2)), "d"), "default_rule": False} for e in ENTITIES}
    match = {
        f"{low} -> {up}": rules(draw(st.lists(RULE, min_size=1, max_size=3)), "m")
        for low, up in (("s.B", "s.A"), ("s.C", "s.A"), ("s.C", "s.B"))
        if draw(st.booleans())
    }
    common = rules(draw(st.lists(SIDELESS, max_size=1)), "c") if draw(st.integers(0, 2)) == 0 else []
    if not match and not common:
        match = {"s.B -> s.A": rules([draw(RULE)], "m")}
    order = [{"entity": e, "include_all": draw(st.integers(0, 5)) > 0} for e in ENTITIES]
    return Project.model_validate({
        "sources": {"s": {name: {"key": "Id"} for name in ("A", "B", "C")}},
        "conflation": {
            "order": order, "dedupe": dedupe, "match": match, **({"rules": common} if common else {}),
            "limits": draw(st.lists(st.sampled_from(LIMITS), max_size=2, unique_by=str)),
            "clustering": draw(st.sampled_from(["components", "components", "anchored"])),
            "max_shared": draw(st.sampled_from([2, 3, 100])),
        },
    })  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> Any:
    project = draw(projects())
    rows = {e: [{"Id": f"{i}", **r} for i, r in enumerate(draw(st.lists(RECORD, max_size=5)))] for e in ENTITIES}
    assert project.conflation is not None
    entries = []
    for kind, (e1, n1), (e2, n2) in draw(
        st.lists(st.tuples(st.sampled_from(["always", "never"]), NAMED, NAMED), max_size=2)
    ):
        fits = kind == "never" or e1 != e2 or project.conflation.dedupe[e1].rules
        if (e1, n1) != (e2, n2) and fits and {kind} >= {entry[0] for entry in entries}:  # none contradicts another
            entries.append((kind, kind, e1, f"{n1}", e2, f"{n2}"))
    return oracle.World(project, SCHEMA, rows, entries)


QUESTIONS = st.lists(st.tuples(NAMED, RECORD), min_size=8, max_size=20)
"""Numbers below the count of an entity's rows replace one; others are new, the last ones or not."""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def resolver(world: Any, path: Path) -> Resolver:
    path.unlink(missing_ok=True)
    world.publish(path)
    return Resolver(DuckDBEngine.reading(path, sealed=False), world.project, 1, (), lambda: None)


def check(
    before: dict[Any, str],
    entity: str,
    record: dict[str, Any],
    found: Resolution,
    ran: tuple[dict[Any, str], list[dict[str, Any]]],
) -> None:
    members, changes = ran
    was, others = before, {r: c for r, c in members.items() if r != (entity, record["Id"])}
    heirs = {c["other"]: c["CustomerId"] for c in changes if c["change"] == "merged"}
    moved = {r for r, c in others.items() if heirs.get(was.get(r), was.get(r)) != c}
    assert {c.other for c in found.changes if c.change == "moved"} == {f"{e}:{k}" for e, k in moved}
    lost = {r for r in was if r != (entity, record["Id"]) and r not in members}
    assert {c.other for c in found.changes if c.change == "dropped"} == {f"{e}:{k}" for e, k in lost}
    mine = members.get((entity, record["Id"]))
    created = {c["CustomerId"] for c in changes if c["change"] in ("created", "split")}
    expected = "none" if mine is None else "new" if mine in created else mine
    said = found.customer or found.verdict
    assert said == expected, (entity, record, changes, found)
    merged = {c["other"] for c in changes if c["change"] == "merged" and c["CustomerId"] == mine}
    assert set(found.retired) == merged
    assert (found.verdict == "merges") == bool(merged and mine)
    retired = {c["CustomerId"] for c in changes if c["change"] == "retired"}
    assert {c.other for c in found.changes if c.change == "retired"} == retired
    together = {f"{e}:{k}" for (e, k), customer in members.items() if customer == mine and mine is not None}
    if mine is not None:
        assert {m.record for m in found.matches} <= together


def hold(folder: Path, world: Any, asked: Any, run_too: int) -> None:
    """Every answer against a naive evaluation of the plan; one of them against the run itself, which costs a second."""
    path = folder / "generation.duckdb"
    with resolver(world, path) as opened:
        before = world.members()
        for place, ((entity, number), values) in enumerate(asked):
            record = {"Id": f"{number}", **values}
            found = opened.resolve(entity, record)
            told = world.told(entity, record)
            if run_too == place:
                ran = world.upserted(path, entity, record)
                assert ran[0] == told[0]
                check(before, entity, record, found, ran)
            check(before, entity, record, found, told)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds(), asked=QUESTIONS, run_too=st.integers(0, 15))
def test_resolving_is_running(folder: Path, world: Any, asked: Any, run_too: int) -> None:
    hold(folder, world, asked, run_too)


@pytest.mark.soak
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(world=worlds(), asked=QUESTIONS, run_too=st.integers(0, 5))
def test_resolving_is_running_at_length(folder: Path, world: Any, asked: Any, run_too: int) -> None:
    hold(folder, world, asked, run_too)
