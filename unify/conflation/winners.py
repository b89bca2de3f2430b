"""Who stands for a dedupe group: the most filled record, or the most or least recent one; ties go to the larger key.

makes  winners   rid, winner (scratch): one row per record of a dedupe group of two or more
"""

from unify.core.engine import Engine
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan, DedupeSpec, Preference, Project

ORDERED_TYPES = ("DATE", "TIMESTAMP", "TIME", "DECIMAL", "DOUBLE", "FLOAT", "REAL")
"""Beginnings of the SQL types that say how recent a row is, besides the integers (…INT…)."""
NOBODY = "SELECT CAST(0 AS INTEGER) AS rid, CAST(0 AS INTEGER) AS winner WHERE false"


def winner_steps(engine: Engine, project: Project, plan: ConflationPlan) -> list[Step]:
    """Steps that make `winners` from `dedupe_groups`, `records` and the entities' tables.

    Raises SpecError when a preference names a column that is not there or has no order in time, or is `importance`.
    """
    grouped = Step(
        "grouped",
        Query(
            "SELECT records.rid, grp, entity, key FROM dedupe_groups JOIN records USING (rid)\n"
            "WHERE grp IN (SELECT grp FROM dedupe_groups GROUP BY grp HAVING count(*) > 1)"
        ),
        "the records of dedupe groups of two or more",
        reads=("dedupe_groups", "records"),
    )
    params = {f"entity_{n}": ordered.entity for n, ordered in enumerate(plan.order)}
    parts = []
    for n, ordered in enumerate(plan.order):
        preference = plan.dedupe.get(ordered.entity, DedupeSpec()).winner
        types = engine.columns(table_of(ordered.entity))
        parts.append(_winners(ordered.entity, n, project.entity(ordered.entity).key, preference, types))
    tables = tuple(table_of(ordered.entity) for ordered in plan.order)
    why = "the record that stands for each dedupe group"
    union = "\nUNION ALL\n".join(parts)
    return [grouped, Step("winners", Query(union, params), why, reads=("grouped", *tables), releases=("grouped",))]


def _winners(entity: str, n: int, key: str, preference: Preference, types: dict[str, str]) -> str:
    """SQL: rid and winner for the grouped records of one entity. Larger rid = larger primary key, so it breaks ties."""
    return (
        f"SELECT grouped.rid, CAST(first_value(grouped.rid) OVER best_{n} AS INTEGER) AS winner\n"
        f"FROM grouped JOIN {quote(table_of(entity))} AS source ON CAST(source.{quote(key)} AS VARCHAR) = grouped.key\n"
        f"WHERE grouped.entity = $entity_{n}\n"
        f"WINDOW best_{n} AS (PARTITION BY grouped.grp ORDER BY {_order(entity, preference, types)}, grouped.rid DESC)"
    )


def _order(entity: str, preference: Preference, types: dict[str, str]) -> str:
    """The ORDER BY of a preference: best first."""
    if preference.kind == "importance":
        raise SpecError(
            "importance ranks entities, not the records of one",
            where=f"dedupe of {entity}, winner",
            hint="write most filled, most recent by <column> or least recent by <column>",
        )
    if preference.by is None:
        return f"{filled(types)} DESC"
    kind = types.get(preference.by)
    if kind is None:
        raise SpecError(
            f"{entity} has no column {preference.by!r}",
            where=f"dedupe of {entity}, winner",
            hint=did_you_mean(preference.by, types),
        )
    if not (kind.startswith(ORDERED_TYPES) or "INT" in kind):
        raise SpecError(
            f"column {preference.by} is {kind}: it does not say how recent a row is",
            where=f"dedupe of {entity}, winner",
            hint="name a date or numeric column, or declare the column's type",
        )
    return f"source.{quote(preference.by)} {'DESC' if preference.kind == 'most recent' else 'ASC'} NULLS LAST"


def filled(types: dict[str, str], alias: str = "source") -> str:
    """SQL: how many of an entity's columns hold a value; an empty text is none.

    >>> filled({"Id": "BIGINT", "Name": "VARCHAR"})
    '(CAST(source."Id" IS NOT NULL AS INTEGER) + CAST((source."Name" <> \\'\\') IS TRUE AS INTEGER))'
    """
    terms = (
        f"({alias}.{quote(column)} <> '') IS TRUE" if kind == "VARCHAR" else f"{alias}.{quote(column)} IS NOT NULL"
        for column, kind in types.items()
    )
    return "(" + " + ".join(f"CAST({term} AS INTEGER)" for term in terms) + ")"
