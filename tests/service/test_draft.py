"""The project as it is edited between runs."""

import threading
from pathlib import Path

import pytest

import unify
from unify.core.errors import SpecError
from unify.store import Store
from unify.verbs.draft import Draft

SAMPLE = Path(__file__).parents[2] / "sample_data" / "project.yaml"


def test_it_begins_as_what_was_published_and_finds_its_files(contoso_made: Path):
    draft = Draft(Store.open(contoso_made))
    with unify.open(contoso_made) as acme:
        assert draft.project() == acme.project()
    assert draft.now().base == SAMPLE.parent
    assert draft.now().version == 0


def test_an_edit_is_a_version_that_the_next_run_uses(root: Path):
    draft = Draft(Store.open(root / "contoso"))
    assert draft.edit(lambda p: p["segments"].update(bern={"where": "City eq 'Bern'"})).version == 1
    assert "bern" in draft.project().segments
    with unify.open(root / "contoso") as acme:
        acme.run(draft.project(), base=draft.now().base)
        assert "bern" in acme.project().segments
    assert draft.now().version == 1
    assert draft.edit(lambda p: p["segments"].pop("bern")).version == 2


def test_whoever_publishes_another_project_replaces_it(root: Path):
    draft = Draft(Store.open(root / "contoso"))
    draft.edit(lambda p: p["segments"].update(bern={"where": "City eq 'Bern'"}))
    with unify.open(root / "contoso") as acme:
        other = acme.project().model_copy(update={"segments": {}})
        acme.run(other, base=SAMPLE.parent)
    assert draft.project().segments == {}
    assert draft.edit(lambda p: p.update(timezone="Europe/Bern".replace("Bern", "Zurich"))).version == 2
    assert draft.project().segments == {}


def test_what_is_no_project_is_not_kept(root: Path):
    draft = Draft(Store.open(root / "contoso"))
    with pytest.raises(SpecError, match="segmnts"):
        draft.edit(lambda p: p.update(segmnts={}))
    assert draft.now().version == 0


def test_an_empty_instance_has_an_empty_draft_until_it_has_sources(tmp_path: Path):
    draft = Draft(Store.create(tmp_path / "new"))
    assert draft.now().document == {}
    draft.edit(lambda p: p.update(name="new"))
    with pytest.raises(SpecError, match="sources"):
        draft.project()
    draft.edit(lambda p: p.update(sources={"crm": {"Contacts": {"files": "incoming/c.csv", "key": "Id"}}}))
    assert list(draft.project().entities) == ["crm.Contacts"]


def test_edits_at_once_are_all_kept(root: Path):
    store = Store.open(root / "contoso")

    def add(number: int) -> None:
        Draft(store).edit(lambda p: p["segments"].update({f"s{number}": {"where": f"TotalSpend gt {number}"}}))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert {f"s{n}" for n in range(8)} <= set(Draft(store).project().segments)
