"""The small parts of a first project and of the command."""

import doctest
import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import unify.cli.draw
import unify.cli.output
import unify.cli.parsing
from unify.cli.output import printable
from unify.cli.parsing import spread
from unify.core.documents import parse_project
from unify.starter import scalar
from unify.starter_plan import BIRTH, EMAIL, FIRST, FULL, LAST, PHONE, Person, plan_lines

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


@pytest.mark.parametrize("module", [unify.cli.draw, unify.cli.output, unify.cli.parsing], ids=lambda m: m.__name__)
def test_examples_in_docstrings(module):
    assert doctest.testmod(module).failed == 0


@given(NAMES)
def test_a_name_of_a_column_survives_yaml(name):
    assert yaml.safe_load(f"key: {scalar(name)}")["key"] == name
    assert "\n" not in scalar(name)


LABELLED = st.dictionaries(st.sampled_from([EMAIL, PHONE, BIRTH, FULL, FIRST, LAST]), NAMES).filter(
    lambda labels: len(set(labels.values())) == len(labels)  # a column has one label
)


@given(LABELLED, st.integers(1, 3))
def test_every_plan_is_a_plan(labels, entities):
    """Whatever columns are called and whichever labels there are: what is written can be read, rules included."""
    types = {column: "date" if label == BIRTH else "string" for label, column in labels.items()}
    people = [Person(f"s.E{i}", labels, types) for i in range(entities)]
    count, lines = plan_lines(people)
    sources = "sources: {s: {" + ", ".join(f"E{i}: {{key: k}}" for i in range(entities)) + "}}\n"
    project = parse_project(sources + "\n".join(lines))
    if count == 0:
        assert lines == []
        assert EMAIL not in labels
        assert PHONE not in labels
        return
    plan = project.conflation
    rules = [r for p in plan.match for r in p.rules] + [r for d in plan.dedupe.values() for r in d.rules]
    assert len(rules) == count
    assert {c for r in rules for x in r.when for c in x.left_columns} <= set(labels.values())


def test_types_that_differ_make_no_rule():
    one = Person(
        "a.One", {EMAIL: "Mail", BIRTH: "Born", FULL: "Name"}, {"Mail": "string", "Born": "date", "Name": "string"}
    )
    two = Person(
        "b.Two", {EMAIL: "Mail", BIRTH: "Born", FULL: "Name"}, {"Mail": "string", "Born": "string", "Name": "string"}
    )
    text = "\n".join(plan_lines([one, two])[1])
    match = parse_project("sources: {a: {One: {key: k}}, b: {Two: {key: k}}}\n" + text).conflation.match[0]
    assert [r.name for r in match.rules] == ["e-mail and name"]


@given(st.lists(st.sampled_from(["--from", "--force", "a.csv", "b.csv", "-", "here"])))
def test_spreading_loses_no_argument(args):
    done = spread(args, "--from")
    assert [a for a in done if a != "--from"] == [a for a in args if a != "--from"]
    if "--from" not in args:
        assert done == args


@given(st.text())
def test_nothing_printable_is_changed_and_nothing_else_gets_through(text):
    shown = printable(text)
    assert not any(c in shown for c in map(chr, [*range(9), *range(10, 32), 127, *range(128, 160)]))
    plain = "".join(c for c in text if c in string.ascii_letters)
    assert printable(plain) == plain
