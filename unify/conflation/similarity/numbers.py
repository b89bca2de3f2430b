"""Numbers and dates within a tolerance: sorted look-up finds the candidates, compare.py has the last word on each."""

from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
import pyarrow as pa

from unify.conflation import compare
from unify.conflation.similarity.range import Ranges, near
from unify.conflation.similarity.report import Ignored, SimilarityReport, overloaded
from unify.conflation.similarity.values import F64, I64
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.steps import Query, Step
from unify.spec import Criterion

POINTS = {
    "number": "SELECT DISTINCT value, TRY_CAST(value AS DOUBLE) AS point, NULL::DOUBLE AS swapped FROM {table} "
    "WHERE isfinite(TRY_CAST(value AS DOUBLE)) ORDER BY value",
    "date": "SELECT value, date_diff('day', DATE '1970-01-01', d)::DOUBLE AS point, CASE WHEN day(d) <= 12 THEN "
    "date_diff('day', DATE '1970-01-01', make_date(year(d), day(d), month(d)))::DOUBLE END AS swapped "
    "FROM (SELECT DISTINCT value, TRY_CAST(value AS DATE) AS d FROM {table}) WHERE isfinite(d) ORDER BY value",
}
"""value, its place on the line, and its place with day and month exchanged (null when there is none)."""
DECIMAL_ROUNDING = 1e-9
"""compare.py rounds numbers to ten decimals before it subtracts; candidates allow for both roundings."""


@dataclass(frozen=True, slots=True)
class _Side:
    texts: pa.Array
    point: F64
    swapped: F64


def near_pairs(
    engine: Engine,
    criterion: Criterion,
    left: str,
    right: str | None,
    makes: str,
    *,
    max_pairs: int,
    overload: Literal["degrade", "refuse"],
) -> SimilarityReport:
    """As `similarity.similar_values`, for `number` and `date`."""
    started = perf_counter()
    ours = _side(engine, criterion, left)
    theirs = ours if right is None else _side(engine, criterion, right)
    found = _ranges(criterion, ours, theirs)
    per_row: I64 = np.stack([r.count for r in found]).sum(axis=0)
    estimate = int(per_row.sum())
    out = np.zeros(0, np.int64)
    if estimate > max_pairs:
        order = np.lexsort((np.arange(len(per_row)), -per_row))
        if overload == "refuse":
            worst = f"values near {ours.texts[int(order[0])].as_py()!r}, which has {int(per_row[order[0]]):,} of them"
            raise overloaded(compare.sentence(criterion), estimate, max_pairs, worst)
        out = order[: int(np.searchsorted(np.cumsum(per_row[order]), estimate - max_pairs)) + 1]
    compared, pairs = _compare(engine, criterion, (ours, theirs), found, out, makes, right is None)
    return SimilarityReport(
        method="range",
        left=len(ours.point) - len(out),
        right=len(theirs.point) - (len(out) if right is None else 0),
        estimated=estimate,
        compared=compared,
        filtered=0,
        pairs=pairs,
        ignored=tuple(Ignored(ours.texts[int(i)].as_py(), "left", int(per_row[i])) for i in out),
        seconds=round(perf_counter() - started, 3),
    )


def _side(engine: Engine, criterion: Criterion, table: str) -> _Side:
    found = engine.fetch(Query(POINTS[criterion.compare].format(table=quote(table))))
    texts = found.column(0).combine_chunks()
    return _Side(texts, *(np.asarray(found.column(i).to_numpy(), np.float64) for i in (1, 2)))


def _ranges(criterion: Criterion, ours: _Side, theirs: _Side) -> list[Ranges]:
    """Direct neighbours; with `swap` also those of the exchanged date, equal to the day."""
    within = (criterion.within or 0.0) + DECIMAL_ROUNDING
    found = [near(ours.point, theirs.point, within)]
    if criterion.swap:
        found += [
            near(ours.swapped, theirs.point, DECIMAL_ROUNDING),
            near(ours.point, theirs.swapped, DECIMAL_ROUNDING),
        ]
    return found


def _compare(
    engine: Engine,
    criterion: Criterion,
    sides: tuple[_Side, _Side],
    found: list[Ranges],
    out: I64,
    makes: str,
    same: bool,
) -> tuple[int, int]:
    """Load the candidates, keep what passes; (candidates, pairs)."""
    ours, theirs = sides
    kept = np.ones(len(ours.point), bool)
    kept[out] = False
    pairs = [r.pairs() for r in found]
    a, b = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    if same:
        keep = kept[a] & kept[b] & (a != b)
        a, b = np.minimum(a, b)[keep], np.maximum(a, b)[keep]
    else:
        keep = kept[a]
        a, b = a[keep], b[keep]
    key = np.unique((a << np.int64(32)) | b)
    a, b = key >> np.int64(32), key & np.int64(0xFFFFFFFF)
    candidates = f"{makes}_candidates"
    table = pa.table({"a": ours.texts.take(pa.array(a)), "b": theirs.texts.take(pa.array(b))})
    engine.load(candidates, table)
    sql = (
        f"SELECT a, b, {compare.score(criterion, 'a', 'b')} AS score FROM {quote(candidates)} "
        f"WHERE {compare.passes(criterion, 'a', 'b')}"
    )
    step = Step(makes, Query(sql), "keep the candidates that pass", (candidates,), releases=(candidates,))
    return len(a), engine.build(step)
