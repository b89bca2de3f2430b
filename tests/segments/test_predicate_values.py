"""Single values worked out by hand or by the standards: what agreement alone cannot tell, because all could be wrong."""

# ruff: noqa: DTZ001 - a datetime without a zone is UTC here, which is what is tested

import datetime as dt
from decimal import Decimal

import duckdb
import pytest

from segments.predicates import casefold
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from segments.predicates.fields import DATE, DATETIME, DOUBLE, DURATION, INTEGER, STRING, Catalog, Table, Type, decimal
from segments.predicates.functions import table
from segments.predicates.tree import Call, Compare, literal

CATALOG = Catalog.of([Table.of_columns("One", {"a": "BIGINT", "s": "VARCHAR", "x": "DOUBLE", "d": "DECIMAL(18,2)"})])
CLOCK = dt.datetime(2024, 3, 31, 10, 0)
L = literal
HOUR = p.Literal(DURATION, 3_600_000_000)
NULL = L(None)

EXPECTED = [
    (Call("div", (L(-7), L(2))), -3), (Call("mod", (L(-7), L(2))), -1), (Call("mod", (L(7), L(-2))), 1),
    (Call("div", (L(1), L(0))), None), (Call("mod", (L(1), L(0))), None), (Call("div_by", (L(7), L(2))), 3.5),
    (Call("div", (L(1.0), L(0))), float("inf")), (Call("add", (L(2**63 - 1), L(1))), None),
    (Call("mul", (L(Decimal("1234567.25")), L(Decimal("1234567.25")))), Decimal("1524156294772.5625")),
    (Call("add", (L(Decimal("0.1")), L(Decimal("0.2")))), Decimal("0.3")),
    (Call("sub", (L(5), L(Decimal("0.5")))), Decimal("4.5")), (Call("negate", (L(-(2**63)),)), None),
    (Call("round", (L(Decimal("-2.5")),)), Decimal(-3)), (Call("round", (L(0.49999999999999994),)), 0.0),
    (Call("floor", (L(-2.5),)), -3.0), (Call("ceiling", (L(Decimal("2.01")),)), Decimal(3)),
    (Call("to_integer", (L(2.0**63),)), None), (Call("to_integer", (L(-2.9),)), -2), (Call("has", (L(7), L(6))), True),
    (Call("length", (L("e\u0301👨‍👩‍👧"),)), 7), (Call("index_of", (L("👨‍👩‍👧ab"), L("a"))), 5),
    (Call("index_of", (L("abc"), L("x"))), -1), (Call("substring", (L("👩abc"), L(1), L(2))), "ab"),
    (Call("substring", (L("abc"), L(-5))), "abc"), (Call("substring", (L("abc"), L(1), L(-1))), ""),
    (Call("substring", (L("abc"), NULL)), None), (Call("trim", (L("\u00a0 a b\u3000\n"),)), "a b"),
    (Call("fold", (L("STRAẞE ΟΔΟΣ ﬁ İ"),)), "strasse οδοσ fi i\u0307"), (Call("lower", (L("ΟΔΟΣ İ"),)), "οδοσ i"),
    (Call("upper", (L("straße ς"),)), "STRAẞE Σ"), (Call("concat", (L("a"), NULL)), None),
    (Call("contains", (L("100%"), L("%"))), True), (Call("contains", (L("abc"), L("_"))), False),
    (Call("matches", (L("a1"), L(r"^[a-z]\d$"))), True), (Call("to_text", (L(True),)), "true"),
    (Call("add_months", (L(dt.date(2024, 1, 31)), L(1))), dt.date(2024, 2, 29)),
    (Call("add_months", (L(dt.date(2024, 3, 31)), L(-1))), dt.date(2024, 2, 29)),
    (Call("add_months", (L(dt.date(9999, 12, 1)), L(1))), None), (Call("add_days", (L(dt.date(1, 1, 1)), L(-1))), None),
    (Call("add", (L(dt.date(2024, 2, 28)), p.Literal(DURATION, 36 * 3_600_000_000))), dt.date(2024, 2, 29)),
    (Call("sub", (L(dt.date(2024, 3, 1)), L(dt.date(2024, 2, 28)))), 2 * 86_400_000_000),
    (Call("start_of_week", (L(dt.date(2024, 3, 31)),)), dt.date(2024, 3, 25)),
    (Call("day_of_week", (L(dt.date(2024, 3, 31)),)), 7), (Call("week", (L(dt.date(2021, 1, 3)),)), 53),
    (Call("quarter", (L(dt.date(2021, 12, 3)),)), 4), (Call("total_seconds", (HOUR,)), Decimal(3600)),
    (Call("fraction", (L(dt.time(1, 2, 3, 450_000)),)), Decimal("0.45")),
    (Call("local", (L(dt.datetime(2024, 3, 31, 1)), L("Europe/Berlin"))), dt.datetime(2024, 3, 31, 3)),
    (Call("utc", (L(dt.datetime(2024, 3, 31, 2, 30)), L("Europe/Berlin"))), dt.datetime(2024, 3, 31, 1, 30)),
    (Call("utc", (L(dt.datetime(2024, 10, 27, 2, 30)), L("Europe/Berlin"))), dt.datetime(2024, 10, 27, 1, 30)),
    (p.today("Pacific/Auckland"), dt.date(2024, 3, 31)), (p.today("Pacific/Kiritimati"), dt.date(2024, 4, 1)),
    (Call("coalesce", (NULL, L("x"))), "x"), (Call("iif", (NULL, L(1), L(2))), 2), (Call("is_true", (NULL,)), False),
    (Compare("eq", L(0.1), L(Decimal("0.1"))), True), (Compare("lt", L(Decimal("0.1")), L(0.30000000000000004)), True),
    (Compare("eq", L(Decimal("1.50")), L(Decimal("1.5"))), True), (Compare("eq", L(float("nan")), L(float("nan"))), True),
    (Compare("gt", L(float("nan")), L(float("inf"))), True), (Compare("lt", L("Z"), L("a")), True),
    (Compare("lt", L("\uffff"), L("𝒳")), True), (Compare("eq", L("é"), L("e\u0301")), False),
    (Compare("ne", NULL, L(1)), None), (Compare("is_not", NULL, L(1)), True), (Compare("is", NULL, NULL), True),
    (Compare("lt", L(10**37), L(Decimal("0.12345678901234567890"))), False),
    (p.And(()), True), (p.Or(()), False), (p.Or((NULL, p.TRUE)), True), (p.And((NULL, p.FALSE)), False), (p.Not(NULL), None),
    (p.In(NULL, ()), False), (p.is_in(NULL, True), None), (p.is_in(L(1), Decimal("1.0"), 2), True), (p.is_in(L(1), Decimal("0.5")), False),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "expected"), EXPECTED, ids=[str(i) for i in range(len(EXPECTED))])
def test_value(tree, expected):
    """As a constant, and once more with every literal hidden in a column, so that SQL works it out."""
    row, hidden = {}, hide(tree, {})
    columns = {f"c{i}": kind for i, (kind, _) in enumerate(hidden[1])}
    catalog = Catalog.of([Table.of_columns("One", {"x": "INTEGER"} | {c: t.sql for c, t in columns.items()})])
    with duckdb.connect() as connection:
        spelled = ", ".join(f"CAST(${c} AS {t.sql}) AS {c}" for c, t in columns.items())
        row = {
            c: str(v) if t.kind == "decimal" and v is not None else v
            for c, (t, v) in zip(columns, hidden[1], strict=True)
        }
        connection.execute(f"CREATE TABLE One AS SELECT 1 AS x{', ' + spelled if spelled else ''}", row or None)
        for expr in (tree, hidden[0]):
            compiler = Compiler(catalog, "One", CLOCK)
            sql = f"SELECT {compiler.value(expr)} FROM {compiler.source}"
            found = connection.sql(sql, params=compiler.params or None).fetchall()[0][0]
            assert repr(found) == repr(expected) or (isinstance(expected, Decimal) and found == expected), sql


def hide(tree, _):
    """The tree with its literals in columns, where they need not be literals; and the columns."""
    found = []

    def change(expr):
        if isinstance(expr, p.Literal):
            if expr == NULL:
                return expr
            kind = expr.type if expr.type.kind != "duration" else None
            if kind is None:
                return expr
            found.append((kind, expr.value))
            return p.Field(f"c{len(found) - 1}")
        if isinstance(expr, p.Call) and (fixed := table()[expr.function][0].literals):
            return p.Call(expr.function, tuple(a if i in fixed else change(a) for i, a in enumerate(expr.args)))
        return p.rebuild(expr, change)

    return change(tree), found


def test_folding_is_unicodes_for_every_character():
    """Python knows it for the Unicode version it was built with; characters cased since then are left out."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT i, {casefold.SQL.format('chr(i::INTEGER)')} FROM range(1, 1114112) t(i) WHERE i NOT BETWEEN 55296 AND 57343",
            casefold.PARAMS,
        ).fetchall()
    different = [hex(i) for i, folded in rows if folded != chr(i).casefold()]
    newer = [h for h in different if chr(int(h, 16)).casefold() == chr(int(h, 16))]
    assert set(different) == set(newer)
    assert len(newer) < 200, "DuckDB and Python are many Unicode versions apart"
    assert len(rows) > 1_000_000


def test_case_of_every_character_is_one_character():
    lower, upper = (table()[key][0] for key in ("lower", "upper"))
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT i, lower(chr(i::INTEGER)), upper(chr(i::INTEGER)) FROM range(1, 1114112) t(i) WHERE i NOT BETWEEN 55296 AND 57343"
        ).fetchall()
    same = [
        (low == lower.python(STRING, chr(i)), up == upper.python(STRING, chr(i)))
        for i, low, up in rows
        if chr(i).lower() != chr(i) or chr(i).upper() != chr(i)
    ]
    assert all(low and up for low, up in same)
    assert len(same) > 2_000


def test_bucket_is_even_stable_and_seeded():
    of = table()["bucket"][0].python
    drawn = [of(INTEGER, "spring", f"c{i}") for i in range(20_000)]
    assert abs(sum(d < 100_000 for d in drawn) - 2_000) < 150
    other = [of(INTEGER, "autumn", f"c{i}") for i in range(20_000)]
    assert abs(sum(a < 500_000 and b < 500_000 for a, b in zip(drawn, other, strict=True)) - 5_000) < 250


def test_a_call_twice_under_different_wrappings_does_not_fail():
    """DuckDB works common parts out once, outside of the TRY they stood in."""
    shifted = Call("add_days", (p.Field("at"), p.Field("n")))
    day = Call("add_days", (Call("date_of", (p.Field("at"),)), p.Field("n")))
    months = Call("add_months", (p.Field("at"), p.Field("n")))
    catalog = Catalog.of([Table.of_columns("One", {"at": "TIMESTAMP", "n": "BIGINT"})])
    compiler = Compiler(catalog, "One", CLOCK)
    sql = ", ".join(
        compiler.value(e) for e in (shifted, day, months, Call("date_of", (months,)), Compare("gt", shifted, months))
    )
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE One AS SELECT TIMESTAMP '2024-01-01' AS at, unnest([1, 9223372036854775807, -9223372036854775808])::BIGINT AS n"
        )
        rows = connection.sql(
            f"SELECT {sql} FROM {compiler.source} ORDER BY t0.n DESC", params=compiler.params or None
        ).fetchall()
    assert rows[0] == (None,) * 5
    assert rows[1][:2] == (dt.datetime(2024, 1, 2), dt.date(2024, 1, 2))


def test_types_of_values():
    assert p.literal(2**63).type == Type("decimal", 19, 0)
    assert p.literal(Decimal("1E+3")).type == decimal(4, 0)
    assert p.Literal(DATETIME, dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))).value == dt.datetime(
        2023, 12, 31, 22
    )
    assert str(p.Literal(DOUBLE, -0.0).value) == "0.0"
    assert p.Literal(DATE, dt.date(2024, 1, 1)).value == dt.date(2024, 1, 1)
