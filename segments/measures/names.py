"""How tables of measures are called, and which rows a measure is about."""

from collections.abc import Mapping

from segments.model import MEASURES, Model, own_table
from segments.relationships import CUSTOMER
from unify.core.errors import QueryError, did_you_mean
from unify.spec import Measure

SCRATCH = "measuring_"
"""Begin of the names of scratch tables; the project reserves it, so that no entity is called so."""
HIDDEN = "~"
"""Stands in names of columns that no result shows; a name in a project cannot hold it."""


def ingredient(measure: str, calculation: str) -> str:
    """The column of an ingredient of an attribute's value.

    >>> ingredient("Basket", "Spend")
    'Basket~Spend'
    """
    return f"{measure}{HIDDEN}{calculation}"


def table_of_rows(model: Model, of: str, measures: Mapping[str, Measure], where: str) -> str:
    """The table that `of` names: an entity, a table, or a measure with a table of its own. QueryError."""
    by_entity = {entity: table for table, entity in model.entities.items()}
    if of in (CUSTOMER, MEASURES):
        return CUSTOMER
    if of in by_entity:
        return by_entity[of]
    if of in measures:
        if measures[of].kind == "attribute":
            hint = "write `of: Customer`: an attribute is a column there"
            raise QueryError(f"{of} is an attribute of customers, not rows", where=where, hint=hint)
        return own_table(of)
    if of in model.catalog.tables:
        return of
    known = [*by_entity, *model.catalog.tables, *(n for n, m in measures.items() if m.kind != "attribute")]
    raise QueryError(f"there are no rows called {of!r}", where=where, hint=did_you_mean(of, known))
