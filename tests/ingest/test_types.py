"""Types: declared, inferred, refused."""

from datetime import date, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.infer import holds_codes
from ingest.load import load
from ingest.types import ColumnType, Reading, declared_type, parse_type
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Column, CsvOptions, Entity


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=2) as made:
        yield made


def read(engine, reading, text):
    sql = f"SELECT {reading.sql('x')} AS v FROM (SELECT $text AS x)"
    return engine.fetch(Query(sql, {"text": text})).to_pylist()[0]["v"]


def column(engine, tmp_path, values, name="v", **options):
    """How a column with these texts is loaded: (type, values in order, report)."""
    text = f"id;{name}\n" + "".join(f"K{i};{value}\n" for i, value in enumerate(values))
    (tmp_path / "a.csv").write_text(text)
    csv = CsvOptions(delimiter=";", decimal=options.pop("decimal", "."))
    report = load(engine, "s.T", Entity(files="a.csv", key="id", csv=csv, **options), base=tmp_path)
    found = engine.fetch(Query("SELECT * FROM s_T")).to_pylist()
    found.sort(key=lambda row: int(row["id"][1:]))
    return next(c.type for c in report.columns if c.name == name), [row[name] for row in found], report


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "-20", "0", ""], "integer", [1, -20, 0, None]),
        (["999999999999999"], "integer", [999999999999999]),
        (["1.5", "2", "-0.25", "1e3"], "double", [1.5, 2.0, -0.25, 1000.0]),
        (["true", "FALSE", ""], "boolean", [True, False, None]),
        (["2024-05-17", ""], "date", [date(2024, 5, 17), None]),
        (["5/17/2024", "12/01/2023"], "date", [date(2024, 5, 17), date(2023, 12, 1)]),
        (["5/17/2024", "2023-12-01"], "date", [date(2024, 5, 17), date(2023, 12, 1)]),
        (["", ""], "string", [None, None]),
        # codes stay as they are written
        (["007", "12"], "string", ["007", "12"]),
        (["02139", "10001"], "string", ["02139", "10001"]),
        (["+15551234567", "15551234567"], "string", ["+15551234567", "15551234567"]),
        (["1234567890123456", "1"], "string", ["1234567890123456", "1"]),
        (["1234567890123456.5", "1"], "string", ["1234567890123456.5", "1"]),
        (["-0", "1"], "double", [-0.0, 1.0]),
        (["1,234", "5"], "string", ["1,234", "5"]),
        (["1_000"], "string", ["1_000"]),
        (["0x1F"], "string", ["0x1F"]),
        (["nan", "1.0"], "string", ["nan", "1.0"]),
        (["inf"], "string", ["inf"]),
        (["1e999"], "string", ["1e999"]),
        ([" 1"], "string", [" 1"]),
        (["yes", "no"], "string", ["yes", "no"]),
        (["19081209"], "integer", [19081209]),
        (["5/8/86"], "string", ["5/8/86"]),
        (["2024-02-30"], "string", ["2024-02-30"]),
        (["17/5/2024"], "string", ["17/5/2024"]),
        (["98e79d76-a45a-e911-a970-000d3a39c2c9x"], "string", ["98e79d76-a45a-e911-a970-000d3a39c2c9x"]),
    ],
)
def test_inference(engine, tmp_path, values, kind, expected):
    assert column(engine, tmp_path, values)[:2] == (kind, expected)


def test_guids_are_inferred_whatever_their_case(engine, tmp_path):
    kind, values, _ = column(engine, tmp_path, ["98E79D76-A45A-E911-A970-000D3A39C2C9"])
    assert (kind, str(values[0])) == ("guid", "98e79d76-a45a-e911-a970-000d3a39c2c9")


def test_one_value_in_ten_thousand_is_enough_to_keep_a_string(engine, tmp_path):
    """A sample never decides: the odd value stands far behind it."""
    kind, values, report = column(engine, tmp_path, [*(str(i) for i in range(10_000)), "n/a"])
    assert kind == "string"
    assert values[-1] == "n/a"
    [warning] = report.warnings
    assert "10,000 of 10,001 values are of type integer, 1 are not, e.g. 'n/a'" in warning
    assert "`v: integer`" in warning
    kind, values, report = column(engine, tmp_path, [*(str(i) for i in range(10_000)), "1.5"])
    assert kind == "double"
    kind, _, report = column(
        engine, tmp_path, [*(f"2020-01-{i % 28 + 1:02}" for i in range(5_000)), "2020-01-01 07:30"]
    )
    assert kind == "datetime"
    kind, _, report = column(engine, tmp_path, [*(str(i) for i in range(5_000)), "0123"])
    assert (kind, report.warnings) == ("string", ())


def test_no_warning_when_a_column_is_plainly_text(engine, tmp_path):
    assert column(engine, tmp_path, ["a", "b", "1"])[2].warnings == ()


def test_declaring_the_type_quarantines_what_does_not_fit(engine, tmp_path):
    kind, values, report = column(engine, tmp_path, ["1", "n/a", "0012", " 7 "], columns={"v": "integer"})
    assert (kind, values) == ("integer", [1, 12, 7])
    assert dict(report.reasons) == {"not an integer": 1}
    assert report.columns[1].declared


@pytest.mark.parametrize("name", ["Phone", "mobilePhone", "TELEPHONE", "zip_code", "PostCode", "Postal Code", "fax 2"])
def test_digits_in_a_column_of_codes_are_no_number(engine, tmp_path, name):
    assert holds_codes(name, "")
    assert column(engine, tmp_path, ["5551234567", "1"], name)[0] == "string"


def test_labels_say_what_is_a_code(engine, tmp_path):
    labels = {"v": "Identity.Service.Phone"}
    assert column(engine, tmp_path, ["5551234567"], labels=labels)[0] == "string"
    assert column(engine, tmp_path, ["5551234567"], labels=labels, columns={"v": "integer"})[0] == "integer"
    assert not holds_codes("Hotel", "")
    assert not holds_codes("Total", "Measurement.Status")


def test_decimal_comma(engine, tmp_path):
    assert column(engine, tmp_path, ["1,5", "2"], decimal=",")[:2] == ("double", [1.5, 2.0])
    assert column(engine, tmp_path, ["1.5"], decimal=",")[0] == "string"
    kind, values, report = column(engine, tmp_path, ["1,50", "1.50"], decimal=",", columns={"v": "decimal(5,2)"})
    assert (kind, values) == ("decimal(5,2)", [Decimal("1.50")])
    assert report.rows_quarantined == 1


def test_a_column_nobody_declared_right(engine, tmp_path):
    with pytest.raises(SpecError) as caught:
        column(engine, tmp_path, ["1"], columns={"vv": "integer"}, labels={"w": "x"})
    assert "`columns` names 'vv'" in caught.value.message
    assert "`labels` names 'w'" in caught.value.message
    assert "did you mean v?" in caught.value.hint


def test_a_timestamp_must_be_a_time(engine, tmp_path):
    with pytest.raises(SpecError) as caught:
        column(engine, tmp_path, ["17.5.2024"], type="activity", timestamp="v")
    assert "'v' is of type string" in caught.value.message
    assert "day-first" in caught.value.hint
    assert column(engine, tmp_path, ["17.5.2024"], type="activity", timestamp="v", dates="day-first")[0] == "date"
    assert column(engine, tmp_path, ["1715900000"], type="activity", timestamp="v")[0] == "integer"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("int", "integer"),
        ("datetme", "datetime"),
        ("decimal", "decimal(18,2)"),
        ("list", "string"),
        ("float", "double"),
    ],
)
def test_unknown_types_have_a_suggestion(text, hint):
    with pytest.raises(SpecError) as caught:
        parse_type(text, "here")
    assert f"did you mean {hint}" in caught.value.hint


@pytest.mark.parametrize("text", ["decimal(39,2)", "decimal(5,6)", "decimal(0,0)"])
def test_impossible_decimals(text):
    with pytest.raises(SpecError, match="not possible"):
        parse_type(text, "here")


def test_a_format_alone_says_date_or_datetime():
    assert declared_type(Column(format="dd.MM.yyyy"), "") == ColumnType("date")
    assert declared_type(Column(format="%d.%m.%Y %H:%M"), "") == ColumnType("datetime")
    with pytest.raises(SpecError, match="has no format"):
        declared_type(Column(type="integer", format="dd.MM.yyyy"), "")


@settings(max_examples=60, deadline=None)
@given(
    st.from_regex(r"[+-]?[0-9]{0,7}(\.[0-9]{0,5})?", fullmatch=True),
    st.integers(1, 8).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p))),
)
def test_decimals_are_exact_or_refused(engine, text, shape):
    """Against Python's decimal: a value is read exactly when it fits precision and scale without rounding."""
    precision, scale = shape
    expected = None
    if any(c.isdigit() for c in text):
        with localcontext(prec=60):
            number = Decimal(text)
            if number == number.quantize(Decimal(1).scaleb(-scale)) and abs(number) < Decimal(10) ** (
                precision - scale
            ):
                expected = number
    assert read(engine, Reading(ColumnType("decimal", precision, scale)), text) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_python_reads_them(engine, number):
    fits = isinstance(number, float) or -(2**63) <= number < 2**63
    if isinstance(number, int):
        assert read(engine, Reading(ColumnType("integer")), str(number)) == (number if fits else None)
    assert read(engine, Reading(ColumnType("double")), str(number)) == float(number)


@pytest.mark.parametrize("text", ["True", "yes", "Y", "t", "1"])
def test_declared_booleans(engine, text):
    assert read(engine, Reading(ColumnType("boolean")), text) is True
    assert read(engine, Reading(ColumnType("boolean")), "maybe") is None


def test_everything_typed_comes_out_as_declared(engine, tmp_path):
    declared = {"v": "datetime"}
    _, values, _ = column(engine, tmp_path, ["2024-05-17T23:30:00-02:00"], columns=declared)
    assert values == [datetime.fromisoformat("2024-05-18T01:30:00")]
    assert engine.columns("s_T") == {"id": "VARCHAR", "v": "TIMESTAMP"}
