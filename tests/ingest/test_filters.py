import operator
import uuid
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.filters import filter_predicate
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Entity

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
DATA = """
SELECT * FROM (VALUES
    (0, 'Berlin', 10, 1.10::DECIMAL(9,2), 0.5::DOUBLE, true,  DATE '2020-01-31', TIMESTAMP '2020-01-31 23:30:00',
        TIMESTAMPTZ '2020-01-31 23:30:00+00', UUID '0f8fad5b-d9cb-469f-a165-70867728950e', [1]),
    (1, 'bern',   20, 2.20,               1.5,         false, DATE '2020-02-01', TIMESTAMP '2020-02-01 00:00:00',
        TIMESTAMPTZ '2020-02-01 00:00:00+00', UUID '00000000-0000-0000-0000-000000000000', [2]),
    (2, '50%',    -1, 0.10,               -3,          true,  DATE '1999-12-31', TIMESTAMP '1999-12-31 12:00:00',
        TIMESTAMPTZ '1999-12-31 12:00:00+00', NULL, NULL),
    (3, NULL,     NULL, NULL,             NULL,        NULL,  NULL, NULL, NULL, NULL, NULL)
) t(row, City, Count, Total, Share, Active, Born, Seen, SeenTz, Guid, Tags)
"""


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as engine:
        engine.connection.execute("SET TimeZone = 'America/New_York'")  # what is kept must not hang on it
        engine.connection.execute(f"CREATE TABLE data AS {DATA}")
        yield engine


def entity(*filters) -> Entity:
    where = [dict(zip(("column", "operator", "value"), f, strict=False)) for f in filters]
    return Entity.model_validate({"key": "row", "where": where})


def kept(engine, *filters) -> list[int]:
    found = filter_predicate(entity(*filters), engine.columns("data"))
    assert found is not None
    rows = engine.fetch(Query(f"SELECT row FROM data WHERE {found.sql} ORDER BY row", found.params))
    others = engine.fetch(Query(f"SELECT row FROM data WHERE NOT ({found.sql})", found.params))
    assert rows.num_rows + others.num_rows == 4, "the expression is never null"
    return rows.column(0).to_pylist()


@pytest.mark.parametrize(
    ("row_filter", "rows"),
    [
        (("City", "equals", "Berlin"), [0]),
        (("City", "not_equals", "Berlin"), [1, 2]),
        (("City", "any_of", ["bern", "50%", "Rome"]), [1, 2]),
        (("City", "contains", "er"), [0, 1]),
        (("City", "contains", "%"), [2]),
        (("City", "starts_with", "b"), [1]),
        (("City", "ends_with", "n"), [0, 1]),
        (("City", "greater_than", "Berlin"), [1]),
        (("City", "is_null"), [3]),
        (("City", "is_not_null"), [0, 1, 2]),
        (("Count", "equals", 10), [0]),
        (("Count", "not_equals", 10), [1, 2]),
        (("Count", "greater_than", 9.5), [0, 1]),
        (("Count", "less_than_or_equal", 10), [0, 2]),
        (("Count", "less_than", 10**25), [0, 1, 2]),
        (("Total", "equals", 0.1), [2]),
        (("Total", "greater_than_or_equal", 1.1), [0, 1]),
        (("Total", "less_than", 1.1000001), [0, 2]),
        (("Share", "less_than", 1), [0, 2]),
        (("Active", "equals", True), [0, 2]),
        (("Active", "not_equals", True), [1]),
        (("Born", "equals", "2020-01-31"), [0]),
        (("Born", "less_than", "2020-02-01"), [0, 2]),
        (("Seen", "equals", "2020-01-31"), [0]),
        (("Seen", "greater_than", "2020-01-31"), [1]),
        (("Seen", "greater_than", "2020-01-31T23:00"), [0, 1]),
        (("Seen", "equals", "2020-02-01T01:00:00+01:00"), [1]),
        (("SeenTz", "equals", "2020-01-31"), [0]),
        (("SeenTz", "greater_than_or_equal", "2020-02-01T00:00:00"), [1]),
        (("Guid", "equals", GUID.upper()), [0]),
        (("Guid", "any_of", [GUID, str(uuid.UUID(int=0))]), [0, 1]),
        (("Guid", "not_equals", GUID), [1]),
        (("Tags", "is_not_null"), [0, 1]),
    ],
)
def test_operators_by_type(engine, row_filter, rows):
    assert kept(engine, row_filter) == rows


def test_several_filters_are_joined_by_and(engine):
    assert kept(engine, ("Count", "greater_than", 0), ("Active", "equals", True)) == [0]


def test_no_filter_is_none():
    assert filter_predicate(Entity(key="row"), {"row": "INTEGER"}) is None


def test_values_are_bound_and_names_quoted(engine):
    found = filter_predicate(entity(('a"b', "equals", "x' OR true --")), {'a"b': "VARCHAR"})
    assert found == Query("""coalesce("a""b" = $filter_0, false)""", {"filter_0": "x' OR true --"})


@pytest.mark.parametrize(
    ("row_filter", "message", "hint"),
    [
        (("Citty", "is_null"), "no column 'Citty'", "did you mean City?"),
        (("City", "equals", 5), "5 is not a text", "quotes"),
        (("City", "contains", ""), "empty text", "is_not_null"),
        (("Count", "equals", "10"), "'10' is not a number", "without quotes"),
        (("Count", "equals", True), "True is not a number", "without quotes"),
        (("Share", "equals", float("nan")), "nan is not a number", "number"),
        (("Count", "any_of", ["1", "2"]), "any_of does not fit a column of type INTEGER", "use one of equals"),
        (("Count", "contains", "1"), "contains does not fit", "use one of"),
        (("Active", "equals", "yes"), "'yes' is not true or false", "without quotes"),
        (("Active", "greater_than", False), "greater_than does not fit", "use one of"),
        (("Born", "equals", "31.01.2020"), "is not an ISO date", "2020-01-31"),
        (("Born", "equals", 2020), "is not an ISO date", "2020-01-31"),
        (("Born", "equals", "2020-01-31T10:00"), "has a time", "write 2020-01-31"),
        (("Seen", "equals", "noon"), "is not an ISO date", "T12:00"),
        (("Guid", "equals", "1234"), "is not a guid", "write it as"),
        (("Guid", "starts_with", "0f8f"), "starts_with does not fit", "any_of"),
        (("Tags", "equals", "x"), "equals does not fit a column of type INTEGER[]", "is_null"),
    ],
)
def test_wrong_filters_say_what_and_the_next_move(engine, row_filter, message, hint):
    columns = engine.columns("data")
    with pytest.raises(SpecError) as caught:
        filter_predicate(entity(row_filter), columns, where="crm.Contacts.where")
    assert message in caught.value.message
    assert row_filter[0] in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where == "crm.Contacts.where"


def test_all_wrong_filters_are_named_at_once(engine):
    with pytest.raises(SpecError) as caught:
        filter_predicate(entity(("Citty", "is_null"), ("Count", "equals", "x")), engine.columns("data"))
    assert caught.value.message.count("\n") == 1
    assert "Citty" in caught.value.message
    assert "Count" in caught.value.message


COMPARE = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "greater_than": operator.gt,
    "greater_than_or_equal": operator.ge,
    "less_than": operator.lt,
    "less_than_or_equal": operator.le,
}
cents = st.integers(-500, 500)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(COMPARE)), st.lists(cents | st.none(), max_size=12), cents, st.sampled_from("dts"))
def test_comparisons_agree_with_python(op, numbers, value, kind):
    """Decimals, timestamps and strings: Python compares the same values."""
    days = {n: datetime.fromisoformat(f"2020-01-01T{n % 24:02}:00") for n in (*filter(None, numbers), value, 0)}
    make = {
        "d": (lambda n: Decimal(n) / 100, pa.decimal128(9, 2), lambda n: n / 100),
        "t": (lambda n: days[n], pa.timestamp("us"), lambda n: days[n].isoformat()),
        "s": (str, pa.string(), str),
    }[kind]
    cells = [None if n is None else make[0](n) for n in numbers]
    with DuckDBEngine(threads=1) as engine:
        engine.load("data", pa.table({"row": pa.array(range(len(cells)), pa.int64()), "x": pa.array(cells, make[1])}))
        found = filter_predicate(entity(("x", op, make[2](value))), engine.columns("data"))
        assert found is not None
        rows = engine.fetch(Query(f"SELECT row FROM data WHERE {found.sql} ORDER BY row", found.params))
    expected = [i for i, cell in enumerate(cells) if cell is not None and COMPARE[op](cell, make[0](value))]
    assert rows.column(0).to_pylist() == expected


def test_an_unquoted_yaml_date_is_a_date():
    """YAML reads `value: 2020-01-31` as a date, not as a text."""
    assert entity(("Born", "equals", date(2020, 1, 31))).where[0].value == "2020-01-31"
    assert (
        entity(("Seen", "equals", datetime.fromisoformat("2020-01-31T12:00"))).where[0].value == "2020-01-31T12:00:00"
    )
