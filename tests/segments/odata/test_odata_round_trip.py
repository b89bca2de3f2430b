"""parse(print(tree)) == tree for every tree: invented trees of every kind, and every spelling of the same tree."""

import math
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.odata import (
    CUSTOMER_INSIGHTS,
    OASIS,
    parse_expression,
    parse_request,
    print_expression,
    print_request,
)
from segments.odata.syntax import ast as a
from segments.odata.syntax import ast_options as o
from segments.odata.syntax import ast_search as q
from segments.odata.syntax.limits import MAX_HEIGHT
from segments.odata.syntax.literals import NAN
from segments.odata.syntax.url import height

names = st.sampled_from(
    ["Name", "any", "eq", "and", "nullable", "trueflag", "allow_email", "in", "desc", "_x1", "Größe", "नाम", "filter", "case", "INFO", "as", "with", "date"]
)  # fmt: skip
dotted = st.builds(".".join, st.lists(names, min_size=2, max_size=3))
texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12)
digits = st.integers(-(10**37), 10**37)
literals = st.one_of(
    st.just(a.Literal("null", None)),
    st.booleans().map(lambda b: a.Literal("boolean", b)),
    digits.map(lambda n: a.Literal("integer", n)),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20).map(lambda d: a.Literal("decimal", Decimal(d))),
    st.floats(allow_nan=False).map(lambda f: a.Literal("double", f)),
    st.sampled_from([NAN, math.inf, -math.inf]).map(lambda f: a.Literal("double", f)),
    texts.map(lambda t: a.Literal("string", t)),
    st.uuids().map(lambda u: a.Literal("guid", str(u))),
    st.dates().map(lambda d: a.Literal("date", d.isoformat())),
    st.sampled_from(["-10000-04-01", "0000-02-29"]).map(lambda d: a.Literal("date", d)),
    st.times().map(lambda t: a.Literal("timeOfDay", t.isoformat())),
    st.datetimes().map(lambda d: a.Literal("dateTimeOffset", d.isoformat() + "Z")),
    st.datetimes().map(lambda d: a.Literal("dateTimeOffset", d.isoformat(timespec="milliseconds") + "-09:30")),
    st.sampled_from(["P1D", "-PT0.5S", "P3DT4H5M6.789S", "PT36H"]).map(lambda d: a.Literal("duration", d)),
    st.binary(max_size=9).map(lambda b: a.Literal("binary", b)),
    st.builds(a.EnumLiteral, dotted, st.lists(st.sampled_from(["Red", "Größe", "-4", "32"]), min_size=1, max_size=3).map(tuple)),
    st.builds(a.GeoLiteral, st.sampled_from(["geography", "geometry"]), st.integers(0, 99999), st.sampled_from(["Point(1 2)", "MultiPoint()", "Polygon((1 1,2 2,3 3,1 1))", "GeometryCollection(Point(1 2 3),LineString(1 1,-2.5 2e3))"])),
)  # fmt: skip


def expressions(inner):
    """One level more around `inner`."""
    lambdas = st.one_of(
        st.just(a.Lambda("any", None, None)), st.builds(a.Lambda, st.sampled_from(["any", "all"]), names, inner)
    )
    counts = st.one_of(
        st.just(a.Count()), st.builds(a.Count, st.one_of(inner.map(lambda e: (o.Filter(e),)), searches.map(lambda s: (o.Search(s),))))
    )  # fmt: skip
    named = st.lists(st.tuples(names, inner), max_size=3, unique_by=lambda p: p[0])
    parameters = st.builds(lambda items: a.Arguments(tuple(a.Argument(n, v) for n, v in items)), named)
    key = literals.map(lambda v: a.Arguments((a.Argument(None, v),)))
    steps = st.one_of(
        names.map(lambda n: (a.Name(n),)),
        dotted.map(lambda n: (a.Name(n),)),
        st.tuples(names.filter(lambda n: n not in {"any", "case", "date"}).map(a.Name), st.one_of(key, parameters)),
        st.builds(lambda t, q: (a.Annotation(t, q),), st.one_of(names, dotted), st.one_of(st.none(), names)),
        inner.map(lambda e: (a.Filtered(e),)),
    )
    starts = st.one_of(
        names.map(lambda n: (a.Name(n),)),
        st.sampled_from(["$it", "$this"]).map(lambda v: (a.Variable(v),)),
        names.map(lambda n: (a.Variable("$root"), a.Name(n))),
        names.map(lambda n: (a.Alias(n),)),
        dotted.map(lambda n: (a.Annotation(n),)),
    )
    ends = st.one_of(st.just(()), lambdas.map(lambda s: (s,)), counts.map(lambda s: (s,)))
    paths = st.builds(
        lambda start, middle, end: a.Path((*start, *(s for step in middle for s in step), *end)), starts, st.lists(steps, max_size=2), ends
    )  # fmt: skip
    types = st.builds(
        a.TypeName, st.one_of(names.filter(lambda n: n != "Collection"), dotted, st.just("Edm.String")), st.booleans()
    )
    two = st.lists(inner, min_size=2, max_size=4).map(tuple)
    binary = ["eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "div", "divby", "mod"]
    return st.one_of(
        paths,
        st.builds(a.Binary, st.sampled_from(binary), inner, inner),
        st.builds(lambda left, items: a.Binary("in", left, a.ValueList(tuple(items))), inner, st.lists(literals, max_size=3)),
        st.builds(lambda left, right: a.Binary("in", left, right), inner, inner.filter(lambda e: not isinstance(e, LITERAL))),
        st.builds(lambda left, right: a.Binary("has", left, right), inner, literals.filter(lambda e: isinstance(e, a.EnumLiteral) or (isinstance(e, a.Literal) and e.kind == "string"))),
        st.builds(a.And, two), st.builds(a.Or, two),
        st.builds(a.Unary, st.sampled_from(["not", "-"]), inner),
        st.builds(lambda x, y: a.Call("contains", (x, y)), inner, inner),
        st.builds(lambda x: a.Call("matchesPattern", (x, x)), inner),
        st.just(a.Call("now", ())),
        texts.filter(bool).map(lambda t: a.Call("IsMemberOfSegment", (a.Literal("string", t),))),
        st.builds(a.Case, st.lists(st.tuples(inner, inner), min_size=1, max_size=2).map(tuple)),
        st.builds(a.Cast, st.one_of(st.none(), inner), types), st.builds(a.IsOf, st.one_of(st.none(), inner), types),
        st.builds(a.Array, st.lists(inner, max_size=3).map(tuple)),
        st.builds(lambda d: a.Object(tuple(d.items())), st.dictionaries(texts, inner, max_size=2)),
    )  # fmt: skip


LITERAL = (a.Literal, a.EnumLiteral, a.GeoLiteral)
words = st.one_of(
    st.sampled_from(["AND", "OR", "NOT", "blue", "08/15", "Daniel's", "$search", "Δ"]).map(q.Word),
    texts.filter(lambda t: t and '"' not in t).map(q.Phrase),
)
searches = st.recursive(
    words,
    lambda inner: st.one_of(
        inner.map(q.Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda t: q.AllOf(tuple(t))),
        st.lists(inner, min_size=2, max_size=3).map(lambda t: q.AnyOf(tuple(t))),
    ),
    max_leaves=6,
)
trees = st.recursive(st.one_of(literals, names.map(lambda n: a.Path((a.Name(n),)))), expressions, max_leaves=8)
small = st.recursive(st.one_of(literals, names.map(lambda n: a.Path((a.Name(n),)))), expressions, max_leaves=3)
plain_paths = st.lists(names, min_size=1, max_size=3).map(tuple)
orders = st.lists(st.builds(o.OrderItem, small, st.booleans()), min_size=1, max_size=2).map(tuple)
computes = st.lists(st.builds(o.ComputeItem, small, names), min_size=1, max_size=2).map(tuple)
methods = st.sampled_from(["sum", "countdistinct", "Custom.tsp"])
aggregates = st.one_of(
    st.builds(o.AggregateItem, small, methods, st.lists(st.builds(o.From, st.lists(plain_paths, min_size=1, max_size=2).map(tuple), methods), max_size=2).map(tuple), names),
    names.map(lambda n: o.AggregateItem(a.Path((a.Name(n),)))),
    names.map(lambda n: o.AggregateItem(a.Path((a.Count(),)), alias=n)),
)  # fmt: skip
hierarchies = st.builds(
    lambda n, q, p: o.HierarchyReference(a.Path((a.Variable("$root"), a.Name(n))), q, p), names, names, plain_paths
)


def sequences(inner):
    """One level more of transformations."""
    keeping = st.builds(lambda e: (o.Filter(e),), small)
    one = st.one_of(
        st.builds(o.GroupBy, st.lists(st.one_of(plain_paths.map(o.Property), st.lists(plain_paths, min_size=2, max_size=3).map(lambda p: o.Rollup(tuple(p))), names.map(lambda n: o.Rollup(((n,),))), st.builds(o.RollupRecursive, hierarchies, keeping)), min_size=1, max_size=3).map(tuple), st.one_of(st.just(()), inner)),
        st.builds(o.Concat, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(o.Nest, st.one_of(st.just(()), plain_paths), st.lists(st.tuples(inner, names), min_size=1, max_size=2).map(tuple)),
        st.builds(o.Join, plain_paths, names, st.one_of(st.just(()), inner), st.booleans()),
        st.builds(o.Hierarchy, st.sampled_from(["ancestors", "descendants"]), hierarchies, keeping, st.one_of(st.none(), st.integers(0, 9)), st.booleans()),
        st.builds(o.Traverse, hierarchies, st.sampled_from(["preorder", "postorder"]), st.one_of(st.just(()), keeping), st.one_of(st.just(()), orders)),
    )  # fmt: skip
    return st.builds(lambda step, rest: (step, *rest), one, inner)


leaves = st.one_of(
    st.builds(o.Aggregate, st.lists(aggregates, min_size=1, max_size=2).map(tuple)),
    st.builds(o.Rank, st.sampled_from(["topcount", "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent"]), small, small),
    small.map(o.Filter), searches.map(o.Search), orders.map(o.OrderBy), computes.map(o.Compute), st.just(o.Identity()),
    st.integers(0, 99).map(o.Top), st.integers(0, 99).map(o.Skip),
    st.builds(lambda n, v: o.CustomTransformation(n, (a.Argument("Count", v),)), dotted, small),
)  # fmt: skip
applies = st.recursive(leaves.map(lambda step: (step,)), sequences, max_leaves=4)


def expands(inner):
    """Nested options around `inner`."""
    return st.one_of(
        st.builds(lambda p, i: o.Expand((o.ExpandItem(p, "", i),)), plain_paths, inner),
        st.builds(lambda p, i: o.Select((o.SelectItem(p, (), i),)), plain_paths, inner.filter(lambda options: not any(isinstance(x, o.Expand | o.Apply | o.Levels) for x in options))),
    ).map(lambda option: (option,))  # fmt: skip


shared = st.one_of(
    trees.map(o.Filter), searches.map(o.Search), orders.map(o.OrderBy), st.integers(0, 2**63 - 1).map(o.Top), st.integers(0, 9).map(o.Skip),
    st.booleans().map(o.CountOption), computes.map(o.Compute), st.builds(o.AliasValue, names, trees),
)  # fmt: skip
nested = st.recursive(shared.map(lambda option: (option,)), expands, max_leaves=3)
options = st.one_of(
    shared, applies.map(o.Apply), nested.map(lambda n: o.Expand((o.ExpandItem(("Orders",), "", n), o.ExpandItem(("*",), "$ref")))),
    st.just(o.Select((o.SelectItem(("*",)), o.SelectItem(("Model.*",)), o.SelectItem(("F",), ("x", "y")), o.SelectItem(("@Core.Messages#q",))))),
    st.integers(-9, 9).map(o.Index), texts.filter(bool).map(lambda t: o.Text("$skiptoken", t)), st.just(o.Text("$format", "text/csv")),
)  # fmt: skip
keys = literals.map(lambda v: (a.Arguments((a.Argument(None, v),)),))
resources = st.one_of(
    st.builds(lambda n, k: a.Path((a.Name(n), *k)), names, st.one_of(st.just(()), keys)),
    st.builds(lambda n, k, e: a.Path((a.Name(n), *k, e)), names, keys, st.one_of(st.just(a.Count()), st.just(a.System("$ref")), small.map(a.Filtered), dotted.map(a.Name))),
    st.just(a.Path((a.Crossjoin(("A", "B")),))), st.just(a.Path(())),
)  # fmt: skip
settled = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=250, derandomize=True)


@pytest.mark.parametrize("dialect", [CUSTOMER_INSIGHTS, OASIS], ids=["customer_insights", "oasis"])
@settled
@given(tree=trees)
def test_every_expression_survives_printing(tree, dialect):
    printed = print_expression(tree)
    assert parse_expression(printed, dialect) == tree, printed


@pytest.mark.parametrize("dialect", [CUSTOMER_INSIGHTS, OASIS], ids=["customer_insights", "oasis"])
@settled
@given(path=resources, parts=st.lists(options, max_size=2, unique_by=type))
def test_every_request_survives_printing(path, parts, dialect):
    request = o.Request(path, tuple(parts))
    if path.segments or parts:
        printed = print_request(request)
        assert parse_request(printed, dialect) == request, printed


@settled
@given(tree=trees)
def test_height_is_counted_as_one_would_by_hand(tree):
    def slow(node):
        if isinstance(node, tuple):
            return max((slow(item) for item in node), default=0)
        if not hasattr(node, "__dataclass_fields__"):
            return 0
        return 1 + max((slow(getattr(node, name)) for name in node.__slots__), default=0)

    assert height(tree) == slow(tree) <= MAX_HEIGHT


@pytest.mark.parametrize(
    "tree",
    [
        a.Path((a.Name("null"),)), a.Path((a.Name("not"),)), a.Path((a.Name("a b"),)), a.Path((a.Name("1a"),)), a.Path((a.Alias("x.y"),)),
        a.Literal("string", "\x00"), a.And((a.Literal("null", None),)),
    ],
    ids=repr,
)  # fmt: skip
def test_a_tree_that_no_text_can_say_is_refused(tree):
    with pytest.raises(ValueError, match=r"name|attribute|spelt|two terms"):
        print_expression(tree)
