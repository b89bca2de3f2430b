"""Why a customer is in a segment: over random definitions against the walk of tests/oracles/predicates.py."""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here

import datetime as dt
import random
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from pyroaring import BitMap

from segments.lowered import Lowered
from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.fields import Catalog, Relation, Table
from segments.why import Known, why
from unify.core.errors import QueryError
from unify.engines.duckdb import DuckDBEngine


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


oracle, making = _load("predicates"), _load("predicate_trees")
CATALOG, CLOCK = making.CATALOG, making.CLOCK
MODEL = Model(CATALOG, None, keys={"Customer": "CustomerId", "Orders": "OrderId", "Products": "ProductId"})
F, L = p.Field, p.literal


class World:
    """Random rows in Python and in an engine."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        rows, segments = making.world_rows(self.rng)
        self.oracle = oracle.World(rows, CLOCK, segments)
        self.engine = DuckDBEngine(threads=1)
        making.load_world(self.engine.connection, rows, segments)

    def customer(self):
        return self.rng.choice(self.oracle.tables["Customer"])

    def says(self, expr, row):
        return oracle.evaluate(bind_predicate(expr, CATALOG, "Customer"), [row], self.oracle)

    def why(self, expr, row, **more):
        known = {name: Known(members=BitMap(ids)) for name, ids in self.oracle.segments.items()}
        return why(self.engine, MODEL, Lowered(expr), row["ordinal"], clock=CLOCK, segments=known, **more)


def drawn(world, related, depth):
    trees = making.Trees(world.rng, related=related)
    while True:
        tree = trees.predicate(["Customer"], depth)
        try:
            bind_predicate(tree, CATALOG, "Customer")
        except QueryError:
            continue
        return tree


def combined(condition, turned):
    """The truth of a drawn condition from its leaves, some of them turned."""
    parts = [combined(c, turned) for c in condition.parts]
    if condition.leaf is not None:
        return turned.get(condition.leaf, condition.truth)
    if condition.kind == "and":
        return False if False in parts else None if None in parts else True
    if condition.kind == "or":
        return True if True in parts else None if None in parts else False
    if condition.kind == "not":
        return None if parts[0] is None else not parts[0]
    return parts[0] is True


@pytest.mark.parametrize("seed", range(10))
def test_truth_is_membership_and_changes_turn_it(seed):
    world = World(seed)
    with world.engine:
        for _ in range(4):
            tree, row = drawn(world, related=True, depth=3), world.customer()
            found = world.why(tree, row)
            assert found.member == (world.says(tree, row) is True)
            assert found.tree.truth is world.says(tree, row)
            turned = {change.leaf: change.becomes for change in found.nearest}
            assert combined(found.tree, {}) is found.tree.truth
            if turned:
                assert (combined(found.tree, turned) is True) != found.member
            assert str(found)
            assert type(found).model_validate_json(found.model_dump_json()).member == found.member


@dataclass
class Tried:
    proposed: int = 0
    done: int = 0


def test_a_proposed_value_makes_the_change():
    """Where every change names an attribute of the customer, writing those values into the row turns the answer."""
    tried = Tried()
    for seed in range(10):
        world = World(seed)
        with world.engine:
            for _ in range(16):
                tree, row = drawn(world, related=False, depth=2), world.customer()
                found = world.why(tree, row)
                columns = {change.subject: change.value for change in found.nearest}
                if not found.nearest or not set(columns) <= set(row):
                    continue
                tried.proposed += 1
                changed = row | columns
                tried.done += (world.says(tree, changed) is True) != found.member
    assert tried.proposed > 50
    assert tried.done == tried.proposed


# ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────────

SHOP = Catalog.of(
    [
        Table.of_columns(
            "Customer",
            {
                "ordinal": "INTEGER", "CustomerId": "VARCHAR", "City": "VARCHAR", "Spend": "DECIMAL(18,2)", "Points": "BIGINT",
                "Born": "DATE", "Vip": "BOOLEAN",
            },
            id="ordinal",
        ),
        Table.of_columns(
            "Orders", {"OrderId": "VARCHAR", "Buyer": "INTEGER", "Amount": "DECIMAL(9,2)", "At": "TIMESTAMP"}
        ),
    ],
    [Relation("Orders", "Customer", "ordinal", "Orders", "Buyer")],
)  # fmt: skip
SHOP_MODEL = Model(SHOP, None, keys={"Customer": "CustomerId", "Orders": "OrderId"}, entities={"Orders": "web.Orders"})
NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def shop():
    with DuckDBEngine(threads=1) as engine:
        engine.connection.execute(
            "CREATE TABLE Customer (ordinal INTEGER, CustomerId VARCHAR, City VARCHAR, Spend DECIMAL(18,2), Points BIGINT, "
            "Born DATE, Vip BOOLEAN); INSERT INTO Customer VALUES "
            "(1, 'ann', 'Bern', 870, 12, '1980-01-02', true), (2, 'bob', NULL, NULL, NULL, NULL, NULL);"
            'CREATE TABLE Orders (OrderId VARCHAR, Buyer INTEGER, Amount DECIMAL(9,2), "At" TIMESTAMP); INSERT INTO Orders '
            "VALUES ('o1', 1, 10, '2026-11-30'), ('o2', 1, 50, '2026-10-01'), ('o3', 1, 99, '2020-01-01'), "
            "('o4', 2, 1, '2026-11-01');"
            'CREATE TABLE customer_lineage (CustomerId VARCHAR, "column" VARCHAR, entity VARCHAR, key VARCHAR);'
            "INSERT INTO customer_lineage VALUES ('ann', 'City', 'crm.Contacts', 'C-1'), ('ann', 'Spend', 'erp.Buyers', 'B-7')"
        )
        yield engine


def ask(shop, expr, ordinal=1, **more):
    lowered = expr if isinstance(expr, Lowered) else Lowered(expr)
    return why(shop, SHOP_MODEL, lowered, ordinal, clock=NOW, **more)


def nearest(shop, expr, ordinal=1, **more):
    return [change.change for change in ask(shop, expr, ordinal, **more).nearest]


RECENT = p.Compare("ge", F("At"), p.Call("add_days", (p.Call("now"), L(-60))))
COUNT = p.Aggregate("count", ("Orders",), None, RECENT)


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        (p.Compare("ge", F("Spend"), L(1000)), "Spend is 870.00, 130 short of 1000"),
        (p.Compare("gt", F("Spend"), L(870)), "Spend is 870.00, 0 short of 870 and has to exceed it"),
        (p.Compare("le", F("Spend"), L(870)), "Spend is 870.00, 0 short of 870 and has to exceed it"),
        (p.Compare("lt", F("Points"), L(10)), "Points is 12, 2 beyond 10 and has to stay below it"),
        (p.Compare("lt", L(20), F("Points")), "Points is 12, 8 short of 20 and has to exceed it"),
        (p.Compare("ge", F("Born"), L(dt.date(1980, 1, 3))), "Born is 1980-01-02, 1 day short of 1980-01-03"),
        (p.Compare("eq", F("City"), L("Ulm")), 'City would have to be "Ulm"; it is "Bern"'),
        (p.Compare("eq", F("City"), L("Bern")), 'City would have to be other than "Bern"; it is "Bern"'),
        (p.is_in(F("City"), "Ulm", "Köln"), 'City would have to be one of "Ulm", "Köln"; it is "Bern"'),
        (p.Not(p.is_in(F("City"), "Bern")), 'City would have to be none of "Bern"; it is "Bern"'),
        (p.Call("is_null", (F("City"),)), 'City would have to be missing; it is "Bern"'),
        (p.Not(F("Vip")), "Vip would have to be false; it is true"),
        (
            p.Compare("ge", COUNT, L(3)),
            "2 more Orders for which At is at least 2026-10-02T00:00:00: there are 1 of 3",
        ),
        (p.Compare("lt", COUNT, L(1)), "1 fewer Orders for which At is at least 2026-10-02T00:00:00: there are 1, at most 0 may be"),
        (
            p.Exists(("Orders",), p.Compare("gt", F("Amount"), L(100))),
            "there would have to be one Orders for which Amount is greater than 100",
        ),
        (p.Exists(("Orders",)), "there would have to be no Orders"),
        (
            p.Compare("gt", p.Call("year", (F("Born"),)), L(1990)),
            "the year of Born is 1980, 10 short of 1990 and has to exceed it",
        ),
        (
            p.Call("contains", (F("City"), L("ulm"))),
            'it would have to be true that City contains "ulm"',
        ),
    ],
)  # fmt: skip
def test_a_change_in_words(shop, expr, said):
    assert nearest(shop, expr) == [said]


def test_what_is_missing_is_said(shop):
    found = ask(shop, p.Compare("ge", F("Spend"), L(1000)), 2)
    assert (found.member, found.tree.truth) == (False, None)
    assert found.nearest[0].change == "Spend is missing; it would have to be at least 1000"
    assert found.nearest[0].value == 1000
    assert "unknown" in found.notes[0]


def test_conditions_on_one_attribute_are_met_by_one_value(shop):
    """Spend above 1000, or between 800 and 900 with Points: no value is below 900 and above 1000."""
    both = p.And((p.Compare("gt", F("Spend"), L(1000)), p.Compare("lt", F("Spend"), L(900))))
    found = ask(shop, both)
    assert found.nearest == []
    assert "exclude each other" in found.notes[0]
    either = p.Or((both, p.And((p.Compare("eq", F("City"), L("Ulm")), p.Compare("gt", F("Points"), L(20))))))
    found = ask(shop, either)
    assert {change.subject: change.value for change in found.nearest} == {"City": "Ulm", "Points": 21}


def test_one_value_turns_two_leaves(shop):
    apart = p.And((p.Compare("gt", F("Spend"), L(1000)), p.Compare("ge", F("Spend"), L(2000))))
    assert [change.value for change in ask(shop, apart).nearest][-1] == 2000


def test_values_come_with_their_record(shop):
    found = ask(shop, p.And((p.Compare("eq", F("City"), L("Bern")), p.Compare("ge", F("Spend"), L(1)))))
    seen = [value for part in found.tree.walk() for value in part.values]
    assert [(v.name, v.record) for v in seen] == [("City", "crm.Contacts:C-1"), ("Spend", "erp.Buyers:B-7")]


def test_related_rows_that_match_come_first_then_those_that_nearly_do(shop):
    where = p.And((RECENT, p.Compare("ge", F("Amount"), L(40))))
    found = ask(shop, p.Compare("ge", p.Aggregate("sum", ("Orders",), F("Amount"), where), L(100)))
    [rows] = found.tree.rows
    assert (rows.reached, rows.matching, rows.value) == (3, 0, None)
    assert [row.key for row in rows.rows] == ["web.Orders:o1", "web.Orders:o2", "web.Orders:o3"]
    assert [len(row.fails) for row in rows.rows] == [1, 1, 1]
    assert rows.rows[0].values["Amount"] == 10
    many = p.Exists(("Orders",), p.Compare("ge", F("Amount"), L(99)))
    [rows] = ask(shop, many, rows=1).tree.rows
    assert [(row.key, row.matches) for row in rows.rows] == [("web.Orders:o3", True)]
    assert (rows.reached, rows.matching) == (3, 1)


def test_other_segments_are_opened_and_diamonds_once(shop):
    rich = Lowered(p.Compare("ge", F("Spend"), L(1000)))
    known = {
        "rich": Known(rich),
        "a": Known(Lowered(p.Or((p.MemberOf("rich"), p.Compare("gt", F("Points"), L(100)))))),
        "b": Known(Lowered(p.Or((p.MemberOf("rich"), p.Compare("eq", F("City"), L("Ulm")))))),
    }
    found = ask(shop, p.And((p.MemberOf("a"), p.MemberOf("b"))), segments=known)
    assert [change.change for change in found.nearest] == ["Spend is 870.00, 130 short of 1000"]
    notes = [part.note for part in found.tree.walk() if part.sentence == 'in segment "rich"']
    assert notes == ["", "as above"]


def test_a_frozen_segment_counts_by_its_members(shop):
    known = {"old": Known(Lowered(p.FALSE), BitMap([1]), frozen=True)}
    found = ask(shop, p.MemberOf("old"), segments=known)
    assert found.member
    assert found.tree.note == "a frozen list"
    assert [change.change for change in found.nearest] == ['they may not be in segment "old"']


def test_a_cycle_and_an_unknown_segment_are_named(shop):
    round_about = {"a": Known(Lowered(p.MemberOf("b"))), "b": Known(Lowered(p.MemberOf("a")))}
    with pytest.raises(QueryError, match="a → b → a"):
        ask(shop, p.MemberOf("a"), segments=round_about)
    with pytest.raises(QueryError, match="no segment 'c'") as error:
        ask(shop, p.MemberOf("c"), segments={"cc": Known(members=BitMap())})
    assert "did you mean cc" in error.value.hint


def test_an_unknown_customer(shop):
    with pytest.raises(QueryError, match="no customer with the ordinal 99"):
        ask(shop, p.TRUE, 99)


@dataclass(frozen=True)
class Lucky:
    """A block of fixed customers."""

    ids: tuple[int, ...]
    segments: frozenset[str] = frozenset()

    @property
    def sentence(self):
        return "among the lucky"

    def members(self, scope):
        assert scope.clock == NOW
        return BitMap(self.ids)


def test_a_block_is_asked_once_and_spoken_out(shop):
    lowered = Lowered(p.Or((p.MemberOf("#l"), p.Compare("gt", F("Spend"), L(1000)))), {"#l": Lucky((2,))})
    found = ask(shop, lowered, name="vip")
    assert "among the lucky" in found.sentence
    assert found.tree.parts[0].kind == "block"
    assert [change.change for change in found.nearest] == ["they would have to be among the lucky"]
    assert not found.member
    assert ask(shop, lowered, 2).member
    assert ask(shop, lowered, 1, blocks={"#l": BitMap([1])}).member


def test_a_segment_inside_a_condition_on_rows(shop):
    """SQL asks about it, so its members become a table."""
    mine = p.Exists(("Orders",), p.MemberOf("chosen", 1))
    assert ask(shop, mine, segments={"chosen": Known(members=BitMap([1]))}).member
    assert not ask(shop, mine, 2, segments={"chosen": Known(members=BitMap([1]))}).member
    rich = Known(Lowered(p.Or((p.MemberOf("#l"), p.Compare("gt", F("Spend"), L(1000)))), {"#l": Lucky((2,))}))
    assert not ask(shop, mine, segments={"chosen": rich}).member
    assert ask(shop, mine, 2, segments={"chosen": rich}).member
    with pytest.raises(QueryError, match="no segment 'chosen'"):
        ask(shop, mine)


def test_what_the_run_had_is_compared(shop):
    found = ask(shop, p.Compare("ge", F("Spend"), L(1000)), stored=BitMap([1]))
    assert (found.member, found.stored) == (False, True)
    assert "the run had them in it" in found.notes[0]


def test_rules_are_named(shop):
    one, two = p.Compare("gt", F("Points"), L(1)), p.Compare("eq", F("City"), L("Ulm"))
    found = ask(shop, Lowered(p.Or((one, two)), rules=(("points", one), ("town", two))))
    assert [part.label for part in found.tree.parts] == ["points", "town"]
    assert "rule 'points'" in str(found)


def test_constants_do_not_turn(shop):
    found = ask(shop, p.Or((p.FALSE, p.Compare("gt", p.Call("now"), L(dt.datetime(2030, 1, 1))))))
    assert (found.member, found.nearest) == (False, [])
    assert [part.kind for part in found.tree.parts] == ["constant", "constant"]
    assert "Nothing about the customer" in str(found)
