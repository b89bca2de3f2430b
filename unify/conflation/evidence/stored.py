"""The model of every scored rule as tables, and back: what a run learned is what `explain` uses.

makes  evidence_model      rule, comparison, name, level, sentence, m, u, weight (bits), records (that hold a value),
                           wordy; the prior is comparison 0
       evidence_overlaps   rule, comparison, level, parent, parent_level, weight (bits): what is taken from two together
       evidence_kinds      rule, kind, comparison, shared, same, ratio: kinds of pairs besides matches and strangers
       evidence_terms      rule, comparison, value, records: values on more records than weights.RARE
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from unify.conflation.evidence.kinds import Kind
from unify.conflation.evidence.model import Model, probability
from unify.conflation.evidence.overlaps import Overlap
from unify.conflation.evidence.values import Compared, Floats
from unify.conflation.evidence.weights import RARE
from unify.core.engine import Engine
from unify.core.steps import Query

BIT = float(np.log(2))
"""Natural log odds in one bit."""
MODEL = pa.schema(
    [
        ("rule", pa.int16()), ("comparison", pa.int16()), ("name", pa.string()), ("level", pa.int16()),
        ("sentence", pa.string()), ("m", pa.float64()), ("u", pa.float64()), ("weight", pa.float64()),
        ("records", pa.int64()), ("wordy", pa.bool_()),
    ]
)  # fmt: skip
OVERLAPS = pa.schema(
    [("rule", pa.int16()), *((c, pa.int16()) for c in ("comparison", "level", "parent", "parent_level")),
     ("weight", pa.float64())]
)  # fmt: skip
KINDS = pa.schema(
    [("rule", pa.int16()), ("kind", pa.int16()), ("comparison", pa.int16()), ("shared", pa.float64()),
     ("same", pa.bool_()), ("ratio", pa.float64())]
)  # fmt: skip
TERMS = pa.schema([("rule", pa.int16()), ("comparison", pa.int16()), ("value", pa.string()), ("records", pa.int64())])


def level_sentence(cuts: Sequence[float], level: int) -> str:
    """A level for people.

    >>> [level_sentence((0.45, 0.9), level) for level in (-1, 0, 1, 2, 3)]
    ['no value', 'less than 45 % alike', '45 % to 90 % alike', 'at least 90 % alike', 'equal']
    """
    if level < 0:
        return "no value"
    if level > len(cuts):
        return "equal"
    if not cuts:
        return "not equal"
    if level == 0:
        return f"less than {cuts[0] * 100:g} % alike"
    if level == len(cuts):
        return f"at least {cuts[-1] * 100:g} % alike"
    return f"{cuts[level - 1] * 100:g} % to {cuts[level] * 100:g} % alike"


def model_rows(rule: int, values: Sequence[Compared], model: Model) -> Iterator[tuple[Any, ...]]:
    """Rows of `evidence_model`: the prior first, then comparisons with their levels."""
    chance = float(probability(np.array([model.prior]))[0])
    sentence = f"two records drawn at random are one customer with probability {chance:.2g}"
    yield rule, 0, "prior", None, sentence, None, None, model.prior / BIT, None, None
    for k, v in enumerate(values):
        weights = model.weight(k) / BIT
        for level in range(v.levels):
            said = level_sentence(v.cuts, level)
            yield (
                rule, k + 1, v.name, level, said,
                float(model.m[k][level]), float(model.u[k][level]), float(weights[level]), v.filled, v.wordy,
            )  # fmt: skip


def model_table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """`evidence_model` of all scored rules."""
    columns = zip(*rows, strict=True) if rows else [()] * len(MODEL)
    return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, MODEL, strict=True)], MODEL)


def overlaps_table(rule: int, model: Model | None) -> pa.Table:
    """`evidence_overlaps` of one rule: the pairs of levels with an overlap."""
    rows = [
        (rule, o.comparison + 1, int(level), o.parent + 1, int(above), -float(o.lift[level, above]) / BIT)
        for o in (model.overlaps if model else ())
        for level, above in zip(*np.nonzero(o.lift), strict=True)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(OVERLAPS)
    return pa.table([pa.array(list(c), f.type) for c, f in zip(columns, OVERLAPS, strict=True)], OVERLAPS)


def kinds_table(rule: int, model: Model | None) -> pa.Table:
    """Rows of `evidence_kinds`: one per kind and comparison, kinds numbered from 1."""
    rows = [
        (rule, number, k + 1, float(shared), kind.same, float(np.exp(kind.ratio)))
        for number, kind in enumerate(model.kinds if model else (), 1)
        for k, shared in enumerate(kind.shared)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(KINDS)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, KINDS, strict=True)], KINDS)


def terms_table(rule: int, values: Sequence[Compared]) -> pa.Table:
    """`evidence_terms` of one rule."""
    parts = []
    for k, v in enumerate(values):
        common = np.flatnonzero(v.counts > RARE) if v.terms else np.empty(0, dtype=np.int64)
        columns = [
            pa.array(np.full(len(common), rule), pa.int16()), pa.array(np.full(len(common), k + 1), pa.int16()),
            pa.array(v.texts[common].tolist(), pa.string()), pa.array(v.counts[common], pa.int64()),
        ]  # fmt: skip
        parts.append(pa.table(columns, TERMS))
    return pa.concat_tables(parts) if parts else TERMS.empty_table()


@dataclass(frozen=True)
class Stored:
    """What a run wrote down about one scored rule."""

    model: Model
    filled: tuple[int, ...]
    wordy: tuple[bool, ...]
    terms: tuple[dict[str, int], ...]

    def at_large(self, values: Sequence[Compared]) -> list[Compared]:
        """Values of a few records, counted as the run counted them among all records."""
        return [
            replace(
                v,
                counts=np.array([self.terms[k].get(text, RARE) for text in v.texts], dtype=np.int64),
                filled=self.filled[k],
                wordy=self.wordy[k],
            )
            for k, v in enumerate(values)
        ]


def stored(engine: Engine, rule: int) -> Stored | None:
    """Read a rule's model back; None when the run had no candidates to learn from."""
    query = "FROM {} WHERE rule = $rule ORDER BY comparison, {}"
    rows = engine.fetch(Query(query.format("evidence_model", "level"), {"rule": rule})).to_pylist()
    if not rows:
        return None
    words = engine.fetch(Query(query.format("evidence_terms", "value"), {"rule": rule})).to_pylist()
    comparisons = sorted({r["comparison"] for r in rows} - {0})
    by = {k: [r for r in rows if r["comparison"] == k] for k in comparisons}
    pairs = engine.fetch(Query(query.format("evidence_overlaps", "level, parent_level"), {"rule": rule})).to_pylist()
    kinds = engine.fetch(Query("FROM evidence_kinds WHERE rule = $rule ORDER BY kind, comparison", {"rule": rule}))
    [prior] = [r["weight"] * BIT for r in rows if r["comparison"] == 0]
    model = Model(
        tuple(np.array([r["m"] for r in by[k]]) for k in comparisons),
        tuple(np.array([r["u"] for r in by[k]]) for k in comparisons),
        prior,
        _overlaps(pairs, {k: len(by[k]) for k in comparisons}),
        _kinds(kinds.to_pylist()),
    )
    terms: dict[int, dict[str, int]] = {k: {} for k in comparisons}
    for word in words:
        terms[word["comparison"]][word["value"]] = word["records"]
    return Stored(
        model,
        tuple(by[k][0]["records"] for k in comparisons),
        tuple(by[k][0]["wordy"] for k in comparisons),
        tuple(terms[k] for k in comparisons),
    )


def _overlaps(rows: Sequence[dict[str, Any]], levels: dict[int, int]) -> tuple[Overlap, ...]:
    """Overlaps from their rows; `levels`: how many each comparison, from 1, has."""
    lifts: dict[tuple[int, int], Floats] = {}
    for row in rows:
        key = row["comparison"], row["parent"]
        lift = lifts.setdefault(key, np.zeros((levels[key[0]], levels[key[1]])))
        lift[row["level"], row["parent_level"]] = -row["weight"] * BIT
    return tuple(Overlap(child - 1, parent - 1, lift) for (child, parent), lift in sorted(lifts.items()))


def _kinds(rows: Sequence[dict[str, Any]]) -> tuple[Kind, ...]:
    """Kinds from their rows, which are in order."""
    numbers = sorted({row["kind"] for row in rows})
    of = [[row for row in rows if row["kind"] == number] for number in numbers]
    return tuple(Kind(k[0]["same"], float(np.log(k[0]["ratio"])), np.array([r["shared"] for r in k])) for k in of)
