"""The page says what the code does, and the operators it names can be written."""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here, which is what is tested

import datetime as dt

import duckdb
import pytest

from segments.predicates import tree as p
from segments.predicates.compile import rows_where
from segments.predicates.fields import TIME, Catalog, Relation, Table
from segments.predicates.function_docs import PAGE, with_tables
from segments.predicates.functions import table
from segments.predicates.tree import Call, Compare, Field, literal

L = literal
CLOCK = dt.datetime(2024, 3, 31, 22, 30)  # in Berlin it is April already
AT, NAME, N, DAY = Field("at"), Field("name"), Field("n"), Field("day")
ROWS = [  # ordinal, name, n, at, day, node
    (0, "Straße", 1, dt.datetime(2024, 3, 31, 22, 15), dt.date(2024, 3, 31), "a"),
    (1, "strasse", 2, dt.datetime(2024, 3, 30, 7, 0), dt.date(2023, 12, 31), "b"),
    (2, "Ulm", 3, dt.datetime(2023, 12, 31, 23, 30), dt.date(2024, 1, 1), "c"),
    (3, None, None, None, None, None),
]
HERE = Call("local", (AT, L("Europe/Berlin")))
TODAY = p.today("Europe/Berlin")
DAY_START = Call("utc", (Call("at_midnight", (Call("start_of_year", (TODAY,)),)), L("Europe/Berlin")))
FOLDED = (Call("fold", (NAME,)), Call("fold", (L("STRASSE"),)))

OPERATORS = {
    "equals": (Compare("eq", NAME, L("Ulm")), [2]),
    "notEquals": (Compare("ne", NAME, L("Ulm")), [0, 1]),
    "greaterThan": (Compare("gt", N, L(2)), [2]),
    "greaterThanOrEqualTo": (Compare("ge", N, L(2)), [1, 2]),
    "lessThan": (Compare("lt", N, L(2)), [0]),
    "lessThanOrEqualTo": (Compare("le", N, L(2)), [0, 1]),
    "contains": (Call("contains", (NAME, L("ra"))), [0, 1]),
    "startsWith": (Call("starts_with", (NAME, L("S"))), [0]),
    "endsWith": (Call("ends_with", (NAME, L("m"))), [2]),
    "isNull": (Call("is_null", (NAME,)), [3]),
    "isNotNull": (p.Not(Call("is_null", (NAME,))), [0, 1, 2]),
    "isIn": (p.is_in(NAME, "Ulm", "Bern"), [2]),
    "any": (p.Or((Call("contains", (NAME, L("U"))), Call("contains", (NAME, L("ß"))))), [0, 2]),
    "all": (p.And((Call("contains", (NAME, L("U"))), Call("contains", (NAME, L("m"))))), [2]),
    "isBetween": (p.between(N, L(1), L(2)), [0, 1]),
    "isNotBetween": (p.Not(p.between(N, L(1), L(2))), [2]),
    "isWithinLast": (p.window(AT, Call("add_days", (Call("now"), L(-1))), Call("now")), [0]),
    "yearToDate": (p.window(AT, DAY_START, Call("now")), [0, 1, 2]),
    "dayOf": (Compare("eq", Call("day", (HERE,)), L(1)), [0, 2]),
    "monthOf": (Compare("eq", Call("month", (HERE,)), L(4)), [0]),
    "yearOf": (Compare("eq", Call("year", (DAY,)), L(2023)), [1]),
    "dayOfWeek": (Compare("eq", Call("day_of_week", (DAY,)), L(7)), [0, 1]),
    "timeAt": (Compare("eq", Call("time_of", (HERE,)), p.Literal(TIME, dt.time(8, 0))), [1]),
    "childOf": (p.Exists(("above",), Compare("eq", Field("ancestor"), L("a"))), [1, 2]),
    "parentOf": (p.Exists(("below",), Compare("eq", Field("descendant"), L("c"))), [0, 1]),
    "ignoreCase": (Compare("eq", *FOLDED), [0, 1]),
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator(operator):
    tree, expected = OPERATORS[operator]
    columns = {
        "ordinal": "INTEGER",
        "name": "VARCHAR",
        "n": "INTEGER",
        "at": "TIMESTAMP",
        "day": "DATE",
        "node": "VARCHAR",
    }
    catalog = Catalog.of(
        [Table.of_columns("Customer", columns, id="ordinal"), Table.of_columns("Tree", {"ancestor": "VARCHAR", "descendant": "VARCHAR"})],
        [Relation("above", "Customer", "node", "Tree", "descendant"), Relation("below", "Customer", "node", "Tree", "ancestor")],
    )  # fmt: skip
    query = rows_where(tree, catalog, "Customer", clock=CLOCK)
    with duckdb.connect() as connection:
        spelled = ", ".join(f'"{c}" {t}' for c, t in columns.items())
        connection.execute(f"CREATE TABLE Customer ({spelled})")
        connection.executemany("INSERT INTO Customer VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute(
            "CREATE TABLE Tree AS SELECT * FROM (VALUES ('a', 'b'), ('b', 'c'), ('a', 'c')) AS t(ancestor, descendant)"
        )
        assert [i for (i,) in connection.execute(query.sql, query.params or None).fetchall()] == expected


def test_every_operator_of_the_page_is_tested():
    page = PAGE.read_text(encoding="utf-8")
    section = page.split("## The 25 operators of a segment")[1].split("## Tables")[0]
    named = {
        o
        for line in section.splitlines()[4:]
        if line.startswith("|")
        for o in line.split("|")[1].replace(" ", "").split(",")
    }
    assert named - {"isTime"} == set(OPERATORS)
    assert len(OPERATORS) == 26  # 25, and ignoreCase


def test_the_page_is_generated_from_the_code():
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_tables(page), "run python -m segments.predicates.function_docs"
    assert all(f"`{key}(" in page for key in table())
