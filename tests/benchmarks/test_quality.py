"""Quality: copies that give nothing away, clusters scored as brute force says, one set from files to figures."""

import csv
import json
from itertools import combinations, pairwise

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import __main__ as command
from benchmarks import quality, sets
from benchmarks.scoring import scored
from benchmarks.sets import DataSet, Entity

SCORES = ("precision", "recall", "f1", "b3", "seconds", "peak_mib")


@pytest.fixture
def public():
    """The publishers' files; a test that needs them is skipped where they are not."""
    if not (sets.DATA / "fake_1000" / "fake_1000.csv").is_file():
        pytest.skip(f"the publishers' files are not at {sets.DATA}")
    return sets.DATA


def tiny(folder, rows, across=False):
    """A set of records (entity, person), keys numbered; nothing but the truth is written."""
    truth = folder / "truth.parquet"
    names = sorted({entity for entity, _ in rows})
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (entity VARCHAR, key VARCHAR, person BIGINT)")
        values = ", ".join(f"('{entity}', '{i}', {person})" for i, (entity, person) in enumerate(rows))
        connection.execute(f"INSERT INTO t VALUES {values}")
        connection.execute(f"COPY t TO '{truth}' (FORMAT parquet)")
    return DataSet("tiny", folder, tuple(Entity(n, f"{n}.csv", "Id") for n in names), truth, len(rows), across)


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("record", "cluster"), *rows])
    return path


records = st.lists(
    st.tuples(st.sampled_from(["a.P", "b.P"]), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(records, st.booleans())
def test_scores_are_what_all_pairs_say(tmp_path, rows, across):
    data = tiny(tmp_path, [(entity, person) for entity, person, _ in rows], across)
    clusters = write(tmp_path / "c.csv", [(f"{e}|{i}", c) for i, (e, _, c) in enumerate(rows)])
    pairs = [(x, y) for x, y in combinations(rows, 2) if not across or x[0] != y[0]]
    found = sum(x[2] == y[2] for x, y in pairs)
    true = sum(x[1] == y[1] for x, y in pairs)
    both = sum(x[1:] == y[1:] for x, y in pairs)
    got = scored(data, clusters)
    assert got["precision"] == pytest.approx(both / found if found else 1)
    assert got["recall"] == pytest.approx(both / true if true else 1)
    assert got["true_pairs"] == true
    assert got["customers"] == len({c for _, _, c in rows})


def test_a_record_left_out_is_a_customer_of_its_own(tmp_path):
    data = tiny(tmp_path, [("a.P", 1), ("a.P", 1), ("a.P", 2)])
    got = scored(data, write(tmp_path / "c.csv", [("a.P|0", "x")]))
    assert (got["left_out"], got["customers"], got["recall"], got["precision"]) == (2, 3, 0, 1)


@pytest.mark.parametrize("rows", [[("a.P|0", 1), ("a.P|0", 2)], [("a.P|0", 1), ("a.P|9", 1)], [("b.P|0", 1)]])
def test_clusters_of_other_records_and_records_in_two_are_no_answer(tmp_path, rows):
    with pytest.raises(AssertionError, match="records went in"):
        scored(tiny(tmp_path, [("a.P", 1), ("a.P", 1)]), write(tmp_path / "c.csv", rows))


COUNTS = {
    "febrl3": (5_000, 6_538), "febrl4": (10_000, 5_000), "fake_1000": (1_000, 2_031),
    "historical_50k": (50_578, 303_961), "contoso_clean": (10_002, 5_000), "contoso_dirty": (10_002, 5_000),
}  # fmt: skip
"""Records and true pairs, as the publishers' own notes count them."""


@pytest.mark.parametrize("name", sets.PUBLIC)
def test_copies_hold_every_record_and_no_word_of_the_truth(name, public, tmp_path):
    with sets.prepared(name, public) as data:
        assert (data.records, data.across) == (COUNTS[name][0], len(data.entities) == 2)
        seen = set()
        for entity in data.entities:
            with (data.folder / entity.file).open(encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file)
                assert not {"cluster", "rec_id", "unique_id", "ContactId", "LoyaltyId"} & set(rows.fieldnames)
                assert not [c for c in rows.fieldnames if c != c.strip()]
                seen |= {f"{entity.name}|{row['Id']}" for row in rows}
        assert len(seen) == data.records
        people = duckdb.sql(f"SELECT entity || '|' || key, person FROM '{data.truth}' ORDER BY 1").fetchall()
        assert {record for record, _ in people} == seen
        perfect = scored(data, write(tmp_path / "c.csv", people))
        assert (perfect["f1"], perfect["b3"], perfect["true_pairs"]) == (1, 1, COUNTS[name][1])
        assert not list(data.folder.glob("*truth*"))


def test_the_order_of_rows_tells_nothing(public):
    """In the publisher's file the records of a person stand one after another; in the copy neighbours are strangers."""
    with sets.prepared("fake_1000", public) as data:
        people = [row[0] for row in duckdb.sql(f"SELECT person FROM '{data.truth}' ORDER BY key").fetchall()]
    neighbours = sum(a == b for a, b in pairwise(people))
    assert neighbours < 20


def test_copies_are_the_same_every_time(public):
    texts = []
    for _ in range(2):
        with sets.prepared("contoso_dirty", public) as data:
            texts.append([(data.folder / entity.file).read_bytes() for entity in data.entities])
            assert data.folder.exists()
    assert texts[0] == texts[1]
    assert not data.folder.exists()


def test_dirty_contoso_shows_three_columns(public):
    with sets.prepared("contoso_dirty", public) as data:
        for entity in data.entities:
            head = (data.folder / entity.file).read_text().splitlines()[0].split(",")
            assert sorted(head) == sorted(["Id", *("FullName", "Telephone", "DateOfBirth")])


def test_the_bare_project_says_files_and_keys_and_nothing_else(tmp_path):
    data = tiny(tmp_path, [("a.P", 1), ("b.P", 1)])
    assert data.bare_project() == {
        "name": "measured",
        "instance": "instance",
        "sources": {"a": {"P": {"files": "a.P.csv", "key": "Id"}}, "b": {"P": {"files": "b.P.csv", "key": "Id"}}},
    }


def test_a_small_set_from_files_to_figures(public, capsys):
    """fake_1000: what the command prints has the promised figures, and ours is ahead of the best peer, 0.946."""
    assert command.main(["quality", "--only", "fake_1000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["fake_1000"]
    assert "failed" not in found, found
    assert all(name in found for name in SCORES)
    assert found["f1"] >= 0.95
    assert found["precision"] >= 0.99
    assert (found["records"], found["true_pairs"], found["left_out"]) == (1_000, 2_031, 0)
    assert 0 < found["suggest_seconds"] + found["run_seconds"] <= found["seconds"]
    assert 0 < found["suggest_peak_mib"] <= found["peak_mib"]
    assert found["rules"]


def test_unknown_sets_and_missing_files_are_refused(tmp_path, capsys):
    assert command.main(["quality", "--only", "febrl5"]) == 2
    assert "there is no data set 'febrl5'" in capsys.readouterr().err
    assert command.main(["quality", "--only", "febrl3", "--data", str(tmp_path)]) == 2
    assert "dataset3.csv" in capsys.readouterr().err
    assert command.main(["quality", "--only", "messy", "--records", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err


def test_messy_is_measured_only_when_asked_for():
    assert quality.chosen([], None) == sets.PUBLIC
    assert quality.chosen([], 1_000) == (*sets.PUBLIC, "messy")
    assert quality.chosen(["messy"], None) == ("messy",)


def test_a_run_that_fails_is_a_row_that_says_so(tmp_path):
    data = tiny(tmp_path, [("a.P", 1)])  # its file was never written
    found = quality.ours(data)
    assert list(found) == ["failed"]
    assert "a.P.csv" in found["failed"]
