"""Nothing but a clean error, and soon: 20,000 malformed and hostile strings."""

import importlib.util
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from segments.odata import (
    CUSTOMER_INSIGHTS,
    OASIS,
    ODataSyntaxError,
    parse_expression,
    parse_request,
    print_request,
)
from segments.odata.syntax.limits import MAX_DEPTH, MAX_HEIGHT, MAX_LENGTH, MAX_TOKENS
from segments.odata.syntax.url import height
from unify.core.errors import QueryError

_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).parent / "hostile.py")
hostile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hostile)

BOUND = 0.1
"""Seconds of processor time that CI allows one string; measured worst on a 2-core machine: below 10 ms."""


def seconds(text, dialect):
    """The least of three: the collector of the test run itself may strike once."""
    found = []
    for _ in range(3):
        started = time.process_time()
        with suppress(ODataSyntaxError):
            parse_request(text, dialect)
        found.append(time.process_time() - started)
        if found[-1] < 0.005:
            break
    return min(found)


def outcome(text, dialect):
    """The tree or the error; anything but an ODataSyntaxError goes through and fails the test."""
    try:
        return parse_request(text, dialect), None
    except ODataSyntaxError as error:
        return None, error


@pytest.mark.parametrize(("dialect", "seed"), [(CUSTOMER_INSIGHTS, 1), (OASIS, 2)], ids=["customer_insights", "oasis"])
def test_ten_thousand_strings_give_a_tree_or_a_clean_error(dialect, seed, record_property):
    parsed, worst = 0, (0.0, "")
    for text in hostile.strings(10_000, seed):
        worst = max(worst, (seconds(text, dialect), text[:80]))
        tree, error = outcome(text, dialect)
        if error is not None:
            clean = isinstance(error, QueryError) and error.message and 0 <= error.position <= len(text)
            assert clean, text
            assert len(str(error)) < 1000, text
            continue
        parsed += 1
        printed = print_request(tree)
        if len(printed) <= MAX_LENGTH:  # percent-encoding triples what was barely short enough
            assert parse_request(printed, dialect) == tree, text
    record_property("worst_ms", round(worst[0] * 1000, 2))
    assert 300 < parsed < 5_000, "the strings should be mostly wrong, but not all"
    assert worst[0] < BOUND, worst


def at_depth(frames, action):
    """`action` called from that many frames further down, as from within a service."""
    return action() if frames == 0 else at_depth(frames - 1, action)


@pytest.mark.parametrize("nest", hostile.NESTED, ids=[n[0] for n in hostile.NESTED])
def test_a_level_too_many_is_refused_and_the_deepest_tree_can_be_used(nest):
    before, core, after = nest
    deepest = error = None
    for times in range(1, 2 * MAX_HEIGHT):
        tree, error = outcome("Customer?$filter=" + before * times + core + after * times, OASIS)
        if tree is None:
            break
        deepest = tree
    assert error is not None, "no limit was met"
    if before not in {"A in (", "A eq "}:  # these do not nest at all, or only as a chain
        assert "more than" in error.message
    if deepest is not None:
        assert height(deepest.options) <= MAX_HEIGHT

        def used():
            again = parse_request(print_request(deepest), OASIS)
            return again == deepest and hash(again) == hash(deepest) and repr(again) == repr(deepest)

        assert sys.getrecursionlimit() == 1000
        assert at_depth(150, used)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A eq 1 or " * 4000 + "A", "characters"),
        ("A in (" + "1," * MAX_TOKENS + "1)", "names, values and signs"),
        ("(" * (MAX_DEPTH + 1), "levels deep"),
        ("1" + " add 1" * (MAX_HEIGHT + 1), "chain of more than"),
        ("1" * 39, "38 digits"),
        ("a" * 129, "128 characters"),
    ],
)
def test_every_limit_says_which_it_is(text, words):
    with pytest.raises(ODataSyntaxError, match=words):
        parse_expression(text)


def test_a_list_of_a_thousand_ids_is_no_attack():
    ids = ",".join(f"'{i:028d}'" for i in range(1000))
    assert len(parse_expression(f"CustomerId in ({ids})").right.items) == 1000


def test_a_filter_of_ten_terms_is_read_in_well_under_a_millisecond(record_property):
    text = (
        "Name eq 'x' and Age gt 30 and (City eq 'Paris' or City eq 'Berlin') and contains(EMail,'@x') and Spend ge 10.5 "
        "and Born lt 2020-01-01 and not (Vip eq true) and Orders/any(o:o/Amount gt 5) and Country in ('DE','FR')"
    )
    best = min(_timed(text) for _ in range(20))
    record_property("filter_us", round(best * 1e6, 1))
    assert best < 0.002, "200 µs are the aim, met with 80; CI allows ten times as much"


def _timed(text):
    started = time.process_time()
    for _ in range(50):
        parse_expression(text)
    return (time.process_time() - started) / 50
