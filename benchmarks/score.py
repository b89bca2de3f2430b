"""How well clusters agree with the truth, from counts of records alone: no pair is ever written down.

A pair of records is *true* when both are one person, *found* when both are one cluster. With n(c, p) the number of
records that cluster c shares with person p, the pairs that are both are the sum of n(n-1)/2 over all cells (c, p); the
found and the true ones are the same sum over the clusters and over the people.
"""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

Labels = npt.ArrayLike


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1, each 0 to 1, with the three counts they come from.

    For pairs the counts are pairs; for B-cubed `both` is a sum of shares, and found and true are records.
    """

    precision: float
    recall: float
    f1: float
    both: float
    found: float
    true: float

    def as_dict(self) -> dict[str, float]:
        """As JSON shows it."""
        return asdict(self)


def pairwise(clusters: Labels, people: Labels) -> Score:
    """Over all pairs of records. `clusters[i]` and `people[i]` are the labels of record i.

    Without a found pair precision is 1, without a true one recall is 1. ValueError for arrays of different length.
    """
    cells, by_cluster, by_person = _counts(clusters, people)
    return _score(_pairs(cells), _pairs(by_cluster), _pairs(by_person))


def pairwise_across(clusters: Labels, people: Labels, sources: Labels) -> Score:
    """Over the pairs whose records come from different sources: all pairs less those inside one source.

    `sources[i]` is the label of record i's source.
    """
    where = _codes(sources)
    parts = [np.flatnonzero(where == s) for s in range(int(where.max(initial=-1)) + 1)]
    c, p = _codes(clusters), _codes(people)
    whole = pairwise(c, p)
    inside = [pairwise(c[rows], p[rows]) for rows in parts]
    return _score(
        whole.both - sum(s.both for s in inside),
        whole.found - sum(s.found for s in inside),
        whole.true - sum(s.true for s in inside),
    )


def b_cubed(clusters: Labels, people: Labels) -> Score:
    """Per record: the share of its cluster that is its person (precision), of its person in its cluster (recall)."""
    c, p = _codes(clusters), _codes(people)
    n = len(c)
    if n == 0:
        return _score(0, 0, 0)
    cells, by_cluster, by_person = _counts(c, p)
    pair_c, pair_p = _cells(c, p)
    squared = cells.astype(np.float64) ** 2
    precision = float((squared / by_cluster[pair_c]).sum()) / n
    recall = float((squared / by_person[pair_p]).sum()) / n
    return Score(precision, recall, _harmonic(precision, recall), precision * n, n, n)


def _codes(labels: Labels) -> npt.NDArray[np.int64]:
    """Labels of any kind as whole numbers from 0."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.int64).reshape(-1)


def _cells(c: npt.NDArray[np.int64], p: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cluster and person of each cell that holds a record, in the order of `_counts`."""
    width = int(p.max(initial=0)) + 1
    cell = np.unique(c * width + p)
    return cell // width, cell % width


def _counts(clusters: Labels, people: Labels) -> tuple[npt.NDArray[np.int64], ...]:
    """Records per cell (cluster and person), per cluster, per person."""
    c, p = _codes(clusters), _codes(people)
    if len(c) != len(p):
        raise ValueError(f"{len(c)} cluster labels for {len(p)} people: one each per record is needed")
    width = int(p.max(initial=0)) + 1
    cells = np.unique(c * width + p, return_counts=True)[1]
    return cells, np.bincount(c), np.bincount(p)


def _pairs(sizes: npt.NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _score(both: float, found: float, true: float) -> Score:
    precision = both / found if found else 1.0
    recall = both / true if true else 1.0
    return Score(precision, recall, _harmonic(precision, recall), both, found, true)


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
