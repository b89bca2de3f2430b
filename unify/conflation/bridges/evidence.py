"""How doubtful a link is: what the records on its two sides say about each other, in bits, without labels.

    agree        log2(r / u)              r  share of linked records that agree, where the rule did not ask for it
    contradict   log2((1 - r) / (1 - u))  u  share of different customers that agree, by chance
    prior        -log2(customers)
    certainty    1 / (1 + 2^-(prior + bits))          doubt = 1 - score of the link * certainty

Attributes hang together (street, city and postcode are one fact; so are last and full name): of agreements, and of
contradictions, the n-th strongest counts one n-th. Everything is estimated from the clusters at hand; where they tell
too little, r is 0.9 and u what a sixteenth of a pair would be.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unify.conflation.bridges.compared import Attribute
from unify.conflation.bridges.graph import Longs
from unify.conflation.limits import Flags, Ints
from unify.core.engine import Engine
from unify.core.steps import Query, Step

Doubles = npt.NDArray[np.float64]
Says = npt.NDArray[np.int8]
"""Per link and attribute: 1 agree, 0 contradict, -1 nothing to say."""

SAMPLE = 5_000
"""Clusters whose values tell how often different customers agree by chance: 12 M pairs of customers."""
DRAWN = 4_000
"""Pairs of records drawn to see how often values are alike without being equal."""
HITS = 5
"""Of those pairs, before they are believed."""
SUPPOSED, SUPPOSITION = 0.9, 10
"""What r is without data, and how many links that opinion is worth."""
RAREST = 16
"""What no two different customers share is still taken to be shared by one pair in that many times their number."""


@dataclass(frozen=True)
class Weighed:
    """Per link: what its sides say, attribute by attribute, and how doubtful it is."""

    says: Says
    doubt: Doubles


def weigh(
    engine: Engine,
    attributes: tuple[Attribute, ...],
    values: str,
    clusters: Ints,
    rule: Ints,
    score: Doubles,
    drawn: Longs,
) -> Weighed:
    """Weigh the links 0..n-1, by number.

    reads   links_pairs (id, a, b) and links_sides (id, side, rid): what stands on both sides of each link (stage.py);
            ids from n on are pairs drawn by chance
    values  WITH links_values (compared.py)
    clusters   cluster per record; rule, score: per link; drawn: which of the pairs drawn are of different clusters
    """
    agrees = [a.agrees(k, "l", "r") for k, a in enumerate(attributes)]
    one = ", ".join(f"{test} AS s{k}" for k, test in enumerate(agrees))
    some = ", ".join(f"bool_or({test}) AS s{k}" for k, test in enumerate(agrees))
    said = Query(
        f"{values} SELECT x.id, {one} FROM links_pairs AS x JOIN links_values AS l ON l.rid = x.a "
        "JOIN links_values AS r ON r.rid = x.b UNION ALL "
        f"SELECT x.id, {some} FROM links_sides AS x JOIN links_sides AS y ON x.id = y.id AND x.side = 0 "
        "AND y.side = 1 JOIN links_values AS l ON l.rid = x.rid JOIN links_values AS r ON r.rid = y.rid GROUP BY x.id"
    )
    reads = ("links_pairs", "links_sides")
    engine.build(Step("links_said", said, "what the sides of links say", reads))
    table = engine.fetch(Query("FROM links_said"))
    says = np.full((len(rule) + DRAWN, len(attributes)), -1, dtype=np.int8)
    where = table.column("id").to_numpy()
    for k in range(len(attributes)):
        says[where, k] = table.column(f"s{k}").cast(pa.int8()).fill_null(-1).to_numpy()
    mine, by_chance = says[: len(rule)], says[len(rule) :][drawn]
    customers = len(np.unique(clusters))
    step = max(1, customers // SAMPLE)
    sampled = (
        f"{values} SELECT cluster, v.* FROM links_values AS v JOIN clusters USING (rid) WHERE cluster % {step} = 0"
    )
    engine.build(Step("links_sample", Query(sampled), "values of some customers"))
    shared = _shared(engine, attributes)
    agree, contradict = np.zeros(len(attributes)), np.zeros(len(attributes))
    for k, attribute in enumerate(attributes):
        free = ~np.isin(rule, list(attribute.rules)) & (mine[:, k] >= 0)
        r = _reliability(mine[free, k])
        u = min(_chance(shared.get(k, 0.0), customers, by_chance[:, k]), r)
        agree[k], contradict[k] = np.log2(r / u), np.log2((1 - r) / (1 - u))
    bits = _damped(np.where(mine == 1, agree, 0.0)) - _damped(np.where(mine == 0, -contradict, 0.0))
    certainty = 1 / (1 + np.exp2(-(bits - np.log2(max(customers, 2)))))
    return Weighed(mine, np.round(1 - score * certainty, 6))


def _reliability(said: Says) -> float:
    """The share of linked records that agree: SUPPOSED, until links say otherwise; never quite certain."""
    share = (int((said == 1).sum()) + SUPPOSED * SUPPOSITION) / (len(said) + SUPPOSITION)
    return float(np.clip(share, 0.5, 0.99))


def _shared(engine: Engine, attributes: tuple[Attribute, ...]) -> dict[int, float]:
    """Attribute → share of the pairs of sampled customers that have an equal value of it."""
    parts = " UNION ALL ".join(
        f"SELECT {k} AS k, cluster, CAST(c{k}_{j} AS VARCHAR) AS value FROM links_sample WHERE c{k}_{j} IS NOT NULL"
        for k, attribute in enumerate(attributes)
        for j in range(attribute.width)
    )
    counted = f"SELECT k, value, count(DISTINCT cluster) AS n FROM ({parts}) GROUP BY k, value"
    sql = f"SELECT k, sum(n * (n - 1))::DOUBLE AS shared, sum(n)::DOUBLE AS n FROM ({counted}) GROUP BY k"
    return {r["k"]: r["shared"] / max(r["n"] * (r["n"] - 1), 1.0) for r in engine.fetch(Query(sql)).to_pylist()}


def _chance(shared: float, customers: int, by_chance: Says) -> float:
    """How often different customers agree: by equal values, or as pairs drawn by chance do where that is more."""
    u = max(shared, 1 / (RAREST * max(customers, 2)))
    hits, trials = int((by_chance == 1).sum()), int((by_chance >= 0).sum())
    return max(u, hits / trials) if hits >= HITS else u


def _damped(bits: Doubles) -> Doubles:
    """The sum of each row, its n-th largest counted one n-th."""
    ordered = -np.sort(-bits, axis=1)
    damped: Doubles = (ordered / np.arange(1, bits.shape[1] + 1)).sum(axis=1)
    return damped


def draw(records: int, clusters: Ints) -> tuple[Ints, Ints, Flags]:
    """DRAWN pairs of records, always the same ones, and which are of different clusters."""
    chance = np.random.default_rng(records)
    x, y = (chance.integers(0, records, DRAWN).astype(np.int32) for _ in range(2))
    return x, y, clusters[x] != clusters[y]
