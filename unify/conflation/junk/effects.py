"""What verdicts do: junk is no value at all, for every rule and limit; shared values alone link nobody."""

from collections.abc import Collection, Mapping

from unify.conflation.junk.fields import Judged
from unify.conflation.letters import letters_of
from unify.conflation.prepare import Prepared
from unify.core.engine import Engine, scalar
from unify.core.steps import Query, Step
from unify.spec import SourceColumn, parts

SHARED_REASON = "several people share it: no proof that they are one (the table `value_verdicts` says who)"
Forms = Mapping[SourceColumn, Collection[tuple[str, int]]]
"""Source column, or several that are joined, to the prepared columns that hold a judged form of it, each with the
number of its field."""


def forms_of(judged: Judged, one: Prepared) -> Forms:
    """The judged forms of an entity's columns."""
    forms: dict[SourceColumn, set[tuple[str, int]]] = {}
    for field in judged.fields:
        for place in field.places:
            if place.table == one.table:
                forms.setdefault(place.column, set()).add((place.form, field.number))
    return forms


def forms_of_customers(judged: Judged, customers: Prepared, feeds: Mapping[str, Collection[tuple[str, str]]]) -> Forms:
    """The judged forms of the unified columns that rules of clusters use; registers them.

    feeds   unified column to the (entity, column) pairs it is made of
    """
    forms: dict[SourceColumn, set[tuple[str, int]]] = {}
    for column in dict.fromkeys(customers.origins.values()):
        for field in judged.fields:
            if any((p.prepared.entity, p.column) in feeds.get(str(column), ()) for p in field.places):
                form = customers.value(column, field.normalize, field.criterion)
                forms.setdefault(column, set()).add((form, field.number))
    return forms


def drop_junk(engine: Engine, one: Prepared, forms: Forms) -> None:
    """A cell whose value is junk in some judged form has no value in any form.

    Nor has a text that is joined of several cells, when it is junk itself or one of them is.
    """
    if not forms or not int(scalar(engine, Query("SELECT count(*) FROM junk_values"))):
        return
    cells = []
    for name in one.values.values():
        tests = " OR ".join(
            f"coalesce(CAST({form} AS VARCHAR) IN (SELECT value FROM junk_values WHERE field = {number}), false)"
            for form, number in sorted(_judged_forms(forms, one.origins[name]))
        )
        cells.append(f"CASE WHEN NOT ({tests}) THEN {name} END AS {name}" if tests else name)
    cells += [letters_of(name) for name in one.lettered]
    sql = f"SELECT rid, {', '.join(cells)} FROM {one.table}"
    engine.build(Step(one.table, Query(sql), f"junk in {one.entity} is no value"))


def _judged_forms(forms: Forms, column: SourceColumn) -> set[tuple[str, int]]:
    return {found for each in (column, *parts(column)) for found in forms.get(each, ())}


def all_shared(fields: Collection[int], keys: Collection[str]) -> str:
    """SQL: whether every key of a rule of contacts only is a shared value."""
    return " AND ".join(
        f"CAST({key} AS VARCHAR) IN (SELECT value FROM shared_values WHERE field = {number})"
        for key, number in zip(keys, fields, strict=True)
    )
