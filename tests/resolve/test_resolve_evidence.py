"""Scored rules in a resolution: the groups that the run makes with the model that it wrote down."""

import random
from collections.abc import Iterator
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from unify.conflation.evidence import run as evidence_run
from unify.conflation.evidence.stored import Stored, stored
from unify.engines.duckdb import DuckDBEngine
from unify.resolve.resolver import Resolver
from unify.spec import Project

_spec = spec_from_file_location("oracle_upserts_scored", Path(__file__).parents[1] / "oracles" / "upserts.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

SCHEMA = pa.schema(
    [("Id", pa.string()), *((c, pa.string()) for c in ("First", "Last", "Mail", "City")), ("Born", pa.date32())]
)
FIRST = ["ada", "bert", "carla", "dora", "emil", "frieda", "gustav", "hanna", "igor", "jana", "karl", "lena"]
LAST = ["okafor", "smith", "lambourne", "montague", "appleby", "fairweather", "quill", "thorne", "winter", "young"]
PLAN = {
    "sources": {"s": {"A": {"key": "Id"}, "B": {"key": "Id"}}},
    "conflation": {
        "order": ["s.A", "s.B"],
        "dedupe": {"s.A": [{"name": "evidence", "score": ["First", "Last", "Mail", "City", "Born"]}]},
        "match": {
            "s.B -> s.A": [
                {"name": "mail", "when": [{"field": "Mail"}, {"field": "First"}]},
                {"name": "rest", "score": ["First", "Last", "City", "Born"],
                 "unless": [{"field": "Born", "differs": True}]},
            ]
        },
        "limits": [{"max_records": 6}],
    },
}  # fmt: skip


def mistyped(text: str, dice: random.Random) -> str:
    """One letter exchanged, now and then."""
    if dice.random() > 0.25 or len(text) < 4:
        return text
    at = dice.randrange(len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def record_of(person: dict[str, Any], key: str, dice: random.Random) -> dict[str, Any]:
    record = {c: mistyped(person[c], dice) for c in ("First", "Last", "Mail", "City")} | {"Born": person["Born"]}
    for column in ("Mail", "City", "Born"):
        if dice.random() < 0.2:
            record[column] = None
    return {"Id": key, **record}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, list[dict[str, Any]]]:
    dice = random.Random(11)
    people = []
    for number in range(70):
        first, last = dice.choice(FIRST), dice.choice(LAST)
        born = date(1950 + dice.randrange(50), 1 + dice.randrange(12), 1 + dice.randrange(28))
        mail = f"{first}.{last}{number}@x.example"
        people.append({"First": first, "Last": last, "Mail": mail, "City": dice.choice(["bern", "rom"]), "Born": born})
    rows: dict[str, list[dict[str, Any]]] = {"s.A": [], "s.B": []}
    for person in people:
        for _ in range(dice.choice([1, 1, 2, 3])):
            rows["s.A"].append(record_of(person, f"a{len(rows['s.A']):03}", dice))
        if dice.random() < 0.6:
            rows["s.B"].append(record_of(person, f"b{len(rows['s.B']):03}", dice))
    made = oracle.World(Project.model_validate(PLAN), SCHEMA, rows)
    path = tmp_path_factory.mktemp("scored") / "generation.duckdb"
    made.publish(path)
    return made, path, people


@pytest.fixture(scope="module")
def resolver(world: Any) -> Iterator[Resolver]:
    made, path, _ = world
    with Resolver(DuckDBEngine.reading(path, sealed=False), made.project, 1, (), lambda: None) as opened:
        yield opened


def test_a_record_as_it_is_changes_nothing(world: Any, resolver: Resolver) -> None:
    made, _, _ = world
    seen = set()
    for entity, rows in made.rows.items():
        for found in resolver.resolve_all(entity, rows):
            assert (found.verdict, found.customer, found.changes) == ("joins", found.was, []), found
            seen |= {match.name for match in found.matches}
    assert seen == {"evidence", "mail", "rest"}


def test_new_records_join_as_in_a_run_with_the_same_model(
    world: Any, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, path, people = world
    with DuckDBEngine.reading(path) as engine:
        learned: dict[int, Stored | None] = {n: stored(engine, n) for n in (1, 4)}

    def as_learned(runner: Any) -> Stored:
        found = learned[runner.n]
        assert found is not None
        return found

    def links(self: Any, found: Any, _: Any) -> int:
        known = as_learned(self)
        self.values = known.at_large(self.values)
        return int(plain(self, found, known.model))

    plain = evidence_run.EvidenceRunner._links
    monkeypatch.setattr(evidence_run.EvidenceRunner, "_links", links)
    dice = random.Random(5)
    verdicts = set()
    for number in range(5):
        entity = dice.choice(["s.A", "s.A", "s.B"])
        key = f"x{number}" if number % 3 else made.rows[entity][number]["Id"]
        record = record_of(dice.choice(people), key, dice)
        found = resolver.resolve(entity, record)
        members, changes = made.upserted(path, entity, record)
        mine = members[entity, key]
        created = {c["CustomerId"] for c in changes if c["change"] in ("created", "split")}
        assert (found.customer or found.verdict) == ("new" if mine in created else mine), (record, found)
        assert set(found.retired) == {
            c["other"] for c in changes if c["change"] == "merged" and c["CustomerId"] == mine
        }
        verdicts.add(found.verdict)
    assert len(verdicts) > 1


def test_why_shows_the_waterfall(world: Any, resolver: Resolver) -> None:
    _, _, people = world
    record = record_of(people[0], "new", random.Random(1))
    found = resolver.resolve("s.A", record | {"City": None})
    checks = [m.check for m in found.matches if m.check is not None and m.name == "evidence"]
    assert checks
    evidence = checks[0].evidence
    assert evidence is not None
    assert evidence.joined
    assert [part.name for part in evidence.parts] == ["First", "Last", "Mail", "City", "Born"]
    assert evidence.parts[3].level == "no value"
    assert abs(evidence.prior + sum(part.bits for part in evidence.parts) - evidence.total) < 1e-9
