"""A scored rule on one pair of records, part by part: by the code of the run, with what the run wrote down."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import cophenet

from unify.conflation.all_records import raw_value
from unify.conflation.evidence.kinds import RARELY
from unify.conflation.evidence.linkage import CAP, average
from unify.conflation.evidence.model import probability
from unify.conflation.evidence.run import Weigher, read_values
from unify.conflation.evidence.stored import BIT, Stored, level_sentence, stored
from unify.conflation.evidence.values import NONE, Floats, Ints
from unify.conflation.evidence.weights import RARE, Scorer
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine
from unify.core.explanations import EvidencePart, KindPart, Waterfall
from unify.core.steps import Query

Weigh = Callable[[Ints, Ints], Floats]
"""The log odds of pairs of records, by their places."""


def group_of(engine: Engine, rule: int, rids: Sequence[int]) -> set[int]:
    """The records that a scored rule joined with these, themselves included."""
    found, reach = set(rids), list(rids)
    while reach:
        among = ", ".join(map(str, reach))
        links = engine.fetch(
            Query(f"SELECT a, b FROM links WHERE rule = $rule AND (a IN ({among}) OR b IN ({among}))", {"rule": rule})
        )
        met = {*links.column("a").to_pylist(), *links.column("b").to_pylist()}
        reach = sorted(met - found)
        found |= met
    return found


def waterfall(
    engine: Engine,
    bound: BoundRule,
    pair: tuple[int, int],
    raw: Mapping[int, Mapping[str, Any]],
    entity: Mapping[int, str],
) -> Waterfall | None:
    """The evidence for a pair (left, right: in a match the lower record is left); None when the rule learned nothing.

    The prepared tables must hold both records and their groups. `raw` and `entity`: the source row of each of the two,
    and whose it is.
    """
    learned = stored(engine, bound.number)
    if learned is None:
        return None
    groups = [group_of(engine, bound.number, [rid]) for rid in pair]
    members = groups[0] | groups[1]
    rids, lower, few = read_values(engine, bound, among=f"rid IN ({', '.join(map(str, sorted(members)))})")
    scorer = Scorer(learned.at_large(few), learned.model)
    weigher = Weigher(engine, bound, rids, lower, scorer)
    place = {int(rid): i for i, rid in enumerate(rids)}
    if any(rid not in place for rid in pair):
        return None  # after an ingest alone a record's row may be gone from its source until the next conflate
    left, right = (np.array([place[rid]], dtype=np.int64) for rid in pair)
    total = float(scorer.weigh(left, right)[0])
    vetoed = bool(bound.vetoes) and len(weigher.vetoed(left, right, np.ones(1, dtype=np.bool_))) > 0
    joined = pair[1] in groups[0]
    sides = [np.array([place[r] for r in sorted(g) if r in place], dtype=np.int64) for g in groups]
    weight = inside(weigher, sides[0], *left, *right) if joined else between(weigher, *sides)
    return Waterfall(
        prior=learned.model.prior / BIT,
        parts=parts_of(scorer, learned, bound, (left, right), [(raw.get(rid, {}), entity[rid]) for rid in pair]),
        total=total / BIT,
        probability=float(probability(np.array([total]))[0]),
        threshold=bound.rule.threshold,
        vetoed=vetoed,
        records=len(members),
        average=weight / BIT,
        average_probability=float(probability(np.array([weight]))[0]),
        joined=joined,
        kinds=kinds_of(scorer, left, right),
    )


def kinds_of(scorer: Scorer, left: Ints, right: Ints) -> list[KindPart]:
    """What kinds of pairs change, those of one customer and those of others: the likeliest of each is named."""
    parts = scorer.parts(left, right)
    alone = np.asarray(scorer.model.prior + sum(p.weight + p.rarity + p.overlap for p in parts))
    said = []
    for same, change in zip((True, False), scorer.kinds(alone, parts), strict=True):
        if not change[0]:
            continue
        likely = max(
            (kind for kind in scorer.model.kinds if kind.same == same),
            key=lambda kind: float(kind.against([p.weight + p.rarity for p in parts])[0]),
        )
        names = [v.name for v in scorer.values]
        said.append(KindPart(
            same=same,
            shares=[n for n, a in zip(names, likely.shared, strict=True) if a >= RARELY],
            differs=[n for n, a in zip(names, likely.shared, strict=True) if a < RARELY],
            per_match=float(np.exp(likely.ratio)),
            bits=float(change[0]) / BIT,
        ))  # fmt: skip
    return said


def inside(weigher: Weigh, group: Ints, left: int, right: int) -> float:
    """The average weight at which average linkage joined two records of one group."""
    corner = np.triu_indices(len(group), 1)
    heights = cophenet(average(weigher(group[corner[0]], group[corner[1]]), len(group)))
    x, y = sorted((int(np.searchsorted(group, left)), int(np.searchsorted(group, right))))
    return CAP - float(heights[(corner[0] == x) & (corner[1] == y)][0])


def between(weigher: Weigh, one: Ints, other: Ints) -> float:
    """The average weight of all pairs between two groups."""
    left, right = np.repeat(one, len(other)), np.tile(other, len(one))
    return float(np.clip(weigher(np.minimum(left, right), np.maximum(left, right)), -CAP, CAP).mean())


def parts_of(
    scorer: Scorer,
    learned: Stored,
    bound: BoundRule,
    places: tuple[Ints, Ints],
    records: Sequence[tuple[Mapping[str, Any], str]],
) -> list[EvidencePart]:
    """Every comparison of a pair. `records`: the source row of each of the two, and whose it is."""
    said = []
    beside = {o.comparison: scorer.values[o.parent].name for o in learned.model.overlaps}
    for k, (term, part, values) in enumerate(zip(bound.scored, scorer.parts(*places), scorer.values, strict=True)):
        level, agreed = int(part.level[0]), int(part.agreed[0])
        (left, one), (right, other) = records
        columns = bound.columns(term.evidence, "left", one), bound.columns(term.evidence, "right", other)
        compared = [
            [None if code == NONE else str(values.texts[code]) for code in values.codes[side[0], : len(own)]]
            for side, own in zip(places, columns, strict=True)
        ]
        held = int(values.counts[agreed]) if agreed != NONE else 0
        said.append(EvidencePart(
            name=values.name,
            left={str(column): raw_value(left, column) for column in columns[0]},
            right={str(column): raw_value(right, column) for column in columns[1]},
            left_compared=compared[0],
            right_compared=compared[1],
            level=level_sentence(values.cuts, level),
            m=None if level == NONE else float(learned.model.m[k][level]),
            u=None if level == NONE else float(learned.model.u[k][level]),
            weight=float(part.weight[0]) / BIT,
            rarity=float(part.rarity[0]) / BIT,
            overlap=float(part.overlap[0]) / BIT,
            beside=beside.get(k) if part.overlap[0] else None,
            value=None if agreed == NONE else str(values.texts[agreed]),
            records=held if held > RARE else None,
        ))  # fmt: skip
    return said
