"""Scored rules in a whole run: determinism, semantics in the order, exceptions, explanations, errors."""

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import unify
from unify.conflation.evidence.linkage import CAP
from unify.conflation.evidence.stored import BIT
from unify.core.errors import OverloadError, SpecError
from unify.pages.merges import explanation_html

FIRST = [
    "Ada",
    "Bodo",
    "Cleo",
    "Dorit",
    "Emre",
    "Femke",
    "Goran",
    "Hanne",
    "Idris",
    "Jutta",
    "Kofi",
    "Lale",
    "Milan",
    "Nuria",
]
LAST = [
    "Albrecht",
    "Bianchi",
    "Castellan",
    "Drexler",
    "Eriksen",
    "Fontaine",
    "Galway",
    "Hollis",
    "Ivanek",
    "Jansson",
    "Kowal",
]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SCORE: list[Any] = ["First", "Last", "Born", {"field": "Mail"}, {"field": "Town", "levels": [80]}]


def shop(customers=150, seed=5):
    """Rows of two or three records per customer, with slips; the key's number before the dot is the customer."""
    draw = np.random.default_rng(seed)
    rows = []
    for n in range(customers):
        first, last = FIRST[draw.integers(len(FIRST))], LAST[draw.integers(len(LAST))]
        born = f"19{draw.integers(40, 99)}-{draw.integers(1, 13):02}-{draw.integers(1, 29):02}"
        mail, town = f"{''.join(draw.choice(list(LETTERS), 9))}@mail.example", f"Town{draw.integers(9)}"
        for again in range(2 + (n % 5 == 0)):
            slip = draw.random(4)
            rows.append({
                "Id": f"{n}.{again}",
                "First": first[:-1] if slip[0] < 0.15 and again else first,
                "Last": last.replace("a", "e", 1) if slip[1] < 0.2 and again else last,
                "Born": None if slip[2] < 0.2 and again else born,
                "Mail": None if slip[3] < 0.3 and again else mail,
                "Town": town,
            })  # fmt: skip
    return rows


ROWS = shop()


def project(rule=None, **more):
    rule = {"name": "evidence", "score": SCORE} | (rule or {})
    return {
        "sources": {"crm": {"P": {"key": "Id"}}},
        "conflation": {"order": ["crm.P"], "dedupe": {"crm.P": [rule]}} | more,
    }


def run(folder, plan, **frames):
    with unify.open(folder, create=True) as acme:
        report = acme.run(
            plan, frames={name.replace("_", "."): pa.Table.from_pylist(rows) for name, rows in frames.items()}
        )
    return unify.open(folder), report


def asked(acme, sql):
    """The answer as tuples."""
    return [tuple(row.values()) for row in acme.sql(sql).rows()]


def customers(acme):
    """The customers as sets of keys."""
    rows = asked(acme, "SELECT CustomerId, list(entity || ':' || key) FROM members GROUP BY ALL")
    return {frozenset(keys) for _, keys in rows}


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    return run(tmp_path_factory.mktemp("evidence") / "acme", project(), crm_P=ROWS)[0]


def test_customers_are_found_without_labels(acme):
    true, found = set(), set()
    for key, group in itertools.groupby(ROWS, key=lambda r: r["Id"].split(".")[0]):
        true |= {(key, *pair) for pair in itertools.combinations(sorted(r["Id"] for r in group), 2)}
    for group in customers(acme):
        keys = sorted(k.partition(":")[2] for k in group)
        found |= {(a.split(".")[0], a, b) for a, b in itertools.combinations(keys, 2)}
    assert len(found & true) / len(true) > 0.9
    assert len(found & true) / len(found) > 0.97


def test_same_data_same_model_and_rows_in_any_order(acme, tmp_path):
    shuffled = [ROWS[i] for i in np.random.default_rng(1).permutation(len(ROWS))]
    again, _ = run(tmp_path / "again", project(), crm_P=shuffled)
    for table in ("evidence_model", "evidence_overlaps", "evidence_terms", "links", "members"):
        unsorted = "SELECT * EXCLUDE (CustomerId, ordinal)" if table == "members" else "SELECT *"
        one, other = (a.sql(f"{unsorted} FROM {table} ORDER BY ALL").arrow() for a in (acme, again))
        assert one.equals(other)
        assert len(one) > 0 or table == "evidence_overlaps"
    assert customers(acme) == customers(again)


def test_the_report_counts(tmp_path):
    acme, report = run(tmp_path / "i", project(), crm_P=ROWS)
    [rule] = report.rules
    assert rule.shape == "scored"
    assert rule.links == asked(acme, "SELECT count(*) FROM links")[0][0] > 150
    assert rule.candidates >= rule.links
    assert "First, Last, Born, Mail, Town adds up to 15% or more on average" in rule.sentence


def test_every_link_is_explained_by_what_the_run_found(acme):
    links = asked(
        acme,
        "SELECT x.key, y.key, score FROM links JOIN records AS x ON x.rid = a JOIN records AS y ON y.rid = b "
        "ORDER BY hash(x.key, y.key) LIMIT 25",
    )
    model = asked(acme, "SELECT comparison, sentence, m, u, weight FROM evidence_model")
    for one, other, score in links:
        [hop] = acme.explain(f"crm.P:{one}", f"crm.P:{other}").path
        shown = hop.check.evidence
        assert shown.probability == pytest.approx(score, rel=1e-6)
        assert shown.total == pytest.approx(shown.prior + sum(p.bits for p in shown.parts))
        assert 1 / (1 + 2**-shown.total) == pytest.approx(shown.probability)
        assert shown.joined
        assert shown.average_probability >= 0.15 - 1e-9
        for k, part in enumerate(shown.parts):
            if part.m is not None:
                assert (k + 1, part.level, part.m, part.u) in {r[:4] for r in model}


def test_the_whole_customer_is_averaged(acme):
    """Two groups that were not joined: the average is over all pairs between them, each as explained alone."""
    groups = sorted((sorted(g) for g in customers(acme) if len(g) == 3), key=str)[:2]
    pairs = list(itertools.product(*groups))
    alone = [acme.explain(a, b).nearest.evidence for a, b in pairs]
    assert {e.joined for e in alone} == {False}
    clipped = [min(max(e.total, -CAP / BIT), CAP / BIT) for e in alone]
    assert alone[0].average == pytest.approx(np.mean(clipped))
    assert alone[0].records == 6


def evidence(said):
    """The waterfall of a pair that was joined directly, or was not joined."""
    return (said.nearest or said.path[0].check).evidence


def test_a_town_beside_its_postal_code_does_not_count_twice(tmp_path):
    def post(row):
        return "ABCDEFGHI"[int(row["Town"][4:])] * 4 + "KLMNOP"[int(row["Id"].split(".")[0]) % 6] * 2

    rows = [r | {"Post": post(r)} for r in ROWS]
    acme, _ = run(
        tmp_path / "i", project({"score": [*SCORE[:-1], {"field": "Town", "levels": []}, "Post"]}), crm_P=rows
    )
    assert asked(acme, "SELECT DISTINCT comparison, parent FROM evidence_overlaps") == [(6, 5)]
    neighbours = [
        (a["Id"], b["Id"])
        for a, b in itertools.combinations(rows, 2)
        if a["Post"] == b["Post"] and a["Id"].split(".")[0] != b["Id"].split(".")[0]
    ][:3]
    assert neighbours
    for pair in neighbours:
        shown = evidence(acme.explain(*pair))
        *_, town, code = shown.parts
        alone = [part.weight + part.rarity for part in (town, code)]
        assert min(alone) > 1
        assert (code.beside, town.overlap) == ("Town", 0)
        assert -min(alone) - 1e-9 <= code.overlap < -0.6 * min(alone)  # who shares the code lives in the town
        assert any("Town says part of it" in line for line in shown.lines())


def test_the_waterfall_in_text_json_and_html(acme):
    one, other = next(sorted(g)[:2] for g in sorted(customers(acme), key=sorted) if len(g) == 2)
    said = acme.explain(one, other)
    text = str(said)
    assert "before anything is compared" in text
    assert "this pair alone is one customer with" in text
    assert "Town: equal" in text
    assert said.model_dump()["path"][0]["check"]["evidence"]["parts"][0]["name"] == "First"
    page = str(explanation_html(said))
    assert "before anything is compared" in page
    assert "this pair alone" in page
    assert "the rule asks for 15%" in page


def test_nothing_compared_says_nothing(tmp_path):
    rows = [*ROWS, {"Id": "none.0", **dict.fromkeys(("First", "Last", "Born", "Mail", "Town"))}]
    rows.append(rows[-1] | {"Id": "none.1"})
    acme, _ = run(tmp_path / "i", project(), crm_P=rows)
    assert {frozenset({"crm.P:none.0"}), frozenset({"crm.P:none.1"})} <= customers(acme)
    shown = acme.explain("none.0", "none.1").nearest.evidence
    assert {p.level for p in shown.parts} == {"no value"}
    assert shown.total == shown.prior


def test_exceptions_keep_apart(acme, tmp_path):
    one, other = sorted(next(g for g in sorted(customers(acme), key=sorted) if len(g) == 2))
    a, b = (next(r for r in ROWS if f"crm.P:{r['Id']}" == k) for k in (one, other))
    rows = [r | {"Kind": {a["Id"]: "x", b["Id"]: "y"}.get(r["Id"])} for r in ROWS]
    veto = {"unless": [{"field": "Kind", "differs": True}]}
    apart, _ = run(tmp_path / "i", project(veto), crm_P=rows)
    assert customers(apart) == customers(acme) - {frozenset({one, other})} | {frozenset({one}), frozenset({other})}
    said = apart.explain(one, other)
    assert said.nearest.evidence.vetoed
    assert said.nearest.evidence.average == pytest.approx(-CAP / BIT)
    assert "an exception holds" in str(said)


def test_a_higher_threshold_joins_less(acme, tmp_path):
    strict, _ = run(tmp_path / "i", project({"at_least": 0.9999}), crm_P=ROWS)
    assert len(customers(strict)) > len(customers(acme))
    assert all(any(small <= large for large in customers(acme)) for small in customers(strict))


# ── between entities ─────────────────────────────────────────────────────────────────────────────────────────────────


def between(rules):
    return {
        "sources": {"crm": {"P": {"key": "Id"}}, "web": {"P": {"key": "Id"}}},
        "conflation": {
            "order": ["crm.P", "web.P"],
            "dedupe": {e: {"rules": [], "default_rule": False} for e in ("crm.P", "web.P")},
            "match": {"web.P -> crm.P": rules},
        },
    }


UPPER = [r for r in ROWS if r["Id"].endswith(".0")]
LOWER = [r | {"Id": f"w{r['Id']}"} for r in ROWS if not r["Id"].endswith(".0")]
EVIDENCE = {"name": "evidence", "score": SCORE}


def test_match_links_lower_to_upper_only(tmp_path):
    acme, report = run(tmp_path / "i", between([EVIDENCE]), crm_P=UPPER, web_P=LOWER)
    uppers = len(UPPER)
    links = asked(acme, "SELECT a, b FROM links")
    assert links
    assert all(a < uppers <= b for a, b in links)
    found = asked(acme, "SELECT x.key, y.key FROM links JOIN records AS x ON x.rid = a JOIN records AS y ON y.rid = b")
    good = sum(x.split(".")[0] == y[1:].split(".")[0] for x, y in found)
    assert good / len(found) > 0.97
    assert good / len(LOWER) > 0.9
    assert report.rules[0].kind == "match"


def test_a_match_rule_sees_what_earlier_rules_left(tmp_path):
    first = {"name": "mail", "when": [{"field": "Mail"}]}
    acme, _ = run(tmp_path / "i", between([first, EVIDENCE]), crm_P=UPPER, web_P=LOWER)
    by_mail = {b for (b,) in asked(acme, "SELECT b FROM links WHERE rule = 1")}
    by_evidence = {b for (b,) in asked(acme, "SELECT b FROM links WHERE rule = 2")}
    assert by_mail
    assert by_evidence
    assert not by_mail & by_evidence
    one, other = asked(
        acme,
        "SELECT x.key, y.key FROM links JOIN records AS x ON x.rid = a JOIN records AS y ON y.rid = b WHERE rule = 2 LIMIT 1",
    )[0]
    assert acme.explain(f"web.P:{other}", f"crm.P:{one}").path[0].check.evidence.joined


def test_columns_of_other_names(tmp_path):
    lower = [{("EMail" if k == "Mail" else k): v for k, v in r.items()} for r in LOWER]
    named = {"name": "evidence", "score": ["First", "Last", "Born", {"left": "EMail", "right": "Mail"}]}
    acme, _ = run(tmp_path / "i", between([named]), crm_P=UPPER, web_P=lower)
    hop = acme.explain(*asked(acme, "SELECT 'crm.P:' || x.key, 'web.P:' || y.key FROM links JOIN records AS x ON x.rid = a "
        "JOIN records AS y ON y.rid = b ORDER BY score DESC, 1 LIMIT 1")[0]).path[0]  # fmt: skip
    assert hop.check.evidence.parts[3].name == "EMail with Mail"


# ── small and hostile ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:2], [ROWS[0], ROWS[9]]])
def test_hardly_any_records(tmp_path, rows):
    acme, report = run(tmp_path / "i", project(), crm_P=rows)
    assert report.rules[0].shape == "scored"
    assert asked(acme, "SELECT count(*) FROM members") == [(len(rows),)]


def test_too_many_pairs_are_refused_where_the_plan_says_so(tmp_path):
    tight = project(max_pairs=10, overload="refuse")
    with pytest.raises(OverloadError, match=r"rule 'evidence'.*\n?.*max_pairs"):
        run(tmp_path / "i", tight, crm_P=ROWS)
    acme, report = run(tmp_path / "j", project(max_pairs=50), crm_P=ROWS)
    assert report.rules[0].candidates <= 50
    assert report.rules[0].ignored > 0
    assert any("alone bring no records together, other values may" in warning for warning in report.warnings)
    assert asked(acme, "SELECT count(*) FROM ignored")[0][0] == report.rules[0].ignored


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"score": [], "when": []}, "write `when` with conditions, or `score`"),
        ({"when": [{"field": "Mail"}]}, "write `when` with conditions, or `score`"),
        ({"score": ["First", "First"]}, "stands twice"),
        ({"score": [{"field": "First", "levels": [80, 80]}]}, "a level stands twice"),
        ({"score": [{"field": "First", "levels": [100]}]}, "less than 100"),
        ({"score": [{"field": "First", "fields": ["Last"]}]}, "name the columns once"),
        ({"score": ["Firts"]}, "crm.P has no column 'Firts'"),
        ({"score": [{"left": "First", "right": "Last"}]}, "write `fields`"),
        ({"score": [{"field": "First", "normalize": [{"bypass": "junk"}]}]}, "there is no list 'junk'"),
        ({"score": [{"fields": ["First", "Count"]}]}, "same type"),
        ({"at_least": 1.5}, "at_least"),
    ],
)
def test_mistakes_are_named(tmp_path, rule, said):
    rows = [r | {"Count": i} for i, r in enumerate(ROWS[:4])]
    with pytest.raises(SpecError, match=said):
        run(tmp_path / "i", project(rule), crm_P=rows)


def test_a_threshold_without_evidence_and_evidence_over_customers(tmp_path):
    with pytest.raises(SpecError, match="`at_least` belongs to `score`"):
        run(tmp_path / "i", project({"score": [], "when": [{"field": "Mail"}], "at_least": 0.5}), crm_P=ROWS[:4])
    households = project() | {"clusters": {"household": {"rules": [EVIDENCE]}}}
    with pytest.raises(SpecError, match="belongs to rules under dedupe and match"):
        run(tmp_path / "j", households, crm_P=ROWS[:4])
