"""The vendor's output tables, for whoever knows them by name: Deduplication_<Source>_<Entity>, ConflationMatchPairs.

They repeat what members, links and Customer say. Grain and columns: docs/tables.md.
"""

import datetime as dt

from unify.conflation.columns import key_names
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step
from unify.spec import Project

MATCH_PAIRS = "ConflationMatchPairs"


def output_steps(project: Project, when: dt.datetime | None = None) -> list[Step]:
    """Steps for the output tables, after `Customer` is made.

    when   what ConflationMatchPairs_ModifiedOn says, naive or with a zone, stored as UTC; default: now

    Every entity of the order has its Deduplication table, empty when it holds no dedupe group of two or more.
    """
    entities = list(key_names(project))
    return [
        *(deduplication_step(entity, project.entity(entity).key) for entity in entities),
        match_pairs_step(project, when or dt.datetime.now(dt.UTC)),
    ]


def deduplication_table(entity: str) -> str:
    """The name of an entity's deduplication table.

    >>> deduplication_table("crm.Contacts")
    'Deduplication_crm_Contacts'
    """
    return f"Deduplication_{table_of(entity)}"


def deduplication_step(entity: str, key: str) -> Step:
    """One row per record in a group of two or more, winner and alternates alike.

    Rule and Score are those of the record's strongest link inside its group: the earliest rule, then the best score.
    The winner's row alone lists all keys of the group: on every row a group of 40,000 would take 10 GB. The group's id
    is derived from its smallest key, so that it outlives a change of winner.
    """
    sql = (
        "WITH grouped AS (\n"
        "  SELECT rid, key, winner FROM members\n"
        "  WHERE entity = $entity AND winner IN (SELECT winner FROM members WHERE NOT is_winner)\n"
        "), inside AS (\n"
        "  SELECT l.a, l.b, l.rule, l.score FROM links AS l\n"
        "  JOIN grouped AS x ON x.rid = l.a JOIN grouped AS y ON y.rid = l.b AND y.winner = x.winner\n"
        "), strongest AS (\n"
        "  SELECT rid, min(rule) AS rule, -min({'rule': rule, 'score': -score}).score AS score\n"
        "  FROM (SELECT a AS rid, rule, score FROM inside UNION ALL SELECT b, rule, score FROM inside) GROUP BY rid\n"
        "), groups AS (\n"
        "  SELECT winner, array_to_string(list_sort(list(key)), ';') AS keys, min(key) AS smallest,\n"
        "    any_value(key) FILTER (WHERE rid = winner) AS winner_key FROM grouped GROUP BY winner\n"
        ")\n"
        f"SELECT g.key AS {quote(key)}, CASE WHEN g.rid = g.winner THEN s.keys END AS {quote(f'{key}_Alternate')},\n"
        '  md5($entity || chr(31) || s.smallest) AS "Deduplication_GroupId",\n'
        '  s.winner_key AS "Deduplication_WinnerId", r.name AS "Rule", t.score AS "Score"\n'
        "FROM grouped AS g JOIN groups AS s ON s.winner = g.winner\n"
        "LEFT JOIN strongest AS t ON t.rid = g.rid LEFT JOIN rules AS r ON r.rule = t.rule\n"
        "ORDER BY g.winner, g.rid"
    )
    why = f"list the duplicates inside {entity}"
    query = Query(sql, {"entity": entity})
    plain = (key, f"{key}_Alternate", "Deduplication_GroupId", "Deduplication_WinnerId")
    return Step(deduplication_table(entity), query, why, ("members", "links", "rules"), keep=True, plain=plain)


def match_pairs_step(project: Project, when: dt.datetime) -> Step:
    """One row per customer with records of two or more entities.

    The vendor's TrueObjectId is temporary; ours is the CustomerId, which stays.
    """
    keys = key_names(project).values()
    names = [name for pair in keys for name in pair]
    present = " + ".join(f"CAST({quote(name)} IS NOT NULL AS INTEGER)" for name, _ in keys)
    sql = (
        f'SELECT "CustomerId" AS "TrueObjectId", {", ".join(quote(n) for n in names)},\n'
        f'  CAST($when AS TIMESTAMP) AS "{MATCH_PAIRS}_ModifiedOn"\n'
        f'FROM "Customer"\nWHERE {present} >= 2\nORDER BY "CustomerId"'
    )
    moment = when.astimezone(dt.UTC).replace(tzinfo=None) if when.tzinfo else when
    why = "list the customers that span entities"
    plain = ("TrueObjectId", *names)
    return Step(MATCH_PAIRS, Query(sql, {"when": moment}), why, ("Customer",), keep=True, plain=plain)
