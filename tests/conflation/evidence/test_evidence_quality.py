"""Scored rules on public data, without labels and with one setting for all. The figures stand in docs/scored-rules.md."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

import unify

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
PEOPLE = [
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "address_2",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
    "soc_sec_id",
]
PUBLIC = {
    "fake_1000": (["fake_1000/fake_1000.csv"], "CAST(unique_id AS VARCHAR)", "cluster", ["first_name", "surname", "dob", "city", "email"]),
    "febrl3": (["febrl/dataset3.csv"], "trim(rec_id)", "regexp_extract(rec_id, 'rec-[0-9]+')", PEOPLE),
    "febrl4": (["febrl/dataset4a.csv", "febrl/dataset4b.csv"], "trim(rec_id)", "regexp_extract(rec_id, 'rec-[0-9]+')", PEOPLE),
    "historical_50k": (
        ["historical_50k/historical_figures_with_errors_50k.parquet"], "CAST(unique_id AS VARCHAR)", "cluster",
        ["first_name", "surname", "dob", "birth_place", "postcode_fake", "gender", "occupation"],
    ),
}  # fmt: skip


def pairs(labels):
    size = np.unique(labels, return_counts=True)[1]
    return int((size * (size - 1) // 2).sum())


def quality(name, folder):
    """Pairwise precision and recall of customers; where there are two files, of pairs across them."""
    files, key, truth, columns = PUBLIC[name]
    if any(not (DATA / f).exists() for f in files):
        pytest.skip(f"{name} is not in ../shared/data")
    frames = {}
    for source, file in zip("ab", files, strict=False):
        read = f"read_csv('{DATA / file}', all_varchar = true)" if file.endswith("csv") else f"'{DATA / file}'"
        said = ", ".join(f"CAST({c} AS VARCHAR) AS {c}" for c in columns)
        frames[f"{source}.P"] = duckdb.sql(f"SELECT {key} AS Id, {truth} AS truth, {said} FROM {read}").to_arrow_table()
    rules = [{"name": "evidence", "score": columns}]
    apart = {entity: {"rules": [], "default_rule": False} for entity in frames}
    inside = {"dedupe": {"a.P": rules}} if len(frames) == 1 else {"dedupe": apart, "match": {"b.P -> a.P": rules}}
    project = {
        "sources": {e[0]: {"P": {"key": "Id", "columns": dict.fromkeys(columns, "string")}} for e in frames},
        "conflation": {"order": list(frames)} | inside,
    }
    true = {
        (e, k): t for e, f in frames.items() for k, t in zip(f["Id"].to_pylist(), f["truth"].to_pylist(), strict=True)
    }
    with unify.open(folder / "i", create=True) as acme:
        acme.run(project, frames=frames)
        rows = acme.sql("SELECT entity, key, ordinal FROM members").rows()
    found = np.array([r["ordinal"] for r in rows], dtype=np.int64)
    known = np.unique([true[r["entity"], r["key"]] for r in rows], return_inverse=True)[1].astype(np.int64)
    side = np.array([r["entity"] == "b.P" for r in rows], dtype=np.int64)

    def counted(labels):
        return pairs(labels) - (pairs(labels * 2 + side) if len(frames) > 1 else 0)

    both = counted(found * (known.max() + 1) + known)
    precision, recall = both / counted(found), both / counted(known)
    return precision, recall, 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("name", "precision", "f1"),
    [
        ("fake_1000", 0.995, 0.945),
        ("febrl3", 0.9995, 0.9995),
        pytest.param("febrl4", 0.9995, 0.9995, marks=pytest.mark.soak),
        pytest.param("historical_50k", 0.98, 0.93, marks=pytest.mark.soak),
    ],
)
def test_quality(name, precision, f1, tmp_path):
    found = quality(name, tmp_path)
    print(name, found)
    assert found[0] >= precision, found
    assert found[2] >= f1, found
