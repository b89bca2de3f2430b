"""Another engine must be able to run our Steps: each parses, and uses only functions of a declared list.

`portable_functions.txt` says of every function how another engine (Spark) comes by it. The steps are those of real runs:
the sample, and a plan that uses every normaliser and every comparison in every shape of rule.
"""

import re
from pathlib import Path
from typing import get_args

import pytest
import sqlglot
from sqlglot import exp

import unify
from unify.engines.duckdb import DuckDBEngine
from unify.spec.conditions import ComparisonKind, NormalizerKind

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "sample_data" / "project.yaml"
LISTED = re.findall(r"^(\w+) ", (HERE / "portable_functions.txt").read_text(encoding="utf-8"), re.MULTILINE)
OURS = re.compile(r"UNIFY_\w+")
"""Functions that the Engine is handed with `define`: every engine registers them under this name."""

PEOPLE = [
    {"id": f"p{i}", "name": name, "mail": f"{name[:3]}@mail.example", "phone": f"+1 555 010 0{i:03}", "born": f"19{70 + i}-02-03", "points": 10 * i}
    for i, name in enumerate(["Anna Lopez", "Ana Lopez", "Bob Smith & Co", "Robert Smith", "Ελένη Κώστα", "Eleni Kosta"])
]  # fmt: skip
FUZZY = {"number": {"field": "points", "within": 10}, "date": {"field": "born", "within": 1, "swap": True}, "prefix": {"field": "name", "within": 3}}  # fmt: skip
EXACT = {"field": "mail", "normalize": ["lower"]}


def condition(kind):
    if kind in FUZZY:
        return {"compare": kind, **FUZZY[kind]}
    return {"field": "name", "compare": kind} | ({} if kind in ("exact", "phonetic") else {"precision": 80})


def everything():
    """A plan with every comparison alone and beside an exact condition, every normaliser, limits and a cluster."""
    lists = {"alias": {"alias": "same"}, "bypass": {"bypass": "junk"}, "phone": {"phone": "US"}}
    steps = [lists.get(kind, kind) for kind in get_args(NormalizerKind)]
    rules = [
        *({"name": f"{kind} alone", "when": [condition(kind)]} for kind in get_args(ComparisonKind)),
        *({"name": f"{kind} and mail", "when": [EXACT, condition(kind)]} for kind in get_args(ComparisonKind)),
        *({"name": str(step), "when": [{"fields": ["name", "phone"], "normalize": [step]}]} for step in steps),
        {"name": "all of them", "when": [{"field": "name", "normalize": steps}], "unless": [{"field": "born", "differs": True}]},
    ]  # fmt: skip
    return {
        "name": "everything",
        "sources": {"one": {"People": {"key": "id", "columns": {"born": "date"}}}, "two": {"People": {"key": "id", "columns": {"born": "date"}}}},
        "lists": {"same": {"kind": "alias", "pairs": [["Ana", "Anna"]]}, "junk": {"kind": "bypass", "values": ["x"]}},
        "conflation": {
            "order": ["one.People", "two.People"],
            "dedupe": {"one.People": rules, "two.People": {"rules": rules[:2], "winner": "most recent by born"}},
            "match": {"two.People -> one.People": rules},
            "limits": [{"never_two": "born"}, {"at_most_one": "two.People"}],
        },
        "resolution": {"mail": "most recent by born", "phone": "least recent by born", "points": "most filled"},
        "clusters": {"house": {"rules": [{"name": "mail", "when": [EXACT]}]}},
    }  # fmt: skip


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """Every distinct SELECT that two runs of the sample and two of `everything` built, and what it makes."""
    built = {}
    build = DuckDBEngine.build

    def noting(engine, step):
        built.setdefault(step.query.sql, step.makes)
        return build(engine, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDBEngine, "build", noting)
        with unify.open(tmp_path_factory.mktemp("sample") / "instance", create=True) as sample:
            for _ in range(2):
                sample.run(SAMPLE)
        with unify.open(tmp_path_factory.mktemp("every") / "instance", create=True) as every:
            for _ in range(2):
                every.run(everything(), frames={"one.People": PEOPLE, "two.People": PEOPLE})
    assert len(built) > 300, "the runs built too little to say anything"
    return built


def functions(sql):
    """Names of the functions that one SELECT calls."""
    for tree in sqlglot.parse(sql, read="duckdb"):
        assert tree is not None
        assert not list(tree.find_all(exp.Command)), "sqlglot gave up on it"
        for call in tree.find_all(exp.Func):
            if not isinstance(call, exp.Connector | exp.Case | exp.If | exp.Cast | exp.TryCast | exp.Exists):
                yield (call.name if isinstance(call, exp.Anonymous) else call.sql_name()).upper()


def test_every_step_parses_and_uses_portable_functions_only(steps):
    foreign = {}
    for sql, makes in steps.items():
        for name in functions(sql):
            if name not in LISTED and not OURS.fullmatch(name):
                foreign.setdefault(name, makes)
    assert foreign == {}, f"function, and a table whose step uses it: {sorted(foreign.items())}"


def test_the_list_holds_nothing_that_nobody_uses(steps):
    used = {name for sql in steps for name in functions(sql)}
    assert sorted(set(LISTED) - used) == []
    assert sorted(LISTED) == LISTED


def test_no_step_orders_a_list_while_gathering_it(steps):
    """Spark's collect_list has no ORDER BY, and sqlglot drops it without a word: sort the finished list instead."""
    ordered = [
        makes
        for sql, makes in steps.items()
        for tree in sqlglot.parse(sql, read="duckdb")
        for call in tree.find_all(exp.ArrayAgg)
        if isinstance(call.this, exp.Order)
    ]
    assert ordered == []


def test_a_function_that_is_not_listed_is_seen():
    assert list(functions("SELECT median(x) FROM t")) == ["MEDIAN"]
    assert "MEDIAN" not in LISTED
