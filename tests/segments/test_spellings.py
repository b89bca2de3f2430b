"""Spellings into each other: what was said comes back, what one cannot say is named."""

import json
import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import unify
from segments.lowering import lower
from segments.model import Model
from segments.predicates.tree_json import to_json
from segments.spellings.convert import convert, read
from unify.cli.app import app
from unify.core.documents import segment_of
from unify.core.errors import QueryError, UnifyError
from unify.spec import Project, Segment


def _load(name):
    if name not in sys.modules:
        spec = spec_from_file_location(name, Path(__file__).parents[1] / "oracles" / f"{name}.py")
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


making = _load("predicate_trees")
PROJECT = Project.model_validate({"sources": {"crm": {"Contacts": {"key": "ContactId", "files": "x.csv"}}}})
MODEL = Model(making.CATALOG, PROJECT)

SAID = [
    "Spend ge 100.5 and not IsMemberOfSegment('staff')",
    "City in ('Bern','Ulm') or Town/Name eq 'Bern'",
    "Orders/any(x1:x1/Amount gt Spend) and Orders/$count gt 3",
    "startswith(Name,'O''H') and Seen lt 2024-03-31T01:30:00Z",
]


def tree(said, spelling=None):
    return lower(read(said, spelling=spelling), MODEL).expr


@pytest.mark.parametrize("text", SAID)
@pytest.mark.parametrize("way", [("sentence",), ("json",), ("yaml",), ("sentence", "yaml", "json", "sentence")])
def test_odata_goes_around_and_comes_back(text, way):
    said = text
    for spelling in way:
        said = convert(said, spelling, MODEL)
    assert convert(said, "odata", MODEL) == text
    assert tree(said) == tree(text)


@pytest.mark.parametrize("seed", range(3))
def test_random_trees_go_around_without_loss(seed):
    trees = making.Trees(random.Random(f"spellings {seed}"))
    gone = 0
    for i in range(60):
        expr = trees.predicate(["Customer"], i % 4)
        try:
            said = convert(to_json(expr), "sentence", MODEL)
        except UnifyError:  # random trees may compare what does not compare
            continue
        for spelling in ("yaml", "json", "yaml", "sentence"):
            told = convert(said, spelling, MODEL, spelling=None if gone % 2 else _of(said))
            said = told
        assert tree(said, "sentence") == expr
        gone += 1
    assert gone > 40


def _of(said):
    return "json" if said.startswith("{") else "yaml" if said.startswith("where:") else "sentence"


@pytest.mark.parametrize(
    ("said", "spelling"),
    [
        ("Spend gt 5", "odata"),
        ("contains(City,'is one of')", "odata"),
        ("Town/Name eq null", "odata"),
        ("Spend is at least 5", "sentence"),
        ('City contains "eq"', "sentence"),
        ("has Orders for which Paid", "sentence"),
        ("Vip", "sentence"),
        ("where: Vip", "yaml"),
        ("all:\n  - Vip\n  - Spend gt 5", "yaml"),
        ('{"where": "Vip"}', "json"),
        ('{"kind": "field", "name": "Vip"}', "json"),
    ],
)
def test_the_spelling_is_told_from_the_text(said, spelling):
    assert tree(said) == tree(said, spelling)


def test_a_definition_keeps_everything_beside_its_condition():
    segment = segment_of(
        "vip", {"where": "Spend gt 5", "title": "Very important", "tags": ["a"], "timezone": "Europe/Berlin"}
    )
    body = yaml.safe_load(convert(segment, "yaml", MODEL))
    assert {k: v for k, v in body.items() if k != "where"} == {"title": "Very important", "tags": ["a"], "timezone": "Europe/Berlin"}  # fmt: skip
    again = segment_of("vip", body)
    assert lower(again, MODEL).expr == lower(segment, MODEL).expr
    criteria = segment_of("vip", {"where": {"any": ["Vip", {"attribute": "City", "equals": "Bern"}]}})
    assert json.loads(convert(criteria, "json", MODEL)) == {"where": {"any": ["Vip", {"attribute": ["City"], "equals": ["Bern"]}]}}  # fmt: skip


def test_blocks_are_spoken_and_have_no_odata():
    segment = segment_of("best", {"where": {"all": [{"top": 10, "by": "Spend"}, "Vip"]}})
    said = convert(segment, "sentence", MODEL)
    assert said.startswith("‹among the top 10")
    assert said.endswith("› and Vip")
    with pytest.raises(QueryError, match="no spelling for: among the top 10"):
        convert(segment, "odata", MODEL)
    with pytest.raises(QueryError, match="is not read back"):
        convert(said, "odata", MODEL)
    assert segment_of("best", yaml.safe_load(convert(segment, "yaml", MODEL))) == segment


@pytest.mark.parametrize(
    ("said", "options", "message"),
    [
        ("Vip", {"to": "sql"}, "no spelling 'sql'"),
        ("Vip", {"to": "odata", "spelling": "sql"}, "no spelling 'sql'"),
        ("Spent gt 5", {"to": "sentence"}, "did you mean Spend"),
        ("Spend exceeds 5", {"to": "odata"}, "position 6"),
        ('{"where": }', {"to": "odata"}, "line 1"),
        ('{"wher": "Vip"}', {"to": "odata"}, "wher"),
        ("where: [", {"to": "odata"}, "line"),
        ('City whatever its case equals "x"', {"to": "odata"}, "was not expected"),
        ('(City whatever its case) equals "x"', {"to": "odata"}, "no spelling for: City whatever its case"),
    ],
)
def test_what_cannot_be_converted(said, options, message):
    with pytest.raises(UnifyError, match=f"(?s){message}"):
        convert(said, model=MODEL, **options)


def test_a_sentence_may_stand_in_a_definition():
    segment = Segment(where={"all": [{"sentence": "has Orders for which Paid"}, {"related": "Orders", "where": {"sentence": "Amount is at least 5"}}]})  # fmt: skip
    assert (
        convert(segment, "sentence", MODEL)
        == "(has Orders for which Paid) and (has Orders for which Amount is at least 5)"
    )
    with pytest.raises(UnifyError, match=r"(?s)segments\.x\.where.sentence.*did you mean Spend"):
        lower(Segment(where={"sentence": "Spent is at least 5"}), MODEL, name="x")


def test_on_the_command_line(tmp_path):
    def said(*words):
        found = CliRunner().invoke(app, ["segment", *words, "--instance", str(tmp_path / "i")])
        return found.exit_code, found.output.strip()

    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(Path(__file__).parents[2] / "sample_data" / "project.yaml")
    code, sentence = said("convert", "--where", "City eq 'Bern' and web_Orders/any()", "--to", "sentence")
    assert (code, sentence) == (0, 'City is the same as "Bern" and has web_SignUps.orders')
    code, text = said("convert", "--where", sentence, "--to", "odata")
    assert (code, text) == (0, "City eq 'Bern' and web_SignUps/orders/any()")
    assert said("create", "bern", text)[0] == 0
    assert said("convert", "bern", "--to", "odata") == (0, text)
    code, told = said("convert", "--to", "odata")
    assert code != 0
    assert "one of NAME" in told
