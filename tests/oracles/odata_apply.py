"""$apply as the extension for data aggregation words it: sets are lists of dicts, groups are made by comparing.

Expressions are those of odata_expressions.py. A row that comes from the model carries itself under ROW, so that its
relations can be followed; a computed, grouped or aggregated value is an entry of the dict.
"""

import sys
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from segments.odata.syntax import ast
from segments.odata.syntax import ast_options as o


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


walk = _load("odata_expressions")
ROW = "~row"


def rows_of(table, world):
    """The table as a set, in the order of its first column, which is its key."""
    found = [{**row, ROW: (table, row)} for row in world.tables[table]]
    return sorted(found, key=lambda r: next(iter(r.values())))


def applied(steps, rows, world):
    for step in steps:
        rows = STEPS[type(step)](step, rows, world)
    return rows


def value(node, row, world):
    """Of an expression over a row: a name that the set has, else the walk over the model's row."""
    if isinstance(node, ast.Path) and all(isinstance(s, ast.Name) for s in node.segments):
        whole = "/".join(s.text for s in node.segments)
        if whole in row or ROW not in row:
            return row.get(whole)
    table, own = row.get(ROW, ("nothing", {}))
    me = (table, {**own, **{k: v for k, v in row.items() if k != ROW}})
    return walk.value(node, walk.Seen(me, me), world)


def order(found):
    """Null is the smallest."""
    return (0, 0) if found is None else (1, found)


# ── transformations ──────────────────────────────────────────────────────────────────────────────────────────────────


def compute(step, rows, world):
    for item in step.items:
        rows = [{**r, item.alias: value(item.expression, r, world)} for r in rows]
    return rows


def orderby(step, rows, world):
    for item in reversed(step.items):
        rows = sorted(rows, key=lambda r: order(value(item.key, r, world)), reverse=item.descending)
    return rows


def total_order(rows):
    """The service's own: the key of rows of the model, every column of others, nulls first."""
    if rows and ROW in rows[0]:
        return sorted(rows, key=lambda r: next(iter(r.values())))
    return sorted(rows, key=lambda r: [order(v) for k, v in r.items()])


def rank(step, rows, world):
    amount = Fraction(step.amount.value)
    rows = total_order(rows)
    measured = [(r, value(step.by, r, world)) for r in rows]
    measured = sorted(measured, key=lambda pair: order(pair[1]), reverse=step.kind.startswith("top"))
    if step.kind.endswith("count"):
        kept = [r for r, _ in measured[: int(amount)]]
    else:
        whole = sum(Fraction(v) for _, v in measured if v is not None)
        kept, total = [], Fraction(0)
        for row, number in measured:
            if enough(step.kind, amount, total, whole):
                break
            kept.append(row)
            total += Fraction(number or 0)
    chosen = {id(r) for r in kept}
    return [r for r in rows if id(r) in chosen]


def enough(kind, amount, total, whole):
    if kind.endswith("sum"):
        return total >= amount if amount >= 0 else total <= amount
    return whole != 0 and total / whole * 100 >= amount


def aggregate(step, rows, world):
    return [{item.alias: one(item, rows, world) for item in step.items}]


def one(item, rows, world):
    if item.steps:
        *earlier, last = item.steps
        inner = o.AggregateItem(item.expression, item.method, tuple(earlier), "~")
        taken = [one(inner, group, world) for _, group in groups(last.properties, rows, world)]
        return walk.aggregated(last.method, [v for v in taken if v is not None])
    if isinstance(item.expression, ast.Path) and isinstance(item.expression.segments[-1], ast.Count):
        return len(rows)
    taken = [value(item.expression, r, world) for r in rows]
    return walk.aggregated(item.method, [v for v in taken if v is not None])


def groups(paths, rows, world):
    """(the values, the rows that have them) for each combination."""
    found = []
    for row in rows:
        key = {"/".join(p): value(ast.Path(tuple(map(ast.Name, p))), row, world) for p in paths}
        for known, members in found:
            if known == key:
                members.append(row)
                break
        else:
            found.append((key, [row]))
    return found


def groupby(step, rows, world):
    found, several = [], len(groupings(step.elements)) > 1
    for paths in groupings(step.elements):
        for key, members in groups(paths, rows, world):
            inner = applied(step.then, members, world) if step.then else [{}]
            found += [{**key, **r} if ROW not in r else {**r, **key} for r in inner]
    return bare(found) if several else found


def bare(rows):
    """Behind concat and rollup a row is its columns."""
    return [{k: v for k, v in r.items() if k != ROW} for r in rows]


def groupings(elements):
    found = [()]
    for element in elements:
        if isinstance(element, o.Property):
            found = [(*names, element.names) for names in found]
        else:
            deep = [element.levels[:n] for n in range(len(element.levels), 0, -1)]
            found = [(*names, *some) for names in found for some in deep]
    return found


STEPS = {
    o.Identity: lambda step, rows, world: rows,
    o.Filter: lambda step, rows, world: [r for r in rows if value(step.predicate, r, world) is True],
    o.Compute: compute,
    o.OrderBy: orderby,
    o.Top: lambda step, rows, world: rows[: step.count],
    o.Skip: lambda step, rows, world: rows[step.count :],
    o.Rank: rank,
    o.Aggregate: aggregate,
    o.GroupBy: groupby,
    o.Concat: lambda step, rows, world: bare(r for s in step.sequences for r in applied(s, rows, world)),
}
