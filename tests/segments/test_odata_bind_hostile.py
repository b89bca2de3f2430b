"""Hostile and malformed questions: a tree or a QueryError, never anything else, and never slow."""

import random
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb
import pytest

from segments.odata import parse_expression, parse_option
from segments.odata.aggregation.query import apply_query
from segments.odata.binding.bind import bind_filter, bind_value
from segments.predicates.compile import Compiler
from unify.core.errors import QueryError
from unify.core.steps import Query

NAMES = [
    "City", "Rating", "BirthDate", "StartTime", "Opens", "Price", "Card", "Score", "Tags", "Vip", "TotalSpend", "UnifiedActivity",
    "Customer_Measure", "Customer", "a", "x", "Model.Vip", "$it", "$this", "$root/Customer", "@p", "@q", "@list", "ordinal", "any", "null",
]  # fmt: skip
LITERALS = [
    "1", "-1", "0.5", "1e300", "-1e-320", "INF", "-INF", "NaN", "'x'", "''", "'P1D'", "null", "true", "2024-01-31", "0000-01-01",
    "-9999-12-31", "99999-01-01", "9999-12-31T23:59:59.999999999999-14:00", "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z",
    "23:59:60", "23:59:59.999999999999", "duration'P999999999999999999D'", "duration'-PT0.000000000001S'", "binary'T0RhdGE'",
    "01234567-89ab-cdef-0123-456789abcdef", "9" * 38, "0." + "9" * 37, "Model.Colors'Red,4'", "Model.C'99999999999999999999'",
    "geography'SRID=0;Point(1 2)'", "[1,'x',null]", '[["x",1],[City]]', '{"a":1}', "'%'", "'(?'", "9223372036854775808", "-9223372036854775808",
]  # fmt: skip
SHAPES = [
    "{0} {op} {1}", "not {0}", "-{0}", "{f}({0})", "{f}({0},{1})", "{f}({0},{1},{2})", "{f}()", "{n}/any(x:{0})", "{n}/all(a:{0} {op} {1})",
    "{n}/$count($filter={0}) {op} {1}", "{n}/$filter({0})/any()", "{n}/aggregate({0} with {m})", "{n}/{n2}", "case({0}:{1},{2}:{0})",
    "cast({0},Edm.{t})", "isof({0},Edm.{t})", "cast(Edm.{t})", "{0} in ({l},{l2})", "{0} in {1}", "[{0},{1}] in {2}", "{0} has {l}",
    "({0})", "{n}({l})", "{n}('k')/{n2}", "IsMemberOfSegment({l})", "IsMemberOfSegment(Vip)", "{0} and {1}", "{0} or {1}",
]  # fmt: skip
FUNCTIONS = [
    "contains", "startswith", "indexof", "length", "substring", "concat", "trim", "matchesPattern", "tolower", "year", "hour", "date",
    "time", "now", "mindatetime", "maxdatetime", "totalseconds", "totaloffsetminutes", "fractionalseconds", "round", "floor", "ceiling",
    "hassubset", "hassubsequence", "isdefined", "geo.length", "tolowr",
]  # fmt: skip
TYPES = ["String", "Int32", "Int64", "Byte", "Decimal", "Double", "Date", "DateTimeOffset", "Duration", "Guid", "Boolean", "TimeOfDay", "Binary", "GeographyPoint"]  # fmt: skip
OPERATORS = ["eq", "ne", "lt", "ge", "add", "sub", "mul", "div", "divby", "mod", "and", "or", "EQ"]
METHODS = ["sum", "min", "max", "average", "countdistinct", "Custom.first", "summ"]
STEPS = [
    "filter({e})", "aggregate({e} with {m} as A)", "aggregate($count as N)", "groupby(({n}))", "groupby(({n}),aggregate({e} with {m} as A))",
    "groupby((rollup({n},{n2})),aggregate($count as N))", "topcount({l},{e})", "topsum({l},{e})", "bottompercent({l},{e})",
    "compute({e} as C)", "orderby({e} desc)", "top(1)", "skip(9223372036854775807)", "concat(identity,aggregate({e} with {m} as A))",
    "nest(identity as X)", "join({n} as J)", "aggregate({n})", "aggregate({e} with {m} from {n} with {m} as D)", "search(x)", "Model.f()",
]  # fmt: skip
SLOWEST = 0.5
"""Seconds of processor time; a thousandth of it is usual."""


def _load(name):
    spec = spec_from_file_location(f"_{name}", Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


functions = _load("test_odata_bind_functions")
MODEL = functions.MODEL


class Hostile:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def expression(self, depth):
        r = self.rng
        if depth <= 0:
            return r.choice(LITERALS) if r.random() < 0.5 else r.choice(NAMES)
        parts = [self.expression(depth - 1 - (r.random() < 0.5)) for _ in range(3)]
        return r.choice(SHAPES).format(
            *parts, op=r.choice(OPERATORS), f=r.choice(FUNCTIONS), n=r.choice(NAMES), n2=r.choice(NAMES), l=r.choice(LITERALS),
            l2=r.choice(LITERALS), m=r.choice(METHODS), t=r.choice(TYPES),
        )  # fmt: skip

    def sequence(self):
        r = self.rng
        steps = [
            r.choice(STEPS).format(e=self.expression(1), m=r.choice(METHODS), n=r.choice(NAMES), n2=r.choice(NAMES), l=r.choice(LITERALS))
            for _ in range(r.choice([1, 2, 3]))
        ]  # fmt: skip
        return "/".join(steps)

    def broken(self, text):
        """The text with a character more, less or changed."""
        r, at = self.rng, self.rng.randrange(len(text) + 1)
        return text[:at] + r.choice(["", "(", ")", "'", "/", " ", "\x00", "𝒳", ":"]) + text[at + r.choice([0, 1]) :]


def ends_well(work):
    """What the work gives, or None for a QueryError; anything else fails the test."""
    start = time.process_time()
    try:
        found = work()
    except QueryError as error:
        found, refused = None, error
        said = refused.message
    else:
        said = "an answer"
    assert said
    assert time.process_time() - start < SLOWEST
    return found


@pytest.fixture(scope="module")
def database():
    """One customer and one activity: what is accepted must not fail while it runs."""
    with duckdb.connect() as connection:
        functions.create(connection)
        yield connection


def survive(seed, count, connection):
    hostile, answered = Hostile(seed), 0
    aliases = {
        "p": parse_expression("@q"),
        "q": parse_expression("Rating add @p"),
        "list": parse_expression("[1,City]"),
    }
    for i in range(count):
        text = hostile.expression(hostile.rng.choice([1, 2, 3]))
        text = hostile.broken(text) if i % 4 == 0 else text
        tree = ends_well(lambda t=text: bind_filter(parse_expression(t), MODEL, aliases=aliases))
        value = ends_well(lambda t=text: bind_value(parse_expression(t), MODEL, aliases=aliases))
        if tree is not None or value is not None:
            answered += 1
            compiler = Compiler(MODEL.catalog, "Customer", functions.CLOCK)
            sql = compiler.value(value if tree is None else tree)
            run(Query(f"SELECT {sql} FROM {compiler.source}", compiler.params), connection, text)
        if i % 3 == 0:
            steps = hostile.sequence()
            applied = ends_well(lambda t=steps: apply_query(parse_option(f"$apply={t}"), MODEL, clock=functions.CLOCK))
            if applied is not None:
                run(applied.query, connection, steps)
    return answered


def run(query, connection, text):
    try:
        connection.execute(query.sql, query.params or None).fetchall()
    except duckdb.Error as error:
        pytest.fail(f"{text}\n{query}\n{error}")


def test_hostile_text_gives_a_tree_that_runs_or_a_query_error(database):
    assert survive(1, 1200, database) > 50


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
def test_20_000_hostile_texts(seed, database):
    survive(seed, 1000, database)


DEEP = {
    "parentheses": "(" * 49 + "true" + ")" * 49,
    "not": "not " * 49 + "true",
    "a chain of sums": "Rating" + " add Rating" * 140 + " gt 1",
    "a chain of comparisons": "Rating ge Rating" + " ge Rating" * 100,
    "case in case": "case(true:" * 40 + "1" + ")" * 40 + " eq 1",
    "comparisons in comparisons": "(" * 45 + "Rating ge Rating" + " ge Rating)" * 45,
    "lambdas": "".join(f"UnifiedActivity/any(a{i}:a{i}/Customer/" for i in range(40)) + "City eq 'x'" + ")" * 40,
    "many branches": "case(" + ",".join(f"Rating eq {i}:{i}" for i in range(200)) + ") eq 1",
    "many terms": " or ".join(f"City eq '{i}'" for i in range(500)),
    "a long list": "City in (" + ",".join(f"'{i}'" for i in range(1000)) + ")",
}


@pytest.mark.parametrize("kind", DEEP)
def test_deep_and_long_questions_end_well(kind):
    ends_well(lambda: bind_filter(parse_expression(DEEP[kind]), MODEL))


def test_large_questions_that_are_allowed_are_answered():
    assert ends_well(lambda: bind_filter(parse_expression(DEEP["many terms"]), MODEL)) is not None
    assert ends_well(lambda: bind_filter(parse_expression(DEEP["a long list"]), MODEL)) is not None
