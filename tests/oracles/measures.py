"""Measures worked out row by row in plain Python: whose a row is by walking, aggregates over lists."""

import math
from fractions import Fraction
from statistics import median


def customers_of(row, hops, tables, members):
    """Ordinals that a row leads to, walking (column here, table, column there) hops; the last table's Id is a record."""
    here = [row]
    name = None
    for column, name, there in hops:
        here = [r for h in here for r in tables[name] if h[column] is not None and r[there] == h[column]]
    assert name is not None
    return {members[r["Id"]] for r in here if r["Id"] in members}


def aggregate(function, rows, value, time="at", key="Id", by=None):
    """One aggregate over rows; `value` and `by` are functions of a row. None when there is nothing to aggregate."""
    values = [v for v in map(value, rows) if v is not None]
    match function:
        case "rows":
            return len(rows)
        case "count":
            return len(values)
        case "count_distinct":
            return len(set(values))
        case "sum":
            return None if not values else exact(values)
        case "avg":
            return None if not values else float(Fraction(exact(values)) / len(values))
        case "median":
            return None if not values else float(median(values))
        case "min" | "max":
            return {"min": min, "max": max}[function](values, default=None)
        case "first" | "last":
            known = [r for r in rows if r[time] is not None]
            chosen = {"first": min, "last": max}[function](known, key=lambda r: (r[time], r[key]), default=None)
        case "argmin" | "argmax":
            chosen = _extreme(function, [r for r in rows if by(r) is not None], by, time, key)
    return None if chosen is None else value(chosen)


def exact(values):
    """The sum; of doubles rounded once."""
    return math.fsum(values) if isinstance(values[0], float) else sum(values)


def _extreme(function, rows, by, time, key):
    """Among equals argmin takes the earliest, then the smallest key, argmax the latest, then the largest."""
    best = None
    for row in rows:
        if best is None or _before(function, row, best, by, time, key):
            best = row
    return best


def _before(function, a, b, by, time, key):
    low = function == "argmin"
    if by(a) != by(b):
        return (by(a) < by(b)) == low
    if (a[time] is None) != (b[time] is None):
        return b[time] is None
    if a[time] != b[time]:
        return (a[time] < b[time]) == low
    return (a[key] < b[key]) == low
