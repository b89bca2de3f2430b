"""How many rows: `times` of an event, at_least and the like of a relation."""

from segments.predicates import tree as p
from unify.spec.criteria_values import Times


def counted(path: tuple[str, ...], where: p.Expr, times: Times) -> p.Expr:
    """So many rows at the end of a path meet a condition; without counting where one row decides."""
    low, high = _range(times)
    if low == 0 and high is None:
        return p.TRUE
    if low == 1 and high is None:
        return p.Exists(path, where)
    if high == 0:
        return p.Not(p.Exists(path, where))
    rows = p.Aggregate("count", path, None, where)
    if low == high:
        return p.Compare("eq", rows, p.literal(low))
    least, most = p.Compare("ge", rows, p.literal(low)), p.Compare("le", rows, p.literal(high))
    return least if high is None else most if low == 0 else p.And((least, most))


def _range(times: Times) -> tuple[int, int | None]:
    if times.exactly is not None:
        return times.exactly, times.exactly
    if times.between is not None:
        return times.between
    return times.at_least or 0, times.at_most
