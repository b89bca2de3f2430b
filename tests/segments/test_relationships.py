"""Relationships: every documented limit, the graph, its paths and its circles."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from ingest.dependents import dependents_of
from segments.relation_checks import check_relations, check_relationships, relation_warnings
from segments.relationships import CUSTOMER, RelationshipGraph, names_of
from unify.core.documents import parse_project, project_of
from unify.spec import Project, Relationship

SCHEMAS = {
    "crm.Contacts": {"Id": "VARCHAR", "Zip": "INTEGER", "Boss": "VARCHAR"},
    "web.Orders": {"Id": "VARCHAR", "Who": "VARCHAR", "At": "TIMESTAMP", "Day": "BIGINT", "Total": "DECIMAL(18,2)"},
    "web.Lines": {"Id": "VARCHAR", "Order": "VARCHAR", "On": "DATE"},
}


def project(relationships=None, activities=None, lines="activity", **entities):
    return project_of({
        "sources": {
            "crm": {"Contacts": {"key": "Id"}},
            "web": {
                "Orders": {"key": "Id", "type": "activity", "timestamp": "At", **entities},
                "Lines": {"key": "Id", "type": lines, "timestamp": "On"},
            },
        },
        "conflation": {"order": ["crm.Contacts"], "dedupe": {"crm.Contacts": [{"name": "a", "when": [{"field": "Id"}]}]}},
        "relationships": relationships or {},
        "activities": activities or {},
    })  # fmt: skip


def relationship(start, end, **more):
    return Relationship.model_validate({"from": start, "to": end, **more})


GOOD = relationship("web.Orders.Who", "crm.Contacts.Id")

# ── the six limits ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"my-orders": "web.Orders.Who -> crm.Contacts.Id"}, "letters, digits and underscores"),
        ({"größe": "web.Orders.Who -> crm.Contacts.Id"}, "letters, digits and underscores"),
        ({"": "web.Orders.Who -> crm.Contacts.Id"}, "letters, digits and underscores"),
        ({"a": {"from": "web.Orders.Who", "to": "crm.Contacts.Id", "cardinality": "ManyToMany"}}, "none of ManyToOne"),
        (
            {"a": {"from": "web.Orders.Who", "to": "crm.Contacts.Id", "type": "Key"}},
            "none of SingleKeyRelationshipOrigin",
        ),
        ({"a": "web.Orders.Who"}, "is not a relationship"),
        ({"a": "web.Orders -> crm.Contacts.Id"}, "is not an attribute"),
        ({"a": {"from": "web.Orders.Who"}}, "is missing"),
        ({"a": {"from": "web.Orders.Who", "to": "crm.Contacts.Id", "via": "x"}}, "unknown key"),
    ],
)
def test_what_is_no_relationship(written, said):
    with pytest.raises(unify.SpecError, match="relationships") as caught:
        project(written)
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("name", "new", "update", "said"),
    [
        ("my-orders", GOOD, False, "my-orders: a name has letters, digits and underscores only"),
        ("taken", GOOD, False, "taken: another relationship has this name"),
        ("tken", GOOD, True, "tken: there is no such relationship (did you mean taken?)"),
        ("a", relationship("web.Ordres.Who", "crm.Contacts.Id"), False,
         "relationship a: there is no entity web.Ordres (did you mean web.Orders"),
        ("a", relationship("web.Orders.Who", "crm.Nobody.Id"), False, "there is no entity crm.Nobody"),
        ("a", relationship("web.Orders.Whom", "crm.Contacts.Id"), False,
         "web.Orders has no column 'Whom' (did you mean Who?)"),
        ("a", relationship("web.Orders.Who", "crm.Contacts.Key"), False, "crm.Contacts has no column 'Key'"),
        ("a", relationship("web.Orders.Who", "crm.Contacts.Zip"), False,
         "its attributes must have the same type: web.Orders.Who is string, crm.Contacts.Zip is integer"),
        ("a", relationship("web.Orders.Who", "web.Orders.Who"), False, "refers to itself"),
    ],
)  # fmt: skip
def test_limits_name_the_offender(name, new, update, said):
    with pytest.raises(unify.SpecError) as caught:
        check_relationships(["taken"], {name: new}, SCHEMAS, update=update)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["orders", "TAKEN", "2nd", "_", "a_1"])
def test_names_that_are_fine(name):
    check_relationships(["taken"], {name: GOOD}, SCHEMAS)


def test_an_update_keeps_its_name():
    check_relationships(["taken"], {"taken": GOOD}, SCHEMAS, update=True)


def test_all_problems_at_once():
    wrong = {"a-b": GOOD, "c": relationship("x.Y.Z", "crm.Contacts.No")}
    with pytest.raises(unify.SpecError) as caught:
        check_relationships([], wrong, SCHEMAS)
    assert caught.value.message.count("\n") == 2


@pytest.mark.parametrize("spelled", ["ManyToOne", "manyToOne"])
def test_both_spellings_are_one_word(spelled):
    made = relationship("web.Orders.Who", "crm.Contacts.Id", cardinality=spelled, type="dataSourceLineageOrigin")
    assert (made.cardinality, made.type) == ("ManyToOne", "DataSourceLineageOrigin")


def test_a_name_stands_once_in_a_file():
    text = "sources: {a: {B: {key: Id}}}\nrelationships:\n  x: a.B.C -> a.B.Id\n  x: a.B.D -> a.B.Id\n"
    with pytest.raises(unify.SpecError, match="'x' stands here and in line 3"):
        parse_project(text)


def test_a_project_reads_back_what_it_wrote():
    said = project({"orders": "web.Orders.A.b c -> crm.Contacts.Id"}, {"o": {"entity": "web.Orders", "path": "orders"}})
    assert Project.model_validate_json(said.model_dump_json(by_alias=True)) == said
    assert said.relationships["orders"].from_attribute == "A.b c"
    assert said.activities["o"].path == ("orders",)


# ── activities ───────────────────────────────────────────────────────────────────────────────────────────────────────

ORDERS = {"orders": "web.Orders.Who -> crm.Contacts.Id"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (project(ORDERS, {"o": {"entity": "web.Order"}}), "there is no entity web.Order (did you mean web.Orders"),
        (project({}, {"o": {"entity": "web.Orders"}}),
         "activity o: no relationship leads from web.Orders to an entity of the conflation plan"),
        (project({"lines": "web.Lines.Order -> web.Orders.Id"}, {"o": {"entity": "web.Orders"}}), "no relationship leads"),
        (project(ORDERS, {"o": {"entity": "web.Orders", "event": "Product"}}), "o: event: web.Orders has no column 'Product'"),
        (project(ORDERS, {"o": {"entity": "web.Orders", "fields": {"Sum": "Totl"}}}), "(did you mean Total?)"),
        (project(ORDERS, {"o": {"entity": "web.Orders"}}, timestamp="Who"), "web.Orders.Who is string; a timestamp is"),
        (project(ORDERS, {"o": {"entity": "web.Orders"}}, timestamp="When"), "web.Orders has no column 'When'"),
        (project(ORDERS, {"o": {"entity": "web.Orders"}}, timestamp="Total"), "web.Orders.Total is number"),
        (project(ORDERS, {"o": {"entity": "crm.Contacts"}}), "crm.Contacts is of type profile"),
        (project(ORDERS, {"o": {"entity": "web.Orders"}, "p": {"entity": "web.Orders"}}), "is the activity o already"),
        (project(ORDERS, {"o": {"entity": "web.Orders", "path": "ordres"}}), "there is no relationship 'ordres' (did you mean"),
        (project(ORDERS | {"lines": "web.Lines.Order -> web.Orders.Id"}, {"o": {"entity": "web.Orders", "path": "lines"}}),
         "'lines' leads from a row of web.Orders to many rows"),
        (project(ORDERS | {"lines": "web.Lines.Order -> web.Orders.Id"}, {"o": {"entity": "web.Lines", "path": "lines"}}),
         "[lines] ends at web.Orders, which is not in the conflation plan"),
        (project(ORDERS, {"o": {"entity": "web.Lines", "path": "orders"}}), "'orders' does not touch web.Lines"),
        (project(ORDERS | {"payer": "web.Orders.Id -> crm.Contacts.Id"}, {"o": {"entity": "web.Orders"}}),
         "2 ways lead from web.Orders to a customer: [orders]; [payer] (name one as its `path`)"),
    ],
)  # fmt: skip
def test_rules_of_activities(made, said):
    with pytest.raises(unify.SpecError) as caught:
        check_relations(made, SCHEMAS)
    assert said in str(caught.value)


def test_activities_that_are_fine():
    lines = {"lines": "web.Lines.Order -> web.Orders.Id"}
    check_relations(project(ORDERS | lines, {"o": {"entity": "web.Orders"}, "l": {"entity": "web.Lines"}}), SCHEMAS)
    check_relations(project(ORDERS, {"o": {"entity": "web.Orders"}}, timestamp="Day"), SCHEMAS)
    check_relations(project(), SCHEMAS)  # an activity entity that nobody declared as an activity needs no way


def test_fields_that_differ_in_case():
    with pytest.raises(unify.SpecError, match="differ only in case"):
        project(ORDERS, {"o": {"entity": "web.Orders", "fields": {"Sum": "Total", "sum": "Total"}}})


# ── the graph ────────────────────────────────────────────────────────────────────────────────────────────────────────


def graph_of(relationships, profiles=("p.P0",), entities=()):
    """A project of entities `p.<letter>`; relationships as `A -> B` mean many to one."""
    parts = [part.strip() for r in relationships.values() for part in r.split("->")]
    names = sorted({*parts, *(e.partition(".")[2] for e in (*profiles, *entities))})
    written = {n: " -> ".join(f"p.{part.strip()}.k" for part in r.split("->")) for n, r in relationships.items()}
    return RelationshipGraph(project_of({
        "sources": {"p": {n: {"key": "k"} for n in names}},
        "conflation": {"order": list(profiles), "dedupe": {profiles[0]: [{"name": "a", "when": [{"field": "k"}]}]}},
        "relationships": written,
    }))  # fmt: skip


def test_system_relationships():
    graph = graph_of({"a": "A -> P0"}, profiles=("p.P0", "p.P1"))
    assert [(h.relationship, *h.ends) for h in graph.listed() if h.system] == [
        ("Customer_p_P0", "Customer.p_P0_k", "p.P0.k"),
        ("Customer_p_P1", "Customer.p_P1_k", "p.P1.k"),
    ]


def test_a_path_has_any_number_of_hops():
    chain = {f"r{n}": f"E{n} -> E{n + 1}" for n in range(40)} | {"last": "E40 -> P0"}
    [path] = graph_of(chain).paths("p.E0")
    assert len(path) == 42
    assert names_of(path) == list(chain)
    assert graph_of(chain).path_to_customer("p.E0") == path


def test_a_diamond_is_accepted_and_ambiguous():
    graph = graph_of({"ab": "A -> B", "ac": "A -> C", "bp": "B -> P0", "cp": "C -> P0"})
    assert [names_of(p) for p in graph.paths("p.A")] == [["ab", "bp"], ["ac", "cp"]]
    assert graph.cycles() == []
    with pytest.raises(unify.SpecError, match=r"2 ways lead from p.A to a customer: \[ab, bp\]; \[ac, cp\]"):
        graph.path_to_customer("p.A")
    assert names_of(graph.path_to_customer("p.A", ["ac", "cp"])) == ["ac", "cp"]


def test_a_way_ends_at_the_first_entity_of_the_plan_unless_it_is_named():
    graph = graph_of({"a": "A -> P1", "up": "P1 -> P0"}, profiles=("p.P0", "p.P1"))
    assert names_of(graph.path_to_customer("p.A")) == ["a"]
    assert names_of(graph.path_to_customer("p.A", ["a", "up"])) == ["a", "up"]
    assert [names_of(p) for p in graph.paths("p.A")] == [["a"], ["a", "up"]]


def test_many_diamonds_in_a_row_are_listed_up_to_a_limit():
    row = {f"{side}{n}": f"E{n} -> {side.upper()}{n}" for n in range(30) for side in "xy"}
    row |= {f"{side}{n}b": f"{side.upper()}{n} -> E{n + 1}" for n in range(30) for side in "xy"}
    assert len(graph_of(row | {"last": "E30 -> P0"}).paths("p.E0")) == 100


def test_circles_are_named():
    graph = graph_of({"boss": "A -> A", "bc": "B -> C", "cb": "C -> B", "bc2": "B -> C", "up": "A -> P0"})
    assert graph.cycles() == [["bc", "cb"], ["boss"]]
    assert relation_warnings(graph.project) == [
        "relationships bc → cb go round in a circle", "relationships boss go round in a circle",
    ]  # fmt: skip
    assert names_of(graph.path_to_customer("p.A")) == ["up"]


def test_unknown_entities():
    with pytest.raises(unify.SpecError, match="there is no entity"):
        graph_of({}).paths("p.PO")


EDGES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=9)


@settings(max_examples=150, deadline=None)
@given(EDGES, st.integers(1, 2))
def test_paths_are_those_of_a_search_by_hand(edges, plan):
    """Depth first by hand over hops that go from many to one; the plan's entities are 0 and, sometimes, 1."""
    profiles = [f"p.E{n}" for n in range(plan)]
    graph = graph_of(
        {f"r{i}": f"E{a} -> E{b}" for i, (a, b) in enumerate(edges)}, profiles, [f"p.E{n}" for n in range(6)]
    )

    def search(here, seen):
        if here < plan:
            return [[]]
        return [
            [f"r{i}", *rest]
            for i, (a, b) in enumerate(edges)
            if a == here and b not in seen
            for rest in search(b, {*seen, b})
        ]

    for start in range(plan, 6):
        found = [names_of(p) for p in graph.paths(f"p.E{start}", to_one=True)]
        assert sorted(found) == sorted(search(start, {start}))
        assert [len(p) for p in found] == sorted(len(p) for p in found)
    assert bool(graph.cycles()) == (not nx.is_directed_acyclic_graph(nx.DiGraph(edges)))
    assert all(path[-1].to_entity == CUSTOMER for path in graph.paths("p.E5"))


# ── drift ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_columns_of_relationships_and_activities_are_depended_upon():
    """A source that drops one of them drifts."""
    made = project(ORDERS, {"o": {"entity": "web.Orders", "event": "Total", "fields": {"Sum": "Total"}}})
    assert dependents_of(made, "web.Orders")["Who"] == ["relationship orders"]
    assert dependents_of(made, "web.Orders")["Total"] == ["activity o"]
    assert dependents_of(made, "crm.Contacts")["Id"][-1] == "relationship orders"
