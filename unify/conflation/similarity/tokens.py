"""Token set: the pairs that pass because they share whole words.

rapidfuzz's token_set_ratio is the best of three: the edit similarity of what differs (bounded by characters, as for
token sort), and the similarity of the shared words to either string. The latter two, and the subset case (100), need
shared words that make up at least 1/(1+c) of one string, c = 2(1−t)/t. Ordered by rarity, the words of that string up
to the point where the rest is lighter than that must hold one of them: only those are looked up (prefix filter).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from unify.conflation.similarity.pairs import Measure, Scored, distinct, expand, unlike
from unify.conflation.similarity.values import I64, Values

PROBE_WORDS = 1 << 16
"""Words looked up before their pairs are scored."""


@dataclass(frozen=True, slots=True)
class Words:
    """The distinct words of each row, end to end: word ids ordered by rarity (0 is the rarest over both sides)."""

    starts: I64
    ids: I64
    widths: I64

    @property
    def owner(self) -> I64:
        """The row of each word."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def words_of(*sides: Values) -> tuple[Words, ...]:
    """Words of every side under one numbering. The texts are distinct words joined by one space."""
    split = [[text.split() for text in side.texts.tolist()] for side in sides]
    flat = pa.array([word for side in split for row in side for word in row], pa.string())
    coded = flat.dictionary_encode()
    ids, names = np.asarray(coded.indices, np.int64), coded.dictionary.to_pylist()
    frequency = np.bincount(ids, minlength=len(names))
    alphabetical = np.empty(len(names), np.int64)
    alphabetical[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    rarity = np.empty(len(names), np.int64)
    rarity[np.lexsort((alphabetical, frequency))] = np.arange(len(names))
    widths = np.asarray([len(name) for name in names], np.int64)
    out, at = [], 0
    for rows in split:
        counts = np.fromiter(map(len, rows), np.int64, len(rows))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        mine = ids[at : at + int(starts[-1])]
        at += len(mine)
        owner = np.repeat(np.arange(len(rows)), counts)
        order = np.lexsort((rarity[mine], owner))
        out.append(Words(starts, rarity[mine][order], widths[mine][order]))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Shared:
    """Look-ups of one side's rare words among the other side's words."""

    probe: Values
    held: Values
    rows: I64
    most_lost: I64
    first: I64
    count: I64
    posting: I64
    same: bool

    @property
    def candidates(self) -> int:
        """Pairs that share a looked-up word, counted once per word."""
        return int(self.count.sum())

    def looked_up(self) -> I64:
        """How often each posting is reached: pairs of the held side's words."""
        edge = np.zeros(len(self.posting) + 1, np.int64)
        np.add.at(edge, self.first, 1)
        np.add.at(edge, self.first + self.count, -1)
        return np.cumsum(edge)[:-1]

    def run(self, measure: Measure) -> Iterator[tuple[int, Scored]]:
        """(pairs scored, pairs that passed) as (probe row, held row). A pair of rows may come more than once."""
        for lo in range(0, len(self.rows), PROBE_WORDS):
            part = slice(lo, lo + PROBE_WORDS)
            for probe, place in expand(self.first[part], self.count[part]):
                a, b = self.rows[part][probe], self.posting[place]
                keep = unlike(self.probe.letters[a], self.held.letters[b]) <= self.most_lost[a]
                if self.same:
                    keep &= a != b
                a, b = distinct(a[keep], b[keep])
                yield len(a), measure.pairs(self.probe, self.held, a, b)


def shared(percent: int, probe: Values, held: Values, ours: Words, theirs: Words) -> Shared:
    """Rows of `probe` of which shared words must make up a large enough part, against all words of `held`."""
    total = probe.lengths
    # shared >= total / (1 + c), with c = 2(100 − p)/p, is shared * (200 − p) >= total * p.
    need = -(-total * percent // (200 - percent))
    owner = ours.owner
    weight = ours.widths + 1
    behind = np.cumsum(weight) - weight
    row_start = np.concatenate([behind, np.zeros(1, np.int64)])[ours.starts[:-1]] if len(weight) else behind
    remaining = (total + 1)[owner] - (behind - row_start[owner])
    rare = remaining >= (need + 1)[owner]
    order = np.argsort(theirs.ids, kind="stable")
    ids, rows = theirs.ids[order], theirs.owner[order]
    wanted = ours.ids[rare]
    first = np.searchsorted(ids, wanted)
    count = np.searchsorted(ids, wanted, side="right") - first
    return Shared(probe, held, owner[rare], total - need, first, count, rows, probe is held)
