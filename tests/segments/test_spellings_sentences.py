"""Sentences are read back as the tree they were printed from, and what is no sentence is told where and why."""

import random
import sys
from contextlib import suppress
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.sentence import sentence
from segments.spellings.sentences import expression_of_sentence, parse_sentence
from unify.core.errors import QueryError
from unify.spec import Project


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


making = _load("predicate_trees")
PROJECT = Project.model_validate({"sources": {"crm": {"Contacts": {"key": "ContactId", "files": "x.csv"}}}})
MODEL = Model(making.CATALOG, PROJECT)


def binds(tree):
    try:
        bind_predicate(tree, making.CATALOG, "Customer")
    except QueryError:
        return False
    return True


@pytest.mark.parametrize("seed", range(10))
def test_random_trees_come_back(seed):
    """500 trees a seed, of every node, function and type; names with signs, segments with quotes."""
    trees = making.Trees(random.Random(f"sentences {seed}"))
    for i in range(500):
        tree = trees.predicate(["Customer"], i % 6)
        text = sentence(tree, values=None)
        assert parse_sentence(text) == tree, text
        if i % 10 == 0 and binds(tree):
            assert expression_of_sentence(text, MODEL) == tree


L, F = p.literal, p.Field
READ = [
    ("Spend is at least 100 and not Vip", p.And((p.Compare("ge", F("Spend"), L(100)), p.Not(F("Vip"))))),
    ('City is one of "Bern", "Ulm"', p.is_in(F("City"), "Bern", "Ulm")),
    ("City is one of nothing", p.In(F("City"), ())),
    ("always", p.And(())),
    ("true", p.TRUE),
    ("`is` equals 1", p.Compare("eq", F("is"), L(1))),
    ("`a``b` equals 1", p.Compare("eq", F("a`b"), L(1))),
    ("Town.Name equals \"a \\\"b\\\"\"", p.Compare("eq", F("Name", ("Town",)), L('a "b"'))),
    ("all of Vip", p.And((F("Vip"),))),
    ("not not Vip", p.Not(p.Not(F("Vip")))),
    ("City contains \"x\" or City is missing", p.Or((p.Call("contains", (F("City"), L("x"))), p.Call("is_null", (F("City"),))))),
    ("(City, or Name where that is missing) equals \"x\"", p.Compare("eq", p.Call("coalesce", (F("City"), F("Name"))), L("x"))),
    ("has Orders for which Amount is less than 5", p.Exists(("Orders",), p.Compare("lt", F("Amount"), L(5)))),
    ("has Orders for which Amount equals the row's own Spend", p.Exists(("Orders",), p.Compare("eq", F("Amount"), F("Spend", (), 1)))),
    ("(the sum of Amount of Orders for which not Paid) is at least 1.50", p.Compare("ge", p.Aggregate("sum", ("Orders",), F("Amount"), p.Not(F("Paid"))), L(Decimal("1.50")))),
    ("Born is at least (-3 days after (the date of (now on a clock in \"UTC\")))", p.Compare("ge", F("Born"), p.Call("add_days", (p.today("UTC"), L(-3))))),
    ("not has Orders for which Paid", p.Not(p.Exists(("Orders",), F("Paid")))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), READ)
def test_a_sentence(text, tree):
    assert parse_sentence(text) == tree
    assert parse_sentence(sentence(tree, values=None)) == tree
    spaced = text.replace(" ", "\n  ") if '"' not in text else text
    assert parse_sentence(spaced) == tree


REFUSED = [
    ("", 0, "the sentence is empty"),
    ("Spend is at most", 16, "ends too early.*a value"),
    ("Spend exceeds 5", 6, "exceeds was not expected.*equals"),
    ("Spend equalz 5", 6, "did you mean equals"),
    ("Spend is at least 5 and", 23, "something is missing"),
    ("Vip and Vip or Vip", 12, "and beside or.*brackets"),
    ("(Vip and Vip", 12, "not closed"),
    ("Vip)", 3, "closed that was not opened"),
    ("()", 0, "nothing in the brackets"),
    ('City equals "Bern', 12, "the text does not end"),
    ("`City equals 1", 0, "the name does not end"),
    ("City equals $5", 12, "'\\$' means nothing"),
    ("City is one of", 14, "ends too early.*nothing|one of what"),
    ('City is one of "a" "b"', 19, "a comma is wanted"),
    ('City is one of "a",', 19, "a value is missing"),
    ('City is one of "a" and 12 more', 23, "cut short for reading"),
    ("City is one of Name", 15, "only fixed values"),
    ("has Orders for which Paid and Vip", 26, "beside `for which`"),
    ("Vip for which Paid", 4, "ends too early"),
    ("Vip is missing for which Paid", 15, "follows has … or an aggregate"),
    ("has 5", 4, "a relation is wanted"),
    ("has Orders for which Ordrs’s Amount equals 1", 21, "no row further out is called Ordrs"),
    ("in segment Vip", 11, "which segment"),
    ("Born is at least 2024-02-30", 17, "is no date"),
    ('decimal(2,1) "x" equals 1', 13, "is no decimal"),
    ("is equals 5", 0, "is was not expected"),
    ("the row’s City equals 1", 10, "expected own"),
    ("‹among the top 100 by Spend› and Vip", 0, "is not read back"),
    ("(" * 200 + "Vip" + ")" * 200, 100, "nested deeper"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "message"), REFUSED, ids=[t[:30] for t, _, _ in REFUSED])
def test_what_is_no_sentence_is_told_where_and_why(text, at, message):
    with pytest.raises(QueryError, match=f"(?s){message}") as caught:
        parse_sentence(text)
    assert caught.value.where == f"sentence, position {at}"


def test_names_are_checked_against_the_model():
    with pytest.raises(QueryError, match="did you mean Spend"):
        expression_of_sentence("Spent is at least 5", MODEL, where="segments.vip")
    with pytest.raises(QueryError, match=r"(?s)no segment 'staf'.*did you mean staff"):
        expression_of_sentence('in segment "staf"', MODEL)


@pytest.mark.parametrize("seed", range(2))
def test_hostile_text_never_breaks_the_reader(seed):
    rng = random.Random(seed)
    pieces = ["(", ")", "and", "or", "not", "is", "one", "of", ",", '"', "`", "Vip", "’s", "the", "row", "own", "outer", "5", "has", "for", "which", "a", "span", "nothing", "decimal(9,2)", "‹", ".", "-", "1e999", "in", "segment", "\x00", "is missing", "days", "99999999999999999999999999999999999999999999"]  # fmt: skip
    for _ in range(1500):
        text = " ".join(rng.choice(pieces) for _ in range(rng.randint(0, 14)))
        with suppress(QueryError):
            parse_sentence(text)
