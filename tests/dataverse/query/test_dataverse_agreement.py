"""OData, FetchXML and SQL against a naive reading of plain rows, over random questions."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracles import dataverse_questions as world

PIECES = st.sampled_from(
    ["con", "Ü", "ü", "%", "_", "a", "ON", "[x]", "o'b", "σ", "日", "s%h", "", "[^a]", "E", "é", "\n", "ss"]
)
VALUES = {
    world.TEXT: st.one_of(st.sampled_from(world.NAMES), PIECES),
    world.NUMBER: st.sampled_from([0, 1, 5, 6, 1000, -1]),
    world.MONEY: st.sampled_from(
        [Decimal(v) for v in ("0", "100", "-12.5", "100.01", "100.005", "99999.99", "1" + "0" * 17)]
    ),
    world.FLAG: st.booleans(),
    world.CHOICE: st.sampled_from([0, 1, 2, 33, 99]),
    world.MOMENT: st.sampled_from([world.NOW, world.ACCOUNTS[3]["createdon"], world.CONTACTS[9]["createdon"]]),
    world.DAY: st.sampled_from([row["birthdate"] for row in world.CONTACTS if row["birthdate"]][:9]),
}
EQUALITY = ("eq", "ne", "null", "not-null")
OPERATORS = {
    world.TEXT: (*EQUALITY, "lt", "le", "gt", "ge", "contains", "startswith", "endswith", "in"),
    world.NUMBER: (*EQUALITY, "lt", "le", "gt", "ge", "in"),
    world.MONEY: (*EQUALITY, "lt", "le", "gt", "ge", "in"),
    world.FLAG: EQUALITY,
    world.CHOICE: (*EQUALITY, "lt", "ge", "in"),
    world.MOMENT: (*EQUALITY, "lt", "le", "gt", "ge"),
    world.DAY: (*EQUALITY, "lt", "le", "gt", "ge", "in"),
}


def many(examples):
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def leaf(table, *, lists=True):
    """A condition on one column. Strategies are made once: making them anew for every example costs more than asking."""
    ways = []
    for column, kind in world.COLUMNS[table].items():
        plain = [operator for operator in OPERATORS[kind] if operator != "in"]
        ways.append(st.tuples(st.just(column), st.sampled_from(plain), VALUES[kind]))
        if lists and "in" in OPERATORS[kind]:
            ways.append(st.tuples(st.just(column), st.just("in"), st.lists(VALUES[kind], min_size=1, max_size=3)))
    return st.one_of(ways)


def trees(base, *, negations=True):
    def wider(inner):
        ways = [
            st.tuples(st.just("and"), st.lists(inner, min_size=2, max_size=3)),
            st.tuples(st.just("or"), st.lists(inner, min_size=2, max_size=3)),
        ]
        return st.one_of(*ways, *([st.tuples(st.just("not"), inner)] if negations else []))

    return st.recursive(base, wider, max_leaves=5)


PLAIN = leaf("account", lists=False)  # a query function under `not` is refused, and In is one
OF_CONTACT = trees(leaf("contact", lists=False))
FULL = trees(
    st.one_of(
        PLAIN,
        PLAIN,
        st.tuples(st.just("via"), st.just("primarycontactid"), OF_CONTACT),
        st.tuples(st.sampled_from(["any", "all"]), st.just("contact_customer_accounts"), OF_CONTACT),
    )
)
OF_ACCOUNT = trees(PLAIN)
THREE_WAYS = trees(leaf("contact"), negations=False)
orders = st.lists(
    st.tuples(st.sampled_from(sorted(world.COLUMNS["account"])), st.booleans()), max_size=3, unique_by=lambda o: o[0]
)


def expected(condition, table="account", *, wild=True):
    key = world.KEYS[table]
    return {row[key] for row in world.ROWS[table] if world.holds(condition, row, wild=wild)}


@many(1_200)
@given(condition=FULL)
def test_a_filter_means_what_a_naive_reading_says(asked, condition):
    assert set(asked.ids("account", filter=world.odata(condition), select="name")) == expected(condition)


@many(450)
@given(condition=THREE_WAYS)
def test_the_same_question_three_ways_has_the_same_rows(asked, condition):
    if condition[0] not in {"and", "or"}:
        condition = ("and", [condition])
    wanted = expected(condition, "contact", wild=False)
    inside = world.fetch(condition)
    xml = f"<fetch><entity name='contact'><attribute name='contactid'/>{inside}</entity></fetch>"
    statement = f"SELECT contactid FROM contact WHERE {world.sql(condition)}"
    assert {row["contactid"] for row in asked("fetch_xml", "contact", xml).rows} == wanted
    assert {row["contactid"] for row in asked("sql", "contact", statement).rows} == wanted
    if wanted == expected(condition, "contact", wild=True):
        assert set(asked.ids("contact", filter=world.odata(condition))) == wanted


@many(350)
@given(
    condition=OF_ACCOUNT,
    order=orders,
    size=st.integers(3, 40),
    skip=st.integers(0, 9),
)
def test_pages_are_the_whole_answer_in_order(asked, condition, order, size, skip):
    rows = [row for row in world.ACCOUNTS if world.holds(condition, row)]
    wanted = [row["accountid"] for row in world.in_order(rows, "account", order)][skip:]
    told = ",".join(f"{column} {'desc' if descending else 'asc'}" for column, descending in order) or None
    found = asked.all_pages(
        "account", page_size=size, filter=world.odata(condition), orderby=told, select="name", skip=skip or None
    )
    assert [row["accountid"] for row in found] == wanted
    assert asked("count", "account", asked.options(filter=world.odata(condition))) == len(rows)


@pytest.mark.soak
def test_filters_at_length(asked):
    @settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))
    @given(condition=FULL)
    def agrees(condition):
        assert set(asked.ids("account", filter=world.odata(condition), select="name")) == expected(condition)

    agrees()
