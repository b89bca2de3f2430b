"""Similar values: all pairs of strings, numbers or dates that pass a fuzzy criterion, without comparing all pairs.

    left, right (value)  ──▶  similar_values  ──▶  makes(a, b, score)

A fuzzy rule without any exact condition is still complete: every filter on the way rules out only pairs that provably
cannot pass (docs/similarity-join.md), and what is left is scored exactly. The cost is measured on samples before
anything is joined; above `max_pairs` the join is refused, or the values that cost most are left out and listed.
"""

from collections.abc import Iterator
from time import perf_counter
from typing import Literal

import numpy as np
import pyarrow as pa

from unify.conflation.compare import sentence
from unify.conflation.similarity.numbers import near_pairs
from unify.conflation.similarity.pairs import Scored
from unify.conflation.similarity.report import Ignored, SimilarityReport, overloaded
from unify.conflation.similarity.texts import TextJoin
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.steps import Query
from unify.spec import Criterion

__all__ = ["Ignored", "SimilarityReport", "similar_values"]

BATCH = 1 << 17
"""Result rows that exist as strings at one time."""
LEAST_SHARE = 0.02
"""Leaving values out changes the estimate, which is taken again. From the second round on, at least this share of the
values goes, so that it ends."""

Overload = Literal["degrade", "refuse"]


def similar_values(
    engine: Engine,
    criterion: Criterion,
    left: str,
    right: str | None,
    makes: str,
    *,
    max_pairs: int,
    overload: Overload = "degrade",
) -> SimilarityReport:
    """Make the scratch table `makes(a VARCHAR, b VARCHAR, score DOUBLE)`, one row per pair of values that passes.

    left, right   tables with a column `value` VARCHAR; null and empty values match nothing, repeated ones count once
    right None    the table with itself: every unordered pair once, a < b; a value is not paired with itself
    max_pairs     pairs to compare at most, by estimate

    Raises OverloadError when the estimate is above `max_pairs` and `overload` is `refuse`; ValueError for a criterion
    that is an equality (join on compare.join_key instead).
    """
    if criterion.is_exact:
        raise ValueError(f"{criterion.compare} is an equality here: join on compare.join_key")
    started = perf_counter()
    if criterion.compare in ("number", "date"):
        return near_pairs(engine, criterion, left, right, makes, max_pairs=max_pairs, overload=overload)
    ours, theirs = _texts(engine, left), None if right is None else _texts(engine, right)
    join = TextJoin(criterion, ours, theirs)
    ignored: list[Ignored] = []
    estimate = join.candidates
    while join.candidates > max_pairs:
        if overload == "refuse":
            raise overloaded(sentence(criterion), join.candidates, max_pairs, join.worst())
        ignored += join.costly(max_pairs, least=LEAST_SHARE if ignored else 0.0)
        join = TextJoin(criterion, *_without(ours, theirs, ignored))
    ours, theirs = join.left_texts, join.right_texts
    pairs = _load(engine, makes, ours, ours if theirs is None else theirs, join.run())
    return SimilarityReport(
        method=join.method,
        left=len(ours),
        right=len(ours if theirs is None else theirs),
        estimated=estimate,
        compared=join.compared,
        filtered=join.filtered,
        pairs=pairs,
        ignored=tuple(ignored),
        seconds=round(perf_counter() - started, 3),
    )


def _texts(engine: Engine, table: str) -> list[str]:
    """Distinct values in code point order."""
    sql = f"SELECT DISTINCT value FROM {quote(table)} WHERE value <> '' ORDER BY value"
    found: list[str] = engine.fetch(Query(sql)).column(0).to_pylist()
    return found


def _without(ours: list[str], theirs: list[str] | None, ignored: list[Ignored]) -> tuple[list[str], list[str] | None]:
    out_left = {i.value for i in ignored if i.side == "left"}
    out_right = {i.value for i in ignored if i.side == "right"}
    kept = [v for v in ours if v not in out_left]
    return kept, None if theirs is None else [v for v in theirs if v not in out_right]


def _load(engine: Engine, makes: str, left: list[str], right: list[str], found: Iterator[Scored]) -> int:
    """Put pairs of places in the two lists into the result table, as strings, a batch at a time."""
    schema = pa.schema([("a", pa.string()), ("b", pa.string()), ("score", pa.float64())])
    a_texts = pa.array(left, pa.string())
    b_texts = a_texts if right is left else pa.array(right, pa.string())
    kept = list(found)

    def batches() -> Iterator[pa.RecordBatch]:
        for pairs in kept:
            for at in range(0, len(pairs.a), BATCH):
                a, b = (pa.array(x[at : at + BATCH]) for x in (pairs.a, pairs.b))
                score = pa.array(np.asarray(pairs.score[at : at + BATCH], np.float64))
                yield pa.record_batch([a_texts.take(a), b_texts.take(b), score], schema=schema)

    return engine.load(makes, pa.RecordBatchReader.from_batches(schema, batches()))
