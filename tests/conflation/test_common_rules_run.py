"""Common rules in a whole run: evidence, limits, junk, overrides, ids, what explain says, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import unify
from ingest.dependents import dependents_of
from unify.conflation.checks import check_plan
from unify.core.documents import project_of
from unify.core.errors import SpecError
from unify.core.reports import RunReport
from unify.instance import Instance
from unify.pages.merges import explanation_html
from unify.spec import Project

ORDER = ["crm.Contacts", "loyalty.Members", "web.SignUps"]
SOURCES: dict[str, Any] = {
    "crm": {"Contacts": {"key": "Id", "columns": {"Born": "date"}}},
    "loyalty": {"Members": {"key": "Id"}},
    "web": {"SignUps": {"key": "Id", "columns": {"Born": "date"}}},
}
MAIL = {
    "field": "EMail",
    "columns": {"loyalty.Members": "Mail", "web.SignUps": ["Mail1", "Mail2"]},
    "normalize": ["lower"],
}
NAME = {"field": "FullName", "columns": {"web.SignUps": {"join": ["First", "Last"]}}, "normalize": ["name"]}
BY_MAIL = {"name": "mail", "when": [MAIL]}
BY_BOTH = {"name": "both", "when": [MAIL, NAME | {"compare": "token_sort", "precision": 90}]}
CONTACT = ("Id", "EMail", "FullName", "Born")
MEMBER = ("Id", "Mail", "FullName")
SIGN_UP = ("Id", "Mail1", "Mail2", "First", "Last", "Born")


def table(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> pa.Table:
    cells = [dict(zip(columns, row, strict=True)) for row in rows]
    return pa.Table.from_pylist(cells, pa.schema([(c, pa.string()) for c in columns]))


FRAMES = {
    "crm.Contacts": table(
        CONTACT,
        ("C1", "ada@x.example", "Ada Okafor", "1980-01-02"),
        ("C2", "bob@x.example", "Bob Stone", "1970-01-01"),
        ("C3", "ADA@x.example", "Okafor Ada", None),
        ("C4", "cleo@x.example", "Cleo Marsh", None),
    ),
    "loyalty.Members": table(MEMBER, ("M1", "ada@x.example", "Ada Okafor"), ("M2", "bob@x.example", "Bob Stone")),
    "web.SignUps": table(
        SIGN_UP,
        ("W1", "q@x.example", "Ada@x.example", " Ada ", "Okafor", None),
        ("W2", None, "bob@x.example", "Bob", "Stone", "1971-01-01"),
        ("W3", "dora@x.example", None, "Dora", None, None),
    ),
}


def plan(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"sources": SOURCES, "conflation": {"order": ORDER, "rules": list(rules), **more}}


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Instance]:
    with unify.open(tmp_path / "acme", create=True) as instance:
        yield instance


def run(acme: Instance, project: dict[str, Any], frames: dict[str, pa.Table] = FRAMES, **more: Any) -> RunReport:
    return acme.run({**project, **more}, frames=frames)


def rows(acme: Instance, sql: str) -> list[dict[str, Any]]:
    return list(acme.sql(sql).rows())


def customers(acme: Instance) -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in rows(acme, "SELECT CustomerId, key FROM members"):
        found.setdefault(row["CustomerId"], set()).add(row["key"])
    return {frozenset(keys) for keys in found.values()}


def test_one_rule_finds_customers_in_and_over_all_entities(acme: Instance) -> None:
    report = run(acme, plan(BY_BOTH))
    assert customers(acme) == {
        frozenset({"C1", "C3", "M1", "W1"}), frozenset({"C2", "M2", "W2"}), frozenset({"C4"}), frozenset({"W3"}),
    }  # fmt: skip
    [rule] = report.rules
    assert (rule.kind, rule.left, rule.right, rule.entities) == ("common", "every entity", "every entity", ORDER)
    assert (rule.shape, rule.links, rule.yields) == ("join", 9, 7)
    assert "EMail (loyalty.Members: Mail; web.SignUps: any of Mail1, Mail2) is equal" in rule.sentence
    assert "FullName (web.SignUps: First + Last) is at least 90 % alike" in rule.sentence
    [listed] = rows(acme, "FROM rules WHERE rule > 0")
    assert (listed["kind"], listed["left_entity"], listed["right_entity"]) == ("common", "every entity", "every entity")


def test_records_of_one_entity_become_a_dedupe_group_with_a_winner(acme: Instance) -> None:
    run(acme, plan(BY_BOTH, dedupe={"crm.Contacts": {"winner": "most recent by Born"}}))
    [winner] = rows(
        acme, "SELECT Id, Id_Alternate, Rule FROM Deduplication_crm_Contacts WHERE Id_Alternate IS NOT NULL"
    )
    assert winner == {"Id": "C1", "Id_Alternate": "C1;C3", "Rule": "both"}
    assert len(rows(acme, "FROM ConflationMatchPairs")) == 2


def test_the_default_dedupe_rule_is_for_plans_without_common_rules(acme: Instance) -> None:
    twins = table(CONTACT, ("C1", None, "Ada Okafor", None), ("C2", None, "Ada Okafor", None))
    match = {"loyalty.Members -> crm.Contacts": [{"name": "name", "when": [{"field": "FullName"}]}]}
    report = run(acme, plan(BY_MAIL, match=match), FRAMES | {"crm.Contacts": twins})
    assert [r.kind for r in report.rules] == ["common", "match"]
    assert frozenset({"C1", "C2", "M1", "W1"}) in customers(acme), "C1 and C2 by the match rule alone"
    report = run(acme, plan(BY_MAIL | {"active": False}, match=match), FRAMES | {"crm.Contacts": twins})
    assert [r.kind for r in report.rules] == ["dedupe", "dedupe", "match"]


def test_rules_are_numbered_dedupe_common_match_and_see_every_record(acme: Instance) -> None:
    """A match rule is tried on records that a common rule linked too: only rules of its own pair come before it."""
    name = {"name": "name", "when": [{"field": "FullName", "precision": 90}]}
    report = run(
        acme, plan(BY_MAIL, dedupe={"crm.Contacts": [name]}, match={"loyalty.Members -> crm.Contacts": [name]})
    )
    assert [(r.rule, r.kind) for r in report.rules] == [(1, "dedupe"), (2, "common"), (3, "match")]
    linked = rows(acme, "SELECT rule, count(*) AS n FROM links GROUP BY rule ORDER BY rule")
    assert [row["rule"] for row in linked] == [2, 3]
    assert linked[1]["n"] == 2, "M1 with C1 and M2 with C2 once more"


def test_an_entity_without_the_columns_takes_no_part(acme: Instance) -> None:
    born = {"name": "born", "when": [{"field": "Born"}, MAIL | {"columns": MAIL["columns"] | {"web.SignUps": []}}]}
    run(acme, plan(born))
    assert rows(acme, "FROM links") == [], "members have no birth date, sign-ups no e-mail here"


def test_exceptions_of_common_rules(acme: Instance) -> None:
    run(acme, plan(BY_BOTH | {"unless": [{"field": "Born", "differs": True}]}, limits=[{"never_two": "Born"}]))
    linked = {(r["x"], r["y"]) for r in rows(acme, "SELECT x.key AS x, y.key AS y FROM links "
              "JOIN records AS x ON x.rid = a JOIN records AS y ON y.rid = b")}  # fmt: skip
    assert ("C2", "W2") not in linked
    assert {("C2", "M2"), ("M2", "W2")} <= linked
    assert frozenset({"C2", "M2"}) in customers(acme), "the limit cuts the chain through the member"


# ── evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────


def people(count: int = 120, seed: int = 3) -> list[dict[str, Any]]:
    """Records of three systems; `who` is the person. Some systems hold a person twice."""
    draw = np.random.default_rng(seed)
    first = ["Ada", "Bodo", "Cleo", "Dorit", "Emre", "Femke", "Goran", "Hanne", "Idris", "Jutta", "Kofi", "Lale"]
    last = ["Albrecht", "Bianchi", "Castellan", "Drexler", "Eriksen", "Fontaine", "Galway", "Hollis", "Ivanek", "Kowal"]
    made = []
    for who in range(count):
        name, family = str(draw.choice(first)), str(draw.choice(last))
        mail = f"{''.join(draw.choice(list('abcdefghijklmnop0123456789'), 9))}@mail.example"
        born = f"19{draw.integers(40, 99)}-{draw.integers(1, 13):02}-{draw.integers(1, 29):02}"
        for system in draw.choice([0, 1, 2, 0, 1, 2], 2 + who % 3, replace=False):
            slip = draw.random(3)
            made.append({
                "who": who, "system": int(system), "mail": None if slip[0] < 0.3 else mail,
                "first": name, "last": family[:-1] if slip[1] < 0.2 else family, "born": None if slip[2] < 0.2 else born,
            })  # fmt: skip
    return made


def three_systems(made: list[dict[str, Any]]) -> dict[str, pa.Table]:
    keyed = [dict(one, key=f"{i:04}") for i, one in enumerate(made)]
    systems = [[r for r in keyed if r["system"] == n] for n in range(3)]
    return {
        "crm.Contacts": table(
            CONTACT, *((r["key"], r["mail"], f"{r['first']} {r['last']}", r["born"]) for r in systems[0])
        ),
        "loyalty.Members": table(
            (*MEMBER, "Birthday"),
            *((r["key"], r["mail"], f"{r['first']} {r['last']}", r["born"]) for r in systems[1]),
        ),
        "web.SignUps": table(
            SIGN_UP, *((r["key"], None, r["mail"], r["first"], r["last"], r["born"]) for r in systems[2])
        ),
    }


def one_system(made: list[dict[str, Any]]) -> pa.Table:
    columns = ("Id", "Mail1", "Mail2", "FullName", "Born")
    keyed = [dict(one, key=f"{i:04}") for i, one in enumerate(made)]
    ordered = [r for n in range(3) for r in keyed if r["system"] == n]
    cells = []
    for r in ordered:
        mails = (None, r["mail"]) if r["system"] == 2 else (r["mail"], None)
        cells.append((f"{r['system']}{r['key']}", *mails, f"{r['first']} {r['last']}", r["born"]))
    return table(columns, *cells)


PROOF = {
    "name": "evidence",
    "score": [NAME, MAIL, {"field": "Born", "columns": {"loyalty.Members": "Birthday"}}],
    "unless": [{"field": "Born", "columns": {"loyalty.Members": "Birthday"}, "differs": True}],
}


def scored(acme: Instance, made: list[dict[str, Any]]) -> RunReport:
    sources = {
        "crm": {"Contacts": {"key": "Id", "columns": {"Born": "string"}}},
        "loyalty": {"Members": {"key": "Id", "columns": {"Birthday": "string"}}},
        "web": {"SignUps": {"key": "Id", "columns": {"Born": "string"}}},
    }
    return acme.run({"sources": sources, "conflation": {"order": ORDER, "rules": [PROOF]}}, frames=three_systems(made))


def test_a_scored_common_rule_is_the_scored_rule_of_one_entity_that_holds_all_records(
    acme: Instance, tmp_path: Path
) -> None:
    made = people()
    report = scored(acme, made)
    alone = {
        "name": "evidence",
        "score": [
            {"field": "FullName", "normalize": ["name"]},
            {"fields": ["Mail1", "Mail2"], "normalize": ["lower"]},
            {"field": "Born"},
        ],
        "unless": [{"field": "Born", "differs": True}],
    }
    plan_of_one = {
        "sources": {"all": {"Records": {"key": "Id", "columns": {"Born": "string"}}}},
        "conflation": {"order": ["all.Records"], "dedupe": {"all.Records": [alone]}},
    }
    with unify.open(tmp_path / "one", create=True) as one:
        other = one.run(plan_of_one, frames={"all.Records": one_system(made)})
        assert report.rules[0].links == other.rules[0].links > 60
        assert report.rules[0].candidates == other.rules[0].candidates
        said = "SELECT a, b, score FROM links ORDER BY a, b"
        assert rows(acme, said) == rows(one, said)
        learned = "SELECT comparison, level, m, u, weight, records FROM evidence_model ORDER BY ALL"
        assert rows(acme, learned) == rows(one, learned)
        assert {frozenset(k[1:] for k in keys) for keys in customers(one)} == customers(acme)


def test_a_scored_common_rule_is_explained_part_by_part(acme: Instance) -> None:
    made = people()
    scored(acme, made)
    link = rows(acme, "SELECT x.entity || ':' || x.key AS one, y.entity || ':' || y.key AS other, score FROM links "
                "JOIN records AS x ON x.rid = a JOIN records AS y ON y.rid = b "
                "WHERE x.entity = 'loyalty.Members' AND y.entity = 'web.SignUps' ORDER BY score DESC, a, b LIMIT 1")[0]  # fmt: skip
    found = acme.explain(link["one"], link["other"])
    [hop] = found.path
    assert hop.check is not None
    assert hop.check.evidence is not None
    assert hop.check.evidence.joined
    assert hop.check.evidence.probability == pytest.approx(link["score"], abs=1e-6)
    name, mail, born = hop.check.evidence.parts
    assert list(name.left) == ["FullName"]
    assert list(name.right) == ["First + Last"]
    assert name.right["First + Last"].split()[0] in name.left["FullName"]
    assert (list(mail.left), list(mail.right)) == (["Mail"], ["Mail1", "Mail2"])
    assert (list(born.left), list(born.right)) == (["Birthday"], ["Born"])
    assert "First + Last" in explanation_html(found)


# ── limits, values, overrides ───────────────────────────────────────────────────────────────────────────────────────


def test_a_key_group_over_entities_under_limits(acme: Instance) -> None:
    """One e-mail of a couple: the star of the rule comes apart by birth dates, inside and between entities."""
    frames = {
        "crm.Contacts": table(
            CONTACT,
            ("C1", "us@x.example", "Ada Okafor", "1980-01-02"),
            ("C2", "us@x.example", "Bob Okafor", "1975-05-05"),
            ("C3", "us@x.example", "Ada Okafor", "1980-01-02"),
        ),
        "loyalty.Members": table(MEMBER, ("M1", "other@x.example", "Nobody")),
        "web.SignUps": table(
            SIGN_UP,
            ("W1", "us@x.example", None, "Bob", "Okafor", "1975-05-05"),
            ("W2", None, "us@x.example", "Ada", "Okafor", "1980-01-02"),
        ),
    }
    report = run(acme, plan(BY_MAIL, limits=[{"never_two": "Born"}]), frames)
    assert report.rules[0].shape == "star"
    assert customers(acme) == {frozenset({"C1", "C3", "W2"}), frozenset({"C2", "W1"}), frozenset({"M1"})}
    assert all(row["limit"] == "never two Born" for row in rows(acme, "FROM cuts"))
    reasons = acme.explain("crm.Contacts:C1", "web.SignUps:W1").reasons
    assert any("was cut: never two Born" in reason for reason in reasons)
    run(acme, plan(BY_MAIL, limits=[{"at_most_one": "crm.Contacts"}], clustering="anchored"), frames)
    assert frozenset({"C1", "C2", "C3", "W1", "W2"}) in customers(acme), "the contacts are one dedupe group"


def test_too_many_records_of_one_entity_share_a_value(acme: Instance) -> None:
    def frames(contacts: int, members: int) -> dict[str, pa.Table]:
        return FRAMES | {
            "crm.Contacts": table(CONTACT, *((f"C{i:02}", "desk@x.example", None, None) for i in range(contacts))),
            "loyalty.Members": table(MEMBER, *((f"M{i:02}", "desk@x.example", None) for i in range(members))),
        }

    report = run(acme, plan(BY_MAIL, max_shared=10), frames(10, 10))
    assert report.rules[0].ignored == 0, "ten of each, twenty together"
    assert max(map(len, customers(acme))) == 20
    report = run(acme, plan(BY_MAIL, max_shared=10), frames(11, 2))
    assert report.rules[0].ignored == 1
    [ignored] = rows(acme, "FROM ignored")
    assert (ignored["value"], ignored["records"]) == ("desk@x.example", 13)
    assert "more than 10 records of one entity" in ignored["reason"]
    assert max(map(len, customers(acme))) == 1


def test_junk_is_found_over_all_entities(acme: Instance) -> None:
    """No entity alone has enough different people behind the value; all of them together have."""
    names = [f"{a} {b}" for a, b in zip(
        ("Ada", "Bert", "Cleo", "Dora", "Emil", "Fritz", "Gina", "Hugo", "Ines", "Kurt", "Lola", "Moritz", "Nora", "Otto"),
        ("Archer", "Bixby", "Crumb", "Dolby", "Eckhart", "Finch", "Gruber", "Hobbs", "Ibsen", "Kepler", "Lund", "Mott",
         "Nagel", "Quist"), strict=True)]  # fmt: skip
    desk = "desk@x.example"
    frames = {
        "crm.Contacts": table(CONTACT, *((f"C{i}", desk, name, None) for i, name in enumerate(names[:5])),
                              *((f"D{i}", f"u{i}@x.example", f"Person {i}", None) for i in range(40))),
        "loyalty.Members": table(MEMBER, *((f"M{i}", desk, name) for i, name in enumerate(names[5:10]))),
        "web.SignUps": table(SIGN_UP, *((f"W{i}", None, desk, *name.split(), None) for i, name in enumerate(names[10:])),
                             ("X1", "U7@x.example", None, "Person", "7", None)),
    }  # fmt: skip
    report = run(acme, plan(BY_MAIL, BY_BOTH, junk="detect"), frames)
    assert report.junk is not None
    assert report.junk.judged == ["crm.Contacts.EMail, loyalty.Members.Mail, web.SignUps.Mail1, web.SignUps.Mail2"]
    [verdict] = rows(acme, "SELECT value, records, people, verdict FROM value_verdicts WHERE value = 'desk@x.example'")
    assert verdict == {"value": desk, "records": 14, "people": 14, "verdict": "junk"}
    assert frozenset({"D7", "X1"}) in customers(acme)
    assert sum(len(c) > 1 for c in customers(acme)) == 1
    said = acme.explain("crm.Contacts:C0", "web.SignUps:W0").reasons
    assert any("desk@x.example" in reason and "no evidence" in reason for reason in said)


def test_a_shared_contact_alone_joins_nobody_over_entities(acme: Instance) -> None:
    frames = FRAMES | {
        "loyalty.Members": table(MEMBER, ("M1", "ada@x.example", "Gottfried Marsh"), ("M2", "u@x.example", "Someone Else")),
        "crm.Contacts": table(CONTACT, ("C1", "ada@x.example", "Ada Okafor", "1980-01-02"),
                              *((f"D{i}", f"u{i}@x.example", f"Person {i}", None) for i in range(20))),
        "web.SignUps": table(SIGN_UP, ("W1", None, "u3@x.example", "Person", "3", None)),
    }  # fmt: skip
    run(acme, plan(BY_MAIL, BY_BOTH, junk="detect"), frames)
    assert frozenset({"C1"}) in customers(acme)
    assert frozenset({"D3", "W1"}) in customers(acme)
    assert any("no proof of identity" in r for r in acme.explain("crm.Contacts:C1", "loyalty.Members:M1").reasons)


def test_overrides_have_the_last_word(acme: Instance) -> None:
    lists = {
        "one": {"kind": "always", "records": [["crm.Contacts", "C2", "crm.Contacts", "C4"]]},
        "two": {"kind": "never", "records": [["crm.Contacts", "C1", "web.SignUps", "W1"]]},
    }
    run(acme, plan(BY_BOTH), lists=lists)
    assert frozenset({"C2", "C4", "M2", "W2"}) in customers(acme)
    assert not any({"C1", "W1"} <= keys for keys in customers(acme))
    [group] = rows(acme, "SELECT Id_Alternate AS keys FROM Deduplication_crm_Contacts WHERE Id_Alternate LIKE '%C4%'")
    assert group["keys"] == "C2;C4", "always-overrides inside an entity need a rule there: common rules are"


def test_ids_stay_when_rows_change_and_when_dedupe_and_match_become_one_common_rule(acme: Instance) -> None:
    both = [{"name": "d", "when": [{"field": "EMail", "normalize": ["lower"]}]}]
    match = [{"name": "m", "when": [{"left": "Mail", "right": "EMail", "normalize": ["lower"]}]}]
    run(acme, {"sources": SOURCES, "conflation": {"order": ORDER, "dedupe": {"crm.Contacts": both},
                                                 "match": {"loyalty.Members -> crm.Contacts": match}}})  # fmt: skip
    before = {r["key"]: r["CustomerId"] for r in rows(acme, "SELECT key, CustomerId FROM members")}
    run(acme, plan(BY_MAIL))
    after = {r["key"]: r["CustomerId"] for r in rows(acme, "SELECT key, CustomerId FROM members")}
    assert [k for k in before if before[k] != after[k]] == ["W1", "W2"], "they joined older customers"
    fewer = FRAMES | {"loyalty.Members": FRAMES["loyalty.Members"].slice(1)}
    run(acme, plan(BY_MAIL), fewer)
    last = {r["key"]: r["CustomerId"] for r in rows(acme, "SELECT key, CustomerId FROM members")}
    assert last == {k: v for k, v in after.items() if k != "M1"}


def test_the_order_of_rows_decides_nothing(acme: Instance) -> None:
    rules = (BY_BOTH, BY_MAIL, PROOF | {"score": [NAME, MAIL], "unless": []})
    made = people(60)
    turned = list(reversed([dict(one, key=f"{i:04}") for i, one in enumerate(made)]))
    seen = []
    for records in (made, turned):
        frames = {e: t.take(list(reversed(range(len(t))))) if records is turned else t
                  for e, t in three_systems(made).items()}  # fmt: skip
        run(acme, plan(*rules), frames)
        said = "SELECT a, b, rule, score FROM links ORDER BY ALL"
        seen.append((rows(acme, said), rows(acme, "SELECT rid, key, CustomerId FROM members ORDER BY rid")))
    assert seen[0] == seen[1]


def test_a_joined_name_that_repeats_is_normalised_once_per_value(acme: Instance) -> None:
    """Values on many rows take the way over distinct texts; two pairs of columns may make the same text."""
    some = [("Ada", "Maria Okafor"), ("Ada Maria", "Okafor"), ("Bob", "Stone"), ("Bob ", None)]
    sign_ups = [(f"W{i:04}", f"u{i // 2}@x.example", None, *some[i % 4], None) for i in range(2400)]
    frames = FRAMES | {"web.SignUps": table(SIGN_UP, *sign_ups)}
    report = run(acme, plan({"name": "both", "when": [MAIL, NAME]}), frames)
    assert report.rules[0].links == 2 + 600, "Ada Maria Okafor is spelled in two ways; Bob Stone and Bob are two"


# ── explain ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_is_explained_with_the_columns_of_each_record(acme: Instance) -> None:
    run(acme, plan(BY_BOTH | {"unless": [{"field": "Born", "differs": True}]}))
    found = acme.explain("loyalty.Members:M1", "web.SignUps:W1")
    [hop] = found.path
    assert hop.check is not None
    mail, name = hop.check.conditions
    assert (mail.left, mail.left_compared) == ({"Mail": "ada@x.example"}, ["ada@x.example"])
    assert mail.right == {"Mail1": "q@x.example", "Mail2": "Ada@x.example"}
    assert mail.right_compared == ["q@x.example", "ada@x.example"]
    assert (name.right, name.right_compared) == ({"First + Last": "Ada Okafor"}, ["ada okafor"])
    assert "First + Last" in explanation_html(found)
    inside = acme.explain("crm.Contacts:C1", "crm.Contacts:C3")
    assert inside.kind == "same"
    assert inside.path[0].rule == "both"
    apart = acme.explain("crm.Contacts:C2", "web.SignUps:W3")
    assert apart.nearest is not None
    assert apart.nearest.kind == "common"
    assert apart.nearest.conditions[0].right == {"Mail1": "dora@x.example", "Mail2": None}
    assert apart.reasons == [
        "none of the 1 rules between crm.Contacts and web.SignUps links them, and no chain of links joins them"
    ]


def test_doubtful_links_show_values_of_joined_columns(acme: Instance) -> None:
    run(acme, plan(BY_MAIL, {"name": "name", "when": [NAME, MAIL]}, bridges={"review": 0.001}))
    shown = {v.attribute: v for item in acme.review(limit=20).items for v in item.values}
    assert "FullName or First + Last" in shown
    assert any(v.b == ["Ada Okafor"] for item in acme.review(limit=20).items for v in item.values)


# ── refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────


SCHEMAS = {
    entity: {c: "DATE" if c == "Born" else "VARCHAR" for c in columns}
    for entity, columns in zip(ORDER, (CONTACT, MEMBER, SIGN_UP), strict=True)
}


def on(criterion: dict[str, Any]) -> dict[str, Any]:
    return plan({"name": "r", "when": [criterion]})


@pytest.mark.parametrize(
    ("project", "said"),
    [
        (on({"field": "EMial"}), r"rules: rule 'r': no entity has a column 'EMial' \(did you mean EMail"),
        (on({"fields": ["FullName", "Nick"]}), r"no entity has a column 'Nick'"),
        (on(MAIL | {"columns": {"loyalty.Member": "Mail"}}), r"loyalty.Member is not in the conflation order \(did you mean"),
        (on(MAIL | {"columns": {"loyalty.Members": "Mial"}}), r"loyalty.Members has no column 'Mial' \(did you mean Mail"),
        (on({"field": "N", "columns": {"web.SignUps": {"join": ["First", "Lest"]}}}), r"web.SignUps has no column 'Lest'"),
        (on({"field": "Born", "columns": {"loyalty.Members": "Mail"}}), r"must have the same type.*Born is date"),
        (on({"field": "Born", "columns": {"crm.Contacts": {"join": ["Born", "EMail"]}}}), r"must have the same type"),
        (on({"field": "EMail", "compare": "number", "within": 1}), r"`number` compares numbers"),
        (on({"left": "EMail", "right": "Mail"}), r"a common rule has no sides"),
        (on({"left": "EMail", "right": "Mail", "columns": {"web.SignUps": "Mail1"}}), r"not with `left` and `right`"),
        (on({"field": "N", "columns": {"web.SignUps": {"join": ["First"]}}}), r"join: at least 2 must stand here, there is one"),
        (on({"field": "N", "columns": {"web.SignUps": {"join": ["First", "First"]}}}), r"names a column twice"),
        (plan(BY_MAIL, BY_MAIL | {"name": "again"}), r"rule 'again': is a copy of rule 'mail'"),
        (plan(BY_MAIL, BY_BOTH | {"name": "mail"}), r"another rule of the common rules has the same name"),
        (plan(BY_MAIL | {"active": False}), r"at least one active rule"),
        (plan(dedupe={"crm.Contacts": [BY_MAIL]}), r"`columns` belongs to common rules"),
        (plan(match={"loyalty.Members -> crm.Contacts": [BY_MAIL]}), r"`columns` belongs to common rules"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named_with_the_next_move(project: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        check_plan(project_of(project), SCHEMAS)


def test_clusters_of_customers_have_no_entities_to_name() -> None:
    with pytest.raises(SpecError, match="`columns` belongs to common rules"):
        project_of(plan(BY_MAIL) | {"clusters": {"Household": {"rules": [BY_MAIL]}}})


def test_a_dropped_column_names_the_common_rules_that_use_it() -> None:
    project = Project.model_validate(plan(BY_BOTH, PROOF))
    assert dependents_of(project, "web.SignUps")["Last"] == ["common rule 'both'", "common rule 'evidence'"]
    assert dependents_of(project, "loyalty.Members")["Mail"] == ["common rule 'both'", "common rule 'evidence'"]
    assert dependents_of(project, "crm.Contacts")["EMail"] == ["common rule 'both'", "common rule 'evidence'"]
    assert "EMail" not in dependents_of(project, "web.SignUps")
