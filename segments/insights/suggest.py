"""Segments that a measure suggests: groups of customers in which it is far from its average.

Half of the customers, drawn by their ordinals, grow the tree; the other half test each of its groups against everybody
else (numbers: Welch's t; values: χ² of the share), so that a p-value is not flattered by the choice of the group. Holm
corrects for the number of groups. What is suggested is a definition, and its size is what that definition gives.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from scipy.special import stdtr

from segments.insights import columns as c
from segments.insights.coded import CodedCustomers, coded, odata
from segments.insights.differ import SIGNIFICANT, chi_squared
from segments.insights.tree import Group, grow
from segments.lowering import lower
from segments.model import Model
from segments.predicates.bitmaps import materialise
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import Suggestion, Suggestions
from unify.spec.segment import Segment

MOST_LEAVES = 10
MOST_CATEGORIES = 10
"""Of a primary attribute of values: each is asked about on its own."""
MOST_VALUES = 100
"""Of an attribute that the tree may split."""
BINS = 32
"""Ranges of a number that the tree may split."""
LEAST = 30
"""Customers of a group: below it a mean says little."""
Doubles = NDArray[np.float64]
Half = NDArray[np.bool_]


def suggest(
    engine: Engine,
    model: Model,
    primary: str,
    *,
    influencers: Sequence[str] | None = None,
    among: BitMap | None = None,
    clock: datetime,
    leaves: int = MOST_LEAVES,
    smallest: int | None = None,
) -> Suggestions:
    """Groups in which `primary`, a measure or an attribute, is far from its average, as definitions of segments.

    primary       a number, or values of which there are at most 10; flags are not taken
    influencers   attributes that may describe a group; None: all but the primary
    among         customers to look at; None: everybody
    leaves        groups to divide into, 2 to 10
    smallest      customers of a group; default: 1 % of those with a value, at least 30

    Definitions say nothing of `among`, so sizes are of all customers who meet them. QueryError for an unknown
    attribute, a flag or date as primary, more than 10 values, too few customers.
    """
    if not 2 <= leaves <= MOST_LEAVES:
        raise QueryError(f"{leaves} groups are not possible", where="leaves", hint=f"2 to {MOST_LEAVES}")
    [main], _ = c.columns_of(model, [primary])
    if main.type.kind != "string" and main.kind != "number":
        raise QueryError(f"{primary} is {main.type.name}", where="primary", hint="a number, or text with a few values")
    others, out = c.columns_of(model, influencers)
    others = [x for x in others if x.name != primary]
    there = c.everyone(engine, model)
    c.load_sides(engine, there if among is None else among & there, BitMap())
    data = coded(engine, model, others, most_values=MOST_VALUES, most_bins=BINS)
    if not data.columns:
        raise QueryError("there is no attribute to describe groups with", hint="name influencers with a few values")
    target, labels = _target(engine, model, main, data)
    known = np.flatnonzero(~np.isnan(target[:, 0]))
    least = smallest if smallest is not None else max(LEAST, len(known) // 100)
    if least < 1 or len(known) < 4 * least:
        hint = "look at more customers, or at smaller groups with `smallest`"
        raise QueryError(f"{len(known)} customers with a value of {primary} are too few", hint=hint)
    half = halves(data.ordinals)
    groups = grow(data.columns, target, known[half[known]], leaves=leaves, smallest=max(1, least // 2))
    found = _told(engine, model, main, labels, data, target, half, groups, clock) if len(groups) > 1 else []
    return Suggestions(
        title=f"Groups in which {primary} is far from its average",
        basis=f"Worked out from {len(known):,} customers with a value, {len(data.columns)} attributes: half of them "
        "grew the tree, the other half tested its groups (p below 0.01 after Holm's correction).",
        suggestions=found,
        considered=len(groups),
        left_out=[*out, *data.left_out],
    )


def halves(ordinals: NDArray[np.int64]) -> Half:
    """True for the half that learns. By multiplicative hashing, so that neighbours do not go together."""
    found: Half = (ordinals.astype(np.uint64) * np.uint64(2654435761) & np.uint64(0xFFFFFFFF)) >> np.uint64(31) == 0
    return found


def _target(engine: Engine, model: Model, main: c.Column, data: CodedCustomers) -> tuple[Doubles, list[str]]:
    """Per customer the number, or 0 and 1 for each value; NaN without one. And the values."""
    from unify.core.steps import Query

    taken = main.text if main.kind == "value" else main.number
    answer = engine.fetch(Query(f"SELECT c.ordinal AS ordinal, {taken} AS v FROM {c.source(model)}"))
    order = np.argsort(answer.column("ordinal").to_numpy())
    if main.kind == "number":
        numbers = c.as_doubles(answer.column("v"))[order]
        return np.where(np.isfinite(numbers), numbers, np.nan).reshape(-1, 1), []
    encoded = answer.column("v").combine_chunks().dictionary_encode()
    labels = sorted(encoded.dictionary.to_pylist())
    if not 2 <= len(labels) <= MOST_CATEGORIES:
        hint = "take a number, or text with a few values"
        raise QueryError(
            f"{main.name} has {len(labels):,} values, not 2 to {MOST_CATEGORIES}", where="primary", hint=hint
        )
    texts = np.array(answer.column("v").to_pylist(), dtype=object)[order]
    ones = np.stack([texts == label for label in labels], axis=1).astype(np.float64)
    ones[[t is None for t in texts]] = np.nan
    return ones, labels


def definition(data: CodedCustomers, group: Group) -> dict[str, object]:
    """A group as a segment: `{where: "City in ('Bern','Ulm') and TotalSpend gt 100"}`."""
    parts = [odata(data.columns[i].column.name, data.columns[i], codes) for i, codes in sorted(group.allowed.items())]
    return {"where": " and ".join(part for part in parts if part)}


def measured(
    engine: Engine, model: Model, definitions: Sequence[dict[str, object]], clock: datetime
) -> list[tuple[BitMap, str]]:
    """What definitions give: members, and the sentence of each."""
    from segments.lowering import sentence_of

    lowered = [lower(Segment.model_validate(d), model) for d in definitions]
    exprs = [x.expr for x in lowered]
    truths = materialise(exprs, model.catalog, model.catalog.customers, engine.fetch, clock=clock)
    return [(truths[x.expr].true, sentence_of(x)) for x in lowered]


def _told(
    engine: Engine, model: Model, main: c.Column, labels: list[str], data: CodedCustomers, target: Doubles, half: Half,
    groups: list[Group], clock: datetime,
) -> list[Suggestion]:  # fmt: skip
    definitions = [definition(data, group) for group in groups]
    given = measured(engine, model, definitions, clock)
    known = ~np.isnan(target[:, 0])
    everybody = len(c.everyone(engine, model))
    drafts = []
    for said, (members, sentence) in zip(definitions, given, strict=True):
        inside = np.isin(data.ordinals, np.asarray(members.to_array(), dtype=np.int64))
        k, p = _strongest(target, inside, known, half)
        value, average = float(target[inside & known, k].mean()), float(target[known, k].mean())
        drafts.append((p, k, value, average, said, members, sentence))
    order = sorted(range(len(drafts)), key=lambda i: (drafts[i][0], i))
    worst, found = 0.0, []
    for rank, i in enumerate(order):
        p, k, value, average, said, members, sentence = drafts[i]
        worst = max(worst, min(1.0, p * (len(drafts) - rank)))
        if worst < SIGNIFICANT:
            what = f"{main.name} {labels[k]}" if labels else main.name
            far = "above" if value > average else "below"
            name = re.sub(r"[^A-Za-z0-9]+", "_", f"{what}_{far}_{rank + 1}").strip("_")
            found.append(
                Suggestion(
                    name=name, definition=said, sentence=sentence, customers=len(members),
                    share=len(members) / everybody, value=value, average=average, p=worst,
                )
            )  # fmt: skip
    return found


def _strongest(target: Doubles, inside: Half, known: Half, half: Half) -> tuple[int, float]:
    """The value whose share differs most (0 for a number), chosen by the learning half, and p by the testing half."""
    if target.shape[1] == 1:
        testing = known & ~half
        return 0, welch(target[testing & inside, 0], target[testing & ~inside, 0])
    learning, testing = known & half, known & ~half
    if not (learning & inside).any():
        return 0, 1.0
    shift = np.abs(target[learning & inside].mean(axis=0) - target[learning].mean(axis=0))
    k = int(shift.argmax())
    a, b = target[testing & inside, k], target[testing & ~inside, k]
    return k, chi_squared([int(a.sum()), len(a) - int(a.sum())], [int(b.sum()), len(b) - int(b.sum())])[1]


def welch(a: Doubles, b: Doubles) -> float:
    """The p-value of Welch's t-test for two means; 1 when a side has fewer than two values."""
    if len(a) < 2 or len(b) < 2:
        return 1.0
    va, vb = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    gap = float(a.mean()) - float(b.mean())
    if va + vb == 0:
        return 1.0 if gap == 0 else 0.0
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return float(2 * stdtr(freedom, -abs(gap) / sqrt(va + vb)))
