"""Which customers have to be worked out again, once the clusters are known: those that are not what they were.

A cluster is touched when a record of it is new or changed, has other links or another cluster or dedupe group than
before, and when a record left it. All records of a touched cluster, and all that were one customer with them, are
touched.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unify.incremental.renumber import GONE, Ints, Rids


@dataclass(frozen=True)
class Touched:
    """Records whose customer is worked out again. now: new rids, ascending; before: their old rids and those gone."""

    now: Ints
    before: Ints


def touched(rids: Rids, clusters: tuple[Ints, Ints], groups: tuple[Ints, Ints], relinked: Ints) -> Touched:
    """Compare clusters and dedupe groups, given as (before by old rid, now by new rid); labels are smallest rids.

    relinked   new rids of records with other links than before
    """
    old_of = rids.then
    other = _relabelled(rids, *clusters, old_of) | _relabelled(rids, *groups, old_of)
    other[rids.changed] = True
    other[relinked] = True
    labels_before, labels_now = clusters
    left = np.concatenate((labels_before[old_of[other & (old_of != GONE)]], labels_before[rids.gone]))
    left = rids.now[left]  # by the smallest record of the cluster that was; gone: all of it has another label anyway
    hit = np.zeros(rids.records, dtype=np.bool_)
    hit[labels_now[other]] = True
    hit[left[left != GONE]] = True
    now = np.flatnonzero(hit[labels_now]).astype(np.int32)
    before = old_of[now]
    return Touched(now, np.sort(np.concatenate((before[before != GONE], rids.gone))).astype(np.int32))


def _relabelled(rids: Rids, before: Ints, now: Ints, old_of: Ints) -> npt.NDArray[np.bool_]:
    """Per new rid: it has another label than before, or had none."""
    there = old_of != GONE
    was = np.full(rids.records, GONE, dtype=np.int32)
    was[there] = rids.now[before[old_of[there]]]
    other: npt.NDArray[np.bool_] = was != now
    return other
