"""Every canonical function and operator with the standard's own examples, and what is refused by name.

Values come from the URL conventions of OData 4.01, part 2, section 5.1.1; the rows of a function are one customer.
"""

import datetime as dt
from decimal import Decimal

import duckdb
import pytest

from segments.model import Model
from segments.odata.binding.bind import BindError, filter_of_text, value_of_text
from segments.odata.syntax.functions import CANONICAL
from segments.predicates.compile import Compiler, count_where
from segments.predicates.fields import Catalog, Relation, Table

CLOCK = dt.datetime(2026, 11, 22, 8, tzinfo=dt.UTC)
COLUMNS = {
    "ordinal": "INTEGER", "CustomerId": "VARCHAR", "CompanyName": "VARCHAR", "City": "VARCHAR", "Country": "VARCHAR",
    "BirthDate": "DATE", "StartTime": "TIMESTAMP", "EndTime": "TIMESTAMP", "Opens": "TIME", "Freight": "DECIMAL(9,2)",
    "Price": "DECIMAL(9,2)", "Rating": "INTEGER", "Flags": "INTEGER", "Card": "UUID", "Score": "DOUBLE",
    "Nothing": "VARCHAR", "Tags": "VARCHAR[]",
}  # fmt: skip
ROW = """0, 'c0', 'Alfreds Futterkiste', 'Berlin', 'Germany', DATE '1971-05-08', TIMESTAMP '2024-07-01 12:40:40.05',
    TIMESTAMP '2024-07-02 13:40:40.05', TIME '07:59:59.999', 32.00, 2.55, 5, 5,
    '01234567-89ab-cdef-0123-456789abcdef', 2.5, NULL, ['a']"""
MODEL = Model(
    catalog=Catalog.of(
        [
            Table.of_columns("Customer", COLUMNS, id="ordinal"),
            Table.of_columns("Customer_Measure", {"ordinal": "INTEGER", "TotalSpend": "DOUBLE"}),
            Table.of_columns("UnifiedActivity", {"ordinal": "INTEGER", "ActivityType": "VARCHAR", "Amount": "DOUBLE"}),
        ],
        [
            Relation("Customer_Measure", "Customer", "ordinal", "Customer_Measure", "ordinal", many=False),
            Relation("UnifiedActivity", "Customer", "ordinal", "UnifiedActivity", "ordinal"),
            Relation("Customer", "UnifiedActivity", "ordinal", "Customer", "ordinal", many=False),
        ],
        segments={"Vip": "segment_vip"},
    ),
    project=None,
    timezone="Europe/Berlin",
)

TRUE = """
concat(concat(City,', '),Country) eq 'Berlin, Germany'
contains(CompanyName,'Alfreds')
endswith(CompanyName,'Futterkiste')
startswith(CompanyName,'Alfr')
indexof(CompanyName,'lfreds') eq 1
indexof(CompanyName,'x') eq -1
length(CompanyName) eq 19
substring(CompanyName,1) eq 'lfreds Futterkiste'
substring(CompanyName,1,2) eq 'lf'
substring(CompanyName,99) eq ''
substring(CompanyName,0,99) eq CompanyName
substring(CompanyName,-5) eq 'kiste'
substring(CompanyName,-5,2) eq 'ki'
matchesPattern(CompanyName,'^A.*e$')
tolower(CompanyName) eq 'alfreds futterkiste'
toupper(CompanyName) eq 'ALFREDS FUTTERKISTE'
trim(CompanyName) eq CompanyName
hassubset([4,1,3],[4,1,3])
hassubset([4,1,3],[1,3,4])
hassubset([4,1,3],[3,1])
hassubset([4,1,3],[4,3])
hassubset([4,1,3,1],[1,1])
not hassubset([1,2],[1,1,2])
hassubsequence([4,1,3],[4,1,3])
hassubsequence([4,1,3],[4,1])
hassubsequence([4,1,3],[4,3])
hassubsequence([4,1,3,1],[1,1])
not hassubsequence([4,1,3],[1,3,4])
not hassubsequence([4,1,3],[3,1])
not hassubsequence([1,2],[1,1,2])
not hassubset(["1"],[1])
year(BirthDate) eq 1971
month(BirthDate) eq 5
day(BirthDate) eq 8
hour(StartTime) eq 14
hour(2024-07-01T04:40:00-08:00) eq 4
date(2024-07-01T23:40:00-08:00) eq 2024-07-01
hour(Opens) eq 7
minute(StartTime) eq 40
second(StartTime) eq 40
second(Opens) eq 59
fractionalseconds(StartTime) lt 0.1
fractionalseconds(Opens) eq 0.999
date(StartTime) eq 2024-07-01
date(BirthDate) eq BirthDate
time(StartTime) eq 14:40:40.05
totaloffsetminutes(StartTime) eq 120
totaloffsetminutes(2024-07-01T12:00:00-05:30) eq -330
totalseconds(EndTime sub StartTime) eq 90000
totalseconds(duration'PT0.5S') eq 0.5
now() eq 2026-11-22T08:00:00Z
StartTime lt now() sub duration'P30D'
StartTime lt now() sub 'P30D'
mindatetime() lt StartTime and maxdatetime() gt StartTime
mindatetime() eq 0001-01-01T00:00:00Z
round(Freight) eq 32
round(0.5) eq 1 and round(-0.5) eq -1
floor(Freight) eq 32 and floor(-0.5) eq -1
ceiling(Freight) eq 32 and ceiling(-0.5) eq 0
ceiling(Score) eq 3
Price add 2.45 eq 5.00
Price sub 0.55 eq 2.00
Price mul 2.0 eq 5.10
Price div 2.55 eq 1
Rating div 2 eq 2
Rating divby 2 eq 2.5
Rating mod 5 eq 0
(4 add 5) mod (4 sub 1) eq 0
-Rating eq -5
-Rating mod 3 eq -2
BirthDate add duration'PT12H' eq BirthDate
BirthDate sub duration'PT12H' eq 1971-05-07
duration'P1D' mul 2 eq duration'P2D'
2 mul duration'P1D' eq duration'P2D'
duration'P1D' add StartTime lt EndTime
case(Rating gt 9:'high',Rating gt 4:'middle',true:'low') eq 'middle'
case(Rating gt 9:1) eq null
cast(Rating,Edm.String) eq '5'
cast(Freight,Edm.Int32) eq 32
cast(2.5,Edm.Int64) eq 3
cast(300,Edm.Byte) eq null
cast('42',Edm.Int32) eq 42
cast('x',Edm.Int32) eq null
cast('2024-01-31',Edm.Date) eq 2024-01-31
cast('P1D',Edm.Duration) eq duration'P1D'
cast(StartTime,Edm.Date) eq 2024-07-01
cast(StartTime,Edm.TimeOfDay) eq 14:40:40.05
cast(BirthDate,Edm.DateTimeOffset) eq 1971-05-07T23:00:00Z
cast(Rating,Edm.Double) eq 5.0e0
cast(null,Edm.Date) eq null
isof(Rating,Edm.Int32) and isof(Rating,Edm.Decimal) and not isof(Rating,Edm.String)
not isof(Rating,Edm.Date)
isof(Nothing,Edm.Date)
isof(Customer) and isof($it,Model.Customer)
City in ('Berlin','Bern')
Nothing in ('a',null) and not (Nothing in ('a'))
[City,Country] in [["Berlin","Germany"],["Bern","CH"]]
City in [Country,'Berlin']
not (Rating in ())
Flags has '4' and Flags has Model.Colors'1,4' and not (Flags has '2')
Card eq 01234567-89ab-cdef-0123-456789abcdef
Card eq '01234567-89AB-cdef-0123-456789abcdef'
null eq null and null ge null and not (null gt null) and not (null ne null)
Nothing eq null and not (Nothing ne null) and Nothing ne 'a' and not (Nothing eq 'a')
not (Nothing gt 'a') and not (Nothing le 'a') and Nothing le null
Nothing ge Nothing and Nothing eq Nothing
contains(Nothing,'a') eq null
true gt false
Freight lt INF and Freight gt -INF
Rating lt 12345678901234567890123456789012345678
BirthDate lt StartTime
StartTime ge 2024-07-01
BirthDate eq 1971-05-07T23:00:00Z
EndTime sub StartTime eq 'P1DT1H'
CONTAINS(CompanyName,'Alfreds') AND Rating EQ 5
length(trim('\u2003x\u00a0')) eq 1
$it/Rating eq $this/Rating
""".strip().splitlines()

REFUSED = {
    "geo.distance(Nothing,Nothing) lt 1": ("geo.distance is not answered", ""),
    "geo.length(Nothing) lt 1": ("geo.length is not answered", ""),
    "geo.intersects(Nothing,Nothing)": ("geo.intersects is not answered", ""),
    "isdefined(City)": ("isdefined is not answered", ""),
    "hassubset(Tags,['a'])": ("hassubset takes lists in [ ]", "any("),
    "matchesPattern(City,Country)": ("a pattern is written out", ""),
    "matchesPattern(City,'(')": ("'(' is no pattern", "RE2"),
    "substring(City,1,-1) eq ''": ("a length below 0", ""),
    "tolowr('x') eq 'x'": ("there is no function 'tolowr'", "tolower"),
    "tolowr(City) eq 'x'": ("there is no function 'tolowr'", "tolower"),
    "Model.Rank(x=1) eq 1": ("there is no function 'Model.Rank'", "no functions of its own"),
    "UnifiedActivity('k')/Amount eq 1": ("a key behind UnifiedActivity", "any("),
    "length(Rating) eq 1": ("length(integer) is not possible", "length(string)"),
    "City add 'x' eq 'y'": ("add takes numbers", "concat"),
    "duration'P1D' div 2 eq duration'PT12H'": ("div of a duration", "totalseconds"),
    "duration'P1D' mul 1.5 eq duration'P1D'": ("whole numbers", "totalseconds"),
    "not Rating eq 3": ("not needs a condition; Rating is integer", "not ("),
    "Rating": ("a condition is needed; Rating is integer", "compare"),
    "Rating eq '5'": ("integer with string", "without quotes"),
    "City eq 5": ("string with integer", "'5'"),
    "City eq 01234567-89ab-cdef-0123-456789abcdef": ("string with guid", "quotes"),
    "BirthDate eq '2024-01-31'": ("date with string", "2024-01-31 without quotes"),
    "Opens eq StartTime": ("time with datetime", "time("),
    "Card eq 'x'": ("guid with string", "a guid"),
    "Tags eq 'a'": ("Customer.Tags is VARCHAR[]", ""),
    "city eq 'x'": ("Customer has no attribute 'city'", "City"),
    "Citty eq 'x'": ("Customer has no attribute 'Citty'", "City"),
    "TotalSpnd gt 1": ("Customer has no attribute 'TotalSpnd'", "TotalSpend"),
    "UnifiedActivty/any()": ("Customer has no relation 'UnifiedActivty'", "UnifiedActivity"),
    "UnifiedActivity/Amount gt 1": ("leads from one row to many", "UnifiedActivity/any(x:x/Amount"),
    "UnifiedActivity eq null": ("leads from one row to many", "$count"),
    "UnifiedActivity/any(a:a/Amnt gt 1)": ("UnifiedActivity has no attribute 'Amnt'", "Amount"),
    "UnifiedActivity/any(a:Amount gt 1)": ("Customer has no attribute 'Amount'", "a/Amount"),
    "UnifiedActivity/aggregate(Amount with summ) gt 1": ("", "sum"),
    "UnifiedActivity/aggregate(ActivityType with sum) gt 1": ("sum needs numbers", "countdistinct"),
    "UnifiedActivity/$count($search=x) gt 1": ("$search does not stand", "contains"),
    "Customer_Measure/any()": ("leads to one row", "Customer_Measure/Name"),
    "Customer_Measure/$count gt 1": ("leads to one row", ""),
    "Customer_Measure gt 1": ("compared with null alone", ""),
    "Customer_Measure": ("a row of Customer_Measure, not a value", "attributes"),
    "City/Name eq 'x'": ("City is a string, with no further path below it", ""),
    "IsMemberOfSegment('Vop')": ("there is no segment 'Vop'", "Vip"),
    "$root/Customer('c0')/City eq City": ("$root is not answered", ""),
    "City eq @p": ("@p has no value", "there are none"),
    "@Core.Messages eq 'x'": ("there are no annotations", ""),
    "cast(City,Edm.Int32) eq 1": ("a string is not cast to Edm.Int32", "ingested"),
    "cast(Freight,Edm.String) eq '1'": ("a decimal is not cast to Edm.String", ""),
    "cast(Rating,Edm.Int31) eq 1": ("there is no type Edm.Int31", "Int32"),
    "cast(Model.Vip) eq null": ("no type 'Model.Vip'", ""),
    "isof(Model.Vip)": ("no type 'Model.Vip'", ""),
    "Flags has Model.Colors'Red'": ("the model has no enumerations", "numbers"),
    "City has '1'": ("has looks at flags", ""),
    "binary'T0RhdGE' eq 'x'": ("no attribute is binary", ""),
    "City eq geography'SRID=0;Point(1 2)'": ("no attribute is a place", ""),
    "City in 'Berlin'": ("in needs a list", "in ('a','b')"),
    "[City,Country] in [[\"x\"]]": ("each of the list has 2 values", ""),
    "City eq [1]": ("a list is no single value", ""),
    "BirthDate gt 10000-01-01": ("outside the years 1 to 9999", ""),
    "BirthDate gt -0001-01-01": ("outside the years 1 to 9999", ""),
    "StartTime gt 9999-12-31T23:59:59-01:00": ("outside the years 1 to 9999 in UTC", "maxdatetime"),
    "StartTime gt 0001-01-01": ("begins outside the years 1 to 9999", "mindatetime"),
    "Opens lt 23:59:60": ("leap second", "23:59:59.999999"),
    "Opens lt 12:00:00.0000001": ("finer than a microsecond", ".000000"),
    "EndTime sub StartTime lt duration'P999999999999999999D'": ("longer than 292,271 years", ""),
    "case(Rating gt 1:'a',true:1) eq 'a'": ("values of case are of different types", "cast"),
}  # fmt: skip


def create(connection):
    """The model's tables, with one customer and one activity."""
    connection.execute(f"CREATE TABLE Customer ({', '.join(f'{c} {t}' for c, t in COLUMNS.items())})")
    connection.execute(f"INSERT INTO Customer VALUES ({ROW})")
    connection.execute("CREATE TABLE UnifiedActivity (ordinal INTEGER, ActivityType VARCHAR, Amount DOUBLE)")
    connection.execute("INSERT INTO UnifiedActivity VALUES (0, 'Order', 7.5)")
    connection.execute("CREATE TABLE Customer_Measure AS SELECT 0 AS ordinal, CAST(12.5 AS DOUBLE) AS TotalSpend")
    connection.execute("CREATE TABLE segment_vip AS SELECT 0 AS ordinal")


@pytest.fixture(scope="module")
def customer():
    with duckdb.connect() as connection:
        create(connection)
        yield connection


@pytest.mark.parametrize("text", TRUE)
def test_the_standards_examples_hold(text, customer):
    query = count_where(filter_of_text(text, MODEL), MODEL.catalog, "Customer", clock=CLOCK)
    assert customer.execute(query.sql, query.params or None).fetchone() == (1,)


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_model_has_not_is_refused_with_its_place_and_the_next_move(text):
    from unify.core.errors import QueryError

    message, hint = REFUSED[text]
    with pytest.raises(QueryError) as caught:
        filter_of_text(text, MODEL)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.where.startswith("character ")


def test_every_canonical_function_is_answered_or_refused_by_name():
    spoken_of = " ".join([*TRUE, *REFUSED]).lower()
    assert [name for name in CANONICAL if f"{name}(" not in spoken_of] == []


def test_errors_point_at_the_text():
    with pytest.raises(BindError) as caught:
        filter_of_text("City eq 'x' and Citty eq 'y'", MODEL)
    assert (caught.value.position, caught.value.where) == (16, "character 17")
    with pytest.raises(BindError) as caught:
        filter_of_text("Citty eq 'y'", MODEL, where="segments.vip.where")
    assert caught.value.where == "segments.vip.where, character 1"


def test_parameter_aliases_stand_for_values_lists_and_each_other():
    from segments.odata import parse_expression
    from segments.odata.binding.bind import bind_filter

    def asked(text, **aliases):
        return bind_filter(parse_expression(text), MODEL, aliases={k: parse_expression(v) for k, v in aliases.items()})

    assert asked("City eq @p", p="@q", q="'Bern'") == asked("City eq 'Bern'")
    assert asked("City in @p", p="['Bern',null]") == asked("City in ('Bern',null)")
    assert asked("UnifiedActivity/any(a:a/ActivityType eq @p)", p="City") == asked(
        "UnifiedActivity/any(a:a/ActivityType eq $it/City)"
    )
    with pytest.raises(BindError, match="circle: @p → @q → @p"):
        asked("City eq @p", p="@q", q="@p")
    with pytest.raises(BindError, match="circle: @p → @p"):
        asked("City in @p", p="@p")
    with pytest.raises(BindError, match="did you mean @name"):
        asked("City eq @nme", name="'x'")
    with pytest.raises(BindError, match=r"@p, character 1: .*'Citty'"):
        asked("City eq @p", p="Citty")
    many = {f"a{i}": f"@a{i + 1} and @a{i + 1}" for i in range(60)} | {"a60": "true"}
    with pytest.raises(BindError, match=r"more than 50000 parts|deeper than 100 levels"):
        asked("@a0", **many)


def test_segments_are_asked_of_the_customer_whose_row_it_is():
    at_home = filter_of_text("IsMemberOfSegment(Vip)", MODEL)
    inside = filter_of_text("UnifiedActivity/any(a:IsMemberOfSegment('Vip'))", MODEL)
    of_activity = filter_of_text("IsMemberOfSegment('Vip')", MODEL, "UnifiedActivity")
    assert (at_home.up, inside.where.up, of_activity.path) == (0, 1, ("Customer",))


def test_computed_names_are_seen_from_inside_lambdas(customer):
    computed = {"Limit": value_of_text("Rating add 2", MODEL)}
    text = (
        "Limit eq 7 and UnifiedActivity/any(a:a/Amount gt Limit) and UnifiedActivity/$count($filter=Amount gt 7) eq 1"
    )
    query = count_where(filter_of_text(text, MODEL, computed=computed), MODEL.catalog, "Customer", clock=CLOCK)
    assert customer.execute(query.sql, query.params or None).fetchone() == (1,)


def test_the_time_zone_is_a_known_one():
    from unify.core.errors import QueryError

    with pytest.raises(QueryError, match="did you mean Europe/Berlin"):
        filter_of_text("true", MODEL, timezone="Europe/Berln")


def test_values_keep_their_types(customer):
    compiler = Compiler(MODEL.catalog, "Customer", CLOCK)
    wanted = {
        "Price mul 2": Decimal("5.10"),
        "Rating": 5,
        "Score": 2.5,
        "date(StartTime)": dt.date(2024, 7, 1),
        "case(true:null)": None,
    }
    shown = ", ".join(compiler.value(value_of_text(text, MODEL)) for text in wanted)
    row = customer.execute(f"SELECT {shown} FROM {compiler.source}", compiler.params).fetchone()
    assert row == tuple(wanted.values())
