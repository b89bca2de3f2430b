"""What a wrong question is told: where, what was expected, what to write instead."""

import pytest

from segments.odata import CUSTOMER_INSIGHTS, OASIS, ODataSyntaxError, parse_expression, parse_options, parse_request
from unify.core.errors import QueryError

BAD = {
    # question: (position, words of the message, words of the hint)
    "Customer?$filter=Naem eqq 'x'": (22, "unexpected 'eqq'; expected an operator", "did you mean eq?"),
    "Customer?$filter=contians(Name,'x')": (17, "no function 'contians'", "did you mean contains?"),
    "Customer?$filter=length(Name,2) eq 1": (17, "length takes 1 argument, not 2", ""),
    "Customer?$filter=substring(Name)": (17, "substring takes 2 or 3 arguments, not 1", ""),
    "Customer?$fitler=A eq 1": (9, "there is no option '$fitler'", "did you mean $filter?"),
    "Customer?fitler=A eq 1": (9, "there is no option 'fitler'", "did you mean $filter?"),
    "Customer?$filter=A = 1": (19, "unexpected '='", "write eq"),
    "Customer?$filter=A != 1": (19, "!= is no operator", "write ne"),
    "Customer?$filter=A >= 1": (19, ">= is no operator", "write ge"),
    "Customer?$filter=A eq 'x": (22, "the text is not closed", "written two"),
    'Customer?$filter=A eq "x"': (22, "double quotes", "single quotes"),
    "Customer?$filter=A eq 2021-02-29": (22, "there is no day 2021-02-29", ""),
    "Customer?$filter=A eq 25:00": (22, "there is no time 25:00", ""),
    "Customer?$filter=A eq 2020-02-03T10:00:00": (22, "a time without its offset", "add Z"),
    "Customer?$filter=A gt 2020-02-03T10:00:00+01:00": (22, "a time without its offset", "%2B01:00"),
    "Customer?$filter=A eq duration'P1Y'": (22, "not a duration", "no fixed length"),
    "Customer?$filter=A eq 1e999": (22, "beyond the range of a double", "INF"),
    "Customer?$filter=A eq %zz": (22, "'%' without two hexadecimal digits", "%25"),
    "Customer?$filter=A eq '%C3'": (23, "not UTF-8", ""),
    "Customer?$filter=A eq '%00'": (23, "NUL", ""),
    "Customer?$filter=K%C3%B6ln eqq 1": (27, "unexpected 'eqq'", "did you mean eq?"),
    "Customer?$filter=any(x:x eq 1)": (17, "any needs a collection in front", "Orders/any"),
    "Customer?$filter=Orders/all()": (24, "all needs a variable", "Orders/all"),
    "Customer?$filter=A in (1,B)": (25, "unexpected 'B'; expected a literal", ""),
    "Customer?$filter=A eq (1,2)": (24, "on the right of `in` alone", ""),
    "Customer?$filter=cast(A,Edm.Strng) eq 1": (24, "there is no type Edm.Strng", "did you mean String?"),
    "Customer?$filter=IsMemberOfSegment()": (35, "the name of a segment", ""),
    "Customer?$filter=$itt eq 1": (17, "unexpected '$itt'", "did you mean $it?"),
    "Customer?$filter=(A eq 1": (24, "unexpected the end; expected ')'", ""),
    "Customer?$filter=A eq 1 or": (26, "unexpected the end", ""),
    "Customer?$filter=": (17, "unexpected the end", ""),
    "Customer?$filter=A eq 1&$filter=B eq 2": (24, "$filter stands twice", "and"),
    "Customer?$filter": (16, "$filter has no value", ""),
    "Customer?$orderby=A dsc": (20, "unexpected 'dsc'", "desc"),
    "Customer?$top=-1": (14, "unexpected '-1'", ""),
    "Customer?$top=99999999999999999999": (14, "beyond 64 bits", ""),
    "Customer?$count=yes": (16, "unexpected 'yes'; expected true or false", ""),
    "Customer?$levels=2": (9, "stands inside $expand", "$levels=2"),
    "Customer?$expand=Orders($orderbuy=A)": (24, "unexpected '$orderbuy'", "did you mean $orderby?"),
    "Customer?$expand=Orders($top=1;$top=2)": (31, "the option stands twice", ""),
    "Customer?$select=*/A": (18, "unexpected '/'", ""),
    "Customer?$search=": (17, "unexpected the end", ""),
    'Customer?$search="a': (17, "empty or not closed", ""),
    "Customer?$search=a;b": (18, "a semicolon", "%3B"),
    "Customer?$apply=agregate(A with sum as B)": (16, "unexpected 'agregate'", "did you mean aggregate?"),
    "Customer?$apply=aggregate(A with summ as B)": (33, "unexpected 'summ'", "did you mean sum?"),
    "Customer?$apply=aggregate(A with sum)": (36, "expected as and an alias", ""),
    "Customer?@p": (11, "@p has no value", ""),
    "Customer?@p.q=1": (9, "no parameter alias", ""),
    "Customer/$cuont": (9, "there is no '$cuont'", "did you mean $count?"),
    "Customer/$count/Name": (16, "nothing may follow $count", ""),
    "Customer(Id=wrong)": (12, "literals or @aliases", ""),
    "Customer('a','b')": (0, "several values need names", "OrderId=1"),
    "Customer(A=1,A=2)": (13, "the parameter A stands twice", ""),
    "Customer/42": (9, "'42' is no name", "Customer('42')"),
    "Customer//Orders": (9, "an empty segment", ""),
    "Customer%2FOrders": (0, "no name", ""),
    "Customer?$filter=A#b": (18, "a # begins a fragment", "%23"),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=str)
def test_a_wrong_question_is_told_where_and_what_to_write(text):
    position, message, hint = BAD[text]
    with pytest.raises(ODataSyntaxError) as caught:
        parse_request(text)
    error = caught.value
    assert (error.position, message in error.message, hint in error.hint) == (position, True, True), str(error)


def test_a_set_is_named_with_its_source_where_the_dialect_has_sources():
    assert parse_request("crm.Contacts") == parse_request("crm.Contacts", CUSTOMER_INSIGHTS)
    with pytest.raises(ODataSyntaxError, match="has a dot"):
        parse_request("Model.Customer", OASIS)


def test_the_error_is_a_query_error_with_its_position_for_machines():
    with pytest.raises(QueryError) as caught:
        parse_request("Customer?$filter=A eqq 1")
    assert caught.value.exit_code == 7
    assert caught.value.as_dict() == {
        "error": "ODataSyntaxError",
        "message": "unexpected 'eqq'; expected an operator such as eq or and, or the end",
        "where": "$filter, character 20",
        "hint": "did you mean eq?",
        "position": "19",
        "expected": "an operator such as eq or and, or the end",
    }


def test_messages_repeat_no_more_of_a_long_text_than_a_line():
    with pytest.raises(ODataSyntaxError) as caught:
        parse_expression("A eq 1 " + "x" * 20_000)
    assert len(str(caught.value)) < 300


def test_an_option_of_others_is_passed_on_by_the_published_dialect_alone():
    assert parse_options("fitler=1", OASIS)[0].name == "fitler"
    with pytest.raises(ODataSyntaxError, match="there is no option"):
        parse_options("fitler=1")
