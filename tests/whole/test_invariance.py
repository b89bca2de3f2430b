"""What must not matter does not, and what happens to ids is what docs/customer-id.md promises."""

import csv
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import whole_jobs as jobs
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from unify.core.errors import QueryError
from unify.instance import Instance

SAMPLE = Path(__file__).parents[2] / "sample_data"
SHUFFLED_TABLES = ("Customer", "members", "records", "links", "cuts", "ignored", "customer_ids", "customer_sources",
                   "customer_changes", "crm_Contacts", "Deduplication_crm_Contacts")  # fmt: skip


def seen(acme: Instance, tables: tuple[str, ...] = SHUFFLED_TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """Tables as sorted rows."""
    with acme.connect() as connection:
        return {table: connection.execute(f'FROM "{table}" ORDER BY ALL').fetchall() for table in tables}


# ── the order of rows and files ─────────────────────────────────────────────────────────────────────────────────────


def as_lists(rows: list[dict[str, object]]) -> list[list[str]]:
    return [[str(row[name]) for name in rows[0]] for row in rows]


@pytest.fixture(scope="module")
def in_order(template: Path) -> dict[str, list[tuple[Any, ...]]]:
    with unify.open(template.parent / "in-order", create=True) as acme:
        jobs.write_sources(template, 3)
        acme.run(template / "project.yaml", threads=1)
        return seen(acme)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dice=st.randoms(use_true_random=False), files=st.integers(1, 4))
def test_rows_and_files_in_any_order(
    in_order: dict[str, list[tuple[Any, ...]]],
    tmp_path_factory: pytest.TempPathFactory,
    dice: random.Random,
    files: int,
) -> None:
    """Rows shuffled and dealt out to several files whose names sort in any order: not a byte changes."""
    root = tmp_path_factory.mktemp("shuffled")
    project = yaml.safe_load(jobs.PROJECT)
    for source, entity, rows in zip(("crm", "loyalty"), ("Contacts", "Members"), jobs.rows_of_day(3), strict=True):
        project["sources"][source][entity]["files"] = f"{source}*.csv"
        shuffled = dice.sample(rows, len(rows))
        for n in range(files):
            with (root / f"{source}-{dice.randrange(10**6)}-{n}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(shuffled[n::files])
    with unify.open(root / "acme", create=True) as acme:
        acme.run(project, base=root)
        assert seen(acme) == in_order
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, with an instance that has run it."""
    root = Path(shutil.copytree(SAMPLE, tmp_path_factory.mktemp("whole-sample") / "sample"))
    with unify.open(root / "acme", create=True) as acme:
        acme.run(root / "project.yaml")
    return root


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)])
def test_the_sample_in_any_order(sample: Path, tmp_path: Path, seed: int) -> None:
    """Whole lines of the sample's files, broken ones and duplicates included, in another order."""
    root = Path(shutil.copytree(SAMPLE, tmp_path / "sample"))
    for path in [*root.glob("output/*/*.csv"), *root.glob("output/*/*.jsonl")]:
        shuffle_lines(path, random.Random(f"{seed}/{path.name}"), header=path.suffix == ".csv")
    tables = (*SHUFFLED_TABLES, "loyalty_Members", "web_SignUps", "pos_Purchases")
    with unify.open(sample / "acme") as before, unify.open(tmp_path / "acme", create=True) as acme:
        acme.run(root / "project.yaml")
        assert seen(acme, tables) == seen(before, tables)
        for entity in before.entities():
            corrupt = 'SELECT reason, "column", count(*) AS n FROM {}_corrupt GROUP BY ALL ORDER BY ALL'
            query = corrupt.format(entity.replace(".", "_"))
            assert acme.sql(query).rows() == before.sql(query).rows()


def shuffle_lines(path: Path, dice: random.Random, *, header: bool) -> None:
    """Shuffle the lines that are rows by themselves; a line with an odd quote stays where it is, with all after it."""
    lines = path.read_bytes().splitlines(keepends=True)
    head, body = lines[:header], lines[header:]
    odd = next((i for i, line in enumerate(body) if line.count(b'"') % 2), len(body)) if header else len(body)
    loose, fixed = body[:odd], body[odd:]
    dice.shuffle(loose)
    path.write_bytes(b"".join([*head, *loose, *fixed]))


# ── the same again, another rule ────────────────────────────────────────────────────────────────────────────────────


def test_the_same_again_changes_nothing(sample: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(sample, tmp_path / "sample"))
    with unify.open(root / "acme") as acme:
        before = seen(acme)
        report = acme.run(root / "project.yaml")
        assert report.changes is not None
        assert (report.changes.created, report.changes.merged, report.changes.split, report.changes.retired) == (0,) * 4
        assert report.changes.unchanged == len(acme.customers())
        assert seen(acme) == before | {"customer_changes": []}


def test_another_rule_leaves_the_others_alone(root: Path) -> None:
    """Only customers whose records changed may have another id."""
    with unify.open(root / "acme") as acme:
        acme.run(root / "project.yaml")
        before = groups(acme)
        project = yaml.safe_load(jobs.PROJECT)
        project["conflation"]["match"]["loyalty.Members -> crm.Contacts"].pop(1)
        project["conflation"].pop("limits")
        acme.conflate(project)
        after = groups(acme)
    assert before != after, "the rule must matter"
    same = {records: id_ for records, id_ in before.items() if records in after}
    assert len(same) > 20
    assert all(after[records] == id_ for records, id_ in same.items())


def groups(acme: Instance) -> dict[frozenset[str], str]:
    """Records (entity:key) of each customer to its id."""
    query = "SELECT CustomerId, list(entity || ':' || key) AS records FROM members GROUP BY ALL"
    return {frozenset(row["records"]): row["CustomerId"] for row in acme.sql(query).rows()}


# ── a history of ids ────────────────────────────────────────────────────────────────────────────────────────────────

PLAN = {
    "sources": {"crm": {"Contacts": {"key": "Id"}}},
    "conflation": {
        "order": ["crm.Contacts"],
        "dedupe": {
            "crm.Contacts": [
                {"name": "mail", "when": [{"field": "Mail"}]},
                {"name": "phone", "when": [{"field": "Phone"}]},
            ]
        },
    },
}

Run = Callable[..., dict[str, str]]


@pytest.fixture
def acme(tmp_path: Path) -> Any:
    with unify.open(tmp_path / "acme", create=True) as instance:
        yield instance


def run(acme: Instance, *rows: str) -> dict[str, str]:
    """Run on rows `Id Mail Phone` (`-` is null); key to CustomerId."""
    cells = [[None if cell == "-" else cell for cell in row.split()] for row in rows]
    names = ("Id", "Mail", "Phone")
    columns = {name: pa.array([row[i] for row in cells], pa.string()) for i, name in enumerate(names)}
    acme.run(PLAN, frames={"crm.Contacts": pa.table(columns)})
    return {row["key"]: row["CustomerId"] for row in acme.table("members").rows()}


def changes(acme: Instance) -> set[tuple[str, str, str | None]]:
    return {(row["change"], row["CustomerId"], row["other"]) for row in acme.table("customer_changes").rows()}


def previous(acme: Instance, customer: str) -> str | None:
    [row] = acme.sql("SELECT PreviousCustomerId AS p FROM Customer WHERE CustomerId = $c", {"c": customer}).rows()
    found: str | None = row["p"]
    return found


def test_merge_split_gone_and_back(acme: Instance) -> None:
    one = run(acme, "A a@x 1", "B b@x 2", "C c@x 3")
    a, b, c = one["A"], one["B"], one["C"]
    assert changes(acme) == {("created", i, None) for i in (a, b, c)}

    # a record that has A's mail and B's phone merges the two: the oldest lives on
    two = run(acme, "A a@x 1", "B b@x 2", "C c@x 3", "M a@x 2")
    assert two == {"A": a, "B": a, "M": a, "C": c}
    assert changes(acme) == {("merged", a, b)}
    assert previous(acme, a) == b
    assert acme.explain(b).summary.startswith(f"customer {a} (asked for as {b}")
    assert acme.report().changes is not None

    # without it they part again; B's old id stays retired for ever, it gets a new one
    three = run(acme, "A a@x 1", "B b@x 2", "C c@x 3")
    assert three["A"] == a
    assert three["C"] == c
    assert three["B"] not in (a, b, c)
    assert changes(acme) == {("split", three["B"], a)}
    assert previous(acme, three["B"]) == a
    assert b in (previous(acme, a) or "")

    # all records of C are gone: retired, and it resolves to nothing
    four = run(acme, "A a@x 1", "B b@x 2")
    assert four == {"A": a, "B": three["B"]}
    assert changes(acme) == {("retired", c, None)}
    with pytest.raises(QueryError, match="gone"):
        acme.explain(c)
    assert acme.report().changes.retired == 1

    # C comes back: never the same id
    five = run(acme, "A a@x 1", "B b@x 2", "C c@x 3")
    assert five["C"] not in (a, b, c, three["B"])
    assert changes(acme) == {("created", five["C"], None)}

    # everything goes, everything comes
    assert run(acme, "Z z@x 9")["Z"] not in (a, b, c, three["B"], five["C"])
    six = run(acme, "A a@x 1", "B b@x 2", "C c@x 3")
    assert not set(six.values()) & {a, b, c, three["B"], five["C"]}
    ids = acme.sql(
        "SELECT count(*) AS n, count(DISTINCT CustomerId) AS i, count(DISTINCT ordinal) AS o FROM customer_ids"
    )
    [row] = ids.rows()
    assert row["n"] == row["i"] == row["o"] == 9


def test_the_oldest_survives_whatever_its_key(acme: Instance) -> None:
    old = run(acme, "Z z@x 9")["Z"]
    run(acme, "Z z@x 9", "A a@x 1")
    assert run(acme, "Z z@x 9", "A a@x 1", "M a@x 9") == {"Z": old, "A": old, "M": old}


def test_merge_and_split_at_once(acme: Instance) -> None:
    """The larger part goes over to another customer; the rest gets a new id that remembers."""
    one = run(acme, "A a@x 1", "B a@x 2", "C a@x 3", "D d@x 4")
    a, d = one["A"], one["D"]
    two = run(acme, "A e@x 1", "B b@x 4", "C b@x 3", "D d@x 4")
    assert two["B"] == two["C"] == two["D"] == a  # the oldest of the two that claim it
    assert two["A"] not in (a, d)
    assert changes(acme) == {("merged", a, d), ("split", two["A"], a)}


def test_a_chain_of_merges_resolves_to_the_end(acme: Instance) -> None:
    one = run(acme, "A a@x 1", "B b@x 2", "C c@x 3")
    run(acme, "A a@x 1", "B b@x 2", "C b@x 3")
    run(acme, "A a@x 1", "B b@x 1", "C b@x 3")
    for record in "ABC":
        assert one["A"] in acme.explain(one[record]).summary
    assert previous(acme, one["A"]) == ";".join(sorted((one["B"], one["C"])))


def test_rollback_then_run_again(acme: Instance) -> None:
    """An id founded after the generation rolled back to is not given to another record."""
    one = run(acme, "A a@x 1")
    two = run(acme, "A a@x 1", "B b@x 2")
    acme.rollback(1)
    assert {row["key"]: row["CustomerId"] for row in acme.table("members").rows()} == one
    three = run(acme, "A a@x 1", "C c@x 3")
    assert three["A"] == one["A"]
    assert three["C"] not in two.values()
    assert acme.published().number == 3
    assert [g.number for g in acme.generations()] == [3, 2, 1]
    ordinals = acme.sql("SELECT ordinal FROM customer_ids ORDER BY 1").rows()
    assert len({row["ordinal"] for row in ordinals}) == 2
    assert run(acme, "A a@x 1", "C c@x 3") == three


def test_nothing_left(acme: Instance) -> None:
    """A source that is empty one day retires everybody; the next day is a day like any other."""
    one = run(acme, "A a@x 1", "B b@x 2")
    acme.run(PLAN, frames={"crm.Contacts": pa.table({n: pa.array([], pa.string()) for n in ("Id", "Mail", "Phone")})})
    assert len(acme.customers()) == 0
    assert changes(acme) == {("retired", i, None) for i in one.values()}
    assert len(set(run(acme, "A a@x 1").values()) | set(one.values())) == 3
