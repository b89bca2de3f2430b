"""Small worlds for incremental runs: rows that often share values, plans of every kind, and steps that change both."""

import random
from typing import Any

import pyarrow as pa

ENTITIES = ("crm.Contacts", "loyalty.Members", "web.SignUps")
KEYS = dict(zip(ENTITIES, ("ContactId", "MemberId", "UserId"), strict=True))
FIRST = ("Anna", "Ann", "Anne", "Bert", "Berta", "Carl", "Karl")
LAST = ("Smith", "Smyth", "Jones", "Johns", "Meier", None)
MAIL = ("noreply@x.example", "", None, None, None, *(f"{letter}@x.example" for letter in "abcdefghijkl"))
PHONE = (None, None, None, *(f"555-01{number:02d}" for number in range(12)))
BORN = (None, None, *(f"1980-01-{day:02d}" for day in range(1, 9)))
CITY = ("Ulm", "Bonn", "Kiel", None)
COLUMNS = ("First", "Last", "Mail", "Phone", "Mobile", "Born", "City", "Changed", "Points")

Rows = dict[str, dict[str, dict[str, Any]]]
"""Entity to key to row."""


def row(dice: random.Random) -> dict[str, Any]:
    """A row of few values, so that records meet."""
    chosen = (FIRST, LAST, MAIL, PHONE, PHONE, BORN, CITY)
    values = [dice.choice(among) for among in chosen]
    changed = f"2024-01-{dice.randint(1, 28):02d}" if dice.random() < 0.8 else None
    return dict(zip(COLUMNS, [*values, changed, dice.choice((None, 1, 2, 30))], strict=True))


def key(dice: random.Random) -> str:
    """Keys of mixed length: `10` comes before `9`."""
    return f"K{dice.randint(1, 60)}"


def first_rows(dice: random.Random, each: int = 18) -> Rows:
    """What the first run reads."""
    return {entity: {key(dice): row(dice) for _ in range(each)} for entity in ENTITIES}


def changed_rows(rows: Rows, dice: random.Random) -> Rows:
    """Upserts, deletes, changes of one column, changes of keys; now and then nothing at all."""
    now = {entity: dict(found) for entity, found in rows.items()}
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        found = now[dice.choice(ENTITIES)]
        kind = dice.choice(("insert", "replace", "column", "column", "delete", "key"))
        there = sorted(found)
        if kind == "insert" or not there:
            found.setdefault(key(dice), row(dice))
        elif kind == "replace":
            found[dice.choice(there)] = row(dice)
        elif kind == "column":
            at, column = dice.choice(there), dice.choice(COLUMNS)
            found[at] = found[at] | {column: row(dice)[column]}
        elif kind == "delete":
            found.pop(dice.choice(there))
        else:
            moved = found.pop(dice.choice(there))
            found.setdefault(key(dice), moved)
    return now


def frames(rows: Rows, dice: random.Random) -> dict[str, pa.Table]:
    """The rows as tables, in any order."""
    made = {}
    for entity, found in rows.items():
        keys = dice.sample(sorted(found), len(found)) if dice.random() < 0.5 else sorted(found)
        kinds = {"Points": pa.int64()}
        columns = {c: pa.array([found[k][c] for k in keys], kinds.get(c, pa.string())) for c in COLUMNS}
        made[entity] = pa.table({KEYS[entity]: pa.array(keys, pa.string()), **columns})
    return made


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PHONES = {"left": ["Phone", "Mobile"], "right": ["Phone", "Mobile"]}
MATCH: list[dict[str, Any]] = [
    {"name": "mail", "when": [{"field": "Mail", "normalize": ["lower"]}]},
    {"name": "phones", "when": [PHONES]},
    {
        "name": "born and name",
        "when": [{"field": "Born"}, {"field": "First", "compare": "jaro_winkler", "precision": 85}],
        "unless": [{"field": "City", "differs": True}],
    },
    {"name": "mail, not born apart", "when": [{"field": "Mail"}], "unless": [{"field": "Born", "differs": True}]},
    {
        "name": "phones and last name",
        "when": [PHONES, {"field": "Last", "precision": 70}],
    },
    {"name": "names alike", "when": [{"field": "Last", "precision": 75}, {"field": "Born"}]},
    {"name": "name and city", "when": [{"field": "First"}, {"field": "Last"}, {"field": "City"}]},
    {"name": "alike alone", "when": [{"field": "Last", "precision": 80}, {"field": "First", "precision": 80}]},
    {"name": "bypassed", "when": [{"field": "Mail", "normalize": ["lower", {"bypass": "no_mail"}]}]},
]
COMMON = [MATCH[at] for at in (0, 2, 3, 6)]
SCORED = {
    "name": "evidence",
    "score": [{"field": "First"}, {"field": "Last"}, {"field": "Born"}, {"field": "Mail"}],
    "at_least": 0.9,
}
PAIRS = ("loyalty.Members -> crm.Contacts", "web.SignUps -> crm.Contacts", "web.SignUps -> loyalty.Members")
LIMITS: list[dict[str, Any]] = [
    {"max_records": 4},
    {"never_two": "Born"},
    {"at_most_one": "crm.Contacts"},
    {"at_most_one": "loyalty.Members"},
]
PREFERENCES = ("most recent by Changed", "least recent by Changed", "most filled", "importance")


def first_plan(dice: random.Random) -> dict[str, Any]:
    """A project over the three entities."""
    project: dict[str, Any] = {
        "sources": {},
        "lists": {
            "no_mail": {"kind": "bypass", "values": ["noreply@x.example"]},
        },
        "conflation": {"order": list(ENTITIES), "match": {}, "dedupe": {}, "limits": []},
        "resolution": {},
        "keep": 3,
    }
    for entity in ENTITIES:
        source, name = entity.split(".")
        project["sources"][source] = {name: {"key": KEYS[entity], "columns": {"Born": "date", "Changed": "date"}}}
    for pair in PAIRS:
        project["conflation"]["match"][pair] = dice.sample(MATCH, dice.randint(1, 4))
    for entity in ENTITIES:
        project["conflation"]["dedupe"][entity] = dice.sample(MATCH[:7], dice.randint(1, 2))
    if dice.random() < 0.3:
        project["conflation"]["rules"] = dice.sample(COMMON, dice.randint(1, 2))
    if dice.random() < 0.2:
        project["conflation"]["match"][PAIRS[0]] = [SCORED, MATCH[0]]
    if dice.random() < 0.6:
        project["conflation"]["limits"] = dice.sample(LIMITS, dice.randint(1, 2))
    edit_options(project, dice, times=2)
    return project


def edit_options(project: dict[str, Any], dice: random.Random, times: int = 1) -> None:
    """Change options that have nothing to do with which rules there are."""
    plan = project["conflation"]
    for _ in range(times):
        kind = dice.choice(("shared", "pairs", "order", "resolution", "prefer", "bridges", "junk", "household"))
        if kind == "shared":
            plan["max_shared"] = dice.choice((2, 3, 100))
        elif kind == "pairs":
            plan["max_pairs"] = dice.choice((20, 60, 200_000_000))
        elif kind == "order":
            last = {"entity": "web.SignUps", "include_all": dice.random() < 0.5}
            plan["order"] = ["crm.Contacts", "loyalty.Members", last]
        elif kind == "resolution":
            project["resolution"] = {"City": dice.choice(PREFERENCES), "Mail": dice.choice(PREFERENCES)}
        elif kind == "prefer":
            said = plan["dedupe"]["crm.Contacts"]
            rules = said["rules"] if isinstance(said, dict) else said
            plan["dedupe"]["crm.Contacts"] = {
                "rules": rules,
                "winner": dice.choice(PREFERENCES[:3]),
                "prefer": {"Phone": dice.choice(PREFERENCES[:3])},
            }
        elif kind == "bridges":
            plan["bridges"] = dice.choice(({"review": 0.4, "cut": 0.6}, {"review": None}, {"review": 0.3}))
        elif kind == "junk":
            plan["junk"] = dice.choice(({"detect": True, "more_than": 2}, "off", "off"))
        else:
            rules = [{"name": "home", "when": [{"field": "Last"}, {"field": "City"}]}]
            project["clusters"] = {"Household": {"rules": rules}} if dice.random() < 0.5 else {}


def decide_nothing(project: dict[str, Any]) -> bool:
    """No always and no never; whether there was one."""
    return project["lists"].pop("said", None) is not None


def edit_plan(project: dict[str, Any], rows: Rows, dice: random.Random) -> None:
    """Add, remove or reorder rules, edit thresholds, limits, lists, overrides, options."""
    plan = project["conflation"]
    kind = dice.choice(("rules", "order", "threshold", "limit", "list", "override", "override", "options"))
    pair = dice.choice(PAIRS)
    if kind == "rules":
        plan["match"][pair] = dice.sample(MATCH, dice.randint(1, 4))
    elif kind == "order":
        plan["match"][pair] = dice.sample(plan["match"][pair], len(plan["match"][pair]))
    elif kind == "threshold":
        plan["match"][pair] = [
            {"name": "alike", "when": [{"field": "Born"}, {"field": "Last", "precision": dice.choice((60, 75, 90))}]}
        ]
    elif kind == "limit":
        plan["limits"] = dice.sample(LIMITS, dice.randint(0, 3))
    elif kind == "list":
        project["lists"]["no_mail"]["values"] = dice.sample([m for m in MAIL if m], dice.randint(1, 2))
    elif kind == "override":
        decide_nothing(project)
        one, two = dice.sample(ENTITIES, 2)
        if rows[one] and rows[two]:
            entry = [one, dice.choice(sorted(rows[one])), two, dice.choice(sorted(rows[two]))]
            project["lists"]["said"] = {"kind": dice.choice(("always", "never")), "records": [entry]}
    else:
        edit_options(project, dice)
