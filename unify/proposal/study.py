"""What agreement is worth, learned from the records themselves: a scored rule on trial.

All attributes are prepared as a run would; up to SMALL records are studied whole. Of more, SEEDS are drawn by lot (the
smallest hashes of entity and key) together with everybody who may be one of them: who shares a rare value, or two less
rare ones. Pairs with a seed in them are then as they are among all records, and so are their shares and odds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pyarrow as pa

from unify.conflation.binding import bind, plan_of
from unify.conflation.evidence.candidates import candidates
from unify.conflation.evidence.model import Drawn, Model, Patterns, fit, probability, step_of
from unify.conflation.evidence.patterns import all_levels, patterns_of
from unify.conflation.evidence.run import read_values
from unify.conflation.evidence.values import Codes, Compared, Floats, Ints, Levels
from unify.conflation.evidence.weights import Scorer
from unify.conflation.normalize_lists import Lists
from unify.conflation.prepare import prepare
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine, scalar
from unify.core.errors import SourceError, SpecError
from unify.core.steps import Query, Step
from unify.proposal.attributes import Attribute
from unify.proposal.known import Known
from unify.spec import ConflationPlan, Evidence, OrderedEntity, Project, Rule

SMALL = 60_000
"""Records that are studied whole."""
SEEDS = 10_000
RARE, LESS_RARE = 10, 30
"""Records with one value of a seed, or with two, that are looked at, at most."""
PAIRED = 7
"""Attributes of which every two together are looked at, those with the most information first."""
PAIRS = 3_000_000
"""Candidate pairs that the model is learned from, at most."""
WEIGHED = 500_000
"""Of them so many are weighed, one by one; of more, every so many-th."""
SAME, DIFFERENT, NOTHING = 1, 0, -1
"""What a label says of a pair."""
EQUIVALENT = 5.0
"""Labels that the estimate for an agreement pattern is worth."""
TRIAL = "trial"
HASHED, NEAR = "suggest_hashed", "suggest_near"
"""Scratch tables: hashes of all values; the records that are looked at."""


@dataclass(frozen=True)
class Studied:
    """Pairs of records with what is known of each.

    attributes   those with a comparison, in the order of `values`
    left, right  places of records; the first pair of a row has a seed in it
    patterns     distinct agreement patterns; `place`: the pattern of every pair
    certainty    probability of every pair that it is one customer
    said         what a label says of every pair: SAME, DIFFERENT or, mostly, NOTHING
    entity       number of the entity of every record at hand, in the order of the project
    sizes        records of every entity
    drawn        per comparison, the values of the records that were drawn, as codes (of several columns the first)
    records      in all; `seeds`: how many of them the pairs are about
    step         every so many-th pair of these is here
    """

    attributes: tuple[Attribute, ...]
    values: Sequence[Compared]
    model: Model
    left: Ints
    right: Ints
    patterns: Patterns
    place: Ints
    certainty: Floats
    said: Ints
    entity: Ints
    sizes: tuple[int, ...]
    drawn: tuple[Codes, ...]
    records: int
    seeds: int
    step: int

    @property
    def mass(self) -> Floats:
        """Per pattern, the matches expected among its pairs."""
        return np.bincount(self.place, weights=self.certainty, minlength=len(self.patterns.pairs)).astype(np.float64)

    @property
    def matches(self) -> float:
        """Pairs of all records that are expected to be one customer."""
        return float(self.certainty.sum()) * self.scale

    @property
    def scale(self) -> float:
        """Pairs among all records per pair studied."""
        share = self.seeds / self.records
        return self.step / (1 - (1 - share) ** 2)


def evidence_of(attribute: Attribute) -> Evidence:
    """The comparison of an attribute in a scored rule."""
    return Evidence(field=attribute.name, columns=attribute.columns_apart(), normalize=attribute.normalize)


def study(
    engine: Engine,
    project: Project,
    entities: Sequence[str],
    attributes: Sequence[Attribute],
    known: Sequence[Known] = (),
) -> Studied:
    """Prepare, draw, compare, learn; what is `known` of pairs counts for them and for pairs that look like them.

    Raises SpecError when there is nothing to learn from, SourceError for a labelled record that does not exist.
    """
    rule = _on_trial(engine, project, attributes, entities)
    total = int(scalar(engine, Query("SELECT count(*) FROM records")))
    if total < 2:
        raise SpecError("there are fewer than two records: nothing to compare", where="sources")
    labelled = _places(engine, known)
    seeds = _draw(engine, rule, attributes, labelled) if total > SMALL else None
    among = f"rid IN (SELECT rid FROM {NEAR})" if seeds is not None else ""
    rids, _, values = read_values(engine, rule, among=among)
    is_seed = np.ones(len(rids), dtype=np.bool_) if seeds is None else np.isin(rids, seeds)
    if seeds is not None:
        values = [_counted(engine, v, rule.scored[k].left, k) for k, v in enumerate(values)]
    found = candidates(values, None, PAIRS)
    kept = is_seed[found.left] | is_seed[found.right]
    left, right = found.left[kept], found.right[kept]
    if not len(left):
        raise SpecError("no two records have anything telling in common", where="sources")
    learned = step_of(len(left))
    left, right = left[::learned], right[::learned]
    level = all_levels(values, left, right)
    compared = patterns_of(values, level)[0]
    compared = Patterns(compared.levels, compared.pairs * learned)
    model, _, _ = fit(values, left, right, None, None if seeds is None else Drawn(is_seed, total), compared)
    weighed = -(-len(left) // WEIGHED)
    step = learned * weighed
    left, right, level = left[::weighed], right[::weighed], level[::weighed]
    left, right, level, said = _with_known(values, left, right, level, rids, labelled)
    seen, place = patterns_of(values, level)
    certainty = _sharpened(probability(Scorer(values, model).weigh(left, right, known=level)), place, said)
    numbers = engine.fetch(Query("SELECT entity_no FROM records ORDER BY rid")).column(0).to_numpy()
    sizes = tuple(np.bincount(numbers, minlength=len(entities)).tolist())
    drawn = tuple(v.codes[is_seed, 0] for v in values)
    return Studied(
        tuple(attributes), values, model, left, right, seen, place, certainty, said,
        numbers[rids].astype(np.int64), sizes, drawn, total, int(is_seed.sum()), step,
    )  # fmt: skip


def _places(engine: Engine, known: Sequence[Known]) -> tuple[Ints, Ints, Ints]:
    """The rids of labelled pairs, and what was said of them."""
    if not known:
        return (np.empty(0, dtype=np.int64),) * 3
    sides = {f"{side}{n}": [getattr(k, side)[n] for k in known] for side in "ab" for n in (0, 1)}
    engine.load("suggest_known", pa.table({"n": np.arange(len(known)), **sides}))
    sql = (
        "SELECT k.n, x.rid AS a, y.rid AS b FROM suggest_known AS k "
        "LEFT JOIN records AS x ON x.entity = k.a0 AND x.key = k.a1 "
        "LEFT JOIN records AS y ON y.entity = k.b0 AND y.key = k.b1 ORDER BY k.n"
    )
    rows = engine.fetch(Query(sql))
    for side in "ab":
        column = rows.column(side)
        if column.null_count:
            n = column.is_null().index(True).as_py()
            entity, key = getattr(known[n], side)
            hint = "labels name records by entity and primary key, as they are in the data"
            raise SourceError(f"{entity} has no record {key!r}", where=f"labels, row {n + 1}", hint=hint)
    said = np.array([SAME if k.same else DIFFERENT for k in known], dtype=np.int64)
    a, b = (rows.column(c).to_numpy().astype(np.int64) for c in "ab")
    return np.minimum(a, b), np.maximum(a, b), said


def _with_known(
    values: Sequence[Compared], left: Ints, right: Ints, level: Levels, rids: Ints, labelled: tuple[Ints, Ints, Ints]
) -> tuple[Ints, Ints, Levels, Ints]:
    """The pairs and their levels, those that are labelled among them; and what labels say of each."""
    a, b = (np.searchsorted(rids, x) for x in labelled[:2])
    apart = a != b
    codes, first = np.unique((a * len(rids) + b)[apart], return_index=True)
    own = left * len(rids) + right
    every = np.union1d(own, codes)
    said = np.full(len(every), NOTHING, dtype=np.int64)
    said[np.searchsorted(every, codes)] = labelled[2][apart][first]
    left, right = every // len(rids), every % len(rids)
    levels = np.empty((len(every), len(values)), dtype=np.int8)
    levels[np.searchsorted(every, own)] = level
    new = np.flatnonzero(np.isin(every, codes))
    levels[new] = all_levels(values, left[new], right[new])
    return left, right, levels, said


def _sharpened(certainty: Floats, place: Ints, said: Ints) -> Floats:
    """What labels say of a pair is so; the estimate for a pattern counts as much as EQUIVALENT labels with it."""
    known = said != NOTHING
    if not known.any():
        return certainty
    patterns_ = int(place.max()) + 1
    labels = np.bincount(place[known], minlength=patterns_)
    same = np.bincount(place[said == SAME], minlength=patterns_)
    mean = np.bincount(place, weights=certainty, minlength=patterns_) / np.maximum(
        np.bincount(place, minlength=patterns_), 1
    )
    goal = (mean * EQUIVALENT + same) / (EQUIVALENT + labels)
    shift = np.log(np.clip(goal, 1e-9, 1 - 1e-9) / np.clip(1 - goal, 1e-9, 1)) - np.log(
        np.clip(mean, 1e-9, 1 - 1e-9) / np.clip(1 - mean, 1e-9, 1)
    )
    odds = np.log(np.clip(certainty, 1e-12, 1) / np.clip(1 - certainty, 1e-12, 1))
    moved = np.where(labels[place] > 0, probability(odds + shift[place]), certainty)
    return np.where(known, (said == SAME).astype(np.float64), moved)


def _on_trial(engine: Engine, project: Project, attributes: Sequence[Attribute], entities: Sequence[str]) -> BoundRule:
    """The scored rule over all attributes, bound, its values prepared."""
    score = tuple(evidence_of(a) for a in attributes)
    order = tuple(OrderedEntity(entity=e) for e in entities)
    plan = ConflationPlan(order=order, rules=(Rule(name=TRIAL, score=score),))
    trial = project.model_copy(update={"conflation": plan})
    bound = bind(engine, trial, Lists())
    prepare(engine, trial, plan_of(trial), bound.prepared)
    return next(rule for rule in bound.rules if rule.scored)


def _draw(engine: Engine, rule: BoundRule, attributes: Sequence[Attribute], labelled: tuple[Ints, Ints, Ints]) -> Ints:
    """The seeds' rids; makes NEAR, the rids to look at, labelled ones among them, and HASHED."""
    cells = [
        f"CASE WHEN {c} IS NOT NULL THEN hash(CAST({c} AS VARCHAR)) END AS h{k}_{i}"
        for k, term in enumerate(rule.scored)
        for i, c in enumerate(term.left)
    ]
    engine.build(Step(HASHED, Query(f"SELECT rid, {', '.join(cells)} FROM {rule.left.table}"), "hash all values"))
    sql = f"SELECT rid FROM records ORDER BY hash(entity, key), rid LIMIT {SEEDS}"
    engine.build(Step("suggest_seeds", Query(sql), "draw records by lot"))
    order = sorted(range(len(attributes)), key=lambda k: -attributes[k].bits)[:PAIRED]
    keys = [((k,), RARE) for k in range(len(attributes))] + [(p, LESS_RARE) for p in combinations(sorted(order), 2)]
    engine.load("suggest_labelled", pa.table({"rid": np.concatenate(labelled[:2]).astype(np.int32)}))
    parts = ["SELECT rid FROM suggest_seeds", "SELECT rid FROM suggest_labelled"]
    for ks, most in keys:
        columns = [[f"h{k}_{i}" for i in range(len(rule.scored[k].left))] for k in ks]
        for cell in product(*columns):
            on = ", ".join(cell)
            there = " AND ".join(f"{c} IS NOT NULL" for c in cell)
            own = f"SELECT DISTINCT {on} FROM {HASHED} SEMI JOIN suggest_seeds USING (rid) WHERE {there}"
            parts.append(
                f"SELECT rid FROM (SELECT rid, count(*) OVER (PARTITION BY {on}) AS n "
                f"FROM {HASHED} JOIN ({own}) USING ({on})) WHERE n <= {most}"
            )
    engine.build(Step(NEAR, Query(" UNION ".join(parts)), "find who may be one of them"))
    return np.asarray(engine.fetch(Query("SELECT rid FROM suggest_seeds")).column(0).to_numpy(), dtype=np.int64)


def _counted(engine: Engine, values: Compared, columns: Sequence[str], k: int) -> Compared:
    """The values with the number of records that hold each among *all* records, not only those looked at."""
    engine.load(
        "suggest_texts", pa.table({"place": np.arange(len(values.texts)), "text": pa.array(values.texts, pa.string())})
    )
    cells = [f"SELECT rid, h{k}_{i} AS h FROM {HASHED}" for i in range(len(columns))]
    union = " UNION ".join(cells)
    sql = (
        f"SELECT t.place, count(*) AS n FROM ({union}) AS v JOIN suggest_texts AS t ON v.h = hash(t.text) "
        "GROUP BY t.place"
    )
    answer = engine.fetch(Query(sql))
    counts = np.ones(len(values.texts), dtype=np.int64)
    counts[answer.column("place").to_numpy()] = answer.column("n").to_numpy()
    any_there = " OR ".join(f"h{k}_{i} IS NOT NULL" for i in range(len(columns)))
    filled = int(scalar(engine, Query(f"SELECT count(*) FROM {HASHED} WHERE {any_there}")))
    return replace(values, counts=counts, filled=filled)
