"""Which tree a text becomes: precedence, names that look like keywords, dialects, decoding, the vendor's extras."""

from dataclasses import replace
from decimal import Decimal

import pytest

from segments.odata import (
    CUSTOMER_INSIGHTS,
    OASIS,
    ODataSyntaxError,
    parse_expression,
    parse_path,
    parse_request,
    print_expression,
    print_request,
)
from segments.odata.syntax import ast as a
from segments.odata.syntax import ast_options as o
from segments.odata.syntax import ast_search as q

STRICT_40 = replace(OASIS, any_case=False, dollar_optional=False)


def member(text):
    return a.Path((a.Name(text),))


def grouped(text, dialect=OASIS):
    """The text with every operator's operands in parentheses: precedence made visible."""

    def show(tree):
        if isinstance(tree, a.And | a.Or):
            return "(" + (" and " if isinstance(tree, a.And) else " or ").join(map(show, tree.terms)) + ")"
        if isinstance(tree, a.Binary):
            right = print_expression(tree.right) if isinstance(tree.right, a.ValueList) else show(tree.right)
            return f"({show(tree.left)} {tree.operator} {right})"
        return f"({tree.operator} {show(tree.operand)})" if isinstance(tree, a.Unary) else print_expression(tree)

    return show(parse_expression(text, dialect))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a or b and c or d", "(a or (b and c) or d)"),
        ("a and b and c", "(a and b and c)"),
        ("(a and b) and c", "((a and b) and c)"),
        ("a eq b and c ne d", "((a eq b) and (c ne d))"),
        ("a lt b eq c gt d", "((a lt b) eq (c gt d))"),
        ("a add b mul c sub d", "((a add (b mul c)) sub d)"),
        ("a sub b sub c", "((a sub b) sub c)"),
        ("a sub (b sub c)", "(a sub (b sub c))"),
        ("a div b mul c mod d divby e", "((((a div b) mul c) mod d) divby e)"),
        ("not a eq b", "((not a) eq b)"),
        ("not a in (1)", "(not (a in (1)))"),
        ("not (a eq b)", "(not (a eq b))"),
        ("-a mul b", "((- a) mul b)"),
        ("a add b in (1) eq c", "((a add (b in (1))) eq c)"),
        ("a sub -5", "(a sub -5)"),
        ("- 5 add 1", "((- 5) add 1)"),
        ("a has Model.C'x' eq true", "((a has Model.C'x') eq true)"),
    ],
)
def test_operators_bind_as_the_url_conventions_say(text, expected):
    assert grouped(text) == expected


@pytest.mark.parametrize(
    "name",
    ["anything", "allow_email", "alliance", "nullable", "trueflag", "falsey", "notes", "android", "order", "inner", "has_x",
     "INFO", "NaNny", "equals", "any", "all", "eq", "and", "in", "asc", "as", "date", "contains", "Größe", "ÅngströmΩ"],
)  # fmt: skip
def test_attributes_may_begin_with_keywords_or_be_them(name):
    assert parse_expression(f"{name} eq 1") == a.Binary("eq", member(name), a.Literal("integer", 1))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("null", "null", None), ("tRUe", "boolean", True), ("42", "integer", 42), ("+42", "integer", 42), ("-7", "integer", -7),
        ("2.50", "decimal", Decimal("2.50")), ("-0.314e1", "double", -3.14), ("-INF", "double", float("-inf")),
        ("'O''Neil'", "string", "O'Neil"), ("''", "string", ""), ("binary'Zm8='", "binary", b"fo"), ("binary'Zm8'", "binary", b"fo"),
        ("duration'P1DT2.5S'", "duration", "P1DT2.5S"), ("2024-02-29", "date", "2024-02-29"), ("-10000-04-01", "date", "-10000-04-01"),
        ("1972-06-30T23:59:60z", "dateTimeOffset", "1972-06-30T23:59:60Z"), ("07:59:59.999", "timeOfDay", "07:59:59.999"),
        ("ABCDEF01-89ab-cdef-0123-456789abcdef", "guid", "abcdef01-89ab-cdef-0123-456789abcdef"),
    ],
)  # fmt: skip
def test_literals(text, kind, value):
    found = parse_expression(text)
    assert (found.kind, found.value, type(found.value)) == (kind, value, type(value))


def test_positions_are_kept_and_left_out_of_comparison():
    left, right = parse_expression("  a eq 1"), parse_expression("a  eq  1")
    assert left == right
    assert hash(left) == hash(right)
    assert (left.at, left.left.at, left.right.at) == (4, 2, 7)


def test_every_way_to_ask_for_a_segment():
    call = a.Call("IsMemberOfSegment", (a.Literal("string", "Vip"),))
    for text in ("IsMemberOfSegment('Vip')", "IsMemberOfSegment(Vip)", "ismemberofsegment( 'Vip' )"):
        assert parse_expression(text) == call
    request = parse_request("Customer?$filter=CustomerId eq '1'&IsMemberOfSegment('Vip')")
    assert request.options[1] == o.Membership("Vip")
    assert request.predicate() == a.And((parse_expression("CustomerId eq '1'"), call))
    assert parse_request("Customer?IsMemberOfSegment(Vip)").predicate() == call
    assert print_request(request) == "Customer?$filter=CustomerId%20eq%20'1'&IsMemberOfSegment('Vip')"


def test_parts_are_split_before_they_are_decoded():
    request = parse_request("Customer('a%2Fb')/Orders?$filter=A eq 'x%26y%3Dz'&$top=1")
    assert request.path == a.Path((
        a.Name("Customer"), a.Arguments((a.Argument(None, a.Literal("string", "a/b")),)), a.Name("Orders"),
    ))  # fmt: skip
    assert request.option(o.Filter).predicate.right == a.Literal("string", "x&y=z")
    assert parse_request("Customer?%24filter=A%20eq%201") == parse_request("Customer?$filter=A eq 1")


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ("Customer?$filter=A EQ 1", OASIS, STRICT_40),
        ("Customer?$filter=CONTAINS(A,'x')", OASIS, STRICT_40),
        ("Customer?$TOP=1", OASIS, STRICT_40),
        ("Customer?$filter=(A)or(B)", CUSTOMER_INSIGHTS, OASIS),
        ("Customer?$filter= A eq 1 ", CUSTOMER_INSIGHTS, OASIS),
        ("Customer?$select=A, B", CUSTOMER_INSIGHTS, OASIS),
        ("Customer?$filter=not(A)", CUSTOMER_INSIGHTS, OASIS),
        ("Customer?$filter=A+eq+1", CUSTOMER_INSIGHTS, OASIS),
        ("Customer('a/b')", CUSTOMER_INSIGHTS, OASIS),
        ("crm.Contacts?$top=1", CUSTOMER_INSIGHTS, OASIS),
        ("Customer/42", OASIS, CUSTOMER_INSIGHTS),
        ("Customer?$top=1&$top=2", OASIS, CUSTOMER_INSIGHTS),
        ("Customer?other=1", OASIS, CUSTOMER_INSIGHTS),
        ("Customer?other=1", replace(CUSTOMER_INSIGHTS, custom_options=("other",)), CUSTOMER_INSIGHTS),
    ],
)
def test_each_switch_of_a_dialect_decides_one_thing(text, accepted, refused):
    parse_request(text, accepted)
    with pytest.raises(ODataSyntaxError):
        parse_request(text, refused)


def test_switches_that_change_the_reading():
    assert parse_expression("A eq NULL", CUSTOMER_INSIGHTS).right == a.Literal("null", None)
    assert parse_expression("A eq NULL", OASIS).right == member("NULL")
    assert parse_request("Customer?filter=A", OASIS).options == (o.Filter(member("A")),)
    assert parse_request("Customer?filter=A", STRICT_40).options == (o.Custom("filter", "A"),)
    vip = "Customer?IsMemberOfSegment('S')"
    assert parse_request(vip, OASIS).options == (o.Custom("IsMemberOfSegment('S')", None),)
    assert parse_request("Customer?$filter=A eq 'x%2By'").options[0].predicate.right.value == "x+y"


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("AND", q.Word("AND")),
        ("NOT NOT", q.Not(q.Word("NOT"))),
        ("AND OR NOT", q.AnyOf((q.Word("AND"), q.Word("NOT")))),
        ("a b OR c", q.AnyOf((q.AllOf((q.Word("a"), q.Word("b"))), q.Word("c")))),
        ("a AND NOT (b OR c)", q.AllOf((q.Word("a"), q.Not(q.AnyOf((q.Word("b"), q.Word("c"))))))),
        ("a%3Bb", q.Phrase("a;b")),
        ('"a b"', q.Phrase("a b")),
        ("'\"a'", q.Incomplete('"a')),
    ],
)
def test_search_has_a_grammar_of_its_own(text, term):
    assert parse_request(f"Customer?$search={text}", OASIS).option(o.Search).term == term


def test_words_side_by_side_are_the_dialects_business():
    a, b, c = (q.Word(t) for t in "abc")
    for text, vendor, oasis in [
        ("a b", q.AnyOf((a, b)), q.AllOf((a, b))),
        ("a b AND c", q.AllOf((q.AnyOf((a, b)), c)), q.AllOf((a, b, c))),
        ("a b NOT c", q.AllOf((q.AnyOf((a, b)), q.Not(c))), q.AllOf((a, b, q.Not(c)))),
        ("NOT a b", q.AllOf((b, q.Not(a))), q.AllOf((q.Not(a), b))),
        ("NOT a NOT b", q.AllOf((q.Not(a), q.Not(b))), q.AllOf((q.Not(a), q.Not(b)))),
    ]:
        request = parse_request(f"Customer?$search={text}")
        assert request.option(o.Search).term == vendor
        assert parse_request(f"Customer?$search={text}", OASIS).option(o.Search).term == oasis
        assert parse_request(print_request(request)) == request
    [item] = parse_request("Customer?$expand=Orders($search=a b)").options[0].items
    assert item.options == (o.Search(q.AnyOf((a, b))),)


def test_a_semicolon_parts_nested_options_and_an_escaped_one_does_not():
    [item] = parse_request("Customer?$expand=Orders($search=a%3Bb;$top=1)").options[0].items
    assert item.options == (o.Search(q.Phrase("a;b")), o.Top(1))


def test_paths_and_keys():
    keys = a.Arguments((a.Argument("A", a.Literal("integer", 1)), a.Argument("B", a.Path((a.Alias("b"),)))))
    assert parse_path("Orders(A=1,B=@b)/$count") == a.Path((a.Name("Orders"), keys, a.Count()))
    assert parse_path("Customers/O'Neil", OASIS).segments[1] == a.KeyText("O'Neil")
    assert parse_path("") == a.Path(())
    assert parse_path("Orders/$filter(A/B eq 'x')/$ref").segments[1:] == (
        a.Filtered(parse_expression("A/B eq 'x'")), a.System("$ref"),
    )  # fmt: skip


def test_apply_of_a_measure():
    [apply] = parse_request(
        "Orders?$apply=groupby((Customer/Country),aggregate(Amount with sum as Total))/topcount(3,Total)"
    ).options
    total = o.AggregateItem(member("Amount"), "sum", (), "Total")
    assert apply.steps == (
        o.GroupBy((o.Property(("Customer", "Country")),), (o.Aggregate((total,)),)),
        o.Rank("topcount", a.Literal("integer", 3), member("Total")),
    )


def test_the_readable_spelling():
    text = "NOT ( A EQ 1 )AND(B gt 2 or C in ( 'x' , 'y' ))and TOLOWER(D) eq 'z'"
    assert (
        print_expression(parse_expression(text)) == "not (A eq 1) and (B gt 2 or C in ('x','y')) and tolower(D) eq 'z'"
    )
