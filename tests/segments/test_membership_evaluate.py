"""Members by bitmap are those of SQL; what fails is told of its segment alone; order of need; previews."""

import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyroaring import BitMap

import unify
from segments.lowered import Lowered, Scope
from segments.membership.evaluate import Evaluation, evaluate
from segments.membership.order import in_order, needs_of
from segments.membership.preview import SegmentPreview
from segments.membership.tables import loaded
from segments.model import Model, model_of
from segments.predicates import tree as p
from segments.predicates.compile import rows_where
from unify.core.errors import QueryError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.instance import Instance

sys.path.insert(0, str(Path(__file__).parent))

import membership_jobs as jobs

CLOCK = datetime(2026, 5, 1, 12, tzinfo=UTC)
POINTS, PERSON = p.Field("Points"), p.Field("Person")
ORDERS = ("web_Orders",)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Sixty contacts, forty-odd customers, some without points, two hundred orders."""
    dice = random.Random(3)
    people = {f"c{n:02d}": (f"p{dice.randrange(45)}", dice.randrange(100)) for n in range(60)}
    orders = {f"o{n:03d}": (f"c{dice.randrange(70):02d}", dice.randrange(50)) for n in range(200)}
    frames = jobs.frames(people, orders)
    points = [None if n % 7 == 0 else v for n, v in enumerate(frames["crm.Contacts"]["Points"].to_pylist())]
    frames["crm.Contacts"] = frames["crm.Contacts"].set_column(2, "Points", pa.array(points, pa.int64()))
    with jobs.opened(tmp_path_factory.mktemp("evaluate")) as made:
        made.run({**jobs.PROJECT, "segments": SAVED}, frames=frames, threads=1)
        yield made


SAVED = {
    "rich": "Points gt 60",
    "poor": {"where": "Points lt 20"},
    "frozen": {"where": "Points gt 30", "static": True},
    "buyers": "web_Orders/any(o: o/Total gt 40)",
    "both": {"rules": [{"where": "IsMemberOfSegment('rich')"}, {"where": "IsMemberOfSegment('buyers')"}]},
    "steps": {"waterfall": {"step1": "rich", "step2": "buyers"}, "suppress": ["poor"]},
}


@pytest.fixture
def engine(acme: Instance) -> DuckDBEngine:
    return acme.engine()


@pytest.fixture
def model(acme: Instance, engine: DuckDBEngine) -> Model:
    return model_of(engine, acme.project())


def more_than(n: int) -> p.Expr:
    return p.Compare("gt", POINTS, p.literal(n))


def buyers(n: int) -> p.Expr:
    return p.Exists(("crm_Contacts", "orders"), p.Compare("gt", p.Field("Total"), p.literal(n)))


def random_expr(dice: random.Random, names: list[str], depth: int = 4) -> p.Expr:
    """Any tree over Customer that names segments at the top and inside of leaves."""
    roll = dice.random()
    if depth and roll < 0.6:
        parts = tuple(random_expr(dice, names, depth - 1) for _ in range(dice.randint(1, 3)))
        return dice.choice([p.And(parts), p.Or(parts), p.Not(parts[0]), p.Call("is_true", (parts[0],))])
    if names and roll < 0.75:
        return p.MemberOf(dice.choice(names))
    if names and roll < 0.85:
        inner = p.And(
            (p.Compare("gt", p.Field("Total"), p.literal(dice.randrange(50))), p.MemberOf(dice.choice(names), up=1))
        )
        return p.Exists(("crm_Contacts", "orders"), inner)
    if roll < 0.95:
        return p.Compare(dice.choice(["gt", "le", "eq", "is"]), POINTS, p.literal(dice.choice([None, 3, 20, 50, 90])))
    return dice.choice([buyers(dice.randrange(60)), p.TRUE, p.FALSE, p.Literal(p.BOOLEAN, None)])


@pytest.mark.parametrize("seed", range(12))
def test_bitmaps_agree_with_sql(engine: DuckDBEngine, model: Model, seed: int) -> None:
    """Ten segments that name each other: each one's members are what one SELECT of its whole tree gives."""
    dice = random.Random(seed)
    names = [f"s{n}" for n in range(10)]
    exprs = {name: random_expr(dice, names[:n]) for n, name in enumerate(names)}
    shuffled = dict(dice.sample(list(exprs.items()), len(exprs)))
    found = evaluate(engine, model, {name: Lowered(e) for name, e in shuffled.items()}, clock=CLOCK)
    tables: dict[str, str] = {}
    for name in names:
        members = found[name].members
        assert members is not None, found[name].error
        full = model.with_segments(tables)
        rows = engine.fetch(rows_where(exprs[name], full.catalog, "Customer", clock=CLOCK)).column(0).to_pylist()
        assert list(members) == rows, name
        tables[name] = f"oracle_{name}"
        engine.load(tables[name], pa.table({"ordinal": pa.array(rows, pa.int32())}))


def test_scratch_tables_are_gone_afterwards(engine: DuckDBEngine, model: Model) -> None:
    inside = p.Exists(("crm_Contacts", "orders"), p.MemberOf("a", up=1))
    found = evaluate(engine, model, {"a": Lowered(more_than(3)), "b": Lowered(inside)}, clock=CLOCK)
    assert found["b"].members
    left = engine.fetch(
        Query("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'segment_members_%' AND estimated_size > 0")
    )
    assert left.column(0).to_pylist() == [0]


class Stumbling:
    """An engine that cannot answer whatever mentions a word, as one would run out of memory on it."""

    def __init__(self, engine: DuckDBEngine, word: str) -> None:
        self._engine, self._word = engine, word
        self.asked: list[str] = []

    def fetch(self, query: Query) -> pa.Table:
        self.asked.append(query.sql)
        if self._word in query.sql:
            raise RuntimeError("out of memory\nwhile sorting")
        return self._engine.fetch(query)

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)


def test_a_leaf_that_the_engine_cannot_answer_fails_its_segments_alone(engine: DuckDBEngine, model: Model) -> None:
    segments = {
        "fine": Lowered(more_than(50)),
        "heavy": Lowered(p.And((more_than(20), buyers(5)))),
        "on_it": Lowered(p.MemberOf("heavy")),
        "also_fine": Lowered(p.Not(more_than(10))),
        "unknown": Lowered(p.Compare("gt", p.Field("Pints"), p.literal(1))),
    }
    found = evaluate(Stumbling(engine, "web_Orders"), model, segments, clock=CLOCK)  # type: ignore[arg-type]
    alone = evaluate(engine, model, {n: segments[n] for n in ("fine", "also_fine")}, clock=CLOCK)
    assert {name: one.members for name, one in found.items() if one.error is None} == {
        name: one.members for name, one in alone.items()
    }
    assert "could not answer: out of memory while sorting" in str(found["heavy"].error)
    assert "it needs heavy" in str(found["on_it"].error)
    assert "did you mean Points" in str(found["unknown"].error)


def test_leaves_are_asked_once_and_together(engine: DuckDBEngine, model: Model) -> None:
    """Forty segments over ten leaves: everybody's ordinals, and one scan."""
    watched = Stumbling(engine, "never mentioned")
    segments = {f"s{n}": Lowered(p.Or((more_than(n % 10), p.Not(more_than((n + 3) % 10))))) for n in range(40)}
    found = evaluate(watched, model, segments, clock=CLOCK)  # type: ignore[arg-type]
    assert len(watched.asked) == 2
    assert all(one.members is not None for one in found.values())


@dataclass(frozen=True)
class FirstOf:
    """A block: the first so many members of another segment, by ordinal."""

    segment: str
    many: int

    @property
    def sentence(self) -> str:
        return f"the first {self.many} of {self.segment}"

    @property
    def segments(self) -> frozenset[str]:
        return frozenset({self.segment})

    def members(self, scope: Scope) -> BitMap:
        if self.many < 0:
            raise ZeroDivisionError("no such many")
        assert scope.clock == CLOCK
        table = scope.model.catalog.segments[self.segment]
        rows = scope.engine.fetch(Query(f'SELECT ordinal FROM "{table}" ORDER BY ordinal LIMIT {self.many}'))
        return BitMap([*rows.column(0).to_pylist(), 4_000_000_000])


def test_blocks_see_the_segments_they_name_and_nobody_else(engine: DuckDBEngine, model: Model) -> None:
    segments = {
        "few": Lowered(
            p.And((p.MemberOf("#1"), p.Not(p.MemberOf("#2")))), {"#2": FirstOf("#1", 1), "#1": FirstOf("rich", 4)}
        ),
        "rich": Lowered(more_than(40)),
        "bad": Lowered(p.MemberOf("#1"), {"#1": FirstOf("rich", -1)}),
        "ring": Lowered(p.MemberOf("#1"), {"#1": FirstOf("#2", 1), "#2": FirstOf("#1", 1)}),
    }
    assert needs_of(segments["few"]) == {"rich"}
    found = evaluate(engine, model, segments, clock=CLOCK)
    rich = found["rich"].members
    assert rich is not None
    assert found["few"].members == BitMap(list(rich)[1:4]), "who is no customer is not in, whatever a block says"
    assert "no such many" in str(found["bad"].error)
    assert "circle" in str(found["ring"].error)


def test_known_members_stand(engine: DuckDBEngine, model: Model) -> None:
    found = evaluate(
        engine, model, {"s": Lowered(p.MemberOf("frozen"))}, clock=CLOCK, known={"frozen": BitMap([1, 2, 4_000_000])}
    )
    assert found["s"].members == BitMap([1, 2])
    missing = evaluate(engine, model, {"s": Lowered(p.MemberOf("frosen"))}, clock=CLOCK, known={"frozen": BitMap()})
    assert "did you mean frozen" in str(missing["s"].error)


def test_counts_per_rule(engine: DuckDBEngine, model: Model) -> None:
    rules = (("over 50", more_than(50)), ("unknown", p.Compare("is", POINTS, p.literal(None))))
    lowered = Lowered(p.Or(tuple(e for _, e in rules)), rules=rules)
    one = Evaluation(engine, model, CLOCK).of({"s": lowered})["s"]
    assert one.members is not None
    assert [name for name, _ in one.rules] == ["over 50", "unknown"]
    assert sum(n for _, n in one.rules) == len(one.members), "the two rules share nobody"


def test_order_of_need_is_the_same_whatever_the_order_of_definition() -> None:
    dice = random.Random(1)
    needs = {f"s{n}": {f"s{dice.randrange(n)}" for _ in range(3)} if n else set() for n in range(60)}
    first, none = in_order(needs)
    assert not none
    place = {name: n for n, name in enumerate(first)}
    assert all(place[need] < place[name] for name, all_ in needs.items() for need in all_)
    for _ in range(5):
        assert in_order(dict(dice.sample(list(needs.items()), len(needs))))[0] == first


# ── previews ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DEFINITIONS: Mapping[str, object] = {
    "odata": "Points gt 33 and not (IsMemberOfSegment('poor'))",
    "rules": {
        "rules": [
            {"where": "Points gt 10", "name": "some points"},
            {"where": "web_Orders/any(o: o/Total gt 20)", "operation": "intersect", "name": "bought"},
            {"where": "IsMemberOfSegment('frozen')", "operation": "except"},
        ],
        "suppress": ["poor"],
    },
    "list": {"members": {"customers": ["crm.Contacts:c03", "crm.Contacts:c04"]}},
    "of a waterfall": "IsMemberOfSegment('step2')",
}


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_a_preview_is_what_the_next_run_finds(acme: Instance, kind: str) -> None:
    """Count, members and counts per rule: the preview of a definition, then a real run of it."""
    segments = acme.segments()
    told: SegmentPreview = segments.preview(DEFINITIONS[kind], sample=1000, attributes=["Points"], clock=CLOCK)  # type: ignore[arg-type]
    name = f"saved_{kind.replace(' ', '_')}"
    segments.create(name, DEFINITIONS[kind])  # type: ignore[arg-type]
    try:
        report = segments.refresh(name, clock=CLOCK)
        [found] = [s for s in report.segments if s.segment == name]
        assert found.members == told.members
        members = acme.segment(name).members(["Points"]).rows()
        assert members == told.sample, "the whole membership, in the order of CustomerId"
        assert found.rules == {rule.rule: rule.own for rule in told.rules}
        assert told.customers == len(acme.customers())
    finally:
        segments.delete(name)


def test_cumulative_counts_are_those_of_the_rules_so_far(acme: Instance) -> None:
    told = acme.segments().preview(DEFINITIONS["rules"])  # type: ignore[arg-type]
    rows = acme.sql(
        "SELECT c.Points > 10 AS a, EXISTS (FROM web_Orders o JOIN members m ON m.entity = 'crm.Contacts' AND"
        " m.key = o.Contact WHERE m.CustomerId = c.CustomerId AND o.Total > 20) AS b, c.Points > 30 AS f,"
        " coalesce(c.Points < 20, false) AS poor FROM Customer AS c"
    ).rows()
    left = [
        sum(bool(r["a"]) for r in rows),
        sum(bool(r["a"] and r["b"]) for r in rows),
        sum(bool(r["a"] and r["b"] and not r["f"]) for r in rows),
    ]
    assert [(r.rule, r.cumulative) for r in told.rules] == list(
        zip(["some points", "bought", "rule 3"], left, strict=True)
    )
    assert told.members == sum(bool(r["a"] and r["b"] and not r["f"] and not r["poor"]) for r in rows)
    assert left[0] > left[1] > left[2] > told.members > 0, "the data tell the rules apart"


def test_a_preview_says_what_is_wrong_and_saves_nothing(acme: Instance) -> None:
    before = acme.store.segment_state()
    for definition, said in {
        "Pints gt 1": "did you mean Points",
        "IsMemberOfSegment('reich')": "did you mean rich",
        "Points gt": "expected a value",
    }.items():
        with pytest.raises(QueryError, match=said):
            acme.segments().preview(definition)
    with pytest.raises(QueryError, match="did you mean Points"):
        acme.segments().preview("Points gt 1", attributes=["Point"])
    with pytest.raises(unify.SpecError, match="a segment has one of"):
        acme.segments().preview({"title": "nothing"})
    with pytest.raises(QueryError, match="-1 customers"):
        acme.segments().preview("Points gt 1", sample=-1)
    assert acme.store.segment_state() == before


def test_unknown_entries_of_a_list_are_told(acme: Instance) -> None:
    told = acme.segments().preview(["crm.Contacts:c03", "crm.Contacts:c99", "0" * 32])
    assert told.members == 1
    assert len(told.warnings) == 1
    assert "crm.Contacts:c99" in told.warnings[0]
    assert "0" * 32 in told.warnings[0]


def test_tables_of_members_do_not_get_into_each_others_way(engine: DuckDBEngine) -> None:
    with loaded(engine, BitMap([1])) as one, loaded(engine, BitMap([2, 3])) as two:
        counts = [engine.fetch(Query(f'SELECT count(*) FROM "{t}"')).column(0)[0].as_py() for t in (one, two)]
    assert counts == [1, 2]
