"""Entity sets: what of a model a client may name, and how one row of a set is addressed.

    Customer · UnifiedActivity · Customer_Measure · every ingested entity (`crm_Contacts`, also `crm.Contacts`)
    · every segment with members (`vip`: the customers in it, with all that customers have)

The `ordinal` that numbers customers is for bitmaps and joins; clients neither see nor name it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal

from segments.activities import UNIFIED
from segments.model import ORDINAL, Model
from segments.predicates import tree as p
from segments.predicates.fields import Attribute, Table, Type
from segments.relationships import CUSTOMER
from unify.core.errors import NotFoundError, QueryError, did_you_mean
from unify.core.names import table_of


@dataclass(frozen=True)
class EntitySet:
    """One set.

    table       as the engine knows it
    attributes  name → column, in the order of the table
    key         the attribute that tells rows apart; "" when none does
    relations   names that lead to related rows, sorted
    called      its name where that is not the table's: the set of a segment
    searched    attributes that `$search` looks at; None: every one that holds text
    """

    table: str
    attributes: Mapping[str, Attribute]
    key: str
    relations: tuple[str, ...]
    called: str = ""
    searched: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """As clients name it."""
        return self.called or self.table

    @property
    def key_type(self) -> Type:
        """Of the key; there is one."""
        kind = self.attributes[self.key].type
        assert kind is not None
        return kind


def public(model: Model) -> Model:
    """The same model without what clients may not name: questions are bound with it, and compiled with the other."""
    tables = {name: _public_table(model, table) for name, table in model.catalog.tables.items()}
    return replace(model, catalog=replace(model.catalog, tables=tables))


def _public_table(model: Model, table: Table) -> Table:
    if table.name in model.entities or ORDINAL not in table.attributes:
        return table  # an ingested column of that name is the user's own
    return replace(table, attributes={n: a for n, a in table.attributes.items() if n != ORDINAL})


def entity_sets(model: Model) -> dict[str, EntitySet]:
    """Every set of a public model by name, in the order of the model."""
    return {name: entity_set(model, name) for name in model.catalog.tables}


def entity_set(model: Model, name: str) -> EntitySet:
    """The set of a table of a public model."""
    table = model.catalog.tables[name]
    key = model.keys.get(name, "")
    if key not in table.attributes or table.attributes[key].type is None:
        key = ""
    relations = tuple(model.relations(name))
    return EntitySet(name, table.attributes, key, relations, searched=model.searched.get(name))


def is_table(model: Model, name: str) -> bool:
    """Whether a table of the model is called so, or the entity that it holds."""
    return name in model.catalog.tables or name in model.entities.values()


def find_set(model: Model, name: str, where: str = "path", *, also: Collection[str] = ()) -> EntitySet:
    """The set a client names, by table or by entity. NotFoundError with the nearest names, `also` among them."""
    tables = model.catalog.tables
    if not is_table(model, name):
        hint = did_you_mean(name, [*tables, *model.entities.values(), *also])
        raise NotFoundError(f"there is no entity set {name!r}", where=where, hint=hint)
    return entity_set(model, name if name in tables else table_of(name))


def segment_sets(model: Model, segments: Iterable[str]) -> dict[str, str]:
    """Names of entity sets → the segments whose members they hold, in the order given.

    A segment that is called as a table or another set is, in any case of its letters, has a prefix: `Segment_Customer`.
    """
    taken = {name.casefold() for name in model.catalog.tables}
    found: dict[str, str] = {}
    for segment in segments:
        name = segment
        while name.casefold() in taken:
            name = f"Segment_{name}"
        taken.add(name.casefold())
        found[name] = segment
    return found


def members_set(model: Model, name: str) -> EntitySet:
    """The set of a segment's members: customers under another name."""
    return replace(entity_set(model, CUSTOMER), called=name)


@dataclass(frozen=True)
class Found:
    """How a key finds its row: by a predicate over the set, and in words for an error."""

    predicate: p.Expr
    words: str


@dataclass(frozen=True)
class ByRecord:
    """A customer that is addressed by one of its records, alternates and merged ones too."""

    entity: str
    key: str


Key = Found | ByRecord


def alternate_keys(model: Model, set_: EntitySet) -> dict[tuple[str, ...], str]:
    """Names of attributes that together address one row beside the key → the entity whose record it is, or "".

    Of Customer, e.g. `{("crm_Contacts_ContactId",): "crm.Contacts"}`.
    """
    if set_.table == UNIFIED:
        return {("SourceTableName", "SourceActivityId"): ""}
    if set_.table != CUSTOMER:
        return {}
    return {
        (f"{relation.to_table}_{relation.to_column}",): relation.through
        for (table, _), relation in sorted(model.catalog.relations.items())
        if table == CUSTOMER and relation.through
    }


def key_of(model: Model, set_: EntitySet, values: Mapping[str, object], *, where: str = "path") -> Key:
    """What addresses a row by a key. `values`: name → value, one under "" when it has no name.

    QueryError for names that are no key of the set and for values that no such key can have.
    """
    names = tuple(values)
    if names == ("",) or (len(names) == 1 and set_.key and names[0].casefold() == set_.key.casefold()):
        if not set_.key:
            raise QueryError(f"rows of {set_.table} have no key", where=where, hint="narrow it with $filter")
        [value] = values.values()
        literal = _literal(set_.attributes[set_.key], value, where)
        return Found(p.Compare("eq", p.Field(set_.key), literal), f"{set_.key} {value!r}")
    alternates = alternate_keys(model, set_)
    for wanted, entity in alternates.items():
        if sorted(n.casefold() for n in names) == sorted(n.casefold() for n in wanted):
            by_name = {name.casefold(): value for name, value in values.items()}
            if entity:
                return ByRecord(entity, str(by_name[wanted[0].casefold()]))
            terms = [
                p.Compare("eq", p.Field(n), _literal(set_.attributes[n], by_name[n.casefold()], where)) for n in wanted
            ]
            return Found(p.And(tuple(terms)), ", ".join(f"{n} {by_name[n.casefold()]!r}" for n in wanted))
    known = [set_.key] * bool(set_.key) + [",".join(names) for names in alternates]
    given = ",".join(names)
    raise QueryError(f"{given} is no key of {set_.table}", where=where, hint=did_you_mean(given, known))


_OF_TEXT: dict[str, Callable[[str], object]] = {
    "integer": int,
    "decimal": Decimal,
    "double": float,
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
}


def _literal(attribute: Attribute, value: object, where: str) -> p.Literal:
    """The key's value as its column holds it: text of a number will do, since OData 4.01 lets every key be quoted."""
    kind = attribute.type
    assert kind is not None
    if kind.kind == "string" and not isinstance(value, str):
        hint = f"{attribute.name} is text: write '{value}'"
        raise QueryError(f"{value} is no text", where=where, hint=hint)
    hint = f"{attribute.name} is {kind.name}"
    try:
        read = _OF_TEXT[kind.kind](value) if isinstance(value, str) and kind.kind in _OF_TEXT else value
        return p.Literal(kind, read)  # type: ignore[arg-type]
    except (ValueError, ArithmeticError):
        raise QueryError(f"{value!r} is no {kind.name}", where=where, hint=hint) from None
    except QueryError as error:
        raise QueryError(error.message, where=where, hint=error.hint or hint) from None


def retired_ids(id_: str) -> tuple[str, dict[str, str]]:
    """SQL for what became of a CustomerId that no customer bears: `successor`, `retired_run`."""
    return (
        'SELECT "successor", "retired_run" FROM customer_ids WHERE "CustomerId" = $id AND "retired_run" IS NOT NULL',
        {"id": id_},
    )
