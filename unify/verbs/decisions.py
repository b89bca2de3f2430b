"""What users decided about pairs of records: kept in the instance's catalog, in force in every run from the next on.

    {"verdict": "same" | "different", "records": [[entity, key], [entity, key]], "note": …}   or   {"withdrawn": true}

A decision is keyed on entities and primary keys, so it outlives ingests, plans, CustomerIds and rollbacks. Saving one
is a transaction of the catalog and needs no lease. A run adds decisions to the table `overrides` beside the entries of
the project's lists: `same` is always, `different` is never.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from itertools import pairwise
from typing import Any, cast

import networkx as nx
import pyarrow as pa

from unify.core.engine import Engine
from unify.core.errors import NotFoundError, QueryError, SpecError
from unify.core.names import table_of
from unify.core.review import Verdict
from unify.core.steps import Query, Step
from unify.spec import Project
from unify.store import Definition, Store

KIND = "decision"
LIST = "decisions of a review"
"""What `overrides` and warnings call them: no project can have a list of this name."""
VERDICTS = {"same": "always", "different": "never"}
ID_LENGTH = 12
SHOWN = 5

Record = tuple[str, str]
"""(entity, key)."""


@dataclass(frozen=True)
class Decided:
    """A decision that stands. The records are in order of entity and key."""

    id: str
    verdict: Verdict
    one: Record
    other: Record
    note: str
    saved: datetime
    version: int

    def __str__(self) -> str:
        return f"{self.id} ({spoken(self.one)} and {spoken(self.other)} are {self.verdict})"


def spoken(record: Record) -> str:
    """`crm.Contacts:C-1`."""
    return f"{record[0]}:{record[1]}"


def pair_id(one: Record, other: Record) -> str:
    """The id of two records, whichever comes first; the same in every run. ID_SQL computes it in SQL."""
    first, second = sorted("\x1f".join(record) for record in (one, other))
    return md5(f"{first}\x1e{second}".encode(), usedforsecurity=False).hexdigest()[:ID_LENGTH]


ID_SQL = (
    "substr(md5(least(x.entity || chr(31) || x.key, y.entity || chr(31) || y.key) || chr(30) || "
    f"greatest(x.entity || chr(31) || x.key, y.entity || chr(31) || y.key)), 1, {ID_LENGTH})"
)


def decided(store: Store) -> list[Decided]:
    """The decisions that stand, by id."""
    return [d for d in map(_decided, store.definitions(KIND)) if d is not None]


def _decided(found: Definition) -> Decided | None:
    body: dict[str, Any] = found.body
    if body.get("withdrawn"):
        return None
    one, other = (cast("Record", tuple(record)) for record in body["records"])
    return Decided(found.name, body["verdict"], one, other, body.get("note", ""), found.saved, found.version)


def save(store: Store, engine: Engine, project: Project, new: tuple[Verdict, Record, Record], note: str) -> Decided:
    """Keep a decision. Deciding the same again changes nothing.

    Raises QueryError when the plan could not obey it or when it contradicts another decision or a list, by name.
    """
    verdict, one, other = new
    one, other = sorted((one, other))
    made = pair_id(one, other)
    standing = decided(store)
    before = next((d for d in standing if d.id == made), None)
    if before is not None and (before.one, before.other) != (one, other):
        raise QueryError(f"{made} is the id of two other records: {before}", hint="write the pair into a list instead")
    if before is not None and before.verdict != verdict:
        hint = f"take it back first: `unify decisions --withdraw {made}`"
        raise QueryError(f"this contradicts the decision {before}", hint=hint)
    if why := unfit(project, one, other, verdict):
        raise QueryError(f"{spoken(one)} and {spoken(other)} cannot be decided on: {why}")
    _refuse_contradiction(engine, project, standing, (verdict, one, other))
    newest = {d.name: d.version for d in store.definitions(KIND)}
    body = {"verdict": verdict, "records": [list(one), list(other)], "note": note}
    store.save_definition(KIND, made, body, after=newest.get(made, 0))
    return next(d for d in decided(store) if d.id == made)


def withdraw(store: Store, wanted: str) -> Decided:
    """Take a decision back; it can be made again. NotFoundError when none of that id stands."""
    standing = decided(store)
    found = [d for d in standing if d.id.startswith(wanted)] if wanted else []
    if len(found) != 1:
        hint = f"standing: {', '.join(d.id for d in standing[:SHOWN])}" if standing else "none stands"
        raise NotFoundError(f"there is no decision {wanted!r}", hint=f"{hint}; `unify decisions` lists them")
    store.save_definition(KIND, found[0].id, {"withdrawn": True}, after=found[0].version)
    return found[0]


def unfit(project: Project, one: Record, other: Record, verdict: Verdict) -> str:
    """Why the plan cannot obey a decision; empty when it can."""
    plan = project.conflation
    order = [o.entity for o in plan.order] if plan is not None else []
    for entity, _ in (one, other):
        if entity not in order:
            return f"{entity} does not take part in conflation"
    if verdict == "same" and one[0] == other[0] and (plan is None or not plan.dedupes(one[0])):
        return f"both are records of {one[0]}, which has no dedupe rule: add one to conflation.dedupe"
    return ""


def _refuse_contradiction(
    engine: Engine, project: Project, standing: list[Decided], new: tuple[Verdict, Record, Record]
) -> None:
    """QueryError when `different` records would be joined by a chain of `same` ones."""
    spelled = {table_of(name): name for name in project.entities}
    said: list[tuple[str, Record, Record, str]] = [(*new, "this decision")]
    said += [(d.verdict, d.one, d.other, f"decision {d.id}") for d in standing]
    listed = Query("SELECT kind, list, entity1, key1, entity2, key2 FROM overrides WHERE list <> $ours", {"ours": LIST})
    for row in engine.fetch(listed).to_pylist():
        one, other = ((spelled.get(row[f"entity{i}"], row[f"entity{i}"]), row[f"key{i}"]) for i in (1, 2))
        verdict = "same" if row["kind"] == "always" else "different"
        said.append((verdict, one, other, f"list {row['list']!r}"))
    graph: nx.Graph[Any] = nx.Graph()
    for verdict, one, other, by in said:
        if verdict == "same" and not graph.has_edge(one, other):
            graph.add_edge(one, other, by=by)
    for verdict, one, other, by in said:
        if verdict == "different" and one in graph and other in graph and nx.has_path(graph, one, other):
            way = nx.shortest_path(graph, one, other)
            chain = [f"{spoken(x)} is {spoken(y)} ({graph.edges[x, y]['by']})" for x, y in pairwise(way)]
            if by != "this decision" and not any("this decision" in link for link in chain):
                continue  # somebody else's contradiction: the run names it
            message = f"{spoken(one)} is not {spoken(other)} ({by}), and yet {', '.join(chain)}"
            raise QueryError(message, where="decisions", hint="withdraw one of them, or decide the other way")


# ── in a run ────────────────────────────────────────────────────────────────────────────────────────────────────────


def add_decisions(engine: Engine, store: Store, project: Project) -> list[str]:
    """The decisions that stand, in `overrides`, instead of those it held; returns a warning for those left out."""
    fit: list[Decided] = []
    left_out: list[str] = []
    for one in decided(store):
        why = unfit(project, one.one, one.other, one.verdict)
        if why:
            left_out.append(f"{one}: {why}")
        else:
            fit.append(one)
    columns = ("kind", "list", "entity1", "key1", "entity2", "key2")
    rows = [(VERDICTS[d.verdict], LIST, *d.one, *d.other) for d in fit]
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    table = pa.table([pa.array(c, pa.string()) for c in cells], names=list(columns))
    engine.load("override_decisions", table)
    merged = "FROM overrides WHERE list <> $ours UNION ALL FROM override_decisions"
    why = "entries of lists, and decisions of reviews"
    reads = ("overrides", "override_decisions")
    engine.build(Step("overrides", Query(merged, {"ours": LIST}), why, reads, keep=True, releases=reads[1:]))
    if not left_out:
        return []
    named = "; ".join(left_out[:SHOWN])
    more = f"; and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
    return [f"decisions that have no effect under this plan: {named}{more}"]


def refuse_contradictions(store: Store) -> None:
    """SpecError naming decisions that contradict each other: two users may have decided at the same moment."""
    standing = decided(store)
    graph: nx.Graph[Any] = nx.Graph()
    for d in standing:
        if d.verdict == "same":
            graph.add_edge(d.one, d.other, by=d)
    for d in standing:
        if d.verdict == "different" and d.one in graph and d.other in graph and nx.has_path(graph, d.one, d.other):
            way = nx.shortest_path(graph, d.one, d.other)
            chain = ", ".join(str(graph.edges[x, y]["by"]) for x, y in pairwise(way))
            raise SpecError(
                f"decisions contradict each other: {d} and {chain}",
                where="decisions",
                hint="`unify decisions --withdraw ID` one of them",
            )
