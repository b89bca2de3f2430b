"""What is written reads back as exactly what was proposed, whatever columns and entities are called."""

from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import unify
from unify.core.documents import project_of, read_project
from unify.core.suggestions import SuggestedRule
from unify.proposal.text import project_text
from unify.spec import (
    ConflationPlan,
    Criterion,
    Evidence,
    Joined,
    JunkSpec,
    Limit,
    NormalizeStep,
    OrderedEntity,
    Project,
    Rule,
)
from unify.spec.conditions import Veto

ODD = [
    "Mail, private", 'said "so"', "it's", "a: b", "# no comment", "- dash", "{brace}", "[bracket]", "*star", "&and", "!bang", "100 %",
    "yes", "null", "1", "Größe", "名前", "tab\there", "two\nlines", "nel\x85", "sep\u2028", "bell\x07", "nbsp\xa0", "🙂", "back\\slash",
]  # fmt: skip


def written(project, rules):
    estimated = [
        SuggestedRule(name=r.name, kind="common", sentence="", precision=0.5, finds=0.4, adds=0.3) for r in rules
    ]
    return project_text(project, estimated, ["estimated from\nnothing"])


def plan_of_columns(one, other):
    """A project whose plan has these columns in every place that a column may stand in."""
    entities = ["crm.Contacts", "web.SignUps"]
    alike = Criterion(field=one, columns={"web.SignUps": (other, one)}, normalize=(NormalizeStep(kind="phone", argument="DE"),), compare="levenshtein", precision=80)  # fmt: skip
    joined = Criterion(field=other, columns={"crm.Contacts": (Joined(join=(one, other)),), "web.SignUps": ()})
    differs = Criterion(field=one, normalize=(NormalizeStep(kind="lower"),), differs=True)
    rules = (
        Rule(name=f"{one}, {other} alike", when=(alike, joined), unless=(Veto(all=(differs,)),)),
        Rule(name=one, when=(Criterion(field=one),), unless=(Veto(all=(differs, differs.model_copy(update={"field": other}))),)),
        Rule(name="evidence", score=(Evidence(field=one), Evidence(field=other, normalize=(), columns={"web.SignUps": (Joined(join=(one, other)),)}))),
    )  # fmt: skip
    plan = ConflationPlan(
        order=tuple(OrderedEntity(entity=e) for e in entities), rules=rules, junk=JunkSpec(detect=True),
        limits=(Limit(at_most_one="web.SignUps"), Limit(max_records=50)),
    )  # fmt: skip
    labels = {one: "Identity.Service.Email", other: "Person.FullName"}
    said = {
        "name": "odd",
        "sources": {"crm": {"Contacts": {"key": "Id", "labels": labels}}, "web": {"SignUps": {"key": other}}},
        "resolution": {"EMail": "most filled"},
    }
    return project_of(said).model_copy(update={"conflation": plan}), rules


@pytest.mark.parametrize("column", ODD)
def test_odd_columns_are_read_back(column, tmp_path):
    project, rules = plan_of_columns(column, "Plain")
    file = tmp_path / "project.yaml"
    file.write_text(written(project, rules), encoding="utf-8")
    assert read_project(file) == project


COLUMNS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=150).filter(
    lambda text: text.strip() == text
)


@settings(max_examples=100, deadline=None)
@given(COLUMNS, COLUMNS)
def test_any_columns_are_read_back(one, other):
    try:
        project, rules = plan_of_columns(one, other)
    except ValueError:
        assume(False)  # no column, or no rule, may be called that
    text = written(project, rules)
    assert Project.model_validate(yaml.safe_load(text)) == project


def test_every_rule_stands_under_its_estimate_and_comments_are_all_on_their_line():
    project, rules = plan_of_columns("two\nlines", "Plain")
    lines = written(project, rules).splitlines()
    for rule in rules:
        said = rule.name.replace("\n", " ")
        at = next(i for i, line in enumerate(lines) if line.strip().startswith(f"# {said}: 50 % precise"))
        assert lines[at + 1].strip().startswith("- name:")
    assert "  # estimated from nothing" in lines


def odd_frames():
    """People in two entities with odd names; every column's name would break careless YAML, or careless SQL."""
    given_ = ["Anna", "Bert", "Cleo", "Dora", "Emil", "Flora", "Gero", "Hanna", "Ivo", "Jule"]
    family = [
        "Quill",
        "Moss",
        "Fern",
        "Pike",
        "Stone",
        "Marsh",
        "Vale",
        "Brook",
        "Heath",
        "Thorn",
        "Wood",
        "Reed",
        "Lake",
    ]
    rows = [
        {"key": f"k{i}", "first": given_[i % 10], "last": family[i % 13], "mail": f"{given_[i % 10]}.{i}@mail.example".lower(),
         "one": f"2065550{100 + i}", "two": f"2075550{100 + 7 * i}", "born": f"19{50 + i % 40}-0{1 + i % 9}-1{i % 10}"}
        for i in range(120)
    ]  # fmt: skip
    a = [
        {"The: Key": r["key"], 'First "given"': r["first"], "Last, family": r["last"], "E-Mail: private": r["mail"],
         "Phone # 1": r["one"], "Phone # 2": r["two"], "Birth date's": r["born"]}
        for r in rows
    ]  # fmt: skip
    b = [{"Id": f"w{r['key']}", "Full Name": f"{r['first']} {r['last']}", "mail": r["mail"], "tel": r["two"], "dob": r["born"]} for r in rows[:80]]  # fmt: skip
    return {"crm.My Contacts": pa.Table.from_pylist(a), "web.Sign_Ups": pa.Table.from_pylist(b)}


def test_a_proposal_about_odd_names_is_read_back_and_runs(tmp_path):
    labels = {
        'First "given"': "Person.FirstName", "Last, family": "Person.LastName", "E-Mail: private": "Identity.Service.Email",
        "Phone # 1": "Identity.Service.Phone", "Phone # 2": "Identity.Service.Phone", "Birth date's": "Person.BirthDate",
    }  # fmt: skip
    frames = odd_frames()
    first, second = frames
    said = {
        "sources": {
            "crm": {first.split(".")[1]: {"key": "The: Key", "labels": labels}},
            "web": {"Sign_Ups": {"key": "Id"}},
        }
    }
    try:
        project_of(said)
    except unify.SpecError:  # an entity's name has no blanks: then the columns alone are odd
        frames = {"crm.Contacts": frames[first], second: frames[second]}
        said["sources"]["crm"] = {"Contacts": {"key": "The: Key", "labels": labels}}
    found = unify.suggest(said, frames=frames)
    file = tmp_path / "project.yaml"
    file.write_text(found.text, encoding="utf-8")
    assert read_project(file) == found.project
    columns = {a.label: a.columns for a in found.attributes}
    entity = next(iter(frames))
    assert columns["Identity.Service.Phone"][entity] == ["Phone # 1", "Phone # 2"]
    assert columns["Person.FullName"][entity] == ['First "given" + Last, family']
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(read_project(file), frames=frames, base=Path(tmp_path))
        assert acme.sql("SELECT count(*) AS n FROM Customer").rows() == [{"n": 120}]
