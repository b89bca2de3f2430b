"""Members to customers: which record gives each value, then the values themselves.

    members, <Source>_<Entity> ─▶ merge_preferred_<n>   winners that are assembled from several rows
                               ─▶ merge_candidates      per winner and pick, whether and how well it stands
                               ─▶ customer_sources      per customer and unified column, the rid that gives the value
                               ─▶ customer_values       the values those rids hold
                               ─▶ Customer              values, keys, PreviousCustomerId, cluster ids; by ordinal
                               ─▶ customer_lineage      a view over customer_sources

The sources come first and the values are read from them, so lineage cannot tell another story than Customer does.

A candidate's standing in a pick is one integer, the smaller the better, built so that its tiebreak is complete:

    recency or fill, rank of the attribute, rid

so a pick is one `min` over integers, and strings are neither compared nor carried along.
"""

from collections.abc import Sequence
from itertools import pairwise

from unify.conflation.checks import Schemas
from unify.conflation.column_types import cast
from unify.conflation.columns import CUSTOMER_ID, PREVIOUS, unified_columns
from unify.conflation.merge_cells import (
    Cells,
    column_of,
    count,
    filled,
    key_is,
    not_nan,
    recency_of,
    source_of,
    value_of,
)
from unify.conflation.picks import CustomerColumns, EntityColumns, Pick, Preferred, UnifiedColumn
from unify.core.errors import SpecError
from unify.core.names import literal, quote, table_of
from unify.core.steps import Query, Step
from unify.spec import Project

RIDS = 2**31
"""Rids are INTEGER: a rid takes 31 bits of a standing."""

ClusterColumns = Sequence[tuple[str, str]]
"""(column of Customer, table that holds CustomerId and id)."""


def merge_steps(project: Project, schemas: Schemas, cluster_columns: ClusterColumns = ()) -> list[Step]:
    """Everything from `members` to `Customer` and its lineage; SpecError when conflict resolution is wrong."""
    columns = unified_columns(project, schemas)
    return [*value_steps(columns), *customer_steps(columns, cluster_columns)]


def value_steps(columns: CustomerColumns) -> list[Step]:
    """Up to scratch `customer_values`: ordinal, CustomerId and the unified columns; what clusters are made from."""
    preferring = [entity for entity in columns.entities if entity.prefer]
    scratch = tuple(_preferred_table(columns, entity) for entity in preferring)
    return [
        *(_preferred_step(columns, entity) for entity in preferring),
        _candidates_step(columns, scratch),
        _sources_step(columns),
        _solo_step(columns),
        _values_step(columns),
    ]


def customer_steps(
    columns: CustomerColumns, cluster_columns: ClusterColumns = (), plain: Sequence[str] = ()
) -> list[Step]:
    """From `customer_values` to kept `Customer` and the view `customer_lineage`.

    `plain`: unified columns whose texts hardly repeat (Step.plain).
    """
    return [_keys_step(columns), _customer_step(columns, cluster_columns, plain), _lineage_step(columns)]


# ---- the winner row of a dedupe group, assembled


def _preferred_table(columns: CustomerColumns, entity: EntityColumns) -> str:
    return f"merge_preferred_{columns.entities.index(entity)}"


def _preferred_step(columns: CustomerColumns, entity: EntityColumns) -> Step:
    """One row per dedupe group of two or more: winner, then value v<i> and giver s<i> of each preferred column."""
    best = ", ".join(f"{_best(p, entity)} AS b{i}" for i, p in enumerate(entity.prefer))
    given = ", ".join(f"b{i}.value AS v{i}, b{i}.giver AS s{i}" for i in range(len(entity.prefer)))
    sql = (
        f"SELECT winner, {given}\nFROM (\n  SELECT m.winner, {best}\n"
        f"  FROM members AS m JOIN {source_of(entity)} ON {key_is(entity)}\n"
        "  WHERE m.entity = $entity AND m.winner IN (SELECT winner FROM members WHERE NOT is_winner)\n"
        "  GROUP BY m.winner\n)"
    )
    table = _preferred_table(columns, entity)
    why = f"assemble the winner rows of {entity.entity} from the preferred rows of their groups"
    return Step(table, Query(sql, {"entity": entity.entity}), why, ("members", table_of(entity.entity)))


def _best(preferred: Preferred, entity: EntityColumns) -> str:
    """The preferred row of a group, as a struct that holds its value and rid: only filled rows compete, the larger key
    wins a tie."""
    value = column_of(preferred.attribute.column)
    competes = f"FILTER (WHERE {filled(value, preferred.attribute.type)})"
    if preferred.recency is None:
        place = count(filled(column_of(a.column), a.type) for a in entity.columns)
        return f"max({{'place': {place}, 'giver': m.rid, 'value': {value}}}) {competes}"
    recency = recency_of(preferred.recency)
    if preferred.by.kind == "most recent":
        fields = f"'known': {recency} IS NOT NULL, 'place': {recency}, 'giver': m.rid, 'value': {value}"
        return f"max({{{fields}}}) {competes}"
    fields = f"'unknown': {recency} IS NULL, 'place': {recency}, 'last': -m.rid, 'giver': m.rid, 'value': {value}"
    return f"min({{{fields}}}) {competes}"


# ---- candidates: who stands for election


def _candidates_step(columns: CustomerColumns, scratch: tuple[str, ...]) -> Step:
    """One row per winner. k<i> is its rank in pick i (null: it has no value), m<i> the mask of a group's filled fields,
    q<i>_<j> the giver when `prefer` may have moved it, filled and r<k> what preferences compare."""
    sql = "\nUNION ALL\n".join(_candidates_of(columns, entity, n) for n, entity in enumerate(columns.entities))
    params = {f"entity_{n}": entity.entity for n, entity in enumerate(columns.entities)}
    reads = ("members", *scratch, *(table_of(entity.entity) for entity in columns.entities))
    return Step(
        "merge_candidates", Query(sql, params), "see which record could give which value", reads, releases=scratch
    )


def _candidates_of(columns: CustomerColumns, entity: EntityColumns, number: int) -> str:
    cells = Cells(entity)
    selected = ["m.ordinal", "m.rid"]
    for i, pick in enumerate(columns.picks):
        selected.append(f"{_rank(pick, cells)} AS k{i}")
        if pick.is_group:
            selected.append(f"{_mask(pick, cells)} AS m{i}")
        selected += [f"{cells.giver(c)} AS q{i}_{j}" for j, c in enumerate(pick.columns) if _is_moved(columns, c)]
    if any(pick.by.kind == "most filled" for pick in columns.picks):
        selected.append(f"{count(cells.has_value(c) for c in columns.columns)} AS filled")
    for k, recency in enumerate(_recencies(columns)):
        selected.append(f"{_recency(recency, cells)} AS r{k}")
    preferred = f"\nLEFT JOIN {_preferred_table(columns, entity)} AS p ON p.winner = m.rid" if entity.prefer else ""
    return (
        f"SELECT {', '.join(selected)}\nFROM members AS m JOIN {source_of(entity)} ON {key_is(entity)}{preferred}\n"
        f"WHERE m.is_winner AND m.entity = $entity_{number}"
    )


def _rank(pick: Pick, cells: Cells) -> str:
    if pick.is_group:
        ranks = [feed.rank for column in pick.columns for feed in cells.of(column)]
        held = " OR ".join(cells.has_value(column) for column in pick.columns if cells.of(column))
        return f"CASE WHEN {held} THEN {ranks[0]} END" if ranks else "CAST(NULL AS INTEGER)"
    cases = " ".join(f"WHEN {cells.holds(feed)} THEN {feed.rank}" for feed in cells.of(pick.columns[0]))
    return f"CASE {cases} END" if cases else "CAST(NULL AS INTEGER)"


def _mask(pick: Pick, cells: Cells) -> str:
    """Bit j says that field j of the group is filled."""
    return " + ".join(f"CASE WHEN {cells.has_value(c)} THEN {2**j} ELSE 0 END" for j, c in enumerate(pick.columns))


def _is_moved(columns: CustomerColumns, column: UnifiedColumn) -> bool:
    """Whether `prefer` of some entity may take this column's value from another row than the winner."""
    preferred = {(e.entity, p.attribute.column) for e in columns.entities for p in e.prefer}
    return any((feed.entity, feed.column) in preferred for feed in column.feeds)


Recency = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


def _recencies(columns: CustomerColumns) -> list[Recency]:
    """What has to be compared to decide who is recent, each only once: type, columns per entity."""
    return list(dict.fromkeys(_recency_of(pick) for pick in columns.picks if pick.recency))


def _recency_of(pick: Pick) -> Recency:
    return pick.recency_type, pick.recency


def _recency(recency: Recency, cells: Cells) -> str:
    """The first filled one of an entity's recency columns, in the type in which entities are compared."""
    kind, entities = recency
    types = {a.column: a.type for a in cells.entity.columns}
    names = dict(entities).get(cells.entity.entity, ())
    values = [not_nan(cast(cells.raw(name), types[name], kind), kind) for name in names]
    return f"coalesce({', '.join(values)})" if values else f"CAST(NULL AS {kind})"


# ---- the election


def _sources_step(columns: CustomerColumns) -> Step:
    places = _places(columns)
    elected = {
        column.name: _elected(columns, pick, i, j, places)
        for i, pick in enumerate(columns.picks)
        for j, column in enumerate(pick.columns)
    }
    given = "".join(f",\n  {elected[c.name]} AS {quote(c.name)}" for c in columns.columns)
    sql = f"SELECT ordinal{given}\nFROM merge_candidates{_placed(places)}\nGROUP BY ordinal\nORDER BY ordinal"
    why = "choose the record that gives each value"
    return Step("customer_sources", Query(sql), why, ("merge_candidates",), keep=True)


def _elected(columns: CustomerColumns, pick: Pick, i: int, j: int, places: list[str]) -> str:
    """The rid that gives field j of pick i, as an aggregate over a customer's candidates."""
    standing = _standing(columns, pick, i, places)
    if _is_moved(columns, pick.columns[j]):
        rid = f"arg_min(q{i}_{j}, {standing})"
    elif standing == _plain(i):
        rid = f"min({standing})"
    else:
        rid = f"CAST(min({standing}) % {RIDS} AS INTEGER)"
    return f"CASE WHEN (arg_min(m{i}, {standing}) >> {j}) & 1 = 1 THEN {rid} END" if pick.is_group else rid


def _plain(i: int) -> str:
    return f"CASE WHEN k{i} IS NOT NULL THEN rid END"


def _standing(columns: CustomerColumns, pick: Pick, i: int, places: list[str]) -> str:
    """One integer per candidate, smaller is better, the rid in its low 31 bits; null if it has nothing to give."""
    if pick.by.kind == "importance":
        return _plain(i) if _follows_rids(columns, pick) else f"CAST(k{i} AS BIGINT) * {RIDS} + rid"
    if pick.by.kind == "most filled":
        ranks = 1 + max(feed.rank for column in pick.columns for feed in column.feeds)
        return f"(({len(columns.columns)} - filled) * CAST({ranks} AS BIGINT) + k{i}) * {RIDS} + rid"
    place = f"s{places.index(_place(columns, pick, i))}"
    return f"CASE WHEN k{i} IS NOT NULL THEN {place} * {RIDS} + rid END"


def _places(columns: CustomerColumns) -> list[str]:
    """The orders by recency that picks need, each once. Nearly always one per recency column: ranks that follow the
    conflation order follow the rid."""
    return list(dict.fromkeys(_place(columns, pick, i) for i, pick in enumerate(columns.picks) if pick.recency))


def _place(columns: CustomerColumns, pick: Pick, i: int) -> str:
    direction = "DESC" if pick.by.kind == "most recent" else "ASC"
    rank = "" if _follows_rids(columns, pick) else f"k{i} NULLS LAST, "
    return f"r{_recencies(columns).index(_recency_of(pick))} {direction} NULLS LAST, {rank}rid"


def _placed(places: list[str]) -> str:
    """Places are numbered over a narrow copy and joined: a window would drag every column of the candidates along."""
    if not places:
        return ""
    numbered = ", ".join(f"row_number() OVER (ORDER BY {place}) AS s{k}" for k, place in enumerate(places))
    return f"\nJOIN (SELECT rid, {numbered} FROM merge_candidates) AS placed USING (rid)"


def _follows_rids(columns: CustomerColumns, pick: Pick) -> bool:
    """Whether the order of importance is the conflation order, by which rids are given, so that rids alone decide."""
    order = [entity.entity for entity in columns.entities]
    if pick.is_group:
        ranks = sorted({(feed.rank, order.index(feed.entity)) for c in pick.columns for feed in c.feeds})
        return all(upper[1] < lower[1] for upper, lower in pairwise(ranks))
    places = [order.index(feed.entity) for feed in pick.columns[0].feeds]
    return all(upper < lower for upper, lower in pairwise(places))


# ---- the values


def _solo_step(columns: CustomerColumns) -> Step:
    """Customers with one row to look at: it gives whatever it has, no election and no aggregation of values needed."""
    params = {f"entity_{n}": e.entity for n, e in enumerate(columns.entities) if e.prefer}
    looked_at = " OR ".join(["is_winner", *(f"entity = ${name}" for name in params)])
    sql = f"SELECT ordinal FROM members WHERE {looked_at} GROUP BY ordinal HAVING count(*) = 1"
    return Step("merge_solo", Query(sql, params), "find customers that are one record", ("members",))


def _values_step(columns: CustomerColumns) -> Step:
    names = [column.name for column in columns.columns]
    straight = "".join(f", v{i} AS {quote(name)}" for i, name in enumerate(names))
    gathered = "".join(
        f", any_value(f.v{i}) FILTER (WHERE f.rid = g.{quote(name)}) AS {quote(name)}" for i, name in enumerate(names)
    )
    solo = _rows(columns, "SEMI JOIN merge_solo USING (ordinal)")
    crowd = _rows(columns, "ANTI JOIN merge_solo USING (ordinal)")
    sql = (
        f"SELECT ordinal, {quote(CUSTOMER_ID)}{straight}\nFROM (\n{solo}\n)\nUNION ALL\n"
        f"SELECT f.ordinal, any_value(f.{quote(CUSTOMER_ID)}){gathered}\n"
        f"FROM (\n{crowd}\n) AS f JOIN customer_sources AS g ON g.ordinal = f.ordinal\nGROUP BY f.ordinal"
    )
    params = {f"entity_{n}": entity.entity for n, entity in enumerate(columns.entities)}
    reads = ("members", "merge_solo", "customer_sources", *(table_of(e.entity) for e in columns.entities))
    releases = ("merge_candidates", "merge_solo")
    return Step("customer_values", Query(sql, params), "read the chosen values", reads, releases=releases)


def _rows(columns: CustomerColumns, which: str) -> str:
    """Rows that may give values, each with what its own attributes say: v<i>, in the unified column's type."""
    parts = []
    for n, entity in enumerate(columns.entities):
        values = "".join(f", {value_of(column, entity)} AS v{i}" for i, column in enumerate(columns.columns))
        winners = "" if entity.prefer else " AND m.is_winner"
        parts.append(
            f"SELECT m.ordinal, m.rid, m.{quote(CUSTOMER_ID)}{values}\n"
            f"FROM (SELECT * FROM members AS m WHERE m.entity = $entity_{n}{winners}) AS m {which}\n"
            f"JOIN {source_of(entity)} ON {key_is(entity)}"
        )
    return "\nUNION ALL\n".join(parts)


# ---- Customer


def _keys_step(columns: CustomerColumns) -> Step:
    """One row per customer. With several dedupe groups of one entity the winner with the smallest rid names the key.

    Customers of one record, which most are, have no keys to choose among or to list: a million records take 0.7 s of
    processor time instead of 1.2 s.
    """
    entities = {f"entity_{n}": entity for n, entity in enumerate(columns.entities)}
    own, chosen = [], []
    for n, entity in entities.items():
        own += [f"CASE WHEN entity = ${n} THEN key END AS {quote(name)}" for name in (entity.name, entity.alternate)]
        chosen.append(f"arg_min(key, rid) FILTER (WHERE is_winner AND entity = ${n})")
        chosen.append(f"array_to_string(list_sort(list(key) FILTER (WHERE entity = ${n})), ';')")
    sql = (
        "WITH alone AS MATERIALIZED (SELECT ordinal FROM members GROUP BY ordinal HAVING count(*) = 1)\n"
        f"SELECT {', '.join(['ordinal', *own])}\nFROM members SEMI JOIN alone USING (ordinal)\nUNION ALL\n"
        f"SELECT {', '.join(['ordinal', *chosen])}\nFROM members ANTI JOIN alone USING (ordinal)\nGROUP BY ordinal"
    )
    params = {n: entity.entity for n, entity in entities.items()}
    return Step("merge_keys", Query(sql, params), "collect the keys of every customer", ("members",))


def _customer_step(columns: CustomerColumns, cluster_columns: ClusterColumns, plain: Sequence[str]) -> Step:
    _refuse_collisions(columns, cluster_columns)
    owners = dict.fromkeys((c.name for c in columns.columns), "v") | {CUSTOMER_ID: "v", PREVIOUS: "b"}
    selected = [f"{owners.get(name, 'k')}.{quote(name)}" for name in columns.layout]
    selected += [f"c{i}.id AS {quote(name)}" for i, (name, _) in enumerate(cluster_columns)]
    selected.append("v.ordinal")
    customer_id = quote(CUSTOMER_ID)
    clusters = "".join(
        f"\nLEFT JOIN {quote(table)} AS c{i} ON c{i}.{customer_id} = v.{customer_id}"
        for i, (_, table) in enumerate(cluster_columns)
    )
    sql = (
        f"SELECT {', '.join(selected)}\nFROM customer_values AS v\nJOIN merge_keys AS k ON k.ordinal = v.ordinal\n"
        f"LEFT JOIN (\n  SELECT {customer_id}, string_agg({quote(PREVIOUS)}, ';' ORDER BY {quote(PREVIOUS)}) "
        f"AS {quote(PREVIOUS)}\n  FROM previous_ids GROUP BY {customer_id}\n) AS b ON b.{customer_id} = v.{customer_id}"
        f"{clusters}\nORDER BY v.ordinal"
    )
    reads = ("customer_values", "merge_keys", "previous_ids", *(table for _, table in cluster_columns))
    releases = ("customer_values", "merge_keys")
    keys = (name for entity in columns.entities for name in (entity.name, entity.alternate))
    unrepeated = (CUSTOMER_ID, *keys, *plain)
    why = "write the master customer dataset"
    return Step("Customer", Query(sql), why, reads, keep=True, releases=releases, plain=unrepeated)


def _refuse_collisions(columns: CustomerColumns, cluster_columns: ClusterColumns) -> None:
    taken = {name.casefold() for name in columns.layout}
    for name, _ in cluster_columns:
        if name.casefold() in taken:
            raise SpecError(f"Customer has a column {name} already", where="clusters", hint="rename the cluster")
        taken.add(name.casefold())


def _lineage_step(columns: CustomerColumns) -> Step:
    names = ", ".join(literal(column.name) for column in columns.columns)
    rids = ", ".join(f"s.{quote(column.name)}" for column in columns.columns)
    sql = (
        f'SELECT g.{quote(CUSTOMER_ID)}, g."column", r.entity, r.key\nFROM (\n'
        f'  SELECT i.{quote(CUSTOMER_ID)}, unnest([{names}]) AS "column", unnest([{rids}]) AS rid\n'
        "  FROM customer_ids AS i JOIN customer_sources AS s ON s.ordinal = i.ordinal\n"
        ") AS g JOIN records AS r ON r.rid = g.rid"
    )
    reads = ("customer_ids", "customer_sources", "records")
    return Step("customer_lineage", Query(sql), "say which record gave each value", reads, keep=True, view=True)
