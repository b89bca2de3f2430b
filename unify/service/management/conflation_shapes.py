"""The vendor's JSON of a conflation plan, and the way from it to ours and back: nothing is lost either way.

    ConflationPlanInfo ─┬─ conflationOrder               qualified names, `crm_Contacts`; the first is primary
                        ├─ entityConflationInformation   per entity: source, primary key, include all, deduplication
                        ├─ rules                         per pair: lower and upper entity, criteria, exceptions
                        └─ settings                      what the vendor has no word for, as a project file has it:
                                                         common rules, limits, clustering, bridges, junk, bounds

A rule whose evidence adds up (docs/scored-rules.md) has `evidence` in the place of `criteria`.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from unify.core.names import table_of
from unify.service.management.documented import Documented
from unify.spec import ConflationPlan
from unify.spec.conditions import PRECISIONS, ComparisonKind
from unify.spec.wire import initial_lower

OURS: Final = ("rules", "limits", "clustering", "max_shared", "max_pairs", "overload", "bridges", "junk")
"""Keys of a plan in `settings`."""
LEVELS: Final = {value: name for name, value in PRECISIONS.items()}
Precision = str | float
"""`low`, `medium`, `high`, `exact`, or a share between 0 and 1."""
Normalization = str | dict[str, str]
"""`lower`, or `{"alias": "<list>"}`, `{"bypass": "<list>"}`, `{"phone": "US"}`."""


class MatchCriterion(Documented):
    """One condition.

    kind               match; the documents forbid copy
    sourceAttributes   of the lower entity; any may equal any of `targetAttributes`, which default to them
    precision          how alike the values must be; left out: exact
    comparison         how they are compared, in our words; left out: exact, or levenshtein where a precision is said
    within, swap       of tolerant comparisons; docs/normalisers-and-comparisons.md
    differs            of an exception: the values are there and differ
    """

    kind: Annotated[Literal["match", "copy"] | None, BeforeValidator(initial_lower)] = None
    source_attributes: tuple[str, ...] | None = Field(default=None, min_length=1)
    target_attributes: tuple[str, ...] | None = Field(default=None, min_length=1)
    precision: Precision | None = None
    normalizations: tuple[Normalization, ...] | None = None
    comparison: ComparisonKind | None = None
    within: float | None = None
    swap: bool | None = None
    differs: bool | None = None


class MatchRule(Documented):
    """Criteria that must all hold, and exceptions: the conditions of each must not all hold.

    sourceEntityName, targetEntityName   the lower and the upper entity; of a deduplication rule they are left out
    """

    name: str = Field(min_length=1)
    source_entity_name: str | None = None
    target_entity_name: str | None = None
    is_active: bool | None = None
    criteria: tuple[MatchCriterion, ...] | None = None
    exceptions: tuple[tuple[MatchCriterion, ...], ...] | None = None
    evidence: tuple[str | dict[str, Any], ...] | None = None
    at_least: float | None = None


class Deduplication(Documented):
    """Rules inside one entity, and which of its rows stands for a group.

    winner        `most filled`, `most recent by <attribute>`, `least recent by <attribute>`, `importance`
    preferences   attribute → the same, where its value comes from another row of the group
    defaultRule   without rules: rows equal in all attributes that match rules use are one
    """

    rules: tuple[MatchRule, ...] | None = None
    winner: str | None = None
    preferences: dict[str, str] | None = None
    default_rule: bool | None = None


class EntityConflationInformation(Documented):
    """What takes part: an entity that was ingested and has a primary key."""

    entity_name: str
    datasource_id: str | None = None
    primary_key: str | None = None
    include_all_records: bool | None = None
    deduplication: Deduplication | None = None


class ConflationPlanInfo(Documented):
    """A whole plan."""

    conflation_id: str | None = None
    instance_id: str | None = None
    version: int | None = None
    conflation_order: tuple[str, ...] | None = None
    entity_conflation_information: tuple[EntityConflationInformation, ...] | None = None
    rules: tuple[MatchRule, ...] | None = None
    settings: dict[str, Any] | None = None


# ── ours to theirs ───────────────────────────────────────────────────────────────────────────────────────────────────


def wire_of(plan: ConflationPlan, keys: dict[str, str]) -> dict[str, Any]:
    """The vendor's JSON. `keys`: entity → primary key."""
    plain: dict[str, Any] = plan.model_dump(mode="json", by_alias=True)
    defaults: dict[str, Any] = ConflationPlan.model_validate({"order": ["a.A"]}).model_dump(mode="json", by_alias=True)
    dedupe = plain["dedupe"]
    made: dict[str, Any] = {
        "conflationOrder": [table_of(o["entity"]) for o in plain["order"]],
        "entityConflationInformation": [
            _info(o, keys.get(o["entity"]), dedupe.get(o["entity"])) for o in plain["order"]
        ],
        "rules": [
            {"sourceEntityName": table_of(m["left"]), "targetEntityName": table_of(m["right"]), **_rule(rule)}
            for m in plain["match"]
            for rule in m["rules"]
        ],
    }
    settings = {key: plain[key] for key in OURS if plain[key] != defaults[key]}
    return {**made, "settings": settings} if settings else made


def _info(ordered: dict[str, Any], key: str | None, dedupe: dict[str, Any] | None) -> dict[str, Any]:
    source, name = ordered["entity"].split(".", 1)
    made: dict[str, Any] = {
        "entityName": name,
        "datasourceId": source,
        "primaryKey": key,
        "includeAllRecords": ordered["include_all"],
    }
    if dedupe is not None:
        made["deduplication"] = {
            "rules": [_rule(rule) for rule in dedupe["rules"]],
            "winner": _spoken(dedupe["winner"]),
            "preferences": {column: _spoken(p) for column, p in dedupe["prefer"].items()},
            "defaultRule": dedupe["default_rule"],
        }
    return {k: v for k, v in made.items() if v is not None}


def _spoken(preference: dict[str, Any]) -> str:
    return f"{preference['kind']} by {preference['by']}" if preference["by"] else str(preference["kind"])


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": rule["name"], "isActive": rule["active"]}
    if rule["score"]:
        made["evidence"] = rule["score"]
        if rule["at_least"] is not None:
            made["atLeast"] = rule["at_least"]
    else:
        made["criteria"] = [_criterion(c) for c in rule["when"]]
    if rule["unless"]:
        made["exceptions"] = [[_criterion(c) for c in veto["all"]] for veto in rule["unless"]]
    return made


def _criterion(c: dict[str, Any]) -> dict[str, Any]:
    """Columns are told by side; that several columns stand for one another on both sides shows as equal lists."""
    left = c["left"] or c["fields"] or [c["field"]]
    right = c["right"] or c["fields"] or [c["field"]]
    made: dict[str, Any] = {"sourceAttributes": left, "targetAttributes": right}
    if c["normalize"]:
        made["normalizations"] = [
            n["kind"] if not n["argument"] else {n["kind"]: n["argument"]} for n in c["normalize"]
        ]
    if c["precision"] is not None:
        made["precision"] = LEVELS.get(c["precision"], c["precision"] / 100)
    if c["compare"] not in ("exact", "levenshtein") or (c["compare"] == "levenshtein") != (c["precision"] is not None):
        made["comparison"] = c["compare"]
    made |= {key: c[key] for key in ("within", "swap", "differs") if c[key]}
    return made


# ── theirs to ours ───────────────────────────────────────────────────────────────────────────────────────────────────


def plan_of(wire: ConflationPlanInfo, known: dict[str, str]) -> dict[str, Any]:
    """The plan as a project file has it. `known`: name on the wire → entity; others stay as they were written."""

    def entity(name: str, source: str | None = None) -> str:
        return known.get(f"{source}.{name}" if source else name, name)

    infos = wire.entity_conflation_information or ()
    named = {entity(i.entity_name, i.datasource_id): i for i in infos}
    order = [entity(name) for name in wire.conflation_order or ()]
    made: dict[str, Any] = dict(wire.settings or {})
    made["order"] = [
        {"entity": e, "include_all": named[e].include_all_records is not False if e in named else True} for e in order
    ]
    made["dedupe"] = {e: _dedupe(info.deduplication) for e, info in named.items() if info.deduplication is not None}
    pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for rule in wire.rules or ():
        pair = entity(rule.source_entity_name or ""), entity(rule.target_entity_name or "")
        pairs.setdefault(pair, []).append(_our_rule(rule))
    made["match"] = [{"left": left, "right": right, "rules": rules} for (left, right), rules in pairs.items()]
    return made


def _dedupe(said: Deduplication) -> dict[str, Any]:
    made: dict[str, Any] = {"rules": [_our_rule(rule) for rule in said.rules or ()]}
    if said.winner is not None:
        made["winner"] = said.winner
    if said.preferences:
        made["prefer"] = said.preferences
    if said.default_rule is not None:
        made["default_rule"] = said.default_rule
    return made


def _our_rule(rule: MatchRule) -> dict[str, Any]:
    made: dict[str, Any] = {"name": rule.name, "active": rule.is_active is not False}
    if rule.criteria:
        made["when"] = [_our_criterion(c) for c in rule.criteria]
    if rule.evidence:
        made["score"] = list(rule.evidence)
    if rule.at_least is not None:
        made["at_least"] = rule.at_least
    if rule.exceptions:
        made["unless"] = [{"all": [_our_criterion(c) for c in all_]} for all_ in rule.exceptions]
    return made


def _our_criterion(c: MatchCriterion) -> dict[str, Any]:
    left = c.source_attributes or c.target_attributes or ()
    right = c.target_attributes or left
    made: dict[str, Any] = {"normalize": list(c.normalizations or ())}
    if left == right:
        made |= {"field": left[0]} if len(left) == 1 else {"fields": list(left)}
    else:
        made |= {"left": list(left), "right": list(right)}
    if c.precision is not None:
        made["precision"] = float(c.precision) if not isinstance(c.precision, str) else c.precision
    if c.comparison is not None:
        made["compare"] = c.comparison
    made |= {key: value for key in ("within", "swap", "differs") if (value := getattr(c, key)) is not None}
    return made
