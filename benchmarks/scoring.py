"""Clusters of a data set against its truth."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks import score
from benchmarks.sets import DataSet

_CLUSTERS = "read_csv($clusters, header = true, all_varchar = true)"
_JOINED = f"""
SELECT t.entity, t.person, c.cluster,
       row_number() OVER (ORDER BY t.entity, t.key) AS number
FROM read_parquet($truth) AS t
LEFT JOIN {_CLUSTERS} AS c ON c.record = t.entity || '|' || t.key
ORDER BY t.entity, t.key
"""


def scored(data: DataSet, clusters: Path) -> dict[str, Any]:
    """precision, recall, f1 over pairs (across files where the set is a link), b3 and its parts, and counts.

    `clusters` is a CSV of record (entity|key) and cluster. A record that is not in it is a customer of its own, and
    counts in `left_out`. AssertionError for a record that stands in it twice or is not of the set.
    """
    with duckdb.connect() as connection:
        found = connection.sql(_JOINED, params={"truth": str(data.truth), "clusters": str(clusters)}).to_arrow_table()
        [[rows, records]] = connection.execute(
            f"SELECT count(*), count(DISTINCT record) FROM {_CLUSTERS}",
            {"clusters": str(clusters)},
        ).fetchall()
    left_out = found["cluster"].null_count
    if rows != records or records + left_out != data.records or found.num_rows != data.records:
        raise AssertionError(f"{data.records} records went in, {records} came out on {rows} rows, {left_out} did not")
    of, person = _labels(found), found["person"].to_numpy(zero_copy_only=False)
    if data.across:
        pairs = score.pairwise_across(of, person, found["entity"].to_numpy(zero_copy_only=False))
    else:
        pairs = score.pairwise(of, person)
    cubed = score.b_cubed(of, person)
    return {
        "precision": pairs.precision, "recall": pairs.recall, "f1": pairs.f1,
        "b3": cubed.f1, "b3_precision": cubed.precision, "b3_recall": cubed.recall,
        "records": data.records, "customers": len(np.unique(of)), "true_pairs": int(pairs.true), "left_out": left_out,
    }  # fmt: skip


def _labels(found: Any) -> Any:
    """A whole number per cluster; records without one get numbers of their own."""
    codes = found["cluster"].combine_chunks().dictionary_encode().indices
    label = codes.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(label < 0, len(label) + found["number"].to_numpy(), label)
