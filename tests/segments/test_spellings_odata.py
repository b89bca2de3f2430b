"""Trees as OData text: read again, the text is true of the same rows; what the binder made comes back the same."""

import random
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from segments.model import Model
from segments.odata.binding.bind import filter_of_text
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.simplify import simplify
from segments.spellings.odata import odata_text
from unify.core.errors import QueryError
from unify.spec import Project


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


making, oracle = _load("predicate_trees"), _load("predicates")
PROJECT = Project.model_validate({"sources": {"crm": {"Contacts": {"key": "ContactId", "files": "x.csv"}}}})
MODEL = Model(making.CATALOG, PROJECT)
BERLIN = Model(making.CATALOG, PROJECT, timezone="Europe/Berlin")


def who(expr, world):
    bound = bind_predicate(expr, making.CATALOG, "Customer")
    return [oracle.evaluate(bound, [row], world) is True for row in world.tables["Customer"]]


@pytest.mark.parametrize("seed", range(5))
def test_random_trees_are_true_of_the_same_rows(seed):
    """300 trees a seed, of which OData can say about a third; the rest is refused by name."""
    rng = random.Random(f"odata {seed}")
    rows, segments = making.world_rows(rng)
    world = oracle.World(rows, making.CLOCK, segments)
    trees = making.Trees(rng)
    said = 0
    for i in range(300):
        tree = trees.predicate(["Customer"], i % 4)
        model = BERLIN if i % 3 == 0 else MODEL
        try:
            text = odata_text(tree, model)
        except QueryError:
            continue
        again = filter_of_text(text, model)
        assert who(again, world) == who(tree, world), text
        said += 1
        assert odata_text(again, model)
    assert said > 60


TEXTS = [
    "Spend ge 100.5 and City eq 'Bern'",
    "City ne 'O''Hara' or Vip",
    "not (Points gt 5)",
    "not contains(Name,'a')",
    "not (City in ('Bern','Ulm'))",
    "City in ('Bern','Ulm',null)",
    "Points le Level",
    "City eq null",
    "Born lt 2024-02-29 and Seen ge 2024-03-31T01:30:00Z and Calls eq 09:30:00",
    "Seen gt Born",
    "year(Seen) eq 2024 and date(Seen) ne 2024-03-31",
    "Seen add duration'P1DT2H' lt now()",
    "Score eq 2.5e0 and Points add 1 mul 2 sub -5 gt Level",
    "(Points add 1) mul 2 eq 6",
    "startswith(tolower(Name),'a') and length(concat(Name,'x')) eq 3",
    "substring(Name,1,2) eq 'bc' and matchesPattern(Name,'^A')",
    "IsMemberOfSegment('staff') and not IsMemberOfSegment('nobody')",
    "Orders/any()",
    "Orders/any(o:o/Amount gt Spend and o/Paid)",
    "Orders/all(o:o/Amount gt 5)",
    "not Orders/any(o:o/Product/Title eq 'bike')",
    "Orders/any(o:o/Product/Sales/any(s:s/Amount gt o/Amount and s/Note eq City))",
    "Orders/$count gt 3 and Orders/$count($filter=Paid and Amount gt $it/Spend) eq 1",
    "Orders/aggregate(Amount with sum) gt 100 and Visits/$filter(Page eq 'x')/aggregate(Seconds with max) gt 5",
    "Town/Name eq 'Bern' and Town ne null",
    "Visits/any(v:v/Visitor/Points gt Points)",
    "case(Vip:1,true:2) eq 1",
    "cast(Points,Edm.String) eq '5' and cast(Born,Edm.DateTimeOffset) lt now()",
    "Points has '3'",
    "true",
    "Card eq 00000000-0000-0000-0000-000000000001",
    "Score ne NaN and Score lt INF",
]


@pytest.mark.parametrize("model", [MODEL, BERLIN], ids=["UTC", "Berlin"])
@pytest.mark.parametrize("text", TEXTS)
def test_what_the_binder_made_comes_back_the_same(text, model):
    tree = filter_of_text(text, model)
    again = filter_of_text(odata_text(tree, model), model)
    assert simplify(again, model.catalog, "Customer") == simplify(tree, model.catalog, "Customer")


L, F = p.literal, p.Field
UNSAID = [
    (p.Compare("eq", p.Call("fold", (F("City"),)), L("x")), "City whatever its case"),
    (p.Compare("eq", p.Call("day_of_week", (F("Born"),)), L(1)), "the day of the week of Born"),
    (p.Compare("eq", p.Call("local", (F("Seen"), L("Asia/Kolkata"))), F("Seen")), 'Seen on a clock in "Asia/Kolkata"'),
    (p.Compare("eq", F("City"), L("a\x00")), '"a\x00"'),
    (p.Exists(("Visits",), p.Compare("eq", F("~1"), L(1))), "`~1`"),
    (p.Compare("eq", p.Compare("eq", F("City"), L("x")), F("Vip")), 'City equals "x"'),
    (p.Call("substring", (F("City"), F("Points"))), "City from character Points"),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "said"), UNSAID, ids=[said for _, said in UNSAID])
def test_what_odata_cannot_say_is_named(tree, said):
    tree = p.Compare("eq", tree, L("x")) if isinstance(tree, p.Call) else tree
    with pytest.raises(QueryError, match=re.escape(f"OData has no spelling for: {said}")):
        odata_text(tree, MODEL)


def test_a_block_is_named():
    block = MODEL.with_segments({**MODEL.catalog.segments, "#top-1": "block"})
    with pytest.raises(QueryError, match='no spelling for: in segment "#top-1"') as caught:
        odata_text(p.Or((F("Vip"), p.MemberOf("#top-1"))), block)
    assert "block" in caught.value.hint


def test_depth_beyond_odatas_is_refused():
    tree = F("Vip")
    for _ in range(90):
        tree = p.Or((F("Vip"), p.And((F("Vip"), tree))))
    with pytest.raises(QueryError):
        odata_text(tree, MODEL)


@pytest.mark.parametrize(
    "tree",
    [
        p.Call("is_null", (p.Call("is_true", (F("Vip"),)),)),
        p.Compare("is", p.Call("is_true", (F("Vip"),)), p.FALSE),
        p.Compare("eq", p.Exists(("Town",), p.Compare("gt", F("People"), L(5))), p.FALSE),
    ],
)
def test_a_condition_that_is_surely_true_or_false_stays_so_as_a_value(tree):
    rows, segments = making.world_rows(random.Random("values"))
    world = oracle.World(rows, making.CLOCK, segments)
    assert who(filter_of_text(odata_text(tree, MODEL), MODEL), world) == who(tree, world)
