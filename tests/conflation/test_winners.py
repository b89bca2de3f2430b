"""Who stands for a dedupe group."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

from unify.conflation.winners import winner_steps
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project

CONTACTS = [
    # rid, Id, Name, City, Changed, Points
    (0, 7, "Ann", "Bonn", "2024-01-01", 5),
    (1, 8, "Ann", None, "2024-03-01", None),
    (2, 9, "", "Bonn", None, 7),
    (3, 10, "Bob", "Ulm", "2024-02-01", 5),
]
GROUPS = [(0, 0), (1, 0), (2, 0), (3, 3)]


@pytest.fixture
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as made:
        yield made


def project_of(winner: str | None) -> Project:
    dedupe: dict[str, Any] = {"rules": [{"name": "n", "when": [{"field": "Name"}]}]}
    if winner:
        dedupe["winner"] = winner
    return Project.model_validate(
        {
            "sources": {"crm": {"Contacts": {"key": "Id"}}, "web": {"Users": {"key": "Mail"}}},
            "conflation": {"order": ["crm.Contacts", "web.Users"], "dedupe": {"crm.Contacts": dedupe}},
        }
    )


def winners(
    engine: DuckDBEngine, winner: str | None, rows: list[tuple[Any, ...]] = CONTACTS, groups: Any = GROUPS
) -> dict[int, int]:
    execute = engine.connection.execute
    execute(
        "CREATE OR REPLACE TABLE crm_Contacts (Id BIGINT, Name VARCHAR, City VARCHAR, Changed DATE, Points INTEGER)"
    )
    execute("CREATE OR REPLACE TABLE web_Users (Mail VARCHAR, Nick VARCHAR)")
    execute("CREATE OR REPLACE TEMP TABLE records (rid INTEGER, entity VARCHAR, entity_no UTINYINT, key VARCHAR)")
    execute("CREATE OR REPLACE TEMP TABLE dedupe_groups (rid INTEGER, grp INTEGER)")
    for rid, *values in rows:
        execute("INSERT INTO crm_Contacts VALUES (?, ?, ?, ?, ?)", values)
        execute("INSERT INTO records VALUES (?, 'crm.Contacts', 0, ?)", [rid, str(values[0])])
    for rid, mail, nick in ((4, "7", None), (5, "b", "B")):
        execute("INSERT INTO web_Users VALUES (?, ?)", [mail, nick])
        execute("INSERT INTO records VALUES (?, 'web.Users', 1, ?)", [rid, mail])
    for row in [*groups, (4, 4), (5, 4)]:
        execute("INSERT INTO dedupe_groups VALUES (?, ?)", row)
    project = project_of(winner)
    assert project.conflation
    for step in winner_steps(engine, project, project.conflation):
        engine.build(step)
    found = engine.fetch(Query("SELECT rid, winner FROM winners")).to_pylist()
    assert len(found) == len({row["rid"] for row in found})
    return {row["rid"]: row["winner"] for row in found}


@pytest.mark.parametrize(
    ("preference", "winner"),
    [
        (None, 0),
        ("most filled", 0),
        ("most recent by Changed", 1),
        ("least recent by Changed", 0),
        ("most recent by Points", 2),
        ("least recent by Points", 0),
    ],
)
def test_the_preference_decides_for_any_row_order(engine: DuckDBEngine, preference: str | None, winner: int) -> None:
    for rows in list(permutations(CONTACTS))[::5]:
        found = winners(engine, preference, list(rows))
        assert found == {0: winner, 1: winner, 2: winner, 4: 5, 5: 5}


def test_singles_have_no_row_and_entities_do_not_mix(engine: DuckDBEngine) -> None:
    """Key 7 is a contact and a user; record 3 is alone in its group."""
    assert set(winners(engine, None)) == {0, 1, 2, 4, 5}


@pytest.mark.parametrize("preference", ["most filled", "most recent by Changed", "least recent by Points"])
def test_a_tie_goes_to_the_larger_key(engine: DuckDBEngine, preference: str) -> None:
    alike = [(rid, rid + 7, "Ann", "Bonn", "2024-01-01", 5) for rid in range(4)]
    everybody = [(rid, 0) for rid in range(4)]
    for rows in (alike, alike[::-1]):
        assert winners(engine, preference, rows, everybody)[0] == 3


def test_without_a_value_nobody_is_recent(engine: DuckDBEngine) -> None:
    nulls = [(0, 7, "A", None, "2020-01-01", None), (1, 8, "A", None, None, None)]
    for preference in ("most recent by Changed", "least recent by Changed"):
        assert winners(engine, preference, nulls, [(0, 0), (1, 0)])[1] == 0


@pytest.mark.parametrize(
    ("preference", "says"),
    [
        ("importance", "importance ranks entities"),
        ("most recent by Chnged", "did you mean Changed"),
        ("most recent by City", "City is VARCHAR: it does not say how recent"),
    ],
)
def test_a_preference_that_cannot_be_followed(engine: DuckDBEngine, preference: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        winners(engine, preference)
