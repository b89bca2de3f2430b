"""Which attribute a criterion of the vendor's names, and by which path its rows belong to a customer.

`Customer.City` and `City` are the customer's own; `web_Orders.Total` and `web.Orders.Total` an entity's;
`Customer_Measure.TotalSpend` a measure; `Vip.CustomerId` is null for whoever is not in the segment Vip.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from segments.model import CUSTOMER_ID, MEASURES, Model
from segments.predicates.fields import STRING, Type
from segments.relationships import system_name
from unify.core.errors import QueryError, did_you_mean

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the rows that `path` leads to from a customer.

    field_path  further steps, to one row at most, that are read with the row: to a customer's measures
    segment     not "": no attribute but membership of that segment
    """

    path: Path
    name: str
    kind: Type
    field_path: Path = ()
    segment: str = ""


def segments_of(model: Model) -> frozenset[str]:
    """Every segment that a query may name: declared, made by a waterfall, or with members."""
    declared = model.project.segments
    made = {name for segment in declared.values() for name in segment.waterfall}
    return frozenset({*declared, *made, *model.catalog.segments})


def split(model: Model, text: str, where: str) -> tuple[str, str]:
    """The table (or segment) and the attribute of `Entity.Attribute`; of a bare name, Customer and the name."""
    customers = model.catalog.customers
    tables = {**{t: t for t in model.catalog.tables}, **{e: t for t, e in model.entities.items()}}
    for name in sorted(tables, key=len, reverse=True):
        if text.startswith(f"{name}.") and len(text) > len(name) + 1:
            return tables[name], text[len(name) + 1 :]
    owner, dot, attribute = text.rpartition(".")
    if dot and owner in segments_of(model):
        return owner, attribute
    if dot and text not in model.catalog.table(customers).attributes:
        hint = did_you_mean(owner, [*tables, *segments_of(model)])
        raise QueryError(f"there is no entity or segment {owner!r}", where=where, hint=hint)
    return customers, text


def attribute_of(model: Model, text: str, paths: Collection[Path], where: str) -> Attribute:
    """What `Entity.Attribute` names. `paths`: those of the rowset, resolved. QueryError for unknown names and paths."""
    table, name = split(model, text, where)
    if table in segments_of(model) and table not in model.catalog.tables:
        if name != CUSTOMER_ID:
            raise QueryError(
                f"the segment {table} has no attribute {name!r}", where=where, hint=f"it has {CUSTOMER_ID}"
            )
        return Attribute((), CUSTOMER_ID, STRING, segment=table)
    if table == MEASURES:
        _, found, kind = model.attribute(MEASURES, name, where)
        return Attribute((), found.name, kind, field_path=(MEASURES,))
    path = path_to(model, table, paths, where)
    field_path, found, kind = model.attribute(table, name, where)
    return Attribute(path, found.name, kind, field_path=field_path)


def path_to(model: Model, table: str, paths: Collection[Path], where: str) -> Path:
    """The path from a customer to rows of a table: one of `paths` that leads there or passes by, else the only one."""
    customers = model.catalog.customers
    if table == customers:
        return ()
    found = {prefix for path in paths for prefix in _prefixes(path) if model.end(customers, prefix) == table}
    if len(found) > 1:
        named = " and ".join(".".join(path) for path in sorted(found))
        raise QueryError(f"the paths lead to {table} in several ways: {named}", where=where, hint="keep one of them")
    if found:
        return next(iter(found))
    direct = [n for (start, n), r in model.catalog.relations.items() if start == customers and r.to_table == table]
    if len(direct) == 1:
        return (direct[0],)
    if (customers, table) in model.shortcuts:
        return model.shortcuts[customers, table]
    hint = "name the relationships in paths: `unify relationship paths` lists them"
    raise QueryError(f"there is no single path from a customer to {table}", where=where, hint=hint)


def _prefixes(path: Path) -> Iterator[Path]:
    for end in range(1, len(path) + 1):
        yield path[:end]


def resolve_path(model: Model, names: Path, where: str) -> Path:
    """The path from a customer that names of relationships stand for, in the order of either end.

    The step between a customer and its records may be called by its system relationship (`Customer_crm_Contacts`), by
    the table (`crm_Contacts`), or be left out where only one fits. QueryError for a path that leads nowhere.
    """
    found = [*_walks(model, names)] or [*_walks(model, names[::-1])]
    if len(found) == 1:
        return found[0]
    spoken = " → ".join(names)
    if found:
        firsts = " or ".join(sorted({path[0] for path in found}))
        hint = f"name the first step too: {firsts}"
        raise QueryError(f"the path {spoken} begins at a customer in several ways", where=where, hint=hint)
    known = sorted({name for _, name in (*model.catalog.relations, *model.shortcuts)})
    unknown = next((name for name in names if _plain(model, name) not in known), "")
    if unknown:
        raise QueryError(f"there is no relationship {unknown!r}", where=where, hint=did_you_mean(unknown, known))
    starts = ", ".join(model.relations(model.catalog.customers))
    hint = f"begin with one of {starts}"
    raise QueryError(f"the path {spoken} does not lead from a customer, in either order", where=where, hint=hint)


def _plain(model: Model, name: str) -> str:
    """The relation that a system relationship is."""
    systems = {system_name(entity): table for table, entity in model.entities.items()}
    return systems.get(name, name)


def _walks(model: Model, names: Path) -> Iterator[Path]:
    """The ways to walk names from a customer: as they stand, or with the step to its records put before."""
    customers = model.catalog.customers
    whole = tuple(_plain(model, name) for name in names)
    if whole and whole[-1] == customers:
        whole = whole[:-1]
    if walked := _walk(model, customers, whole):
        yield walked
        return
    for (start, name), step in sorted(model.catalog.relations.items()):
        if start == customers and step.through and (rest := _walk(model, step.to_table, whole)):
            yield (name, *rest)


def _walk(model: Model, table: str, names: Path) -> Path:
    """Names as relations from a table; empty when one of them leads nowhere."""
    found: list[str] = []
    for name in names:
        steps = (name,) if (table, name) in model.catalog.relations else model.shortcuts.get((table, name), ())
        if not steps:
            return ()
        found += steps
        table = model.end(table, steps)
    return tuple(found)
