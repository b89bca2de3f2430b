"""What was found, as a plan of the project: order, common rules, limits, junk."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unify.proposal.attributes import FULL, Attribute
from unify.proposal.search import Condition, Found
from unify.proposal.study import Studied, evidence_of
from unify.spec import ConflationPlan, Criterion, JunkSpec, Limit, OrderedEntity, Rule
from unify.spec.conditions import Veto

EVIDENCE = "evidence"
Alike = tuple[Literal["jaro_winkler", "levenshtein", "token_sort"], int]
WORDS_ALIKE: Alike = ("token_sort", 85)
NAMES_ALIKE: Alike = ("jaro_winkler", 90)
TEXTS_ALIKE: Alike = ("levenshtein", 80)
"""How texts are compared that are to be alike: whole names in any order of words, names, all others."""
NO_TWO = 0.001
"""Records of an entity that have another one in it, as a share, below which the entity has one record a person."""
ENOUGH_RECORDS = 100
"""Records that an entity needs for that to be said of it."""
MOST_RECORDS, TIMES = 50, 4
"""A customer may hold so many records, or so many times what the largest one seems to hold."""


@dataclass(frozen=True)
class Proposed:
    """The plan, and what its rules were estimated at; `scored` is None where the plan has no scored rule."""

    plan: ConflationPlan
    rules: tuple[Found, ...]
    scored: Rule | None


def propose(studied: Studied, entities: Sequence[str], found: Sequence[Found], scored: Sequence[int]) -> Proposed:
    """The plan. `scored`: numbers of the attributes that the scored rule compares; none: there is no such rule."""
    names = _names([_name(f, studied.attributes) for f in found])
    rules = [_rule(n, f, studied.attributes) for n, f in zip(names, found, strict=True)]
    evidence = Rule(name=EVIDENCE, score=tuple(evidence_of(studied.attributes[k]) for k in scored)) if scored else None
    plan = ConflationPlan(
        order=tuple(OrderedEntity(entity=e) for e in entities),
        rules=(*rules, evidence) if evidence else tuple(rules),
        limits=_limits(studied, entities),
        junk=JunkSpec(detect=any(a.is_name for a in studied.attributes)),
    )
    return Proposed(plan, tuple(found), evidence)


def _rule(name: str, found: Found, attributes: Sequence[Attribute]) -> Rule:
    conditions = [_criterion(c, attributes[c.attribute]) for c in found.conditions]
    return Rule(
        name=name,
        when=tuple(c for c in conditions if not c.differs),
        unless=tuple(Veto(all=(c,)) for c in conditions if c.differs),
    )


def _criterion(condition: Condition, attribute: Attribute) -> Criterion:
    made = Criterion(
        field=attribute.name,
        columns=attribute.columns_apart(),
        normalize=attribute.normalize,
        differs=condition.differs,
    )
    if condition.equal:
        return made
    compare, precision = WORDS_ALIKE if attribute.label == FULL else NAMES_ALIKE if attribute.is_name else TEXTS_ALIKE
    return made.model_copy(update={"compare": compare, "precision": precision})


def _name(found: Found, attributes: Sequence[Attribute]) -> str:
    """`EMail, FirstName alike; not another DateOfBirth`."""
    asked = [attributes[c.attribute].name + ("" if c.equal else " alike") for c in found.conditions if not c.differs]
    excepted = [f"not another {attributes[c.attribute].name}" for c in found.conditions if c.differs]
    return "; ".join([", ".join(asked), *excepted])


def _names(names: Sequence[str]) -> list[str]:
    """Each once: the second of a name is its (2)."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        seen[name] += 1
        made.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return made


def _limits(studied: Studied, entities: Sequence[str]) -> tuple[Limit, ...]:
    """One record per customer for entities that seem to have no duplicates; and a ceiling."""
    limits = [Limit(at_most_one=entity) for entity in one_each(studied, entities)]
    return (*limits, Limit(max_records=_ceiling(studied)))


def one_each(studied: Studied, entities: Sequence[str]) -> list[str]:
    """Entities of several in which next to no two records are expected to be one customer."""
    return [e for k, e in enumerate(entities) if len(entities) > 1 and _has_no_two(studied, k)]


def _has_no_two(studied: Studied, entity: int) -> bool:
    own = studied.entity == entity
    inside = own[studied.left] & own[studied.right]
    twice = float(studied.certainty[inside].sum()) * studied.scale
    return studied.sizes[entity] >= ENOUGH_RECORDS and twice < NO_TWO * studied.sizes[entity]


def _ceiling(studied: Studied) -> int:
    """From how many others the record with most of them seems to be one with."""
    sure = studied.certainty > 0.5
    if not sure.any():
        return MOST_RECORDS
    others = np.bincount(np.concatenate([studied.left[sure], studied.right[sure]]))
    return max(MOST_RECORDS, TIMES * (int(others.max()) * studied.step + 1))
