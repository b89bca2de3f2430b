"""$apply against the answers that the extension for data aggregation prints for its own example data.

Sales, products and customers are those of its section 2.3; every answer is copied from sections 3.2 and 3.3.
"""

import datetime as dt
from urllib.parse import quote

import duckdb
import pytest

from segments.model import Model
from segments.odata.aggregation.query import apply_of_text
from segments.predicates import tree as p
from segments.predicates.fields import Catalog, Relation, Table
from unify.core.errors import QueryError

CLOCK = dt.datetime(2022, 12, 31, tzinfo=dt.UTC)
TABLES = {
    "Customer": {"ordinal": "INTEGER", "CustomerId": "VARCHAR", "Name": "VARCHAR", "Country": "VARCHAR"},
    "Categories": {"ID": "VARCHAR", "Name": "VARCHAR"},
    "Products": {"ID": "VARCHAR", "Name": "VARCHAR", "CategoryId": "VARCHAR", "TaxRate": "DECIMAL(4,2)"},
    "Sales": {
        "ID": "INTEGER",
        "CustomerId": "VARCHAR",
        "ProductId": "VARCHAR",
        "Time": "DATE",
        "Amount": "DECIMAL(9,2)",
    },
    "Notes": {"Text": "VARCHAR"},
}
ROWS = """
    INSERT INTO Customer VALUES (0, 'C1', 'Joe', 'USA'), (1, 'C2', 'Sue', 'USA'), (2, 'C3', 'Sue', 'Netherlands'), (3, 'C4', 'Luc', 'France');
    INSERT INTO Categories VALUES ('PG1', 'Food'), ('PG2', 'Non-Food');
    INSERT INTO Products VALUES ('P1', 'Sugar', 'PG1', 0.06), ('P2', 'Coffee', 'PG1', 0.06), ('P3', 'Paper', 'PG2', 0.14), ('P4', 'Pencil', 'PG2', 0.14);
    INSERT INTO Sales VALUES
        (1, 'C1', 'P3', '2022-01-03', 1), (2, 'C1', 'P1', '2022-04-03', 2), (3, 'C1', 'P2', '2022-04-14', 4), (4, 'C2', 'P2', '2022-05-01', 8),
        (5, 'C2', 'P3', '2022-06-01', 4), (6, 'C3', 'P1', '2022-10-01', 2), (7, 'C3', 'P3', '2022-11-22', 1), (8, 'C3', 'P3', '2022-11-22', 2);
"""
MODEL = Model(
    catalog=Catalog.of(
        [Table.of_columns(n, c, id="ordinal" if n == "Customer" else "") for n, c in TABLES.items()],
        [
            Relation("Customer", "Sales", "CustomerId", "Customer", "CustomerId", many=False),
            Relation("Product", "Sales", "ProductId", "Products", "ID", many=False),
            Relation("Category", "Products", "CategoryId", "Categories", "ID", many=False),
            Relation("Sales", "Customer", "CustomerId", "Sales", "CustomerId"),
        ],
    ),
    project=None,
    keys={"Customer": "CustomerId", "Sales": "ID", "Products": "ID", "Categories": "ID"},
)


@pytest.fixture(scope="module")
def sales():
    with duckdb.connect() as connection:
        for name, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        connection.execute(ROWS)
        yield connection


def asked(text, connection, table="Sales", **options):
    """Rows as dicts of floats and texts; ids alone for rows of the table itself."""
    applied = apply_of_text(quote(text), MODEL, table, clock=CLOCK, **options)
    answer = connection.execute(applied.query.sql, applied.query.params or None)
    assert [d[0] for d in answer.description] == list(applied.columns)
    rows = [dict(zip(applied.columns, row, strict=True)) for row in answer.fetchall()]
    if "ID" in applied.columns:
        return [row["ID"] for row in rows]
    return [tuple(float(v) if not isinstance(v, str | None) else v for v in row.values()) for row in rows]


ANSWERS = {
    "aggregate(Amount with sum as Total,Amount with max as MxA)": [(24, 8)],
    "aggregate(Amount mul Product/TaxRate with sum as Tax)": [(2.08,)],
    "aggregate(Amount with min as MinAmount)": [(1,)],
    "aggregate(Amount with average as AverageAmount)": [(3,)],
    "aggregate(Product/ID with countdistinct as DistinctProducts)": [(3,)],
    "aggregate($count as SalesCount)": [(8,)],
    "aggregate(Amount with sum from Time with average as DailyAverage)": [(24 / 7,)],
    "groupby((Time),aggregate(Amount with sum as Total))/aggregate(Total with average as DailyAverage)": [(24 / 7,)],
    "groupby((Customer/Country,Product/Name),aggregate(Amount with sum as Total))": [
        ("Netherlands", "Paper", 3), ("Netherlands", "Sugar", 2), ("USA", "Coffee", 12), ("USA", "Paper", 5), ("USA", "Sugar", 2),
    ],
    "groupby((Product/Name,Amount))": [
        ("Coffee", 4), ("Coffee", 8), ("Paper", 1), ("Paper", 2), ("Paper", 4), ("Sugar", 2),
    ],
    "groupby((Product/Name),aggregate(Amount with sum as Total))/orderby(Total desc)": [
        ("Coffee", 12), ("Paper", 8), ("Sugar", 4),
    ],
    "groupby((rollup(Customer/Country,Customer/Name),rollup(Product/Category/Name,Product/Name)),aggregate($count as N))/aggregate($count as N)": [(22,)],
    "groupby((rollup(Customer/Country,Customer/Name)),aggregate(Amount with sum as Total))": [
        ("Netherlands", "Sue", 5), ("USA", "Joe", 7), ("USA", "Sue", 12), ("Netherlands", None, 5), ("USA", None, 19),
    ],
    "bottomcount(2,Amount)": [1, 7],
    "topcount(2,Amount)": [3, 4],
    "bottompercent(50,Amount)": [1, 2, 3, 6, 7, 8],  # the standard prints 5 for 3: they tie, and here the key decides
    "toppercent(50,Amount)": [3, 4],
    "bottomsum(7,Amount)": [1, 2, 6, 7, 8],
    "topsum(15,Amount)": [3, 4, 5],
    "filter(Amount gt 3)": [3, 4, 5],
    "orderby(Customer/Name desc)/skip(2)/top(2)": [6, 7],
    "orderby(Customer/Name desc)/top(2)": [4, 5],
    "concat(topcount(2,Amount),aggregate(Amount with sum as Amount))": [3, 4, None],
    "identity": [1, 2, 3, 4, 5, 6, 7, 8],
    "top(0)": [],
    # a group that a filter has emptied is still a group
    "groupby((Customer/Country),filter(Amount gt 3)/aggregate($count as N))": [("Netherlands", 0), ("USA", 3)],
    # the first two of each group, and what is then asked of them
    "groupby((Customer/Country),topcount(2,Amount))": [3, 4, 6, 8],
    "groupby((Customer/Country),topcount(2,Amount)/aggregate(Amount with sum as T))": [("Netherlands", 4), ("USA", 12)],
    "compute(Amount mul 2 as Double)/filter(Double gt 8)/aggregate(Double with sum as S)": [(16,)],
    "groupby((Customer/Country),aggregate(Amount with sum as T))/filter(Customer/Country eq 'USA')/compute(T add 1 as U)": [("USA", 19, 20)],
}  # fmt: skip


@pytest.mark.parametrize("text", ANSWERS)
def test_the_standards_own_answers(text, sales):
    assert asked(text, sales) == [
        pytest.approx(row)
        if isinstance(row, tuple) and None not in row and not any(isinstance(v, str) for v in row)
        else row
        for row in ANSWERS[text]
    ]


REFUSED = {
    "nest(identity as X)": ("nest and addnested cannot be answered", "$expand"),
    "addnested(Product,identity as X)": ("nest and addnested cannot be answered", "$expand"),
    "join(Product as X)": ("join and outerjoin cannot be answered", "Relation/Attribute"),
    "outerjoin(Product as X)": ("join and outerjoin cannot be answered", "Relation/Attribute"),
    "ancestors($root/Sales,H,ID,filter(ID eq 1))": ("ancestors and descendants", "recursive"),
    "descendants($root/Sales,H,ID,filter(ID eq 1))": ("ancestors and descendants", "recursive"),
    "traverse($root/Sales,H,ID,preorder)": ("traverse cannot", "recursive"),
    "groupby((rolluprecursive($root/Sales,H,ID)))": ("rolluprecursive cannot", "recursive"),
    "groupby((rollup(Geography)))": ("no hierarchy called Geography", "rollup(Country,City)"),
    "Custom.condense(X=1)": ("no transformation 'Custom.condense'", "no functions"),
    "search(coffee)": ("search looks at rows of a table", "filter"),
    "aggregate(Forecast)": ("no custom aggregate 'Forecast'", "with sum"),
    "aggregate(Amount with Custom.median as M)": ("no aggregation 'Custom.median'", ""),
    "aggregate(Customer/Name with sum as S)": ("sum needs numbers; Name is string", "countdistinct"),
    "aggregate(Amount with sum as A,Amount with max as A)": ("there is a A already", ""),
    "aggregate(Amount with sum as A,Amount with max as a)": ("A and a differ by case alone", "another name"),
    "groupby((Product))": ("a row of Products, not a value", "attributes"),
    "groupby((Prodct/Name))": ("no relation 'Prodct'", "Product"),
    "compute(1 as Amount)": ("there is a Amount already", "another name"),
    "topcount(0,Amount)": ("a count of 1 or more, not 0", ""),
    "topcount(1.5,Amount)": ("a count of 1 or more, not 1.5", ""),
    "topcount(Amount,Amount)": ("the same for every row", ""),
    "toppercent(101,Amount)": ("at most 100, not 101", ""),
    "toppercent(0,Amount)": ("more than 0", ""),
    "topsum(INF,Amount)": ("a finite number", ""),
    "topsum(1,Customer/Name)": ("topsum adds numbers; Name is string", "topcount"),
    "groupby((Time),aggregate(Amount with sum as T))/filter(Amount gt 1)": ("has no attribute 'Amount'", "known: "),
    "concat(aggregate(Amount with sum as X),aggregate(Time with max as X))": ("decimal(38,2) and date", "one alias"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_answered_is_refused_by_name(text):
    message, hint = REFUSED[text]
    with pytest.raises(QueryError) as caught:
        apply_of_text(quote(text), MODEL, "Sales", clock=CLOCK)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_related_rows_are_counted_by_compute_first(sales):
    with pytest.raises(QueryError, match="not an aggregate of these rows"):
        asked("aggregate(Sales/$count as N)", sales, "Customer")
    text = "compute(Sales/$count as N)/aggregate(N with sum as All)"
    assert asked(text, sales, "Customer") == [(8,)]


def test_search_and_a_first_condition_are_handed_over(sales):
    big = p.Compare("ge", p.Field("Amount"), p.literal(4))
    assert asked("search(coffee)", sales, search=lambda term: big if term.text == "coffee" else p.FALSE) == [3, 4, 5]
    assert asked("aggregate($count as N)", sales, where=big) == [(3,)]


def test_a_table_without_key_has_no_order_and_says_so():
    with pytest.raises(QueryError, match="Notes has no key"):
        apply_of_text("identity", MODEL, "Notes", clock=CLOCK)


@pytest.mark.parametrize("text", [t for t in ANSWERS if "groupby" in t or "concat" in t or "count(" in t])
def test_rows_in_another_order_give_the_same_answer_in_the_same_order(text, sales):
    before = asked(text, sales)
    with duckdb.connect(config={"threads": 2}) as shuffled:
        for name, columns in TABLES.items():
            shuffled.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
            rows = sales.execute(f"SELECT * FROM {name}").fetchall()
            for row in reversed(rows):
                shuffled.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
        assert asked(text, shuffled) == before


def test_rollups_inside_rollups_multiply_and_are_refused():
    rollup = "rollup(ID,CustomerId,ProductId,Time,Amount)"
    inner = f"groupby(({rollup},{rollup}),aggregate($count as N))"
    with pytest.raises(QueryError, match="more than 200 SELECTs"):
        apply_of_text(quote(f"groupby(({rollup},{rollup}),{inner})"), MODEL, "Sales", clock=CLOCK)
    too_many = ",".join([rollup] * 3)
    with pytest.raises(QueryError, match="more than 64 groupings"):
        apply_of_text(quote(f"groupby(({too_many}))"), MODEL, "Sales", clock=CLOCK)


def test_a_long_sequence_is_answered(sales):
    assert asked("/".join(["top(5)"] * 100), sales) == [1, 2, 3, 4, 5]
