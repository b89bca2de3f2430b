"""Customers like the members of a segment: how much their attributes speak for it, learned from members and others.

A naive Bayes classifier over coded attributes: each value of each attribute adds the logarithm of how much more often
members have it than others (with one half added to every count, so that what never occurred is not impossible). The
sum is turned into a score from 0 to 1 by a logistic curve with two parameters (Platt 1999), fitted on sums that the
same customers' folds had no part in, members and others weighing the same: 0.5 speaks neither way.

How good it is is measured, not claimed: in k-fold cross-validation each customer is scored by what the other folds
taught, and the area under the ROC curve (Mann and Whitney's U, ties one half) must lie above chance by its 95 %
interval (Hanley and McNeil 1982); otherwise there is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from scipy.special import expit
from scipy.stats import rankdata

from segments.insights import columns as c
from segments.insights.coded import Coded, coded
from segments.lowered import Lowered
from segments.model import Model
from segments.predicates import tree as p
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import LeftOut, Similar, SimilarClass, Weight

SHARE = 0.2
"""Of the audience that is in the result."""
LOWEST = 0.4
"""Scores below it are never in the result."""
CLASSES = (("very high", 0.85, 1.0), ("high", 0.7, 0.85), ("moderate", 0.55, 0.7), ("low", LOWEST, 0.55))
"""Names of scores, and where they begin; the borders are the vendor's."""
MOST_VALUES = 30
"""Of an attribute of values that takes part: rarer ones say little."""
BINS = 10
"""Ranges of a number."""
FOLDS = 5
LEAST = 50
"""Members, and others, to learn from."""
SHOWN_WEIGHTS = 10
SMOOTHING = 0.5
Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Found:
    """The report, the customers chosen, and the score of everybody in the audience by ordinal."""

    report: Similar
    members: BitMap
    ordinals: NDArray[np.int64]
    scores: Doubles


def similar(
    engine: Engine,
    model: Model,
    members: BitMap,
    *,
    attributes: Sequence[str] | None = None,
    defined_by: Lowered | None = None,
    share: float = SHARE,
    lowest: float = LOWEST,
    include_members: bool = False,
    audience: BitMap | None = None,
    name: str = "segment",
) -> Found:
    """The customers most like the members of a segment.

    attributes        to learn from; None: all with at most 30 values, and all numbers and dates
    defined_by        the segment's definition: attributes it names are left out unless they are asked for, because
                      they tell members from others by construction, and find nobody new
    share             of the audience that is chosen at most; who scores lowest among them may be below `lowest`, and
                      is then left out. Equal scores: the smaller ordinal first
    include_members   members of the segment are scored and chosen, too
    audience          customers to choose from; None: everybody

    QueryError when there are fewer than 50 members or others, no attribute, or when it is no better than chance.
    """
    if not 0 < share <= 1:
        raise QueryError(f"a share of {share} is not possible", where="share", hint="above 0, at most 1")
    if not 0 <= lowest <= 1:
        raise QueryError(f"no score is {lowest}", where="lowest", hint="0 to 1")
    there = c.everyone(engine, model)
    ours, others = members & there, there - members
    for side, said in ((ours, "members"), (others, "other customers")):
        if len(side) < LEAST:
            raise QueryError(f"{len(side)} {said} are too few to learn from", hint=f"at least {LEAST}")
    chosen, out = c.columns_of(model, attributes)
    if defined_by is not None and attributes is None:
        named = {node.name for node in p.walk(defined_by.expr) if isinstance(node, p.Field)}
        out += [LeftOut(attribute=x.name, reason="the segment is defined by it") for x in chosen if x.name in named]
        chosen = [x for x in chosen if x.name not in named]
    c.load_sides(engine, ours, others)
    data = coded(engine, model, chosen, most_values=MOST_VALUES, most_bins=BINS)
    if not data.columns:
        raise QueryError("there is no attribute to learn from", hint="name some with at most 30 values, or numbers")
    unseen = cross_validated(data.columns, data.side, folds(data.ordinals))
    auc, low = area(unseen, data.side)
    if low <= 0.5:
        raise QueryError(
            f"nothing known tells {name} from others: AUC {auc:.2f} (from {low:.2f} on) is no better than chance",
            hint="take other attributes, or a segment that has something in common",
        )
    slope, start = platt(unseen, data.side)
    scores = expit(slope * sums(data.columns, weights(data.columns, data.side, np.ones(len(data.side), bool))) + start)
    asked = np.isin(data.ordinals, np.asarray((audience if audience is not None else there).to_array(), dtype=np.int64))
    if not include_members:
        asked &= ~data.side
    ordinals, scored = data.ordinals[asked], scores[asked]
    best = np.lexsort((ordinals, -scored))[: round(share * len(ordinals))]
    best = best[scored[best] >= lowest]
    return Found(
        report=Similar(
            segment=name,
            members=len(ours),
            audience=len(ordinals),
            chosen=len(best),
            lowest=float(scored[best].min()) if len(best) else None,
            auc=auc,
            auc_low=low,
            folds=FOLDS,
            basis=f"Learned from {len(ours):,} members and {len(others):,} others by {len(data.columns)} attributes; "
            f"AUC {auc:.2f} (from {low:.2f} on) in {FOLDS}-fold cross-validation, 0.5 is chance.",
            classes=[_class(x, scored[best]) for x in CLASSES],
            weights=_strongest(data.columns, data.side),
            attributes=[x.column.name for x in data.columns],
            left_out=[*out, *data.left_out],
        ),
        members=BitMap(ordinals[best].astype(np.uint32)),
        ordinals=ordinals,
        scores=scored,
    )


def _class(border: tuple[str, float, float], scores: Doubles) -> SimilarClass:
    name, low, high = border
    inside = (scores >= low) & ((scores < high) | (high == 1.0))
    return SimilarClass(name=name, low=low, high=high, customers=int(inside.sum()))


def folds(ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each customer, 0 to FOLDS − 1: of the ordinal alone, so the same in every run."""
    mixed = ordinals.astype(np.uint64) * np.uint64(2654435761) & np.uint64(0xFFFFFFFF)
    return ((mixed >> np.uint64(16)) % np.uint64(FOLDS)).astype(np.int64)


def weights(columns: Sequence[Coded], side: Flags, learn: Flags) -> list[Doubles]:
    """Per attribute the weight of each code: ln of its share among members ÷ its share among others."""
    found = []
    for column in columns:
        a = np.bincount(column.codes[learn & side], minlength=column.bins) + SMOOTHING
        b = np.bincount(column.codes[learn & ~side], minlength=column.bins) + SMOOTHING
        found.append(np.log(a / a.sum()) - np.log(b / b.sum()))
    return found


def sums(columns: Sequence[Coded], learned: Sequence[Doubles]) -> Doubles:
    """The sum of its weights for every customer."""
    total = np.zeros(len(columns[0].codes))
    for column, weight in zip(columns, learned, strict=True):
        total += weight[column.codes]
    return total


def cross_validated(columns: Sequence[Coded], side: Flags, fold: NDArray[np.int64]) -> Doubles:
    """Every customer's sum by the weights that the other folds teach."""
    found = np.zeros(len(side))
    for k in range(FOLDS):
        mine = fold == k
        found[mine] = sums(columns, weights(columns, side, ~mine))[mine]
    return found


def area(scores: Doubles, side: Flags) -> tuple[float, float]:
    """The area under the ROC curve, and the lower end of its 95 % interval."""
    a, b = int(side.sum()), int((~side).sum())
    auc = (float(rankdata(scores)[side].sum()) - a * (a + 1) / 2) / (a * b)
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (a - 1) * (q1 - auc**2) + (b - 1) * (q2 - auc**2)) / (a * b)
    return auc, auc - 1.96 * sqrt(max(variance, 0.0))


def platt(scores: Doubles, side: Flags) -> tuple[float, float]:
    """Slope and start of the logistic curve, members and others weighing the same; Newton's method, 50 steps at most.

    A little ridge keeps it finite where the two sides do not overlap.
    """
    weight = np.where(side, 0.5 / side.sum(), 0.5 / (~side).sum())
    scale = float(np.abs(scores).max()) or 1.0
    x = np.stack([scores / scale, np.ones(len(scores))], axis=1)
    at = np.zeros(2)
    ridge = np.diag([1e-4, 1e-9])
    for _ in range(50):
        chance = expit(x @ at)
        slope = x.T @ (weight * (side - chance)) - ridge @ at
        bend = (x * (weight * chance * (1 - chance))[:, None]).T @ x + ridge
        step = np.linalg.solve(bend, slope)
        at = at + step
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(at[0]) / scale, float(at[1])


def _strongest(columns: Sequence[Coded], side: Flags) -> list[Weight]:
    """The codes that say most, for or against, among those that at least 1 % have."""
    learned = weights(columns, side, np.ones(len(side), bool))
    found = []
    for column, weight in zip(columns, learned, strict=True):
        counts = np.bincount(column.codes, minlength=column.bins)
        for code in np.flatnonzero(counts * 100 >= len(side)).tolist():
            made = Weight(attribute=column.column.name, value=column.label(code), weight=float(weight[code]))
            found.append(made)
    return sorted(found, key=lambda w: (-abs(w.weight), w.attribute, w.value))[:SHOWN_WEIGHTS]
