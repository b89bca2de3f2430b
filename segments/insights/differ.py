"""What tells the members of a segment from everybody else, or from the members of another one.

Every attribute gets one score from 0 (the two sides are the same) to 1 (they have nothing in common), so that numbers
and values are ranked on one scale:

    numbers, dates   D of Kolmogorov and Smirnov: the largest distance between the two cumulative shares,
                     max over x of |F(x) − G(x)|; or the difference of the shares of missing values when that is larger
    values           total variation: half the sum of |p(v) − q(v)| over the values v, missing being one of them

Both are the largest difference in probability of an event: over all half lines, and over all sets of values.
Beside it stand the effect sizes that statisticians ask for (standardised mean difference as in Austin 2009; Cramér's V
with Bergsma's 2013 correction) and a p-value (asymptotic two-sample Kolmogorov–Smirnov; Pearson's χ²), corrected by
Holm over all attributes. A score that chance explains stands last, whatever its size.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap
from scipy.special import chdtrc, kolmogorov

from segments.insights import columns as c
from segments.model import Model
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.insight_reports import Band, Difference, Differences
from unify.core.steps import Query

SIGNIFICANT = 0.01
"""p after Holm's correction, below which a difference is not chance."""
VALUES = 50
"""Values of an attribute that are compared one by one; the rarer ones are one value together."""
BANDS = 10
"""Ranges of a number, cut at the deciles of both sides together."""
Doubles = NDArray[np.float64]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def differ(
    engine: Engine,
    model: Model,
    members: BitMap,
    *,
    other: BitMap | None = None,
    attributes: Sequence[str] | None = None,
    name: str = "segment",
    other_name: str = "everybody else",
) -> Differences:
    """Attributes and measures by how well they tell two groups of customers apart, the most telling first.

    other        members of another segment; those in both count as members of the first. None: everybody else
    attributes   names of those to look at; None: all, ids and keys aside

    QueryError when one of the sides is empty, and for unknown attributes. A million customers with 50 columns take
    seconds: one SELECT per 8 columns, and one sort per number.
    """
    there = c.everyone(engine, model)
    ours = members & there
    others = (there if other is None else other & there) - ours
    for side, said in ((ours, name), (others, other_name)):
        if not side:
            raise QueryError(f"there is nobody in {said}", hint="compare two groups that both have customers")
    chosen, out = c.columns_of(model, attributes)
    c.load_sides(engine, ours, others)
    looked, useless = c.without_ids(engine, model, chosen)
    found = _numbers(engine, model, [x for x in looked if x.kind != "value"])
    found += _values(engine, model, [x for x in looked if x.kind == "value"], len(ours), len(others))
    return Differences(
        segment=name,
        other=other_name,
        members=len(ours),
        others=len(others),
        attributes=_ranked(found),
        left_out=[*out, *useless],
    )


def _ranked(found: list[Difference]) -> list[Difference]:
    """Holm's step-down: the k-th smallest of n p-values times n − k + 1, never falling."""
    order = sorted(range(len(found)), key=lambda i: (found[i].p, found[i].attribute))
    worst, adjusted = 0.0, {}
    for k, i in enumerate(order):
        worst = max(worst, min(1.0, found[i].p * (len(found) - k)))
        adjusted[i] = worst
    marked = [
        x.model_copy(update={"p": adjusted[i], "significant": adjusted[i] < SIGNIFICANT}) for i, x in enumerate(found)
    ]
    return sorted(marked, key=lambda x: (not x.significant, -x.score, x.attribute))


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _numbers(engine: Engine, model: Model, columns: list[c.Column]) -> list[Difference]:
    found: list[Difference] = []
    for batch in c.batches(columns):
        listed = ", ".join(f"{x.number} AS v{i}" for i, x in enumerate(batch))
        answer = engine.fetch(Query(f"SELECT s.side AS side, {listed} FROM {c.source(model)}"))
        ours = answer.column("side").to_numpy() == 1
        for i, column in enumerate(batch):
            values = c.as_doubles(answer.column(f"v{i}"))
            found.append(_number(column, values[ours], values[~ours]))
    return found


def _number(column: c.Column, ours: Doubles, others: Doubles) -> Difference:
    a, b = (np.sort(x[~np.isnan(x)]) for x in (ours, others))
    missing = 1 - len(a) / len(ours), 1 - len(b) / len(others)
    d, p = kolmogorov_smirnov(a, b)
    gap = abs(missing[0] - missing[1])
    p_gap = chi_squared([len(a), len(ours) - len(a)], [len(b), len(others) - len(b)])[1]
    means = _mean(a), _mean(b)
    return Difference(
        attribute=column.name,
        kind=column.kind,
        score=max(d, gap),
        p=min(1.0, 2 * min(p, p_gap)),  # two questions were asked
        significant=False,
        smd=standardised_difference(a, b),
        mean_of_members=_said(column, means[0]),
        mean_of_others=_said(column, means[1]),
        missing_of_members=missing[0],
        missing_of_others=missing[1],
        bands=_bands(column, a, b, len(ours), len(others)),
    )


def kolmogorov_smirnov(a: Doubles, b: Doubles) -> tuple[float, float]:
    """D of two sorted samples, and its asymptotic p-value. (0, 1) when one is empty.

    Only the values of the smaller one are looked at: between two of them its share stands still, so that the largest
    distance is at one of them or just before it.
    """
    if not len(a) or not len(b):
        return 0.0, 1.0
    few, many = (a, b) if len(a) <= len(b) else (b, a)
    at = np.unique(few)
    up_to = np.abs(np.searchsorted(few, at, "right") / len(few) - np.searchsorted(many, at, "right") / len(many))
    before = np.abs(np.searchsorted(few, at, "left") / len(few) - np.searchsorted(many, at, "left") / len(many))
    d = float(max(up_to.max(), before.max()))
    return d, float(kolmogorov(sqrt(len(a) * len(b) / (len(a) + len(b))) * d))


def standardised_difference(a: Doubles, b: Doubles) -> float | None:
    """(mean a − mean b) ÷ √((variance a + variance b) ÷ 2); None without variance or with infinities."""
    if len(a) < 2 or len(b) < 2 or not (np.isfinite(a[[0, -1]]).all() and np.isfinite(b[[0, -1]]).all()):
        return None
    spread = sqrt((float(a.var(ddof=1)) + float(b.var(ddof=1))) / 2)
    found = (float(a.mean()) - float(b.mean())) / spread if spread else None
    return found if found is not None and isfinite(found) else None


def _mean(values: Doubles) -> float | None:
    found = float(values.mean()) if len(values) else None
    return found if found is not None and isfinite(found) else None


def _said(column: c.Column, value: float | None) -> float | str | None:
    if value is None or column.kind == "number":
        return value
    unit = timedelta(days=1) if column.type.kind == "date" else timedelta(microseconds=1)
    return (EPOCH + value * unit).date().isoformat()


def _bands(column: c.Column, a: Doubles, b: Doubles, ours: int, others: int) -> list[Band]:
    """Shares are of all customers of a side, so that with the missing ones they add up to 1."""
    both = np.sort(np.concatenate([a, b]))
    if not len(both):
        return []
    ranks = [-(-len(both) * k // BANDS) - 1 for k in range(1, BANDS + 1)]
    ends = np.unique(both[np.maximum(ranks, 0)])
    low, found, before = float(both[0]), list[Band](), (0, 0)
    for end in ends.tolist():
        upto = int(np.searchsorted(a, end, "right")), int(np.searchsorted(b, end, "right"))
        n, m = upto[0] - before[0], upto[1] - before[1]
        label = _range(column, low, end, first=not found)
        found.append(Band(label=label, members=n, others=m, share_of_members=n / ours, share_of_others=m / others))
        low, before = end, upto
    return found


def _range(column: c.Column, low: float, high: float, *, first: bool) -> str:
    def say(value: float) -> str:
        said = _said(column, value)
        return said if isinstance(said, str) else f"{said:,.10g}"

    return (
        f"{say(low)} to {say(high)}"
        if first and low < high
        else say(high)
        if first
        else f"above {say(low)} to {say(high)}"
    )


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _values(engine: Engine, model: Model, columns: list[c.Column], ours: int, others: int) -> list[Difference]:
    found: list[Difference] = []
    for batch in c.batches(columns):
        by_column = value_counts(engine, model, batch)
        found += [_value(column, by_column[i], ours, others) for i, column in enumerate(batch)]
    return found


ValueCounts = list[tuple[str | None, int, int, int]]
"""Value, members, others, and how many values it stands for: more than one for the last, which is the rest."""


def value_counts(engine: Engine, model: Model, batch: Sequence[c.Column], most: int = VALUES) -> list[ValueCounts]:
    """Per column the customers of either side for each of its most frequent values, missing included, in one scan."""
    names = [f"v{i}" for i in range(len(batch))]
    listed = ", ".join(f"{x.text} AS {name}" for name, x in zip(names, batch, strict=True))
    sets = ", ".join(f"({name})" for name in names)
    which = " ".join(f"WHEN grouping({name}) = 0 THEN {i}" for i, name in enumerate(names))
    sql = (
        f"WITH one AS (SELECT s.side AS side, {listed} FROM {c.source(model)}), "
        f"counted AS (SELECT CASE {which} END AS g, coalesce({', '.join(names)}, NULL) AS v, "
        "count(*) FILTER (WHERE side = 1) AS members, count(*) FILTER (WHERE side = 0) AS others "
        f"FROM one GROUP BY GROUPING SETS ({sets})), "
        "ranked AS (SELECT *, row_number() OVER "
        "(PARTITION BY g ORDER BY v IS NULL DESC, members + others DESC, v) AS place FROM counted), "
        "kept AS (SELECT g, least(place, $most + 1) AS place, v, members, others FROM ranked) "
        "SELECT g, place, min(v) AS v, CAST(sum(members) AS BIGINT) AS members, CAST(sum(others) AS BIGINT) AS others, "
        "count(*) AS n FROM kept GROUP BY g, place ORDER BY g, place"
    )
    found: list[ValueCounts] = [[] for _ in batch]
    for row in engine.fetch(Query(sql, {"most": most})).to_pylist():
        found[row["g"]].append((row["v"], row["members"], row["others"], row["n"]))
    return found


def _value(column: c.Column, counts: ValueCounts, ours: int, others: int) -> Difference:
    members, rest = [x[1] for x in counts], [x[2] for x in counts]
    chi2, p = chi_squared(members, rest)
    missing = next(((m, o) for v, m, o, n in counts if v is None and n == 1), (0, 0))
    return Difference(
        attribute=column.name,
        kind="value",
        score=sum(abs(m / ours - o / others) for m, o in zip(members, rest, strict=True)) / 2,
        p=p,
        significant=False,
        cramers_v=cramers_v(chi2, ours + others, len(counts)),
        missing_of_members=missing[0] / ours,
        missing_of_others=missing[1] / others,
        bands=[
            Band(
                label=f"{n:,} other values" if n > 1 else "missing" if v is None else v,
                members=m,
                others=o,
                share_of_members=m / ours,
                share_of_others=o / others,
            )
            for v, m, o, n in counts
        ],
    )


def chi_squared(a: Sequence[int], b: Sequence[int]) -> tuple[float, float]:
    """Pearson's χ² of a table with two columns, and its p-value; rows of zeros do not count."""
    table = np.array([a, b], dtype=np.float64)
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 0.0, 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi2 = float(((table - expected) ** 2 / expected).sum())
    return chi2, float(chdtrc(table.shape[1] - 1, chi2))


def cramers_v(chi2: float, n: int, values: int) -> float | None:
    """Bergsma's bias-corrected form of √(φ² ÷ min(r − 1, k − 1)) for two rows and k values; None for one value."""
    if values < 2 or n < 2:
        return None
    phi2 = max(0.0, chi2 / n - (values - 1) / (n - 1))
    rows = 2 - 1 / (n - 1)
    wide = values - (values - 1) ** 2 / (n - 1)
    least = min(rows - 1, wide - 1)
    return sqrt(phi2 / least) if least > 0 else None
