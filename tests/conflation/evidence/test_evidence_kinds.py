"""Kinds of pairs: households stay apart, customers who moved stay one, and nothing is invented where there is neither."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

import unify
from unify.conflation.evidence.kinds import Kind, blocks, combined, differs_in, traits, verdict
from unify.conflation.evidence.levels import CUTS
from unify.conflation.evidence.values import compared

SYLLABLES = ("ba", "lo", "mi", "ru", "te", "ka", "so", "ni", "du", "fe", "ga", "ly")
SCORE = ["First", "Last", "Born", "Mail", "Street", "House", "Post"]


def word(draw, syllables):
    return "".join(draw.choice(SYLLABLES, syllables)).capitalize()


def town(households, dated=True, seed=11):
    """Records of people; half of the households have two, who share address and last name. One in six moved once."""
    draw = np.random.default_rng(seed)
    firsts, lasts = [word(draw, 3) for _ in range(300)], [word(draw, 4) for _ in range(500)]
    streets = [f"{word(draw, 3)} Street" for _ in range(60)]
    rows = []

    def address():
        return {
            "Street": streets[draw.integers(60)],
            "House": str(draw.integers(1, 90)),
            "Post": str(10_000 + draw.integers(80)),
        }

    for home in range(households):
        here, last = address(), lasts[draw.integers(len(lasts))]
        for person in range(1 + home % 2):
            first = firsts[draw.integers(len(firsts))]
            born = f"{draw.integers(1940, 2000)}-{draw.integers(1, 13):02}-{draw.integers(1, 29):02}"
            mail = f"{first}.{last}{draw.integers(1000)}@mail.example".lower()
            moved = draw.random() < 1 / 6
            for again in range(2):
                rows.append({
                    "Id": f"{home}.{person}.{again}", "First": first, "Last": last, "Mail": mail,
                    "Born": born if dated and draw.random() < 0.8 else None,
                    **(address() if moved and again else here if draw.random() < 0.95 else dict.fromkeys(here)),
                })  # fmt: skip
                if draw.random() < 0.1:
                    rows[-1]["First"] = first[:-1] + "x"
                if draw.random() < 0.25:
                    rows[-1]["Mail"] = None
    return rows


def conflated(folder, rows):
    plan = {
        "sources": {"crm": {"P": {"key": "Id", "columns": dict.fromkeys(SCORE, "string")}}},
        "conflation": {"order": ["crm.P"], "dedupe": {"crm.P": [{"name": "evidence", "score": SCORE}]}},
    }
    with unify.open(folder, create=True) as acme:
        acme.run(plan, frames={"crm.P": pa.Table.from_pylist(rows)})
    return unify.open(folder)


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    return conflated(tmp_path_factory.mktemp("kinds") / "i", town(700))


def scored(acme, rows):
    """Precision and recall over pairs of records."""
    customer = {r["key"]: r["ordinal"] for r in acme.sql("SELECT key, ordinal FROM members").rows()}
    person = {r["Id"]: r["Id"].rpartition(".")[0] for r in rows}
    true, found = (
        {
            pair
            for _, group in itertools.groupby(sorted(of, key=lambda k: (of[k], k)), key=of.get)
            for pair in itertools.combinations(group, 2)
        }
        for of in (person, customer)
    )
    return len(true & found) / len(found), len(true & found) / len(true)


def test_households_stay_apart_and_who_moved_stays_one(acme):
    precision, recall = scored(acme, town(700))
    assert precision > 0.98
    assert recall > 0.97


def test_the_kinds_are_those_that_the_records_were_made_with(acme):
    rows = acme.sql("SELECT * FROM evidence_kinds ORDER BY kind, comparison").rows()
    kinds = [list(group) for _, group in itertools.groupby(rows, key=lambda r: r["kind"])]
    shared = {(k[0]["same"], tuple(SCORE[r["comparison"] - 1] for r in k if r["shared"] > 0.9)) for k in kinds}
    assert (False, ("Last", "Street", "House", "Post")) in shared
    assert any(same and {"First", "Last"} <= set(names) and "House" not in names for same, names in shared)


def test_the_waterfall_names_them_and_adds_up(acme):
    rows = {r["Id"]: r for r in town(700)}
    told = set()
    for home in range(1, 120):
        for one, other in (("0.0", "1.0"), ("0.0", "0.1")):
            a, b = f"{home}.{one}", f"{home}.{other}"
            if a not in rows or b not in rows:
                continue
            said = acme.explain(a, b)
            shown = said.nearest.evidence if said.nearest else said.path[0].check.evidence
            assert shown.total == pytest.approx(
                shown.prior + sum(p.bits for p in shown.parts) + sum(k.bits for k in shown.kinds)
            )
            for kind in shown.kinds:
                assert kind.bits > 0 if kind.same else kind.bits < 0
                assert abs(kind.bits) < 0.005 or kind.line() in str(said)
                told.add(kind.same)
    assert told == {True, False}


def test_without_kinds_in_the_data_none_is_found(tmp_path):
    rows = [r for r in town(700) if ".0." in r["Id"]]
    found = conflated(tmp_path / "i", rows)
    assert scored(found, rows)[0] > 0.98
    different = found.sql(
        "SELECT count(*) AS n FROM evidence_kinds WHERE NOT same AND comparison IN (5, 6) AND shared > 0.9"
    )
    assert different.rows() == [{"n": 0}]


def test_weights_by_the_definition():
    draw = np.random.default_rng(0)
    total, weights = draw.normal(0, 5, 50), [draw.normal(0, 4, 50) for _ in range(3)]
    kinds = [Kind(True, -1.0, np.array([0.9, 0.1, 0.5])), Kind(False, 0.3, np.array([0.2, 0.9, 0.9]))]
    odds = [
        np.exp(k.ratio) * np.prod([a + (1 - a) / np.exp(w) for a, w in zip(k.shared, weights, strict=True)], axis=0)
        for k in kinds
    ]
    same, different = combined(total, kinds, weights)
    assert total + same + different == pytest.approx(np.log((1 + odds[0]) / (np.exp(-total) + odds[1])))
    assert [x.tolist() for x in combined(total, (), weights)] == [[0.0] * 50, [0.0] * 50]


def test_who_differs_in_name_and_birth_date_is_somebody_else():
    m = [np.array([0.1, 0.9])] * 4
    apart, dates = np.eye(4, dtype=bool), np.array([False, True, False, False])
    assert verdict(np.array([0.01, 0.02, 0.99, 0.99]), -1.0, m, apart, dates) is False
    assert verdict(np.array([0.99, 0.99, 0.01, 0.01]), -1.0, m, apart, dates) is True
    assert verdict(np.array([0.01, 0.99, 0.99, 0.99]), 2.0, m, apart, dates) is True
    none = np.zeros(4, dtype=bool)
    assert verdict(np.array([0.01, 0.02, 0.99, 0.99]), -2.0, m, apart, none) is None
    assert verdict(np.array([0.01, 0.02, 0.99, 0.99]), -0.5, m, apart, none) is False
    assert verdict(np.array([0.01, 0.95, 0.99, 0.99]), -0.5, m, apart, none) is False
    assert verdict(np.array([0.01, 0.95, 0.99, 0.99]), -2.0, m, apart, none) is True
    changing = [m[0], np.array([0.8, 0.2]), m[2], m[3]]  # a date that own pairs do not share says nothing
    assert verdict(np.array([0.01, 0.02, 0.99, 0.99]), -2.0, changing, apart, dates) is None


def test_what_is_missing_together_is_one_thing():
    column = [pa.array([None if i % 9 < missing else f"{i}" for i in range(300)]) for missing in (1, 1, 0, 3)]
    found = traits([compared(f"c{i}", [c], CUTS, True) for i, c in enumerate(column)])
    assert blocks(found.dependent) == [(0, 1)]
    assert differs_in(np.array([0.0, 0.2, 0.9, 0.5]), found.dependent) == pytest.approx(0.8 + 0.1 + 0.5)
    days = compared("d", [pa.array([f"19{i:02}-02-28" for i in range(60)] + ["?"])], CUTS, True)
    assert traits([days, compared("n", [column[2]], CUTS, True)]).dates.tolist() == [True, False]
