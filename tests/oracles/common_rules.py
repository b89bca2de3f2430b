"""Common rules the slow way: every two records of all entities, every condition, columns looked up entity by entity."""

from itertools import combinations, product
from typing import Any

Row = dict[str, Any]


def read(row: Row, entity: str, compared: Any) -> list[Any]:
    """What a record says about a comparison: the values of its columns there; blank or missing ones say nothing."""
    if entity in compared.columns:
        wanted = compared.columns[entity]
    else:
        wanted = [name for name in (compared.fields or [compared.field]) if name in row]
    found = []
    for column in wanted:
        several = None if isinstance(column, str) else column.join
        value = row[column] if several is None else " ".join(str(row[c]).strip() for c in several if filled(row[c]))
        if filled(value):
            found.append(value.lower() if any(s.kind == "lower" for s in compared.normalize) else value)
    return found


def filled(value: Any) -> bool:
    return value is not None and (not isinstance(value, str) or value.strip() != "")


def best(a: list[Any], b: list[Any], criterion: Any, passes: Any) -> float | None:
    """The best passing score among the values of both records. `passes(a, b, criterion)` scores two values."""
    return max((s for x, y in product(a, b) if (s := passes(x, y, criterion)) is not None), default=None)


def pairs(records: list[tuple[str, Row]], rule: Any, passes: Any) -> dict[tuple[int, int], float]:
    """Linked places i < j with their score."""
    found = {}
    for i, j in combinations(range(len(records)), 2):
        (one, left), (other, right) = records[i], records[j]
        scores = [best(read(left, one, c), read(right, other, c), c, passes) for c in rule.when]
        if None in scores or any(_vetoed(records[i], records[j], veto, passes) for veto in rule.unless):
            continue
        found[i, j] = min(s for s in scores if s is not None)
    return found


def _vetoed(one: tuple[str, Row], other: tuple[str, Row], veto: Any, passes: Any) -> bool:
    def holds(criterion: Any) -> bool:
        a, b = read(one[1], one[0], criterion), read(other[1], other[0], criterion)
        passed = best(a, b, criterion, passes) is not None
        return bool(a) and bool(b) and not passed if criterion.differs else passed

    return all(holds(c) for c in veto.all)
