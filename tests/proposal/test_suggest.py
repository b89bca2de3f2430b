"""`suggest` as people use it: from data to a plan that is right, from nonsense to an error that says what to do."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
import yaml

import unify
from benchmarks import score
from unify.core.documents import read_project
from unify.core.errors import InstanceNotFoundError, SourceError, SpecError, StoreError
from unify.proposal import run as run_module

ROOT = Path(__file__).parents[2]
DATA = ROOT / ".." / "shared" / "data"
CRM, SHOP = "crm.Contacts", "shop.Buyers"


@pytest.fixture(scope="module")
def found(world):
    return unify.suggest(world.said, frames=world.frames)


def quality(project, frames, person, folder, base=None):
    """Pairwise score of the customers that a run of the plan makes; `person`: (entity, key) → person."""
    with unify.open(folder / "i", create=True) as acme:
        acme.run(project, frames=frames, **({"base": base} if base else {}))
        rows = acme.sql("SELECT entity, key, ordinal FROM members").rows()
    assert len(rows) == len(person)
    return score.pairwise([r["ordinal"] for r in rows], [person[r["entity"], r["key"]] for r in rows])


def test_accepted_unread_the_plan_finds_the_people(world, found, tmp_path):
    right = quality(found.project, world.frames, world.person, tmp_path)
    assert right.precision >= 0.9, right
    assert right.f1 >= 0.925, right


def test_columns_of_two_systems_are_brought_together(found):
    columns = {a.name: a.columns for a in found.attributes if a.used}
    assert {tuple(sorted(own)) for own in columns.values()} == {(CRM, SHOP)}
    names = {frozenset(c for names in own.values() for c in names) for own in columns.values()}
    assert frozenset({"EMail", "Mail"}) in names
    assert frozenset({"FirstName + LastName", "Buyer"}) in names


def test_figures_hang_together(world, found):
    assert found.records == found.studied == sum(t.num_rows for t in world.frames.values())
    common = [r for r in found.rules if r.kind == "common"]
    assert common
    assert [r.kind for r in found.rules[len(common) :]] == ["scored"]
    assert [r.name for r in found.rules] == [r.name for r in found.project.conflation.rules]
    for rule in common:
        assert run_module.SURE <= rule.precision <= 1
        assert 0 <= rule.adds <= rule.finds <= 1
        assert rule.pairs > 0
        assert rule.sentence
    assert sum(r.adds for r in common) <= 1 + 1e-9
    assert found.labelled == 0
    assert json.loads(json.dumps(found.as_dict()))["matches"] == found.matches
    assert str(found).splitlines()[0].startswith(f"estimated from {found.pairs:,} pairs of {found.records:,} records")


def test_estimates_are_near_the_truth(world, found, tmp_path):
    """Each rule alone: the pairs it links, and how many of them are one person."""
    for number, rule in enumerate(found.project.conflation.rules[:2]):
        estimate = found.rules[number]
        plan = found.project.conflation.model_copy(
            update={"rules": (rule,), "limits": (), "junk": type(found.project.conflation.junk)()}
        )
        alone = found.project.model_copy(update={"conflation": plan})
        right = quality(alone, world.frames, world.person, tmp_path / str(number))
        assert right.precision >= estimate.precision - 0.02, (rule.name, right)
        assert right.found == pytest.approx(estimate.pairs, rel=0.15), (rule.name, right)


def test_the_same_data_give_the_same_text(world, found):
    again = unify.suggest(world.said, frames=world.shuffled(3))
    assert again.text == found.text
    assert again.as_dict() == found.as_dict()


def test_the_text_is_the_project(found, tmp_path):
    file = tmp_path / "project.yaml"
    file.write_text(found.text, encoding="utf-8")
    assert read_project(file) == found.project


def test_without_a_scored_rule_ordered_rules_do_it_alone(world, found, monkeypatch, tmp_path):
    monkeypatch.setattr(run_module, "SCORED_UP_TO", 1_000)
    alone = unify.suggest(world.said, frames=world.frames)
    assert [r for r in alone.rules if r.kind == "scored"] == []
    assert all(r.precision >= run_module.SURE_ALONE for r in alone.rules)
    right = quality(alone.project, world.frames, world.person, tmp_path)
    assert right.f1 >= 0.85, right


def some_labels(world, n=10):
    """n pairs of one person across the two, n of different people."""
    by_person = {}
    for (entity, key), person in sorted(world.person.items()):
        by_person.setdefault(person, {}).setdefault(entity, key)
    both = [own for own in by_person.values() if len(own) == 2]
    pairs = [(own[CRM], own[SHOP], 1) for own in both[:n]] + [
        (a[CRM], b[SHOP], 0) for a, b in zip(both[:n], both[n : 2 * n], strict=True)
    ]
    return [{"entity1": CRM, "key1": a, "entity2": SHOP, "key2": b, "match": m} for a, b, m in pairs]


def test_labels_are_taken_as_rows_frames_and_files(world, tmp_path):
    rows = some_labels(world)
    file = tmp_path / "labels.csv"
    pa_csv.write_csv(pa.Table.from_pylist(rows), file)
    sharper = unify.suggest(world.said, frames=world.frames, labels=rows)
    assert sharper.labelled == 20
    assert "20 labelled pairs" in sharper.text
    known = [r.labelled for r in sharper.rules if r.kind == "common"]
    assert max(known) > 0
    from unify.verbs.suggest import read_labels

    read = read_labels(rows, [CRM, SHOP])
    for other in (file, str(file), pa.Table.from_pylist(rows), pd.DataFrame(rows), pl.DataFrame(rows)):
        assert read_labels(other, [CRM, SHOP]) == read


A_LABEL = {"entity1": CRM, "key1": "C1", "entity2": SHOP, "key2": "B1", "match": 1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([A_LABEL | {"entity1": "crm.Contact"}], r"row 1, entity1: 'crm.Contact' is no entity of the plan\n.*crm.Contacts"),
        ([A_LABEL, A_LABEL | {"match": "perhaps"}], "row 2, match: 'perhaps' is neither yes nor no"),
        ([{k: v for k, v in A_LABEL.items() if k != "key2"}], "row 1: key2 is missing"),
        ([A_LABEL | {"entity2": CRM, "key2": "C1"}], "row 1: 'C1' is held against itself"),
        ([A_LABEL, A_LABEL | {"match": "no"}], "row 2: row 1 says the same, this one does not"),
        ([A_LABEL | {"key1": "nobody"}], "row 1: crm.Contacts has no record 'nobody'"),
    ],
)  # fmt: skip
def test_wrong_labels_are_refused_with_the_row(world, rows, said):
    with pytest.raises(SourceError, match=said):
        unify.suggest(world.said, frames=world.frames, labels=rows)


@pytest.mark.parametrize("text", ["", 'entity1,key1\n"a', "entity1,key1,entity2,key2\na,b,c,d\n"])
def test_a_file_that_holds_no_labels_is_refused(world, text, tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(SourceError, match=r"labels\.csv"):
        unify.suggest(world.said, frames=world.frames, labels=file)
    with pytest.raises(SourceError, match="no such file"):
        unify.suggest(world.said, frames=world.frames, labels=tmp_path / "nothing.csv")


def people(n):
    return pa.table({"Id": [f"r{i}" for i in range(n)], "EMail": [f"p{i}@mail.example" for i in range(n)]})


ONE = {"sources": {"crm": {"Contacts": {"key": "Id"}}}}


@pytest.mark.parametrize(
    ("said", "frame", "words"),
    [
        ({"sources": {"crm": {"Contacts": {"key": "Id", "type": "activity", "timestamp": "At"}}}}, people(9), "no entity of the project holds profiles"),
        (ONE, people(1), "no column tells people apart|fewer than two records"),
        (ONE, people(0), "no column tells people apart|fewer than two records"),
        (ONE, pa.table({"Id": ["a", "b"], "Yes": [True, False]}), "no column tells people apart"),
        (ONE, people(50), "no two records have anything telling in common"),
    ],
)  # fmt: skip
def test_where_nothing_can_be_proposed_the_reason_is_said(said, frame, words):
    with pytest.raises(unify.UnifyError, match=words) as caught:
        unify.suggest(said, frames={CRM: frame})
    assert isinstance(caught.value, (SpecError, SourceError))


@pytest.mark.parametrize("wrong", [{"memory_limit": "banana"}, {"threads": 0}])
def test_means_that_are_none_are_refused(world, wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        unify.suggest(world.said, frames=world.frames, **wrong)


def test_the_order_of_a_plan_stays_and_the_rest_of_the_project_too(world):
    said = world.said | {
        "conflation": {"order": [SHOP, CRM], "match": {f"{CRM} -> {SHOP}": [{"name": "x", "when": [{"left": "EMail", "right": "Mail"}]}]}},
        "resolution": {"City": "most filled"},
        "timezone": "Europe/Berlin",
    }  # fmt: skip
    said["sources"]["crm"]["Contacts"]["labels"] = {"EMail": "Identity.Service.Email"}
    found = unify.suggest(said, frames=world.frames)
    assert [o.entity for o in found.project.conflation.order] == [SHOP, CRM]
    assert not found.project.conflation.match
    assert (found.project.timezone, list(found.project.resolution)) == ("Europe/Berlin", ["City"])
    assert found.project.sources["crm"]["Contacts"].labels["EMail"] == "Identity.Service.Email"


def test_dates_that_files_spell_differently_are_still_dates(tmp_path):
    """One file is typed, in the other some values are no dates: neither is read as its own spelling."""
    rows = [(i, f"p{i % 70}@mail.example", 1950 + i % 40, 1 + i % 12, 13 + i % 15) for i in range(100)]
    a = "".join(f"a{i},{mail},{m}/{d}/{y}\n" for i, mail, y, m, d in rows)
    b = "".join(f"b{i},{mail},{y}-{m:02d}-{d:02d}\n" for i, mail, y, m, d in rows[:90]) + "b-1,x@mail.example,unknown\n"
    (tmp_path / "a.csv").write_text("Id,EMail,DateOfBirth\n" + a)
    (tmp_path / "b.csv").write_text("No,EMail,DateOfBirth\n" + b)
    said = {"sources": {"a": {"A": {"files": "a.csv", "key": "Id"}}, "b": {"B": {"files": "b.csv", "key": "No"}}}}
    found = unify.suggest(said, base=tmp_path)
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(found.project, base=tmp_path)
        assert acme.engine().columns("a_A")["DateOfBirth"] == "DATE"


# ── instances and the command ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shop(world, tmp_path_factory):
    """A folder with two files and a project that names them."""
    folder = tmp_path_factory.mktemp("shop")
    for name, entity in (("contacts", CRM), ("buyers", SHOP)):
        pa_csv.write_csv(world.frames[entity], folder / f"{name}.csv")
    said = {"name": "shop", "sources": {"crm": {"Contacts": {"files": "contacts.csv", "key": "Id"}}, "shop": {"Buyers": {"files": "buyers.csv", "key": "No"}}}}  # fmt: skip
    (folder / "project.yaml").write_text(yaml.safe_dump(said))
    return folder


def command(*words, cwd):
    env = {k: v for k, v in os.environ.items() if not k.startswith("UNIFY_")} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "unify", *map(str, words)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_command_writes_a_file_that_runs_and_an_instance_proposes_the_same(shop):
    done = command("suggest", "project.yaml", "-o", "plan.yaml", cwd=shop)
    assert done.returncode == 0, done.stderr
    assert "plan.yaml is written" in done.stdout
    assert done.stdout.startswith("estimated from")
    project = read_project(shop / "plan.yaml")
    with unify.open(shop / "i", create=True) as acme:
        acme.run(shop / "plan.yaml")
        again = acme.suggest()
    assert again.project == project
    assert again.text == (shop / "plan.yaml").read_text(encoding="utf-8")
    refused = command("suggest", "project.yaml", "-o", "plan.yaml", cwd=shop)
    assert refused.returncode == SpecError.exit_code
    assert "--force" in refused.stderr
    said = command("suggest", "--instance", "i", "--json", "-o", "plan.yaml", "--force", cwd=shop)
    assert json.loads(said.stdout)["records"] == again.records
    assert json.loads(said.stdout)["text"] == again.text


def test_the_command_refuses_a_place_from_which_paths_would_lead_nowhere(shop, tmp_path):
    away = command("suggest", "project.yaml", "-o", tmp_path / "plan.yaml", cwd=shop)
    assert away.returncode == SpecError.exit_code
    assert "not beside the project" in away.stderr
    assert not (tmp_path / "plan.yaml").exists()


def test_an_instance_that_has_published_nothing_says_so(tmp_path):
    with unify.open(tmp_path / "i", create=True) as acme, pytest.raises((StoreError, InstanceNotFoundError)):
        acme.suggest()


# ── public data ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "f1"), [("fake_1000", 0.95), ("febrl3", 0.9995)])
def test_quality_on_public_data(name, f1, tmp_path):
    """From files whose columns nobody has described to customers, within 12 seconds on two cores."""
    import pyarrow.parquet as pq

    from benchmarks import sets

    try:
        prepared = sets.prepared(name)
        with prepared as data:
            person = {(r["entity"], r["key"]): r["person"] for r in pq.read_table(data.truth).to_pylist()}
            started = time.process_time()
            found = unify.suggest(data.bare_project(), base=data.folder)
            right = quality(found.project, None, person, tmp_path, base=data.folder)
            seconds = time.process_time() - started
    except FileNotFoundError as error:
        pytest.skip(f"{name} is not in ../shared/data: {error}")
    print(name, right, f"{seconds:.1f} s of processors")
    assert right.f1 >= f1, right
    assert seconds < 2 * 12
