"""Reviewing doubtful links: the list, the decisions, and what became of them. Reads the published generation.

Deciding needs no lease and changes no generation: the next conflate applies what was decided.
"""

from typing import Any, cast

from unify.conflation.all_records import raw_value
from unify.conflation.binding import bind, plan_of
from unify.conflation.bridges.compared import Attribute, compared
from unify.conflation.explain import Explainer
from unify.conflation.normalize_lists import lists_of
from unify.conflation.pair_check import raw_rows
from unify.core.engine import Engine
from unify.core.errors import NotFoundError, QueryError
from unify.core.names import table_of
from unify.core.review import Decision, Review, ReviewedValue, ReviewItem, Verdict
from unify.core.steps import Query
from unify.spec import Project
from unify.store import Store
from unify.verbs.decisions import ID_SQL, LIST, VERDICTS, Decided, Record, decided, save, spoken, withdraw

DOUBTFUL = f"""
SELECT {ID_SQL} AS id, d.*, x.entity AS entity_a, x.key AS key_a, y.entity AS entity_b, y.key AS key_b,
    rules.name AS rule_name, m.CustomerId AS customer, n.CustomerId AS other
FROM doubtful_links AS d JOIN records AS x ON x.rid = d.a JOIN records AS y ON y.rid = d.b
JOIN rules ON rules.rule = d.rule
LEFT JOIN members AS m ON m.rid = d.a LEFT JOIN members AS n ON n.rid = d.b"""
OPEN = f"{DOUBTFUL} WHERE NOT list_contains($decided::VARCHAR[], {ID_SQL}) ORDER BY d.urgency DESC, id LIMIT $limit"
COUNTS = f"""
SELECT count(*) AS n, count(*) FILTER (list_contains($decided::VARCHAR[], {ID_SQL})) AS done
FROM doubtful_links AS d JOIN records AS x ON x.rid = d.a JOIN records AS y ON y.rid = d.b"""


def review(store: Store, engine: Engine, generation: int, project: Project, limit: int | None) -> Review:
    """The doubtful links nobody decided on, the most urgent first; `limit` None: all.

    Raises QueryError for a generation that has no customers or was made before links were weighed.
    """
    if limit is not None and limit < 0:
        raise QueryError(f"a limit of {limit} is no number of links", hint="write 0 or more")
    _weighed(engine)
    standing = decided(store)
    names = [d.id for d in standing]
    [counts] = engine.fetch(Query(COUNTS, {"decided": names})).to_pylist()
    most = counts["n"] if limit is None else limit
    rows = engine.fetch(Query(OPEN, {"decided": names, "limit": most})).to_pylist()
    attributes = compared(bind(engine, project, lists_of(engine, project)), plan_of(project))
    raw = raw_rows(
        engine,
        project,
        [{"rid": r[s], "entity": r[f"entity_{s}"], "key": r[f"key_{s}"]} for r in rows for s in ("a", "b")],
    )
    items = [_item(row, attributes, raw.get(row["a"], {}), raw.get(row["b"], {})) for row in rows]
    return Review(generation=generation, total=counts["n"] - counts["done"], decided=len(standing), items=items)


def _weighed(engine: Engine) -> None:
    try:
        engine.columns("doubtful_links")
    except KeyError:
        raise QueryError("no link was weighed in this generation", hint="`unify conflate` weighs them") from None


def _item(
    row: dict[str, Any], attributes: tuple[Attribute, ...], left: dict[str, Any], right: dict[str, Any]
) -> ReviewItem:
    agreeing = set(row["agrees"].split(", "))
    values = []
    for attribute in attributes:
        a = [raw_value(left, c) for c, _ in attribute.columns.get(row["entity_a"], ())]
        b = [raw_value(right, c) for c, _ in attribute.columns.get(row["entity_b"], ())]
        if any(v is not None for v in (*a, *b)):
            against = any(said.startswith(f"{attribute.name} ") for said in row["contradicts"].split("; "))
            says = "agree" if attribute.name in agreeing else "contradict" if against else "nothing"
            values.append(ReviewedValue(attribute=attribute.name, a=a, b=b, says=cast("Any", says)))
    return ReviewItem(
        id=row["id"],
        a=f"{row['entity_a']}:{row['key_a']}",
        b=f"{row['entity_b']}:{row['key_b']}",
        kind="cut" if row["cut"] else "bridge" if row["bridge"] else "link",
        rule=row["rule_name"],
        score=round(row["score"], 6),
        doubt=row["doubt"],
        urgency=row["urgency"],
        records_a=row["records_a"],
        records_b=row["records_b"],
        customer=row["customer"],
        other=row["other"],
        agrees=row["agrees"],
        contradicts=row["contradicts"],
        values=values,
    )


def decide(
    store: Store, engine: Engine, project: Project, what: str | tuple[str, str], verdict: str, note: str
) -> Decision:
    """Keep a decision on a link of the review, by id, or on any two records, by name.

    Raises QueryError for another verdict, an unknown id or record, and a contradiction, naming what contradicts.
    """
    if verdict not in VERDICTS:
        raise QueryError(f"{verdict!r} is no verdict", hint="write same or different")
    one, other = _pair(store, engine, project, what)
    if one == other:
        raise QueryError(f"{spoken(one)} is paired with itself", hint="name two records")
    made = save(store, engine, project, (cast("Verdict", verdict), one, other), note)
    return _decision(made, *_state(engine, made))


def _pair(store: Store, engine: Engine, project: Project, what: str | tuple[str, str]) -> tuple[Record, Record]:
    if not isinstance(what, str):
        explainer = Explainer(engine, project, lists_of(engine, project))
        found = [explainer.find(name) for name in what]
        if len(found) != 2:
            raise QueryError(f"{len(found)} records are no pair", hint="name two records")
        return (found[0]["entity"], found[0]["key"]), (found[1]["entity"], found[1]["key"])
    _weighed(engine)
    rows = engine.fetch(Query(f"{DOUBTFUL} WHERE starts_with({ID_SQL}, $id) LIMIT 2", {"id": what})).to_pylist()
    pairs = {r["id"]: ((r["entity_a"], r["key_a"]), (r["entity_b"], r["key_b"])) for r in rows if what}
    pairs |= {d.id: (d.one, d.other) for d in decided(store) if what and d.id.startswith(what)}
    if len(pairs) > 1:
        raise QueryError(f"{what!r} begins the ids of several links", hint="write the whole id")
    if not pairs:
        raise NotFoundError(f"no link of the review has the id {what!r}", hint="`unify review` lists them")
    return next(iter(pairs.values()))


def decisions(store: Store, engine: Engine) -> list[Decision]:
    """Every decision that stands, with what became of it, by id."""
    return [_decision(d, *_state(engine, d)) for d in decided(store)]


def withdrawn(store: Store, wanted: str) -> Decision:
    """Take a decision back; the next conflate does without it."""
    return _decision(withdraw(store, wanted), "withdrawn", "the next conflate does without it")


def _state(engine: Engine, one: Decided) -> tuple[str, str]:
    """What became of a decision in the published generation, and why."""
    for entity, key in (one.one, one.other):
        there = Query("SELECT 1 FROM records WHERE entity = $entity AND key = $key", {"entity": entity, "key": key})
        if not engine.fetch(there).num_rows:
            return "gone", f"{table_of(entity)} has no {key!r}"
    applied = Query(
        "SELECT 1 FROM overrides WHERE list = $ours AND kind = $kind AND entity1 = $e1 AND key1 = $k1 "
        "AND entity2 = $e2 AND key2 = $k2",
        {"ours": LIST, "kind": VERDICTS[one.verdict], "e1": one.one[0], "k1": one.one[1], "e2": one.other[0],
         "k2": one.other[1]},
    )  # fmt: skip
    if engine.fetch(applied).num_rows:
        return "in force", ""
    return "waiting", "`unify conflate` applies it"


def _decision(one: Decided, state: str, why: str) -> Decision:
    return Decision(
        id=one.id, verdict=one.verdict, a=spoken(one.one), b=spoken(one.other), note=one.note, saved=one.saved,
        state=cast("Any", state), why=why,
    )  # fmt: skip
