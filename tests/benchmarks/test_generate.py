"""Generated customers: exact counts, the promised dirt, truth apart, the same bytes for the same seed."""

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import generate
from benchmarks.project import project

RECORDS = 20_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return generate.customers(RECORDS, data=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def tables(made):
    return {name: pq.read_table(made.folder / f"{name}.parquet") for name in generate.SOURCES}


def test_records_and_people_are_counted_exactly(made, tables):
    truth = pq.read_table(made.truth)
    assert sum(t.num_rows for t in tables.values()) == truth.num_rows == made.records == RECORDS
    sizes = pc.value_counts(truth["person"]).field("counts").to_numpy()
    assert len(sizes) == made.people
    assert sizes.max() <= 5
    assert int((sizes * (sizes - 1) // 2).sum()) == made.true_pairs
    assert made.people / made.records == pytest.approx(0.615, abs=0.01)


def test_truth_names_every_record_and_no_file_tells_the_person(made, tables):
    truth = pq.read_table(made.truth)
    for name, table in tables.items():
        keys = table[generate.KEY_COLUMNS[name]].to_pylist()
        assert len(set(keys)) == len(keys)
        assert set(keys) == set(truth.filter(pc.equal(truth["source"], name))["key"].to_pylist())
        assert not {"person", "truth"} & {c.lower() for c in table.column_names}


def test_what_is_missing_is_missing_as_often_as_promised(tables):
    rows = sum(t.num_rows for t in tables.values())
    for column, share in (("BirthDate", 0.26), ("Telephone", 0.21), ("EMail", 0.18), ("Street", 0.08)):
        assert sum(t[column].null_count for t in tables.values()) / rows == pytest.approx(share, abs=0.01), column


def test_households_share_addresses(made, tables):
    """About 28 % of people live with another customer, so two people meet on many a door."""
    truth = pq.read_table(made.truth).to_pandas()
    crm = tables["crm"].to_pandas().merge(truth[truth.source == "crm"], left_on="ContactId", right_on="key")
    doors = crm.dropna(subset=["Street"]).groupby(["HouseNumber", "PostCode", "City"])["person"].nunique()
    assert 0.05 < (doors > 1).mean() < 0.25


def test_names_are_few_common_and_many_rare(tables):
    counts = pc.value_counts(pc.utf8_lower(tables["crm"]["LastName"])).field("counts").to_numpy()
    assert len(counts) > 2_000
    assert 0.005 < counts.max() / tables["crm"].num_rows < 0.03


def test_same_seed_same_records_another_seed_others(made, tables, tmp_path):
    again = generate.customers(RECORDS, data=tmp_path)
    other = generate.customers(RECORDS, seed=8, data=tmp_path)
    for name, table in tables.items():
        assert pq.read_table(again.folder / f"{name}.parquet").equals(table)
        assert not pq.read_table(other.folder / f"{name}.parquet").equals(table)


def test_chunks_do_not_show_in_the_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(generate, "CHUNK", 700)
    made = generate.customers(5_000, data=tmp_path)
    truth = pq.read_table(made.truth)
    assert truth.num_rows == 5_000
    assert pc.count_distinct(truth["person"]).as_py() == made.people
    assert pc.count_distinct(truth["key"]).as_py() == 5_000


def test_second_call_reads_the_cache(made):
    before = made.truth.stat().st_mtime_ns
    assert generate.customers(RECORDS, data=made.folder.parent) == made
    assert made.truth.stat().st_mtime_ns == before


def test_no_records_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        generate.customers(0, data=tmp_path)


def test_project_has_eight_ordered_rules_over_existing_columns(made, tables):
    plan = project(made.folder).conflation
    columns = {f"{s}.{e}": set(tables[s].column_names) for s, e in
               (("crm", "Contacts"), ("loyalty", "Members"), ("web", "SignUps"))}  # fmt: skip
    for pair in plan.match:
        assert len(pair.rules) == 8
        for rule in pair.rules:
            for criterion in (*rule.when, *(c for veto in rule.unless for c in veto.all)):
                assert set(criterion.left_columns) <= columns[pair.left]
                assert set(criterion.right_columns) <= columns[pair.right]
            assert any(not criterion.is_exact for criterion in rule.when)


def test_project_without_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"crm\.parquet"):
        project(tmp_path)
